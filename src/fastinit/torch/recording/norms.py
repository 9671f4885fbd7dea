"""Norms of draws, what weight normalisation makes of them, and products with zeros: sums that need no law of their own."""

from __future__ import annotations

from torch import Tensor

from .calls import Call
from .contents import Content, Drawn, Lost, Norms, View, Write, constant, is_random
from .operations import filled

_NORMS = {"norm": "p", "linalg_vector_norm": "ord"}


def norms(call: Call, before: dict[int, list[Write]], target: Tensor) -> Content | None:
    """Euclidean norms of a drawn tensor, or of its rows."""
    if call.name not in _NORMS or call.bound.get(_NORMS[call.name], 2) not in (2, None):
        return None
    tensor = call.bound["self"]
    if tensor.is_complex():
        return None
    writes, axes = before[id(tensor)], call.bound.get("dim")
    if len(writes) != 1 or not isinstance(writes[0].content, Drawn) or not is_random(writes[0].content):
        return None
    content = writes[0].content
    axes = (
        tuple(range(tensor.dim()))
        if axes is None or axes == []
        else tuple([axis % tensor.dim() for axis in axes])
    )
    return Norms(content, axes, f"{content.text}, {call.name}")


def normed(call: Call, before: dict[int, list[Write]], target: Tensor) -> Content | None:
    """Weight normalisation of a draw by its own norms is the draw."""
    if call.name not in ("_weight_norm", "_weight_norm_interface"):
        return None
    of, by = [
        writes[0].content if len(writes) == 1 else None
        for writes in (before[id(call.bound["v"])], before[id(call.bound["g"])])
    ]
    if not isinstance(of, Drawn) or not isinstance(by, Norms) or by.of.law != of.law:
        return None
    one, two, shape = of.source, by.of.source, tuple(target.shape)
    if one.draw is not two.draw or one.place != View.whole(shape) or two.place is None:
        return None
    axis, sizes = call.bound.get("dim", 0) % len(shape), two.place.shape
    kept = [k for k in range(len(sizes)) if k not in by.axes]
    ends = {(0, 0), (len(sizes) - 1, len(shape) - 1)} if sizes != shape else {(axis, axis)}
    same = len(kept) == 1 and (kept[0], axis) in ends and sizes[kept[0]] == shape[axis]
    return of if same and two.place == View.whole(sizes) else None


_PRODUCTS = {"mm", "bmm", "mv", "dot", "vdot"}


def product_with_zeros(call: Call, before: dict[int, list[Write]], target: Tensor) -> Content | None:
    """A matrix product with zeros, as adapters begin with."""
    if call.name not in _PRODUCTS:
        return None
    held = [before[id(tensor)] for tensor in call.read]
    zeros = [len(writes) == 1 and _is_zero(writes[0].content) for writes in held]
    lost = any(isinstance(write.content, Lost) for writes in held for write in writes)
    return filled(0.0, target, call.name) if any(zeros) and all(held) and not lost else None


def _is_zero(content: Content) -> bool:
    return constant(content) and content.law.parameters == (0.0,)
