"""keras.layers: each layer that has variables, with the arguments that change them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras_model import Fans, check

PACKAGE = "keras"
SAMPLE = ["Dense", "DepthwiseConv2D, strided", "LSTM", "MultiHeadAttention", "Dense, LoRA"]
L = keras.layers
Shape = tuple[int | None, ...]


def model(make: Callable[[], Any], *shapes: Shape, adapt: Callable[[Any], Any] = lambda layer: None) -> Any:
    layer, inputs = make(), [keras.Input(shape) for shape in shapes]
    built = keras.Model(inputs, layer(*inputs))
    adapt(layer)
    return built


def lora(make: Callable[[], Any], *shapes: Shape) -> Any:
    return model(make, *shapes, adapt=lambda layer: layer.enable_lora(2))


def frozen(make: Callable[[], Any], shape: Shape) -> Any:
    layer = make()
    layer.trainable = False
    return keras.Sequential([keras.Input(shape), layer, L.Dense(4, name="head")])


def quantized() -> Any:
    net = keras.Sequential([keras.Input((8,)), L.Dense(16), L.Dense(4, name="head")])
    net.layers[0].quantize("int8")
    return net


RANKS: dict[str, tuple[Callable[[], Any], tuple[Shape, ...], Fans | None]] = {}
for d in (1, 2, 3):
    taps, space = 3**d, (8,) * d
    RANKS |= {
        f"Conv{d}D": (partial(getattr(L, f"Conv{d}D"), 16, 3), ((*space, 4),), {"kernel": (4 * taps, 16 * taps)}),
        f"Conv{d}D, grouped": (
            partial(getattr(L, f"Conv{d}D"), 16, 3, groups=4), ((*space, 8),), {"kernel": (2 * taps, 4 * taps)},
        ),
        f"Conv{d}D, strided": (
            partial(getattr(L, f"Conv{d}D"), 16, 3, strides=2), ((*space, 4),), {"kernel": (4 * taps, 16 * taps / 2**d)},
        ),
        f"Conv{d}D, dilated": (
            partial(getattr(L, f"Conv{d}D"), 16, 3, dilation_rate=2), ((*space, 4),), {"kernel": (4 * taps, 16 * taps)},
        ),
        f"Conv{d}DTranspose, strided": (
            partial(getattr(L, f"Conv{d}DTranspose"), 16, 4, strides=2), ((*(4,) * d, 8),), {"kernel": (8 * 2**d, 16 * 4**d)},
        ),
        f"ConvLSTM{d}D": (
            partial(getattr(L, f"ConvLSTM{d}D"), 4, 3), ((3, *(5,) * d, 2),),
            {"cell.kernel": (2 * taps, 4 * taps), "recurrent_kernel": (4 * taps, 4 * taps)},
        ),
    }  # fmt: skip
for d in (1, 2):
    taps, space = 3**d, (8,) * d
    RANKS |= {
        f"DepthwiseConv{d}D, strided": (
            partial(getattr(L, f"DepthwiseConv{d}D"), 3, strides=2, depth_multiplier=2), ((*space, 8),),
            {"kernel": (taps, 2 * taps / 2**d)},
        ),
        f"SeparableConv{d}D": (
            partial(getattr(L, f"SeparableConv{d}D"), 16, 3, depth_multiplier=2), ((*space, 8),),
            {"depthwise_kernel": (taps, 2 * taps), "pointwise_kernel": (16, 16)},
        ),
    }  # fmt: skip
GATES: Fans = {"cell.kernel": (8, 16), "cell.recurrent_kernel": (16, 16)}
BOTH: Fans = {f"{way}_{name}": fans for way in ("forward", "backward") for name, fans in (
    ("lstm.lstm_cell.kernel", (8, 16)), ("lstm.lstm_cell.recurrent_kernel", (16, 16)))}  # fmt: skip
MODELS: dict[str, tuple[Callable[[], Any], tuple[Shape, ...], Fans | None]] = {
    "Dense": (lambda: L.Dense(16), ((8,),), {"kernel": (8, 16)}),
    "Dense, bfloat16": (lambda: L.Dense(16, dtype="bfloat16"), ((8,),), {"kernel": (8, 16)}),
    **RANKS,
    "LSTM": (lambda: L.LSTM(16), ((5, 8),), GATES),
    "LSTM, without unit_forget_bias": (lambda: L.LSTM(16, unit_forget_bias=False), ((5, 8),), GATES),
    "GRU": (lambda: L.GRU(16), ((5, 8),), GATES),
    "GRU, reset before": (lambda: L.GRU(16, reset_after=False), ((5, 8),), GATES),
    "SimpleRNN": (lambda: L.SimpleRNN(16), ((5, 8),), GATES),
    "Bidirectional": (lambda: L.Bidirectional(L.LSTM(16)), ((5, 8),), BOTH),
    "RNN of two cells": (
        lambda: L.RNN([L.GRUCell(16), L.LSTMCell(12)]), ((5, 8),),
        {"gru_cell.kernel": (8, 16), "gru_cell.recurrent_kernel": (16, 16), "lstm_cell.kernel": (16, 12), "lstm_cell.recurrent_kernel": (12, 12)},
    ),
    "TimeDistributed": (lambda: L.TimeDistributed(L.Dense(16)), ((5, 8),), {"kernel": (8, 16)}),
    "EinsumDense, heads": (lambda: L.EinsumDense("abc,cde->abde", (None, 4, 8)), ((5, 32),), {"kernel": (32, 32)}),
    "EinsumDense, experts": (lambda: L.EinsumDense("bec,ecd->bed", (3, 8)), ((3, 32),), {"kernel": (32, 8)}),
    "MultiHeadAttention": (lambda: L.MultiHeadAttention(4, 8, value_dim=6), ((5, 32), (5, 32)), None),
    "MultiHeadAttention, two axes": (lambda: L.MultiHeadAttention(4, 8, attention_axes=(1, 2)), ((5, 3, 32), (5, 3, 32)), None),
    "GroupQueryAttention": (lambda: L.GroupQueryAttention(8, 4, 2), ((5, 32), (5, 32)), None),
    "Embedding": (lambda: L.Embedding(50, 16), ((5,),), {}),
    "ReversibleEmbedding": (lambda: L.ReversibleEmbedding(50, 16), ((5,),), {}),
    "ReversibleEmbedding, untied": (
        lambda: L.ReversibleEmbedding(50, 16, tie_weights=False), ((5,),), {"reverse_embeddings": (16, 50)},
    ),
    **{
        name: (partial(getattr(L, name)), ((4, 16),), {})
        for name in ("BatchNormalization", "LayerNormalization", "RMSNormalization", "PReLU")
    },
    "GroupNormalization": (lambda: L.GroupNormalization(4), ((16,),), {}),
    "LayerNormalization, two axes": (lambda: L.LayerNormalization(axis=(1, 2)), ((4, 16),), {}),
    "SpectralNormalization": (lambda: L.SpectralNormalization(L.Dense(16)), ((8,),), {"kernel": (8, 16)}),
    "Attention": (lambda: Pair(L.Attention(use_scale=True, score_mode="concat")), ((5, 16), (5, 16)), {}),
    "AdditiveAttention": (lambda: Pair(L.AdditiveAttention()), ((5, 16), (5, 16)), {"scale": (16, 1)}),
    "Dropout and Dense": (lambda: keras.Sequential([L.Dropout(0.5), L.Dense(16)]), ((8,),), {"kernel": (8, 16)}),
    "STFTSpectrogram": (
        lambda: keras.Sequential([L.STFTSpectrogram(frame_length=16, frame_step=4, fft_length=16), L.Dense(4, name="head")]), ((80, 1),),
        {"head.kernel": (9, 4)},
    ),
}  # fmt: skip
ADAPTED: dict[str, tuple[Callable[[], Any], Fans]] = {
    "Dense, LoRA": (partial(lora, lambda: L.Dense(16), (8,)), {"lora_kernel_a": (8, 2)}),
    "EinsumDense, LoRA": (
        partial(lora, lambda: L.EinsumDense("abc,cde->abde", (None, 4, 8)), (5, 32)), {"lora_kernel_a": (128, 2)},
    ),
    "Embedding, LoRA": (partial(lora, lambda: L.Embedding(50, 16), (5,)), {"lora_embeddings_a": (50, 2)}),
    "Conv2D, LoRA": (partial(lora, lambda: L.Conv2D(16, 3), (8, 8, 4)), {"lora_kernel_a": (36, 2)}),
    "a frozen layer": (partial(frozen, lambda: L.Dense(16), (8,)), {"head.kernel": (16, 4)}),
    "a frozen norm": (partial(frozen, lambda: L.BatchNormalization(), (8,)), {"head.kernel": (8, 4)}),
    "Dense of int8": (quantized, {"head.kernel": (16, 4)}),
}  # fmt: skip


class Pair(L.Layer):  # type: ignore[misc]
    """An attention that takes a list."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def call(self, query: Any, value: Any) -> Any:
        return self.inner([query, value])


def cases() -> dict[str, Callable[[], None]]:
    plain = {
        name: partial(check, partial(model, make, *shapes), fans)
        for name, (make, shapes, fans) in MODELS.items()
    }
    return plain | {name: partial(check, make, fans) for name, (make, fans) in ADAPTED.items()}
