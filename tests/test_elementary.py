"""Own elementary functions: within 2 units of the last place, and the same bits everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional

from fastinit.laws.exact_math import cos_of_turns, exp, expm1, log

mpmath = optional("mpmath")
BOTH_SIGNS = np.concatenate([s * np.geomspace(1e-12, 700, 4001) for s in (-1, 1)])
AROUND_1 = 1 + np.concatenate([s * np.geomspace(1e-15, 0.4, 2001) for s in (-1, 1)])
POSITIVE = np.concatenate([np.geomspace(1e-300, 1e300, 5001), AROUND_1, [5e-324, 1.0, 2.0**0.5]])


def units_off(values: np.ndarray, exact: list[Any]) -> float:
    """The largest error in units of the last place; infinite where an exact zero is missed."""
    with mpmath.workdps(40):
        return max(
            float(abs(mpmath.mpf(float(value)) - true) / float(np.spacing(abs(float(true)))))
            for value, true in zip(values, exact, strict=True)
        )


@pytest.mark.parametrize(
    ("ours", "name", "points"),
    [(exp, "exp", BOTH_SIGNS), (expm1, "expm1", BOTH_SIGNS), (log, "log", POSITIVE)],
)
def test_within_two_units_of_the_last_place(
    ours: Callable[..., np.ndarray], name: str, points: np.ndarray
) -> None:
    with mpmath.workdps(40):
        exact = [getattr(mpmath, name)(mpmath.mpf(float(x))) for x in points]
    assert units_off(ours(points), exact) < 2


@pytest.mark.parametrize("denominator", [1, 2, 3, 7, 8, 1000, 1024, 99_991])
def test_cosine(denominator: int) -> None:
    numerators = np.unique(np.linspace(-3 * denominator, 3 * denominator, 500).astype(np.int64))
    with mpmath.workdps(40):
        exact = [mpmath.cospi(mpmath.mpf(2 * int(n)) / denominator) for n in numerators]
    assert units_off(cos_of_turns(numerators, denominator), exact) < 2


def test_bits() -> None:
    x = np.arange(-6000, 6001) / 9 + 1e-3
    parts = [exp(x), expm1(x), log(abs(x)), cos_of_turns(np.arange(9999), 10_007)]
    digest = hashlib.sha256(np.concatenate(parts).astype("<f8").tobytes()).hexdigest()
    assert digest == "f4cac14ae94fb558b9ff078007848fe02dc4c48f05ab793cac335ef1b8467df9"
