"""A fully connected network, drawn by a scheme and measured: what arrives at each layer, forward and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..drawing.fill import fill
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import Floats
from ..schemes.activations import Activation, ActivationFunction, as_activation
from ..schemes.quadrature import expect
from ..schemes.resolve import distribution
from .finite_width import checked_widths, predict
from .layer import Expected, Layer
from .measurement import Inputs, ProbeReport, cosine_and_rank, count_copies
from .slopes import saturation
from .stack import DistributionLike, Stack, drawn_stack, inputs


def probe(
    widths: Sequence[int],
    activation: str | ActivationFunction,
    scheme: DistributionLike,
    *,
    negative_slope: float | None = None,
    bias: DistributionLike = "zeros",
    seed: Seed = 0,
    batch: int | ArrayLike = 128,
    gains: Sequence[float] | None = None,
    **numbers: Any,
) -> ProbeReport:
    """Draw a fully connected network, send a batch forward and a random gradient back, and measure every layer.

    Layer l is h_l = W_l f(h_(l-1)) + b_l, and h_1 = W_1 x + b_1. Weights are float32, drawn by `fill` under the
    names layer.0.weight, layer.0.bias, layer.1.weight, ...; everything after is float64, so that what overflows or
    vanishes in a narrower dtype is still measured. The gradient at the last layer's h is standard normal.

    Parameters
    ----------
    widths
        The number of inputs, then the units of each layer.
    activation, negative_slope
        A name, or any function of a float64 array that works element by element; the slope of ``leaky_relu``.
    scheme, numbers, bias
        A scheme's name with its own numbers (``std=0.02``, ``gain=1.5``), or a law; and the same for the biases.
    seed
        The streams of weights, inputs and gradient.
    batch
        How many standard normal inputs to draw, or the inputs themselves, one a row.
    gains
        Factors on the weights of each layer, as `calibrate` returns them.

    Returns
    -------
    ProbeReport
        with the theory's prediction where the elements are independent and of mean 0.

    Raises
    ------
    TypeError, ValueError
        for widths that are not two or more positive integers, an unknown scheme, an activation that returns another
        shape or non-finite values, a batch of another width, or one that is empty or not finite.

    Examples
    --------
    >>> report = probe([100, 100, 100, 10], "relu", "he_normal", seed=0)
    >>> [(layer.name, layer.shape) for layer in report.layers]
    [('layer.0', (100, 100)), ('layer.1', (100, 100)), ('layer.2', (10, 100))]
    """
    sizes = checked_widths(widths)
    seed = resolve_seed(seed)
    f = as_activation(activation, negative_slope)
    stack = drawn_stack(sizes, f, scheme, bias, seed, numbers, gains)
    x = inputs(batch, sizes[0], seed)
    f(x)  # the errors of a function that is none
    hs = stack.forward(x)
    depth = len(stack.weights)
    gradients: list[Floats | None] = [None] * depth
    if len(hs) == depth:
        last = np.empty(hs[-1].shape, np.float32)
        fill(last, distribution("normal", last.shape), seed=seed, name="gradient")
        gradients = list(stack.backward(hs, last.astype(np.float64)))
    expected = _expected(stack, sizes, x)
    target = keeping_variance(f, depth)
    layers = [
        _layer(stack, i, hs[i] if i < len(hs) else None, gradients[i], gradients[-1], target, expected[i])
        for i in range(depth)
    ]
    title = [str(scheme), *(f"{name}={_short(value)}" for name, value in numbers.items())]
    title += [f"bias {bias}"] if bias != "zeros" else []
    title += [f.name.strip("'")]
    classes = sizes[-1] if sizes[-1] > 1 else None
    loss = _uniform_loss(hs[-1]) if classes and len(hs) == depth else None
    moments = Inputs("", float(x.mean()), float(x.std()), float(np.sqrt((x * x).mean(axis=0)).max()))
    return ProbeReport(", ".join(title), tuple(layers), loss, classes, seed, len(x), (moments,))


@lru_cache(maxsize=256)
def keeping_variance(f: Activation, depth: int) -> float | None:
    """The Var(W) fan_in at which the gradient's norm is the same in the first and the last of ``depth`` layers, by
    mean-field theory for inputs of unit mean square and no biases; None if there is none.

    >>> round(keeping_variance(as_activation("relu"), 50), 6)
    2.0
    """
    logs = np.linspace(-18, 18, 289)
    try:
        std = np.exp(0.5 * logs)
        moments = [expect(f, lambda s: s.value**2, std=std), expect(f, lambda s: s.slope**2, std=std)]
    except ValueError:
        return None
    if min(m.min() for m in moments) <= 0:
        return None
    values, slopes = np.log(moments)

    def growth(log_variance: float) -> float:
        q, total = log_variance, 0.0
        for _ in range(max(depth - 1, 1)):
            total += log_variance + float(np.interp(q, logs, slopes))
            q = log_variance + float(np.interp(q, logs, values))
        return total

    low, high = -7.0, 7.0
    if growth(low) > 0 or growth(high) < 0:
        return None
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if growth(middle) > 0 else (middle, high)
    return math.exp(low)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _expected(stack: Stack, widths: tuple[int, ...], x: Floats) -> list[Expected | None]:
    """The theory's word, where it has one: for independent elements of mean 0."""
    nothing: list[Expected | None] = [None] * len(stack.weights)
    weight_variances, bias_moments = [], []
    for (law, bias), n_in in zip(stack.laws, widths, strict=False):
        weights, biases = law.moments(), bias.moments()
        if weights[0] != 0 or math.isnan(biases[1]):  # NaN is not 0 either
            return nothing
        weight_variances.append(weights[1] ** 2 * n_in)
        bias_moments.append(biases[0] ** 2 + biases[1] ** 2)
    if not stack.laws:
        return nothing
    return expected_layers(widths, stack.activation, weight_variances, bias_moments, x) or nothing


