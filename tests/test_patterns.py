"""Laws without chance, and sparse ones: each element against the formula written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import linalg, signal

import fastinit as fi
from fastinit.laws.sparse import smallest

Shape = tuple[int, ...]


def test_identity() -> None:
    assert np.array_equal(fi.identity((3, 5)), np.eye(3, 5))
    assert np.array_equal(fi.identity((4, 2, 5, 3), gain=2), np.broadcast_to(2 * np.eye(5, 3), (4, 2, 5, 3)))
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


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (4, 4), (3, 8)])
def test_n_m_sparse(n: int, m: int) -> None:
    w = fi.schemes.n_m_sparse((200, 160, 3), seed=1, n=n, m=m)
    assert (np.count_nonzero(w.reshape(200, -1, m, 3), axis=2) == n).all()
    # Each output's inputs sum up to the variance that lecun_normal has.
    assert abs(w.var() * 160 * 3 - 1) < 6 * (2 / w.size * m / n) ** 0.5
    places = (w.reshape(-1, m, 3) != 0).mean(axis=(0, 2))
    assert (abs(places - n / m) <= 5 * (n / m * (1 - n / m) / (w.size / m)) ** 0.5).all()


def test_n_m_sparse_along_the_input_axis() -> None:
    w = fi.schemes.n_m_sparse((3, 8, 6), seed=1, layout="kio")
    assert (np.count_nonzero(w.reshape(3, 2, 4, 6), axis=2) == 2).all()


def test_hadamard() -> None:
    assert np.array_equal(fi.schemes.hadamard((16, 16), gain=2), linalg.hadamard(16) / 2)
    assert np.array_equal(fi.schemes.hadamard((2, 3, 16)), np.stack([linalg.hadamard(16)[:3] / 4] * 2))
    assert np.array_equal(fi.schemes.hadamard((16, 5)), linalg.hadamard(16)[:, :5] / 4)


def test_zer_o() -> None:
    assert np.array_equal(fi.schemes.zer_o((3, 5)), np.eye(3, 5))
    expected = (linalg.hadamard(16)[:12, :5] / 4).astype(np.float32)
    weight = fi.schemes.zer_o((12, 5, 3, 2))
    assert np.array_equal(weight[:, :, 1, 1], expected)
    assert np.count_nonzero(weight) == 60
    # p = 8 is not a square: divided by sqrt(8), once.
    assert np.array_equal(
        fi.schemes.zer_o((7, 5), dtype="float64"), linalg.hadamard(8)[:7, :5] / math.sqrt(8)
    )


def test_bilinear() -> None:
    assert np.allclose(fi.schemes.bilinear((1, 1, 4))[0, 0], [0.25, 0.75, 0.75, 0.25], rtol=0)
    assert np.allclose(fi.schemes.bilinear((1, 1, 3))[0, 0], [0.5, 1, 0.5], rtol=0)
    weight = fi.schemes.bilinear((3, 3, 4, 3), gain=2)
    filter_ = 2 * np.outer([0.25, 0.75, 0.75, 0.25], [0.5, 1, 0.5])
    assert np.array_equal(weight, np.eye(3)[:, :, None, None] * filter_)
    down = fi.schemes.bilinear((1, 1, 4, 3), down=True)
    assert np.allclose(down[0, 0], filter_ / filter_.sum(), rtol=1e-6)


def test_bilinear_interpolates_a_line() -> None:
    """A transposed convolution of stride 2 turns the values of a line into values of that line, halfway steps."""
    taps, line, out = fi.schemes.bilinear((1, 1, 4), transposed=True)[0, 0], np.arange(6.0), np.zeros(14)
    for i, value in enumerate(line):
        out[2 * i : 2 * i + 4] += value * taps
    assert np.allclose(np.diff(out[2:-4]), 0.5)


def test_averaging() -> None:
    weight, x = fi.schemes.averaging((2, 2, 3, 2)), np.arange(12.0).reshape(2, 3, 2)
    assert np.allclose(np.tensordot(weight, x, 3), x.mean((1, 2)))


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", None])
@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
def test_stft(window: str | None, scaling: str | None, periodic: bool) -> None:
    frame, frequencies = 10, 9
    shape = (frame, 1, frequencies)
    numbers = {"window": window, "scaling": scaling, "periodic": periodic, "dtype": "float64"}
    got = fi.schemes.stft(shape, **numbers) + 1j * fi.schemes.stft(shape, side="imag", **numbers)
    weights = np.ones(frame) if window is None else signal.get_window(window, frame, periodic)
    if window and scaling == "density":
        weights /= np.sqrt((weights**2).sum())
    if window and scaling == "spectrum":
        weights /= weights.sum()
    turns = np.outer(np.arange(frame), np.arange(frequencies)) / (2 * (frequencies - 1))
    assert np.allclose(got[:, 0], weights[:, None] * np.exp(-2j * np.pi * turns), rtol=0, atol=1e-14)


def test_array() -> None:
    values = np.arange(6.0).reshape(2, 3)
    out = np.zeros((2, 3), order="F")
    fi.schemes.array(out=out, values=values)
    assert np.array_equal(out, values)
    law = fi.distribution("array", (2, 3), values=values)
    values[0, 0] = 7
    assert fi.fill(out, law)[0, 0] == 0 and hash(law) == hash(fi.distribution("array", (2, 3), values=out))
