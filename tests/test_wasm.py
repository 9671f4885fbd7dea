"""The kernels as WebAssembly and their binding in JavaScript, run by Node: the bits and the numbers of Python."""

from __future__ import annotations

import json
import math
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import BITS, NARROW, ROOT, fill_jobs, program_of
from test_kernels import LAWS
from webassembly import EXPLORER, Answers, build, call, described, node, number, run, values

import fastinit as fi
from fastinit import _core
from fastinit.drawing import streams
from fastinit.dtypes import numpy_dtype
from fastinit.laws.distributions import Elementwise


def drawn(
    law: str, parameters: tuple[float, ...], dtype: str, seed: int, name: str, index: int, n: int
) -> np.ndarray:
    """The CPU's values."""
    out = np.empty(n, BITS[dtype])
    axes = ((n, 1, out.itemsize, ((0, index),)),)
    key = streams.key(seed, name)
    fill_jobs([(law, parameters, key, dtype, out.ctypes.data, axes, False)], 1, 0)
    return out


PLACES = [(0, 0), (0, 1), (3, 1001), (2**34 - 5, 5003), (2**59 + 1, 77)]


def test_every_law_and_dtype_at_every_place(answers: Answers) -> None:
    cases = [
        (law, parameters, dtype, index, n)
        for law, parameters in LAWS.values()
        for dtype in _core.DTYPES
        for index, n in PLACES
        if not (law == "bits" and dtype in NARROW)
    ]
    found = answers(
        [
            call(described(law, parameters), dtype, seed=7, name="a.b", index=number(index), count=n)
            for law, parameters, dtype, index, n in cases
        ]
    )
    for (law, parameters, dtype, index, n), answer in zip(cases, found, strict=True):
        want = drawn(law, parameters, dtype, 7, "a.b", index, n)
        np.testing.assert_array_equal(values(answer, dtype), want, f"{law} {parameters} {dtype} {index} {n}")


def test_more_values_than_are_drawn_at_a_time(answers: Answers) -> None:
    law, parameters = LAWS["truncated skew"]
    n = 300_001  # of float64: more than two chunks
    (answer,) = answers([call(described(law, parameters), "float64", seed=1, name="w", index=5, count=n)])
    np.testing.assert_array_equal(values(answer, "float64"), drawn(law, parameters, "float64", 1, "w", 5, n))


# The last of these fill BLAKE2b's blocks to the last byte, by one less and by one more.
NAMES = ["", "w", "fc.weight", "\u00e9", "e\u0301", "\U0001f600.\u6743", "\0",
         *("n" * (256 - 34 + d) for d in (-1, 0, 1))]  # fmt: skip
SEEDS = [0, 1, 2**32, 2**53 - 1, 2**53, 2**64 - 1]


def test_every_seed_and_name_has_its_stream(answers: Answers) -> None:
    cases = [(seed, name) for seed in SEEDS for name in NAMES]
    bits = {"kind": "bits"}
    found = answers([call(bits, "float32", seed=number(seed), name=name, count=4) for seed, name in cases])
    streams_found = [values(answer, "float32") for answer in found]
    for (seed, name), got in zip(cases, streams_found, strict=True):
        np.testing.assert_array_equal(got, fi.drawing.random_bits(4, seed=seed, name=name))
    assert len({got.tobytes() for got in streams_found}) == len(cases)


SHAPES = [(256, 784), (10, 3), (5, 7, 3, 3)]
NUMBERS: dict[str, list[dict[str, Any]]] = {
    "constant": [{"value": 0.1}],
    "uniform": [{"low": -1e-8, "high": 3e-8}],
    "normal": [{"mean": 0.5, "std": 0.02}],
    "truncated_normal": [
        {"mean": 0.1, "std": 0.02},
        {"low": -math.inf, "high": 0.7},
        {"low": -0.3, "high": 0.1, "bounds": "absolute"},
        {"std": 0.0},
    ],
    "variance_scaling": [
        {"scale": 2.0, "mode": mode, "distribution": kind}
        for mode in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
        for kind in ("normal", "truncated_normal", "uniform")
    ]
    + [{"scale": 0.0}],
    "xavier_uniform": [{"gain": 5 / 3}, {"fan_in": 30.0}, {"fan_out": 7.0}],
    "xavier_normal": [{"gain": 0.0}],
    "he_normal": [
        {"gain": 0.3, "mode": "fan_out"},
        {"activation": "leaky_relu", "negative_slope": 0.2},
        {"activation": "tanh"},
        {"activation": "swiglu"},
    ],
    "he_uniform": [{"gain": 1.1, "activation": "tanh", "mode": "fan_geo_avg"}],
    "uniform_scaling": [{"scale": 1.43}],
}


