"""The streams that tools/battery.py and tools/dieharder.sh test, in chunks without end.

``python tools/sources.py names`` writes the words of one of them to standard output, for any test that reads raw words;
without a name it lists them.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from scipy.special import ndtr

import fastinit as fi
from fastinit.drawing.blocks import block_shape
from fastinit.dtypes import numpy_dtype

Array: TypeAlias = np.ndarray[Any, Any]
Law: TypeAlias = fi.Uniform | fi.Normal | fi.TruncatedNormal
Stream: TypeAlias = Callable[[int], Iterator[Array]]
"""Chunks of so many words or numbers, without end."""
Reader: TypeAlias = Callable[..., Array]
"""What the elements of ``block`` of a tensor of this ``shape``, ``seed`` and ``name`` are."""

CHUNK = 1 << 22
WHOLE = 1 << 59
SEED, NAME = 2026, "transformer.h.0.attn.c_attn.weight"


# ------------------------------------------------------------------------------------------------- readers


def words(block: Any, *, seed: int = SEED, name: str = NAME, shape: tuple[int, ...] = (WHOLE,)) -> Array:
    return fi.drawing.random_bits(shape, seed=seed, name=name, block=block, threads=1)


def uniforms(law: Law, dtype: str) -> Reader:
    """Delivered values through their exact distribution function; a 16-bit value is one of the reals that round to it."""
    place = np.random.default_rng(1)

    def read(
        block: Any, *, seed: int = SEED, name: str = f"{law} {dtype}", shape: tuple[int, ...] = (WHOLE,)
    ) -> Array:
        x = np.empty(block_shape(block, shape), numpy_dtype(dtype))
        fi.fill(x, law, seed=seed, name=name, shape=shape, block=block, threads=1)
        if x.itemsize > 2:
            return cdf(law, x.astype(np.float64))
        below, width = cells(law, dtype)
        bits = x.view(np.uint16)
        return below[bits] + width[bits] * place.random(x.shape)

    return read


def cdf(law: Law, x: Array) -> Array:
    if isinstance(law, fi.Uniform):
        return np.clip((x - law.low) / (law.high - law.low), 0, 1)
    z = (x - law.mean) / law.std
    if isinstance(law, fi.Normal):
        return ndtr(z)
    low, high = (law.low - law.mean) / law.std, (law.high - law.mean) / law.std
    if low > 0:  # upper tails, which do not cancel
        return np.clip((ndtr(-low) - ndtr(-z)) / (ndtr(-low) - ndtr(-high)), 0, 1)
    return np.clip((ndtr(z) - ndtr(low)) / (ndtr(high) - ndtr(low)), 0, 1)


@cache
def cells(law: Law, dtype: str) -> tuple[Array, Array]:
    """For the bits of each 16-bit value: the law's probability below the reals that round to it, and theirs.

    What would round to a value outside the law's bounds is kept at the last one inside.
    """
    kind = numpy_dtype(dtype)
    with np.errstate(invalid="ignore"):  # signalling NaNs
        x = np.arange(1 << 16, dtype=np.uint16).view(kind).astype(np.float64)
    inside = np.isfinite(x)
    if isinstance(law, fi.Uniform):
        inside &= (x >= law.low) & (x < law.high) & (x < float(np.array(law.high).astype(kind)))
    elif isinstance(law, fi.TruncatedNormal):
        inside &= (x >= law.low) & (x <= law.high)
    order = np.lexsort((~np.signbit(x), np.where(inside, x, np.inf)))[: inside.sum()]  # -0.0 before 0.0
    edges = np.concatenate([[-np.inf], (x[order][1:] + x[order][:-1]) / 2, [np.inf]])
    below, width = np.zeros(1 << 16), np.zeros(1 << 16)
    below[order], width[order] = cdf(law, edges)[:-1], np.diff(cdf(law, edges))
    return below, width


# -------------------------------------------------------------------------------------------- arrangements


def in_turn(rows: list[Array]) -> Array:
    """Element 0 of each row, then element 1 of each."""
    return np.stack(rows, axis=1).ravel()


def straight(read: Reader, chunk: int) -> Iterator[Array]:
    for i in count():
        yield read(slice(i * chunk, (i + 1) * chunk))


@cache
def model_names() -> list[str]:
    examples = sorted((Path(__file__).parents[1] / "examples").glob("*.json"))
    names = {name: None for path in examples for name in json.loads(path.read_text())["parameters"]}
    return list(names)[:1024]


def names(read: Reader, chunk: int) -> Iterator[Array]:
    """Element i of each of 1024 parameters of the models in examples/, in turn."""
    n = chunk // 1024
    for i in count():
        yield in_turn([read(slice(i * n, (i + 1) * n), name=name) for name in model_names()])


def numbered(read: Reader, chunk: int) -> Iterator[Array]:
    """Element i of each of "layers.0" to "layers.255", in turn."""
    n = chunk // 256
    for i in count():
        yield in_turn([read(slice(i * n, (i + 1) * n), name=f"layers.{k}") for k in range(256)])


def seeds(read: Reader, chunk: int) -> Iterator[Array]:
    """Element i of 256 consecutive seeds, in turn; then the next 256."""
    n = chunk // 256
    for i in count():
        yield in_turn([read(slice(0, n), seed=256 * i + k) for k in range(256)])


def beginnings(read: Reader, chunk: int) -> Iterator[Array]:
    """The first 16 elements of every seed, one seed after the other."""
    n = chunk // 16
    for i in count():
        yield np.concatenate([read(slice(0, 16), seed=seed) for seed in range(i * n, (i + 1) * n)])


def strided(log2: int, read: Reader, chunk: int) -> Iterator[Array]:
    """Four elements at every 2**log2-th multiple of four."""
    n = chunk // 4
    for i in count():
        rows = slice((i * n) << log2, ((i + 1) * n) << log2, 1 << log2)
        yield read((rows,), shape=(WHOLE // 4, 4)).ravel()


def one_bit(read: Reader, chunk: int) -> Iterator[Array]:
    """Element i of the 32 ranges that begin at 2**24, ..., 2**55, in turn: counters that differ in two bits."""
    n = chunk // 32
    for i in count():
        yield in_turn([read(slice((1 << k) + i * n, (1 << k) + (i + 1) * n)) for k in range(24, 56)])


def carries(read: Reader, chunk: int) -> Iterator[Array]:
    """2**15 elements on either side of each multiple of 2**34, where the lower word of the counter overflows."""
    n = chunk >> 16
    for i in count():
        middles = [j << 34 for j in range(i * n + 1, (i + 1) * n + 1)]
        yield np.concatenate([read(slice(middle - (1 << 15), middle + (1 << 15))) for middle in middles])


# ----------------------------------------------------------------------------------------- words of words


def reverse_bits(x: Array) -> Array:
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F)):
        x = (x >> np.uint32(shift)) & np.uint32(mask) | (x & np.uint32(mask)) << np.uint32(shift)
    return x.byteswap()


def bit_reversed(chunk: int) -> Iterator[Array]:
    return map(reverse_bits, straight(partial(words, name="reversed"), chunk))


def low_bits(chunk: int) -> Iterator[Array]:
    """The lowest four bits of eight words make one."""
    for x in straight(partial(words, name="low"), 8 * chunk):
        yield join(x & np.uint32(15), 4)


def control(chunk: int) -> Iterator[Array]:
    """NumPy's generator, on which the tests' probabilities are seen to hold."""
    generator = np.random.default_rng(SEED)
    while True:
        yield generator.integers(0, 1 << 32, chunk, dtype=np.uint32)


def join(digits: Array, bits: int) -> Array:
    """Words of 32 / bits digits each."""
    shifts = np.arange(0, 32, bits, dtype=np.uint32)
    return np.bitwise_or.reduce(digits.reshape(-1, len(shifts)) << shifts, axis=1)


def leading_digits(stream: Stream, bits: int, skip: int, chunk: int) -> Iterator[Array]:
    """Words of ``bits`` binary digits of each number, after the first ``skip``."""
    size = 2.0 ** (bits + skip)
    for u in stream(chunk * (32 // bits)):
        x = np.minimum(u * size, size - 1).astype(np.uint64) & np.uint64((1 << bits) - 1)
        yield join(x.astype(np.uint32), bits)


# ---------------------------------------------------------------------------------------------- the streams

ARRANGEMENTS: dict[str, Callable[[Reader, int], Iterator[Array]]] = {
    "straight": straight,
    "names": names,
    "numbered": numbered,
    "seeds": seeds,
    "beginnings": beginnings,
    **{f"stride-{log2}": partial(strided, log2) for log2 in (1, 8, 20, 31)},
    "one-bit": one_bit,
    "carries": carries,
}
LAWS: dict[str, Law] = {
    "uniform": fi.Uniform(-0.05, 0.05),
    "normal": fi.Normal(0.0, 0.02),
    "truncated": fi.TruncatedNormal(0.0, 0.02, -0.04, 0.04),
    "tail": fi.TruncatedNormal(0.0, 1.0, 2.0),
}
DIGITS = {"float64": 32, "float32": 16, "float16": 8, "bfloat16": 8}  # that a value has, at the least
REARRANGED = ("names", "seeds", "stride-20", "carries")

FLOATS: dict[str, Stream] = {}
WORDS: dict[str, Stream] = {name: partial(arrange, words) for name, arrange in ARRANGEMENTS.items()}
WORDS |= {"bit-reversed": bit_reversed, "low-bits": low_bits, "control": control}
for law in LAWS:
    for dtype, bits in DIGITS.items():
        for arrangement in ("straight", *(REARRANGED if law == "normal" else ())):
            name = "-".join([law, dtype] + [arrangement] * (arrangement != "straight"))
            FLOATS[name] = partial(ARRANGEMENTS[arrangement], uniforms(LAWS[law], dtype))
            WORDS[name] = partial(leading_digits, FLOATS[name], bits, 0)
        if dtype == "float64":
            WORDS[f"{law}-{dtype}-digits-17-48"] = partial(leading_digits, FLOATS[f"{law}-{dtype}"], bits, 16)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        if len(sys.argv) < 2:
            print(*WORDS, sep="\n", flush=True)
        else:
            for piece in WORDS[sys.argv[1]](CHUNK):
                sys.stdout.buffer.write(piece)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing left to flush into a closed pipe
