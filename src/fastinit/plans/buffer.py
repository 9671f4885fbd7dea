"""A tensor that a model needs but does not train, and that is not a row of the plan: positions, masks, counts, frequencies."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from ..arguments import checked_shape
from ..dtypes import DTYPES, INTEGERS, Array, nbytes, numpy_dtype
from ..laws import Distribution, from_dict


@dataclass(frozen=True, eq=False)
class Buffer:
    """What a buffer holds: `content` is its values, or the distribution that they are drawn from, or None if neither is known.

    ``dtype`` is the name that torch and NumPy have for it ("int64", "bool", "bfloat16", ...); values of dtypes that NumPy
    lacks are float32. Files contain only ``persistent`` ones, of which integers, bools and floats that are not
    all finite are stored as they are here.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    content: Array | Distribution | None
    persistent: bool = False

    @property
    def nbytes(self) -> int:
        """The bytes of its values."""
        return nbytes(self.shape, self.dtype)

    @property
    def stored(self) -> bool:
        """Whether files have its values, which are without chance: integers, bools, or floats that are not all finite."""
        known = isinstance(self.content, np.ndarray) and self.content.dtype.kind != "c"
        return self.persistent and known and (self.dtype in INTEGERS or self.dtype in DTYPES)

    def values(self) -> Array:
        """A new array of the values of one that is stored."""
        return np.array(self.content, order="C").astype(numpy_dtype(self.dtype), copy=False)

    @property
    def digest(self) -> list[Any]:
        """What stands for the buffer in a plan's digest, the same on all machines."""
        content: Any = self.content
        if isinstance(content, np.ndarray):
            values = np.ascontiguousarray(content, content.dtype.newbyteorder("<"))
            content = [values.dtype.str, blake2b(values.tobytes(), digest_size=16).hexdigest()]
        elif content is not None:
            content = content.to_dict()
        return [self.name, list(self.shape), self.dtype, self.persistent, content]

    def to_dict(self) -> dict[str, Any]:
        """The buffer for JSON, without its name; values are compressed."""
        content: dict[str, Any] | None = None
        if isinstance(self.content, Distribution):
            content = self.content.to_dict()
        elif self.content is not None:
            content = {"dtype": self.content.dtype.str, "zlib": _packed(self.content)}
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "persistent": self.persistent,
            "content": content,
        }

    @classmethod
    def from_dict(cls, name: str, data: Any) -> Buffer:
        """The buffer that `to_dict` described. Raises ValueError, naming it, for anything else."""
        try:
            if more := set(data) - {"shape", "dtype", "persistent", "content"}:
                raise ValueError(f"unknown keys {sorted(more)}")
            shape = checked_shape(data["shape"])
            content, dtype, persistent = data["content"], data["dtype"], data["persistent"]
            if not isinstance(dtype, str) or not isinstance(persistent, bool):
                raise TypeError("dtype must be a name, persistent true or false")
            if content is None:
                return cls(name, shape, dtype, None, persistent)
            if "law" in content:
                return cls(name, shape, dtype, from_dict(content), persistent)
            if dtype in INTEGERS and np.dtype(content["dtype"]).newbyteorder("=") != np.dtype(dtype):
                raise TypeError(f"values of {content['dtype']} are not {dtype}")
            return cls(name, shape, dtype, _unpacked(content, shape), persistent)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise ValueError(f"buffer {name!r}: {type(error).__name__}: {error}") from None


def _packed(array: Array) -> str:
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes())).decode()


def _unpacked(content: Any, shape: tuple[int, ...]) -> Array:
    kind = np.dtype(content["dtype"])
    if kind.kind not in "biufc":
        raise ValueError(f"values must be numbers, not {kind}")
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(content["zlib"], validate=True), size + 1)
    if len(data) != size:
        raise ValueError(f"shape {shape} needs {size} bytes of values")
    array: Array = np.frombuffer(data, kind).reshape(shape)
    return array
