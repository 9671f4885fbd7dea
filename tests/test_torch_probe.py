"""fastinit.torch.probe: what it measures, of which models."""

from __future__ import annotations

import doctest
import importlib
import math
from collections.abc import Callable
from typing import Any

import pytest
from conftest import optional

import fastinit as fi
from fastinit.propagation import judge
from fastinit.propagation import probe as probe_stack

torch = optional("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch_networks import (  # noqa: E402
    IMAGES,
    Functional,
    Residual,
    Snapshot,
    convolutions,
    normal,
    ready,
    stack,
)

import fastinit.torch as fit  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.mark.parametrize("module", ["probe", "calibrate", "observe"])
def test_doctests(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"fastinit.torch.probing.{module}")).failed == 0


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


def test_activations_as_functions() -> None:
    model = Functional()
    x = normal(16, 20)
    a, b, c = fit.probe(model, x).layers
    hidden = model.a(x)
    assert a.dead == float((hidden <= 0).all(0).float().mean()) and a.saturated is None
    assert b.saturated == float((model.b(F.relu(hidden)).tanh().abs() > 0.97).float().mean())
    assert b.dead == 0 and (c.dead, c.saturated) == (None, None)
    assert a.target == b.target == pytest.approx(2) and c.target != a.target


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
