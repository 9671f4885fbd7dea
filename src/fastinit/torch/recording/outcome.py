"""What each tensor of a model holds after its code has been followed: a law, given values, or the reason why neither is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...dtypes import Array, name_of
from ...laws import views
from ...laws.composed import Patched
from ...laws.copies import Copied
from ...laws.distributions import Constant, Distribution, Elementwise
from ...laws.parts import complex_values
from ...laws.structured import Structured
from ...plans.buffer import Buffer
from .._private import storage_key
from ..survey import SCRIPTED
from .contents import (
    Content,
    Drawn,
    Known,
    Lost,
    Norms,
    View,
    Write,
    c_strides,
    certain,
    is_random,
    seen,
    values,
)
from .copies import Copies, copied, first_content
from .names import Named, tensors_of
from .parts import box_of_view, masks_of
from .trace import Trace

_AS_FLOAT32 = (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A tensor of the model, and its values or their law; or the name that it is tied to."""

    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    owner: str
    content: Distribution | Array | None = None
    text: str = ""
    error: Exception | None = None
    tied: str = ""

    def law(self) -> Distribution:
        """The law of a tensor that can be drawn."""
        content = self.content
        if not isinstance(content, np.ndarray):
            assert content is not None
            return content
        return _law_of(content)

    def buffer(self, known: bool) -> Buffer:
        """The tensor as one that is not a row of the plan."""
        content = self.content if known else None
        if isinstance(content, Constant):
            content = _numpy(torch.full((), content.value, dtype=getattr(torch, self.dtype)))
            content = np.broadcast_to(content, self.shape)
        if isinstance(content, np.ndarray) and content.size > 1 and (content == content.flat[0]).all():
            content = np.broadcast_to(content.flat[0], content.shape)
        return Buffer(self.name, self.shape, self.dtype, content, self.kind == "buffer")


def outcomes(model: nn.Module, trace: Trace) -> list[Outcome]:
    """Of each parameter and buffer of the model, parameters first."""
    found: list[Outcome] = []
    sharers: dict[int, list[tuple[View, str]]] = {}  # by storage
    named_tensors = tensors_of(model)
    for name, tensor, owner, kind in named_tensors:
        if isinstance(owner, torch.jit.ScriptModule):
            raise ValueError(f"{kind} {name!r}: {SCRIPTED}")
        if isinstance(tensor, nn.UninitializedParameter | nn.UninitializedBuffer):
            raise ValueError(f"{kind} {name!r} has no shape yet: run the lazy module once within the factory")
    held = {named.name: (named, place, writes) for named, place, writes in _held(named_tensors, trace)}
    copies = Copies([(named, writes) for named, _, writes in held.values()])
    laws: dict[str, Distribution] = {}
    for named in named_tensors:
        name, tensor, owner, kind = named
        shape, dtype = tuple(tensor.shape), name_of(tensor.dtype)
        start = (name, kind, shape, dtype, type(owner).__name__)
        if hasattr(tensor, "__tensor_flatten__") or tensor.layout is not torch.strided:
            kind_of = f"is a {type(tensor).__name__} ({tensor.layout}), which is not a plain tensor"
            found.append(Outcome(*start, error=TypeError(kind_of)))
            continue
        key, view = held[name][1] if name in held else (storage_key(tensor), View.of(tensor))
        others = sharers.setdefault(key, [])
        tied = next((other for place, other in others if place == view), "")
        error: Exception | None = None
        if tied:
            found.append(Outcome(*start, tied=tied))
            continue
        shared = next((other for place, other in others if place.meets(view)), None)
        others.append((view, name))
        try:
            if shared is not None and tensor.numel():
                raise ValueError(f"it shares a part of its memory with {shared!r}")
            writes = held[name][2] if name in held else trace.read(tensor)
            content, text = _outcome(writes, tensor, named, copies, laws)
            if not isinstance(content, np.ndarray):
                laws[name] = content
            found.append(Outcome(*start, content, text))
        except (TypeError, ValueError) as problem:
            error = problem
            if kind != "parameter":
                others.pop()
            found.append(Outcome(*start, error=error))
    return found


def _held(named_tensors: list[Named], trace: Trace) -> Iterator[tuple[Named, tuple[int, View], list[Write]]]:
    """What the plain tensors hold, each memory once, and where."""
    seen_: set[tuple[int, View]] = set()
    for named in named_tensors:
        tensor = named.tensor
        if hasattr(tensor, "__tensor_flatten__") or tensor.layout is not torch.strided:
            continue
        place = storage_key(tensor), View.of(tensor)
        if place not in seen_:
            seen_.add(place)
            with suppress(TypeError, ValueError):  # which is said of the tensor, in its turn
                yield named, place, trace.read(tensor)


def _outcome(
    writes: list[Write], tensor: Tensor, named: Named, copies: Copies, laws: Mapping[str, Distribution]
) -> tuple[Distribution | Array, str]:
    """The law or the values of a tensor, and how they came about."""
    if not tensor.numel():
        return Constant(0.0), "constant"
    if not writes:
        raise ValueError("it is never initialised")
    if tensor.is_conj():
        raise ValueError("it is another tensor, conjugated: resolve_conj() gives it values of its own")
    whole = View.of(tensor)
    if not certain(writes):
        original = copies.original(named, writes)
        if original is not None and original.name in laws:
            law = copied(laws[original.name], named, original)
        else:
            law = _law(writes, tensor, named, copies)
        return law, ", ".join(dict.fromkeys(w.content.text for w in writes))
    text = ", ".join(dict.fromkeys(w.content.text for w in writes))
    content = writes[0].content
    if len(writes) == 1 and isinstance(content, Drawn):
        return content.law, text
    if (
        len(writes) == 1
        and isinstance(content, Known)
        and content.law is not None
        and not tensor.is_complex()
    ):
        return content.law, text
    return _numpy(values(writes, whole, tensor.dtype).expand(tensor.shape)), text


