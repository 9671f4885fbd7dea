"""Whole modules of torch: a plan of every parameter by name, then the values in place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, TypeAlias, TypeVar

import torch
from torch import nn

from ..arguments import choose, instance
from ..drawing import memory
from ..drawing.streams import Seed, encoded_name, resolve_seed
from ..dtypes import dtype_name
from ..plans.init import draw_plan
from ..plans.make import Choice, make_plan
from ..plans.model import Model, TensorSpec
from ..plans.plan import Plan
from ..plans.recipe import Recipe, parse_rule, read_recipe, shipped_recipes
from ..schemes.catalogue import SCHEMES
from . import auto
from .layers import FIXED, Slot, slots
from .tensors import draw_block

_Module = TypeVar("_Module", bound=nn.Module)
_Scheme: TypeAlias = Recipe | str | os.PathLike[str]


def plan_module(
    model: nn.Module,
    scheme: _Scheme = "auto",
    *,
    prefix: str = "",
    layouts: Mapping[str, str] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    **numbers: Any,
) -> Plan:
    """What `init_module` would draw, for the same arguments: print it before a byte is written.

    >>> print(plan_module(nn.Linear(8, 4), "he_normal"))
    name    shape  dtype    scheme     fans  law                        bytes  why
    weight  4x8    float32  he_normal  8, 4  Normal(mean=0.0, std=0.5)  128    a weight
    bias    4      float32  zeros      -     Constant(value=0.0)        16     a bias
    2 tensors, 144 bytes, recipe he_normal
    """
    return _plan(model, scheme, prefix, layouts, rules, numbers)[0]


def init_module(
    model: _Module,
    scheme: _Scheme = "auto",
    *,
    seed: Seed = None,
    prefix: str = "",
    layouts: Mapping[str, str] | None = None,
    rules: Sequence[Mapping[str, Any]] = (),
    threads: int | None = None,
    **numbers: Any,
) -> _Module:
    """Initialise every parameter of a module, in place, each from the stream of its own name. Returns the module.

    Parameters
    ----------
    model
        Parameters must be float32, float64, float16 or bfloat16 and hold memory. Tied ones are drawn once, under their
        first name. Wrappers (torch.compile, checkpointing, data parallel) are no part of a name. Buffers stay as they
        are.
    scheme
        ``"auto"``: `fastinit.recommend` for each layer, by the activation that follows it. A scheme's name: for all
        weights; biases get zeros, norms 1 and 0, PReLU 0.25, embeddings N(0, 1). A recipe, its name or TOML path: its rules
        decide, with type(module).__name__ as the module.
    seed, threads
        As everywhere; see `fastinit.draw`.
    prefix
        Goes before every name, for a part of a larger model: "encoder." for its encoder.
    layouts
        Patterns of names -> letters of the axes (see `fastinit.fans`) for weights whose module is not known:
        ``{"*.experts.*": "bio"}``.
    rules
        Rules as in a recipe (docs/model-files.md), which go before everything else:
        ``[{"match": "*.cls_token", "scheme": "normal", "std": 0.02}]``.
    numbers
        The scheme's own: ``gain``, ``std``, ...

    Raises
    ------
    TypeError
        for a parameter that is a DTensor or another kind of tensor without plain memory.
    ValueError
        for parameters on the meta device or of other dtypes, for those that nothing says how to draw (all of them are
        named), and for a pattern that matches nothing. Nothing has been written then.

    Examples
    --------
    >>> import fastinit
    >>> model = init_module(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)), seed=0)
    >>> bool((model[0].weight.detach().numpy() == fastinit.he_normal((16, 8), seed=0, name="0.weight")).all())
    True
    """
    plan, owners = _plan(model, scheme, prefix, layouts, rules, numbers)
    for name, slot in owners.items():
        if slot.tensor.is_meta:
            raise ValueError(
                f"parameter {name!r} holds no memory (meta device): call model.to_empty(device='cpu') first"
            )
    tensors = {name: slot.tensor.detach() for name, slot in owners.items()}
    here = [name for name, tensor in tensors.items() if tensor.is_cpu and not tensor.is_neg()]
    places = {name: memory.target(tensors[name]) for name in here}
    number = resolve_seed(seed)
    part = replace(plan, parameters={name: plan[name] for name in here})
    draw_plan(part, places, seed=number, threads=threads)
    for name, tensor in tensors.items():
        if name not in places:
            law, shape = plan[name].distribution, plan[name].shape
            draw_block(tensor, law, seed=number, name=name, shape=shape, dtype=tensor.dtype, threads=threads)
        if owners[name].padding is not None:
            tensor[owners[name].padding] = 0
        torch.autograd.graph.increment_version(tensor)
    return model


def _plan(
    model: nn.Module,
    scheme: _Scheme,
    prefix: str,
    layouts: Mapping[str, str] | None,
    rules: Sequence[Mapping[str, Any]],
    numbers: Mapping[str, Any],
) -> tuple[Plan, dict[str, Slot]]:
    """The plan, and by its names the parameters' first owners."""
    instance("model", model, nn.Module)
    encoded_name(prefix, "prefix")
    owners, ties = _owners(model, prefix, {} if layouts is None else instance("layouts", layouts, Mapping))
    tensors = {name: _described(slot) for name, slot in owners.items()}
    first = tuple(parse_rule(i, dict(rule)) for i, rule in enumerate(instance("rules", rules, Sequence), 1))
    if isinstance(scheme, str) and (scheme == "auto" or scheme in SCHEMES):
        recipe = Recipe(scheme, first)
        otherwise = auto.chooser(model) if scheme == "auto" else _chooser(scheme, numbers)
    else:
        if isinstance(scheme, str) and not scheme.endswith(".toml"):
            choose("scheme", scheme, {"auto": 0, **SCHEMES, **shipped_recipes()})
        if not isinstance(scheme, Recipe | str | os.PathLike):
            raise TypeError(f"scheme must be a name, a recipe or its file, not {scheme!r}")
        recipe = scheme if isinstance(scheme, Recipe) else read_recipe(scheme)
        later = tuple(replace(rule, number=rule.number + len(first)) for rule in recipe.rules)
        recipe = replace(recipe, rules=first + later)
        otherwise = _nothing
    if numbers and recipe.name not in SCHEMES:
        raise TypeError(f"{recipe.name!r} takes no {', '.join(numbers)}: only a scheme takes numbers")
    return make_plan(Model(tensors, ties), recipe, otherwise=lambda name: otherwise(owners[name])), owners


