"""Plans: a model and a recipe -> the law of every parameter, before a byte is written."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

from numpy.typing import DTypeLike

from . import schemes
from .arguments import checked_shape, file_path, instance
from .blocks import Block, block_shape
from .config import threads_for
from .distributions import Distribution
from .fans import Fans, fans
from .fill import checked_parameters, draw
from .memory import Array, dtype_name, empty, numpy_dtype
from .model import Model, Tensor, checked_ties, parse_json, read_model
from .parameter import Parameter
from .recipe import Recipe, RecipeLike, Rule, as_recipe
from .sizes import layers_of
from .streams import Seed, resolve_seed
from .structured import Structured
from .table import aligned, shape_text

_WORTH_A_POOL = 4 << 20  # bytes
_WORTH_ALL_THREADS = 64 << 20
_GEOMETRY = {parameter.name for parameter in schemes.GEOMETRY}


@dataclass(frozen=True, eq=False)
class Plan(Mapping[str, Parameter]):
    """The parameters by name, in the model's order. Tied ones stand once; ``ties`` maps the other names to them.
    ``unfilled`` are the model's persistent buffers that the plan does not fill, where it knows of them.

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
    unfilled: tuple[str, ...] = ()

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
        """32 hexadecimal digits that stand for what is drawn, alike on all machines (BLAKE2b of the plan's content)."""
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
            "unfilled": list(self.unfilled),
            "parameters": parameters,
        }
        return json.dumps(content, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` described. Raises ValueError, naming the parameter, for anything else."""
        data = parse_json(instance("text", text, str).encode())
        match data:
            case {"recipe": str(recipe), "tied": dict(ties), "parameters": dict(rows)}:
                parameters = {name: Parameter.from_dict(name, row) for name, row in rows.items()}
            case _:
                raise ValueError('a plan has "recipe", "tied" and "parameters"')
        unfilled = data.get("unfilled", [])
        if not isinstance(unfilled, list) or not all(isinstance(name, str) for name in unfilled):
            raise ValueError(f'"unfilled" must be a list of names, not {unfilled!r}')
        return cls(parameters, checked_ties(ties, parameters), recipe, tuple(unfilled))

    def __str__(self) -> str:
        head = ("name", "shape", "dtype", "scheme", "fans", "law", "lr", "bytes", "why")
        rows = [head, *(_row(parameter) for parameter in self.values())]
        columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
        lines = aligned(list(zip(*columns, strict=True)))
        lines += [f"{alias} is tied to {owner}" for alias, owner in self.ties.items()]
        return "\n".join([*lines, f"{len(self)} tensors, {self.nbytes:,} bytes, recipe {self.recipe}"])

    def tensor(self, name: str, *, seed: Seed, block: Block = ..., threads: int | None = None) -> Array:
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
    shape = shape_text(parameter.shape)
    law, nbytes = str(parameter.distribution), f"{parameter.nbytes:,}"
    lr = "" if parameter.lr == 1 else f"{parameter.lr:.6g}"
    return (
        parameter.name, shape, parameter.dtype, parameter.scheme, fans, law, lr, nbytes, parameter.reason
    )  # fmt: skip


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


def plan_for(
    params: Plan | Mapping[str, Any] | str | os.PathLike[str],
    recipe: RecipeLike | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> Plan:
    """The plan for a model file, or for a mapping of names to shapes or arrays. A plan is returned as it is.

    ``recipe`` is as in `as_recipe`, "default" by default; ``dtype`` goes before the model's own. Raises TypeError for other
    ``params`` and for a recipe or dtype beside a plan, OSError for a file that cannot be read, and ValueError for a
    malformed one, an unknown recipe, and parameters that the recipe does not take.

    >>> plan_for({"fc.weight": (4, 8)}, "he_normal")["fc.weight"].distribution
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


def _described(name: Any, value: Any) -> Tensor:
    if not isinstance(name, str):
        raise TypeError(f"names in params must be strings, not {name!r}")
    if hasattr(value, "shape"):
        shape, module = checked_shape(tuple(value.shape)), getattr(value, "module", "")
        return Tensor(shape, dtype_name(getattr(value, "dtype", "float32")), module)
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
    recipe: RecipeLike | None = None,
    *,
    seed: Seed = None,
    dtype: DTypeLike | None = None,
    threads: int | None = None,
) -> dict[str, Array]:
    """New arrays for every parameter of a model, byte-identical to those that ``fastinit init`` writes.

    ``params``, ``recipe`` and ``dtype`` are those of `plan_for`, and so are the errors. Tied names share one array.

    >>> arrays = init({"fc.weight": (4, 8), "fc.bias": (4,)}, seed=0)
    >>> arrays["fc.weight"].shape, float(arrays["fc.bias"].sum())
    ((4, 8), 0.0)
    """
    plan = plan_for(params, recipe, dtype=dtype)
    arrays = {name: empty(parameter.shape, parameter.dtype) for name, parameter in plan.items()}
    draw_plan(plan, arrays, seed=seed, threads=threads)
    return arrays | {alias: arrays[owner] for alias, owner in plan.ties.items()}
