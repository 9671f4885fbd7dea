"""What tensors hold while a model's initialisation is followed: laws in place of values, view by view of each storage."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import NamedTuple, TypeAlias, TypeGuard

import torch
from torch import Tensor

from ...drawing.memory import may_overlap
from ...laws.distributions import Constant, Distribution
from ...laws.structured import Structured
from ...laws.views import Viewed


@lru_cache(maxsize=4096)
def c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Steps of a tensor in C order; 0 along axes of length 1."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step if size > 1 else 0)
        step *= size
    return tuple(reversed(strides))


class View(NamedTuple):
    """Which elements of a storage; steps along axes of length 1 are 0."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, tensor: Tensor) -> View:
        shape = tuple(tensor.shape)
        if tensor.is_contiguous():
            return cls(shape, c_strides(shape), int(tensor.storage_offset()))
        strides = [stride if size > 1 else 0 for size, stride in zip(shape, tensor.stride(), strict=True)]
        return cls(shape, tuple(strides), int(tensor.storage_offset()))

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> View:
        """A tensor of that shape in C order."""
        return cls(shape, c_strides(shape), 0)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        steps = zip(self.shape, self.strides, strict=True)
        return (
            self.offset + 1 + sum((size - 1) * stride for size, stride in steps) if self.size else self.offset
        )

    @property
    def in_order(self) -> bool:
        """Whether it is a run of neighbours in C order."""
        return self.strides == c_strides(self.shape)

    def meets(self, other: View) -> bool:
        """Whether they may share elements."""
        return self.offset < other.end and other.offset < self.end

    def apart(self, other: View) -> bool:
        """Whether they certainly share no element: one comes after the other, or they lie side by side in each period."""
        if not self.meets(other):
            return True
        axes = [
            (size, step) for view in (self, other) for size, step in zip(*view[:2], strict=True) if size > 1
        ]
        for period in {step for _, step in axes if step}:
            starts, ends = [], []
            for view in (self, other):
                steps = [(n, step) for n, step in zip(view.shape, view.strides, strict=True) if step % period]
                starts.append(view.offset % period)
                ends.append(starts[-1] + sum((n - 1) * step for n, step in steps))
            if max(ends) < period and max(starts) > min(ends):
                return True
        return False

    @property
    def repeats(self) -> bool:
        return not self.in_order and may_overlap(self.shape, self.strides, 1)

    def within(self, outer: View) -> View | None:
        """It, counted by the elements of `outer`, of which it is a part; None where that takes more than one view."""
        if outer.in_order and outer.offset <= self.offset and self.end <= outer.end:
            return self._replace(offset=self.offset - outer.offset)
        axes = sorted(zip(self.strides, self.shape, strict=True))
        if self.offset != outer.offset or axes != sorted(zip(outer.strides, outer.shape, strict=True)):
            return None
        # Both are the same elements with their axes in another order.
        step_of = dict(zip(outer.strides, c_strides(outer.shape), strict=True))
        return View(self.shape, tuple([step_of[stride] for stride in self.strides]), 0)

    def recounted(
        self, shape: tuple[int, ...], steps: tuple[int, ...], others: tuple[int, ...]
    ) -> View | None:
        """It, in a tensor of that shape whose elements are counted by `others` along its axes, no longer by `steps`.

        None if it is not a box of the tensor.
        """
        axes = sorted([k for k, size in enumerate(shape) if size > 1], key=lambda k: -steps[k])
        rest, offset = self.offset, 0
        last = [0] * len(shape)  # index of the last element along each axis
        for k in axes:
            if not steps[k]:
                return None
            last[k], rest = divmod(rest, steps[k])
            offset += last[k] * others[k]
        strides: list[int] = []
        for size, stride in zip(self.shape, self.strides, strict=True):
            k = next((k for k in axes if steps[k] <= abs(stride)), -1)
            if size == 1 or k < 0 or stride % steps[k]:
                if size > 1:
                    return None
                strides.append(0)
                continue
            last[k] += stride // steps[k] * (size - 1)
            strides.append(stride // steps[k] * others[k])
        inside = not rest and all(i < size for i, size in zip(last, shape, strict=True))
        return View(self.shape, tuple(strides), offset) if inside else None


class Source(NamedTuple):
    """Which elements of which draw, index by index; the draw's are counted in C order. None if that takes more than a view.
    ``mixed`` are other draws that have gone into the values."""

    draw: object
    place: View | None
    mixed: frozenset[object] = frozenset()

    @property
    def draws(self) -> frozenset[object]:
        return self.mixed | {self.draw}

    def elsewhere(self) -> Source:
        """The same values, at places that are not told."""
        return self._replace(place=None)

    def part(self, written: View, read: View) -> Source:
        """The source of what `read` shows of values that were written as `written`."""
        inner = read.within(written) if self.place is not None and self.place.in_order else None
        if inner is None or self.place is None:
            return self.elsewhere()
        return self._replace(place=inner._replace(offset=inner.offset + self.place.offset))

    def meets(self, other: Source) -> bool:
        """Whether they may share random values."""
        if self.draw is not other.draw:
            return bool(self.draws & other.draws)
        return self.place is None or other.place is None or not self.place.apart(other.place)


def new_source(shape: tuple[int, ...], *of: Source) -> Source:
    """The source of values that are new, or that the values of others have been made into."""
    return Source(object(), View.whole(shape), frozenset().union(*[source.draws for source in of]))


@dataclass(frozen=True)
class Drawn:
    """Values of a law; those of equal `source` are functions of the same draw, index by index.

    A complex tensor's law is that of its real and imaginary parts, along one more axis.
    """

    law: Distribution
    text: str
    source: Source = field(default_factory=lambda: Source(object(), None))
    root: object = (1.0, 0.0)  # `formulas.Root`


@dataclass(frozen=True)
class Known:
    """Values without chance, computed when asked for; `law`, if there is one that is shorter than the values."""

    values: Callable[[], Tensor]
    text: str
    law: Distribution | None = None


@dataclass(frozen=True)
class Norms:
    """Euclidean norms of a draw over `axes` of the view at which it is read."""

    of: Drawn
    axes: tuple[int, ...]
    text: str


@dataclass(frozen=True)
class Lost:
    """Values of which `text` tells why no law is known."""

    text: str
    random: bool


Content: TypeAlias = Drawn | Known | Norms | Lost


class Write(NamedTuple):
    view: View
    content: Content


@dataclass(slots=True)
class Store:
    storage: torch.UntypedStorage  # held, so that no other takes its address
    dtype: torch.dtype
    nbytes: int
    on_host: bool
    writes: list[Write] = field(default_factory=list)
    memory: bytes = b""  # as the last write left it

    def bytes(self) -> bytes:
        """What the host's memory holds now; nothing on the meta device."""
        return ctypes.string_at(self.storage.data_ptr(), self.nbytes) if self.on_host and self.nbytes else b""

    def whole(self, view: View) -> bool:
        return view.size * self.dtype.itemsize == self.nbytes and not view.repeats


def is_random(content: Content) -> bool:
    if isinstance(content, Lost):
        return content.random
    return isinstance(content, Norms) or (isinstance(content, Drawn) and not constant(content))


def constant(content: Content) -> TypeGuard[Drawn]:
    return isinstance(content, Drawn) and isinstance(content.law, Constant)


def certain(writes: Sequence[Write]) -> bool:
    """Whether the values can be computed."""
    return bool(writes) and all(isinstance(w.content, Known) or constant(w.content) for w in writes)


def values(writes: Sequence[Write], view: View, dtype: torch.dtype) -> Tensor:
    """The values that a view holds after certain writes. Raises ValueError where a part was never written."""
    if len(writes) == 1 and writes[0].view == view:
        content = writes[0].content
        if isinstance(content, Known):
            return content.values()
        if constant(content):
            return torch.full(view.shape, content.law.parameters[0], dtype=dtype, device="cpu")
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
    written, content = write
    if written == view or isinstance(content, Lost) or constant(content):
        return content
    if isinstance(content, Known):
        return Known(cache(lambda: values([write], view, dtype)), content.text)
    in_turn = view.in_order and written.in_order and view.offset == written.offset
    if isinstance(content, Norms):
        if in_turn and view.size == written.size:
            return content
        return Lost(f"is a part or another view of {content.text}", True)
    source = content.source.part(written, view)
    if view.repeats or isinstance(content.law, Structured):
        inner = None if dtype.is_complex else view.within(written)
        if inner is None:
            return Lost(f"is a part or another view of a tensor of the law {content.law.law}", True)
        return Drawn(Viewed(content.law, written.shape, *inner), content.text, source, content.root)
    return Drawn(content.law, content.text, source, content.root)
