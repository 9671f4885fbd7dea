"""Plans: a model and a recipe -> the law of every parameter, before a byte is written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from . import schemes
from .blocks import block_shape
from .distributions import Distribution, choose, from_dict
from .fans import Fans, fans
from .fill import draw
from .memory import Array, checked_shape, dtype_name, empty, nbytes, numpy_dtype
from .model import Model, Tensor, checked_ties, parse_json, read_model
from .recipe import Recipe, read_recipe
from .streams import Seed, resolve_seed
from .structured import Structured

_GEOMETRY = {parameter.name for parameter in schemes.GEOMETRY}


@dataclass(frozen=True)
class Parameter:
    """One row of a plan; ``rule`` counts the recipe's rules from 1, and is 0 where the ``reason`` is another.

    ``module`` is the type of the module that owns it, or "".
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scheme: str
    distribution: Distribution | Structured
    fans: Fans | None
    rule: int = 0
    reason: str = ""
    module: str = ""

    @property
    def nbytes(self) -> int:
        return nbytes(self.shape, self.dtype)

    def to_dict(self) -> dict[str, Any]:
        """The row for JSON, but for its name."""
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "scheme": self.scheme,
            "fans": list(self.fans) if self.fans else None,
            "distribution": self.distribution.to_dict(),
            "rule": self.rule,
            "reason": self.reason,
            "module": self.module,
            "bytes": self.nbytes,
        }

    @classmethod
    def from_dict(cls, name: str, data: Any) -> Parameter:
        """The row that `to_dict` described. Raises ValueError, naming it, for anything else."""
        match data:
            case {
                "shape": list(shape), "dtype": str(dtype), "scheme": str(scheme), "distribution": dict(law),
                "fans": (None | [int() | float(), int() | float()]) as counted,
                "rule": int(rule), "reason": str(reason), "module": str(module),
            }:  # fmt: skip
                pass
            case _:
                raise ValueError(f"parameter {name!r} is no row of a plan: {data!r}")
        try:
            choose("scheme", scheme, schemes.SCHEMES)
            made = cls(name, checked_shape(shape), dtype_name(dtype), scheme, from_dict(law),
                       counted and Fans(*counted), rule, reason, module)  # fmt: skip
            if isinstance(made.distribution, Structured):
                made.distribution.check(made.shape)
            return made
        except (TypeError, ValueError) as error:
            raise ValueError(f"parameter {name!r}: {error}") from None


