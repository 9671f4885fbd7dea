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

from ...laws.composed import Box, Transformed, given_values, slices
from ...laws.distributions import Constant, Distribution
from ...laws.structured import Structured
from ...laws.views import Viewed
from .._private import tree_leaves, tree_map_only
from .calls import Call, run
from .contents import (
    Content,
    Drawn,
    Known,
    Lost,
    View,
    Write,
    c_strides,
    certain,
    constant,
    is_random,
    values,
)
from .formulas import given, law_of

MOST = 1 << 24  # elements that are followed one by one
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
                return Lost(f"has a part whose elements {content.text} are not a box of it", True)
            result.append(Write(View.of(part if box is None else part[slices(box)]), content))
    return result or None


def moved(
    call: Call, before: dict[int, list[Write]], target: Tensor, text: str
) -> Content | list[Write] | None:
    """An operation that moves elements, some of them random; None if it cannot be followed."""
    sources: dict[int, list[Write]] = {}
    for tensor in call.read:
        writes = before[id(tensor)]
        if certain(writes):
            continue
        if not tensor.is_floating_point() or not all(isinstance(w.content, Drawn | Known) for w in writes):
            return None
        sources[id(tensor)] = writes
    if not all(sources.values()) or not sources:
        return None
    if call.name == "repeat" and (repeated := _repeated(call, sources)) is not None:
        return repeated
    if max(target.numel(), *[tensor.numel() for tensor in call.read]) > MOST:
        return Lost(f"is rearranged by {text}, and too large to be followed", True)
    followed, parts = _followed(call, before, sources, target)
    if followed.min(initial=0) < 0:
        return None  # a part was never written
    fixed = followed == 0
    values_ = _carried_out(call, before, sources) if fixed.any() else None
    result: list[Write] = []
    for first, last, content in parts:
        mask = (followed >= first) & (followed < last)
        if not mask.any():
            continue
        taken = followed[mask] - first
        if len(np.unique(taken)) < len(taken):
            return Lost(f"repeats the random values of {content.text}", True)
        in_place = mask.size == last - first and bool((taken == np.flatnonzero(mask)).all())
        if not in_place and _depends_on_place(content.law):
            return Lost(f"is {content.text}, rearranged by {text}", True)
        source = content.source if in_place else content.source.elsewhere()
        if not in_place and mask.all() and (place := _regular(taken.reshape(mask.shape))) is not None:
            source = content.source.part(View.whole((last - first,)), place)
        made = Drawn(content.law, f"{content.text}, {text}", source, content.root)
        if mask.all():
            return made
        if (mask | fixed).all():
            return _with_given(made, fixed, values_)
        box = box_of_mask(mask)
        if box is None or _depends_on_place(content.law):
            return Lost(f"is made by {text} of several random tensors whose parts are not boxes", True)
        result.append(Write(view_of_box(box, tuple(target.shape)), made))
    if values_ is not None:
        shape = tuple(target.shape)
        return [Write(View.whole(shape), Known(lambda: values_.reshape(shape), text)), *result]
    return result or None


def _regular(numbers: Any) -> View | None:
    """The view that shows elements with these numbers, if one does: every n-th row, for example."""
    first = int(numbers.flat[0])
    steps = [int(numbers[tuple(unit)]) - first if n > 1 else 0
             for n, unit in zip(numbers.shape, np.eye(numbers.ndim, dtype=int), strict=True)]  # fmt: skip
    grid = first + sum(
        step * index for step, index in zip(steps, np.indices(numbers.shape, sparse=True), strict=True)
    )
    regular = min(steps, default=0) >= 0 and bool((numbers == grid).all())
    return View(tuple(numbers.shape), tuple(steps), first) if regular else None


def _depends_on_place(law: Distribution) -> bool:
    """Whether elements of the law have not all one distribution, independently of each other."""
    if isinstance(law, Transformed):
        return bool(given_values(law.formula)) or _depends_on_place(law.inner)
    return isinstance(law, Structured)


def _with_given(content: Drawn, fixed: Any, values_: Tensor | None) -> Content | list[Write]:
    """A drawn tensor, some of whose elements are given ones."""
    box = box_of_mask(fixed)
    if box is None or values_ is None:
        return _masked(content, ~fixed, values_)
    part = values_.reshape(fixed.shape)[slices(box)]
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
    return Drawn(made if made is not None else law, content.text, content.source, content.root)


