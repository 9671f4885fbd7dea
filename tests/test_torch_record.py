"""fastinit.torch.record: the recorded laws are those that the models' own code draws from."""

from __future__ import annotations

import math
import random
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.laws.composed import Patched, Transformed, box_shape, slices
from fastinit.laws.distributions import Constant, Normal, TruncatedNormal, Uniform
from fastinit.laws.orthogonal import Orthogonal
from fastinit.laws.patterns import Given
from fastinit.laws.structured import Structured
from fastinit.plans.plan import Plan

torch = optional("torch")

from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402


def built(factory: Callable[[], Any], seed: int) -> dict[str, np.ndarray]:
    torch.manual_seed(seed)
    parameters = factory().named_parameters(remove_duplicate=False)
    return {name: p.detach().double().numpy().copy() for name, p in parameters}


def agrees(law: Any, samples: np.ndarray, own: np.ndarray, name: str, precision: float = 1e-6) -> None:
    """`samples` (seeds first) of the model's code follow the law; `own` is what the law draws."""
    if isinstance(law, Patched):
        rest = np.ones(samples.shape[1:], bool)
        for box, patch in law.patches:
            rest[slices(box)] = False
            of_all = (slice(None), *slices(box))
            agrees(patch, samples[of_all], own[of_all], name, precision)
            assert samples[of_all].shape[1:] == box_shape(box)
        samples, own, law = samples[:, rest], own[:, rest], law.inner
    if isinstance(law, Constant):
        assert np.allclose(samples, law.value, rtol=precision, atol=0), name
        return
    if isinstance(law, Given):
        assert np.allclose(samples, own, rtol=1e-5, atol=1e-6), name
        return
    if isinstance(law, Orthogonal):
        for matrices in (samples, own):
            for matrix in matrices.reshape(len(matrices), samples.shape[1], -1):
                small = matrix if len(matrix) <= len(matrix.T) else matrix.T
                assert np.allclose(small @ small.T, law.gain**2 * np.eye(len(small)), atol=1e-4), name
        return
    n = samples.size
    if isinstance(law, Structured):  # no moments of its own: two samples
        mean, std, error = own.mean(), own.std(), math.sqrt(2 / n)
    else:
        (mean, std), error = law.moments(), math.sqrt(1 / n)
    assert abs(samples.mean() - mean) < 6 * error * std, (name, law, samples.mean())
    # In standard errors of the normal law's variance, the largest here; small samples are skewed.
    spread = ((samples - mean) ** 2).mean() / std**2
    assert abs(spread - 1) < 6 * error * math.sqrt(2) + 12 / n, (name, law, spread)
    if isinstance(law, Uniform | TruncatedNormal):
        slack = precision * max(abs(law.low), abs(law.high))
        assert law.low - slack <= samples.min() and samples.max() <= law.high + slack, (name, law)
        if isinstance(law, Uniform):  # the bounds are reached: 1 - e^-14
            gap = 14 / n * (law.high - law.low) + slack
            assert samples.min() < law.low + gap and samples.max() > law.high - gap, (name, law)


def check(factory: Callable[[], Any], seeds: range = range(8)) -> Any:
    """The recorded plan, its every law compared with several models built for real."""
    plan = ft.record(factory)
    models = [built(factory, seed) for seed in seeds]
    own = [fi.init(plan, seed=seed) for seed in seeds]
    made = factory()
    buffers = {name for name, _ in made.named_buffers()}
    assert set(models[0]) == (set(plan) | set(plan.ties)) - buffers
    for name in buffers & set(plan):
        np.testing.assert_array_equal(own[0][name], made.get_buffer(name).numpy())
    for name, parameter in plan.items():
        if name in buffers:
            continue
        samples = np.stack([model[name] for model in models])
        assert samples.shape[1:] == parameter.shape
        if parameter.nbytes:
            drawn = np.stack([arrays[name] for arrays in own]).astype(float)
            precision = 1e-6 if parameter.dtype == "float32" else 1e-2
            agrees(parameter.distribution, samples, drawn, name, precision)
    assert Plan.from_json(plan.to_json()) == plan
    for alias, owner in plan.ties.items():
        assert np.array_equal(models[0][alias], models[0][owner])
    return plan


