"""What a tensor is drawn from: what all distributions have in common, and their form in JSON.

A distribution is plain data, checked once when it is made. It knows no shape, dtype or memory. There are two kinds:

- `Elementwise` (distributions.py): every element is drawn independently of the others, from one law that at most four
  numbers describe. The C kernels draw these.
- `Structured` (structured.py): a law of a whole tensor, such as an orthogonal matrix. It is computed in NumPy from random
  pieces that the kernels draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ..arguments import choose

_KINDS: dict[str, type[Distribution]] = {}  # by the name in JSON; each class enters itself
_INFINITIES = {"inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a tensor is drawn from. The dataclass's fields are its parameters, `law` is its name in JSON."""

    law: ClassVar[str]

    def __init_subclass__(cls) -> None:
        if "law" in cls.__dict__:
            _KINDS[cls.law] = cls

    @property
    def label(self) -> str:
        """The name for people: "truncated normal"."""
        return self.law.replace("_", " ")

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The parameters in the order of the fields."""
        return tuple([getattr(self, field.name) for field in fields(self)])

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation of each element; NaN if the elements are not drawn independently."""
        return math.nan, math.nan

    def support(self) -> tuple[float, float]:
        """Bounds of the elements; infinite if there are none or none are known."""
        return -math.inf, math.inf

    def affine(self, scale: float, shift: float) -> Distribution | None:
        """The distribution of scale * x + shift, if x has this one; None if no distribution here describes it."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """The distribution for JSON, with infinities as the strings "inf" and "-inf"; `from_dict` reads it."""
        data: dict[str, Any] = {"law": self.law}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Distribution):
                value = value.to_dict()
            data[field.name] = str(value) if isinstance(value, float) and math.isinf(value) else value
        return data


@dataclass(frozen=True, slots=True)
class Kept(Distribution):
    """What a tensor holds already: nothing is drawn."""

    law: ClassVar[str] = "kept"


def from_dict(data: Mapping[str, Any]) -> Distribution:
    """The distribution that `to_dict` described. Raises ValueError for an unknown one or unfitting parameters.

    >>> from fastinit.laws import from_dict
    >>> from_dict({"law": "normal", "mean": 0.0, "std": 0.02})
    Normal(mean=0.0, std=0.02)
    """
    kind = choose("law", data.get("law"), _KINDS)
    names = [field.name for field in fields(kind)]
    if set(data) != {"law", *names}:
        raise ValueError(f"the law {kind.law!r} has the parameters {', '.join(names)}, got {dict(data)!r}")
    return kind(**{name: _from_json(data[name]) for name in names})


def as_distribution(value: Any) -> Any:
    """A distribution itself, or the one that `to_dict` described; TypeError for anything else."""
    if isinstance(value, Distribution):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"a distribution is needed, not {value!r}")
    return from_dict(value)


def _from_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_dict(value)
    return _INFINITIES.get(value, value) if isinstance(value, str) else value
