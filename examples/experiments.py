"""What `claims.py` measures: each function runs one experiment and returns plain lists, theory beside measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from network import Init, Networks, Real, digits

import fastinit as fi
from fastinit import propagation
from fastinit.schemes.activations import Activation

XAVIER, HE = Init("xavier_normal"), Init("he_normal")
PIXELS, CLASSES = 64, 10
TARGET = 0.5  # the loss that training has to reach


def densities(shape: tuple[int, int] = (256, 784)) -> dict[str, Any]:
    """Histograms of one weight matrix, and the laws that it was drawn from."""
    out: dict[str, Any] = {}
    # No bin reaches over the bounds of the uniform distribution.
    bound = math.sqrt(6 / sum(shape))
    edges = bound / 15 * np.arange(-40, 41)
    for scheme in ("xavier_uniform", "xavier_normal", "he_normal"):
        w = np.empty(shape)
        fi.fill(w, scheme, seed=0, name="weight")
        law: Any = fi.distribution(scheme, shape)
        heights, _ = np.histogram(w, edges, density=True)
        out[scheme] = {"heights": heights.tolist(), "std": float(w.std()), "law std": law.moments()[1],
                       "largest": float(np.abs(w).max())}  # fmt: skip
    return {"edges": edges.tolist(), "schemes": out}


def symmetry(steps: int = 300, width: int = 32) -> list[dict[str, Any]]:
    """Two hidden layers from zeros, from a constant and from Xavier: the loss, and how many units differ after training."""
    x, labels = digits()
    runs = []
    for activation in ("tanh", "relu", "sigmoid"):
        inits = [Init("zeros"), Init("constant", {"value": 0.1}), XAVIER]
        networks = Networks([PIXELS, width, width, CLASSES], activation, [(init, 0) for init in inits])
        rate = 1.0 if activation == "sigmoid" else 0.1
        losses = networks.train(x, labels, rate, steps)
        for k, init in enumerate(inits):
            different = [_different(layer[k]) for layer in networks.weights[:-1]]
            runs.append({"activation": activation, "scheme": init.scheme, "losses": _smooth(losses[k]).tolist(),
                         "units": different,
                         "moved": [bool(layer[k].any()) for layer in networks.weights]})  # fmt: skip
    return runs


def _different(rows: Real) -> int:
    """How many rows differ by more than rounding."""
    found: list[Real] = []
    for row in rows:
        if all(np.abs(row - other).max() > 1e-9 * np.abs(rows).max() for other in found):
            found.append(row)
    return len(found)


def _smooth(losses: Real, over: int = 10) -> Real:
    """The mean of each batch's loss and those of the batches before it, `over` in all; NaN counts as infinite."""
    sums = np.cumsum(np.pad(np.nan_to_num(losses, nan=np.inf, posinf=np.inf), (1, 0)))
    means = np.full(len(losses), np.inf)
    with np.errstate(invalid="ignore"):
        means[over - 1 :] = (sums[over:] - sums[:-over]) / over
    smooth: Real = np.nan_to_num(means, nan=np.inf, posinf=np.inf)
    return smooth


# Of eps, over eight orders of magnitude, closer where networks learn.
EXPONENTS = (*np.arange(-6, -2, 0.5), *np.arange(-2, 0.5, 0.125), *np.arange(0.5, 2.1, 0.5))


def ranges(
    exponents: Sequence[float] = EXPONENTS,
    depths: Sequence[int] = (2, 10, 20),
    steps: int = 300,
) -> list[dict[str, Any]]:
    """U[-eps, eps] through ReLU layers: the signal at first, and the loss after so many steps at the better of two rates."""
    x, labels = digits()
    out = []
    for depth in depths:
        widths = [PIXELS] * (depth + 1) + [CLASSES]
        inits = [(Init("uniform", {"low": -(10**e), "high": 10**e}), 0) for e in exponents]
        signals = Networks(widths, "relu", inits).forward(x[:64])[-2]
        rates = [0.01, 0.1]
        trained = Networks(widths, "relu", inits * 2, "float32")
        losses = trained.train(x, labels, np.repeat(rates, len(inits)).tolist(), steps)
        ends = np.array([_smooth(row, 20)[-1] for row in losses]).reshape(2, -1).min(axis=0)
        out.append({"depth": depth, "eps": [10**e for e in exponents], "rms": [_rms(h) for h in signals],
                    "theory": [math.sqrt(2) * (10**e * math.sqrt(PIXELS / 6)) ** depth for e in exponents],
                    "loss": ends.tolist()})  # fmt: skip
    return out