LAYERS: dict[str, Callable[[], Any]] = {
    "Linear": lambda: nn.Linear(30, 40),
    "Conv1d": lambda: nn.Conv1d(4, 6, 5, groups=2),
    "Conv2d": lambda: nn.Conv2d(4, 6, 3),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 6, 3),
    "LSTM": lambda: nn.LSTM(5, 7, num_layers=2, bidirectional=True, proj_size=3),
    "GRU": lambda: nn.GRU(5, 7),
    "MultiheadAttention": lambda: nn.MultiheadAttention(16, 4, kdim=6, vdim=8, add_bias_kv=True),
    "packed MultiheadAttention": lambda: nn.MultiheadAttention(16, 4),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(16, 2, 24, batch_first=True),
    "Transformer": lambda: nn.Transformer(8, 2, 1, 1, 12, batch_first=True),
    "norms": lambda: nn.ModuleList([nn.LayerNorm(5), nn.BatchNorm2d(5), nn.GroupNorm(2, 4), nn.RMSNorm(4)]),
    "Embedding": lambda: nn.Embedding(12, 20, padding_idx=3),
    "EmbeddingBag": lambda: nn.EmbeddingBag(12, 20, padding_idx=-1),
    "Bilinear": lambda: nn.Bilinear(5, 6, 7),
    "PReLU": lambda: nn.PReLU(3),
    "empty": lambda: nn.Linear(3, 0),
    "bfloat16": lambda: nn.Linear(30, 40, dtype=torch.bfloat16),
}


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    check(LAYERS[name])


class Written(nn.Module):
    """One parameter that a function writes."""

    def __init__(self, write: Callable[[Any], Any], *shape: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(shape or (24, 20)))
        with torch.no_grad():
            write(self.w)


