"""The distributions as operations of XLA: the bits of the kernels, by arithmetic that is IEEE's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import reference
from conftest import optional
from jax_trees import same

import fastinit as fi
from fastinit.drawing import streams
from fastinit.dtypes import numpy_dtype
from fastinit.laws.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform

jax = optional("jax")
jnp = jax.numpy
from fastinit.jax import exact, stream, tails, xla  # noqa: E402

SEED = 0x123456789ABCDEF


LAWS: list[Distribution] = [
    Constant(3.3),
    Uniform(1.0, 1.0000003),
    Uniform(-1e-44, 3e-45),
    Normal(0.3, 2.0),
    Normal(0.0, 1e-44),  # subnormal values, and zeros of both signs
    TruncatedNormal(0.0, 1.0, -9.0, 3.0),
    TruncatedNormal(0.1, 1.0, 3.0, math.inf),
    TruncatedNormal(0.0, 0.5, -20.0, -6.0),
    TruncatedNormal(0.0, 1.0, -0.01, 0.05),
    TruncatedNormal(-1.0, 1e-3, 3.0, 4.0),
]


@pytest.fixture
def x64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def key_words() -> Any:
    return jnp.array([SEED >> 32, SEED & 0xFFFFFFFF], jnp.uint32)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    ("law", "dtype"),
    [(law, "float32") for law in LAWS] + [(law, "float64") for law in (LAWS[3], LAWS[6], LAWS[8])],
    ids=str,
)
def test_laws(law: Distribution, dtype: str) -> None:
    size = 1001 if isinstance(law, TruncatedNormal) else 100_001
    expected = fi.fill(np.empty(size, numpy_dtype(dtype)), law, seed=SEED)
    same(drawn(law, dtype, np.arange(size), from_zero=True), expected)
    if law == Normal(0.0, 1e-44):
        zeros = np.signbit(expected[expected == 0])
        assert zeros.any() and not zeros.all()


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_part(dtype: str) -> None:
    law, size = Normal(0.3, 2.0), 5
    starts = (3, 2**34 * 3 + 2, 2**40)
    index = np.concatenate([np.arange(start, start + size)[::-1] for start in starts])
    parts = [
        fi.fill(np.empty(size, dtype), law, seed=SEED, shape=(2**41,), block=(slice(start, start + size),))
        for start in starts
    ]
    same(drawn(law, dtype, index, from_zero=False), np.concatenate([part[::-1] for part in parts]))


def drawn(law: Distribution, dtype: str, index: Any, *, from_zero: bool) -> Any:
    @jax.jit
    def draw(words: Any, index: Any) -> Any:
        at = stream.stream_of(words)
        return xla.drawn(law, dtype, index, at, from_zero=from_zero)

    return draw(key_words(), index.astype(np.uint64))


@pytest.mark.usefixtures("x64")
def test_streams() -> None:
    at = jax.jit(stream.stream_of)(key_words())
    key = streams.key(SEED, "")
    assert b"".join(int(word).to_bytes(4, "little") for pair in at for word in pair) == key
    numbers = np.array([0, 1, 2**32 - 1, 2**32, 2**63 + 12345, 2**64 - 1], np.uint64)
    np.testing.assert_array_equal(
        jnp.stack(stream.block(jnp.asarray(numbers), at), -1), reference.philox(numbers, key)
    )


@pytest.mark.usefixtures("x64")
def test_rare_words() -> None:
    """Chosen ones: the least and the largest, and those on the edge of the table."""
    key, at = streams.key(SEED, ""), stream.stream_of(key_words())
    words = np.array([0, 1, 2, 77, 2**16, 2**17 - 1, 2**32 - 1, 2**32 - 2, 2**32 - 2**17 + 1], np.uint32)
    index = np.arange(len(words), dtype=np.uint64) * 2**33
    law = xla._Law("normal", (0.3, 2.0), "float32")
    got = jax.jit(lambda w, i: xla._slow(law, w, i, at))(
        jnp.asarray(words.view(np.int32), jnp.int64), jnp.asarray(index)
    )
    for word, i, code in zip(words.tolist(), index.tolist(), got.tolist(), strict=True):
        half, fraction = reference.slow_word(word, i, key, False)
        z = reference.tail(-reference.log(0.5 * fraction))
        assert np.int32(code).view(np.float32) == np.float32((-z if half else z) * 2.0 + 0.3)


@pytest.mark.usefixtures("x64")
def test_tails() -> None:
    """Of all losses, by the polynomial and by Newton's method, at their border too."""
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [np.exp(-rng.uniform(10.5, 60.0, 500)), math.exp(-45) * (1 + np.arange(-200, 200) * 2.0**-50)]
    )
    reach = rng.uniform(0.0, 1e5, p.size)
    reach[::2] = 0.0
    losses = [r - reference.log(x) for r, x in zip(reach.tolist(), p.tolist(), strict=True)]
    z = jax.jit(tails.tail)(exact.number(reach), exact.number(p))
    np.testing.assert_array_equal(floats(z), [reference.tail(loss) for loss in losses])
    assert min(abs(loss - 45) for loss in losses) < 1e-13 and any(loss == 45 for loss in losses)


