"""A model and a recipe -> the plan: the first rule that takes a parameter decides."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

from numpy.typing import DTypeLike

from ..arguments import checked_shape, file_path
from ..drawing.prepared import prepared
from ..drawing.streams import encoded_name
from ..dtypes import Array, dtype_name, is_integer, name_of, part_of
from ..laws.composed import Patched
from ..laws.distributions import Constant, Distribution
from ..laws.parts import of_reals
from ..laws.structured import Structured
from ..schemes.catalogue import SCHEMES
from ..schemes.fans import Fans, Geometry, fans
from ..schemes.resolve import heeded, resolve
from .model import Model, TensorSpec, read_model
from .parameter import COUNTS, Parameter
from .plan import Plan
from .recipe import Recipe, RecipeLike, Rule, as_recipe, default_recipe
from .roles import OWN, ROLES, with_roles
from .sizes import layers_of


class Choice(NamedTuple):
    """What is drawn for a parameter, and why: what the scheme gives it, or the distribution if that is known."""

    scheme: str
    numbers: Mapping[str, Any]
    reason: str
    lr: float = 1.0
    distribution: Distribution | None = None


def make_plan(
    model: Model,
    recipe: Recipe,
    dtype: str | None = None,
    otherwise: Callable[[str, TensorSpec], Choice | None] = lambda name, tensor: None,
) -> Plan:
    """Apply the recipe: the first rule that takes a parameter gives its distribution. If none does, ``otherwise`` is asked.

    Raises ValueError, naming them, for parameters that nothing takes, a rule that takes nothing and is not
    ``optional``, and a distribution that a shape or dtype cannot have.
    """
    where = f"recipe {recipe.name!r}"
    tensors = with_roles(model.tensors)
    layer_of = layers_of(recipe.layers, tensors)
    n_layers = Counter(layer.stack for layer in set(layer_of.values()))
    size = cache(lambda name: recipe.size(name, tensors))
    used: set[int] = set()
    missing: list[str] = []
    known: dict[Any, tuple[Distribution, Fans | None]] = {}  # models repeat a few shapes often
    parameters = {}
    for name, tensor in tensors.items():
        taking = [rule for rule in recipe.rules if rule.takes(name, tensor)]
        rule = taking[0] if taking else None
        kind = dtype or tensor.dtype
        try:
            if rule is None:
                choice = otherwise(name, tensor) or own_value(tensor)
            else:
                used.add(rule.number)
                layer = layer_of.get(name)
                numbers, lr = rule.numbers_for(tensor, size, layer, n_layers[layer.stack] if layer else 0)
                choice = Choice(rule.scheme, numbers, ROLES[tensor.role] if rule.role else "", lr)
            if choice is None:
                role = f" ({ROLES[tensor.role]})" if tensor.role else ""
                missing.append(f"{name!r} of shape {tensor.shape}{role}")
                continue
            case = (
                choice.scheme,
                tensor.shape,
                kind,
                tensor.zero_row,
                repr(tensor.geometry),
                repr(choice.numbers),
                choice.distribution,
            )
            if case not in known:
                law, counted = law_of(tensor, choice, kind)
                drawn, _ = of_reals(law, tensor.shape, kind)
                if not isinstance(drawn, Structured):
                    prepared(drawn, part_of(kind))
                known[case] = _padded(law, tensor), counted
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
    return Plan(parameters, model.ties, f"recipe {recipe.name}", model.unfilled)


def own_value(tensor: TensorSpec, values: Array | None = None) -> Choice | None:
    """The one value that the model has, where no theory speaks of the role and the value is known, or is that of all ``values``."""
    if tensor.role in OWN and values is not None and values.size:
        value = float(values.flat[0])
        if math.isfinite(value) and (values == values.flat[0]).all():
            tensor = replace(tensor, value=value)
    if tensor.role not in OWN or tensor.value is None:
        return None
    role = f"{ROLES[tensor.role]}: " if tensor.role else ""
    return Choice("constant", {"value": tensor.value}, f"{role}the model's own value")


def choice_of_role(role: str) -> Choice | None:
    """What the recipe "default" has for a role, or None."""
    for rule in default_recipe().rules:
        if role in rule.role:
            return Choice(rule.scheme, rule.numbers, ROLES[role])
    return None


def _padded(law: Distribution, tensor: TensorSpec) -> Distribution:
    """The law with the row of zeros that stands for padding."""
    row = tensor.zero_row
    if row is None or law == Constant(0.0):
        return law
    return Patched(law, (((row, *[(0, size, 1) for size in tensor.shape[1:]]), Constant(0.0)),))


def _also(taking: Sequence[Rule]) -> tuple[int, ...]:
    """The rules that would take what the first does, except those in an order that is meant: optional ones, and those
    without a pattern, which catch what others leave."""
    if not taking or taking[0].optional:
        return ()
    return tuple([rule.number for rule in taking[1:] if rule.match and not rule.optional])


def law_of(tensor: TensorSpec, choice: Choice, dtype: str) -> tuple[Distribution, Fans | None]:
    """The distribution that a choice gives a tensor, and the fans it rests on; its numbers go before what is known of the tensor."""
    if choice.distribution is not None:
        return choice.distribution, None
    known = {**heeded(choice.scheme, tensor.geometry), **choice.numbers}
    law = resolve(choice.scheme, tensor.shape, known, dtype=dtype)
    if not SCHEMES[choice.scheme].needs_fans:
        return law, None
    return law, fans(tensor.shape, **{k: v for k, v in known.items() if k in Geometry._fields})


def plan(
    params: Mapping[str, Any] | str | os.PathLike[str],
    recipe: RecipeLike = "default",
    *,
    prefix: str = "",
    dtype: DTypeLike | None = None,
) -> Plan:
    """What `init` would draw for a model: the distribution of every parameter, by name. Nothing is drawn.

    Parameters
    ----------
    params
        A mapping of names to arrays, tensors, ``jax.ShapeDtypeStruct`` or plain shapes (float32): a ``state_dict``, say. Or
        a file: JSON with shapes (docs/model-files.md), or the header of a safetensors file. Names that hold one array are
        tied. Integers and bools, such as counts and position ids, are not drawn: they are the plan's ``unfilled``.
    recipe
        A recipe, its name or TOML file; a scheme's name, for all weights; or a mapping of globs to schemes or rules, which
        go before the recipe "default". What "default" and a scheme give to biases, norms and other roles is in
        docs/recipes.md, "Roles"; roles are found by names and, in a file, by types of modules.
    prefix
        Goes before every name: ``"encoder."`` for the encoder of a larger model.
    dtype
        For all parameters, instead of the model's own.

    Returns
    -------
    Plan
        In the order of ``params``.

    Raises
    ------
    TypeError
        for other ``params``, and dtypes that cannot be drawn.
    ValueError
        for a malformed file, an unknown recipe, and parameters of which nothing says what they get, all of them by name.
    OSError
        for a file that cannot be read.

    Examples
    --------
    >>> plan({"fc.weight": (4, 8)}, "he_normal")["fc.weight"].distribution
    Normal(mean=0.0, std=0.5)
    """
    chosen = None if dtype is None else dtype_name(dtype)
    if isinstance(params, Plan):
        raise TypeError("params is a plan already: fastinit.init draws it")
    if hasattr(params, "named_parameters"):
        raise TypeError(
            "params is a torch module: fastinit.torch.plan takes it, and record its own initialisation"
        )
    model = _model_of(params) if isinstance(params, Mapping) else read_model(file_path("params", params))
    encoded_name(prefix, "prefix")
    named = {prefix + name: tensor for name, tensor in model.tensors.items()}
    ties = {prefix + alias: prefix + owner for alias, owner in model.ties.items()}
    left = {prefix + name: replace(row, name=prefix + name) for name, row in model.unfilled.items()}
    return make_plan(Model(named, ties, left), as_recipe(recipe), chosen)


def with_recipe(own: Plan, recipe: RecipeLike, dtype: str | None = None) -> Plan:
    """A plan of the model's own code, with what the recipe gives its parameters; buffers keep what they have."""
    whole = own.astype(dtype) if dtype else own
    chosen = plan({name: row for name, row in whole.items() if not row.buffer}, recipe)
    rows = {name: row if row.buffer else chosen[name] for name, row in whole.items()}
    return replace(whole, parameters=rows, source=chosen.source)


