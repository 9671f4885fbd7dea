"""What operations of torch make of contents: laws of laws, values put off, or a reason why there is no law."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ...laws.composed import Transformed
from ...laws.distributions import Constant, Distribution, Normal, Uniform
from ..tensors import law_of_parts
from .calls import Call
from .complex_numbers import as_complex, for_parts, part_by_part
from .contents import Content, Drawn, Known, Lost, View, Write, certain, is_random, new_source, values
from .formulas import FORMULAS, changed, given, law_of, relative, root_of, substituted, value_of


def random_law(call: Call) -> Distribution | None:
    """The law of what a random operation draws."""
    bound = call.bound
    if call.operation in ("rand", "rand_like", "uniform_"):
        return Uniform(bound.get("from", 0.0), bound.get("to", 1.0))
    if (
        call.operation in ("randn", "randn_like", "normal_")
        or call.of.func is torch.ops.aten.normal.float_float
    ):
        return Normal(bound.get("mean", 0.0), bound.get("std", 1.0))
    if call.operation == "log_normal_":
        return Transformed(Normal(bound.get("mean", 1.0), bound.get("std", 2.0)), ("exp", "x"))
    if call.operation == "exponential_":
        log = ("log", ("sub", 1.0, "x"))
        return Transformed(Uniform(0.0, 1.0), ("div", ("neg", log), bound.get("lambd", 1.0)))
    return None


def drawn(law: Distribution, target: Tensor, text: str) -> Content:
    shape = tuple(target.shape)
    if target.is_complex():
        shape, parts = (*shape, 2), law_of_parts(law)
        if parts is None:
            return Lost(f"is complex, and drawn by {text} from {law}", True)
        law = parts
    elif not target.is_floating_point():
        return Lost(f"is drawn by {text} into {target.dtype}", True)
    return Drawn(law, text, new_source(shape))


_FILLS = {
    "zero_": 0.0,
    "zeros": 0.0,
    "zeros_like": 0.0,
    "new_zeros": 0.0,
    "ones": 1.0,
    "ones_like": 1.0,
    "new_ones": 1.0,
}
_FILLED_WITH = {
    "full": "fill_value",
    "full_like": "fill_value",
    "new_full": "fill_value",
    "fill_": "value",
    "scalar_tensor": "s",
}


def constant_value(call: Call) -> Any:
    """What an operation fills its target with, if it does."""
    if call.operation in _FILLS:
        return _FILLS[call.operation]
    argument = _FILLED_WITH.get(call.operation)
    return call.bound[argument] if argument else None


def filled(number: Any, target: Tensor, text: str) -> Content:
    if not isinstance(number, complex) and math.isfinite(number) and not target.is_complex():
        return Drawn(Constant(float(number)), text)
    shape, dtype = tuple(target.shape), target.dtype
    return Known(lambda: torch.full(shape, number, dtype=dtype, device="cpu"), text)


def copied(writes: list[Write], source: Tensor, target: Tensor) -> Content | list[Write] | None:
    """What a copy holds; both have one shape."""
    if not writes:
        return None
    if certain(writes):
        later, view, dtype, had = tuple(writes), View.of(source), target.dtype, source.dtype
        content = writes[0].content
        if len(writes) == 1 and not isinstance(content, Known):
            return content
        law = content.law if isinstance(content, Known) and len(writes) == 1 and view.in_order else None
        text = ", ".join(dict.fromkeys([write.content.text for write in writes]))
        return Known(cache(lambda: values(later, view, had).to(dtype)), text, law)
    kinds = (
        {source.is_floating_point(), target.is_floating_point()},
        {source.is_complex(), target.is_complex()},
    )
    changed = any(len(kind) > 1 for kind in kinds) or not (target.is_floating_point() or target.is_complex())
    first = writes[0].content
    if target.is_complex() and source.is_floating_point() and len(writes) == 1 and isinstance(first, Drawn):
        return as_complex(first, tuple(target.shape))
    for _, content in writes:
        if changed and is_random(content) and not isinstance(content, Lost):
            return Lost(f"converts the random values of {content.text} to {target.dtype}", True)
    if target.dtype != source.dtype and source.dtype.itemsize <= target.dtype.itemsize:
        # Rounded values, which are not those of the draw.
        writes = [
            write._replace(content=replace(write.content, root=object()))
            if isinstance(write.content, Drawn) and is_random(write.content)
            else write
            for write in writes
        ]
    return writes if len(writes) > 1 else writes[0].content


def computed(
    call: Call, before: dict[int, list[Write]], target: Tensor, text: str
) -> Content | list[Write] | None:
    """An elementwise operation on laws; None where there is no chance in it, or too much."""
    if call.name not in FORMULAS:
        return None
    held = {id(value): before[id(value)] for value in call.inputs.values() if isinstance(value, Tensor)}
    single = {key: writes[0].content for key, writes in held.items() if len(writes) == 1}
    several = [key for key, writes in held.items() if len(writes) > 1 and not certain(writes)]
    single |= {
        key: Known(_later(writes, value), call.name)
        for value in call.inputs.values()
        if isinstance(value, Tensor) and len(writes := before[key := id(value)]) > 1 and certain(writes)
    }
    if not several:
        return _content(call, single, target, text)
    results = []
    for view, content in held[several[0]]:
        part = target.as_strided(*view) if view.size < target.numel() else target
        result = _content(call, {**single, several[0]: content}, part, text, of=several[0])
        if result is None:
            return None
        results.append(Write(view, result))
    return results


def _later(writes: list[Write], tensor: Tensor) -> Callable[[], Tensor]:
    view, dtype = View.of(tensor), tensor.dtype
    return cache(lambda: values(writes, view, dtype))


def _content(
    call: Call, contents: dict[int, Content], target: Tensor, text: str, of: int = 0
) -> Content | None:
    """What an elementwise operation makes of its operands; `of` is the one of which `target` is a part, if there is one."""
    if target.is_complex() and (made := part_by_part(call, contents, target, text)) is not None:
        return made
    operands: dict[str, Any] = {}
    found: list[Drawn] = []
    for key, value in call.inputs.items():
        if not isinstance(value, Tensor):
            operands[key] = value
            continue
        content = contents.get(id(value))
        if content and is_random(content) and value.is_complex() != target.is_complex():
            return None
        if isinstance(content, Drawn) and isinstance(content.law, Constant):
            operands[key] = content.law.value
        elif isinstance(content, Drawn) and (value.shape == target.shape or id(value) == of):
            formula = content.law.formula if isinstance(content.law, Transformed) else "x"
            change = relative(content.root, found[0].root) if found else (1.0, 0.0)
            if change is None:
                return Lost(f"is made by {text} from several functions of {content.text}", True)
            operands[key] = substituted(formula, changed("x", change))
            found.append(content)
        elif isinstance(content, Known) and (value.numel() == 1 or not of):
            array = content.values().expand(value.shape)
            operands[key] = array if target.is_complex() else _operand(array)
            if operands[key] is None:
                return None
        else:
            return None
    source = found[0].source if found else None
    if target.is_complex():
        in_parts = for_parts(call.name, operands, found[0]) if found else None
        if in_parts is None:
            return None
        operands, source = in_parts
    formula = FORMULAS[call.name](**operands)
    if formula is None or not (target.is_floating_point() or target.is_complex()):
        return None
    if not found:
        number = value_of(formula)
        known = any(isinstance(content, Known) for content in contents.values())
        return None if known or number is None else filled(number, target, text)
    texts = f"{found[0].text}, {text}"
    first, own = found[0].law, found[0].source
    if not all(one.source is own or (one.source == own and own.place) for one in found):
        return _sum(call, found, texts) or Lost(f"is made by {text} from several random tensors", True)
    inner = first.inner if isinstance(first, Transformed) else first
    law = law_of(formula, inner)
    if law is None or source is None:
        return None
    root = object() if target.is_complex() else root_of(law, inner, found[0].root, formula)
    return Drawn(law, texts, source, root)


def _operand(array: Tensor) -> Any:
    return given(array.to(torch.float64).numpy())


def _sum(call: Call, found: list[Drawn], text: str) -> Content | None:
    """The sum of two independent normal tensors is a normal one."""
    if len(found) != 2 or call.name not in ("add", "sub", "rsub") or found[0].source.meets(found[1].source):
        return None
    one, other = found
    first, second = one.law, other.law
    if not isinstance(first, Normal) or not isinstance(second, Normal):
        return None
    alpha = call.bound.get("alpha", 1)
    factors = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}[call.name]
    mean = factors[0] * first.mean + factors[1] * second.mean
    return Drawn(
        Normal(mean, math.hypot(factors[0] * first.std, factors[1] * second.std)),
        text,
        new_source((), one.source, other.source).elsewhere(),
    )


def normals_of_tensors(
    call: Call, before: dict[int, list[Write]], target: Tensor, text: str
) -> Content | None:
    """`torch.normal` whose mean or deviation is a tensor."""
    operands = {"mean": call.bound.get("mean", 0.0), "std": call.bound.get("std", 1.0)}
    if target.is_complex() or not any(isinstance(value, Tensor) for value in operands.values()):
        return None
    for name, value in operands.items():
        if isinstance(value, Tensor):
            if not certain(before[id(value)]):
                return None
            array = values(before[id(value)], View.of(value), value.dtype).expand(value.shape)
            operands[name] = _operand(array)
    if None in operands.values():
        return None
    law = law_of(("add", ("mul", "x", operands["std"]), operands["mean"]), Normal())
    return None if law is None else Drawn(law, text, new_source(tuple(target.shape)))
