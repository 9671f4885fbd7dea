"""Targets: an array-like object -> address, shape, strides, dtype, device; checked before anything is written."""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from ..cuda import Place, copy, ordinal_of
from ..dtypes import COMPLEX, DTYPES, KNOWN, Array, dtype_name, nbytes, numpy_dtype, part_of, strides_of

_HUGE_PAGE = 1 << 21
_ALIGNMENT, _WORTH_ALIGNING = 64, 1 << 14
# DLPack's numbers of devices: plain memory and memory that CUDA has pinned; memory of a GPU and memory that moves.
_HOST_DEVICES, _GPUS = (1, 3), (2, 13)
LEGACY_STREAM = 1  # the driver's number of the default stream
_ITEMSIZES = {name: nbytes((), name) for name in KNOWN}
# Those of NumPy itself: Python's buffers know no others.
_PLAIN = {np.dtype(name): name for name in KNOWN if hasattr(np, name)}
_BY_DLPACK = {row.dlpack: name for name, row in (DTYPES | COMPLEX).items()}


class Memory(NamedTuple):
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in bytes
    dtype: str
    contiguous: bool  # in C order
    owner: object  # keeps the memory alive
    place: Place | None = None  # on a GPU

    @property
    def itemsize(self) -> int:
        return _ITEMSIZES[self.dtype]

    def parts(self) -> Memory:
        """Complex values as their real and imaginary parts, along one more axis; real ones as they are."""
        if self.dtype not in COMPLEX:
            return self
        strides = (*self.strides, self.itemsize // 2)
        return self._replace(shape=(*self.shape, 2), strides=strides, dtype=part_of(self.dtype))


# In half the time of `Memory(...)`, which parses keywords.
_memory: Callable[[tuple[Any, ...]], Memory] = partial(tuple.__new__, Memory)


def new(shape: tuple[int, ...], dtype: str) -> Memory:
    """That of a new C-order array, its owner; see `empty`."""
    array = empty(shape, dtype)
    return _memory((address_of(array), shape, array.strides, dtype, True, array, None))


def empty(shape: tuple[int, ...], dtype: str) -> Array:
    """A new C-order array, uninitialised; from 16 KiB on aligned to 64 bytes, from 2 MiB on to a huge page.

    NumPy asks the system for huge pages where the buffer is large; they are had by the threads that fill it. What
    comes before the first one is never touched and takes no memory; the last one is had whole where that adds no more than
    an eighth.
    """
    kind, size, itemsize = numpy_dtype(dtype), math.prod(shape), _ITEMSIZES[dtype]
    if size * itemsize < _WORTH_ALIGNING:
        return np.empty(shape, kind)
    alignment = _HUGE_PAGE if size * itemsize >= _HUGE_PAGE else _ALIGNMENT
    rest = -size % (_HUGE_PAGE // itemsize)
    last = rest if rest <= size // 8 else 0
    try:
        buffer = np.empty(size + last + alignment // itemsize, kind)
    except ValueError:  # more than there are addresses
        raise MemoryError(f"no memory for shape {shape} of {dtype}") from None
    start = -address_of(buffer) % alignment // itemsize
    return buffer[start : start + size].reshape(shape)


def target(out: Any) -> Memory:
    """Where and how ``out`` lies in memory, or an error if it cannot be filled.

    NumPy arrays (views, memory maps and ml_dtypes' bfloat16 included), CPU tensors that speak DLPack, such as torch's,
    and arrays on an NVIDIA GPU that speak DLPack or have a `__cuda_array_interface__`. TypeError for other objects and
    dtypes; ValueError for memory that is read-only, byte-swapped or overlaps itself.
    """
    if isinstance(out, np.ndarray):
        if type(out) is not np.ndarray and isinstance(out, np.ma.MaskedArray):
            raise TypeError("out must be a plain array, not a masked one")
        plain, flags = _PLAIN.get(out.dtype), out.flags
        dtype = plain or _array_dtype(out.dtype)
        if not flags.writeable:
            raise ValueError("out is read-only")
        address = _core.address(out) if plain else int(out.ctypes.data)
        memory = _memory((address, out.shape, out.strides, dtype, flags.c_contiguous, out, None))
    elif isinstance(out, Memory):
        return out
    elif _is_jax_array(out):
        raise TypeError(
            "out must be an array that can be written; a jax.Array is immutable: fastinit.jax makes new ones"
        )
    elif _is_torch(out) and _is_plain_cuda(out):
        memory = _from_torch(out)
    elif hasattr(out, "__dlpack__"):
        memory = _from_dlpack(out)
    elif hasattr(out, "__cuda_array_interface__"):
        memory = _from_interface(out)
    else:
        raise TypeError(f"out must be a NumPy array or a tensor with DLPack, not {type(out).__name__}")
    if not memory.contiguous and may_overlap(memory.shape, memory.strides, memory.itemsize):
        raise ValueError(f"out overlaps itself: shape {memory.shape}, strides {memory.strides}")
    return memory


def _is_jax_array(out: Any) -> bool:
    jax = sys.modules.get("jax")  # never imported for this
    return jax is not None and isinstance(out, getattr(jax, "Array", ()))


def write(memory: Memory, values: Array) -> None:
    """Copy an array of the host into the memory; to a GPU, without waiting for it (see `check_copy`)."""
    if memory.place is None:
        as_array(memory)[...] = values
        return
    in_order = np.ascontiguousarray(values.transpose(_order(memory)))
    copy(memory.place, memory.address, in_order.view(np.uint8).reshape(-1).tobytes())


def check_copy(memory: Memory) -> None:
    """ValueError for memory of a GPU that has gaps, into which no array of the host is copied."""
    extent = memory.itemsize
    for axis in reversed(_order(memory) if memory.place else ()):
        if memory.shape[axis] > 1 and memory.strides[axis] != extent:
            raise ValueError(
                f"out must have no gaps, because the host draws this distribution and copies it to the GPU: "
                f"shape {memory.shape}, strides {memory.strides}"
            )
        extent *= memory.shape[axis]


def _order(memory: Memory) -> list[int]:
    """The axes, in the order in which the memory has them."""
    return sorted(range(len(memory.shape)), key=lambda axis: -memory.strides[axis])


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
    memory = target(values)
    if memory.place is not None:
        raise ValueError(f"{argument} must be in the CPU's memory, not on a GPU")
    return as_array(memory)


def address_of(array: Array) -> int:
    """Where the array's values begin."""
    return _core.address(array) if array.dtype in _PLAIN else int(array.ctypes.data)


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
    device_type, ordinal = map(int, tensor.__dlpack_device__())
    if device_type not in _HOST_DEVICES + _GPUS:
        raise ValueError(
            f"out must be in the memory of the CPU or of an NVIDIA GPU, not on DLPack device type {device_type}"
        )
    place, options = None, {}
    if device_type in _GPUS:
        place = Place(ordinal, stream_of(tensor, ordinal))
        options["stream"] = place.stream
        if getattr(tensor, "__cuda_array_interface__", {"data": (0, False)})["data"][1]:
            raise ValueError("out is read-only")
    try:
        capsule = tensor.__dlpack__(max_version=(1, 0), copy=False, **options)
    except TypeError:  # an exporter from before DLPack 1.0
        capsule = tensor.__dlpack__(**options)
    address, shape, strides, code, bits, lanes, read_only = _core.read_dlpack(capsule)
    if read_only:
        raise ValueError("out is read-only")
    dtype = _BY_DLPACK.get((code, bits)) if lanes == 1 else None
    if dtype is None:
        raise TypeError(f"out must be of dtype {', '.join(KNOWN)}, not {getattr(tensor, 'dtype', code)}")
    itemsize = nbytes((), dtype)
    in_bytes = tuple([stride * itemsize for stride in strides])
    contiguous = _contiguous(shape, in_bytes, itemsize)
    return Memory(address, shape, in_bytes, dtype, contiguous, (tensor, capsule), place)


def _from_interface(out: Any) -> Memory:
    """Of a GPU's array whose library does not speak DLPack."""
    interface = out.__cuda_array_interface__
    address, read_only = interface["data"]
    if read_only:
        raise ValueError("out is read-only")
    if interface.get("mask") is not None:
        raise TypeError("out must be a plain array, not a masked one")
    dtype = _array_dtype(np.dtype(interface["typestr"]))
    # Some libraries give integers of NumPy's, which overflow.
    address, shape, itemsize = int(address or 0), tuple(map(int, interface["shape"])), nbytes((), dtype)
    strides = interface.get("strides")
    if strides is None:
        strides = strides_of(shape, itemsize)
    strides = tuple(map(int, strides))
    place = None
    if math.prod(shape):  # otherwise there is no address
        ordinal = ordinal_of(address)
        place = Place(ordinal, stream_of(out, ordinal))
    contiguous = _contiguous(shape, strides, itemsize)
    return Memory(address, shape, strides, dtype, contiguous, out, place)


def _is_torch(out: Any) -> bool:
    torch = sys.modules.get("torch")  # never imported for this
    return torch is not None and isinstance(out, getattr(torch, "Tensor", ()))


def _is_plain_cuda(tensor: Any) -> bool:
    """Whether a tensor lies on an NVIDIA GPU (AMD's have the same name in torch), stored as it reads."""
    torch = sys.modules["torch"]
    nvidia = tensor.is_cuda and not torch.version.hip and tensor.layout is torch.strided
    return nvidia and not tensor.is_conj() and not tensor.is_neg()


def _from_torch(tensor: Any) -> Memory:
    """Of torch's tensor on a GPU. DLPack would cost more than all else of a small draw."""
    dtype, address = str(tensor.dtype).removeprefix("torch."), tensor.data_ptr()
    if dtype not in KNOWN:
        raise TypeError(f"out must be of dtype {', '.join(KNOWN)}, not {tensor.dtype}")
    if not address and tensor.numel():
        raise TypeError(f"out holds no memory that could be filled: {type(tensor).__name__}")
    ordinal, itemsize = tensor.get_device(), tensor.element_size()
    strides = tuple([itemsize * stride for stride in tensor.stride()])
    place = Place(ordinal, stream_of(tensor, ordinal))
    return Memory(address, tuple(tensor.shape), strides, dtype, tensor.is_contiguous(), tensor, place)


def stream_of(out: Any, ordinal: int) -> int:
    """The stream on which an array's owner works: torch's and CuPy's current one, else the default stream."""
    if _is_torch(out):
        torch = sys.modules["torch"]
        # It has no public name; the public way makes an object of the stream, and takes ten times as long.
        raw = getattr(torch._C, "_cuda_getCurrentRawStream", None)
        return int(raw(ordinal) if raw else torch.cuda.current_stream(ordinal).cuda_stream) or LEGACY_STREAM
    stream = getattr(out, "__cuda_array_interface__", {}).get("stream")
    return LEGACY_STREAM if stream is None else int(stream)


def _contiguous(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> bool:
    steps = zip(shape, strides, strides_of(shape, itemsize), strict=True)
    return 0 in shape or all(n == 1 or stride == step for n, stride, step in steps)
