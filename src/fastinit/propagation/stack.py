"""A fully connected network in NumPy: its weights drawn by a scheme, its inputs, forward and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import choose, instance, positive_integer, real
from ..drawing.fill import fill
from ..dtypes import Floats
from ..laws.distributions import Distribution
from ..schemes.activations import Activation
from ..schemes.catalogue import SCHEMES
from ..schemes.resolve import distribution, heeded, resolve
from .slopes import slope

DistributionLike: TypeAlias = str | Distribution


@dataclass(frozen=True)
class Stack:
    """Layers h = W x + b with f between them; the last one is linear."""

    activation: Activation
    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    laws: tuple[tuple[Any, Any], ...]
    """Of each layer's weights and biases; none where the weights are no longer the laws'."""

    def forward(self, x: Floats) -> list[Floats]:
        """All h, as far as they are finite in double precision."""
        hs: list[Floats] = []
        with np.errstate(all="ignore"):
            for weight, bias in zip(self.weights, self.biases, strict=True):
                h = x @ weight.T.astype(np.float64) + bias
                if not np.isfinite(h).all():
                    break
                hs.append(h)
                x = np.asarray(self.activation.function(h), np.float64)
        return hs

    def backward(self, hs: Sequence[Floats], gradient: Floats) -> list[Floats]:
        """dL/dh of all layers, from that of the last."""
        gradients = [gradient]
        with np.errstate(all="ignore"):
            for weight, h in zip(reversed(self.weights[1:]), reversed(hs[:-1]), strict=True):
                gradient = (gradient @ weight.astype(np.float64)) * slope(self.activation, h)
                gradients.append(gradient)
        return gradients[::-1]


def inputs(batch: int | ArrayLike, width: int, seed: int) -> Floats:
    """So many standard normal rows, or the given ones, checked."""
    if np.ndim(batch) == 0:
        size = positive_integer("batch", batch)  # type: ignore[arg-type]
        drawn = np.empty((size, width), np.float32)
        fill(drawn, distribution("normal", drawn.shape), seed=seed, name="batch")
        return drawn.astype(np.float64)
    x = np.asarray(batch)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"batch must hold real numbers, got {x.dtype}")
    if x.ndim != 2 or x.shape[1] != width or not len(x):
        raise ValueError(f"batch must have one or more rows of {width} inputs, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("batch must be finite")
    return x.astype(np.float64)


def drawn_stack(
    widths: tuple[int, ...],
    f: Activation,
    scheme: DistributionLike,
    bias: DistributionLike,
    seed: int,
    numbers: dict[str, Any],
    gains: Sequence[float] | None,
) -> Stack:
    """The network whose weights and biases `fill` draws, times the gains."""
    if numbers and not isinstance(scheme, str):
        raise TypeError(f"numbers belong to a scheme's name, got {', '.join(numbers)} beside a law")
    for argument, given in (("scheme", scheme), ("bias", bias)):
        if not isinstance(given, str | Distribution):
            raise TypeError(f"{argument} must be a scheme's name or a law, got {given!r}")
    depth = len(widths) - 1
    factors = [1.0] * depth
    if gains is not None:
        factors = [real("gains", gain) for gain in instance("gains", gains, Iterable)]
    if len(factors) != depth:
        raise ValueError(f"gains must be one number per layer ({depth}), got {len(factors)}")
    weights, biases, laws = [], [], []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        weight, b = np.empty((n_out, n_in), np.float32), np.empty(n_out, np.float32)
        law = resolve(scheme, weight.shape, numbers) if isinstance(scheme, str) else scheme
        if isinstance(bias, str):  # which has no fans of its own: they are its layer's
            choose("bias", bias, SCHEMES)
            bias_law = resolve(bias, b.shape, heeded(bias, {"fan_in": n_in, "fan_out": n_out}))
        else:
            bias_law = bias
        fill(weight, law, seed=seed, name=f"layer.{i}.weight")
        fill(b, bias_law, seed=seed, name=f"layer.{i}.bias")
        weights.append(weight * np.float32(factors[i]))
        biases.append(b)
        laws.append((law, bias_law))
    scaled = gains is not None
    return Stack(f, tuple(weights), tuple(biases), () if scaled else tuple(laws))
