"""The public face as type checkers see it: mypy and pyright agree with every line, and the program runs."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
from numpy.typing import NDArray

import fastinit as fi
from fastinit import inspection, propagation
from fastinit.schemes.catalogue import SCHEMES


def arrays(out: NDArray[np.float32]) -> None:
    """A new array, or what was given: whatever its type."""
    assert_type(fi.he_normal((4, 8), seed=0, name="fc.weight"), NDArray[Any])
    assert_type(fi.he_normal((4, 8), dtype="float64", block=(slice(1, 3), ...)), NDArray[Any])
    assert_type(fi.he_normal(out=out, seed=np.random.default_rng(0), gain=1.5), NDArray[np.float32])
    assert_type(fi.he_normal((4, 8), mode="fan_avg", activation=np.tanh, groups=2), NDArray[Any])
    assert_type(fi.schemes.stft((8, 1, 5), side="imag", window=None), NDArray[Any])
    assert_type(fi.fill(out, "xavier_uniform", seed=0, gain=5 / 3), NDArray[np.float32])
    assert_type(fi.fill(out, fi.schemes.scheme("orthogonal"), axis=1), NDArray[np.float32])
    assert_type(fi.fill(out, fi.Normal(std=0.02), threads=2), NDArray[np.float32])
    fi.fill(out, fi.Uniform(-1, 1), seed=np.random.SeedSequence(0), name="fc.weight")
    assert_type(fi.drawing.random_bits(4, seed=0), NDArray[np.uint32])
    assert_type(fi.checksum(out, name="fc.weight"), int)


def laws() -> None:
    """Laws before anything is drawn."""
    law = fi.distribution("he_normal", (4096, 1024))
    assert_type(law, fi.laws.Distribution)
    if isinstance(law, fi.Normal):
        assert_type(law.std, float)
    assert_type(fi.fans((64, 32, 3, 3), "oihw"), fi.schemes.Fans)
    assert_type(fi.fans((4, 8)).fan_in, float)
    assert_type(fi.gain("gelu"), float)
    assert_type(fi.gain(np.tanh, kind="exact"), float)
    advice = fi.recommend("relu", depth=12)
    assert_type(advice, fi.schemes.Recommendation)
    fi.distribution(advice.scheme, (4, 8), **advice.numbers)
    assert_type(SCHEMES["he_normal"], fi.schemes.Scheme)


def plans() -> None:
    """Whole models by name."""
    plan = fi.plan({"fc.weight": (4, 8), "fc.bias": 4}, "he_normal", dtype="float32")
    assert_type(plan, fi.Plan)
    assert_type(plan["fc.weight"], fi.plans.Parameter)
    assert_type(plan.tensor("fc.weight", seed=0), NDArray[Any])
    assert_type(fi.Plan.from_json(plan.to_json()), fi.Plan)
    weights = fi.init(plan, seed=0)
    assert_type(weights, dict[str, NDArray[Any]])
    assert_type(fi.lint(plan), list[fi.plans.Finding])
    assert_type(fi.diff(plan, plan), list[fi.plans.Change])
    assert_type(fi.verify(weights, plan, seed=0), list[fi.plans.Finding])
    report = fi.inspect(weights, plan)
    assert_type(report, inspection.Inspection)
    assert_type(report.tensors["fc.weight"], inspection.TensorReport)
    assert_type(fi.read_recipe("mup", base_width=128), fi.Recipe)


def process() -> None:
    """What this process runs on."""
    fi.set_num_threads(fi.get_num_threads())
    assert_type(fi.get_num_threads(), int)
    assert_type(fi.isa(), str)
    assert_type(fi.available_isas(), tuple[str, ...])
    fi.show_config()


def signals() -> None:
    """What an initialisation does to a network."""
    gains = propagation.calibrate([8, 8, 4], "tanh", seed=0)
    assert_type(gains, tuple[float, ...])
    report = propagation.probe([8, 8, 4], "tanh", "orthogonal", gains=gains)
    assert_type(report, propagation.ProbeReport)
    assert_type(report.layers[0], propagation.Layer)
    assert_type(propagation.judge(report), propagation.Verdict)
    assert_type(propagation.judge(report).findings, tuple[propagation.Judgement, ...])
    assert_type(propagation.text([report, report]), str)
    weights, biases = propagation.variances([8, 8, 4], "he_normal")
    assert_type(weights, list[float])
    assert_type(propagation.predict([8, 8, 4], "relu", weights, biases), propagation.Prediction)
    theory = propagation.mean_field("tanh", weight_variance=1.5, bias_variance=0.05)
    assert_type(theory, propagation.MeanField)
    assert_type(theory.q_star, float)
    assert_type(theory.fixed_points(), tuple[propagation.FixedPoint, ...])
    assert_type(theory.trajectory(3), propagation.Trajectory)
    assert_type(propagation.critical_line("tanh"), propagation.CriticalPoint)
    assert_type(propagation.dead_network(2, 2), propagation.Bounds)
    assert_type(propagation.dead_share(0.5, 128), float)
    assert_type(propagation.linear_lyapunov(8), NDArray[np.float64])
    assert_type(propagation.relu_log_moments(8), tuple[float, float])


def with_torch() -> None:
    """In place of torch.nn.init, and whole modules."""
    import torch

    import fastinit.torch as init

    model = torch.nn.Linear(8, 4)
    assert_type(init.kaiming_normal_(model.weight, nonlinearity="relu"), torch.Tensor)
    assert_type(init.calculate_gain("relu"), float)
    assert_type(init.plan(model, "auto"), fi.Plan)
    rules = [{"match": "bias", "scheme": "ones"}]
    assert_type(
        init.plan(model, {"*weight": "orthogonal"}, prefix="fc.", layouts={"fc.weight": "oi"}), fi.Plan
    )
    assert_type(init.plan(model, "normal", rules=rules, frozen=True, std=0.02), fi.Plan)
    plan = init.record(lambda: torch.nn.Linear(8, 4))
    assert_type(plan, fi.Plan)
    assert_type(init.init_(model, plan, seed=0), torch.nn.Linear)
    assert_type(init.init_(model, "orthogonal", seed=0, gain=1.5), torch.nn.Linear)
    assert_type(init.init_(model, plan, seed=None, strict=False, threads=2), torch.nn.Linear)
    with init.patched():
        torch.nn.Linear(8, 4)
    assert_type(init.probe(model, torch.ones(2, 8)), propagation.ProbeReport)
    assert_type(init.calibrate(model, torch.randn(16, 8)), dict[str, float])
    assert_type(fi.fill(model.weight.detach(), "he_normal", seed=0), torch.Tensor)


def with_jax() -> None:
    """In place of jax.nn.initializers, and whole trees."""
    import jax
    import jax.numpy as jnp

    import fastinit.jax as init

    key = jax.random.key(0)
    assert_type(init.he_normal(), init.Initializer)
    assert_type(init.glorot_uniform(in_axis=0, out_axis=1)(key, (8, 4), jnp.float32), jax.Array)
    tree = {"kernel": jnp.zeros((8, 4))}
    assert_type(init.plan(tree, "lecun_normal"), fi.Plan)
    init.init(tree, "lecun_normal", seed=0)


def with_keras() -> None:
    """In place of keras.initializers, and whole models."""
    import keras

    import fastinit.keras as init

    init.HeNormal(seed=0)((8, 4))
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    assert_type(init.plan(model, "he_normal"), fi.Plan)
    init.init(model, "he_normal", seed=0)


if TYPE_CHECKING:  # what both refuse

    def refused(out: NDArray[np.float32], plan: fi.Plan) -> None:
        fi.he_normal(1.5)  # type: ignore[call-overload]
        fi.he_normal((4, 8), 0)  # type: ignore[call-overload]
        fi.he_normal((4, 8), seed="0")  # type: ignore[call-overload]
        fi.he_normal((4, 8), gian=2)  # type: ignore[call-overload]
        fi.orthogonal((4, 8), mode="fan_in")  # type: ignore[call-overload]
        fi.fill(out, 3)  # type: ignore[arg-type]
        fi.fill(out, "he_norml")  # type: ignore[arg-type]
        fi.distribution("he_normal", (4, 8), gian=2)  # type: ignore[call-arg]
        fi.plan({}, "default", "float16")  # type: ignore[call-arg]
        fi.init({})  # type: ignore[call-arg]
        fi.init(3, seed=0)  # type: ignore[arg-type]
        fi.verify({}, {})  # type: ignore[arg-type]
        plan.tensor("fc.weight")  # type: ignore[call-arg]
        propagation.judge([])  # type: ignore[arg-type]


def main() -> None:
    arrays(np.empty((4, 8), np.float32))
    laws()
    plans()
    process()
    signals()
    for framework, run in {"torch": with_torch, "jax": with_jax, "keras": with_keras}.items():
        if find_spec(framework):
            run()


if __name__ == "__main__":
    main()
