"""A tree of JAX as a case: its weights are drawn with the fans that were counted by hand, all else as the library has it."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from comparison import ERRORS, Array
from verdict import NotBuiltError, RefusedError, WrongError

import fastinit.jax as fij

Fans = Mapping[str, tuple[float, float]]
SLOPES = "negative_slope"  # 0.01 in Flax, 0.25 by He's recipe
RECURRENT = r"(^|\.)(h\w|hh|dense_h|weight_hh)(\.|$)"  # orthogonal in Flax


def check(
    make: Callable[[], Any], abstract: Callable[[Callable[[], Any]], Any], fans: Fans, own: float | None
) -> None:
    """Return if all of the tree is right.

    ``fans`` are those of all its weights, counted by hand. ``own`` is the variance times fan_in of the library's own weights; None
    if it has another rule.
    """
    try:
        tree, shapes = make(), abstract(make)
    except Exception as error:
        raise NotBuiltError(f"{type(error).__name__}: {str(error)[:300]}") from error
    before = values(tree)
    try:
        default, plan = (fij.plan(shapes, recipe) for recipe in ("default", "he_normal"))
        drawn = values(fij.init(tree, "he_normal", seed=0))
        filled = values(fij.init(shapes, "he_normal", seed=0))
        started = values(fij.init(shapes, seed=0))
    except (TypeError, ValueError) as error:
        raise RefusedError(str(error)) from error
    counted = {name: tuple(row.fans) for name, row in plan.items() if row.fans is not None}
    problems = [
        f"{name} has the fans {counted.get(name)}, by hand {fans.get(name)}"
        for name in {**counted, **fans}
        if not np.allclose(counted.get(name, (math.nan, 1)), fans.get(name, (math.nan, 1)), equal_nan=False)
    ]
    kept = fij.plan(tree).unfilled
    for name, value in before.items():
        if name in kept:
            problems += [f"{name} is not kept"] * (not np.array_equal(drawn[name], value))
            continue
        if name not in default:
            problems.append(f"{name} is in no plan")
            continue
        problems += [f"{name} depends on the values before"] * (not np.array_equal(drawn[name], filled[name]))
        problems += [f"{name} is not finite"] * (not np.isfinite(drawn[name]).all())
        if name in fans and plan[name].scheme == "he_normal":
            problems += _variance(name, drawn[name], 2 / fans[name][0])
            if own is not None and not re.search(RECURRENT, name):
                problems += _variance(f"the library's own {name}", value, own / fans[name][0])
        elif (value == value.flat[0]).all() and (started[name] != value).any() and not name.endswith(SLOPES):
            problems.append(
                f"{name} is {value.flat[0]:g} in the library, {default[name].distribution} in the plan"
            )
    if problems:
        raise WrongError("; ".join(problems[:8]))


def values(tree: Any) -> dict[str, Array]:
    """The arrays of a tree by the names of their paths."""
    nnx = _nnx()
    if nnx is not None and isinstance(tree, nnx.Module):
        flat = nnx.to_flat_state(nnx.state(tree))
        named = {
            ".".join(str(part) for key in path for part in (key if isinstance(key, tuple) else (key,))): (
                variable.get_value() if isinstance(variable, nnx.Variable) else variable
            )
            for path, variable in flat
        }
    else:
        paths = jax.tree_util.tree_leaves_with_path(tree)
        named = {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in paths}
    return {name: _array(value) for name, value in named.items() if hasattr(value, "dtype")}


def _nnx() -> Any:
    return sys.modules.get("flax.nnx")


def _array(value: Any) -> Array:
    if jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    array = np.asarray(value)
    return array if array.dtype.kind in "biu" else array.astype(np.float64)


def _variance(name: str, sample: Array, expected: float) -> list[str]:
    """Six standard errors of a normal sample's variance, which is wide for a uniform or cut one."""
    ratio = float(np.square(sample).mean()) / expected
    if abs(ratio - 1) < ERRORS * math.sqrt(2 / sample.size):
        return []
    return [f"{name} has {ratio:.3g} times the variance that its fans by hand give"]
