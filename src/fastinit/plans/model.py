"""What a model is before any recipe: names, shapes and dtypes, from a JSON file or from a safetensors header."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..arguments import checked_shape, choose
from ..drawing.streams import encoded_name
from ..dtypes import dtype_name
from ..files import atomic, safetensors
from ..files.safetensors import parse_json
from .parameter import COUNTS, KEYS, Parameter


@dataclass(frozen=True)
class TensorSpec:
    """What is known of a parameter before any recipe.

    Parameters
    ----------
    shape
        The lengths of its axes.
    dtype
        The name of its dtype.
    module
        The type of the module that owns it, or "".
    geometry
        What the model itself says of the axes (layout, groups, stride, axis, ...). A rule's own numbers go before it.
    role
        One of `roles.ROLES`, or "" if names and ``module`` are to tell.
    zero_row
        The row of an embedding that stands for padding and stays 0.
    value
        The number that the model's own code has put into all of its elements, if that is known.
    """

    shape: tuple[int, ...]
    dtype: str
    module: str = ""
    geometry: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    zero_row: int | None = None
    value: float | None = None


@dataclass(frozen=True)
class Model:
    """Parameters by name; ``ties`` maps the other names of tied ones to the name that is stored; ``unfilled`` are
    tensors that are left alone, and why: buffers, integers, frozen parameters."""

    tensors: Mapping[str, TensorSpec]
    ties: Mapping[str, str] = field(default_factory=dict)
    unfilled: Mapping[str, Parameter] = field(default_factory=dict)


_FORMS = '{"fc.weight": [4, 8]} or {"parameters": {"fc.weight": {"shape": [4, 8]}}}'
# What a plan's JSON has, which is a model's long form too; that may say more, some of it for people to read.
PLAN_KEYS: Mapping[str, Any] = dict.fromkeys(
    ("stream", "source", "bytes", "tied", "unfilled", "buffers", "parameters")
)
_KEYS: Mapping[str, Any] = dict.fromkeys((*PLAN_KEYS, "dtype", "model", "architecture", "parameter_count"))


def read_model(path: str | os.PathLike[str]) -> Model:
    """A model from a JSON file of names and shapes, or from the header of a ``.safetensors`` file.

    The JSON file is an object of names and shapes, ``{"fc.weight": [4, 8]}``. Its long form has them under "parameters", and
    may say more: "dtype" for all, "tied" names, and for a parameter ``{"shape": [4, 8], "dtype": "bfloat16", "module":
    "Linear"}``. No values are read.

    Raises
    ------
    OSError
        if the file cannot be read.
    ValueError
        if it is malformed; the message names the file and the parameter.
    """
    path = Path(path)
    try:
        with atomic.naming(path):
            return read_header(path) if path.suffix == ".safetensors" else _read_json(path)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _read_json(path: Path) -> Model:
    text = path.read_bytes()
    try:
        data = parse_json(text)
    except ValueError as error:
        if (kind := safetensors.other_format(text[: safetensors.BEGINNING])) is not None:
            raise ValueError(f"not a safetensors file or JSON, but {kind}") from None
        raise ValueError(
            f"not a model: a model is a .safetensors file or JSON such as {_FORMS}: {error}"
        ) from None
    if "model_type" in data or "architectures" in data:
        raise ValueError("this describes a Hugging Face model; give the folder that it is in")
    if "weight_map" in data:
        raise ValueError("this is the index of several files; give the folder that it is in")
    if "parameters" not in data:
        return _read_short(data)
    for key in data:
        choose("key", key, _KEYS)
    parameters, dtype, ties = data["parameters"], data.get("dtype", "float32"), data.get("tied", {})
    for key, value in (("parameters", parameters), ("tied", ties)):
        if not isinstance(value, dict):
            raise ValueError(f"{key!r} must be an object of names, not {value!r}; a model is {_FORMS}")
    tensors = {name: _entry(name, entry, dtype) for name, entry in parameters.items()}
    return Model(tensors, checked_ties(ties, tensors))


def _read_short(data: dict[str, Any]) -> Model:
    """Names and shapes, and nothing else."""
    if not data:
        raise ValueError(f"there are no parameters; a model is {_FORMS}")
    for key in ("dtype", "tied"):
        if key in data:
            raise ValueError(
                f"{key!r} says something of the model, not of a parameter: put the names under 'parameters', as in {_FORMS}"
            )
    return Model({name: _entry(name, entry, "float32") for name, entry in data.items()})


def _entry(name: str, entry: Any, dtype: Any) -> TensorSpec:
    if isinstance(entry, list):
        return _tensor(name, entry, dtype)
    if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
        raise ValueError(
            f'parameter {name!r} needs a shape, such as [4, 8] or {{"shape": [4, 8]}}, not {entry!r}'
        )
    for key in entry:
        choose(f"key of parameter {name!r}", key, KEYS)
    return _tensor(name, entry["shape"], entry.get("dtype", dtype), entry.get("module", ""))


def checked_ties(ties: dict[str, Any], tensors: Mapping[str, Any]) -> dict[str, str]:
    """``ties``, if they lead from new names to tensors; ValueError otherwise."""
    for alias, owner in ties.items():
        if not isinstance(owner, str) or owner not in tensors:
            raise ValueError(f"{alias!r} is tied to {owner!r}, which is not a parameter")
        if alias in tensors:
            raise ValueError(f"{alias!r} is tied to {owner!r}, and is a parameter of its own")
    return ties


def _tensor(name: str, shape: list[Any], dtype: Any, module: Any = "") -> TensorSpec:
    if not isinstance(module, str):
        raise ValueError(f"parameter {name!r}: module must be a string, not {module!r}")
    if name == "__metadata__":
        raise ValueError("'__metadata__' cannot be a parameter's name in a safetensors file")
    try:
        encoded_name(name)
        return TensorSpec(checked_shape(shape), dtype_name(dtype), module)
    except (TypeError, ValueError) as error:
        raise ValueError(f"parameter {name!r}: {error}") from None


def read_header(path: str | os.PathLike[str]) -> Model:
    """Names, shapes and dtypes of a safetensors file, checked against the file's length before anything is built."""
    with open(path, "rb") as file:
        extents = safetensors.read_header(file).extents
    tensors: dict[str, TensorSpec] = {}
    unfilled: dict[str, Parameter] = {}
    for extent in extents:
        if extent.code in safetensors.INTEGERS:
            dtype = safetensors.INTEGERS[extent.code]
            unfilled[extent.name] = Parameter.kept(extent.name, extent.shape, dtype, COUNTS)
            continue
        if extent.dtype is None:
            raise ValueError(f"parameter {extent.name!r} has dtype {extent.code!r}, which cannot be drawn")
        tensors[extent.name] = TensorSpec(extent.shape, extent.dtype)
    return Model(tensors, unfilled=unfilled)
