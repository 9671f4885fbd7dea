"""Laws that are functions of others', biases and state matrices: the law of what was drawn, and formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import fastinit as fi

N = 100_000
LEVEL = 1e-6  # of every test of a law: with a fixed seed a failure is a bug


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_uniform(dtype: str) -> None:
    x = fi.schemes.log_uniform((N,), seed=1, low=1e-3, high=10, dtype=dtype)
    assert x.min() >= 1e-3 * (1 - 1e-7) and x.max() <= 10
    assert (
        stats.kstest(np.log(x.astype(np.float64)), stats.uniform(np.log(1e-3), np.log(1e4)).cdf).pvalue
        > LEVEL
    )


def complex_(x: np.ndarray) -> np.ndarray:
    return x.view(np.complex64 if x.dtype == np.float32 else np.complex128)[..., 0]


def assert_round(z: np.ndarray) -> None:
    """Angles are uniform and say nothing of the modulus."""
    angle = np.angle(z.astype(np.complex128)) / (2 * np.pi) + 0.5
    assert stats.kstest(angle, "uniform").pvalue > LEVEL
    assert stats.kstest(angle[abs(z) < np.median(abs(z))], "uniform").pvalue > LEVEL


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_complex_laws(dtype: str) -> None:
    z = complex_(fi.complex_normal((N, 2), seed=1, std=3, dtype=dtype))
    assert_round(z)
    assert stats.kstest(abs(z).astype(np.float64) ** 2 / 9, "expon").pvalue > LEVEL
    z = complex_(fi.schemes.complex_uniform((N, 2), seed=1, radius=3, dtype=dtype))
    assert_round(z)
    assert stats.kstest(abs(z).astype(np.float64) ** 2 / 9, "uniform").pvalue > LEVEL
    assert abs(z).max() <= 3 * (1 + 1e-6)
    z = complex_(fi.schemes.complex_truncated_normal((N, 2), seed=1, std=3, dtype=dtype))
    assert_round(z)
    squares = abs(z).astype(np.float64) ** 2 / 9
    assert stats.kstest(squares, stats.truncexpon(4).cdf).pvalue > LEVEL
    assert squares.max() <= 4 * (1 + 1e-6)
    realised = 0.96196182800821354**2
    assert abs(squares.mean() - realised) < 5 * squares.std() / N**0.5


def test_constant_of_the_complex_truncated_normal() -> None:
    """Variance of an exponential variable cut at 4: 1 - 4 e^-4 / (1 - e^-4)."""
    assert math.sqrt(1 - 4 * math.exp(-4) / (1 - math.exp(-4))) == pytest.approx(
        0.96196182800821354, rel=1e-15
    )
    assert stats.truncexpon(4).mean() == pytest.approx(0.96196182800821354**2)


def pixel_shuffle(x: np.ndarray, r: int) -> np.ndarray:
    """torch.nn.PixelShuffle of (channels, height, width), as its documentation defines it."""
    c, h, w = x.shape
    return x.reshape(c // r**2, r, r, h, w).transpose(0, 3, 1, 4, 2).reshape(c // r**2, h * r, w * r)


def test_icnr_has_no_checkerboard() -> None:
    r = 2
    weight = fi.schemes.icnr((12, 5, 1, 1), seed=1, factor=r)[:, :, 0, 0]
    image = pixel_shuffle(np.tensordot(weight, fi.normal((5, 4, 4), seed=0), 1), r)
    assert np.array_equal(image, np.repeat(np.repeat(image[:, ::r, ::r], r, 1), r, 2))
    assert len(np.unique(image)) == 3 * 4 * 4
    assert np.array_equal(weight[::4], fi.he_normal((3, 5, 1, 1), seed=1)[:, :, 0, 0])


def test_icnr_of_other_laws_and_orders() -> None:
    inner = fi.orthogonal((3, 5, 2), seed=1, gain=2)
    weight = fi.schemes.icnr(
        (6, 5, 2), seed=1, inner="orthogonal", inner_numbers={"gain": 2}, order="depth_to_space"
    )
    assert np.array_equal(weight, np.concatenate([inner, inner]))
    turned = fi.schemes.icnr((5, 8, 3, 3), seed=1, transposed=True)
    assert np.array_equal(turned[:, ::4], fi.he_normal((5, 2, 3, 3), seed=1, transposed=True))
    hwio = fi.schemes.icnr((3, 3, 5, 8), seed=1, layout="hwio", inner="lecun_uniform")
    assert np.array_equal(hwio[..., ::4], fi.lecun_uniform((3, 3, 5, 2), seed=1, layout="hwio"))


def test_gates() -> None:
    assert fi.schemes.forget_gate_bias(8).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    assert (
        fi.schemes.forget_gate_bias((2, 6), gates=3, forget=2, value=2).tolist() == [[0, 0, 0, 0, 2, 2]] * 2
    )


def test_chrono() -> None:
    i, f, g, o = fi.schemes.chrono(4 * N, seed=1, t_max=50).reshape(4, N).astype(np.float64)
    assert np.array_equal(i, -f) and not g.any() and not o.any()
    assert stats.kstest(np.exp(f), stats.uniform(1, 48).cdf).pvalue > LEVEL
    f, g, i = fi.schemes.chrono(9, seed=1, t_max=50, gates=3, forget=0, input=2).reshape(3, 3)
    assert np.array_equal(i, -f) and not g.any()


def test_dt_bias() -> None:
    bias = fi.schemes.dt_bias(N, seed=1, dtype="float64")
    steps = np.log1p(np.exp(bias))
    assert stats.kstest(np.log(steps), stats.uniform(np.log(1e-3), np.log(100)).cdf).pvalue > LEVEL
    assert np.allclose(steps, fi.schemes.log_uniform(N, seed=1, dtype="float64"), rtol=1e-12)
    floored = np.log1p(np.exp(fi.schemes.dt_bias(N, seed=1, low=1e-5, dtype="float64")))
    assert floored.min() == pytest.approx(1e-4, rel=1e-10) and (floored < 1.001e-4).mean() > 0.2


def test_state_matrices() -> None:
    n = np.arange(8)
    assert np.allclose(fi.schemes.mamba_a_log((3, 8), dtype="float64"), [np.log(n + 1)] * 3, rtol=1e-15)
    assert np.array_equal(fi.schemes.s4d_real((3, 8)), [-1.0 - n] * 3)
    assert np.allclose(complex_(fi.schemes.s4d_lin((3, 8, 2), dtype="float64")), [-0.5 + 1j * np.pi * n] * 3)
    for numbers, states in (({}, 16), ({"states": 8}, 8)):
        expected = -0.5 + 1j * states / np.pi * (states / (2 * n + 1) - 1)
        assert np.allclose(complex_(fi.schemes.s4d_inv((8, 2), dtype="float64", **numbers)), expected)
    legs = [[-(((2 * i + 1) * (2 * j + 1)) ** 0.5) if i > j else -(i + 1) * (i == j) for j in n] for i in n]
    assert np.allclose(fi.schemes.hippo_legs((2, 8, 8), dtype="float64"), [legs] * 2, rtol=1e-15)


def test_s4d_inv_approximates_hippo() -> None:
    """Its modes follow the eigenvalues of HiPPO's normal part, whose real parts are all -1/2."""
    n = 64
    root = np.sqrt(2.0 * np.arange(n) + 1)
    normal = fi.schemes.hippo_legs((n, n), dtype="float64") + 0.5 * np.outer(root, root)
    eigenvalues = np.linalg.eigvals(normal)
    assert np.allclose(eigenvalues.real, -0.5)
    largest, ours = np.sort(eigenvalues.imag)[::-1], fi.schemes.s4d_inv((n // 2, 2), dtype="float64")[:, 1]
    assert np.allclose(ours[:3], largest[:3], rtol=0.15)
