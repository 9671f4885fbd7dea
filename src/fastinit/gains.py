"""Gains: by how much a layer's weights must grow to make up for what its activation takes away."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .distributions import choose, real

Real = NDArray[np.float64]
Activation = Callable[[Real], Real]

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848
_erf = np.vectorize(math.erf, otypes=[float])


def _sigmoid(z: Real) -> Real:
    return 0.5 * (1 + np.tanh(0.5 * z))


def _softplus(z: Real) -> Real:
    return np.logaddexp(0, z)


def _elu(z: Real) -> Real:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def _leaky(slope: float) -> Activation:
    return lambda z: np.where(z > 0, z, slope * z)


_ACTIVATIONS: dict[str, Activation] = {
    "linear": lambda z: z,
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "relu6": lambda z: np.clip(z, 0, 6),
    "squared_relu": lambda z: np.maximum(z, 0) ** 2,
    "elu": _elu,
    "celu": _elu,
    "selu": lambda z: _SELU_SCALE * np.where(z > 0, z, _SELU_ALPHA * np.expm1(np.minimum(z, 0))),
    "gelu": lambda z: 0.5 * z * (1 + _erf(z / math.sqrt(2))),
    "gelu_tanh": lambda z: 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
    "quick_gelu": lambda z: z * _sigmoid(1.702 * z),
    "silu": lambda z: z * _sigmoid(z),
    "swish": lambda z: z * _sigmoid(z),
    "mish": lambda z: z * np.tanh(_softplus(z)),
    "hardswish": lambda z: z * np.clip(z / 6 + 0.5, 0, 1),
    "softplus": _softplus,
    "shifted_softplus": lambda z: _softplus(z) - math.log(2),
    "sigmoid": _sigmoid,
    "centred_sigmoid": lambda z: _sigmoid(z) - 0.5,
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "log_sigmoid": lambda z: -_softplus(-z),
    "tanh": np.tanh,
    "hardtanh": lambda z: np.clip(z, -1, 1),
    "softsign": lambda z: z / (1 + np.abs(z)),
    "tanhshrink": lambda z: z - np.tanh(z),
    "softshrink": lambda z: np.sign(z) * np.maximum(np.abs(z) - 0.5, 0),
    "hardshrink": lambda z: np.where(np.abs(z) > 0.5, z, 0),
    "erf": _erf,
    "arctan": np.arctan,
    "sin": np.sin,
    "cos": np.cos,
    "gaussian": lambda z: np.exp(-0.5 * z * z),
    "snake": lambda z: z + np.sin(z) ** 2,
    "exp": np.exp,
    "abs": np.abs,
    "square": np.square,
}
# torch.nn.init.calculate_gain, as far as it goes; leaky_relu is a formula.
_CONVOLUTIONS = [f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]
_TORCH = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
_TORCH |= dict.fromkeys(_CONVOLUTIONS, 1.0)
_NAMES = {name: None for name in (*_ACTIVATIONS, "leaky_relu", *_CONVOLUTIONS)}


def gain(activation: str | Activation, param: float | None = None, *, kind: str = "torch") -> float:
    """The factor on a layer's weight std that an activation asks for.

    Parameters
    ----------
    activation
        A name, or any function of a float64 array that works element by element.
    param
        The negative slope of ``leaky_relu``, 0.01 by default; no other activation has one.
    kind
        ``"torch"``: the value of ``torch.nn.init.calculate_gain`` where torch has one (linear, convolutions and
        sigmoid 1, tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 + slope^2)), selu 3/4), else the exact one.
        ``"exact"``: E[f(z)^2]^(-1/2) for z ~ N(0, 1), by quadrature: it keeps the second moment of unit
        pre-activations (He et al. 2015, https://arxiv.org/abs/1502.01852).

    Raises
    ------
    TypeError, ValueError
        for an unknown name, a param that does not belong, a function of the wrong shape or with non-finite values.

    >>> gain("tanh"), round(gain("tanh", kind="exact"), 6), round(gain("gelu"), 6)
    (1.6666666666666667, 1.592537, 1.53353)
    >>> round(gain(lambda z: np.maximum(z, 0)), 6)
    1.414214
    """
    choose("kind", kind, {"torch": None, "exact": None})
    if callable(activation):
        if param is not None:
            raise ValueError(f"param belongs to 'leaky_relu' alone, got {param!r}")
        return second_moment_gain(activation)
    choose("activation", activation, _NAMES)
    if activation == "leaky_relu":
        slope = 0.01 if param is None else real("param", param)
        return math.sqrt(2 / (1 + slope * slope))
    if param is not None:
        raise ValueError(f"param belongs to 'leaky_relu' alone, got {param!r} for {activation!r}")
    if activation in _TORCH and (kind == "torch" or activation in _CONVOLUTIONS):
        return _TORCH[activation]
    return _named_gain(activation)


@cache
def _named_gain(activation: str) -> float:
    return second_moment_gain(_ACTIVATIONS[activation])


def second_moment_gain(f: Activation) -> float:
    """E[f(z)^2]^(-1/2) for z ~ N(0, 1)."""
    z, weights = _normal_quadrature()
    values: Any = np.asarray(f(z))
    if values.shape != z.shape:
        raise ValueError(f"activation returned shape {values.shape} for an input of shape {z.shape}")
    moment = float(weights @ np.square(values.astype(np.float64)))
    if not math.isfinite(moment):
        raise ValueError("activation returned values that are not finite")
    if moment == 0:
        raise ValueError("activation is zero everywhere: no gain can make up for it")
    return 1 / math.sqrt(moment)


@lru_cache(maxsize=1)
def _normal_quadrature() -> tuple[Real, Real]:
    """Composite Gauss-Legendre on [-14, 14]: panels of 1/16 have the usual kinks (0, 1/2, 1, 3, 6) at their edges,
    where a Gauss-Hermite rule, smooth across them, would be off in the third digit."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    edges = np.arange(-14, 14, 0.0625)
    z = (edges[:, None] + 0.03125 * (1 + nodes)).ravel()
    w = np.tile(0.03125 * weights, len(edges)) * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    return z, w
