"""A model drawn by "auto", held against what was told by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from cases import Case
from torch import Tensor

import fastinit.torch as ft

PAGE = Path(__file__).parents[2] / "docs" / "auto.md"
BOUNDS = (1e-2, 1e2)  # of the output's root mean square


class Result(NamedTuple):
    parameters: int
    schemes: dict[str, int]  # scheme -> tensors
    own: int  # tensors that get what the model's own code gives them
    rms: float  # of the output
    faults: list[str]


def check(case: Case) -> Result:
    """Draw the model by "auto", and hold plan and output against what was told by hand."""
    model = case.build().eval()
    plan = ft.plan(model)
    ft.init_(model, plan, seed=0)
    faults = list(_told(case, plan))
    with torch.no_grad():
        inputs = case.inputs()
        output = model(**inputs) if isinstance(inputs, Mapping) else model(inputs)
    values = [tensor.double() for tensor in _tensors(output)]
    if not all(tensor.isfinite().all() for tensor in values):
        faults.append("the output is not finite")
    rms = float((values[0] ** 2).mean().sqrt())
    if not BOUNDS[0] < rms < BOUNDS[1]:
        faults.append(f"the output's root mean square is {rms:.3g}")
    schemes: dict[str, int] = {}
    for row in plan.values():
        schemes[row.scheme] = schemes.get(row.scheme, 0) + 1
    own = sum("the model's" in row.reason for row in plan.values())
    return Result(len(plan), schemes, own, rms, faults)


def _told(case: Case, plan: Any) -> Iterator[str]:
    for name, (fans, words) in case.told.items():
        row = plan[name]
        if words not in row.reason:
            yield f"{name}: {row.reason!r} does not say {words!r}"
        if (None if row.fans is None else tuple(row.fans)) != fans:
            yield f"{name}: fans {row.fans}, {fans} by hand"


def _tensors(output: Any) -> list[Tensor]:
    """The floating-point tensors of an output."""
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() else []
    parts = (
        output.values()
        if isinstance(output, Mapping)
        else output
        if isinstance(output, (list, tuple))
        else ()
    )
    return [tensor for part in parts for tensor in _tensors(part)]
