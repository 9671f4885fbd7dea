"""A model of Keras as a case: its weights are drawn with the fans that its layers have, all else as Keras has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import keras
import numpy as np
from comparison import ERRORS, Array
from verdict import NotBuiltError, RefusedError, TooLargeError, WrongError

import fastinit.keras as fik

Fans = Mapping[str, tuple[float, float]]
OTHERS = ("alpha",)  # PReLU's slope: 0 in Keras, 0.25 by He's recipe
LAYERS = keras.layers
LARGE = 30_000_000  # parameters, from which on values are drawn once
MOST = 200_000_000  # from which on they are not drawn


def check(make: Callable[[], Any], fans: Fans | None = None) -> None:
    """Return if all of a model is right: `fans` are those by hand of the variables with these ends of names, or are measured."""
    try:
        keras.utils.clear_session()
        model = make()
    except Exception as error:
        raise NotBuiltError(f"{type(error).__name__}: {str(error)[:300]}") from error
    if model.count_params() > MOST:
        missing = {_name(v) for v in model.trainable_variables} - set(fik.plan(model))
        raise WrongError(f"{missing} are not in the plan") if missing else TooLargeError("not drawn")
    before = _values(model)
    trained = {_name(variable) for variable in model.trainable_variables}
    try:
        plan, default = fik.plan(model, "he_normal"), fik.plan(model)
        fik.init(model, "he_normal", seed=0)
        drawn = _values(model)
        started = drawn
        if model.count_params() < LARGE:
            fik.init(model, seed=0)
            started = _values(model)
    except (TypeError, ValueError) as error:
        raise RefusedError(str(error)) from error
    counted = {name: tuple(row.fans) for name, row in plan.items() if row.fans is not None}
    known = _measured(model) if fans is None else {_ending(counted, end): both for end, both in fans.items()}
    problems = [
        f"{name} has the fans {counted.get(name)}, by its layer {known.get(name)}"
        for name in {**counted, **known}
        if name not in counted or name not in known or not np.allclose(counted[name], known[name])
    ]
    problems += [f"{name} is not in the plan" for name in trained if name not in plan]
    for name, value in before.items():
        if name not in trained:
            problems += [f"{name} is not kept"] * (not np.array_equal(drawn[name], value))
            problems += [f"{name} is not listed"] * (name not in plan.unfilled)
            continue
        problems += [f"{name} is not finite"] * (not np.isfinite(drawn[name]).all())
        if name in known and plan[name].scheme == "he_normal":
            ratio = float(np.square(drawn[name]).mean()) * known[name][0] / 2
            if abs(ratio - 1) > ERRORS * math.sqrt(2 / drawn[name].size):
                problems.append(f"{name} has {ratio:.3g} times the variance that its fans give")
        elif (value == value.flat[0]).all() and (started[name] != value).any() and not name.endswith(OTHERS):
            problems.append(f"{name} is {value.flat[0]:g} in Keras, {default[name].distribution} in the plan")
    if problems:
        raise WrongError("; ".join(problems[:8]))


def _name(variable: Any) -> str:
    return variable.path.replace("/", ".")


def _values(model: Any) -> dict[str, Array]:
    return {_name(v): np.asarray(keras.ops.convert_to_numpy(v.value), np.float64) for v in model.variables}


def _ending(names: Mapping[str, Any], end: str) -> str:
    return next((name for name in names if name.endswith(end)), end)


def _measured(model: Any) -> dict[str, tuple[float, float]]:
    """The fans of each layer of one kernel: with ones as weights and inputs, an output is the fan_in, the gradient of the sum
    of outputs the fan_out."""
    cache: dict[Any, tuple[float, float]] = {}
    found: dict[str, tuple[float, float]] = {}
    for layer in model._flatten_layers():
        if isinstance(layer, LAYERS.SeparableConv2D):
            depth, point = layer.depthwise_kernel, layer.pointwise_kernel
            taps = math.prod(depth.shape[:2])
            found[_name(depth)] = (taps, taps * depth.shape[3] / math.prod(layer.strides))
            found[_name(point)] = (point.shape[2], point.shape[3])
        elif isinstance(layer, (LAYERS.Dense, LAYERS.EinsumDense, LAYERS.Conv2D, LAYERS.DepthwiseConv2D)):
            config = {**layer.get_config(), "name": "", "use_bias": False, "bias_axes": None}
            key = (type(layer), repr(config), tuple(layer.kernel.shape))
            if key not in cache:
                cache[key] = _of_layer(layer)
            found[_name(layer.kernel)] = cache[key]
    return found


def _of_layer(layer: Any) -> tuple[float, float]:
    shape = tuple(layer.kernel.shape)
    weight = "depthwise_initializer" if isinstance(layer, LAYERS.DepthwiseConv2D) else "kernel_initializer"
    config = {
        **layer.get_config(),
        weight: "ones",
        "bias_initializer": "zeros",
        "activation": None,
    }
    if isinstance(layer, LAYERS.Dense):
        return float(shape[0]), float(shape[1])
    if isinstance(layer, LAYERS.EinsumDense):
        inputs, weight = layer.equation.split("->")[0].split(",")
        sizes = dict(zip(weight, shape, strict=True))
        lengths, strides = tuple([sizes.get(letter, 3) for letter in inputs]), ()
    else:
        strides = tuple(layer.strides)
        depth = isinstance(layer, LAYERS.DepthwiseConv2D)
        channels = shape[2] if depth else shape[2] * layer.groups
        sizes_of = zip(shape[:2], layer.dilation_rate, strides, strict=True)
        lengths = (1, *[8 * k * d * s for k, d, s in sizes_of], channels)
    copy = type(layer).from_config(config)
    x = jax.numpy.ones(lengths)
    y, back = jax.vjp(copy, x)
    (dx,) = back(jax.numpy.ones_like(y))
    return float(_inside(y, strides).mean()), float(_inside(dx, strides).mean())


def _inside(x: Any, strides: tuple[int, ...]) -> Any:
    """Without the borders, and whole steps of the strides."""
    for axis, step in enumerate(strides, 1):
        first = x.shape[axis] // 4 // step * step
        x = jax.lax.slice_in_dim(x, first, first + max(x.shape[axis] // 2 // step, 1) * step, axis=axis)
    return x
