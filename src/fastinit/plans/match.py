"""A plan that was made earlier, held against the model that it is drawn into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .model import TensorSpec
from .plan import Plan


def matching(plan: Plan, tensors: Mapping[str, TensorSpec], needed: Iterable[str]) -> Plan:
    """The plan, if all its parameters are among ``tensors``, with their shapes and dtypes, and if it has all that is needed.

    Raises ValueError, naming them, otherwise.
    """
    if missing := [name for name in needed if name not in plan]:
        raise ValueError(f"the plan lacks {', '.join(map(repr, missing))}, which the model has")
    if extra := [name for name in plan if name not in tensors]:
        raise ValueError(f"the plan has {', '.join(map(repr, extra))}, which the model lacks")
    for name, parameter in plan.items():
        has = tensors[name]
        if (has.shape, has.dtype) != (parameter.shape, parameter.dtype):
            raise ValueError(
                f"{name!r} is {parameter.dtype} of shape {parameter.shape} in the plan, "
                f"but {has.dtype} of shape {has.shape} in the model"
            )
    return plan


def check_nothing_beside(numbers: Mapping[str, Any], **options: object) -> None:
    """Raise TypeError, naming them, for a scheme's numbers and for options that were given beside a plan, and would change
    nothing.
    """
    if given := [*[name for name, value in options.items() if value], *numbers]:
        raise TypeError(f"a plan has its own distributions, but {', '.join(given)} was given too")
