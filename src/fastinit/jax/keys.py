"""JAX's keys -> seeds of streams."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..dtypes import Array
from ._private import Tracer


def words_of(key: Any) -> Any:
    """The 32-bit words of one key, typed or raw; traced if the key is."""
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        key, lead = jax.random.key_data(key), key.ndim
    elif isinstance(key, (jax.Array, np.ndarray)) and dtype == np.uint32 and key.ndim:
        lead = key.ndim - 1
    else:
        raise TypeError(f"key must be a key of jax.random, not {key!r} ({type(key).__name__})")
    if lead:
        raise ValueError(f"key must be a single key, not an array of shape {key.shape[:lead]}: see jax.vmap")
    return key if isinstance(key, Tracer) else np.asarray(key)


def seed_of(words: Array) -> int:
    if words.size == 2:
        return int(words[0]) << 32 | int(words[1])
    return int.from_bytes(blake2b(words.astype("<u4").tobytes(), digest_size=8).digest(), "little")


def words_of_seed(seed: int) -> Array:
    """The words of the key that stands for a seed."""
    return np.array([seed >> 32, seed & (2**32 - 1)], np.uint32)
