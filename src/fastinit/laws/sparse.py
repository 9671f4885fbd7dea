"""Sparse distributions: normal values, of which an exact number is zero, at random places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..arguments import Sizes, integer, non_negative, real
from ..dtypes import Array
from .distributions import Normal
from .structured import Stream, Structured, checked_axis, set_fields


@dataclass(frozen=True, slots=True)
class Sparse(Structured):
    """N(0, std^2), except that of the n elements of each line along `axis`, ceil(sparsity n) are zero."""

    law: ClassVar[str] = "sparse"
    sparsity: float
    std: float = 0.01
    axis: int = 0

    def __post_init__(self) -> None:
        sparsity = real("sparsity", self.sparsity)
        if not 0 <= sparsity <= 1:
            raise ValueError(f"sparsity must be between 0 and 1, got {self.sparsity!r}")
        set_fields(
            self, sparsity=sparsity, std=non_negative("std", self.std), axis=integer("axis", self.axis)
        )

    def check(self, shape: Sizes) -> None:
        checked_axis(self.axis, shape)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        values = stream.draw(Normal(0.0, self.std), shape)
        across = np.moveaxis(values, self.axis, -1)
        across[smallest(stream.words(across.shape), math.ceil(self.sparsity * across.shape[-1]))] = 0
        return values


@dataclass(frozen=True, slots=True)
class NMSparse(Structured):
    """N(0, std^2), except that of each `m` neighbours along `axis` all but `n`, chosen at random, are zero."""

    law: ClassVar[str] = "n_m_sparse"
    std: float
    n: int = 2
    m: int = 4
    axis: int = -1

    def __post_init__(self) -> None:
        n, m = integer("n", self.n), integer("m", self.m)
        if not 1 <= n <= m:
            raise ValueError(f"n must be between 1 and m, got n={n}, m={m}")
        set_fields(self, n=n, m=m, std=non_negative("std", self.std), axis=integer("axis", self.axis))

    def check(self, shape: Sizes) -> None:
        length = shape[checked_axis(self.axis, shape)]
        if length % self.m:
            raise ValueError(f"m must divide the length of axis {self.axis}, {length}, got {self.m}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        values = stream.draw(Normal(0.0, self.std), shape)
        across = np.moveaxis(values, self.axis, -1)
        groups = (*across.shape[:-1], across.shape[-1] // self.m, self.m)
        across[smallest(stream.words(groups), self.m - self.n).reshape(across.shape)] = 0
        return values


def smallest(words: Array, count: int) -> Array:
    """A mask of the `count` smallest words along the last axis; of equal words the first counts as smaller.

    The order of random words is a random permutation: nothing is rejected, and there is only one answer.
    """
    if count == 0:
        return np.zeros(words.shape, np.bool_)
    keys = words.astype(np.uint64) << np.uint64(32) | np.arange(words.shape[-1], dtype=np.uint64)
    chosen: Array = keys <= np.partition(keys, count - 1, axis=-1)[..., count - 1 : count]
    return chosen
