"""The arrays of a traced function, drawn when it runs: on the CPU and on NVIDIA GPUs by a custom call, elsewhere by a callback to
the host, and by XLA itself if the program is exported. Structured distributions are always drawn by the callback.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ..drawing import memory
from ..drawing.fill import fill
from ..dtypes import Array
from ..laws.parts import of_reals
from ..laws.structured import Structured
from . import custom_call, xla
from ._private import exporting, platform_of, with_devices
from .arrays import placed_at
from .custom_call import TracedPart
from .keys import seed_of
from .stream import stream_of


def traced_array(
    words: Any,
    law: Any,
    whole: tuple[int, ...],
    dtype: np.dtype[Any],
    out_sharding: Any,
    name: str = "",
) -> jax.Array:
    """The values of an eager call, drawn when the traced function runs; if sharded, each shard by itself."""
    # Whatever is wrong with the distribution is said now: a running program could not.
    nothing = (0,) * len(whole)
    nowhere = memory.empty(nothing, dtype.name)
    fill(nowhere, law, seed=0, shape=whole, block=(slice(0, 0),) * len(whole))
    if max(whole, default=0) > 2**32:
        raise ValueError(f"shape must have axes of at most 2**32 under jit, got {whole}")
    sharding = _asked_for(out_sharding, law, whole, dtype, words)
    part = whole if sharding is None else sharding.shard_shape(whole)

    def draw(words: Any, *starts: Any) -> Any:
        place = jnp.array(starts, jnp.uint32).reshape(len(whole))
        return _draw.bind(words, place, of=TracedPart(law, name, whole, part, dtype))

    if sharding is None:
        return draw(words, *nothing)
    axes = (*sharding.spec, *[None] * (len(whole) - len(sharding.spec)))

    def shard(words: Any) -> Any:
        along = [jax.lax.axis_index(a).astype(jnp.uint32) if a else 0 for a in axes]
        return draw(words, *[i * np.uint32(n) for i, n in zip(along, part, strict=True)])

    mapped = jax.shard_map(
        shard, mesh=sharding.mesh, in_specs=PartitionSpec(), out_specs=sharding.spec, check_vma=False
    )
    return mapped(words)


def drawn_by_call(law: Any, whole: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether a custom call draws such an array."""
    platform = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    return custom_call.works(platform) and _real(law, whole, dtype) is not None


def _asked_for(
    out_sharding: Any, law: Any, whole: tuple[int, ...], dtype: np.dtype[Any], words: Any
) -> NamedSharding | None:
    """How the array must lie; None if there is no mesh, or if XLA may divide it."""
    sharding = placed_at(out_sharding, len(whole), words)
    if sharding is None:
        return None
    kinds = set(sharding.mesh.axis_types)
    manual = AxisType.Manual in kinds
    if out_sharding is None and (manual or kinds == {AxisType.Auto}) and drawn_by_call(law, whole, dtype):
        return None
    if manual:
        raise NotImplementedError(f"shard_map must take all axes of {sharding.mesh} for {law} here")
    return sharding


def _real(law: Any, whole: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """What each real number is drawn from; None if NumPy puts the tensor together."""
    law = of_reals(law, whole, dtype.name)[0]
    return None if isinstance(law, Structured) else law


# A primitive, because only its lowering knows where the program runs. It takes keys, and where in the whole array the part of
# each begins; under vmap there are several, along leading axes.
_draw = Primitive("fastinit_draw")


def _abstract(words: Any, place: Any, *, of: TracedPart) -> Any:
    return ShapedArray((*words.shape[:-1], *of.part), of.dtype)


@jax.disable_jit(False)  # there is no other way to run it
@partial(jax.jit, static_argnames="of")
def _eager(words: Any, place: Any, *, of: TracedPart) -> Any:
    return _draw.bind(words, place, of=of)


def _batched(given: Any, axes: Any, *, of: TracedPart) -> tuple[Any, int]:
    size = next(x.shape[axis] for x, axis in zip(given, axes, strict=True) if axis is not None)
    words, place = (
        jnp.broadcast_to(x, (size, *x.shape)) if axis is None else jnp.moveaxis(x, axis, 0)
        for x, axis in zip(given, axes, strict=True)
    )
    return _draw.bind(words, place, of=of), 0


def _lowered(context: Any, *given: Any, of: TracedPart) -> Any:
    how, real = _by_host, _real(of.law, of.whole, of.dtype)
    platform = platform_of(context)
    if exporting(context):
        how = _by_xla
    elif real is not None and custom_call.works(platform):
        context, devices = with_devices(context, platform)
        how, of = partial(custom_call.drawn, platform=platform, devices=devices), of._replace(law=real)
    return mlir.lower_fun(partial(how, of=of), multiple_results=False)(context, *given)


_draw.def_abstract_eval(_abstract)
_draw.def_impl(_eager)
batching.primitive_batchers[_draw] = _batched
mlir.register_lowering(_draw, _lowered)


def _by_host(words: Any, place: Any, of: TracedPart) -> Any:
    def on_host(words: Any, starts: Any) -> Array:
        words, starts = np.asarray(words), np.asarray(starts)
        out = memory.empty(words.shape[:-1] + of.part, of.dtype.name)
        for i in np.ndindex(words.shape[:-1]):  # under vmap: one key, one tensor
            block = tuple(slice(s, s + n) for s, n in zip(starts[i].tolist(), of.part, strict=True))
            fill(out[(*i, ...)], of.law, seed=seed_of(words[i]), name=of.name, shape=of.whole, block=block)
        return out

    result = jax.ShapeDtypeStruct((*words.shape[:-1], *of.part), of.dtype)
    return jax.pure_callback(on_host, result, words, place)


def _by_xla(words: Any, place: Any, of: TracedPart) -> Any:
    if is_complex := of.dtype.kind == "c":
        law, whole = of_reals(of.law, of.whole, of.dtype.name)
        of = TracedPart(law, of.name, whole, (*of.part, 2), np.dtype(f"f{of.dtype.itemsize // 2}"))
        place = jnp.concatenate([place, jnp.zeros((*place.shape[:-1], 1), place.dtype)], axis=-1)
    if isinstance(of.law, Structured):
        raise NotImplementedError(
            f"jax.export: {of.law} is put together by NumPy on the host, which an exported program does not have;"
            " draw it before, and export the function that takes the array"
        )
    one = partial(_one_by_xla, of=of)
    for _ in words.shape[:-1]:
        one = jax.vmap(one)
    with jax.enable_x64(True):
        drawn = one(words, place)
    return jax.lax.complex(drawn[..., 0], drawn[..., 1]) if is_complex else drawn


def _one_by_xla(words: Any, place: Any, of: TracedPart) -> Any:
    stream, from_zero = stream_of(words, of.name), of.part == of.whole
    if from_zero:
        index = jnp.arange(math.prod(of.whole), dtype=jnp.uint64)
    else:
        index = jnp.zeros(of.part, jnp.uint64)
        for axis, length in enumerate(of.whole):
            along = jax.lax.broadcasted_iota(jnp.uint64, of.part, axis) + place[axis].astype(jnp.uint64)
            index = index * length + along
        index = index.reshape(-1)
    return xla.drawn(of.law, of.dtype.name, index, stream, from_zero=from_zero).reshape(of.part)
