"""torch's tensors as targets: what can be filled, the seed, and the way to memory that is not the host's.

Every call that draws takes one 64-bit number from the generator; it is the seed of the stream, whose name is empty.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Iterator
from functools import cached_property
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from .. import cuda
from ..arguments import real
from ..drawing.fill import fill as fill_memory
from ..drawing.memory import Memory, may_overlap
from ..dtypes import KNOWN
from ..laws.distributions import Distribution, Normal, Uniform
from ..laws.structured import Structured
from ._private import NO_DISPATCH, FakeTensor, computed_by

DTYPES: dict[torch.dtype, str] = {getattr(torch, name): name for name in KNOWN}
_STAGING_BYTES = 4 << 20


class InvalidValueError(ValueError, RuntimeError):
    """A value of which no distribution or target can be made: ValueError in fastinit, mostly RuntimeError in torch."""


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
        if self.generator is not None and self.generator.device.type == "cuda":
            # The host has this generator's state: to read a number that the device drew would wait for the device.
            state = self.generator.initial_seed() % 2**64, self.generator.get_offset()
            self.generator.set_offset(state[1] + 4)
            return int.from_bytes(blake2b(struct.pack("<QQ", *state), digest_size=8).digest(), "little")
        word = torch.empty((), dtype=torch.int64, device=device)
        return int(word.random_(-(2**63), None, generator=self.generator)) % 2**64

    def __index__(self) -> int:
        return self.number


def fill(tensor: Tensor, law: Distribution, generator: torch.Generator | None) -> Tensor:
    """Draw the law into the tensor, of the stream that the generator's next 64 bits choose. Returns the tensor."""
    check_target(tensor)
    if tensor.dtype not in DTYPES:
        known = ", ".join(DTYPES.values())
        raise UnsupportedTensorError(f"tensor must be of dtype {known}, not {tensor.dtype}")
    if tensor.is_complex():
        parts = law_of_parts(law)
        if parts is None:
            raise UnsupportedTensorError(f"tensor must be real to be drawn from {law}, not {tensor.dtype}")
        law = parts
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        raise RuntimeError("tensor was made in inference mode, and can be filled only there")
    seed: Any = _Seed(generator)
    if tensor.numel() and not tensor.is_meta and not isinstance(tensor, FakeTensor):
        target = torch.view_as_real(tensor.detach()) if tensor.is_complex() else tensor
        try:
            draw_block(target, law, seed=seed, name="", shape=tuple(target.shape), dtype=target.dtype)
        except ValueError as error:
            raise InvalidValueError(str(error)) from None
    torch.autograd.graph.increment_version(tensor)
    return tensor


def law_of_parts(law: Distribution) -> Distribution | None:
    """What torch draws the real and imaginary parts of a complex tensor from, where a real one has the law; None if torch
    does not draw it."""
    match law:
        case Normal(mean, std):
            return Normal(mean, std / math.sqrt(2))
        case Uniform():
            return law
        case _:
            return None


def draw_block(
    target: Tensor,
    law: Distribution,
    *,
    seed: Any,
    name: str,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    block: Any = ...,
    threads: int | None = None,
) -> None:
    """A block of the whole tensor (slices with bounds, or all of it) into a target that has been checked.

    In place, by the CPU or by the NVIDIA GPU that holds it; or piece by piece through host memory: on other devices, into
    another dtype than the values are drawn in, and into a tensor that is not stored as it reads.
    """
    gpu = None if isinstance(law, Structured) else gpu_of(target)
    if (target.is_cpu or gpu) and not target.is_neg() and target.dtype == dtype:
        memory = host_memory(target)._replace(place=gpu)
        fill_memory(memory, law, seed=seed, name=name, shape=shape, block=block, threads=threads)
        return
    # A structured law is computed whole for any piece.
    most = target.numel() if isinstance(law, Structured) else _STAGING_BYTES // dtype.itemsize
    buffer = torch.empty(min(target.numel(), most), dtype=dtype, device="cpu", pin_memory=target.is_cuda)
    places = tuple([slice(0, size) for size in shape]) if block is ... else block
    for part, place in pieces(target.detach(), places, most):
        values = buffer[: part.numel()].view(part.shape)
        fill_memory(host_memory(values), law, seed=seed, name=name, shape=shape, block=place, threads=threads)
        part.copy_(values)


