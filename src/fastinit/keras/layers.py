"""What a layer of Keras says of its variables' axes."""

from __future__ import annotations

import math
from typing import Any

import keras

_PACKED = {"LSTMCell": 4, "GRUCell": 3, "ConvLSTMCell": 4}
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def geometry_of(layer: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """What the layer says of a variable's axes."""
    if len(shape) < 2 or isinstance(layer, keras.layers.Embedding):
        return {}
    if isinstance(layer, keras.layers.EinsumDense) and name == "kernel":
        return _einsum_geometry(layer.equation, shape)
    if name == "depthwise_kernel" or (isinstance(layer, _DEPTHWISE) and name == "kernel"):
        taps = math.prod(shape[:-2])
        return {"fan_in": taps, "fan_out": taps * shape[-1] / math.prod(layer.strides), "axis": -1}
    kernel = "tuvwxyz"[: len(shape) - 2]
    if isinstance(layer, _TRANSPOSED) and name == "kernel":
        return {"layout": kernel + "oi", "stride": tuple(layer.strides), "transposed": True}
    geometry = {"layout": kernel + "io", "packed": _PACKED.get(type(layer).__name__, 1)}
    if isinstance(layer, _CONVOLUTIONS) and name == "kernel":
        geometry |= {"groups": layer.groups, "stride": tuple(layer.strides)}
    return geometry


def _einsum_geometry(equation: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Inputs are the kernel's letters that the output lacks, outputs those that the input lacks."""
    inputs, kernel, outputs = equation.replace("->", ",").replace(" ", "").split(",")
    ins = [axis for axis, letter in enumerate(kernel) if letter not in outputs]
    outs = [axis for axis, letter in enumerate(kernel) if letter not in inputs]
    fan_in, fan_out = (max(math.prod(shape[axis] for axis in axes), 1) for axes in (ins, outs))
    single = outs if len(outs) == 1 else ins
    return {"fan_in": fan_in, "fan_out": fan_out, "axis": single[0] if len(single) == 1 else -1}
