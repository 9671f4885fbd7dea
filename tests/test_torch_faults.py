"""Models of torch that cannot be drawn, or only in part: what is refused is named."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from conftest import optional

import fastinit as fi

torch = optional("torch")
from torch import nn  # noqa: E402
from torch_networks import unchanged, values  # noqa: E402

import fastinit.torch as ft  # noqa: E402


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.logit_scale = nn.Linear(4, 4), nn.Parameter(torch.tensor(2.6593))
        self.layer_scale, self.sinks = nn.Parameter(torch.ones(4)), nn.Parameter(torch.arange(4.0))
        self.A_log, self.table = nn.Parameter(torch.arange(4.0)), nn.Parameter(torch.eye(4))


@pytest.mark.parametrize("recipe", ["auto", "he_normal", "default"])
def test_unknown_parameters_have_names(recipe: str) -> None:
    model = Scaled()
    before = values(model)
    with pytest.raises(ValueError, match=r"parameters 'sinks'.*'A_log'.*'table'"):
        ft.init_(model, recipe, seed=0)
    assert unchanged(model, before)


def lazy() -> Any:
    return nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 4))


def script() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.Sequential(nn.Linear(4, 4), torch.jit.script(nn.Linear(4, 4)))


def scales() -> Any:
    layer = nn.Linear(4, 4)
    layer.weight = nn.Parameter(torch.ones(4, 4).to(torch.float8_e8m0fnu))
    return nn.Sequential(nn.Linear(4, 4), layer)


FAULTS = [
    (lazy, "'0.weight': it has no shape yet: run the lazy module once; '0.bias': it has no shape"),
    (script, "'1.weight': it belongs to a TorchScript module"),
    (scales, "'1.weight': it has dtype torch.float8_e8m0fnu; what can be drawn is"),
]


@pytest.mark.parametrize(("build", "text"), FAULTS, ids=[text[:20] for _, text in FAULTS])
@pytest.mark.parametrize("recipe", ["auto", "he_normal", "default"])
def test_faults_have_names(build: Any, text: str, recipe: str) -> None:
    model = build()
    before = {} if build is lazy else values(model)
    for call in (ft.plan, lambda *a: ft.init_(*a, seed=0)):
        with pytest.raises(ValueError, match=text):
            call(model, recipe)
    assert build is lazy or unchanged(model, before)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_all_refuse_scripts_in_the_same_words() -> None:
    words = "'1.weight': it belongs to a TorchScript module, whose inside cannot be seen: take what it was made from"
    model = script()
    for call in (
        lambda: ft.plan(model),
        lambda: ft.init_(model, "he_normal", seed=0),
        lambda: ft.record(script),
        lambda: ft.probe(model, torch.zeros(2, 4)),
        lambda: ft.calibrate(model, torch.zeros(2, 4)),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    with pytest.raises(ValueError, match="module '0': it belongs to a TorchScript module"):
        ft.probe(nn.Sequential(torch.jit.script(nn.ReLU()), nn.Linear(4, 4)), torch.zeros(2, 4))


def test_a_plan_for_a_lazy_module() -> None:
    done = ft.record(lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)))
    with pytest.raises(ValueError, match=r"'0.weight': it has no shape yet"):
        ft.init_(lazy(), done, seed=0)


@pytest.mark.parametrize(
    "given",
    [{"layouts": {"*": "oi"}}, {"rules": [{"match": "*"}]}, {"frozen": True}, {"gain": 2.0}, {"std": 0.0}],
)
def test_a_plan_is_not_changed_on_the_way(given: dict[str, Any]) -> None:
    layer = nn.Linear(4, 4)
    with pytest.raises(TypeError, match=f"a plan has its own distributions, but {next(iter(given))}"):
        ft.init_(layer, ft.plan(layer), seed=0, **given)


def test_faults_of_a_plan_are_listed_together() -> None:
    model = nn.Sequential(*[nn.Linear(4, 4, bias=False) for _ in range(30)])
    wrong = fi.plan({f"{i}.weight": (4, 5) for i in range(30)})
    with pytest.raises(ValueError, match=r"'0.weight': its shape is \(4, 4\).*'19.weight'.*; and 10 more$"):
        ft.init_(model, wrong, seed=0)


def test_a_quantised_module_is_refused_by_name() -> None:
    class Packed(nn.Module):  # as torch.ao.nn.quantized's layers
        def __init__(self) -> None:
            super().__init__()
            self._packed_params = object()

    model = nn.Sequential(nn.Linear(2, 2), Packed())
    for call in (lambda: ft.plan(model), lambda: ft.init_(model, seed=0)):
        with pytest.raises(ValueError, match=r"module '1' is quantised \(Packed\)"):
            call()
