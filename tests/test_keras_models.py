"""Whole models of Keras: names, values, what is left alone, plans and prefixes. On JAX, and again on torch."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi

keras = optional("keras")
from keras_networks import built, network, numpy, small  # noqa: E402

import fastinit.keras as fk  # noqa: E402

# Keras's own ways to NumPy warn.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")


def test_fans_of_a_model() -> None:
    fans = {name: row.fans for name, row in fk.plan(network(), "glorot_uniform").items()}
    assert fans["net.conv.kernel"] == (2 * 9, 6 / 2 * 9 / 4)
    assert fans["net.up.kernel"] == (6 * 16 / 4, 8 * 16)
    assert fans["net.depthwise.kernel"] == (9, 18)
    assert fans["net.separable.depthwise_kernel"] == (9, 9)
    assert fans["net.separable.pointwise_kernel"] == (16, 5)
    assert fans["net.both.forward_lstm.lstm_cell.kernel"] == (5, 4)
    assert fans["net.both.backward_lstm.lstm_cell.recurrent_kernel"] == (4, 4)
    assert fans["net.gru.gru_cell.kernel"] == (8, 3)
    assert fans["net.heads.kernel"] == (3, 14)
    assert fans["net.norm.gamma"] is fans["net.norm.beta"] is None
    attention = keras.layers.MultiHeadAttention(2, 3, name="attention")
    attention.build((None, 5, 6), (None, 5, 6))
    plan = fk.plan(attention)
    assert plan["attention.query.kernel"].fans == (6, 6) == plan["attention.attention_output.kernel"].fans


def test_whole_model() -> None:
    model = network()
    left_alone = {v.path: numpy(v) for v in model.non_trainable_variables}
    assert fk.init(model, "lecun_normal", seed=4) is model
    values = {v.path: numpy(v) for v in model.variables}
    np.testing.assert_array_equal(
        values["net/up/kernel"],
        fi.lecun_normal((4, 4, 8, 6), layout="hwoi", stride=2, transposed=True, seed=4, name="net.up.kernel"),
    )
    bias = values["net/both/forward_lstm/lstm_cell/bias"]
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 4))
    assert (values["net/norm/gamma"] == 1).all() and not values["net/norm/beta"].any()
    for path, value in left_alone.items():
        np.testing.assert_array_equal(values[path], value)
    assert np.isfinite(numpy(model(np.ones((1, 8, 8, 4), np.float32)))).all()
    fk.init(
        model, {"*recurrent_kernel": "orthogonal", "*.bias": {"scheme": "constant", "value": 0.5}}, seed=4
    )
    values = {v.path: numpy(v) for v in model.weights}
    gates = values["net/both/forward_lstm/lstm_cell/recurrent_kernel"]
    for gate in np.split(gates, 4, axis=1):  # each by itself
        np.testing.assert_allclose(gate.T @ gate, np.eye(4), atol=1e-5)
    assert (values["net/both/forward_lstm/lstm_cell/bias"] == 0.5).all()


def test_values_do_not_depend_on_the_rest_of_the_model() -> None:
    model = network()
    fk.init(model, "he_normal", seed=4)
    before = numpy(model.get_layer("head").kernel)
    fk.init(model.get_layer("head"), "he_normal", seed=4)
    np.testing.assert_array_equal(numpy(model.get_layer("head").kernel), before)


def test_shared_layers_are_drawn_once_and_frozen_ones_not() -> None:
    shared, frozen = (
        keras.layers.Dense(3, name="shared"),
        keras.layers.Dense(3, name="frozen", trainable=False),
    )
    x = keras.Input((3,))
    model = keras.Model(x, shared(frozen(shared(x))))
    kept = numpy(frozen.kernel)
    fk.init(model, seed=0)
    assert list(fk.plan(model)) == ["shared.kernel", "shared.bias"]
    np.testing.assert_array_equal(numpy(frozen.kernel), kept)


def test_two_variables_of_one_path() -> None:
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(3, name="a")(small()(x)))
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="head")], name="net")
    with pytest.raises(ValueError, match="net/head/kernel"):
        fk.init(keras.Sequential([keras.Input((3,)), Pair(small(), inner)]), seed=0)
    assert fk.init(model, seed=0) is model


class Pair(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self, first: Any, second: Any) -> None:
        super().__init__()
        self.first, self.second = first, second

    def call(self, x: Any) -> Any:
        return self.first(x) + keras.ops.sum(self.second(x))


def test_mixed_precision() -> None:
    dense = keras.layers.Dense(300, dtype="bfloat16", kernel_initializer=fk.HeNormal(seed=1), name="dense")
    dense.build((None, 100))
    assert np.unique(numpy(dense.kernel)).size > 1000
    fk.init(dense, "he_normal", seed=1)
    expected = fi.he_normal((100, 300), layout="io", dtype="bfloat16", seed=1, name="dense.kernel")
    np.testing.assert_array_equal(numpy(dense.kernel), expected.astype(np.float32))


def test_what_is_left_alone_is_listed_with_its_reason() -> None:
    dense = built(keras.layers.Dense(4, name="d"), (None, 3))
    dense.enable_lora(2)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.BatchNormalization(name="bn"), keras.layers.Dropout(0.5, seed=1),
         keras.layers.Dense(3, trainable=False, name="f"), dense], name="net",
    )  # fmt: skip
    plan = fk.plan(model)
    reasons = {name: row.reason.partition(":")[0] for name, row in plan.unfilled.items()}
    frozen = "frozen (trainable=False)"
    assert reasons.pop(next(name for name in reasons if "seed_generator" in name)).startswith("integers")
    assert reasons.pop("d.kernel") == reasons.pop("net.f.kernel") == reasons.pop("net.f.bias") == frozen
    assert reasons == dict.fromkeys(("net.bn.moving_mean", "net.bn.moving_variance"), "not a parameter")
    assert plan["net.f.kernel"].shape == (3, 3) and "net.f.kernel" not in plan
    assert fi.Plan.from_json(plan.to_json()) == plan
    assert "net.f.kernel" in fk.plan(model, frozen=True)


def test_frozen_layers_are_drawn_if_asked_for() -> None:
    model = network()
    model.get_layer("norm").moving_mean.assign(np.full(5, 3.0))
    model.trainable = False
    with pytest.raises(ValueError, match="trainable"):
        fk.init(model, seed=0)
    names = list(fk.plan(model, frozen=True))
    assert "net.head.kernel" in names and not any("moving" in name or "seed" in name for name in names)
    fk.init(model, seed=0, frozen=True)
    assert (numpy(model.get_layer("norm").moving_mean) == 3).all()


def test_plans_and_prefixes() -> None:
    model = small()
    plan = fk.plan(model, "normal", std=3.0)
    assert plan["net.head.kernel"].distribution.moments()[1] == 3.0
    fk.init(model, plan, seed=1)
    np.testing.assert_array_equal(
        numpy(model.layers[0].kernel), fi.normal((3, 2), std=3.0, seed=1, name="net.head.kernel")
    )
    first = numpy(fk.init(model, seed=0, prefix="q1.").layers[0].kernel)
    second = numpy(fk.init(small(), seed=0, prefix="q2.").layers[0].kernel)
    assert (first != second).all()
    np.testing.assert_array_equal(
        first, fi.xavier_normal((3, 2), layout="io", seed=0, name="q1.net.head.kernel")
    )
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="head")], name="net")
    more = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, name="head"), keras.layers.Dense(2, name="b")], name="net"
    )
    for wrong, message in ((other, "shape"), (more, "lacks"), (more.get_layer("b"), "lacks")):
        with pytest.raises(ValueError, match=message):
            fk.init(wrong, plan, seed=0)
    with pytest.raises(TypeError, match="frozen"):
        fk.init(model, plan, seed=0, frozen=True)
    with pytest.raises(TypeError, match="seed"):
        fk.init(model)


def test_layers_that_are_not_built_are_named() -> None:
    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name="net")
            self.first = built(keras.layers.Dense(3, name="first"), (None, 4))
            self.later = keras.layers.Dense(3, name="later")

        def call(self, x: Any) -> Any:
            return self.later(self.first(x))

    net = Net()
    with pytest.raises(ValueError, match="'later'"):
        fk.init(net, seed=0)
    net(np.ones((1, 4), np.float32))
    assert fk.init(net, seed=0) is net


def _of_jax() -> Any:
    """With params of its own; the layer's own `build` needs TensorFlow."""
    import jax.numpy as jnp

    layer = keras.layers.JaxLayer(
        lambda params, inputs: inputs @ params["w"], params={"w": jnp.ones((3, 4))}, name="other"
    )
    layer.built = True
    return layer


