"""fastinit.torch.record: kinds of code that real models have, each compared with what torch draws."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional
from test_torch_record import Written, check

import fastinit as fi
from fastinit.laws.composed import Patched, Transformed
from fastinit.laws.distributions import Constant, Normal, TruncatedNormal, Uniform
from fastinit.laws.orthogonal import Orthogonal
from fastinit.laws.patterns import Given
from fastinit.laws.views import Norms, SingularVector, Viewed
from fastinit.plans.plan import Plan

torch = optional("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, weight_norm  # noqa: E402

import fastinit.torch as ft  # noqa: E402


def held(make: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: nn.ParameterDict({"w": nn.Parameter(make())})


def _by_erfinv(w: Any, mean: float, std: float, a: float, b: float) -> None:
    low, high = (math.erf((bound - mean) / std / math.sqrt(2)) for bound in (a, b))
    w.uniform_(low, high).erfinv_().mul_(std * math.sqrt(2.0)).add_(mean).clamp_(min=a, max=b)


MASK = [[float(i >= j) for j in range(20)] for i in range(24)]
WRITTEN: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "truncated by erfinv": (lambda w: _by_erfinv(w, 0.1, 0.5, -0.7, 0.6), TruncatedNormal(0.1, 0.5, -0.7, 0.6)),
    "erfinv of all": (lambda w: w.uniform_(-1, 1).erfinv_().mul_(math.sqrt(2)), Normal()),
    "exponential_": (lambda w: w.exponential_(2.0), Transformed),
    "log_normal_": (lambda w: w.log_normal_(0.5, 0.25), Transformed),
    "a vector": (lambda w: w.normal_().mul_(torch.arange(1.0, 21.0)), Transformed),
    "a mask of numbers": (lambda w: w.normal_().mul_(torch.tensor(MASK)), Transformed),
    "masked_fill_": (lambda w: w.normal_().masked_fill_(torch.eye(24, 20).bool(), 3.0), Transformed),
    "tril": (lambda w: w.copy_(torch.randn(24, 20).tril()), Transformed),
    "where": (lambda w: w.copy_(torch.where(torch.eye(24, 20) > 0, torch.ones(()), torch.rand(24, 20))), Transformed),
    "diagonal": (lambda w: (w.normal_(), w.diagonal().fill_(2.0)), Transformed),
    "fill_diagonal_": (lambda w: w.uniform_(1, 2).fill_diagonal_(0.0), Transformed),
    "index_fill_": (lambda w: w.normal_().index_fill_(1, torch.tensor([0, 2, 4]), 0.0), Patched),
    "rows by index": (lambda w: (w.normal_(), w.__setitem__(torch.tensor([1, 4]), 0.0)), Patched),
    "identity plus noise": (lambda w: (nn.init.eye_(w), w.add_(0.01 * torch.randn(24, 20))), Transformed),
    "noise plus a view": (lambda w: w.normal_(std=0.1).add_(torch.arange(20.0).expand(24, 20)), Transformed),
    "clamped far outside": (lambda w: w.normal_(std=0.02).clamp_(-2, 2), Normal(0.0, 0.02)),
    "fmod": (lambda w: w.normal_().fmod_(2).mul_(0.02), Transformed),
    "sigmoid": (lambda w: w.normal_().sigmoid_(), Transformed),
    "tanh": (lambda w: w.normal_(std=3.0).tanh_(), Transformed),
    "softplus": (lambda w: w.copy_(nn.functional.softplus(torch.randn(24, 20), beta=2.0)), Transformed),
    "logit": (lambda w: w.copy_(torch.logit(torch.rand(24, 20), eps=0.01)), Transformed),
    "square": (lambda w: w.normal_().pow_(2), Transformed),
    "cube": (lambda w: w.copy_(torch.rand(24, 20) ** 3), Transformed),
    "power of two": (lambda w: w.copy_(2 ** torch.rand(24, 20)), Transformed),
    "rsqrt": (lambda w: w.uniform_(1, 2).rsqrt_(), Transformed),
    "lerp": (lambda w: w.copy_(torch.lerp(torch.zeros(24, 20), torch.randn(24, 20), 0.5)), Normal(0.0, 0.5)),
    "sum of normals": (lambda w: w.normal_(1.0, 3.0).sub_(torch.randn(24, 20), alpha=4), Normal(1.0, 5.0)),
    "normal of tensors": (lambda w: w.copy_(torch.normal(torch.zeros(24, 20), torch.full((24, 20), 0.5))), Normal(0, 0.5)),
    "normal of a row of tensors": (lambda w: w.copy_(torch.normal(torch.arange(480.0).view(24, 20), 1.0)), Transformed),
    "distributions.Uniform": (lambda w: w.copy_(torch.distributions.Uniform(-1.0, 3.0).sample((24, 20))), Uniform(-1, 3)),
    "flip": (lambda w: w.copy_(torch.randn(24, 20).flip(0)), Normal()),
    "permuted": (lambda w: w.copy_(torch.randn(24, 20)[torch.arange(23, -1, -1)]), Normal()),
    "transposed orthogonal": (lambda w: nn.init.orthogonal_(w.t()), None),
    "part of orthogonal": (lambda w: w.copy_(nn.init.orthogonal_(torch.empty(24, 24))[:, :20]), Viewed),
    "flattened": (lambda w: w.copy_(nn.init.kaiming_normal_(torch.empty(40, 12)).flatten().view(24, 20)), Normal),
    "rows of an orthogonal one are scaled": (lambda w: nn.init.orthogonal_(w).mul_(torch.arange(1.0, 25.0)[:, None]), Transformed),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_written(name: str) -> None:
    write, law = WRITTEN[name]
    recorded = check(lambda: Written(write))["w"].distribution
    if isinstance(law, type):
        assert type(recorded) is law, recorded
    elif law is not None:
        assert type(recorded) is type(law)
        assert np.allclose(recorded.parameters, law.parameters, rtol=1e-6), recorded


def test_repeated() -> None:
    """The law draws once what is repeated."""
    writes = {
        "expand": lambda w: w.copy_(torch.randn(20).expand(24, 20)),
        "column": lambda w: w.copy_(torch.randn(24, 1)),
        "repeat": lambda w: w.copy_(torch.randn(6, 20).repeat(4, 1)),
    }
    period = {"expand": (1, 20), "column": (24, 1), "repeat": (6, 20)}
    for name, write in writes.items():
        plan = ft.record(lambda write=write: Written(write))
        law = plan["w"].distribution
        assert isinstance(law, Viewed) and law.inner == Normal()
        values = fi.init(Plan.from_json(plan.to_json()), seed=1)["w"]
        rows, columns = period[name]
        once = values[:rows, :columns]
        assert np.array_equal(values, np.tile(once, (24 // rows, 20 // columns)))
        assert len(np.unique(once)) == once.size


JOINED: dict[str, tuple[Callable[[], Any], Any]] = {
    "a row of zeros": (lambda: torch.cat([torch.zeros(1, 9), torch.rand(30, 9)]), Patched(Uniform(0, 1), [(((0, 1, 1), (0, 9, 1)), Constant(0.0))])),
    "two draws of one law": (lambda: torch.cat([torch.randn(30, 9), torch.randn(3, 9)]), Normal()),
    "stacked experts": (lambda: torch.stack([nn.init.normal_(torch.empty(20, 9), std=0.1) for _ in range(3)]), Normal(0.0, 0.1)),
    "beside each other": (lambda: torch.cat([torch.rand(20, 9), 1 + torch.rand(20, 4)], dim=1), None),
    "stacked orthogonal": (lambda: torch.stack([nn.init.orthogonal_(torch.empty(9, 5)) for _ in range(3)], dim=1), None),
    "a part of a packed one": (lambda: torch.cat([torch.ones(2, 9), torch.randn(20, 9)])[2:].clone(), Normal()),
}  # fmt: skip


@pytest.mark.parametrize("name", JOINED)
def test_joined(name: str) -> None:
    make, law = JOINED[name]
    recorded = check(held(make))["w"].distribution
    assert law is None or recorded == law


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a draw and its part": (lambda: torch.cat([x := torch.randn(4, 4), x[:2]]), "copies of the same random"),
    "twice the same": (lambda: torch.stack([x := torch.randn(4), x * 2]), "copies of the same random"),
    "rows picked twice": (lambda: torch.randn(4, 4)[torch.tensor([0, 0, 1])], "repeats the random values"),
    "another dtype's bits": (lambda: torch.randn(4).view(torch.int32).float(), "read as torch.int32"),
    "sum of uniforms": (lambda: torch.rand(4) + torch.rand(4), "several random tensors"),
    "a sum and one of its terms": (
        lambda: (lambda x, y: (x + y) - y)(torch.randn(4), torch.randn(4)),
        "several random tensors",
    ),
    "a sum beside one of its terms": (
        lambda: torch.cat([x := torch.randn(4), x + torch.randn(4)]),
        "copies of the same random",
    ),
    "draw plus its shift": (lambda: (x := torch.randn(5)) + x.roll(1), "several random tensors"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=f"^parameter 'w': .*{message}"):
        ft.record(held(make))


class AsAtHome(nn.Module):
    """Code that asks tensors where they are and what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 4, device="cpu")
        assert self.fc.weight.device.type == "cpu" and self.fc.weight.is_cpu and not self.fc.weight.is_meta
        assert self.fc.weight.detach().numpy().shape == (4, 6)
        for rate in torch.linspace(0, 0.5, 3).tolist():
            self.fc.weight.data.mul_(1 - rate)
        assert torch.tensor([1, 2], dtype=torch.int32).tolist() == [1, 2] and torch.tensor(3.0).is_cpu
        assert torch.from_numpy(np.arange(3)).tolist() == [0, 1, 2] == torch.Tensor([0, 1, 2]).tolist()
        lengths = torch.arange(4)
        assert np.asarray(lengths).sum() == lengths.numpy().max() + 3 and lengths[2] == 2
        self.rows = nn.Parameter(torch.zeros(len(lengths.nonzero()), 2))
        self.table = nn.Parameter(torch.tensor([[lengths[1], 5.0], [torch.ones(()), 7]]))
        copy = nn.Linear(6, 4).to("cpu")
        if copy.weight.device != torch.device("meta"):
            copy.weight.data.copy_(torch.ones(4, 6))
        self.copy = copy


