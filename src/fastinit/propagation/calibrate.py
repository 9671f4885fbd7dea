"""Gains from data: each layer's weights scaled until its h have unit variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..drawing.streams import Seed, resolve_seed
from ..dtypes import Floats
from ..schemes.activations import ActivationFunction, as_activation
from .finite_width import checked_widths
from .stack import DistributionLike, drawn_stack, inputs


def calibrate(
    widths: Sequence[int],
    activation: str | ActivationFunction,
    scheme: DistributionLike = "orthogonal",
    *,
    negative_slope: float | None = None,
    bias: DistributionLike = "zeros",
    seed: Seed = 0,
    batch: int | ArrayLike = 128,
    **numbers: Any,
) -> tuple[float, ...]:
    """The factor on each layer's weights at which its h have unit variance over batch and units: data-driven gains.

    With orthogonal weights, the default, this is LSUV (Mishkin and Matas 2016, https://arxiv.org/abs/1511.06422).
    Arguments are those of `probe`, which takes the result as ``gains``.

    Raises ValueError for a layer whose h do not vary, or vary by more than 1 through the bias only, and as `probe` does.

    >>> from fastinit.propagation import probe
    >>> gains = calibrate([64, 64, 64], "tanh", seed=0)
    >>> report = probe([64, 64, 64], "tanh", "orthogonal", seed=0, gains=gains)
    >>> [round(layer.std, 3) for layer in report.layers]
    [1.0, 1.0]
    """
    sizes = checked_widths(widths)
    seed = resolve_seed(seed)
    f = as_activation(activation, negative_slope)
    stack = drawn_stack(sizes, f, scheme, bias, seed, numbers, None)
    x = inputs(batch, sizes[0], seed)
    f(x)
    gains = []
    for i, (weight, b) in enumerate(zip(stack.weights, stack.biases, strict=True)):
        product = x @ weight.T.astype(np.float64)
        gains.append(
            unit_variance_factor(f"layer.{i}", product, np.broadcast_to(b.astype(np.float64), product.shape))
        )
        x = f(gains[-1] * product + b)
    return tuple(gains)


def unit_variance_factor(name: str, product: Floats, bias: Floats) -> float:
    """The s > 0 with Var(s product + bias) = 1 over all elements."""
    p, b = product - product.mean(), bias - bias.mean()
    # s^2 E[p^2] + 2 s E[p b] + E[b^2] = 1
    square, mixed, rest = float((p * p).mean()), float((p * b).mean()), float((b * b).mean()) - 1
    if not 0 < square < math.inf:
        raise ValueError(f"layer {name!r} cannot be calibrated: W x has the variance {square}")
    if rest >= 0:
        raise ValueError(
            f"layer {name!r} cannot be calibrated: its bias alone has the variance {rest + 1:.6g}"
        )
    return (-mixed + math.sqrt(mixed * mixed - square * rest)) / square
