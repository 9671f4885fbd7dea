"""Inspection: the kernel against NumPy on every instruction set, the laws told apart, planted faults, files."""

from __future__ import annotations

import json
import math
import os
import struct
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from conftest import BITS, ISAS

import fastinit as fi
from fastinit import _core, cli
from fastinit.drawing import memory
from fastinit.drawing.moments import MOMENTS
from fastinit.dtypes import DTYPES
from fastinit.inspection import fit, measure

TILE = 4096
MASK = 2**64 - 1


# ------------------------------------------------------------------------------------------ the kernel


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


# ------------------------------------------------------------------------------------------ chunks


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


# ------------------------------------------------------------------------------------------ laws

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


# ------------------------------------------------------------------------------------------ planted faults

RECIPE = """
[[rule]]
match = "*.bias"
scheme = "zeros"
[[rule]]
match = "*.weight"
scheme = "normal"
std = 0.02
"""


@pytest.fixture(params=["float32", "bfloat16"])
def clean(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    arrays = {
        f"h.{i}.weight": fi.normal((96, 128), std=0.02, seed=0, name=str(i), dtype=request.param)
        for i in range(6)
    }
    return arrays | {"h.0.bias": fi.zeros(96, dtype=request.param), "steps": np.arange(7)}


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return str(tmp_path / "recipe.toml")


def save(arrays: dict[str, np.ndarray], tmp_path: Path) -> str:
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(arrays, path)
    return str(path)


def test_clean_file(clean: dict[str, np.ndarray], recipe: str, tmp_path: Path) -> None:
    path = save(clean, tmp_path)
    seen: list[tuple[int, int]] = []
    report = fi.inspect(path, recipe, progress=lambda *done: seen.append(done))
    assert report.deviating == () and report.skipped == {"steps": "I64"}
    assert seen[-1] == (report.nbytes, report.nbytes)
    assert report.nbytes == sum(a.nbytes for n, a in clean.items() if n != "steps")
    assert {t.law for n, t in report.tensors.items() if n.endswith("weight")} == {"normal"}
    weight = report.tensors["h.2.weight"]
    wide = clean["h.2.weight"].astype(np.float64)
    assert (weight.mean, weight.std) == (
        pytest.approx(wide.mean(), abs=1e-8),
        pytest.approx(wide.std(), rel=1e-6),
    )
    assert weight.he == pytest.approx(wide.std() / math.sqrt(2 / 128), rel=1e-6)
    assert weight.xavier == pytest.approx(wide.std() / math.sqrt(2 / (96 + 128)), rel=1e-6)
    assert weight.expected == fi.Normal(std=0.02)
    in_memory = fi.inspect(clean, recipe)
    assert repr(in_memory.tensors["h.3.weight"]) == repr(report.tensors["h.3.weight"])
    assert in_memory.skipped == {"steps": "int64"}


def test_planted_faults(clean: dict[str, np.ndarray], recipe: str, tmp_path: Path) -> None:
    dtype = clean["h.0.bias"].dtype
    clean["h.0.weight"][:] = 0
    clean["h.1.weight"][40:44] = clean["h.1.weight"][10]
    clean["h.2.weight"][:] = fi.normal((96, 128), std=0.023, seed=1, dtype=dtype)
    clean["h.3.weight"][5, 7], clean["h.3.weight"][5, 8] = np.nan, -np.inf
    clean["h.4.weight"][:] = fi.variance_scaling((96, 128), scale=0.02**2 * 128, seed=1, dtype=dtype)
    clean["h.5.weight"][:] = fi.uniform((96, 128), low=-0.02, high=0.06, seed=1, dtype=dtype)
    clean["h.0.bias"][3] = 1e-3
    path = save(clean, tmp_path)
    found = {name: [f.kind for f in t.findings] for name, t in fi.inspect(path, recipe).tensors.items()}
    assert found == {
        "h.0.weight": ["zero"],
        "h.1.weight": ["duplicates"],
        "h.2.weight": ["std"],
        "h.3.weight": ["non-finite"],
        "h.4.weight": ["distribution"],
        "h.5.weight": ["mean", "std", "distribution"],
        "h.0.bias": ["value"],
    }
    messages = {t.name: t.findings[0].message for t in fi.inspect(path, recipe).deviating}
    assert messages["h.1.weight"] == "4 rows repeat another; row 40 is row 10"
    assert messages["h.3.weight"] == "1 NaN and 1 infinite values"
    alone = {name: [f.kind for f in t.findings] for name, t in fi.inspect(path).tensors.items() if t.findings}
    assert alone == {"h.0.weight": ["zero"], "h.1.weight": ["duplicates"], "h.3.weight": ["non-finite"]}


def test_few_outliers_and_wrong_range() -> None:
    def own(law: fi.laws.Distribution) -> fi.Plan:
        return fi.Plan({"w": fi.plans.Parameter("w", (400, 500), "float32", "", law, None, 1)}, {}, "own")

    array = fi.normal((400, 500), std=0.02, seed=0)
    array[3, 4] = 0.3
    assert "distribution" in {
        f.kind for f in fi.inspect({"w": array}, own(fi.Normal(std=0.02))).tensors["w"].findings
    }
    array = fi.uniform((400, 500), low=-1, high=1, seed=0)
    array[3, 4] = 1.01
    kinds = [f.kind for f in fi.inspect({"w": array}, own(fi.Uniform(-1, 1))).tensors["w"].findings]
    assert kinds == ["range"]
    short_rows = fi.normal((20_000, 4), dtype="float16", seed=0)
    assert fi.inspect({"w": short_rows}).deviating == ()


# ------------------------------------------------------------------------------------------ command line and bad input


def test_recipes_of_every_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shapes = {"fc.weight": (256, 128), "fc.bias": (256,)}
    for given in ("he_normal", {"*.weight": "he_normal"}, fi.plan(shapes, "he_normal")):
        arrays = fi.init(shapes, "he_normal", seed=0)
        assert fi.inspect(arrays, given).deviating == ()
        arrays["fc.weight"] *= 2
        assert [tensor.name for tensor in fi.inspect(arrays, given).deviating] == ["fc.weight"]
    text = '[sizes]\nwidth = 128\n[[rule]]\nmatch = "*"\nscheme = "normal"\nstd = "1 / sqrt(width)"\n'
    (tmp_path / "own.toml").write_text(text)
    recipe = fi.read_recipe(tmp_path / "own.toml", width=64)
    arrays = fi.init({"w": (256, 128)}, recipe, seed=0)
    assert fi.inspect(arrays, recipe).deviating == ()
    path, own = save(arrays, tmp_path), str(tmp_path / "own.toml")
    assert cli.main(["inspect", path, "--recipe", own, "--size", "width=64"]) == 0
    assert cli.main(["inspect", path, "--recipe", own]) == 3
    capsys.readouterr()


def test_command_line(
    clean: dict[str, np.ndarray], recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(clean, tmp_path)
    assert cli.main(["inspect", path, "--recipe", recipe]) == 0
    out = capsys.readouterr().out
    assert (
        "h.0.weight  96x128" in out
        and f"deviating from recipe {recipe}: none" in out
        and "steps: I64, not inspected" in out
    )
    clean["h.0.weight"][:] = 0
    path = save(clean, tmp_path)
    assert cli.main(["inspect", path, "--recipe", recipe]) == 3
    assert "h.0.weight: all values are zero" in capsys.readouterr().out
    assert cli.main(["inspect", path, "--recipe", recipe, "--json"]) == 3
    data = json.loads(capsys.readouterr().out)
    assert data["deviating"] == 1 and data["tensors"][1]["findings"][0]["kind"] == "zero"
    assert cli.main(["inspect", path, "--recipe", "gpt2"]) == 2
    assert cli.main(["inspect", str(tmp_path / "missing.safetensors")]) == 1
    assert cli.main(["inspect", str(tmp_path)]) == 3  # a folder's model.safetensors
    (tmp_path / "empty").mkdir()
    assert cli.main(["inspect", str(tmp_path / "empty")]) == 1
    assert "missing.safetensors" in capsys.readouterr().err


def file(tmp_path: Path, header: Any, data: bytes) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "bad.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"{", b""),
        ({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, b"\0" * 15),
        ({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 12]}}, b"\0" * 12),
        ({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 16]}}, b"\0" * 16),
        ({"w": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]}}, b"\0" * 24),
        ({"w": {"dtype": 3, "shape": [4], "data_offsets": [0, 16]}}, b"\0" * 16),
        ({"w": {"dtype": "I32", "shape": [-4], "data_offsets": [0, 16]}}, b"\0" * 16),
        ({"w": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 2**60]}}, b"\0" * 4),
    ],
)
def test_hostile_files(header: Any, data: bytes, tmp_path: Path) -> None:
    path = file(tmp_path, header, data)
    with pytest.raises(ValueError, match=r"bad\.safetensors"):
        fi.inspect(path)
    assert cli.main(["inspect", str(path)]) == 2


