"""What a layer of Keras says of its variables: their roles and axes."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import keras

from ..plans.axes import custom_geometry, einsum_geometry
from ..plans.make import Choice

_PACKED = {"LSTMCell": 4, "GRUCell": 3, "ConvLSTMCell": 4}
_CELLS = (*_PACKED, "SimpleRNNCell")
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_NORMS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.RMSNormalization,
)
_OF_NORMS = {
    "gamma": "norm",
    "scale": "norm",
    "beta": "bias",
    "moving_mean": "mean",
    "moving_variance": "variance",
}


def role_and_geometry(layer: Any, name: str, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """The role of a layer's variable, or "" if its name is to tell it, and how to count its fans."""
    if isinstance(layer, _NORMS):
        return _OF_NORMS.get(name, ""), {}
    if isinstance(layer, keras.layers.PReLU) and name == "alpha":
        return "slope", {}
    if isinstance(layer, keras.layers.Embedding) and name == "embeddings":
        return "embedding", {}
    if name.startswith("lora_"):  # A ends in an axis of the rank, B begins with it
        return "", {"fan_in": math.prod(shape[:-1]) or 1, "fan_out": shape[-1] or 1}
    if isinstance(layer, keras.layers.AdditiveAttention) and name == "scale":  # from each unit to one score
        return "weight", {"fan_in": math.prod(shape) or 1, "fan_out": 1}
    if name == "bias" and getattr(layer, "unit_forget_bias", False):
        return "forget_bias", {}
    if len(shape) < 2 or name == "bias":
        return "", {}
    if isinstance(layer, keras.layers.EinsumDense) and name == "kernel":
        return "weight", einsum_geometry(layer.equation, shape)
    if isinstance(layer, keras.layers.Dense) and name == "kernel":
        return "weight", {"layout": "io"}
    if name == "reverse_embeddings":
        return "output", {"layout": "io"}
    taps = "tuvwxyz"[: len(shape) - 2]
    if isinstance(layer, _SEPARABLE) and name == "pointwise_kernel":
        return "conv", {"layout": taps + "io"}
    if isinstance(layer, (*_DEPTHWISE, *_SEPARABLE)) and name in ("kernel", "depthwise_kernel"):
        size = math.prod(shape[:-2])
        return "conv", {
            "fan_in": size or 1,
            "fan_out": size * shape[-1] / math.prod(layer.strides) or 1,
            "axis": -1,
        }
    if isinstance(layer, _TRANSPOSED) and name == "kernel":
        return "conv", {"layout": taps + "oi", "stride": tuple(layer.strides), "transposed": True}
    if isinstance(layer, _CONVOLUTIONS) and name == "kernel":
        return "conv", {"layout": taps + "io", "groups": layer.groups, "stride": tuple(layer.strides)}
    kind = next((base.__name__ for base in type(layer).__mro__ if base.__name__ in _CELLS), "")
    if kind and name in ("kernel", "recurrent_kernel"):
        packed = {"layout": taps + "io", "packed": _PACKED.get(kind, 1)}
        if name == "recurrent_kernel":
            return "recurrent", packed
        return ("conv", {**packed, "stride": tuple(layer.strides)}) if taps else ("weight", packed)
    return custom_geometry(name, f"{type(layer).__name__}.{layer.name}", shape)


def kept(layer: Any) -> str:
    """Why a layer's trainable variables keep their values; "" if they do not."""
    computed = isinstance(layer, keras.layers.STFTSpectrogram)
    return "the kernel of a Fourier transform: it keeps the model's own values" if computed else ""


def foreign(layer: Any) -> str:
    """What draws the variables of a layer around a model of another framework, which Keras numbers; "" for other layers."""
    if isinstance(layer, keras.layers.TorchModuleWrapper):
        return "a torch module, into which fastinit.torch.init_(layer.module, ...) draws"
    if isinstance(layer, keras.layers.JaxLayer):
        return "a JAX function, whose params fastinit.jax.init draws"
    return ""


def own_choice(layer: Any, name: str) -> Choice | None:
    """What a layer itself begins with, if the recipes leave that to the model."""
    value = getattr(layer, "init_values", None)  # of keras.applications' ConvNeXt
    if type(layer).__name__ == "LayerScale" and isinstance(value, Real):
        return Choice("constant", {"value": float(value)}, "a layer scale, as its layer has it")
    if isinstance(layer, keras.layers.Attention) and name in ("scale", "concat_score_weight"):
        return Choice("ones", {}, "an attention's scale")
    return None
