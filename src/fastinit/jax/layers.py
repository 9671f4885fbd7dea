"""What the module that owns a parameter says of it: Flax's and Equinox's layers, and linen's names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..dtypes import dtype_name
from ..plans.axes import TAPS, custom_geometry, einsum_geometry, lettered_geometry, with_stacked
from ..plans.model import TensorSpec
from .leaves import Leaf
from .stacks import Own, Weight, own_axes, plain_name

_ATTENTION = ("query", "key", "value", "out")  # linen's names within an attention
_PACKED = {"OptimizedLSTMCell": 4, "GRUCell": 3, "LSTMCell": 4, "ConvLSTMCell": 4}
# Flax's and Equinox's base classes, which say nothing.
_BASES = ("Module", "Pytree", "Representable", "StatefulLayer", "RNNCellBase")
_NORMS = ("LayerNorm", "RMSNorm", "BatchNorm", "GroupNorm", "InstanceNorm")


def described(leaves: Iterable[Leaf]) -> list[TensorSpec]:
    """The leaves that are to be drawn, with what their modules know of their roles and axes.

    Raises TypeError, naming the leaf, for a dtype that cannot be drawn.
    """
    leaves = list(leaves)
    owns = own_axes(weight for leaf in leaves if (weight := _weight(leaf)) is not None)
    return [_described(leaf, owns) for leaf in leaves]


def _described(leaf: Leaf, owns: Mapping[tuple[str, ...], Own | None]) -> TensorSpec:
    shape = tuple(leaf.value.shape)
    try:
        dtype = dtype_name(leaf.value.dtype)
    except TypeError as error:
        raise TypeError(f"leaf {leaf.name!r}: {error}") from None
    (module, kind), key = type_of(leaf), _key(leaf)
    if leaf.role:
        return TensorSpec(shape, dtype, module, {}, leaf.role)
    if key[-1:] == ("kernel",) and owns.get(key, leaf) is None:
        return TensorSpec(shape, dtype, module, {}, "unclear")
    role, geometry = _known(leaf, kind, shape, owns.get(key))
    return TensorSpec(shape, dtype, module, geometry, role)


def _key(leaf: Leaf) -> tuple[str, ...]:
    return tuple(map(str, leaf.path))


def _weight(leaf: Leaf) -> Weight | None:
    """What linen's names tell of a leaf of a dict: the letters of its own axes, of which a stack has more."""
    if leaf.role or not leaf.path or not _is_container(leaf.owner):
        return None
    name, kind = str(leaf.path[-1]), type_of(leaf)[1]
    said = ".".join(_key(leaf)).lower()
    kinds: tuple[str, ...]
    if kind in _NORMS and name in ("scale", "bias"):
        kinds = ("o",)
    elif kind == "Embed" and name == "embedding":
        kinds = ("ko",)
    elif name not in ("kernel", "bias") or "expert" in said or kind in ("Einsum", "ConvLocal"):
        return None
    elif kind == "DenseGeneral" and str(leaf.path[-2]) in _ATTENTION:
        several = (
            {"kernel": "iio", "bias": "o"} if leaf.path[-2] == "out" else {"kernel": "ioo", "bias": "oo"}
        )
        kinds = (several[name], {"kernel": "io", "bias": "o"}[name])
    elif (len(leaf.value.shape) < 2 and name == "kernel") or "kernel" not in leaf.owner:
        return None
    elif name == "bias":
        kinds = ("o",) if kind in ("Dense", "Conv", "ConvTranspose") else ("o", "oo")
    elif kind == "Dense":
        kinds = ("io",)
    elif kind == "ConvTranspose":
        kinds = ("kio", "koi")  # the second by transpose_kernel=True
    elif kind == "Conv" or "conv" in said:
        kinds = ("kio",)
    elif kind == "DenseGeneral":
        kinds = ("io", "ioo", "iio")
    else:
        kinds = ("io", "kio", "ioo", "iio")
    return Weight(_key(leaf), tuple(leaf.value.shape), kinds, kind == "ConvTranspose", leaf.axis_names)


def type_of(leaf: Leaf) -> tuple[str, str]:
    """The type of the module that owns a leaf, and the layer of Flax or Equinox that it is one of.

    A dict of parameters has no modules: there linen's automatic names (``Dense_0``) tell the type.
    """
    owner = leaf.owner
    if owner is None:
        return "", ""
    if not _is_container(owner):
        return type(owner).__name__, _kind(type(owner))
    above = [plain_name(str(key)) for key in leaf.path[-3:-1]]
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


def _known(leaf: Leaf, kind: str, shape: tuple[int, ...], own: Own | None) -> tuple[str, dict[str, Any]]:
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
    if name == "bias" and [plain_name(str(key)) for key in leaf.path[-3:-1]] == ["MGUCell", "if"]:
        return "forget_bias", {"gates": 1, "forget": 0}
    if len(shape) < 2 or name == "bias":
        return ("bias" if name == "bias" and kind else ""), {}
    if name.startswith("lora_"):
        sizes = (
            (leaf.owner.in_features, shape[-1])
            if name == "lora_a" and hasattr(leaf.owner, "in_features")
            else None
        )
        own = _stacked(shape, sizes, "io")
        return {"lora_a": "lora_a", "lora_b": "lora_b"}.get(name, ""), _geometry(own, shape)
    known = None
    if name.startswith("weight") and kind and not _is_container(leaf.owner):
        known = _equinox(leaf.owner, kind, name, shape)
    elif name == "kernel" and kind:
        known = _flax(leaf, kind, shape, own)
    if known is not None:
        return known
    if len(shape) == 2 and name.startswith("weight") and hasattr(leaf.owner, "__dataclass_fields__"):
        return "", {"layout": "oi"}  # a layer of one's own in Equinox
    if own is not None and (own.stacked or len(own.letters.replace("k", "")) > 2):
        return "conv" if "k" in own.letters else "weight", _geometry(own, shape)
    above = [type(leaf.owner).__name__, *map(str, leaf.path[-3:-1])]
    return custom_geometry(name, ".".join(above), shape)


