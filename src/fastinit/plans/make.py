"""A model and a recipe -> the plan: the first rule that takes a parameter decides."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from numpy.typing import DTypeLike

from ..arguments import checked_shape, file_path
from ..drawing.fill import checked_parameters
from ..dtypes import dtype_name
from ..laws.distributions import Distribution
from ..laws.structured import Structured
from ..schemes.catalogue import SCHEMES
from ..schemes.fans import Fans, Geometry, fans
from ..schemes.resolve import heeded, resolve
from .model import Model, TensorSpec, read_model
from .parameter import Parameter
from .plan import Plan
from .recipe import Recipe, RecipeLike, Rule, as_recipe
from .sizes import layers_of


class Choice(NamedTuple):
    """What is drawn for a parameter, and why."""

    scheme: str
    numbers: Mapping[str, Any]
    reason: str
    lr: float = 1.0


def make_plan(
    model: Model,
    recipe: Recipe,
    dtype: str | None = None,
    otherwise: Callable[[str], Choice | None] = lambda name: None,
) -> Plan:
    """Apply the recipe: the first rule that takes a parameter gives its law, or ``otherwise`` where none does.

    Raises ValueError, naming them, for parameters that nothing takes, a rule that takes nothing and is not
    ``optional``, and a law that cannot be had for a shape or dtype.
    """
    where = f"recipe {recipe.name!r}"
    layer_of = layers_of(recipe.layers, model.tensors)
    n_layers = Counter(layer.stack for layer in set(layer_of.values()))
    size = cache(lambda name: recipe.size(name, model.tensors))
    used: set[int] = set()
    missing: list[str] = []
    known: dict[Any, tuple[Distribution | Structured, Fans | None]] = {}  # models repeat a few shapes often
    parameters = {}
    for name, tensor in model.tensors.items():
        taking = [rule for rule in recipe.rules if rule.takes(name, tensor)]
        rule = taking[0] if taking else None
        kind = dtype or tensor.dtype
        try:
            if rule is None:
                choice = otherwise(name)
            else:
                used.add(rule.number)
                layer = layer_of.get(name)
                numbers, lr = rule.numbers_for(tensor, size, layer, n_layers[layer.stack] if layer else 0)
                choice = Choice(rule.scheme, numbers, "", lr)
            if choice is None:
                missing.append(f"{name!r} of shape {tensor.shape}")
                continue
            case = (choice.scheme, tensor.shape, kind, repr(tensor.geometry), repr(choice.numbers))
            if case not in known:
                law, _ = known[case] = law_of(tensor, choice.scheme, choice.numbers)
                if not isinstance(law, Structured):
                    checked_parameters(law, kind)
        except (TypeError, ValueError) as error:
            by = "" if rule is None else f" rule {rule.number},"
            raise ValueError(f"{where},{by} parameter {name!r}: {error}") from None
        number = 0 if rule is None else rule.number
        parameters[name] = Parameter(name, tensor.shape, kind, choice.scheme, *known[case], number,
                                     choice.reason, tensor.module, choice.lr,
                                     _also(taking))  # fmt: skip
    if missing:
        several = "s" if len(missing) > 1 else ""
        raise ValueError(
            f"{where}: no rule takes the parameter{several} {', '.join(missing)}; give each a rule with a match and a scheme"
        )
    for rule in recipe.rules:
        if rule.number not in used and not rule.optional:
            first = next((p for p in parameters.values() if rule.number in p.also), None)
            why = f": rule {first.rule} goes before it for {first.name!r}" if first else ""
            raise ValueError(f"{where}: rule {rule.number} ({rule.conditions}) takes no parameter{why}")
    return Plan(parameters, model.ties, recipe.name)


def _also(taking: Sequence[Rule]) -> tuple[int, ...]:
    """The rules that would take what the first does, but for those in an order that is meant: optional ones, and those
    without a pattern, which catch what others leave."""
    if not taking or taking[0].optional:
        return ()
    return tuple([rule.number for rule in taking[1:] if rule.match and not rule.optional])


def law_of(
    tensor: TensorSpec, scheme: str, numbers: Mapping[str, Any]
) -> tuple[Distribution | Structured, Fans | None]:
    """The law that a scheme gives a tensor, and the fans it rests on; the numbers go before what is known of the tensor."""
    known = {**heeded(scheme, tensor.geometry), **numbers}
    law = resolve(scheme, tensor.shape, known)
    if not SCHEMES[scheme].needs_fans:
        return law, None
    return law, fans(tensor.shape, **{k: v for k, v in known.items() if k in Geometry._fields})


def plan(
    params: Plan | Mapping[str, Any] | str | os.PathLike[str],
    recipe: RecipeLike | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> Plan:
    """The plan for a model file, or for a mapping of names to shapes or arrays. A plan is returned as it is.

    ``recipe`` is as in `as_recipe`, "default" by default; ``dtype`` goes before the model's own. Raises TypeError for other
    ``params`` and for a recipe or dtype beside a plan, OSError for a file that cannot be read, and ValueError for a
    malformed one, an unknown recipe, and parameters that the recipe does not take.

    >>> plan({"fc.weight": (4, 8)}, "he_normal")["fc.weight"].distribution
    Normal(mean=0.0, std=0.5)
    """
    if isinstance(params, Plan):
        if recipe is not None or dtype is not None:
            raise TypeError(f"a plan has its own laws, but recipe={recipe!r}, dtype={dtype!r} was asked for")
        return params
    chosen = None if dtype is None else dtype_name(dtype)
    if isinstance(params, Mapping):
        model = Model({name: _described(name, value) for name, value in params.items()})
    else:
        model = read_model(file_path("params", params))
    return make_plan(model, as_recipe("default" if recipe is None else recipe), chosen)


def _described(name: Any, value: Any) -> TensorSpec:
    if not isinstance(name, str):
        raise TypeError(f"names in params must be strings, not {name!r}")
    if hasattr(value, "shape"):
        shape, module = checked_shape(tuple(value.shape)), getattr(value, "module", "")
        return TensorSpec(shape, dtype_name(getattr(value, "dtype", "float32")), module)
    return TensorSpec(checked_shape(value), "float32")