def test_schemes_are_those_of_python(answers: Answers) -> None:
    known = json.loads(re.search(r"SCHEMES = ({.*});", (EXPLORER / "tables.js").read_text(), re.S)[1])  # type: ignore[index]
    cases = [
        (name, shape, numbers)
        for row in known.values()
        for name in (row["name"], *row["aliases"])
        for shape in SHAPES
        for numbers in [{}, *NUMBERS.get(row["name"], [])]
        if row["name"] not in ("orthogonal", "identity")
    ]
    assert {name for name, _, _ in cases} > {"zeros", "he_normal", "glorot_uniform", "torch_default"}
    calls = [["scheme", n, s, {k: v if isinstance(v, str) else number(v) for k, v in numbers.items()}]
             for n, s, numbers in cases]  # fmt: skip
    for (name, shape, numbers), answer in zip(cases, answers(calls), strict=True):
        law = fi.distribution(name, shape, **numbers)  # type: ignore[arg-type]
        assert isinstance(law, Elementwise)
        want = {name: float(value) for name, value in law.to_dict().items() if name != "law"}
        got = {name: float(value) for name, value in answer.items() if name != "kind"}
        assert (answer["kind"], got) == (law.law, want), (name, shape, numbers)


def test_tables_are_those_of_python() -> None:
    """Gains by quadrature may differ in the last bits where they were computed."""
    written, kept = program_of("tools/make_wasm.py").tables(), (EXPLORER / "tables.js").read_text()
    gains = r"(?s)export const GAINS = ({.*?});"
    assert re.sub(gains, "", written) == re.sub(gains, "", kept)
    found, want = (json.loads(re.search(gains, text)[1]) for text in (kept, written))  # type: ignore[index]
    assert found == pytest.approx(want, rel=1e-13)


MATRICES = [((5, 5), {}), ((7, 3), {"gain": 2.0}), ((3, 7), {"axis": -1}), ((4, 4), {"axis": 1}), ((600, 290), {}),
            ((290, 600), {"gain": 0.5}), ((1, 1), {}), ((0, 3), {})]  # fmt: skip


@pytest.mark.parametrize(("dtype", "off"), [("float32", 3e-6), ("float64", 1e-12)])
def test_orthogonal_differs_in_the_last_bits_only(dtype: str, off: float, answers: Answers) -> None:
    laws = answers([["scheme", "orthogonal", shape, numbers] for shape, numbers in MATRICES])
    found = answers([call(law, dtype, seed=3, name="w") for law in laws])
    for (shape, numbers), answer in zip(MATRICES, found, strict=True):
        got = values(answer, dtype).view(dtype).astype(np.float64).reshape(shape)
        gain = numbers.get("gain", 1.0)
        want = fi.orthogonal(shape, seed=3, name="w", dtype=dtype, **numbers)  # type: ignore[arg-type]
        np.testing.assert_allclose(got, want, rtol=0, atol=gain * off, err_msg=f"{shape} {numbers}")
        square = got.T @ got if shape[0] >= shape[1] else got @ got.T
        np.testing.assert_allclose(square, gain**2 * np.eye(min(shape)), atol=gain**2 * off)


@pytest.mark.parametrize("dtype", NARROW)
def test_a_narrow_orthogonal_matrix_is_the_rounded_float32(dtype: str, answers: Answers) -> None:
    law = {"kind": "orthogonal", "rows": 9, "columns": 21, "gain": 30}
    floats, narrow = answers([call(law, of, seed=3, name="w") for of in ("float32", dtype)])
    want = values(floats, "float32").view(np.float32).astype(numpy_dtype(dtype))
    np.testing.assert_array_equal(values(narrow, dtype), want.view(BITS[dtype]))


