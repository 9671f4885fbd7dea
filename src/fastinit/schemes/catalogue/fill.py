"""Schemes whose numbers are all given: constants, and distributions that count no fans."""

from __future__ import annotations

import math
from typing import Literal

from numpy.typing import ArrayLike

from ...arguments import non_negative
from ...laws.distributions import Constant, Normal, Uniform
from ...laws.parts import complex_values
from ...laws.patterns import Given
from ...laws.transformed import ComplexTruncatedNormal, ComplexUniform, LogUniform, check_complex
from ..scaling import truncated
from .row import REQUIRED, Number, OfNumbers, Scheme, Target


def _complex_normal(w: Target, std: float) -> Normal:
    std = non_negative("std", std)
    if w.is_complex:
        return Normal(0.0, std)
    check_complex(w.shape)
    return Normal(0.0, std / math.sqrt(2))


_MEAN = Number("mean", float, 0.0, "The mean.")
_STD = Number("std", float, 1.0, "The standard deviation.")
_PAIRS = "In a real dtype, the real and imaginary parts are pairs along the last axis, of length 2."

ROWS = (
    Scheme(
        name="zeros",
        summary="Zeros.",
        use="biases; the last layer of a residual branch",
        formula="0",
        tex="0",
        mean="0",
        std="0",
        source=None,
        build=OfNumbers(Constant, {"value": 0.0}),
        random=False,
    ),
    Scheme(
        name="ones",
        summary="Ones.",
        use="the scale of a norm",
        formula="1",
        tex="1",
        mean="1",
        std="0",
        source=None,
        build=OfNumbers(Constant, {"value": 1.0}),
        random=False,
    ),
    Scheme(
        name="constant",
        summary="One value everywhere.",
        use="layer scales, temperatures, slopes",
        formula="value",
        tex=r"\mathrm{value}",
        mean="value",
        std="0",
        source=None,
        build=OfNumbers(Constant),
        numbers=(Number("value", float, 0.0, "The value of every element."),),
        random=False,
    ),
    Scheme(
        name="uniform",
        summary="Uniform values between two bounds.",
        use="weights and biases with a range of your own",
        formula="U[low, high)",
        tex=r"\mathcal{U}[\mathrm{low}, \mathrm{high})",
        mean="(low + high) / 2",
        std="(high - low) / sqrt(12)",
        source=None,
        build=OfNumbers(Uniform),
        numbers=(
            Number("low", float, 0.0, "The lower bound, which may be drawn."),
            Number("high", float, 1.0, "The upper bound, which is never drawn."),
        ),
        note="If both bounds are equal, every element is that value.",
    ),
    Scheme(
        name="normal",
        summary="Normal values.",
        use="weights with a std of your own; embeddings",
        formula="N(mean, std^2)",
        tex=r"\mathcal{N}(\mathrm{mean}, \mathrm{std}^2)",
        mean="mean",
        std="std",
        source=None,
        build=OfNumbers(Normal),
        numbers=(_MEAN, _STD),
    ),
    Scheme(
        name="truncated_normal",
        summary="Normal values between two bounds.",
        use="weights of transformers, without outliers",
        formula="N(mean, std^2), given mean + low std <= x <= mean + high std",
        tex=r"\mathcal{N}(\mathrm{mean}, \mathrm{std}^2) \quad\text{given}\quad \mathrm{low} \le \frac{x - \mathrm{mean}}{\mathrm{std}} \le \mathrm{high}",
        mean="mean",
        std="0.879626 * std",
        source=None,
        build=lambda w, **numbers: truncated(**numbers),
        numbers=(
            Number("mean", float, 0.0, "The mean of the normal distribution before the cut."),
            Number("std", float, 1.0, "The standard deviation of the normal distribution before the cut."),
            Number("low", float, -2.0, "The lower bound, in the units that `bounds` names. It may be -inf."),
            Number("high", float, 2.0, "The upper bound, in the units that `bounds` names. It may be inf."),
            Number(
                "bounds",
                Literal["sigma", "absolute"],
                "sigma",
                "The units of the bounds: 'sigma', standard deviations from the mean (JAX, Keras), or 'absolute', the "
                "values themselves (torch).",
            ),
        ),
        note="The std after the cut is 0.8796 std with the bounds -2 and 2. `variance_scaling` makes up for the loss.",
    ),
    Scheme(
        name="array",
        summary="The values that are given.",
        use="positions, filters, values from elsewhere",
        formula="values",
        tex=r"w_i = \mathrm{values}_i",
        mean=None,
        std=None,
        source=None,
        build=lambda w, values: complex_values(values) if w.is_complex else Given(values),
        numbers=(Number("values", ArrayLike, REQUIRED, "Finite numbers, of the shape of the tensor."),),
        note="MXNet calls it Load, Paddle calls it Assign.",
        example="(2,), values=[0.5, 1.5]",
        specialist=True,
        random=False,
    ),
    Scheme(
        name="log_uniform",
        summary="Positive values whose logarithm is uniform.",
        use="time constants, step sizes, frequencies",
        formula="exp(U[ln low, ln high))",
        tex=r"e^u, \quad u \sim \mathcal{U}[\ln \mathrm{low}, \ln \mathrm{high})",
        mean="(high - low) / ln(high / low)",
        std="sqrt(mean * (low + high) / 2 - mean^2)",
        source=None,
        build=OfNumbers(LogUniform),
        numbers=(
            Number("low", float, 1e-3, "The lower bound. It must be positive."),
            Number("high", float, 1e-1, "The upper bound."),
        ),
        note="Every order of magnitude between the bounds is equally likely.",
        specialist=True,
    ),
    Scheme(
        name="complex_normal",
        summary="Complex normal values.",
        use="complex weights",
        formula="x + i y, with x and y from N(0, std^2 / 2)",
        tex=r"x + i y, \quad x, y \sim \mathcal{N}(0, \mathrm{std}^2 / 2)",
        mean="0",
        std="std",
        source=None,
        build=_complex_normal,
        numbers=(Number("std", float, 1.0, "The standard deviation of the complex values."),),
        note=_PAIRS,
        example="(4, 2)",
    ),
    Scheme(
        name="complex_truncated_normal",
        summary="Complex normal values of modulus 2 std or less.",
        use="complex weights, without outliers",
        formula="z = x + i y, with x and y from N(0, std^2 / 2), given |z| <= 2 std",
        tex=r"z = x + i y, \quad x, y \sim \mathcal{N}(0, \mathrm{std}^2 / 2) \quad\text{given}\quad |z| \le 2 \thinspace \mathrm{std}",
        mean="0",
        std="0.961962 * std",
        source=None,
        build=OfNumbers(ComplexTruncatedNormal),
        numbers=(Number("std", float, 1.0, "The standard deviation of the complex values before the cut."),),
        note=f"{_PAIRS} The std after the cut is .96196182800821354 std.",
        example="(4, 2)",
        specialist=True,
    ),
    Scheme(
        name="complex_uniform",
        summary="Complex values, uniform on a disk around 0.",
        use="complex weights",
        formula="radius sqrt(u) exp(i phi), with u from U[0, 1) and phi from U[0, 2 pi)",
        tex=r"\mathrm{radius} \sqrt{u} \thinspace e^{i \varphi}, \quad u \sim \mathcal{U}[0, 1), \quad \varphi \sim \mathcal{U}[0, 2 \pi)",
        mean="0",
        std="radius / sqrt(2)",
        source=None,
        build=OfNumbers(ComplexUniform),
        numbers=(Number("radius", float, 1.0, "The radius of the disk."),),
        note=_PAIRS,
        example="(4, 2)",
        specialist=True,
    ),
)
