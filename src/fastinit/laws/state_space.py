"""State matrices of structured state-space layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..arguments import Sizes, choose, positive_integer, real
from ..dtypes import Array
from .exact_math import log
from .structured import Stream, Structured, set_fields
from .transformed import check_complex


def _legs(n: int) -> Array:
    """HiPPO's matrix for scaled Legendre polynomials."""
    root = np.sqrt(2.0 * np.arange(n) + 1)
    matrix: Array = -np.tril(root[:, None] * root, -1)
    np.fill_diagonal(matrix, -1.0 - np.arange(n))
    return matrix


def _modes(imaginary: Array) -> Array:
    return np.stack([np.full_like(imaginary, -0.5), imaginary], -1)


# By the name of the scheme: how many last axes belong to one layer, and their values, given the number of stored modes.
_MATRICES: dict[str, tuple[int, Callable[[int, int], Array]]] = {
    "mamba_a_log": (1, lambda n, states: log(1.0 + np.arange(n))),
    "s4d_real": (1, lambda n, states: -1.0 - np.arange(n)),
    "s4d_lin": (2, lambda n, states: _modes(math.pi * np.arange(n))),
    "s4d_inv": (2, lambda n, states: _modes(states / math.pi * (states / (2.0 * np.arange(n) + 1) - 1))),
    "hippo_legs": (2, lambda n, states: _legs(n)),
}


@dataclass(frozen=True, slots=True)
class StateMatrix(Structured):
    """The matrix of this `kind`, or its diagonal, the same for each layer stacked along the leading axes."""

    law: ClassVar[str] = "state_matrix"
    kind: str
    states: int | None = None

    def __post_init__(self) -> None:
        choose("kind", self.kind, _MATRICES)
        if self.states is not None:
            set_fields(self, states=positive_integer("states", self.states))
            real("states", self.states)

    def check(self, shape: Sizes) -> None:
        if self.kind in ("s4d_lin", "s4d_inv"):
            check_complex(shape)
        if len(shape) < _MATRICES[self.kind][0]:
            raise ValueError(f"{self.kind} needs {_MATRICES[self.kind][0]} axes or more, got shape {shape}")
        if self.kind == "hippo_legs" and shape[-1] != shape[-2]:
            raise ValueError(f"hippo_legs is square, got shape {shape}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        axes, matrix = _MATRICES[self.kind]
        modes = shape[-axes]
        states = 2 * modes if self.states is None else self.states
        return np.broadcast_to(matrix(modes, states).astype(stream.dtype), shape)
