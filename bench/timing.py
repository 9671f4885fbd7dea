"""Clocks, the yardstick and the check that every benchmark shares."""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastinit as fi

Call = Callable[[], object]

UNIFORM = fi.Uniform(0.0, 1.0)
NORMAL = fi.Normal(0.0, 1.0)
TRUNCATED = fi.TruncatedNormal(0.0, 1.0, -2.0, 2.0)
PACKAGES = ("fastinit-nn", "numpy", "ml_dtypes", "torch", "jax", "transformers")


class Pairs(NamedTuple):
    """Median seconds of two calls made in turn, and by how much the second was faster, pair by pair."""

    other: float
    ours: float
    ratios: list[float]


def seconds(call: Call, calls: int = 1) -> float:
    """Seconds of one call, as the mean of so many in a row."""
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls


def best(call: Call, calls: int = 1, during: float = 0.5) -> float:
    """Least seconds of a call, as `seconds` has it, over at least three times and so many seconds."""
    times, started = list[float](), time.perf_counter()
    while len(times) < 3 or time.perf_counter() - started < during:
        times.append(seconds(call, calls))
    return min(times)


def paired(other: Call, ours: Call, pairs: int, calls: int = 1, rest: float = 0.0) -> Pairs:
    """Time both in turn: a shared machine's memory slows down and speeds up, for both alike."""
    times = [(rested(other, calls, rest), rested(ours, calls, rest)) for _ in range(pairs)]
    return Pairs(
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        [a / b for a, b in times],
    )


def rested(call: Call, calls: int, rest: float) -> float:
    """The best after a rest: the other may still give memory back, and has emptied the caches."""
    time.sleep(rest)
    return best(call, calls, during=0.25)


def limit(out: np.ndarray, threads: int | None = None) -> Call:
    """The yardstick: a fill of the same buffer with a constant, with streaming stores where it is large."""
    one = fi.Constant(1.0)
    return lambda: fi.fill(out, one, threads=threads)


def check(values: Any, law: fi.laws.Distribution) -> None:
    """Mean and variance within 6 standard errors, on up to 4 M elements spread over the whole."""
    x = np.asarray(values).reshape(-1)
    x = x[:: max(1, x.size >> 22)].astype(np.float64)
    mean, std = law.moments()
    # The variance's own error is largest for the normal law, of those drawn here.
    if abs(x.mean() - mean) > 6 * std / math.sqrt(x.size):
        raise AssertionError(f"mean {x.mean()} of {law}")
    if abs(x.var() / std**2 - 1) > 6 * math.sqrt(2 / x.size):
        raise AssertionError(f"variance {x.var()} of {law}")


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def versions() -> dict[str, str | None]:
    """Version by package; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def machine() -> dict[str, Any]:
    return {
        "processor": processor(),
        "system": platform.platform(),
        "threads": fi.get_num_threads(),
        "isas": list(fi.available_isas()),
        "versions": versions(),
    }
