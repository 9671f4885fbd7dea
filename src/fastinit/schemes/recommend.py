"""Which scheme for which layer: what theory says of the activation, the layer and its place, with the reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..arguments import choose, flag, positive
from .activations import OTHER_NAMES, ActivationFunction
from .catalogue import SCHEMES
from .catalogue.scaled import GLOROT, HE, LECUN
from .depth import DEPTH_RULES
from .gains import gain
from .names import SchemeName

_SAXE = "Saxe et al. 2013, https://arxiv.org/abs/1312.6120"
_SELF_NORMALISING = "Klambauer et al. 2017, https://arxiv.org/abs/1706.02515"
_SIREN = "Sitzmann et al. 2020, https://arxiv.org/abs/2006.09661"
_GPT2 = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"
_MEAN_FIELD = "Schoenholz et al. 2017, https://arxiv.org/abs/1611.01232"
_NORM = "Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167"

Layer: TypeAlias = Literal[
    "linear", "conv", "depthwise", "transposed", "embedding", "output", "attention", "recurrent", "norm"
]

# A batch leaves 4 % of the units of the fifth layer dead, 0.04 % of the second's (docs/choosing.md).
_DEAD_FROM = 5
# tanh's exact gain multiplies the squared gradient by 1.18 a layer: by 27 in 20 layers.
_TANH_UNTIL = 20
_DYING = ("relu", "relu6", "squared_relu")
# Second moments drift away from 1 with the exact gain: the slope of their map is above 1.
_UNSTABLE = (
    "gelu",
    "gelu_tanh",
    "quick_gelu",
    "silu",
    "swish",
    "mish",
    "hardswish",
    "hard_mish",
    "xielu",
    "squared_relu",
    "square",
)


@dataclass(frozen=True)
class Recommendation:
    """A scheme and its numbers for a weight, the same for its bias, and why.

    ``fastinit.distribution(r.scheme, shape, **r.numbers)`` is what the weight is drawn from.
    """

    scheme: SchemeName
    numbers: Mapping[str, Any]
    bias: SchemeName
    bias_numbers: Mapping[str, Any]
    reason: str
    source: str


@dataclass(frozen=True)
class _Choice:
    scheme: SchemeName
    reason: str
    source: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


def recommend(
    activation: str | ActivationFunction | None,
    negative_slope: float | None = None,
    *,
    omega: float | None = None,
    layer: Layer = "linear",
    depth: float | None = None,
    residual: bool = False,
    normalised: bool = False,
) -> Recommendation:
    """The scheme for a layer that the activation follows, with the reason.

    Parameters
    ----------
    activation : str, callable or None
        A name that `gain` knows, any elementwise function of a float64 array, or None for none. Layers that feed no
        activation of their own (attention, recurrent, embedding, output, norm) do not use it.
    negative_slope : float, optional
        That of ``leaky_relu``, 0.01 by default.
    omega : float, optional
        The frequency of the activation sin(omega x), 1 by default.
    layer : str
        ``linear``, ``conv``, ``depthwise``, ``transposed``, ``embedding``, ``output``, ``attention``, ``recurrent`` or
        ``norm``.
    depth : float, optional
        How many layers are stacked. If ``residual``, how many residual layers of two branches each; a block of one
        branch counts one half.
    residual : bool
        Whether the layer is the last of a branch that is added to its input: its gain is multiplied by 1 / sqrt(2 depth).
    normalised : bool
        Whether a normalisation stands before the layer, or between it and its activation.

    Returns
    -------
    Recommendation

    Raises
    ------
    TypeError
        For an argument of the wrong type.
    ValueError
        For an unknown name, a negative_slope or omega of another activation, a depth that is not positive, and
        ``residual`` without ``depth``.

    Examples
    --------
    >>> r = recommend("relu", normalised=True)
    >>> r.scheme, round(r.numbers["gain"], 4), r.bias
    ('he_normal', 1.4142, 'zeros')
    >>> recommend("linear", residual=True, depth=12).numbers
    {'gain': 0.20412414523193154}
    """
    flag("residual", residual)
    flag("normalised", normalised)
    if depth is not None:
        positive("depth", depth)
    if residual and depth is None:
        raise ValueError("residual needs depth: the scale is 1 / sqrt(2 depth)")
    of_layer = choose("layer", layer, _LAYERS)
    of_activation = _by_activation(activation, negative_slope, omega, depth, normalised)
    choice = of_activation if of_layer is None else of_layer(normalised)
    numbers, reasons = dict(choice.numbers), [choice.reason]
    if layer in _REMARKS:
        reasons.append(_REMARKS[layer])
    if layer == "transposed":
        numbers["transposed"] = True
    scheme, source = choice.scheme, choice.source
    if residual and depth is not None:
        scale = DEPTH_RULES["1/sqrt(2L)"](depth, 0)
        if layer == "norm":
            scheme, numbers = "constant", {"value": scale}
        else:
            if scheme == "lecun_normal":  # which is He's with a gain of 1
                scheme, numbers["gain"] = "he_normal", 1.0
            if "omega" in numbers:  # which divides
                scheme, numbers["gain"] = "he_uniform", math.sqrt(2) / numbers.pop("omega")
            scaled = "std" if "std" in SCHEMES[scheme].keywords else "gain"
            numbers[scaled] = numbers[scaled] * scale
        reasons.append(f"as the end of a residual branch, times 1/sqrt(2L) = {scale:.4g}")
        source += f"; {_GPT2}"
    bias: SchemeName = "zeros"
    bias_numbers: dict[str, Any] = {}
    if of_layer is None and activation in _DYING and not (normalised or residual):
        if depth is None or depth >= _DEAD_FROM:
            bias, bias_numbers = "positive_bias", {"value": 0.01}
            reasons.append("a bias of 0.01 against units that never fire")
    elif normalised and of_layer is None:
        reasons.append("the normalisation keeps the scale at any depth")
    return Recommendation(scheme, numbers, bias, bias_numbers, "; ".join(reasons), source)


def _by_activation(
    activation: str | ActivationFunction | None,
    negative_slope: float | None,
    omega: float | None,
    depth: float | None,
    normalised: bool,
) -> _Choice:
    if activation == "sin" and negative_slope is None:
        frequency = 1.0 if omega is None else positive("omega", omega)
        return _Choice("siren", "U(+-sqrt(6 / fan_in) / omega) gives sin(omega x) unit pre-activations in every layer "
                       "except the first, which takes U(+-1 / fan_in)", _SIREN, {"omega": frequency})  # fmt: skip
    if omega is not None:
        raise ValueError(f"omega belongs to 'sin' only, got {omega!r} for {activation!r}")
    if activation is None:
        activation = "linear"
    if isinstance(activation, str):
        activation = OTHER_NAMES.get(activation, activation)
    exact = gain(activation, negative_slope)
    if callable(activation):
        name = getattr(activation, "__name__", type(activation).__name__)
        return _computed(name.strip("<>"), exact)
    if activation in ("linear", "identity") or activation.startswith("conv"):
        return _Choice("xavier_normal", "variance 2 / (fan_in + fan_out) is between what keeps "
                       "the signal forward and the gradient back", GLOROT, {"gain": 1.0})  # fmt: skip
    if activation == "tanh" and depth is not None and depth > _TANH_UNTIL and not normalised:
        return _Choice(
            "xavier_normal", f"in a tanh stack of {depth:g} layers gain 1 loses signal and gradient by powers of the "
            f"depth only; {exact:.6g} would keep the signal and multiply the squared gradient by 1.18 a layer",
            f"{GLOROT}; {_MEAN_FIELD}", {"gain": 1.0})  # fmt: skip
    if activation == "tanh":
        return _Choice("xavier_normal", f"gain E[tanh(z)^2]^(-1/2) = {exact:.6g} keeps unit pre-activations; with gain "
                       "1 they fall as 1 / (2 layers)", GLOROT, {"gain": exact})  # fmt: skip
    if activation in ("sigmoid", "hard_sigmoid"):
        return _Choice(
            "xavier_normal", f"gain E[f(z)^2]^(-1/2) = {exact:.6g} keeps unit pre-activations, which plain Xavier "
            "(gain 1) does not; the squared gradient still falls to 0.15 a layer", GLOROT, {"gain": exact})  # fmt: skip
    if activation == "selu":
        return _Choice("lecun_normal", "variance 1 / fan_in is the fixed point of the self-normalising map",
                       f"{LECUN}; {_SELF_NORMALISING}")  # fmt: skip
    if activation in ("relu", "leaky_relu"):
        formula = (
            "sqrt(2)"
            if activation == "relu"
            else f"sqrt(2 / (1 + {0.01 if negative_slope is None else negative_slope:g}^2))"
        )
        return _Choice("he_normal", f"gain {formula} = {exact:.6g} makes up for the half that the "
                       "activation takes", HE, {"gain": exact})  # fmt: skip
    choice = _computed(activation, exact)
    if activation in _UNSTABLE and not normalised:
        warning = "an error in the scale grows from layer to layer: normalise deep stacks"
        return _Choice(choice.scheme, f"{choice.reason}; {warning}", choice.source, choice.numbers)
    return choice


def _computed(name: str, exact: float) -> _Choice:
    reason = f"gain E[f(z)^2]^(-1/2) = {exact:.6g} of {name} keeps unit pre-activations"
    return _Choice("he_normal", reason, HE, {"gain": exact})


def _embedding(normalised: bool) -> _Choice:
    if normalised:
        return _Choice("normal", "N(0, 0.02^2), as normalised transformers begin", _GPT2, {"std": 0.02})
    return _Choice(
        "normal", "N(0, 1): the layers behind take rows of unit second moment", GLOROT, {"std": 1.0}
    )


def _output(normalised: bool) -> _Choice:
    return _Choice(
        "lecun_normal", "variance 1 / fan_in gives logits of unit variance, however many classes", LECUN
    )


def _attention(normalised: bool) -> _Choice:
    return _Choice("xavier_normal", "query, key, value and output feed products and sums, no activation; the fans are "
                   "those of one of the packed weights", "Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; "
                   + GLOROT, {"gain": 1.0})  # fmt: skip


def _recurrent(normalised: bool) -> _Choice:
    return _Choice("orthogonal", "an orthogonal matrix keeps every state's length over any number of steps; of packed "
                   "gates each by itself", _SAXE, {"gain": 1.0})  # fmt: skip


def _norm(normalised: bool) -> _Choice:
    return _Choice("ones", "a scale of 1 and a bias of 0 leave the normalised values as they are", _NORM)


# What a layer decides itself; None leaves it to the activation.
_LAYERS: Mapping[str, Callable[[bool], _Choice] | None] = {
    "linear": None,
    "conv": None,
    "depthwise": None,
    "transposed": None,
    "embedding": _embedding,
    "output": _output,
    "attention": _attention,
    "recurrent": _recurrent,
    "norm": _norm,
}
_REMARKS = {
    "conv": "fan_in is the channels of one group times the kernel",
    "depthwise": "fan_in is only the kernel: one channel feeds an output",
    "transposed": "fan_in is the input channels times the kernel over the strides: so many taps meet an output",
}
