"""What this adapter rests on that JAX, Flax and Equinox do not promise, each with the reason, and what happens without it.

All that is asked of Flax and Equinox goes through ``sys.modules``: they are never imported, and a tree of theirs can only
be there if they are.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import jax
from jax.core import Tracer

__all__ = [
    "Tracer",
    "boxed",
    "equinox",
    "exporting",
    "flax_nnx",
    "inside_a_trace",
    "markers_of",
    "nvidia_ordinal",
    "platform_of",
    "uncommitted",
    "with_devices",
]

# jax.core.Tracer: a key without a value is told from one with a value. Without it, the import of fastinit.jax fails.


def inside_a_trace() -> bool:
    """Whether JAX traces the caller, so that an array made now would become a constant of the program.

    JAX tells it by the error of `get_mesh`. If that went away, such arrays would be constants: right, but large.
    """
    try:
        jax.sharding.get_mesh()
    except ValueError:
        return True
    return False


def exporting(context: Any) -> bool:
    """Whether a program is lowered for `jax.export`, which cannot take calls of the host. JAX has it among the parameters of
    the lowering. If that went away, JAX would refuse such a program.
    """
    return getattr(context.module_context.lowering_parameters, "for_export", False)


def nvidia_ordinal(device: Any) -> int | None:
    """The driver's number of a device, if it is an NVIDIA GPU. That it is NVIDIA's shows in the version of its client only;
    without these names the host draws.
    """
    maker = str(getattr(getattr(device, "client", None), "platform_version", "")).lower()
    is_nvidias = device.platform == "gpu" and "cuda" in maker
    return getattr(device, "local_hardware_id", None) if is_nvidias else None


def uncommitted(array: jax.Array) -> jax.Array:
    """An array that may go anywhere, as JAX's own new ones; what comes by DLPack has to stay on its device. It is said by the class
    of all arrays, which has no public name. Without it the array stays there.
    """
    made: Any = type(array)
    try:
        return made(array.aval, array.sharding, [array], committed=False)
    except (AttributeError, TypeError):
        return array


def platform_of(context: Any) -> str:
    """Where a program is to run: "cpu", "cuda", or "" if it is lowered for several platforms. JAX has its platforms in the
    lowering's context. If they went away, the lowering would fail.
    """
    platforms = tuple(context.module_context.platforms)
    return platforms[0] if len(platforms) == 1 else ""


def with_devices(context: Any, platform: str) -> tuple[Any, tuple[Any, ...]]:
    """The context of a lowering as `custom_partitioning` needs it, and the devices among which XLA divides the program; none if
    each has its own (`shard_map`). JAX tells their number. Which ones they are does not matter here, only their order.
    """
    axes = context.module_context.axis_context
    count, devices = getattr(axes, "num_devices", 0), tuple(jax.devices(platform))
    devices = devices[:count] if count <= len(devices) else ()  # more: to be lowered only
    if devices:
        axes = replace(axes, device_assignment=devices)
        context = context.replace(module_context=context.module_context.replace(axis_context=axes))
    return context, devices


def flax_nnx() -> ModuleType | None:
    return sys.modules.get("flax.nnx")


def equinox() -> ModuleType | None:
    return sys.modules.get("equinox")


def boxed(entries: Any) -> bool:
    """Whether a path of `jax.tree_util` ends in one of linen's boxes for partitioned leaves (``flax.core.meta``), which is
    not a part of the name. If Flax calls a box's content by another word, names get that word at their end.
    """
    value = jax.tree_util.GetAttrKey("value")
    return len(entries) > 1 and entries[-1] == value and isinstance(entries[-2], jax.tree_util.DictKey)


def markers_of(state: Any) -> list[Any]:
    """The markers of Equinox's ``State`` in the order of its leaves. Without ``State._state`` there are none: what its leaves
    are is not known then, and an abstract one is refused by name.
    """
    return list(getattr(state, "_state", ()))
