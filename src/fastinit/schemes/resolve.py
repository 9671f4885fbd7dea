"""A scheme's name, a shape and keywords -> the distribution to draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from ..arguments import Shape, checked_shape, choose, unexpected
from ..dtypes import COMPLEX
from ..laws import Distribution
from ..laws.parts import of_reals
from .catalogue import REQUIRED, SCHEMES, Scheme, Target
from .fans import Geometry, known_fans
from .names import Keywords, SchemeName


def scheme(name: str) -> Scheme:
    """The row of a scheme by its name: for names that are known only when the program runs.

    `fastinit.fill` and `fastinit.distribution` take the row in place of the name. Raises TypeError for what is not a str,
    ValueError, with the closest names, for an unknown one.

    >>> scheme("kaiming_normal").formula
    'N(0, gain^2 / fan_in)'
    """
    return choose("scheme", name, SCHEMES)


def distribution(scheme: SchemeName | Scheme, shape: Shape, **numbers: Unpack[Keywords]) -> Distribution:
    """What a scheme draws for a tensor of this shape. Nothing is drawn.

    Parameters
    ----------
    scheme : str or Scheme
        The scheme's name, or its row as `fastinit.schemes.scheme` finds it.
    shape : int or iterable of int
        The shape of the whole tensor.
    **numbers
        The scheme's own keywords, such as ``gain``, and those of `fans` that it heeds, such as ``layout``.

    Returns
    -------
    Normal, Uniform, TruncatedNormal, Constant or Structured

    Raises
    ------
    TypeError
        For a keyword that the scheme does not take, or of the wrong type.
    ValueError
        For an unknown scheme, a wrong value, or a shape that the scheme cannot have.

    Examples
    --------
    >>> distribution("he_normal", (4096, 1024))
    Normal(mean=0.0, std=0.04419417382415922)
    """
    return resolve(scheme, shape, numbers, beside=("shape",))


def heeded(scheme: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """What a scheme takes of what is known of a tensor, which may be more."""
    keywords = choose("scheme", scheme, SCHEMES).keywords
    return {key: value for key, value in known.items() if key in keywords}


def resolve(
    scheme: str | Scheme,
    shape: Shape,
    keywords: Mapping[str, Any],
    beside: Iterable[str] = (),
    dtype: str = "float32",
) -> Distribution:
    """The distribution that a scheme draws for a tensor of this shape.

    ``keywords`` are the scheme's own numbers and those of `fans` that it heeds. An error for any other names the ones that
    are taken: those of the caller, ``beside``, and the scheme's.
    """
    row = scheme if isinstance(scheme, Scheme) else choose("scheme", scheme, SCHEMES)
    name = scheme if isinstance(scheme, str) else row.name
    for keyword in keywords:
        if keyword not in row.keywords:
            raise TypeError(unexpected(name, keyword, (*beside, *row.keywords)))
    sizes = checked_shape(shape)
    geometry = Geometry(**{key: value for key, value in keywords.items() if key in row.geometry})
    numbers = {number.name: keywords.get(number.name, number.default) for number in row.numbers}
    for number, value in numbers.items():
        if value is REQUIRED:
            raise TypeError(f"{name} needs {number}=: {row.keywords[number].meaning}")

    def another(argument: str, scheme: str, shape: Shape, numbers: Mapping[str, Any]) -> Distribution:
        choose(argument, scheme, SCHEMES)
        return resolve(scheme, shape, {**heeded(scheme, geometry._asdict()), **numbers}, dtype=dtype)

    fan = known_fans(sizes, geometry) if row.needs_fans else _no_fans
    distribution = row.build(Target(sizes, geometry, fan, another, dtype in COMPLEX), **numbers)
    of_reals(distribution, sizes, dtype)  # raises for a shape or dtype that it does not have
    return distribution


def _no_fans(name: str) -> float:
    raise AssertionError(f"a scheme without fans asked for {name}")
