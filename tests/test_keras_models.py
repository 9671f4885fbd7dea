"""Whole models of Keras: roles and fans of their variables, what stays, plans of earlier. On JAX, and again on torch."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi

keras = optional("keras")
from keras_networks import network, small  # noqa: E402

import fastinit.keras as fk  # noqa: E402

# Keras's own ways to NumPy warn.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")


def numpy(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


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


def built(layer: Any, *shape: Any) -> Any:
    layer.build(*shape)
    return layer


def fans(layer: Any, name: str, *shape: Any) -> tuple[float, float]:
    counted = next(
        row.fans for key, row in fk.plan(built(layer, *shape), "he_normal").items() if key.endswith(name)
    )
    assert counted is not None
    return counted.fan_in, counted.fan_out


def test_fans_of_layers_by_hand() -> None:
    layers = keras.layers
    batch = (None, 5, 6)
    assert fans(layers.EinsumDense("ebd,edf->ebf", (None, 7)), "kernel", (3, None, 6)) == (6, 7)  # experts
    assert fans(layers.EinsumDense("abcd,cde->abe", (None, 7)), "kernel", (None, 5, 2, 3)) == (6, 7)
    assert fans(layers.ConvLSTM2D(8, 3), "kernel", (None, 5, 8, 8, 4)) == (36, 72)
    assert fans(layers.ConvLSTM2D(8, 3, strides=2), "cell.kernel", (None, 5, 8, 8, 4)) == (36, 18)
    assert fans(layers.SimpleRNN(4), "recurrent_kernel", batch) == (4, 4)
    assert fans(layers.AdditiveAttention(), "scale", [batch, batch]) == (6, 1)
    grouped = layers.GroupQueryAttention(8, 4, 2, name="grouped")
    grouped.build(query_shape=batch, value_shape=batch)
    plan = fk.plan(grouped, "he_normal")
    assert plan["grouped.query.kernel"].fans == (6, 32) and plan["grouped.key.kernel"].fans == (6, 16)
    assert plan["grouped.attention_output.kernel"].fans == (32, 6)
    assert fans(layers.Conv1DTranspose(4, 3, strides=2), "kernel", (None, 9, 6)) == (6 * 3 / 2, 4 * 3)
    if hasattr(layers, "ReversibleEmbedding"):  # not in the oldest version
        tied = built(layers.ReversibleEmbedding(50, 8, tie_weights=False, name="words"), (None, 5))
        assert fk.plan(tied, "he_normal")["words.reverse_embeddings"].fans == (8, 50)
        assert fk.plan(tied)["words.embeddings"].distribution.moments()[1] == 0.02


def test_no_axis_is_the_rows_of_several_axes_in_and_out() -> None:
    einsum = built(keras.layers.EinsumDense("abcd,cdef->abef", (None, 4, 8), name="e"), (None, 5, 2, 3))
    assert fk.plan(einsum, "he_normal")["e.kernel"].fans == (6, 32)
    with pytest.raises(ValueError, match=r"'e\.kernel'.*axis="):
        fk.plan(einsum, "orthogonal")


def test_roles_by_layer() -> None:
    layers = keras.layers
    for layer, shape, name, scheme in (
        (layers.PReLU(), (None, 6), "alpha", "constant"),
        (layers.RMSNormalization(), (None, 6), "scale", "ones"),
        (layers.LayerNormalization(axis=(1, 2)), (None, 5, 6), "gamma", "ones"),
        (layers.LayerNormalization(axis=(1, 2)), (None, 5, 6), "beta", "zeros"),
        (layers.GroupNormalization(2), (None, 6), "gamma", "ones"),
        (layers.LSTM(4), (None, 5, 6), "bias", "forget_gate_bias"),
        (layers.LSTM(4, unit_forget_bias=False), (None, 5, 6), "bias", "zeros"),
        (layers.GRU(4), (None, 5, 6), "bias", "zeros"),
        (layers.Attention(use_scale=True, score_mode="concat"), [(None, 5, 6)] * 2, "scale", "ones"),
    ):
        plan = fk.plan(built(layer, shape), "he_normal")
        row = next(row for key, row in plan.items() if key.endswith(name))
        assert row.scheme == scheme, layer


class Own(keras.layers.Layer):  # type: ignore[misc]
    """A layer of one's own with one variable, of which no two elements are equal."""

    def __init__(self, variable: str, shape: tuple[int, ...], **kinds: Any) -> None:
        super().__init__(**kinds)
        self.value = self.add_weight(shape=shape, initializer="ones", name=variable)
        self.value.assign(np.arange(1.0, 1 + math.prod(shape)).reshape(shape))

    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("variable", "shape"),
    [
        ("gain", (4,)),
        ("mixing", (2,)),
        ("gamma", (4,)),
        ("scale", (1, 1, 4)),
        ("kernel", (3, 4, 5)),
        ("mask", (4, 4)),
    ],
)
def test_what_is_not_known_is_named(variable: str, shape: tuple[int, ...]) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="d"), Own(variable, shape, name="own"),
                              Own("leak", (2,), name="other")], name="net")  # fmt: skip
    for layer in model.layers[1:]:  # of one value, they would keep it
        layer.value.assign(np.arange(float(np.prod(layer.value.shape))).reshape(layer.value.shape))
    before = numpy(model.get_layer("d").kernel)
    for recipe in ("default", "he_normal"):
        with pytest.raises(ValueError, match="no rule takes") as error:
            fk.init(model, recipe, seed=0)
        assert f"'own.{variable}'" in str(error.value) and "'other.leak'" in str(error.value)
    np.testing.assert_array_equal(numpy(model.get_layer("d").kernel), before)
    rules = {f"*.{variable}": {"scheme": "constant", "value": 2.5}, "*.leak": "ones"}
    fk.init(model, rules, seed=0)
    assert (numpy(model.get_layer("own").value) == 2.5).all()


