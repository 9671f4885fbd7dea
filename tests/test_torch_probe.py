"""fastinit.torch.probe and calibrate: what they measure, and that they leave no trace."""

from __future__ import annotations

import copy
import doctest
import importlib
import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.propagation import judge
from fastinit.propagation import probe as probe_stack

torch = optional("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch.utils.checkpoint import checkpoint  # noqa: E402

import fastinit.torch as fit  # noqa: E402


@pytest.mark.parametrize("module", ["probe", "calibrate", "observe"])
def test_doctests(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"fastinit.torch.probing.{module}")).failed == 0


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def normal(*shape: int) -> Any:
    return torch.from_numpy(fi.normal(shape, seed=1, name="x"))


def stack(widths: list[int], activation: Callable[[], Any], seed: int = 4) -> Any:
    """A torch network of the weights that the NumPy stack has."""
    modules: list[Any] = []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        linear = nn.Linear(n_in, n_out)
        with torch.no_grad():
            linear.weight.copy_(
                torch.from_numpy(fi.he_normal((n_out, n_in), seed=seed, name=f"layer.{i}.weight"))
            )
            linear.bias.zero_()
        modules += [linear, activation()]
    return nn.Sequential(*modules[:-1])


@pytest.mark.parametrize(
    ("name", "module"),
    [("relu", lambda: nn.ReLU(inplace=True)), ("tanh", nn.Tanh), ("gelu", nn.GELU), ("sigmoid", nn.Sigmoid)],
)
def test_the_same_network_in_numpy_and_in_torch(name: str, module: Callable[[], Any]) -> None:
    widths = [40, 60, 60, 60, 10]
    batch = fi.normal((32, 40), seed=4, name="batch")
    ours = probe_stack(widths, name, "he_normal", seed=4, batch=batch).layers
    theirs = fit.probe(stack(widths, module), torch.from_numpy(batch), seed=4).layers
    assert [layer.name for layer in theirs] == ["0", "2", "4", "6"]
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and a.copies == b.copies and a.rank == b.rank
        for field in ("rms", "mean", "gradient", "weight_variance", "cosine", "target"):
            assert getattr(a, field) == pytest.approx(getattr(b, field), rel=2e-4, abs=1e-6), field
        for field in ("dead", "saturated"):
            assert getattr(a, field) == pytest.approx(getattr(b, field), abs=2e-3), field


def test_chains_have_a_prediction() -> None:
    widths, batch = [40, 60, 60, 60, 10], normal(32, 40)
    ours = probe_stack(widths, "relu", "he_normal", seed=4, batch=batch.numpy()).layers
    for a, b in zip(ours, fit.probe(stack(widths, nn.ReLU), batch).layers, strict=True):
        assert a.expected and b.expected
        assert a.expected.rms == pytest.approx(b.expected.rms, rel=0.05)
        assert a.expected.gradient_high == pytest.approx(b.expected.gradient_high, rel=0.15)
    mixed = nn.Sequential(nn.Linear(40, 9), nn.ReLU(), nn.Linear(9, 9), nn.Tanh(), nn.Linear(9, 9))
    twice = nn.Sequential(nn.Linear(40, 9), nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 9))
    normed = nn.Sequential(nn.Linear(40, 9), nn.LayerNorm(9), nn.Linear(9, 9))
    dropped = nn.Sequential(nn.Linear(40, 9), nn.ReLU(), nn.Dropout(), nn.Linear(9, 9))
    shifted = stack(widths, nn.ReLU)
    nn.init.ones_(shifted[0].weight)
    cell, act = nn.Linear(40, 40), nn.ReLU()
    shared = nn.Sequential(cell, act, cell, act, nn.Linear(40, 9))
    for model in (mixed, twice, normed, dropped, shifted, shared):
        assert all(layer.expected is None for layer in fit.probe(model, batch).layers)


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(20, 30), nn.Linear(30, 30), nn.Linear(30, 4)

    def forward(self, x: Any) -> Any:
        return self.c(torch.tanh(self.b(F.relu(self.a(x)))))


