"""What is measured, part by part: each function returns the rows of one table."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import peers
from timing import NORMAL, TRUNCATED, UNIFORM, Call, Pairs, check, limit, paired

import fastinit as fi
from fastinit.drawing import memory
from fastinit.drawing.fill import Batch, part_of

GPT2 = Path(__file__).parent.parent / "examples" / "gpt2.json"
GENERATOR = np.random.default_rng(0)
# Seconds until a peer's threads have given their memory back.
PEER_REST = 0.1


@dataclass(frozen=True)
class Scale:
    """How much to measure."""

    buffer: int = 1 << 30  # bytes
    elements: int = 1 << 26
    side: int = 8192
    tensors: int = 10_000
    pairs: int = 7
    calls: int = 2000


QUICK = Scale(buffer=1 << 24, elements=1 << 18, side=1024, tensors=500, pairs=3, calls=200)


@dataclass
class Row:
    """One comparison. ``value`` is a ratio, to be large, or seconds or MiB, to be small."""

    what: str
    versus: str
    target: float | None = None
    unit: str = "x"
    value: float | None = None  # None: the peer is not installed
    ours: float | None = None  # seconds
    other: float | None = None
    elements: int = 0  # of one call; 0 where a rate says nothing
    ratios: list[float] = field(default_factory=list)

    @property
    def holds(self) -> bool | None:
        if self.value is None or self.target is None:
            return None
        return self.value >= self.target if self.unit == "x" else self.value <= self.target

    def timed(self, pairs: Pairs) -> Row:
        self.other, self.ours, self.ratios = pairs
        self.value = statistics.median(self.ratios) if self.unit == "x" else self.ours
        return self


def draws(out: np.ndarray, law: fi.laws.Distribution) -> Call:
    """Our fill of ``out``, believed only after a look at what it drew."""

    def call() -> None:
        fi.fill(out, law, seed=0, name="w")

    call()
    check(out, law)
    return call


# Law, dtype, and the least ratio to the limit by instruction set.
LIMIT_ROWS: list[tuple[str, fi.laws.Distribution, str, dict[str, float]]] = [
    ("uniform", UNIFORM, "float32", {"avx512": 0.95, "avx2": 0.38}),
    ("uniform", UNIFORM, "float64", {"avx512": 0.90, "avx2": 0.35}),
    ("normal", NORMAL, "float32", {"avx512": 0.60, "avx2": 0.22}),
    ("normal", NORMAL, "float64", {"avx512": 0.40, "avx2": 0.15}),
    ("truncated normal at 2 sigma", TRUNCATED, "float32", {"avx512": 0.60, "avx2": 0.25}),
    ("normal", NORMAL, "bfloat16", {}),
    ("normal", NORMAL, "float16", {}),
]
HALF_TARGETS = {
    "bfloat16": {"avx512": 0.95, "avx2": 0.95},
    "float16": {"avx512": 0.95, "avx2": 0.90},
}


def limit_part(scale: Scale) -> list[Row]:
    """In place on one buffer, already touched, seen as each dtype."""
    buffer, rows = np.ones(scale.buffer, np.uint8), []
    for label, law, name, targets in LIMIT_ROWS:
        row = Row(f"{label}, {name}", "streaming-store fill", targets.get(fi.isa()))
        if dtype := numpy_dtype(name):
            out = buffer.view(dtype)
            row.elements = out.size
            row.timed(paired(limit(out), draws(out, law), scale.pairs))
        rows.append(row)
    single = draws(buffer.view(np.float32), NORMAL)
    for name, targets in HALF_TARGETS.items():
        row = Row(f"normal, {name}", "normal, float32", targets.get(fi.isa()), elements=scale.buffer // 4)
        if dtype := numpy_dtype(name):
            out = buffer.view(dtype)[: row.elements]
            row.timed(paired(single, draws(out, NORMAL), scale.pairs))
        rows.append(row)
    return rows


def numpy_dtype(name: str) -> np.dtype[Any] | None:
    if name != "bfloat16":
        return np.dtype(name)
    ml_dtypes = peers.installed("ml_dtypes")
    return np.dtype(ml_dtypes.bfloat16) if ml_dtypes else None


def against_peer(peer: str, label: str, law: fi.laws.Distribution, target: float, scale: Scale) -> Row:
    row = Row(f"{label}, float32", peer, target, elements=scale.elements)
    if draw := peers.DRAWS[peer](law, row.elements):
        check(draw(), law)  # the first call also compiles and touches the memory
        ours = draws(np.ones(row.elements, np.float32), law)
        row.timed(paired(draw, ours, min(scale.pairs, 5), rest=PEER_REST))
    return row


def base_part(scale: Scale) -> list[Row]:
    return [
        against_peer("NumPy", "normal", NORMAL, 1.5, scale),
        against_peer("NumPy", "uniform", UNIFORM, 3, scale),
    ]


def peers_part(scale: Scale) -> list[Row]:
    return [
        against_peer("NumPy", "normal", NORMAL, 45, scale),
        against_peer("NumPy", "uniform", UNIFORM, 12, scale),
        against_peer("torch", "normal", NORMAL, 15, scale),
        against_peer("torch", "uniform", UNIFORM, 18, scale),
        against_peer("torch", "truncated normal at 2 sigma", TRUNCATED, 25, scale),
        against_peer("JAX", "normal", NORMAL, 80, scale),
    ]


def new_part(scale: Scale) -> list[Row]:
    """Into new arrays: allocation and page faults count, for both."""
    side = (scale.side, scale.side)

    def he_normal() -> Any:
        return fi.he_normal(side, seed=0, name="w")

    def gpt2() -> Any:
        return fi.init(GPT2, recipe="gpt2", seed=0)

    check(he_normal(), fi.distribution("he_normal", side))
    check(gpt2()["transformer.wte.weight"], fi.Normal(0.0, 0.02))
    rows = []
    for what, ours, versus, peer, target in [
        (f"he_normal, new {scale.side} x {scale.side}", he_normal, "torch.empty, kaiming_normal_",
         peers.torch_he_normal(side), 10),
        ("GPT-2 124M, new arrays", gpt2, "transformers' GPT2LMHeadModel", peers.transformers_gpt2(), 30),
    ]:  # fmt: skip
        row = Row(what, versus, target)
        if peer:
            peer()  # what a first call imports and compiles is not a cost of a draw
            row.timed(paired(peer, ours, min(scale.pairs, 5), rest=PEER_REST))
        rows.append(row)
    return rows


def build_part(scale: Scale) -> list[Row]:
    """A whole model of torch, its code followed, allocated and drawn, against its own construction."""
    rows = []
    models = [("GPT-2 124M", peers.transformers_gpt2())]
    if scale.pairs > QUICK.pairs:
        models.append(("Llama-3.2-1B", peers.transformers_llama()))
    for name, own in models:
        row = Row(f"fastinit.torch.build, {name}", "its own construction", 8)
        if own:
            import fastinit.torch as ft

            def ours(own: Callable[[], Any] = own) -> Any:
                return ft.build(own, seed=0)

            own()
            check(next(ours().parameters()).detach().numpy(), fi.Normal(0.0, 0.02))
            row.timed(paired(own, ours, min(scale.pairs, 3), rest=PEER_REST))
        rows.append(row)
    return rows


def orthogonal_part(scale: Scale) -> list[Row]:
    """In place, as torch does it by LAPACK's QR."""
    rows = []
    for side in (scale.side // 2, scale.side):
        out = np.zeros((side, side), np.float32)
        peer = peers.torch_orthogonal((side, side))
        for scheme in ("orthogonal", "hadamard_orthogonal"):
            row = Row(f"{scheme}, {side} x {side} float32", "torch orthogonal_", 2)

            def ours(scheme: str = scheme, out: np.ndarray = out) -> Any:
                return fi.fill(out, scheme, seed=0)

            ours()
            assert abs(out[:50] @ out.T - np.eye(side, dtype=np.float32)[:50]).max() < 1e-5
            if peer:
                row.timed(paired(peer, ours, min(scale.pairs, 3), rest=PEER_REST))
            rows.append(row)
    return rows


def small_part(scale: Scale) -> list[Row]:
    out, drawn = np.zeros(16, np.float32), np.zeros(16, np.float32)

    def numpy() -> None:
        generated(out)

    def fill() -> None:
        fi.fill(drawn, "normal", std=0.02, seed=0, name="layer.weight")

    def normal() -> None:
        fi.normal(out=drawn, std=0.02, seed=0, name="layer.weight")

    rows = []
    for call in fill, normal:
        call()
        check(drawn, fi.Normal(0.0, 0.02))
        row = Row(f"fi.{call.__name__}, 16 float32", "NumPy's standard_normal(out=)", 1 / 4)
        rows.append(row.timed(paired(numpy, call, scale.pairs, scale.calls)))
    return [*rows, many_tensors(scale), *cached(scale)]


def generated(out: np.ndarray) -> None:
    GENERATOR.standard_normal(out=out, dtype=np.float32)


def constant(out: np.ndarray) -> None:
    out.fill(1)


def many_tensors(scale: Scale) -> Row:
    """A plan of many tensors into new arrays, against a call for each array that exists."""
    shapes = {f"layers.{i}.weight": (8, 8) for i in range(scale.tensors)}
    outs = [np.zeros(64, np.float32) for _ in shapes]
    plan = fi.plan(shapes)

    def numpy() -> None:
        for out in outs:
            generated(out)

    def ours() -> Any:
        return fi.init(plan, seed=0)

    check(np.stack(list(ours().values())), fi.distribution("xavier_normal", (8, 8)))
    row = Row(
        f"{scale.tensors} tensors of 64 elements, new, by a plan", "NumPy's standard_normal(out=)", 1 / 2
    )
    return row.timed(paired(numpy, ours, scale.pairs))


def cached(scale: Scale) -> list[Row]:
    """The most common sizes, against a constant written to the same array, which the caches hold."""
    rows = []
    for size in 10_000, 100_000, 1_000_000:
        out = np.ones(size, np.float32)
        for label, law in ("uniform", UNIFORM), ("normal", NORMAL):
            row = Row(f"{label}, {size} float32, in place", "NumPy's fill()", 1 / 2, elements=size)
            calls = max(1, scale.calls * 100 // size)
            rows.append(row.timed(paired(lambda out=out: constant(out), draws(out, law), scale.pairs, calls)))
    outs = [np.ones(32_768, np.float32) for _ in range(scale.tensors // 20)]

    def numpy() -> None:
        for out in outs:
            constant(out)

    def ours() -> None:
        batch = Batch(0)  # as frameworks' models are drawn
        for number, out in enumerate(outs):
            batch.add(part_of(memory.target(out), NORMAL, f"layers.{number}.weight", out.shape, ...))
        batch.run(fi.get_num_threads())

    ours()
    check(np.stack(outs), NORMAL)
    row = Row(f"normal, {len(outs)} times 32768 float32, in place by one call", "NumPy's fill()", 1 / 2)
    row.elements = sum(out.size for out in outs)
    return [*rows, row.timed(paired(numpy, ours, scale.pairs))]


def blocks_part(scale: Scale) -> list[Row]:
    """A block, or a target with strides, against the same number of elements in one piece."""
    side, width, law = scale.side, scale.side // 8, fi.Normal(0.0, 0.02)
    shard = np.zeros((side, 128), np.float32)

    def column() -> None:
        block = np.s_[:, 256:384]
        fi.fill(shard, "normal", std=0.02, seed=0, name="w", shape=(side, side), block=block)

    column()
    check(shard, law)
    row = Row(f"columns 256:384 of {side} x {side}", "contiguous", 0.60, elements=shard.size)
    rows = [row.timed(paired(draws(shard, law), column, scale.pairs, 20))]
    whole = draws(np.zeros((side, width), np.float32), law)
    for what, out in [
        (f"every second column of {side} x {2 * width}", np.zeros((side, 2 * width), np.float32)[:, ::2]),
        (f"Fortran order, {side} x {width}", np.zeros((side, width), np.float32, order="F")),
    ]:
        row = Row(what, "contiguous", 0.25, elements=out.size)
        rows.append(row.timed(paired(whole, draws(out, law), scale.pairs, 3)))
    return rows


def memory_part(scale: Scale) -> list[Row]:
    """Growth of the process's peak memory while a touched buffer is filled; only Linux tells it."""
    peak, out = Path("/proc/self/clear_refs"), np.ones(scale.buffer // 4, np.float32)
    if not peak.exists():
        return []
    peak.write_text("5")  # the peak falls to what is in use now
    before = peak_mib()
    fi.fill(out, NORMAL, seed=0)
    grown = peak_mib() - before
    return [Row(f"peak above a buffer of {scale.buffer >> 20} MiB", "before the fill", 8, "MiB", grown)]


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


PARTS: dict[str, tuple[str, Callable[[Scale], list[Row]]]] = {
    "limit": ("Against the streaming-store fill of the same buffer, in place", limit_part),
    "base": ("Without FMA instructions, against NumPy", base_part),
    "peers": ("Against peers, in place where the peer can", peers_part),
    "new": ("Into new arrays", new_part),
    "build": ("Whole models of torch", build_part),
    "orthogonal": ("Orthogonal matrices", orthogonal_part),
    "small": ("Small tensors", small_part),
    "blocks": ("Blocks and strides, normal float32", blocks_part),
    "memory": ("Memory", memory_part),
}
