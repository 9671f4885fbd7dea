"""Plans: a model and a recipe -> the law of every parameter, before a byte is written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from . import schemes
from .distributions import Distribution, choose
from .fans import Fans, fans
from .fill import draw
from .memory import Array, checked_shape, dtype_name, empty, nbytes
from .model import Model, Tensor, read_model
from .streams import Seed, resolve_seed
from .structured import Structured

# By what a residual projection's std is multiplied, by the number of layers and its own layer, from 0.
DEPTH_RULES: dict[str, Callable[[int, int], float]] = {
    "1/sqrt(L)": lambda n, layer: n**-0.5,
    "1/sqrt(2L)": lambda n, layer: (2 * n) ** -0.5,
    "1/sqrt(l+1)": lambda n, layer: (layer + 1) ** -0.5,
    "1/sqrt(2(l+1))": lambda n, layer: (2 * (layer + 1)) ** -0.5,
    "1/L": lambda n, layer: 1 / n,
}
_RULE_KEYS = ("match", "module", "ndim", "scheme", "depth", "optional")
_GEOMETRY = {parameter.name for parameter in schemes.GEOMETRY}


@dataclass(frozen=True)
class Parameter:
    """One row of a plan; ``rule`` counts the recipe's rules from 1."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scheme: str
    distribution: Distribution | Structured
    fans: Fans | None
    rule: int

    @property
    def nbytes(self) -> int:
        return nbytes(self.shape, self.dtype)

    def to_dict(self) -> dict[str, Any]:
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "scheme": self.scheme,
            "fans": list(self.fans) if self.fans else None,
            "distribution": self.distribution.to_dict(),
            "rule": self.rule,
            "bytes": self.nbytes,
        }


@dataclass(frozen=True)
class Plan(Mapping[str, Parameter]):
    """The parameters by name, in the model's order. Tied ones stand once; ``ties`` maps the other names to them."""

    parameters: Mapping[str, Parameter]
    ties: Mapping[str, str]
    recipe: str

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def nbytes(self) -> int:
        return sum(parameter.nbytes for parameter in self.parameters.values())


@dataclass(frozen=True)
class Rule:
    number: int
    match: tuple[str, ...]
    module: tuple[str, ...]
    ndim: tuple[int, ...]
    scheme: str
    depth: str | None
    optional: bool
    numbers: Mapping[str, Any]

    def takes(self, name: str, tensor: Tensor) -> bool:
        return (
            (not self.match or any(fnmatchcase(name, glob) for glob in self.match))
            and (not self.module or any(fnmatchcase(tensor.module, glob) for glob in self.module))
            and (not self.ndim or len(tensor.shape) in self.ndim)
        )


@dataclass(frozen=True)
class Recipe:
    name: str
    rules: tuple[Rule, ...]
    layers: str | None


def read_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """A recipe that ships with the package, by name, or the TOML file of that path."""
    shipped = {path.stem: path for path in (Path(__file__).parent / "recipes").glob("*.toml")}
    if isinstance(recipe, str) and recipe in shipped:
        text = shipped[recipe].read_text()
    elif isinstance(recipe, str) and not recipe.endswith(".toml"):
        choose("recipe", recipe, shipped)
        raise AssertionError
    else:
        text = Path(recipe).read_text()
    import tomllib  # here, to keep the package's import short

    try:
        return _parse(str(recipe), tomllib.loads(text))
    except (TypeError, ValueError) as error:
        raise ValueError(f"recipe {str(recipe)!r}: {error}") from None