def _nothing(slot: Slot) -> Choice | None:
    return None


def _owners(
    model: nn.Module, prefix: str, layouts: Mapping[str, str]
) -> tuple[dict[str, Slot], dict[str, str]]:
    owners: dict[str, Slot] = {}
    ties: dict[str, str] = {}
    name_of: dict[int, str] = {}
    unused = dict(layouts)
    for slot in slots(model):
        name = prefix + slot.name
        if name in owners or name in ties:
            raise ValueError(f"two parameters are called {name!r} once wrappers are taken off")
        for pattern, letters in layouts.items():
            if fnmatchcase(name, pattern):
                slot = replace(slot, role="weight", geometry={**slot.geometry, "layout": letters})
                unused.pop(pattern, None)
                break
        owner = name_of.setdefault(id(slot.tensor), name)
        if owner == name:
            owners[name] = slot
        else:
            ties[name] = owner
            if {owners[owner].role, slot.role} == {"embedding", "weight"}:
                padding = slot.padding if owners[owner].padding is None else owners[owner].padding
                owners[owner] = replace(owners[owner], role="output", geometry={}, padding=padding)
    if unused:
        raise ValueError(f"layouts: {', '.join(map(repr, unused))} takes no parameter")
    return owners, ties


def _described(slot: Slot) -> TensorSpec:
    """The parameter as a plan sees it, or the error that says why it cannot be drawn."""
    tensor, where = slot.tensor, f"parameter {slot.name!r}"
    if hasattr(tensor, "__tensor_flatten__") or tensor.layout != torch.strided:
        raise TypeError(
            f"{where} is a {type(tensor).__name__} ({tensor.layout}); only plain tensors can be filled"
        )
    try:
        dtype = dtype_name(str(tensor.dtype).removeprefix("torch."))
    except TypeError as error:
        raise ValueError(f"{where} cannot be drawn: {error}") from None
    return TensorSpec(tuple(tensor.shape), dtype, type(slot.module).__name__, slot.geometry)


def _chooser(scheme: str, numbers: Mapping[str, Any]) -> Callable[[Slot], Choice | None]:
    """The scheme for weights, what is usual for the rest."""

    def choose(slot: Slot) -> Choice | None:
        if slot.role in FIXED:
            return FIXED[slot.role]
        if not slot.role:
            return None
        own = dict(numbers)
        if "axis" in SCHEMES[scheme].keywords and "layout" in slot.geometry:
            own.setdefault("axis", slot.geometry["layout"].index("o"))
        return Choice(scheme, own, "an embedding tied to a weight" if slot.role == "output" else "a weight")

    return choose
