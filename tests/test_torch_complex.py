"""Complex tensors in torch: the drop-in draws what torch draws, record tells it, init_ gives the values of arrays and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional
from scipy import stats

import fastinit as fi
from fastinit.laws import ComplexParts, Given, Normal, Patched, Uniform

torch = optional("torch")

from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402
from fastinit.torch.sharded import Task, fill_task  # noqa: E402

C = torch.complex64
N = 1 << 16


def generator(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


class One(nn.Module):
    """A module of one parameter."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self.weight = nn.Parameter(make())


def recorded(make: Callable[[], Any]) -> Any:
    return ft.record(lambda: One(make))["weight"]


def assert_alike(ours: Any, theirs: Any, samples: int) -> None:
    """Mean, variances and covariance of real and imaginary parts, element by element of a small tensor."""
    a, b = (np.stack([z.real, z.imag]).astype(np.float64) for z in (ours, theirs))
    spread = np.sqrt(a.var(1) + b.var(1))
    assert (abs(a.mean(1) - b.mean(1)) <= 6 * spread / samples**0.5 + 1e-7).all()
    assert (abs(a.var(1) - b.var(1)) <= 6 * spread**2 * (2 / samples) ** 0.5 + 1e-7).all()
    covariance = [
        ((x - x.mean(1, keepdims=True))[0] * (x - x.mean(1, keepdims=True))[1]).mean(0) for x in (a, b)
    ]
    assert (abs(covariance[0] - covariance[1]) <= 6 * spread[0] * spread[1] / samples**0.5 + 1e-7).all()
    for part in (0, 1):
        assert stats.ks_2samp(a[part].round(6).ravel(), b[part].round(6).ravel()).pvalue > 1e-7


def same_row(w: Any) -> Any:
    w[0].fill_(1)
    return w


def w_and_w(w: Any) -> Any:
    return w + w


