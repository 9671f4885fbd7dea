"""What inspection measures: sums, bins and hashes on every instruction set, and the likely distribution."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from conftest import BITS, ISAS

import fastinit as fi
from fastinit import _core
from fastinit.drawing import memory
from fastinit.drawing.moments import MOMENTS
from fastinit.dtypes import DTYPES
from fastinit.inspection import fit, measure

TILE = 4096
MASK = 2**64 - 1


def run(
    values: np.ndarray, isa: int, rows: int = 1, word: int = 0
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    moments, counts = np.zeros(1, MOMENTS), np.zeros(_core.BINS, np.uint32)
    hashes = np.zeros(rows, np.uint64)
    dtype = str(values.dtype)
    _core.inspect(dtype, values.ctypes.data, rows, values.size // rows, word, isa,
                  moments.ctypes.data, counts.ctypes.data, hashes.ctypes.data)  # fmt: skip
    return dict(zip(MOMENTS.names, moments[0].item(), strict=True)), counts, hashes


def bins(values: np.ndarray) -> np.ndarray:
    """How many values have each upper 12 bits; only of every sixteenth tile, if there are more than 16."""
    tiles = [values[at : at + TILE] for at in range(0, len(values), TILE)]
    values = np.concatenate(tiles[::16] if len(values) > 16 * TILE else [values])
    if values.dtype == np.float64:
        with np.errstate(over="ignore", under="ignore"):
            values = values.astype(np.float32)
    return np.bincount(bin_of(values), minlength=_core.BINS)


def bin_of(values: np.ndarray) -> np.ndarray:
    """The upper 12 bits; of 8 bits all, followed by zeros."""
    bits = values.view(BITS[str(values.dtype)])
    return bits.astype(np.intp) << 4 if bits.itemsize == 1 else bits >> (8 * bits.itemsize - 12)


def hashed(row: bytes, word: int = 0) -> int:
    total = 0
    for at in range(0, len(row), 8):
        w = int.from_bytes(row[at : at + 8], "little")
        word += 1
        t = w ^ (word * 0x9E3779B97F4A7C15 & MASK)
        total += w + (t & 0xFFFFFFFF) * (t >> 32)
    return total & MASK


def sample(dtype: str, count: int, *, special: bool) -> np.ndarray:
    values = fi.normal(count, mean=0.3, std=2.0, dtype=dtype, seed=count, name="sample")
    if special:
        for i, x in enumerate((math.nan, math.inf, -math.inf, 0.0, -0.0, -math.nan)):
            values[i * 7 % count :: 41] = x
        values[5 % count :: 43] = 2.0 ** DTYPES[dtype].smallest
    return values


EDGES = sorted(
    {max(n + d, 0) for n in (0, 16, 32, TILE, 2 * TILE, 16 * TILE, 18 * TILE) for d in (-3, -1, 0, 1, 8)}
)


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("isa", range(len(ISAS)), ids=ISAS)
def test_kernel_against_numpy(isa: int, dtype: str, special: bool) -> None:
    for count in EDGES:
        values = sample(dtype, count, special=special) if count else np.zeros(0, memory.numpy_dtype(dtype))
        got, counts, hashes = run(values, isa)
        wide = values.astype(np.float64)
        finite = wide[np.isfinite(wide)]
        assert got["count"] == len(finite)
        assert got["nan"] == np.isnan(wide).sum() and got["inf"] == np.isinf(wide).sum()
        assert got["zeros"] == (finite == 0).sum()
        np.testing.assert_array_equal(counts, bins(values) if count else 0)
        assert int(hashes[0]) == hashed(values.tobytes())
        if len(finite) == 0:
            continue
        assert (got["low"], got["high"]) == (finite.min(), finite.max())
        d = finite - finite.mean()
        scale = np.abs(finite).max()
        error = 1e-11 if dtype == "float64" or special else 2e-6
        assert got["mean"] == pytest.approx(finite.mean(), abs=error * scale)
        for power in (2, 3, 4):
            size = (np.abs(d) ** power).sum()
            assert abs(got[f"m{power}"] - (d**power).sum()) <= error * size + 1e-300


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_on_every_instruction_set(dtype: str) -> None:
    for special in (False, True):
        values = sample(dtype, 5 * TILE + 13, special=special)
        results = [run(values, isa) for isa in range(len(ISAS))]
        for moments, counts, hashes in results[1:]:
            assert repr(moments) == repr(results[0][0])
            assert (counts == results[0][1]).all() and (hashes == results[0][2]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("isa", range(len(ISAS)), ids=ISAS)
def test_every_code_of_8_and_16_bits_and_misaligned_memory(isa: int, dtype: str) -> None:
    itemsize = np.dtype(BITS[dtype]).itemsize
    codes = np.arange(0, 2 ** min(8 * itemsize, 32), 1 if itemsize < 4 else 65521, dtype=np.uint64)
    codes = (codes << 32 if itemsize == 8 else codes).astype(BITS[dtype])
    values = codes.view(memory.numpy_dtype(dtype))
    room = np.zeros(values.nbytes + 64, np.uint8)
    for offset in (0, 1, 7):
        room[offset : offset + values.nbytes] = values.view(np.uint8)
        shifted = np.ndarray(values.shape, values.dtype, room, offset)
        got, counts, hashes = run(shifted, isa)
        with np.errstate(invalid="ignore"):  # signalling NaNs
            wide, binned = values.astype(np.float64), bins(values)
        finite = wide[np.isfinite(wide)]
        assert (got["count"], got["zeros"]) == (len(finite), (finite == 0).sum())
        assert (got["nan"], got["inf"]) == (np.isnan(wide).sum(), np.isinf(wide).sum())
        assert (got["low"], got["high"]) == (finite.min(), finite.max())
        np.testing.assert_array_equal(counts, binned)
        assert int(hashes[0]) == hashed(values.tobytes())


@pytest.mark.parametrize("isa", range(len(ISAS)), ids=ISAS)
def test_hash_of_a_row_is_the_sum_of_its_parts(isa: int) -> None:
    row = fi.normal(203, dtype="float16", seed=0)
    whole = int(run(row, isa)[2][0])
    for cut in (4, 16, 64, 100, 200):
        parts = [run(part, isa, word=word)[2][0] for part, word in ((row[:cut], 0), (row[cut:], cut // 4))]
        assert sum(map(int, parts)) & MASK == whole
    rows = np.stack([row, row[::-1], np.roll(row, 4)])
    hashes = run(rows, isa, rows=3)[2]
    assert int(hashes[0]) == whole and len(set(hashes.tolist())) == 3


@pytest.mark.parametrize("isa", range(len(ISAS)), ids=ISAS)
def test_far_from_zero_and_constant(isa: int) -> None:
    """Where sums of plain powers would leave no digit."""
    values = 1e6 + fi.uniform(5 * TILE + 3, low=0, high=1, dtype="float64", seed=0)
    got, _, _ = run(values, isa)
    d = values - values.mean()
    assert got["m2"] == pytest.approx((d**2).sum(), rel=1e-9)
    assert got["m4"] == pytest.approx((d**4).sum(), rel=1e-9)
    for dtype in DTYPES:
        got, _, _ = run(np.full(3 * TILE + 5, 0.1, memory.numpy_dtype(dtype)), isa)
        assert got["low"] == got["high"] == got["mean"] and got["m2"] == got["m3"] == got["m4"] == 0


@pytest.mark.parametrize("dtype", sorted(set(DTYPES) - {"float64"}))
@pytest.mark.parametrize("isa", range(len(ISAS)), ids=ISAS)
def test_tiles_unlike_those_before(isa: int, dtype: str) -> None:
    """Where the quick way would lose its digits, overflow or take in what is not finite."""
    kind, row = memory.numpy_dtype(dtype), DTYPES[dtype]
    narrow, far, wide = (0.25, 30, 10) if row.size == 1 else (1e-3, 300, 100)
    numbers = [(1, 0), (narrow, 0), (narrow, 1), (1, far), (0, 0), (0, 3), (wide, -5)]
    tiles = [
        fi.normal(TILE, std=std, mean=mean, seed=i, dtype=dtype) for i, (std, mean) in enumerate(numbers)
    ]
    outlier, infinite, nan = (tiles[0].copy() for _ in range(3))
    outlier[77], infinite[5], nan[4000] = min(row.largest, 1e30), -np.inf, np.nan
    tiles += [outlier, infinite, nan, np.full(TILE, max(2.0**row.smallest, 1e-38), kind)]
    for first in range(len(tiles)):
        for second in range(len(tiles)):
            values = np.concatenate([tiles[first], tiles[second], tiles[first]])
            got, _, _ = run(values, isa)
            wide = values.astype(np.float64)
            finite = wide[np.isfinite(wide)]
            d = finite - finite.mean()
            assert got["count"] == len(finite) and got["zeros"] == (finite == 0).sum()
            assert (got["low"], got["high"]) == (finite.min(), finite.max())
            assert got["mean"] == pytest.approx(finite.mean(), abs=2e-6 * finite.std())
            for power in (2, 3, 4):
                size = (np.abs(d) ** power).sum()
                assert abs(got[f"m{power}"] - (d**power).sum()) <= 2e-6 * size


def test_merge_is_the_whole() -> None:
    values = fi.normal(10_000, mean=5.0, dtype="float64", seed=0)
    for cut in (0, 1, 4096, 9_999, 10_000):
        parts = np.zeros(2, MOMENTS)
        for i, part in enumerate((values[:cut], values[cut:])):
            for field, value in run(part, 0)[0].items():
                parts[i][field] = value
        _core.merge(parts.ctypes.data, 2)
        whole = run(values, 0)[0]
        for field in MOMENTS.names:
            assert parts[0][field] == pytest.approx(whole[field], rel=1e-11, abs=1e-8)


def measured(array: np.ndarray, threads: int | None = None) -> measure.Measured:
    source = measure.Source("w", array.shape, str(array.dtype), array.ctypes.data, owner=array)
    return measure.measure_all([source], lambda _, m: m, threads=threads)[0]


@pytest.mark.parametrize(
    "shape", [(7,), (2, 3), (3, 70_001), (2, 300_007), (65_537, 5), (1, 1 << 20), (1 << 19, 2)]
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chunks_cover_the_tensor(shape: tuple[int, ...], dtype: str) -> None:
    array = fi.normal(shape, dtype=dtype, seed=0)
    got, wide = measured(array, threads=3), array.astype(np.float64)
    assert got.count == array.size
    assert got.mean == pytest.approx(wide.mean(), abs=1e-7)
    assert got.std == pytest.approx(wide.std(), rel=1e-6)
    d = (wide - wide.mean()) / wide.std()
    assert got.skew == pytest.approx((d**3).mean(), abs=1e-5)
    assert got.kurtosis == pytest.approx((d**4).mean() - 3, abs=1e-5)
    again = measured(array, threads=1)
    assert repr(again) == repr(got) and (again.counts == got.counts).all()


def test_duplicate_rows_over_several_chunks() -> None:
    array = fi.normal((5, 150_000), seed=0)  # a row is longer than a chunk
    assert measured(array).duplicates == 0
    array[4] = array[1]
    assert (measured(array).duplicates, measured(array).twins) == (1, (1, 4))
    array[4, -1] += 1
    assert measured(array).duplicates == 0
    array = fi.normal((40_000, 11), seed=0, dtype="float16")
    array[[9, 39_999]] = array[20_000]
    assert (measured(array).duplicates, measured(array).twins) == (2, (9, 20_000))
    assert measured(np.eye(5000, dtype=np.float32)).duplicates == 0
    assert measured(np.zeros((300, 9), np.float32)).duplicates == 299
    assert measured(np.zeros((300, 3), np.float32)).duplicates is None
    assert measured(np.zeros(300, np.float32)).duplicates is None


def test_nothing_and_scalars() -> None:
    report = fi.inspect({"empty": np.zeros((0, 5), np.float32), "scalar": np.full((), 3, np.float32)})
    empty, scalar = report.tensors.values()
    assert math.isnan(empty.mean) and empty.findings == () and empty.law is None
    assert (scalar.mean, scalar.std, scalar.law, scalar.shape) == (3.0, 0.0, "constant", ())
    nothing = fi.inspect({"nan": np.full((3, 4), np.nan, np.float32)}).tensors["nan"]
    assert (nothing.nan, nothing.law) == (12, None) and math.isnan(nothing.max)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["tensors"][0]["mean"] is None


LAWS = {
    "normal": fi.Normal(std=0.02),
    "uniform": fi.Uniform(-0.05, 0.05),
    "truncated normal": fi.TruncatedNormal(std=0.02, low=-0.04, high=0.04),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("count", [10, 300, 5_000, 100_000, 3_000_000])
def test_likely_law(law: str, dtype: str, count: int) -> None:
    values = memory.empty((count,), dtype)
    fi.fill(values, LAWS[law], seed=0)
    likely = fit.likely_law(measured(values), dtype)
    assert likely in ((law, None) if count < 5_000 else (law,))


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_law_is_refused_its_own_values(dtype: str) -> None:
    """600 draws of each law, many of them lopsided, small or coarse: the recipe's own values never deviate."""
    laws = [
        *LAWS.values(),
        fi.Normal(1.0, 0.02),
        fi.Uniform(0.0, 1.0),
        fi.Uniform(0.9, 1.1),
        fi.TruncatedNormal(std=0.01, low=-0.01, high=0.05),
        fi.TruncatedNormal(std=1.0, low=2.0, high=math.inf),
        fi.TruncatedNormal(std=1.0, low=-9.0, high=-5.0),
        fi.Normal(std=1e-6),
    ]
    for seed in range(20):
        for law in laws:
            for shape in ((16, 16), (30, 100), (150, 200)):
                array = memory.empty(shape, dtype)
                fi.fill(array, law, seed=seed)
                parameter = fi.plans.Parameter("w", shape, dtype, "", law, None, 1)
                report = fi.inspect({"w": array}, fi.Plan({"w": parameter}, {}, "own"))
                assert report.deviating == (), (seed, law, shape, report.tensors["w"].findings)


def test_bin_edges_are_where_rounding_parts() -> None:
    for dtype in DTYPES:
        order, edges = fit.bin_edges(dtype)
        assert (np.diff(edges) > 0).all() and len(edges) == len(order) - 1
        kind = np.dtype(np.float32) if dtype == "float64" else memory.numpy_dtype(dtype)
        middle = edges[np.abs(edges) > max(2.0 ** (DTYPES[kind.name].smallest + 5), 1e-30)]
        if DTYPES[dtype].size == 1:
            middle = edges[edges != 0]
        for side in (-1e-8, 1e-8) if dtype == "float64" else (-1e-6, 1e-6):
            near = middle * (1 + side * np.sign(middle))
            with np.errstate(over="ignore"):
                rounded = near.astype(kind)
            place = np.empty(_core.BINS, np.intp)
            place[order] = np.arange(len(order))
            np.testing.assert_array_equal(place[bin_of(rounded)], np.searchsorted(edges, near))