def expected_layers(
    widths: Sequence[int],
    f: Activation,
    weight_variances: Sequence[float],
    bias_moments: Sequence[float],
    x: Floats,
) -> list[Expected | None]:
    """What the theory expects of these inputs in each layer; [] where there is no signal, or the activation's moments do
    not converge."""
    square = float((x * x).mean())
    rows = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 5e-324)
    pairs = len(x) * (len(x) - 1)
    c = (float((rows.sum(axis=0) ** 2).mean()) - len(x)) / pairs if pairs else 0.0
    try:
        p = predict(
            widths, f, weight_variances, bias_moments,
            input_moment=square, c=min(max(c, 0.0), 1.0), batch=len(x),
        )  # fmt: skip
    except ValueError:
        return []
    columns = [np.sqrt(a) for band in (p.q, p.gradient) for a in band]
    return [Expected(*map(float, row)) for row in zip(*columns, p.dead, strict=True)]


def _layer(
    stack: Stack,
    i: int,
    h: Floats | None,
    gradient: Floats | None,
    last: Floats | None,
    target: float | None,
    expected: Expected | None,
) -> Layer:
    weight, bias = stack.weights[i], stack.biases[i]
    variance = float(weight.var(dtype=np.float64)) * weight.shape[1]
    cosine, rank, full = cosine_and_rank(weight)
    mean, rms, saturated, dead, unbiased = math.nan, math.inf, None, None, None
    if h is not None:
        mean, rms = float(h.mean()), root_mean_square(h)
        if i < len(stack.weights) - 1:
            saturated, dead = saturation(stack.activation, h)
            unbiased = dead if not bias.any() else saturation(stack.activation, h - bias)[1]
    norm, copies = None, None
    if gradient is not None and last is not None:
        norm = _norm(gradient) / _norm(last)
        copies = count_copies(weight, bias, np.stack([gradient.sum(0), np.abs(gradient).sum(0)], axis=1))
    return Layer(
        f"layer.{i}", weight.shape, variance, target, mean, rms, norm, saturated, dead, cosine, rank, full, copies,
        expected, unbiased,
    )  # fmt: skip


def root_mean_square(h: Floats) -> float:
    """Without overflow on the way."""
    largest = float(np.abs(h).max(initial=0.0))
    return largest * math.sqrt(float(((h / largest) ** 2).mean())) if largest else 0.0


def _norm(gradient: Floats) -> float:
    return root_mean_square(gradient) * math.sqrt(gradient.size)


def _uniform_loss(logits: Floats) -> float:
    """The mean cross-entropy over all labels alike."""
    largest = logits.max(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        log_sum = np.log(np.exp(logits - largest).sum(axis=1)) + largest[:, 0]
    return float((log_sum - logits.mean(axis=1)).mean())
