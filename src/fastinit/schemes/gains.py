"""Gains: by how much a layer's weights must grow to make up for what its activation takes away."""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import numpy as np

from ..arguments import choose
from .activations import ACTIVATIONS, GATED, OTHER_NAMES, Activation, ActivationFunction, as_activation
from .quadrature import expect

# Those of torch.nn.init.calculate_gain that are not the exact ones.
_TORCH = {"sigmoid": 1.0, "tanh": 5 / 3, "selu": 0.75}
# Torch's names of layers that are linear.
_CONVOLUTIONS = [f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]


def gain(
    activation: str | ActivationFunction,
    negative_slope: float | None = None,
    *,
    kind: Literal["exact", "torch"] = "exact",
) -> float:
    """The factor on a layer's weight std that keeps the signal's scale through an activation.

    Parameters
    ----------
    activation : str or callable
        A name, or any function of a float64 array that works element by element. Names that torch's modules and
        transformers' configurations use ("gelu_new", "relu2", ...) are known too. A gated activation f(a) b of two
        independent unit inputs ("swiglu", "geglu", "reglu", "glu") has the second moment, and so the gain, of f.
    negative_slope : float, optional
        That of ``leaky_relu``, 0.01 by default. No other activation has one.
    kind : {"exact", "torch"}, default "exact"
        ``"exact"``: E[f(z)^2]^(-1/2) for z ~ N(0, 1), by quadrature. It keeps the second moment of unit
        pre-activations (He et al. 2015, https://arxiv.org/abs/1502.01852). ``"torch"``: the value of
        ``torch.nn.init.calculate_gain`` for the activations that torch knows, which differs for three of them
        (tanh 5/3, sigmoid 1, selu 3/4), and the exact one for others.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        For an activation that is neither a str nor callable.
    ValueError
        For an unknown name, a negative_slope of another activation than leaky_relu, and a function of the wrong shape
        or with non-finite values.

    Examples
    --------
    >>> round(gain("tanh"), 6), gain("tanh", kind="torch"), round(gain("gelu"), 6)
    (1.592537, 1.6666666666666667, 1.53353)
    >>> round(gain(lambda z: np.maximum(z, 0)), 6)
    1.414214
    """
    choose("kind", kind, {"exact": None, "torch": None})
    if isinstance(activation, str):
        activation = "linear" if activation in _CONVOLUTIONS else OTHER_NAMES.get(activation, activation)
        activation = GATED.get(activation, activation)
    f = as_activation(activation, negative_slope)
    if not isinstance(activation, str):
        return _exact(f)
    if activation == "leaky_relu":
        slope = float(-f(np.array(-1.0)))
        return math.sqrt(2 / (1 + slope * slope))
    return _TORCH[activation] if kind == "torch" and activation in _TORCH else _named_gain(activation)


@cache
def _named_gain(activation: str) -> float:
    return math.sqrt(2) if activation == "relu" else _exact(ACTIVATIONS[activation])


def _exact(f: Activation) -> float:
    """E[f(z)^2]^(-1/2) for z ~ N(0, 1)."""
    moment = float(expect(f, lambda s: s.value**2))
    if moment == 0:
        raise ValueError(f"activation {f.name} is zero everywhere: no gain can make up for it")
    return 1 / math.sqrt(moment)
