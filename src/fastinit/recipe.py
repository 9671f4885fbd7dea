"""Recipes: TOML -> the rules by which a model's parameters get their laws."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from . import schemes
from .distributions import choose
from .model import Tensor

# By what a residual projection's std is multiplied, by the number of layers and its own layer, from 0.
DEPTH_RULES: dict[str, Callable[[float, int], float]] = {
    "1/sqrt(L)": lambda n, layer: n**-0.5,
    "1/sqrt(2L)": lambda n, layer: (2 * n) ** -0.5,
    "1/sqrt(l+1)": lambda n, layer: (layer + 1) ** -0.5,
    "1/sqrt(2(l+1))": lambda n, layer: (2 * (layer + 1)) ** -0.5,
    "1/L": lambda n, layer: 1 / n,
}
_RULE_KEYS = ("match", "module", "ndim", "scheme", "depth", "optional")
_GEOMETRY = {parameter.name for parameter in schemes.GEOMETRY}


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

    @property
    def conditions(self) -> str:
        """What the rule asks for, in words."""
        stated = [f"{key} {value}" for key in ("match", "module", "ndim") for value in getattr(self, key)]
        return ", ".join(stated) or "no condition"

    def at_depth(self, layer: int | None, n_layers: int) -> dict[str, Any]:
        """The scheme's numbers in a layer, from 0; None for a parameter of no layer."""
        numbers = dict(self.numbers)
        if self.depth is None:
            return numbers
        if layer is None:
            raise ValueError(
                f"depth {self.depth!r} needs a layer number, which the recipe's layers pattern does not find"
            )
        defaults = schemes.SCHEMES[self.scheme].numbers
        scaled = "std" if "std" in defaults else "gain"
        value = numbers.get(scaled, defaults.get(scaled))
        if not isinstance(value, (int, float)):
            raise ValueError(f"depth scales std or gain; scheme {self.scheme!r} has neither set")
        numbers[scaled] = value * DEPTH_RULES[self.depth](n_layers, layer)
        return numbers


@dataclass(frozen=True)
class Recipe:
    name: str
    rules: tuple[Rule, ...]
    layers: str | None

    def layer_numbers(self, names: Iterable[str]) -> dict[str, int]:
        """The layer of each parameter that belongs to one, by the pattern ``layers``."""
        if self.layers is None:
            return {}
        before, after = (re.escape(part).replace(r"\*", ".*") for part in self.layers.split("{layer}"))
        expression = re.compile(f"{before}([0-9]+){after}")
        matches = {name: expression.fullmatch(name) for name in names}
        return {name: int(match[1]) for name, match in matches.items() if match}


def shipped_recipes() -> dict[str, Path]:
    return {path.stem: path for path in (Path(__file__).parent / "recipes").glob("*.toml")}


def read_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """A recipe that ships with the package, by name, or the TOML file of that path."""
    shipped = shipped_recipes()
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
        own = [parse_rule(i, {"match": glob, **table}) for i, (glob, table) in enumerate(tables.items(), 1)]
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
    return Recipe(name, tuple(parse_rule(i, table) for i, table in enumerate(tables, 1)), layers)


def parse_rule(number: int, table: Any) -> Rule:
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