def test_activations_as_functions() -> None:
    model = Functional()
    x = normal(16, 20)
    a, b, c = fit.probe(model, x).layers
    hidden = model.a(x)
    assert a.dead == float((hidden <= 0).all(0).float().mean()) and a.saturated is None
    assert b.saturated == float((model.b(F.relu(hidden)).tanh().abs() > 0.97).float().mean())
    assert b.dead == 0 and (c.dead, c.saturated) == (None, None)
    assert a.target == b.target == pytest.approx(2) and c.target != a.target


def convolutions() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.5),
        nn.Conv2d(8, 8, 3, groups=4), nn.ReLU(), nn.ConvTranspose2d(8, 4, 2, groups=2), nn.MaxPool2d(2),
        nn.Flatten(), nn.LazyLinear(5),
    )  # fmt: skip


def ready(model: Any, batch: Any) -> Any:
    model(batch)
    return model


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16)) for _ in range(3)
        )

    def forward(self, x: Any) -> Any:
        for block in self.blocks:
            x = x + block(x)
        return x


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.unused = nn.Linear(12, 12), nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        for _ in range(3):
            x = torch.tanh(self.cell(x))
        return {"hidden": x, "logits": x * 2}


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.norm = nn.Embedding(50, 16), nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.rnn, self.head = nn.LSTM(16, 8, batch_first=True), nn.Linear(8, 50)

    def forward(self, tokens: Any) -> Any:
        x = self.table(tokens)
        x = x + self.attention(self.norm(x), x, x)[0]
        return self.head(self.rnn(x)[0])


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Any) -> Any:
        return checkpoint(lambda y: self.b(torch.relu(self.a(y))), x, use_reentrant=False)


IMAGES = (4, 3, 12, 12)
MODELS: list[Any] = [
    ("convolutions", lambda: ready(convolutions(), normal(*IMAGES)), lambda: normal(*IMAGES), ["0", "4", "6", "9"]),
    ("residual", Residual, lambda: normal(5, 16), [f"blocks.{i}.{j}" for i in range(3) for j in (1, 3)]),
    ("shared", Shared, lambda: normal(5, 12), ["cell", "cell (2)", "cell (3)", "unused"]),
    ("tokens", Tokens, lambda: torch.arange(20).reshape(2, 10),
     ["table", "attention", "rnn", "head", "attention.out_proj"]),
    ("checkpointed", Checkpointed, lambda: normal(5, 6), ["a", "b"]),
    ("functional", Functional, lambda: normal(5, 20), ["a", "b", "c"]),
]  # fmt: skip
every_model = pytest.mark.parametrize(("name", "build", "batch", "rows"), MODELS, ids=[m[0] for m in MODELS])


