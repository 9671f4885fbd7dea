"""Operations that move elements and change none: which element of which tensor ends where.

`cat` and `stack` put whole tensors side by side. The others are carried out once more, on numbers that count the elements
of their tensors: what comes out says where each element came from.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...laws.composed import Box, Transformed, given_values
from ...laws.structured import Structured
from ...laws.views import Viewed
from .._private import tree_leaves, tree_map_only
from .contents import Content, Drawn, Known, Lost, Source, View, Write, c_strides, certain, values
from .formulas import given, law_of
from .operations import Call, run

_MOST = 1 << 24  # elements that are followed one by one
MOVES = {
    "flip", "roll", "repeat", "index", "index_select", "index_fill", "index_copy", "index_put", "gather", "take", "scatter",
    "masked_fill", "masked_scatter", "where", "tril", "triu", "fill_diagonal", "diag_embed", "diagonal_copy", "constant_pad_nd",
    "slice_scatter", "select_scatter", "diagonal_scatter", "rot90", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
    "unfold_copy", "_unsafe_index", "_index_put_impl", "repeat_interleave", "block_diag", "put",
}  # fmt: skip


def joined(call: Call, before: dict[int, list[Write]], target: Tensor) -> Content | list[Write] | None:
    """`cat` and `stack`."""
    tensors, axis = call.bound["tensors"], call.bound.get("dim", 0) % max(target.dim(), 1)
    result: list[Write] = []
    at = 0
    for tensor in tensors:
        size = tensor.shape[axis] if call.name == "cat" else 1
        if tensor.numel() == 0:
            continue
        part = target.narrow(axis, at, size)
        at += size
        writes = before[id(tensor)]
        if not writes:
            continue
        if call.name == "stack":
            part = part.squeeze(axis)
        for view, content in writes:
            box = box_of_view(view, tuple(tensor.shape)) if len(writes) > 1 else None
            if len(writes) > 1 and box is None:
                return Lost(f"has a part whose elements {content.text} are no box of it", True)
            result.append(Write(View.of(part if box is None else part[_index(box)]), content))
    return result or None


def moved(
    call: Call, before: dict[int, list[Write]], target: Tensor, text: str
) -> Content | list[Write] | None:
    """An operation that moves elements, some of them random; None if it cannot be followed."""
    sources: dict[int, Drawn] = {}
    for tensor in call.read:
        writes = before[id(tensor)]
        if certain(writes):
            continue
        if len(writes) != 1 or not isinstance(writes[0].content, Drawn) or not tensor.is_floating_point():
            return None
        sources[id(tensor)] = writes[0].content
    if not sources:
        return None
    if call.name == "repeat" and (repeated := _repeated(call, sources)) is not None:
        return repeated
    if max(target.numel(), *[tensor.numel() for tensor in call.read]) > _MOST:
        return Lost(f"is rearranged by {text}, and too large to be followed", True)
    numbers = _numbers(call, before, sources, where=True)
    followed = numbers.reshape(tuple(target.shape)).numpy().astype(np.int64)
    fixed = followed == 0
    values_ = _numbers(call, before, sources, where=False) if fixed.any() else None
    result: list[Write] = []
    first = 1
    for tensor in call.read:
        if id(tensor) not in sources:
            continue
        last = first + tensor.numel()
        mask = (followed >= first) & (followed < last)
        taken = followed[mask] - first
        first = last
        content = sources.pop(id(tensor))
        if not mask.any():
            continue
        again = len(np.unique(taken)) < len(taken)
        if again or (isinstance(content.law, Structured) and not isinstance(content.law, Transformed)):
            return Lost(
                f"is {content.text}, rearranged by {text}"
                if not again
                else f"repeats the random values of {content.text}",
                True,
            )
        if isinstance(content.law, Transformed) and given_values(content.law.formula):
            return Lost(f"is {content.text}, rearranged by {text}", True)
        in_place = mask.size == tensor.numel() and bool((taken == np.flatnonzero(mask)).all())
        source = content.source if in_place else Source(content.source.draw, None)
        made = Drawn(content.law, f"{content.text}, {text}", source)
        if mask.all():
            return made
        if (mask | fixed).all():
            return _with_given(made, fixed, values_)
        box = box_of_mask(mask)
        if box is None:
            return Lost(f"is made by {text} of several random tensors whose parts are no boxes", True)
        result.append(Write(view_of_box(box, tuple(target.shape)), made))
    if values_ is not None:
        shape = tuple(target.shape)
        return [Write(View.whole(shape), Known(lambda: values_.reshape(shape), text)), *result]
    return result or None


def _with_given(content: Drawn, fixed: Any, values_: Tensor | None) -> Content | list[Write]:
    """A drawn tensor, some of whose elements are given ones."""
    box = box_of_mask(fixed)
    if box is None or values_ is None:
        return _masked(content, ~fixed, values_)
    part = values_.reshape(fixed.shape)[_index(box)]
    over = Write(view_of_box(box, fixed.shape), Known(lambda: part, content.text))
    return [Write(View.whole(fixed.shape), content), over]


def _masked(content: Drawn, mask: Any, values_: Tensor | None) -> Drawn:
    """The content where the mask is true, given values elsewhere."""
    if values_ is None or mask.all():
        return content
    law = content.law
    inner, formula = (law.inner, law.formula) if isinstance(law, Transformed) else (law, "x")
    kept = given(mask.astype(np.float64))
    others = given(np.where(mask, 0.0, values_.reshape(mask.shape).to(torch.float64).numpy()))
    made = law_of(("where", kept, formula, others), inner)
    return Drawn(made if made is not None else law, content.text, content.source)


def _numbers(call: Call, before: dict[int, list[Write]], sources: dict[int, Drawn], where: bool) -> Tensor:
    """The operation on tensors whose elements are counted from 1 on (`where`) or 0, given ones being 0 or themselves."""
    first = 1
    made: dict[int, Tensor] = {}
    for tensor in call.read:
        shape = tuple(tensor.shape)
        if id(tensor) in sources:
            n = tensor.numel()
            counted = torch.arange(first, first + n, dtype=torch.float64, device="cpu").reshape(shape)
            made[id(tensor)] = counted if where else torch.zeros(shape, dtype=torch.float64, device="cpu")
            first += n
        else:
            known = values(before[id(tensor)], View.of(tensor), tensor.dtype).expand(shape)
            carried = tensor.is_floating_point()
            made[id(tensor)] = (
                (torch.zeros(shape, dtype=torch.float64, device="cpu") if where else known.double())
                if carried
                else known.clone()
            )
    later = tree_map_only(Tensor, lambda tensor: made[id(tensor)], call.bound)
    for name in ("value", "self", "other"):
        if isinstance(later.get(name), int | float) and where:
            later[name] = 0
    if "device" in later:
        later["device"] = torch.device("cpu")
    return next(leaf for leaf in tree_leaves(run(call.of, later)) if isinstance(leaf, Tensor))


def _repeated(call: Call, sources: dict[int, Drawn]) -> Content | None:
    tensor = call.bound["self"]
    content = sources[id(tensor)]
    times = tuple(call.bound["repeats"])
    sizes = (1,) * (len(times) - tensor.dim()) + tuple(tensor.shape)
    shape = tuple([n for pair in zip(times, sizes, strict=True) for n in pair])
    strides = tuple([n for step in c_strides(sizes) for n in (0, step)])
    if max(times) == 1:
        return None
    return Drawn(
        Viewed(content.law, sizes, shape, strides, 0), content.text, Source(content.source.draw, None)
    )


def box_of_mask(mask: Any) -> Box | None:
    """The box that the mask's true elements are, if they are one."""
    box: list[int | tuple[int, int, int]] = []
    for axis in range(mask.ndim):
        hit = np.flatnonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis)))
        steps = np.unique(np.diff(hit))
        if len(steps) > 1:
            return None
        step = int(steps[0]) if len(steps) else 1
        box.append((int(hit[0]), int(hit[-1]) + 1, step))
    whole = math.prod([len(range(*extent)) for extent in box if isinstance(extent, tuple)])
    return tuple(box) if whole == int(mask.sum()) else None


