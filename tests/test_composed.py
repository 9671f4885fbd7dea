"""Distributions made of others: what they draw, and what they refuse."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np
import pytest

import fastinit as fi
from fastinit.laws.composed import Patched, Transformed
from fastinit.laws.distributions import Constant, Normal, Uniform
from fastinit.laws.orthogonal import Orthogonal
from fastinit.laws.patterns import Given
from fastinit.laws.transformed import Icnr
from fastinit.laws.views import Norms, Viewed


def drawn(law: Any, shape: tuple[int, ...], dtype: str = "float32", block: Any = ...) -> np.ndarray:
    part = np.empty(np.empty(shape)[block].shape, dtype)
    fi.fill(part, law, seed=3, name="w", shape=shape, block=block)
    return part


SOFTPLUS_INVERSE = ("add", ("exp", "x"), ("log", ("neg", ("expm1", ("neg", ("exp", "x"))))))
FORMULAS: list[tuple[Any, Any]] = [
    (("log", "x"), np.log),
    (("sqrt", ("div", "x", 4)), lambda x: np.sqrt(x / 4)),
    (("maximum", ("sub", 3.0, "x"), ("minimum", "x", 1.5)), lambda x: np.maximum(3 - x, np.minimum(x, 1.5))),
    (("abs", ("mul", "x", -2)), lambda x: 2 * x),
    (SOFTPLUS_INVERSE, lambda x: np.exp(x) + np.log(-np.expm1(-np.exp(x)))),
]


@pytest.mark.parametrize(("formula", "expected"), FORMULAS)
def test_function(formula: Any, expected: Any) -> None:
    x = drawn(Uniform(1.0, 2.0), (50, 7), "float64")
    assert np.allclose(
        drawn(Transformed(Uniform(1.0, 2.0), formula), (50, 7), "float64"), expected(x), rtol=1e-15
    )
    single = drawn(Transformed(Uniform(1.0, 2.0), formula), (50, 7))
    x = drawn(Uniform(1.0, 2.0), (50, 7)).astype(np.float64)
    assert np.allclose(single, expected(x), rtol=1e-7)
    assert np.array_equal(
        drawn(Transformed(Uniform(1.0, 2.0), formula), (50, 7), block=np.s_[3:9, 2]), single[3:9, 2]
    )


def test_a_formula_need_not_name_x() -> None:
    assert (drawn(Transformed(Normal(), 2.0), (50, 7), block=np.s_[3:9, 2]) == 2).all()


def test_patched() -> None:
    boxes = [
        ((2, (0, 6, 1)), Constant(0.0)),
        (((3, 8, 2), (1, 5, 1)), Uniform(5.0, 6.0)),
        (((8, 10, 1), 0), Normal()),
    ]
    law = Patched(Normal(), boxes)
    whole, plain = drawn(law, (10, 6)), drawn(Normal(), (10, 6))
    outside = np.ones((10, 6), bool)
    outside[2] = outside[3:8:2, 1:5] = outside[8:10, 0] = False
    assert np.array_equal(whole[outside], plain[outside]) and not whole[2].any()
    assert (whole[3:8:2, 1:5] >= 5).all() and len(np.unique(whole[3:8:2, 1:5])) == 12
    assert not set(whole[8:10, 0]) & set(plain.ravel())  # the stream goes on
    assert np.array_equal(drawn(law, (10, 6), block=np.s_[1:9:3, ::-1]), whole[1:9:3, ::-1])


def test_patches_may_be_structured_and_hide_each_other() -> None:
    law = Patched(Orthogonal(), [((0,) * 2, Constant(9.0)), (((0, 4, 1), (0, 4, 1)), Orthogonal(2.0))])
    whole = drawn(law, (8, 4), "float64")
    assert np.allclose(whole[:4] @ whole[:4].T, 4 * np.eye(4)) and whole[0, 0] != 9


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Transformed(Normal(), ("erf", "x")), ValueError, "operation 'erf'"),
        (lambda: Transformed(Normal(), ("exp", "y")), TypeError, "formula"),
        (lambda: Transformed(Normal(), math.nan), ValueError, "formula"),
        (lambda: Transformed(Normal(), ("add", "x")), ValueError, "'add' of 1 operands"),
        (lambda: Transformed(Normal(), ("add", 1.0, 2.0, "x")), ValueError, "'add' of 3 operands"),
        (
            lambda: Transformed(Normal(), reduce(lambda x, _: ("neg", x), range(201), "x")),
            ValueError,
            "nested",
        ),
        (lambda: Transformed(3.0, "x"), TypeError, "distribution"),
        (lambda: Transformed(Orthogonal(), "x").check((3,)), ValueError, "axes"),
        (
            lambda: Transformed(Normal(), ("mul", "x", Given([1.0, 2.0]))).check((2, 3)),
            ValueError,
            "do not fit",
        ),
        (lambda: Transformed(Normal(), ("mul", "x", Normal().to_dict())), TypeError, "given values"),
        (lambda: Viewed(Normal(), (2, 3), (3, 2), (1, 3), 1), ValueError, "does not fit into"),
        (lambda: Viewed(Normal(), (2, 3), (3,), (1, 3)), ValueError, "strides"),
        (
            lambda: Viewed(Normal(), (2, 3), (3, 2), (1, 3)).check((5,)),
            ValueError,
            r"view has shape \(3, 2\)",
        ),
        (lambda: Norms(Normal(), (2, 3), (0, 0)), ValueError, "twice"),
        (lambda: Norms(Normal(), (2, 3), (2,)), ValueError, "axis 2"),
        (lambda: Norms(Normal(), (2, 3), (1,)).check((3,)), ValueError, "2 norms"),
        (lambda: Norms(Normal(), (2, 3), (1,), 5), TypeError, "of must be a name"),
        (lambda: Icnr(3.0), TypeError, "distribution"),
        (lambda: Patched(Normal(), [(((0, 3),), Constant(0.0))]), ValueError, "start, stop, step"),
        (lambda: Patched(Normal(), [((-1,), Constant(0.0))]), ValueError, "box"),
        (lambda: Patched(Normal(), [(((0, 3, 0),), Constant(0.0))]), ValueError, "box"),
        (lambda: Patched(Normal(), [((1.5,), Constant(0.0))]), TypeError, "box"),
        (lambda: Patched(Normal(), [((1,), Constant(0.0))]).check((2, 2)), ValueError, r"axes.*\(2, 2\)"),
        (lambda: Patched(Normal(), [((2, 0), Constant(0.0))]).check((2, 2)), ValueError, "out of range"),
        (lambda: Patched(Orthogonal(), ()).check((2,)), ValueError, "axes"),
        (lambda: Patched(Normal(), [((0, (0, 2, 1)), Orthogonal())]).check((2, 2)), ValueError, "axes"),
    ],
)
def test_refused(make: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
