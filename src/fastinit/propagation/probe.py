"""A fully connected network in NumPy, drawn by a scheme and measured: what arrives at each layer, forward and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..activations import Activation, Function, Real, as_activation
from ..distributions import Distribution, real
from ..fans import integers
from ..fill import draw, fill
from ..gaussian import expect
from ..schemes import SCHEMES, distribution
from ..streams import Seed, resolve_seed
from ..structured import Structured
from .finite_width import predict
from .measurement import Expected, Layer, Report, cosine_and_rank, count_copies

Law: TypeAlias = "str | Distribution | Structured"

# tanh is saturated beyond +-0.97, where its slope is this share of its largest.
_FLAT = 1 - 0.97**2


@dataclass(frozen=True)
class _Stack:
    """Layers h = W x + b with f between them; the last one is linear."""

    activation: Activation
    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    laws: tuple[tuple[Any, Any], ...]

    def forward(self, x: Real) -> list[Real]:
        """All h, as far as they are finite in double precision."""
        hs: list[Real] = []
        with np.errstate(all="ignore"):
            for weight, bias in zip(self.weights, self.biases, strict=True):
                h = x @ weight.T.astype(np.float64) + bias
                if not np.isfinite(h).all():
                    break
                hs.append(h)
                x = np.asarray(self.activation.function(h), np.float64)
        return hs

    def backward(self, hs: Sequence[Real], gradient: Real) -> list[Real]:
        """dL/dh of all layers, from that of the last."""
        gradients = [gradient]
        with np.errstate(all="ignore"):
            for weight, h in zip(reversed(self.weights[1:]), reversed(hs[:-1]), strict=True):
                gradient = (gradient @ weight.astype(np.float64)) * slope(self.activation, h)
                gradients.append(gradient)
        return gradients[::-1]


def probe(
    widths: Sequence[int],
    activation: str | Function,
    scheme: Law,
    *,
    param: float | None = None,
    bias: Law = "zeros",
    seed: Seed = 0,
    batch: int | ArrayLike = 128,
    gains: Sequence[float] | None = None,
    **numbers: Any,
) -> Report:
    """Draw a fully connected network, send a batch forward and a random gradient back, and measure every layer.

    Layer l is h_l = W_l f(h_(l-1)) + b_l, and h_1 = W_1 x + b_1. Weights are float32, drawn by `fill` under the
    names layer.0.weight, layer.0.bias, layer.1.weight, ...; everything after is float64, so that what overflows or
    vanishes in a narrower dtype is still measured. The gradient at the last layer's h is standard normal.

    Parameters
    ----------
    widths
        The number of inputs, then the units of each layer.
    activation, param
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
    Report
        with the theory's prediction where the elements are independent and of mean 0.

    Raises
    ------
    TypeError, ValueError
        for widths that are no two or more positive integers, an unknown scheme, an activation that returns another
        shape or non-finite values, a batch of another width, or one that is empty or not finite.

    >>> report = probe([100, 100, 100, 10], "relu", "he_normal", seed=0)
    >>> [(layer.name, layer.shape) for layer in report.layers]
    [('layer.0', (100, 100)), ('layer.1', (100, 100)), ('layer.2', (10, 100))]
    """
    sizes = _widths(widths)
    seed = resolve_seed(seed)
    f = as_activation(activation, param)
    stack = _drawn(sizes, f, scheme, bias, seed, numbers, gains)
    x = _inputs(batch, sizes[0], seed)
    f(x)  # the errors of a function that is none
    hs = stack.forward(x)
    depth = len(stack.weights)
    gradients: list[Real | None] = [None] * depth
    if len(hs) == depth:
        last = np.empty(hs[-1].shape, np.float32)
        draw(last, distribution("normal", last.shape), seed=seed, name="gradient")
        gradients = list(stack.backward(hs, last.astype(np.float64)))
    expected = _expected(stack, sizes, x)
    target = keeping_variance(f, depth)
    layers = [
        _layer(stack, i, hs[i] if i < len(hs) else None, gradients[i], gradients[-1], target, expected[i])
        for i in range(depth)
    ]
    title = ", ".join([str(scheme), *(f"{name}={_short(value)}" for name, value in numbers.items())])
    classes = sizes[-1] if sizes[-1] > 1 else None
    loss = _uniform_loss(hs[-1]) if classes and len(hs) == depth else None
    return Report(f"{title}, {f.name.strip(chr(39))}", tuple(layers), loss, classes)


def calibrate(
    widths: Sequence[int],
    activation: str | Function,
    scheme: Law = "orthogonal",
    *,
    param: float | None = None,
    bias: Law = "zeros",
    seed: Seed = 0,
    batch: int | ArrayLike = 128,
    **numbers: Any,
) -> tuple[float, ...]:
    """The factor on each layer's weights at which its h have unit variance over batch and units: data-driven gains.

    With orthogonal weights, the default, this is LSUV (Mishkin and Matas 2016, https://arxiv.org/abs/1511.06422).
    Arguments are those of `probe`, which takes the result as ``gains``.

    Raises ValueError for a layer whose h do not vary, or vary by more than 1 through the bias alone, and as `probe` does.

    >>> gains = calibrate([64, 64, 64], "tanh", seed=0)
    >>> report = probe([64, 64, 64], "tanh", "orthogonal", seed=0, gains=gains)
    >>> [round(layer.std, 3) for layer in report.layers]
    [1.0, 1.0]
    """
    sizes = _widths(widths)
    seed = resolve_seed(seed)
    f = as_activation(activation, param)
    stack = _drawn(sizes, f, scheme, bias, seed, numbers, None)
    x = _inputs(batch, sizes[0], seed)
    f(x)
    gains = []
    for i, (weight, b) in enumerate(zip(stack.weights, stack.biases, strict=True)):
        product = x @ weight.T.astype(np.float64)
        gains.append(unit_variance_factor(f"layer.{i}", product, np.broadcast_to(b, product.shape)))
        x = f(gains[-1] * product + b)
    return tuple(gains)


def unit_variance_factor(name: str, product: Real, bias: Real) -> float:
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


def slope(f: Activation, h: Real) -> Real:
    """f'(h) by the flatter of two one-sided differences, to 1e-6; 0 where they differ in sign.

    At kinks that is the subgradient that autograd libraries take, and a jump is flat, as in backpropagation.
    """
    with np.errstate(all="ignore"):
        value = np.asarray(f.function(h), np.float64)
        # As small as h, for kinks at 0 and signals that have almost vanished, but not so small that f does not change.
        scale = np.maximum(np.abs(h), np.minimum(np.abs(value), 1.0))
        step = 1e-6 * np.where(scale, scale, 1.0)
        left = (value - f.function(h - step)) / step
        right = (f.function(h + step) - value) / step
    flatter = np.where(np.abs(left) < np.abs(right), left, right)
    return np.where(left * right > 0, flatter, 0.0)


@lru_cache(maxsize=256)
def flat_slope(f: Activation) -> float | None:
    """The slope below which the activation is saturated, or None for one that is not flat at both ends."""
    steepest = float(np.abs(slope(f, np.linspace(-8, 8, 4097))).max())
    ends = float(np.abs(slope(f, np.array([-100.0, 100.0]))).max())
    return _FLAT * steepest if ends < _FLAT * steepest else None


def saturation(f: Activation, h: Real) -> tuple[float | None, float]:
    """Shares of saturated values and of dead units, for h of shape (samples, units)."""
    with np.errstate(all="ignore"):
        on = np.asarray(f.function(h)) != 0
    dead = float((~on.any(axis=0)).mean())
    limit = flat_slope(f)
    return (None if limit is None else float(((np.abs(slope(f, h)) < limit) & on).mean())), dead


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


def _widths(widths: Sequence[int]) -> tuple[int, ...]:
    sizes = integers("widths", widths)
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"widths must be two or more numbers of at least 1, got {widths!r}")
    return sizes


def _inputs(batch: int | ArrayLike, width: int, seed: int) -> Real:
    if np.ndim(batch) == 0:
        (size,) = integers("batch", batch)  # type: ignore[arg-type]
        if size < 1:
            raise ValueError(f"batch must be at least 1, got {batch!r}")
        drawn = np.empty((size, width), np.float32)
        draw(drawn, distribution("normal", drawn.shape), seed=seed, name="batch")
        return drawn.astype(np.float64)
    x = np.asarray(batch)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"batch must hold real numbers, got {x.dtype}")
    if x.ndim != 2 or x.shape[1] != width or not len(x):
        raise ValueError(f"batch must have one or more rows of {width} inputs, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("batch must be finite")
    return x.astype(np.float64)


def _drawn(
    widths: tuple[int, ...],
    f: Activation,
    scheme: Law,
    bias: Law,
    seed: int,
    numbers: dict[str, Any],
    gains: Sequence[float] | None,
) -> _Stack:
    depth = len(widths) - 1
    factors = [1.0] * depth if gains is None else [real("gains", gain) for gain in gains]
    if len(factors) != depth:
        raise ValueError(f"gains must be one number per layer ({depth}), got {len(factors)}")
    weights, biases, laws = [], [], []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        weight, b = np.empty((n_out, n_in), np.float32), np.empty(n_out, np.float32)
        law = distribution(scheme, weight.shape, **numbers) if isinstance(scheme, str) else scheme
        # A bias has no fans of its own: they are its layer's.
        fans: dict[str, Any] = {"fan_in": n_in, "fan_out": n_out}
        needs = isinstance(bias, str) and bias in SCHEMES and SCHEMES[bias].needs_fans
        bias_law = distribution(bias, b.shape, **(fans if needs else {})) if isinstance(bias, str) else bias
        fill(weight, law, seed=seed, name=f"layer.{i}.weight")
        fill(b, bias_law, seed=seed, name=f"layer.{i}.bias")
        weights.append(weight * np.float32(factors[i]))
        biases.append(b)
        laws.append((law, bias_law))
    scaled = gains is not None
    return _Stack(f, tuple(weights), tuple(biases), () if scaled else tuple(laws))


def _expected(stack: _Stack, widths: tuple[int, ...], x: Real) -> list[Expected | None]:
    """The theory's word, where it has one: for independent elements of mean 0, and a signal."""
    nothing: list[Expected | None] = [None] * len(stack.weights)
    if not stack.laws or not all(hasattr(law, "moments") for pair in stack.laws for law in pair):
        return nothing
    moments = [(law.moments(), bias.moments()) for law, bias in stack.laws]
    weight_variances = [std**2 * n for ((_, std), _), n in zip(moments, widths, strict=False)]
    bias_moments = [mean**2 + std**2 for _, (mean, std) in moments]
    if any(mean for (mean, _), _ in moments):
        return nothing
    square = float((x * x).mean())
    rows = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 5e-324)
    pairs = len(x) * (len(x) - 1)
    c = (float((rows.sum(axis=0) ** 2).mean()) - len(x)) / pairs if pairs else 0.0
    try:
        p = predict(
            widths, stack.activation, weight_variances, bias_moments,
            input_moment=square, c=min(max(c, 0.0), 1.0), batch=len(x),
        )  # fmt: skip
    except ValueError:
        return nothing
    columns = [np.sqrt(a) for band in (p.q, p.gradient) for a in band]
    return [Expected(*map(float, row)) for row in zip(*columns, p.dead, strict=True)]


