"""Recipes: TOML -> the rules by which a model's parameters get their distributions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from ..arguments import choose, file_path, non_negative, unexpected
from ..files import atomic
from ..schemes.catalogue import SCHEMES
from ..schemes.depth import DEPTH_RULES
from ..schemes.fans import Geometry, fans
from ..schemes.names import SchemeName
from .formula import Formula
from .model import TensorSpec
from .names import RecipeName
from .roles import ROLES, WEIGHTS
from .sizes import Size, StackIndex, checked_pattern

_RULE_KEYS = ("match", "module", "role", "ndim", "scheme", "depth", "lr", "optional")


@dataclass(frozen=True)
class Rule:
    number: int
    match: tuple[str, ...]
    module: tuple[str, ...]
    role: tuple[str, ...]
    ndim: tuple[int, ...]
    scheme: str
    depth: str | None
    lr: float | Formula
    optional: bool
    numbers: Mapping[str, Any]

    def takes(self, name: str, tensor: TensorSpec) -> bool:
        return (
            (not self.match or any(fnmatchcase(name, glob) for glob in self.match))
            and (not self.module or any(fnmatchcase(tensor.module, glob) for glob in self.module))
            and (not self.role or tensor.role in self.role)
            and (not self.ndim or len(tensor.shape) in self.ndim)
        )

    @property
    def conditions(self) -> str:
        """What the rule asks for, in words."""
        stated = [
            f"{key} {value}" for key in ("match", "module", "role", "ndim") for value in getattr(self, key)
        ]
        return ", ".join(stated) or "no condition"

    def numbers_for(
        self, tensor: TensorSpec, size: Callable[[str], float], layer: StackIndex | None, n_layers: int
    ) -> tuple[dict[str, Any], float]:
        """The scheme's numbers for a parameter and its multiplier of the learning rate; the layer, from 0, is None for a
        parameter of no layer."""

        def value_of(name: str) -> float:
            if name in ("fan_in", "fan_out"):
                geometry = {**tensor.geometry, **self.numbers}
                counting = {
                    k: v for k, v in geometry.items() if k in Geometry._fields and not isinstance(v, Formula)
                }
                return getattr(fans(tensor.shape, **counting), name)  # type: ignore[no-any-return]
            if re.fullmatch("n[0-9]", name) and int(name[1]) < len(tensor.shape):
                return tensor.shape[int(name[1])]
            return size(name)

        own = SCHEMES[self.scheme].keywords
        given = {**self.numbers, "lr": self.lr}
        for key, value in given.items():
            if isinstance(value, Formula):
                try:
                    given[key] = value(value_of)
                except ValueError as error:
                    raise ValueError(f"{key}: {error}") from None
        lr = non_negative("lr", given.pop("lr"))
        numbers = {key: value for key, value in given.items() if key in own}  # others count fans for formulas
        if self.depth is None:
            return numbers, lr
        if layer is None:
            raise ValueError(
                f"depth {self.depth!r} needs a layer number, which the recipe's layers patterns do not find"
            )
        scaled = "std" if "std" in own else "gain"
        value = numbers.get(scaled, own[scaled].default if scaled in own else None)
        if not isinstance(value, (int, float)):
            raise ValueError(f"depth scales std or gain; scheme {self.scheme!r} has neither set")
        numbers[scaled] = value * DEPTH_RULES[self.depth](n_layers, layer.number)
        return numbers, lr


@dataclass(frozen=True)
class Recipe:
    """What each parameter of a family of models is drawn from; made by `read_recipe`, or from a mapping by `fastinit.plan`.

    Attributes
    ----------
    name
        What it is called, for people.
    rules
        The first rule that takes a parameter decides.
    layers
        Patterns of names whose ``{layer}`` numbers the layers of a stack.
    sizes
        The sizes that the rules' formulas name.

    Examples
    --------
    >>> recipe = read_recipe("mup", base_width=128)
    >>> recipe.name, sorted(recipe.sizes)
    ('mup, base_width=128', ['base_width', 'd'])
    """

    name: str
    rules: tuple[Rule, ...]
    layers: tuple[str, ...] = ()
    sizes: Mapping[str, Size] = field(default_factory=dict)

    def size(self, name: str, tensors: Mapping[str, TensorSpec]) -> float:
        """The size of that name in a model with these tensors. Raises ValueError for one that the recipe does not have."""
        choose("name in a formula", name, {"fan_in": 0, "fan_out": 0, "n0": 0, **self.sizes})
        if name not in self.sizes:
            raise ValueError(f"the parameter has no {name}")
        return self.sizes[name].of(name, tensors)


def shipped_recipes() -> dict[str, Path]:
    return {path.stem: path for path in (Path(__file__).parent / "recipes").glob("*.toml")}


def read_recipe(recipe: RecipeName | str | os.PathLike[str], /, **sizes: float) -> Recipe:
    """A recipe that ships with the package, by name, or the TOML file of that path; ``sizes`` go before its own.

    Everything that takes a recipe's name takes the result too. Raises OSError for a file that cannot be read, ValueError for
    an unknown name, a malformed file, and a size that the recipe does not have.

    >>> read_recipe("mup", base_width=128).name
    'mup, base_width=128'
    """
    if isinstance(recipe, str) and not recipe.endswith(".toml"):
        path = _shipped(recipe)
    else:
        path = file_path("recipe", recipe)
    import tomllib  # here, to keep the package's import short

    try:
        with atomic.naming(path):
            read = _parse(str(recipe), tomllib.loads(path.read_text(encoding="utf-8")))
    except RecursionError:
        raise ValueError(f"recipe {str(recipe)!r} is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"recipe {str(recipe)!r}: {error}") from None
    for name in sizes:
        choose("size", name, read.sizes)
    given = {name: Size.parse(name, value) for name, value in sizes.items()}
    # Every digit: a checkpoint says by this name what it was drawn from.
    name = ", ".join(
        [read.name, *(f"{size}={float(value)!r}".removesuffix(".0") for size, value in sizes.items())]
    )
    return replace(read, name=name, sizes={**read.sizes, **given})


def _shipped(name: str) -> Path:
    """The file of a recipe's name. Close names are looked for among the schemes too, which stand for recipes elsewhere."""
    shipped = shipped_recipes()
    listing = "`fastinit recipes` and `fastinit schemes` list the names"
    path = choose("recipe", name, dict.fromkeys(SCHEMES) | shipped, listing=listing)
    if path is None:
        raise ValueError(f"{name!r} is a scheme, which has no rules and sizes of its own")
    return path


