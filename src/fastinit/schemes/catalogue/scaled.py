"""Schemes that scale with the fans of a weight."""

from __future__ import annotations

import math

from ...arguments import flag, positive
from ...laws.distributions import Distribution, Uniform
from ..activations import ActivationFunction
from ..scaling import Kind, Mode
from .row import FANS, ByFans, Number, Scheme, Target

GLOROT = "Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html"
HE = "He et al. 2015, https://arxiv.org/abs/1502.01852"
LECUN = "LeCun et al. 1998, Efficient BackProp, http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf"
TORCH_LINEAR = "PyTorch, torch.nn.Linear, https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html"


def _siren(w: Target, first: bool, omega: float) -> Distribution:
    flag("first", first)
    omega, fan_in = positive("omega", omega), w.fan("fan_in")
    bound = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
    return Uniform(-bound, bound)


_MODE = Number(
    "mode",
    Mode,
    "fan_in",
    "Which fan divides the variance: 'fan_in' keeps the scale of the signal on the way forward, 'fan_out' that of the "
    "gradient on the way back, 'fan_avg' and 'fan_geo_avg' are their arithmetic and geometric means.",
)
_GAIN = Number("gain", float, 1.0, "A factor on the std.")
_OF_ACTIVATION = (
    _MODE,
    Number("gain", float | None, None, "A factor on the std. By default that of `activation`."),
    Number(
        "activation",
        str | ActivationFunction,
        "relu",
        "What follows the layer: a name that `fastinit.gain` knows, or a function of a float64 array. A given `gain` "
        "goes before it.",
    ),
    Number("negative_slope", float | None, None, "The slope of 'leaky_relu' below 0. By default 0.01."),
)