def test_a_part_of_a_matrix(answers: Answers) -> None:
    (law,) = answers([["scheme", "orthogonal", [6, 4], {}]])
    whole, part = answers([call(law, "float32", seed=0, **more) for more in ({}, {"index": 5, "count": 7})])
    np.testing.assert_array_equal(values(part, "float32"), values(whole, "float32")[5:12])


@pytest.mark.parametrize("dtype", _core.DTYPES)
def test_identity(dtype: str, answers: Answers) -> None:
    cases: list[Any] = [((3, 5), {}), ((5, 3), {"gain": 0.5, "shift": 4}), ((4, 4), {"shift": -1})]
    laws = answers([["scheme", "identity", shape, numbers] for shape, numbers in cases])
    found = answers([call(law, dtype, seed=0) for law in laws])
    for (shape, numbers), answer in zip(cases, found, strict=True):
        want = fi.identity(shape, dtype=dtype, **numbers).view(BITS[dtype])
        np.testing.assert_array_equal(values(answer, dtype).reshape(shape), want)


NORMAL = {"kind": "normal", "std": 1}
FAULTS: list[tuple[list[Any], str, str]] = [
    (["fill", {"kind": "gamma"}, {}], "RangeError", "law"),
    (["fill", "normal", {}], "TypeError", "law must be an object"),
    (["fill", {"kind": "constant"}, {}], "TypeError", "constant needs value"),
    (["fill", {**NORMAL, "mu": 0}, {}], "TypeError", 'normal takes no "mu"; it takes mean, std'),
    (["fill", {**NORMAL, "std": -1}, {}], "RangeError", "std must be at least 0, got -1"),
    (["fill", {**NORMAL, "std": "1"}, {}], "TypeError", 'std must be a number, got "1"'),
    (["fill", {**NORMAL, "mean": {"float": "NaN"}}, {}], "RangeError", "mean must be finite, got NaN"),
    (["fill", {"kind": "uniform", "low": 2, "high": 1}, {}], "RangeError", "low must not be above high"),
    (["fill", {"kind": "truncated_normal", "low": 1, "high": 1}, {}], "RangeError", "low must be below high"),
    (["fill", {"kind": "truncated_normal", "std": 0, "low": 1}, {}], "RangeError", "with std=0, mean must lie"),
    (["fill", NORMAL], "TypeError", "fill takes an object of keywords, got undefined"),
    (["fill", NORMAL, {"seed": 0, "count": 1, "block": 1}], "TypeError", 'fill takes no "block"'),
    (["fill", NORMAL, {"count": 1}], "TypeError", "seed must be an integer, got undefined"),
    (["fill", NORMAL, {"seed": 0}], "TypeError", "count must be an integer, got undefined"),
    (["fill", NORMAL, {"seed": 0.5, "count": 1}], "TypeError", "seed must be an integer, got 0.5"),
    (["fill", NORMAL, {"seed": -1, "count": 1}], "RangeError", "seed must be at least 0"),
    (["fill", NORMAL, {"seed": {"float": "9007199254740992"}, "count": 1}], "RangeError", "must be a BigInt"),
    (["fill", NORMAL, {"seed": {"integer": str(2**64)}, "count": 1}], "RangeError", "seed must be at least 0"),
    (["fill", NORMAL, {"seed": 0, "count": -1}], "RangeError", "count must be at least 0"),
    (["fill", NORMAL, {"seed": 0, "count": 1, "index": -1}], "RangeError", "index must be at least 0"),
    (["fill", NORMAL, {"seed": 0, "count": 1, "name": 1}], "TypeError", "name must be a string, got 1"),
    (["fill", NORMAL, {"seed": 0, "count": 1, "name": "\ud800"}], "RangeError", "name must be Unicode text"),
    (["fill", NORMAL, {"seed": 0, "count": 1, "dtype": "int8"}], "RangeError", 'unknown dtype "int8"'),
    (["fill", {"kind": "bits"}, {"seed": 0, "count": 1, "dtype": "float32"}], "RangeError", "unknown dtype"),
    (["fill", {**NORMAL, "std": 1e5}, {"seed": 0, "count": 1, "dtype": "float16"}], "RangeError",
     "normal(mean=0, std=100000) reaches beyond the dtype's range (float16)"),
    (["fill", {"kind": "orthogonal", "rows": 2, "columns": 2, "gain": 1e6},
      {"seed": 0, "dtype": "float16"}], "RangeError", "has values too large for the dtype"),
    (["fill", {"kind": "orthogonal", "rows": 2, "columns": 2}, {"seed": 0, "index": 2, "count": 3}], "RangeError",
     "go beyond the 4 elements"),
    (["scheme", "he", [2, 2]], "RangeError", 'unknown scheme "he"; known: zeros'),
    (["scheme", "he_normal", 2], "TypeError", "shape must be an array"),
    (["scheme", "he_normal", [2]], "RangeError", "has no fan_in"),
    (["scheme", "he_normal", [2, -2]], "RangeError", "shape must be at least 0"),
    (["scheme", "he_normal", [2, 2], {"std": 1}], "TypeError", 'he_normal takes no "std"; it takes mode, gain'),
    (["scheme", "he_normal", [2, 2], {"gain": -1}], "RangeError", "gain must be at least 0"),
    (["scheme", "he_normal", [2, 2], {"activation": "rel"}], "RangeError", 'unknown activation "rel"'),
    (["scheme", "he_normal", [2, 2], {"mode": "fan"}], "RangeError", 'unknown mode "fan"'),
    (["scheme", "he_normal", [2, 2], {"negative_slope": 1}], "RangeError", 'belongs to "leaky_relu" only'),
    (["scheme", "he_normal", [2, 2], {"gain": 1, "negative_slope": 1}], "RangeError", "both say the gain"),
    (["scheme", "variance_scaling", [2, 2], {"scale": -1}], "RangeError", "scale must be at least 0"),
    (["scheme", "orthogonal", [2, 2, 3]], "RangeError", "orthogonal needs a shape of two axes"),
    (["scheme", "orthogonal", [2, 2], {"axis": 2}], "RangeError", "axis 2 is out of range"),
    (["scheme", "identity", [2, 2], {"shift": 0.5}], "TypeError", "shift must be an integer"),
]  # fmt: skip


