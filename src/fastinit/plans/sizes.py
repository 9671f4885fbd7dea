"""Sizes of a model, by the names and shapes of its parameters: how many layers it stacks, how long an axis is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from ..arguments import real
from .model import TensorSpec


class StackIndex(NamedTuple):
    """A layer: the name of its stack, up to the number, and the number."""

    stack: str
    number: int


def layers_of(patterns: Iterable[str], names: Iterable[str]) -> dict[str, StackIndex]:
    """The layer of each parameter that belongs to one, by the first pattern that fits its name."""
    expressions = [_expression(pattern) for pattern in patterns]
    found = {}
    for name in names:
        for expression in expressions:
            if match := expression.fullmatch(name):
                found[name] = StackIndex(name[: match.start(1)], int(match[1]))
                break
    return found


def _expression(pattern: str) -> re.Pattern[str]:
    before, after = (re.escape(part).replace(r"\*", ".*") for part in pattern.split("{layer}"))
    whole = "(?<![0-9])" if before.endswith(".*") else ""  # no digit of the number is the star's
    return re.compile(f"{before}{whole}([0-9]+){after}", re.DOTALL)


def checked_pattern(pattern: Any) -> str:
    if not isinstance(pattern, str) or pattern.count("{layer}") != 1:
        raise ValueError(f"layers must be patterns with one {{layer}}, not {pattern!r}")
    return pattern


@dataclass(frozen=True)
class Size:
    """A number, or the places where a model shows it: "glob:axis" for the length of an axis, or a pattern with {layer}
    for how many layers there are. The first place that is there counts."""

    places: tuple[str, ...] = ()
    number: float | None = None

    @classmethod
    def parse(cls, name: str, value: Any) -> Size:
        if isinstance(value, (int, float)):
            if real(f"size {name}", value) <= 0:
                raise ValueError(f"size {name} must be positive, got {value!r}")
            return cls(number=float(value))
        places = tuple(value) if isinstance(value, list) else (value,)
        for place in places:
            if not isinstance(place, str) or not (
                place.count("{layer}") == 1 or re.fullmatch(r".+:-?\d+", place)
            ):
                raise ValueError(
                    f"size {name} must be a number, 'glob:axis' or a pattern with one {{layer}}, not {place!r}"
                )
        return cls(places)

    def of(self, name: str, tensors: Mapping[str, TensorSpec]) -> float:
        """The size in a model. Raises ValueError if the model has none of the places, or if one place shows several sizes."""
        if self.number is not None:
            return self.number
        for place in self.places:
            if found := _found(place, tensors):
                if len(found) > 1:
                    raise ValueError(f"size {name} is {', '.join(map(str, sorted(found)))} by {place!r}")
                return found.pop()
        raise ValueError(f"the model shows no size {name}: nothing matches {', '.join(self.places)}")


def _found(place: str, tensors: Mapping[str, TensorSpec]) -> set[int]:
    if "{layer}" in place:
        count = len(set(layers_of([place], tensors).values()))
        return {count} if count else set()
    glob, _, axis = place.rpartition(":")
    shapes = [tensor.shape for name, tensor in tensors.items() if fnmatchcase(name, glob)]
    return {shape[int(axis)] for shape in shapes if -len(shape) <= int(axis) < len(shape)}
