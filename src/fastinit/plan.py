"""Plans: a model and a recipe -> the law of every parameter, before a byte is written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from . import schemes
from .config import threads_for
from .distributions import Distribution, choose
from .fans import Fans, fans
from .fill import checked_parameters, draw
from .memory import Array, checked_shape, dtype_name, empty, nbytes
from .model import Model, Tensor, read_model
from .streams import Seed, resolve_seed
from .structured import Structured
from .table import aligned, shape_text

# By what a residual projection's std is multiplied, by the number of layers and its own layer, from 0.
DEPTH_RULES: dict[str, Callable[[float, int], float]] = {
    "1/sqrt(L)": lambda n, layer: n**-0.5,
    "1/sqrt(2L)": lambda n, layer: (2 * n) ** -0.5,
    "1/sqrt(l+1)": lambda n, layer: (layer + 1) ** -0.5,
    "1/sqrt(2(l+1))": lambda n, layer: (2 * (layer + 1)) ** -0.5,
    "1/L": lambda n, layer: 1 / n,
}
_WORTH_A_POOL = 4 << 20  # bytes
_WORTH_ALL_THREADS = 64 << 20
_RULE_KEYS = ("match", "module", "ndim", "scheme", "depth", "optional")
_GEOMETRY = {parameter.name for parameter in schemes.GEOMETRY}


@dataclass(frozen=True)
class Parameter:
    """One row of a plan; ``rule`` counts the recipe's rules from 1, and is 0 where the ``reason`` is another."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scheme: str
    distribution: Distribution | Structured
    fans: Fans | None
    rule: int = 0
    reason: str = ""

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
            "reason": self.reason,
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

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("name", "shape", "dtype", "scheme", "fans", "law", "bytes", "why")]
        rows += [_row(parameter) for parameter in self.values()]
        columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
        lines = aligned(list(zip(*columns, strict=True)))
        lines += [f"{alias} is tied to {owner}" for alias, owner in self.ties.items()]
        return "\n".join([*lines, f"{len(self)} tensors, {self.nbytes:,} bytes, recipe {self.recipe}"])


def _row(parameter: Parameter) -> tuple[str, ...]:
    fans = "-" if parameter.fans is None else f"{parameter.fans.fan_in:g}, {parameter.fans.fan_out:g}"
    shape = shape_text(parameter.shape)
    law, nbytes = str(parameter.distribution), f"{parameter.nbytes:,}"
    return (
        parameter.name, shape, parameter.dtype, parameter.scheme, fans, law, nbytes, parameter.reason
    )  # fmt: skip


class Choice(NamedTuple):
    """What is drawn for a parameter, and why."""

    scheme: str
    numbers: Mapping[str, Any]
    reason: str


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
    layer_of = _layers(model, recipe.layers)
    n_layers = len(set(layer_of.values()))
    used: set[int] = set()
    missing: list[str] = []
    known: dict[Any, tuple[Distribution | Structured, Fans | None]] = {}  # models repeat a few shapes often
    parameters = {}
    for name, tensor in model.tensors.items():
        rule = next((rule for rule in recipe.rules if rule.takes(name, tensor)), None)
        kind = dtype or tensor.dtype
        try:
            if rule is None:
                choice = otherwise(name)
            else:
                used.add(rule.number)
                choice = Choice(rule.scheme, _at_depth(rule, layer_of.get(name), n_layers), "")
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
        parameters[name] = Parameter(
            name, tensor.shape, kind, choice.scheme, *known[case], number, choice.reason
        )
    if missing:
        several = "s" if len(missing) > 1 else ""
        raise ValueError(
            f"{where}: no rule takes the parameter{several} {', '.join(missing)}; give each a rule with a match and a scheme"
        )
    for rule in recipe.rules:
        if rule.number not in used and not rule.optional:
            raise ValueError(f"{where}: rule {rule.number} ({_describe(rule)}) takes no parameter")
    return Plan(parameters, model.ties, recipe.name)


def law_of(
    tensor: Tensor, scheme: str, numbers: Mapping[str, Any]
) -> tuple[Distribution | Structured, Fans | None]:
    """The law that a scheme gives a tensor, and the fans it rests on; the numbers go before what is known of the tensor."""
    row = schemes.SCHEMES[scheme]
    heeded = {k: v for k, v in tensor.geometry.items() if k in row.geometry or k in row.numbers}
    known = {**heeded, **numbers}
    law = schemes.distribution(scheme, tensor.shape, **known)
    if not row.needs_fans:
        return law, None
    return law, fans(tensor.shape, **{k: v for k, v in known.items() if k in _GEOMETRY})


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


def draw_plan(
    plan: Plan, targets: Mapping[str, Any], *, seed: Seed = None, threads: int | None = None
) -> None:
    """Write the values of every parameter of the plan into its target, in place."""
    number, workers = resolve_seed(seed), threads_for(threads)

    def one(parameter: Parameter, threads: int) -> None:
        draw(
            targets[parameter.name], parameter.distribution, seed=number, name=parameter.name, threads=threads
        )

    # One thread for each tensor keeps all of them busy from end to end; what is too large for that goes first, with all.
    by_size = sorted(plan.values(), key=lambda parameter: -parameter.nbytes)
    pooled = workers > 1 and plan.nbytes >= _WORTH_A_POOL
    share = min(plan.nbytes / workers, _WORTH_ALL_THREADS) if pooled else 0.0
    small = [parameter for parameter in by_size if parameter.nbytes < share]
    for parameter in by_size[: len(by_size) - len(small)]:
        one(parameter, workers)
    if small:
        from concurrent.futures import ThreadPoolExecutor  # here, to keep the package's import short

        with ThreadPoolExecutor(workers) as pool:
            try:
                list(pool.map(lambda parameter: one(parameter, 1), small))
            except BaseException:  # Ctrl-C: not after all the others
                pool.shutdown(cancel_futures=True)
                raise


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
    plan = plan_for(params, recipe, dtype)
    arrays = {name: empty(parameter.shape, parameter.dtype) for name, parameter in plan.items()}
    draw_plan(plan, arrays, seed=seed, threads=threads)
    return arrays | {alias: arrays[owner] for alias, owner in plan.ties.items()}