def _mamba(w: Any) -> None:
    step = torch.exp(torch.rand(w.shape) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(
        min=1e-4
    )
    w.copy_(step + torch.log(-torch.expm1(-step)))


def _forget(w: Any) -> None:
    w.uniform_(-0.1, 0.1)
    w[6:12].fill_(1.0)


def _gates(w: Any) -> None:
    for gate in w.chunk(4):
        nn.init.xavier_uniform_(gate, gain=2.0)


def _sinusoids(w: Any) -> None:
    angle = torch.arange(24.0)[:, None] / 100 ** (torch.arange(0, 20, 2.0) / 20)
    w[:, 0::2] = torch.sin(angle)
    w[:, 1::2] = torch.cos(angle)


A = Normal(0.0, 0.02)
HAND: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "normal_": (lambda w: w.normal_(1.0, 2.0), Normal(1.0, 2.0)),
    "uniform_": (lambda w: w.uniform_(-1, 3), Uniform(-1.0, 3.0)),
    "the last write wins": (lambda w: (nn.init.xavier_normal_(w), w.zero_(), w.normal_(std=0.02)), A),
    "mul_": (lambda w: w.normal_(1.0, 0.04).mul_(-0.5), Normal(-0.5, 0.02)),
    "div_ of a uniform": (lambda w: w.uniform_(0, 1).sub_(0.5).div_(-math.sqrt(16)), Uniform(-0.125, 0.125)),
    "add_ with alpha": (lambda w: w.normal_().add_(3.0, alpha=2), Normal(6.0, 1.0)),
    "rsub": (lambda w: w.copy_(1 - torch.rand(w.shape)), Uniform(0.0, 1.0)),
    "randn times number": (lambda w: w.copy_(torch.randn(24, 20) * 0.02), A),
    "torch.normal": (lambda w: w.copy_(torch.normal(0.0, 0.02, (24, 20))), A),
    "a number as a tensor": (lambda w: w.normal_().mul_(torch.tensor(0.02, dtype=torch.float64)), A),
    "data, views and transposes": (lambda w: w.data.view(-1).t().detach().normal_(std=0.02), A),
    "trunc_normal_": (lambda w: nn.init.trunc_normal_(w, std=0.5, a=-0.2, b=1), TruncatedNormal(0.0, 0.5, -0.2, 1.0)),
    "scaled trunc_normal_": (lambda w: nn.init.trunc_normal_(w).mul_(-0.1), TruncatedNormal(0.0, 0.1, -0.2, 0.2)),
    "orthogonal_": (lambda w: nn.init.orthogonal_(w, gain=2), Orthogonal(2.0)),
    "orthogonal_ and mul_": (lambda w: nn.init.orthogonal_(w).mul_(0.5), Orthogonal(0.5)),
    "eye_": (lambda w: nn.init.eye_(w), fi.distribution("identity", (24, 20))),
    "fill_": (lambda w: w.fill_(0.25), Constant(0.25)),
    "drop-in": (lambda w: ft.trunc_normal_(w, std=2.0), TruncatedNormal(0.0, 2.0, -2.0, 2.0)),
    "drop-in kaiming": (lambda w: ft.kaiming_normal_(w, nonlinearity="relu"), Normal(0.0, math.sqrt(2 / 20))),
    "a row": (lambda w: (w.normal_(), w[-1].zero_()), Patched(Normal(), (((23, (0, 20, 1)), Constant(0.0)),))),
    "a patch is scaled": (
        lambda w: (w.normal_(), w[:, 3:9:2].fill_(1.0), w.mul_(2.0)),
        Patched(Normal(0.0, 2.0), ((((0, 24, 1), (3, 8, 2)), Constant(2.0)),)),
    ),
    "a part is scaled": (
        lambda w: (w.normal_(), w[4:8].mul_(0.5)),
        Patched(Normal(), ((((4, 8, 1), (0, 20, 1)), Normal(0.0, 0.5)),)),
    ),
    "forget gate": (_forget, Patched(Uniform(-0.1, 0.1), ((((6, 12, 1), (0, 20, 1)), Constant(1.0)),))),
    "all parts": (_gates, None),
    "orthogonal parts": (lambda w: [nn.init.orthogonal_(part) for part in w.split(12)], None),
    "log of uniform": (lambda w: w.uniform_(1, 16).log_(), Transformed(Uniform(1.0, 16.0), ("log", "x"))),
    "inverse softplus": (_mamba, None),
    "sinusoids": (_sinusoids, None),
    "arange": (lambda w: w.copy_(torch.log(torch.arange(1, 21)).repeat(24, 1)), None),
    "given": (lambda w: w.copy_(torch.tensor([[1.0] * 20] * 24)), Constant(1.0)),
    "item": (lambda w: w.fill_(torch.linspace(0, 1, 5)[1].item()), Constant(0.25)),
    "out=": (lambda w: torch.mul(torch.randn(24, 20), 0.02, out=w), A),
    "randn out=": (lambda w: torch.randn(24, 20, out=w.data), Normal()),
    "transposed values, patched": (lambda w: (w.t().copy_(torch.arange(480.0).view(20, 24)), w[0].normal_()), None),
    "foreach on values": (lambda w: (w.fill_(4.0), w[1].fill_(9.0), torch._foreach_sqrt_([w])), None),
    "view of given memory": (lambda w: w.copy_(torch.tensor(np.arange(960.0)).view(48, 20)[24:]), None),
    "to the CPU and back": (lambda w: w.copy_(torch.arange(20.0).to("cpu").mul_(2).expand(24, 20)), None),
    "x + x": (lambda w: w.copy_((x := torch.randn(24, 20)) + x), Normal(0.0, 2.0)),
    "copy of a tensor in parts": (lambda w: (x := torch.ones(24, 20), x[3].normal_(), w.copy_(x)), None),
}  # fmt: skip


