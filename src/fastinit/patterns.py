"""Laws without chance: identities, filters, Hadamard's matrix, given values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .distributions import choose, real
from .fans import checked_layout, integer
from .memory import Array
from .structured import (
    Sizes,
    Stream,
    Structured,
    canonical_order,
    check_groups,
    positive_integer,
    set_fields,
)


@dataclass(frozen=True, slots=True)
class Identity(Structured):
    """gain where output (i + shift) mod outputs meets input i, else 0: linear layers, stacked along all other axes."""

    law: ClassVar[str] = "identity"
    gain: float = 1.0
    shift: int = 0
    layout: str | None = None

    def __post_init__(self) -> None:
        set_fields(self, gain=real("gain", self.gain), shift=integer("shift", self.shift))

    def _layout(self, shape: Sizes) -> str:
        if self.layout is None and len(shape) > 2:
            return checked_layout(shape, "b" * (len(shape) - 2) + "oi")
        return checked_layout(shape, self.layout)

    def check(self, shape: Sizes) -> None:
        if set(layout := self._layout(shape)) - set("oib"):
            raise ValueError(f"an identity has no kernel axes, got layout {layout!r}; dirac has")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        whole = stream.zeros(shape)
        view = whole.transpose(canonical_order(self._layout(shape)))
        n_out, n_in = view.shape[-2:]
        inputs = np.arange(min(n_out, n_in))
        view[..., (inputs + self.shift) % n_out, inputs] = self.gain
        return whole


def _triangle(k: int) -> Array:
    """What linear interpolation by the factor ceil(k / 2) gives to each neighbour."""
    taps: Array = 1 - abs(np.arange(k) - (k - 1) / 2) / ((k + 1) // 2)
    return taps


# The taps of a kernel axis of length k.
_TAPS: dict[str, Callable[[int], Array]] = {
    "centre": lambda k: np.arange(k) == k // 2,
    "triangle": _triangle,
    "triangle_mean": lambda k: _triangle(k) / _triangle(k).sum(),
    "mean": lambda k: np.full(k, 1 / k),
}


@dataclass(frozen=True, slots=True)
class Channelwise(Structured):
    """Output c of each group is input c, filtered by the product of one filter per kernel axis; all else is 0."""

    law: ClassVar[str] = "channelwise"
    taps: str
    gain: float = 1.0
    layout: str | None = None
    groups: int = 1
    transposed: bool = False

    def __post_init__(self) -> None:
        choose("taps", self.taps, _TAPS)
        set_fields(self, gain=real("gain", self.gain), groups=positive_integer("groups", self.groups))

    def check(self, shape: Sizes) -> None:
        check_groups(shape, self.layout, self.groups, self.transposed)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        whole = stream.zeros(shape)
        view = whole.transpose(canonical_order(checked_layout(shape, self.layout, self.transposed)))
        stacked = (self.layout or "").count("b")
        n_out, n_in, *kernel = view.shape[stacked:]
        # Of the two axes one counts the channels of all groups, the other those of one.
        of_all, of_one = (n_in, n_out) if self.transposed else (n_out, n_in)
        of_group = of_all // self.groups
        one, group = np.meshgrid(np.arange(min(of_group, of_one)), np.arange(self.groups))
        every = group * of_group + one
        taps: Array = np.array(self.gain)
        for k in kernel:
            taps = taps[..., None] * _TAPS[self.taps](k)
        pair = (one, every) if self.transposed else (every, one)
        view[(slice(None),) * stacked + pair] = taps
        return whole