def _law_of(array: Array) -> Distribution:
    """The law of given values."""
    first = array.flat[0] if array.size else 0.0
    if (array == first).all() and not np.imag(first):
        return Constant(float(np.real(first)))
    return complex_values(array)


def _numpy(tensor: Tensor) -> Array:
    if tensor.is_complex():
        tensor = tensor.resolve_conj().to(torch.promote_types(tensor.dtype, torch.complex64))
    array: Array = (tensor.float() if tensor.dtype in _AS_FLOAT32 else tensor).numpy().copy()
    return array


def _law(writes: list[Write], tensor: Tensor, named: Named, copies: Copies) -> Distribution:
    shape = tuple(tensor.shape)
    if len(writes) == 1 and writes[0].view.size == tensor.numel():
        return _one_law(writes[0].content, named, copies, alone=True)
    _check_independent([write for write in writes if not _is_copy(write.content, named, copies)])
    content, rest = first_content(writes, tensor), writes[1:]
    if content is None:
        content, rest = _background(writes), writes
        marks = [Write(write.view, Drawn(Constant(0.0), "")) for write in writes]
        values(marks, View.whole(shape), torch.bool)
    patches: list[tuple[Any, Distribution]] = []
    kept: list[View] = []
    for write in rest:
        law = _one_law(write.content, named, copies)
        same = isinstance(content, Drawn) and law == _one_law(content, named, copies)
        same = same and isinstance(law, Elementwise) and not copies.shared(content, named)
        if same and not any(write.view.meets(other) for other in kept):
            continue
        box = box_of_view(write.view, shape)
        if box is None:
            write = _turned(write, tensor.dtype)
            box = box_of_view(write.view, shape)
        if box is not None:
            patches.append((box, _one_law(write.content, named, copies)))
            kept.append(write.view)
            continue
        maskable = isinstance(content, Drawn) and not patches and not tensor.is_complex()
        made = masks_of([write], shape, content) if maskable and isinstance(content, Drawn) else None
        if made is None:
            raise ValueError(f"{write.content.text} writes elements that are not a box of it")
        content = made
    inner = _one_law(content, named, copies)
    return Patched(inner, tuple(patches)) if patches else inner


def _turned(write: Write, dtype: torch.dtype) -> Write:
    """The write with its axes in the order in which memory has them, without those of length 1."""
    view, content = write
    axes = [axis for axis, size in enumerate(view.shape) if size > 1]
    axes.sort(key=lambda axis: -view.strides[axis])
    shape = tuple([view.shape[axis] for axis in axes])
    place = View(shape, tuple([view.strides[axis] for axis in axes]), view.offset)
    inner = View(shape, tuple([c_strides(view.shape)[axis] for axis in axes]), 0)
    return Write(place, seen(Write(View.whole(view.shape), content), inner, dtype))


def _background(writes: list[Write]) -> Drawn:
    """The elementwise law that most of a tensor's parts have, which need not be patches then."""
    sizes: dict[Distribution, int] = {}
    for view, content in writes:
        if isinstance(content, Drawn) and isinstance(content.law, Elementwise):
            sizes[content.law] = sizes.get(content.law, 0) + view.size
    return Drawn(max(sizes, key=lambda law: sizes[law], default=Constant(0.0)), "")


def _is_copy(content: Content, named: Named, copies: Copies) -> bool:
    return isinstance(content, Drawn) and isinstance(copies.law(content, named, False), Copied)


def _check_independent(writes: list[Write]) -> None:
    """Raise ValueError where two parts show the same random values: a plan draws each anew."""
    drawn = [(w.view, w.content) for w in writes if isinstance(w.content, Drawn) and is_random(w.content)]
    for i, (view, one) in enumerate(drawn):
        for under, other in drawn[:i]:
            # What was changed in place hides what it was made of.
            if one.source.meets(other.source) and one.source != other.source.part(under, view):
                raise ValueError("several parts of it are copies of the same random values")


def _one_law(content: Content, named: Named, copies: Copies, alone: bool = False) -> Distribution:
    if isinstance(content, Lost):
        raise ValueError(f"it {content.text}")
    if isinstance(content, Drawn):
        return copies.law(content, named, alone)
    if isinstance(content, Norms):
        return _norms(content, named, copies)
    if content.law is not None and not named.tensor.is_complex():
        return content.law
    return _law_of(_numpy(content.values()))


def _norms(content: Norms, named: Named, copies: Copies) -> Distribution:
    place = content.of.source.place
    if place is None or not place.in_order or place.offset:
        raise ValueError(f"it is {content.text} of a part or another view")
    owner, inner, of = copies.holder(content.of.source.draw, named), content.of.law, ""
    if owner is not None and owner.tensor.numel() == place.size:
        if owner.owner is not named.owner:
            raise ValueError(f"it is {content.text} of {owner.name!r}, which is in another module")
        of = owner.name.rpartition(".")[2]
        inner = copies.law(content.of, owner, alone=True)
        sizes = tuple(owner.tensor.shape)
        if isinstance(inner, Structured) and sizes != place.shape:
            inner = views.Viewed(inner, sizes, place.shape, c_strides(place.shape), 0)
    return views.Norms(inner, place.shape, content.axes, of)
