"""Whole checkpoints against plain writes of as many bytes, each synced, in turn: `python bench/writing.py FOLDER [GB]`."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

import fastinit as fi
from fastinit import checkpoints

ROUNDS = 5


def plain(path: Path, nbytes: int) -> float:
    """Seconds to write one buffer of random bytes again and again, and to sync."""
    chunk = np.random.default_rng(0).bytes(8 << 20)
    begun = time.perf_counter()
    with open(path, "wb", buffering=0) as file:
        for _ in range(nbytes // len(chunk)):
            file.write(chunk)
        os.fsync(file)
    return time.perf_counter() - begun


def main(folder: Path, gigabytes: float) -> None:
    rows = round(gigabytes * 1e9 / 8 / 2 / 4096)
    plan = fi.plan({f"layers.{i}.weight": (rows, 4096) for i in range(8)}, dtype="bfloat16")
    path = folder / "writing.safetensors"
    for _ in range(ROUNDS):
        seconds = []
        for write in (
            lambda: plain(path, plan.nbytes),
            lambda: checkpoints.write(plan, path, seed=0).seconds,
        ):
            seconds.append(write())
            path.unlink()
        rates = [plan.nbytes / 1e9 / s for s in seconds]
        print(f"plain {rates[0]:.2f} GB/s, drawn {rates[1]:.2f} GB/s", flush=True)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 2.0)
