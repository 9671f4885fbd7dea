"""A plan that is drawn into a model of torch: names, dtypes, ties, buffers, and what is refused before the first write."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.laws.composed import Patched
from fastinit.laws.distributions import Constant, Normal, Uniform
from fastinit.plans.parameter import Parameter
from fastinit.plans.plan import Plan

torch = optional("torch")
from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402
from fastinit.torch import sharded, tensors  # noqa: E402


def _plan(ties: dict[str, str] | None = None, **rows: tuple[tuple[int, ...], Any]) -> Plan:
    parameters = {n: Parameter(n, shape, "float32", "test", law, None, 0) for n, (shape, law) in rows.items()}
    return Plan(parameters, ties or {}, "test")


def _model(**parameters: Any) -> Any:
    model = nn.Module()
    for name, tensor in parameters.items():
        model.register_parameter(name, nn.Parameter(tensor, not tensor.is_inference()))
    return model


def test_layouts_and_dtypes() -> None:
    plan = _plan(a=((4, 6), Normal()), b=((4, 6), fi.distribution("orthogonal", (4, 6))), c=((), Normal()))
    expected = fi.init(plan, seed=1)
    model = _model(a=torch.empty(6, 4).t(), b=torch.empty(4, 12)[:, ::2], c=torch.empty(()))
    assert ft.init_(model, plan, seed=1) is model
    for name, parameter in model.named_parameters():
        assert np.array_equal(parameter.detach().numpy(), expected[name]), name
    narrow = Patched(Uniform(1.0, 1.0078125), (((2, (0, 6, 1)), Constant(0.0)),))
    for dtype in (torch.float16, torch.bfloat16):
        model = _model(w=torch.empty(40, 6, dtype=dtype))
        ft.init_(model, _plan(w=((40, 6), narrow)), seed=1)
        rows = {"w": Parameter("w", (40, 6), str(dtype).removeprefix("torch."), "test", narrow, None)}
        array = fi.init(Plan(rows, {}, "test"), seed=1)["w"]
        assert np.array_equal(model.w.view(torch.uint16).detach().numpy(), array.view(np.uint16))


def test_dtypes_of_the_model_count() -> None:
    plan = _plan(a=((4, 6), Normal()), b=((4, 6), fi.distribution("orthogonal", (4, 6))), c=((), Normal()))
    model = _model(a=torch.empty(4, 6), b=torch.empty(4, 6), c=torch.empty(()))
    ft.init_(model, plan, seed=1)
    halves = _model(
        a=torch.empty(4, 6, dtype=torch.bfloat16), b=torch.empty(4, 6).double(), c=torch.empty(()).half()
    )
    ft.init_(halves, plan, seed=1)
    assert torch.equal(halves.a, model.a.bfloat16()) and torch.equal(halves.c, model.c.half())


def test_a_module_called_module_keeps_its_name() -> None:
    plan, model = _plan(**{"a.module.w": ((2,), Normal())}), nn.Module()
    model.a, model.a.module = nn.Module(), _model(w=torch.ones(2))
    for wrapped in (model, nn.DataParallel(model)):
        ft.init_(wrapped, plan, seed=0)
        assert np.array_equal(model.a.module.w.detach(), fi.init(plan, seed=0)["a.module.w"])
        model.a.module.w.data.zero_()


def test_ties_outlive_to_empty() -> None:
    def tied() -> Any:
        model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
        model[1].weight = model[0].weight
        return model

    plan = ft.record(tied)
    assert list(plan) == ["0.weight"] and plan.ties == {"1.weight": "0.weight"}
    with torch.device("meta"):
        model = tied()
    model.to_empty(device="cpu")
    ft.init_(model, plan, seed=0)
    assert torch.equal(model[0].weight, model[1].weight)
    ft.init_(model := tied(), plan, seed=0)
    assert model[0].weight is model[1].weight


def test_autograd_hears_of_it() -> None:
    model, plan = _model(w=torch.ones(3)), _plan(w=((3,), Normal()))
    loss = (model.w * model.w).sum()
    ft.init_(model, plan, seed=0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


class Elsewhere(torch.Tensor):
    """In the host's memory, but saying that it is not."""

    is_cpu = False