def _followed(
    call: Call, before: dict[int, list[Write]], sources: dict[int, list[Write]], target: Tensor
) -> tuple[Any, list[tuple[int, int, Drawn]]]:
    """The operation on tensors whose random elements are numbered: 0 for given ones, -1 for what was never written.

    Also the numbers' ranges (first, last), and what they are numbers of.
    """
    parts: list[tuple[int, int, Drawn]] = []
    made: dict[int, Tensor] = {}
    for tensor in call.read:
        shape, writes = tuple(tensor.shape), sources.get(id(tensor))
        if id(tensor) in made:
            continue
        if writes is None:
            carried = tensor.is_floating_point()
            known = None if carried else values(before[id(tensor)], View.of(tensor), tensor.dtype)
            made[id(tensor)] = _zeros(shape) if known is None else known.expand(shape).clone()
            continue
        numbers = _zeros(shape).fill_(-1)
        if len(writes) == 1 and writes[0].view.size == tensor.numel():  # at whichever place of its storage
            writes = [writes[0]._replace(view=View.whole(shape))]
        for view, content in writes:
            if not isinstance(content, Drawn) or constant(content):
                numbers.as_strided(*view).fill_(0)
                continue
            first = parts[-1][1] if parts else 1
            parts.append((first, first + view.size, content))
            count = torch.arange(first, first + view.size, dtype=torch.float64, device="cpu")
            numbers.as_strided(*view).copy_(count.reshape(view.shape))
        made[id(tensor)] = numbers
    later = _with(call, made)
    for name in ("value", "self", "other"):
        if isinstance(later.get(name), int | float):
            later[name] = 0
    return _run(call, later).reshape(tuple(target.shape)).numpy().astype(np.int64), parts


def _carried_out(call: Call, before: dict[int, list[Write]], sources: dict[int, list[Write]]) -> Tensor:
    """The operation on given values, with zeros for random ones."""
    made: dict[int, Tensor] = {}
    for tensor in call.read:
        shape, writes = tuple(tensor.shape), before[id(tensor)]
        if id(tensor) in sources:
            zero = Drawn(Constant(0.0), "")
            writes = [w._replace(content=zero) if is_random(w.content) else w for w in writes]
            numbers = _zeros(shape)
            for write in writes if len(writes) > 1 or not is_random(before[id(tensor)][0].content) else ():
                numbers.as_strided(*write.view).copy_(values([write], write.view, torch.float64))
            made[id(tensor)] = numbers
            continue
        known = values(writes, View.of(tensor), tensor.dtype).expand(shape)
        made[id(tensor)] = known.double() if tensor.is_floating_point() else known.clone()
    return _run(call, _with(call, made))


def _zeros(shape: tuple[int, ...]) -> Tensor:
    return torch.zeros(shape, dtype=torch.float64, device="cpu")


def _with(call: Call, made: dict[int, Tensor]) -> dict[str, Any]:
    later: dict[str, Any] = tree_map_only(Tensor, lambda tensor: made[id(tensor)], call.bound)
    if "device" in later:
        later["device"] = torch.device("cpu")
    return later


def _run(call: Call, later: dict[str, Any]) -> Tensor:
    return next(leaf for leaf in tree_leaves(run(call.of, later)) if isinstance(leaf, Tensor))


def _repeated(call: Call, sources: dict[int, list[Write]]) -> Content | None:
    tensor = call.bound["self"]
    content = sources[id(tensor)][0].content
    if len(sources[id(tensor)]) > 1 or not isinstance(content, Drawn):
        return None
    times = tuple(call.bound["repeats"])
    sizes = (1,) * (len(times) - tensor.dim()) + tuple(tensor.shape)
    shape = tuple([n for pair in zip(times, sizes, strict=True) for n in pair])
    strides = tuple([n for step in c_strides(sizes) for n in (0, step)])
    if max(times) == 1:
        return None
    law = Viewed(content.law, sizes, shape, strides, 0)
    return Drawn(law, content.text, content.source.elsewhere(), content.root)


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


def part_of_view(view: View, box: Box) -> View:
    """The box of what the view shows, in the view's storage."""
    shape, strides, offset = [], [], view.offset
    for extent, step in zip(box, view.strides, strict=True):
        run = range(extent, extent + 1) if isinstance(extent, int) else range(*extent)
        offset += run.start * step
        shape.append(len(run))
        strides.append(run.step * step if len(run) > 1 else 0)
    return View(tuple(shape), tuple(strides), offset)


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
    """A drawn tensor with given values written over it at places that are not boxes; None if they are not given."""
    if math.prod(shape) > MOST or not certain(writes):
        return None
    kept = np.ones(math.prod(shape), bool)
    over = torch.zeros(math.prod(shape), dtype=torch.float64, device="cpu")
    marks = torch.from_numpy(kept)
    for view, content in writes:
        marks.as_strided(*view).fill_(False)
        over.as_strided(*view).copy_(values([Write(view, content)], view, torch.float64))
    return _masked(base, kept.reshape(shape), over.reshape(shape))
