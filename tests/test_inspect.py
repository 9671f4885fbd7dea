"""Inspection of files: planted faults, hostile files, bad arguments, the command."""

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

import fastinit as fi
from fastinit import _core, cli
from fastinit.inspection import measure

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
