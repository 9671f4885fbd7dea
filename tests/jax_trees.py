"""What the tests of JAX's arrays and trees share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def numpy(array: Any) -> np.ndarray:
    return np.asarray(array).astype(np.float64)


def std(plan: Any, name: str) -> float:
    return plan[name].distribution.moments()[1]


def abstract(make: Callable[[Any], Any]) -> Any:
    from flax import nnx

    return nnx.eval_shape(lambda: make(nnx.Rngs(0)))


def bits(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array.view(f"u{array.itemsize}") if array.dtype.kind != "c" else array.view(np.uint8)


def same(got: Any, expected: Any) -> None:
    """Two trees have the same bits."""
    import jax

    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_array_equal(bits(x), bits(y))
