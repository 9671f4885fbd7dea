"""New JAX arrays on an NVIDIA GPU: memory of the driver's, drawn by the kernels, which JAX takes over in place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax

from .. import _core, cuda
from ..drawing.memory import LEGACY_STREAM, Memory
from ..dtypes import COMPLEX, DTYPES, nbytes, strides_of
from ._private import nvidia_ordinal, uncommitted

_CUDA = 2  # DLPack's number of memory of NVIDIA's GPUs


def draws(device: Any) -> bool:
    """Whether fastinit draws on a device of JAX's: on NVIDIA GPUs, where NVIDIA's packages are installed."""
    return nvidia_ordinal(device) is not None and not cuda.missing()


def ordinals() -> tuple[int, ...]:
    """The numbers of the GPUs for which this process's programs may have fastinit's calls."""
    try:
        devices = () if cuda.missing() else jax.local_devices(backend="cuda")
    except RuntimeError:  # JAX has none
        return ()
    return tuple([n for n in map(nvidia_ordinal, devices) if n is not None])


def new_array(
    shape: tuple[int, ...], dtype: str, device: Any, committed: bool, draw: Callable[[Memory], object]
) -> jax.Array:
    """An array on a GPU, which ``draw`` has filled. MemoryError if the GPU has too little memory that is not JAX's own."""
    ordinal = nvidia_ordinal(device)
    assert ordinal is not None
    array = jax.dlpack.from_dlpack(_New(shape, dtype, ordinal, draw), copy=False)
    if array.devices() != {device}:
        raise RuntimeError(f"JAX has put memory of GPU {ordinal} on {array.devices()}, not on {device}")
    return array if committed else uncommitted(array)


class _New:
    """A tensor that is made when it is asked for: JAX then says on which of its streams it will wait for it."""

    def __init__(
        self, shape: tuple[int, ...], dtype: str, ordinal: int, draw: Callable[[Memory], object]
    ) -> None:
        self.shape, self.dtype, self.ordinal, self.draw = shape, dtype, ordinal, draw

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CUDA, self.ordinal

    def __dlpack__(self, *, stream: int | None = None) -> Any:
        shape, dtype = self.shape, self.dtype
        size = nbytes((), dtype)
        buffer = cuda.Buffer(self.ordinal, math.prod(shape) * size)
        place = cuda.Place(self.ordinal, stream or LEGACY_STREAM)
        strides = strides_of(shape, size)
        self.draw(Memory(buffer.address, shape, strides, dtype, True, buffer, place))
        code, bits = (DTYPES | COMPLEX)[dtype].dlpack
        return _core.write_dlpack(buffer, buffer.address, shape, code, bits, _CUDA, self.ordinal)
