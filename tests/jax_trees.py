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
