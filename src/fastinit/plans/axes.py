"""What is known of a weight's axes without a layer of a known type: from an einsum's equation, or by custom."""

from __future__ import annotations

import math
import re
from typing import Any


def einsum_geometry(equation: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """How to count the fans of the second operand of ``equation``, the weight: its axes that are summed are inputs, those
    that only the weight brings into the output are outputs, and those that all three have stand for stacked weights.

    >>> einsum_geometry("nta,hab->nthb", (4, 8, 16))
    {'fan_in': 8, 'fan_out': 64, 'axis': 1}
    >>> einsum_geometry("eti,eio->eto", (4, 8, 16))
    {'layout': 'bio'}
    """
    inputs, weight, outputs = equation.replace("->", ",").replace(" ", "").replace(".", "").split(",")
    ins = [axis for axis, letter in enumerate(weight) if letter not in outputs]
    outs = [axis for axis, letter in enumerate(weight) if letter in outputs and letter not in inputs]
    if len(ins) == len(outs) == 1:
        return {
            "layout": "".join(
                "i" if axis in ins else "o" if axis in outs else "b" for axis in range(len(weight))
            )
        }
    fan_in, fan_out = (max(math.prod(shape[axis] for axis in axes), 1) for axes in (ins, outs))
    single = outs if len(outs) == 1 else ins  # it counts the rows of an orthogonal matrix
    return {"fan_in": fan_in, "fan_out": fan_out, "axis": single[0] if len(single) == 1 else -1}


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
    return "", {"layout": "tuvwxyz"[: ndim - 2] + "io"} if ndim < 10 else {}
