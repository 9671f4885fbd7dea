"""The tables of dtypes that can be drawn. A new real one is one row here, and one row and a branch of the store in C."""

from __future__ import annotations

import math
import re
import sys
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .extras import needs

Array: TypeAlias = NDArray[Any]
"""An array of any dtype."""
Floats: TypeAlias = NDArray[np.float64]
"""An array of float64."""


class Dtype(NamedTuple):
    """One row: a binary floating-point format."""

    size: int
    """In bytes."""
    digits: int
    """The bits of the significand, with the one that is not stored."""
    smallest: int
    """2**smallest is the smallest step between values, and the smallest positive value."""
    largest: float
    """The largest finite value."""
    dlpack: tuple[int, int]
    """DLPack's type code and bits."""
    safetensors: str
    """The name in safetensors files."""
    short: str
    """A name that people type instead."""


# In the order in which the safetensors library lays tensors out in a file.
DTYPES: dict[str, Dtype] = {
    "float64": Dtype(8, 53, -1074, sys.float_info.max, (2, 64), "F64", "fp64"),
    "float32": Dtype(4, 24, -149, (2 - 2**-23) * 2.0**127, (2, 32), "F32", "fp32"),
    "bfloat16": Dtype(2, 8, -133, (2 - 2**-7) * 2.0**127, (4, 16), "BF16", "bf16"),
    "float16": Dtype(2, 11, -24, 65504.0, (2, 16), "F16", "fp16"),
    "float8_e4m3fn": Dtype(1, 4, -9, 448.0, (10, 8), "F8_E4M3", "fp8_e4m3"),
    "float8_e5m2": Dtype(1, 3, -16, 57344.0, (12, 8), "F8_E5M2", "fp8_e5m2"),
}


class ComplexDtype(NamedTuple):
    """One row: pairs of real and imaginary parts, which are what the kernels draw."""

    part: str
    """The dtype of each part."""
    dlpack: tuple[int, int]
    """DLPack's type code and bits."""
    safetensors: str
    """The name in safetensors files, or "" if the format has none."""


COMPLEX: dict[str, ComplexDtype] = {
    "complex64": ComplexDtype("float32", (5, 64), "C64"),
    "complex128": ComplexDtype("float64", (5, 128), ""),
}
# Of tensors that are not drawn, and their names in safetensors files.
INTEGERS: dict[str, str] = {"uint64": "U64", "int64": "I64", "uint32": "U32", "int32": "I32", "uint16": "U16", "int16": "I16",
                            "uint8": "U8", "int8": "I8", "bool": "BOOL"}  # fmt: skip
KNOWN = (*DTYPES, *COMPLEX)
_BY_SHORT_NAME = {row.short: name for name, row in DTYPES.items()}


def name_of(dtype: object) -> str:
    """The name that NumPy, torch and JAX have for a dtype, whether it can be drawn or not.

    >>> name_of(np.dtype("int64")), name_of("torch.bool")
    ('int64', 'bool')
    """
    return str(getattr(dtype, "name", dtype)).rpartition(".")[2]


def dtype_name(dtype: Any) -> str:
    """The name of a dtype that can be drawn. ``dtype`` is a name or any library's dtype. Raises TypeError for others.

    >>> dtype_name(np.float32), dtype_name("bf16")
    ('float32', 'bfloat16')
    """
    if isinstance(dtype, str) and dtype in KNOWN:
        return dtype
    if isinstance(dtype, str) and dtype in _BY_SHORT_NAME:
        return _BY_SHORT_NAME[dtype]
    name = str(dtype).rpartition(".")[2]  # torch.float32
    if name in KNOWN and not isinstance(dtype, str):
        return name
    try:
        known = np.dtype(dtype)
    except Exception:  # NumPy's parser of texts raises ValueError and SyntaxError too
        known = None
    if dtype is None or known is None or known.name not in KNOWN:
        raise TypeError(f"dtype must be one of {', '.join(KNOWN)}, not {dtype!r}")
    if not known.isnative:
        raise TypeError(f"dtype must be in native byte order, not {dtype!r}")
    return str(known.name)


@lru_cache
def numpy_dtype(name: str) -> np.dtype[Any]:
    """NumPy's dtype of that name; ml_dtypes' for those that NumPy lacks. Raises TypeError if ml_dtypes is missing."""
    try:
        return np.dtype(name)
    except TypeError:
        pass
    try:
        ml_dtypes = needs("ml_dtypes", extra="bfloat16", what=f"dtype {name!r}")
    except ImportError as error:
        raise TypeError(str(error)) from None
    extension: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return extension


def is_integer(dtype: object) -> bool:
    """Whether a dtype of NumPy, torch or JAX, or its name, is of integers or bools, which are not drawn.

    >>> is_integer(np.dtype("int64")), is_integer("torch.bool"), is_integer("float32")
    (True, True, False)
    """
    return re.fullmatch(r"u?int\d*|bool_?", name_of(dtype)) is not None


def rounding_step(x: float, dtype: str) -> float:
    """The distance between a dtype's values at x; for a complex dtype, between those of its parts.

    >>> rounding_step(1.0, "bfloat16")
    0.0078125
    """
    row = DTYPES[part_of(dtype)]
    return math.ldexp(1.0, max(math.frexp(x)[1] - row.digits, row.smallest) if x else row.smallest)


def decode(codes: NDArray[np.int64], dtype: str) -> Floats:
    """The values of positive bit patterns, as the exponent and the fraction say, beyond the largest finite one too.

    >>> decode(np.array([0, 1, 0x3C00, 0x7BFF]), "float16").tolist()
    [0.0, 5.960464477539063e-08, 1.0, 65504.0]
    """
    row = DTYPES[dtype]
    exponents, fractions = np.divmod(codes, 1 << (row.digits - 1))
    hidden = np.where(exponents > 0, 1 << (row.digits - 1), 0)
    values: Floats = np.ldexp(
        (fractions + hidden).astype(np.float64), np.maximum(exponents, 1) - 1 + row.smallest
    )
    return values


def nbytes(shape: tuple[int, ...], dtype: str) -> int:
    """The bytes that a tensor takes."""
    if dtype in INTEGERS:
        return math.prod(shape) * np.dtype(dtype).itemsize
    size = 2 * DTYPES[COMPLEX[dtype].part].size if dtype in COMPLEX else DTYPES[dtype].size
    return math.prod(shape) * size


def strides_of(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The bytes from one position to the next along each axis of a tensor in C order.

    >>> strides_of((2, 3, 4), 4)
    (48, 16, 4)
    """
    return tuple([itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape))])


def part_of(dtype: str) -> str:
    """The dtype of the real numbers that values are made of: itself, or that of the parts of complex ones.

    >>> part_of("complex64"), part_of("bfloat16")
    ('float32', 'bfloat16')
    """
    return COMPLEX[dtype].part if dtype in COMPLEX else dtype


def as_parts(array: Array) -> Array:
    """Complex values as their real and imaginary parts along one more axis, real ones as they are; not copied.

    >>> as_parts(np.array([1 + 2j, 3])).tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    return array[..., None].view(part_of(array.dtype.name)) if array.dtype.name in COMPLEX else array
