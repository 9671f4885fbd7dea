"""`fastinit.inspect` of a checkpoint against `cat FILE > /dev/null`, the page cache warm: ``python bench/checkpoints.py``.

Both are timed in turn and the best of each is compared: on a shared machine either may be disturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import fastinit as fi
from fastinit import checkpoints


def write(path: Path, dtype: str, gigabytes: float) -> None:
    """Layers of a transformer 4096 wide, with as many layers as fit."""
    shapes = {"attn": (12288, 4096), "proj": (4096, 4096), "up": (11008, 4096), "down": (4096, 11008)}
    layer = sum(rows * columns for rows, columns in shapes.values()) * (2 if dtype == "bfloat16" else 4)
    parameters: dict[str, tuple[int, ...]] = {}
    for i in range(max(1, round(gigabytes * 1e9 / layer))):
        parameters |= {f"h.{i}.{name}.weight": shape for name, shape in shapes.items()}
        parameters |= {f"h.{i}.norm.weight": (4096,), f"h.{i}.norm.bias": (4096,)}
    checkpoints.write(fi.plan(parameters, dtype=dtype), path, seed=0)


def cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    for dtype in ("float32", "bfloat16"):
        path = Path(arguments.folder) / f"fastinit-bench-{os.getpid()}.safetensors"
        try:
            write(path, dtype, arguments.gigabytes)
            size = path.stat().st_size
            cat, ours = [], []
            for _ in range(arguments.rounds):
                started, used = time.perf_counter(), cpu(resource.RUSAGE_CHILDREN)
                with open(os.devnull, "wb") as nowhere:
                    subprocess.run(["cat", str(path)], stdout=nowhere, check=True)
                cat.append((time.perf_counter() - started, cpu(resource.RUSAGE_CHILDREN) - used))
                started, used = time.perf_counter(), cpu(resource.RUSAGE_SELF)
                report = fi.inspect(path, "default")
                ours.append((time.perf_counter() - started, cpu(resource.RUSAGE_SELF) - used))
                if report.deviating:
                    raise AssertionError(f"{report.deviating[0]} deviates from its own recipe")
            (cat_wall, cat_cpu), (wall, ours_cpu) = (
                tuple(map(min, zip(*t, strict=True))) for t in (cat, ours)
            )
            print(json.dumps({
                "dtype": dtype, "bytes": size, "threads": fi.get_num_threads(), "isa": fi.isa(),
                "cat_gb_per_second": round(size / cat_wall / 1e9, 2),
                "inspect_gb_per_second": round(size / wall / 1e9, 2),
                "ratio": round(cat_wall / wall, 2),
                "cat_cpu_seconds": round(cat_cpu, 3), "inspect_cpu_seconds": round(ours_cpu, 3),
            }), flush=True)  # fmt: skip
        finally:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