def pieces(
    tensor: Tensor, block: tuple[slice, ...], most: int, axis: int = 0
) -> Iterator[tuple[Tensor, tuple[slice, ...]]]:
    """Parts of a tensor with at most ``most`` elements, and the blocks that they are of the whole."""
    if tensor.numel() <= most:
        yield tensor, block
        return
    size = tensor.size(axis)
    rows = max(1, most * size // tensor.numel())
    for start in range(0, size, rows):
        part = tensor.narrow(axis, start, min(rows, size - start))
        first = block[axis].start + start
        place = (*block[:axis], slice(first, first + part.size(axis)), *block[axis + 1 :])
        yield from pieces(part, place, most, axis + 1)


def gpu_of(tensor: Tensor) -> cuda.Place | None:
    """The NVIDIA GPU that draws into a tensor, and torch's stream there; None if the host draws: for other devices, and
    where NVIDIA's packages are not installed."""
    if not tensor.is_cuda or torch.version.hip or cuda.missing():
        return None
    return cuda.Place(tensor.get_device(), int(torch.cuda.current_stream(tensor.device).cuda_stream))


def host_memory(tensor: Tensor) -> Memory:
    """Where the tensor lies, for the kernels: DLPack would refuse pinned memory, and cost half of a small call."""
    address = tensor.data_ptr()
    if not address:
        raise UnsupportedTensorError("tensor holds no memory that could be filled")
    size = tensor.element_size()
    strides = tuple([size * stride for stride in tensor.stride()])
    dtype, contiguous = DTYPES[tensor.dtype], tensor.is_contiguous()
    return Memory(address, tuple(tensor.shape), strides, dtype, contiguous, tensor)


def check_target(tensor: Tensor) -> None:
    """Raise for what cannot be filled, whatever the dtype; warn of what is computed anew."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor must be a torch.Tensor, not {type(tensor).__name__}")
    dispatch = type(tensor).__torch_dispatch__  # pyright: ignore[reportAttributeAccessIssue]
    if dispatch is not NO_DISPATCH and not isinstance(tensor, FakeTensor):
        raise UnsupportedTensorError(f"tensor must hold its own values, not be a {type(tensor).__name__}")
    if tensor.layout is not torch.strided or tensor.is_nested:
        layout = "nested" if tensor.is_nested else tensor.layout
        raise UnsupportedTensorError(f"tensor must be dense, not {layout}")
    if tensor.is_conj():
        raise UnsupportedTensorError("tensor must hold its own values, not those of another, conjugated")
    shape, strides = tuple(tensor.shape), tensor.stride()
    if not tensor.is_contiguous() and may_overlap(shape, strides, 1):
        raise InvalidValueError(f"tensor overlaps itself: shape {shape}, strides {strides}")
    if operation := computed_by(tensor):
        warnings.warn(
            f"tensor is computed ({operation}), not a parameter: what is drawn into it is lost when it is computed again, as "
            "the weight of a parametrised layer is at each use",
            stacklevel=4,
        )


def number(argument: str, value: object, *, finite: bool = True) -> float:
    """A number as a float; torch takes a tensor without axes for one."""
    if isinstance(value, Tensor) and value.dim() == 0:
        value = value.item()
    try:
        return real(argument, value, finite=finite)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def non_negative(argument: str, value: object) -> float:
    """A number of at least 0 as a float."""
    result = number(argument, value)
    if result < 0:
        raise InvalidValueError(f"{argument} must be at least 0, got {value!r}")
    return result
