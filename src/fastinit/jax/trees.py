"""Whole models of JAX: a pytree and a recipe -> a plan of its leaves by name, and a tree with their values."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from ..arguments import flag
from ..drawing.fill import fill, random_bits
from ..drawing.streams import Seed, encoded_name, resolve_seed
from ..dtypes import numpy_dtype
from ..laws.copies import drawn_as
from ..plans.make import Choice, make_plan, own_value
from ..plans.match import check_nothing_beside, matching
from ..plans.model import Model, TensorSpec
from ..plans.parameter import Parameter
from ..plans.plan import Plan
from ..plans.recipe import RecipeLike, as_recipe
from ..plans.roles import OWN
from ._private import Tracer, inside_a_trace
from .arrays import sharded_array
from .keys import words_of_seed
from .layers import described, type_of
from .leaves import Leaf, leaves_of
from .traced import drawn_by_call, traced_array


def plan(
    tree: Any, recipe: RecipeLike = "default", *, prefix: str = "", frozen: bool = False, **numbers: Any
) -> Plan:
    """What `init` would draw: the distribution of every parameter of a tree, by name. Nothing is drawn.

    Parameters
    ----------
    tree, recipe, prefix, frozen, **numbers
        As in `init`; the recipe cannot be a plan.

    Raises
    ------
    TypeError, ValueError
        As `init` does.

    Examples
    --------
    >>> layer = {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32), "bias": jax.ShapeDtypeStruct((4,), jnp.float32)}
    >>> plan({"Dense_0": layer}, "he_normal")["Dense_0.kernel"].distribution
    Normal(mean=0.0, std=0.5)
    """
    return _plan(leaves_of(tree)[0], recipe, prefix, frozen, numbers)


def init(
    tree: Any,
    recipe: RecipeLike | Plan = "default",
    *,
    seed: Seed,
    prefix: str = "",
    frozen: bool = False,
    **numbers: Any,
) -> Any:
    """A tree like the given one with every parameter drawn; the given one is left as it is.

    A leaf's name is its path with dots: ``layers.0.kernel``. Seed and name choose the values: equal names under one seed give
    equal values. Give each of two networks that are drawn with one seed a ``prefix`` of its own. A tree does not tell which of
    its parts are copies (``nnx.clone``, a target network): each is drawn by its own name, so make copies after `init`.

    A layer scale, a temperature, or a scalar or vector that nothing is known of keeps its value without a rule, if all its
    elements have the same one.

    What is not a parameter stays, and is among the plan's ``unfilled``: integers and masks, an ``nnx.Variable`` that is not an ``nnx.Param``, linen's collections
    except "params", the state of Equinox's layers, NumPy arrays in Equinox's modules, the moments of an optimizer. Running
    means become 0 and running variances 1, except those of Equinox that have values. An abstract random stream of nnx gets
    a key of its own.

    Parameters
    ----------
    tree
        Arrays or ``jax.ShapeDtypeStruct`` in any pytree: parameters of Flax linen, an Equinox module, an nnx module
        (also from ``nnx.eval_shape``), dicts. A leaf's NamedSharding is kept, and each shard is drawn by itself.
    recipe
        A recipe or its file; a scheme's name, for all weights; a mapping of globs to schemes or rules, which go before
        the recipe "default"; or a `Plan` of this tree.
    seed
        An integer in [0, 2**64). Every process must give the same.
    prefix
        Stands before every name; beside a plan, the plan's names begin with it.
    frozen
        Whether the base of an ``nnx.LoRA`` or ``nnx.LoRALinear`` is drawn too if it has values. It stays otherwise.
    **numbers
        The scheme's own: ``gain``, ``std``, ...

    Raises
    ------
    TypeError, ValueError
        For a tree without parameters, a parameter of a dtype that cannot be drawn, two leaves of one name, abstract leaves
        that are not parameters, parameters that the recipe does not know, and a plan of another tree. All such leaves
        are named.

    Examples
    --------
    >>> layer = {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32), "bias": jax.ShapeDtypeStruct((4,), jnp.float32)}
    >>> init({"Dense_0": layer}, "lecun_normal", seed=0)["Dense_0"]["kernel"].shape
    (8, 4)
    """
    leaves, rebuild = leaves_of(tree)
    if empty := [leaf.name for leaf in leaves if leaf.is_abstract and leaf.begins is None and not leaf.drawn]:
        several = "leaves" if len(empty) > 1 else "leaf"
        raise ValueError(
            f"{several} {', '.join(map(repr, empty))} must have values: abstract, and not a parameter that can be drawn"
        )
    if isinstance(recipe, Plan):
        check_nothing_beside(numbers, frozen=frozen)
        planned = _checked(recipe, leaves, prefix)
    else:
        planned = _plan(leaves, recipe, prefix, frozen, numbers)
    number = resolve_seed(seed)
    return rebuild([_value(leaf, planned, number, prefix) for leaf in leaves])


def _plan(leaves: list[Leaf], recipe: RecipeLike, prefix: str, frozen: bool, numbers: dict[str, Any]) -> Plan:
    flag("frozen", frozen)
    encoded_name(prefix, "prefix")
    chosen = [leaf for leaf in leaves if leaf.drawn and (frozen or not leaf.frozen)]
    _check_names(chosen)
    if not chosen:
        raise ValueError(
            "tree has no parameters: no floating-point arrays, or only such as are not parameters"
        )
    by_id = {id(leaf) for leaf in chosen}
    left = [leaf for leaf in leaves if id(leaf) not in by_id and hasattr(leaf.value, "dtype")]
    unfilled = {prefix + leaf.name: _left(prefix + leaf.name, leaf) for leaf in left}
    by_name = {prefix + leaf.name: leaf for leaf in chosen}

    def own(name: str, tensor: TensorSpec) -> Choice | None:
        value = by_name[name].value
        if isinstance(value, (Tracer, jax.ShapeDtypeStruct)) or (not tensor.role and len(tensor.shape) > 1):
            return None  # a matrix of equal values may stand for a shape
        if not getattr(value, "is_fully_addressable", True):
            return None  # another process has a part
        return own_value(tensor, np.asarray(value, np.float64)) if tensor.role in OWN else None

    model = Model(_described(chosen, prefix), unfilled=unfilled)
    return make_plan(model, as_recipe(recipe, numbers), otherwise=own)


def _left(name: str, leaf: Leaf) -> Parameter:
    return Parameter.kept(
        name, tuple(leaf.value.shape), str(leaf.value.dtype), leaf.why_left, type_of(leaf)[0]
    )


def _checked(plan: Plan, leaves: list[Leaf], prefix: str) -> Plan:
    """The plan, if it is one of this tree."""
    encoded_name(prefix, "prefix")
    drawn = [leaf for leaf in leaves if leaf.drawn]
    _check_names(drawn)
    return matching(
        plan, _described(drawn, prefix), [prefix + leaf.name for leaf in drawn if not leaf.frozen]
    )


def _described(leaves: list[Leaf], prefix: str) -> dict[str, TensorSpec]:
    specs = described(leaves)
    return {prefix + leaf.name: spec for leaf, spec in zip(leaves, specs, strict=True)}


def _check_names(leaves: list[Leaf]) -> None:
    seen = set()
    for leaf in leaves:
        if leaf.name in seen:
            raise ValueError(f"two leaves have the name {leaf.name!r}")
        seen.add(leaf.name)


def _value(leaf: Leaf, planned: Plan, seed: int, prefix: str) -> Any:
    name = prefix + leaf.name
    parameter = planned.parameters.get(name)
    if parameter is not None:
        sharding = getattr(leaf.value, "sharding", None)
        placed = sharding if isinstance(sharding, NamedSharding) else None
        law, name = drawn_as(parameter.distribution, name)
        shape, dtype = parameter.shape, numpy_dtype(parameter.dtype)
        if inside_a_trace() and drawn_by_call(law, shape, dtype):
            return traced_array(words_of_seed(seed), law, shape, dtype, placed, name)
        write = partial(fill, scheme=law, seed=seed, name=name, shape=shape)
        return sharded_array(shape, dtype, placed, write)
    if not leaf.is_abstract:
        return leaf.value
    if leaf.begins == "random":
        return _random_state(name, leaf.value, seed)
    return jnp.full(leaf.value.shape, leaf.begins, leaf.value.dtype)


def _random_state(name: str, value: Any, seed: int) -> Any:
    """Of an abstract random stream of nnx: new keys, or counts of 0."""
    if not jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return jnp.zeros(value.shape, value.dtype)
    for impl in ("threefry2x32", "rbg", "unsafe_rbg"):
        if jax.eval_shape(partial(jax.random.key, impl=impl), 0).dtype == value.dtype:
            key = jax.random.key(int(random_bits(1, seed=seed, name=name)[0]), impl=impl)
            return jax.random.split(key, value.shape) if value.shape else key
    raise TypeError(f"leaf {name!r} has keys of an unknown kind: {value.dtype}")
