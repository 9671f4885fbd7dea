"""What values in memory are like: their number, range and moments, which the kernels measure in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .. import _core
from ..dtypes import Array
from .config import ISA

# As struct fi_moments.
MOMENTS = np.dtype(
    [(field, np.uint64) for field in ("count", "nan", "inf", "zeros")]
    + [(field, np.float64) for field in ("low", "high", "mean", "m2", "m3", "m4")]
)


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the finite values: their ``count``, range, mean, and the sums m2, m3, m4 of powers of x - mean.

    ``zeros`` counts the zeros among them, ``nan`` and ``inf`` the other values. Without finite values, all else is 0.
    """

    count: int
    nan: int
    inf: int
    zeros: int
    low: float
    high: float
    mean: float
    m2: float
    m3: float
    m4: float


def measure(pieces: Iterable[Array]) -> Moments:
    """The moments of the values of all pieces together.

    >>> measured = measure([np.float32([1, 2]), np.float32([3, np.inf])])
    >>> measured.count, measured.inf, measured.high, measured.mean
    (3, 1, 3.0, 2.0)
    """
    moments, bins = np.zeros(2, MOMENTS), np.empty(_core.BINS, np.uint32)
    at = moments.ctypes.data
    for piece in pieces:
        values = np.ascontiguousarray(piece)
        _core.inspect(
            values.dtype.name, values.ctypes.data, 1, values.size, 0, ISA, at + MOMENTS.itemsize, bins.ctypes.data, 0
        )  # fmt: skip
        _core.merge(at, 2)
    return Moments(*moments[0].item())
