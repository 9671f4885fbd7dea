"""Drawing by a custom call of XLA, on the CPU (csrc/xla.c) and on NVIDIA GPUs (csrc/xla_cuda.c): no Python runs when the program
does, and each device of a partitioned program draws its own shard.
"""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec

from .. import _core, cuda
from .._core import STREAMING_BYTES
from ..drawing import blocks, config
from ..dtypes import Array, nbytes, part_of, strides_of
from ..laws.distributions import Distribution
from . import gpu

_TARGETS = {"cpu": "fastinit_draw", "cuda": "fastinit_draw_cuda"}
_ORIGIN_WORDS = 6  # of the memory that the call on a GPU needs for each key


class TracedPart(NamedTuple):
    """What is drawn for each key: a ``part`` of a tensor of shape ``whole``."""

    law: Distribution
    name: str
    whole: tuple[int, ...]
    part: tuple[int, ...]
    dtype: np.dtype[Any]


def works(platform: str) -> bool:
    """Whether a custom call draws there: on the CPU, and on NVIDIA GPUs if the extra is installed."""
    return (platform == "cpu" and _takes(platform)) or (
        platform == "cuda" and gpu.ordinals() != () and _takes(platform)
    )


@cache
def _takes(platform: str) -> bool:
    """Whether this JAX takes the handler. A later one may know its interface no more, and says so."""
    try:
        jax.ffi.register_ffi_target(_TARGETS[platform], _core.xla_handler(platform), platform=platform)
    except jax.errors.JaxRuntimeError as error:
        warnings.warn(f"traced arrays are drawn by a callback, because of JAX: {error}", stacklevel=2)
        return False
    return True


def drawn(words: Any, place: Any, of: TracedPart, *, platform: str, devices: tuple[Any, ...]) -> jax.Array:
    """The part that begins at ``place``, for each key; by an elementwise distribution, of complex values' parts. XLA may divide
    the result among the devices.
    """
    lead, shape = words.ndim - 1, (*words.shape[:-1], *of.part)
    attributes = {
        "law": of.law.law,
        "parameters": np.array(of.law.parameters, np.float64),
        "whole": np.array(of.whole, np.int64),
        "name": of.name,
    }
    call = {"cpu": _on_the_cpu, "cuda": _on_gpus}[platform]
    # A GPU has the name in its memory, however long it is.
    letters = [jnp.asarray(np.frombuffer(of.name.encode() + b"\0", np.uint8))] if platform == "cuda" else []

    def drawn_there(*given: Any, shape: tuple[int, ...] = shape) -> Any:
        return call(given, attributes, shape, of)

    if len(devices) < 2:
        return drawn_there(words, place, *letters)
    mesh = Mesh(np.array(devices), "all")
    everywhere = NamedSharding(mesh, PartitionSpec())

    def partition(_: Any, arguments: Any, result: Any) -> Any:
        starts, part = _shards(result, devices)

        def shard(words: Any, place: Any, *letters: Any) -> Any:
            with jax.sharding.use_abstract_mesh(AbstractMesh((), ())):  # here, each device is by itself
                start = jnp.array(starts)[jax.lax.axis_index("all")]
                keys = jnp.ix_(*[start[i] + jnp.arange(part[i], dtype=start.dtype) for i in range(lead)])
                return drawn_there(words[keys], place[keys] + start[lead:], *letters, shape=part)

        return mesh, shard, result.sharding, (everywhere,) * (2 + len(letters))

    keys, axes = ([f"{kind}{i}" for i in range(n)] for kind, n in (("key", lead), ("axis", len(of.part))))
    rule = (
        f"{' '.join(keys)} word, {' '.join(keys)} start{', letter' * len(letters)} -> {' '.join(keys + axes)}"
    )
    divided = custom_partitioning(lambda *given: drawn_there(*given))
    divided.def_partition(
        partition,
        lambda *_: everywhere,  # what JAX's older partitioner takes where nothing was asked for
        decode_shardings=False,
        sharding_rule=rule,
        need_replication_factors=("word", "start", *["letter"] * len(letters)),
    )
    return divided(words, place, *letters)


def _on_the_cpu(given: Any, attributes: dict[str, Any], shape: tuple[int, ...], of: TracedPart) -> Any:
    streams = math.prod(shape[len(shape) - len(of.whole) :]) * of.dtype.itemsize >= STREAMING_BYTES
    threads = max(1, config.get_num_threads() // jax.local_device_count("cpu"))
    return jax.ffi.ffi_call(_TARGETS["cpu"], jax.ShapeDtypeStruct(shape, of.dtype))(
        *given, **attributes, isa=np.int64(config.ISA), threads=np.int64(threads), streaming=np.int64(streams)
    )


def _on_gpus(given: Any, attributes: dict[str, Any], shape: tuple[int, ...], of: TracedPart) -> Any:
    rank = len(of.whole)
    lead, part = shape[: len(shape) - rank], shape[len(shape) - rank :]
    real, parts = part_of(of.dtype.name), (2,) if of.dtype.kind == "c" else ()
    walked, size = (*part, *parts), nbytes((), real)
    block = tuple([slice(n) for n in walked])
    axes = blocks.axes((*of.whole, *parts), block, strides_of(walked, size), size)
    launches = cuda.launches_for(gpu.ordinals(), of.law.law, of.law.parameters, real, axes, math.prod(lead))
    results = (jax.ShapeDtypeStruct(shape, of.dtype), jax.ShapeDtypeStruct((*lead, _ORIGIN_WORDS), np.uint32))
    return jax.ffi.ffi_call(_TARGETS["cuda"], results)(
        *given, **attributes, part=np.array(part, np.int64), **launches._asdict()
    )[0]


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
