"""Distributions made of others: a formula of drawn values, and boxes of a tensor that have distributions of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ..arguments import Sizes, choose, integer, real
from ..dtypes import Array
from .base import Distribution, as_distribution
from .exact_math import exp, expm1, log, log1p
from .patterns import Given
from .structured import Stream, Structured, set_fields

Expression: TypeAlias = Any
"""A number, "x" for the drawn value, given values (`Given`), or an operation and its operands: ("mul", "x", 2.0)."""
Box: TypeAlias = tuple[int | tuple[int, int, int], ...]
"""For each axis an index or (start, stop, step), all counted from the front: a part of a tensor."""

_DEEPEST = 200  # nested operations, far below Python's limit of recursion


def _where(condition: Any, given: Any, otherwise: Any) -> Any:
    """`given` if the condition is not 0, else `otherwise`."""
    return np.where(np.asarray(condition) != 0, given, otherwise)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.absolute,
    "sqrt": np.sqrt,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "fmod": np.fmod,
    "where": _where,
}
_OF_ONE = ("neg", "abs", "sqrt", "exp", "expm1", "log", "log1p")


def evaluate(formula: Expression, x: Any) -> Any:
    """The formula's value at x, in float64, with the same bits on every machine."""
    if isinstance(formula, tuple):
        return OPERATIONS[formula[0]](*[evaluate(operand, x) for operand in formula[1:]])
    if isinstance(formula, Given):
        return formula.array
    return x if formula == "x" else formula


def given_values(formula: Expression) -> list[Given]:
    """The given values that the formula names."""
    if isinstance(formula, tuple):
        return [given for operand in formula[1:] for given in given_values(operand)]
    return [formula] if isinstance(formula, Given) else []


def _described(formula: Expression) -> Any:
    """The formula for JSON."""
    if isinstance(formula, tuple):
        return [formula[0], *map(_described, formula[1:])]
    return formula.to_dict() if isinstance(formula, Given) else formula


def _checked_formula(formula: Any, depth: int = 0) -> Expression:
    if isinstance(formula, (tuple, list)) and formula:
        operation, *operands = formula
        choose("operation", operation, OPERATIONS)
        if len(operands) != (1 if operation in _OF_ONE else 3 if operation == "where" else 2):
            raise ValueError(f"formula has {operation!r} of {len(operands)} operands")
        if depth == _DEEPEST:
            raise ValueError(f"formula is nested more than {_DEEPEST} deep")
        return (operation, *[_checked_formula(operand, depth + 1) for operand in operands])
    if isinstance(formula, (Given, Mapping)):
        given = as_distribution(formula)
        if not isinstance(given, Given):
            raise TypeError(f"a formula takes given values, not the law {given.law!r}")
        return given
    return "x" if isinstance(formula, str) and formula == "x" else real("formula", formula)


@dataclass(frozen=True, slots=True)
class Transformed(Structured):
    """`formula` of values x that are drawn from `inner`; given values in it are broadcast to the tensor's shape.

    >>> from fastinit import Uniform
    >>> Transformed(Uniform(1.0, 16.0), ("log", "x")).to_dict()  # Mamba-2's A_log
    {'law': 'transformed', 'inner': {'law': 'uniform', 'low': 1.0, 'high': 16.0}, 'formula': ['log', 'x']}
    """

    law: ClassVar[str] = "transformed"
    inner: Distribution
    formula: Expression

    def __post_init__(self) -> None:
        set_fields(self, inner=as_distribution(self.inner), formula=_checked_formula(self.formula))

    def to_dict(self) -> dict[str, Any]:
        return {"law": self.law, "inner": self.inner.to_dict(), "formula": _described(self.formula)}

    def check(self, shape: Sizes) -> None:
        if isinstance(self.inner, Structured):
            self.inner.check(shape)
        for given in given_values(self.formula):
            sizes = given.array.shape
            behind = zip(reversed(sizes), reversed(shape), strict=False)
            if len(sizes) > len(shape) or any(n not in (1, size) for n, size in behind):
                raise ValueError(f"given values of shape {sizes} do not fit shape {shape}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        x = stream.draw(self.inner, shape).astype(np.float64)
        result: Array = np.asarray(evaluate(self.formula, x)).astype(stream.dtype)
        return np.broadcast_to(result, shape)  # a formula need not name x


@dataclass(frozen=True, slots=True)
class Patched(Structured):
    """`inner`, except within the boxes of `patches`, each of which has its own distribution; later boxes hide earlier ones.

    An embedding with a row of zeros for padding is one, or a packed weight whose parts are drawn differently. If `inner`
    is elementwise, values outside the boxes are those that `inner` would draw without boxes in float32 or float64.

    >>> from fastinit import Constant, Normal
    >>> Patched(Normal(), [((0, (0, 4, 1)), Constant(0.0))]).patches
    (((0, (0, 4, 1)), Constant(value=0.0)),)
    """

    law: ClassVar[str] = "patched"
    inner: Distribution
    patches: tuple[tuple[Box, Distribution], ...]

    def __post_init__(self) -> None:
        patches = tuple([(_checked_box(box), as_distribution(law)) for box, law in self.patches])
        set_fields(self, inner=as_distribution(self.inner), patches=patches)

    def to_dict(self) -> dict[str, Any]:
        patches = [[box, law.to_dict()] for box, law in self.patches]
        return {"law": self.law, "inner": self.inner.to_dict(), "patches": patches}

    def check(self, shape: Sizes) -> None:
        if isinstance(self.inner, Structured):
            self.inner.check(shape)
        for box, law in self.patches:
            if len(box) != len(shape):
                raise ValueError(f"box {box} has {len(box)} axes, the tensor has shape {shape}")
            for extent, size in zip(box, shape, strict=True):
                last = extent if isinstance(extent, int) else extent[1] - 1
                if last >= size:
                    raise ValueError(f"box {box} is out of range for shape {shape}")
            if isinstance(law, Structured):
                law.check(box_shape(box))

    def values(self, shape: Sizes, stream: Stream) -> Array:
        whole = np.array(stream.draw(self.inner, shape))
        for box, law in self.patches:
            whole[slices(box)] = stream.draw(law, box_shape(box))
        return whole


def box_shape(box: Box) -> Sizes:
    """The shape of a tensor's part within the box."""
    return tuple([len(range(*extent)) for extent in box if not isinstance(extent, int)])


def slices(box: Box) -> tuple[int | slice, ...]:
    """The box as an index."""
    return tuple([extent if isinstance(extent, int) else slice(*extent) for extent in box])


def _checked_box(box: Any) -> Box:
    result: list[int | tuple[int, int, int]] = []
    for extent in box:
        numbers = [
            integer("box", number) for number in (extent if isinstance(extent, (tuple, list)) else [extent])
        ]
        step = numbers[2] if len(numbers) == 3 else 1
        if len(numbers) not in (1, 3) or min(numbers) < 0 or step < 1:
            raise ValueError(f"a box has an index or (start, stop, step) for each axis, not {extent!r}")
        result.append(numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1], step))
    return tuple(result)
