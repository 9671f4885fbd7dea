"""Bad and degenerate input: the right error, and the target untouched."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

import fastinit as fi


@pytest.mark.parametrize("shape", [1.5, "3", True, (2, None), (True, 2)])
def test_shape_types(shape: Any) -> None:
    with pytest.raises(TypeError, match="shape"):
        fi.normal(shape)


@pytest.mark.parametrize("shape", [-1, (2, -3), (2**40, 2**40), (0, 2**62, 2**62), (1,) * 65])
def test_shape_values(shape: Any) -> None:
    with pytest.raises(ValueError, match="shape"):
        fi.normal(shape)


def test_too_much_memory() -> None:
    with pytest.raises(MemoryError):
        fi.normal(2**48)
    with pytest.raises(MemoryError):
        fi.normal(2**60 - 1, dtype="float64")


def test_numbers_beyond_floats() -> None:
    with pytest.raises(ValueError, match="fans"):
        fi.fans((3, 4, 5), stride=10**400)
    assert (fi.identity((3, 4), shift=3 * 10**30 + 1) == fi.identity((3, 4), shift=1)).all()


@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (2, 0, 3)])
def test_empty_arrays(shape: tuple[int, ...]) -> None:
    assert fi.normal(shape).shape == shape
    with pytest.raises(ValueError, match="std"):
        fi.normal(shape, std=-1)
    if len(shape) > 1:
        assert fi.he_normal(shape).shape == shape


def test_scalars() -> None:
    assert fi.normal((), seed=0).shape == ()
    assert fi.normal((), seed=0) == fi.normal(1, seed=0)[0]
    for shape in ((), (3,)):
        with pytest.raises(ValueError, match="fan"):
            fi.he_normal(shape)
    assert fi.he_normal((3,), fan_in=3).shape == (3,)


@pytest.mark.parametrize(
    "dtype", [np.int32, bool, object, "U3", "M8[s]", np.clongdouble, "foo", ",", "1,(", ">f4", np.longdouble]
)
def test_dtypes(dtype: Any) -> None:
    with pytest.raises(TypeError, match="dtype"):
        fi.normal(3, dtype=dtype)


class Untouched:
    """A target of sevens that must stay one."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.before = array, array.tobytes()

    def __enter__(self) -> np.ndarray:
        return self.array

    def __exit__(self, *_: object) -> None:
        assert self.array.tobytes() == self.before


BAD_NUMBERS = [
    ("normal", {"std": -1}, ValueError),
    ("normal", {"std": float("nan")}, ValueError),
    ("normal", {"std": float("inf")}, ValueError),
    ("normal", {"mean": float("nan")}, ValueError),
    ("normal", {"std": 1e38}, ValueError),
    ("normal", {"std": "1"}, TypeError),
    ("normal", {"std": None}, TypeError),
    ("normal", {"std": 1j}, TypeError),
    ("normal", {"std": np.ones(2)}, TypeError),
    ("normal", {"stdd": 1.0}, TypeError),
    ("uniform", {"low": 1, "high": 0}, ValueError),
    ("uniform", {"low": 0, "high": 1e300}, ValueError),
    ("uniform", {"low": 1 + 1e-12, "high": 1 + 2e-12}, ValueError),
    ("uniform", {"eps": 1}, TypeError),
    ("normal", {"groups": 1}, TypeError),
    ("zeros", {"layout": "oik"}, TypeError),
    ("he_normal", {"gain": 1, "negative_slope": 0.1}, ValueError),
    ("he_normal", {"gain": 1, "activation": "rellu"}, ValueError),
    ("orthogonal", {"groups": 3}, ValueError),
    ("orthogonal", {"groups": 2, "axis": 1}, ValueError),
    ("truncated_normal", {"low": 1, "high": 1}, ValueError),
    ("truncated_normal", {"low": float("nan")}, ValueError),
    ("truncated_normal", {"bounds": "relative"}, ValueError),
    ("constant", {"value": 1e39}, ValueError),
    ("constant", {"value": float("nan")}, ValueError),
    ("xavier_uniform", {"gain": float("nan")}, ValueError),
    ("xavier_uniform", {"gain": -1}, ValueError),
    ("he_normal", {"fan_in": 0}, ValueError),
    ("he_normal", {"fan_in": -1}, ValueError),
    ("he_normal", {"fan_in": float("nan")}, ValueError),
    ("he_normal", {"gain": 1e200}, ValueError),
    ("he_normal", {"stride": 10**400}, ValueError),
    ("n_m_sparse", {"n": 10**400}, ValueError),
    ("class_prior", {"classes": 10**400}, ValueError),
    ("s4d_inv", {"states": 10**400}, ValueError),
    ("he_normal", {"groups": 0}, ValueError),
    ("he_normal", {"groups": 5}, ValueError),
    ("he_normal", {"layout": "xyz"}, ValueError),
    ("he_normal", {"layout": "oi"}, ValueError),
    ("he_normal", {"mode": "fan_inn"}, ValueError),
    ("he_normal", {"activation": "rellu"}, ValueError),
    ("he_normal", {"threads": 0}, ValueError),
    ("he_normal", {"threads": -1}, ValueError),
    ("he_normal", {"threads": 1.5}, TypeError),
    ("he_normal", {"shape": (4, 4)}, ValueError),
    ("he_normal", {"block": np.s_[:2]}, ValueError),
    ("He_Normal", {}, ValueError),
    ("he_norml", {}, ValueError),
]