@pytest.mark.parametrize("name", HAND)
def test_hand_written_code(name: str) -> None:
    write, law = HAND[name]
    plan = check(lambda: Written(write))
    if law is not None:
        recorded = plan["w"].distribution
        assert type(recorded) is type(law)
        close = recorded == law or np.allclose(recorded.parameters, law.parameters, rtol=1e-12, atol=0)
        assert close, recorded


# The second is bound before the recording, and followed operation by operation.
@pytest.mark.parametrize("write", [lambda w: nn.init.eye_(w), nn.init.eye_])
def test_eye_is_torchs(write: Any) -> None:
    for shape in ((3, 5), (5, 3)):
        plan = ft.record(lambda shape=shape: Written(write, *shape))
        assert np.array_equal(fi.init(plan, seed=0)["w"], torch.eye(*shape))


def test_dirac_and_sparse_are_torchs() -> None:
    for groups in (1, 2):
        plan = ft.record(lambda groups=groups: Written(lambda w: nn.init.dirac_(w, groups), 4, 3, 5, 4))
        expected = nn.init.dirac_(torch.empty(4, 3, 5, 4), groups)
        assert np.array_equal(fi.init(plan, seed=0)["w"], expected)
    law = ft.record(lambda: Written(lambda w: nn.init.sparse_(w, 0.3, std=2.0)))["w"].distribution
    assert (law.sparsity, law.std) == (0.3, 2.0)


