"""Structured distributions of what is seen of another tensor's draw: a view of it, the norms of its rows, a singular vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arguments import Sizes, checked_shape, flag, integer, integers
from ..dtypes import Array
from .base import Distribution, as_distribution
from .distributions import Normal
from .structured import Stream, Structured, checked_axis, set_fields


def _as_strided(array: Array, shape: Sizes, strides: Sizes, offset: int) -> Array:
    flat = np.ascontiguousarray(array).reshape(-1)[offset:]
    steps = [step * flat.itemsize for step in strides]
    view: Array = np.lib.stride_tricks.as_strided(flat, shape, steps, writeable=False)
    return view


def _check_inner(inner: Distribution, sizes: Sizes) -> None:
    if isinstance(inner, Structured):
        inner.check(sizes)


@dataclass(frozen=True, slots=True)
class Viewed(Structured):
    """Elements of a tensor of shape `sizes` that follows `inner`: a part of it, its transpose, copies along an axis.

    The element at the index i of `shape` is number offset + i . strides of the inner tensor, in C order.

    >>> from fastinit import Normal
    >>> Viewed(Normal(), (1, 3), (2, 3), (0, 1)).sizes  # one row, twice
    (1, 3)
    """

    law: ClassVar[str] = "view"
    inner: Distribution
    sizes: tuple[int, ...]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    def __post_init__(self) -> None:
        set_fields(
            self,
            inner=as_distribution(self.inner),
            sizes=checked_shape(self.sizes),
            shape=checked_shape(self.shape),
        )
        set_fields(self, strides=integers("strides", self.strides), offset=integer("offset", self.offset))
        if len(self.strides) != len(self.shape) or min((*self.strides, self.offset)) < 0:
            raise ValueError(
                f"strides {self.strides} and offset {self.offset} do not fit the shape {self.shape}"
            )
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and last >= math.prod(self.sizes):
            raise ValueError(f"a view of {last + 1} elements does not fit into shape {self.sizes}")

    def check(self, shape: Sizes) -> None:
        if math.prod(shape) != math.prod(self.shape):
            raise ValueError(f"the view has shape {self.shape}, the tensor has shape {shape}")
        _check_inner(self.inner, self.sizes)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        drawn = stream.draw(self.inner, self.sizes)
        return _as_strided(drawn, self.shape, self.strides, self.offset).reshape(shape)


@dataclass(frozen=True, slots=True)
class Norms(Structured):
    """Euclidean norms, over `axes`, of a tensor of shape `sizes` that follows `inner`.

    With `of`, that tensor is the parameter of this name in the same module, as the same seed draws it: weight
    normalisation's gains are the norms of its directions. Otherwise it is a draw of its own.

    >>> from fastinit import Normal
    >>> Norms(Normal(), (8, 4), (1,), "weight_v").of
    'weight_v'
    """

    law: ClassVar[str] = "norms"
    inner: Distribution
    sizes: tuple[int, ...]
    axes: tuple[int, ...]
    of: str = ""

    def __post_init__(self) -> None:
        set_fields(
            self,
            inner=as_distribution(self.inner),
            sizes=checked_shape(self.sizes),
            axes=integers("axes", self.axes),
        )
        if not isinstance(self.of, str):
            raise TypeError(f"of must be a name, not {self.of!r}")
        axes = [checked_axis(axis, self.sizes) for axis in self.axes]
        if len(set(axes)) < len(axes):
            raise ValueError(f"axes {self.axes} names an axis twice")

    def check(self, shape: Sizes) -> None:
        kept = math.prod([n for axis, n in enumerate(self.sizes) if axis not in self._reduced()])
        if math.prod(shape) != kept:
            raise ValueError(f"there are {kept} norms, the tensor has shape {shape}")
        _check_inner(self.inner, self.sizes)

    def _reduced(self) -> tuple[int, ...]:
        return tuple([checked_axis(axis, self.sizes) for axis in self.axes])

    def values(self, shape: Sizes, stream: Stream) -> Array:
        drawn: Any = (stream.of(self.of) if self.of else stream).draw(self.inner, self.sizes)
        squares = np.square(drawn, dtype=np.float64).sum(self._reduced())
        norms: Array = np.sqrt(squares).reshape(shape).astype(stream.dtype)
        return norms


@dataclass(frozen=True, slots=True)
class SingularVector(Structured):
    """The singular vector, of length 1, of the largest singular value of the tensor `of`, which has shape `sizes` and follows
    `inner`: spectral normalisation's vectors.

    `axis` counts the rows of the matrix, all other axes its columns; the vector is the left one, of a number for each row,
    or the right one. It is what `ROUNDS` of power iteration find that begin with normal values, from where the tensor's
    draw ends. The tensor is the one that the same seed draws: the parameter of that name in the same module, or with a
    dot before the name in the module that owns this one.

    >>> from fastinit import Normal
    >>> SingularVector(Normal(), (8, 4), 0, True, "weight_orig").left
    True
    """

    law: ClassVar[str] = "singular_vector"
    ROUNDS: ClassVar[int] = 15  # as many as torch runs at first
    inner: Distribution
    sizes: tuple[int, ...]
    axis: int
    left: bool
    of: str

    def __post_init__(self) -> None:
        set_fields(self, inner=as_distribution(self.inner), sizes=checked_shape(self.sizes))
        set_fields(self, axis=integer("axis", self.axis), left=flag("left", self.left))
        if not isinstance(self.of, str) or not self.of.strip("."):
            raise ValueError(f"of must be a name, not {self.of!r}")
        checked_axis(self.axis, self.sizes)

    def check(self, shape: Sizes) -> None:
        rows = self.sizes[self.axis]
        length = rows if self.left else math.prod(self.sizes) // max(rows, 1)
        if shape != (length,):
            raise ValueError(f"the singular vector has {length} elements, the tensor has shape {shape}")
        _check_inner(self.inner, self.sizes)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        beside = stream.of(self.of)
        drawn = np.moveaxis(beside.draw(self.inner, self.sizes), self.axis, 0)
        matrix = drawn.reshape(len(drawn), -1)
        right = beside.draw(Normal(), matrix.shape[1:])
        left = _unit(matrix @ right)
        for _ in range(self.ROUNDS):
            right = _unit(left @ matrix)
            left = _unit(matrix @ right)
        return left if self.left else right


def _unit(vector: Array) -> Array:
    """The vector, of length 1; zeros stay zeros."""
    scaled: Array = vector / (np.abs(vector).max(initial=0) or 1)  # whose square neither over- nor underflows
    result: Array = scaled / (np.sqrt((scaled * scaled).sum()) or 1)
    return result
