"""Drawing on the CPU by a custom call of XLA (csrc/xla.c): no Python runs when the program does, and each device of a
partitioned program draws its own shard.
"""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from .. import _core
from ..drawing import config
from ..drawing.fill import STREAMING_BYTES
from ..dtypes import Array
from ..laws.distributions import Distribution

_TARGET = "fastinit_draw"


@cache
def works() -> bool:
    """Whether this JAX takes the handler. A later one may know its interface no more, and says so."""
    try:
        jax.ffi.register_ffi_target(_TARGET, _core.xla_handler(), platform="cpu")
    except jax.errors.JaxRuntimeError as error:
        warnings.warn(f"traced arrays are drawn by a callback, because of JAX: {error}", stacklevel=2)
        return False
    return True


def drawn(
    words: Any,
    place: Any,
    *,
    law: Distribution,
    name: str,
    whole: tuple[int, ...],
    part: tuple[int, ...],
    dtype: np.dtype[Any],
    devices: tuple[Any, ...],
) -> jax.Array:
    """A part of each key's tensor, which begins at ``place``; by an elementwise distribution, of complex values' parts. XLA may
    divide the result among the devices.
    """
    lead, shape = words.ndim - 1, (*words.shape[:-1], *part)
    threads = max(1, config.get_num_threads() // jax.local_device_count("cpu"))

    def call(words: Any, place: Any, shape: tuple[int, ...]) -> Any:
        return jax.ffi.ffi_call(_TARGET, jax.ShapeDtypeStruct(shape, dtype))(
            words,
            place,
            law=law.law,
            parameters=np.array(law.parameters, np.float64),
            whole=np.array(whole, np.int64),
            name=name,
            isa=np.int64(config.ISA),
            threads=np.int64(threads),
            streaming=np.int64(math.prod(shape[lead:]) * dtype.itemsize >= STREAMING_BYTES),
        )

    if len(devices) < 2:
        return call(words, place, shape)
    mesh = Mesh(np.array(devices), "all")
    everywhere = NamedSharding(mesh, PartitionSpec())

    def partition(_: Any, arguments: Any, result: Any) -> Any:
        starts, part = _shards(result, devices)

        def shard(words: Any, place: Any) -> Any:
            with jax.sharding.use_abstract_mesh(AbstractMesh((), ())):  # here, each device is by itself
                start = jnp.array(starts)[jax.lax.axis_index("all")]
                keys = jnp.ix_(*[start[i] + jnp.arange(part[i], dtype=start.dtype) for i in range(lead)])
                return call(words[keys], place[keys] + start[lead:], part)

        return mesh, shard, result.sharding, (everywhere, everywhere)

    keys, axes = ([f"{kind}{i}" for i in range(n)] for kind, n in (("key", lead), ("axis", len(part))))
    rule = f"{' '.join(keys)} word, {' '.join(keys)} start -> {' '.join(keys + axes)}"
    divided = custom_partitioning(lambda words, place: call(words, place, shape))
    divided.def_partition(
        partition,
        lambda *_: everywhere,  # what JAX's older partitioner takes where nothing was asked for
        decode_shardings=False,
        sharding_rule=rule,
        need_replication_factors=("word", "start"),
    )
    return divided(words, place)


def _shards(result: Any, devices: tuple[Any, ...]) -> tuple[Array, tuple[int, ...]]:
    """Where each device's shard begins, and the shape of all, of which the last along an axis may reach past the end."""
    n = len(devices)
    # Of a cube, because n is a multiple of the number of shards along each axis.
    cube = result.sharding.devices_indices_map((n,) * result.ndim)
    spans = np.array([[along.indices(n)[:2] for along in cube[device]] for device in devices])
    spans = spans.reshape(n, result.ndim, 2)
    width = spans[0, :, 1] - spans[0, :, 0]
    part = -(-np.array(result.shape, np.int64) * width // n)
    return (spans[:, :, 0] // width * part).astype(np.uint32), tuple(part.tolist())
