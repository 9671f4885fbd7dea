"""What a model's own code drew, with several seeds, against what the plan draws.

Thresholds are so strict that a failure is a fault: six standard errors, or a chance of 1e-10.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from fastinit.laws import Copied, Distribution

Array = np.ndarray[Any, Any]
ERRORS = 6.0  # standard errors
KOLMOGOROV = 3.45  # 2 exp(-2 x^2) = 1e-10
FEW = 48  # values, below which a variance says too little
WHOLE = 1 << 17  # elements of a tensor that is kept whole
MOST = 4096  # elements of one tensor that are compared one by one
EXACT = 1e-6  # relative, of values without chance


def differences(
    real: Sequence[Mapping[str, Array]],
    drawn: Sequence[Mapping[str, Array]],
    laws: Mapping[str, Distribution],
) -> list[str]:
    """One line for each tensor, or kind of tensors, whose values in the model and of the plan differ.

    `real` and `drawn` have the values of each tensor by name, one mapping for each seed; only names of `laws` are compared.
    """
    found: list[str] = []
    pools: dict[str, list[tuple[Array, Array]]] = {}
    for name, law in laws.items():
        one, two = _stacked(real, name), _stacked(drawn, name)
        fault = _shape_or_finite(one, two)
        if not fault and one.size:
            fault = _matrix(one, two)
        if not fault and one.size:
            flat, planned = _flat(one), _flat(two)
            fault, free = _without_chance(flat, planned)
            if not fault and free.any():
                a, b = flat[:, free].ravel(), planned[:, free].ravel()
                fault = _support(a, law) or _samples(a, b)
                if not isinstance(law, Copied):  # which says nothing new
                    pools.setdefault(repr(law), []).append((a, b))
        if fault:
            found.append(f"{name} ({_short(law)}): {fault}")
    for text, pairs in pools.items():
        if len(pairs) > 1 and not found:
            fault = _samples(*map(np.concatenate, zip(*pairs, strict=True)))
            if fault:
                found.append(f"{len(pairs)} tensors ({text[:120]}): {fault}")
    return found + _copies(real[0], drawn[0], laws)


def _copies(
    real: Mapping[str, Array], drawn: Mapping[str, Array], laws: Mapping[str, Distribution]
) -> list[str]:
    """One line for each tensor that equals an earlier one in the model or in the plan, and not in the other."""
    first: dict[bytes, str] = {}
    first_drawn: dict[bytes, str] = {}
    found: list[str] = []
    for name, law in laws.items():
        one, two = np.asarray(real[name]), np.asarray(drawn[name])
        if one.size < FEW or (one == one.flat[0]).all() or (two == two.flat[0]).all():
            continue
        of = first.setdefault(one.tobytes(), name)
        planned = first_drawn.setdefault(two.tobytes(), name)
        if of != planned:
            found.append(f"{name} ({_short(law)}): equals {of!r} in the model, {planned!r} in the plan")
    return found


def _short(law: Distribution) -> str:
    return repr(law)[:120]


def _stacked(values: Sequence[Mapping[str, Array]], name: str) -> Array:
    arrays = [np.asarray(one[name]) for one in values]
    if arrays[0].dtype.kind == "c":
        arrays = [np.stack([a.real, a.imag], -1) for a in arrays]
    return np.stack(arrays).astype(np.float64)


def _shape_or_finite(real: Array, drawn: Array) -> str:
    if real.shape[1:] != drawn.shape[1:]:
        return f"its shape is {real.shape[1:]} in the model, {drawn.shape[1:]} in the plan"
    if not np.array_equal(np.isfinite(real).all(0), np.isfinite(drawn).all(0)):
        return "not finite in one of the model and the plan"
    return ""


def looked_at(array: Array) -> Array:
    """The array, or of a large one the first elements, the last and some between; always the same ones."""
    return array if array.size <= WHOLE else array.reshape(-1)[_places(array.size, WHOLE // 8)]


@cache
def _places(n: int, most: int) -> Array:
    edge = most // 8
    inside = np.random.default_rng(n).integers(0, n, most - 2 * edge)
    return np.unique(np.concatenate([np.arange(edge), n - 1 - np.arange(edge), inside]))


def _flat(stack: Array) -> Array:
    """Of each seed the elements, or some of them."""
    flat = stack.reshape(len(stack), -1)
    flat = np.where(np.isfinite(flat), flat, 0.0)
    return flat if flat.shape[1] <= MOST else flat[:, _places(flat.shape[1], MOST)]


def _without_chance(real: Array, drawn: Array) -> tuple[str, Array]:
    """Elements that are the same at each seed must be so in both, and equal; the others."""
    fixed, planned = (real == real[0]).all(0), (drawn == drawn[0]).all(0)
    if len(real) == 1:  # which says nothing of chance
        fixed = planned
    both = fixed & planned
    off = both & (np.abs(real[0] - drawn[0]) > EXACT * np.abs(real[0]) + 1e-30)
    either = fixed | planned
    # Zeros of a sparse matrix, signs and values of narrow dtypes agree by chance.
    agree = (drawn[0] == drawn[1])[~either].mean() if not either.all() else 0.0
    expected = fixed.size * agree ** (min(len(real), len(drawn)) / 2)
    for what, count in {"without chance": (fixed != planned).sum(), "given": off.sum()}.items():
        if count > expected + ERRORS * math.sqrt(expected):
            i = int(np.flatnonzero(off if what == "given" else fixed != planned)[0])
            one, two = real[:2, i], drawn[:2, i]
            return (
                f"{count} of {fixed.size} elements {what} are not so in the plan: {one}, in the plan {two}",
                both,
            )
    return "", ~both


def _support(real: Array, law: Distribution) -> str:
    low, high = law.support()
    coarse = not (
        real.astype(np.float32).view(np.uint32) & 0xFFF
    ).any()  # of a narrow dtype, which rounds outwards
    room = (2**-7 if coarse else 1e-5) * max([abs(x) for x in (low, high) if math.isfinite(x)], default=0.0)
    if real.min() < low - room or real.max() > high + room:
        return f"values from {real.min():g} to {real.max():g} are outside of the law's support"
    return ""


def _samples(a: Array, b: Array) -> str:
    """Mean, variance and distribution function of two samples."""
    scale = b.std() or a.std() or 1.0
    a, b = (a - b.mean()) / scale, (b - b.mean()) / scale
    n, m = len(a), len(b)
    variance, other = a.var(), b.var()
    error = math.sqrt((variance + 1e-6) / n + (other + 1e-6) / m)
    if min(n, m) >= FEW // 4 and abs(a.mean() - b.mean()) > ERRORS * error:
        return f"its mean is {(a.mean() - b.mean()) / error:+.1f} standard errors off"
    if min(n, m) < FEW:
        return ""
    fourth, another = ((a - a.mean()) ** 4).mean(), ((b - b.mean()) ** 4).mean()
    error = math.sqrt(max(fourth - variance**2, 0) / n + max(another - other**2, 0) / m)
    error = max(error, 0.1 * math.sqrt(2 / n + 2 / m))
    if abs(variance - other) > ERRORS * error:
        return f"its variance is {variance / other:.3g} times the plan's"
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    cumulated = [np.searchsorted(x, both, "right") / len(x) for x in (a, b)]
    distance = float(np.abs(cumulated[0] - cumulated[1]).max()) * math.sqrt(n * m / (n + m))
    return f"the Kolmogorov-Smirnov statistic is {distance:.1f}" if distance > KOLMOGOROV else ""


def _matrix(real: Array, drawn: Array) -> str:
    """Orthogonal rows, or independent ones: n |W W'|^2 / |W|^4 is 1 for the first."""
    if real.ndim < 3 or not np.isfinite(real).all() or not np.isfinite(drawn).all():
        return ""
    one, two = [np.array([_spread(w.reshape(len(w), -1)) for w in stack]) for stack in (real, drawn)]
    error = np.hypot(one.std() / math.sqrt(len(one)), two.std() / math.sqrt(len(two)))
    if abs(one.mean() - two.mean()) > 0.1 * two.mean() + 2 * ERRORS * error:
        return f"its rows are not as they are in the plan: |WW'| is {one.mean():.3g}, in the plan {two.mean():.3g}"
    return ""


def _spread(w: Array) -> float:
    w = w.T if w.shape[0] > w.shape[1] else w
    norm = float(np.square(w).sum())
    return float(np.square(w @ w.T).sum()) / norm**2 * len(w) if norm and len(w) >= 8 else 1.0