RecipeLike: TypeAlias = Recipe | RecipeName | SchemeName | str | os.PathLike[str] | Mapping[str, Any]


def as_recipe(recipe: RecipeLike, numbers: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe itself, or by its name or file; or the recipe "default", changed: by a scheme's name, for all weights, with
    the scheme's own ``numbers``; or by a mapping of globs to schemes (``{"*head.kernel": "zeros"}``) or rules
    (``{"*kernel": {"scheme": "normal", "std": 0.02}}``), which go first.

    Raises TypeError for numbers beside anything but a scheme's name.
    """
    if isinstance(recipe, str) and recipe in SCHEMES:
        for key in numbers or {}:
            if key not in SCHEMES[recipe].keywords:
                raise TypeError(unexpected(recipe, key, SCHEMES[recipe].keywords))
        table = {"role": list(WEIGHTS), "scheme": recipe, "optional": True, **(numbers or {})}
        fixed = [rule for rule in default_recipe().rules if not set(rule.role) & set(WEIGHTS)]
        return Recipe(recipe, (parse_rule(1, table), *fixed))
    if numbers:
        raise TypeError(f"only a scheme takes numbers such as {', '.join(numbers)}; the recipe is {recipe!r}")
    if isinstance(recipe, Recipe):
        return recipe
    if isinstance(recipe, Mapping):
        tables = {glob: {"scheme": rule} if isinstance(rule, str) else rule for glob, rule in recipe.items()}
        for glob, table in tables.items():
            if not isinstance(table, Mapping):
                raise TypeError(
                    f"recipe: the rule of {glob!r} must be a scheme's name or a mapping, not {table!r}"
                )
        own = [{"match": glob, **table} for glob, table in tables.items()]
        return with_rules(replace(default_recipe(), name="default, changed"), own)
    return read_recipe(recipe)


@cache
def default_recipe() -> Recipe:
    """What each role gets; see `roles`."""
    return read_recipe("default")


def with_rules(recipe: Recipe, rules: Sequence[Mapping[str, Any]]) -> Recipe:
    """The recipe with rules, as tables, that go before its own."""
    first = [parse_rule(i, dict(rule)) for i, rule in enumerate(rules, 1)]
    later = [replace(rule, number=rule.number + len(first)) for rule in recipe.rules]
    return replace(recipe, rules=(*first, *later))


def _parse(name: str, data: dict[str, Any]) -> Recipe:
    for key in data:
        choose("key", key, {"layers": None, "sizes": None, "rule": None})
    layers, sizes, tables = data.get("layers", []), data.get("sizes", {}), data.get("rule")
    patterns = tuple(map(checked_pattern, layers if isinstance(layers, list) else [layers]))
    if not isinstance(sizes, dict):
        raise ValueError(f"sizes must be a table, not {sizes!r}")
    if not isinstance(tables, list) or not tables:
        raise ValueError("has no [[rule]]")
    rules = tuple(parse_rule(i, table) for i, table in enumerate(tables, 1))
    return Recipe(name, rules, patterns, {key: Size.parse(key, value) for key, value in sizes.items()})


def parse_rule(number: int, table: Any) -> Rule:
    try:
        if not isinstance(table, dict):
            raise ValueError("must be a table")
        if "scheme" not in table:
            raise ValueError("names no scheme")
        own = choose("scheme", table["scheme"], SCHEMES).keywords
        known = dict.fromkeys((*_RULE_KEYS, *Geometry._fields, *own))
        for key in table:
            choose("key", key, known)
        depth, optional = table.get("depth"), table.get("optional", False)
        if depth is not None:
            choose("depth", depth, DEPTH_RULES)
        if not isinstance(optional, bool):
            raise ValueError(f"optional must be true or false, not {optional!r}")
        words = {"layout", *(key for key, number in own.items() if number.is_text)}
        numbers = {
            key: Formula(value) if isinstance(value, str) and key not in words else value
            for key, value in table.items()
            if key not in _RULE_KEYS
        }
        lr = table.get("lr", 1.0)
        lr = Formula(lr) if isinstance(lr, str) else non_negative("lr", lr)
        counting = any(
            isinstance(value, Formula) and value.names & {"fan_in", "fan_out"}
            for value in (*numbers.values(), lr)
        )
        unused = [key for key in numbers if key not in own]
        if unused and not counting:
            raise ValueError(
                f"{table['scheme']} does not use {', '.join(unused)}, and no formula names a fan"
            )
        roles = _several(table, "role", str)
        for role in roles:
            choose("role", role, ROLES)
        return Rule(number, _several(table, "match", str), _several(table, "module", str), roles,
                    _several(table, "ndim", int), table["scheme"], depth, lr, optional, numbers)  # fmt: skip
    except (TypeError, ValueError) as error:
        raise ValueError(f"rule {number}: {error}") from None


def _several(table: dict[str, Any], key: str, kind: type) -> tuple[Any, ...]:
    value = table.get(key, [])
    items = value if isinstance(value, list) else [value]
    if not all(type(item) is kind for item in items):
        raise ValueError(f"{key} must be a {kind.__name__} or a list of them, not {value!r}")
    return tuple(items)
