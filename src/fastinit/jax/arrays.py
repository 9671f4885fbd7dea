"""New JAX arrays: drawn into memory of the host, shard by shard, or by a callback from a traced function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

from ..drawing import memory
from ..drawing.blocks import block_shape
from ..dtypes import Array
from ._private import Tracer, inside_a_trace
from .keys import seed_of


def _placed(out_sharding: Any, ndim: int, words: Any = None) -> NamedSharding | None:
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
    placed = _placed(out_sharding, len(whole))

    def part(block: Any) -> Array:
        out = _empty(block_shape(block, whole), dtype)
        draw_one(out, block=block)
        return out

    if placed is None and not isinstance(otherwise, NamedSharding):
        return jax.device_put(part(...), otherwise)
    return jax.make_array_from_callback(whole, placed or otherwise, part, dtype=dtype)


def traced_array(
    words: Any,
    whole: tuple[int, ...],
    dtype: np.dtype[Any],
    out_sharding: Any,
    draw_one: Callable[..., object],
) -> jax.Array:
    """The same values, drawn when the traced function runs; if sharded, each shard by itself."""
    sharding = _placed(out_sharding, len(whole), words)
    if sharding is not None and AxisType.Manual in sharding.mesh.axis_types:
        raise NotImplementedError(
            f"shard_map must take all axes of {sharding.mesh}: JAX calls no host otherwise"
        )
    # Whatever is wrong with the distribution is said now: a callback could not.
    draw_one(_empty((0,) * len(whole), dtype), block=(slice(0, 0),) * len(whole), seed=0)
    part = whole if sharding is None else sharding.shard_shape(whole)

    def on_host(words: Any, starts: Any) -> Array:
        words, starts = np.asarray(words), np.asarray(starts)
        out = _empty(words.shape[:-1] + part, dtype)
        for i in np.ndindex(words.shape[:-1]):  # under vmap: one key, one tensor
            block = tuple(slice(s, s + n) for s, n in zip(starts[i].tolist(), part, strict=True))
            draw_one(out[(*i, ...)], block=block, seed=seed_of(words[i]))
        return out

    def call(words: Any, *starts: Any) -> Any:
        result = jax.ShapeDtypeStruct(part, dtype)
        place = jnp.array(starts, jnp.int32).reshape(len(whole))
        return jax.pure_callback(on_host, result, words, place, vmap_method="broadcast_all")

    if sharding is None:
        return call(words, *[0] * len(whole))
    axes = (*sharding.spec, *[None] * (len(whole) - len(sharding.spec)))

    def shard(words: Any) -> Any:
        return call(words, *[jax.lax.axis_index(a) * n if a else 0 for a, n in zip(axes, part, strict=True)])

    mapped = jax.shard_map(
        shard, mesh=sharding.mesh, in_specs=PartitionSpec(), out_specs=sharding.spec, check_vma=False
    )
    return mapped(words)


def _empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    return memory.empty(shape, dtype.name)
