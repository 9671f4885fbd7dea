"""What a probe finds of one layer, and the columns in which layers are shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..table import Column, shape_text


@dataclass(frozen=True)
class Expected:
    """What mean-field theory predicts for a layer, with the bounds between which 95 of 100 networks of its widths lie."""

    rms: float
    rms_low: float
    rms_high: float
    gradient: float
    gradient_low: float
    gradient_high: float
    dead: float


@dataclass(frozen=True)
class Layer:
    """One layer h = W x + b, and the activation after it. What could not be measured is None."""

    name: str
    shape: tuple[int, ...]
    """The shape of W."""
    weight_variance: float | None
    """Var(W) fan_in."""
    target: float | None
    """The Var(W) fan_in that keeps the gradient's norm in a network of this depth and activation."""
    mean: float | None
    """Mean of h over batch and units."""
    rms: float | None
    """Root of the mean square of h, sqrt(q)."""
    gradient: float | None
    """Norm of dL/dh, relative to that of the last layer."""
    saturated: float | None
    """Share of values where the activation is flat at either end, where its slope is below 5.91 % of its largest, as tanh's is
    beyond +-0.97. None for activations that are not flat at both ends."""
    dead: float | None
    """Share of units whose activation is 0 for the whole batch."""
    cosine: float | None
    """Largest cosine between the weights of two units (of at most 512, evenly chosen)."""
    rank: int | None
    """Rank of W (of at most 512 units)."""
    full_rank: int | None
    """The largest rank that is possible there."""
    copies: int | None
    """Units that equal another one in weights, bias and gradient; training cannot tell them apart."""
    expected: Expected | None = None
    unbiased: float | None = None
    """Share of units whose activation would be 0 for the whole batch without the bias before it. None if there is none."""
    bias: str = ""
    """The name of the norm that has this bias, if it is not the layer's own."""

    @property
    def dead_by_bias(self) -> bool:
        """Whether at least half of the units are dead, and would not be without the bias."""
        return (self.dead or 0.0) >= 0.5 and self.unbiased is not None and self.unbiased < 0.5

    @property
    def std(self) -> float | None:
        """Standard deviation of h over batch and units."""
        if self.rms is None or self.mean is None:
            return None
        return math.sqrt(max(self.rms**2 - self.mean**2, 0.0)) if math.isfinite(self.rms) else self.rms


def columns(layers: Sequence[Layer]) -> list[Column]:
    """A table of layers, for a terminal or a notebook."""
    return [
        Column(title, [show(layer) for layer in layers], rank, "" if rank else "middle")
        for title, show, rank in _COLUMNS
    ]


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _rank(layer: Layer) -> str:
    return "-" if layer.rank is None else f"{layer.rank}/{layer.full_rank}"


# Title, cell, and the rank by which a narrow table leaves the column out.
_COLUMNS: tuple[tuple[str, Callable[[Layer], str], int], ...] = (
    ("layer", lambda layer: layer.name, 0),
    ("weight", lambda layer: shape_text(layer.shape), 6),
    ("Var fan_in", lambda layer: _number(layer.weight_variance), 8),
    ("target", lambda layer: _number(layer.target), 9),
    ("rms", lambda layer: _number(layer.rms), 1),
    ("theory", lambda layer: _number(layer.expected.rms if layer.expected else None), 10),
    ("gradient", lambda layer: _number(layer.gradient), 2),
    ("theory", lambda layer: _number(layer.expected.gradient if layer.expected else None), 11),
    ("saturated", lambda layer: _share(layer.saturated), 4),
    ("dead", lambda layer: _share(layer.dead), 3),
    ("cosine", lambda layer: _number(layer.cosine), 5),
    ("rank", _rank, 7),
)