def _model_of(params: Mapping[Any, Any]) -> Model:
    tensors: dict[str, TensorSpec] = {}
    ties: dict[str, str] = {}
    first: dict[Any, str] = {}
    unfilled: dict[str, Parameter] = {}
    for name, value in params.items():
        if not isinstance(name, str):
            raise TypeError(f"names in params must be strings, not {name!r}")
        owner = first.setdefault(_memory(value), name)
        if owner != name:
            ties[name] = owner
            continue
        try:
            spec = _described(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"parameter {name!r}: {error}") from None
        if spec is None:
            unfilled[name] = Parameter.kept(
                name, checked_shape(tuple(value.shape)), name_of(value.dtype), COUNTS
            )
        else:
            tensors[name] = spec
    if unfilled and not tensors:
        raise ValueError(f"params has only integers and bools, which are not drawn: {', '.join(unfilled)}")
    ties = {alias: owner for alias, owner in ties.items() if owner in tensors}
    return Model(tensors, ties, unfilled)


def _described(value: Any) -> TensorSpec | None:
    """A shape, or an array's shape and dtype; None for integers and bools."""
    if not hasattr(value, "shape"):
        if isinstance(value, Mapping):
            raise TypeError(
                "it is a mapping; params maps whole names to shapes or arrays (fastinit.jax takes trees)"
            )
        return TensorSpec(checked_shape(value), "float32")
    shape, dtype = checked_shape(tuple(value.shape)), getattr(value, "dtype", "float32")
    if is_integer(dtype):
        return None
    return TensorSpec(shape, dtype_name(dtype), getattr(value, "module", ""))


def _memory(value: Any) -> object:
    """Equal for arrays that are one, and for torch's tensors that are one memory, as tied ones are in a state_dict."""
    if hasattr(value, "is_set_to") and value.numel():
        return (value.untyped_storage(), value.storage_offset(), tuple(value.shape), value.stride())
    return id(value) if hasattr(value, "dtype") else object()
