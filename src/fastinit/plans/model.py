"""Model descriptions: names, shapes and dtypes, from a JSON file or from a safetensors header."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..arguments import checked_shape
from ..drawing.streams import encoded_name
from ..dtypes import dtype_name
from ..files import atomic, safetensors
from ..files.safetensors import parse_json


@dataclass(frozen=True)
class TensorSpec:
    """What is known of a parameter before any recipe: ``module`` is the type of the module that owns it, or "";
    ``geometry`` is what the model itself says of its axes (layout, groups, stride, axis, ...; a rule's own numbers go
    first); ``role`` is one of `roles.ROLES`, or "" if names and ``module`` are to tell; ``zero_row`` is the row of an
    embedding that stands for padding and stays 0."""

    shape: tuple[int, ...]
    dtype: str
    module: str = ""
    geometry: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    zero_row: int | None = None


@dataclass(frozen=True)
class Model:
    """Parameters by name; ``ties`` maps the other names of tied ones to the name that is stored; ``unfilled`` are
    tensors that are known to be left alone: buffers, integers, frozen parameters."""

    tensors: Mapping[str, TensorSpec]
    ties: Mapping[str, str] = field(default_factory=dict)
    unfilled: tuple[str, ...] = ()


def read_model(path: str | os.PathLike[str]) -> Model:
    """A model from a shapes file (JSON) or from the header of a ``.safetensors`` file; no tensor data is read.

    Raises OSError if it cannot be read, ValueError if it is malformed; the message names file and parameter.
    """
    path = Path(path)
    try:
        with atomic.naming(path):
            return read_header(path) if path.suffix == ".safetensors" else _read_json(path)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _read_json(path: Path) -> Model:
    data = parse_json(path.read_bytes())
    parameters, dtype, ties = data.get("parameters"), data.get("dtype", "float32"), data.get("tied", {})
    if not isinstance(parameters, dict) or not isinstance(ties, dict):
        raise ValueError('"parameters" and "tied" must be objects')
    tensors = {}
    for name, entry in parameters.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
            raise ValueError(f"parameter {name!r} has no shape")
        tensors[name] = _tensor(name, entry["shape"], entry.get("dtype", dtype), entry.get("module", ""))
    return Model(tensors, checked_ties(ties, tensors))


def checked_ties(ties: dict[str, Any], tensors: Mapping[str, Any]) -> dict[str, str]:
    """``ties``, if they lead from new names to tensors; ValueError otherwise."""
    for alias, owner in ties.items():
        if not isinstance(owner, str) or owner not in tensors:
            raise ValueError(f"{alias!r} is tied to {owner!r}, which is no parameter")
        if alias in tensors:
            raise ValueError(f"{alias!r} is tied to {owner!r} and a parameter of its own")
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
    tensors = {}
    for extent in extents:
        if extent.dtype is None:
            raise ValueError(f"parameter {extent.name!r} has dtype {extent.code!r}, which cannot be drawn")
        tensors[extent.name] = TensorSpec(extent.shape, extent.dtype)
    return Model(tensors)
