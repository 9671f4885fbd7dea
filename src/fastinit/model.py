"""Model descriptions: names, shapes and dtypes, from a JSON file or from a safetensors header."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from . import files
from .arguments import checked_shape
from .memory import dtype_name, nbytes
from .streams import encoded_name

# In the order in which the safetensors library lays them out.
SAFETENSORS_DTYPES = {"float64": "F64", "float32": "F32", "bfloat16": "BF16", "float16": "F16"}
_FROM_SAFETENSORS = {code: name for name, code in SAFETENSORS_DTYPES.items()}
_LARGEST_HEADER = 100_000_000  # the format's own limit


@dataclass(frozen=True)
class Tensor:
    """What is known of a parameter before any recipe: ``module`` is the type of the module that owns it, or "", and
    ``geometry`` what the model itself says of its axes (layout, groups, stride, axis, ...; a rule's own numbers go first)."""

    shape: tuple[int, ...]
    dtype: str
    module: str = ""
    geometry: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    tensors: Mapping[str, Tensor]
    ties: Mapping[str, str] = field(default_factory=dict)  # alias -> the name it is stored under


def read_model(path: str | os.PathLike[str]) -> Model:
    """A model from a shapes file (JSON) or from the header of a ``.safetensors`` file; no tensor data is read.

    Raises OSError if it cannot be read, ValueError if it is malformed; the message names file and parameter.
    """
    path = Path(path)
    try:
        with files.naming(path):
            return read_header(path) if path.suffix == ".safetensors" else _read_json(path)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands twice")
    return result


def parse_json(text: bytes) -> dict[str, Any]:
    try:
        data = json.loads(text.decode(), object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("JSON must hold an object")
    return data


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


def _tensor(name: str, shape: list[Any], dtype: Any, module: Any = "") -> Tensor:
    if not isinstance(module, str):
        raise ValueError(f"parameter {name!r}: module must be a string, not {module!r}")
    if name == "__metadata__":
        raise ValueError("'__metadata__' cannot be a parameter's name in a safetensors file")
    try:
        encoded_name(name)
        return Tensor(checked_shape(shape), dtype_name(dtype), module)
    except (TypeError, ValueError) as error:
        raise ValueError(f"parameter {name!r}: {error}") from None


@dataclass(frozen=True)
class Extent:
    """Where a tensor lies in a safetensors file; ``code`` is the format's name of the dtype."""

    name: str
    code: str
    shape: tuple[int, ...]
    begin: int  # in bytes from the file's start
    end: int

    @property
    def dtype(self) -> str | None:
        """The dtype's name, or None for one that cannot be drawn."""
        return _FROM_SAFETENSORS.get(self.code)


def read_header(path: str | os.PathLike[str]) -> Model:
    """Names, shapes and dtypes of a safetensors file, checked against the file's length before anything is built."""
    with open(path, "rb") as file:
        extents = read_extents(file)
    tensors = {}
    for extent in extents:
        if extent.dtype is None:
            raise ValueError(f"parameter {extent.name!r} has dtype {extent.code!r}, which cannot be drawn")
        tensors[extent.name] = Tensor(extent.shape, extent.dtype)
    return Model(tensors)


def read_extents(file: BinaryIO) -> list[Extent]:
    """The tensors of a safetensors file in its header's order, of any dtype, checked against the file's length.

    Of a dtype that cannot be drawn, the size is not known here and not checked.
    """
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
        raise ValueError(f"no safetensors file: a header of {length} bytes in a file of {size}")
    header = parse_json(file.read(length))
    header.pop("__metadata__", None)
    extents = [_extent(name, entry, 8 + length) for name, entry in header.items()]
    at = 8 + length
    for extent in sorted(extents, key=lambda e: (e.begin, e.end)):
        if extent.begin != at:
            raise ValueError(f"parameter {extent.name!r} begins at byte {extent.begin}, where {at} is next")
        at = extent.end
    if at != size:
        raise ValueError(f"the tensors end at byte {at}, the file at {size}")
    return extents


def _extent(name: str, entry: Any, start: int) -> Extent:
    if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
        raise ValueError(f"parameter {name!r} has no shape")
    code = entry.get("dtype")
    if not isinstance(code, str):
        raise ValueError(f"parameter {name!r} has dtype {code!r}")
    tensor = _tensor(name, entry["shape"], _FROM_SAFETENSORS.get(code, "float32"))
    match offsets := entry.get("data_offsets"):
        case [int(begin), int(end)] if 0 <= begin <= end:
            extent = Extent(name, code, tensor.shape, start + begin, start + end)
        case _:
            raise ValueError(f"parameter {name!r} has data_offsets {offsets!r}")
    if extent.dtype and end - begin != nbytes(tensor.shape, tensor.dtype):
        raise ValueError(f"parameter {name!r} has {end - begin} bytes for shape {tensor.shape}")
    return extent
