"""The yardstick: how fast the same threads fill the same buffer with streaming stores of a constant."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import fastinit as fi


def best(call: Callable[[], object], seconds: float = 0.5) -> float:
    """Least time of a call, over at least three and at most ``seconds``."""
    least, started, calls = float("inf"), time.perf_counter(), 0
    while calls < 3 or time.perf_counter() - started < seconds:
        at = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - at)
        calls += 1
    return least


def limit(out: np.ndarray, threads: int) -> float:
    """Seconds of the streaming-store fill of the buffer."""
    return best(lambda: fi.draw(out, fi.Constant(1.0), threads=threads), 0.2)
