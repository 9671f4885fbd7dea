"""The leaves of a JAX tree: their names, the modules that own them, and which of them are parameters."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..plans.parameter import COUNTS, NOT_A_PARAMETER
from . import equinox
from ._private import boxed, flax_nnx

Path: TypeAlias = tuple[Any, ...]
"""The names and indices that lead to a leaf."""
Rebuild: TypeAlias = Callable[[list[Any]], Any]
"""New values, in the order of the leaves -> a tree like the given one."""

# The statistics of Flax's norms by their names, and the roles that plans know them by.
_STATISTICS = {"mean": "mean", "var": "variance", "u": "iteration", "sigma": "sigma"}


@dataclass(frozen=True)
class Leaf:
    """A leaf of a tree. ``owners`` are the module or container that has it, the one that has that, and so on; None if a
    pytree does not tell its children's names.

    ``drawn`` says whether it is to be in a plan: parameters are, and statistics of which the ``role`` is known. ``frozen`` says
    that it is the base of an adapter and has values. ``begins`` is the value of another leaf that is abstract, if its
    module tells it, or "random" for nnx's random streams. ``axis_names`` are those of linen's boxes for partitioned leaves.
    """

    path: Path
    value: Any
    owners: tuple[Any, ...] = ()
    drawn: bool = False
    role: str = ""
    frozen: bool = False
    begins: Any = None
    axis_names: tuple[str | None, ...] | None = None

    @property
    def name(self) -> str:
        return ".".join(map(str, self.path))

    @property
    def owner(self) -> Any:
        return self.owners[0] if self.owners else None

    @property
    def is_abstract(self) -> bool:
        return any(isinstance(part, jax.ShapeDtypeStruct) for part in jax.tree_util.tree_leaves(self.value))

    @property
    def why_left(self) -> str:
        """Why its values are kept, if it is not drawn."""
        if self.frozen:
            return "frozen, the base of a LoRA: it keeps the model's own values"
        if self.begins == "random":
            return "a random stream: it keeps its own, or gets new keys if it is abstract"
        if not is_inexact(self.value):
            return COUNTS
        return NOT_A_PARAMETER


def is_inexact(value: Any) -> bool:
    """Whether it is an array of real or complex numbers."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and hasattr(value, "shape") and jnp.issubdtype(dtype, np.inexact)


def leaves_of(tree: Any) -> tuple[list[Leaf], Rebuild]:
    """The leaves, and the way back from their new values to a tree like the given one."""
    nnx = flax_nnx()
    if nnx is not None and isinstance(tree, (nnx.Module, nnx.State)):
        return _nnx_leaves(nnx, tree)
    entries, structure = jax.tree_util.tree_flatten_with_path(tree)
    walk, states = _Walk(tree), equinox.states_of(tree)
    leaves = [_leaf(tree, _path(entry), value, walk, states) for entry, value in entries]
    return leaves, lambda values: equinox.fitted(jax.tree_util.tree_unflatten(structure, values))


def _path(entries: Any) -> Path:
    keys = [next(getattr(e, kind) for kind in ("name", "idx", "key") if hasattr(e, kind)) for e in entries]
    return tuple(keys[:-1] if boxed(entries) else keys)


class _Walk:
    """From the root to the modules on the way to a leaf; each is looked up once."""

    def __init__(self, tree: Any) -> None:
        self._known: dict[Path, tuple[Any, ...]] = {(): (tree,)}

    def owners(self, path: Path) -> tuple[Any, ...]:
        return self._to(path[:-1]) if path else ()

    def _to(self, path: Path) -> tuple[Any, ...]:
        if path not in self._known:
            above = self._to(path[:-1])
            try:
                node = (getattr if _by_name(above[0], path[-1]) else operator.getitem)(above[0], path[-1])
            except (AttributeError, KeyError, IndexError, TypeError):
                node = None
            self._known[path] = (node, *above)
        return self._known[path]

    def at(self, path: Path) -> Any:
        return self._to(path)[0]


def _by_name(owner: Any, key: Any) -> bool:
    return isinstance(key, str) and not isinstance(owner, Mapping)


