"""Networks of finite width: what to expect layer by layer, and how far a single network strays from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..arguments import choose, integers, non_negative
from ..dtypes import Floats
from ..laws.distributions import Distribution
from ..schemes.activations import Activation, ActivationFunction, as_activation
from ..schemes.catalogue import SCHEMES
from ..schemes.quadrature import expect
from ..schemes.resolve import heeded, resolve
from .dead import dead_share, shared_correlation
from .moments import second_moment, second_moment_slope, slope_moment
from .theory import MeanField

_95_PERCENT = 1.959963984540054


class Band(NamedTuple):
    """The mean over networks, and the bounds between which 95 of 100 networks lie."""

    mean: Floats
    low: Floats
    high: Floats


class Prediction(NamedTuple):
    """Arrays with one element per layer 1 ... L."""

    q: Band
    """Mean square of the pre-activations h over the layer's units."""
    output: Band
    """Mean square of the activations f(h) over the layer's units."""
    gradient: Band
    """Squared norm of dL/dh, relative to that of the last layer."""
    c: Floats
    """Correlation of two inputs' pre-activations, the mean of h h' over q."""
    dead: Floats
    """Share of units that give 0 for the whole batch."""


def predict(
    widths: Sequence[int],
    activation: str | ActivationFunction,
    weight_variances: float | Sequence[float],
    bias_variances: float | Sequence[float] = 0.0,
    *,
    negative_slope: float | None = None,
    input_moment: float = 1.0,
    c: float = 0.0,
    batch: int = 1,
) -> Prediction:
    """What a fully connected network does at its first step, layer by layer, with a band for its finite width.

    Sources: Hanin 2018 (https://arxiv.org/abs/1801.03744), Hanin and Nica 2020 (https://arxiv.org/abs/1812.05994);
    for other activations than ReLU the same first-order expansion, in `docs/theory.md`.

    Parameters
    ----------
    widths
        The number of inputs, then the units of each layer: L + 1 numbers for L layers. For a convolution, channels.
    activation, negative_slope
        As in `mean_field`; applied after every layer.
    weight_variances, bias_variances
        Var(W) fan_in and E[b^2], one number for all layers or one for each; see `variances`.
    input_moment, c
        Mean square of an input's elements, and the correlation between two inputs (0 or more).
    batch
        Over how many inputs a unit must be off to count as dead.

    Returns
    -------
    Prediction
        The band is that of one input; a batch's mean strays hardly less once the inputs have become correlated. It is
        log-normal, of the variance that is exact to first order in 1 / width, and means little where that variance is
        large: with an unstable q-map (GELU, SiLU) deep networks leave it.

    Raises
    ------
    TypeError, ValueError
        for fewer than two widths, one below 1, variances of another number or negative, or as `mean_field` does.

    Examples
    --------
    >>> p = predict([784, 100, 100, 100], "relu", 2.0)
    >>> p.q.mean, p.output.low.round(3), p.output.high.round(3)
    (array([2., 2., 2.]), array([0.633, 0.516, 0.439]), array([1.505, 1.757, 1.967]))
    """
    n = np.array(checked_widths(widths), float)
    depth = len(n) - 1
    f = as_activation(activation, negative_slope)
    weights = _per_layer("weight_variances", weight_variances, depth)
    biases = _per_layer("bias_variances", bias_variances, depth)
    moment, share = non_negative("input_moment", input_moment), shared_correlation("c", c)
    q, output, factor, forward, steepness, bend = np.zeros((6, depth))
    noise, cs = np.zeros((depth, 2, 2)), np.zeros(depth)
    for i in range(depth):
        layer = MeanField(f, weights[i], biases[i])
        q[i] = weights[i] * moment + biases[i]
        if q[i] == 0:
            raise ValueError(f"layer {i + 1} gets no signal: its pre-activations are all 0")
        if i == 0:
            cs[i] = (weights[i] * moment * share + biases[i]) / q[i]
        else:
            forward[i] = weights[i] * moment / q[i]
            cs[i] = layer.c_map(cs[i - 1], q=q[i - 1])
        output[i] = moment = second_moment(f, q[i])
        factor[i] = slope_moment(f, q[i]) * (weights[i + 1] if i + 1 < depth else 1)
        steepness[i] = _ratio(second_moment_slope(f, q[i]) * q[i], moment)
        bend[i] = _bend(f, q[i])
        noise[i] = _noise(f, q[i], n[i + 1])
    # Deviations of ln q, of ln E[f^2] and of the log gradient, as sums over the sources: two per layer.
    of_q, of_output, of_gradient = np.zeros((3, depth, depth, 2))
    for i in range(depth):
        if i:
            of_q[i] = forward[i] * of_output[i - 1]
        of_output[i] = steepness[i] * of_q[i]
        of_output[i, i, 0] += 1
    gradient = np.ones(depth)
    for i in reversed(range(depth - 1)):
        gradient[i] = factor[i] * gradient[i + 1]
        of_gradient[i] = of_gradient[i + 1] + bend[i] * of_q[i]
        of_gradient[i, i, 1] += 1
    variance = [np.einsum("ija,jab,ijb->i", of, noise, of) for of in (of_q, of_output, of_gradient)]
    dead = [dead_share(k, batch, activation=f, q=v) for k, v in zip(np.clip(cs, 0, 1), q, strict=True)]
    return Prediction(
        _band(q, variance[0] + np.log1p(2 / n[1:])),
        _band(output, variance[1]),
        _band(gradient, variance[2]),
        cs,
        np.array(dead),
    )


