"""The table of schemes: a name, a shape and some numbers -> the law to draw. A new scheme is one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .distributions import Constant, Distribution, Normal, non_negative
from .elementwise import Fan, he, of_variance, positive, scaled, truncated, uniform
from .fans import checked_layout
from .orthogonal import DeltaOrthogonal, Orthogonal
from .patterns import Channelwise, Identity
from .sparse import Sparse
from .structured import Structured

GLOROT = "Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html"
HE = "He et al. 2015, https://arxiv.org/abs/1502.01852"
LECUN = "LeCun et al. 1998, Efficient BackProp"
CATEGORIES = ("fill", "fan-scaled", "structured", "bias", "state-space")


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

    def channelwise(self, taps: str, gain: float) -> Channelwise:
        return Channelwise(taps, gain, self.given_layout, self.groups, self.transposed)


@dataclass(frozen=True)
class Scheme:
    """One row: `numbers` are its own keywords with their defaults, `geometry` those of `fans` that it heeds, and `example`
    the arguments of a call that can be shown."""

    name: str
    summary: str
    formula: str
    source: str
    build: Callable[..., Distribution | Structured]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    geometry: tuple[str, ...] = ()
    category: str = "fill"
    aliases: tuple[str, ...] = ()
    example: str = "(4, 4)"

    @property
    def needs_fans(self) -> bool:
        return "fan_in" in self.geometry


def _orthogonal(w: Weight, gain: float, axis: int) -> Orthogonal:
    if w.given_layout is None:
        return Orthogonal(gain, axis, w.packed)
    stacked = tuple(i for i, letter in enumerate(w.layout) if letter == "b")
    return Orthogonal(gain, w.layout.index("o"), w.packed, stacked)


_FANS = ("layout", "groups", "stride", "transposed", "packed", "fan_in", "fan_out")
_PLACES = ("layout", "groups", "transposed")
_HE_NUMBERS = {"mode": "fan_in", "gain": None, "activation": "relu", "param": None}

_ROWS = (
    Scheme("zeros", "Zeros.", "0", "elementary", lambda w: Constant(0.0)),
    Scheme("ones", "Ones.", "1", "elementary", lambda w: Constant(1.0)),
    Scheme("constant", "One value everywhere.", "value", "elementary",
           lambda w, value: Constant(value), {"value": 0.0}),
    Scheme("uniform", "Uniform between two bounds, or within eps of zero.", "U[low, high), or U[-eps, eps)",
           "elementary", lambda w, **numbers: uniform(**numbers), {"low": 0.0, "high": 1.0, "eps": None}),
    Scheme("normal", "Normal.", "N(mean, std^2)", "elementary",
           lambda w, mean, std: Normal(mean, std), {"mean": 0.0, "std": 1.0}),
    Scheme("truncated_normal",
           "Normal, cut at bounds in units of std, or in those of the values with bounds='absolute' (as torch does). "
           "The std is that of the normal before the cut.",
           "N(mean, std^2) given low <= (x - mean) / std <= high", "elementary",
           lambda w, **numbers: truncated(**numbers),
           {"mean": 0.0, "std": 1.0, "low": -2.0, "high": 2.0, "bounds": "sigma"}),
    Scheme("variance_scaling",
           "Zero mean and variance scale / n, n being fan_in, fan_out, fan_avg or fan_geo_avg. The truncated normal is "
           "cut at 2 sigma and widened so that its own variance is this.",
           "N, truncated N or U with mean 0 and variance scale / n", HE,
           lambda w, scale, mode, law: of_variance(non_negative("scale", scale), mode, law, w.fan),
           {"scale": 1.0, "mode": "fan_in", "law": "truncated_normal"}, _FANS, "fan-scaled"),
    Scheme("xavier_uniform", "Keeps the signal through linear and tanh layers, forward and back.",
           "U[-a, a), a = gain sqrt(6 / (fan_in + fan_out))", GLOROT,
           lambda w, gain: scaled(w.fan, "uniform", "fan_avg", gain), {"gain": 1.0}, _FANS, "fan-scaled", ("glorot_uniform",)),
    Scheme("xavier_normal",
           "Keeps the signal through linear and tanh layers, forward and back. Not truncated, as in torch; JAX and "
           "Keras cut theirs: variance_scaling(mode='fan_avg').",
           "N(0, gain^2 2 / (fan_in + fan_out))", GLOROT,
           lambda w, gain: scaled(w.fan, "normal", "fan_avg", gain), {"gain": 1.0}, _FANS, "fan-scaled", ("glorot_normal",)),
    Scheme("he_uniform", "Keeps the signal through ReLU layers, or by the gain of another activation.",
           "U[-a, a), a = gain sqrt(3 / fan_in)", HE, lambda w, **numbers: he(w.fan, "uniform", **numbers),
           _HE_NUMBERS, _FANS, "fan-scaled", ("kaiming_uniform",)),
    Scheme("he_normal",
           "Keeps the signal through ReLU layers, or by the gain of another activation. Not truncated, as in torch; "
           "JAX and Keras cut theirs: variance_scaling(scale=2).",
           "N(0, gain^2 / fan_in)", HE, lambda w, **numbers: he(w.fan, "normal", **numbers),
           _HE_NUMBERS, _FANS, "fan-scaled", ("kaiming_normal",)),
    Scheme("lecun_uniform", "Keeps the signal through linear and self-normalising (SELU) layers.",
           "U[-a, a), a = sqrt(3 / fan_in)", LECUN,
           lambda w: of_variance(1.0, "fan_in", "uniform", w.fan), {}, _FANS, "fan-scaled"),
    Scheme("lecun_normal",
           "Keeps the signal through linear and self-normalising (SELU) layers. Not truncated; JAX and Keras cut "
           "theirs: variance_scaling().",
           "N(0, 1 / fan_in)", LECUN, lambda w: of_variance(1.0, "fan_in", "normal", w.fan), {}, _FANS, "fan-scaled"),
    Scheme("torch_default", "What torch's Linear and convolutions draw: a third of LeCun's variance.",
           "U[-a, a), a = 1 / sqrt(fan_in)", "torch.nn.Linear.reset_parameters",
           lambda w: of_variance(1 / 3, "fan_in", "uniform", w.fan), {}, _FANS, "fan-scaled"),
    Scheme("positive_bias", "A small positive bias, against ReLU units that never fire.", "value",
           "Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.3",
           lambda w, value: Constant(positive("value", value)), {"value": 0.01}, (), "bias"),
    Scheme("torch_bias", "What torch's Linear and convolutions draw for their bias; give the weight's fan_in.",
           "U[-a, a), a = 1 / sqrt(fan_in)", "torch.nn.Linear.reset_parameters",
           lambda w: of_variance(1 / 3, "fan_in", "uniform", w.fan), {}, _FANS, "bias"),
    Scheme("orthogonal",
           "Semi-orthogonal, uniformly among all such: the axis counts the rows of the matrix, all others its columns. Of "
           "packed weights each is orthogonal by itself. The last bits follow NumPy's matrix product.",
           "gain Q, Q^T Q = I or Q Q^T = I, of Haar's law", "Saxe et al. 2013, https://arxiv.org/abs/1312.6120",
           lambda w, gain, axis: _orthogonal(w, gain, axis), {"gain": 1.0, "axis": 0}, ("packed", "layout"), "structured"),
    Scheme("delta_orthogonal",
           "A convolution that starts as one semi-orthogonal matrix, at the centre tap: it keeps the norm of its input, if "
           "outputs are no fewer, else that of gradients. Even kernels have their centre at (k - 1) // 2, as in JAX. Of "
           "a grouped convolution each group is orthogonal by itself.",
           "gain Q at the centre tap, of Haar's law, else 0", "Xiao et al. 2018, https://arxiv.org/abs/1806.05393",
           lambda w, gain: DeltaOrthogonal(gain, w.given_layout, w.groups, w.transposed), {"gain": 1.0},
           _PLACES, "structured"),
    Scheme("identity",
           "Linear layers that start as the identity, cut or padded with zeros if not square; all axes but the last two, "
           "or those that the layout calls 'b', stack such layers. A shift moves the outputs round.",
           "gain where output = (input + shift) mod outputs, else 0", "elementary",
           lambda w, gain, shift: Identity(gain, shift, w.given_layout), {"gain": 1.0, "shift": 0}, ("layout",),
           "structured", ("eye",)),
    Scheme("dirac",
           "Convolutions that start as the identity: each group's output c is its input c, the centre being k // 2, as in "
           "torch.",
           "gain where output = input, at tap k // 2 of each kernel axis, else 0",
           "Zagoruyko and Komodakis 2017, https://arxiv.org/abs/1706.00388",
           lambda w, gain: w.channelwise("centre", gain), {"gain": 1.0}, _PLACES, "structured"),
    Scheme("sparse",
           "Normal, but the same number of elements is zero in every column; the axis counts a column's rows, as in torch "
           "(MLX: -1).",
           "N(0, std^2), but 0 at ceil(sparsity rows) random rows of each column",
           "Martens 2010, https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf",
           lambda w, **numbers: Sparse(**numbers), {"sparsity": 0.9, "std": 0.01, "axis": 0}, (), "structured"),
)  # fmt: skip

SCHEMES: Mapping[str, Scheme] = {name: row for row in _ROWS for name in (row.name, *row.aliases)}