def test_code_sees_tensors_as_at_home() -> None:
    plan = check(AsAtHome)
    assert plan["copy.weight"].distribution == Constant(1.0) and plan["rows"].shape == (3, 2)


def _norm_is_read() -> Any:
    model = nn.Sequential(nn.Linear(3, 3))
    model[0].weight.data.div_(model[0].weight.norm().item())
    return model


def _numpy_is_written() -> Any:
    layer = nn.Linear(3, 3)
    layer.weight.detach().numpy()[:] = 0
    return layer


@pytest.mark.parametrize(("factory", "name"), [(_norm_is_read, "0.weight"), (_numpy_is_written, "weight")])
def test_values_that_only_a_draw_tells(factory: Any, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^parameter '{name}' of .*value of a random.*{__file__}:\d+$"):
        ft.record(factory)


@pytest.mark.parametrize("dim", [0, None])
@pytest.mark.parametrize("norm", [weight_norm, parametrizations.weight_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_gains_are_the_norms_of_the_drawn_rows(norm: Any, dim: int | None) -> None:
    plan = ft.record(lambda: norm(nn.Conv1d(8, 6, 3), dim=dim))
    g, v = (name for name in plan if name.endswith(("_g", "_v", "original0", "original1")))
    g, v = sorted((g, v))
    law = plan[g].distribution
    assert isinstance(law, Norms) and law.of == v.rpartition(".")[2]
    arrays = fi.init(Plan.from_json(plan.to_json()), seed=3)
    rows = arrays[v].reshape(6, -1) if dim == 0 else arrays[v].reshape(1, -1)
    np.testing.assert_allclose(arrays[g].ravel(), np.linalg.norm(rows, axis=1), rtol=1e-6)
    part = plan.tensor(g, seed=3, block=(slice(2, 4),)) if dim == 0 else arrays[g]
    assert np.array_equal(part, arrays[g][2:4] if dim == 0 else arrays[g])
    model = ft.init_(norm(nn.Conv1d(8, 6, 3), dim=dim), plan, seed=3)
    plain = fi.fill(np.empty((6, 8, 3), np.float32), plan[v].distribution, seed=3, name=v)
    model(torch.zeros(1, 8, 5))
    np.testing.assert_allclose(model.weight.detach(), plain, rtol=1e-5, atol=1e-7)


def test_a_gain_whose_rows_are_drawn_again_is_of_its_own_draw() -> None:
    def factory() -> Any:
        layer = parametrizations.weight_norm(nn.Linear(8, 6))
        nn.init.ones_(layer.parametrizations.weight.original1)
        return layer

    law = ft.record(factory)["parametrizations.weight.original0"].distribution
    assert isinstance(law, Norms) and law.of == ""


class Buffers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer(
            "frequencies", 1 / 10000 ** (torch.arange(0, 8, 2).float() / 8), persistent=False
        )
        self.register_buffer("mask", torch.full((4, 4), -math.inf).triu(1), persistent=False)
        self.register_buffer("positions", torch.arange(6).expand(1, 6))
        self.register_buffer("turns", torch.polar(torch.ones(3), torch.arange(3.0)), persistent=False)
        self.register_buffer("features", torch.randn(4, 2), persistent=False)
        self.register_buffer("codes", torch.rand(4, 2))
        self.register_buffer("unit", nn.functional.normalize(torch.randn(5), dim=0))
        self.register_buffer("same", self.frequencies, persistent=False)


def test_buffers() -> None:
    plan = ft.record(Buffers)
    assert {"norm.running_mean", "codes"} <= set(plan) and plan["codes"].distribution == Uniform(0.0, 1.0)
    assert set(plan.unfilled) == {"unit"}
    assert set(plan.stored) - set(plan) == {"norm.num_batches_tracked", "positions"}
    assert "values that the model's code writes" in plan["positions"].reason
    own = Buffers()
    for name in ("frequencies", "mask", "positions", "turns", "norm.num_batches_tracked"):
        expected = own.get_buffer(name).numpy()
        assert plan.buffers[name].content.dtype == expected.dtype
        np.testing.assert_array_equal(plan.buffers[name].content, expected)
    assert plan.buffers["features"].content == Normal() and plan.buffers["unit"].content is None
    assert plan.ties["same"] == "frequencies"
    again = Plan.from_json(plan.to_json())
    assert again == plan and again.unfilled == plan.unfilled
    np.testing.assert_array_equal(again.buffers["mask"].content, plan.buffers["mask"].content)
    assert [finding.name for finding in fi.lint(plan) if finding.kind == "buffer"] == ["unit"]


def test_spectral_norm_and_orthogonal_parametrisations() -> None:
    plan = ft.record(lambda: parametrizations.spectral_norm(nn.Linear(8, 6)))
    assert isinstance(plan["parametrizations.weight.0._u"].distribution, SingularVector) and not plan.unfilled
    assert isinstance(plan["parametrizations.weight.original"].distribution, Uniform)
    plan = ft.record(lambda: parametrizations.orthogonal(nn.Linear(6, 6)))
    law = plan["parametrizations.weight.original"].distribution
    assert isinstance(law, Given) and np.array_equal(law.array, -np.eye(6))
    assert plan["parametrizations.weight.0.base"].distribution == Orthogonal() and not plan.unfilled

    def of_an_orthogonal_one() -> Any:
        layer = nn.Linear(6, 6)
        nn.init.orthogonal_(layer.weight)
        return parametrizations.orthogonal(layer)

    assert ft.record(of_an_orthogonal_one)["parametrizations.weight.0.base"].distribution == Orthogonal()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_modules_of_other_shapes() -> None:
    def of_itself() -> Any:
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        model[0].add_module("parent", model)
        return model

    assert set(ft.record(of_itself)) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert set(ft.record(lambda: torch.compile(nn.Linear(2, 2)))) == {"weight", "bias"}
    with pytest.raises(ValueError, match=r"'0.weight' has no shape yet"):
        ft.record(lambda: nn.Sequential(nn.LazyLinear(3)))

    def run() -> Any:
        model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5))
        model(torch.zeros(1, 2, 5, 5))
        return model

    assert check(run)["2.weight"].shape == (5, 36)

    def run_in_training(given: bool) -> Any:
        model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.LazyBatchNorm2d())
        model[given:](torch.arange(32.0).view(2, 2, 2, 4))
        return model

    plan = ft.record(lambda: run_in_training(True))
    arrays, own = fi.init(plan, seed=0), run_in_training(True)[1]
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(arrays[f"1.{name}"], getattr(own, name), rtol=1e-6)
    plan = ft.record(lambda: run_in_training(False))
    assert {"1.running_mean", "1.running_var"} == set(plan.unfilled)


