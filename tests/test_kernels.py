"""Every kernel on every instruction set of this machine against the reference, bit for bit."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import reference
from conftest import ISAS, NARROW, Kernel, fill_jobs
from hypothesis import given
from hypothesis import strategies as st

from fastinit import _core
from fastinit.drawing import streams

INF = float("inf")
KEY = streams.key(0, "weight")

LAWS = {
    "bits": ("bits", ()),
    "constant": ("constant", (0.1,)),
    "uniform": ("uniform", (-0.0441, 0.0441)),
    "uniform unit": ("uniform", (0.0, 1.0)),
    "uniform narrow": ("uniform", (1.0, 1.0 + 2.0**-6)),
    "normal": ("normal", (0.0, 0.02)),
    "normal shifted": ("normal", (3.0, 1.5)),
    "normal small": ("normal", (0.0, 2.0**-59)),
    "normal subnormal": ("normal", (0.0, 2.0**-128)),
    "truncated 2": ("truncated_normal", (0.0, 1.0, -2.0, 2.0)),
    "truncated subnormal": ("truncated_normal", (0.0, 1e-38, -1.1e-39, 3.3e-40)),
    "truncated least": ("truncated_normal", (0.0, 1e-44, -7.7 * 2.0**-149, 9.7 * 2.0**-149)),
    "truncated to zeros": ("truncated_normal", (0.0, 1e-38, -2e-38, 2e-38)),
    "truncated 6": ("truncated_normal", (0.0, 0.02, -0.12, 0.12)),
    "truncated skew": ("truncated_normal", (0.5, 2.0, -1.0, 7.0)),
    "truncated one-sided": ("truncated_normal", (0.0, 1.0, 0.0, INF)),
    "truncated below": ("truncated_normal", (0.0, 1.0, -INF, -1.0)),
    "truncated tail": ("truncated_normal", (0.0, 1.0, 9.0, 10.0)),
    "truncated far tail": ("truncated_normal", (100.0, 1.0, -2.0, 2.0)),
    "truncated sliver": ("truncated_normal", (0.0, 1.0, -1e-6, 3e-6)),
    "truncated nowhere": ("truncated_normal", (0.0, 1.0, -INF, INF)),
}


def cases(*names: str) -> list[Any]:
    """These laws in every dtype that has them."""
    return [
        pytest.param(*LAWS[name], dtype, id=f"{name}-{dtype}")
        for name in names
        for dtype in _core.DTYPES
        if not (name == "bits" and dtype in NARROW)
    ]


def expected(law: str, parameters: tuple[float, ...], dtype: str, index: int, count: int) -> np.ndarray:
    indices = np.arange(count, dtype=np.uint64) + np.uint64(index)
    return reference.draw(law, parameters, indices, KEY, dtype)


@pytest.mark.parametrize(("law", "parameters", "dtype"), cases(*LAWS))
def test_equals_reference(law: str, parameters: tuple[float, ...], dtype: str, kernel: Kernel) -> None:
    slow = law == "truncated_normal" and (parameters[2] > 5 or parameters[0] == 100 or parameters[3] == 3e-6)
    count = 300 if slow else 20_000
    got = kernel(law, parameters, KEY, dtype, 3, count)
    np.testing.assert_array_equal(got, expected(law, parameters, dtype, 3, count))


TILE_EDGES = sorted({n + d for n in (0, 4, 8, 16, 32, 64, 128, 256, 512, 768) for d in (-1, 0, 1)} - {-1})


@pytest.mark.parametrize(
    ("law", "parameters", "dtype"),
    cases("bits", "constant", "uniform", "normal", "truncated 2", "truncated 6"),
)
def test_every_length_at_the_tile_edges(
    law: str, parameters: tuple[float, ...], dtype: str, kernel: Kernel
) -> None:
    whole = expected(law, parameters, dtype, 0, 800)
    for count in TILE_EDGES:
        for index in (0, 1, 2, 3, 5):
            for offset, streaming in ((0, False), (1, True), (4, True), (0, True), (3, False)):
                got = kernel(law, parameters, KEY, dtype, index, count, offset=offset, streaming=streaming)
                np.testing.assert_array_equal(got, whole[index : index + count])


@pytest.mark.parametrize(("law", "parameters", "dtype"), cases("constant", "uniform", "normal"))
def test_streaming_begins_at_an_aligned_address(
    law: str, parameters: tuple[float, ...], dtype: str, kernel: Kernel
) -> None:
    """In long runs from any address: what lies before it may be longer than a group."""
    whole = expected(law, parameters, dtype, 0, 2500)
    for offset in (1, 4, 8, 20, 36, 60):
        for index in (0, 1, 4):
            got = kernel(law, parameters, KEY, dtype, index, 2400, offset=offset, streaming=True)
            np.testing.assert_array_equal(got, whole[index : index + 2400])


@pytest.mark.parametrize("near", [2**31, 2**32, 2**33, 2**34, 2**35, 2**63, 2**64 - 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float8_e4m3fn"])
def test_far_indices(near: int, dtype: str, kernel: Kernel) -> None:
    index = near - 101
    got = kernel("normal", (0.0, 1.0), KEY, dtype, index, 400)
    np.testing.assert_array_equal(got, expected("normal", (0.0, 1.0), dtype, index, 400))


def test_tail_of_the_normal(kernel: Kernel) -> None:
    """Words whose magnitude is below 2**17 take the scalar path: find some, and compare each."""
    words = kernel("bits", (), KEY, "float32", 0, 1 << 20)
    rare = np.flatnonzero(np.abs(words.view(np.int32).astype(np.int64)) < 1 << 17)
    assert len(rare) > 10
    values = kernel("normal", (0.0, 1.0), KEY, "float32", 0, 1 << 20)
    np.testing.assert_array_equal(values[rare], reference.draw("normal", (0.0, 1.0), rare, KEY, "float32"))
    assert (np.abs(values[rare].view(np.float32)) > 4.0).all()


@pytest.mark.parametrize("dtype", _core.DTYPES)
def test_laws_that_a_dtype_has_no_room_for_are_refused(dtype: str) -> None:
    largest = reference.FORMATS[dtype][2]
    std = largest / 10
    for law, fits, too_much in (
        ("constant", (largest,), (math.nextafter(largest, INF),)),
        ("constant", (-largest,), (-math.nextafter(largest, INF),)),
        ("uniform", (-largest / 2, largest / 2), (0.0, math.nextafter(largest, INF))),
        ("normal", (0.0, std), (0.0, std * 1.001)),
        ("normal", (-largest / 2, std / 2), (-largest / 2, std * 0.501)),
        ("truncated_normal", (0.0, std, 0.0, INF), (0.0, std * 1.001, 0.0, INF)),
        ("truncated_normal", (0.0, 1.0, -1.0, 1.0), (0.0, 1.0, math.nextafter(largest, INF), INF)),
    ):
        _core.Law(law, dtype, fits)
        with pytest.raises(ValueError, match="beyond"):
            _core.Law(law, dtype, too_much)
    if dtype in NARROW:
        with pytest.raises(ValueError, match="32- or 64-bit words"):
            _core.Law("bits", dtype, ())


@given(data=st.data())
def test_any_part_is_the_part_of_the_whole(data: st.DataObject) -> None:
    law, parameters = data.draw(st.sampled_from([LAWS["normal"], LAWS["uniform"], LAWS["truncated 2"]]))
    dtype = data.draw(st.sampled_from(_core.DTYPES))
    index, count = data.draw(st.integers(0, 2**40)), data.draw(st.integers(1, 700))
    threads, streaming = data.draw(st.integers(1, 4)), data.draw(st.booleans())
    want = expected(law, parameters, dtype, index, count)
    for isa in range(len(ISAS)):
        out = np.zeros(count, want.dtype)
        axes = ((count, 1, out.itemsize, ((0, index),)),)
        fill_jobs([(law, parameters, KEY, dtype, out.ctypes.data, axes, streaming)], threads, isa)
        np.testing.assert_array_equal(out, want)


def test_runs_of_global_indices(kernel: Kernel) -> None:
    """A shard may be several runs along an axis, as under tensor parallelism."""
    whole = expected("normal", (0.0, 1.0), "float32", 0, 40 * 30).reshape(40, 30)
    out = np.zeros((12, 9), np.uint32)
    rows, columns = ((0, 3), (5, 20), (11, 39)), ((0, 1), (4, 11))
    axes = ((12, 30, 36, rows), (9, 1, 4, columns))
    fill_jobs([("normal", (0.0, 1.0), KEY, "float32", out.ctypes.data, axes, False)], 2, 0)
    take = lambda runs, n: [s + i - a for i in range(n) for a, s in [max(r for r in runs if r[0] <= i)]]  # noqa: E731
    np.testing.assert_array_equal(out, whole[np.ix_(take(rows, 12), take(columns, 9))])


@cache
def _many() -> list[tuple[str, tuple[float, ...], str, np.ndarray]]:
    """Of every law and dtype that goes with it, of many sizes, nothing among them; together more than one thread takes."""
    sizes = [0, 1, 3, 64, 0, 0, 65, 1000, 70_001, 16, 0]
    pairs = [
        (*law, dtype)
        for law, dtype in itertools.product(LAWS.values(), _core.DTYPES)
        if law[0] != "bits" or dtype not in NARROW
    ]
    return [(*pair, expected(*pair, 0, sizes[i % len(sizes)])) for i, pair in enumerate(pairs)]


@pytest.mark.parametrize("isa", range(len(ISAS)), ids=ISAS)
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_many_tensors_at_once(threads: int, isa: int) -> None:
    assert sum(len(want) for *_, want in _many()) > 2**18
    outs = [np.full(len(want) + 2, 0x5A, want.dtype) for *_, want in _many()]
    jobs: list[tuple[Any, ...]] = []
    for i, ((law, parameters, dtype, want), out) in enumerate(zip(_many(), outs, strict=True)):
        axes: Any = len(want) if i % 2 else ((len(want), 1, want.itemsize, ((0, 0),)),)
        streaming = len(want) > 1000 and i % 3 == 0
        jobs.append((law, parameters, KEY, dtype, out[1:].ctypes.data, axes, streaming))
    fill_jobs(jobs, threads, isa)
    for (*job, want), out in zip(_many(), outs, strict=True):
        assert out[0] == out[-1] == 0x5A, job
        np.testing.assert_array_equal(out[1:-1], want, str(job))
    fill_jobs([], threads, isa)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float8_e4m3fn"])
@pytest.mark.parametrize("law", ["normal", "uniform", "truncated 6"])
def test_threads_change_nothing(law: str, dtype: str, kernel: Kernel) -> None:
    """Enough elements that four threads start, see PER_THREAD in dispatch.c."""
    one, four = (kernel(*LAWS[law], KEY, dtype, 5, 600_001, threads=threads) for threads in (1, 4))
    np.testing.assert_array_equal(one, four)
