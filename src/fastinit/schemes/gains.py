"""Gains: by how much a layer's weights must grow to make up for what its activation takes away."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ..arguments import choose
from .activations import ACTIVATIONS, Activation, ActivationFunction, as_activation
from .quadrature import expect

# torch.nn.init.calculate_gain, as far as it goes; leaky_relu is a formula.
_CONVOLUTIONS = [f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]
_TORCH = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75,
          **dict.fromkeys(_CONVOLUTIONS, 1.0)}  # fmt: skip
_NAMES = {name: None for name in (*ACTIVATIONS, *_CONVOLUTIONS)}


def gain(activation: str | ActivationFunction, param: float | None = None, *, kind: str = "torch") -> float:
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

    Examples
    --------
    >>> gain("tanh"), round(gain("tanh", kind="exact"), 6), round(gain("gelu"), 6)
    (1.6666666666666667, 1.592537, 1.53353)
    >>> round(gain(lambda z: np.maximum(z, 0)), 6)
    1.414214
    """
    choose("kind", kind, {"torch": None, "exact": None})
    if callable(activation):
        return _exact(as_activation(activation, param))
    choose("activation", activation, _NAMES)
    if activation in _CONVOLUTIONS:
        if param is not None:
            raise ValueError(f"param belongs to 'leaky_relu' alone, got {param!r} for {activation!r}")
        return _TORCH[activation]
    row = as_activation(activation, param)
    if activation == "leaky_relu":
        slope = float(-row(np.array(-1.0)))
        return math.sqrt(2 / (1 + slope * slope))
    if activation in _TORCH and kind == "torch":
        return _TORCH[activation]
    return _named_gain(activation)


@cache
def _named_gain(activation: str) -> float:
    return _exact(ACTIVATIONS[activation])


def _exact(f: Activation) -> float:
    """E[f(z)^2]^(-1/2) for z ~ N(0, 1)."""
    moment = float(expect(f, lambda s: s.value**2))
    if moment == 0:
        raise ValueError(f"activation {f.name} is zero everywhere: no gain can make up for it")
    return 1 / math.sqrt(moment)
