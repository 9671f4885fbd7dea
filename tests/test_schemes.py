"""Formulas: gains, fans, laws and the schemes' numbers, against values computed elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from test_structured import STRUCTURED

import fastinit as fi
from fastinit.laws import from_dict
from fastinit.laws.distributions import truncated_std

# E[f(z)^2]^(-1/2) by 30-digit quadrature.
EXACT_GAINS = {
    "linear": 1.0, "relu": 1.414214, "relu6": 1.414214, "squared_relu": 0.8164966, "elu": 1.245198, "celu": 1.245198,
    "selu": 1.0, "gelu": 1.533530, "gelu_tanh": 1.533581, "quick_gelu": 1.539459, "silu": 1.676532, "mish": 1.486848,
    "hardswish": 1.736657, "softplus": 1.041867, "shifted_softplus": 1.875596, "sigmoid": 1.846229,
    "centred_sigmoid": 4.801313, "hard_sigmoid": 1.897840, "log_sigmoid": 1.041867, "tanh": 1.592537,
    "hardtanh": 1.392036, "softsign": 2.337533, "tanhshrink": 2.338368, "softshrink": 1.544361,
    "hardshrink": 1.015796, "erf": 1.467167, "arctan": 1.491208, "sin": 1.520867, "cos": 1.327251,
    "gaussian": 1.316074, "snake": 0.8745810, "exp": 0.3678794, "abs": 1.0, "square": 0.5773503,
    "hard_mish": 1.331207, "xielu": 0.7590769, "sqrt_softplus": 1.113824, "laplace": 2.239195,
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT_GAINS)
def test_exact_gains(name: str) -> None:
    assert fi.gain(name, kind="exact") == pytest.approx(EXACT_GAINS[name], rel=1e-6)


def test_closed_forms() -> None:
    assert fi.gain("gelu") == pytest.approx((1 / 3 + 1 / (2 * math.sqrt(3) * math.pi)) ** -0.5, rel=1e-12)
    assert fi.gain("erf") == pytest.approx((2 / math.pi * math.asin(2 / 3)) ** -0.5, rel=1e-12)
    assert fi.gain("exp") == pytest.approx(math.exp(-1), rel=1e-12)
    for slope in (0.01, 0.1, 0.3, 2.0):
        by_name = fi.gain("leaky_relu", slope)
        assert by_name == pytest.approx(fi.gain(lambda z, s=slope: np.where(z > 0, z, s * z)), rel=1e-12)


def test_torch_gains() -> None:
    values = {"linear": 1, "conv2d": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    assert {name: fi.gain(name, kind="torch") for name in values} == values
    assert fi.gain("gelu", kind="torch") == fi.gain("gelu")
    assert fi.gain("relu") == math.sqrt(2) and fi.gain("conv2d") == fi.gain("linear") == 1
    assert fi.gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))


def test_bad_gains() -> None:
    for call, error in (
        (lambda: fi.gain("rellu"), ValueError),
        (lambda: fi.gain("relu", 0.1), ValueError),
        (lambda: fi.gain(3), TypeError),
        (lambda: fi.gain("relu", kind="best"), ValueError),
        (lambda: fi.gain(lambda z: z[:3]), ValueError),
        (lambda: fi.gain(lambda z: z / 0 * z), ValueError),
        (lambda: fi.gain(np.zeros_like), ValueError),
    ):
        with pytest.raises(error), np.errstate(all="ignore"):
            call()


FANS = [
    ((64, 32), {}, (32, 64)),
    ((32, 64), {"layout": "io"}, (32, 64)),
    ((64, 32, 3, 3), {}, (288, 576)),
    ((3, 3, 32, 64), {"layout": "hwio"}, (288, 576)),
    ((64, 3, 3, 32), {"layout": "ohwi"}, (288, 576)),
    ((32, 1, 3, 3), {"groups": 32}, (9, 9)),
    ((64, 16, 3, 3), {"groups": 2}, (144, 288)),
    ((64, 32, 3, 3), {"stride": 2}, (288, 144)),
    ((512, 64, 4, 4), {"transposed": True}, (8192, 1024)),
    ((512, 64, 4, 4), {"transposed": True, "stride": (2, 2)}, (2048, 1024)),
    ((8, 1024, 4096), {"layout": "bio"}, (1024, 4096)),
    ((2304, 768), {"packed": 3}, (768, 768)),
    ((64, 32), {"fan_in": 7}, (7, 64)),
    ((5,), {"fan_in": 2, "fan_out": 3}, (2, 3)),
    ((0, 4), {}, (4, 1)),
]


@pytest.mark.parametrize(("shape", "options", "expected"), FANS, ids=str)
def test_fans(shape: Any, options: dict[str, Any], expected: tuple[float, float]) -> None:
    assert fi.fans(shape, **options) == expected


@pytest.mark.parametrize(
    ("shape", "options"),
    [((3,), {}), ((), {}), ((2, 3), {"layout": "o"}), ((2, 3), {"layout": "oo"}), ((2, 3), {"layout": "OI"}),
     ((2, 3, 4, 4), {"layout": "oihh"}), ((2, 3), {"groups": 0}), ((2, 3), {"groups": 3}), ((3, 2), {"packed": 2}), ((2, 3), {"packed": 0}), ((2, 3), {"fan_in": 0}),
     ((2, 3, 4), {"stride": 0}), ((2, 3, 4), {"stride": (1, 2)}), ((-1, 3), {})],
    ids=str,
)  # fmt: skip
def test_bad_fans(shape: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        fi.fans(shape, **options)


A = (256, 784)  # fan_in 784, fan_out 256
SCHEMES = [
    ("xavier_uniform", {}, fi.Uniform(-0.0759555, 0.0759555)),
    ("xavier_normal", {}, fi.Normal(0, 0.0438529)),
    ("glorot_normal", {"gain": 2}, fi.Normal(0, 2 * 0.0438529)),
    ("he_normal", {}, fi.Normal(0, 0.0505076)),
    ("he_uniform", {}, fi.Uniform(-0.0874818, 0.0874818)),
    ("kaiming_normal", {"mode": "fan_out"}, fi.Normal(0, math.sqrt(2 / 256))),
    ("he_normal", {"activation": "tanh"}, fi.Normal(0, 1.592537419722832 / 28)),
    ("he_normal", {"activation": "leaky_relu", "negative_slope": 1}, fi.Normal(0, 1 / 28)),
    ("lecun_normal", {}, fi.Normal(0, 0.0357143)),
    ("lecun_uniform", {}, fi.Uniform(-math.sqrt(3) / 28, math.sqrt(3) / 28)),
    ("torch_default", {}, fi.Uniform(-1 / 28, 1 / 28)),
    ("torch_bias", {"fan_in": 100}, fi.Uniform(-0.1, 0.1)),
    ("variance_scaling", {"distribution": "normal", "mode": "fan_geo_avg"}, fi.Normal(0, (784 * 256) ** -0.25)),
    ("variance_scaling", {"scale": 3, "distribution": "uniform", "mode": "fan_out"}, fi.Uniform(-0.1875, 0.1875)),
    ("variance_scaling", {"scale": 0}, fi.Constant(0)),
    ("variance_scaling", {}, fi.TruncatedNormal(0, 0.0406016727, -0.0812033454, 0.0812033454)),
    ("truncated_normal", {"std": 0.02}, fi.TruncatedNormal(0, 0.02, -0.04, 0.04)),
    ("truncated_normal", {"std": 0.02, "bounds": "absolute"}, fi.TruncatedNormal(0, 0.02, -2, 2)),
    ("uniform", {"low": -0.05, "high": 0.05}, fi.Uniform(-0.05, 0.05)),
    ("normal", {"std": 0.02}, fi.Normal(0, 0.02)),
    ("zeros", {}, fi.Constant(0)),
    ("ones", {}, fi.Constant(1)),
    ("constant", {"value": 3}, fi.Constant(3)),
    ("positive_bias", {}, fi.Constant(0.01)),
    ("uniform_scaling", {"scale": 1.43}, fi.Uniform(-1.43 * math.sqrt(3) / 28, 1.43 * math.sqrt(3) / 28)),
    ("siren", {}, fi.Uniform(-math.sqrt(6) / 28 / 30, math.sqrt(6) / 28 / 30)),
    ("siren", {"omega": 10}, fi.Uniform(-math.sqrt(6) / 28 / 10, math.sqrt(6) / 28 / 10)),
    ("siren", {"first": True}, fi.Uniform(-1 / 784, 1 / 784)),
    ("focal_prior", {}, fi.Constant(-math.log(99))),
    ("focal_prior", {"prior": 0.75}, fi.Constant(math.log(3))),
    ("class_prior", {}, fi.Constant(-math.log(784))),
    ("class_prior", {"classes": 1000}, fi.Constant(-math.log(1000))),
]  # fmt: skip


@pytest.mark.parametrize(("scheme", "numbers", "law"), SCHEMES, ids=str)
def test_formulas(scheme: str, numbers: dict[str, Any], law: fi.laws.Distribution) -> None:
    got = fi.distribution(scheme, A, **numbers)
    assert type(got) is type(law)
    assert got.parameters == pytest.approx(law.parameters, rel=2e-6)


def test_complex_normal() -> None:
    assert fi.distribution("complex_normal", (5, 2), std=2) == fi.Normal(0, 2 / math.sqrt(2))


def test_every_scheme_has_a_formula_test_and_a_function() -> None:
    tested = (
        {fi.schemes.SCHEMES[scheme].name for scheme, _, _ in SCHEMES} | set(STRUCTURED) | {"complex_normal"}
    )
    assert tested == {row.name for row in fi.schemes.SCHEMES.values()}
    assert all(callable(getattr(fi.schemes, name)) for name in fi.schemes.SCHEMES)


def test_truncated_variance_scaling_has_the_variance_it_promises() -> None:
    law = fi.distribution("variance_scaling", A)
    assert law.moments()[1] == pytest.approx(1 / 28, rel=1e-12)


@pytest.mark.parametrize(
    "bounds", [(-2, 2), (-1, 3), (0, np.inf), (8, 9), (-40, -39), (-1e-3, 2e-3), (30, np.inf)]
)
def test_truncated_moments(bounds: tuple[float, float]) -> None:
    mean, std = fi.TruncatedNormal(0, 1, *bounds).moments()
    law = stats.truncnorm(*bounds)
    assert mean == pytest.approx(law.mean(), rel=1e-6)
    assert std == pytest.approx(law.std(), rel=1e-3)


def test_truncated_std() -> None:
    table = {1: 0.53956009375489697, 1.5: 0.74264689843932649, 2: 0.87962566103423975, 3: 0.98657839255810862}
    for c, std in table.items():
        assert truncated_std(-c, c) == pytest.approx(std, rel=1e-12)


def test_laws_survive_json() -> None:
    for law in (fi.Constant(1), fi.Uniform(0, 1), fi.Normal(), fi.TruncatedNormal(0, 1, -np.inf, 2)):
        assert from_dict(law.to_dict()) == law
