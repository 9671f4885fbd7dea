"""New JAX arrays: drawn into memory of the host or of NVIDIA GPUs, shard by shard."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

from ..drawing import memory
from ..drawing.blocks import block_shape
from ..dtypes import Array
from . import gpu
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
    ``otherwise`` says. NVIDIA GPUs draw their shards themselves. On the CPU JAX keeps aligned memory without a copy: each
    shard gets its own.
    """
    placed = placed_at(out_sharding, len(whole))
    sharding = placed or otherwise
    devices = _devices(sharding)
    if math.prod(whole) and devices and not inside_a_trace() and all(map(gpu.draws, devices)):
        # Without memory the host draws: JAX's own pool, which holds most of a GPU's memory, may have room.
        with contextlib.suppress(MemoryError):
            return _on_gpus(whole, dtype.name, sharding, devices, draw_one)

    def part(block: Any) -> Array:
        out = memory.empty(block_shape(block, whole), dtype.name)
        draw_one(out, block=block)
        return out

    if not isinstance(sharding, NamedSharding):
        return jax.device_put(part(...), sharding)
    return jax.make_array_from_callback(whole, sharding, part, dtype=dtype)


def _devices(sharding: Any) -> list[Any]:
    """The devices of this process that will have a part of an array; JAX's default one if nothing was said."""
    if sharding is not None:
        return sorted(sharding.addressable_devices, key=lambda device: int(device.id))
    default: Any = jax.config.jax_default_device  # type: ignore[attr-defined]
    if isinstance(default, str):
        return jax.local_devices(backend=default)[:1]
    return [default] if default is not None else jax.local_devices()[:1]


def _on_gpus(
    whole: tuple[int, ...], dtype: str, sharding: Any, devices: list[Any], draw_one: Callable[..., object]
) -> jax.Array:
    if sharding is None:
        return gpu.new_array(whole, dtype, devices[0], False, partial(draw_one, block=...))
    blocks = sharding.addressable_devices_indices_map(whole)
    parts = [
        gpu.new_array(
            block_shape(blocks[device], whole), dtype, device, True, partial(draw_one, block=blocks[device])
        )
        for device in devices
    ]
    return jax.make_array_from_single_device_arrays(whole, sharding, parts)