def _leaf(tree: Any, path: Path, value: Any, walk: _Walk, states: Mapping[Any, tuple[Any, ...]]) -> Leaf:
    owners = walk.owners(path)
    leaf = partial(Leaf, path, value, owners, axis_names=getattr(walk.at(path), "names", None))
    if (held := equinox.held(path, owners, states)) is not None:
        drawn = held == "iteration" or (isinstance(held, str) and isinstance(value, jax.ShapeDtypeStruct))
        return leaf(drawn=drawn, role=held) if isinstance(held, str) else leaf(begins=held)
    if equinox.is_computed(path, owners):
        return leaf(begins=0)
    if equinox.is_state(owners) or equinox.is_constant(value, owners):
        return leaf()
    if any(type(owner).__module__.partition(".")[0] == "optax" for owner in owners):
        return leaf()  # an optimizer's moments
    if path and path[0] == "batch_stats":
        role = _STATISTICS.get(str(path[-1]).rpartition("/")[2], "")
        return leaf(drawn=bool(role), role=role)
    if isinstance(tree, Mapping) and "params" in tree and path[0] != "params":
        return leaf()  # another of linen's collections
    return leaf(drawn=is_inexact(value))


def _nnx_leaves(nnx: Any, tree: Any) -> tuple[list[Leaf], Rebuild]:
    """As a pytree, a shared variable would stand, and be drawn, twice: it stands under the first of its paths."""
    definition, state = nnx.split(tree) if isinstance(tree, nnx.Module) else (None, tree)
    variables = nnx.to_flat_state(state)
    walk, leaves = _Walk(tree), []
    for path, variable in variables:
        leaves.append(_nnx_leaf(nnx, path, variable, walk))
    # Abstract arrays that are not variables count as static, and would come back as they are.
    found = {path for path, _ in variables}
    nodes = nnx.iter_graph(tree) if definition is not None else ()
    holes = [path for path, node in nodes if isinstance(node, jax.ShapeDtypeStruct) and path not in found]
    leaves += [_nnx_leaf(nnx, path, walk.at(path), walk) for path in holes]

    def rebuild(values: list[Any]) -> Any:
        new = [
            (path, variable.replace(value) if isinstance(variable, nnx.Variable) else value)
            for (path, variable), value in zip(variables, values, strict=False)
        ]
        flat = nnx.from_flat_state(new)
        if definition is None:
            return flat
        model = nnx.merge(definition, flat)
        for path, value in zip(holes, values[len(variables) :], strict=True):
            owner: Any = _Walk(model).owners(path)[0]
            (setattr if _by_name(owner, path[-1]) else operator.setitem)(owner, path[-1], value)
        return model

    return leaves, rebuild


def _nnx_leaf(nnx: Any, path: Path, variable: Any, walk: _Walk) -> Leaf:
    owners = walk.owners(path)
    value = variable.get_value() if isinstance(variable, nnx.Variable) else variable
    # SpectralNorm and WeightNorm have dicts by paths.
    flat = tuple(part for key in path for part in (key if isinstance(key, tuple) else (key,)))
    leaf = partial(Leaf, flat, value, owners)
    if isinstance(variable, nnx.Param):
        return leaf(
            drawn=True, frozen=not isinstance(value, jax.ShapeDtypeStruct) and _is_base(nnx, path, owners)
        )
    if isinstance(variable, nnx.BatchStat):
        role = _STATISTICS.get(flat[-1], "")
        return leaf(drawn=bool(role), role=role)
    if isinstance(variable, nnx.RngState):
        return leaf(begins="random")
    if len(owners) > 1 and isinstance(owners[1], nnx.WeightNorm) and path[-2] == "scales":
        return leaf(drawn=True, role="norm")
    return leaf()


def _is_base(nnx: Any, path: Path, owners: tuple[Any, ...]) -> bool:
    """Whether a parameter belongs to the layer that a LoRA adapts."""
    inward = zip(reversed(owners), path, strict=False)  # each owner with the key that leads on from it
    within = any(isinstance(owner, nnx.LoRA) and key == "base_module" for owner, key in inward)
    return within or (bool(owners) and isinstance(owners[0], nnx.LoRALinear))
