"""Orthogonal laws. Their last bits follow NumPy's matrix product; all else here depends on seed, name and shape alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .distributions import Normal, real
from .fans import integer, integers
from .memory import Array
from .structured import (
    Sizes,
    Stream,
    Structured,
    check_groups,
    checked_axis,
    group_views,
    positive_integer,
    set_fields,
)


@dataclass(frozen=True, slots=True)
class Orthogonal(Structured):
    """gain times a semi-orthogonal matrix of Haar's law: `axis` counts its rows, all other axes its columns.

    The shorter side's vectors are orthonormal. With `packed` > 1, so many equal blocks along `axis` are orthogonal each
    by itself: gates, heads, a fused query, key and value; so are the weights along the axes `stacked`.
    """

    law: ClassVar[str] = "orthogonal"
    gain: float = 1.0
    axis: int = 0
    packed: int = 1
    stacked: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        set_fields(self, gain=real("gain", self.gain), axis=integer("axis", self.axis))
        set_fields(
            self, packed=positive_integer("packed", self.packed), stacked=integers("stacked", self.stacked)
        )

    def check(self, shape: Sizes) -> None:
        if len(shape) < 2:
            raise ValueError(f"an orthogonal tensor needs two axes or more, got shape {shape}")
        axes = [checked_axis(axis, shape) for axis in (self.axis, *self.stacked)]
        if len(set(axes)) < len(axes):
            raise ValueError(f"stacked {self.stacked} names an axis twice, or axis {self.axis}")
        if shape[axes[0]] % self.packed:
            raise ValueError(f"packed must divide {shape[axes[0]]}, got {self.packed}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        first = [checked_axis(axis, shape) for axis in (*self.stacked, self.axis)]
        order = first + [axis for axis in range(len(shape)) if axis not in first]
        sizes = [shape[axis] for axis in order]
        count = math.prod(sizes[: len(first) - 1]) * self.packed
        rows = sizes[len(first) - 1] // self.packed
        columns = math.prod(sizes[len(first) :])
        if count == 1:
            whole = haar(rows, columns, stream, self.gain)
        else:
            whole = np.stack([haar(rows, columns, stream, self.gain) for _ in range(count)])
        return whole.reshape(sizes).transpose(np.argsort(order))


@dataclass(frozen=True, slots=True)
class DeltaOrthogonal(Structured):
    """gain times a semi-orthogonal matrix at the centre tap (k - 1) // 2 of a convolution, one per group; else 0."""

    law: ClassVar[str] = "delta_orthogonal"
    gain: float = 1.0
    layout: str | None = None
    groups: int = 1
    transposed: bool = False

    def __post_init__(self) -> None:
        set_fields(self, gain=real("gain", self.gain), groups=positive_integer("groups", self.groups))

    def check(self, shape: Sizes) -> None:
        check_groups(shape, self.layout, self.groups, self.transposed)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        whole = stream.zeros(shape)
        for weight in group_views(whole, self.layout, self.groups, self.transposed):
            n_out, n_in, *kernel = weight.shape
            centre = tuple((k - 1) // 2 for k in kernel)
            weight[(..., *centre)] = haar(n_out, n_in, stream, self.gain)
        return whole


def haar(rows: int, columns: int, stream: Stream, gain: float = 1.0, block: int = 256) -> Array:
    """gain times a matrix of Haar's law, rows or columns orthonormal: Householder reflections of normal vectors.

    No factorisation: the reflection that takes a normal vector of length n - k to the k-th axis, for k = 0, 1, ... (Stewart
    1980, https://doi.org/10.1137/0717034), `block` of them at a time in compact WY form (Schreiber and Van Loan 1989).
    """
    if rows < columns:
        return haar(columns, rows, stream, gain, block).T
    sign = np.ones(columns, stream.dtype)
    result = stream.zeros((rows, columns))
    np.fill_diagonal(result, 1)
    for first in reversed(range(0, columns, block)):
        last = min(first + block, columns)
        v = stream.draw(Normal(), (rows - first, last - first))
        v[: last - first] = np.tril(v[: last - first])
        head = np.diagonal(v).copy()
        towards = np.where(head >= 0, v.dtype.type(1), v.dtype.type(-1))
        np.fill_diagonal(v, head + towards * np.sqrt((v * v).sum(0)))
        sign[first:last] = -towards
        # The product of the reflections is 1 - V T V', 1/T being the upper half of V' V with its diagonal halved.
        upper = np.triu(v.T @ v)
        np.fill_diagonal(upper, np.diagonal(upper) / 2)
        right = np.linalg.inv(upper) @ (v.T @ result[first:, first:])
        for at in range(first, rows, 512):  # by strips, which stay in the cache
            result[at : at + 512, first:] -= v[at - first : at - first + 512] @ right
    result *= v.dtype.type(gain) * sign if columns else 1
    return result