def test_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    array = fi.normal((1000, 1000), seed=0)
    path = save({"w": array, "x": array}, tmp_path)
    with pytest.raises(OSError, match="ends at byte"), open(path, "rb+") as opened:
        opened.truncate(5_000_000)
        sources = [measure.Source("w", (1000, 1000), "float32", at, opened) for at in (0, 4_000_000)]
        measure.measure_all(sources, lambda _, m: m)


def test_threads_that_share_a_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows reads at a file's own position."""
    safetensors.numpy.save_file(
        {name: fi.normal((1 << 18, 3), name=name) for name in "abc"}, tmp_path / "w.safetensors"
    )
    want = fi.inspect(tmp_path / "w.safetensors", threads=4)
    monkeypatch.delattr(os, "preadv")
    got = fi.inspect(tmp_path / "w.safetensors", threads=4)
    assert replace(got, seconds=want.seconds) == want


def test_other_dtypes_are_named(tmp_path: Path) -> None:
    entries = {"f8": ("F8_E8M0", 4), "ids": ("I16", 8), "new": ("F4_X", 3), "w": ("F32", 16)}
    at, header = 0, {}
    for name, (code, size) in entries.items():
        header[name] = {"dtype": code, "shape": [4], "data_offsets": [at, at + size]}
        at += size
    report = fi.inspect(file(tmp_path, header, b"\0" * at))
    assert report.skipped == {"f8": "F8_E8M0", "ids": "I16", "new": "F4_X"} and list(report.tensors) == ["w"]


