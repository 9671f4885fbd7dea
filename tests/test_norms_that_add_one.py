"""Norms whose code computes 1 + weight begin at 0, however the code says it."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import optional

torch = optional("torch")
from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(8))


class PlusNorm(Scale):
    def forward(self, x: Any) -> Any:
        return x * (1 + self.weight.float())


class AliasNorm(Scale):
    def forward(self, x: Any) -> Any:
        w = self.weight.float()
        return x * (1.0 + w)


class AssignedNorm(Scale):
    def forward(self, x: Any) -> Any:
        scale = self.weight + 1
        return x * scale


class CallNorm(Scale):
    def forward(self, x: Any) -> Any:
        return x * torch.add(self.weight, 1)


class MethodNorm(Scale):
    def forward(self, x: Any) -> Any:
        return x * self.weight.add(1.0).to(x.dtype)


class ResidualNorm(Scale):
    def forward(self, x: Any) -> Any:
        return x + x * self.weight


class FusedNorm(Scale):
    def forward(self, x: Any) -> Any:
        return torch.addcmul(x, x, self.weight)


class ShiftedNorm(Scale):
    def forward(self, x: Any) -> Any:
        x = x + 1
        return x * self.weight


class AfterNorm(Scale):
    def forward(self, x: Any) -> Any:
        w = self.weight
        return x * w + 1


class SumNorm(Scale):
    def forward(self, x: Any, y: Any) -> Any:
        return x * self.weight + y


ADD = (PlusNorm, AliasNorm, AssignedNorm, CallNorm, MethodNorm, ResidualNorm, FusedNorm)


@pytest.mark.parametrize("recipe", ["auto", "he_normal"])
@pytest.mark.parametrize("norm", [*ADD, ShiftedNorm, AfterNorm, SumNorm])
def test_the_scale_that_changes_nothing(norm: Any, recipe: str) -> None:
    model = nn.ModuleDict({"fc": nn.Linear(8, 8), "norm": norm()})
    weight = ft.init_(model, recipe, seed=0)["norm"].weight
    assert (weight == (0 if norm in ADD else 1)).all()
