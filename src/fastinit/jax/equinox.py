"""The state of Equinox's layers, which lies beside the model: what it holds, and what must fit the weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._private import equinox, markers_of

# A layer's StateIndex -> what it holds: of arrays the roles, of a flag and a counter what they begin with.
_HELD: dict[str, dict[str, tuple[Any, ...]]] = {
    "BatchNorm": {
        "ema_first_time_index": (True,),
        "ema_state_index": ("mean", "variance"),
        "batch_counter": (0,),
        "batch_state_index": ("mean", "variance"),
    },
    "SpectralNorm": {"uv_index": ("iteration", "iteration")},
}
_ITERATIONS = 15  # as many as a new SpectralNorm makes


def states_of(tree: Any) -> dict[Any, tuple[Any, ...]]:
    """The marker of each StateIndex in a tree -> what it holds, for Equinox's own layers."""
    known = {}
    for name, attributes in _HELD.items():
        for layer in _layers(tree, name):
            for attribute, held in attributes.items():
                if (index := getattr(layer, attribute, None)) is not None:
                    known[index.marker] = held
    return known


def is_state(owners: tuple[Any, ...]) -> bool:
    """Whether a leaf lies within a State; ``owners`` are the modules and containers above it, from inside out."""
    eqx = equinox()
    return eqx is not None and any(isinstance(owner, eqx.nn.State) for owner in owners)


def held(path: tuple[Any, ...], owners: tuple[Any, ...], states: Mapping[Any, tuple[Any, ...]]) -> Any:
    """What the leaf of a State is, as `_HELD` says it; None if that is not known."""
    if not states or not is_state(owners):
        return None
    eqx: Any = equinox()
    outward = next(i for i, owner in enumerate(owners) if isinstance(owner, eqx.nn.State))
    depth, markers = len(owners) - 1 - outward, markers_of(owners[outward])
    if not path[depth] < len(markers):
        return None
    parts = states.get(markers[path[depth]])
    return None if parts is None else parts[path[-1] if len(path) > depth + 1 else 0]


def is_constant(value: Any, owners: tuple[Any, ...]) -> bool:
    """Whether it is a NumPy array in a module: Equinox's way to say that an array is not a parameter."""
    eqx = equinox()
    return (
        eqx is not None
        and isinstance(value, np.ndarray)
        and bool(owners)
        and isinstance(owners[0], eqx.Module)
    )


def is_computed(path: tuple[Any, ...], owners: tuple[Any, ...]) -> bool:
    """Whether it is the gain of a WeightNorm, which is the norm of the weight's rows."""
    eqx = equinox()
    return eqx is not None and bool(owners) and isinstance(owners[0], eqx.nn.WeightNorm) and path[-1] == "g"


def fitted(tree: Any) -> Any:
    """The tree, with what must fit its weights: the gains of weight norms, the vectors of spectral norms."""
    eqx, norms = equinox(), _layers(tree, "SpectralNorm")
    if not norms and not _layers(tree, "WeightNorm"):
        return tree

    def fits(node: Any) -> bool:
        return isinstance(node, (eqx.nn.State, eqx.nn.WeightNorm))  # type: ignore[union-attr]

    def fit(node: Any) -> Any:
        if not fits(node):
            return node
        if not isinstance(node, eqx.nn.State):  # type: ignore[union-attr]
            weight = getattr(node.layer, node.weight_name)
            axes = tuple(i for i, n in enumerate(node.g.shape) if n != weight.shape[i])
            gain = jnp.sqrt(jnp.sum(weight * weight, axes, keepdims=True))
            return eqx.tree_at(lambda norm: norm.g, node, gain)  # type: ignore[union-attr]
        markers = markers_of(node)
        for norm in norms:
            if norm.uv_index.marker in markers:
                weight = getattr(norm.layer, norm.weight_name)
                vectors = _power_iterations(norm.eps, weight, *node.get(norm.uv_index))
                node = node.set(norm.uv_index, vectors)
        return node

    return jax.tree_util.tree_map(fit, tree, is_leaf=fits)


def _power_iterations(eps: float, weight: Any, u: Any, v: Any) -> Any:
    if u.ndim > 1:  # stacked layers
        return jax.vmap(partial(_power_iterations, eps))(weight, u, v)
    matrix = weight.reshape(weight.shape[0], -1)
    for _ in range(_ITERATIONS):
        v = matrix.T @ u
        v /= jnp.maximum(jnp.linalg.norm(v), eps)
        u = matrix @ v
        u /= jnp.maximum(jnp.linalg.norm(u), eps)
    return u, v


def _layers(tree: Any, name: str) -> list[Any]:
    """The tree's layers of that type of Equinox's."""
    eqx = equinox()
    if eqx is None:
        return []
    kind = getattr(eqx.nn, name)
    nodes = jax.tree_util.tree_leaves(tree, is_leaf=lambda node: isinstance(node, kind))
    return [node for node in nodes if isinstance(node, kind)]