def _rms(h: Real) -> float:
    largest = float(np.abs(h).max())
    return largest * math.sqrt(float(((h / largest) ** 2).mean())) if largest else 0.0


class Case(NamedTuple):
    """An activation, an init and the mean square of the inputs."""

    activation: str
    init: Init
    moment: float = 1.0


CASES = {
    "tanh, Xavier": Case("tanh", XAVIER),
    "tanh, Xavier x 5/3": Case("tanh", Init("xavier_normal", {"gain": 5 / 3})),
    "sigmoid, Xavier": Case("sigmoid", XAVIER),
    "ReLU, He": Case("relu", HE),
    "ReLU, Xavier": Case("relu", XAVIER),
    "GELU, He": Case("gelu", HE),
    "SiLU, He": Case("silu", HE),
    # The inputs are such that the first layer's q is 1, which this gain is to keep.
    "SiLU, own gain": Case("silu", Init("he_normal", {"activation": "silu"}), fi.gain("silu") ** -2),
}


def variance(
    cases: Sequence[str] = tuple(CASES), depth: int = 50, width: int = 200, networks: int = 20
) -> dict[str, Any]:
    """Mean square q of h, and squared norm of dL/dh, layer by layer, of one image in many networks and in theory.

    dL/dh of the last layer is random.
    """
    x, _ = digits()
    output = np.random.default_rng(0).standard_normal((networks, 1, 1, CLASSES))
    widths = [PIXELS, *[width] * (depth - 1), CLASSES]
    out = {}
    for case in cases:
        activation, init, moment = CASES[case]
        q, norms = np.empty((2, depth, networks))
        for seed in range(networks):
            network = Networks(widths, activation, [(init, seed)])
            image = math.sqrt(moment) * x[seed : seed + 1]
            signals = network.forward(image)
            q[:, seed] = [(h**2).mean() for h in signals]
            norms[:, seed] = [(g**2).sum() for g in network.backward(image, signals, output[seed]).signals]
        laws = propagation.variances(widths, init.scheme, **init.numbers)
        theory = propagation.predict(widths, activation, *laws, input_moment=moment)
        out[case] = {"q": _beside(q, theory.q), "gradient": _beside(norms / norms[-1], theory.gradient)}
    return out


def _beside(values: Real, band: propagation.Band) -> dict[str, list[float]]:
    """Least, median and largest over networks, and the theory's mean and band."""
    return {"least": values.min(axis=1).tolist(), "median": np.median(values, axis=1).tolist(),
            "largest": values.max(axis=1).tolist(), "theory": band.mean.tolist(),
            "low": band.low.tolist(), "high": band.high.tolist()}  # fmt: skip


def spread(width: int = 64, depth: int = 50, networks: int = 400) -> dict[str, float]:
    """The growth of one signal's mean square through He's ReLU layers, over many networks, and its logarithm."""
    x = np.ones((networks, width, 1), np.float32)
    for layer in range(depth):
        w = fi.he_normal((networks, width, width), seed=0, name=f"layer{layer}.weight", layout="boi")
        x = np.maximum(w @ x, 0)
    logs = np.log((x.astype(float) ** 2).mean(axis=(1, 2)))
    mean, var = propagation.relu_log_moments(width)
    std = math.sqrt(depth * var)
    return {"growth": float(np.exp(logs).mean()),
            "mean": float(logs.mean()), "theory mean": depth * mean,
            "std": float(logs.std()), "theory std": std,
            "shrunk": float((logs < 0).mean()),
            "theory shrunk": 0.5 * math.erfc(depth * mean / std / math.sqrt(2))}  # fmt: skip


