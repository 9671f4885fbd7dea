"""Copies: tensors that begin with the values of another tensor, and the names by which distributions know others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from ..arguments import Sizes
from ..dtypes import Array
from .base import Distribution, as_distribution
from .structured import Stream, Structured, neighbour, seen_from, set_fields


@dataclass(frozen=True, slots=True)
class Copied(Structured):
    """What the tensor `of` follows, drawn from that tensor's stream: the same values. A target network begins so.

    `of` is the other tensor as it is called seen from this one: ``"..critic.0.weight"`` is the parameter
    ``critic.0.weight`` for ``target.0.weight``, each dot leads one module up. `inner` is what is drawn there.

    >>> import numpy as np
    >>> from fastinit import Normal, fill
    >>> law, copy = Copied(Normal(), "..critic.0.weight"), np.empty(4)
    >>> np.array_equal(fill(copy, law, seed=0, name="target.0.weight"),
    ...                fill(np.empty(4), Normal(), seed=0, name="critic.0.weight"))
    True
    """

    law: ClassVar[str] = "copied"
    inner: Distribution
    of: str

    def __post_init__(self) -> None:
        set_fields(self, inner=as_distribution(self.inner))
        if not isinstance(self.of, str) or not self.of.strip("."):
            raise ValueError(f"of must be a name, not {self.of!r}")

    def moments(self) -> tuple[float, float]:
        return self.inner.moments()

    def support(self) -> tuple[float, float]:
        return self.inner.support()

    def check(self, shape: Sizes) -> None:
        if isinstance(self.inner, Structured):
            self.inner.check(shape)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        return stream.of(self.of).draw(self.inner, shape)


def drawn_as(law: Any, name: str) -> tuple[Any, str]:
    """What is drawn for a tensor, and the name of the stream: those of the tensor that it copies, if it does.

    >>> from fastinit import Normal
    >>> drawn_as(Copied(Normal(), "..critic.0.weight"), "target.0.weight")
    (Normal(mean=0.0, std=1.0), 'critic.0.weight')
    """
    while isinstance(law, Copied):
        law, name = law.inner, neighbour(name, law.of)
    return law, name


def renamed(law: Any, before: str, after: str, rename: Callable[[str], str]) -> Any:
    """The law of a tensor that was called `before` and is called `after`, where `rename` gives the others' new names.

    >>> from fastinit import Normal
    >>> renamed(Copied(Normal(), "a"), "b", "my_b", "my_{}".format)
    Copied(inner=Normal(mean=0.0, std=1.0), of='my_a')
    """
    if isinstance(law, tuple):
        return tuple([renamed(part, before, after, rename) for part in law])
    if not isinstance(law, Structured):
        return law
    changed: dict[str, Any] = {}
    if of := getattr(law, "of", ""):
        other = neighbour(before, of)
        changed["of"] = seen_from(after, rename(other))
        if isinstance(law, Copied):
            before, after = other, rename(other)
    for field in fields(law):
        if field.name in ("inner", "patches"):
            changed[field.name] = renamed(getattr(law, field.name), before, after, rename)
    return replace(law, **changed) if changed else law
