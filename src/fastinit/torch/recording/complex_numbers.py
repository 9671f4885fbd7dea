"""Operations on complex draws, whose law is that of their real and imaginary parts, along one more axis."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...laws.distributions import Constant, Elementwise, Normal
from ...laws.parts import two_parts
from .contents import Content, Drawn, Known, Lost, Source, Write, new_source
from .formulas import given


def of_two_parts(
    real: list[Write], imaginary: list[Write], shape: tuple[int, ...], text: str
) -> Content | None:
    """`torch.complex` of two draws; None if that is no law."""
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
    return Drawn(two_parts(one.law, other.law, shape), f"{one.text}, {text}", new_source((*shape, 2)))


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
            result[key], source = given(np.abs(array)[..., None]), Source(source.draw, None)
        else:
            result[key] = given(np.real(array)[..., None])
        if result[key] is None:
            return None
    return result, source


def mirrored(write: Write, tensor: Tensor) -> Write:
    """What a tensor shows whose values torch conjugates or negates only when they are read."""
    view, content = write
    change = torch.neg if tensor.is_neg() else torch.conj_physical
    if isinstance(content, Known):
        return Write(view, Known(cache(lambda: change(content.values())), content.text))
    if isinstance(content, Drawn) and isinstance(content.law, Normal) and content.law.mean == 0:
        return Write(view, Drawn(content.law, content.text, Source(content.source.draw, None)))
    if isinstance(content, Drawn) and isinstance(content.law, Constant):
        return Write(view, Drawn(content.law.affine(-1.0 if tensor.is_neg() else 1.0, 0.0), content.text))
    return Write(view, content if isinstance(content, Lost) else Lost(f"is {content.text}, conjugated", True))