def _of_torch() -> Any:
    from torch import nn

    return keras.layers.TorchModuleWrapper(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), name="other")


def test_layers_around_models_of_other_frameworks_are_named() -> None:
    make, says = (
        (_of_jax, "a JAX function") if keras.backend.backend() == "jax" else (_of_torch, "a torch module")
    )

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="net")
            self.other, self.head = make(), keras.layers.Dense(2, name="head")
            self.head.build((None, 4))

    net = Net()
    own = [numpy(variable) for variable in net.other.weights]
    for call in (fk.plan, partial(fk.init, seed=0)):
        with pytest.raises(
            ValueError, match=f"another framework: 'other': {says}, .*; trainable=False leaves them"
        ):
            call(net, "he_normal")
    net.other.trainable = False
    for frozen in (False, True):
        plan = fk.plan(net, "he_normal", frozen=frozen)
        assert [name.rpartition(".")[2] for name in plan] == ["kernel", "bias"]
        assert says in " ".join(row.reason for row in plan.unfilled.values())
        fk.init(fk.init(net, "he_normal", seed=0, frozen=frozen), plan, seed=0)
        assert all((numpy(v) == w).all() for v, w in zip(net.other.weights, own, strict=True))


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the run on torch itself")
def test_all_this_on_torch() -> None:
    optional("torch")
    files = [str(Path(__file__).with_name(f"test_keras_{what}.py")) for what in ("models", "layers")]
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *files]
    result = subprocess.run(
        command, env={**os.environ, "KERAS_BACKEND": "torch"}, capture_output=True, text=True
    )
    assert result.returncode == 0 and "passed" in result.stdout, result.stdout
