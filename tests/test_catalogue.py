"""The table of schemes: what each row says of its scheme is true of it."""

from __future__ import annotations

import inspect
import math
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from conftest import example_of

import fastinit as fi
from fastinit.plans.make import Choice, law_of
from fastinit.plans.model import TensorSpec
from fastinit.schemes.catalogue import CATEGORIES, GEOMETRY, REQUIRED, SCHEMES, Number, Scheme
from fastinit.schemes.fans import Geometry

ROWS = [row for rows in CATEGORIES.values() for row in rows]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def draw(row: Scheme, shape: tuple[int, ...], **numbers: Any) -> np.ndarray:
    values: np.ndarray = getattr(fi.schemes, row.name)(shape, dtype="float64", **numbers)
    return values


def case(row: Scheme) -> tuple[tuple[int, ...], dict[str, Any]]:
    """A shape with many elements, and numbers that are not the defaults."""
    own = {"gain": 1.5, "mean": 2.0, "std": 0.5, "value": 0.25, "scale": 3.0, "low": -1.0, "high": 2.0, "prior": 0.2,
           "sparsity": 0.75, "radius": 2.0, "omega": 10.0}  # fmt: skip
    numbers = {name: value for name, value in own.items() if name in row.keywords}
    if row.name == "truncated_normal":
        del numbers["low"], numbers["high"]
    if row.name == "log_uniform":
        numbers["low"] = 0.5
    shape = {"torch_bias": (40_000,), "conv_orthogonal": (64, 32, 3, 3)}.get(row.name, (200, 300))
    if row.name == "torch_bias":
        numbers["fan_in"] = 50
    return ((*shape, 2) if "complex" in row.name else shape), numbers


@each_row
def test_mean_and_std(row: Scheme) -> None:
    """The formulas of the table against what is drawn."""
    shape, numbers = case(row)
    if row.mean is None or row.std is None:
        assert row.mean is row.std
        return
    values = draw(row, shape, seed=1, **numbers)
    if "complex" in row.name:
        values = values[..., 0] + 1j * values[..., 1]
    known = {number.name: number.default for number in row.numbers} | numbers
    known |= {
        "sqrt": math.sqrt,
        "ln": math.log,
        "max": max,
        "rows": shape[0],
        "columns": math.prod(shape[1:]),
    }
    known |= {"n_out": shape[0], "classes": shape[-1], "taps": math.prod(shape[2:])}
    if len(shape) > 1:
        fans = fi.fans(shape)
        known |= {"fan_in": fans.fan_in, "fan_out": fans.fan_out, "fan": fans.fan_in, "n_in": shape[1]}
    mean = eval(row.mean.replace("^", "**"), known)
    std = eval(row.std.replace("^", "**"), {"mean": mean, **known})
    assert abs(values.mean() - mean) <= 5 * std / values.size**0.5 + 1e-12
    assert values.std() == pytest.approx(std, rel=0.015)


@each_row
def test_what_is_random_depends_on_the_seed(row: Scheme) -> None:
    arguments = example_of(row)
    one, other = (draw(row, seed=seed, **arguments) for seed in (0, 1))
    assert np.array_equal(one, other) != row.random


def choices(number: Number) -> list[str]:
    kinds = (number.type, *get_args(number.type))
    return [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]


@each_row
def test_a_keyword_takes_what_its_type_says(row: Scheme) -> None:
    """Each choice and None, and no other word."""
    arguments = example_of(row)
    shape = arguments.pop("shape")
    for number in row.numbers:
        if number.default is not REQUIRED:
            fi.distribution(row, shape, **{**arguments, number.name: number.default})
        words = choices(number) if number.name != "inner" else ["he_normal", "orthogonal"]
        for value in [*words, *([None] if NoneType in get_args(number.type) else [])]:
            fi.distribution(row, shape, **{**arguments, number.name: value})
        if words:
            with pytest.raises(ValueError, match=f"unknown {number.name} 'odd'"):
                fi.distribution(row, shape, **{**arguments, number.name: "odd"})
        kinds = (number.type, *get_args(number.type))
        if number.default is not REQUIRED and NoneType not in kinds and not isinstance(number.default, str):
            assert type(number.default) is number.type
        assert number.meaning[0].isupper() and number.meaning.endswith(".")


def test_geometry_is_that_of_fans() -> None:
    fans = list(inspect.signature(fi.fans).parameters.values())[1:]
    assert [row.name for row in GEOMETRY] == [*Geometry._fields] == [parameter.name for parameter in fans]
    assert [row.default for row in GEOMETRY] == [*Geometry()] == [parameter.default for parameter in fans]


@each_row
def test_a_keyword_that_is_not_used_is_an_error(row: Scheme) -> None:
    """It names those that are; from wherever the scheme is called."""
    arguments = example_of(row)
    shape = arguments.pop("shape")
    calls = [
        (
            getattr(fi.schemes, row.name),
            (shape,),
            ["shape", "out", "seed", "name", "dtype", "block", "threads"],
        ),
        (fi.distribution, (row.name, shape), ["shape"]),
        (fi.fill, (np.empty(shape), row.name), ["seed", "name", "shape", "block", "threads"]),
    ]
    others = {name for known in ROWS for name in known.keywords} - set(row.keywords) - {"shape"}
    for function, positional, beside in calls:
        for other in sorted(others):
            with pytest.raises(TypeError) as caught:
                function(*positional, **arguments, **{other: 1})
            said = str(caught.value)
            assert said.startswith(f"{row.name} takes no {other!r}; ")
            assert said.endswith(f"it takes {', '.join([*beside, *row.keywords])}")


