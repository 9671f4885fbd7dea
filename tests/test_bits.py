"""docs/bits.md says the bits: the program written from only that page agrees with fastinit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from conftest import BITS, ROOT, program_of
from test_kernels import LAWS

import fastinit as fi
from fastinit import _core
from fastinit.drawing import memory
from fastinit.laws import Structured, base

bits_reference, make_bits = program_of("docs/bits_reference.py"), program_of("tools/make_bits.py")

KINDS = {
    "constant": fi.Constant,
    "uniform": fi.Uniform,
    "normal": fi.Normal,
    "truncated_normal": fi.TruncatedNormal,
}


def as_bits(values: list[Any], dtype: str) -> np.ndarray:
    """Floats that are values of the dtype, or words, as the dtype's bits."""
    if isinstance(values[0], int):
        return np.array(values, "u8" if dtype == "float64" else "u4")
    return np.array(values, "f8").astype(memory.numpy_dtype(dtype)).view(BITS[dtype])


def by_the_page(
    law: str, parameters: tuple[float, ...], dtype: str, seed: int, name: str, indices: Any
) -> np.ndarray:
    draw = bits_reference.draw
    return as_bits([draw(law, parameters, dtype, seed, name, int(i)) for i in indices], dtype)


def by_fastinit(
    law: str, parameters: tuple[float, ...], dtype: str, seed: int, name: str, start: int, count: int
) -> np.ndarray:
    values = memory.empty((count,), dtype)
    block = (slice(start, start + count),)
    fi.fill(values, KINDS[law](*parameters), seed=seed, name=name, shape=(2**56,), block=block)
    return values.view(f"u{values.itemsize}")


def test_the_tables_are_those_of_the_kernels() -> None:
    assert make_bits.TARGET.read_text() == make_bits.text(), "run python tools/make_bits.py"


EDGES = [
    ("uniform", (0.3, 0.3)),
    ("uniform", (1.0, 1.0 + 2.0**-40)),
    ("uniform", (-3e-5, 1e-8)),
    ("uniform", (2047.0, 2049.0)),
    ("uniform", (-65504.0, 65504.0)),
    ("uniform", (-448.0, 448.0)),
    ("uniform", (-3.0, 200.0)),
    ("uniform", (8.0, 8.5)),
    ("normal", (100.0, 30.0)),
    ("normal", (0.3, 0.0)),
    ("truncated_normal", (0.3, 0.0, -1.0, 1.0)),
    ("truncated_normal", (0.0, 1e-9, 0.7, 2.0)),
    ("truncated_normal", (0.0, 1e-9, -2.0, -0.7)),
    ("truncated_normal", (0.1, 0.3, -0.05, 60000.0)),
    ("truncated_normal", (0.0, 1.0, -0.06, 0.06)),
    ("truncated_normal", (0.0, 1.0, 30.0, 40.0)),
]


@pytest.mark.parametrize("dtype", _core.DTYPES)
@pytest.mark.parametrize(
    ("law", "parameters"), [*(given for case, given in LAWS.items() if case != "bits"), *EDGES]
)
def test_agrees_with_fastinit(law: str, parameters: tuple[float, ...], dtype: str) -> None:
    if law == "uniform" and parameters[1] > bits_reference.FORMATS[dtype][2]:
        with pytest.raises(ValueError, match="beyond"):
            by_fastinit(law, parameters, dtype, 0, "weight", 0, 1)
        return
    for seed, name, start in ((0, "weight", 5), (2**64 - 1, "", 2**40 - 7), (7, "层.0.权重", 2**34 - 9)):
        want = by_fastinit(law, parameters, dtype, seed, name, start, 40)
        got = by_the_page(law, parameters, dtype, seed, name, range(start, start + 40))
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("case", ["normal", "truncated 6", "truncated skew", "truncated one-sided"])
def test_agrees_where_words_are_lengthened(case: str) -> None:
    words = fi.drawing.random_bits(1 << 20, seed=3, name="rare").view(np.int32)
    law, parameters = LAWS[case]
    rare = np.flatnonzero(abs(words.astype(np.int64)) < 1 << 17)
    assert len(rare) > 50
    want = by_fastinit(law, parameters, "float32", 3, "rare", 0, 1 << 20)
    np.testing.assert_array_equal(by_the_page(law, parameters, "float32", 3, "rare", rare), want[rare])


def test_the_page_has_all_structured_laws_that_draw() -> None:
    section = (ROOT / "docs" / "bits.md").read_text().split("\n## Structured laws\n")[1].split("\n## ")[0]
    named = set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))
    kin = {"delta_orthogonal", "conv_orthogonal"}
    draw_nothing = {
        "array",
        "channelwise",
        "forget_gate",
        "hadamard",
        "identity",
        "state_matrix",
        "stft",
        "zer_o",
    }
    parts = {"complex_parts"}  # beneath "Complex dtypes"
    structured = {law for law, kind in base._KINDS.items() if issubclass(kind, Structured)}
    assert named | kin | draw_nothing | parts == structured


def test_known_answers_of_the_page() -> None:
    page = (ROOT / "docs" / "bits.md").read_text().split("\n## Known answers\n")[1].split("\n## ")[0]
    key, words = re.findall(r"`((?:[0-9a-f]{8} ?){4})`", page)
    stream = bits_reference.key(0, "weight")
    assert [int(k, 16) for k in key.split()] == list(stream)
    assert [int(w, 16) for w in words.split()] == list(bits_reference.block(0, stream))
    rows = re.findall(r"^\| (\w+)\((.*?)\) \| (\w+) \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) == 3 * len(_core.DTYPES)
    for law, numbers, dtype, shown in rows:
        parameters = tuple(float(number) for number in numbers.split(", "))
        want = [int(bits, 16) for bits in re.findall(r"`0x(\w+)`", shown)]
        assert by_fastinit(law, parameters, dtype, 0, "weight", 0, 4).tolist() == want
        assert by_the_page(law, parameters, dtype, 0, "weight", range(4)).tolist() == want
