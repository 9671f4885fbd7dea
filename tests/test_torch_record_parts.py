"""fastinit.torch.record: tensors of several laws, seen through other views; compared with what torch draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional
from test_torch_record_kinds import held

from fastinit.laws.distributions import Uniform

torch = optional("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, parametrize  # noqa: E402

import fastinit.torch as ft  # noqa: E402


def _padded() -> Any:
    """Normal values except row 3, which is 0."""
    return nn.Embedding(12, 8, padding_idx=3).weight.data


def _stacked(draw: Callable[[Any], Any]) -> Any:
    return torch.stack([draw(torch.empty(8, 16)) for _ in range(3)])


def _put(index: Any, columns: slice) -> Any:
    w = torch.randn(6, 40)
    w[:, columns][index] = 5.0
    return w


def _heads() -> Any:
    """Query, key and value drawn each on its own, then interleaved by head."""
    w = torch.empty(3, 4, 8, 32)
    for part in w:
        nn.init.xavier_uniform_(part)
    return w.permute(1, 0, 2, 3).reshape(96, 32)


SEEN: dict[str, Callable[[], Any]] = {
    "transposed": lambda: _padded().t().contiguous(),
    "transposed, as it is": lambda: _padded().t(),
    "columns": lambda: _padded()[:, 2:6].clone(),
    "every second row": lambda: _padded()[1::2].clone(),
    "rows without it": lambda: _padded()[4:].clone(),
    "flipped": lambda: _padded().flip(0),
    "rolled": lambda: _padded().roll(2, 0),
    "rows by a list": lambda: _padded()[[5, 3, 1]],
    "rows by an array": lambda: _padded()[np.array([3, 0])],
    "rows by truths": lambda: _padded()[[False, True, False, True] + 8 * [False]],
    "written by a list": lambda: _put([1, 3], slice(None)),
    "written in columns": lambda: _put([1, 3], slice(20, 40)),
}


@pytest.mark.parametrize("name", SEEN)
def test_several_laws_are_seen_through_a_view(name: str) -> None:
    make = SEEN[name]
    plan = ft.record(held(make))
    torch.manual_seed(0)
    own = [held(make)()["w"].detach() for _ in range(3)]
    model = held(make)()
    drawn = []
    for seed in range(3):
        ft.init_(model, plan, seed=seed)
        drawn.append(model["w"].detach().clone())
    same = (own[0] == own[1]) & (own[1] == own[2])
    assert torch.equal(same, (drawn[0] == drawn[1]) & (drawn[1] == drawn[2]))
    assert torch.equal(own[0][same], drawn[0][same])
    free = torch.stack(drawn)[:, ~same]
    assert abs(float(free.mean())) < 6 / free.numel() ** 0.5
    assert abs(float(free.std()) - 1) < 6 / (2 * free.numel()) ** 0.5


def test_stacks_are_seen_turned() -> None:
    plan = ft.record(held(lambda: _stacked(nn.init.kaiming_uniform_).transpose(1, 2).contiguous()))
    assert isinstance(plan["w"].distribution, Uniform)
    assert plan["w"].distribution.high == pytest.approx((6 / 16) ** 0.5)
    turned = held(lambda: _stacked(nn.init.orthogonal_).permute(2, 0, 1).contiguous())
    model = turned()
    ft.init_(model, ft.record(turned), seed=0)
    for part in model["w"].detach().unbind(1):
        assert torch.allclose(part.T @ part, torch.eye(8), atol=1e-5)


def test_parts_of_one_law_may_lie_anywhere() -> None:
    part = nn.Parameter(torch.empty(4, 8, 32))
    expected = ft.record(lambda: nn.ParameterDict({"w": nn.init.xavier_uniform_(part.clone())}))
    assert ft.record(held(_heads))["w"].distribution == expected["w"].distribution


def test_rearranged_orthogonal_rows_are_not_an_orthogonal_matrix() -> None:
    def corner() -> Any:
        return nn.init.orthogonal_(torch.empty(8, 8)).abs()[[0, 1]][:, [0, 1]]

    with pytest.raises(ValueError, match=r"parameter 'w'.*orthogonal.*rearranged by index"):
        ft.record(held(corner))


def test_removed_weight_normalisation_is_the_draw() -> None:
    for make in (lambda: nn.Conv1d(8, 16, 3), lambda: nn.Linear(8, 16)):

        def factory(make: Any = make) -> Any:
            return parametrize.remove_parametrizations(parametrizations.weight_norm(make()), "weight")

        assert ft.record(factory)["weight"].distribution == ft.record(make)["weight"].distribution

    def doubled() -> Any:
        layer = parametrizations.weight_norm(nn.Linear(8, 16))
        layer.parametrizations.weight.original0.data.mul_(2)
        return parametrize.remove_parametrizations(layer, "weight")

    with pytest.raises(ValueError, match="parameter 'weight'"):
        ft.record(doubled)


def test_a_product_with_zeros_adds_nothing() -> None:
    def merged(b: float) -> Callable[[], Any]:
        def factory() -> Any:
            layer = nn.Linear(8, 16)
            layer.weight.data += 2 * (torch.full((16, 4), b) @ torch.randn(4, 8))
            return layer

        return factory

    assert (
        ft.record(merged(0.0))["weight"].distribution
        == ft.record(lambda: nn.Linear(8, 16))["weight"].distribution
    )
    with pytest.raises(ValueError, match="made by"):
        ft.record(merged(1.0))


def test_the_real_parts_of_given_numbers_are_written_alone() -> None:
    def table() -> Any:
        turned = torch.exp(1j * torch.arange(6.0)[:, None] * torch.arange(4.0))
        real = turned.real
        real[:, 0] = real[:, 0] * 0.5
        real[:, 1:] *= 2.0
        return real.contiguous()

    plan = ft.record(held(table))
    model = held(table)()
    nn.init.zeros_(model["w"])
    ft.init_(model, plan, seed=0)
    assert torch.equal(model["w"].detach(), table())
