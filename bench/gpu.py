"""What a GPU's kernels are measured against, on the device and in place: the part "gpu" of versus.py."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import peers
from parts import QUICK, Row, Scale
from timing import NORMAL, TRUNCATED, UNIFORM, Call, Pairs

import fastinit as fi
from fastinit import cuda

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of the memory

# Llama-3-8B: shapes, and how many tensors have them.
LLAMA = {
    (128256, 4096): 2,
    (4096, 4096): 64,
    (1024, 4096): 64,
    (14336, 4096): 64,
    (4096, 14336): 32,
    (4096,): 65,
}
LLAMA_BYTES = 17 << 30
DTYPES = ("float32", "bfloat16", "float16", "float64", "float8_e4m3fn", "float8_e5m2")
# The least ratios, by law, dtype and what it is measured against.
TARGETS = {
    ("uniform", "float32", "fill_"): 0.95,
    ("normal", "float32", "fill_"): 0.85,
    ("normal", "float32", "torch"): 1.5,
    ("normal", "bfloat16", "torch"): 1.5,
    ("truncated normal", "float32", "torch"): 8.0,
}


def available() -> bool:
    """Whether torch sees a GPU that fastinit can draw on."""
    try:
        import torch
    except ModuleNotFoundError:
        return False
    return torch.cuda.is_available() and not torch.version.hip and not cuda.missing()


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


class Table:
    """The rows, and the size of what is measured on a device."""

    def __init__(self, scale: Scale, device: str) -> None:
        self.scale, self.device, self.rows = scale, device, list[Row]()
        self.quick = scale.pairs <= QUICK.pairs
        self.free = _free(device)
        self.count = scale.buffer if self.quick else min(1 << 30, 1 << (self.free // 32).bit_length() - 1)

    def add(
        self, what: str, versus: str, other: Call | None, ours: Call | None, elements: int = 0, *,
        target: float | None = None, calls: int = 3,
    ) -> None:  # fmt: skip
        row = Row(what, versus, target, elements=elements)
        if other and ours:
            try:
                row.timed(paired(self.device, other, ours, self.scale.pairs, calls))
            except (
                MemoryError,
                RuntimeError,
            ) as error:  # of torch's too; the rest is to be measured all the same
                print(f"{what} against {versus}: {error}", flush=True)
        self.rows.append(row)


def gpu_part(scale: Scale, device: str = "cuda") -> list[Row]:
    """The rows of the table; none without a GPU."""
    if device == "cuda" and not available():
        return []
    table = Table(scale, device)
    for part in (_laws, _orthogonal, _small, _models):
        part(table)
    return table.rows


def draws(out: Any, law: fi.laws.Distribution, **part: Any) -> Call:
    return lambda: fi.fill(out, law, seed=0, name="w", **part)


def _laws(table: Table) -> None:
    """Each law and dtype against the memory's limit and torch's own; normals against all others too; shards."""
    import torch

    for name in DTYPES:
        out = torch.empty(table.count, dtype=getattr(torch, name), device=table.device)
        for law, own in ((UNIFORM, out.uniform_), (NORMAL, out.normal_), (TRUNCATED, _truncated(out))):
            label, ours = law.label, draws(out, law)
            for versus, other, calls in (("torch fill_", lambda out=out: out.fill_(1), 3), (f"torch {label}", _works(own), 1)):  # fmt: skip
                target = TARGETS.get((label, name, "fill_" if calls == 3 else "torch"))
                table.add(f"{label}, {name}", versus, other, ours, table.count, target=target, calls=calls)
        if name in ("float32", "bfloat16"):
            for law in (UNIFORM, NORMAL):
                for versus, peer in (("torch.func._random", _keyed), ("CuPy, new array", _cupy), ("JAX, jitted, new array", _jax)):  # fmt: skip
                    table.add(
                        f"{law.label}, {name}", versus, peer(out, law), draws(out, law), table.count, calls=1
                    )
            table.add(
                f"normal, {name}, fastinit.jax", "JAX, jitted, new array",
                _jax(out, NORMAL), _fastinit_jax(out), table.count, calls=1,
            )  # fmt: skip
            _shards(table, out, name)
        del out, own


def _shards(table: Table, out: Any, name: str) -> None:
    side = int((table.count // 2) ** 0.5) // 16 * 16
    part = out[: side * side].view(side, side)
    whole = draws(part, NORMAL)
    for what, first, target in (("half of the columns", side, 0.6), ("half of the columns, out of step", side - 1, None)):  # fmt: skip
        shard = {"shape": (side, 2 * side), "block": (slice(None), slice(first, first + side))}
        ours = draws(part, NORMAL, **shard)
        table.add(f"normal, {name}: {what}", "contiguous", whole, ours, side * side, target=target)
    across = draws(part.T, NORMAL, shape=(side, 2 * side), block=(slice(None), slice(side, 2 * side)))
    table.add(f"normal, {name}: half of the columns, transposed", "contiguous", whole, across, side * side)


def _orthogonal(table: Table) -> None:
    import torch

    from fastinit.torch import orthogonal_

    side = 64 if table.quick else 4096
    out = torch.empty(side, side, device=table.device)
    own = torch.nn.init.orthogonal_
    table.add(
        f"orthogonal, {side} x {side}", "torch orthogonal_", lambda: own(out), lambda: orthogonal_(out),
        side * side, calls=1,
    )  # fmt: skip


def _small(table: Table) -> None:
    import torch
    from torch import nn

    from fastinit.torch import init_, normal_

    small, calls = torch.empty(1000, device=table.device), table.scale.calls
    what = "1,000 elements, queued back to back"
    table.add(what, "torch normal_", small.normal_, draws(small, NORMAL), target=1 / 1.5, calls=calls)
    table.add(f"{what}, fastinit.torch.normal_", "torch.nn.init.normal_", lambda: nn.init.normal_(small), lambda: normal_(small), calls=calls)  # fmt: skip
    many = nn.ParameterList(
        [nn.Parameter(torch.empty(64, device=table.device)) for _ in range(table.scale.tensors)]
    )
    table.add(
        f"{table.scale.tensors:,} tensors of 64 elements, init_", "a loop of normal_", _loop(many),
        lambda: init_(many, {"*": {"scheme": "normal", "std": 0.02}}, seed=0), calls=1,
    )  # fmt: skip


def _models(table: Table) -> None:
    """Models whole: into memory that they have, and built."""
    import torch
    from torch import nn

    from fastinit.torch import init_

    rule = {"*": {"scheme": "normal", "std": 0.02}}
    fits, what = table.quick or table.free > 2 * LLAMA_BYTES, "Llama-3-8B, bfloat16, init_"
    if fits:
        divisor = 64 if table.quick else 1
        shapes = [tuple([max(1, n // divisor) for n in shape]) for shape, n in LLAMA.items() for _ in range(n)]  # fmt: skip
        made = [torch.empty(shape, dtype=torch.bfloat16, device=table.device) for shape in shapes]
        model = nn.ParameterList([nn.Parameter(tensor) for tensor in made])
        table.add(
            what, "a loop of normal_", _loop(model), lambda: init_(model, rule, seed=0),
            sum(p.numel() for p in model), target=1.5, calls=1,
        )  # fmt: skip
        del model, made
    else:
        table.add(what, "a loop of normal_", None, None, target=1.5)
    for name, factory, dtype in (
        ("GPT-2 124M, float32", peers.transformers_gpt2(**_tiny("gpt2") if table.quick else {}), torch.float32),
        ("Llama-3-8B, bfloat16", peers.transformers_llama_8b(**_tiny("llama") if table.quick else {}) if fits else None, torch.bfloat16),
    ):  # fmt: skip
        own, ours = (_constructed(factory, table.device, dtype), _built(factory, table.device, dtype)) if factory else (None, None)  # fmt: skip
        table.add(f"{name}, built on the device", "transformers' own construction there", own, ours, calls=1)


def _tiny(kind: str) -> dict[str, int]:
    if kind == "gpt2":
        return {"n_layer": 1, "n_embd": 64, "n_head": 4, "vocab_size": 500}
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1, "vocab_size": 500}
    return sizes | {"num_attention_heads": 4, "num_key_value_heads": 2}


def _constructed(factory: Callable[[], Any], device: str, dtype: Any) -> Call:
    import torch

    def own() -> None:
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            with torch.device(device):
                factory()
        finally:
            torch.set_default_dtype(before)

    return own


def _built(factory: Callable[[], Any], device: str, dtype: Any) -> Call:
    from fastinit.torch import build

    return lambda: build(factory, seed=0, device=device, dtype=dtype)


def _loop(parameters: Any) -> Call:
    import torch

    @torch.no_grad()
    def loop() -> None:
        for parameter in parameters:
            parameter.normal_(0.0, 0.02)

    return loop


def _free(device: str) -> int:
    if device == "cpu":
        return 0
    import torch

    return int(torch.cuda.mem_get_info()[0])


def _truncated(out: Any) -> Call:
    import torch

    return lambda: torch.nn.init.trunc_normal_(out)


def _works(call: Call) -> Call | None:
    """The call, unless torch does not draw it: of 8-bit dtypes it draws nothing."""
    try:
        call()
    except (NotImplementedError, RuntimeError):
        return None
    return call


def _keyed(out: Any, law: fi.laws.Distribution) -> Call | None:
    """torch's generator by keys, which is private."""
    try:
        import torch.func._random as keyed

        key = keyed.key(1, device=out.device)
        draw = keyed.normal_ if law is NORMAL else keyed.uniform_
        draw(key, out)
    except Exception:
        return None
    return lambda: draw(key, out)