def variances(
    widths: Sequence[int], scheme: str, *, bias: str = "zeros", **numbers: Any
) -> tuple[list[float], list[float]]:
    """The weight and bias variances that `predict` takes, for a scheme's name and its numbers in layers of these widths.

    Raises ValueError for weights whose mean is not 0: mean-field theory does not speak of them.

    >>> weights, biases = variances([784, 256, 10], "he_normal", bias="positive_bias")
    >>> [round(w, 6) for w in weights], biases
    ([2.0, 2.0], [0.0001, 0.0001])
    """
    weights, biases = [], []
    sizes = checked_widths(widths)
    for n_in, n_out in pairwise(sizes):
        law = resolve(scheme, (n_out, n_in), numbers)
        mean, std = _moments(law)
        if mean:
            raise ValueError(f"scheme {scheme!r} draws weights of mean {mean:.6g}: the theory needs 0")
        weights.append(std**2 * n_in)
        choose("bias", bias, SCHEMES)
        mean, std = _moments(resolve(bias, (n_out,), heeded(bias, {"fan_in": n_in, "fan_out": n_out})))
        biases.append(mean**2 + std**2)
    return weights, biases


def _moments(law: Distribution) -> tuple[float, float]:
    moments = law.moments()
    if moments is None:
        raise ValueError(f"{law} has no independent elements: the theory needs them")
    return moments


def checked_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """Widths as ints, or the error that names them."""
    sizes = integers("widths", widths)
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"widths must be two or more numbers of at least 1, got {widths!r}")
    return sizes


def _per_layer(argument: str, value: float | Iterable[float], depth: int) -> list[float]:
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value] * depth
    if len(values) != depth:
        raise ValueError(f"{argument} must be one number or one per layer ({depth}), got {len(values)}")
    return [non_negative(argument, v) for v in values]


def _noise(f: Activation, q: float, width: float) -> Floats:
    """Covariance of two logarithms in a layer of this width: the mean of f(h)^2, and the mean of f'(h)^2 times a square
    normal variable, the gradient from above."""
    std = math.sqrt(q)
    value, slope = expect(f, lambda s: s.value**2, std=std), expect(f, lambda s: s.slope**2, std=std)
    forward = _ratio(expect(f, lambda s: s.value**4, std=std), value**2)
    both = _ratio(expect(f, lambda s: (s.value * s.slope) ** 2, std=std), value * slope)
    backward = _ratio(3 * expect(f, lambda s: s.slope**4, std=std), slope**2)
    relative = np.array([[forward, both], [both, backward]]) - 1
    covariance: Floats = np.log1p(np.maximum(relative / width, -0.5))
    return covariance


def _bend(f: Activation, q: float) -> float:
    """d ln E[f'^2] / d ln q."""
    std = math.sqrt(q)
    change = expect(f, lambda s: (s.z**2 - 1) * s.slope**2, std=std)
    return 0.5 * _ratio(change, expect(f, lambda s: s.slope**2, std=std))


def _ratio(part: Floats | float, whole: Floats | float) -> float:
    """part / whole, and 1 where the whole vanishes: what is always 0 does not stray."""
    return float(part / whole) if whole else 1.0


def _band(mean: Floats, variance: Floats) -> Band:
    middle, reach = np.log(np.maximum(mean, 5e-324)) - 0.5 * variance, _95_PERCENT * np.sqrt(variance)
    return Band(mean, np.exp(middle - reach), np.exp(middle + reach))