def dead(
    biases: Sequence[float] = (0.0, 0.01, 0.1),
    depth: int = 50,
    width: int = 256,
    networks: int = 4,
    images: int = 128,
) -> list[dict[str, Any]]:
    """The share of He's ReLU units that give 0 for all of a batch, layer by layer, with one bias for all units."""
    x, _ = digits()
    out = []
    for bias in biases:
        inits = [(Init("he_normal", bias=bias), seed) for seed in range(networks)]
        signals = Networks([PIXELS, *[width] * depth], "relu", inits).forward(x[:images])
        off = [h <= 0 for h in signals]
        heights, edges = np.histogram(signals[1], np.linspace(-5, 5, 41), density=True)
        # The bias as a part of the activation: h is then W x only, whose mean is 0.
        theory = propagation.mean_field(_shifted_relu(bias), weight_variance=2)
        way = theory.trajectory(depth, q=2.0, c=0.0)
        shares = [
            propagation.dead_share(float(np.clip(c, 0, 1)), images, q=float(q), bias=bias)
            for q, c in zip(way.q, way.correlation, strict=True)
        ]
        out.append({"bias": bias, "dead": [float(h.all(axis=1).mean()) for h in off], "theory": shares,
                    "off": [float(h.mean()) for h in off],
                    "h": heights.tolist(), "edges": edges.tolist()})  # fmt: skip
    return out


def _shifted_relu(bias: float) -> Activation:
    return Activation("ReLU(h + bias)", lambda h: np.maximum(h + bias, 0), kinks=(-bias,))


RUNS = {
    "tanh, Xavier": ("tanh", XAVIER, (0.01, 0.03, 0.1)),
    "tanh, He": ("tanh", HE, (0.01, 0.03, 0.1)),
    "sigmoid, Xavier": ("sigmoid", XAVIER, (0.1, 0.3, 1.0)),
    "ReLU, He": ("relu", HE, (0.01, 0.03, 0.1)),
    "ReLU, Xavier": ("relu", XAVIER, (0.01, 0.03, 0.1)),
    "ReLU, He, bias 0.01": ("relu", Init("he_normal", bias=0.01), (0.01, 0.03, 0.1)),
    "ReLU, He, bias 0.1": ("relu", Init("he_normal", bias=0.1), (0.01, 0.03, 0.1)),
}


def convergence(
    runs: Sequence[str] = tuple(RUNS),
    depths: Sequence[int] = (2, 5, 10, 20, 50),
    seeds: int = 5,
    steps: int = 300,
) -> dict[str, list[dict[str, Any]]]:
    """Steps of gradient descent until the mean loss of ten batches is below TARGET, at the best of three rates.

    The best rate is the one at which most seeds arrive, and of these the one with the smallest sum of steps.
    """
    x, labels = digits()
    out = {}
    for run in runs:
        activation, init, rates = RUNS[run]
        rows = []
        for depth in depths:
            widths = [PIXELS] * (depth + 1) + [CLASSES]
            nets = Networks(
                widths, activation, [(init, seed) for seed in range(seeds)] * len(rates), "float32"
            )
            losses = nets.train(x, labels, np.repeat(rates, seeds).tolist(), steps)
            arrival = [_first(_smooth(row)) for row in losses]
            of_rate = [arrival[k * seeds : (k + 1) * seeds] for k in range(len(rates))]
            best = min(of_rate, key=lambda s: (s.count(None), sum(k or 0 for k in s)))
            rows.append({"depth": depth, "rate": rates[of_rate.index(best)], "steps": best})
        out[run] = rows
    return out


def _first(losses: Real) -> int | None:
    below = np.flatnonzero(losses < TARGET)
    return int(below[0]) + 1 if len(below) else None