@dataclass(frozen=True, eq=False)
class Plan(Mapping[str, Parameter]):
    """The parameters by name, in the model's order. Tied ones stand once; ``ties`` maps the other names to them.

    Plans are equal, and have one ``digest`` and hash, where they give the same names, shapes, dtypes and laws in the same
    order, whatever recipe they come from.

    >>> plan = plan_for({"fc.weight": (4, 8), "fc.bias": (4,)})
    >>> print(plan)
    name       shape  dtype    scheme         fans  law                                      bytes
    fc.weight  4x8    float32  xavier_normal  8, 4  Normal(mean=0.0, std=0.408248290463863)  128
    fc.bias    4      float32  zeros          -     Constant(value=0.0)                      16
    2 tensors, 144 bytes, recipe default
    >>> Plan.from_json(plan.to_json()) == plan
    True
    >>> part = plan.tensor("fc.weight", seed=0, block=(slice(1, 3),))
    >>> bool((part == init(plan, seed=0)["fc.weight"][1:3]).all())
    True
    """

    parameters: Mapping[str, Parameter]
    ties: Mapping[str, str]
    recipe: str

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def nbytes(self) -> int:
        return sum(parameter.nbytes for parameter in self.parameters.values())

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits that stand for what is drawn, alike on all machines: BLAKE2b of the plan's content."""
        rows = [[p.name, p.shape, p.dtype, p.distribution.to_dict()] for p in self.values()]
        text = json.dumps([rows, sorted(self.ties.items())], separators=(",", ":"))
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def to_json(self) -> str:
        """The plan as a JSON object; it is a model file too. `from_json` is the way back."""
        parameters = {name: parameter.to_dict() for name, parameter in self.items()}
        content = {
            "recipe": self.recipe,
            "bytes": self.nbytes,
            "tied": dict(self.ties),
            "parameters": parameters,
        }
        return json.dumps(content, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` described. Raises ValueError, naming the parameter, for anything else."""
        data = parse_json(text.encode())
        match data:
            case {"recipe": str(recipe), "tied": dict(ties), "parameters": dict(rows)}:
                parameters = {name: Parameter.from_dict(name, row) for name, row in rows.items()}
            case _:
                raise ValueError('a plan has "recipe", "tied" and "parameters"')
        return cls(parameters, checked_ties(ties, parameters), recipe)

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("name", "shape", "dtype", "scheme", "fans", "law", "bytes", "why")]
        rows += [_row(parameter) for parameter in self.values()]
        columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
        widths = [max(map(len, column)) for column in columns]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in zip(*columns, strict=True)
        ]
        lines += [f"{alias} is tied to {owner}" for alias, owner in self.ties.items()]
        return "\n".join([*lines, f"{len(self)} tensors, {self.nbytes:,} bytes, recipe {self.recipe}"])

    def tensor(self, name: str, *, seed: Seed, block: Any = ..., threads: int | None = None) -> Array:
        """A new array of a parameter's first values, or of the ``block`` of them alone: any part at any time.

        ``block`` is an index of integers, slices and "...", as in `draw`. A tied name gives its owner's values. Raises
        KeyError for a name that the plan does not have, IndexError for a block out of range.
        """
        parameter = self[self.ties.get(name, name)]
        array = empty(block_shape(block, parameter.shape), parameter.dtype)
        draw(array, parameter.distribution, seed=seed, name=parameter.name, shape=parameter.shape, block=block,
             threads=threads)  # fmt: skip
        return array

    def chunks(
        self, name: str, buffers: Iterator[Array], *, seed: int, threads: int | None = None
    ) -> Iterator[Array]:
        """A parameter's values in C order, drawn piece by piece into the buffers in turn; structured laws at once."""
        parameter = self[name]
        if isinstance(parameter.distribution, Structured):
            yield self.tensor(name, seed=seed, threads=threads).reshape(-1)
            return
        total, at = math.prod(parameter.shape), 0
        while at < total:
            chunk = next(buffers).view(numpy_dtype(parameter.dtype))[: total - at]
            draw(chunk, parameter.distribution, seed=seed, name=name, shape=total,
                 block=slice(at, at + len(chunk)), threads=threads)  # fmt: skip
            at += len(chunk)
            yield chunk


def _row(parameter: Parameter) -> tuple[str, ...]:
    fans = "-" if parameter.fans is None else f"{parameter.fans.fan_in:g}, {parameter.fans.fan_out:g}"
    shape = "x".join(map(str, parameter.shape)) or "scalar"
    law, nbytes = str(parameter.distribution), f"{parameter.nbytes:,}"
    return (
        parameter.name, shape, parameter.dtype, parameter.scheme, fans, law, nbytes, parameter.reason
    )  # fmt: skip


def make_plan(model: Model, recipe: Recipe, dtype: str | None = None) -> Plan:
    """Apply the recipe: the first rule that takes a parameter gives its law.

    Raises ValueError, naming it, for a parameter that no rule takes, a rule that takes nothing and is not
    ``optional``, and a law that cannot be had for a shape.
    """
    where = f"recipe {recipe.name!r}"
    layer_of = recipe.layer_numbers(model.tensors)
    n_layers = len(set(layer_of.values()))
    used: set[int] = set()
    known: dict[
        Any, tuple[Distribution | Structured, Fans | None]
    ] = {}  # models repeat a few shapes many times
    parameters = {}
    for name, tensor in model.tensors.items():
        rule = next((rule for rule in recipe.rules if rule.takes(name, tensor)), None)
        if rule is None:
            raise ValueError(f"{where}: no rule takes the parameter {name!r} of shape {tensor.shape}")
        used.add(rule.number)
        layer = layer_of.get(name)
        case = (rule.number, tensor.shape, layer if rule.depth else None)
        if case not in known:
            try:
                numbers = rule.at_depth(layer, n_layers)
                law = schemes.distribution(rule.scheme, tensor.shape, **numbers)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{where}, rule {rule.number}, parameter {name!r}: {error}") from None
            counted = None
            if schemes.SCHEMES[rule.scheme].needs_fans:
                counted = fans(tensor.shape, **{k: v for k, v in rule.numbers.items() if k in _GEOMETRY})
            known[case] = law, counted
        law, counted = known[case]
        parameters[name] = Parameter(
            name, tensor.shape, dtype or tensor.dtype, rule.scheme, law, counted, rule.number,
            module=tensor.module,
        )  # fmt: skip
    for rule in recipe.rules:
        if rule.number not in used and not rule.optional:
            raise ValueError(f"{where}: rule {rule.number} ({rule.conditions}) takes no parameter")
    return Plan(parameters, model.ties, recipe.name)


def plan_for(
    params: Plan | Mapping[str, Any] | str | os.PathLike[str],
    recipe: str | os.PathLike[str] = "default",
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
    return make_plan(model, read_recipe(recipe), chosen)


def _described(name: Any, value: Any) -> Tensor:
    if not isinstance(name, str):
        raise TypeError(f"parameter names must be strings, not {name!r}")
    if hasattr(value, "shape"):
        return Tensor(checked_shape(tuple(value.shape)), dtype_name(getattr(value, "dtype", "float32")))
    return Tensor(checked_shape(value), "float32")


def init(
    params: Plan | Mapping[str, Any] | str | os.PathLike[str],
    recipe: str | os.PathLike[str] = "default",
    *,
    seed: Seed = None,
    dtype: Any = None,
    threads: int | None = None,
) -> dict[str, Array]:
    """New arrays for every parameter of a model, byte-identical to those that ``fastinit init`` writes.

    ``params`` is a mapping of names to shapes, a model file, or a plan. Tied names share one array.

    >>> arrays = init({"fc.weight": (4, 8), "fc.bias": (4,)}, seed=0)
    >>> arrays["fc.weight"].shape, float(arrays["fc.bias"].sum())
    ((4, 8), 0.0)
    """
    plan, number = plan_for(params, recipe, dtype), resolve_seed(seed)
    arrays = {name: plan.tensor(name, seed=number, threads=threads) for name in plan}
    return arrays | {alias: arrays[owner] for alias, owner in plan.ties.items()}