def as_recipe(recipe: str | os.PathLike[str] | Mapping[str, Any]) -> Recipe:
    """A recipe by its name or file; or the default one, changed: by a scheme's name, for all weights that have fans, or
    by a mapping of globs to schemes (``{"*head.kernel": "zeros"}``) or rules (``{"*kernel": {"scheme": "normal",
    "std": 0.02}}``), which go first.
    """
    if isinstance(recipe, Mapping):
        tables = {glob: {"scheme": rule} if isinstance(rule, str) else rule for glob, rule in recipe.items()}
        for glob, table in tables.items():
            if not isinstance(table, Mapping):
                raise TypeError(f"the rule of {glob!r} must be a scheme's name or a mapping, not {table!r}")
        own = [_rule(i, {"match": glob, **table}) for i, (glob, table) in enumerate(tables.items(), 1)]
        default = [replace(rule, number=rule.number + len(own)) for rule in read_recipe("default").rules]
        return Recipe("default, changed", (*own, *default), None)
    if not isinstance(recipe, str) or recipe not in schemes.SCHEMES:
        return read_recipe(recipe)

    def changed(rule: Rule) -> Rule:
        if not schemes.SCHEMES[rule.scheme].needs_fans:
            return rule
        counting = {key: value for key, value in rule.numbers.items() if key in _GEOMETRY}
        return replace(rule, scheme=recipe, numbers=counting)

    return Recipe(recipe, tuple(map(changed, read_recipe("default").rules)), None)


def _parse(name: str, data: dict[str, Any]) -> Recipe:
    for key in data:
        choose("key", key, {"layers": None, "rule": None})
    layers, tables = data.get("layers"), data.get("rule")
    if layers is not None and (not isinstance(layers, str) or layers.count("{layer}") != 1):
        raise ValueError(f"layers must be a pattern with one {{layer}}, not {layers!r}")
    if not isinstance(tables, list) or not tables:
        raise ValueError("has no [[rule]]")
    return Recipe(name, tuple(_rule(i, table) for i, table in enumerate(tables, 1)), layers)


def _rule(number: int, table: Any) -> Rule:
    try:
        if not isinstance(table, dict):
            raise ValueError("must be a table")
        if "scheme" not in table:
            raise ValueError("names no scheme")
        row = choose("scheme", table["scheme"], schemes.SCHEMES)
        known = dict.fromkeys((*_RULE_KEYS, *sorted(_GEOMETRY), *row.numbers))
        for key in table:
            choose("key", key, known)
        depth, optional = table.get("depth"), table.get("optional", False)
        if depth is not None:
            choose("depth", depth, DEPTH_RULES)
        if not isinstance(optional, bool):
            raise ValueError(f"optional must be true or false, not {optional!r}")
        numbers = {key: value for key, value in table.items() if key not in _RULE_KEYS}
        return Rule(number, _several(table, "match", str), _several(table, "module", str),
                    _several(table, "ndim", int), table["scheme"], depth, optional, numbers)  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError(f"rule {number}: {error}") from None


def _several(table: dict[str, Any], key: str, kind: type) -> tuple[Any, ...]:
    value = table.get(key, [])
    items = value if isinstance(value, list) else [value]
    if not all(type(item) is kind for item in items):
        raise ValueError(f"{key} must be a {kind.__name__} or a list of them, not {value!r}")
    return tuple(items)


def make_plan(model: Model, recipe: Recipe, dtype: str | None = None) -> Plan:
    """Apply the recipe: the first rule that takes a parameter gives its law.

    Raises ValueError, naming it, for a parameter that no rule takes, a rule that takes nothing and is not
    ``optional``, and a law that cannot be had for a shape.
    """
    where = f"recipe {recipe.name!r}"
    layer_of = _layers(model, recipe.layers)
    n_layers = len(set(layer_of.values()))
    used: set[int] = set()
    # Models repeat a few shapes many times.
    known: dict[Any, tuple[Distribution | Structured, Fans | None]] = {}
    parameters = {}
    for name, tensor in model.tensors.items():
        rule = next((rule for rule in recipe.rules if rule.takes(name, tensor)), None)
        if rule is None:
            raise ValueError(f"{where}: no rule takes the parameter {name!r} of shape {tensor.shape}")
        used.add(rule.number)
        layer = layer_of.get(name)
        row = schemes.SCHEMES[rule.scheme]
        geometry = {k: v for k, v in tensor.geometry.items() if k in row.geometry or k in row.numbers}
        case = (rule.number, tensor.shape, layer if rule.depth else None, tuple(sorted(geometry.items())))
        if case not in known:
            try:
                numbers = {**geometry, **_at_depth(rule, layer, n_layers)}
                law = schemes.distribution(rule.scheme, tensor.shape, **numbers)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{where}, rule {rule.number}, parameter {name!r}: {error}") from None
            counted = None
            if row.needs_fans:
                counted = fans(tensor.shape, **{k: v for k, v in numbers.items() if k in _GEOMETRY})
            known[case] = law, counted
        law, counted = known[case]
        parameters[name] = Parameter(
            name, tensor.shape, dtype or tensor.dtype, rule.scheme, law, counted, rule.number
        )
    for rule in recipe.rules:
        if rule.number not in used and not rule.optional:
            raise ValueError(f"{where}: rule {rule.number} ({_describe(rule)}) takes no parameter")
    return Plan(parameters, model.ties, recipe.name)


