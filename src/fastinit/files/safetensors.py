"""The safetensors format: headers read and written, indices of several files. It knows no plan."""

from __future__ import annotations

import json
import os
import re
import stat
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..arguments import checked_shape
from ..dtypes import COMPLEX, DTYPES, nbytes
from ..dtypes import INTEGERS as _INTEGERS
from . import atomic

INDEX = "model.safetensors.index.json"  # Hugging Face's name for the index of several files
_DRAWN = {name: row.safetensors for name, row in (DTYPES | COMPLEX).items() if row.safetensors}
_BY_CODE = {code: name for name, code in _DRAWN.items()}
_CODES = _DRAWN | _INTEGERS
INTEGERS = {code: name for name, code in _INTEGERS.items()}
# The safetensors library's: the wider first.
_ORDER = ("uint64", "int64", "float64", "complex64", "float32", "uint32", "int32", "bfloat16", "float16", "uint16", "int16",
          "float8_e4m3fn", "float8_e5m2", "int8", "uint8", "bool")  # fmt: skip
_LARGEST_HEADER = 100_000_000  # the format's own limit
BEGINNING = 512  # bytes, by which `other_format` tells
_OTHER_FORMATS = (
    (rb"PK\x03\x04.{0,300}data\.pkl", "a file of torch.save"),
    (rb"PK\x03\x04.{26}[^\0]*?\.npy", "a file of numpy.savez"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9", "a file of torch.save, in its older format"),
    (rb"\x80[\x01-\x05]|[(}\]][dlq]p?\d?", "a pickle"),
    (rb"\x93NUMPY", "a NumPy array file"),
    (rb"\x89HDF\r\n", "an HDF5 file"),
    (rb"version https://git-lfs", "a Git LFS pointer: the file itself has not been fetched"),
    (rb"GGUF", "a GGUF file"),
    (rb"\x1f\x8b", "a gzip file"),
    (rb"(?i)\s*<(!doctype|html)", "a page of HTML"),
)


def unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as a dict. Raises ValueError for a key that is there twice."""
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} is there twice")
    return result


def parse_json(text: bytes) -> dict[str, Any]:
    """The JSON object in UTF-8 text. Raises ValueError for anything else."""
    try:
        data = json.loads(text.decode(), object_pairs_hook=unique_pairs)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("JSON must hold an object")
    return data


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
        return _BY_CODE.get(self.code)


class Header(NamedTuple):
    """What stands before the values of a file."""

    metadata: Mapping[str, str]
    extents: list[Extent]


class Checkpoint(NamedTuple):
    """A file, or several with an index: the headers by path, and each tensor's file and extent by its name."""

    headers: Mapping[Path, Header]
    tensors: Mapping[str, tuple[Path, Extent]]


def read_header(file: BinaryIO) -> Header:
    """The metadata of a safetensors file and its tensors in the header's order, checked against the file's length.

    Tensors may have any dtype; the size of one that neither can be drawn nor is of integers is not checked.
    """
    size = os.fstat(file.fileno()).st_size
    start = file.read(BEGINNING)
    length = struct.unpack("<Q", start[:8])[0] if len(start) >= 8 else 0
    if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
        raise ValueError(f"not a safetensors file, but {_format_of(start, size)}")
    file.seek(8)
    header = parse_json(file.read(length))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("__metadata__ must map names to strings")
    extents = [_extent(name, entry, 8 + length) for name, entry in header.items()]
    at = 8 + length
    for extent in sorted(extents, key=lambda e: (e.begin, e.end)):
        if extent.begin != at:
            raise ValueError(
                f"parameter {extent.name!r} begins at byte {extent.begin}, but what is before it ends at byte {at}"
            )
        at = extent.end
    if at != size:
        raise ValueError(f"the tensors end at byte {at}, the file at {size}")
    return Header(metadata, extents)


def other_format(start: bytes) -> str | None:
    """The format of a file that begins like this, if it is one in which models are often kept; not safetensors or JSON."""
    found = (kind for pattern, kind in _OTHER_FORMATS if re.match(pattern, start, re.DOTALL))
    return next(found, None)


def _format_of(start: bytes, size: int) -> str:
    """What a file is that begins like this and is not a safetensors file."""
    if not size:
        return "an empty file"
    if start.lstrip().startswith(b"{"):
        return "JSON"
    begins = f"another format: it begins with {start[:8]!r}, which is not the length of a header"
    return other_format(start) or begins


def _extent(name: str, entry: Any, start: int) -> Extent:
    if not isinstance(entry, dict) or not isinstance(entry.get("shape"), list):
        raise ValueError(f"parameter {name!r} has no shape")
    code = entry.get("dtype")
    if not isinstance(code, str):
        raise ValueError(f"parameter {name!r} has dtype {code!r}")
    try:
        name.encode()  # JSON can hold lone surrogates
        shape = checked_shape(entry["shape"])
    except (TypeError, ValueError) as error:
        raise ValueError(f"parameter {name!r}: {error}") from None
    match offsets := entry.get("data_offsets"):
        case [int(begin), int(end)] if 0 <= begin <= end:
            extent = Extent(name, code, shape, start + begin, start + end)
        case _:
            raise ValueError(f"parameter {name!r} has data_offsets {offsets!r}")
    dtype = extent.dtype or INTEGERS.get(code)
    if dtype and end - begin != nbytes(shape, dtype):
        raise ValueError(f"parameter {name!r} has {end - begin} bytes for shape {shape}")
    return extent


def check_dtype(name: str, dtype: str) -> None:
    """Raise ValueError, naming the parameter, for a dtype that the format does not have."""
    if dtype not in _CODES:
        raise ValueError(f"parameter {name!r} has dtype {dtype}, which safetensors files cannot hold")


def header(
    tensors: Iterable[tuple[str, str, tuple[int, ...]]], metadata: Mapping[str, str]
) -> tuple[bytes, list[str]]:
    """The first bytes of a file, and the names in the order of their values: the safetensors library's own order.

    ``tensors`` are names, dtypes and shapes. Raises ValueError for a dtype that the format does not have.
    """
    tensors = list(tensors)
    for name, dtype, _ in tensors:
        check_dtype(name, dtype)
    entries: dict[str, object] = {"__metadata__": dict(metadata)}
    order = []
    at = 0
    for name, dtype, shape in sorted(tensors, key=lambda tensor: (_ORDER.index(tensor[1]), tensor[0])):
        end = at + nbytes(shape, dtype)
        entries[name] = {"dtype": _CODES[dtype], "shape": list(shape), "data_offsets": [at, end]}
        order.append(name)
        at = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, order


def index(file_of: Mapping[str, str], nbytes: int) -> bytes:
    """The index of several files: ``file_of`` says in which file each tensor is; all together have ``nbytes`` bytes."""
    content: dict[str, object] = {"metadata": {"total_size": nbytes}, "weight_map": dict(file_of)}
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def read_index(path: Path) -> dict[str, str]:
    """In which file each tensor is, by the index at ``path``. Raises OSError, and ValueError for a malformed index."""
    try:
        with atomic.naming(path):
            file_of = parse_json(path.read_bytes()).get("weight_map")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(file_of, dict) or not all(
        isinstance(file, str) and os.path.basename(file) == file for file in file_of.values()
    ):
        raise ValueError(f"{path}: no weight_map from names to files")
    return file_of


def read_checkpoint(path: Path) -> Checkpoint:
    """What a safetensors file holds, or a folder of them with Hugging Face's index or with only "model.safetensors".

    No values are read. Raises OSError if a file cannot be read, and ValueError, naming it, if it is malformed.
    """
    is_folder = stat.S_ISDIR(atomic.kind_of(path))
    if is_folder and atomic.kind_of(path / INDEX):
        file_of = {name: path / file for name, file in read_index(path / INDEX).items()}
        headers = {file: _read_file(file) for file in sorted(set(file_of.values()))}
    else:
        file = path / "model.safetensors" if is_folder else path
        headers = {file: _read_file(file)}
        file_of = {extent.name: file for extent in headers[file].extents}
    found = {file: {extent.name: extent for extent in header.extents} for file, header in headers.items()}
    for name, file in file_of.items():
        if name not in found[file]:
            raise ValueError(f"{file}: has no {name!r}, which the index says")
    return Checkpoint(headers, {name: (file, found[file][name]) for name, file in file_of.items()})


def _read_file(path: Path) -> Header:
    try:
        with atomic.naming(path), open(path, "rb") as file:
            return read_header(file)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
