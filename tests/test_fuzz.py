"""Hostile input: readers take any bytes, and calls any arguments, and nothing but the documented errors comes out.

`python tools/fuzz.py TARGET` drives the same functions by their coverage, for as long as one likes.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import random
import re
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
from conftest import BITS
from hypothesis import given
from hypothesis import strategies as st
from test_structured import CASES

import fastinit as fi
from fastinit import checkpoints, cli
from fastinit.arguments import choose
from fastinit.checkpoints import sharded, stored
from fastinit.cli import options, probe
from fastinit.laws.composed import Patched, Transformed
from fastinit.plans.formula import Formula
from fastinit.plans.lint import lint
from fastinit.plans.plan import Plan
from fastinit.plans.recipe import shipped_recipes
from fastinit.plans.sizes import Size

SHAPES = {"a.0.weight": [4, 6], "a.1.weight": [4, 6], "conv.weight": [4, 2, 3, 3], "bias": [4], "scalar": []}
ENTRIES = {name: {"shape": shape} for name, shape in SHAPES.items()}
MODEL = {"dtype": "float32", "tied": {"tied": "bias"}, "parameters": ENTRIES}
HEADER = {
    "__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "b": {"dtype": "BF16", "shape": [20], "data_offsets": [24, 64]}, "c": {"dtype": "I8", "shape": [0, 3], "data_offsets": [64, 64]},
}  # fmt: skip
RULES = """
layers = "a.{layer}.*"
[sizes]
width = "a.*.weight:-1"
layers = "a.{layer}.weight"
base = 4
[[rule]]
match = ["a.*", "b*"]
ndim = 2
scheme = "normal"
std = "sqrt(2 / (5 * width)) * min(base / n0, 1) / log(2 * layers + 1)"
depth = "1/sqrt(2L)"
lr = "1 / fan_in"
[[rule]]
module = "Conv*"
optional = true
scheme = "orthogonal"
gain = 1.5
[[rule]]
ndim = 4
scheme = "he_normal"
layout = "oihw"
activation = "gelu"
groups = 2
[[rule]]
scheme = "constant"
value = 0.5
"""


def _laws() -> str:
    """A plan of many laws."""
    rows = fi.plan({f"w{i}": shape for i, (_, shape, _) in enumerate(CASES)}, {"*": "zeros"})
    data = json.loads(rows.to_json())
    for row, (scheme, shape, numbers) in zip(data["parameters"].values(), CASES, strict=True):
        row |= {"scheme": scheme, "distribution": fi.distribution(scheme, shape, **numbers).to_dict()}
    row = {**row, "shape": [3, 4]}
    function = Transformed(fi.Uniform(1.0, 16.0), ("add", ("log", "x"), 2.0))
    patched = Patched(
        fi.TruncatedNormal(0, 1, -math.inf, 2), [((0, (0, 4, 2)), fi.Constant(0)), (((1, 3, 1), 2), function)]
    )
    for law in (function, patched):
        data["parameters"][law.law] = {**row, "distribution": law.to_dict()}
    return json.dumps(data)


# ----------------------------------------------------------------------------------------- readers


def read_header(data: bytes, folder: Path) -> None:
    """A safetensors file, and as the header of one."""
    path = folder / "m.safetensors"
    for content in (data, struct.pack("<Q", len(data)) + data + bytes(64)):
        path.write_bytes(content)
        for read in (fi.plan, stored, fi.inspect):
            with _refused(str(path), "recipe 'default'"):  # names may have no role
                read(path)


def read_model(data: bytes, folder: Path) -> None:
    path = folder / "m.json"
    path.write_bytes(data)
    with _refused(str(path), "recipe 'default'"):
        _use(fi.plan(path))


def read_plan(data: bytes, folder: Path) -> None:
    with _refused():
        _use(Plan.from_json(data.decode(errors="replace")))


def read_recipe(data: bytes, folder: Path) -> None:
    path = folder / "r.toml"
    path.write_bytes(data)
    model = folder / "model.json"
    model.write_text(json.dumps(MODEL))
    with _refused(f"recipe {str(path)!r}"):
        _use(fi.plan(model, path))


def read_index(data: bytes, folder: Path) -> None:
    (folder / "m.safetensors").write_bytes(b"")
    (folder / "model.safetensors.index.json").write_bytes(data)
    with contextlib.suppress(OSError), _refused(str(folder)):
        stored(folder)


def read_formula(data: bytes, folder: Path) -> None:
    with _refused("formula"):
        value = Formula(data.decode(errors="replace"))(
            lambda name: choose("name", name, {"d": 1000, "zero": 0})
        )
        assert isinstance(value, float) and math.isfinite(value)


def read_options(data: bytes, folder: Path) -> None:
    """What the command line and recipes have in one word."""
    text = data.decode(errors="replace")
    for read in (
        sharded.parse_size,
        options._size,
        probe._widths,
        probe._schemes,
        lambda text: Size.parse("s", text),
    ):
        with _refused():
            read(text)


def _use(plan: Plan) -> None:
    """All that needs no values, and a look at those of small plans."""
    again = Plan.from_json(plan.to_json())
    assert dict(again) == dict(plan) and again == plan and str(again) == str(plan)
    assert fi.diff(plan, again) == []
    lint(plan)
    if plan.nbytes < 100_000:
        with _refused():
            fi.init(plan, seed=0)


@contextlib.contextmanager
def _refused(*beginnings: str) -> Iterator[None]:
    """Nothing, or the one documented error, whose message begins as it should."""
    try:
        yield
    except ValueError as error:
        assert not beginnings or str(error).startswith(beginnings), str(error)


Reader = Callable[[bytes, Path], None]
READERS: dict[str, tuple[Reader, list[bytes]]] = {
    "header": (read_header, [json.dumps(HEADER).encode()]),
    "model": (read_model, [json.dumps(MODEL).encode(), b'{"a.weight": [4, 6], "bias": {"shape": [4], "dtype": "bf16"}}']),
    "plan": (read_plan, [fi.plan(dict(SHAPES), {"scalar": "ones"}).to_json().encode(), _laws().encode()]),
    "recipe": (
        read_recipe, [RULES.encode(), *(path.read_bytes() for path in sorted(shipped_recipes().values()))]
    ),
    "index": (read_index, [json.dumps({"weight_map": {"a": "m.safetensors", "b": "n"}}).encode()]),
    "formula": (read_formula, [b"sqrt(2 / (5 * d))", b"max(-1e3, min(log(d), +zero)) - 2 * (3 - d)"]),
    "options": (read_options, [b"5GB", b"base_width=256", b"784,256x3", b"he_normal,normal:std=1:mean=0", b"a.*:-1"]),
}  # fmt: skip

FOUND = [
    ("options", b"8x99999999999999999999"),
    ("model", b'{"parameters": {"a": {"shape": [1], "dtype": ","}}}'),
    ("recipe", b"x = " + b"[" * 10_000),
    ("recipe", b"\xff"),
    ("index", b"{"),
]
"""What once came through as another error, or named no file."""

_TOKEN = re.compile(rb'-?\d+(?:\.\d+)?|"[^"\n]*"|[a-z]+')
_TOKENS = [
    b"-1", b"0", b"1e999", b"-0.0", b"1e-320", b"NaN", b"Infinity", b"inf", b"true", b"null", b'""', b'","', b"[]", b"{}",
    b"4294967296", b"99999999999999999999", b"1" + b"0" * 400, b'"\\ud800"', b'"x"', b'"{layer}"', b'"normal"', b"[[[[",
    b"1979-05-27", b'{"law": "normal", "mean": 0, "std": 1}', b'["mul", "x"]', b"\xff", b"\0", b"(", b"-",
]  # fmt: skip


def mutated(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 3)):
        at, length = chance.randrange(len(data) + 1), chance.randint(1, 8)
        words = list(_TOKEN.finditer(data))
        match chance.randrange(6):
            case 0 | 1 | 2 if words:
                word = chance.choice(words)
                data = data[: word.start()] + chance.choice(_TOKENS) + data[word.end() :]
            case 3 if len(words) > 1:
                word, other = chance.choice(words), chance.choice(words)
                data = data[: word.start()] + other[0] + data[word.end() :]
            case 4:
                data = data[:at] + data[at + length :]
            case _:
                data = data[:at] + data[at : at + length] + data[at:]
    return data


@pytest.mark.parametrize("name", READERS)
def test_readers_of_damaged_input(name: str, tmp_path: Path) -> None:
    read, seeds = READERS[name]
    chance = random.Random(name)
    for seed in seeds:
        read(seed, tmp_path)
        for _ in range(max(1000 // len(seeds), 40)):
            read(mutated(seed, chance), tmp_path)


@pytest.mark.parametrize(("name", "data"), FOUND, ids=lambda value: str(value)[:40])
def test_readers_of_what_was_found(name: str, data: bytes, tmp_path: Path) -> None:
    READERS[name][0](data, tmp_path)


# --------------------------------------------------------------------------------------- arguments

ODD = st.sampled_from(
    [0, 1, -1, 2, 3, 2**31, 2**53 + 1, 2**63, 2**64, 10**400, 0.0, -0.0, 0.5, 5e-324, 1e-40, 1e30, 1e200, 1e308, math.inf,
     -math.inf, math.nan, True, None, "", "fan_out", "oi", "oihw", ",", "é\ud800", b"ab", 1j, np.float32(0.1), np.int8(3),
     np.bool_(True), np.ones(2), np.array(1.0), np.array("x"), object(), len, {"std": 2.0}, [], [1, 2], (0.5, 0.25), {1: 2}]
)  # fmt: skip
# As shapes: none that takes gigabytes and can be had.
ODD_SHAPES = ODD.filter(lambda shape: not (isinstance(shape, int) and shape == 2**31))
ANYTHING = ODD | st.integers() | st.floats() | st.text(max_size=5) | st.fractions() | st.decimals()
SMALL = st.lists(st.integers(0, 8), max_size=4).map(tuple)
SIZES = st.integers(-1, 8) | st.sampled_from(
    [2**45, 2**60, 2**62, 10**400, True, 1.0, None, "3", np.int64(2)]
)
SLICES = st.builds(
    slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9), st.none() | st.integers(-3, 3)
)
BLOCKS = (
    st.just(...) | SLICES | st.lists(SLICES | st.integers(-9, 9) | st.just(...), max_size=4).map(tuple) | ODD
)
SEEDS = st.integers(0, 2**64 - 1) | ODD
DTYPES = st.sampled_from(list(BITS))
ARRAYS = st.builds(lambda shape, dtype: np.full(shape, 7).astype(dtype), SMALL, DTYPES)
SCHEMES = st.sampled_from(sorted(fi.schemes.SCHEMES))


@st.composite
def numbers_of(draw: Callable[[st.SearchStrategy[Any]], Any], scheme: str) -> dict[str, Any]:
    row = fi.schemes.SCHEMES[scheme]
    names = draw(
        st.lists(st.sampled_from([*row.keywords, "fan_in", "values", "odd"]), unique=True, max_size=3)
    )
    return {name: draw(ANYTHING) for name in names}


@given(st.data(), ARRAYS, SCHEMES, SEEDS)
def test_arguments_of_fill(data: st.DataObject, out: np.ndarray, scheme: str, seed: Any) -> None:
    """All is checked before the first write; what is taken once is taken again, with the same values."""
    options: dict[str, Any] = data.draw(numbers_of(scheme))
    for name, values in (
        ("name", ANYTHING),
        ("shape", SMALL | ODD_SHAPES),
        ("block", BLOCKS),
        ("threads", ODD),
    ):
        if data.draw(st.integers(0, 3)) == 0:
            options[name] = data.draw(values)
    before = out.tobytes()
    try:
        assert fi.fill(out, scheme, seed=seed, **options) is out
    except (TypeError, ValueError):
        assert out.tobytes() == before
    except IndexError:
        assert out.tobytes() == before and "block" in options
    else:
        again = out.copy()
        fi.fill(again, scheme, seed=seed, **options)
        assert again.tobytes() == out.tobytes() or seed is None


@given(st.data(), SCHEMES, SMALL | st.lists(SIZES, max_size=3).map(tuple) | ODD_SHAPES)
def test_arguments_of_new_arrays(data: st.DataObject, scheme: str, shape: Any) -> None:
    options = data.draw(numbers_of(scheme))
    for name, values in (("dtype", DTYPES | ANYTHING), ("block", BLOCKS), ("out", ODD | ARRAYS)):
        if data.draw(st.integers(0, 3)) == 0:
            options[name] = data.draw(values)
    with contextlib.suppress(
        TypeError, ValueError, MemoryError, *([IndexError] if "block" in options else [])
    ):
        array = getattr(fi.schemes, scheme)(shape, seed=0, **options)
        assert np.isfinite(array.astype(np.float64)).all()


@given(st.data(), st.lists(SIZES | ANYTHING, max_size=4).map(tuple) | ANYTHING)
def test_arguments_of_fans(data: st.DataObject, shape: Any) -> None:
    options = {
        name: data.draw(ANYTHING)
        for name in ("layout", "groups", "stride", "packed")
        if data.draw(st.booleans())
    }
    with contextlib.suppress(TypeError, ValueError):
        assert all(0 < fan < math.inf for fan in fi.fans(shape, **options))
    with contextlib.suppress(TypeError, ValueError):
        fi.distribution(data.draw(SCHEMES), shape, **options)


@given(st.data(), ANYTHING, ANYTHING)
def test_arguments_of_small_calls(data: st.DataObject, first: Any, second: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: fi.gain(first if isinstance(first, str) else "leaky_relu", second),
        lambda: fi.recommend(first, second),
        lambda: fi.recommend("relu", depth=first, residual=True, layer="conv"),
        lambda: fi.drawing.random_bits(3, seed=first, name=second),
        lambda: fi.checksum(np.ones(3, np.float32), shape=first, block=second),
        lambda: fi.read_recipe("mup", base_width=first),
        lambda: fi.plan({"w": first}, second if isinstance(second, str) else "default"),
        lambda: fi.plan({"w": (3, 4)}, {"w": second}, dtype=first),
        lambda: fi.TruncatedNormal(0.0, 1.0, first, second).moments(),
        lambda: fi.verify({"w": first}, fi.plan({"w": (3, 4)}), seed=second),
        lambda: checkpoints.split(fi.plan({"w": (3, 4)}), first),
    ]
    with contextlib.suppress(TypeError, ValueError, IndexError):  # the last for blocks
        data.draw(st.sampled_from(calls))()


OPTIONS = {
    "init": ["--seed", "--max-shard-size", "--rank", "--of", "--resume", "--recipe", "--size", "--dtype", "--threads", "--json"],
    "plan": ["--recipe", "--size", "--dtype", "--json"],
    "verify": ["--model", "--seed", "--recipe", "--size", "--dtype", "--threads", "--json"],
    "inspect": ["--recipe", "--size", "--threads", "--json"],
    "schemes": ["--json"],
    "recipes": ["--json"],
    "probe": ["--activation", "--negative-slope", "--scheme", "--bias", "--seed", "--batch", "--json"],
}  # fmt: skip
WORDS = st.sampled_from(
    ["0", "1", "3", "-1", "1.5", "nan", "1e400", "", "é", ",", "5GB", "1KB", "200", "gpt2", "mup", "default", "he_normal", "zeros",
     "base_width=8", "base_width=-1", "=", "float16", "bfloat16", "int8", "{}/m.json", "{}/m.safetensors", "{}/r.toml", "{}/no",
     "{}", "relu", "leaky_relu", "normal:std=2", "normal:std", "orthogonal", "9" * 30, "\0", "\ud800"]
) | st.text(max_size=4).map(lambda text: text.replace("/", ""))  # fmt: skip


@given(st.data())
def test_arguments_of_commands(data: st.DataObject) -> None:
    """An exit code that the documentation has, and a message instead of a traceback."""
    name = data.draw(st.sampled_from(sorted(OPTIONS)))
    with tempfile.TemporaryDirectory() as folder:
        for file, (_, seeds) in (("m.json", READERS["model"]), ("r.toml", READERS["recipe"])):
            Path(folder, file).write_bytes(seeds[0])
        text = READERS["header"][1][0]
        Path(folder, "m.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))
        arguments = [name]
        if name == "probe":
            arguments += [
                "--widths",
                data.draw(st.sampled_from(["4", "4,5", "8,8x3", "0,3", "", "x", "3x0", "4,1", "٣"])),
            ]
        else:
            arguments += [data.draw(st.sampled_from(["{}/m.json", "{}/m.safetensors"]) | WORDS)]
        if name == "init":
            arguments += [
                "-o",
                data.draw(
                    st.sampled_from(
                        ["{}/new", "{}/new.safetensors", "{}/m.safetensors", "{}", "{}/no/new.safetensors"]
                    )
                ),
            ]
        for option in data.draw(st.lists(st.sampled_from(OPTIONS[name]), max_size=4)):
            arguments += [option] if option in ("--resume", "--json") else [option, data.draw(WORDS)]
        arguments = [argument.replace("{}", folder) for argument in arguments]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(folder):
            try:
                code = cli.main(arguments)
            except SystemExit as stop:  # by argparse
                code = stop.code
        assert code in (0, 1, 2, 3)
        if code in (1, 2):
            assert re.search(r"^fastinit( \w+)?: error: .", err.getvalue(), re.M), err.getvalue()
        assert not [path for path in os.listdir(folder) if path.endswith(".part")]
