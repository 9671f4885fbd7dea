"""What a GPU's kernels are measured against, on the device and in place: the part "gpu" of versus.py."""

from __future__ import annotations

import statistics
import time
from typing import Any

from parts import QUICK, Row, Scale
from timing import NORMAL, TRUNCATED, UNIFORM, Call, Pairs

import fastinit as fi

# Llama-3-8B: shapes, and how many tensors have them.
LLAMA = {
    (128256, 4096): 2,
    (4096, 4096): 64,
    (1024, 4096): 64,
    (14336, 4096): 64,
    (4096, 14336): 32,
    (4096,): 65,
}


def available() -> bool:
    """Whether torch sees a GPU that fastinit can draw on."""
    try:
        import torch
    except ModuleNotFoundError:
        return False
    return torch.cuda.is_available() and not torch.version.hip and not fi.cuda.missing()


def seconds(device: str, call: Call, calls: int) -> float:
    """Seconds of one of so many calls that are queued back to back."""
    if device == "cpu":  # of the stand-in, for tests
        started = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - started) / calls
    import torch

    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    first.record()
    for _ in range(calls):
        call()
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) * 1e-3 / calls


def paired(device: str, other: Call, ours: Call, pairs: int, calls: int = 3) -> Pairs:
    other(), ours()  # compiled, loaded, in the caches of allocators
    times = [(seconds(device, other, calls), seconds(device, ours, calls)) for _ in range(pairs)]
    others, own = zip(*times, strict=True)
    return Pairs(statistics.median(others), statistics.median(own), [a / b for a, b in times])


def gpu_part(scale: Scale, device: str = "cuda") -> list[Row]:
    """The rows of the table; none without a GPU."""
    if device == "cuda" and not available():
        return []
    import torch
    from torch import nn

    from fastinit.torch import init_

    count, rows = scale.buffer if scale.pairs <= QUICK.pairs else 1 << 30, list[Row]()

    def draws(out: Any, law: fi.laws.Distribution, **part: Any) -> Call:
        return lambda: fi.fill(out, law, seed=0, name="w", **part)

    def add(what: str, versus: str, target: float | None, other: Call | None, ours: Call, n: int, calls: int = 3) -> None:  # fmt: skip
        row = Row(what, versus, target, elements=n)
        rows.append(row.timed(paired(device, other, ours, scale.pairs, calls)) if other else row)

    for name in ("float32", "bfloat16"):
        out = torch.empty(count, dtype=getattr(torch, name), device=device)
        single = name == "float32"
        for law, least, own, target in (
            (UNIFORM, 0.95, lambda out=out: out.uniform_(), None),
            (NORMAL, 0.85, lambda out=out: out.normal_(), 1.5),
            (TRUNCATED, None, lambda out=out: nn.init.trunc_normal_(out), 8 if single else None),
        ):
            what = f"{law.label}, {name}"
            add(
                what,
                "torch fill_",
                least if single else None,
                lambda out=out: out.fill_(1),
                draws(out, law),
                count,
            )
            add(what, f"torch {law.label}", target, own, draws(out, law), count, 1)
        add(f"normal, {name}", "torch.func._random", None, _keyed(out), draws(out, NORMAL), count)
        add(f"normal, {name}", "CuPy", None, _cupy(out) if single else None, draws(out, NORMAL), count)
        add(f"normal, {name}", "JAX, jitted, new array", None, _jax(out), draws(out, NORMAL), count)
        side = int((count // 2) ** 0.5) // 16 * 16
        part = out[: side * side].view(side, side)
        shard = {"shape": (side, 2 * side), "block": (slice(None), slice(side, 2 * side))}
        whole = draws(part, NORMAL)
        add(
            f"normal, {name}: half of the columns",
            "contiguous",
            0.6,
            whole,
            draws(part, NORMAL, **shard),
            side * side,
        )
        across = draws(part.T, NORMAL, **shard)
        add(
            f"normal, {name}: half of the columns, transposed", "contiguous", None, whole, across, side * side
        )
        del out, part
    small = torch.empty(1000, device=device)
    calls = scale.calls
    add("1,000 elements, queued back to back", "torch normal_", 1 / 1.5, lambda: small.normal_(), draws(small, NORMAL), 0, calls)  # fmt: skip
    divisor = 1 if count == 1 << 30 else 64
    shapes = [tuple([max(1, n // divisor) for n in shape]) for shape, n in LLAMA.items() for _ in range(n)]
    model = nn.ParameterList(
        [nn.Parameter(torch.empty(shape, dtype=torch.bfloat16, device=device)) for shape in shapes]
    )
    rule = {"*": {"scheme": "normal", "std": 0.02}}

    @torch.no_grad()
    def loop() -> None:
        for parameter in model:
            parameter.normal_(0.0, 0.02)

    add("Llama-3-8B, bfloat16, init_", "a loop of normal_", 1.5, loop, lambda: init_(model, rule, seed=0),
        sum(p.numel() for p in model), 1)  # fmt: skip
    many = nn.ParameterList([nn.Parameter(torch.empty(64, device=device)) for _ in range(scale.tensors)])

    @torch.no_grad()
    def each() -> None:
        for parameter in many:
            parameter.normal_(0.0, 0.02)

    add(f"{scale.tensors:,} tensors of 64 elements, init_", "a loop of normal_", None, each,
        lambda: init_(many, rule, seed=0), 0, 1)  # fmt: skip
    return rows


def _keyed(out: Any) -> Call | None:
    """torch's generator by keys, which is private."""
    try:
        import torch.func._random as keyed

        key = keyed.key(1, device=out.device)
        keyed.normal_(key, out)
    except Exception:
        return None
    return lambda: keyed.normal_(key, out)


def _cupy(out: Any) -> Call | None:
    try:
        import cupy

        cupy.random.standard_normal(8, dtype="float32")
    except Exception:
        return None
    return lambda: cupy.random.standard_normal(out.numel(), dtype="float32")


def _jax(out: Any) -> Call | None:
    try:
        import jax

        if jax.default_backend() != "gpu":
            return None
        dtype = str(out.dtype).removeprefix("torch.")
        draw = jax.jit(lambda key: jax.random.normal(key, (out.numel(),), dtype))
        key = jax.random.key(0)
        draw(key).block_until_ready()
    except Exception:
        return None
    # Of its own stream: to wait for it is the only way to see its end.
    return lambda: draw(key).block_until_ready()
