"""torch's tensors as targets: what can be filled, the seed, and the way to memory that is not the host's.

Every call that draws takes one 64-bit number from the generator; it is the seed of the stream, whose name is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from ..distributions import Distribution
from ..fill import _draw
from ..memory import Memory, may_overlap
from ..structured import Structured

_DTYPES = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
}
_NO_DISPATCH = Tensor.__torch_dispatch__
_STAGING_BYTES = 4 << 20


class InvalidValueError(ValueError, RuntimeError):
    """A value that makes no law or no target: ValueError in fastinit, mostly RuntimeError in torch."""


class UnsupportedTensorError(TypeError, NotImplementedError):
    """A kind of tensor that is not drawn into: TypeError in fastinit, mostly NotImplementedError in torch."""


class _Seed:
    """The generator's next 64 bits, drawn when `fill` asks for them: after all of its checks, and once."""

    def __init__(self, generator: torch.Generator | None) -> None:
        if not isinstance(generator, torch.Generator | None):
            raise TypeError(f"generator must be a torch.Generator, not {type(generator).__name__}")
        self.generator = generator

    @cached_property
    def number(self) -> int:
        device = "cpu" if self.generator is None else self.generator.device
        word = torch.empty((), dtype=torch.int64, device=device)
        return int(word.random_(-(2**63), None, generator=self.generator)) % 2**64

    def __index__(self) -> int:
        return self.number


def fill(tensor: Tensor, law: Distribution | Structured, generator: torch.Generator | None) -> Tensor:
    """Draw the law into the tensor, of the stream that the generator's next 64 bits choose. Returns the tensor."""
    check_target(tensor)
    if tensor.dtype not in _DTYPES:
        known = ", ".join(_DTYPES.values())
        raise UnsupportedTensorError(f"tensor must be of dtype {known}, not {tensor.dtype}")
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        raise RuntimeError("tensor was made in inference mode and can be filled there alone")
    seed: Any = _Seed(generator)
    if tensor.numel() and not tensor.is_meta and not isinstance(tensor, FakeTensor):
        try:
            if tensor.is_cpu and not tensor.is_neg():
                _draw(_memory(tensor), law, seed, "", None, ..., None)
            else:
                _stage(tensor.detach(), law, seed)
        except ValueError as error:
            raise InvalidValueError(str(error)) from None
    torch.autograd.graph.increment_version(tensor)
    return tensor


def _stage(tensor: Tensor, law: Distribution | Structured, seed: Any) -> None:
    """Draw in host memory and copy: for other devices, and for what is not stored as it reads."""
    if not isinstance(law, Distribution):
        whole = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
        _draw(_memory(whole), law, seed, "", None, ..., None)
        tensor.copy_(whole)
        return
    size, most = tensor.numel(), _STAGING_BYTES // tensor.element_size()
    buffer = torch.empty(min(size, most), dtype=tensor.dtype, device="cpu", pin_memory=tensor.is_cuda)
    for first, part in _runs(tensor, most):
        values = buffer[: part.numel()]
        _draw(_memory(values), law, seed, "", (size,), slice(first, first + part.numel()), None)
        part.copy_(values.view(part.shape))


def _runs(tensor: Tensor, most: int, first: int = 0) -> Iterator[tuple[int, Tensor]]:
    """Parts of a tensor that follow each other in its logical order, of at most so many elements, and where they begin."""
    if tensor.numel() <= most:
        yield first, tensor
        return
    if tensor.is_contiguous():
        tensor = tensor.view(-1)
    row = tensor[0].numel()
    rows = max(1, most // row)
    for start in range(0, tensor.size(0), rows):
        part = tensor[start : start + rows]
        yield from _runs(part[0] if rows == 1 else part, most, first + start * row)


def _memory(tensor: Tensor) -> Memory:
    """Where the tensor lies, for the kernels: DLPack would refuse pinned memory, and cost half of a small call."""
    address = tensor.data_ptr()
    if not address:
        raise UnsupportedTensorError("tensor holds no memory that could be filled")
    size = tensor.element_size()
    strides = tuple([size * stride for stride in tensor.stride()])
    dtype, contiguous = _DTYPES[tensor.dtype], tensor.is_contiguous()
    return Memory(address, tuple(tensor.shape), strides, dtype, contiguous, tensor)


def check_target(tensor: Tensor) -> None:
    """Raise for what cannot be filled, whatever the dtype."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor must be a torch.Tensor, not {type(tensor).__name__}")
    if type(tensor).__torch_dispatch__ is not _NO_DISPATCH and not isinstance(tensor, FakeTensor):
        raise UnsupportedTensorError(f"tensor must hold its own values, not be a {type(tensor).__name__}")
    if tensor.layout is not torch.strided or tensor.is_nested:
        layout = "nested" if tensor.is_nested else tensor.layout
        raise UnsupportedTensorError(f"tensor must be dense, not {layout}")
    shape, strides = tuple(tensor.shape), tensor.stride()
    if not tensor.is_contiguous() and may_overlap(shape, strides, 1):
        raise InvalidValueError(f"tensor overlaps itself: shape {shape}, strides {strides}")
