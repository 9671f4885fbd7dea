"""Buffers after `to_empty`: filled by a plan that knows them, or named where what they hold is certainly garbage."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from conftest import optional

torch = optional("torch")
from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm = nn.Linear(6, 4), nn.BatchNorm1d(4)
        self.register_buffer("frequencies", torch.arange(3.0).exp(), persistent=False)
        self.register_buffer("mask", torch.full((2, 2), -torch.inf).triu(1), persistent=False)


def _emptied(fill: Callable[[Any], Any]) -> Any:
    with torch.device("meta"):
        model = Net()
    model.to_empty(device="cpu")
    for tensor in [*model.parameters(), *model.buffers()]:
        tensor.data = fill(tensor)  # as in memory that no code has written to
        assert tensor._version == 0
    return model


def _recycled(tensor: Any) -> Any:
    """What may have been floats of another tensor."""
    if tensor.is_floating_point():
        return torch.rand(tensor.shape)
    return torch.full(tensor.shape, 0x3F80_0000_3F80_0000)


GARBAGE = {
    "zeros": torch.zeros_like,
    "NaN": lambda t: torch.full_like(t, torch.nan) if t.is_floating_point() else torch.zeros_like(t),
    "other floats": _recycled,
    "an untouched count": lambda t: torch.rand(t.shape) if t.is_floating_point() else torch.zeros_like(t),
}
NAMES = "'frequencies', 'mask', 'norm.running_mean', 'norm.running_var', 'norm.num_batches_tracked'"


@pytest.mark.parametrize("recipe", ["auto", "he_normal"])
@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_named_before_the_first_write(garbage: str, recipe: str) -> None:
    model = _emptied(GARBAGE[garbage])
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(
        ValueError, match=f"what to_empty has left.* does not fill the buffers {NAMES}: .*record"
    ):
        ft.init_(model, recipe, seed=0)
    for name, tensor in model.state_dict().items():
        assert tensor.equal(before[name]) or tensor.isnan().all()
    ft.init_(model, ft.record(Net), seed=0)
    built = ft.init_(Net(), ft.record(Net), seed=0)
    for (name, ours), theirs in zip(model.named_buffers(), built.buffers(), strict=True):
        assert ours.equal(theirs), name


def _trained(model: Any) -> Any:
    model.norm(model.fc(torch.randn(8, 6)))
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: copy.deepcopy(Net()),
        lambda: copy.deepcopy(_trained(Net())),
        lambda: copy.deepcopy(_trained(Net())).half(),
        lambda: copy.deepcopy(Net()).double(),
    ],
    ids=["copied", "trained and copied", "copied and narrowed", "copied and widened"],
)
def test_a_model_that_was_built_is_not_called_empty(make: Callable[[], Any]) -> None:
    model = make()
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    ft.init_(model, "auto", seed=0)
    assert all(buffer.equal(buffers[name]) for name, buffer in model.named_buffers())


def test_buffers_that_the_plan_fills_are_not_looked_at() -> None:
    model = _emptied(GARBAGE["NaN"])
    plan = ft.record(Net)
    assert torch.isfinite(ft.init_(model, plan, seed=0).norm.running_var).all()

    class Unit(Net):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("unit", nn.functional.normalize(torch.randn(5), dim=0))

    with torch.device("meta"):
        unknown = Unit()
    unknown.to_empty(device="cpu")
    unknown.unit.fill_(torch.nan)
    with pytest.raises(ValueError, match="does not fill the buffers 'unit'"):
        ft.init_(unknown, ft.record(Unit), seed=0)
