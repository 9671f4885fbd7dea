"""Mean-field theory: published and tabulated numbers to their digits, other people's quadrature, and real networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest

import fastinit as fi
from fastinit.propagation.moments import (
    pair_moment,
    pair_slope,
    second_moment,
    second_moment_slope,
    slope_moment,
)
from fastinit.schemes.activations import ACTIVATIONS, as_activation
from fastinit.schemes.quadrature import expect

theory = fi.propagation


def digits(value: float, printed: str) -> bool:
    """Whether the value is what is printed, to half a unit of its last digit (and a little for a 5 after it)."""
    mantissa, _, exponent = printed.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(value - float(printed)) <= 0.501 * unit


# activation: E f^2, E f'^2, forward, backward and zero-mean gain, slope of the q-map at unit gain and q = 1
GAINS = """
tanh .394294 .464403 1.592537 1.467414 1.592537 .461071
sigmoid .293379 .044836 1.846229 4.722646 4.801313 .106341
relu .5 .5 1.414214 1.414214 1.712859 1
leaky_relu .500050 .500050 1.414143 1.414143 1.704832 1
elu .644945 .668102 1.245198 1.223429 1.270843 .890968
selu 1 1.071575 1 .966026 1 .782648
gelu .425221 .455851 1.533530 1.481114 1.700926 1.144063
silu .355776 .379482 1.676532 1.623320 1.787187 1.172594
mish .452342 .479084 1.486848 1.444755 1.592025 1.076339
softplus .921246 .293379 1.041867 1.846229 1.919126 .492053
hardtanh .516059 .682689 1.392036 1.210287 1.392036 .385127
sin .432332 .567668 1.520867 1.327251 1.520867 .313035
"""


@pytest.mark.parametrize("row", GAINS.split("\n")[1:-1], ids=lambda row: row.split()[0])
def test_gains(row: str) -> None:
    name, *printed = row.split()
    f = as_activation(name)
    square, slope, mean = second_moment(f, 1), slope_moment(f, 1), float(expect(f, lambda s: s.value))
    values = [square, slope, square**-0.5, slope**-0.5, (square - mean**2) ** -0.5,
              theory.mean_field(name, weight_variance=1 / square).q_slope(1)]  # fmt: skip
    for value, text in zip(values, printed, strict=True):
        assert digits(
            value, text.ljust(8 if text.startswith("1.") else 7, "0") if "." in text else text + ".000000"
        )


# NFNet's gammas are sample estimates of the zero-mean gains.
NFNET = {"tanh": 1.593912, "sigmoid": 4.803835, "relu": 1.713959, "leaky_relu": 1.705903, "elu": 1.271600,
         "selu": 1.000852, "gelu": 1.701504, "silu": 1.788129, "softplus": 1.920332}  # fmt: skip


def test_nfnet_gammas_are_estimates_of_the_zero_mean_gains() -> None:
    for name, gamma in NFNET.items():
        f = as_activation(name)
        exact = (second_moment(f, 1) - float(expect(f, lambda s: s.value)) ** 2) ** -0.5
        assert 0.00033 < gamma / exact - 1 < 0.00087


CRITICAL = """1e-5 1.039521 .020338 | 2.01e-5 1.049996 .025919 | 1e-4 1.086026 .045709 | .001 1.189190 .107292 |
.01 1.424205 .273301 | .02 1.544193 .371240 | .04 1.700796 .512079 | .05 1.760955 .570048 | .09 1.947655 .763475 |
.1 1.986073 .805799 | .2 2.285152 1.164496 | .3 2.505127 1.461169 | .5 2.843167 1.971031 | 1 3.443211 3.036396"""


@pytest.mark.parametrize("row", CRITICAL.split("|"))
def test_tanh_critical_line(row: str) -> None:
    bias, weight, q = row.split()
    point = theory.critical_line("tanh", float(bias))
    assert digits(point.weight_variance, weight) and digits(point.q_star, q)
    mean_field = theory.mean_field("tanh", weight_variance=point.weight_variance, bias_variance=float(bias))
    assert mean_field.phase == "critical" and mean_field.q_star == pytest.approx(point.q_star, rel=1e-8)


def test_critical_points() -> None:
    for name in ("tanh", "relu", "erf", "sin", "hardtanh"):
        f = as_activation(name)
        point = theory.critical_line(name)
        assert point.q_star == 0 and point.weight_variance == pytest.approx(1 / slope_moment(f, 0), rel=1e-12)
    assert theory.critical_line("tanh").weight_variance == pytest.approx(1, rel=1e-6)
    assert theory.critical_line("relu").weight_variance == pytest.approx(2, rel=1e-12)
    assert theory.critical_line("leaky_relu", negative_slope=0.5).weight_variance == pytest.approx(
        1.6, rel=1e-12
    )
    with pytest.raises(ValueError, match="no critical point"):
        theory.critical_line("relu", 0.1)
    # Xiao et al. 2018: 10,000 layers at (1.05, 2.01e-5), which is the point of 1.05 rounded.
    assert digits(theory.critical_line("tanh", 2.01052e-5).weight_variance, "1.05000")


# weight_variance, bias_variance: q*, chi, c*, xi_q of tanh
TANH = """1.0 .05 .193593 .759032 1 1.74763 | 1.25 .05 .292054 .863240 1 1.80042 | 1.5 .05 .418037 .938636 1 1.68283 |
1.7 .05 .533076 .986741 1 1.55825 | 1.8 .05 .594132 1.008223 .950411 1.49788 | 2.0 .05 .721762 1.047666 .744082 1.38798 |
2.5 .05 1.063958 1.133516 .446804 1.17987 | 3.0 .05 1.428008 1.208934 .299318 1.04146 |
4.0 .05 2.195494 1.342402 .165065 .87329 | 1.69 .09 .607047 .939807 1 1.33767 | 6.25 .09 4.079124 1.585225 .122104 .68834 |
16 .09 12.604149 2.367261 .029696 .49029 | 2.7777777777777777 0 1.178480 1.209831 0 1.18782 | 2 0 .617965 1.105529 0 1.68556"""


@pytest.mark.parametrize("row", TANH.split("|"))
def test_tanh_mean_field(row: str) -> None:
    weight, bias, *printed = row.split()
    m = theory.mean_field("tanh", weight_variance=float(weight), bias_variance=float(bias))
    for value, text in zip((m.q_star, m.chi, m.c_star, m.xi_q), printed, strict=True):
        assert digits(value, text if "." in text else text + ".000000")
    assert m.phase == ("ordered" if m.chi < 1 else "chaotic")
    assert m.slope == pytest.approx(math.exp(-1 / m.xi_q), rel=1e-12)


def test_gauss_hermite_is_not_used() -> None:
    """120 of its nodes give 3.57 here."""
    assert digits(theory.mean_field("tanh", weight_variance=16, bias_variance=0.09).xi_c, "3.63935")


def test_sigmoid_loses_the_gradient() -> None:
    xavier, fourfold = (theory.mean_field("sigmoid", weight_variance=w) for w in (1, 16))
    assert (
        digits(xavier.q_star, ".264687") and digits(xavier.chi, ".0557207") and digits(fourfold.chi, ".39888")
    )
    assert digits(xavier.trajectory(11, q=1).gradient[0], "2.295e-13")
    assert digits(fourfold.trajectory(11, q=16).gradient[0], "6.2e-5")


def test_tanh_by_xavier_and_by_five_thirds() -> None:
    q = theory.mean_field("tanh", weight_variance=1).trajectory(100).q
    assert digits(q[9], ".05801") and digits(q[49], ".010431") and digits(q[99], ".0051207")
    gain = theory.mean_field("tanh", weight_variance=25 / 9)
    assert digits(gain.q_star, "1.17848") and digits(gain.chi, "1.20983")
    assert digits(second_moment(as_activation("tanh"), gain.q_star) ** 0.5, ".651347")
    assert digits(gain.trajectory(21, q=25 / 9).gradient[0], "25.4")
    assert digits(gain.trajectory(51, q=25 / 9).gradient[0], "7689")


def test_he_is_wrong_for_gelu_and_silu() -> None:
    for name, printed, slope in (("gelu", ".00539", "1.14406"), ("silu", "4.56e-5", "1.17259")):
        assert digits(theory.mean_field(name, weight_variance=2).trajectory(20, q=2).q[-1], printed)
        unit = theory.mean_field(name, weight_variance=1 / second_moment(as_activation(name), 1))
        assert unit.q_star == 1 and digits(unit.slope, slope)
        assert [point.q for point in unit.fixed_points()] == pytest.approx([0, 1], abs=1e-9)
        assert unit.fixed_points()[0].slope < 1
    point = theory.critical_line("silu", 0.04)
    silu = theory.mean_field("silu", weight_variance=point.weight_variance, bias_variance=0.04)
    assert digits(silu.q_slope(point.q_star), "1.0987")


def test_torch_default() -> None:
    assert digits(theory.mean_field("relu", weight_variance=1 / 3).trajectory(11).q[-1], "1.654e-8")
    weights, biases = theory.variances([256] * 3, "torch_default", bias="torch_bias")
    assert theory.mean_field(
        "relu", weight_variance=weights[0], bias_variance=biases[0]
    ).q_star == pytest.approx(0.0015625, rel=1e-9)


CORRELATIONS = {
    (
        "relu",
        2.0,
        0.0,
    ): "1 .318310 | 2 .493731 | 3 .604826 | 5 .735946 | 10 .871536 | 20 .948428 | 50 .987862 | 100 .996423",
    (
        "tanh",
        1.760955,
        0.05,
    ): "1 .087712 | 2 .164433 | 5 .342719 | 10 .528017 | 20 .709217 | 50 .871881 | 100 .935474",
}


@pytest.mark.parametrize("key", CORRELATIONS)
def test_correlations(key: tuple[str, float, float]) -> None:
    name, weight, bias = key
    if name == "tanh":
        weight = theory.critical_line(name, bias).weight_variance
    m = theory.mean_field(name, weight_variance=weight, bias_variance=bias)
    c = m.trajectory(101, q=m.q_star).correlation
    for row in CORRELATIONS[key].split("|"):
        layer, printed = row.split()
        assert digits(c[int(layer)], printed)


def test_relu_correlations_far_down() -> None:
    m, c = theory.mean_field("relu", weight_variance=2), 1 - 43.13e-6
    exact = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
    assert m.c_map(c) == pytest.approx(exact, rel=1e-12)
    c = 0.0
    for _ in range(1000):  # by the closed form, equal to the map above
        c = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
    assert digits((1 - c) * 1000**2, "43.13")


def test_real_networks_of_width_700() -> None:
    """What three of them measured: q 1.0989 and .7534 (tanh), .0559 a layer (sigmoid)."""
    q = theory.predict([700] * 6, "tanh", 2, 0.05).q.mean
    assert digits(q[1], "1.0987") and digits(q[4], ".7534")
    assert digits(theory.mean_field("sigmoid", weight_variance=1).chi, ".0557")


def test_dead_units() -> None:
    relu = theory.mean_field("relu", weight_variance=2)
    c = relu.trajectory(100).correlation
    for layer, printed in (
        (2, ".00039"),
        (5, ".0435"),
        (10, ".146"),
        (20, ".266"),
        (50, ".385"),
        (100, ".438"),
    ):
        assert digits(theory.dead_share(c[layer - 1], 128), printed)
    assert digits(theory.dead_share(c[9], 128, bias=0.1), ".123")
    for bias, printed in ((0.01, ".49601"), (0.1, ".46017"), (0.5, ".30854")):
        assert digits(theory.dead_share(0, 1, bias=bias), printed)
    for share, printed in ((0.2, "8.199e-6"), (0.8, ".101960"), (0.9, ".195858"), (0.99, ".397228")):
        assert digits(theory.dead_share(share, 128), printed)
    assert digits(theory.dead_share(0.2, 16), ".0056255") and digits(theory.dead_share(0.8, 16), ".197136")
    assert theory.dead_share(0.5, 128) == pytest.approx(1 / 129, rel=1e-9)
    for share in (0, 0.3, 0.99, 1):
        exact = 0.25 + math.asin(share) / (2 * math.pi)
        assert theory.dead_share(share, 2) == pytest.approx(exact, rel=1e-9)
        assert theory.dead_share(share, 2, activation=lambda h: np.maximum(h, 0)) == pytest.approx(
            exact, rel=1e-9
        )
    for name in ("tanh", "leaky_relu", "softplus", "sin"):
        assert theory.dead_share(0.5, 1, activation=name) == 0


def test_dead_rays_and_networks() -> None:
    for n, depth, printed in ((2, 10, ".924915"), (3, 10, ".699342"), (4, 10, ".440575"), (5, 20, ".452956"),
                              (8, 50, ".174512"), (10, 100, ".092196")):  # fmt: skip
        assert digits(theory.dead_ray([n] * (depth - 1)), printed)
    for n, depth, low, high in (
        (2, 10, ".870256", ".924915"),
        (3, 10, ".513389", ".699342"),
        (4, 20, ".519845", ".706604"),
    ):
        bounds = theory.dead_network(n, depth - 1)
        assert digits(bounds.lower, low) and digits(bounds.upper, high)
    assert theory.dead_network(2, 2).lower == 0.15625


# width, layers, whose share of dead networks of one input another Monte Carlo gives, and that one's error.
@pytest.mark.parametrize(("n", "depth", "share", "error"), [
    (2, 3, 0.15625, 0), (2, 5, 0.4987, 0.0008), (2, 10, 0.8803, 0.0005), (3, 10, 0.5778, 0.0009), (4, 20, 0.6264, 0.0013),
])  # fmt: skip
def test_dead_networks_in_simulation(n: int, depth: int, share: float, error: float) -> None:
    rng, nets = np.random.default_rng(0), 40_000
    x = np.stack([np.ones((nets, 1)), -np.ones((nets, 1))], axis=2)
    for _ in range(depth - 1):
        x = np.maximum(rng.standard_normal((nets, n, x.shape[1])) @ x, 0)
    dead = float((x == 0).all(axis=(1, 2)).mean())
    sigma = math.sqrt(share * (1 - share) / nets)
    assert abs(dead - share) < 5 * math.hypot(sigma, error)
    bounds = theory.dead_network(n, depth - 1)
    assert bounds.lower - 5 * sigma < dead < bounds.upper + 5 * sigma


def test_finite_width() -> None:
    for n, layers, printed in ((10, 10, "57.6650"), (20, 10, "9.31323"), (50, 50, "117.391"), (64, 50, "42.9988"),
                               (100, 50, "11.4674"), (256, 50, "2.63043"), (1024, 100, "1.62758")):  # fmt: skip
        output = theory.predict([7] + [n] * layers, "relu", 2.0).output
        # The band of a log-normal law of mean 1 says its variance v; E[M^2] = exp(v).
        variance = (math.log(output.high[-1] / output.low[-1]) / (2 * 1.959963984540054)) ** 2
        assert digits(math.exp(variance), printed)
    linear = theory.predict([7] + [50] * 3, "linear", 1.0).output
    variance = (math.log(linear.high[-1] / linear.low[-1]) / (2 * 1.959963984540054)) ** 2
    assert math.exp(variance) == pytest.approx((1 + 2 / 50) ** 3, rel=1e-9)
    means = {
        10: "-.30746101",
        32: "-.08254021",
        64: "-.04010860",
        100: "-.02542089",
        256: "-.00982866",
        1024: "-.00244531",
    }
    for n, printed in means.items():
        assert digits(theory.relu_log_moments(n)[0], printed)
    for n, printed in ((64, ".08299735"), (100, ".05193999"), (256, ".01981871")):
        assert digits(theory.relu_log_moments(n)[1], printed)


def test_linear_products() -> None:
    exponents = theory.linear_lyapunov(100)
    assert digits(exponents[0], "-.00501667") and digits(exponents[-1], "-2.93776652")
    for depth, printed in ((1, "4.0"), (2, "6.75"), (3, "9.481481"), (10, "28.531167"), (100, "273.186197")):
        assert digits(theory.largest_squared_singular_value(depth), printed)
    # Glorot 2010: singular values of a layer, by the standard law (variance 1 / (3 n)) and the normalised one.
    n = 400
    for scheme, printed in (("xavier_uniform", ".84883"), ("torch_default", ".49007")):
        w = fi.fill(np.empty((n, n)), scheme, seed=0, name="w")
        # Their mean strays by about 0.4 / n from the quarter circle's 8 / (3 pi).
        assert abs(np.linalg.svd(w, compute_uv=False).mean() / float(printed) - 1) < 2 / n


def test_published() -> None:
    selu = as_activation("selu")
    mean_slope = expect(selu, lambda s: (s.z**2 - 1) * s.value) / 2
    assert float(mean_slope) == pytest.approx(0.08883475, abs=1e-8)  # printed cut off, not rounded
    # .78264792 in print; mpmath's 30 digits begin with these.
    assert second_moment_slope(selu, 1) == pytest.approx(0.782647883, rel=1e-9)
    # (.65445 is .6545 in print.)
    # makemore: five tanh layers of gain 5/3, std of their outputs and the share beyond .97.
    p = theory.predict([30] + [100] * 5, "tanh", 25 / 9)
    for std, q, printed, saturated in zip(p.output.mean**0.5, p.q.mean, (".7594", ".6930", ".6685", ".6586", ".65445"),
                                          ("20.93", "9.83", "7.00", "6.04", "5.66"), strict=True):  # fmt: skip
        assert digits(std, printed) and digits(
            100 * math.erfc(math.atanh(0.97) / math.sqrt(2 * q)), saturated
        )
    # He 2015: gradient std from conv10 to conv2 of VGG-B at std .01; and Xavier's forward factor.
    chi = [
        theory.mean_field("relu", weight_variance=9 * d * 1e-4).chi
        for d in (64, 128, 128, 256, 256, 512, 512, 512, 512)
    ]
    assert digits(math.prod(chi) ** -0.5, "16728.76")
    xavier = theory.mean_field("relu", weight_variance=1)
    assert digits(xavier.trajectory(23).q[-1] ** 0.5, "4.88e-4") and digits(
        xavier.trajectory(31).q[-1] ** 0.5, "3.05e-5"
    )


def test_constant_weights() -> None:
    x = np.random.default_rng(0).standard_normal((1000, 512))
    variance = [2.05828, 13.48912, 22.10057, 36.20957, 14.83144]
    for n_in, n_out, before, after in zip(
        (512, 256, 256, 128), (256, 256, 128, 10), variance, variance[1:], strict=False
    ):
        h = x @ fi.constant((n_out, n_in), value=0.005, dtype="float64").T
        if n_in < 512:  # all units are equal from the first layer on
            assert h.var() / x.var() == pytest.approx((n_in * 0.005) ** 2, rel=1e-9)
        assert after / before == pytest.approx((n_in * 0.005) ** 2, rel=1e-5)
        x = h
    with pytest.raises(ValueError, match="mean"):
        theory.variances([4, 4], "constant", value=0.005)


def test_laws_and_fans() -> None:
    from fastinit.laws.distributions import truncated_std

    for bound, printed in ((1, ".5395600938"), (1.5, ".7426468984"), (2, ".8796256610"), (2.5, ".9545974863"),
                           (3, ".9865783926"), (4, ".9994645018")):  # fmt: skip
        assert digits(truncated_std(-bound, bound), printed)
    assert digits(truncated_std(-2, 2) ** 2, ".7737413")

    def law(name: str) -> Any:
        return fi.distribution(name, (256, 784))

    assert digits(law("xavier_uniform").high, ".0759555") and digits(law("xavier_normal").std, ".0438529")
    assert digits(law("he_normal").std, ".0505076") and digits(law("he_uniform").high, ".0874818")
    assert digits(law("lecun_normal").std, ".0357143")


EXACT = {
    "tanh": (mpmath.tanh, lambda h: mpmath.sech(h) ** 2),
    "sigmoid": (lambda h: 1 / (1 + mpmath.exp(-h)), lambda h: mpmath.sech(h / 2) ** 2 / 4),
    "gelu": (lambda h: h * mpmath.ncdf(h), lambda h: mpmath.ncdf(h) + h * mpmath.npdf(h)),
    "silu": (lambda h: h / (1 + mpmath.exp(-h)),
             lambda h: 1 / (1 + mpmath.exp(-h)) + h * mpmath.sech(h / 2) ** 2 / 4),
    "elu": (lambda h: h if h > 0 else mpmath.expm1(h), lambda h: 1 if h > 0 else mpmath.exp(h)),
    "softplus": (lambda h: mpmath.log1p(mpmath.exp(h)), lambda h: 1 / (1 + mpmath.exp(-h))),
    "hardtanh": (lambda h: max(-1, min(1, h)), lambda h: 1 if abs(h) < 1 else 0),
    "softsign": (lambda h: h / (1 + abs(h)), lambda h: (1 + abs(h)) ** -2),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("q", [1e-4, 1.0, 30.0, 1e6])
def test_moments_by_mpmath(name: str, q: float) -> None:
    function, derivative = EXACT[name]
    with mpmath.workdps(20):
        std = mpmath.sqrt(q)
        cuts = sorted(
            {-14, *(s * 2**k / std for s in (-1, 1) for k in range(-1, 6) if 2**k < 14 * std), 0, 14, -3, 3}
        )

        def mean(g: Callable[[Any], Any]) -> float:
            return float(mpmath.quad(lambda z: g(std * z) * mpmath.npdf(z), cuts))

        f = as_activation(name)
        assert second_moment(f, q) == pytest.approx(mean(lambda h: function(h) ** 2), rel=1e-8)
        assert slope_moment(f, q) == pytest.approx(mean(lambda h: derivative(h) ** 2), rel=1e-8)
        slope = mean(lambda h: h * function(h) * derivative(h)) / q
        assert second_moment_slope(f, q) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("c", [-0.9, -0.3, 0, 0.3, 0.9, 1 - 1e-6, 1 - 1e-12])
@pytest.mark.parametrize("q", [1e-3, 1.0, 1e4])
def test_pairs_by_closed_forms(q: float, c: float) -> None:
    angle, root = math.acos(c), math.sqrt(1 - c * c)
    for relu in (as_activation("relu"), as_activation(lambda h: np.maximum(h, 0))):
        assert pair_moment(relu, q, c) == pytest.approx(
            q * (root + (math.pi - angle) * c) / (2 * math.pi), abs=1e-9 * q
        )
        assert pair_slope(relu, q, c) == pytest.approx((math.pi - angle) / (2 * math.pi), rel=1e-8)
    erf, rho = as_activation("erf"), 2 * q * c / (1 + 2 * q)
    assert pair_moment(erf, q, c) == pytest.approx(2 / math.pi * math.asin(rho), rel=1e-9, abs=1e-12)
    exact = 4 / math.pi / (1 + 2 * q) / math.sqrt(1 - rho * rho)
    assert pair_slope(erf, q, c) == pytest.approx(exact, rel=1e-8)


def test_pairs_at_the_ends() -> None:
    for name in ("gelu", "elu", "tanh", "hardtanh"):
        f = as_activation(name)
        assert pair_moment(f, 2.0, 1) == pytest.approx(second_moment(f, 2.0), rel=1e-12)
        for end in (-1, 1):
            near = end * (1 - 1e-7)
            assert pair_slope(f, 2.0, end) == pytest.approx(pair_slope(f, 2.0, near), rel=2e-3)
            line = pair_moment(f, 2.0, near) + 2.0 * (end - near) * pair_slope(f, 2.0, end)
            assert pair_moment(f, 2.0, end) == pytest.approx(line, rel=1e-8)


@pytest.mark.parametrize("name", ["cos", "gaussian", "sigmoid", "softplus"])
@pytest.mark.parametrize("q", [0.0, 1e-12, 1e-8, 1e-5])
def test_slopes_near_zero(name: str, q: float) -> None:
    """Where values hardly differ: cos and the bell go as q, the others to their slope at 0."""
    expected = {"sigmoid": 1 / 16, "softplus": 0.25}.get(name, q)
    assert slope_moment(as_activation(name), q) == pytest.approx(expected, rel=2 * q + 1e-6, abs=2e-8)


@pytest.mark.parametrize("name", ["squared_relu", "square", "cos", "gaussian", "tanhshrink"])
@pytest.mark.parametrize("q", [1e-9, 1e-12, 1e-20])
def test_a_square_is_not_negative(name: str, q: float) -> None:
    assert slope_moment(as_activation(name), q) >= 0


def test_steep_functions() -> None:
    steep = as_activation(lambda h: np.sin(30 * h))
    assert second_moment(steep, 1.0) == pytest.approx(0.5, rel=1e-9)
    assert slope_moment(steep, 1.0) == pytest.approx(450, rel=1e-9)
    assert pair_moment(steep, 1e-3, 0.5) == pytest.approx(math.exp(-0.9) * math.sinh(0.45), rel=1e-9)
    step = as_activation(lambda h: np.tanh(1e4 * h))
    assert slope_moment(step, 1.0) == pytest.approx(1e4 * 4 / 3 / math.sqrt(2 * math.pi), rel=1e-6)
    assert slope_moment(as_activation(np.sign), 1.0) < 1e-15  # a jump at 0 is flat on both sides
    kink = as_activation(lambda h: np.maximum(h - 0.3, 0))
    tail = 0.5 * math.erfc(0.3 / math.sqrt(2))
    assert slope_moment(kink, 1.0) == pytest.approx(tail, rel=1e-8)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_kinks_are_where_the_table_says(name: str) -> None:
    """With the kinks unknown, the same moments."""
    known, unknown = ACTIVATIONS[name], as_activation(ACTIVATIONS[name].function)
    assert second_moment(known, 2.0) == pytest.approx(second_moment(unknown, 2.0), rel=1e-8)
    if name != "hardshrink":  # it jumps, which has no mean square slope
        assert slope_moment(known, 2.0) == pytest.approx(slope_moment(unknown, 2.0), rel=1e-8)


def test_every_activation_has_a_theory() -> None:
    for name in ACTIVATIONS:
        m = theory.mean_field(name, weight_variance=0.5, bias_variance=0.1)
        if m.q_star < math.inf:
            assert m.q_map(m.q_star) == pytest.approx(m.q_star, rel=1e-9)
            assert m.c_map(m.c_star) == pytest.approx(m.c_star, rel=1e-7)
        if name != "exp":  # which has no limit at q_star = inf, and says so
            assert m.phase == ("ordered" if m.chi < 1 else "chaotic")


def test_limits() -> None:
    he = theory.mean_field("relu", weight_variance=2)
    assert (he.q_star, he.c_star, he.phase, he.xi_q, he.xi_c) == (1.0, 1.0, "critical", math.inf, math.inf)
    above = theory.mean_field("relu", weight_variance=3)
    assert above.q_star == math.inf and above.chi == pytest.approx(1.5) and above.phase == "chaotic"
    assert theory.mean_field("tanh", weight_variance=1).phase == "critical"
    below = theory.mean_field("tanh", weight_variance=0.5)
    assert (below.q_star, below.c_star) == (0, 1) and below.chi == pytest.approx(0.5, rel=1e-6)
    off = theory.mean_field("tanh", weight_variance=0, bias_variance=0.1)
    assert (off.q_star, off.chi, off.xi_gradient) == (pytest.approx(0.1), 0, 0)


def forward(rng: Any, widths: list[int], f: Any, weight: float, bias: float) -> tuple[list[float], ...]:
    """Mean squares of h and f(h), and squared norms of dL/dh for L = v h with a random v, in one network."""
    x, kept = rng.standard_normal(widths[0]), []
    x *= math.sqrt(widths[0] / (x @ x))
    for n_in, n_out in pairwise(widths):
        w = rng.standard_normal((n_out, n_in)) * math.sqrt(weight / n_in)
        h = w @ x + rng.standard_normal(n_out) * math.sqrt(bias)
        x = f(h)
        kept.append((w, h, x))
    g = rng.standard_normal(widths[-1])
    norms = [float(g @ g)]
    for (w, *_), (_, h, _) in zip(kept[:0:-1], kept[-2::-1], strict=True):
        g = (w.T @ g) * (f(h + 1e-6) - f(h - 1e-6)) / 2e-6
        norms.append(float(g @ g))
    gradient = np.array(norms[::-1]) / norms[0]
    return (
        [float(h @ h) / len(h) for _, h, _ in kept],
        [float(x @ x) / len(x) for *_, x in kept],
        list(gradient),
    )


@pytest.mark.parametrize(
    ("name", "weight", "bias"), [("relu", 2, 0), ("tanh", 2, 0.05), ("gelu", 2.5, 0.02), ("selu", 1, 0)]
)
def test_wide_networks(name: str, weight: float, bias: float) -> None:
    """Means over networks of width 1000, within 5 errors that the theory's own bands foretell."""
    widths, nets = [1000] * 7, 6
    rng = np.random.default_rng(1)
    measured = np.log([forward(rng, widths, ACTIVATIONS[name], weight, bias) for _ in range(nets)]).mean(
        axis=0
    )
    p = theory.predict(widths, name, weight, bias)
    for got, band in zip(measured, (p.q, p.output, p.gradient), strict=True):
        spread = np.log(band.high / band.low) / (2 * 1.96)
        middle = 0.5 * np.log(band.high * band.low)
        # What is left out is of second order in 1 / width, or falls between the lines of 1 / width.
        assert (np.abs(got - middle) <= 5 * spread / math.sqrt(nets) + 5e-3).all()