LOST: dict[str, tuple[Callable[[Any], Any], str]] = {
    "nothing": (lambda w: None, "never initialised"),
    "a part alone": (lambda w: w[:3].normal_(), "part is never written"),
    "bernoulli_": (lambda w: w.bernoulli_(), "bernoulli"),
    "a sum": (lambda w: w.copy_(torch.randn(24, 20) + torch.rand(24, 20)), "add.*several"),
    "shifted against itself": (lambda w: w.copy_((x := torch.randn(25, 20))[1:] + x[:-1]), "add.*several"),
    "matmul": (lambda w: w.copy_(torch.randn(24, 4) @ torch.randn(4, 20)), "mm.*randn"),
    "qr": (lambda w: w.copy_(torch.linalg.qr(torch.randn(24, 20))[0]), "qr.*randn"),
    "normalised": (lambda w: w.normal_().div_(w.norm()), "norm"),
    "integers": (lambda w: w.copy_(torch.randn(24, 20).to(torch.int32)), "int32"),
    "one draw in two parts": (
        lambda w: [part.copy_(x) for x in [torch.randn(12, 20)] for part in w.split(12)],
        "copies",
    ),
    "random fill": (lambda w: w.fill_(torch.rand(())), "fill.*rand"),
    "foreach": (lambda w: torch._foreach_erf_([w.normal_()]), "erf.*normal"),
    "Python's chance in a number": (lambda w: w.normal_(std=random.random()), "chance outside torch"),
    "infinite": (lambda w: w.fill_(math.inf), "finite"),
    "numpy's chance": (lambda w: w.copy_(torch.tensor(np.random.rand(24, 20))), "chance outside torch"),
    "Python's chance": (lambda w: w.fill_(0).view(-1)[:1].fill_(random.random()), "chance outside torch"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_has_no_law_is_an_error_that_names_it(name: str) -> None:
    write, message = LOST[name]
    with pytest.raises(ValueError, match=f"^parameter 'w': .*{message}"):
        ft.record(lambda: Written(write))


def test_other_refusals() -> None:
    before = nn.Linear(2, 2)
    before_on_meta = nn.Linear(2, 2, device="meta")
    with pytest.raises(ValueError, match="'weight': it was made before"):
        ft.record(lambda: before_on_meta)
    plan = ft.record(lambda: before)
    assert np.array_equal(fi.init(plan, seed=0)["weight"], before.weight.detach())
    with pytest.raises(TypeError, match="'w': dtype"):
        whole = torch.zeros(2, dtype=torch.int64)
        ft.record(lambda: nn.ParameterDict({"w": nn.Parameter(whole, requires_grad=False)}))
    with pytest.raises(ValueError, match="'1': it shares a part of its memory with '0'"):
        ft.record(lambda: nn.ParameterList([w := torch.zeros(4), w[1:]]))
    halves = ft.record(lambda: nn.ParameterList(torch.randn(4).split(2)))
    assert [p.distribution for p in halves.values()] == [Normal(), Normal()] and not halves.ties
    with pytest.raises(TypeError, match=r"torch.nn.Module, not int"):
        ft.record(lambda: 3)
    with pytest.raises(ValueError, match="value of a random"):
        ft.record(lambda: Written(lambda w: w.fill_(torch.rand(1).item())))


def test_memory_that_others_write_is_read() -> None:
    def outside(write: Callable[[Any], Any]) -> Any:
        array = np.zeros((4, 3), np.float32)
        layer = nn.Linear(3, 4, bias=False)
        layer.weight = nn.Parameter(torch.from_numpy(array))
        layer.weight.data.add_(1)
        assert (array == 1).all()
        write(array)
        return layer

    plan = ft.record(lambda: outside(lambda w: fi.normal(out=w, seed=5, name="w")))
    assert np.array_equal(fi.init(plan, seed=0)["weight"], fi.normal((4, 3), seed=5, name="w"))
    with pytest.raises(ValueError, match=r"'weight'.*chance outside torch"):
        ft.record(lambda: outside(lambda w: fi.normal(out=w)))
    assert ft.record(lambda: outside(lambda w: w))["weight"].distribution == Constant(1.0)
    with pytest.raises((TypeError, ValueError)):
        ft.record(lambda: ft.init_(nn.Linear(3, 4), seed=0))


def test_everything_is_as_before() -> None:
    def names() -> dict[str, Any]:
        return {
            n: f for m in (nn.init, nn.modules.linear.init, ft, ft.functional) for n, f in vars(m).items()
        }

    def failing() -> Any:
        module = types.ModuleType("imported_meanwhile")
        module.orthogonal_ = nn.init.orthogonal_  # type: ignore[attr-defined]
        sys.modules["imported_meanwhile"] = module
        raise RuntimeError("no model")

    before, state = names(), torch.get_rng_state()
    with pytest.raises(RuntimeError, match="no model"):
        ft.record(failing)
    ft.record(lambda: Written(lambda w: (torch.randn(3, device="cpu"), w.normal_())))
    assert names() == before and torch.equal(torch.get_rng_state(), state)
    assert sys.modules.pop("imported_meanwhile").orthogonal_ is nn.init.orthogonal_
    assert torch.empty(1).device.type == "cpu" and nn.Linear(2, 2).weight.device.type == "cpu"


def test_no_memory_is_taken() -> None:
    """2^44 elements: 64 TiB."""
    plan = ft.record(
        lambda: nn.Sequential(nn.Linear(2**22, 2**22), nn.Embedding(2**21, 2**21, padding_idx=0))
    )
    assert plan.nbytes > 2**45


def test_scheme_and_fans_are_told() -> None:
    plan = ft.record(lambda: nn.Linear(30, 40))
    assert (
        plan["weight"].scheme == "kaiming_uniform"
        and plan["weight"].module == "Linear"
        and plan["weight"].fans == fi.fans((40, 30))
    )
    plan = ft.record(lambda: Written(lambda w: nn.init.normal_(w).mul_(0.5)))
    assert plan["w"].scheme == "normal" and plan["w"].fans is None
    assert plan["w"].reason == "the model's code: normal, mul" and "normal, mul" in str(plan)
