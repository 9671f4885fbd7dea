"""The kernels of GPUs, run on the host from the text that NVRTC compiles, against those of the CPU: every bit."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from conftest import BITS, fill_jobs
from cuda_stand_in import HostDriver

from fastinit import _core
from fastinit.cuda import Draw, Place, draw
from fastinit.cuda.launches import Box, Run, divider, launches
from fastinit.drawing import blocks

KEYS = [bytes(range(16)), bytes.fromhex("ef2ec73d0d96f03502e5ed19c50f491d")]
INF = math.inf
LAWS = [
    ("constant", (0.1,)), ("bits", ()), ("uniform", (-0.05, 0.05)), ("uniform", (0.0, 1.0)), ("uniform", (-3.0, 7.5)),
    ("uniform", (1.0, 1.0 + 2**-3)), ("uniform", (-0.01, 0.0)), ("normal", (0.0, 0.02)), ("normal", (0.0, 1.0)),
    ("normal", (3.0, 0.5)), ("normal", (0.0, 1e-6)), ("normal", (0.25, 0.0)),
    ("truncated_normal", (0.0, 0.02, -0.04, 0.04)), ("truncated_normal", (0.0, 1.0, -2.0, 2.0)),
    ("truncated_normal", (0.0, 1.0, -1.0, 3.0)), ("truncated_normal", (0.5, 1.0, -1.0, 3.0)),
    ("truncated_normal", (0.0, 1.0, 2.0, 9.0)), ("truncated_normal", (0.0, 1.0, -INF, -3.0)),
    ("truncated_normal", (0.0, 1.0, -0.01, 0.02)), ("truncated_normal", (0.0, 1.0, -6.0, 6.0)),
    ("truncated_normal", (0.0, 1.0, 5.0, INF)), ("truncated_normal", (0.0, 1.0, 12.0, 13.0)),
    ("truncated_normal", (0.0, 1.0, -30.0, 30.0)), ("truncated_normal", (0.0, 1.0, 30.0, 40.0)),
    ("truncated_normal", (0.0, 1.0, -INF, INF)),
]  # fmt: skip


def exists(law: str, p: tuple[float, ...], dtype: str) -> bool:
    """Words are not narrower than 32 bits; an 8-bit dtype has no value between some bounds."""
    try:
        _core.Law(law, dtype, p)
    except ValueError:
        return False
    return True


CASES = [(law, p, dtype) for law, p in LAWS for dtype in BITS if exists(law, p, dtype)]
assert len(CASES) >= 6 * len(LAWS) - 8
PLACE = Place(0, 7)


def aligned(count: int, dtype: str, value: int = 0xA5) -> np.ndarray:
    size = BITS[dtype].itemsize
    room = np.full(count * size + 64, value, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + count * size].view(BITS[dtype])


def on_cpu(
    law: str, p: tuple[float, ...], dtype: str, key: bytes, axes: tuple[blocks.Axis, ...], out: np.ndarray
) -> None:
    fill_jobs([(law, p, key, dtype, out.ctypes.data, axes, False)], 1, 0)


@pytest.mark.parametrize(("law", "p", "dtype"), CASES, ids=str)
def test_runs_are_those_of_the_cpu(law: str, p: tuple[float, ...], dtype: str, gpu: HostDriver) -> None:
    # From the start; over an end of blocks with one upper half; far out. The last unit is a part of one.
    far = (1 << 40) + 16 * 12345
    for key, index, count in ((KEYS[0], 0, 20003), (KEYS[1], (1 << 34) - 4096, 9000), (KEYS[1], far, 5001)):
        axes = ((count, 1, BITS[dtype].itemsize, ((0, index),)),)
        expected, found = aligned(count + 9, dtype), aligned(count + 9, dtype)
        on_cpu(law, p, dtype, key, axes, expected)
        draw([Draw(PLACE, law, p, dtype, key, found.ctypes.data, axes)])
        np.testing.assert_array_equal(found, expected)
    # What the end of such blocks cuts in two is a batch.
    assert [name.partition("_")[0] for name, *_ in gpu.launched] == ["run", "batch", "run"]
    assert {(ordinal, stream) for *_, ordinal, stream in gpu.launched} == {(0, 7)}
    assert not gpu.current


def test_rare_words_are_drawn_anew(gpu: HostDriver) -> None:
    # One word in 16,384 is rare; and all of them, so that a crew has no room for its notes.
    for p, dtype in (((0.0, 1.0), "float32"), ((0.0, 1.0), "float8_e5m2")):
        count = 1 << 20
        axes = ((count, 1, BITS[dtype].itemsize, ((0, 0),)),)
        expected, found = aligned(count, dtype), aligned(count, dtype)
        on_cpu("normal", p, dtype, KEYS[0], axes, expected)
        draw([Draw(PLACE, "normal", p, dtype, KEYS[0], found.ctypes.data, axes)])
        np.testing.assert_array_equal(found, expected)
    law, p = "truncated_normal", (0.0, 1.0, -0.01, 0.02)
    count = 1 << 17
    for axes in (((count, 1, 4, ((0, 0),)),), ((301, 400, 1604, ((0, 0),)), (399, 1, 4, ((0, 7),)))):
        expected, found = aligned(count, "float32"), aligned(count, "float32")
        on_cpu(law, p, "float32", KEYS[0], axes, expected)
        draw([Draw(PLACE, law, p, "float32", KEYS[0], found.ctypes.data, axes)])
        np.testing.assert_array_equal(found, expected)
    assert [name.partition("_")[0] for name, *_ in gpu.launched] == ["run", "run", "run", "box"]


SHARDS = [
    # shape of the whole, block, permutation of the part's axes in memory, elements between rows in memory
    ((50, 64), (slice(3, 40), slice(16, 48)), (0, 1), 0),
    ((50, 45), (slice(3, 40), slice(13, 44)), (0, 1), 5),
    ((50, 64), (slice(3, 40), slice(16, 48)), (1, 0), 0),
    ((1 << 20, 1 << 20), (slice(1 << 15, (1 << 15) + 9), slice(77, 141)), (0, 1), 0),
    ((6, 5, 3, 3), ..., (0, 2, 3, 1), 0),  # channels last
    ((4, 6, 5, 7), (slice(1, 3), slice(None), slice(2, 5), slice(0, 6)), (3, 1, 0, 2), 3),
    ((9, 40), (slice(None, None, -2), slice(None, None, 3)), (0, 1), 0),
    ((7, 16), (slice(None), slice(None, None, -1)), (0, 1), 1),
    ((3, 2, 3, 2, 3, 2, 3, 2), ..., (6, 1, 4, 3, 2, 5, 0, 7), 0),
    ((2, 3, 2, 3, 2, 3, 2, 3, 2), ..., (8, 1, 6, 3, 4, 5, 2, 7, 0), 0),
    ((1000,), (slice(5, 900),), (0,), 0),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "block", "order", "gap"), SHARDS, ids=str)
@pytest.mark.parametrize("law", ["normal", "uniform", "truncated_normal"])
def test_shards_and_strides_are_those_of_the_cpu(
    shape: tuple[int, ...], block: object, order: tuple[int, ...], gap: int, law: str, gpu: HostDriver
) -> None:
    p = {"normal": (0.0, 1.0), "uniform": (-1.0, 1.0), "truncated_normal": (0.0, 1.0, 2.0, 9.0)}[law]
    for dtype in BITS:
        size = BITS[dtype].itemsize
        part = blocks.block_shape(block, shape)
        in_memory = [part[axis] for axis in order]
        in_memory[-1] += gap
        expected, found = aligned(math.prod(in_memory), dtype), aligned(math.prod(in_memory), dtype)
        view = expected.reshape(in_memory)[..., : part[order[-1]]].transpose(np.argsort(order))
        assert view.shape == part
        axes = blocks.axes(shape, block, view.strides, size)
        on_cpu(law, p, dtype, KEYS[1], axes, expected)
        draw([Draw(PLACE, law, p, dtype, KEYS[1], found.ctypes.data, axes)])
        np.testing.assert_array_equal(found, expected)


APART = [
    # shape of the whole, block, bytes between the ends of rows in memory, launches
    ((3000, 256), (slice(5, 2900), slice(64, 160)), 0, ["run"]),
    ((50, 1024), (slice(3, 40), slice(512, 1024)), 48, ["run"]),
    ((50, 160), (slice(3, 40, 3), slice(32, 130)), 14 * 64, ["run"]),  # a part of a unit at the end of each row
    ((9, 40, 64), (slice(2, 9), slice(None), slice(0, 32)), 0, ["run"]),
    ((1 << 21, 1 << 14), (slice((1 << 20) - 3, (1 << 20) + 4), slice(1 << 13, (1 << 13) + 700)), 0, ["run", "run"]),
    # The border of blocks with one upper half lies within a row: it is two runs, and the row before it is one.
    ((64, 3 << 28), (slice(20, 24), slice((1 << 28) - 160, (1 << 28) + 160)), 0, ["run", "batch"]),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "block", "gap", "kinds"), APART, ids=str)
@pytest.mark.parametrize("law", ["normal", "uniform", "truncated_normal"])
def test_aligned_rows_are_runs(
    shape: tuple[int, ...], block: tuple[slice, ...], gap: int, kinds: list[str], law: str, gpu: HostDriver
) -> None:
    # Of the last law nearly all words are rare: crews have no room for their notes.
    p = {"normal": (0.0, 1.0), "uniform": (-1.0, 1.0), "truncated_normal": (0.0, 1.0, -0.01, 0.02)}[law]
    for dtype in BITS:
        if (dtype == "float64" and shape[-1] > 1024) or not exists(law, p, dtype):
            continue
        size, part = BITS[dtype].itemsize, blocks.block_shape(block, shape)
        room = (*part[:-1], -(-(part[-1] * size) // 16) * 16 // size + gap // size)
        expected, found = aligned(math.prod(room), dtype), aligned(math.prod(room), dtype)
        view = expected.reshape(room)[..., : part[-1]]
        axes = blocks.axes(shape, block, view.strides, size)
        on_cpu(law, p, dtype, KEYS[1], axes, expected)
        gpu.launched.clear()
        draw([Draw(PLACE, law, p, dtype, KEYS[1], found.ctypes.data, axes)])
        np.testing.assert_array_equal(found, expected)
        assert [name.partition("_")[0] for name, *_ in gpu.launched] == kinds


def test_short_runs_share_launches(gpu: HostDriver) -> None:
    rng = random.Random(1)
    for dtype in BITS:
        size, draws, expected, found = BITS[dtype].itemsize, [], [], []
        for i in range(200):
            count, index = rng.randrange(1, 3000), 16 * rng.randrange(1000)
            key = bytes(rng.randrange(256) for _ in range(16))
            axes = ((count, 1, size, ((0, index),)),)
            p = (0.0, 1.0) if i % 40 else (0.0, 2.0)
            expected.append(aligned(count + 5, dtype))
            found.append(aligned(count + 5, dtype))
            on_cpu("normal", p, dtype, key, axes, expected[-1])
            draws.append(Draw(PLACE, "normal", p, dtype, key, found[-1].ctypes.data, axes))
        gpu.launched.clear()
        draw(draws)
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a, b)
        # 195 of one law and 5 of another, at most 80 to a launch.
        assert [name for name, *_ in gpu.launched] == [f"batch_normal_{dtype}"] * 4


def test_what_is_large_is_cut() -> None:
    # Planned, not drawn: what the launches cover, and that none is too large for 32-bit unit numbers.
    parts = list(launches(((1 << 35, 1, 4, ((0, 0),)),), 1 << 20, "float32"))
    at = 0
    for part in parts:
        assert isinstance(part, Run) and part.block * 4 == at and part.address == (1 << 20) + 4 * at
        assert part.block >> 32 == (part.block + part.units - 1) >> 32 and part.units <= 1 << 30
        at += 4 * part.units + part.rest
    assert at == 1 << 35
    axes = ((1 << 18, 1 << 20, 1 << 20, ((0, 0),)), (1 << 18, 1, 2, ((0, 3),)))
    boxes = list(launches(axes, 1 << 20, "bfloat16"))
    assert all(isinstance(box, Box) and box.units <= 1 << 30 for box in boxes)
    elements = sum(
        math.prod([s.length for i, s in enumerate(b.axes) if i != b.along]) * b.length for b in boxes
    )  # type: ignore[union-attr]
    assert elements == 1 << 36


def test_division_by_multiplication() -> None:
    rng = random.Random(2)
    for count in [
        2,
        3,
        5,
        7,
        255,
        256,
        257,
        (1 << 30) - 1,
        1 << 30,
        *[rng.randrange(2, 1 << 31) for _ in range(500)],
    ]:
        magic, shift = divider(count)
        assert magic < 1 << 32
        for n in [0, 1, count - 1, count, count + 1, 2**31 - 1, *[rng.randrange(1 << 31) for _ in range(20)]]:
            n = min(n, 2**31 - 1)
            assert (n * magic >> 32) >> shift == n // count
