"""Whole models of Keras: a plan of the variables by name, then the values in place."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, TypeVar

import keras

from ..arguments import flag
from ..drawing.fill import fill
from ..drawing.streams import Seed, encoded_name, resolve_seed
from ..plans.make import Choice, make_plan, own_value
from ..plans.match import check_nothing_beside, matching
from ..plans.model import Model, TensorSpec
from ..plans.parameter import COUNTS, NOT_A_PARAMETER, Parameter
from ..plans.plan import Plan
from ..plans.recipe import RecipeLike, as_recipe
from ..plans.roles import OWN
from ._private import all_layers, made_trainable
from .layers import foreign, kept, own_choice, role_and_geometry
from .tensors import dtype_of, new_tensor

_Model = TypeVar("_Model")
FROZEN = "frozen (trainable=False): it keeps the model's own values"


class _Slot(NamedTuple):
    variable: Any
    tensor: TensorSpec
    own: Choice | None  # what its layer begins with, if the recipes leave that to the model


def plan(
    model: Any, recipe: RecipeLike = "default", *, prefix: str = "", frozen: bool = False, **numbers: Any
) -> Plan:
    """What `init` would draw: the distribution of every trainable variable, by name. Nothing is drawn.

    Parameters
    ----------
    model, recipe, prefix, frozen, **numbers
        As in `init`; the recipe cannot be a plan.

    Raises
    ------
    TypeError, ValueError
        As `init` does.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")], name="net")
    >>> [(name, row.scheme) for name, row in plan(model, "he_normal").items()]
    [('net.head.kernel', 'he_normal'), ('net.head.bias', 'zeros')]
    """
    return _plan(_survey(model, prefix, flag("frozen", frozen)), recipe, numbers)


def init(
    model: _Model,
    recipe: RecipeLike | Plan = "default",
    *,
    seed: Seed,
    prefix: str = "",
    frozen: bool = False,
    **numbers: Any,
) -> _Model:
    """Draw every trainable variable of a built model anew, in place. Returns the model.

    A variable's name is ``v.path`` with dots: ``net.head.kernel``. Keras numbers layers without a name through the whole
    process: name them, or call ``keras.utils.clear_session()`` before the model is made, for the same names each time. Seed
    and name choose the values: equal names under one seed give equal values. Give each of two networks that are drawn
    with one seed a name or a ``prefix`` of its own.

    Fans are the layer's own: of transposed, depthwise, grouped and strided convolutions, of an einsum, of one gate of those
    that lie side by side in an LSTM or GRU. Where a layer has ``unit_forget_bias``, the forget gate's bias is 1. With
    LoRA, B is 0.

    Parameters
    ----------
    model
        Any built ``keras.Layer``; models are layers.
    recipe
        A recipe or its file; a scheme's name, for all weights; a mapping of globs to schemes or rules, which go before
        the recipe "default"; or a `Plan` of this model.
    seed
        An integer in [0, 2**64). Every process must give the same.
    prefix
        Stands before every name; beside a plan, the plan's names begin with it.
    frozen
        Whether variables are drawn that were made to be trained and are frozen now: by ``layer.trainable = False``, or as the
        base of LoRA. They are left alone otherwise. Moving averages and seeds are always left alone.
    **numbers
        The scheme's own: ``gain``, ``std``, ...

    Raises
    ------
    TypeError, ValueError
        For what is not a layer, has layers that are not built, no variables, or two of the same path; for variables of
        which nothing says what they get; for layers around models of torch, JAX or Flax, which are not frozen; for a plan
        of another model. All such variables are named, and nothing has been written then.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> init(model, {"*.kernel": "orthogonal"}, seed=0) is model
    True
    """
    flag("frozen", frozen)
    if isinstance(recipe, Plan):
        check_nothing_beside(numbers, frozen=frozen)
        slots = _survey(model, prefix, frozen=True).slots
        needed = [name for name, slot in slots.items() if slot.variable.trainable]
        planned = matching(recipe, {name: slot.tensor for name, slot in slots.items()}, needed)
    else:
        seen = _survey(model, prefix, frozen)
        slots, planned = seen.slots, _plan(seen, recipe, numbers)
    number = resolve_seed(seed)
    for name, parameter in planned.items():
        variable = slots[name].variable
        write = partial(fill, scheme=parameter.distribution, seed=number, name=name, shape=parameter.shape)
        sharding = getattr(variable.value, "sharding", None)
        layout = sharding if hasattr(sharding, "spec") else None
        variable.assign(new_tensor(parameter.shape, parameter.dtype, layout, write))
    return model


class _Survey(NamedTuple):
    slots: dict[str, _Slot]
    unfilled: dict[str, Parameter]  # what is left alone


def _survey(model: Any, prefix: str, frozen: bool) -> _Survey:
    """The variables to draw, and the others, by name."""
    if not isinstance(model, keras.Layer):
        raise TypeError(f"model must be a Keras layer or model, not {type(model).__name__}")
    encoded_name(prefix, "prefix")
    layers = all_layers(model)
    owners = {id(variable): layer for layer in layers for variable in layer.weights}
    trained = {id(variable) for layer in layers for variable in made_trainable(layer)}
    chosen = {id(variable) for variable in model.trainable_variables} | (trained if frozen else set())
    unbuilt = [
        layer.name for layer in layers if not layer.built and type(layer).build is not keras.Layer.build
    ]
    if unbuilt:
        raise ValueError(
            f"not built yet, and without variables: {', '.join(map(repr, unbuilt))}; call the model once"
        )
    others = {f"{layer.name!r}: {by}" for layer in layers if layer.trainable and (by := foreign(layer))}
    if others:
        raise ValueError(
            f"layers around models of another framework: {'; '.join(sorted(others))}; trainable=False leaves them alone here"
        )
    seen = _Survey({}, {})
    for variable in model.variables:
        name, shape = prefix + variable.path.replace("/", "."), tuple(variable.shape)
        layer = owners.get(id(variable))
        module = "" if layer is None else type(layer).__name__
        computed = kept(layer) or foreign(layer)
        if id(variable) not in chosen or layer is None or computed:
            kind = keras.backend.standardize_dtype(variable.dtype)
            left = FROZEN if id(variable) in trained else NOT_A_PARAMETER if "float" in kind else COUNTS
            reason = computed or left
            seen.unfilled[name] = Parameter.kept(name, shape, kind, reason, module)
            continue
        if name in seen.slots:
            raise ValueError(f"two variables have the path {variable.path!r}: give their layers names")
        try:
            dtype = dtype_of(variable.dtype)
        except TypeError as error:
            raise TypeError(f"variable {name!r}: {error}") from None
        role, geometry = role_and_geometry(layer, variable.name, shape)
        tensor = TensorSpec(shape, dtype, module, geometry, role)
        seen.slots[name] = _Slot(variable, tensor, own_choice(layer, variable.name))
    if not seen.slots:
        raise ValueError("model has no trainable variables; a model has them once it is built")
    return seen


def _plan(seen: _Survey, recipe: RecipeLike, numbers: dict[str, Any]) -> Plan:
    model = Model({name: slot.tensor for name, slot in seen.slots.items()}, unfilled=seen.unfilled)

    def own(name: str, tensor: TensorSpec) -> Choice | None:
        slot = seen.slots[name]
        if slot.own is not None or tensor.role not in OWN:
            return slot.own
        values: Any = keras.ops.convert_to_numpy(keras.ops.cast(slot.variable.value, "float32"))
        return own_value(tensor, values)

    return make_plan(model, as_recipe(recipe, numbers), otherwise=own)
