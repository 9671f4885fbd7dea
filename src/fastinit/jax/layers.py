"""What the module that owns a parameter says of it: Flax's and Equinox's layers, and linen's names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..dtypes import dtype_name
from ..plans.axes import custom_geometry, einsum_geometry
from ..plans.model import TensorSpec
from .leaves import Leaf

_ATTENTION = ("query", "key", "value", "out")  # linen's names within an attention
_PACKED = {"OptimizedLSTMCell": 4, "GRUCell": 3, "LSTMCell": 4, "ConvLSTMCell": 4}
# Flax's and Equinox's base classes, which say nothing.
_BASES = ("Module", "Pytree", "Representable", "StatefulLayer", "RNNCellBase")


def described(leaf: Leaf) -> TensorSpec:
    """A leaf that is to be drawn, with what its module knows of its role and axes.

    Raises TypeError, naming the leaf, for a dtype that cannot be drawn.
    """
    shape = tuple(leaf.value.shape)
    try:
        dtype = dtype_name(leaf.value.dtype)
    except TypeError as error:
        raise TypeError(f"leaf {leaf.name!r}: {error}") from None
    module, kind = type_of(leaf)
    role, geometry = (leaf.role, {}) if leaf.role else _known(leaf, kind, shape)
    return TensorSpec(shape, dtype, module, geometry, role)


def type_of(leaf: Leaf) -> tuple[str, str]:
    """The type of the module that owns a leaf, and the layer of Flax or Equinox that it is one of.

    A dict of parameters has no modules: there linen's automatic names (``Dense_0``) tell the type.
    """
    owner = leaf.owner
    if owner is None:
        return "", ""
    if not _is_container(owner):
        return type(owner).__name__, _kind(type(owner))
    above = [re.sub(r"_\d+$", "", str(key)) for key in leaf.path[-3:-1]]
    name = above[-1] if above else ""
    if len(above) == 2 and above[0].endswith("Cell"):
        return name, "Conv" if above[0] == "ConvLSTMCell" else "Dense"
    if name in _ATTENTION:
        return name, "DenseGeneral"
    return (name, name) if name[:1].isupper() else ("", "")


def _is_container(owner: Any) -> bool:
    return isinstance(owner, (Mapping, Sequence))


def _kind(module: type) -> str:
    for base in module.__mro__:
        library = base.__module__.partition(".")[0]
        if library in ("flax", "equinox") and base.__name__ not in _BASES:
            return base.__name__
    return ""


def _known(leaf: Leaf, kind: str, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """The role, or "" if the name is to tell it, and how to count fans."""
    name = str(leaf.path[-1]).rpartition("/")[2] if leaf.path else ""  # a tree may be one array
    if name == "scale" and (kind == "WeightNorm" or "/" in str(leaf.path[-1])):
        return "norm", {}
    if "Norm" in kind:
        return {"scale": "norm", "weight": "norm", "bias": "bias", "mean": "mean", "var": "variance"}.get(
            name, ""
        ), {}
    if kind == "PReLU" and name == "negative_slope":
        return "slope", {}
    if kind in ("Embed", "Embedding") and name in ("embedding", "weight"):
        return "embedding", {}
    if len(shape) < 2 or name == "bias":
        return ("bias" if name == "bias" and kind else ""), {}
    if name.startswith("lora_"):
        return {"lora_a": "lora_a", "lora_b": "lora_b"}.get(name, ""), {"layout": "io"}
    if name.startswith("weight") and kind and not _is_container(leaf.owner):
        return _equinox(leaf.owner, kind, name, shape)
    if name == "kernel" and kind:
        return _flax(leaf, kind, shape)
    if len(shape) == 2 and name.startswith("weight") and hasattr(leaf.owner, "__dataclass_fields__"):
        return "", {"layout": "oi"}  # a layer of one's own in Equinox
    above = [type(leaf.owner).__name__, *map(str, leaf.path[-3:-1])]
    return custom_geometry(name, ".".join(above), shape)


def _flax(leaf: Leaf, kind: str, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """Kernel axes, then i and o; what stands before them in a layer of known rank is stacked."""
    owner = leaf.owner
    if kind in ("LinearGeneral", "DenseGeneral"):
        return _general(leaf, shape)
    if kind == "Einsum":
        equation = getattr(owner, "einsum_str", None)
        if equation is None and len(shape) > 2:
            return "unclear", {}
        return "weight", einsum_geometry(equation, shape) if equation else {"layout": "io"}
    role, packed = _of_cell(leaf)
    if kind.startswith(("Linear", "Dense", "LoRALinear")):
        return role or "weight", {"layout": _layout(shape, 0), **packed}
    if kind == "ConvLocal":  # one matrix for each place, of what the kernel covers
        return "conv", {"layout": _layout(shape, 0)}
    if not kind.startswith("Conv"):
        return "", {}
    size, strides = getattr(owner, "kernel_size", shape[:-2]), getattr(owner, "strides", None)
    taps = len(size) if isinstance(size, Sequence) else 1
    return "conv", {
        "layout": _layout(shape, taps, "oi" if getattr(owner, "transpose_kernel", False) else "io"),
        "groups": getattr(owner, "feature_group_count", 1),
        "stride": tuple(strides) if isinstance(strides, Sequence) else strides or 1,
        "transposed": kind.startswith("ConvTranspose"),
        **packed,
    }


def _of_cell(leaf: Leaf) -> tuple[str, dict[str, Any]]:
    """Of a layer within a recurrent cell: "recurrent" if the state feeds it, and how many gates lie side by side."""
    if len(leaf.path) < 2 or len(leaf.owners) < 2:
        return "", {}
    layer, cell = str(leaf.path[-2]), leaf.owners[1]
    if _is_container(cell):
        parent = str(leaf.path[-3]) if len(leaf.path) > 2 else ""
        kind = re.sub(r"_\d+$", "", parent)
        packed = {"packed": 4} if kind == "ConvLSTMCell" else {}
    else:
        kind = _kind(type(cell))
        packed = {"packed": _PACKED[kind]} if kind in _PACKED and layer in ("dense_i", "dense_h") else {}
    return ("recurrent" if kind.endswith("Cell") and layer.startswith(("h", "dense_h")) else ""), packed


def _layout(shape: tuple[int, ...], taps: int, last: str = "io") -> str:
    return "b" * (len(shape) - 2 - taps) + "tuvwxyz"[:taps] + last


def _general(leaf: Leaf, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """Several in or out axes: an attention's heads. What stands before them is stacked."""
    owner = leaf.owner
    if hasattr(owner, "in_features"):
        n_in, n_out = len(owner.in_features), len(owner.out_features)
    elif leaf.path[-2] == "out":
        n_in, n_out = 2, 1
    elif leaf.path[-2] in _ATTENTION:
        n_in, n_out = 1, 2
    elif len(shape) == 2:
        n_in, n_out = 1, 1
    else:
        return "unclear", {}
    stacked = len(shape) - n_in - n_out
    if n_in == n_out == 1 or stacked < 0:
        return "weight", {"layout": _layout(shape, 0)}
    ins, outs = math.prod(shape[stacked : stacked + n_in]), math.prod(shape[stacked + n_in :])
    return "weight", {"fan_in": ins or 1, "fan_out": outs or 1, "axis": -1 if n_out == 1 else stacked}


def _equinox(owner: Any, kind: str, name: str, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """o, i and kernel axes, as in torch; also in a transposed convolution, which counts the inputs of one group."""
    taps = owner.num_spatial_dims if kind.startswith("Conv") else 0
    stacked = len(shape) - 2 - taps
    layout = "b" * stacked + "oi" + "tuvwxyz"[:taps]
    if not taps:
        role = "recurrent" if name == "weight_hh" else "weight"
        return role, {"layout": layout, "packed": _PACKED.get(kind, 1)}
    if kind.startswith("ConvTranspose"):
        n_out, n_in, size = shape[stacked], shape[stacked + 1], math.prod(shape[stacked + 2 :])
        fan_in, fan_out = n_in * size / math.prod(owner.stride), n_out / owner.groups * size
        return "conv", {"fan_in": fan_in or 1, "fan_out": fan_out or 1, "axis": stacked}
    return "conv", {"layout": layout, "groups": owner.groups, "stride": tuple(owner.stride)}
