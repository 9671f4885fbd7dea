"""Checksums that add up: those of a tensor's parts, on any machines, sum to the whole tensor's.

There is another hash in csrc/inspect.h, which finds equal rows at the speed of memory. It takes 64-bit words, so that a
part of a row must begin at a word, and its values are kept nowhere. A checksum is of single elements, so that any slices
of any dtype add up, and its values are compared between machines and versions of fastinit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked_shape
from ..dtypes import COMPLEX, Array, as_parts
from .blocks import block_shape, normalize, of_parts
from .memory import readable
from .streams import encoded_name

_AT_A_TIME = 1 << 15  # elements, to stay within a core's cache


def checksum(
    array: Any, *, name: str = "", shape: int | Sequence[int] | None = None, block: Any = ...
) -> int:
    """An integer in [0, 2**64) that depends on every bit of the values and on the place of each in the whole tensor.

    The checksums of parts that make up the whole sum to its checksum, modulo 2**64: processes can compare what they hold
    without gathering it. The checksums of several tensors, each with its name, sum to that of a model. Checksums find
    faults; they do not protect against forgery.

    Of complex values it is that of their parts, along one more axis.

    It is the sum of h(h(key + i) ^ bits) over the elements, where i is the C-order index in the whole tensor, h the
    finaliser of SplitMix64 (Steele et al. 2014, https://doi.org/10.1145/2714064.2660195) and the key 64 bits of BLAKE2b of
    the name.

    Parameters
    ----------
    array
        An array or CPU tensor of a dtype that can be drawn: ``whole[block]`` of a tensor of this ``shape``.
    name
        The tensor's name.
    shape, block
        The shape of the whole tensor, and which part of it the array is; by default, the array is the whole.

    Raises
    ------
    TypeError, ValueError
        For an array of another dtype, or one that does not fit ``shape`` and ``block``.
    IndexError
        For a block out of range.

    Examples
    --------
    >>> w = np.arange(12, dtype=np.float32).reshape(3, 4)
    >>> parts = [checksum(w[:, :2], shape=(3, 4), block=np.s_[:, :2]), checksum(w[:, 2:], shape=(3, 4), block=np.s_[:, 2:])]
    >>> sum(parts) % 2**64 == checksum(w)
    True
    """
    values = readable(array, "array")
    whole = values.shape if shape is None else checked_shape(shape)
    part = block_shape(block, whole)
    if part != values.shape:
        raise ValueError(f"array has shape {values.shape}, but shape and block ask for {part}")
    if values.size == 0:
        return 0
    if values.dtype.name in COMPLEX:
        values, whole, block = as_parts(values), (*whole, 2), of_parts(block)
    axes = normalize(block, whole)
    steps: list[int] = []
    origin, stride = 0, 1
    for (start, step, _, kept), size in zip(reversed(axes), reversed(whole), strict=True):
        origin += start * stride
        if kept:
            steps.insert(0, step * stride)
        stride *= size
    key = int.from_bytes(blake2b(encoded_name(name), digest_size=8).digest(), "little")
    return _sum(values, (key + origin) % 2**64, steps) % 2**64


def _sum(values: Array, first: int, steps: list[int]) -> int:
    """The sum over the elements, as many at a time as fit; ``first`` is the first one's index plus the key."""
    if values.ndim and math.prod(values.shape) > _AT_A_TIME:
        inner = math.prod(values.shape[1:])
        rows = max(_AT_A_TIME // inner, 1)
        total = 0
        for at in range(0, len(values), rows):
            start = first + at * steps[0]
            some = values[at : at + rows]
            if rows == 1:
                total += _sum(some[0], start, steps[1:])
            else:
                total += _sum(some, start, steps)
        return total
    index = np.full(1, first % 2**64, np.uint64)
    for length, step in zip(values.shape, steps, strict=True):
        positions = np.arange(length, dtype=np.uint64) * np.uint64(step % 2**64)
        index = (index[:, None] + positions).reshape(-1)
    bits = np.ascontiguousarray(values).reshape(-1).view(f"u{values.dtype.itemsize}")
    return int(_mix(_mix(index) ^ bits).sum(dtype=np.uint64))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
