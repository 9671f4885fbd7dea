"""What each axis of a weight is, as letters, and the geometry that follows: from a layer, an einsum's equation, or by custom."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

TAPS = "tuvwxyzacdefghjklmnpqrs"


def lettered_geometry(letters: str, shape: Sequence[int]) -> dict[str, Any]:
    """How to count the fans of a weight with any number of axes of inputs ("i"), outputs ("o") and stacked weights ("b");
    any other letter is a kernel's axis, and those have one letter each. No one axis counts the rows of an orthogonal matrix
    if there are several axes of both.

    >>> lettered_geometry("bio", (3, 8, 16))
    {'layout': 'bio'}
    >>> lettered_geometry("ioo", (8, 4, 16))
    {'fan_in': 8, 'fan_out': 64, 'axis': 0}
    >>> lettered_geometry("bioo", (3, 8, 4, 16))
    {'fan_in': 8, 'fan_out': 64, 'layout': 'boit'}
    """
    ins, outs = ([axis for axis, letter in enumerate(letters) if letter == kind] for kind in "io")
    if len(ins) == len(outs) == 1:
        return {"layout": letters}
    fan_in, fan_out = (max(math.prod(shape[axis] for axis in axes), 1) for axes in (ins, outs))
    counted = {"fan_in": fan_in, "fan_out": fan_out}
    single = next((axes[0] for axes in (outs, ins) if len(axes) == 1), None)
    if single is None or "b" not in letters:
        return {**counted, "axis": single}
    # An orthogonal matrix for each of the stacked weights: the single axis counts its rows, the others its columns.
    others = iter("i" + TAPS)
    rest = [
        "b" if letter == "b" else "o" if axis == single else next(others)
        for axis, letter in enumerate(letters)
    ]
    return {**counted, "layout": "".join(rest)}


def einsum_geometry(equation: str, shape: tuple[int, ...], stacked: Sequence[int] = ()) -> dict[str, Any]:
    """How to count the fans of the second operand of ``equation``, the weight: its axes that are summed are inputs, those
    that only the weight brings into the output are outputs, and those that all three have stand for stacked weights, as
    do the axes ``stacked``, of which the equation does not speak.

    >>> einsum_geometry("nta,hab->nthb", (4, 8, 16))
    {'fan_in': 8, 'fan_out': 64, 'axis': 1}
    >>> einsum_geometry("eti,eio->eto", (4, 8, 16))
    {'layout': 'bio'}
    """
    inputs, weight, outputs = equation.replace("->", ",").replace(" ", "").replace(".", "").split(",")
    own = "".join("i" if axis not in outputs else "b" if axis in inputs else "o" for axis in weight)
    return lettered_geometry(with_stacked(own, stacked), shape)


def with_stacked(letters: str, stacked: Sequence[int]) -> str:
    """The letters of a weight's own axes, and a "b" at each of the places ``stacked`` of the whole.

    >>> with_stacked("io", (1,))
    'ibo'
    """
    own = iter(letters)
    return "".join("b" if axis in stacked else next(own) for axis in range(len(letters) + len(stacked)))


def custom_geometry(name: str, above: str, shape: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    """The role, or "" if the name is to tell it, and how to count fans, of a parameter whose layer is not known: in JAX and
    Keras the last two axes are inputs and outputs, and stacked experts stand first.

    ``above`` are the names and the types of what has it. Three axes or more are a convolution's if a name says so;
    otherwise they may be heads, stacked layers or taps, and the role of such a weight is "unclear".

    >>> custom_geometry("w_up", "moe.experts", (8, 32, 64))
    ('weight', {'layout': 'bio'})
    >>> custom_geometry("w", "attention", (32, 4, 8))
    ('unclear', {})
    """
    ndim, said = len(shape), f"{above}.{name}".lower()
    if ndim < 2:
        return "", {}
    if ndim == 3 and "expert" in said:
        return "weight", {"layout": "bio"}
    is_weight = re.fullmatch(r"(\w*_)?(weight|kernel|w)(_\w+)?|W\w*|w\d*", name)
    is_conv = "conv" in said or (name == "kernel" and ndim > 3)
    if ndim > 2 and is_weight and not is_conv:
        return "unclear", {}
    return "", {"layout": TAPS[: ndim - 2] + "io"}
