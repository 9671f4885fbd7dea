"""Keras: the initializers of ``keras.initializers``, drawn by fastinit, and whole models by the paths of their variables.

The initializers have Keras's names, arguments, defaults and laws, and are saved with a model under ``fastinit>``. As in
Keras, an object with an integer seed gives the same values at each call, ``seed=None`` takes such an integer when the
object is made, and a `SeedGenerator` gives new values at each call. Zeros, ones, constants, the identity and the Fourier
kernel draw nothing: they are Keras's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras.initializers import STFT, Constant, Identity, Ones, Zeros
from keras.initializers import Initializer as Initializer

from . import memory
from .distributions import Normal, Uniform, non_negative, real
from .fill import draw
from .model import Model, Tensor
from .plan import Plan, make_plan
from .recipe import as_recipe
from .schemes import distribution
from .streams import Seed, resolve_seed

_serializable = keras.saving.register_keras_serializable(package="fastinit")


class _Drawn:
    """In front of an initializer of Keras: its configuration, fastinit's values."""

    seed: Any

    def _law(self, shape: tuple[int, ...]) -> Any:
        raise NotImplementedError

    def __call__(self, shape: Any, dtype: Any = None, layout: Any = None) -> Any:
        whole, name = memory.checked_shape(tuple(shape)), ""
        law, kind = self._law(whole), _dtype(dtype)
        if isinstance(self.seed, keras.random.SeedGenerator):
            seed, count = keras.ops.convert_to_numpy(self.seed.next()).tolist()
            name = str(count)
        else:
            seed = resolve_seed(self.seed)
        return _tensor(whole, kind, layout, partial(draw, law=law, seed=seed, name=name, shape=whole))


def _dtype(dtype: Any) -> str:
    return memory.dtype_name(keras.backend.standardize_dtype(dtype))


def _tensor(shape: tuple[int, ...], dtype: str, layout: Any, draw_one: Callable[..., None]) -> Any:
    """A new tensor of the backend; with a layout, which JAX's alone has, shard by shard."""
    if layout is not None:
        from .jax import sharded_array

        return sharded_array(shape, memory.numpy_dtype(dtype), layout, draw_one)
    array = memory.empty(shape, dtype)
    draw_one(array)
    return keras.ops.convert_to_tensor(array, dtype)


@_serializable
class RandomNormal(_Drawn, keras.initializers.RandomNormal):
    """N(mean, stddev^2).

    >>> RandomNormal(stddev=0.02, seed=0)((2, 3)).shape == (2, 3)
    True
    """

    def _law(self, shape: tuple[int, ...]) -> Any:
        return Normal(real("mean", self.mean), non_negative("stddev", self.stddev))


@_serializable
class TruncatedNormal(_Drawn, keras.initializers.TruncatedNormal):
    """N(mean, stddev^2) cut at 2 stddev on either side; the cut is not made up for."""

    def _law(self, shape: tuple[int, ...]) -> Any:
        mean, std = real("mean", self.mean), non_negative("stddev", self.stddev)
        return distribution("truncated_normal", shape, mean=mean, std=std)


@_serializable
class RandomUniform(_Drawn, keras.initializers.RandomUniform):
    """U[minval, maxval)."""

    def _law(self, shape: tuple[int, ...]) -> Any:
        low, high = real("minval", self.minval), real("maxval", self.maxval)
        if low > high:
            raise ValueError(f"minval must not be above maxval, got minval={low}, maxval={high}")
        return Uniform(low, high)


class _Scaled(_Drawn):
    scale: float
    mode: str
    distribution: str
    input_axes: Any
    output_axes: Any

    def _law(self, shape: tuple[int, ...]) -> Any:
        fan_in, fan_out = _fans_of_shape(shape, self.input_axes, self.output_axes)
        law = "normal" if self.distribution == "untruncated_normal" else self.distribution
        return distribution(
            "variance_scaling",
            shape,
            fan_in=fan_in,
            fan_out=fan_out,
            scale=self.scale,
            mode=self.mode,
            law=law,
        )


def _fans_of_shape(shape: tuple[int, ...], input_axes: Any, output_axes: Any) -> tuple[int, int]:
    """As Keras counts them: the last two axes are in and out, unless the layer says otherwise."""
    if input_axes is not None and output_axes is not None:
        fans = [math.prod(shape[axis] for axis in axes) for axes in (input_axes, output_axes)]
    elif len(shape) < 2:
        fans = [math.prod(shape)] * 2
    else:
        fans = [math.prod(shape[:-1]), math.prod(shape[:-2]) * shape[-1]]
    return max(fans[0], 1), max(fans[1], 1)


@_serializable
class VarianceScaling(_Scaled, keras.initializers.VarianceScaling):
    """Mean 0 and variance scale / n, with n the fan that ``mode`` names; ``"normal"`` is the truncated one, as in Keras.

    The fans are Keras's, from the shape alone, and wrong for transposed and depthwise convolutions: `init` knows better.
    """


@_serializable
class GlorotUniform(_Scaled, keras.initializers.GlorotUniform):
    """U[-a, a), a = sqrt(6 / (fan_in + fan_out))."""