GIVEN = torch.polar(torch.ones(3), torch.arange(3.0))
# What code does for a parameter of shape (2, 3).
CODE: dict[str, Callable[[], Any]] = {
    "randn": lambda: 0.1 * torch.randn(2, 3, dtype=C),
    "rand": lambda: (1 / 16) * torch.rand(2, 3, dtype=C),
    "cdouble": lambda: torch.rand(2, 3, dtype=torch.complex128) / 3,
    "symmetric": lambda: 2 * torch.rand(2, 3, dtype=C) - (1 + 1j),
    "shifted": lambda: torch.rand(2, 3, dtype=C) - 0.5,
    "normal_": lambda: torch.empty(2, 3, dtype=C).normal_(1.0, 2.0),
    "uniform_": lambda: torch.empty(2, 3, dtype=C).uniform_(-1.0, 3.0),
    "like": lambda: torch.randn_like(torch.empty(2, 3, dtype=C)),
    "view_as_complex": lambda: torch.view_as_complex(0.02 * torch.randn(2, 3, 2)),
    "complex": lambda: torch.complex(torch.randn(2, 3), torch.rand(2, 3)),
    "real part": lambda: torch.complex(torch.randn(2, 3), torch.zeros(2, 3)),
    "turned": lambda: 1j * torch.randn(2, 3, dtype=C),
    "modulated": lambda: torch.randn(2, 3, dtype=C) * torch.tensor([1j, 2, 3 + 4j]),
    "scaled columns": lambda: torch.rand(2, 3, dtype=C) * torch.tensor([1.0, 2.0, 3.0]),
    "scaled square": lambda: torch.rand(2, 2, dtype=C) * torch.tensor([1.0, 5.0]),
    "identity plus noise": lambda: torch.eye(3, dtype=C)[:2] * 1j + 0.1 * torch.randn(2, 3, dtype=C),
    "sum": lambda: torch.randn(2, 3, dtype=C) + torch.randn(2, 3, dtype=C),
    "twice": lambda: w_and_w(torch.randn(2, 3, dtype=C)),
    "cat": lambda: torch.cat([torch.randn(1, 3, dtype=C), torch.rand(1, 3, dtype=C)]),
    "transposed": lambda: torch.rand(3, 2, dtype=C).t().contiguous(),
    "row": lambda: same_row(torch.rand(2, 3, dtype=C)),
    "ones": lambda: torch.ones(2, 3, dtype=C),
    "given": lambda: torch.full((2, 3), 1 - 2j),
    "conjugate": lambda: GIVEN.expand(2, 3).conj().clone(),
    "conjugate normal": lambda: torch.randn(2, 3, dtype=C).conj().clone(),
    "imaginary of a conjugate": lambda: torch.full((2, 3), 1 - 2j).conj().imag.clone(),
    "real": lambda: torch.rand(2, 3, dtype=C).real.clone(),
    "xavier_uniform_": lambda: nn.init.xavier_uniform_(torch.empty(2, 3, dtype=C)),
    "xavier_normal_": lambda: nn.init.xavier_normal_(torch.empty(2, 3, dtype=C)),
    "kaiming_uniform_": lambda: nn.init.kaiming_uniform_(torch.empty(2, 3, dtype=C), a=5**0.5),
    "kaiming_normal_": lambda: nn.init.kaiming_normal_(torch.empty(2, 3, dtype=C)),
    "eye_": lambda: nn.init.eye_(torch.empty(2, 3, dtype=C)),
    "dirac_": lambda: nn.init.dirac_(torch.empty(2, 3, 1, dtype=C)).squeeze(2),
    "by parts": lambda: 0.5 * (torch.randn(2, 3) + 1j * torch.randn(2, 3)),
    "two laws by parts": lambda: (torch.randn(2, 3) - 3j * torch.rand(2, 3)) / 2j,
    "parts of double": lambda: (
        torch.randn(2, 3, dtype=torch.double) + torch.rand(2, 3, dtype=torch.double) * 2j
    ),
    "imaginary": lambda: (2 - 1) * 1j * torch.rand(2, 3) + 4,
    "no imaginary part": lambda: torch.rand(2, 3) + 1j * torch.zeros(2, 3),
    "alpha": lambda: torch.add(torch.randn(2, 3), torch.randn(2, 3, dtype=C), alpha=0.5),
    "taken from": lambda: 1 - (torch.rand(2, 3) + 1j * torch.randn(2, 3)),
    "scaled parts": lambda: torch.arange(1.0, 4.0) * (torch.randn(2, 3) + 1j * torch.rand(2, 3)),
    "positions and noise": lambda: torch.arange(3.0).expand(2, 3) + 0.1j * torch.randn(2, 3),
    "in place": lambda: torch.zeros(2, 3, dtype=C).add_(torch.randn(2, 3)).add_(torch.randn(2, 3), alpha=2),
    "mixed": lambda: torch.randn(2, 3, dtype=C) + torch.randn(2, 3),
    "converted": lambda: torch.randn(2, 3).to(C),
    "copied into": lambda: torch.empty(2, 3, dtype=C).copy_(torch.rand(2, 3)),
    "part of a sum": lambda: (torch.randn(2, 3) + 1j * torch.randn(2, 3)).imag.clone(),
    "constant_": lambda: nn.init.constant_(torch.empty(2, 3, dtype=C), 0.5),
}


@pytest.mark.parametrize("name", CODE)
def test_record_tells_what_the_code_draws(name: str) -> None:
    samples = 2000
    row = recorded(CODE[name])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs = np.stack([CODE[name]().numpy().astype(np.complex128) for _ in range(samples)])
    assert row.shape == theirs.shape[1:]
    ours = [
        fi.fill(np.empty(row.shape, row.dtype), row.distribution, seed=seed, name="w")
        for seed in range(samples)
    ]
    assert_alike(np.stack(ours), theirs, samples)
    plan = ft.record(lambda: One(CODE[name]))
    assert fi.Plan.from_json(plan.to_json()) == plan


def test_recorded_laws_are_the_plain_ones() -> None:
    assert recorded(CODE["randn"]).distribution == Normal(0.0, 0.1)
    assert recorded(CODE["rand"]).distribution == ComplexParts(Uniform(0.0, 1 / 16))
    assert recorded(CODE["ones"]).distribution == fi.Constant(1.0)
    assert recorded(CODE["given"]).distribution == ComplexParts(Given(np.tile([1.0, -2.0], (2, 3, 1))))
    embedding = ft.record(lambda: nn.Embedding(5, 3, padding_idx=1, dtype=C))["weight"].distribution
    assert isinstance(embedding, Patched) and embedding.patches == (((1, (0, 3, 1)), fi.Constant(0.0)),)
    linear = ft.record(lambda: nn.Linear(16, 4, dtype=C))
    weight, bias = linear["weight"].distribution, linear["bias"].distribution
    assert isinstance(weight, ComplexParts) and isinstance(bias, ComplexParts)
    for parts in (weight.inner, bias.inner):
        assert isinstance(parts, Uniform) and parts.parameters == pytest.approx((-0.25, 0.25), rel=1e-15)