def test_initialisers_that_are_held_elsewhere(monkeypatch: Any) -> None:
    import functools

    table = {"ortho": nn.init.orthogonal_}

    class Drawing(nn.Module):
        init = staticmethod(nn.init.xavier_normal_)

        def __init__(self, closure: Any, default: Any = nn.init.trunc_normal_) -> None:
            super().__init__()
            self.a, self.b, self.c, self.d = (nn.Parameter(torch.empty(4, 4)) for _ in range(4))
            table["ortho"](self.a)
            self.init(self.b)
            default(self.c, std=0.5)
            closure(self.d)

    sparse = functools.partial(nn.init.sparse_, sparsity=0.25)
    plan = ft.record(lambda: Drawing(lambda w: sparse(w)))
    assert [row.scheme for row in plan.values()] == [
        "orthogonal",
        "xavier_normal",
        "truncated_normal",
        "sparse",
    ]
    with pytest.warns(FutureWarning, match="deprecated"):
        assert ft.record(lambda: Written(nn.init.orthogonal, 4, 4))["w"].scheme == "orthogonal"


def test_two_threads_leave_nothing_behind() -> None:
    code = nn.init.orthogonal_.__code__
    plans, errors, barrier = [], [], threading.Barrier(2)

    def factory() -> Any:
        barrier.wait(timeout=30)
        layer = nn.Linear(16, 16)
        nn.init.orthogonal_(layer.weight)
        return layer

    def one() -> None:
        try:
            plans.append(ft.record(factory))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and plans[0] == plans[1] and plans[0]["weight"].scheme == "orthogonal"
    assert nn.init.orthogonal_.__code__ is code
    w = nn.init.orthogonal_(torch.empty(8, 8))
    assert torch.allclose(w @ w.T, torch.eye(8), atol=1e-5)


