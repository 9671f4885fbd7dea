"""Measure the README's figures and print them as a table: ``python bench/table.py [elements]``.

All in place, on buffers already touched, in one run; the limit is a streaming-store fill of the same buffer by the
same threads.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import numpy as np
from conftest import best, limit

import fastinit as fi

LAWS = [
    ("uniform", fi.Uniform(0.0, 1.0), "random"),
    ("normal", fi.Normal(0.0, 1.0), "standard_normal"),
    ("truncated normal, 2 sigma", fi.TruncatedNormal(0.0, 1.0, -2.0, 2.0), None),
]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 28
    threads = fi.get_num_threads()
    print(
        f"{processor()}, {threads} threads, {fi.isa()}, NumPy {np.__version__}; {n:.3g} elements in place\n"
    )
    print("| law | dtype | G elements/s | of the streaming-store fill | NumPy's Generator |")
    print("|---|---|---|---|---|")
    for dtype in ("float32", "float64"):
        out = np.ones(n * 4 // np.dtype(dtype).itemsize, dtype)
        at_best = limit(out, threads)
        for label, law, method in LAWS:
            seconds = best(lambda law=law, out=out: fi.draw(out, law, seed=0, threads=threads), 1.0)
            numpy = "-"
            if method:
                part = out[: len(out) // 8]
                draw = getattr(np.random.default_rng(0), method)
                numpy = f"x {best(lambda: draw(out=part, dtype=part.dtype)) * 8 / seconds:.0f}"  # noqa: B023
            print(
                f"| {label} | {dtype} | {len(out) / seconds / 1e9:.2f} | {at_best / seconds:.2f} | {numpy} |"
            )


if __name__ == "__main__":
    main()
