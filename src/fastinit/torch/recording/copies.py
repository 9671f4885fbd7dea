"""Tensors of a model that share random values: which of them holds a draw, and what the others are of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ...dtypes import name_of
from ...laws.composed import Expression, Transformed
from ...laws.copies import Copied
from ...laws.distributions import Distribution, Elementwise
from ...laws.parts import of_complex
from ...laws.structured import seen_from
from ...laws.views import Viewed
from .contents import Content, Drawn, Source, View, Write, constant, is_random, seen
from .formulas import changed, relative, substituted
from .names import Named

_Key = tuple[Any, ...]


class _Holder(NamedTuple):
    """A tensor that begins with values of a draw: the stream of its name is where they come from."""

    named: Named
    content: Drawn
    alone: bool  # nothing is written over them

    @property
    def rank(self) -> tuple[int, bool, bool, int]:
        """How much of the draw can be told from it: how many of its values, in their order, as they were drawn, how exact."""
        place, law = self.content.source.place, self.content.law
        plain = self.content.root == (1.0, 0.0) and not isinstance(law, Transformed)
        exact = self.named.tensor.dtype.itemsize
        return (place.size, place.in_order, plain, exact) if place else (0, False, plain, exact)


class Copies:
    """What the tensors of a model have in common."""

    def __init__(self, held: Sequence[tuple[Named, list[Write]]]) -> None:
        self._holders: dict[object, list[_Holder]] = {}  # by draw
        self._uses: dict[object, list[tuple[Named, Source]]] = {}
        self._first: dict[_Key, Named] = {}  # by all that a tensor holds
        for named, writes in held:
            contents = [write.content for write in writes if is_random(write.content)]
            if not contents:
                continue
            self._first.setdefault(_key(named, writes), named)
            for content in contents:
                if isinstance(content, Drawn):
                    for draw in content.source.draws:
                        self._uses.setdefault(draw, []).append((named, content.source))
            first = first_content(writes, named.tensor)
            if isinstance(first, Drawn) and is_random(first):
                holder = _Holder(named, first, len(writes) == 1)
                self._holders.setdefault(first.source.draw, []).append(holder)
        self._best = {
            draw: max(holders, key=lambda one: one.rank) if len(holders) > 1 else holders[0]
            for draw, holders in self._holders.items()
        }

    def original(self, named: Named, writes: list[Write]) -> Named | None:
        """The tensor before this one that holds the very same, if there is one."""
        first = self._first.get(_key(named, writes))
        return None if first is None or first.name == named.name else first

    def holder(self, draw: object, beside: Named) -> Named | None:
        """A tensor that is a function of all of the draw, index by index: one in the same module, or else the first."""
        whole = [
            one.named
            for one in self._holders.get(draw, ())
            if one.alone and one.content.source.place == View.whole(tuple(one.named.tensor.shape))
        ]
        return next((one for one in whole if one.owner is beside.owner), whole[0] if whole else None)

    def law(self, content: Drawn, named: Named, alone: bool) -> Distribution:
        """The law of a tensor's values, or of a part of them (not `alone`). Raises ValueError where it has values of another
        tensor and no law tells how."""
        if constant(content):
            return content.law
        draw = content.source.draw
        holder = self._best.get(draw)
        law: Distribution | None = None
        is_own = False
        if holder is not None and holder.named.name != named.name:
            law = _law_of_copy(content, named, holder, alone)
        elif holder is not None:
            is_own = content.source == holder.content.source and content.root == holder.content.root
        self._check_apart(content, named, {draw} if law or is_own else set())
        if law is not None:
            return law
        return of_complex(content.law) if named.tensor.is_complex() else content.law

    def _check_apart(self, content: Drawn, named: Named, told: set[object]) -> None:
        """Raise ValueError if another tensor has some of its random values, except those of the draws that are told."""
        if (other := self._sharer(content, named, told)) is not None:
            raise ValueError(
                f"it has random values ({content.text}) of which {other.name!r} is made too, in a way that no distribution "
                "here describes"
            )

    def shared(self, content: Content, named: Named) -> bool:
        """Whether another tensor has some of its random values."""
        return isinstance(content, Drawn) and self._sharer(content, named, set()) is not None

    def _sharer(self, content: Drawn, named: Named, told: set[object]) -> Named | None:
        for draw in content.source.draws.difference(told):
            for other, source in self._uses.get(draw, ()):
                if other.name != named.name and content.source.meets(source):
                    return other
        return None


def first_content(writes: list[Write], tensor: Tensor) -> Content | None:
    """What was written first to all elements of the tensor, in their C order; None if nothing was."""
    first = writes[0]
    if first.view.size != tensor.numel():
        return None
    if len(writes) == 1:
        return first.content
    view = View.whole(tuple(tensor.shape)) if first.view.offset == 0 else View.of(tensor)
    return seen(first, view, tensor.dtype)


def copied(law: Distribution, named: Named, of: Named) -> Distribution:
    return Copied(law, seen_from(named.name, of.name))


def _key(named: Named, writes: list[Write]) -> _Key:
    views = [write.view for write in writes] if len(writes) > 1 else []
    held = tuple([id(write.content) for write in writes])
    return tuple(named.tensor.shape), named.tensor.dtype, tuple(views), held


def _law_of_copy(content: Drawn, named: Named, holder: _Holder, alone: bool) -> Distribution | None:
    """The law of values that were made from those that another tensor holds; None if it is not told. ``alone`` says that the
    tensor holds nothing else."""
    held, of = holder.content, holder.named
    sizes = tuple(of.tensor.shape)
    place, outer = content.source.place, held.source.place
    part = View.whole(sizes) if content is held else place.within(outer) if place and outer else None
    dtype, there = [name_of(one.tensor.dtype) for one in (named, of)]
    if part is None or named.tensor.is_complex() != of.tensor.is_complex():
        return None
    if (law := _function(content, held, part, sizes)) is None:
        return None
    if named.tensor.is_complex():
        return copied(of_complex(law), named, of) if dtype == there and law == content.law else None
    narrow = named.tensor.dtype.itemsize < 4
    if dtype != there and not (narrow and there == "float32"):
        return None  # of rounded values, or of values that are drawn from other words
    if (
        narrow
        and isinstance(_core(held.law), Elementwise)
        and any(map(math.isfinite, _core(held.law).support()))
    ):
        # Kernels keep rounded values within the bounds, NumPy's formulas do not.
        kept = dtype == there and holder.alone and isinstance(held.law, Elementwise)
        if kept and not (alone and isinstance(law, Elementwise)):
            return None
        if not kept and isinstance(law, Elementwise):
            law = Viewed(law, sizes, *part)
    return copied(law, named, of)


def _function(content: Drawn, held: Drawn, part: View, sizes: tuple[int, ...]) -> Distribution | None:
    """The law of values that are made from a part of those of another tensor of that shape, drawn from its stream."""

    def viewed(law: Distribution) -> Distribution:
        turned = not part.in_order or part.offset or part.size != math.prod(sizes)
        plain = part.shape == sizes or isinstance(law, Elementwise)
        return Viewed(law, sizes, *part) if turned or not plain else law

    if _core(content.law) == _core(held.law) and content.root == held.root:
        return viewed(held.law)
    (law, formula), (base, _) = _split(content.law), _split(held.law)
    change = relative(content.root, held.root)
    if change is None or isinstance(_core(law), Transformed) or isinstance(_core(base), Transformed):
        return None
    if formula == "x" and isinstance(law, Elementwise) and isinstance(base, Elementwise) and change[0] > 0:
        return viewed(law)
    return Transformed(viewed(base), substituted(formula, changed("x", change)))


def _split(law: Distribution) -> tuple[Distribution, Expression]:
    return (law.inner, law.formula) if isinstance(law, Transformed) else (law, "x")


def _core(law: Distribution) -> Distribution:
    """The law of the tensor that is viewed."""
    return _core(law.inner) if isinstance(law, Viewed) else law