@pytest.mark.parametrize(("scheme", "numbers", "error"), BAD_NUMBERS, ids=lambda v: str(v)[:40])
def test_bad_numbers_leave_the_target_alone(
    scheme: str, numbers: dict[str, Any], error: type[Exception]
) -> None:
    with Untouched(np.full((4, 2, 3), 7, np.float32)) as out, pytest.raises(error):
        fi.fill(out, scheme, **numbers)


def test_what_is_kept_is_not_drawn() -> None:
    out = np.full(3, 7, np.float32)
    with pytest.raises(TypeError, match=r"Kept\(\) is not a distribution to draw from"):
        fi.fill(out, fi.laws.Kept(), seed=0)
    assert (out == 7).all()


def test_suggestions() -> None:
    with pytest.raises(ValueError, match="did you mean 'he_normal'"):
        fi.distribution("he_norml", (3, 4))
    with pytest.raises(ValueError, match="he_normal"):
        fi.distribution("He_Normal", (3, 4))


def test_flags_are_bools() -> None:
    for scheme in ("he_normal", "dirac", "conv_orthogonal"):
        with pytest.raises(TypeError, match="transposed"):
            fi.distribution(scheme, (4, 4, 3), transposed=1)
    with pytest.raises(TypeError, match="normalised"):
        fi.recommend("relu", normalised=0)


def test_names_are_text() -> None:
    for refuse in (lambda name: fi.normal(3, name=name), lambda name: fi.checksum(np.ones(3), name=name)):
        with pytest.raises(ValueError, match="name"):
            refuse("\ud800")
        with pytest.raises(TypeError, match="name"):
            refuse(3)


def read_only() -> np.ndarray:
    out = np.full(4, 7, np.float32)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (read_only(), ValueError),
        (np.frombuffer(b"\7" * 16, np.float32), ValueError),
        (np.full(4, 7, ">f8"), ValueError),
        (np.lib.stride_tricks.as_strided(np.full(8, 7, np.float32), (4, 2), (4, 4)), ValueError),
        (np.lib.stride_tricks.as_strided(np.full(8, 7, np.float32), (4,), (0,)), ValueError),
        (np.full(4, 7, np.int32), TypeError),
        (np.ma.masked_array(np.full(4, 7, np.float32)), TypeError),
    ],
)
def test_bad_targets(target: np.ndarray, error: type[Exception]) -> None:
    with Untouched(target) as out, pytest.raises(error, match="out"):
        fi.fill(out, "normal")


def test_bad_target_objects() -> None:
    for target in ([1.0], None, 3, "abc", b"abc"):
        with pytest.raises(TypeError, match="out"):
            fi.fill(target, "normal")
    with pytest.raises(TypeError, match="dtype"):
        fi.normal(out=np.zeros(3, np.float32), dtype="float64")
    with pytest.raises(ValueError, match="shape"):
        fi.normal((4,), out=np.zeros(3, np.float32))
    assert fi.fill(np.zeros((2, 2), np.float32).view(np.matrix), "ones").sum() == 4


def test_degenerate_laws() -> None:
    assert (fi.normal(9, mean=3, std=-0.0) == 3).all()
    assert (fi.normal(9, mean=3, std=0) == 3).all()
    assert (fi.uniform(9, low=2, high=2) == 2).all()
    assert (fi.truncated_normal(9, mean=3, std=0) == 3).all()
    assert (fi.uniform(1000, low=1, high=1 + 2.0**-30) == 1).all()
    np.testing.assert_array_equal(
        fi.truncated_normal(99, low=-np.inf, high=np.inf, seed=0), fi.normal(99, seed=0)
    )


@pytest.mark.parametrize(("dtype", "largest"), [("float16", 65504.0), ("float32", 2.0**128 * (1 - 2.0**-24))])
def test_the_widest_laws(dtype: str, largest: float) -> None:
    """As wide as the dtype has room for, and not a bit wider."""
    beyond = math.nextafter(largest, math.inf)
    for law, number, others in (
        ("constant", "value", {}),
        ("uniform", "high", {"low": 0}),
        ("normal", "mean", {"std": 0}),
    ):
        draw = partial(getattr(fi, law), 100, dtype=dtype, seed=0, **others)
        assert np.isfinite(draw(**{number: largest})).all()
        with pytest.raises(ValueError, match="beyond the dtype's range"):
            draw(**{number: beyond})


def test_far_tail_of_the_truncated_normal() -> None:
    x = fi.truncated_normal(4000, mean=100, std=1, low=-2, high=2, bounds="absolute", seed=0)
    assert (x <= 2).all() and abs(x.mean() - 1.98980) < 6 * 0.0102 / 4000**0.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("bounds", [(0, 1), (-0.1, 0.1), (1, 1.0625), (-3e-5, 1e-5), (0.1, 0.9), (100, 101)])
def test_uniform_is_half_open(bounds: tuple[float, float], dtype: str) -> None:
    """However the caller compares: in the dtype or in double. Outermost words: test_lanes.py."""
    low, high = bounds
    x = fi.uniform(1 << 20, low=low, high=high, dtype=dtype, seed=0)
    assert (x >= x.dtype.type(low)).all() and (x < x.dtype.type(high)).all()
    wide = x.astype(np.float64)
    assert low <= wide.min() and wide.max() < high
