"""A part of a tensor in memory -> what the kernels take: runs of aligned memory, and boxes of any strides.

The structs are those of csrc/kernel_cuda.cu and csrc/box_cuda.h. A unit is the 16 bytes that one store of a kernel writes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..dtypes import DTYPES

UNIT = 16
MOST_UNITS = 1 << 30
MOST_AXES = 6
PIECES = 80  # runs of a batch

Axis = tuple[int, int, int, tuple[tuple[int, int], ...]]
"""An axis as the CPU's kernels take it: length, elements of the whole per step, bytes per step, its one run."""


class Rows(NamedTuple):
    """How far the rows of a run lie apart, in memory and in the tensor, and the units of a row."""

    byte_stride: int
    blocks: int
    columns: int

    def packed(self) -> bytes:
        return struct.pack("<q4I", *self, *divider(self.columns))


ONE_ROW = bytes(24)


class Run(NamedTuple):
    """Consecutive elements in aligned memory: whole units, then the elements of a part of one. Or several such rows: then
    ``units`` counts those of all of them, and each row's last one has ``rest`` elements, unless that is 0."""

    block: int
    address: int
    units: int
    rest: int
    rows: Rows | None = None

    @property
    def all_units(self) -> int:
        return self.units + (self.rest > 0 and self.rows is None)

    def packed(self) -> bytes:
        return struct.pack("<QQII", *self[:4])


class Step(NamedTuple):
    """An axis of a box."""

    length: int
    stride: int
    bytes: int


class Box(NamedTuple):
    """Rows of consecutive elements in memory of any strides; ``along`` is the place of the rows' axis among the axes."""

    address: int
    start: int
    length: int
    element_bytes: int
    axes: tuple[Step, ...]
    along: int

    @property
    def units(self) -> int:
        units = 1
        for axis in self.axes:
            units *= axis.length
        return units

    def packed(self, rounds: int) -> bytes:
        axes = [
            struct.pack("<Qq4I", axis.stride, axis.bytes, axis.length, *divider(axis.length), 0)
            for axis in self.axes
        ]
        head = struct.pack("<QQQq", self.address, self.start, self.length, self.element_bytes)
        tail = struct.pack("<4I", len(axes), self.along, self.units, rounds)
        return head + b"".join(axes).ljust(32 * MOST_AXES, b"\0") + tail


