"""Schemes for biases."""

from __future__ import annotations

from ...arguments import positive, positive_integer, real
from ...laws.biases import Chrono, ForgetGate, StepSize
from ...laws.distributions import Constant
from ...laws.exact_math import log
from .row import FANS, REQUIRED, ByFans, Number, OfNumbers, Scheme, Target
from .scaled import TORCH_LINEAR


def _prior(prior: float) -> Constant:
    if not 0 < real("prior", prior) < 1:
        raise ValueError(f"prior must be between 0 and 1, got {prior!r}")
    return Constant(float(log(prior) - log(1 - prior)))


def _class_prior(w: Target, classes: int | None) -> Constant:
    if classes is None:
        if not w.shape:
            raise ValueError("class_prior of a scalar needs classes=")
        classes = max(w.shape[-1], 1)
    return Constant(-float(log(real("classes", positive_integer("classes", classes)))))


_GATES = Number("gates", int, 4, "The number of gates, which lie side by side along the last axis.")
_FORGET = Number(
    "forget",
    int,
    1,
    "The number of the forget gate, from 0: 1 in the order of torch (input, forget, cell, output) and Keras, 2 in "
    "Haiku's.",
)

ROWS = (
    Scheme(
        name="positive_bias",
        summary="One small positive value.",
        use="biases before ReLU, against units that never fire",
        formula="value",
        tex=r"\mathrm{value}",
        mean="value",
        std="0",
        source="Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.3, https://www.deeplearningbook.org",
        build=lambda w, value: Constant(positive("value", value)),
        numbers=(Number("value", float, 0.01, "The value of every element. It must be positive."),),
        specialist=True,
        random=False,
    ),
    Scheme(
        name="torch_bias",
        summary="Uniform values of variance 1 / (3 fan_in), with the fan_in of the weight.",
        use="the biases that torch's Linear and convolutions start with",
        formula="U[-a, a), with a = 1 / sqrt(fan_in)",
        tex=r"\mathcal{U}[-a, a), \quad a = \frac{1}{\sqrt{\mathrm{fan}_\mathrm{in}}}",
        mean="0",
        std="1 / sqrt(3 * fan_in)",
        source=TORCH_LINEAR,
        build=ByFans("uniform", "fan_in", 1 / 3),
        geometry=FANS,
        note="A bias has one axis, which says no fan: give `fan_in`.",
        example="(4,), fan_in=16",
        specialist=True,
    ),
    Scheme(
        name="forget_gate_bias",
        summary="One value for the forget gate, 0 for the other gates.",
        use="LSTMs that remember from the start",
        formula="value for the forget gate, else 0",
        tex=r"b = \begin{cases} \mathrm{value} & \text{gate} = \mathrm{forget} \cr 0 & \text{else} \end{cases}",
        mean=None,
        std=None,
        source="Jozefowicz et al. 2015, https://proceedings.mlr.press/v37/jozefowicz15.html",
        build=OfNumbers(ForgetGate),
        numbers=(
            Number("value", float, 1.0, "The bias of the forget gate."),
            _GATES,
            _FORGET,
        ),
        note="torch adds two biases: fill the other one with zeros.",
        specialist=True,
        random=False,
    ),
    Scheme(
        name="chrono",
        summary="Biases of the forget and input gates, for memories of up to t_max steps.",
        use="LSTMs whose units remember each for its own span",
        formula="ln(u) for the forget gate and -ln(u) for the input gate, with u from U[1, t_max - 1); else 0",
        tex=r"b_\mathrm{forget} = \ln u, \quad b_\mathrm{input} = -\ln u, \quad u \sim \mathcal{U}[1, t_\mathrm{max} - 1), \quad\text{else } 0",
        mean=None,
        std=None,
        source="Tallec and Ollivier 2018, https://arxiv.org/abs/1804.11188",
        build=OfNumbers(Chrono),
        numbers=(
            Number(
                "t_max", float, REQUIRED, "The longest span to remember, in time steps. It must be 2 or more."
            ),
            _GATES,
            _FORGET,
            Number("input", int, 0, "The number of the input gate, from 0."),
        ),
        example="(8,), t_max=100",
        specialist=True,
    ),
    Scheme(
        name="focal_prior",
        summary="The log-odds of a rare class.",
        use="sigmoid outputs that start at the frequency of their class",
        formula="-ln((1 - prior) / prior)",
        tex=r"-\ln \frac{1 - \mathrm{prior}}{\mathrm{prior}}",
        mean="-ln((1 - prior) / prior)",
        std="0",
        source="Lin et al. 2017, https://arxiv.org/abs/1708.02002",
        build=lambda w, prior: _prior(prior),
        numbers=(Number("prior", float, 0.01, "The frequency of the class, between 0 and 1."),),
        specialist=True,
        random=False,
    ),
    Scheme(
        name="class_prior",
        summary="Minus the logarithm of the number of classes.",
        use="sigmoid outputs of exclusive classes, which start near 1 / classes",
        formula="-ln(classes)",
        tex=r"-\ln \mathrm{classes}",
        mean="-ln(classes)",
        std="0",
        source="Beyer et al. 2020, https://arxiv.org/abs/2006.07159",
        build=_class_prior,
        numbers=(
            Number(
                "classes", int | None, None, "The number of classes. By default the length of the last axis."
            ),
        ),
        specialist=True,
        random=False,
    ),
    Scheme(
        name="dt_bias",
        summary="Biases whose softplus is log-uniform between two steps.",
        use="the step sizes of state-space layers (Mamba)",
        formula="b with softplus(b) = max(exp(U[ln low, ln high)), floor)",
        tex=r"\Delta + \ln(1 - e^{-\Delta}), \quad \Delta = \max(e^u, \mathrm{floor}), \quad u \sim \mathcal{U}[\ln \mathrm{low}, \ln \mathrm{high})",
        mean=None,
        std=None,
        source="Gu and Dao 2023, https://arxiv.org/abs/2312.00752",
        build=OfNumbers(StepSize),
        numbers=(
            Number("low", float, 1e-3, "The shortest step. It must be positive."),
            Number("high", float, 0.1, "The longest step, at most 700."),
            Number("floor", float, 1e-4, "Steps below it become it."),
        ),
        specialist=True,
    ),
)