def _describe(rule: Rule) -> str:
    conditions = [f"{k} {v}" for k in ("match", "module", "ndim") for v in getattr(rule, k)]
    return ", ".join(conditions) or "no condition"


def _layers(model: Model, pattern: str | None) -> dict[str, int]:
    if pattern is None:
        return {}
    before, after = (re.escape(part).replace(r"\*", ".*") for part in pattern.split("{layer}"))
    expression = re.compile(f"{before}([0-9]+){after}")
    matches = {name: expression.fullmatch(name) for name in model.tensors}
    return {name: int(match[1]) for name, match in matches.items() if match}


def _at_depth(rule: Rule, layer: int | None, n_layers: int) -> dict[str, Any]:
    numbers = dict(rule.numbers)
    if rule.depth is None:
        return numbers
    if layer is None:
        raise ValueError(
            f"depth {rule.depth!r} needs a layer number, which the recipe's layers pattern does not find"
        )
    scaled = "std" if "std" in schemes.SCHEMES[rule.scheme].numbers else "gain"
    value = numbers.get(scaled, schemes.SCHEMES[rule.scheme].numbers.get(scaled))
    if not isinstance(value, (int, float)):
        raise ValueError(f"depth scales std or gain; scheme {rule.scheme!r} has neither set")
    numbers[scaled] = value * DEPTH_RULES[rule.depth](n_layers, layer)
    return numbers


def plan_for(
    params: Plan | Mapping[str, Any] | str | os.PathLike[str],
    recipe: str | os.PathLike[str] | Mapping[str, Any] = "default",
    dtype: Any = None,
) -> Plan:
    """The plan for a model file, or for a mapping of names to shapes (or arrays)."""
    if isinstance(params, Plan):
        return params
    chosen = None if dtype is None else dtype_name(dtype)
    if isinstance(params, Mapping):
        model = Model({name: _described(name, value) for name, value in params.items()})
    else:
        model = read_model(params)
    return make_plan(model, as_recipe(recipe), chosen)


def _described(name: Any, value: Any) -> Tensor:
    if not isinstance(name, str):
        raise TypeError(f"parameter names must be strings, not {name!r}")
    if hasattr(value, "shape"):
        return Tensor(checked_shape(tuple(value.shape)), dtype_name(getattr(value, "dtype", "float32")))
    return Tensor(checked_shape(value), "float32")


def init(
    params: Plan | Mapping[str, Any] | str | os.PathLike[str],
    recipe: str | os.PathLike[str] | Mapping[str, Any] = "default",
    *,
    seed: Seed = None,
    dtype: Any = None,
    threads: int | None = None,
) -> dict[str, Array]:
    """New arrays for every parameter of a model, byte-identical to those that ``fastinit init`` writes.

    ``params`` is a mapping of names to shapes, a model file, or a plan; ``recipe`` as in `as_recipe`. Tied names share
    one array.

    >>> arrays = init({"fc.weight": (4, 8), "fc.bias": (4,)}, seed=0)
    >>> arrays["fc.weight"].shape, float(arrays["fc.bias"].sum())
    ((4, 8), 0.0)
    """
    plan, number = plan_for(params, recipe, dtype), resolve_seed(seed)
    arrays = {}
    for name, parameter in plan.items():
        arrays[name] = empty(parameter.shape, parameter.dtype)
        draw(arrays[name], parameter.distribution, seed=number, name=name, threads=threads)
    return arrays | {alias: arrays[owner] for alias, owner in plan.ties.items()}