def test_a_scale_without_a_rule_keeps_the_models_value() -> None:
    own = Own("temperature", (), name="own")
    own.value.assign(0.07)
    plan = fk.plan(own, "he_normal")
    assert plan["own.temperature"].reason == "a logit scale or temperature: the model's own value"
    fk.init(own, "he_normal", seed=0)
    assert numpy(own.value) == np.float32(0.07)
    gain = Own("gain", (4,), name="own")
    gain.value.assign(np.full(4, 1.5))
    assert fk.plan(gain)["own.gain"].distribution == fi.Constant(1.5)
    several = Own("ls1", (4,), name="own")
    several.value.assign(np.arange(4.0))
    with pytest.raises(ValueError, match=r"'own\.ls1'"):
        fk.plan(several)


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


def test_the_kernels_of_a_fourier_transform_stay() -> None:
    layer = keras.layers.STFTSpectrogram(frame_length=16, frame_step=4, fft_length=16, name="stft")
    model = keras.Sequential([keras.Input((80, 1)), layer, keras.layers.Dense(4, name="head")], name="net")
    before = numpy(layer.real_kernel)
    assert list(fk.plan(model)) == ["net.head.kernel", "net.head.bias"]
    assert fk.plan(model)["net.stft.real_kernel"].reason.startswith("the kernel of a Fourier transform")
    fk.init(model, seed=0)
    np.testing.assert_array_equal(numpy(layer.real_kernel), before)


def test_experts_and_names_of_ones_own() -> None:
    plan = fk.plan(Own("experts_kernel", (3, 4, 5), name="moe"), "he_normal")
    assert plan["moe.experts_kernel"].fans == (4, 5)
    assert fk.plan(Own("kernel", (3, 3, 4, 5), name="mine"), "he_normal")["mine.kernel"].fans == (36, 45)
    assert fk.plan(Own("cls_token", (1, 1, 8), name="vit"))["vit.cls_token"].distribution.moments()[1] == 0.02


def test_a_layer_scale_begins_as_its_layer_says() -> None:
    model = keras.applications.ConvNeXtTiny(weights=None, include_top=False, input_shape=(32, 32, 3))
    rows = [row for row in fk.plan(model).values() if row.module == "LayerScale"]
    assert len(rows) == 18 and {row.distribution for row in rows} == {
        fi.distribution("constant", (), value=1e-6)
    }


@pytest.mark.parametrize("recipe", ["default", "he_normal", "orthogonal"])
def test_lora(recipe: str) -> None:
    dense = built(keras.layers.Dense(8, name="d"), (None, 4))
    einsum = built(keras.layers.EinsumDense("abc,cde->abde", (None, 2, 3), name="e"), (None, 5, 4))
    words = built(keras.layers.Embedding(10, 4, name="w"), (None, 5))
    conv = built(keras.layers.Conv2D(6, 3, name="c"), (None, 8, 8, 4))
    for layer, base, fan_in in (
        (dense, "kernel", 4),
        (einsum, "kernel", 8),
        (words, "embeddings", 10),
        (conv, "kernel", 36),
    ):
        layer.enable_lora(2)
        before = numpy(getattr(layer, f"_{base}"))
        plan = fk.plan(layer, recipe)
        a, b = (
            next(row for name, row in plan.items() if name.endswith(f"lora_{base}_{part}")) for part in "ab"
        )
        assert a.scheme == "torch_default" and a.fans.fan_in == fan_in and b.scheme == "zeros"
        assert f"{layer.name}.{base}" not in plan
        fk.init(layer, recipe, seed=0)
        assert (
            not numpy(getattr(layer, f"lora_{base}_b")).any()
            and numpy(getattr(layer, f"lora_{base}_a")).any()
        )
        np.testing.assert_array_equal(numpy(getattr(layer, f"_{base}")), before)
        assert f"{layer.name}.{base}" in fk.plan(layer, recipe, frozen=True)
        fk.init(layer, recipe, seed=0, frozen=True)
        assert (numpy(getattr(layer, f"_{base}")) != before).any()


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


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="Keras makes no float8 tensors on torch")
@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_float8(dtype: str) -> None:
    x = fk.HeNormal(seed=0)((64, 32), dtype)
    assert keras.backend.standardize_dtype(x.dtype) == dtype and np.unique(numpy(x)).size > 30
    dense = keras.layers.Dense(32, name="dense")
    dense.build((None, 64))
    kernel = keras.Variable(np.zeros((64, 32)), dtype=dtype, name="kernel")
    with pytest.raises(TypeError, match="dtype"):
        fk.HeNormal(seed=0)((64, 32), "int8")
    kernel.assign(x)
    expected = fi.variance_scaling((64, 32), layout="io", scale=2, dtype=dtype, seed=0)
    np.testing.assert_array_equal(numpy(kernel), expected.astype(np.float32))


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
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", __file__]
    result = subprocess.run(
        command, env={**os.environ, "KERAS_BACKEND": "torch"}, capture_output=True, text=True
    )
    assert result.returncode == 0 and "passed" in result.stdout, result.stdout
