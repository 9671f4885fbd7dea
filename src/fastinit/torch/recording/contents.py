"""What tensors hold while a model's initialisation is followed: laws in place of values, view by view of each storage."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, TypeAlias, TypeGuard

import torch
from torch import Tensor

from ...drawing.memory import may_overlap
from ...laws.composed import Transformed
from ...laws.distributions import Constant, Distribution
from ...laws.structured import Structured


@dataclass(frozen=True)
class Drawn:
    """Values of a law; those of equal `source` are functions of the same draw, index by index."""

    law: Distribution
    text: str
    source: object = field(default_factory=object)


@dataclass(frozen=True)
class Known:
    """Values without chance, computed when asked for."""

    values: Callable[[], Tensor]
    text: str


@dataclass(frozen=True)
class Lost:
    """Values of which `text` tells why no law is known."""

    text: str
    random: bool


Content: TypeAlias = Drawn | Known | Lost


class View(NamedTuple):
    """Which elements of a storage; steps along axes of length 1 are 0."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, tensor: Tensor) -> View:
        shape = tuple(tensor.shape)
        strides = [stride if size > 1 else 0 for size, stride in zip(shape, tensor.stride(), strict=True)]
        return cls(shape, tuple(strides), int(tensor.storage_offset()))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        steps = zip(self.shape, self.strides, strict=True)
        return (
            self.offset + 1 + sum((size - 1) * stride for size, stride in steps) if self.size else self.offset
        )

    def meets(self, other: View) -> bool:
        """Whether they may share elements."""
        return self.offset < other.end and other.offset < self.end

    @property
    def repeats(self) -> bool:
        return may_overlap(self.shape, self.strides, 1)


class Write(NamedTuple):
    view: View
    content: Content


@dataclass
class Store:
    storage: torch.UntypedStorage  # held, so that no other takes its address
    itemsize: int
    writes: list[Write] = field(default_factory=list)
    memory: bytes = b""  # as the last write left it

    def bytes(self) -> bytes:
        """What the host's memory holds now; nothing on the meta device."""
        on_host = self.storage.device.type == "cpu" and self.storage.nbytes()
        return ctypes.string_at(self.storage.data_ptr(), self.storage.nbytes()) if on_host else b""

    def whole(self, view: View) -> bool:
        return view.size * self.itemsize == self.storage.nbytes() and not view.repeats


def is_random(content: Content) -> bool:
    return (
        content.random if isinstance(content, Lost) else isinstance(content, Drawn) and not constant(content)
    )


def constant(content: Content) -> TypeGuard[Drawn]:
    return isinstance(content, Drawn) and isinstance(content.law, Constant)


def certain(writes: Sequence[Write]) -> bool:
    """Whether the values can be computed."""
    return bool(writes) and all(isinstance(w.content, Known) or constant(w.content) for w in writes)


def values(writes: Sequence[Write], view: View, dtype: torch.dtype) -> Tensor:
    """The values that a view holds after certain writes. Raises ValueError where a part was never written."""
    flat = torch.zeros(max(view.end, *[write.view.end for write in writes]), dtype=dtype, device="cpu")
    written = torch.zeros(flat.shape, dtype=torch.bool, device="cpu")
    for (shape, strides, offset), content in writes:
        to = flat.as_strided(shape, strides, offset)
        if isinstance(content, Known):
            to.copy_(content.values())
        elif isinstance(content, Drawn):
            to.fill_(content.law.parameters[0])
        written.as_strided(shape, strides, offset).fill_(True)
    if not written.as_strided(*view).all():
        raise ValueError("a part is never written")
    return flat.as_strided(*view)


def seen(write: Write, view: View, dtype: torch.dtype) -> Content:
    """What a view of a storage holds that was written as a whole."""
    content = write.content
    if write.view == view or isinstance(content, Lost) or constant(content):
        return content
    if isinstance(content, Known):
        return Known(cache(lambda: values([write], view, dtype)), content.text)
    if isinstance(content.law, Structured) and not isinstance(content.law, Transformed):
        return Lost(f"is a part or another view of a tensor of the law {content.law.law}", True)
    if view.repeats:
        return Lost(f"repeats the random values of {content.text}", True)
    return Drawn(content.law, content.text)
