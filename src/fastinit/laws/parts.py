"""Complex tensors: what their real and imaginary parts are drawn from, along one more axis of length 2.

A distribution says what a tensor's values are, whatever its dtype. Of complex values, half of the variance lies in each part,
as in JAX: this is the one place that knows how.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arguments import Sizes
from ..dtypes import COMPLEX, Array
from .base import Distribution, Kept, as_distribution
from .composed import Patched, box_shape
from .copies import Copied
from .distributions import Constant, Elementwise, Normal, TruncatedNormal, Uniform
from .patterns import Given
from .state_space import StateMatrix
from .structured import Stream, Structured, set_fields
from .transformed import ComplexTruncatedNormal, ComplexUniform, check_complex

_HALF = math.sqrt(2)  # of a variance
_NEAR = 1e-9  # relative: bounds closer than that are the same, and differ by rounding


@dataclass(frozen=True, slots=True)
class ComplexParts(Structured):
    """Complex values of which `inner` draws the real and imaginary parts, along one more axis of length 2.

    torch's ``rand`` of a complex dtype is one: each part is uniform by itself.

    >>> from fastinit import Uniform
    >>> ComplexParts(Uniform(0.0, 1.0)).to_dict()
    {'law': 'complex_parts', 'inner': {'law': 'uniform', 'low': 0.0, 'high': 1.0}}
    """

    law: ClassVar[str] = "complex_parts"
    inner: Distribution

    def __post_init__(self) -> None:
        set_fields(self, inner=as_distribution(self.inner))

    def check(self, shape: Sizes) -> None:
        check_complex(shape)
        if isinstance(self.inner, Structured):
            self.inner.check(shape)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        return stream.draw(self.inner, shape)


def of_reals(law: Any, shape: Sizes, dtype: str) -> tuple[Any, Sizes]:
    """What the real numbers that a tensor is made of are drawn from, and their shape: of complex values the parts'.

    Raises ValueError for a law that the shape or the dtype does not have.

    >>> of_reals(Normal(0.0, 2.0), (8, 4), "float32")
    (Normal(mean=0.0, std=2.0), (8, 4))
    >>> of_reals(Constant(0.0), (8, 4), "complex64")
    (Constant(value=0.0), (8, 4, 2))
    """
    if dtype in COMPLEX:
        law, shape = _of_parts(law, shape), (*shape, 2)
    if isinstance(law, Structured):
        law.check(shape)
    return law, shape


def of_complex(law: Distribution) -> Distribution:
    """The distribution of complex values whose parts have this one.

    >>> of_complex(Uniform(0.0, 1.0))
    ComplexParts(inner=Uniform(low=0.0, high=1.0))
    """
    match law:
        case Normal(0.0, std):
            return Normal(0.0, std * _HALF)
        case Constant(0.0) | ComplexUniform() | ComplexTruncatedNormal():
            return law
        case _:
            return ComplexParts(law)


def complex_values(values: Any) -> Distribution:
    """The distribution of given values, real or complex.

    >>> complex_values([1 + 2j]), complex_values([1.0])
    (ComplexParts(inner=Given([[1.0, 2.0]])), Given([1.0]))
    """
    try:
        array = np.asarray(values)
    except ValueError:
        return Given(values)  # which says what is wrong
    if not np.iscomplexobj(array):
        return Given(values)
    return ComplexParts(Given(np.stack([np.real(array), np.imag(array)], -1)))


def two_parts(real: Distribution, imaginary: Distribution, shape: Sizes) -> Distribution:
    """What the parts of complex values are drawn from, along one more axis, if each part has its own distribution."""
    if real == imaginary:
        return real
    return Patched(real, ((imaginary_box(shape), imaginary),))


def each_part(law: Distribution, shape: Sizes) -> tuple[Elementwise, Elementwise] | None:
    """What the real and the imaginary parts are drawn from, by that of both along one more axis; None if that is not so simple.

    >>> each_part(two_parts(Uniform(0.0, 1.0), Constant(2.0), (3,)), (3,))
    (Uniform(low=0.0, high=1.0), Constant(value=2.0))
    """
    pair = law, law
    if isinstance(law, Patched) and len(law.patches) == 1 and law.patches[0][0] == imaginary_box(shape):
        pair = law.inner, law.patches[0][1]
    real, imaginary = pair
    return (real, imaginary) if isinstance(real, Elementwise) and isinstance(imaginary, Elementwise) else None


def imaginary_box(shape: Sizes) -> tuple[Any, ...]:
    """Where the imaginary parts lie, for a patch."""
    return (*[(0, size, 1) for size in shape], 1)


def _of_parts(law: Any, shape: Sizes) -> Distribution:
    match law:
        case ComplexParts(inner):
            return inner
        case Copied(inner, of):
            return Copied(_of_parts(inner, shape), of)
        case Kept():
            return law
        case ComplexUniform() | ComplexTruncatedNormal() | StateMatrix("s4d_lin" | "s4d_inv"):
            return law
        case Constant():
            return two_parts(law, Constant(0.0), shape)
        case Normal(mean, std):
            return two_parts(Normal(mean, std / _HALF), Normal(0.0, std / _HALF), shape)
        case Uniform(low, high) if low == high:
            return two_parts(Constant(low), Constant(0.0), shape)
        case Uniform(low, high) if low == -high:
            return ComplexUniform(_HALF * law.moments()[1])
        case TruncatedNormal(0.0, std, low, high) if low == -high and abs(high - 2 * std) <= _NEAR * std:
            # Cut at a modulus of 2 sigma, and as wide after the cut.
            return ComplexTruncatedNormal(law.moments()[1] / math.sqrt(1 - 4 / math.expm1(4)))
        case Given(array):
            return Given(np.stack([array, np.zeros_like(array)], -1))
        case Patched(inner, patches):
            parts = [((*box, (0, 2, 1)), _of_parts(patch, box_shape(box))) for box, patch in patches]
            return Patched(_of_parts(inner, shape), tuple(parts))
        case _:
            known = "" if isinstance(law, Structured) else "; laws.ComplexParts(...) draws each part from it"
            raise ValueError(f"{law} is not a distribution of complex values{known}")
