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
from .streams import encoded_name

_AT_A_TIME = 1 << 13  # elements, to stay within a core's cache


def total(values: Array, name: str, shape: int | Sequence[int] | None = None, block: Any = ...) -> int:
    """The sum of h(h(key + i) ^ bits) over the elements, as an integer without bound; see `fastinit.checksum`.

    ``values`` are ``whole[block]`` of a tensor of that ``shape``; by default the whole.
    """
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
    return _sum(values, (key + origin) % 2**64, steps)


def _sum(values: Array, first: int, steps: list[int]) -> int:
    """The sum over the elements, as many at a time as fit; ``first`` is the first one's index plus the key."""
    if values.ndim and math.prod(values.shape) > _AT_A_TIME:
        inner = math.prod(values.shape[1:])
        rows = max(_AT_A_TIME // inner, 1)
        result = 0
        for at in range(0, len(values), rows):
            start = first + at * steps[0]
            some = values[at : at + rows]
            if rows == 1:
                result += _sum(some[0], start, steps[1:])
            else:
                result += _sum(some, start, steps)
        return result
    index = np.full(1, first % 2**64, np.uint64)
    for length, step in zip(values.shape, steps, strict=True):
        positions = np.arange(length, dtype=np.uint64) * np.uint64(step % 2**64)
        index = (index[:, None] + positions).reshape(-1)
    bits = np.ascontiguousarray(values).reshape(-1).view(f"u{values.dtype.itemsize}")
    mixed = _mix(_mix(index) ^ bits)
    low = int((mixed & np.uint64(0xFFFFFFFF)).sum(dtype=np.uint64))
    return (int((mixed >> np.uint64(32)).sum(dtype=np.uint64)) << 32) + low


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
