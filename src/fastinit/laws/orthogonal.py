"""Orthogonal matrices and convolutions. Their last bits follow NumPy's matrix product, which differs between machines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arguments import Sizes, integer, integers, positive_integer, real
from ..dtypes import Array
from .distributions import Normal
from .patterns import hadamard
from .structured import Grouped, Stream, Structured, checked_axis, set_fields


@dataclass(frozen=True, slots=True)
class Orthogonal(Structured):
    """gain times a semi-orthogonal matrix of Haar's law: `axis` counts its rows, all other axes its columns.

    The vectors of the shorter side are orthonormal. `axis` may hold `packed` equal blocks (gates, heads, a fused query, key
    and value), and the axes `stacked` may hold weights: each of these is orthogonal by itself.
    """

    law: ClassVar[str] = "orthogonal"
    portable: ClassVar[bool] = True
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
            whole = stream.xp.stack([haar(rows, columns, stream, self.gain) for _ in range(count)])
        result: Array = stream.xp.moveaxis(whole.reshape(sizes), tuple(range(len(order))), tuple(order))
        return result


@dataclass(frozen=True, slots=True)
class DeltaOrthogonal(Grouped):
    """A convolution: gain times a semi-orthogonal matrix for each group at the centre tap (k - 1) // 2, else 0."""

    law: ClassVar[str] = "delta_orthogonal"
    portable: ClassVar[bool] = True

    def fill(self, weight: Array, stream: Stream) -> None:
        n_out, n_in, *kernel = weight.shape
        weight[(..., *((k - 1) // 2 for k in kernel))] = haar(n_out, n_in, stream, self.gain)


def haar(rows: int, columns: int, stream: Stream, gain: float = 1.0, block: int = 256) -> Array:
    """gain times a matrix of Haar's law, with orthonormal rows or columns.

    It is the product of the reflections that take a normal vector of length n - k to the k-th axis, for k = 0, 1, ...
    (Stewart 1980, https://doi.org/10.1137/0717034). `block` reflections at a time are applied in compact WY form (Schreiber
    and Van Loan 1989, https://doi.org/10.1137/0910005).
    """
    if rows < columns:
        return haar(columns, rows, stream, gain, block).T
    xp = stream.xp
    result, sign = stream.zeros((rows, columns)), stream.zeros((columns,))
    result[:columns] += xp.diag(xp.ones_like(sign))
    for first in reversed(range(0, columns, block)):
        last = min(first + block, columns)
        v = stream.draw(Normal(), (rows - first, last - first))
        v[: last - first] = xp.tril(v[: last - first])
        norms = xp.sqrt((v * v).sum(0))
        one = xp.ones_like(norms)
        towards = xp.where(xp.diagonal(v) >= 0, one, -one)
        v[: last - first] += xp.diag(towards * xp.where(norms > 0, norms, one))
        sign[first:last] = -towards
        # The product of the reflections is 1 - V T V'; 1/T is the upper half of V' V with its diagonal halved.
        gram = v.T @ v
        upper = xp.triu(gram, 1) + xp.diag(xp.diagonal(gram) / 2)
        right = _inverse(xp, upper) @ (v.T @ result[first:, first:])
        for at in range(first, rows, 512):  # by strips, which stay in the cache
            result[at : at + 512, first:] -= v[at - first : at - first + 512] @ right
    result *= gain * sign
    return result


def _inverse(xp: Any, matrix: Array) -> Array:
    """torch's `inv` would wait for the device, to raise for a singular matrix, which this one is not."""
    inverse: Array = xp.linalg.inv_ex(matrix)[0] if hasattr(xp.linalg, "inv_ex") else xp.linalg.inv(matrix)
    return inverse


@dataclass(frozen=True, slots=True)
class ConvOrthogonal(Grouped):
    """gain times a convolution for each group that keeps the norm of its input under circular padding.

    It is a semi-orthogonal matrix, followed for each kernel axis of length k by k - 1 convolutions of the two taps P and
    1 - P, where P is the projection on a random half of the space. With fewer outputs than inputs, the norm of the gradient
    is kept instead.
    """

    law: ClassVar[str] = "conv_orthogonal"
    portable: ClassVar[bool] = True

    def fill(self, weight: Array, stream: Stream) -> None:
        if weight.shape[0] < weight.shape[1]:
            weight = weight.swapaxes(0, 1)
        n_out, n_in, *kernel = weight.shape
        taps = haar(n_out, n_in, stream, self.gain).reshape((1,) * len(kernel) + (n_out, n_in))
        for length in range(2, max(kernel, default=1) + 1):
            for axis, k in enumerate(kernel):
                if length <= k:
                    taps = _lengthened(taps, axis, haar(n_out, n_out // 2, stream), stream.xp)
        weight[...] = stream.xp.moveaxis(taps, (-2, -1), (0, 1))


def _lengthened(taps: Array, axis: int, half: Array, xp: Any) -> Array:
    """The kernel (taps, outputs, inputs), followed by the two taps P = half half' and 1 - P along one axis."""
    none = xp.zeros_like(taps[(slice(None),) * axis + (slice(1),)])
    later, sooner = xp.concatenate([none, taps], axis), xp.concatenate([taps, none], axis)
    longer: Array = later + half @ (half.T @ (sooner - later))
    return longer


@dataclass(frozen=True, slots=True)
class HadamardOrthogonal(Structured):
    """gain times a semi-orthogonal matrix made of random signs, permutations and Hadamard matrices, in O(n^2 log n).

    `axis` counts its rows, all other axes its columns. Two rounds mix all n coordinates of the longer side. Each is a random
    permutation, random signs, and a Hadamard matrix on the first 2^k coordinates, the largest power of two; if n is
    larger, also random signs and the Hadamard matrix on the last 2^k coordinates. Entries have mean 0, variance 1 / n and
    nearly a normal law. There are finitely many such matrices: it is not Haar's law.
    """

    law: ClassVar[str] = "hadamard_orthogonal"
    gain: float = 1.0
    axis: int = 0

    def __post_init__(self) -> None:
        set_fields(self, gain=real("gain", self.gain), axis=integer("axis", self.axis))

    def check(self, shape: Sizes) -> None:
        Orthogonal(self.gain, self.axis).check(shape)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        rows = shape[self.axis]
        others = [n for i, n in enumerate(shape) if i != self.axis % len(shape)]
        columns = math.prod(others)
        matrix = _mixed(max(rows, columns), min(rows, columns), stream)
        matrix *= self.gain
        whole = matrix if rows >= columns else matrix.T
        return np.moveaxis(whole.reshape(rows, *others), 0, self.axis)


def _mixed(n: int, columns: int, stream: Stream) -> Array:
    """The first columns of the product of the rounds, n by n."""
    matrix = stream.zeros((n, columns))
    np.fill_diagonal(matrix, 1)
    power = 1 << (n.bit_length() - 1)  # at least half of n
    for _ in range(2):
        words = stream.words((n, 1))
        matrix = matrix[np.argsort(words[:, 0], kind="stable")]
        for first in sorted({0, n - power}):
            matrix *= _signs(words, first > 0)
            _transform(matrix[first : first + power])
    matrix *= _signs(stream.words((n, 1)), 0)
    return matrix


def _signs(words: Array, bit: int) -> Array:
    """+1 or -1, by a bit of each word."""
    signs: Array = 1 - 2 * (words >> np.uint32(bit) & 1).astype(np.float32)
    return signs


def _transform(x: Array) -> None:
    """The orthogonal Hadamard transform of the columns, in place, by one matrix product for each 6 bits of the row number."""
    rows, columns = x.shape
    done = 1
    while done < rows:
        radix = min(64, rows // done)
        factor = hadamard(radix, radix, x.dtype.name) / x.dtype.type(math.sqrt(radix))
        x[...] = (factor @ x.reshape(-1, radix, done * columns)).reshape(rows, columns)
        done *= radix
