"""What an argument must be: the value as its plain type, or the error that names the argument and the value."""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, SupportsIndex, TypeAlias, TypeVar

_T = TypeVar("_T")

Shape: TypeAlias = SupportsIndex | Iterable[SupportsIndex]
"""A shape as it is given: one size, or several."""
Sizes: TypeAlias = tuple[int, ...]
"""A shape that was checked."""


def real(argument: str, value: object, *, finite: bool = True) -> float:
    """`value` as a float. A bool, a str or an array is not a real number."""
    # Most are plain, and the tests of others cost more than a small draw may.
    if type(value) is float and math.isfinite(value):
        return value + 0.0
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{argument} must be a real number, got {value!r} ({type(value).__name__})")
    try:
        number = float(value) + 0.0
    except OverflowError:
        raise ValueError(f"{argument} is too large for a float") from None
    if math.isnan(number) or (finite and math.isinf(number)):
        raise ValueError(f"{argument} must be {'finite' if finite else 'a number'}, got {value!r}")
    return number


def non_negative(argument: str, value: object) -> float:
    """`value` as a finite float of at least 0."""
    number = real(argument, value)
    if number < 0:
        raise ValueError(f"{argument} must be at least 0, got {value!r}")
    return number


def positive(argument: str, value: object) -> float:
    """`value` as a finite float above 0."""
    number = real(argument, value)
    if number <= 0:
        raise ValueError(f"{argument} must be positive, got {value!r}")
    return number


def integer(argument: str, value: SupportsIndex) -> int:
    """`value` as an int. A bool is not an integer."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{argument} must be an integer, got {value!r} ({type(value).__name__})")


def positive_integer(argument: str, value: SupportsIndex) -> int:
    """`value` as an int of at least 1."""
    number = integer(argument, value)
    if number < 1:
        raise ValueError(f"{argument} must be at least 1, got {value!r}")
    return number


def integers(argument: str, value: SupportsIndex | Iterable[SupportsIndex]) -> tuple[int, ...]:
    """One integer or several, as a tuple."""
    try:
        items = tuple(value) if isinstance(value, Iterable) else (value,)
        if bool not in map(type, items):
            return tuple(map(operator.index, items))
    except TypeError:
        pass
    raise TypeError(f"{argument} must be integers, got {value!r}")


def checked_shape(shape: Shape) -> tuple[int, ...]:
    """``shape`` as a tuple of non-negative integers whose product is below 2**60."""
    if type(shape) is tuple and len(shape) <= 4:  # most are plain, and this takes less than a small draw
        count = 1
        for size in shape:
            if type(size) is not int or not 0 < size < 2**60:
                break
            count *= size
        else:
            if count < 2**60:
                return shape
    sizes = integers("shape", shape)
    if min(sizes, default=0) < 0:
        raise ValueError(f"shape {sizes} has negative dimensions")
    if len(sizes) > 64:
        raise ValueError(f"shape has {len(sizes)} dimensions; at most 64 are possible")
    # An empty array's other axes must multiply within range too, as NumPy has it.
    if math.prod([size for size in sizes if size]) >= 2**60:
        raise ValueError(f"shape {sizes} is too large")
    return sizes


def flag(argument: str, value: object) -> bool:
    """`value`, if it is a bool: a number is not a flag."""
    if not isinstance(value, bool):
        raise TypeError(f"{argument} must be a bool, got {value!r} ({type(value).__name__})")
    return value


def choose(argument: str, name: object, table: Mapping[str, _T], *, listing: str = "") -> _T:
    """`table[name]`, or the error with the closest names, best first; without a close one, `listing` or all names."""
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a str, got {name!r} ({type(name).__name__})")
    if name in table:
        return table[name]
    hint = _meant(name, table) or listing or f"known: {', '.join(table)}"
    raise ValueError(f"unknown {argument} {name!r}; {hint}")


def unexpected(function: str, keyword: str, taken: Collection[str]) -> str:
    """What to say of a keyword that a function does not take."""
    hint = _meant(keyword, taken)
    return f"{function} takes no {keyword!r}; {f'{hint} ' if hint else ''}it takes {', '.join(taken)}"


def _meant(name: str, known: Iterable[str]) -> str:
    """The question after the closest names, best first."""
    import difflib  # only on the way to an error

    def likeness(word: str) -> float:
        return difflib.SequenceMatcher(None, word, name.lower()).ratio()

    close = difflib.get_close_matches(name.lower(), known)
    close = [word for word in close if likeness(word) > likeness(close[0]) - 0.1]
    return f"did you mean {' or '.join(map(repr, close))}?" if close else ""


def file_path(argument: str, value: str | os.PathLike[str]) -> Path:
    """`value` as a path."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{argument} must be a path, not {value!r} ({type(value).__name__})")
    return Path(value)


def instance(argument: str, value: Any, kind: Any) -> Any:
    """`value`, if it is of that class."""
    if not isinstance(value, kind):
        raise TypeError(f"{argument} must be a {kind.__name__}, not {value!r} ({type(value).__name__})")
    return value
