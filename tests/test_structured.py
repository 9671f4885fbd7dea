"""Structured laws: what each promises of the whole tensor, and the law of what was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastinit as fi
from fastinit.distributions import from_dict
from fastinit.sparse import smallest

Shape = tuple[int, ...]
# One or more cases of every structured scheme.
STRUCTURED: dict[str, list[tuple[Shape, dict[str, Any]]]] = {
    "orthogonal": [((5, 5), {}), ((7, 3), {"gain": 2}), ((3, 7), {"axis": -1}), ((6, 2, 3), {"packed": 3}),
                   ((3, 4, 2), {"layout": "boi"})],
    "delta_orthogonal": [((5, 3, 3, 2), {}), ((3, 3, 4, 6), {"layout": "hwio", "groups": 2, "gain": 2})],
    "identity": [((3, 5), {}), ((2, 5, 3), {"gain": 2, "shift": 1}), ((3, 5), {"layout": "io"})],
    "dirac": [((5, 3, 3), {}), ((4, 2, 3, 2), {"groups": 2}), ((3, 2, 3, 4), {"layout": "hwio"})],
    "sparse": [((6, 4), {}), ((4, 5, 6), {"axis": -1, "sparsity": 0.5, "std": 1})],
}  # fmt: skip
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


def test_orthogonal_by_stacked_weight() -> None:
    experts = fi.orthogonal((5, 8, 6), seed=1, layout="bio")
    assert abs(experts.transpose(0, 2, 1) @ experts - np.eye(6)).max() < 1e-6
    assert abs(experts[0] - experts[1]).max() > 0.1


@pytest.mark.parametrize(("n_out", "n_in"), [(6, 4), (4, 6), (5, 5)])
def test_delta_orthogonal(n_out: int, n_in: int) -> None:
    weight = fi.delta_orthogonal((n_out, n_in, 4, 3), seed=1, gain=2)
    centre, short = weight[:, :, 1, 1], min(n_out, n_in)
    assert abs((centre if n_out == short else centre.T) @ (centre.T if n_out == short else centre)
               - 4 * np.eye(short)).max() < 1e-5  # fmt: skip
    assert np.count_nonzero(weight) == n_out * n_in
    hwio = fi.delta_orthogonal((4, 3, n_in, n_out), seed=1, gain=2, layout="hwio")
    assert np.array_equal(hwio, weight.transpose(2, 3, 1, 0))


def test_delta_orthogonal_of_groups() -> None:
    groups = fi.delta_orthogonal((6, 3, 3), seed=1, groups=2)[:, :, 1].reshape(2, 3, 3)
    assert abs(groups @ groups.transpose(0, 2, 1) - np.eye(3)).max() < 1e-6
    swapped = fi.delta_orthogonal((6, 3, 3), seed=1, groups=2, transposed=True)[:, :, 1].reshape(2, 3, 3)
    assert np.array_equal(swapped, groups.transpose(0, 2, 1))


def test_identity() -> None:
    assert np.array_equal(fi.identity((3, 5)), np.eye(3, 5))
    assert np.array_equal(fi.eye((4, 2, 5, 3), gain=2), np.broadcast_to(2 * np.eye(5, 3), (4, 2, 5, 3)))
    assert np.array_equal(fi.identity((5, 3), shift=2), np.roll(np.eye(5, 3), 2, axis=0))
    assert np.array_equal(fi.identity((5, 3), shift=-1, layout="io"), np.roll(np.eye(5, 3), -1, axis=1))
    assert np.array_equal(fi.identity((5, 3, 2), layout="oib"), np.stack([np.eye(5, 3)] * 2, -1))


@pytest.mark.parametrize(
    ("shape", "groups"), [((4, 5, 3), 1), ((6, 4, 3, 2), 2), ((6, 2, 1, 4, 3), 3)], ids=str
)
def test_dirac_is_torchs(shape: Shape, groups: int) -> None:
    """Written out tap by tap, as torch.nn.init.dirac_ does."""
    expected = np.zeros(shape)
    per_group = shape[0] // groups
    for group in range(groups):
        for d in range(min(per_group, shape[1])):
            expected[(group * per_group + d, d, *(k // 2 for k in shape[2:]))] = 1
    assert np.array_equal(fi.dirac(shape, groups=groups), expected)
    swapped = fi.dirac((shape[1], shape[0], *shape[2:]), layout="io" + "hwd"[: len(shape) - 2], groups=groups)
    assert np.array_equal(swapped, expected.swapaxes(0, 1))


def test_dirac_of_a_transposed_convolution() -> None:
    """Its groups lie along the inputs, which come first."""
    weight = fi.dirac((4, 3, 3), groups=2, transposed=True)
    assert np.argwhere(weight).tolist() == [[0, 0, 1], [1, 1, 1], [2, 0, 1], [3, 1, 1]]


def test_dirac_keeps_the_signal() -> None:
    weight, x = fi.dirac((4, 4, 3)), fi.normal((4, 20), seed=0)
    padded = np.pad(x, ((0, 0), (1, 1)))
    y = sum(weight[:, :, t] @ padded[:, t : t + 20] for t in range(3))
    assert np.array_equal(y, x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("axis", "sparsity"), [(0, 0.9), (1, 0.33), (-1, 0), (0, 1)])
def test_sparse(axis: int, sparsity: float, dtype: str) -> None:
    w = fi.sparse((301, 200), seed=1, sparsity=sparsity, axis=axis, std=2, dtype=dtype)
    length = w.shape[axis]
    assert (np.count_nonzero(w == 0, axis=axis) == -(-length * sparsity // 1)).all()
    kept = w[w != 0]
    if kept.size:
        assert abs(kept.mean()) < 5 * 2 / kept.size**0.5 and abs(kept.std() / 2 - 1) < 5 / kept.size**0.5


def test_sparse_zeros_are_anywhere() -> None:
    """Each row, and each pair of rows, is empty as often as any other."""
    columns = 40_000
    empty = fi.sparse((5, columns), seed=1, sparsity=0.4) == 0
    alone, together = empty.mean(1), (empty[:, None] & empty[None]).mean(2)[np.triu_indices(5, 1)]
    assert (abs(alone - 0.4) < 5 * (0.4 * 0.6 / columns) ** 0.5).all()
    assert (abs(together - 0.1) < 5 * (0.1 * 0.9 / columns) ** 0.5).all()


def test_equal_words_go_by_position() -> None:
    words = np.array([[7, 3, 7, 3, 7], [0, 0, 0, 0, 0]], np.uint32)
    assert smallest(words, 3).tolist() == [[True, True, False, True, False], [True, True, True, False, False]]


BAD: list[tuple[str, Shape, dict[str, Any], str]] = [
    ("orthogonal", (3,), {}, "axes"),
    ("orthogonal", (3, 4), {"axis": 2}, "axis"),
    ("orthogonal", (3, 4), {"packed": 2}, "packed"),
    ("orthogonal", (3, 4), {"packed": 0}, "packed"),
    ("orthogonal", (3, 4), {"gain": float("nan")}, "gain"),
    ("orthogonal", (3, 4), {"gain": 1e39}, "too large"),
    ("orthogonal", (3, 4), {"layout": "ob"}, "layout"),
    ("delta_orthogonal", (3,), {}, "axes"),
    ("delta_orthogonal", (3, 4), {"gain": float("inf")}, "gain"),
    ("delta_orthogonal", (3, 4, 3), {"groups": 2}, "groups"),
    ("delta_orthogonal", (3, 4, 3), {"groups": 0}, "groups"),
    ("identity", (3,), {}, "axes"),
    ("identity", (3, 3), {"gain": float("nan")}, "gain"),
    ("identity", (3, 3, 2), {"layout": "oik"}, "kernel"),
    ("dirac", (3,), {}, "axes"),
    ("dirac", (3, 3, 3), {"groups": 2}, "groups"),
    ("dirac", (3, 3, 3), {"groups": -1}, "groups"),
    ("dirac", (3, 3, 3), {"gain": 1e39}, "too large"),
    ("sparse", (3, 3), {"sparsity": -0.1}, "sparsity"),
    ("sparse", (3, 3), {"sparsity": 1.1}, "sparsity"),
    ("sparse", (3, 3), {"sparsity": float("nan")}, "sparsity"),
    ("sparse", (3, 3), {"std": -1}, "std"),
    ("sparse", (3, 3), {"axis": 2}, "axis"),
    ("sparse", (), {}, "axis"),
]


@pytest.mark.parametrize(("scheme", "shape", "numbers", "word"), BAD, ids=str)
def test_bad_numbers_and_shapes(scheme: str, shape: Shape, numbers: dict[str, Any], word: str) -> None:
    out = np.full(shape, 7, np.float32)
    with pytest.raises(ValueError, match=word):
        fi.fill(out, scheme, seed=0, **numbers)
    assert (out == 7).all()


@pytest.mark.parametrize(
    ("scheme", "numbers"),
    [("identity", {"shift": 1.5}), ("identity", {"gain": "1"}), ("dirac", {"groups": True}),
     ("sparse", {"sparsity": None}), ("orthogonal", {"axis": 0.0}), ("sparse", {"axis": (0, 1)})],
    ids=str,
)  # fmt: skip
def test_numbers_of_the_wrong_type(scheme: str, numbers: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(numbers))):
        fi.distribution(scheme, (4, 4, 3), **numbers)


@pytest.mark.parametrize(("scheme", "shape", "numbers"), CASES, ids=str)
def test_no_elements(scheme: str, shape: Shape, numbers: dict[str, Any]) -> None:
    empty = (0, *shape[1:])
    assert getattr(fi, scheme)(empty, seed=0, **numbers).shape == empty