@pytest.mark.parametrize(
    ("name", "weight", "bias"), [("relu", 2, 0), ("tanh", 2, 0.05), ("tanh", 4, 0.05), ("gelu", 2.5, 0.1)]
)
def test_bands(name: str, weight: float, bias: float) -> None:
    """The variance over 600 networks of width 60 is the band's, within its own sampling error and 1 / width."""
    nets = 600
    widths = [60] * 6
    rng = np.random.default_rng(2)
    measured = np.log([forward(rng, widths, ACTIVATIONS[name], weight, bias) for _ in range(nets)])
    p = theory.predict(widths, name, weight, bias)
    for got, band in zip(measured.std(axis=0), (p.q, p.output, p.gradient), strict=True):
        foretold = np.log(band.high / band.low) / (2 * 1.959963984540054)
        near = np.abs(got - foretold) <= foretold * (5 / math.sqrt(2 * nets) + 5 / 60) + 1e-12
        assert near.all()


BAD = [
    (lambda: theory.mean_field("exp", weight_variance=1).chi, ValueError, "exp"),
    (lambda: theory.mean_field("rellu", weight_variance=1), ValueError, "rellu"),
    (lambda: theory.mean_field(3, weight_variance=1), TypeError, "activation"),
    (lambda: theory.mean_field("tanh", weight_variance=-1), ValueError, "weight_variance"),
    (lambda: theory.mean_field("tanh", weight_variance="1"), TypeError, "weight_variance"),
    (lambda: theory.mean_field("tanh", weight_variance=1, bias_variance=-0.1), ValueError, "bias_variance"),
    (lambda: theory.mean_field("tanh", weight_variance=math.nan), ValueError, "weight_variance"),
    (lambda: theory.mean_field("tanh", weight_variance=1, negative_slope=0.1), ValueError, "negative_slope"),
    (lambda: theory.mean_field(lambda h: h[:1], weight_variance=1).chi, ValueError, "shape"),
    (lambda: theory.mean_field(lambda h: h / 0, weight_variance=1).chi, ValueError, "not finite"),
    (lambda: theory.mean_field(lambda h: h * 1j, weight_variance=1).chi, TypeError, "real numbers"),
    (lambda: theory.mean_field(lambda h: np.sign(h - 0.2), weight_variance=1).chi_map(1), ValueError, "lambda"),
    (lambda: theory.mean_field(lambda h: np.sin(1e9 * h), weight_variance=1).q_map(1), ValueError, "converge"),
    (lambda: theory.mean_field("tanh", weight_variance=1).q_map(-1), ValueError, "q must"),
    (lambda: theory.mean_field("tanh", weight_variance=1).c_map(1.5), ValueError, "c must"),
    (lambda: theory.mean_field("tanh", weight_variance=1).trajectory(0), ValueError, "depth"),
    (lambda: theory.mean_field("tanh", weight_variance=1).trajectory(1.5), TypeError, "depth"),
    (lambda: theory.critical_line("tanh", -1), ValueError, "bias_variance"),
    (lambda: theory.predict([5], "tanh", 1.0), ValueError, "widths"),
    (lambda: theory.predict([5, 0], "tanh", 1.0), ValueError, "widths"),
    (lambda: theory.predict([5, 5.5], "tanh", 1.0), TypeError, "widths"),
    (lambda: theory.predict([5, 5], "tanh", [1.0, 2.0]), ValueError, "weight_variances"),
    (lambda: theory.predict([5, 5], "tanh", -1.0), ValueError, "weight_variances"),
    (lambda: theory.predict([5, 5], "tanh", 1.0, "a"), TypeError, "bias_variances"),
    (lambda: theory.predict([5, 5], "tanh", 0.0), ValueError, "no signal"),
    (lambda: theory.predict([5, 5], "tanh", 1.0, batch=0), ValueError, "batch"),
    (lambda: theory.predict([5, 5], "tanh", 1.0, c=-0.5), ValueError, "c must"),
    (lambda: theory.variances([5, 5], "he_norml"), ValueError, "he_normal"),
    (lambda: theory.variances([5, 5], "he_normal", bias="zeroes"), ValueError, "zeros"),
    (lambda: theory.variances([5, 5], "orthogonal"), ValueError, "independent"),
    (lambda: theory.dead_share(-0.1, 2), ValueError, "c must"),
    (lambda: theory.dead_share(0.5, 1.5), TypeError, "batch"),
    (lambda: theory.dead_ray([3, 0]), ValueError, "widths"),
    (lambda: theory.dead_network(2, 0), ValueError, "hidden"),
    (lambda: theory.relu_log_moments(0), ValueError, "width"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_input(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
