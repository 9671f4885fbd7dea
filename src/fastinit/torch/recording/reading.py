"""What a view shows of the writes of its storage, and where in the storage lies what is written to a view."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from ...laws.distributions import Elementwise
from .contents import (
    Content,
    Drawn,
    Known,
    Lost,
    Store,
    View,
    Write,
    c_strides,
    certain,
    is_random,
    seen,
    values,
)
from .parts import MOST, box_of_mask, part_of_view, view_of_box


def covers(outer: View, inner: View) -> bool:
    """Whether all elements of `inner` are among those of `outer`; at least where that is easily seen."""
    return outer.offset <= inner.offset and inner.end <= outer.end and outer.size == outer.end - outer.offset


def cut(writes: list[Write], view: View, dtype: torch.dtype) -> list[Write] | None:
    """The writes as a view sees them, counted by the C order of its elements; None where one is not a box of it."""
    result = []
    for write in writes:
        if not view.in_order and covers(write.view, view):
            result.append(Write(View.whole(view.shape), seen(write, view, dtype)))
        elif (place := _within(write.view, view)) is not None:
            result.append(Write(place, write.content))
        elif covers(write.view, view):
            result.append(Write(View.whole(view.shape), seen(write, view, dtype)))
        elif view.size <= MOST and write.view.end <= MOST:
            marks = torch.zeros(max(view.end, write.view.end), dtype=torch.bool, device="cpu")
            marks.as_strided(*write.view).fill_(True)
            mask = marks.as_strided(*view).numpy()
            box = box_of_mask(mask) if mask.any() else ()
            if box is None:
                return None
            if box:
                place = view_of_box(box, view.shape)
                result.append(Write(place, seen(write, part_of_view(view, box), dtype)))
        else:
            return None
    return result


def _within(written: View, view: View) -> View | None:
    """A part of a view, counted by the C order of the view's elements; None if it is not one."""
    if written.offset < view.offset:
        return None
    inner = written._replace(offset=written.offset - view.offset)
    if view.in_order:
        return inner if written.end <= view.end else None
    return inner.recounted(view.shape, view.strides, c_strides(view.shape))


def placed(write: Write, view: View) -> Write | None:
    """A write that is counted by the C order of a view's elements, in the view's storage."""
    place: View | None = write.view
    if not view.in_order:
        place = write.view.recounted(view.shape, c_strides(view.shape), view.strides)
    return None if place is None else Write(place._replace(offset=place.offset + view.offset), write.content)


def read_as(store: Store, view: View, dtype: torch.dtype) -> Content:
    """What memory holds that is read as another dtype: real parts of complex numbers, and the other way round."""
    writes, had, size = tuple(store.writes), store.dtype, store.nbytes // store.dtype.itemsize
    if certain(writes):
        text = ", ".join(dict.fromkeys([write.content.text for write in writes]))
        return Known(cache(lambda: _values_as(writes, had, size, dtype).as_strided(*view)), text)
    content = writes[0].content if len(writes) == 1 and store.whole(writes[0].view) else None
    parts_of = {torch.complex64: torch.float32, torch.complex128: torch.float64}
    of_parts = parts_of.get(had) == dtype or parts_of.get(dtype) == had
    if of_parts and isinstance(content, Drawn) and isinstance(content.law, Elementwise) and not view.repeats:
        all_of_it = view.size * dtype.itemsize == store.nbytes and view.in_order
        if all_of_it:
            return content
        source = content.source.elsewhere()
        if had.is_complex and writes[0].view.in_order:  # whose draw counts parts
            source = content.source.part(View.whole((store.nbytes // dtype.itemsize,)), view)
        return Drawn(content.law, content.text, source)
    return Lost(f"is read as {dtype}", any(is_random(write.content) for write in writes))


def _values_as(writes: tuple[Write, ...], had: torch.dtype, size: int, dtype: torch.dtype) -> Tensor:
    """The whole storage, read as another dtype."""
    return values(writes, View.whole((size,)), had).contiguous().view(dtype)