def _flax(
    leaf: Leaf, kind: str, shape: tuple[int, ...], own: Own | None
) -> tuple[str, dict[str, Any]] | None:
    owner = leaf.owner
    if kind == "Einsum":
        equation = getattr(owner, "einsum_str", None)
        if equation is None:
            return ("unclear", {}) if len(shape) > 2 else ("weight", {"layout": "io"})
        sizes = owner.kernel_shape
        return "weight", einsum_geometry(equation, shape, _stacked(shape, sizes, "k" * len(sizes)).stacked)
    if kind in ("LinearGeneral", "DenseGeneral"):
        if hasattr(owner, "in_features"):
            before = tuple(owner.batch_axis.values())
            letters = "b" * len(before) + "i" * len(owner.in_features) + "o" * len(owner.out_features)
            own = _stacked(shape, (*before, *owner.in_features, *owner.out_features), letters)
        elif own is None:
            return ("unclear", {}) if len(shape) > 2 else ("weight", {"layout": "io"})
        return "weight", _geometry(own, shape)
    role, packed = _of_cell(leaf)
    if kind in ("Linear", "Dense", "LoRALinear"):
        features = (owner.in_features, owner.out_features) if hasattr(owner, "in_features") else None
        return role or "weight", {**_geometry(own or _stacked(shape, features, "io"), shape), **packed}
    if kind == "ConvLocal":  # one matrix for each place, of what the kernel covers
        return "conv", _geometry(_stacked(shape, None, "io"), shape)
    if kind not in ("Conv", "ConvTranspose"):
        return None
    sizes = getattr(owner, "kernel_shape", None)
    last = "oi" if getattr(owner, "transpose_kernel", False) else "io"
    own = own or _stacked(shape, sizes, "k" * (len(sizes or shape) - 2) + last)
    strides = getattr(owner, "strides", None)
    return role or "conv", {
        **_geometry(own, shape),
        "groups": getattr(owner, "feature_group_count", 1),
        "stride": tuple(strides) if isinstance(strides, Sequence) else strides or 1,
        "transposed": kind == "ConvTranspose",
        **packed,
    }


def _of_cell(leaf: Leaf) -> tuple[str, dict[str, Any]]:
    """Of a layer within a recurrent cell: "recurrent" if the state feeds it, and how many gates lie side by side."""
    if len(leaf.path) < 2 or len(leaf.owners) < 2:
        return "", {}
    layer, cell = str(leaf.path[-2]), leaf.owners[1]
    if _is_container(cell):
        kind = plain_name(str(leaf.path[-3])) if len(leaf.path) > 2 else ""
        packed = {"packed": 4} if kind == "ConvLSTMCell" else {}
    else:
        kind = _kind(type(cell))
        packed = {"packed": _PACKED[kind]} if kind in _PACKED and layer in ("dense_i", "dense_h") else {}
    return ("recurrent" if kind.endswith("Cell") and layer.startswith(("h", "dense_h")) else ""), packed


def _equinox(owner: Any, kind: str, name: str, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]] | None:
    """o, i and kernel axes, as in torch; also in a transposed convolution, which counts the inputs of one group."""
    if kind.startswith("Conv"):
        size = tuple(owner.kernel_size)
        sizes = (owner.out_channels, owner.in_channels // owner.groups, *size)
        own = _stacked(shape, sizes, "oi" + "k" * len(size))
        geometry, strides = _geometry(own, shape), tuple(owner.stride)
        if not kind.startswith("ConvTranspose"):
            return "conv", {**geometry, "groups": owner.groups, "stride": strides}
        fan_in = sizes[1] * math.prod(size) / math.prod(strides)
        fan_out = sizes[0] / owner.groups * math.prod(size)
        return "conv", {**geometry, "fan_in": fan_in or 1, "fan_out": fan_out or 1}
    features = None
    if kind == "Linear":
        features = tuple(1 if n == "scalar" else n for n in (owner.out_features, owner.in_features))
    elif kind in ("GRUCell", "LSTMCell"):
        features = (
            _PACKED[kind] * owner.hidden_size,
            owner.input_size if name == "weight_ih" else owner.hidden_size,
        )
    role = "recurrent" if name == "weight_hh" else "weight"
    return role, {**_geometry(_stacked(shape, features, "oi"), shape), "packed": _PACKED.get(kind, 1)}


def _stacked(shape: tuple[int, ...], sizes: tuple[int, ...] | None, letters: str) -> Own:
    """The places of a weight's stacked axes: what its own ``sizes`` leave of the shape, from the front if these do not tell."""
    more = len(shape) - len(letters)
    places = list(range(more))
    if sizes is not None and shape[more:] != tuple(sizes):
        left, places = list(sizes), []
        for place, size in enumerate(shape):
            if left and size == left[0]:
                left.pop(0)
            else:
                places.append(place)
        if left:
            places = list(range(more))
    return Own(tuple(places), letters)


def _geometry(own: Own, shape: tuple[int, ...]) -> dict[str, Any]:
    taps = iter(TAPS)
    letters = re.sub("k", lambda _: next(taps), own.letters)
    return lettered_geometry(with_stacked(letters, own.stacked), shape)
