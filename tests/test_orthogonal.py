"""Orthogonal laws: what is orthonormal, and the law of what was drawn."""

from __future__ import annotations

import numpy as np
import pytest

import fastinit as fi

Shape = tuple[int, ...]


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


@pytest.mark.parametrize(
    ("shape", "groups"), [((5, 3, 4), 1), ((3, 5, 3, 2), 1), ((4, 4, 2, 3, 3), 1), ((6, 2, 3, 3), 2), ((1, 1, 3), 1)], ids=str
)  # fmt: skip
def test_conv_orthogonal(shape: Shape, groups: int) -> None:
    """At every frequency of a circular convolution the channels' matrix is semi-orthogonal."""
    weight = fi.schemes.conv_orthogonal(shape, seed=1, gain=2, groups=groups, dtype="float64")
    for part in np.split(weight, groups):
        axes = range(2, part.ndim)
        response = np.moveaxis(np.fft.fftn(part, [7] * len(axes), axes), (0, 1), (-2, -1))
        if part.shape[0] < part.shape[1]:
            response = response.swapaxes(-1, -2)
        gram = response.conj().swapaxes(-1, -2) @ response
        assert abs(gram - 4 * np.eye(min(part.shape[:2]))).max() < 1e-12
    if shape != (1, 1, 3):
        assert all(abs(weight).max(axis=(0, 1)).ravel() > 1e-3)


def test_conv_orthogonal_of_any_layout() -> None:
    oihw = fi.schemes.conv_orthogonal((5, 3, 3, 2), seed=1)
    assert np.array_equal(
        fi.schemes.conv_orthogonal((3, 2, 3, 5), seed=1, layout="hwio"), oihw.transpose(2, 3, 1, 0)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (5, 7), (64, 64), (100, 60), (512, 300)], ids=str)
def test_hadamard_orthogonal(shape: Shape, dtype: str) -> None:
    matrix = fi.schemes.hadamard_orthogonal(shape, seed=1, dtype=dtype, gain=0.5)
    short = matrix if shape[0] <= shape[1] else matrix.T
    assert abs(short @ short.T - 0.25 * np.eye(len(short))).max() < 20 * np.finfo(dtype).eps


@pytest.mark.parametrize("n", [8, 11])
def test_moments_of_hadamard_orthogonal(n: int) -> None:
    """Mean 0, variance 1/n and no correlation for every entry, over many draws."""
    count = 4000
    draws = np.array(
        [fi.schemes.hadamard_orthogonal((n, n), seed=0, name=str(i)) for i in range(count)], np.float64
    )
    entries = draws.reshape(count, -1)
    moments = entries.T @ entries / count
    # Entries are sums of a few discrete values: at most 3 times as scattered as normal ones.
    assert abs(entries.mean(0)).max() < 6 / (n * count) ** 0.5
    assert abs(moments - np.eye(n * n) / n).max() < 6 * 3 / n / count**0.5


@pytest.mark.parametrize("n", [256, 300])
def test_hadamard_orthogonal_is_nearly_normal(n: int) -> None:
    entries = fi.schemes.hadamard_orthogonal((n, n), seed=1).astype(np.float64).ravel() * n**0.5
    assert abs((entries**4).mean() - 3) < 0.2 and abs(entries).max() < 6
