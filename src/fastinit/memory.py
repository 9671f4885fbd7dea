"""Targets: an array-like object -> address, shape, strides, dtype; checked before anything is written."""

from __future__ import annotations

import ctypes
import math
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import _core

Array: TypeAlias = NDArray[Any]

_HUGE_PAGE = 1 << 21
_ALIGNMENT = 64
_SIZE = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
# Bits of the significand, exponent of the smallest step.
_PRECISION = {"float64": (53, -1074), "float32": (24, -149), "float16": (11, -24), "bfloat16": (8, -133),
              "float8_e4m3fn": (4, -9), "float8_e5m2": (3, -16)}  # fmt: skip
_HOST_DEVICES = (1, 3)  # plain, and pinned for CUDA
_DLPACK_DTYPE = {(2, 16): "float16", (2, 32): "float32", (2, 64): "float64", (4, 16): "bfloat16",
                 (10, 8): "float8_e4m3fn", (12, 8): "float8_e5m2"}  # fmt: skip
_OF_ML_DTYPES = ("bfloat16", "float8_e4m3fn", "float8_e5m2")  # NumPy has none of its own


class Memory(NamedTuple):
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in bytes
    dtype: str
    contiguous: bool  # in C order
    owner: object  # keeps the memory alive

    @property
    def itemsize(self) -> int:
        return _SIZE[self.dtype]


def dtype_name(dtype: Any) -> str:
    """The name of a dtype that can be drawn; TypeError otherwise.

    >>> dtype_name(np.float32)
    'float32'
    """
    if isinstance(dtype, str) and dtype in _SIZE:
        return dtype
    try:
        known = np.dtype(dtype)
    except Exception:  # NumPy's parser of texts raises ValueError and SyntaxError too
        known = None
    if dtype is None or known is None or known.name not in _SIZE:
        raise TypeError(f"dtype must be one of {', '.join(_SIZE)}, not {dtype!r}")
    if not known.isnative:
        raise TypeError(f"dtype must be in native byte order, not {dtype!r}")
    return str(known.name)


def rounding_step(x: float, dtype: str) -> float:
    """The distance between a dtype's values at x.

    >>> rounding_step(1.0, "bfloat16")
    0.0078125
    """
    bits, smallest = _PRECISION[dtype]
    return math.ldexp(1.0, max(math.frexp(x)[1] - bits, smallest) if x else smallest)


def nbytes(shape: tuple[int, ...], dtype: str) -> int:
    return math.prod(shape) * _SIZE[dtype]


@lru_cache
def numpy_dtype(name: str) -> np.dtype[Any]:
    if name not in _OF_ML_DTYPES:
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:
        raise TypeError(f"dtype {name!r} needs the package ml_dtypes (pip install ml_dtypes)") from None
    dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return dtype