REFUSED: dict[str, Callable[[], Any]] = {
    "its own square": lambda: (lambda w: w * w)(torch.rand(2, 3, dtype=C)),
    "abs": lambda: torch.randn(2, 3, dtype=C).abs(),
    "norm": lambda: torch.randn(2, 3, dtype=C).norm(dim=1),
    "exp": lambda: torch.randn(2, 3, dtype=C).exp(),
    "turned by itself": lambda: (lambda w: 1j * w + w)(torch.randn(2, 3, dtype=C)),
    "with its conjugate": lambda: (lambda w: w + w.conj())(torch.randn(2, 3, dtype=C)),
    "conjugate": lambda: torch.rand(2, 3, dtype=C).conj().clone(),
    "conjugate view": lambda: torch.randn(2, 3, dtype=C).conj(),
    "through its conjugate": lambda: (lambda w: (w.conj().mul_(2), w)[1])(torch.rand(2, 3, dtype=C)),
    "one draw for both parts": lambda: (lambda x: torch.complex(x, x))(torch.randn(2, 3)),
    "one draw by parts": lambda: (lambda x: x + 1j * x)(torch.randn(2, 3)),
    "a part once more": lambda: (lambda x: (x + 1j * torch.rand(2, 3)) + x)(torch.randn(2, 3)),
    "a part of its sum": lambda: (lambda x, y: torch.complex(x + y, x))(torch.randn(2, 3), torch.randn(2, 3)),
    "its complex self": lambda: (lambda x: x.to(C) + 1j * x)(torch.randn(2, 3)),
    "both parts of one": lambda: torch.rand(2, 3) * (1 + 2j),
    "two uniform ones": lambda: torch.rand(2, 3, dtype=C) + torch.rand(2, 3),
    "a part of two laws": lambda: (torch.randn(2, 3) + 1j * torch.rand(2, 3)).imag.clone(),
    "polar": lambda: torch.polar(torch.rand(2, 3), 6.28 * torch.rand(2, 3)),
    "phases": lambda: torch.exp(1j * torch.rand(2, 3)),
    "one part": lambda: (lambda w: (w.real.zero_(), w)[1])(torch.randn(2, 3, dtype=C)),
    "turned uniform": lambda: torch.rand(2, 3, dtype=C) * (1 + 1j),
    "divided by": lambda: 1 / torch.rand(2, 3, dtype=C),
    "repeated": lambda: torch.randn(3, dtype=C).repeat(2),
    "expanded": lambda: torch.randn(3, dtype=C).expand(2, 3),
    "tril": lambda: torch.randn(3, 3, dtype=C).tril(),
    "complex32": lambda: torch.zeros(3, dtype=torch.complex32),
    "never": lambda: torch.empty(2, 3, dtype=C),
}


@pytest.mark.filterwarnings("ignore:ComplexHalf support")
@pytest.mark.parametrize("name", REFUSED)
def test_record_refuses_by_name(name: str) -> None:
    with pytest.raises((TypeError, ValueError), match="parameter 'weight'"):
        recorded(REFUSED[name])