def test_heads_of_one_distribution_side_by_side() -> None:
    """Queries, keys and values drawn apart and kept group by group, as fused projections do."""

    class Fused(nn.Module):
        def __init__(self, std: float) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.empty(24, 5))
            parts = [torch.empty(12, 5), torch.empty(6, 5), torch.empty(6, 5)]
            for part, scale in zip(parts, (0.02, 0.02, std), strict=True):
                nn.init.trunc_normal_(part, std=scale)
            groups = [part.view(3, -1, 2, 5) for part in parts]
            with torch.no_grad():
                self.w.copy_(torch.cat(groups, dim=1).view(-1, 5))

    assert ft.record(lambda: Fused(0.02))["w"].distribution == fi.distribution(
        "truncated_normal", (24, 5), std=0.02, low=-2, high=2, bounds="absolute"
    )
    with pytest.raises(ValueError, match="'w': trunc_normal writes elements that are not a box of it"):
        ft.record(lambda: Fused(0.03))


@pytest.mark.parametrize(
    ("draw", "law"),
    [
        (lambda g: torch.randn(4, 4, generator=g), Normal()),
        (lambda g: torch.rand((4, 4), generator=g, dtype=torch.float64), Uniform(0.0, 1.0)),
        (lambda g: torch.empty(4, 4).normal_(1.0, 2.0, generator=g), Normal(1.0, 2.0)),
    ],
)
def test_draws_of_a_generator(draw: Callable[[Any], Any], law: Any) -> None:
    assert ft.record(held(lambda: draw(torch.Generator().manual_seed(3))))["w"].distribution == law