@_serializable
class GlorotNormal(_Scaled, keras.initializers.GlorotNormal):
    """Normal of variance 2 / (fan_in + fan_out), cut at 2 sigma of the normal it is cut from."""


@_serializable
class LecunNormal(_Scaled, keras.initializers.LecunNormal):
    """Normal of variance 1 / fan_in, cut at 2 sigma of the normal it is cut from."""


@_serializable
class LecunUniform(_Scaled, keras.initializers.LecunUniform):
    """U[-a, a), a = sqrt(3 / fan_in)."""


@_serializable
class HeNormal(_Scaled, keras.initializers.HeNormal):
    """Normal of variance 2 / fan_in, cut at 2 sigma of the normal it is cut from."""


@_serializable
class HeUniform(_Scaled, keras.initializers.HeUniform):
    """U[-a, a), a = sqrt(6 / fan_in)."""


@_serializable
class Orthogonal(_Drawn, keras.initializers.Orthogonal):
    """gain times a semi-orthogonal matrix of Haar's law: the last axis counts the columns, all others the rows."""

    def _law(self, shape: tuple[int, ...]) -> Any:
        return distribution("orthogonal", shape, gain=self.gain, axis=-1)


# Keras's other names for them.
IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
constant, ones, zeros = Constant, Ones, Zeros
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform


def plan(model: Any, recipe: Any = "default") -> Plan:
    """What `init` would draw: the law of every trainable variable, by name. Nothing is drawn.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")], name="net")
    >>> [(name, row.scheme) for name, row in plan(model, "he_normal").items()]
    [('net.head.kernel', 'he_normal'), ('net.head.bias', 'zeros')]
    """
    return _plan(_variables(model), recipe)


def init(model: Any, recipe: Any = "default", *, seed: Seed = None) -> Any:
    """Draw every trainable variable of a built model anew, in place. Returns the model.

    The name is ``v.path`` with dots: ``net.head.kernel``. Keras numbers layers without a name through the whole process:
    name them, or call ``keras.utils.clear_session()`` before the model is made, for the same streams each time.

    Fans are the layer's own: of transposed, depthwise, grouped and strided convolutions, of an einsum, of one gate of the
    packed ones of an LSTM or GRU. Where Keras sets the bias of an LSTM's forget gate to 1, a bias of zeros keeps that.
    What is not trainable is left alone.

    Parameters
    ----------
    model
        Any built ``keras.Layer``; models are layers.
    recipe
        A recipe or its file; a scheme's name, for all weights that have fans; or a mapping of globs to schemes or rules.
    seed
        With a variable's name it is the stream, so that a variable's values do not depend on the others.

    Raises
    ------
    TypeError, ValueError
        for what is no layer, has no variables yet or two of the same path, and for what `plan` refuses. Nothing has
        been written then.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> init(model, {"*.kernel": "orthogonal"}, seed=0) is model
    True
    """
    variables = _variables(model)
    planned, number = _plan(variables, recipe), resolve_seed(seed)
    for name, (variable, layer) in variables.items():
        law, shape = planned[name].distribution, planned[name].shape
        draw_one: Callable[..., None] = partial(draw, law=law, seed=number, name=name, shape=shape)
        forgets = variable.name == "bias" and getattr(layer, "unit_forget_bias", False)
        if forgets and planned[name].scheme == "zeros":
            draw_one = partial(_forget_bias, size=shape[0])
        sharding = getattr(variable.value, "sharding", None)
        layout = sharding if hasattr(sharding, "spec") else None
        variable.assign(_tensor(shape, planned[name].dtype, layout, draw_one))
    return model


def _forget_bias(out: memory.Array, *, size: int, block: Any = ...) -> None:
    out[...] = np.repeat([0.0, 1.0, 0.0, 0.0], size // 4)[block]


def _variables(model: Any) -> dict[str, tuple[Any, Any]]:
    """Name -> trainable variable and the layer that owns it."""
    if not isinstance(model, keras.Layer):
        raise TypeError(f"model must be a Keras layer or model, not {type(model).__name__}")
    # From outside in: the innermost layer that has a variable is its owner. Keras has no public walk.
    owners = {id(variable): layer for layer in model._flatten_layers() for variable in layer.weights}
    variables: dict[str, tuple[Any, Any]] = {}
    for variable in model.trainable_variables:
        name = variable.path.replace("/", ".")
        if name in variables:
            raise ValueError(f"two variables have the path {variable.path!r}: give their layers names")
        variables[name] = variable, owners[id(variable)]
    if not variables:
        raise ValueError("model has no trainable variables; a model has them once it is built")
    return variables


def _plan(variables: dict[str, tuple[Any, Any]], recipe: Any) -> Plan:
    tensors = {}
    for name, (variable, layer) in variables.items():
        shape = tuple(variable.shape)
        tensors[name] = Tensor(
            shape, _dtype(variable.dtype), type(layer).__name__, _geometry(layer, variable.name, shape)
        )
    return make_plan(Model(tensors), as_recipe(recipe))


_PACKED = {"LSTMCell": 4, "GRUCell": 3, "ConvLSTMCell": 4}
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def _geometry(layer: Any, name: str, shape: tuple[int, ...]) -> dict[str, Any]:
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
