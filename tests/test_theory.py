"""Mean-field theory: published and tabulated numbers to their digits, and other people's quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastinit as fi
from fastinit.propagation.moments import (
    second_moment,
    second_moment_slope,
    slope_moment,
)
from fastinit.schemes.activations import as_activation
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
