"""Recommendations: each decision against a table, and that the signal is kept where theory says so."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import fastinit as fi
from fastinit.plans.make import Choice, make_plan
from fastinit.plans.model import Model, TensorSpec

RELU, TANH, SIGMOID, GELU, SILU = math.sqrt(2), 1.592537, 1.846229, 1.533530, 1.676532
DIES = ("positive_bias", {"value": 0.01})
ZEROS: tuple[str, dict[str, Any]] = ("zeros", {})
# activation, options, scheme, numbers, bias
DECISIONS: list[tuple[Any, dict[str, Any], str, dict[str, Any], tuple[str, dict[str, Any]]]] = [
    ("relu", {}, "he_normal", {"gain": RELU}, DIES),
    ("relu", {"depth": 2}, "he_normal", {"gain": RELU}, ZEROS),
    ("relu", {"depth": 5}, "he_normal", {"gain": RELU}, DIES),
    ("relu", {"depth": 50, "normalised": True}, "he_normal", {"gain": RELU}, ZEROS),
    ("relu6", {}, "he_normal", {"gain": RELU}, DIES),
    ("leaky_relu", {}, "he_normal", {"gain": math.sqrt(2 / 1.0001)}, ZEROS),
    ("leaky_relu", {"negative_slope": 0.5}, "he_normal", {"gain": math.sqrt(2 / 1.25)}, ZEROS),
    ("tanh", {}, "xavier_normal", {"gain": TANH}, ZEROS),
    ("tanh", {"depth": 20}, "xavier_normal", {"gain": TANH}, ZEROS),
    ("tanh", {"depth": 21}, "xavier_normal", {"gain": 1.0}, ZEROS),
    ("tanh", {"depth": 21, "normalised": True}, "xavier_normal", {"gain": TANH}, ZEROS),
    ("sigmoid", {}, "xavier_normal", {"gain": SIGMOID}, ZEROS),
    ("selu", {}, "lecun_normal", {}, ZEROS),
    ("gelu", {}, "he_normal", {"gain": GELU}, ZEROS),
    ("silu", {"normalised": True}, "he_normal", {"gain": SILU}, ZEROS),
    ("mish", {}, "he_normal", {"gain": 1.486848}, ZEROS),
    (np.abs, {}, "he_normal", {"gain": 1.0}, ZEROS),
    (np.arctan, {}, "he_normal", {"gain": 1.491208}, ZEROS),
    ("sin", {}, "siren", {"omega": 1.0}, ZEROS),
    ("sin", {"omega": 30}, "siren", {"omega": 30.0}, ZEROS),
    ("sin", {"omega": 30, "residual": True, "depth": 2}, "he_uniform", {"gain": RELU / 60}, ZEROS),
    (None, {}, "xavier_normal", {"gain": 1.0}, ZEROS),
    ("linear", {"residual": True, "depth": 8}, "xavier_normal", {"gain": 0.25}, ZEROS),
    ("relu", {"residual": True, "depth": 8}, "he_normal", {"gain": RELU / 4}, ZEROS),
    ("selu", {"residual": True, "depth": 0.5}, "he_normal", {"gain": 1.0}, ZEROS),
    ("relu", {"layer": "conv"}, "he_normal", {"gain": RELU}, DIES),
    ("relu", {"layer": "depthwise"}, "he_normal", {"gain": RELU}, DIES),
    ("relu", {"layer": "transposed"}, "he_normal", {"gain": RELU, "transposed": True}, DIES),
    ("relu", {"layer": "embedding"}, "normal", {"std": 1.0}, ZEROS),
    ("relu", {"layer": "embedding", "normalised": True}, "normal", {"std": 0.02}, ZEROS),
    ("relu", {"layer": "output"}, "lecun_normal", {}, ZEROS),
    ("relu", {"layer": "attention"}, "xavier_normal", {"gain": 1.0}, ZEROS),
    ("relu", {"layer": "attention", "residual": True, "depth": 2}, "xavier_normal", {"gain": 0.5}, ZEROS),
    ("tanh", {"layer": "recurrent"}, "orthogonal", {"gain": 1.0}, ZEROS),
    ("relu", {"layer": "norm"}, "ones", {}, ZEROS),
    ("relu", {"layer": "norm", "residual": True, "depth": 8}, "constant", {"value": 0.25}, ZEROS),
]  # fmt: skip


@pytest.mark.parametrize(("activation", "options", "scheme", "numbers", "bias"), DECISIONS, ids=str)
def test_decisions(activation: Any, options: Any, scheme: str, numbers: Any, bias: Any) -> None:
    r = fi.recommend(activation, **options)
    assert (r.scheme, r.bias, r.bias_numbers) == (scheme, *bias)
    assert r.numbers == {k: pytest.approx(v, rel=1e-6) for k, v in numbers.items()}
    assert r.reason and r.source
    fi.distribution(r.scheme, (8, 8, 3, 3), **r.numbers)
    fi.distribution(r.bias, (8,), **r.bias_numbers)


def test_reasons_name_the_number() -> None:
    assert "1.53353" in fi.recommend("gelu").reason and "normalise" in fi.recommend("gelu").reason
    assert "normalise deep" not in fi.recommend("gelu", normalised=True).reason
    assert "1/sqrt(2L) = 0.25" in fi.recommend("relu", residual=True, depth=8).reason
    assert "He et al. 2015" in fi.recommend("relu").source
    with pytest.raises(AttributeError):
        fi.recommend("relu").scheme = "zeros"  # type: ignore[misc]


def test_bad_arguments() -> None:
    for call, error, text in (
        (lambda: fi.recommend("rellu"), ValueError, "did you mean.*'relu'"),
        (
            lambda: fi.recommend("relu", layer="conv2d"),
            ValueError,
            "unknown layer 'conv2d'; did you mean 'conv'",
        ),
        (lambda: fi.recommend("rellu", layer="norm"), ValueError, "unknown activation"),
        (lambda: fi.recommend("relu", residual=True), ValueError, "residual needs depth"),
        (lambda: fi.recommend("relu", depth=0), ValueError, "depth must be positive"),
        (lambda: fi.recommend("relu", depth=True), TypeError, "depth must be a real number"),
        (lambda: fi.recommend("relu", 0.1), ValueError, "negative_slope"),
        (lambda: fi.recommend("sin", 0.1), ValueError, "negative_slope"),
        (lambda: fi.recommend("sin", omega=-1.0), ValueError, "omega"),
        (lambda: fi.recommend("relu", omega=1.0), ValueError, "omega"),
        (lambda: fi.recommend(3), TypeError, "activation"),  # type: ignore[arg-type]
    ):
        with pytest.raises(error, match=text):
            call()


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


FUNCTIONS: dict[str, Any] = {
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "selu": lambda z: (
        1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
    ),
    "sin": np.sin,
    "softplus": lambda z: np.logaddexp(0, z),
    "arctan": np.arctan,
}


def second_moments(scheme: str, numbers: Any, function: Any, depth: int, width: int = 512) -> list[float]:
    """Of the pre-activations of each layer behind unit ones, mean of 4 networks and 64 inputs."""
    moments = np.zeros(depth)
    for seed in range(4):
        h = fi.normal((64, width), seed=seed, name="x", dtype="float32")
        for i in range(depth):
            w = fi.fill(
                np.empty((width, width), np.float32), scheme, seed=seed, name=f"{i}.weight", **numbers
            )
            h = function(h) @ w.T
            moments[i] += float(np.square(h).mean()) / 4
    return moments.tolist()


# Where theory puts the second moment: at 1, where it is a stable fixed point; SIREN's at the root of 1 - exp(-2q) = q.
STABLE = {"tanh": 1.0, "sigmoid": 1.0, "elu": 1.0, "selu": 1.0, "softplus": 1.0, "arctan": 1.0, "sin": 0.7968}


@pytest.mark.parametrize("name", STABLE)
def test_the_signal_is_kept(name: str) -> None:
    r = fi.recommend(np.arctan if name == "arctan" else name)
    moments = second_moments(r.scheme, r.numbers, FUNCTIONS[name], 20)
    assert moments[-1] == pytest.approx(STABLE[name], rel=0.1)


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_the_signal_is_kept_on_average(name: str) -> None:
    """Scale-free: kept in the mean only, ln q spreads by 5 l / n."""
    r = fi.recommend(name)
    q = second_moments(r.scheme, r.numbers, FUNCTIONS[name], 20)[-1]
    assert abs(q - 1) < 4 * math.sqrt(5 * 20 / 512 / 4)
    plain = second_moments("xavier_normal", {}, FUNCTIONS[name], 20)[-1]
    assert plain < 1e-5


def test_plain_xavier_loses_a_sigmoids_and_a_tanhs_signal() -> None:
    assert second_moments("xavier_normal", {}, sigmoid, 20)[-1] == pytest.approx(0.264687, rel=0.1)
    deep = second_moments("xavier_normal", {"gain": 1.0}, np.tanh, 40)
    assert 0.005 < deep[-1] < 0.03  # 1 / (2 l), and no faster


def test_plans_show_reasons_and_geometry() -> None:
    model = Model({"up.weight": TensorSpec((4, 8, 4, 4), "float32", "", {"transposed": True, "stride": 2})})
    recipe = fi.Recipe("test", ())
    choice = Choice("he_normal", {}, "because")
    made = make_plan(model, recipe, otherwise=lambda name, tensor: choice)
    assert made["up.weight"].fans == fi.fans((4, 8, 4, 4), transposed=True, stride=2)
    assert "because" in str(made) and "1 tensor, 2,048 bytes, recipe test" in str(made)
    assert made["up.weight"].to_dict()["reason"] == "because"
    with pytest.raises(
        ValueError, match=r"no rule takes the parameters 'a' of shape \(2,\), 'b' of shape \(3,\)"
    ):
        make_plan(Model({n: TensorSpec((i,), "float32") for i, n in ((2, "a"), (3, "b"))}), recipe)


def test_large_plans_are_the_same_by_one_thread_and_by_many() -> None:
    shapes = {f"{i}.weight": (300 + i, 512) for i in range(8)} | {"big.weight": (3000, 512)}
    one, many = fi.init(shapes, seed=3, threads=1), fi.init(shapes, seed=3, threads=3)
    assert all((one[name] == many[name]).all() for name in shapes)
    assert (one["3.weight"] == fi.xavier_normal((303, 512), seed=3, name="3.weight")).all()


@pytest.mark.parametrize(("name", "same"), [("gelu_new", "gelu_tanh"), ("relu2", "squared_relu"), ("swiglu", "silu"),
                                            ("geglu", "gelu"), ("reglu", "relu"), ("hard_swish", "hardswish")])  # fmt: skip
def test_other_names_and_gated_activations_have_the_gain_of_what_they_are(name: str, same: str) -> None:
    assert fi.gain(name) == fi.gain(same)
    assert fi.recommend(name).numbers == fi.recommend(same).numbers


def test_the_second_moment_of_a_gated_activation() -> None:
    gate, value = np.random.default_rng(0).standard_normal((2, 1 << 20))
    moment = float(np.mean((gate / (1 + np.exp(-gate)) * value) ** 2))
    assert abs(moment * fi.gain("swiglu") ** 2 - 1) < 0.02


def test_a_gated_activation_is_no_function_of_one_input() -> None:
    with pytest.raises(ValueError, match=r"'swiglu' is gated: .* 'silu'"):
        fi.propagation.probe([4, 4], "swiglu", "he_normal", seed=0)
