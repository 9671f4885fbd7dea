"""Whole models of Keras: a plan of every trainable variable by name, then the values in place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import keras
import numpy as np

from ..drawing.fill import fill
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import Array
from ..plans.make import make_plan
from ..plans.model import Model, TensorSpec
from ..plans.plan import Plan
from ..plans.recipe import RecipeLike, as_recipe
from .layers import geometry_of
from .tensors import dtype_of, new_tensor

_Model = TypeVar("_Model")


def plan(model: Any, recipe: RecipeLike = "default") -> Plan:
    """What `init` would draw: the law of every trainable variable, by name. Nothing is drawn.

    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")], name="net")
    >>> [(name, row.scheme) for name, row in plan(model, "he_normal").items()]
    [('net.head.kernel', 'he_normal'), ('net.head.bias', 'zeros')]
    """
    return _plan(_variables(model), recipe)


def init(model: _Model, recipe: RecipeLike = "default", *, seed: Seed = None) -> _Model:
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
        draw_one: Callable[..., object] = partial(fill, scheme=law, seed=number, name=name, shape=shape)
        forgets = variable.name == "bias" and getattr(layer, "unit_forget_bias", False)
        if forgets and planned[name].scheme == "zeros":
            draw_one = partial(_forget_bias, size=shape[0])
        sharding = getattr(variable.value, "sharding", None)
        layout = sharding if hasattr(sharding, "spec") else None
        variable.assign(new_tensor(shape, planned[name].dtype, layout, draw_one))
    return model


def _forget_bias(out: Array, *, size: int, block: Any = ...) -> None:
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


def _plan(variables: dict[str, tuple[Any, Any]], recipe: RecipeLike) -> Plan:
    tensors = {}
    for name, (variable, layer) in variables.items():
        shape = tuple(variable.shape)
        tensors[name] = TensorSpec(
            shape, dtype_of(variable.dtype), type(layer).__name__, geometry_of(layer, variable.name, shape)
        )
    return make_plan(Model(tensors), as_recipe(recipe))