def _layer(
    stack: _Stack,
    i: int,
    h: Real | None,
    gradient: Real | None,
    last: Real | None,
    target: float | None,
    expected: Expected | None,
) -> Layer:
    weight, bias = stack.weights[i], stack.biases[i]
    variance = float(weight.var(dtype=np.float64)) * weight.shape[1]
    cosine, rank, full = cosine_and_rank(weight)
    mean, rms, saturated, dead = math.nan, math.inf, None, None
    if h is not None:
        mean, rms = float(h.mean()), root_mean_square(h)
        if i < len(stack.weights) - 1:
            saturated, dead = saturation(stack.activation, h)
    norm, copies = None, None
    if gradient is not None and last is not None:
        norm = _norm(gradient) / _norm(last)
        copies = count_copies(weight, bias, np.stack([gradient.sum(0), np.abs(gradient).sum(0)], axis=1))
    return Layer(
        f"layer.{i}", weight.shape, variance, target, mean, rms, norm, saturated, dead, cosine, rank, full, copies,
        expected,
    )  # fmt: skip


def root_mean_square(h: Real) -> float:
    """Without overflow on the way."""
    largest = float(np.abs(h).max(initial=0.0))
    return largest * math.sqrt(float(((h / largest) ** 2).mean())) if largest else 0.0


def _norm(gradient: Real) -> float:
    return root_mean_square(gradient) * math.sqrt(gradient.size)


def _uniform_loss(logits: Real) -> float:
    """The mean cross-entropy over all labels alike."""
    largest = logits.max(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        log_sum = np.log(np.exp(logits - largest).sum(axis=1)) + largest[:, 0]
    return float((log_sum - logits.mean(axis=1)).mean())
