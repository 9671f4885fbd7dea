"""New tensors of Keras's backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from ..drawing import memory
from ..dtypes import dtype_name, numpy_dtype


def dtype_of(dtype: Any) -> str:
    return dtype_name(keras.backend.standardize_dtype(dtype))


def new_tensor(shape: tuple[int, ...], dtype: str, layout: Any, draw_one: Callable[..., object]) -> Any:
    """A new tensor of the backend; with a layout, which only JAX's has, shard by shard."""
    if layout is not None:
        from ..jax.arrays import sharded_array

        return sharded_array(shape, numpy_dtype(dtype), layout, draw_one)
    array = memory.empty(shape, dtype)
    draw_one(array)
    return keras.ops.convert_to_tensor(array, dtype)