def floats(x: exact.Number) -> np.ndarray:
    return np.ldexp(np.asarray(x.m).astype(np.float64), np.maximum(x.e, -2000))


def operands(seed: int, reach: int = 70) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b, c = (rng.standard_normal(20_000) * 2.0 ** rng.integers(-reach, reach, 20_000) for _ in range(3))
    b[:2000] = -a[:2000] * (1 + rng.integers(-3, 4, 2000) * 2.0**-52)  # cancels
    b[2000:4000] = a[2000:4000] * 2.0 ** rng.integers(-60, -50, 2000)  # ties
    a[4000:6000], c[6000], a[6001] = rng.integers(-9, 9, 2000), 0.0, 0.0
    return a, b, c


@pytest.mark.usefixtures("x64")
def test_arithmetic_of_doubles() -> None:
    a, b, _ = operands(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for ours, theirs in ((exact.add, np.add), (exact.multiply, np.multiply), (exact.divide, np.divide)):
            x = jax.jit(ours)(exact.number(a), exact.number(b))
            np.testing.assert_array_equal(floats(x), theirs(a, b))
            assert set(np.unique(abs(np.asarray(x.m)) >> 52)) <= {0, 1}
    positive = abs(b)
    np.testing.assert_array_equal(
        floats(jax.jit(exact.square_root)(exact.number(positive))), np.sqrt(positive)
    )
    squares = np.arange(1.0, 5000.0) ** 2
    np.testing.assert_array_equal(floats(exact.square_root(exact.number(squares))), np.sqrt(squares))
    integers = np.array([0, 1, -1, 2**53 + 1, 2**61 - 1, 2**62 + 2**9, -(2**63), 2**63 - 1])
    np.testing.assert_array_equal(
        floats(exact.from_integer(jnp.asarray(integers))), integers.astype(np.float64)
    )


@pytest.mark.usefixtures("x64")
def test_arithmetic_of_singles() -> None:
    a, b, c = (x.astype(np.float32) for x in operands(2, 50))
    c[:5000] = -(a * b)[:5000]
    got = jax.jit(exact.fused)(*(exact.number(x) for x in (a, b, c)))
    np.testing.assert_array_equal(floats(got), reference.fma32(a, b, c))


@pytest.mark.usefixtures("x64")
def test_codes_of_subnormals_ties_and_zeros() -> None:
    a, _, _ = operands(3)
    wide = np.concatenate([a * 2.0**-130, np.arange(-50, 50) * 2.0**-151, [0.0, 2.0**-150, -(2.0**-200)]])
    codes = exact.encoded(exact.number(wide), exact.SINGLE, 32)
    np.testing.assert_array_equal(np.asarray(codes).astype(np.int32), wide.astype(np.float32).view(np.int32))
    for dtype in ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"):
        least, largest = reference.FORMATS[dtype][1], reference.FORMATS[dtype][2]
        values = np.clip(np.concatenate([a, wide * 2.0 ** (140 + least)]), -largest, largest).astype(
            np.float32
        )
        size = 8 * numpy_dtype(dtype).itemsize
        codes = xla._narrowed(jnp.asarray(values.view(np.int32), jnp.int64), dtype, size)
        np.testing.assert_array_equal(
            np.asarray(codes).astype(f"u{size // 8}"), reference.round_to(dtype, values)
        )