def divider(count: int) -> tuple[int, int]:
    """(magic, shift) with n // count == (n * magic >> 32) >> shift for all n below 2**31; the kernels need none for 1.

    >>> magic, shift = divider(7)
    >>> 100 * magic >> 32 >> shift
    14
    """
    if count == 1:
        return 0, 0
    power = 31 + (count - 1).bit_length()
    return -(-(1 << power) // count), power - 32


def per_unit(dtype: str) -> int:
    return UNIT // DTYPES[dtype].size


def per_block(dtype: str) -> int:
    """The elements that a block of Philox gives."""
    return 2 if dtype == "float64" else 4


def launches(axes: Sequence[Axis], address: int, dtype: str) -> Iterator[Run | Box]:
    """Runs and boxes that together are the part of the tensor which the axes describe."""
    size, (start, steps) = DTYPES[dtype].size, _steps(axes)
    length, *steps_of_row = steps[-1] if steps else (1, 1, size)
    if len(steps) <= 1 and steps_of_row == [1, size] and start * size % UNIT == 0 == address % UNIT:
        return _runs(start, length, address, dtype)
    others, row = _row(steps, size)
    if len(others) == 1 and _are_runs(start, row, others[0], address, dtype):
        return _rows(start, row, others[0], address, dtype)
    return _boxes(start, row, others, address, dtype)


def boxes(axes: Sequence[Axis], dtype: str) -> Iterator[Box]:
    """Boxes of a part whose place only the device knows: their addresses and first elements count from the part's."""
    start, steps = _steps(axes)
    others, row = _row(steps, DTYPES[dtype].size)
    return _boxes(start, row, others, 0, dtype, anywhere=True)


def _steps(axes: Sequence[Axis]) -> tuple[int, list[Step]]:
    """The first element, and the axes of more than one."""
    start, steps = 0, []
    for length, stride, byte_stride, ((_, first),) in axes:
        start += first * stride
        if length > 1:
            steps.append(Step(length, stride, byte_stride))
    return start % (1 << 64), steps


def _row(steps: list[Step], size: int) -> tuple[list[Step], Step]:
    """The other axes, and the one of consecutive elements."""
    *others, row = steps or [Step(1, 1, size)]
    return (others, row) if row.stride == 1 else ([*others, row], Step(1, 1, size))


def _runs(start: int, count: int, address: int, dtype: str) -> Iterator[Run]:
    """A run's blocks have the same upper half of their number."""
    blocks_end = (1 << 32) * per_block(dtype)
    while count:
        n = min(count, blocks_end - start % blocks_end, MOST_UNITS * per_unit(dtype))
        yield Run(start // per_block(dtype), address, *divmod(n, per_unit(dtype)))
        start, count, address = start + n, count - n, address + n * DTYPES[dtype].size


def _are_runs(start: int, row: Step, other: Step, address: int, dtype: str) -> bool:
    """Whether rows consist of units in the tensor and in memory; and are not so far apart that a launch would have few."""
    unit = per_unit(dtype)
    in_memory = row.bytes == DTYPES[dtype].size and address % UNIT == other.bytes % UNIT == 0
    in_tensor = start % unit == other.stride % unit == 0 and other.stride < per_block(dtype) << 28
    return in_memory and in_tensor and unit < row.length <= MOST_UNITS


def _rows(start: int, row: Step, other: Step, address: int, dtype: str) -> Iterator[Run]:
    """Rows of units, as many to a launch as have the same upper half of their blocks' numbers."""
    columns, rest = -(-row.length // per_unit(dtype)), row.length % per_unit(dtype)
    blocks, apart = columns * per_unit(dtype) // per_block(dtype), other.stride // per_block(dtype)
    done = 0
    while done < other.length:
        first, place = start // per_block(dtype) + done * apart, address + done * other.bytes
        fitting = ((1 << 32) - first % (1 << 32) - blocks) // apart + 1
        count = min(other.length - done, fitting, MOST_UNITS // columns)
        if count > 1:
            yield Run(first, place, count * columns, rest, Rows(other.bytes, apart, columns))
        else:
            count = 1
            yield from _runs(first * per_block(dtype), row.length, place, dtype)
        done += count


def _boxes(
    start: int, row: Step, others: list[Step], address: int, dtype: str, anywhere: bool = False
) -> Iterator[Box]:
    unit = per_unit(dtype)
    aligned = not anywhere and start % unit == 0 and all(step.stride % unit == 0 for step in others)
    columns = -(-row.length // unit) if aligned else (row.length + unit - 2) // unit + 1
    # Neighbouring threads take what is near in memory.
    order = sorted([row, *others], key=lambda step: (abs(step.bytes), step is not row))
    along = next(i for i, step in enumerate(order) if step is row)
    box = Box(
        address, start, row.length, row.bytes,
        tuple([step._replace(length=columns) if step is row else step for step in order]), along,
    )  # fmt: skip
    if box.units <= MOST_UNITS and len(order) <= MOST_AXES:
        yield box
        return
    # Too much for one launch: cut the axis that has most steps, or take apart the one that changes most slowly.
    if len(order) > MOST_AXES and others:
        cut = next(step for step in reversed(order) if step is not row)
        size = 1
    else:
        cut = max(order, key=lambda step: step.length)
        size = -(-cut.length // 2)
    for first in range(0, cut.length, size):
        part = cut._replace(length=min(size, cut.length - first))
        where = (start + first * cut.stride) % (1 << 64)
        rest = [step for step in others if step is not cut]
        if cut is row:
            yield from _boxes(where, part, rest, address + first * cut.bytes, dtype, anywhere)
        else:
            kept = [part] if part.length > 1 else []
            yield from _boxes(where, row, rest + kept, address + first * cut.bytes, dtype, anywhere)