def view_of_box(box: Box, shape: tuple[int, ...]) -> View:
    """The box of a tensor of that shape in C order."""
    sizes, strides, offset = [], [], 0
    for extent, step in zip(box, c_strides(shape), strict=True):
        if isinstance(extent, int):
            offset += extent * step
            continue
        n = len(range(*extent))
        offset += extent[0] * step
        sizes.append(n)
        strides.append(extent[2] * step if n > 1 else 0)
    return View(tuple(sizes), tuple(strides), offset)


def _index(box: Box) -> tuple[int | slice, ...]:
    return tuple([extent if isinstance(extent, int) else slice(*extent) for extent in box])


def box_of_view(view: View, shape: tuple[int, ...]) -> Box | None:
    """The view as a box of a contiguous tensor of that shape, if it is one and has its axes in order."""
    steps = [(size, stride) for size, stride in zip(view.shape, view.strides, strict=True) if size > 1]
    box: list[int | tuple[int, int, int]] = []
    unit = 1
    at = view.offset
    taken = list(view.shape)
    for size in reversed(shape):
        start, at = at % size, at // size
        if steps and steps[-1][1] < unit * size:
            length, stride = steps.pop()
            step = stride // unit
            if stride % unit or start + step * (length - 1) >= size:
                return None
            box.append((start, start + step * (length - 1) + 1, step))
        else:
            box.append((start, start + 1, 1))
        unit *= size
    box.reverse()
    if steps:
        return None
    # Axes that the view has not are indices.
    missing = len(shape) - len(taken)
    for axis, extent in enumerate(box):
        if missing > 0 and isinstance(extent, tuple) and extent[1] - extent[0] == 1:
            box[axis] = extent[0]
            missing -= 1
    sizes = [len(range(*extent)) for extent in box if isinstance(extent, tuple)]
    return tuple(box) if sizes == taken else None


def masks_of(writes: list[Write], shape: tuple[int, ...], base: Drawn) -> Drawn | None:
    """A drawn tensor with given values written over it at places that are no boxes; None if they are not given."""
    if math.prod(shape) > _MOST or not certain(writes):
        return None
    kept = np.ones(math.prod(shape), bool)
    over = torch.zeros(math.prod(shape), dtype=torch.float64, device="cpu")
    marks = torch.from_numpy(kept)
    for view, content in writes:
        marks.as_strided(*view).fill_(False)
        over.as_strided(*view).copy_(values([Write(view, content)], view, torch.float64))
    return _masked(base, kept.reshape(shape), over.reshape(shape))
