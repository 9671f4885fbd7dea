"""The table of schemes: a name, a shape and some numbers -> the law to draw. A new scheme is one row."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .distributions import (
    Constant,
    Distribution,
    Normal,
    TruncatedNormal,
    Uniform,
    choose,
    non_negative,
    real,
    truncated_std,
)
from .fans import Shape, checked_layout, integers, known_fans
from .gains import gain as activation_gain
from .structured import Orthogonal, Structured

Fan = Callable[[str], float]

GLOROT = "Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html"
HE = "He et al. 2015, https://arxiv.org/abs/1502.01852"
LECUN = "LeCun et al. 1998, Efficient BackProp"
_MODES: dict[str, Callable[[Fan], float]] = {
    "fan_in": lambda fan: fan("fan_in"),
    "fan_out": lambda fan: fan("fan_out"),
    "fan_avg": lambda fan: 0.5 * (fan("fan_in") + fan("fan_out")),
    "fan_geo_avg": lambda fan: math.sqrt(fan("fan_in") * fan("fan_out")),
}
_WIDTHS: dict[str, Callable[[float], Distribution]] = {
    "normal": lambda std: Normal(0.0, std),
    "truncated_normal": lambda std: _two_sigma(std / truncated_std(-2, 2)),
    "uniform": lambda std: Uniform(-math.sqrt(3) * std, math.sqrt(3) * std),
}


@dataclass(frozen=True, slots=True)
class Weight:
    """What a row may ask of the tensor that it is for."""

    shape: tuple[int, ...]
    fan: Fan
    given_layout: str | None
    groups: int
    transposed: bool
    packed: int

    @property
    def layout(self) -> str:
        return checked_layout(self.shape, self.given_layout, self.transposed)


@dataclass(frozen=True)
class Scheme:
    name: str
    summary: str
    formula: str
    source: str
    build: Callable[..., Distribution | Structured]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    geometry: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def needs_fans(self) -> bool:
        return "fan_in" in self.geometry


def _two_sigma(std: float) -> TruncatedNormal:
    return TruncatedNormal(0.0, std, -2 * std, 2 * std)


def _of_variance(variance_times_fan: float, mode: str, law: str, fan: Fan) -> Distribution:
    width = choose("law", law, _WIDTHS)
    return width(math.sqrt(variance_times_fan / choose("mode", mode, _MODES)(fan)))


def _scaled(fan: Fan, law: str, mode: str, gain: float) -> Distribution:
    return _of_variance(non_negative("gain", gain) ** 2, mode, law, fan)


def _he(
    fan: Fan, law: str, mode: str, gain: float | None, activation: Any, param: float | None
) -> Distribution:
    return _scaled(fan, law, mode, activation_gain(activation, param) if gain is None else gain)


def _truncated(mean: float, std: float, low: float, high: float, bounds: str) -> Distribution:
    mean, std = real("mean", mean), non_negative("std", std)
    low, high = real("low", low, finite=False), real("high", high, finite=False)
    if choose("bounds", bounds, {"sigma": True, "absolute": False}):
        if not low < high:
            raise ValueError(f"low must be below high, got low={low}, high={high}")
        if std == 0:
            return Constant(mean)
        low, high = mean + std * low, mean + std * high
    return TruncatedNormal(mean, std, low, high)


def _uniform(low: float, high: float, eps: float | None) -> Distribution:
    if eps is not None:
        eps = non_negative("eps", eps)
        return Uniform(-eps, eps)
    return Uniform(low, high)


_FANS = ("layout", "groups", "stride", "transposed", "packed", "fan_in", "fan_out")
_HE_NUMBERS = {"mode": "fan_in", "gain": None, "activation": "relu", "param": None}

_ROWS = (
    Scheme("zeros", "Zeros.", "0", "elementary", lambda w: Constant(0.0)),
    Scheme("ones", "Ones.", "1", "elementary", lambda w: Constant(1.0)),
    Scheme("constant", "One value everywhere.", "value", "elementary",
           lambda w, value: Constant(value), {"value": 0.0}),
    Scheme("uniform", "Uniform between two bounds, or within eps of zero.", "U[low, high), or U[-eps, eps)",
           "elementary", lambda w, **numbers: _uniform(**numbers), {"low": 0.0, "high": 1.0, "eps": None}),
    Scheme("normal", "Normal.", "N(mean, std^2)", "elementary",
           lambda w, mean, std: Normal(mean, std), {"mean": 0.0, "std": 1.0}),
    Scheme("truncated_normal",
           "Normal, cut at bounds in units of std, or in those of the values with bounds='absolute' (as torch does). "
           "The std is that of the normal before the cut.",
           "N(mean, std^2) given low <= (x - mean) / std <= high", "elementary",
           lambda w, **numbers: _truncated(**numbers),
           {"mean": 0.0, "std": 1.0, "low": -2.0, "high": 2.0, "bounds": "sigma"}),
    Scheme("variance_scaling",
           "Zero mean and variance scale / n, n being fan_in, fan_out, fan_avg or fan_geo_avg. The truncated normal is "
           "cut at 2 sigma and widened so that its own variance is this.",
           "N, truncated N or U with mean 0 and variance scale / n", HE,
           lambda w, scale, mode, law: _of_variance(non_negative("scale", scale), mode, law, w.fan),
           {"scale": 1.0, "mode": "fan_in", "law": "truncated_normal"}, _FANS),
    Scheme("xavier_uniform", "Keeps the signal through linear and tanh layers, forward and back.",
           "U[-a, a), a = gain sqrt(6 / (fan_in + fan_out))", GLOROT,
           lambda w, gain: _scaled(w.fan, "uniform", "fan_avg", gain), {"gain": 1.0}, _FANS, ("glorot_uniform",)),
    Scheme("xavier_normal",
           "Keeps the signal through linear and tanh layers, forward and back. Not truncated, as in torch; JAX and "
           "Keras cut theirs: variance_scaling(mode='fan_avg').",
           "N(0, gain^2 2 / (fan_in + fan_out))", GLOROT,
           lambda w, gain: _scaled(w.fan, "normal", "fan_avg", gain), {"gain": 1.0}, _FANS, ("glorot_normal",)),
    Scheme("he_uniform", "Keeps the signal through ReLU layers, or by the gain of another activation.",
           "U[-a, a), a = gain sqrt(3 / fan_in)", HE, lambda w, **numbers: _he(w.fan, "uniform", **numbers),
           _HE_NUMBERS, _FANS, ("kaiming_uniform",)),
    Scheme("he_normal",
           "Keeps the signal through ReLU layers, or by the gain of another activation. Not truncated, as in torch; "
           "JAX and Keras cut theirs: variance_scaling(scale=2).",
           "N(0, gain^2 / fan_in)", HE, lambda w, **numbers: _he(w.fan, "normal", **numbers),
           _HE_NUMBERS, _FANS, ("kaiming_normal",)),
    Scheme("lecun_uniform", "Keeps the signal through linear and self-normalising (SELU) layers.",
           "U[-a, a), a = sqrt(3 / fan_in)", LECUN,
           lambda w: _of_variance(1.0, "fan_in", "uniform", w.fan), {}, _FANS),
    Scheme("lecun_normal",
           "Keeps the signal through linear and self-normalising (SELU) layers. Not truncated; JAX and Keras cut "
           "theirs: variance_scaling().",
           "N(0, 1 / fan_in)", LECUN, lambda w: _of_variance(1.0, "fan_in", "normal", w.fan), {}, _FANS),
    Scheme("torch_default", "What torch's Linear and convolutions draw: a third of LeCun's variance.",
           "U[-a, a), a = 1 / sqrt(fan_in)", "torch.nn.Linear.reset_parameters",
           lambda w: _of_variance(1 / 3, "fan_in", "uniform", w.fan), {}, _FANS),
    Scheme("positive_bias", "A small positive bias, against ReLU units that never fire.", "value",
           "Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.3",
           lambda w, value: Constant(_positive(value)), {"value": 0.01}),
    Scheme("torch_bias", "What torch's Linear and convolutions draw for their bias; give the weight's fan_in.",
           "U[-a, a), a = 1 / sqrt(fan_in)", "torch.nn.Linear.reset_parameters",
           lambda w: _of_variance(1 / 3, "fan_in", "uniform", w.fan), {}, _FANS),
    Scheme("orthogonal",
           "Semi-orthogonal, uniformly among all such: the axis counts the rows of the matrix, all others its columns. Of "
           "packed weights each is orthogonal by itself. The last bits follow NumPy's matrix product.",
           "gain Q, Q^T Q = I or Q Q^T = I, of Haar's law", "Saxe et al. 2013, https://arxiv.org/abs/1312.6120",
           lambda w, gain, axis: Orthogonal(gain, axis, w.packed), {"gain": 1.0, "axis": 0}, ("packed",)),
)  # fmt: skip


def _positive(value: float) -> float:
    number = real("value", value)
    if number <= 0:
        raise ValueError(f"value must be positive, got {value!r}")
    return number


SCHEMES: Mapping[str, Scheme] = {name: row for row in _ROWS for name in (row.name, *row.aliases)}


def distribution(
    scheme: str,
    shape: Shape,
    *,
    layout: str | None = None,
    groups: int = 1,
    stride: Any = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
    **numbers: Any,
) -> Distribution | Structured:
    """The law that a scheme draws for a tensor of this shape.

    ``layout``, ``groups``, ``stride``, ``transposed``, ``packed``, ``fan_in``, ``fan_out`` say how to count fans, see
    `fans`; ``numbers`` are the scheme's own.

    Raises
    ------
    TypeError
        for a keyword that the scheme does not take, or of the wrong type.
    ValueError
        for an unknown scheme, a wrong value, or a shape whose fans are not defined.

    >>> distribution("he_normal", (4096, 1024))
    Normal(mean=0.0, std=0.04419417382415922)
    """
    row = choose("scheme", scheme, SCHEMES)
    for number in numbers:
        if number not in row.numbers:
            takes = ", ".join((*row.numbers, *(p.name for p in GEOMETRY)))
            raise TypeError(f"{scheme} takes no {number!r}; it takes {takes}")
    fan: Fan = _no_fans
    if row.needs_fans:
        fan = known_fans(
            shape,
            layout,
            groups=groups,
            stride=stride,
            transposed=transposed,
            packed=packed,
            fan_in=fan_in,
            fan_out=fan_out,
        )
    weight = Weight(integers("shape", shape), fan, layout, groups, transposed, packed)
    law = row.build(weight, **{**row.numbers, **numbers})
    if isinstance(law, Structured):
        law.check(weight.shape)
    return law


# The keywords that say how to count fans, for every place that takes them.
GEOMETRY = [
    parameter
    for parameter in inspect.signature(distribution).parameters.values()
    if parameter.kind is parameter.KEYWORD_ONLY
]


def _no_fans(name: str) -> float:
    raise AssertionError(f"a scheme without fans asked for {name}")