class Snapshot:
    """All that a probe must not change."""

    def __init__(self, model: Any, batch: Any) -> None:
        self.model, self.batch = model, batch
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 3)
        self.before = self.now()

    def now(self) -> dict[str, Any]:
        tensors = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        return {
            "values": {name: tensor.detach().clone() for name, tensor in tensors.items()},
            "objects": {name: id(tensor) for name, tensor in tensors.items()},
            "grads": {name: p.grad.clone() for name, p in self.model.named_parameters()},
            "flags": [(m.training, [p.requires_grad for p in m.parameters()]) for m in self.model.modules()],
            "hooks": [
                [len(value) for key, value in vars(m).items() if "hooks" in key] for m in self.model.modules()
            ],
            "batch": (self.batch.clone(), self.batch.requires_grad, self.batch.grad),
            "random": (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()),
            "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        }

    def check(self) -> None:
        torch.testing.assert_close(self.now(), self.before, rtol=0, atol=0)


@every_model
@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_left_behind(
    name: str, build: Callable[[], Any], batch: Callable[[], Any], rows: list[str], training: bool
) -> None:
    model, x = build().train(training), batch()
    snapshot = Snapshot(model, x)
    report = fit.probe(model, x, lambda y: fit_loss(y))
    snapshot.check()
    assert [layer.name for layer in report.layers] == rows
    for layer in report.layers:
        unused = layer.name in ("unused", "attention.out_proj")
        assert (layer.rms is None) == (layer.gradient is None) == unused
        assert unused or (math.isfinite(layer.rms or 0) and (layer.gradient or 0) > 0)
    assert report.loss is not None and math.isfinite(report.loss)
    assert len(judge(report).words) == len(rows)
    again = fit.probe(model, x, lambda y: fit_loss(y))
    assert again == report


def fit_loss(output: Any) -> Any:
    output = output["logits"] if isinstance(output, dict) else output
    return output.square().mean() + torch.rand(()) * 0


class Raises(nn.Module):
    """Changes what it can, then raises."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        torch.rand(3)
        random.random()
        np.random.random()
        self.count = self.count + 1
        x = F.relu(self.norm(self.a(x)), inplace=True)
        raise RuntimeError("enough")


@pytest.mark.parametrize("run", [fit.probe, fit.calibrate])
def test_nothing_is_left_behind_when_the_model_raises(run: Callable[..., Any]) -> None:
    model, x = Raises(), normal(8, 4)
    snapshot = Snapshot(model, x)
    with pytest.raises(RuntimeError, match="enough"):
        run(model, x)
    snapshot.check()
    good = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    snapshot = Snapshot(good, x)
    with pytest.raises(ZeroDivisionError):
        fit.probe(good, x, lambda y: 1 / 0)
    snapshot.check()


def test_gradients_are_those_of_autograd() -> None:
    model = ready(convolutions(), normal(*IMAGES)).eval()
    x = normal(*IMAGES)
    layers = fit.probe(model, x, lambda y: y.logsumexp(1).sum()).layers
    kept: list[Any] = []
    handles = [
        model[int(layer.name)].register_forward_hook(lambda m, a, y: kept.append(y.clone()) or kept[-1]) for layer in layers
    ]  # fmt: skip
    loss = model(x).logsumexp(1).sum()
    gradients = torch.autograd.grad(loss, kept)
    for handle in handles:
        handle.remove()
    for layer, h, gradient in zip(layers, kept, gradients, strict=True):
        assert layer.rms == pytest.approx(float(h.detach().square().mean().sqrt()), rel=1e-5)
        assert layer.gradient == pytest.approx(float(gradient.norm() / gradients[-1].norm()), rel=1e-4)


def test_weights_of_convolutions() -> None:
    model = ready(convolutions(), normal(*IMAGES))
    layers = fit.probe(model, normal(*IMAGES)).layers
    assert layers[0].weight_variance == pytest.approx(float(model[0].weight.detach().var(correction=0)) * 27)
    assert layers[1].weight_variance == pytest.approx(float(model[4].weight.detach().var(correction=0)) * 18)
    rows = model[4].weight.detach().flatten(1)
    rows = rows / rows.norm(dim=1, keepdim=True)
    assert layers[1].cosine == pytest.approx(float((rows @ rows.T - 2 * torch.eye(8)).max()), abs=1e-6)
    assert (layers[0].rank, layers[1].rank, layers[2].full_rank) == (8, 8, 4)


def test_symmetry() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))
    for layer in model[0], model[2], model[4]:
        nn.init.constant_(layer.weight, 0.1)
        nn.init.zeros_(layer.bias)
    report = fit.probe(model, normal(32, 8))
    assert [layer.copies for layer in report.layers] == [15, 15, 0]
    assert judge(report).findings[0].text.startswith("symmetric: 15 of 16 units of 0")


def test_a_zero_head_is_no_symmetry() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 5))
    nn.init.zeros_(model[2].weight)
    nn.init.zeros_(model[2].bias)
    labels = torch.arange(32) % 5
    report = fit.probe(model, normal(32, 8), lambda y: F.cross_entropy(y, labels**2 % 5), classes=5)
    assert report.layers[1].copies is not None and report.layers[1].copies < 4
    assert report.loss == pytest.approx(math.log(5)) and report.classes == 5


def test_frozen_models_and_no_grad() -> None:
    model, x = stack([8, 9, 9, 4], nn.ReLU), normal(6, 8)
    expected = fit.probe(model, x)
    model.requires_grad_(False)
    with torch.no_grad():
        assert fit.probe(model, x) == expected
    with torch.inference_mode():
        assert fit.probe(model, normal(6, 8).clone()) == expected
        assert torch.is_inference_mode_enabled()
    assert all(not p.requires_grad for p in model.parameters())


def test_views_that_are_overwritten_and_scalars_that_are_activated() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.gate = nn.Linear(8, 9), nn.Linear(9, 4), nn.Parameter(torch.zeros(()))

        def forward(self, x: Any) -> Any:
            h = self.a(x)
            gate = torch.sigmoid(self.gate)
            return self.b(gate * h.relu_())

    first, last = fit.probe(Gated(), normal(5, 6, 8)).layers
    flat, _ = fit.probe(Gated(), normal(30, 8)).layers
    assert first.gradient and last.gradient == 1
    assert first.target == pytest.approx(2) and first.dead is not None and flat.dead is not None


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_scripted_modules() -> None:
    with pytest.raises(ValueError, match="'weight': it belongs to a TorchScript module"):
        fit.probe(torch.jit.script(nn.Linear(6, 6)), normal(5, 6))


def test_activations_can_be_measured_themselves() -> None:
    model, x = nn.Sequential(nn.Linear(8, 9), nn.ReLU(), nn.Linear(9, 4), nn.Tanh()), normal(5, 8)
    layers = fit.probe(model, x, modules=["1", "2", "3"]).layers
    assert layers[0].rms == pytest.approx(float(model[:2](x).detach().square().mean().sqrt()), rel=1e-5)
    assert layers[1].saturated is not None and layers[2].weight_variance is None


def test_blocks_show_the_residual_stream() -> None:
    model, x = Residual(), normal(64, 16)
    names = [f"blocks.{i}" for i in range(3)]
    layers = fit.probe(model, x, modules=names).layers
    assert [layer.name for layer in layers] == names
    assert layers[0].rms == pytest.approx(float(model.blocks[0](x).detach().square().mean().sqrt()), rel=1e-5)
    assert layers[0].weight_variance is None and layers[0].cosine is None


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize(
    "wrap",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
    ],
)
def test_parametrised_weights(wrap: Callable[..., Any]) -> None:
    model = nn.Sequential(wrap(nn.Linear(10, 12)), nn.ReLU(), nn.Linear(12, 3))
    snapshot = Snapshot(model, x := normal(6, 10))
    layers = fit.probe(model, x).layers
    snapshot.check()
    assert [layer.name for layer in layers] == ["0", "2"]
    assert list(fit.calibrate(model, x, None)) == ["2"]


def test_bfloat16() -> None:
    model = stack([64, 64, 64, 8], nn.ReLU)
    wide = fit.probe(model, normal(32, 64)).layers
    narrow = fit.probe(model.bfloat16(), normal(32, 64).bfloat16()).layers
    for a, b in zip(wide, narrow, strict=True):
        assert a.rms == pytest.approx(b.rms, rel=0.02) and a.gradient == pytest.approx(b.gradient, rel=0.05)


def test_batches_of_several_arguments() -> None:
    model = nn.Bilinear(3, 4, 5)
    a, b = normal(6, 3), normal(6, 4)
    assert fit.probe(model, (a, b)).layers == fit.probe(model, {"input1": a, "input2": b}).layers


@pytest.mark.parametrize("run", [fit.probe, fit.calibrate])
@pytest.mark.parametrize(
    ("model", "batch", "error", "says"),
    [
        (nn.Linear(3, 3), torch.tensor([[1.0, math.nan, 0]]), ValueError, "batch must be finite"),
        (nn.Linear(3, 3), torch.zeros(0, 3), ValueError, "batch must not be empty"),
        (nn.Linear(3, 3), [[1.0]], TypeError, "batch"),
        (nn.Sequential(nn.ReLU()), torch.zeros(2, 3), ValueError, "model has no parameters"),
        (nn.LayerNorm(3), torch.zeros(2, 3), ValueError, "model has no l"),
        (nn.LazyLinear(3), torch.zeros(2, 3), ValueError, "run the lazy module once"),
        (nn.Linear(3, 3, device="meta"), torch.zeros(2, 3), ValueError, "meta device"),
        ("model", torch.zeros(2, 3), TypeError, "model must be a torch.nn.Module"),
        (nn.Linear(4, 3), torch.zeros(2, 3), RuntimeError, "shape"),
    ],
)
def test_bad_input(
    run: Callable[..., Any], model: Any, batch: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        run(model, batch)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"loss": lambda y: y}, ValueError, "loss must return a scalar tensor"),
        ({"loss": lambda y: 1.0}, ValueError, "loss must return a scalar tensor"),
        ({"classes": 1}, ValueError, "classes"),
        ({"classes": 2.5}, TypeError, "classes"),
        ({"modules": ["b"]}, ValueError, "'b'"),
        ({"seed": -1}, ValueError, "seed"),
    ],
)
def test_bad_options(options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        fit.probe(nn.Linear(3, 3), torch.zeros(2, 3), **options)


def test_weights_that_are_not_finite() -> None:
    model = nn.Linear(3, 3)
    nn.init.constant_(model.weight, math.inf)
    with pytest.raises(ValueError, match="weight of '' is not finite"):
        fit.probe(model, torch.zeros(2, 3))


# Calibration


def outputs(model: Any, x: Any, names: list[str]) -> list[float]:
    stds: list[float] = []
    modules = dict(model.named_modules())
    handles = [modules[name].register_forward_hook(lambda m, a, y: stds.append(float(y.std(correction=0)))) for name in names]  # fmt: skip
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return stds


@pytest.mark.parametrize("scheme", ["orthogonal", None, "normal"])
@pytest.mark.parametrize(
    ("name", "build", "batch", "rows"), MODELS[:2] + MODELS[5:], ids=["conv", "residual", "functional"]
)
def test_calibrated_layers_have_unit_variance(
    name: str, build: Callable[[], Any], batch: Callable[[], Any], rows: list[str], scheme: str | None
) -> None:
    model, x = build().eval(), batch()
    biases = {key: value.clone() for key, value in model.state_dict().items() if not key.endswith("weight")}
    snapshot = Snapshot(model, x)
    before = snapshot.now()
    factors = fit.calibrate(model, x, scheme)
    assert list(factors) == rows and all(factor > 0 for factor in factors.values())
    np.testing.assert_allclose(outputs(model, x, rows), 1, atol=0.01)
    after = snapshot.now()
    for key in ("objects", "grads", "flags", "hooks", "batch", "random", "modes"):
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=0)
    for key, value in biases.items():
        assert torch.equal(model.state_dict()[key], value)


def test_calibration_draws_fastinits_bits() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
    factors = fit.calibrate(model, normal(20, 6), "he_normal", seed=9, gain=0.5)
    drawn = fi.he_normal((5, 6), seed=9, name="0.weight", gain=0.5)
    np.testing.assert_allclose(model[0].weight.detach().numpy(), factors["0"] * drawn, rtol=1e-6)


def test_calibration_leaves_embeddings_and_shared_calls() -> None:
    tied = nn.Sequential(nn.Embedding(30, 8), nn.Linear(8, 8), nn.Linear(8, 30))
    tied[2].weight = tied[0].weight
    before = copy.deepcopy(tied[0].weight)
    assert list(fit.calibrate(tied, torch.arange(30))) == ["1"]
    assert torch.equal(tied[0].weight, before)
    shared = Shared()
    assert list(fit.calibrate(shared, normal(50, 12))) == ["cell"]


def test_what_cannot_be_calibrated() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    nn.init.zeros_(model[1].weight)
    snapshot = Snapshot(model, x := normal(9, 3))
    with pytest.raises(ValueError, match="layer '1' cannot be calibrated: W x has the variance 0"):
        fit.calibrate(model, x, None)
    snapshot.check()
    with pytest.raises(TypeError, match="gain"):
        fit.calibrate(model, x, None, gain=2.0)
    with pytest.raises(ValueError, match="did you mean"):
        fit.calibrate(model, x, "orthogonl")
    snapshot.check()


@pytest.mark.parametrize("activation", [False, True])
def test_a_model_that_calls_vmap_is_refused_by_a_sentence(activation: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Sequential(nn.ReLU(), nn.Linear(8, 8)) if activation else nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.vmap(self.layer)(x)

    with pytest.raises(ValueError, match=r"calls torch\.vmap on its layers"):
        fit.probe(Net(), torch.randn(4, 8))


# Inputs, and models that take derivatives


class Energy(nn.Module):
    def __init__(self, activation: Callable[[], Any] = nn.Tanh) -> None:
        super().__init__()
        self.net = stack([6, 40, 40, 1], activation)

    def energy(self, x: Any) -> Any:
        return self.net(x).sum()


def _forces(model: Any, x: Any) -> Any:
    return -torch.autograd.grad(model.energy(x), x, create_graph=True)[0]


def _forces_apart(model: Any, x: Any) -> Any:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(model.energy(x), x)[0]


def _laplacian(model: Any, x: Any) -> Any:
    first = torch.autograd.grad(model.energy(x), x, create_graph=True)[0]
    return sum(torch.autograd.grad(first[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(3))


def _residual(model: Any, x: Any) -> Any:
    u = model.net(x)
    return u + torch.autograd.grad(u.sum(), x, create_graph=True)[0].sum(1, keepdim=True)


def _carried_forward(model: Any, x: Any) -> Any:
    ahead = torch.autograd.forward_ad
    with ahead.dual_level():
        return ahead.unpack_dual(model.net(ahead.make_dual(x, torch.ones_like(x)))).tangent


def _by_vjp(model: Any, x: Any) -> Any:
    out, back = torch.func.vjp(model.net, x)
    return back(torch.ones_like(out))[0]


def _by_backward(model: Any, x: Any) -> Any:
    x = x.detach().requires_grad_()
    model.energy(x).backward(inputs=[x])
    return x.grad


DERIVING: dict[str, Callable[[Any, Any], Any]] = {
    "autograd.grad": _forces,
    "autograd.grad without its graph": _forces_apart,
    "second derivatives": _laplacian,
    "a residual": _residual,
    "backward": _by_backward,
    "forward mode": _carried_forward,
    "func.grad": lambda model, x: torch.func.grad(model.energy)(x),
    "func.vjp": _by_vjp,
    "func.jvp": lambda model, x: torch.func.jvp(model.net, (x,), (torch.ones_like(x),))[1],
    "func.jacrev": lambda model, x: torch.func.jacrev(lambda y: model.net(y).sum(0))(x),
    "func.jacfwd": lambda model, x: torch.func.jacfwd(lambda y: model.net(y).sum(0))(x),
    "func.hessian": lambda model, x: torch.func.hessian(model.energy)(x),
    "functional.jacobian": lambda model, x: torch.autograd.functional.jacobian(
        lambda y: model.net(y).sum(0), x, create_graph=True
    ),
}


@pytest.mark.filterwarnings(
    "ignore:.*torch.jit:DeprecationWarning"
)  # which torch itself calls in forward mode
@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, lambda: nn.ReLU(inplace=True)])
@pytest.mark.parametrize("way", DERIVING)
def test_derivatives_within_forward_are_no_vanishing_gradient(
    way: str, activation: Callable[[], Any]
) -> None:
    class Deriving(Energy):
        def forward(self, x: Any) -> Any:
            return DERIVING[way](self, x)

    model, x = Deriving(activation), normal(16, 6)
    snapshot = Snapshot(model, x)
    report = fit.probe(model, x)
    snapshot.check()
    plain = fit.probe(model.net, x)
    assert report.derives and all(layer.gradient is None for layer in report.layers)
    assert [layer.rms for layer in report.layers[:3]] == pytest.approx([layer.rms for layer in plain.layers])
    verdict = judge(report)
    assert verdict.level == "fine" and "the gradient is not measured: the model takes deriv" in verdict.text
    assert not plain.derives and "not measured" not in judge(plain).text


def test_derivatives_within_vmap_are_refused_by_a_sentence() -> None:
    class PerSample(Energy):
        def forward(self, x: Any) -> Any:
            return torch.vmap(torch.func.grad(self.energy))(x)

    with pytest.raises(ValueError, match=r"calls torch\.vmap on its layers"):
        fit.probe(PerSample(), normal(16, 6))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: 255 * x, "standard deviation 2.5e+02"),
        (
            lambda x: x + 30,
            "the inputs are not standardised: mean 30, standard deviation 1; standardise them first",
        ),
        (lambda x: 1e-3 * x, "standard deviation 0.001"),
        (lambda x: x * torch.tensor([30.0] + 63 * [1.0]), "but one feature has the rms 3"),
    ],
)
def test_inputs_that_are_not_standardised_come_first(change: Callable[[Any], Any], says: str) -> None:
    model, x = stack([64, 64, 64, 8], nn.ReLU), normal(200, 64)
    model[2].bias.data.fill_(-1e6)  # a fault beside it
    for first in (judge(fit.probe(model, change(x))), judge(fit.probe(model, (change(x),)))):
        assert says in first.findings[0].text and first.findings[0].text.startswith(
            "the inputs are not stand"
        )
        assert (first.level, first.exit_code) == ("fault", 3)


def test_inputs_that_are_standardised_or_have_no_scale() -> None:
    model = stack([64, 64, 8], nn.ReLU)
    for x in (normal(99, 64), torch.rand(99, 64), torch.eye(64), torch.ones(9, 64), 3 * normal(99, 64)):
        assert "standardised" not in judge(fit.probe(model, x)).text

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.fc = nn.Embedding(9, 64), nn.Linear(64, 4)

        def forward(self, ids: Any, times: Any, image: Any, mask: Any) -> Any:
            return self.fc(self.embed(ids) * mask + times[:, None] + image)

    batch = {"ids": torch.arange(9), "times": 1000 * torch.rand(9), "mask": torch.ones(9, 1)}
    text = judge(fit.probe(Named(), {**batch, "image": 200 * torch.rand(9, 64)})).text
    assert text.startswith("the input 'image' is not standardised: mean ")
    assert "standardised" not in judge(fit.probe(Named(), {**batch, "image": normal(9, 64)})).text


def test_one_sample_is_no_verdict() -> None:
    model = stack([64, 64, 64, 8], nn.ReLU)
    verdict = judge(fit.probe(model, normal(1, 64)))
    assert verdict.text == "no verdict: the batch has one sample; give some dozens that differ"
    assert (verdict.level, verdict.exit_code, verdict.words) == ("warning", 0, ("-", "-", "-"))
    assert judge(fit.probe(model, normal(64))).text.startswith("no verdict")
    assert judge(fit.probe(nn.Conv2d(3, 4, 3), normal(1, 3, 9, 9))).text.startswith("no verdict")
    assert "no verdict" not in judge(fit.probe(model, normal(2, 64))).text
    tokens = nn.Sequential(nn.Embedding(9, 64), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    assert fit.probe(tokens, torch.arange(8)[None]).samples == 8
    assert judge(fit.probe(tokens, torch.arange(1)[None])).text.startswith("no verdict")
    assert judge(probe_stack([9, 9, 9], "relu", "he_normal", batch=1)).text.startswith("no verdict")


@pytest.mark.parametrize("inplace", [False, True])
def test_a_bias_that_kills_is_named_and_no_gain_is_offered(inplace: bool) -> None:
    model = stack([64] * 5 + [8], lambda: nn.ReLU(inplace=inplace))
    x = normal(64, 64)
    model[2].bias.data.fill_(-30.0)
    report = fit.probe(model, x)
    assert report.layers[1].dead == 1 and report.layers[1].unbiased == 0
    text = judge(report).text
    assert "dead: 100% of the units of 2 are 0 for the whole batch, by the bias of 2" in text
    assert "gain" not in text
    model[2].bias.data.zero_()
    model[2].weight.data.abs_().neg_()  # dead by its weights
    assert fit.probe(model, x).layers[1].unbiased == 1
    text = judge(fit.probe(model, x)).text
    assert "dead: 100% of the units of 2 are 0 for the whole batch" in text and "by the bias" not in text


def test_the_bias_of_a_norm_kills_too() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3),
        nn.Flatten(),
        nn.Linear(400, 5),
    )
    model[1].bias.data[:12] = -9.0
    report = fit.probe(model, normal(32, 3, 9, 9))
    assert (report.layers[0].dead, report.layers[0].unbiased, report.layers[0].bias) == (0.75, 0, "1")
    text = judge(report).text
    assert "dead: 75% of the units of 0 are 0 for the whole batch, by the bias of 1: 0% are without" in text


def test_a_bias_that_kills_in_numpy() -> None:
    text = judge(probe_stack([64] * 6, "relu", "he_normal", bias=fi.laws.Constant(-9.0))).text
    assert "by the bias of layer.0" in text and "gain" not in text
    assert "by the bias" not in judge(probe_stack([64] * 6, "relu", "he_normal", bias="ones")).text


class _Spectral(nn.Module):
    """Complex inside, as Fourier operators are; `real` says whether what comes out is real."""

    def __init__(self, real: bool) -> None:
        super().__init__()
        self.into, self.out, self.real = nn.Linear(16, 16), nn.Linear(16, 2), real
        self.spectral = nn.Linear(9, 9, dtype=torch.cfloat)

    def forward(self, x: Any) -> Any:
        h = self.spectral(torch.fft.rfft(self.into(x)))
        return self.out(torch.fft.irfft(h, n=16)) if self.real else h


def test_complex_layers_and_outputs_are_named() -> None:
    x = normal(8, 16)
    for make in (fit.probe, fit.calibrate):
        with pytest.raises(TypeError, match=r"the weight of 'spectral' is complex \(torch.complex64\)"):
            make(_Spectral(True), x)
    report = fit.probe(_Spectral(True), x, modules=["into", "out"])
    assert [layer.gradient for layer in report.layers][1] == 1 and report.layers[0].gradient > 0
    model = _Spectral(False)
    with pytest.raises(TypeError, match="the model puts out complex values"):
        fit.probe(model, x, modules=["into"])
    with pytest.raises(TypeError, match=r"loss must return a real number, got torch\.complex64"):
        fit.probe(model, x, lambda out: out.sum(), modules=["into"])
    report = fit.probe(model, x, lambda out: out.abs().sum(), modules=["into"])
    assert report.layers[0].rms is not None and report.loss is not None

    class Turned(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.fft.fft(x)

    net = nn.Sequential(nn.Linear(16, 16), Turned())
    with pytest.raises(TypeError, match="module '1' puts out complex values"):
        fit.probe(net, x, lambda out: out.abs().sum(), modules=["0", "1"])