DRAWS: list[tuple[str, dict[str, Any]]] = [
    ("normal_", {"mean": 1.0, "std": 2.0}), ("uniform_", {"a": -1.0, "b": 3.0}), ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}), ("kaiming_uniform_", {"a": 1.0}), ("kaiming_normal_", {"mode": "fan_out"}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@pytest.mark.parametrize("name, numbers", DRAWS)
def test_the_drop_in_draws_what_torch_draws(name: str, numbers: dict[str, Any], dtype: Any) -> None:
    ours = getattr(ft, name)(torch.empty(256, 256, dtype=dtype), **numbers, generator=generator())
    theirs = getattr(nn.init, name)(torch.empty(256, 256, dtype=dtype), **numbers, generator=generator())
    for part in ("real", "imag"):
        x, y = (getattr(tensor, part).double() for tensor in (ours, theirs))
        std = float(y.std())
        assert abs(float(x.mean() - y.mean())) < 6 * std * (2 / N) ** 0.5
        assert abs(float(x.std()) / std - 1) < 6 / N**0.5
        assert abs(float(x.max() - y.max())) < 0.5 * std + 1e-3
    strided = torch.zeros(256, 2, 256, dtype=dtype)
    getattr(ft, name)(strided[:, 1].t(), **numbers, generator=generator())
    assert torch.equal(strided[:, 1].t(), ours) and not strided[:, 0].any()


@pytest.mark.parametrize(
    "name, numbers", [("trunc_normal_", {}), ("orthogonal_", {}), ("sparse_", {"sparsity": 0.5})]
)
def test_what_is_not_drawn_is_refused_by_name(name: str, numbers: dict[str, Any]) -> None:
    w = torch.full((4, 4), 7, dtype=C)
    with pytest.raises(TypeError, match="tensor must be real to be drawn from"):
        getattr(ft, name)(w, **numbers)
    assert (w == 7).all()


def test_conjugated_tensors_are_refused() -> None:
    with pytest.raises(TypeError, match="conjugated"):
        ft.normal_(torch.zeros(3, dtype=C).conj())
    model = One(lambda: torch.zeros(3, dtype=C).conj())
    with pytest.raises(
        ValueError, match="'weight': it must hold its own values, not those of another, conjugated"
    ):
        ft.init_(model, "normal", seed=0)


class Net(nn.Module):
    """Real and complex layers, one with a row of zeros, and a complex buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(7, 6, padding_idx=2, dtype=C)
        self.up = nn.Linear(6, 10, dtype=C)
        self.down = nn.Linear(10, 5, dtype=torch.complex128)
        self.out = nn.Linear(5, 3)
        self.norm = nn.Parameter(torch.ones(10, dtype=C))
        self.modes = nn.Parameter(0.1 * torch.rand(4, 4, 3, dtype=C))
        self.register_buffer("freqs", torch.polar(torch.ones(5), torch.arange(5.0)), persistent=False)
        self.register_buffer("kept", torch.polar(torch.ones(5), torch.arange(5.0)))


@pytest.mark.parametrize("recipe", ["record", "auto", "he_uniform", "lecun_normal"])
def test_init_gives_the_values_of_arrays(recipe: str) -> None:
    rules = [{"match": "modes", "scheme": "complex_normal"}, {"match": "norm", "scheme": "ones"}]
    plan = ft.record(Net) if recipe == "record" else ft.plan(Net(), recipe, rules=rules)
    with torch.device("meta"):
        model = Net()
    model.to_empty(device="cpu")
    if recipe != "record":
        model.freqs, model.kept = Net().freqs, Net().kept
    ft.init_(model, plan, seed=3)
    arrays = fi.init(plan, seed=3)
    for name, parameter in model.named_parameters():
        assert parameter.detach().numpy().tobytes() == arrays[name].tobytes(), name
    assert not model.tokens.weight[2].any() and model.tokens.weight[1].all()
    assert torch.equal(model.freqs, Net().freqs) and torch.equal(model.kept, Net().kept)
    assert fi.verify(dict(model.named_parameters()), plan) == [] or recipe == "record"
    assert (model.norm == 1).all()


def test_shards_are_parts_of_the_whole() -> None:
    for law in (Normal(0.0, 2.0), Uniform(-1.0, 1.0), ComplexParts(Uniform(0.0, 1.0)), fi.Constant(2.0),
                Patched(Normal(), (((3, (0, 6, 1)), fi.Constant(0.0)),))):  # fmt: skip
        whole = torch.from_numpy(fi.fill(np.empty((8, 6), np.complex64), law, seed=1, name="w"))
        local = torch.zeros(5, 3, dtype=C)
        from fastinit.laws.parts import of_reals

        parts, shape = of_reals(law, (8, 6), "complex64")
        runs = (((1, 2), (5, 3)), ((3, 3),), ((0, 2),))
        fill_task(Task(local, torch.view_as_real(local), parts, "w", shape, runs), 1, 2)
        assert torch.equal(local, whole[[1, 2, 5, 6, 7]][:, 3:])


def test_files(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.Linear(6, 10, dtype=C)
            self.modes = nn.Parameter(0.1 * torch.rand(4, 4, 3, dtype=C))

    plan, path = ft.record(Small), tmp_path / "m.safetensors"
    fi.checkpoints.write(plan, path, seed=5)
    model, other = ft.init_(Small(), plan, seed=5), Small()
    other.load_state_dict(load_file(path))
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
    assert fi.verify(path) == [] and fi.verify(dict(model.state_dict()), plan, seed=5) == []
    assert fi.plan(model.state_dict(), {"modes": "complex_normal"})["up.weight"].dtype == "complex64"