ROWS = (
    Scheme(
        name="variance_scaling",
        summary="Values of mean 0 and variance scale / fan.",
        use="any layer: JAX's and Keras's initializers are cases of it",
        formula="mean 0, variance scale / fan, with fan the one that `mode` names",
        tex=r"\mathrm{E}[w] = 0, \quad \mathrm{Var}[w] = \frac{\mathrm{scale}}{\mathrm{fan}}",
        mean="0",
        std="sqrt(scale / fan)",
        source=HE,
        build=ByFans(None, None, variance="scale"),
        numbers=(
            Number("scale", float, 1.0, "The variance times the fan."),
            _MODE,
            Number(
                "distribution",
                Kind,
                "truncated_normal",
                "What is drawn. 'truncated_normal' is cut at 2 standard deviations and widened, so that the variance after "
                "the cut is scale / fan.",
            ),
        ),
        geometry=FANS,
    ),
    Scheme(
        name="xavier_uniform",
        summary="Uniform values of variance 2 / (fan_in + fan_out).",
        use="linear and tanh layers, attention",
        formula="U[-a, a), with a = gain sqrt(6 / (fan_in + fan_out))",
        tex=r"\mathcal{U}[-a, a), \quad a = \mathrm{gain} \sqrt{\frac{6}{\mathrm{fan}_\mathrm{in} + \mathrm{fan}_\mathrm{out}}}",
        mean="0",
        std="gain * sqrt(2 / (fan_in + fan_out))",
        source=GLOROT,
        build=ByFans("uniform", "fan_avg", std="gain"),
        numbers=(_GAIN,),
        geometry=FANS,
        aliases=("glorot_uniform",),
        note="It is between what keeps the scale of the signal on the way forward and that of the gradient on the way "
        "back.",
    ),
    Scheme(
        name="xavier_normal",
        summary="Normal values of variance 2 / (fan_in + fan_out).",
        use="linear and tanh layers, attention",
        formula="N(0, gain^2 2 / (fan_in + fan_out))",
        tex=r"\mathcal{N}\left(0, \mathrm{gain}^2 \frac{2}{\mathrm{fan}_\mathrm{in} + \mathrm{fan}_\mathrm{out}}\right)",
        mean="0",
        std="gain * sqrt(2 / (fan_in + fan_out))",
        source=GLOROT,
        build=ByFans("normal", "fan_avg", std="gain"),
        numbers=(_GAIN,),
        geometry=FANS,
        aliases=("glorot_normal",),
        note="It is between what keeps the scale of the signal on the way forward and that of the gradient on the way "
        "back. The normal distribution is not truncated, as in torch; JAX and Keras truncate theirs: "
        "variance_scaling(mode='fan_avg').",
    ),
    Scheme(
        name="he_uniform",
        summary="Uniform values of variance gain^2 / fan_in.",
        use="layers that ReLU or another activation follows",
        formula="U[-a, a), with a = gain sqrt(3 / fan_in)",
        tex=r"\mathcal{U}[-a, a), \quad a = \mathrm{gain} \sqrt{\frac{3}{\mathrm{fan}_\mathrm{in}}}",
        mean="0",
        std="gain / sqrt(fan_in)",
        source=HE,
        build=ByFans("uniform", None, std="gain"),
        numbers=_OF_ACTIVATION,
        geometry=FANS,
        aliases=("kaiming_uniform",),
        note="It keeps the scale of the signal from layer to layer. The gain of ReLU is sqrt(2).",
    ),
    Scheme(
        name="he_normal",
        summary="Normal values of variance gain^2 / fan_in.",
        use="layers that ReLU or another activation follows",
        formula="N(0, gain^2 / fan_in)",
        tex=r"\mathcal{N}\left(0, \frac{\mathrm{gain}^2}{\mathrm{fan}_\mathrm{in}}\right)",
        mean="0",
        std="gain / sqrt(fan_in)",
        source=HE,
        build=ByFans("normal", None, std="gain"),
        numbers=_OF_ACTIVATION,
        geometry=FANS,
        aliases=("kaiming_normal",),
        note="It keeps the scale of the signal from layer to layer. The gain of ReLU is sqrt(2). The normal distribution "
        "is not truncated, as in torch; JAX and Keras truncate theirs: variance_scaling(scale=2).",
    ),
    Scheme(
        name="lecun_uniform",
        summary="Uniform values of variance 1 / fan_in.",
        use="linear and self-normalising (SELU) layers, outputs",
        formula="U[-a, a), with a = sqrt(3 / fan_in)",
        tex=r"\mathcal{U}[-a, a), \quad a = \sqrt{\frac{3}{\mathrm{fan}_\mathrm{in}}}",
        mean="0",
        std="1 / sqrt(fan_in)",
        source=LECUN,
        build=ByFans("uniform", "fan_in"),
        geometry=FANS,
        note="Caffe2 calls it XavierFill.",
    ),
    Scheme(
        name="lecun_normal",
        summary="Normal values of variance 1 / fan_in.",
        use="linear and self-normalising (SELU) layers, outputs",
        formula="N(0, 1 / fan_in)",
        tex=r"\mathcal{N}\left(0, \frac{1}{\mathrm{fan}_\mathrm{in}}\right)",
        mean="0",
        std="1 / sqrt(fan_in)",
        source=LECUN,
        build=ByFans("normal", "fan_in"),
        geometry=FANS,
        note="The normal distribution is not truncated; JAX and Keras truncate theirs: variance_scaling().",
    ),
    Scheme(
        name="torch_default",
        summary="Uniform values of variance 1 / (3 fan_in).",
        use="the weights that torch's Linear and convolutions start with",
        formula="U[-a, a), with a = 1 / sqrt(fan_in)",
        tex=r"\mathcal{U}[-a, a), \quad a = \frac{1}{\sqrt{\mathrm{fan}_\mathrm{in}}}",
        mean="0",
        std="1 / sqrt(3 * fan_in)",
        source=TORCH_LINEAR,
        build=ByFans("uniform", "fan_in", 1 / 3),
        geometry=FANS,
    ),
    Scheme(
        name="uniform_scaling",
        summary="Uniform values of variance scale^2 / fan_in.",
        use="deep stacks, with a scale for the activation: 1.43 for ReLU, 1.15 for tanh",
        formula="U[-a, a), with a = scale sqrt(3 / fan_in)",
        tex=r"\mathcal{U}[-a, a), \quad a = \mathrm{scale} \sqrt{\frac{3}{\mathrm{fan}_\mathrm{in}}}",
        mean="0",
        std="scale / sqrt(fan_in)",
        source="Sussillo and Abbott 2014, https://arxiv.org/abs/1412.6558",
        build=ByFans("uniform", "fan_in", std="scale"),
        numbers=(Number("scale", float, 1.0, "A factor on the std."),),
        geometry=FANS,
        specialist=True,
    ),
    Scheme(
        name="siren",
        summary="Uniform values of variance 2 / (omega^2 fan_in).",
        use="layers that sin(omega x) follows",
        formula="U[-a, a), with a = sqrt(6 / fan_in) / omega; in the first layer a = 1 / fan_in",
        tex=r"\mathcal{U}[-a, a), \quad a = \frac{1}{\omega} \sqrt{\frac{6}{\mathrm{fan}_\mathrm{in}}}, \quad\text{first layer:}\quad a = \frac{1}{\mathrm{fan}_\mathrm{in}}",
        mean="0",
        std="sqrt(2 / fan_in) / omega",
        source="Sitzmann et al. 2020, https://arxiv.org/abs/2006.09661",
        build=_siren,
        numbers=(
            Number("first", bool, False, "Whether it is the layer that takes the coordinates."),
            Number(
                "omega",
                float,
                30.0,
                "The frequency of the sine, in radians per unit of the pre-activation. It is not used in the first layer.",
            ),
        ),
        geometry=FANS,
    ),
)
