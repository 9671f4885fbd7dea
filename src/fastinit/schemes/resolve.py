"""A scheme's name, a shape and some numbers -> the law to draw."""

from __future__ import annotations

import inspect
from typing import Any

from ..arguments import Shape, checked_shape, choose
from ..laws.distributions import Distribution
from ..laws.structured import Structured
from .catalogue import SCHEMES, Target
from .fans import known_fans
from .scaling import Fan

__all__ = ["GEOMETRY", "SCHEMES", "distribution"]


def distribution(
    scheme: str,
    shape: Shape,
    *,
    layout: str | None = None,
    groups: int = 1,
    stride: Any = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
    **numbers: Any,
) -> Distribution | Structured:
    """The law that a scheme draws for a tensor of this shape.

    ``layout``, ``groups``, ``stride``, ``transposed``, ``packed``, ``fan_in``, ``fan_out`` say how to count fans, see
    `fans`; ``numbers`` are the scheme's own.

    Raises
    ------
    TypeError
        for a keyword that the scheme does not take, or of the wrong type.
    ValueError
        for an unknown scheme, a wrong value, or a shape whose fans are not defined.

    Examples
    --------
    >>> distribution("he_normal", (4096, 1024))
    Normal(mean=0.0, std=0.04419417382415922)
    """
    row = choose("scheme", scheme, SCHEMES)
    for number in numbers:
        if number not in row.numbers:
            takes = ", ".join((*row.numbers, *(p.name for p in GEOMETRY)))
            raise TypeError(f"{scheme} takes no {number!r}; it takes {takes}")
    geometry: dict[str, Any] = {
        "layout": layout, "groups": groups, "stride": stride, "transposed": transposed, "packed": packed,
        "fan_in": fan_in, "fan_out": fan_out,
    }  # fmt: skip
    fan: Fan = known_fans(shape, **geometry) if row.needs_fans else _no_fans

    def another(scheme: str, shape: Shape, **numbers: Any) -> Distribution | Structured:
        return distribution(scheme, shape, **geometry, **numbers)

    weight = Target(checked_shape(shape), fan, layout, groups, transposed, packed, another)
    law = row.build(weight, **{**row.numbers, **numbers})
    if isinstance(law, Structured):
        law.check(weight.shape)
    return law


# The keywords that say how to count fans, for every place that takes them.
GEOMETRY = [
    parameter
    for parameter in inspect.signature(distribution).parameters.values()
    if parameter.kind is parameter.KEYWORD_ONLY
]


def _no_fans(name: str) -> float:
    raise AssertionError(f"a scheme without fans asked for {name}")
