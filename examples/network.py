"""Small fully connected networks on scikit-learn's digits, in NumPy, whose weights fastinit draws by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastinit as fi
from fastinit.schemes.activations import ACTIVATIONS

Real = NDArray[np.float64]
Labels = NDArray[np.int64]

# f'(h), from h and f(h).
SLOPES: dict[str, Callable[[Real, Real], Any]] = {
    "tanh": lambda h, f: 1 - f * f,
    "sigmoid": lambda h, f: f * (1 - f),
    "relu": lambda h, f: h > 0,
    "silu": lambda h, f: f + ACTIVATIONS["sigmoid"].function(h) * (1 - f),
    "gelu": lambda h, f: (
        0.5 * (1 + ACTIVATIONS["erf"].function(h / math.sqrt(2)))
        + h * np.exp(-0.5 * h * h) / math.sqrt(2 * math.pi)
    ),
}


@dataclass(frozen=True)
class Init:
    """A scheme of the weights with its numbers, and one value for all biases."""

    scheme: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    bias: float = 0.0


class Gradients(NamedTuple):
    """Of every layer: dL/dh, dL/dW, dL/db."""

    signals: list[Real]
    weights: list[Real]
    biases: list[Real]


def digits() -> tuple[Real, Labels]:
    """1797 images of 64 pixels less the mean image, each scaled to mean square 1, in random order; their labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images - images.mean(axis=0)
    images /= np.sqrt((images**2).mean(axis=1, keepdims=True))
    order = np.random.default_rng(0).permutation(len(images))
    return images[order], labels[order]


def cross_entropy(logits: Real, labels: Labels) -> tuple[Real, Real]:
    """The loss of each network, a mean over the images, and its gradient by the logits."""
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    images = np.arange(len(labels))
    loss = -np.log(np.maximum(p[:, images, labels], 1e-30)).mean(axis=1)
    p[:, images, labels] -= 1
    return loss, p / len(labels)


class Networks:
    """Several networks of the same widths side by side: every array has them as its first axis.

    h = W x + b and x = f(h) layer by layer; the last h are logits. W has the shape (networks, out, in).
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str,
        inits: Sequence[tuple[Init, int]],
        dtype: str = "float64",
    ) -> None:
        """One network for each (init, seed)."""
        self.f, self.slope = ACTIVATIONS[activation].function, SLOPES[activation]
        self.weights: list[Real] = []
        self.biases: list[Real] = []
        for layer, (n_in, n_out) in enumerate(pairwise(widths), 1):
            weights, biases = (np.empty((len(inits), *shape), dtype) for shape in ((n_out, n_in), (n_out,)))
            for weight, bias, (init, seed) in zip(weights, biases, inits, strict=True):
                fi.fill(weight, init.scheme, seed=seed, name=f"layer{layer}.weight", **init.numbers)
                fi.fill(bias, "constant", seed=seed, name=f"layer{layer}.bias", value=init.bias)
            self.weights.append(weights)
            self.biases.append(biases)

    def forward(self, x: Real) -> list[Real]:
        """h of every layer, each of shape (networks, images, units)."""
        signals: list[Real] = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = (self.f(signals[-1]) if signals else x) @ weight.swapaxes(1, 2) + bias[:, None]
            signals.append(x)
        return signals

    def backward(self, x: Real, signals: list[Real], gradient: Real) -> Gradients:
        """Backpropagation, from h of every layer and from dL/dh of the last."""
        back = Gradients([gradient], [], [])
        for layer in reversed(range(len(signals))):
            below = self.f(signals[layer - 1]) if layer else x
            back.weights.append(gradient.swapaxes(1, 2) @ below)
            back.biases.append(gradient.sum(axis=1))
            if layer:
                gradient = (gradient @ self.weights[layer]) * self.slope(signals[layer - 1], below)
                back.signals.append(gradient)
        for arrays in back:
            arrays.reverse()
        return back

    def train(
        self, x: Real, labels: Labels, rates: float | Sequence[float], steps: int, *, images: int = 32
    ) -> Real:
        """The losses, of shape (networks, steps), of gradient descent on random batches, one rate for each network."""
        dtype = self.weights[0].dtype
        rate = np.broadcast_to(np.asarray(rates, dtype), len(self.weights[0]))
        x = x.astype(dtype)
        choose = np.random.default_rng(0)
        losses = np.empty((len(rate), steps))
        with np.errstate(all="ignore"):  # what explodes may overflow
            for step in range(steps):
                batch = choose.integers(len(x), size=images)
                signals = self.forward(x[batch])
                losses[:, step], gradient = cross_entropy(signals[-1], labels[batch])
                back = self.backward(x[batch], signals, gradient)
                for weight, gradient in zip(self.weights, back.weights, strict=True):
                    weight -= rate[:, None, None] * gradient
                for bias, gradient in zip(self.biases, back.biases, strict=True):
                    bias -= rate[:, None] * gradient
        return losses