@pytest.mark.parametrize(
    ("arrays", "error"),
    [
        ({"w": [1.0, 2.0]}, TypeError),
        ({"w": np.zeros(3, np.clongdouble)}, TypeError),
        ({"w": np.zeros(3, ">f4")}, TypeError),
        ({3: np.zeros(3)}, TypeError),
        (7, TypeError),
        ("missing.safetensors", FileNotFoundError),
    ],
)
def test_bad_arguments(arrays: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        fi.inspect(arrays)


def test_a_plan_that_does_not_fit() -> None:
    planned = fi.plan({"a": (2, 3), "b": (4,)})
    with pytest.raises(ValueError, match="'b' is missing"):
        fi.inspect({"a": np.zeros((2, 3))}, planned)
    with pytest.raises(ValueError, match="shape"):
        fi.inspect({"a": np.zeros((2, 3)), "b": np.zeros(5)}, planned)
    with pytest.raises(ValueError, match="no parameter 'c'"):
        fi.inspect({"a": np.zeros((2, 3)), "b": np.zeros(4), "c": np.zeros(3)}, planned)


def test_arrays_of_any_layout() -> None:
    array = fi.normal((50, 60), seed=0)
    array.flags.writeable = False
    straight = fi.inspect({"w": array}).tensors["w"]
    strided = np.repeat(array, 2, axis=1)[:, ::2]
    assert repr(fi.inspect({"w": strided}).tensors["w"]) == repr(straight)
    assert repr(fi.inspect({"w": np.asfortranarray(array)}).tensors["w"]) == repr(straight)
    half = array.astype(ml_dtypes.bfloat16)
    assert fi.inspect({"w": half}).tensors["w"].dtype == "bfloat16"


def test_interrupt_stops_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.zeros((64, 1 << 17), np.float32)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    begun: list[int] = []
    quick = _core.inspect
    monkeypatch.setattr(_core, "inspect", lambda *a: (begun.append(1), time.sleep(0.05), quick(*a)))
    with pytest.raises(KeyboardInterrupt):
        fi.inspect({"w": array}, progress=stop, threads=2)
    assert 0 < len(begun) < 64


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"PK\x03\x04" + bytes(60), "ZIP"), (b"\x80\x02}q\x00" + bytes([200] * 60), "pickle"),
     (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"), (b"", "empty"), (b"\xff" * 64, "another format")],
)  # fmt: skip
def test_files_of_other_formats_are_named(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"not a safetensors file, but .*{kind}"):
        fi.inspect(path)
