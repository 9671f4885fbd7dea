"""Models of Keras that several tests share."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import fastinit.keras as fk


def small() -> Any:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")], name="net")


def network(**kinds: Any) -> Any:
    """Made with fastinit's initializers: Keras's own compile a program for each shape on JAX, which takes seconds."""
    keras.utils.clear_session()  # layers without a name of their own are numbered anew
    layers = keras.layers
    kinds = {"kernel_initializer": fk.GlorotUniform(seed=0), **kinds}
    kernel = {"kernel_initializer": kinds["kernel_initializer"]}
    gates = {**kernel, "recurrent_initializer": fk.Orthogonal(seed=0)}
    depthwise = {"depthwise_initializer": fk.HeNormal(seed=0)}
    return keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            layers.Conv2D(6, 3, strides=2, groups=2, name="conv", **kinds),
            layers.Conv2DTranspose(8, 4, strides=2, name="up", **kernel),
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise", **depthwise),
            layers.SeparableConv2D(
                5, 3, name="separable", **depthwise, pointwise_initializer=fk.HeNormal(seed=0)
            ),
            layers.BatchNormalization(name="norm"),
            layers.Reshape((-1, 5)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True, **gates), name="both"),
            layers.GRU(3, return_sequences=True, name="gru", **gates),
            layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 7), name="heads", **kernel),
            layers.Reshape((-1, 14)),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, name="head", **kinds),
        ],
        name="net",
    )


def numpy(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def built(layer: Any, *shape: Any) -> Any:
    layer.build(*shape)
    return layer
