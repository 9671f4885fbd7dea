"""What layers of Keras say of their variables: fans, roles, what stays, and what is not known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi

keras = optional("keras")
from keras_networks import built, numpy  # noqa: E402

import fastinit.keras as fk  # noqa: E402

# Keras's own ways to NumPy warn.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")


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
