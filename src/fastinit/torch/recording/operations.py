"""What operations of torch make of contents: laws of laws, values put off, or a reason why there is no law."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from ...laws.composed import Expression, Transformed, evaluate
from ...laws.distributions import Constant, Distribution, Normal, Uniform
from ...laws.structured import Structured
from .contents import Content, Drawn, Known, Lost, View, Write, is_random, values


class Call(NamedTuple):
    """One call of an operation, with its arguments by name."""

    func: Any
    operation: str  # with the underscore of those that work in place
    bound: dict[str, Any]
    written: tuple[str, ...]
    outputs: tuple[str, ...]  # written, not read

    @classmethod
    def of(cls, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Call:
        arguments = func._schema.arguments
        bound = {**dict(zip([argument.name for argument in arguments], args, strict=False)), **kwargs}
        written = [
            a for a in arguments if a.alias_info is not None and a.alias_info.is_write and a.name in bound
        ]
        outputs = tuple([argument.name for argument in written if argument.kwarg_only])
        return cls(func, func.overloadpacket.__name__, bound, tuple([a.name for a in written]), outputs)

    @property
    def name(self) -> str:
        return self.operation.rstrip("_")

    @property
    def inputs(self) -> dict[str, Any]:
        return {name: value for name, value in self.bound.items() if name not in self.outputs}

    @property
    def tensors(self) -> list[Tensor]:
        return [leaf for leaf in tree_leaves(self.bound) if isinstance(leaf, Tensor)]


def random_law(call: Call) -> Distribution | None:
    if call.operation in ("rand", "rand_like", "uniform_"):
        return Uniform(call.bound.get("from", 0.0), call.bound.get("to", 1.0))
    if call.operation in ("randn", "randn_like", "normal_") or call.func is torch.ops.aten.normal.float_float:
        return Normal(call.bound.get("mean", 0.0), call.bound.get("std", 1.0))
    return None


def constant_value(call: Call) -> Any:
    """What an operation fills its target with, if it does."""
    if call.operation in ("zero_", "zeros", "zeros_like", "new_zeros"):
        return 0.0
    if call.operation in ("ones", "ones_like", "new_ones"):
        return 1.0
    if call.operation in ("full", "full_like", "new_full"):
        return call.bound["fill_value"]
    return call.bound.get({"fill_": "value", "scalar_tensor": "s"}.get(call.operation, ""))


def filled(number: Any, target: Tensor, text: str) -> Content:
    if not isinstance(number, complex) and math.isfinite(number):
        return Drawn(Constant(float(number)), text)
    shape, dtype = tuple(target.shape), target.dtype
    return Known(lambda: torch.full(shape, number, dtype=dtype, device="cpu"), text)


def copied(writes: list[Write], source: Tensor, target: Tensor) -> Content | list[Write] | None:
    if not writes:
        return None
    if len(writes) > 1:
        same = source.shape == target.shape and target.is_floating_point()
        return writes if same else Lost("is a rearranged tensor with several laws", True)
    content = writes[0].content
    if isinstance(content, Known):
        shape, dtype, known = tuple(target.shape), target.dtype, content.values
        return Known(cache(lambda: known().to(dtype).expand(shape)), content.text)
    if is_random(content) and isinstance(content, Drawn):
        if source.shape != target.shape:
            return Lost(f"repeats the random values of {content.text}", True)
        if not target.is_floating_point():
            return Lost(f"converts the random values of {content.text} to {target.dtype}", True)
    return content


def computed(
    call: Call, before: dict[int, list[Write]], target: Tensor, text: str
) -> Content | list[Write] | None:
    """An elementwise operation on laws; None where there is no chance in it, or too much."""
    held = {id(value): before[id(value)] for value in call.inputs.values() if isinstance(value, Tensor)}
    single = {key: writes[0].content for key, writes in held.items() if len(writes) == 1}
    several = [key for key, writes in held.items() if len(writes) > 1]
    if not several:
        return _content(call, single, target, text)
    results = []
    for view, content in held[several[0]]:
        result = _content(call, {**single, several[0]: content}, target, text)
        if result is None:
            return None
        results.append(Write(view, result))
    return results


def _content(call: Call, contents: dict[int, Content], target: Tensor, text: str) -> Content | None:
    operands: dict[str, Any] = {}
    drawn: list[Drawn] = []
    for key, value in call.inputs.items():
        if not isinstance(value, Tensor):
            operands[key] = value
            continue
        content = contents.get(id(value))
        if isinstance(content, Drawn) and isinstance(content.law, Constant):
            operands[key] = content.law.value
        elif isinstance(content, Drawn) and value.shape == target.shape:
            drawn.append(content)
            operands[key] = content.law.formula if isinstance(content.law, Transformed) else "x"
        elif isinstance(content, Known) and value.numel() == 1:
            operands[key] = float(content.values().item())
        else:
            return None
    formula = FORMULAS[call.name](**operands)
    if formula is None or not target.is_floating_point():
        return None
    if not drawn:
        with_known = any(isinstance(content, Known) for content in contents.values())
        return None if with_known else filled(float(evaluate(formula, 0.0)), target, text)
    first, source = drawn[0].law, drawn[0].source
    if any(one.source is not source for one in drawn):
        return Lost(f"is made by {text} from several random tensors", True)
    texts = f"{drawn[0].text}, {text}"
    scaled = linear(formula)
    if isinstance(first, Structured) and not isinstance(first, Transformed):
        moved = first.affine(*scaled) if scaled else None
        return None if moved is None else Drawn(moved, texts)
    inner = first.inner if isinstance(first, Transformed) else first
    if scaled is not None:
        return Drawn(inner.affine(*scaled), texts)  # type: ignore[arg-type]
    return Drawn(Transformed(inner, formula), texts, source)  # type: ignore[arg-type]


def replayed(call: Call, before: dict[int, list[Write]], i: int) -> Callable[[], Tensor]:
    """The i-th result of a deterministic operation, to be computed on real tensors."""

    def value(tensor: Tensor) -> Callable[[], Tensor]:
        writes, view, dtype = tuple(before[id(tensor)]), View.of(tensor), tensor.dtype
        return lambda: values(writes, view, dtype).clone()

    def room(tensor: Tensor) -> Callable[[], Tensor]:
        shape, dtype = tuple(tensor.shape), tensor.dtype
        return lambda: torch.empty(shape, dtype=dtype, device="cpu")

    later = {
        name: tree_map_only(Tensor, room if name in call.outputs else value, argument)
        for name, argument in call.bound.items()
    }
    if "device" in later:
        later["device"] = torch.device("cpu")
    func, written = call.func, call.written
    positional = [argument.name for argument in func._schema.arguments if not argument.kwarg_only]

    def run() -> Tensor:
        now = tree_map_only(FunctionType, lambda thunk: thunk(), later)
        args = [now[name] for name in positional if name in now]
        out = func(*args, **{name: argument for name, argument in now.items() if name not in positional})
        results = [now[name] for name in written] if written else out
        result: Tensor = [leaf for leaf in tree_leaves(results) if isinstance(leaf, Tensor)][i]
        return result

    return run


def _scaled(x: Expression, alpha: float) -> Expression:
    return x if alpha == 1 else ("mul", x, alpha)


def _clamp(self: Expression, min: Any = None, max: Any = None) -> Expression:
    low = self if min is None else ("maximum", self, min)
    return low if max is None else ("minimum", low, max)


def _div(self: Expression, other: Expression, rounding_mode: str | None = None) -> Expression:
    return ("div", self, other) if rounding_mode is None else None


# By the operation's name, with torch's own names of arguments.
FORMULAS: dict[str, Callable[..., Expression]] = {
    "add": lambda self, other, alpha=1: ("add", self, _scaled(other, alpha)),
    "sub": lambda self, other, alpha=1: ("sub", self, _scaled(other, alpha)),
    "rsub": lambda self, other, alpha=1: ("sub", other, _scaled(self, alpha)),
    "mul": lambda self, other: ("mul", self, other),
    "div": _div,
    "maximum": lambda self, other: ("maximum", self, other),
    "minimum": lambda self, other: ("minimum", self, other),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    **{name: lambda self, name=name: (name, self) for name in ("neg", "abs", "sqrt", "exp", "expm1", "log")},
}


def linear(formula: Expression) -> tuple[float, float] | None:
    """(scale, shift), where the formula is scale * x + shift."""
    if formula == "x":
        return 1.0, 0.0
    if not isinstance(formula, tuple):
        return 0.0, float(formula)
    parts = [linear(operand) for operand in formula[1:]]
    match formula[0], parts:
        case "neg", [(a, b)]:
            return -a, -b
        case "add", [(a, b), (c, d)]:
            return a + c, b + d
        case "sub", [(a, b), (c, d)]:
            return a - c, b - d
        case "mul", [(a, b), (0.0, d)]:
            return a * d, b * d
        case "mul", [(0.0, b), (c, d)]:
            return b * c, b * d
        case "div", [(a, b), (0.0, d)] if d:
            return a / d, b / d
        case _:
            return None