def empty(shape: tuple[int, ...], dtype: str) -> Array:
    """A new C-order array, uninitialised, aligned to 64 bytes; from 2 MiB on to a huge page.

    NumPy asks the system for huge pages where the buffer is large; they are had by the threads that fill it. What
    comes before the first one is never touched and takes no memory; the last one is had whole where that adds no more than
    an eighth.
    """
    kind = numpy_dtype(dtype)
    size = math.prod(shape)
    alignment = _HUGE_PAGE if size * kind.itemsize >= _HUGE_PAGE else _ALIGNMENT
    rest = -size % (_HUGE_PAGE // kind.itemsize)
    last = rest if rest <= size // 8 else 0
    try:
        buffer = np.empty(size + last + alignment // kind.itemsize, kind)
    except ValueError:  # more than there are addresses
        raise MemoryError(f"no memory for shape {shape} of {dtype}") from None
    start = -_address(buffer, dtype) % alignment // kind.itemsize
    return buffer[start : start + size].reshape(shape)


def target(out: Any) -> Memory:
    """Where and how ``out`` lies in memory, or an error if it cannot be filled.

    NumPy arrays (views, memory maps and ml_dtypes' bfloat16 included) and CPU tensors that speak DLPack, such as
    torch's. TypeError for other objects and dtypes; ValueError for memory that is read-only, byte-swapped or
    overlaps itself.
    """
    if isinstance(out, Memory):
        return out
    if isinstance(out, np.ma.MaskedArray):
        raise TypeError("out must be a plain array, not a masked one")
    if isinstance(out, np.ndarray):
        name, flags = _array_dtype(out.dtype), out.flags
        if not flags.writeable:
            raise ValueError("out is read-only")
        memory = Memory(_address(out, name), out.shape, out.strides, name, flags.c_contiguous, out)
    elif hasattr(out, "__dlpack__"):
        memory = _from_dlpack(out)
    else:
        raise TypeError(f"out must be a NumPy array or a CPU tensor with DLPack, not {type(out).__name__}")
    if not memory.contiguous and may_overlap(memory.shape, memory.strides, memory.itemsize):
        raise ValueError(f"out overlaps itself: shape {memory.shape}, strides {memory.strides}")
    return memory


def as_array(memory: Memory) -> Array:
    """The same memory as a NumPy array."""
    reach = [stride * (size - 1) for stride, size in zip(memory.strides, memory.shape, strict=True) if size]
    below = sum(step for step in reach if step < 0)
    span = sum(map(abs, reach)) + memory.itemsize
    buffer = (ctypes.c_ubyte * span).from_address(memory.address + below)
    return np.ndarray(memory.shape, numpy_dtype(memory.dtype), memoryview(buffer), -below, memory.strides)


def readable(values: Any, argument: str) -> Array:
    """``values`` as a NumPy array of a dtype that can be drawn, not copied: an array, or a CPU tensor with DLPack.

    TypeError, naming the argument, for anything else. The array of a tensor does not keep it alive.
    """
    if isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray):
        dtype_name(values.dtype)
        return values
    if isinstance(values, np.ndarray) or not hasattr(values, "__dlpack__"):
        raise TypeError(
            f"{argument} must be a NumPy array or a CPU tensor with DLPack, not {type(values).__name__}"
        )
    return as_array(target(values))


def _address(array: Array, dtype: str) -> int:
    # Python's buffers know none of these.
    return int(array.ctypes.data) if dtype in _OF_ML_DTYPES else _core.address(array)


@lru_cache
def _array_dtype(dtype: np.dtype[Any]) -> str:
    if not dtype.isnative:
        raise ValueError(f"out has the foreign byte order dtype {dtype.str!r}")
    if dtype.name not in _SIZE:
        raise TypeError(f"out must be of dtype {', '.join(_SIZE)}, not {dtype}")
    return str(dtype.name)


def may_overlap(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> bool:
    """Walking the axes from the smallest stride up, each step must clear all that lies below it."""
    if 0 in shape:
        return False
    extent = itemsize
    pairs = zip(strides, shape, strict=True)
    for stride, size in sorted((abs(s), n) for s, n in pairs if n > 1):
        if stride < extent:
            return True
        extent += stride * (size - 1)
    return False


def _from_dlpack(tensor: Any) -> Memory:
    if getattr(tensor, "requires_grad", False):
        tensor = tensor.detach()  # shares the memory; a leaf's own refuses to be exported
    device_type = int(tensor.__dlpack_device__()[0])
    if device_type not in _HOST_DEVICES:
        raise ValueError(f"out must be in the CPU's memory, not on DLPack device type {device_type}")
    try:
        capsule = tensor.__dlpack__(max_version=(1, 0), copy=False)
    except TypeError:  # an exporter from before DLPack 1.0
        capsule = tensor.__dlpack__()
    address, shape, strides, code, bits, lanes, read_only = _core.read_dlpack(capsule)
    if read_only:
        raise ValueError("out is read-only")
    dtype = _DLPACK_DTYPE.get((code, bits)) if lanes == 1 else None
    if dtype is None:
        raise TypeError(f"out must be of dtype {', '.join(_SIZE)}, not {getattr(tensor, 'dtype', code)}")
    itemsize = _SIZE[dtype]
    steps = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    contiguous = 0 in shape or all(
        n == 1 or s == step for n, s, step in zip(shape, strides, steps, strict=True)
    )
    return Memory(address, shape, tuple(s * itemsize for s in strides), dtype, contiguous, (tensor, capsule))
