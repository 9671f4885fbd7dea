"""The words of a stream as operations of XLA: by BLAKE2b from a key of JAX to the stream, by Philox from there to words."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from .. import _core
from ..drawing.streams import around_the_seed

# BLAKE2b (RFC 7693): the fractions of the roots of the first primes; which words of the message each round takes.
_START = [math.isqrt(p << 128) & (2**64 - 1) for p in (2, 3, 5, 7, 11, 13, 17, 19)]
# fmt: off
_ORDERS = ["0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d",
           "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0"]
# fmt: on
_ROUNDS = 12
_BLOCK = 128  # bytes


class Stream(NamedTuple):
    key: tuple[Any, Any]
    counter: tuple[Any, Any]


def stream_of(words: Any, name: str = "") -> Stream:
    """The stream of one key of JAX and a name."""
    if words.size == 2:
        low, high = words[1], words[0]
    else:
        low, high = _halves(_blake2b(_bytes(words), size=8)[0])
    before, after = around_the_seed(name)
    seed = _bytes(jnp.stack([low, high]))
    first, second = _blake2b(jnp.concatenate([_constant(before), seed, _constant(after)]), size=16)[:2]
    return Stream(_halves(first), _halves(second))


def block(number: Any, stream: Stream) -> tuple[Any, Any, Any, Any]:
    """The four words of Philox's blocks of these 64-bit numbers."""
    m, weyl = ([jnp.uint32(n) for n in _core.PHILOX[name]] for name in ("multipliers", "weyl"))
    (c0, c1), (c2, c3), (k0, k1) = _halves(number), stream.counter, stream.key
    for _ in range(_core.PHILOX["rounds"]):
        (a, high_a), (b, high_b) = _product(c0, m[0]), _product(c2, m[1])
        c0, c1, c2, c3 = high_b ^ c1 ^ k0, b, high_a ^ c3 ^ k1, a
        k0, k1 = k0 + weyl[0], k1 + weyl[1]
    return c0, c1, c2, c3


def _product(a: Any, b: Any) -> tuple[Any, Any]:
    return _halves(a.astype(jnp.uint64) * b.astype(jnp.uint64))


def _halves(x: Any) -> tuple[Any, Any]:
    """The lower and the upper 32 bits."""
    return x.astype(jnp.uint32), (x >> 32).astype(jnp.uint32)


def _constant(text: bytes) -> Any:
    return jnp.array(list(text), jnp.uint64)


def _bytes(words: Any) -> Any:
    """Of 32-bit words, each in a number of 64 bits."""
    return (words.astype(jnp.uint64)[:, None] >> jnp.arange(0, 32, 8, dtype=jnp.uint64) & 255).reshape(-1)


def _blake2b(text: Any, size: int) -> Any:
    """The hash of so many bytes, as 64-bit words."""
    start = jnp.array(_START, jnp.uint64)
    chained = start.at[0].set(start[0] ^ jnp.uint64(0x01010000 ^ size))
    for at in range(0, len(text), _BLOCK):
        chained = _compressed(chained, text[at : at + _BLOCK], min(at + _BLOCK, len(text)), len(text))
    return chained


def _compressed(chained: Any, text: Any, end: int, length: int) -> Any:
    """The state after the block of a text of that length that ends there."""
    padded = jnp.concatenate([text, jnp.zeros(_BLOCK - len(text), jnp.uint64)]).reshape(16, 8)
    message = (padded << jnp.arange(0, 64, 8, dtype=jnp.uint64)).sum(axis=1, dtype=jnp.uint64)
    orders = jnp.array([[int(digit, 16) for digit in order] for order in _ORDERS])
    start = jnp.array(_START, jnp.uint64)
    last = jnp.array([end, 0, 2**64 - 1 if end == length else 0, 0], jnp.uint64)

    def mix(rows: Any, x: Any, y: Any) -> Any:
        a, b, c, d = rows
        for word, first, second in ((x, 32, 24), (y, 16, 63)):
            a = a + b + word
            d = _turned(d ^ a, first)
            c = c + d
            b = _turned(b ^ c, second)
        return a, b, c, d

    def round_(i: Any, rows: Any) -> Any:
        x = message[orders[i % len(_ORDERS)]].reshape(2, 4, 2)
        rows = mix(rows, x[0, :, 0], x[0, :, 1])
        rows = mix([jnp.roll(row, -n) for n, row in enumerate(rows)], x[1, :, 0], x[1, :, 1])
        return tuple(jnp.roll(row, n) for n, row in enumerate(rows))

    rows = lax.fori_loop(0, _ROUNDS, round_, (chained[:4], chained[4:], start[:4], start[4:] ^ last))
    mixed = jnp.concatenate(rows)
    return chained ^ mixed[:8] ^ mixed[8:]


def _turned(x: Any, n: int) -> Any:
    return x >> n | x << (64 - n)
