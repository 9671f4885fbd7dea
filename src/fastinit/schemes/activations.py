"""The table of activations: a name -> the function and where it has kinks. A new activation is one row."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arguments import choose, real
from ..dtypes import Floats

ActivationFunction = Callable[[Floats], Floats]

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848
_erf = np.vectorize(math.erf, otypes=[float])


@dataclass(frozen=True)
class Activation:
    """An elementwise function of float64 arrays; `kinks` are the points between which it is smooth."""

    name: str
    function: ActivationFunction
    kinks: tuple[float, ...] = ()

    def __call__(self, h: Floats) -> Floats:
        """The values at ``h``; ValueError or TypeError, naming the activation, unless they are finite reals of its shape."""
        with np.errstate(all="ignore"):
            values = np.asarray(self.function(h))
        if values.shape != h.shape:
            raise ValueError(
                f"activation {self.name} returned shape {values.shape} for an input of shape {h.shape}"
            )
        if values.dtype.kind not in "biuf":
            raise TypeError(f"activation {self.name} must return real numbers, got {values.dtype}")
        if not np.isfinite(values).all():
            worst = float(h[~np.isfinite(values)].flat[0])
            raise ValueError(f"activation {self.name} returned a value that is not finite, at {worst:.6g}")
        return values.astype(np.float64, copy=False)


def _sigmoid(z: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * z))


def _softplus(z: Floats) -> Floats:
    return np.logaddexp(0, z)


def _elu(z: Floats) -> Floats:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def _leaky(slope: float) -> ActivationFunction:
    return lambda z: np.where(z > 0, z, slope * z)


def _silu(z: Floats) -> Floats:
    return z * _sigmoid(z)


def _xielu(z: Floats) -> Floats:
    """With the coefficients that training starts from, https://arxiv.org/abs/2411.13010: .8 for both signs, beta .5."""
    return 0.5 * z + 0.8 * np.where(z > 0, z * z, np.expm1(np.minimum(z, 0)) - z)


