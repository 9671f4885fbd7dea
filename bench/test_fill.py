"""Kernels against NumPy's Generator: ``python -m pytest bench --benchmark-enable``.

Each benchmark checks what it drew against its law before it is believed; `extra_info` has GB/s and the
ratio to the streaming-store fill of the same buffer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from timing import NORMAL, TRUNCATED, UNIFORM, best, check, limit

import fastinit as fi

LAWS: dict[str, fi.laws.Distribution] = {"normal": NORMAL, "uniform": UNIFORM, "truncated normal": TRUNCATED}
SIZES = [10**k for k in range(3, 9)]


def zeros(size: int, dtype: str) -> np.ndarray:
    if dtype == "bfloat16":
        return np.zeros(size, pytest.importorskip("ml_dtypes").bfloat16)
    return np.zeros(size, dtype)


def report(benchmark: Any, out: np.ndarray, threads: int) -> None:
    if benchmark.stats:
        seconds = benchmark.stats.stats.min
        benchmark.extra_info["GB/s"] = out.nbytes / seconds / 1e9
        benchmark.extra_info["of the streaming-store fill"] = best(limit(out, threads), during=0.2) / seconds


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("law", LAWS)
def test_fastinit(benchmark: Any, law: str, dtype: str, size: int, threads: int) -> None:
    benchmark.group = f"{law} {dtype} {size:.0e}"
    out = zeros(size, dtype)
    benchmark(fi.fill, out, LAWS[law], seed=0, threads=threads)
    check(out, LAWS[law])
    report(benchmark, out, threads)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_numpy(benchmark: Any, law: str, dtype: str, size: int) -> None:
    benchmark.group = f"{law} {dtype} {size:.0e}"
    out = zeros(size, dtype)
    generator = np.random.default_rng(0)
    draw = generator.standard_normal if law == "normal" else generator.random
    benchmark(draw, out=out, dtype=out.dtype)
    check(out, LAWS[law])
    report(benchmark, out, 1)