def test_errors_name_the_argument_and_the_value() -> None:
    found = run(EXPLORER / "kernels.wasm", [call for call, _, _ in FAULTS])
    for (given, error, message), answer in zip(FAULTS, found, strict=True):
        assert answer.get("error") == error and message in answer["message"], (given, answer)


def test_where_the_module_comes_from() -> None:
    program = """
    import { readFileSync } from "node:fs";
    import { load } from "./fastinit.js";
    const file = new URL("kernels.wasm", `file://${process.cwd()}/`), bytes = readFileSync(file);
    const data = `data:application/wasm;base64,${bytes.toString("base64")}`;
    const drawn = new Set();
    for (const source of [undefined, file, bytes, bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
                          new Response(bytes), data, new URL(data)])
      drawn.add(String((await load(source)).fill({ kind: "normal" }, { seed: 0, count: 3 })));
    for (const source of [1, new Response("", { status: 404 }), new Uint8Array(8)])
      drawn.add(await load(source).then(() => "loaded", (error) => error.name));
    console.log(JSON.stringify([...drawn]));
    """
    command = [node(), "--input-type=module", "-e", program]
    done = subprocess.run(command, cwd=EXPLORER, capture_output=True, text=True, timeout=60)
    values, *errors = json.loads(done.stdout)
    assert values == ",".join(repr(float(x)) for x in fi.normal(3, seed=0))
    assert errors == ["TypeError", "Error", "CompileError"]


def test_the_snippet_of_the_page() -> None:
    (snippet,) = re.findall(r"^```js\n(.*?)^```", (ROOT / "docs" / "kernels.md").read_text(), re.S | re.M)
    command = [node(), "--input-type=module", "-e", snippet]
    done = subprocess.run(command, cwd=EXPLORER, capture_output=True, text=True, timeout=60)
    w = fi.he_normal((256, 784), seed=0, name="fc.weight")
    std, first, last = map(float, done.stdout.split())
    assert (std, first, last) == (fi.distribution("he_normal", w.shape).moments()[1], w[0, 0], w[-1, -1])
    assert f"// {done.stdout}" in snippet


def test_a_build_is_reproducible(tmp_path: Path) -> None:
    first, second = (build(tmp_path / name).read_bytes() for name in ("a.wasm", "b.wasm"))
    assert first == second
