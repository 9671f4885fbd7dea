"""The tables of csrc/coefficients.h against the functions they stand for, in 40 digits.

The kernels equal tests/reference.py bit for bit, and both read these tables: what is wrong here is wrong in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import mpmath
import numpy as np
import pytest
from mpmath import mpf
from reference import CONSTANTS, TABLES

POINTS = 33


@pytest.fixture(autouse=True)
def forty_digits() -> Iterator[None]:
    with mpmath.workdps(40):
        yield


def polynomial(coefficients: np.ndarray, x: mpf) -> mpf:
    return reduce(lambda y, c: y * x + mpf(float(c)), coefficients[::-1], mpf(0))


def grid(low: float, high: float) -> list[mpf]:
    return [mpf(low) + (mpf(high) - low) * i / (POINTS - 1) for i in range(POINTS)]


def upper(z: mpf) -> mpf:
    return mpmath.erfc(z / mpmath.sqrt(2)) / 2


def distance(z: mpf, probability: mpf) -> float:
    """From z to the quantile whose tail probability is given."""
    return float(abs(upper(z) - probability) / mpmath.npdf(z))


@pytest.mark.parametrize(("name", "pieces", "error"), [("quantile_f", 2, 1.9e-7), ("quantile_d", 1, 2.8e-16)])
def test_quantile(name: str, pieces: int, error: float) -> None:
    for octave in range(17, 31):
        for piece in range(pieces):
            column = TABLES[name][:, pieces * (octave - 17) + piece]
            for x in grid(piece / pieces - 0.5, (piece + 1) / pieces - 0.5):
                probability = mpf(2) ** (octave - 32) * (x + 1.5)
                assert distance(polynomial(column, x), probability) < 1.05 * error, (octave, float(x))


@pytest.mark.parametrize("name", ["quantile_f", "quantile_d"])
def test_quantile_of_one_half(name: str) -> None:
    """Words that round to probability 1/2: a value that is small and not zero, so that it has a sign."""
    pieces = TABLES[name].shape[1] // 16
    column = TABLES[name][:, 14 * pieces]
    assert 0 < column[0] < 1e-7 and not column[1:].any()


def test_the_table_of_the_centre_is_the_other_ones() -> None:
    for octave in range(23, 31):
        for piece in (0, 1):
            got = TABLES["quantile_f16"][:, 2 * ((octave - 17) % 8) + piece]
            np.testing.assert_array_equal(got, TABLES["quantile_f"][:, 2 * (octave - 17) + piece])


def test_tail() -> None:
    for loss in grid(10.4, CONSTANTS["TAIL_END"]):
        z = polynomial(TABLES["tail_poly"], mpmath.sqrt(loss) - mpf(CONSTANTS["TAIL_CENTRE"]))
        assert distance(z, mpmath.exp(-loss)) < 4.5e-16, float(loss)


def test_logarithm() -> None:
    for s in grid(1e-3, float(mpmath.sqrt(2) - 1) / float(mpmath.sqrt(2) + 1)):
        value = 2 * s + s**3 * polynomial(TABLES["log_poly"], s * s)
        assert abs(value - mpmath.log((1 + s) / (1 - s))) < 4e-16 * s**3 + mpf(10) ** -30, float(s)


def test_sine_and_cosine() -> None:
    for x in grid(0, 0.5):
        assert (
            abs(x * polynomial(TABLES["sin_poly"], x * x) - mpmath.sin(mpmath.pi * x / 2))
            < 6.5e-17 * x + 1e-30
        )
        assert abs(polynomial(TABLES["cos_poly"], x * x) - mpmath.cos(mpmath.pi * x / 2)) < 2e-17
