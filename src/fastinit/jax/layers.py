"""What the module that owns a leaf says of its axes: Flax's and Equinox's layers, and linen's names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Path: TypeAlias = tuple[Any, ...]
"""The names and indices that lead to a leaf."""


def owner_of(tree: Any, path: Path, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """The type of the module that owns a leaf, and what it says of the leaf's axes.

    A dict of parameters has no modules: there linen's names (``Dense_0``) tell the type.
    """
    owner: Any = tree
    try:
        for key in path[:-1]:
            by_name = isinstance(key, str) and not isinstance(owner, Mapping)
            owner = getattr(owner, key) if by_name else owner[key]
    except (AttributeError, KeyError, IndexError, TypeError):  # a pytree whose paths are not its attributes
        owner = None
    if not isinstance(owner, Mapping):
        module = type(owner).__name__
    else:
        module = re.sub(r"_\d+$", "", str(path[-2])) if len(path) > 1 else ""
        if module in ("query", "key", "value", "out"):
            module = "DenseGeneral"
    if len(shape) < 2 or module.startswith("Embed"):
        return module, {}
    leaf = str(path[-1]) if path else ""  # a tree may be one array
    if leaf.startswith("weight") and not isinstance(owner, Mapping):
        return module, _equinox_geometry(owner, module, shape)
    if module in ("LinearGeneral", "DenseGeneral") and leaf == "kernel" and len(shape) > 2:
        return module, _general_geometry(owner, path, shape)
    return module, _flax_geometry(owner, module, shape)


def _flax_geometry(owner: Any, module: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Kernel axes, then i and o; what stands before them in a layer of known rank is stacked."""
    kernel = 0 if module.startswith(("Linear", "Dense")) else len(shape) - 2
    if not module.startswith("Conv"):
        return {"layout": _layout(shape, kernel, "io")}
    size = getattr(owner, "kernel_size", shape[:-2])
    kernel = len(size) if isinstance(size, Sequence) else 1
    flipped, strides = getattr(owner, "transpose_kernel", False), getattr(owner, "strides", None)
    return {
        "layout": _layout(shape, kernel, "oi" if flipped else "io"),
        "groups": getattr(owner, "feature_group_count", 1),
        "stride": tuple(strides) if isinstance(strides, Sequence) else strides or 1,
        "transposed": module.startswith("ConvTranspose"),
    }


def _layout(shape: tuple[int, ...], kernel: int, last: str) -> str:
    return "b" * (len(shape) - 2 - kernel) + "tuvwxyz"[:kernel] + last


def _general_geometry(owner: Any, path: Path, shape: tuple[int, ...]) -> dict[str, Any]:
    """Several in or out axes: an attention's heads. The single one counts the rows of an orthogonal matrix."""
    if hasattr(owner, "in_features"):
        fan_in, fan_out = math.prod(owner.in_features), math.prod(owner.out_features)
        single_out = len(owner.out_features) == 1
    else:
        single_out = path[-2] == "out"
        fan_out = shape[-1] if single_out else math.prod(shape[1:])
        fan_in = math.prod(shape) // max(fan_out, 1)
    return {"fan_in": fan_in or 1, "fan_out": fan_out or 1, "axis": -1 if single_out else 0}


def _equinox_geometry(owner: Any, module: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """o, i and kernel axes, as in torch; also in a transposed convolution, which counts the inputs of one group."""
    kernel = getattr(owner, "num_spatial_dims", 0) if module.startswith("Conv") else 0
    stacked = len(shape) - 2 - kernel
    layout = "b" * stacked + "oi" + "tuvwxyz"[:kernel]
    if not kernel:
        return {"layout": layout, "packed": {"LSTMCell": 4, "GRUCell": 3}.get(module, 1)}
    if module.startswith("ConvTranspose"):
        n_out, n_in, taps = shape[stacked], shape[stacked + 1], math.prod(shape[stacked + 2 :])
        fan_in, fan_out = n_in * taps / math.prod(owner.stride), n_out / owner.groups * taps
        return {"fan_in": fan_in or 1, "fan_out": fan_out or 1, "axis": stacked}
    return {"layout": layout, "groups": owner.groups, "stride": tuple(owner.stride)}