def test_other_devices_get_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "_STAGING_BYTES", 100)
    for shape in ((300,), (1, 7, 40), (50, 3)):
        whole = (*shape[:-1], 2 * shape[-1])
        runs = (*[((0, n),) for n in shape[:-1]], ((shape[-1], shape[-1]),))
        plan = _plan(
            w=(
                whole,
                Patched(Normal(), (((*[(0, n, 1) for n in shape[:-1]], shape[-1] + 2), Constant(5.0)),)),
            )
        )
        for law in (plan["w"].distribution, Normal()):
            target = torch.full(shape, math.nan)
            elsewhere = target.as_subclass(Elsewhere)
            sharded.fill_task(sharded.Task(elsewhere, elsewhere, law, "w", whole, runs), 1, 1)
            expected = np.empty(whole, np.float32)
            fi.fill(expected, law, seed=1, name="w")
            assert np.array_equal(target.numpy(), expected[..., shape[-1] :])


W = (2, 3)


with torch.inference_mode():
    MADE_IN_INFERENCE_MODE = torch.ones(W)


REFUSED = [
    ({"w": torch.ones(W)}, {}, ValueError, "'w' is not in the plan"),
    ({}, {"w": (W, Normal())}, ValueError, "'w' of the plan is not in the model"),
    ({"w": torch.ones(3, 2)}, {"w": (W, Normal())}, ValueError, r"'w'.*\(3, 2\).*\(2, 3\)"),
    (
        {"w": torch.ones(2, 1)},
        {"w": (W, Normal())},
        ValueError,
        "'w'.*the parameter looks like 1/3 along axis 1",
    ),
    (
        {"w": torch.ones(4, 3)},
        {"w": (W, Normal())},
        ValueError,
        "'w'.*the plan's looks like 1/2 along axis 0",
    ),
    ({"w": torch.ones(W, device="meta")}, {"w": (W, Normal())}, ValueError, "'w'.*to_empty"),
    ({"w": torch.ones(W, dtype=torch.float8_e8m0fnu)}, {"w": (W, Normal())}, ValueError, "'w'.*dtype"),
    ({"w": torch.ones(W, dtype=torch.half)}, {"w": (W, Normal(std=1e6))}, ValueError, "'w'.*float16"),
    ({"w": MADE_IN_INFERENCE_MODE}, {"w": (W, Normal())}, ValueError, "'w'.*inference mode"),
    ({"w": torch.ones(1).expand(W)}, {"w": (W, Normal())}, ValueError, "'w'.*overlaps"),
    ({"w": torch.ones(3)}, {"w": ((3,), fi.distribution("orthogonal", (3, 3)))}, ValueError, "'w'.*axes"),
]


@pytest.mark.parametrize(("tensors", "rows", "error", "message"), REFUSED)
def test_refused_before_the_first_write(tensors: Any, rows: Any, error: type, message: str) -> None:
    model = _model(first=torch.ones(2), **tensors)
    with pytest.raises(error, match=message):
        ft.init_(model, _plan(first=((2,), Normal()), **rows), seed=0)
    assert (model.first == 1).all()


def test_seed_and_threads_are_checked() -> None:
    model, plan = _model(w=torch.ones(2)), _plan(w=((2,), Normal()))
    for arguments, error in (({}, TypeError), ({"seed": 1.5}, TypeError), ({"seed": -1}, ValueError),
                             ({"seed": 0, "threads": 0}, ValueError)):  # fmt: skip
        with pytest.raises(error, match=list(arguments or ["seed"])[-1]):
            ft.init_(model, plan, **arguments)
    assert (model.w == 1).all()
    assert not torch.equal(
        ft.init_(model, plan, seed=None).w, ft.init_(_model(w=torch.ones(2)), plan, seed=None).w
    )


def test_parameters_tied_in_the_model_alone() -> None:
    model = _model(a=torch.ones(2))
    model.b = model.a
    with pytest.raises(ValueError, match=r"'a' and 'b' are tied in the model and not in the plan$"):
        ft.init_(model, _plan(a=((2,), Normal()), b=((2,), Normal())), seed=0)
