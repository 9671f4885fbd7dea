"""New JAX arrays: drawn into memory of the host, shard by shard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

from ..drawing import memory
from ..drawing.blocks import block_shape
from ..dtypes import Array
from ._private import Tracer, inside_a_trace


def placed_at(out_sharding: Any, ndim: int, words: Any = None) -> NamedSharding | None:
    """What was asked for, with the mesh of the context if it names none; without it, copies on all of that mesh, as JAX
    has it. ``words`` are a traced key's.
    """
    if out_sharding is None and words is None and inside_a_trace():
        return None  # a constant of the program
    mesh: Any = jax.sharding.get_mesh() if words is None else jax.sharding.get_abstract_mesh()
    if mesh.empty and isinstance(words, Tracer):  # the key may lie on one
        mesh = jax.typeof(words).sharding.mesh
    if out_sharding is None:
        # A mesh of Manual axes is one that shard_map has entered: each device draws there.
        if all(kind == AxisType.Manual for kind in mesh.axis_types):
            return None
        explicit = AxisType.Explicit in mesh.axis_types
        return NamedSharding(mesh, PartitionSpec(*[None] * (ndim if explicit else 0)))
    spec: Any = (
        out_sharding if isinstance(out_sharding, PartitionSpec) else getattr(out_sharding, "spec", None)
    )
    if isinstance(out_sharding, PartitionSpec) or isinstance(
        getattr(out_sharding, "mesh", None), AbstractMesh
    ):
        if mesh.empty:
            raise ValueError(f"out_sharding {out_sharding} needs a mesh: see jax.set_mesh")
        return NamedSharding(mesh, spec)
    if not isinstance(out_sharding, NamedSharding):
        raise TypeError(f"out_sharding must be a NamedSharding or a PartitionSpec, not {out_sharding!r}")
    return out_sharding


def where_key_is(key: Any) -> Any:
    """The sharding of what is drawn from a key that was put somewhere; None for a key that may go anywhere."""
    sharding = getattr(key, "sharding", None) if getattr(key, "committed", False) else None
    return NamedSharding(sharding.mesh, PartitionSpec()) if isinstance(sharding, NamedSharding) else sharding


def sharded_array(
    whole: tuple[int, ...],
    dtype: np.dtype[Any],
    out_sharding: Any,
    draw_one: Callable[..., object],
    otherwise: Any = None,
) -> jax.Array:
    """A new array, by shards if ``out_sharding`` or the context's mesh has some; without both, it goes where
    ``otherwise`` says. JAX keeps aligned memory without a copy: each shard gets its own.
    """
    placed = placed_at(out_sharding, len(whole))

    def part(block: Any) -> Array:
        out = memory.empty(block_shape(block, whole), dtype.name)
        draw_one(out, block=block)
        return out

    if placed is None and not isinstance(otherwise, NamedSharding):
        return jax.device_put(part(...), otherwise)
    return jax.make_array_from_callback(whole, placed or otherwise, part, dtype=dtype)
