"""Parts of a tensor: slices -> the axes that a kernel walks."""

from __future__ import annotations

import operator
from types import EllipsisType
from typing import Any, SupportsIndex, TypeAlias

Index: TypeAlias = SupportsIndex | slice | EllipsisType
Block: TypeAlias = Index | tuple[Index, ...]
"""A part of a tensor, as NumPy's basic indices name it."""
Axis = tuple[int, int, int, tuple[tuple[int, int], ...]]
"""(length, elements of the whole tensor per step, bytes per step, runs of (local position, global index))"""
Axes: TypeAlias = tuple[Axis, ...]


def normalize(block: Any, shape: tuple[int, ...]) -> tuple[tuple[int, int, int, bool], ...]:
    """One (start, step, length, kept) per axis of ``shape``, with NumPy's meaning of ``array[block]``.

    Raises TypeError for what is no basic index, IndexError, as NumPy does, for one that is out of range or too many.
    """
    items = block if isinstance(block, tuple) else (block,)
    n_dots = sum(item is Ellipsis for item in items)
    if n_dots > 1:
        raise IndexError("block has more than one '...'")
    if len(items) - n_dots > len(shape):
        raise IndexError(f"block {block!r} has {len(items) - n_dots} indices for shape {shape}")
    at = next((i for i, item in enumerate(items) if item is Ellipsis), len(items))
    filler = (slice(None),) * (len(shape) - len(items) + n_dots)
    items = items[:at] + filler + items[at + 1 :]
    result = []
    for item, size in zip(items, shape, strict=True):
        if isinstance(item, slice):
            start, stop, step = item.indices(size)
            result.append((start, step, len(range(start, stop, step)), True))
            continue
        try:
            index = operator.index(_not_bool(item))
        except TypeError:
            raise TypeError(f"block takes integers, slices and '...', not {item!r}") from None
        if not -size <= index < size:
            raise IndexError(f"block index {index} is out of range for an axis of length {size}")
        result.append((index % size, 1, 1, False))
    return tuple(result)


def block_shape(block: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of ``array[block]`` for an array of that shape."""
    return tuple(length for _, _, length, kept in normalize(block, shape) if kept)


def of_parts(block: Any) -> Any:
    """The block of a complex tensor's parts, which have one more axis."""
    return block if block is ... else (*(block if isinstance(block, tuple) else (block,)), slice(None))


def axes(shape: tuple[int, ...], block: Any, strides: tuple[int, ...], itemsize: int) -> tuple[Axis, ...]:
    """The axes of ``whole[block]`` lying in memory with the given byte strides, adjacent ones merged."""
    steps: list[tuple[int, int]] = []  # (length, elements of the whole per step)
    origin, global_stride = 0, 1
    for size, (start, step, length, kept) in zip(
        reversed(shape), reversed(normalize(block, shape)), strict=True
    ):
        origin += start * global_stride
        if kept:
            steps.append((length, step * global_stride))
        global_stride *= size
    merged: list[tuple[int, int, int]] = []
    for (length, stride), byte_stride in zip(reversed(steps), strides, strict=True):
        if length == 1:
            continue
        if merged:
            outer_length, outer_stride, outer_bytes = merged[-1]
            if outer_stride == stride * length and outer_bytes == byte_stride * length:
                merged[-1] = (outer_length * length, stride, byte_stride)
                continue
        merged.append((length, stride, byte_stride))
    if not merged:
        merged = [(1, 1, itemsize)]
    # The kernels draw along the innermost axis; of the others, neighbours in memory come last.
    merged[:-1] = sorted(merged[:-1], key=lambda axis: -abs(axis[2]))
    # Index arithmetic is modulo 2**64, which makes negative steps plain ones.
    result: list[Axis] = [(n, stride % 2**64, byte, ((0, 0),)) for n, stride, byte in merged]
    if origin:
        result.insert(0, (1, 1, 0, ((0, origin),)))
    return tuple(result)


def _not_bool(item: Any) -> Any:
    return None if isinstance(item, bool) else item
