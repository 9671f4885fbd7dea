"""The tests of the battery: what each counts in a chunk, and the exact law of the counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.fft
from scipy import stats
from scipy.special import ndtri
from sources import Array


class Test(NamedTuple):
    """``count`` of a chunk: the occupation of each cell, in rows of equal sum, if ``law`` has the cells' probabilities;
    the number of events and the mean of their Poisson law, if it is None."""

    count: Callable[[Array], Array]
    law: Array | None


def histogram(index: Array, cells: int) -> Array:
    return np.bincount(np.clip(index.ravel(), 0, cells - 1), minlength=cells)


def groups(x: Array, *shape: int) -> Array:
    """As many whole groups as there are, one after the other."""
    size = math.prod(shape)
    return x[: len(x) // size * size].reshape(-1, *shape)


def evenly(cells: int) -> Array:
    return np.full(cells, 1 / cells)


# ------------------------------------------------------------------------------------------- tests of words


def byte_values() -> Test:
    """The values of each of the four bytes of a word."""

    def count(w: Array) -> Array:
        return np.stack([histogram(byte, 256) for byte in w.view(np.uint8).reshape(-1, 4).T])

    return Test(count, evenly(256))


def serial(bits: int, length: int, lag: int = 1) -> Test:
    """The top bits of ``length`` words ``lag`` apart, together."""
    cells = 1 << bits * length

    def count(w: Array) -> Array:
        digits = groups((w >> np.uint32(32 - bits)).astype(np.int32), length, lag)
        places = [digits[:, k] << bits * k for k in range(length)]
        return histogram(sum(places[1:], start=places[0]), cells)

    return Test(count, evenly(cells))


def gaps(log2: int) -> Test:
    """How far apart the words below 2**(32 - log2) are."""
    p = 0.5**log2
    lengths = np.arange(1, 8 << log2)
    law = p * (1 - p) ** (lengths - 1)

    def count(w: Array) -> Array:
        # A fixed number of gaps: all those that fit would be too few long ones.
        found = np.diff(np.flatnonzero(w < 1 << 32 - log2), prepend=-1)[: int(0.9 * p * len(w))]
        return histogram(found - 1, len(law) + 1)

    return Test(count, np.append(law, 1 - law.sum()))


def ascents(length: int = 8) -> Test:
    """The length of the ascending run that opens each group of words."""
    at_least = np.array([1 / math.factorial(k) for k in range(1, length + 1)])

    def count(w: Array) -> Array:
        x = groups(w, length)
        return histogram(np.logical_and.accumulate(x[:, 1:] > x[:, :-1], axis=1).sum(axis=1), length)

    return Test(count, at_least - np.append(at_least[1:], 0))


def birthdays(bits: int, log2: int) -> Test:
    """Equal spacings among 2**log2 sorted birthdays in a year of 2**bits days, a day made of two words' top bits."""
    half = np.uint64(bits // 2)

    def count(w: Array) -> Array:
        top = (w >> np.uint32(32 - bits // 2)).astype(np.uint64).reshape(-1, 2)
        days = np.sort(groups(top[:, 0] << half | top[:, 1], min(1 << log2, len(top))), axis=1)
        spacings = np.sort(np.diff(days, axis=1), axis=1)
        m = days.shape[1]
        mean = len(days) * m * (m - 1) * (m - 2) / 4 / 2.0**bits
        return np.array([(spacings[:, 1:] == spacings[:, :-1]).sum(), mean])

    return Test(count, None)


def collisions() -> Test:
    """Words that a chunk already has."""

    def count(w: Array) -> Array:
        x, m, days = np.sort(w), len(w), 2.0**32
        return np.array([(x[1:] == x[:-1]).sum(), m + days * math.expm1(m * math.log1p(-1 / days))])

    return Test(count, None)


def rank(size: int) -> Test:
    """Ranks over GF(2) of square matrices: full, one less, ..., four less or below."""
    law = []
    for short in range(4):
        r = size - short
        law.append(
            2.0 ** -(short**2)
            * math.prod((1 - 2.0 ** (i - size)) ** 2 / (1 - 2.0 ** (i - r)) for i in range(r))
        )

    def count(w: Array) -> Array:
        rows = np.ascontiguousarray(groups(w.view(f"u{size // 8}"), size).T)
        ranks = np.zeros(rows.shape[1], np.int64)
        for i, row in enumerate(rows):  # each row's lowest bit is taken out of the rows after it
            lowest = row & (~row + rows.dtype.type(1))
            ranks += row != 0
            rest = rows[i + 1 :]
            rest ^= row * ((rest & lowest) != 0)
        return histogram(size - ranks, 5)

    return Test(count, np.array([*law, 1 - sum(law)]))


def weights(length: int = 6) -> Test:
    """Whether each of ``length`` words has few, some or many bits set, together."""
    few = stats.binom.cdf(14, 32, 0.5)
    law = np.array([few, 1 - 2 * few, few])

    def count(w: Array) -> Array:
        kind = groups(np.digitize(np.bitwise_count(w), [15, 18]), length)
        return histogram(kind @ 3 ** np.arange(length), 3**length)

    joint = law
    for _ in range(length - 1):
        joint = np.multiply.outer(law, joint).ravel()
    return Test(count, joint)


def differences(lag: int) -> Test:
    """The number of bits in which words ``lag`` apart differ."""

    def count(w: Array) -> Array:
        return histogram(np.bitwise_count(w[lag:] ^ w[:-lag]), 33)

    return Test(count, stats.binom.pmf(np.arange(33), 32, 0.5))


def bit_changes() -> Test:
    """The number of neighbouring bits of a word that differ."""

    def count(w: Array) -> Array:
        return histogram(np.bitwise_count((w ^ w >> np.uint32(1)) & np.uint32(0x7FFFFFFF)), 32)

    return Test(count, stats.binom.pmf(np.arange(32), 31, 0.5))


def spectrum(log2: int = 18) -> Test:
    """The power at each frequency of 2**log2 words, in half octaves of its probability."""
    cells = np.arange(120)
    at_least = 2.0 ** (-cells / 2)

    def count(w: Array) -> Array:
        x = groups(w, 1 << log2).astype(np.float32) - np.float32(2**31)
        amplitude = scipy.fft.rfft(x * np.float32(2.0**-32 * math.sqrt(12 / 2**log2)), axis=1)[:, 1:-1]
        power = amplitude.real**2 + amplitude.imag**2
        halvings = np.minimum(power / np.float32(math.log(2)), 60)
        return histogram((2 * halvings).astype(np.int64), len(cells))

    return Test(count, at_least - np.append(at_least[1:], 0))


WORD_TESTS: dict[str, Test] = {
    "bytes": byte_values(),
    "16 bits": serial(16, 1),
    "pairs": serial(8, 2),
    "triples": serial(6, 3),
    "quadruples": serial(4, 4),
    "octets": serial(2, 8),
    "16 first bits": serial(1, 16),
    "pairs, lag 4": serial(8, 2, 4),
    "pairs, lag 16": serial(8, 2, 16),
    "pairs, lag 1024": serial(8, 2, 1024),
    "gaps of 8": gaps(3),
    "gaps of 256": gaps(8),
    "ascents": ascents(),
    "birthdays, 32 bits": birthdays(32, 11),
    "birthdays, 48 bits": birthdays(48, 17),
    "birthdays, 64 bits": birthdays(64, 21),
    "collisions": collisions(),
    "rank 32": rank(32),
    "rank 64": rank(64),
    "weights": weights(),
    "bit changes": bit_changes(),
    **{f"differences, lag {lag}": differences(lag) for lag in (1, 4, 8, 16, 256, 1024, 65536)},
    "spectrum": spectrum(),
}


# ------------------------------------------------------ tests of floats, as uniforms by their exact law's cdf


def values(bits: int = 16) -> Test:
    """The first binary digits."""
    return Test(lambda u: histogram((u * (1 << bits)).astype(np.int64), 1 << bits), evenly(1 << bits))


def tails(octaves: int) -> Test:
    """Either tail, in half octaves of its probability."""
    at_least = 2.0 ** (-np.arange(2 * octaves) / 2)
    law = at_least - np.append(at_least[1:], 0)

    def count(u: Array) -> Array:
        p = np.maximum(2 * np.minimum(u, 1 - u), 2.0**-60)
        k = np.minimum((-2 * np.log2(p)).astype(np.int64), len(law) - 1)
        return histogram(k + len(law) * (u > 0.5), 2 * len(law))

    return Test(count, np.tile(law / 2, 2))


def kolmogorov_smirnov(n: int = 4096, cells: int = 32) -> Test:
    """The p-values of the Kolmogorov-Smirnov test of each n numbers."""
    edges = stats.kstwo.isf(np.arange(1, cells)[::-1] / cells, n)
    steps = np.arange(n) / n

    def count(u: Array) -> Array:
        above = np.sort(groups(u, n), axis=1) - steps
        return histogram(np.searchsorted(edges, np.maximum(above, 1 / n - above).max(axis=1)), cells)

    return Test(count, evenly(cells))


def extremes(n: int = 1024, cells: int = 64) -> Test:
    """The probability of the outermost of each n numbers."""

    def count(u: Array) -> Array:
        outermost = 2 * groups(np.minimum(u, 1 - u), n).min(axis=1)
        return histogram((np.exp(n * np.log1p(-outermost)) * cells).astype(np.int64), cells)

    return Test(count, evenly(cells))


def polar(cells: int = 32) -> Test:
    """Radius and angle of pairs, as normals."""

    def count(u: Array) -> Array:
        x, y = ndtri(np.clip(u, 2.0**-60, 1 - 2.0**-53)).reshape(-1, 2).T
        angle = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * cells).astype(np.int64) % cells
        return histogram((np.exp(-0.5 * (x * x + y * y)) * cells).astype(np.int64) * cells + angle, cells**2)

    return Test(count, evenly(cells**2))


FLOAT_TESTS: dict[str, Test] = {
    "values": values(),
    "tails": tails(16),
    "far tails": tails(40),  # of normal laws only: those of bounded ones are few floats
    "Kolmogorov-Smirnov": kolmogorov_smirnov(),
    "extremes": extremes(),
    "polar": polar(),
}
