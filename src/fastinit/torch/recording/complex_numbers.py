"""Operations on complex draws, whose law is that of their real and imaginary parts, along one more axis."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...laws.distributions import Constant, Distribution, Elementwise, Normal
from ...laws.parts import each_part, two_parts
from .contents import Content, Drawn, Known, Lost, Source, Write, is_random, new_source
from .formulas import given, law_of

_Pair = tuple[Distribution | None, Distribution | None]  # of the real and the imaginary part
_ZERO = Constant(0.0)


def of_two_parts(
    real: list[Write], imaginary: list[Write], shape: tuple[int, ...], text: str
) -> Content | None:
    """`torch.complex` of two draws; None if that is not a law."""
    contents = [write.content for write in (*real, *imaginary)]
    drawn = [one for one in contents if isinstance(one, Drawn) and isinstance(one.law, Elementwise)]
    if (
        len(contents) != 2
        or len(drawn) != 2
        or any(write.view.size != np.prod(shape) for write in (*real, *imaginary))
    ):
        return None
    one, other = drawn
    if one.source.meets(other.source):
        return None
    return Drawn(
        two_parts(one.law, other.law, shape),
        f"{one.text}, {text}",
        new_source((*shape, 2), one.source, other.source),
    )


def for_parts(operation: str, operands: dict[str, Any], drawn: Drawn) -> tuple[dict[str, Any], Source] | None:
    """The operands that do to each part what the operation does to a complex draw, and the source of what comes out; None if
    it mixes the parts.

    A factor that is not real turns values around 0. A normal law with mean 0 is the same in all directions: only the modulus
    counts.
    """
    adds = operation in ("add", "sub", "rsub")
    random = [key for key, operand in operands.items() if isinstance(operand, str | tuple)]
    if not adds and (operation not in ("mul", "div", "neg") or random not in (["self"], ["other"])):
        return None
    if isinstance(operands.get("alpha"), complex) or (operation == "div" and random != ["self"]):
        return None
    source, result = drawn.source, dict(operands)
    for key, operand in operands.items():
        if isinstance(operand, str | tuple | None) or key == "alpha":
            continue
        array = np.asarray(operand.resolve_conj().numpy() if isinstance(operand, Tensor) else operand)
        if adds:
            result[key] = given(np.stack([np.real(array), np.imag(array)], -1))
        elif np.any(np.imag(array)):
            if not isinstance(drawn.law, Normal) or drawn.law.mean != 0:
                return None
            result[key], source = given(np.abs(array)[..., None]), source.elsewhere()
        else:
            result[key] = given(np.real(array)[..., None])
        if result[key] is None:
            return None
    return result, source


def part_by_part(call: Any, contents: dict[int, Content], target: Tensor, text: str) -> Content | None:
    """A sum or product of real and complex operands whose parts have laws by themselves; None if they have not.

    `randn() + 1j * rand()` is one: the parts of both operands are added, of which one is 0.
    """
    if call.name not in ("add", "sub", "rsub", "mul", "div"):
        return None
    shape = tuple(target.shape)
    pairs: list[_Pair] = []
    sources = []
    for operand in (call.inputs["self"], call.inputs["other"]):
        content = contents.get(id(operand)) if isinstance(operand, Tensor) else None
        if isinstance(content, Drawn) and is_random(content) and operand.shape == shape:
            pair: _Pair | None = (content.law, _ZERO)
            if operand.is_complex():
                pair = each_part(content.law, shape)
            sources.append(content.source)
        else:
            pair = _number(operand, content)
        if pair is None:
            return None
        pairs.append(pair)
    one, other = pairs
    alpha = call.bound.get("alpha", 1)
    if not sources or isinstance(alpha, complex) or (len(sources) == 2 and sources[0].meets(sources[1])):
        return None
    if call.name in ("mul", "div"):
        real, imaginary = _product(one, other) if call.name == "mul" else _quotient(one, other)
    else:
        left, right = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}[call.name]
        real, imaginary = [_sum(_scaled(a, left), _scaled(b, right)) for a, b in zip(one, other, strict=True)]
    if real is None or imaginary is None:
        return None
    return Drawn(two_parts(real, imaginary, shape), text, new_source((*shape, 2), *sources))


def _number(operand: Any, content: Content | None) -> _Pair | None:
    """The parts of an operand without chance that is one number."""
    if isinstance(operand, Tensor):
        if isinstance(content, Drawn) and isinstance(content.law, Constant):
            return content.law, _ZERO
        if not isinstance(content, Known) or not operand.numel():
            return None
        values = content.values().flatten()
        if bool((values != values[0]).any()):
            return None
        operand = values[0].item()
    number = complex(operand)
    return Constant(number.real), Constant(number.imag)


def _scaled(part: Distribution | None, factor: float) -> Distribution | None:
    return None if part is None else law_of(("mul", "x", factor), part)


def _sum(one: Distribution | None, other: Distribution | None) -> Distribution | None:
    """The law of the sum of two that are independent."""
    if isinstance(one, Normal) and isinstance(other, Normal):
        return Normal(one.mean + other.mean, math.hypot(one.std, other.std))
    law, number = (other, one) if isinstance(one, Constant) else (one, other)
    if law is None or not isinstance(number, Constant):
        return None
    return law if number.value == 0 else law_of(("add", "x", number.value), law)


def _product(one: _Pair, other: _Pair) -> _Pair:
    """The parts of a product with a number that is real or imaginary; another one mixes the parts."""
    (real, imaginary), number = (
        (other, one) if all(isinstance(part, Constant) for part in one) else (one, other)
    )
    match number:
        case Constant(factor), Constant(0.0):
            return _scaled(real, factor), _scaled(imaginary, factor)
        case Constant(0.0), Constant(factor):
            return _scaled(imaginary, -factor), _scaled(real, factor)
        case _:
            return None, None


def _quotient(one: _Pair, other: _Pair) -> _Pair:
    match other:
        case Constant(real), Constant(imaginary) if real or imaginary:
            inverse = 1 / complex(real, imaginary)
            return _product(one, (Constant(inverse.real), Constant(inverse.imag)))
        case _:
            return None, None


def as_complex(content: Drawn, shape: tuple[int, ...]) -> Drawn | None:
    """Real draws in a complex tensor, whose imaginary parts are 0."""
    if not isinstance(content.law, Elementwise):
        return None
    law = two_parts(content.law, _ZERO, shape)
    return Drawn(law, content.text, new_source((*shape, 2), content.source))


def mirrored(write: Write, tensor: Tensor) -> Write:
    """What a tensor shows whose values torch conjugates or negates only when they are read."""
    view, content = write
    change = torch.neg if tensor.is_neg() else torch.conj_physical
    if isinstance(content, Known):
        return Write(view, Known(cache(lambda: change(content.values())), content.text))
    if isinstance(content, Drawn) and isinstance(content.law, Normal) and content.law.mean == 0:
        return Write(view, Drawn(content.law, content.text, content.source.elsewhere(), object()))
    if isinstance(content, Drawn) and isinstance(content.law, Constant):
        return Write(view, Drawn(content.law.affine(-1.0 if tensor.is_neg() else 1.0, 0.0), content.text))
    return Write(view, content if isinstance(content, Lost) else Lost(f"is {content.text}, conjugated", True))
