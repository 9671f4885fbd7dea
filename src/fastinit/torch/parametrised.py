"""Weights that a module computes from other tensors: weight norm, spectral norm, orthogonal and users' parametrisations.

torch has two kinds. Hooks compute the weight anew before each forward pass, and the module itself owns what it is made of:
`weight_g` and `weight_v`, or `weight_orig`. Parametrisations compute it whenever it is asked for, and own `original`, or
`original0`, `original1`, ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..laws.distributions import Distribution
from ..laws.views import SingularVector
from . import _private
from ._private import SpectralNorm, WeightNorm

Inverse: TypeAlias = Callable[[Tensor], dict[str, Tensor]]


class Vector(NamedTuple):
    """A buffer that keeps a singular vector of the matrix whose rows `axis` counts, for spectral norm. ``of`` is the matrix
    as it is called seen from the buffer."""

    name: str
    of: str
    axis: int
    left: bool

    def law(self, inner: Distribution, sizes: tuple[int, ...]) -> Distribution:
        return SingularVector(inner, sizes, self.axis, self.left, self.of)


@dataclass(frozen=True)
class Computed:
    """A weight that a module computes. ``inverse()`` gives torch's way from a value of the weight to the tensors that it is
    made of, by their names in the module; ``fault`` says why there is none."""

    name: str
    kind: str
    parts: dict[str, Tensor]
    shape: tuple[int, ...]
    dtype: torch.dtype
    inverse: Callable[[], Inverse]
    vectors: tuple[Vector, ...] = ()
    fault: str = ""

    @property
    def like(self) -> Tensor:
        """A tensor of its shape and dtype, without memory."""
        return torch.empty(self.shape, dtype=self.dtype, device="meta")


def computed_weights(module: nn.Module) -> list[Computed]:
    """The weights that a module computes, in the order in which they were registered.

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
    >>> [(weight.name, weight.kind, list(weight.parts)) for weight in computed_weights(layer)]
    [('weight', 'weight norm', ['parametrizations.weight.original0', 'parametrizations.weight.original1'])]
    """
    found = [made for hook in _private.pre_hooks(module) if (made := _by_hook(module, hook)) is not None]
    if parametrize.is_parametrized(module):
        lists: Any = module.parametrizations
        found += [made for name, steps in lists.items() if (made := _by_list(name, steps)) is not None]
    return found


def _by_hook(module: nn.Module, hook: Any) -> Computed | None:
    if isinstance(hook, WeightNorm):
        g, v = hook.name + "_g", hook.name + "_v"
        parts = {g: getattr(module, g), v: getattr(module, v)}

        def inverse(value: Tensor) -> dict[str, Tensor]:
            return {g: torch.norm_except_dim(value, 2, hook.dim), v: value}

        return _computed(hook.name, "weight norm", parts, lambda: inverse)
    if isinstance(hook, SpectralNorm):
        original = hook.name + "_orig"
        vectors = tuple(
            [Vector(hook.name + end, original, hook.dim, left) for end, left in (("_u", True), ("_v", False))]
        )
        parts = {original: getattr(module, original)}
        return _computed(hook.name, "spectral norm", parts, lambda: lambda value: {original: value}, vectors)
    return None


def _by_list(name: str, steps: Any) -> Computed | None:
    """What a `ParametrizationList` computes; None if it computes a buffer."""
    path = f"parametrizations.{name}."
    parts = {path + local: tensor for local, tensor in steps.named_parameters(recurse=False)}
    if not parts:
        return None
    kinds = [_KINDS.get(type(step).__name__, type(step).__name__) for step in steps]
    without = [kind for kind, step in zip(kinds, steps, strict=True) if not hasattr(step, "right_inverse")]
    fault = f"its parametrisation {without[0]} has no right_inverse" if without else ""
    vectors: tuple[Vector, ...] = ()
    if kinds[0] == "spectral norm" and hasattr(steps[0], "_u"):  # vectors have none
        ends = (("_u", True), ("_v", False))
        vectors = tuple([Vector(f"{path}0.{end}", ".original", steps[0].dim, left) for end, left in ends])
    elif "spectral norm" in kinds[1:]:
        fault = fault or f"it has spectral norm of what {kinds[0]} computes"
    shape = None
    if steps.unsafe and not all(type(step).__name__ in _KINDS for step in steps):
        shape = _shape_made(steps)
        fault = fault or ("" if shape else f"its parametrisation {kinds[0]} cannot be run on the meta device")
    return _computed(
        name, " and ".join(kinds), parts, lambda: _right_inverse(path, steps), vectors, fault, shape
    )


_KINDS = {
    "_WeightNorm": "weight norm",
    "_SpectralNorm": "spectral norm",
    "_Orthogonal": "orthogonal parametrisation",
}


def _computed(
    name: str,
    kind: str,
    parts: dict[str, Tensor],
    inverse: Callable[[], Inverse],
    vectors: tuple[Vector, ...] = (),
    fault: str = "",
    shape: tuple[int, ...] | None = None,
) -> Computed:
    last = list(parts.values())[-1]  # the directions of weight norm
    lazy = isinstance(last, nn.UninitializedParameter)
    sizes = shape if shape is not None else () if lazy else tuple(last.shape)
    if last.is_complex():
        vectors, fault = (), fault or f"it is complex, and its {kind} is known of real weights only"
    return Computed(name, kind, parts, sizes, last.dtype, inverse, vectors, fault)


def _shape_made(steps: Any) -> tuple[int, ...] | None:
    try:
        made: Tensor = _copied(steps, all_meta=True)()
    except Exception:  # anybody's code, which may fail in any way
        return None
    return tuple(made.shape)


def _right_inverse(path: str, steps: Any) -> Inverse:
    """What a value of the weight makes of the originals, and of the buffers that are exchanged on the way."""
    copied = _copied(steps)
    before = dict(copied.named_buffers())

    def inverse(value: Any) -> dict[str, Tensor]:
        for step in reversed(list(copied)):
            value = step.right_inverse(value)
        tensors = {"original": value} if steps.is_tensor else {f"original{i}": v for i, v in enumerate(value)}
        for name, buffer in copied.named_buffers():
            if buffer is not before.get(name):
                tensors[name] = buffer
        return {path + name: tensor for name, tensor in tensors.items()}

    return inverse


def _copied(steps: Any, all_meta: bool = False) -> Any:
    """A copy that may be run: its parameters are without memory."""
    tensors = [*steps.parameters(), *(steps.buffers() if all_meta else ())]
    return deepcopy(steps, {id(tensor): blank(tensor) for tensor in tensors})


def blank(tensor: Tensor) -> Tensor:
    """A tensor of that shape and dtype on the meta device; a whole one, whatever the process holds."""
    made = torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
    return nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


def recompute(modules: Iterable[nn.Module]) -> None:
    """Put the weights that hooks compute where the modules keep them until the next forward pass. Those of shards are left
    to it: all processes would have to take part."""
    for module in modules:
        for hook in _private.pre_hooks(module):
            made = _by_hook(module, hook)
            if made is None or any(hasattr(tensor, "placements") for tensor in made.parts.values()):
                continue
            with torch.set_grad_enabled(getattr(module, made.name).requires_grad):
                again = (False,) if isinstance(hook, SpectralNorm) else ()
                setattr(module, made.name, hook.compute_weight(module, *again))
