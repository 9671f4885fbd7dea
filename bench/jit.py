"""JAX's `jit` with `out_shardings`: fastinit's initializers against JAX's own, with as many virtual devices as the argument says.

`python bench/jit.py 8` and `python bench/jit.py 1` print the tables of docs/speed.md.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

DEVICES = int(sys.argv[1])
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"

import jax  # noqa: E402
import numpy as np  # noqa: E402
from jax.sharding import NamedSharding, PartitionSpec  # noqa: E402
from timing import machine, paired  # noqa: E402

import fastinit.jax as fj  # noqa: E402

SHAPE, ARRAYS = (8192, 8192), 12
CASES = [("normal", "float32"), ("normal", "bfloat16"), ("uniform", "float32"), ("lecun_normal", "float32")]
KEY = jax.random.key(0)


def compiled(draw: Callable[[Any], Any]) -> tuple[Any, float]:
    """With the seconds that it took."""
    mesh = jax.make_mesh((max(1, DEVICES // 2), min(2, DEVICES)), ("a", "b"))
    started = time.perf_counter()
    program = jax.jit(draw, out_shardings=NamedSharding(mesh, PartitionSpec("a", "b"))).lower(KEY).compile()
    return program, time.perf_counter() - started


def one(initializers: Any, name: str, dtype: str) -> Any:
    return compiled(partial(getattr(initializers, name)(), shape=SHAPE, dtype=dtype))[0]


def model(initializers: Any) -> float:
    """Seconds to compile a program that draws arrays of several shapes."""

    def draw(key: Any) -> list[Any]:
        keys = jax.random.split(key, ARRAYS)
        return [initializers.normal()(k, (256 + 64 * i, 512)) for i, k in enumerate(keys)]

    return compiled(draw)[1]


def main() -> None:
    print(machine())
    for name, dtype in CASES:
        ours, theirs = one(fj, name, dtype), one(jax.nn.initializers, name, dtype)
        eager = getattr(fj, name)()(KEY, SHAPE, dtype)
        assert (np.asarray(ours(KEY)) == np.asarray(eager)).all()
        pairs = paired(
            lambda f=theirs: f(KEY).block_until_ready(), lambda f=ours: f(KEY).block_until_ready(), pairs=3
        )
        spare = [f.memory_analysis().temp_size_in_bytes for f in (ours, theirs)]
        print(f"{name} {dtype}: x {median(pairs.ratios):.0f} ({min(pairs.ratios):.0f} to {max(pairs.ratios):.0f});"
              f" {pairs.ours:.3f} s, JAX {pairs.other:.3f} s; beside the shard {spare[0]} bytes, JAX {spare[1]}")  # fmt: skip
    ours, theirs = model(fj), model(jax.nn.initializers)
    print(f"compilation of {ARRAYS} arrays: {ours:.1f} s, JAX {theirs:.1f} s: x {theirs / ours:.0f}")


if __name__ == "__main__":
    main()