_ROWS: tuple[tuple[str, ActivationFunction, tuple[float, ...]], ...] = (
    ("linear", lambda z: z, ()),
    ("identity", lambda z: z, ()),
    ("relu", lambda z: np.maximum(z, 0), (0,)),
    ("relu6", lambda z: np.clip(z, 0, 6), (0, 6)),
    ("squared_relu", lambda z: np.maximum(z, 0) ** 2, (0,)),
    ("elu", _elu, (0,)),
    ("celu", _elu, (0,)),
    ("selu", lambda z: _SELU_SCALE * np.where(z > 0, z, _SELU_ALPHA * np.expm1(np.minimum(z, 0))), (0,)),
    ("gelu", lambda z: 0.5 * z * (1 + _erf(z / math.sqrt(2))), ()),
    ("gelu_tanh", lambda z: 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))), ()),
    ("quick_gelu", lambda z: z * _sigmoid(1.702 * z), ()),
    ("silu", _silu, ()),
    ("swish", _silu, ()),
    ("mish", lambda z: z * np.tanh(_softplus(z)), ()),
    ("hardswish", lambda z: z * np.clip(z / 6 + 0.5, 0, 1), (-3, 3)),
    ("hard_mish", lambda z: 0.5 * z * np.clip(z + 2, 0, 2), (-2, 0)),
    ("xielu", _xielu, (0,)),
    ("softplus", _softplus, ()),
    ("sqrt_softplus", lambda z: np.sqrt(_softplus(z)), ()),
    ("shifted_softplus", lambda z: _softplus(z) - math.log(2), ()),
    ("sigmoid", _sigmoid, ()),
    ("centred_sigmoid", lambda z: 0.5 * np.tanh(0.5 * z), ()),
    ("hard_sigmoid", lambda z: np.clip(z / 6 + 0.5, 0, 1), (-3, 3)),
    ("log_sigmoid", lambda z: -_softplus(-z), ()),
    ("tanh", np.tanh, ()),
    ("hardtanh", lambda z: np.clip(z, -1, 1), (-1, 1)),
    ("softsign", lambda z: z / (1 + np.abs(z)), (0,)),
    ("tanhshrink", lambda z: z - np.tanh(z), ()),
    ("softshrink", lambda z: np.sign(z) * np.maximum(np.abs(z) - 0.5, 0), (-0.5, 0.5)),
    ("hardshrink", lambda z: np.where(np.abs(z) > 0.5, z, 0), (-0.5, 0.5)),
    ("erf", _erf, ()),
    ("laplace", lambda z: 0.5 * (1 + _erf((z - math.sqrt(1 / 2)) / math.sqrt(1 / (2 * math.pi)))), ()),
    ("arctan", np.arctan, ()),
    ("sin", np.sin, ()),
    ("cos", np.cos, ()),
    ("gaussian", lambda z: np.exp(-0.5 * z * z), ()),
    ("snake", lambda z: z + np.sin(z) ** 2, ()),
    ("exp", np.exp, ()),
    ("abs", np.abs, (0,)),
    ("square", np.square, ()),
    ("leaky_relu", _leaky(0.01), (0,)),
    ("prelu", _leaky(0.25), (0,)),  # as torch starts the slope
    ("rrelu", _leaky((1 / 8 + 1 / 3) / 2), (0,)),  # as in evaluation: the mean slope
)
# The names that torch's modules, transformers, diffusers, timm and stable-baselines3 have for them.
OTHER_NAMES = {
    "relu2": "squared_relu",
    "relu_squared": "squared_relu",
    "gelu_10": "gelu",  # cut at 10, where no unit is
    "gelu-approximate": "gelu_tanh",
    "linear-silu": "silu",
    "sqrtsoftplus": "sqrt_softplus",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python": "gelu",
    "gelu_python_tanh": "gelu_tanh",
    "quickgelu": "quick_gelu",
    "hard_swish": "hardswish",
    "hardsigmoid": "hard_sigmoid",
    "logsigmoid": "log_sigmoid",
    "hard_tanh": "hardtanh",
    "leakyrelu": "leaky_relu",
    "sine": "sin",
}
# Of two inputs, f(a) b: the gate's function f.
GATED = {"glu": "sigmoid", "bilinear_glu": "linear", "reglu": "relu", "geglu": "gelu", "geglu-approximate": "gelu_tanh",
         "swiglu": "silu"}  # fmt: skip
ACTIVATIONS = {name: Activation(repr(name), function, kinks) for name, function, kinks in _ROWS}


def as_activation(activation: str | ActivationFunction, negative_slope: float | None = None) -> Activation:
    """The row of a name, or a row for any function of a float64 array that works element by element.

    ``negative_slope`` is that of ``leaky_relu``, 0.01 by default; no other activation has one. Raises TypeError for
    what is neither a str nor callable, ValueError for an unknown name, for a gated activation such as swiglu, which has
    two inputs, and for a slope of another activation.

    >>> as_activation("leaky_relu", 0.5)(np.array([-2.0, 2.0]))
    array([-1.,  2.])
    """
    if isinstance(activation, Activation):
        row = activation
    elif callable(activation):
        name = getattr(activation, "__name__", type(activation).__name__)
        row = Activation(repr(name), activation)
    else:
        activation = OTHER_NAMES.get(activation, activation)
        if activation in GATED:
            raise ValueError(
                f"activation {activation!r} is gated: it has two inputs; its gate's is {GATED[activation]!r}"
            )
        row = choose("activation", activation, ACTIVATIONS)
    if negative_slope is None:
        return row
    if activation != "leaky_relu":
        raise ValueError(
            f"negative_slope belongs to 'leaky_relu' only, got {negative_slope!r} for {row.name}"
        )
    slope = real("negative_slope", negative_slope)
    return Activation(f"'leaky_relu' of slope {slope}", _leaky(slope), row.kinks)
