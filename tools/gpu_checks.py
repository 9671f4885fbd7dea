"""What a GPU draws, against what the CPU draws: all kinds of targets, streams, graphs, threads, and the programs of JAX."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fastinit as fi
from fastinit import cuda
from fastinit.drawing import random_bits
from fastinit.drawing.streams import key

LAWS = [
    fi.Constant(0.1), fi.Uniform(-0.05, 0.05), fi.Uniform(1.0, 1.125), fi.Normal(0.0, 0.02), fi.Normal(3.0, 0.5),
    fi.Normal(0.0, 1e-6), fi.TruncatedNormal(0.0, 0.02, -0.04, 0.04), fi.TruncatedNormal(0.0, 1.0, -1.0, 3.0),
    fi.TruncatedNormal(0.0, 1.0, 2.0, 9.0), fi.TruncatedNormal(0.0, 1.0, -0.01, 0.02),
    fi.TruncatedNormal(0.0, 1.0, -6.0, 6.0), fi.TruncatedNormal(0.0, 1.0, 12.0, 13.0),
]  # fmt: skip
LONG = (LAWS[1], LAWS[3], LAWS[6], LAWS[10])
DTYPES = ("float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
FAR = 1 << 35  # elements before the part that is drawn, past 2**34


def equal(found: Any, expected: Any) -> bool:
    """Bit for bit. ``found`` is a tensor on the device."""
    import torch

    words = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[found.element_size()]
    return torch.equal(found.contiguous().view(words).cpu(), expected.contiguous().view(words))


class Checks:
    """Fills of tensors on the device, each compared with that of a tensor of the CPU."""

    def __init__(self, device: str) -> None:
        self.device, self.values, self.wrong = device, 0, list[str]()

    def compare(self, what: str, found: Any, expected: Any) -> None:
        self.values += found.numel()
        if not equal(found, expected):
            self.wrong.append(what)
            print("DIFFERS:", what, flush=True)

    def fill(
        self, what: str, law: Any, new: Callable[[str], Any], bound: float | None = None, **part: Any
    ) -> None:
        """``new`` makes the target on a device. All bits are compared, or values within a bound."""
        found, expected = new(self.device), new("cpu")
        fi.fill(found, law, seed=5, name="w", **part)
        host = expected.contiguous()
        fi.fill(host, law, seed=5, name="w", **part)
        if bound is not None and abs(found.cpu().double() - host.double()).max() <= bound:
            found = host.clone()
        self.compare(f"{what}: {law}, {found.dtype}", found, host)


def values(checks: Checks, short: int, long: int) -> None:
    """All distributions and dtypes, from the first element on and far out; some of them long."""
    import torch

    for law in LAWS:
        for dtype in DTYPES:
            kind = getattr(torch, dtype)

            def new(device: str, kind: Any = kind, n: int = short) -> Any:
                return torch.zeros(n, dtype=kind, device=device)

            try:
                checks.fill("from 0", law, new)
                block = slice(FAR - 4096, FAR - 4096 + short)
                checks.fill("far out", law, new, shape=(1 << 40,), block=block)
                if law in LONG and dtype in ("float32", "bfloat16"):
                    checks.fill(
                        "long", law, lambda device, kind=kind: torch.zeros(long, dtype=kind, device=device)
                    )
            except ValueError as error:  # an 8-bit dtype has no value in some intervals
                assert dtype.startswith("float8"), error


def targets(checks: Checks, libraries: bool) -> Iterator[str]:
    """Views, memory formats, shards, offsets; streams, graphs, threads, devices."""
    import torch

    law = fi.Normal()
    for dtype in DTYPES:
        kind = getattr(torch, dtype)

        def empty(*shape: int, kind: Any = kind) -> Callable[[str], Any]:
            return lambda device: torch.zeros(shape, dtype=kind, device=device)

        def seen(view: Callable[[Any], Any], *shape: int, kind: Any = kind) -> Callable[[str], Any]:
            return lambda device: view(torch.zeros(shape, dtype=kind, device=device))

        checks.fill("transposed", law, seen(lambda x: x.T, 517, 1031))
        checks.fill("every third", law, seen(lambda x: x[1:, ::3], 300, 1000))
        checks.fill("from an odd element", law, seen(lambda x: x[1:], 100003))
        checks.fill("channels last", law, seen(lambda x: x.permute(0, 3, 1, 2), 20, 9, 7, 33))
        checks.fill("rank 7", law, seen(lambda x: x.permute(6, 1, 4, 3, 2, 5, 0), 3, 4, 3, 4, 3, 4, 3))
        shard = (slice(7, 200), slice(32, 96))
        checks.fill("a shard", law, empty(193, 64), shape=(1000, 128), block=shard)
        shard = (slice(7, 200), slice(33, 96))
        checks.fill("a shard, out of step", law, empty(193, 63), shape=(1000, 127), block=shard)
    yield "views and shards"
    for scheme, whole in (("orthogonal", (700, 600)), ("delta_orthogonal", (60, 40, 3)), ("conv_orthogonal", (30, 40, 3, 3))):  # fmt: skip
        for kind, bound in ((torch.float32, 40 * 2**-23), (torch.float64, 40 * 2**-52), (torch.bfloat16, 2**-7)):  # fmt: skip
            law, empty = fi.distribution(scheme, whole), functools.partial(torch.zeros, whole, dtype=kind)
            checks.fill("near", law, lambda device, empty=empty: empty(device=device), bound)
    yield "orthogonal matrices"
    if checks.device == "cpu":
        return
    yield from on_device(checks)
    if libraries:
        yield from (with_cupy(checks), with_jax(checks), under_jit(checks))


def on_device(checks: Checks) -> Iterator[str]:
    """What only a GPU can show."""
    import torch

    law = fi.Normal()
    words, at = torch.zeros(1 << 20, dtype=torch.int32, device="cuda"), torch.cuda.current_stream()
    place = cuda.Place(0, int(at.cuda_stream))
    axes = ((words.numel(), 1, 4, ((0, 0),)),)
    cuda.draw([cuda.Draw(place, "bits", (), "float32", key(5, "w"), words.data_ptr(), axes)])
    expected = random_bits(words.numel(), seed=5, name="w")
    checks.compare("words", words, torch.from_numpy(expected.view(np.int32)))
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        slow = torch.zeros(1 << 26, device="cuda")
        for _ in range(20):
            slow.add_(1)
        fi.fill(slow, law, seed=5)  # after the additions, or they would change what was drawn
        found = slow.clone()
    expected = fi.fill(torch.empty(1 << 26), law, seed=5)
    torch.cuda.synchronize()
    checks.compare("a stream of the owner's", found, expected)
    yield "streams"
    graph, out = torch.cuda.CUDAGraph(), torch.zeros(100_003, device="cuda")
    fi.fill(out, law, seed=5)
    with torch.cuda.graph(graph):
        fi.fill(out, law, seed=5)
    out.zero_()
    graph.replay()
    checks.compare("a graph", out, fi.fill(torch.empty(100_003), law, seed=5))
    yield "graphs"
    outs = [torch.zeros(300_000, device="cuda") for _ in range(40)]

    def work(first: int) -> None:
        for i in range(first, len(outs), 2):
            fi.fill(outs[i], law, seed=i)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, out in enumerate(outs):
        checks.compare("two threads", out, fi.fill(torch.empty(300_000), law, seed=i))
    yield "threads"
    for ordinal in range(1, torch.cuda.device_count()):
        out = torch.zeros(100_000, device=f"cuda:{ordinal}")
        checks.compare(
            "another device", fi.fill(out, law, seed=5), fi.fill(torch.empty(100_000), law, seed=5)
        )
    yield "devices"


def with_cupy(checks: Checks) -> str:
    """Arrays of CuPy, by DLPack; orthogonal matrices by its products."""
    import torch

    try:
        import cupy
    except ModuleNotFoundError:
        return "no CuPy"
    law = fi.Normal()
    array = cupy.zeros((300, 400), cupy.float32)
    fi.fill(array.T, law, seed=5)
    expected = torch.from_numpy(np.ascontiguousarray(fi.fill(np.empty((400, 300), np.float32), law, seed=5)))
    checks.compare("CuPy", torch.from_dlpack(array).T, expected)
    square = fi.fill(cupy.zeros((300, 300), cupy.float32), fi.distribution("orthogonal", (300, 300)), seed=5)
    if not abs(square @ square.T - cupy.eye(300)).max() < 1e-5:
        checks.wrong.append("CuPy: orthogonal")
    return "CuPy"


def with_jax(checks: Checks) -> str:
    """New arrays of JAX, and what JAX computes of them at once."""
    import torch

    try:
        import jax
        import jax.numpy as jnp

        import fastinit.jax as fj
    except ModuleNotFoundError:
        return "no JAX"
    if jax.default_backend() != "gpu":
        return "JAX sees no GPU"
    for dtype in ("float32", "bfloat16"):
        drawn = fj.normal(1.0)(jax.random.key(5), (4000, 4000), dtype)
        twice = np.asarray(drawn * 2, np.float32)  # queued at once
        expected = fi.fill(np.zeros((4000, 4000), drawn.dtype), fi.Normal(), seed=5)
        for what, found in (("", np.array(drawn, np.float32)), (", computed with", twice / 2)):
            checks.compare(f"JAX{what}: {dtype}", torch.from_numpy(found), torch.from_numpy(expected.astype(np.float32)))  # fmt: skip
        assert jnp.isfinite(drawn).all()
    return "JAX"


def under_jit(checks: Checks, shape: tuple[int, int] = (1000, 3360)) -> str:
    """Programs of JAX, whose custom call draws on XLA's stream: whole tensors, parts, keys by `vmap`, shards on all GPUs."""
    import torch

    try:
        import jax

        import fastinit.jax as fj
    except ModuleNotFoundError:
        return "no JAX"
    if jax.default_backend() != "gpu":
        return "JAX sees no GPU"

    def compare(what: str, program: Any, expected: Any, *given: Any) -> None:
        compiled = jax.jit(program).lower(*given).compile()
        if "fastinit_draw_cuda" not in compiled.as_text():
            checks.wrong.append(f"JAX under jit: {what} has no custom call")
        for _ in range(2):  # the first call and a later one
            found, whole = (
                torch.from_numpy(np.array(x).view(f"i{expected.itemsize}"))
                for x in (compiled(*given), expected)
            )
            checks.compare(f"JAX under jit: {what}", found, whole)

    key = jax.random.key(5)
    mesh = jax.make_mesh((jax.device_count(),), ("x",))
    names = jax.sharding.PartitionSpec(None, "x")
    place = jax.sharding.NamedSharding(mesh, names)
    for dtype in ("float32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "complex64"):
        init = fj.normal(1.0)
        expected = fi.fill(np.zeros(shape, jax.numpy.dtype(dtype)), fi.Normal(), seed=5)
        compare(dtype, lambda key, d=dtype, i=init: i(key, shape, d), expected, key)
        turned = lambda key, d=dtype, i=init: i(key, shape, d)[::-1]  # noqa: E731
        compare(f"{dtype}, used at once", turned, expected[::-1], key)
        compare(f"{dtype}, sharded", lambda key, d=dtype, i=init: i(key, shape, d, place), expected, key)
    keys = jax.random.split(key, 300)
    seeds = [int(high) << 32 | int(low) for high, low in np.asarray(jax.random.key_data(keys))]
    each = np.stack([fi.fill(np.zeros(501, np.float32), fi.Normal(), seed=seed) for seed in seeds])
    compare("keys", jax.vmap(lambda key: fj.normal(1.0)(key, (501,))), each, keys)
    tree = {"w" * 300: jax.ShapeDtypeStruct((64, 33), "float32")}
    (named,) = (fi.fill(np.zeros((64, 33), np.float32), fi.Normal(), seed=5, name=name) for name in tree)
    rule = {"*": {"scheme": "normal", "mean": 0.0, "std": 1.0}}
    compare("a long name", lambda: fj.init(tree, rule, seed=5).popitem()[1], named)
    return "JAX under jit"


def model(checks: Checks) -> None:
    """A model on the device, against one on the CPU."""
    import torch
    from torch import nn

    from fastinit.torch import init_

    def new(device: str) -> nn.Module:
        layers = [nn.Linear(64, 64) for _ in range(300)]
        return nn.Sequential(nn.Conv2d(3, 16, 3), *layers, nn.Linear(64, 40_000)).to(device, torch.bfloat16)

    found, expected = init_(new(checks.device), "auto", seed=5), init_(new("cpu"), "auto", seed=5)
    for (name, a), b in zip(found.named_parameters(), expected.parameters(), strict=True):
        checks.compare(f"init_: {name}", a.detach(), b.detach())


def check(device: str, short: int = 1 << 20, long: int = 1 << 26, libraries: bool = True) -> Checks:
    """All of it, with a line for each part; without other ``libraries`` than torch if they would take too long."""
    checks, began = Checks(device), time.time()
    for part in (lambda: values(checks, short, long), lambda: model(checks)):
        part()
        print(
            f"{checks.values} values compared, {len(checks.wrong)} draws differ [{time.time() - began:.0f} s]",
            flush=True,
        )
    for what in targets(checks, libraries):
        print(
            f"{what}: {checks.values} values, {len(checks.wrong)} draws differ [{time.time() - began:.0f} s]",
            flush=True,
        )
    return checks
