"""Weights that a module computes: weight norm, spectral norm, orthogonal and users' parametrisations, by init_ and by record."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.laws.distributions import Constant, Normal
from fastinit.laws.orthogonal import Orthogonal
from fastinit.laws.views import Norms, SingularVector
from fastinit.plans.plan import Plan

torch = optional("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm  # noqa: E402

import fastinit.torch as ft  # noqa: E402
from fastinit.torch.parametrised import computed_weights  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")


class Halved(nn.Module):
    """Computes twice its original."""

    def forward(self, x: Any) -> Any:
        return 2 * x

    def right_inverse(self, weight: Any) -> Any:
        return weight / 2


class Masked(nn.Module):
    """Keeps a part of the original, by a buffer; its way back is not one to one, as in torch's own examples."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(6, 4).tril())

    def forward(self, x: Any) -> Any:
        return x * self.mask

    def right_inverse(self, weight: Any) -> Any:
        return weight * self.mask


class Factors(nn.Module):
    def forward(self, a: Any, b: Any) -> Any:
        return a + b

    def right_inverse(self, weight: Any) -> Any:
        return 0.25 * weight, 0.75 * weight


class Positive(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.exp()

    def right_inverse(self, weight: Any) -> Any:
        return weight.log()


class OneWay(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).mT


class Grown(nn.Module):
    """Computes a weight of another shape than its original."""

    def forward(self, x: Any) -> Any:
        return torch.cat([x, -x])

    def right_inverse(self, weight: Any) -> Any:
        return weight[: len(weight) // 2].clone()


def parametrised(layer: Any, step: Any, name: str = "weight", **options: Any) -> Any:
    parametrize.register_parametrization(layer, name, step, **options)
    return layer


KINDS: dict[str, Callable[..., Any]] = {"hook": weight_norm, "parametrisation": parametrizations.weight_norm}
LAYERS: dict[str, tuple[Callable[[], Any], tuple[float, float]]] = {
    "linear": (lambda: nn.Linear(300, 200), (300, 200)),
    "convolution": (lambda: nn.Conv1d(64, 96, 5), (320, 480)),
    "groups": (lambda: nn.Conv2d(64, 128, 3, groups=2), (288, 576)),
    "transposed": (lambda: nn.ConvTranspose1d(64, 32, 8, stride=4), (128, 256)),
}


def parts(plan: Plan) -> tuple[str, str]:
    g, v = [name for name in plan if name.endswith(("_g", "_v", "original0", "original1"))]
    return g, v


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_weight_norm_gives_the_weight_the_law_of_the_scheme(kind: str, layer: str, dim: int | None) -> None:
    build, fans = LAYERS[layer]
    model = KINDS[kind](build(), dim=dim)
    plan = ft.plan(model, "he_normal")
    g, v = parts(plan)
    assert tuple(plan[v].fans) == fans and isinstance(plan[g].distribution, Norms)
    assert plan[g].reason == f"the gain of weight norm: norms of the rows drawn for {v.rpartition('.')[2]}"
    ft.init_(model, "he_normal", seed=1)
    expected = fi.fill(np.empty(plan[v].shape, np.float32), Normal(0.0, (2 / fans[0]) ** 0.5), seed=1, name=v)
    np.testing.assert_allclose(model.weight.detach(), expected, rtol=2e-6, atol=1e-7)
    arrays = fi.init(Plan.from_json(plan.to_json()), seed=1)
    assert set(arrays) == set(model.state_dict())
    assert all(np.array_equal(arrays[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("recipe", ["auto", "default", "xavier_uniform"])
def test_weight_norm_in_a_network(recipe: str) -> None:
    def build(norm: Callable[..., Any]) -> Any:
        return nn.Sequential(norm(nn.Conv1d(32, 64, 3)), nn.ReLU(), norm(nn.Conv1d(64, 8, 3)))

    plain = ft.plan(build(lambda layer: layer), recipe)
    for norm, v in (
        (weight_norm, "weight_v"),
        (parametrizations.weight_norm, "parametrizations.weight.original1"),
    ):
        plan = ft.plan(build(norm), recipe)
        for i in "02":
            assert plan[f"{i}.{v}"].distribution == plain[f"{i}.weight"].distribution
            assert plan[f"{i}.{v}"].fans == plain[f"{i}.weight"].fans
            assert plan[f"{i}.{v}"].reason == plain[f"{i}.weight"].reason + "; the directions of weight norm"
        assert [name for name in plan if name.endswith("bias")] == ["0.bias", "2.bias"]


def test_weight_norm_of_a_recurrent_weight() -> None:
    layer = weight_norm(nn.LSTM(40, 50), "weight_hh_l0")
    plan = ft.plan(layer, "xavier_normal")
    assert tuple(plan["weight_hh_l0_v"].fans) == (50, 50)
    ft.init_(layer, "xavier_normal", seed=0)
    assert torch.allclose(layer.weight_hh_l0, layer.weight_hh_l0_v, rtol=1e-5)
    assert layer._flat_weights[1] is layer.weight_hh_l0
    ft.init_(layer, "auto", seed=0)
    square = layer.weight_hh_l0[:50].double()
    assert torch.allclose(square @ square.T, torch.eye(50, dtype=torch.float64), atol=1e-5)


def test_the_stale_weight_of_a_hook_is_computed_anew() -> None:
    for layer in (weight_norm(nn.Linear(4, 3)), spectral_norm(nn.Linear(4, 3))):
        for plan in (ft.plan(layer, "he_normal"), "he_normal"):
            ft.init_(layer, plan, seed=5)
            held = layer.weight.detach().clone()
            layer.eval()(torch.zeros(1, 4))
            assert torch.equal(held, layer.weight)
    layer = weight_norm(nn.Linear(4, 3, device="meta"))
    ft.init_(layer.to_empty(device="cpu"), "he_normal", seed=5)
    assert not layer.weight.is_meta and layer.weight.requires_grad
    layer(torch.zeros(1, 4)).sum().backward()


def largest(weight: Any) -> float:
    return float(torch.linalg.matrix_norm(weight.detach().double().flatten(1), 2))


def test_spectral_norm_of_both_kinds() -> None:
    for norm, path in (
        (spectral_norm, "weight_{}"),
        (parametrizations.spectral_norm, "parametrizations.weight.0._{}"),
    ):
        original = "weight_orig" if norm is spectral_norm else "parametrizations.weight.original"
        for layer in (
            norm(nn.Linear(30, 20)),
            norm(nn.Conv2d(8, 24, 3)),
            norm(nn.ConvTranspose1d(6, 8, 4), dim=1),
        ):
            plan = ft.plan(layer, "he_normal")
            ft.init_(layer.eval(), "he_normal", seed=2)
            assert isinstance(plan[original].distribution, Normal) and not plan.unfilled
            for name, left in (("u", True), ("v", False)):
                law = plan[path.format(name)].distribution
                assert isinstance(law, SingularVector) and law.left is left
            held = layer.get_parameter(original).detach().double()
            axis = plan[path.format("u")].distribution.axis
            matrix = held.movedim(axis, 0).flatten(1)
            u, v = (layer.get_buffer(path.format(name)).double() for name in "uv")
            assert abs(float(u @ matrix @ v) / largest(matrix) - 1) < 0.05
            assert abs(float(u.norm()) - 1) < 1e-6 and abs(float(v.norm()) - 1) < 1e-6
            used = layer.weight.detach().double()
            assert torch.allclose(used, held / (u @ matrix @ v), rtol=1e-5, atol=1e-8)
            arrays = fi.init(Plan.from_json(plan.to_json()), seed=2)
            assert all(np.array_equal(arrays[name], tensor) for name, tensor in layer.state_dict().items())


def test_singular_vectors_are_those_of_numpy() -> None:
    matrix = fi.he_normal((40, 30), seed=0, name="a.weight_orig", dtype="float64")
    left, _, right = np.linalg.svd(matrix)
    for side, expected, length in ((True, left[:, 0], 40), (False, right[0], 30)):
        law = SingularVector(Normal(0.0, (2 / 30) ** 0.5), (40, 30), 0, side, "weight_orig")
        drawn = fi.fill(np.empty(length), law, seed=0, name="a.weight_u" if side else "a.weight_v")
        assert abs(drawn @ expected) > 0.9
    inner = fi.fill(np.empty(6), SingularVector(Constant(0.0), (6, 5), 0, True, "w"), seed=0, name="u")
    assert not inner.any()
    with pytest.raises(ValueError, match="has 40 elements"):
        fi.fill(np.empty(30), SingularVector(Normal(), (40, 30), 0, True, "w"), seed=0, name="u")
    for bad in ("", "..", 3):
        with pytest.raises(ValueError, match="of must be a name"):
            SingularVector(Normal(), (40, 30), 0, True, bad)  # type: ignore[arg-type]


def test_record_runs_the_power_iteration_too() -> None:
    for norm in (spectral_norm, parametrizations.spectral_norm):
        plan = ft.record(lambda norm=norm: nn.Sequential(norm(nn.Linear(9, 7))))
        assert (
            not plan.unfilled and sum(isinstance(p.distribution, SingularVector) for p in plan.values()) == 2
        )
        with torch.device("meta"):
            model = nn.Sequential(norm(nn.Linear(9, 7)))
        ft.init_(model.to_empty(device="cpu"), plan, seed=0).eval()
        arrays = fi.init(plan, seed=0)
        assert all(np.array_equal(arrays[name], tensor) for name, tensor in model.state_dict().items())
        assert abs(largest(model[0].weight) - 1) < 0.05


ORTHOGONAL = [
    (lambda: nn.Linear(12, 12), {}),
    (lambda: nn.Linear(12, 7), {}),
    (lambda: nn.Linear(7, 12), {"orthogonal_map": "cayley"}),
    (lambda: nn.Linear(12, 12), {"orthogonal_map": "householder"}),
    (lambda: nn.Conv1d(12, 4, 6), {}),
]


@pytest.mark.parametrize("scheme", ["he_normal", "xavier_uniform", "orthogonal", "auto"])
@pytest.mark.parametrize(("build", "options"), ORTHOGONAL)
def test_orthogonal_parametrisation(build: Any, options: Any, scheme: str) -> None:
    layer = parametrizations.orthogonal(build(), **options)
    base = "parametrizations.weight.0.base"
    recorded = ft.record(lambda: parametrizations.orthogonal(build(), **options))
    for plan in (ft.plan(layer, scheme), recorded):
        assert isinstance(plan[base].distribution, Orthogonal)
        seen = []
        for seed in (0, 1):
            ft.init_(layer, plan, seed=seed)
            weight = layer.weight.detach().double()
            tall = weight if weight.shape[-2] >= weight.shape[-1] else weight.mT
            assert torch.allclose(tall.mT @ tall, torch.eye(tall.shape[-1], dtype=torch.float64), atol=1e-5)
            seen.append(weight)
        assert not torch.allclose(*seen, atol=0.1)
        arrays = fi.init(plan, seed=1)
        assert all(np.array_equal(arrays[name], tensor) for name, tensor in layer.state_dict().items())


def test_users_parametrisations_as_torch_assigns_to_them() -> None:
    def build() -> list[Any]:
        return [
            parametrised(nn.Linear(4, 6), Halved()),
            parametrised(nn.Linear(4, 6), Masked()),
            parametrised(nn.Linear(4, 6), Factors()),
            parametrised(parametrised(nn.Linear(4, 6), Halved()), Halved()),
            parametrised(nn.Linear(4, 6), Grown(), unsafe=True),
            parametrised(parametrizations.weight_norm(nn.Linear(4, 6)), Halved()),
        ]

    for layer, assigned in zip(build(), build(), strict=True):
        before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
        plan = ft.plan(layer, "he_normal")
        assert all(torch.equal(before[name], tensor) for name, tensor in layer.state_dict().items())
        name = next(name for name in plan if "original" in name)
        ft.init_(layer, plan, seed=4)
        value = fi.he_normal((6, 4), seed=4, name=name)
        if isinstance(layer.parametrizations.weight[0], Grown):
            value = np.concatenate([value[:3], -value[:3]])
        if len(layer.parametrizations.weight) == 1 and not isinstance(
            layer.parametrizations.weight[0], Factors
        ):
            assigned.weight = torch.from_numpy(value)
            np.testing.assert_allclose(layer.weight.detach(), assigned.weight.detach(), rtol=1e-6)
        arrays = fi.init(plan, seed=4)
        held = {k: v for k, v in layer.state_dict().items() if "mask" not in k}
        assert all(np.array_equal(arrays[k], v) for k, v in held.items())


def test_a_parametrised_weight_of_several_originals_has_the_variance() -> None:
    layer = parametrised(nn.Linear(300, 200), Halved())
    assert abs(ft.init_(layer, "he_normal", seed=0).weight.std().item() / (2 / 300) ** 0.5 - 1) < 0.02


REFUSED = [
    (
        lambda: parametrised(nn.Linear(4, 4), OneWay()),
        "'0.weight': its parametrisation OneWay has no right_inverse",
    ),
    (
        lambda: parametrised(nn.Linear(4, 4), Positive()),
        r"'0.parametrizations.weight.original': it is not finite",
    ),
    (
        lambda: parametrizations.orthogonal(nn.Linear(3, 4), use_trivialization=False),
        "'0.weight': its orthogonal parametrisation cannot be given a value: .*geqrf",
    ),
    (
        lambda: parametrizations.orthogonal(nn.Linear(4, 4), use_trivialization=False),
        "'0.weight': its orthogonal parametrisation cannot be given a value: .*use_trivialization=False",
    ),
    (
        lambda: parametrizations.weight_norm(nn.Linear(4, 4, dtype=torch.complex64)),
        "'0.weight': it is complex, and its weight norm is known of real weights only",
    ),
    (
        lambda: parametrizations.spectral_norm(parametrised(nn.Linear(4, 4), Halved())),
        "'0.weight': it has spectral norm of what Halved computes",
    ),
]


@pytest.mark.parametrize(("build", "text"), REFUSED, ids=[text[:30] for _, text in REFUSED])
@pytest.mark.parametrize("recipe", ["auto", "he_normal", "default"])
def test_what_has_no_way_back_is_refused_by_name(build: Any, text: str, recipe: str) -> None:
    model = nn.Sequential(build())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for call in (ft.plan, lambda *a: ft.init_(*a, seed=0)):
        with pytest.raises(ValueError, match=text):
            call(model, recipe)
    for name, tensor in model.state_dict().items():
        assert torch.allclose(before[name], tensor, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("norm", [weight_norm, spectral_norm])
def test_zeros_that_would_be_divided_by_zero(norm: Any) -> None:
    with pytest.raises(ValueError, match=r"'weight': (weight|spectral) norm of zeros"):
        ft.init_(norm(nn.Linear(4, 4)), "zeros", seed=0)
    with pytest.raises(ValueError, match=r"'weight': (weight|spectral) norm of zeros"):
        ft.init_(norm(nn.Embedding(4, 4, padding_idx=0)), "default", seed=0)


def test_a_frozen_gain_is_left_alone() -> None:
    head = weight_norm(nn.Linear(6, 5, bias=False))  # as in DINO
    head.weight_g.data.fill_(1.0)
    head.weight_g.requires_grad_(False)
    plan = ft.plan(head, "he_normal")
    assert list(plan) == ["weight_v"] and list(plan.unfilled) == ["weight_g"]
    ft.init_(head, "he_normal", seed=0)
    assert torch.allclose(head.weight.norm(dim=1), torch.ones(5))
    head.weight_g.requires_grad_(True)
    head.weight_v.requires_grad_(False)
    model = nn.Sequential(head, nn.Linear(5, 5))
    before = head.weight_g.detach().clone()
    assert {"0.weight_g", "0.weight_v"} == set(ft.plan(model, "he_normal").unfilled)
    assert torch.equal(ft.init_(model, "he_normal", seed=0)[0].weight_g, before)
    assert list(ft.plan(model, "he_normal", frozen=True)) == [
        "0.weight_g",
        "0.weight_v",
        "1.weight",
        "1.bias",
    ]


def test_rules_may_take_the_weight_or_a_part() -> None:
    model = nn.Sequential(weight_norm(nn.Linear(6, 5)), parametrizations.weight_norm(nn.Linear(5, 5)))
    plan = ft.plan(model, "he_normal", rules=[{"match": "1.weight", "scheme": "normal", "std": 0.02}])
    assert plan["1.parametrizations.weight.original1"].distribution == Normal(0.0, 0.02)
    assert plan["1.parametrizations.weight.original1"].rule == 1
    plan = ft.plan(model, "he_normal", rules=[{"match": "*_g", "scheme": "ones"}])
    assert plan["0.weight_g"].distribution == Constant(1.0) and isinstance(
        plan["0.weight_v"].distribution, Normal
    )
    plan = ft.plan(model, {"*": {"scheme": "normal", "std": 0.5}})
    assert plan["0.weight_v"].distribution == Normal(0.0, 0.5)
    assert isinstance(plan["0.weight_g"].distribution, Norms)
    plan = ft.plan(model, {"*.weight_v": "ones"})
    assert plan["0.weight_v"].distribution == Constant(1.0)


@pytest.mark.parametrize("prefix", ["critic.", "critic_", ""])
def test_prefixes(prefix: str) -> None:
    for build in (weight_norm, spectral_norm, parametrizations.weight_norm, parametrizations.spectral_norm):
        layer = build(nn.Linear(30, 20))
        plan = ft.plan(layer, "he_normal", prefix=prefix)
        assert all(name.startswith(prefix) for name in plan)
        ft.init_(layer.eval(), "he_normal", seed=0, prefix=prefix)
        arrays = fi.init(plan, seed=0)
        assert all(np.array_equal(arrays[prefix + k], v) for k, v in layer.state_dict().items())
        if build in (weight_norm, parametrizations.weight_norm):
            v = list(layer.parameters())[-1]
            assert torch.allclose(layer.weight, v, rtol=1e-5)
        else:
            assert abs(largest(layer.weight) - 1) < 0.05


def test_shared_layers_and_tied_parts() -> None:
    layer = weight_norm(nn.Linear(6, 6))
    plan = ft.plan(nn.Sequential(layer, layer), "he_normal")
    assert list(plan) == ["0.bias", "0.weight_g", "0.weight_v"] and plan.ties["1.weight_v"] == "0.weight_v"
    other = weight_norm(nn.Linear(6, 6))
    other.weight_v = layer.weight_v
    with pytest.raises(ValueError, match=r"'1.weight': its '1.weight_v' is tied to '0.weight_v'"):
        ft.plan(nn.Sequential(layer, other), "he_normal")


def test_files_and_verify(tmp_path: Any) -> None:
    def build() -> Any:
        return nn.Sequential(
            weight_norm(nn.Conv1d(3, 8, 3)), parametrizations.spectral_norm(nn.Conv1d(8, 4, 3))
        )

    plan = ft.plan(build(), "he_normal")
    path = tmp_path / "model.safetensors"
    fi.checkpoints.write(plan, path, seed=9)
    assert fi.checkpoints.verify(path, plan, seed=9) == fi.checkpoints.verify(path) == []
    model = ft.init_(build(), plan, seed=9)
    assert fi.checkpoints.verify(model.state_dict(), plan, seed=9) == []
    assert fi.checkpoints.verify(model.state_dict(), plan) == []
    model[0].weight_g.data[3] *= 1.5
    assert [found.name for found in fi.checkpoints.verify(model.state_dict(), plan, seed=9)] == ["0.weight_g"]


def test_modules_that_compute_nothing() -> None:
    assert computed_weights(nn.Linear(3, 3)) == []
    layer = nn.BatchNorm1d(3)
    parametrize.register_parametrization(layer, "running_mean", Halved())  # a buffer
    assert computed_weights(layer) == []
    assert set(ft.plan(layer, "default")) == {"weight", "bias"}


def test_the_model_stays_as_it_is() -> None:
    layer = parametrizations.orthogonal(nn.Linear(5, 5))
    twin = copy.deepcopy(layer)
    state = torch.get_rng_state()
    ft.plan(layer, "he_normal")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(twin.state_dict()[name], tensor) for name, tensor in layer.state_dict().items())


@pytest.mark.parametrize(
    "make",
    [
        lambda: weight_norm(nn.Conv1d(6, 8, 3)),
        lambda: spectral_norm(nn.Linear(6, 8)),
        lambda: weight_norm(nn.LSTM(6, 8), "weight_hh_l0"),
        lambda: parametrizations.weight_norm(nn.Linear(6, 8)),
        lambda: parametrizations.spectral_norm(nn.Linear(6, 8)),
        lambda: parametrizations.orthogonal(nn.Linear(6, 8)),
    ],
)
def test_built_models(make: Any) -> None:
    model = ft.build(make, seed=3).eval()
    drawn = ft.init_(make(), ft.record(make), seed=3).eval()
    assert all(torch.equal(drawn.state_dict()[k], v) for k, v in model.state_dict().items())
    x = torch.ones(2, 6, 6)
    out, expected = model(x), drawn(x)
    assert torch.equal(*((out[0], expected[0]) if isinstance(out, tuple) else (out, expected)))
    plan = ft.plan(make(), "he_normal")
    built = ft.build(make, seed=3, plan=plan).eval().state_dict()
    assert all(torch.equal(built[k], v) for k, v in ft.init_(make(), plan, seed=3).state_dict().items())
