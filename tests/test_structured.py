"""Structured laws: what each promises of the whole tensor, and the law of what was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastinit as fi
from fastinit.distributions import from_dict

Shape = tuple[int, ...]
# One or more cases of every structured scheme.
STRUCTURED: dict[str, list[tuple[Shape, dict[str, Any]]]] = {
    "orthogonal": [((5, 5), {}), ((7, 3), {"gain": 2}), ((3, 7), {"axis": -1}), ((6, 2, 3), {"packed": 3})],
}
CASES = [(scheme, shape, numbers) for scheme, cases in STRUCTURED.items() for shape, numbers in cases]


@pytest.mark.parametrize(("scheme", "shape", "numbers"), CASES, ids=str)
def test_any_block_any_dtype_any_layout(scheme: str, shape: Shape, numbers: dict[str, Any]) -> None:
    function = getattr(fi, scheme)
    whole = function(shape, seed=3, name="w", **numbers)
    again = np.asfortranarray(np.empty(shape, np.float32))
    function(out=again, seed=3, name="w", threads=1, **numbers)
    assert np.array_equal(whole, again)
    block = (slice(1, None), ..., slice(None, None, 2))
    assert np.array_equal(function(shape, seed=3, name="w", block=block, **numbers), whole[block])
    half = function(shape, seed=3, name="w", dtype="bfloat16", **numbers)
    assert np.array_equal(half, whole.astype(half.dtype))


@pytest.mark.parametrize(("scheme", "shape", "numbers"), CASES, ids=str)
def test_json(scheme: str, shape: Shape, numbers: dict[str, Any]) -> None:
    law = fi.distribution(scheme, shape, **numbers)
    assert from_dict(law.to_dict()) == law


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(1, 1), (5, 5), (300, 200), (200, 300), (129, 128), (64, 32, 3, 3)], ids=str
)
def test_orthogonal(shape: Shape, dtype: str) -> None:
    matrix = fi.orthogonal(shape, seed=1, name="w", dtype=dtype, gain=0.5).reshape(shape[0], -1)
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    assert abs(short @ short.T - 0.25 * np.eye(len(short))).max() < 40 * np.finfo(dtype).eps


def test_orthogonal_by_axis_and_by_packed_weight() -> None:
    matrix = np.moveaxis(fi.orthogonal((3, 4, 20), seed=1, axis=-1), -1, 0).reshape(20, 12)
    assert abs(matrix.T @ matrix - np.eye(12)).max() < 1e-6
    gates = fi.orthogonal((32, 8), seed=1, packed=4).reshape(4, 8, 8)
    assert abs(gates @ gates.transpose(0, 2, 1) - np.eye(8)).max() < 1e-6
    assert abs(gates[0] - gates[1]).max() > 0.1


def test_orthogonal_is_haar() -> None:
    """Moments of Haar's law on O(3): of the trace, of an entry, of the determinant."""
    n = 4000
    draws = np.array([fi.orthogonal((3, 3), seed=0, name=str(i)) for i in range(n)], np.float64)
    trace, entry = np.trace(draws, axis1=1, axis2=2), draws[:, 0, 1]
    for values, mean in ((trace, 0), (trace**2, 1), (trace**4, 3), (entry, 0), (entry**2, 1 / 3), (entry**4, 1 / 5),
                         (np.linalg.det(draws), 0)):  # fmt: skip
        assert abs(values.mean() - mean) < 5 * values.std() / n**0.5


@pytest.mark.parametrize(
    ("shape", "numbers", "word"),
    [((3,), {}, "axes"), ((3, 4), {"axis": 2}, "axis"), ((3, 4), {"packed": 2}, "packed"),
     ((3, 4), {"packed": 0}, "packed"), ((3, 4), {"gain": float("nan")}, "gain")],
    ids=str,
)  # fmt: skip
def test_bad_orthogonal(shape: Shape, numbers: dict[str, Any], word: str) -> None:
    out = np.full(shape, 7, np.float32)
    with pytest.raises(ValueError, match=word):
        fi.fill(out, "orthogonal", seed=0, **numbers)
    assert (out == 7).all()