def _cupy(out: Any, law: fi.laws.Distribution) -> Call | None:
    """CuPy has float32 and float64."""
    try:
        import cupy

        draw = cupy.random.standard_normal if law is NORMAL else cupy.random.random
        draw(8, dtype="float32")
    except Exception:
        return None
    return (lambda: draw(out.numel(), dtype="float32")) if out.element_size() == 4 else None


def _jax(out: Any, law: fi.laws.Distribution) -> Call | None:
    try:
        import jax

        if jax.default_backend() != "gpu":
            return None
        dtype, draw = str(out.dtype).removeprefix("torch."), jax.random.normal if law is NORMAL else jax.random.uniform  # fmt: skip
        jitted, key = jax.jit(lambda key: draw(key, (out.numel(),), dtype)), jax.random.key(0)
        jitted(key).block_until_ready()
    except Exception:
        return None
    # Of its own stream: to wait for it is the only way to see its end.
    return lambda: jitted(key).block_until_ready()


def _fastinit_jax(out: Any) -> Call | None:
    try:
        import jax

        import fastinit.jax as fj
    except ModuleNotFoundError:
        return None
    initializer, dtype, key = fj.normal(1.0), str(out.dtype).removeprefix("torch."), jax.random.key(0)
    return lambda: initializer(key, (out.numel(),), dtype).block_until_ready()
