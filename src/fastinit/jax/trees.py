"""Whole models of JAX: a pytree and a recipe -> a plan of its leaves by name, and a tree with their values."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding

from ..drawing.fill import fill, random_bits
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import dtype_name, numpy_dtype
from ..plans.make import make_plan
from ..plans.model import Model, TensorSpec
from ..plans.plan import Plan
from ..plans.recipe import RecipeLike, as_recipe
from .arrays import sharded_array
from .layers import Path, owner_of

_VALUE = jax.tree_util.GetAttrKey("value")


def plan(tree: Any, recipe: RecipeLike = "default") -> Plan:
    """What `init` would draw: the law of every floating-point leaf, by name. Nothing is drawn.

    >>> layer = {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32), "bias": jax.ShapeDtypeStruct((4,), jnp.float32)}
    >>> plan({"Dense_0": layer}, "he_normal")["Dense_0.kernel"].distribution
    Normal(mean=0.0, std=0.5)
    """
    return _plan(tree, _flatten(tree)[0], recipe)


def init(tree: Any, recipe: RecipeLike = "default", *, seed: Seed = None) -> Any:
    """A tree like the given one with every floating-point leaf drawn by the recipe; the given one is left as it is.

    The name is the path with dots: ``layers.0.kernel``. Other leaves stay, but for those of an abstract nnx module's
    random streams: an abstract key becomes a new one, an abstract count 0.

    Parameters
    ----------
    tree
        Arrays or ``jax.ShapeDtypeStruct`` in any pytree: parameters of Flax linen, an Equinox module, an nnx module
        (also from ``nnx.eval_shape``), dicts. A leaf's NamedSharding is kept, and each shard drawn alone.
    recipe
        A recipe or its file; a scheme's name, for all weights that have fans; or a mapping of globs to schemes or rules.
    seed
        With a leaf's name it is the stream, so that a leaf's values do not depend on the others. Every process
        must give the same.

    Raises
    ------
    TypeError, ValueError
        for a tree without floating-point leaves, leaves of other dtypes than can be drawn, and what `plan` refuses.

    Examples
    --------
    >>> layer = {"kernel": jax.ShapeDtypeStruct((8, 4), jnp.float32), "bias": jax.ShapeDtypeStruct((4,), jnp.float32)}
    >>> init({"Dense_0": layer}, "lecun_normal", seed=0)["Dense_0"]["kernel"].shape
    (8, 4)
    """
    leaves, rebuild = _flatten(tree)
    planned, number = _plan(tree, leaves, recipe), resolve_seed(seed)

    def value(path: Path, leaf: Any) -> Any:
        parameter = planned.get(_name(path))
        if parameter is None:
            return _random_state(_name(path), leaf, number)
        sharding = getattr(leaf, "sharding", None)
        sharding = sharding if isinstance(sharding, NamedSharding) else None
        dtype = numpy_dtype(parameter.dtype)
        write = partial(
            fill, scheme=parameter.distribution, seed=number, name=parameter.name, shape=parameter.shape
        )
        return sharded_array(parameter.shape, dtype, sharding, write)

    return rebuild([value(path, leaf) for path, leaf in leaves])


def _flatten(tree: Any) -> tuple[list[tuple[Path, Any]], Callable[[list[Any]], Any]]:
    """The leaves with their paths of names and indices, and the way back."""
    nnx = sys.modules.get("flax.nnx")
    if nnx is not None and isinstance(tree, (nnx.Module, nnx.State)):
        # As a pytree, a shared variable would stand, and be drawn, twice.
        definition, state = nnx.split(tree)
        variables = nnx.to_flat_state(state)

        def merge(values: list[Any]) -> Any:
            new = [
                (path, variable.replace(value))
                for (path, variable), value in zip(variables, values, strict=True)
            ]
            return nnx.merge(definition, nnx.from_flat_state(new))

        return [(path, variable.get_value()) for path, variable in variables], merge
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    return [(_path(path), leaf) for path, leaf in leaves], partial(jax.tree_util.tree_unflatten, structure)


def _path(entries: Any) -> Path:
    """The names and indices in a path of jax.tree_util, without the boxes that linen puts partitioned leaves in."""
    keys = [next(getattr(e, kind) for kind in ("name", "idx", "key") if hasattr(e, kind)) for e in entries]
    boxed = len(keys) > 1 and entries[-1] == _VALUE and isinstance(entries[-2], jax.tree_util.DictKey)
    return tuple(keys[:-1] if boxed else keys)


def _name(path: Path) -> str:
    return ".".join(map(str, path))


def _plan(tree: Any, leaves: list[tuple[Path, Any]], recipe: RecipeLike) -> Plan:
    tensors: dict[str, TensorSpec] = {}
    for path, leaf in leaves:
        name, dtype = _name(path), getattr(leaf, "dtype", None)
        if dtype is None or not jnp.issubdtype(dtype, np.inexact):
            continue
        if name in tensors:
            raise ValueError(f"two leaves have the name {name!r}")
        try:
            kind = dtype_name(dtype)
        except TypeError as error:
            raise TypeError(f"leaf {name!r}: {error}") from None
        module, geometry = owner_of(tree, path, leaf.shape)
        tensors[name] = TensorSpec(tuple(leaf.shape), kind, module, geometry)
    if not tensors:
        raise ValueError("tree has no floating-point arrays")
    return make_plan(Model(tensors), as_recipe(recipe))


def _random_state(name: str, leaf: Any, seed: int) -> Any:
    """Of an abstract random stream of nnx: a new key, a count of 0. Anything else as it is."""
    if not isinstance(leaf, jax.ShapeDtypeStruct) or leaf.shape != ():
        return leaf
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.key(int(random_bits(1, seed=seed, name=name)[0]))
    return jnp.zeros((), leaf.dtype)
