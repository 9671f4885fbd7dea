"""Targets: an array-like object -> address, shape, strides, dtype; checked before anything is written."""

from __future__ import annotations

import ctypes
import math
import sys
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from ..dtypes import COMPLEX, DTYPES, KNOWN, Array, dtype_name, nbytes, numpy_dtype, part_of

_HUGE_PAGE = 1 << 21
_ALIGNMENT = 64
_HOST_DEVICES = (1, 3)  # plain, and pinned for CUDA
_BY_DLPACK = {row.dlpack: name for name, row in (DTYPES | COMPLEX).items()}


class Memory(NamedTuple):
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in bytes
    dtype: str
    contiguous: bool  # in C order
    owner: object  # keeps the memory alive

    @property
    def itemsize(self) -> int:
        return nbytes((), self.dtype)

    def parts(self) -> Memory:
        """Complex values as their real and imaginary parts, along one more axis; real ones as they are."""
        if self.dtype not in COMPLEX:
            return self
        strides = (*self.strides, self.itemsize // 2)
        return Memory(
            self.address, (*self.shape, 2), strides, part_of(self.dtype), self.contiguous, self.owner
        )


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
    elif _is_jax_array(out):
        raise TypeError(
            "out must be an array that can be written; a jax.Array is immutable: fastinit.jax makes new ones"
        )
    elif hasattr(out, "__dlpack__"):
        memory = _from_dlpack(out)
    else:
        raise TypeError(f"out must be a NumPy array or a CPU tensor with DLPack, not {type(out).__name__}")
    if not memory.contiguous and may_overlap(memory.shape, memory.strides, memory.itemsize):
        raise ValueError(f"out overlaps itself: shape {memory.shape}, strides {memory.strides}")
    return memory


def _is_jax_array(out: Any) -> bool:
    jax = sys.modules.get("jax")  # never imported for this
    return jax is not None and isinstance(out, getattr(jax, "Array", ()))


def as_array(memory: Memory) -> Array:
    """The same memory as a NumPy array."""
    reach = [stride * (size - 1) for stride, size in zip(memory.strides, memory.shape, strict=True) if size]
    below = sum(step for step in reach if step < 0)
    span = sum(map(abs, reach)) + memory.itemsize
    buffer = (ctypes.c_ubyte * span).from_address(memory.address + below)
    return np.ndarray(memory.shape, numpy_dtype(memory.dtype), memoryview(buffer), -below, memory.strides)


def readable(values: Any, argument: str) -> Array:
    """``values`` as a NumPy array of a dtype that can be drawn, not copied: an array, a CPU tensor with DLPack, or
    a jax.Array, which is copied if it lies elsewhere.

    TypeError, naming the argument, for anything else. The array of a tensor does not keep it alive.
    """
    if _is_jax_array(values):
        dtype_name(values.dtype)
        return np.asarray(values)
    if isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray):
        dtype_name(values.dtype)
        return values
    if isinstance(values, np.ndarray) or not hasattr(values, "__dlpack__"):
        raise TypeError(
            f"{argument} must be a NumPy array or a CPU tensor with DLPack, not {type(values).__name__}"
        )
    return as_array(target(values))


def _address(array: Array, dtype: str) -> int:
    # Python's buffers have only NumPy's own dtypes.
    return _core.address(array) if array.dtype.isbuiltin == 1 else int(array.ctypes.data)


@lru_cache
def _array_dtype(dtype: np.dtype[Any]) -> str:
    if not dtype.isnative:
        raise ValueError(f"out has the foreign byte order dtype {dtype.str!r}")
    if dtype.name not in KNOWN:
        raise TypeError(f"out must be of dtype {', '.join(KNOWN)}, not {dtype}")
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
    dtype = _BY_DLPACK.get((code, bits)) if lanes == 1 else None
    if dtype is None:
        raise TypeError(f"out must be of dtype {', '.join(KNOWN)}, not {getattr(tensor, 'dtype', code)}")
    itemsize = nbytes((), dtype)
    steps = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    contiguous = 0 in shape or all(
        n == 1 or s == step for n, s, step in zip(shape, strides, steps, strict=True)
    )
    return Memory(address, shape, tuple(s * itemsize for s in strides), dtype, contiguous, (tensor, capsule))