def test_the_keyword_that_was_meant_is_named() -> None:
    with pytest.raises(TypeError, match="he_normal takes no 'sede'; did you mean 'seed'"):
        fi.he_normal((4, 4), sede=0)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="kaiming_normal takes no 'gian'; did you mean 'gain'"):
        fi.fill(np.empty((4, 4)), "kaiming_normal", gian=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"only the shape by position.*seed=0"):
        fi.he_normal((4, 4), 0)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="chrono needs t_max=: The longest span"):
        fi.schemes.chrono(8)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="orthogonal takes no 'mode'"):
        fi.schemes.icnr((8, 2, 3, 3), inner="orthogonal", inner_numbers={"mode": "fan_in"})


def test_a_row_stands_for_its_name() -> None:
    """For names that are known only when the program runs."""
    row = fi.schemes.scheme("glorot_uniform")
    assert row.name == "xavier_uniform" and "glorot_uniform" in row.aliases
    assert fi.distribution(row, (4, 8), gain=2) == fi.distribution("xavier_uniform", (4, 8), gain=2)
    filled = fi.fill(np.empty((4, 8), np.float32), row, seed=0, gain=2)
    assert np.array_equal(filled, fi.xavier_uniform((4, 8), seed=0, gain=2))
    with pytest.raises(ValueError, match="did you mean 'he_normal'"):
        fi.schemes.scheme("he_norml")
    with pytest.raises(TypeError, match="scheme must be a str"):
        fi.schemes.scheme(3)  # type: ignore[arg-type]


def test_groups_of_orthogonal_are_orthogonal_each_by_itself() -> None:
    weight = fi.orthogonal((12, 5, 3), seed=1, groups=4).reshape(4, 3, 15)
    assert abs(weight @ weight.transpose(0, 2, 1) - np.eye(3)).max() < 1e-6
    assert np.array_equal(
        fi.orthogonal((12, 5), seed=1, groups=2, packed=2), fi.orthogonal((12, 5), seed=1, packed=4)
    )
    swapped = fi.orthogonal((5, 12), seed=1, groups=4, layout="io").T.reshape(4, 3, 5)
    assert abs(swapped @ swapped.transpose(0, 2, 1) - np.eye(3)).max() < 1e-6
    # The groups of a transposed convolution lie along its inputs.
    transposed = fi.orthogonal((8, 3, 5), seed=1, groups=2, transposed=True).reshape(2, 4, 15)
    assert abs(transposed @ transposed.transpose(0, 2, 1) - np.eye(4)).max() < 1e-6
    with pytest.raises(ValueError, match="groups lie along axis 0, but axis 1"):
        fi.orthogonal((8, 3, 5), groups=2, transposed=True, layout="iok")


def test_geometry_that_a_rule_gives_is_used() -> None:
    """By its scheme, or by a formula that names a fan; what a model says of itself is used by whom it concerns."""
    shapes = {"w": (8, 6)}
    with pytest.raises(ValueError, match="rule 1: normal does not use layout, and no formula names a fan"):
        fi.plan(shapes, {"*": {"scheme": "normal", "layout": "io"}})
    with pytest.raises(ValueError, match="sparse does not use groups, stride"):
        fi.plan(shapes, {"*": {"scheme": "sparse", "groups": 2, "stride": 2}})
    by_formula = {"*": {"scheme": "normal", "std": "1 / sqrt(fan_in)", "layout": "io"}}
    by_scheme = {"*": {"scheme": "lecun_normal", "layout": "io"}}
    for recipe in (by_formula, by_scheme):
        assert fi.plan(shapes, recipe)["w"].distribution.moments() == pytest.approx((0, 1 / math.sqrt(8)))
    weight = TensorSpec((8, 3, 3), "float32", geometry={"groups": 2, "stride": (2,), "axis": 0})
    assert law_of(weight, Choice("normal", {}, ""), "float32") == (fi.Normal(), None)
    assert law_of(weight, Choice("orthogonal", {}, ""), "float32")[0] == fi.distribution(
        "orthogonal", (8, 3, 3), groups=2
    )
    assert law_of(weight, Choice("he_normal", {}, ""), "float32")[1] == fi.fans((8, 3, 3), groups=2, stride=2)


@each_row
def test_text(row: Scheme) -> None:
    """Sentences where sentences belong; a source is one, or none is named."""
    assert row.summary[0] in "-" or row.summary[0].isupper()
    assert row.summary.endswith(".") and not row.use.endswith(".")
    assert row.note == "" or row.note.endswith(".")
    assert (
        row.source is None or any(character.isdigit() for character in row.source) or "https://" in row.source
    )
    assert "\\" not in row.formula and row.formula.isascii()
    assert SCHEMES[row.name] is row and all(SCHEMES[alias] is row for alias in row.aliases)
