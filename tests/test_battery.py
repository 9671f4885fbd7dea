"""The battery passes independent words, fails known bad ones in every one of its tests, and the streams pass it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, program_of
from reference import words32
from scipy import stats
from scipy.special import ndtr

import fastinit as fi
from fastinit.drawing.streams import key

battery, battery_tests, sources = (
    program_of(f"tools/{name}.py") for name in ("battery", "battery_tests", "sources")
)

N = 1 << 20
Array = np.ndarray[Any, Any]


def independent(n: int = N) -> Array:
    return np.random.default_rng(1).integers(0, 1 << 32, n, dtype=np.uint32)


def congruential(multiplier: int, increment: int) -> Array:
    powers = np.multiply.accumulate(np.full(N, multiplier, np.uint32))
    return powers + np.uint32(increment) * np.cumsum(np.append(np.uint32(1), powers[:-1]), dtype=np.uint32)


def randu() -> Array:
    return congruential(65539, 0) << np.uint32(1)


def congruential_low_bits() -> Array:
    return sources.reverse_bits(congruential(1664525, 1013904223))


def xorshift() -> Array:
    """32 bits of state, which matrices over GF(2) see through."""
    x, result = 1, np.empty(N, np.uint32)
    for i in range(N):
        x ^= x << 13 & 0xFFFFFFFF
        x ^= x >> 17
        x ^= x << 5 & 0xFFFFFFFF
        result[i] = x
    return result


def philox(rounds: int) -> Array:
    """Words of a counter through Philox4x32 with fewer rounds than ten."""
    c = [np.arange(N // 4, dtype=np.uint64), *(np.full(N // 4, x, np.uint64) for x in (0, 7, 8))]
    for i in range(rounds):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        k0, k1 = (np.uint64(k + i * weyl & 0xFFFFFFFF) for k, weyl in ((1, 0x9E3779B9), (2, 0xBB67AE85)))
        low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
        c = [b >> half ^ c[1] ^ k0, b & low, a >> half ^ c[3] ^ k1, a & low]
    return np.stack(c, axis=1).astype(np.uint32).ravel()


def repeated(period: int) -> Array:
    """Two streams of one key, of which ``period`` words are in turn; or a tile drawn twice."""
    return np.tile(independent(N // 2).reshape(-1, 1, period), (1, 2, 1)).ravel()


WORDS: dict[str, tuple[Callable[[], Array], set[str]]] = {
    "RANDU": (
        randu,
        {
            "bytes",
            "triples",
            "quadruples",
            "16 first bits",
            "rank 64",
            "bit changes",
            "collisions",
        },
    ),
    "congruential": (
        lambda: congruential(1664525, 1013904223),
        {
            "16 bits",
            "pairs",
            "octets",
            "gaps of 8",
            "gaps of 256",
            "birthdays, 32 bits",
            "collisions",
            "weights",
            "spectrum",
        },
    ),
    "its low bits": (congruential_low_bits, {"ascents", "birthdays, 48 bits"}),
    "xorshift": (xorshift, {"birthdays, 48 bits", "birthdays, 64 bits", "rank 32", "rank 64"}),
    "4 rounds": (
        lambda: philox(4),
        {"octets", "16 first bits", "pairs, lag 4", "pairs, lag 16", "pairs, lag 1024", "spectrum"}
        | {f"differences, lag {lag}" for lag in (4, 8, 16, 256, 1024, 65536)},
    ),
    "2 rounds": (lambda: philox(2), set(battery_tests.WORD_TESTS)),
    "two names of one stream": (
        lambda: repeated(1),
        {"differences, lag 1", "pairs", "collisions", "ascents"},
    ),
    "a tile drawn twice": (
        lambda: repeated(1024),
        {"differences, lag 1024", "pairs, lag 1024", "collisions"},
    ),
}


@pytest.mark.parametrize("generator", WORDS)
def test_bad_words_fail(generator: str) -> None:
    draw, fails = WORDS[generator]
    tests = {name: battery_tests.WORD_TESTS[name] for name in fails}
    p = battery.battery(iter([draw()]), tests)
    assert {name for name in p if p[name] < battery.THRESHOLD} == fails


def test_every_test_of_words_fails_something_subtle() -> None:
    assert set().union(*(fails for name, (_, fails) in WORDS.items() if name != "2 rounds")) == set(
        battery_tests.WORD_TESTS
    )


def box_muller(angle_bits: int) -> Array:
    u = np.random.default_rng(2).random((N // 2, 2))
    angle = (np.floor(u[:, 1] * 2**angle_bits) + 0.25) * 2 * np.pi / 2**angle_bits
    return ndtr(np.sqrt(-2 * np.log(u[:, :1])) * np.stack([np.cos(angle), np.sin(angle)], axis=1)).ravel()


def normals() -> Array:
    return np.random.default_rng(3).standard_normal(N)


FLOATS: dict[str, tuple[Callable[[], Array], set[str]]] = {
    "the sum of twelve uniforms": (
        lambda: ndtr(np.random.default_rng(4).random((N, 12)).sum(axis=1) - 6),
        {"tails", "far tails", "extremes"},
    ),
    "128 values": (
        lambda: (np.floor(np.random.default_rng(5).random(N) * 128) + 0.5) / 128,
        {"values", "Kolmogorov-Smirnov", "extremes"},
    ),
    "a deviation 1 % off": (lambda: ndtr(1.01 * normals()), {"tails", "far tails"}),
    "a mean off by 0.03 sigma": (lambda: ndtr(normals() + 0.03), {"Kolmogorov-Smirnov", "polar", "tails"}),
    "cut at four sigma": (lambda: ndtr(np.clip(normals(), -4, 4)), {"far tails", "extremes"}),
    "angles of four bits": (lambda: box_muller(4), {"polar"}),
}


@pytest.mark.parametrize("generator", FLOATS)
def test_bad_floats_fail(generator: str) -> None:
    draw, fails = FLOATS[generator]
    tests = {name: battery_tests.FLOAT_TESTS[name] for name in fails}
    p = battery.battery(iter([draw()]), tests)
    assert {name for name in p if p[name] < battery.THRESHOLD} == fails


def test_every_test_of_floats_fails_something() -> None:
    assert set().union(*(fails for _, fails in FLOATS.values())) == set(battery_tests.FLOAT_TESTS)


def test_p_values_of_independent_words_are_uniform() -> None:
    generator, p = np.random.default_rng(6), []
    tests = {
        name: test for name, test in battery_tests.WORD_TESTS.items() if name != "birthdays, 64 bits"
    }  # few events
    for _ in range(15):
        chunk = generator.integers(0, 1 << 32, 1 << 18, dtype=np.uint32)
        p += battery.battery(iter([chunk]), tests).values()
    for _ in range(15):
        p += battery.battery(iter([generator.random(1 << 18)]), battery_tests.FLOAT_TESTS).values()
    assert stats.kstest(p, "uniform").pvalue > 1e-6


def test_a_chunk_more_adds_up() -> None:
    """A bias that no chunk shows."""
    biased = independent(16 * N).reshape(16, N)
    biased[np.random.default_rng(7).random(biased.shape) < 0.006] |= np.uint32(1 << 31)
    tests = {"bytes": battery_tests.WORD_TESTS["bytes"]}
    assert min(battery.battery(iter([chunk]), tests)["bytes"] for chunk in biased) > 1e-6
    assert battery.battery(iter(biased), tests)["bytes"] < battery.THRESHOLD


# Word g of a stream, which is word i of chunk c, is this word of this seed and name.
CHUNK = 1 << 18
ARRANGED: dict[str, Callable[[int, int, int], tuple[int, int, str]]] = {
    "straight": lambda g, c, i: (g, sources.SEED, sources.NAME),
    "names": lambda g, c, i: (g // 1024, sources.SEED, sources.model_names()[g % 1024]),
    "numbered": lambda g, c, i: (g // 256, sources.SEED, f"layers.{g % 256}"),
    "seeds": lambda g, c, i: (i // 256, 256 * c + i % 256, sources.NAME),
    "beginnings": lambda g, c, i: (g % 16, g // 16, sources.NAME),
    "stride-8": lambda g, c, i: (g // 4 * 1024 + g % 4, sources.SEED, sources.NAME),
    "stride-31": lambda g, c, i: ((g // 4 << 33) + g % 4, sources.SEED, sources.NAME),
    "one-bit": lambda g, c, i: ((1 << 24 + g % 32) + g // 32, sources.SEED, sources.NAME),
    "carries": lambda g, c, i: ((g // 65536 + 1 << 34) - 32768 + g % 65536, sources.SEED, sources.NAME),
}


@pytest.mark.parametrize("stream", ARRANGED)
def test_arrangements(stream: str) -> None:
    chunks = list(islice(sources.WORDS[stream](CHUNK), 2))
    assert len(np.unique(sources.model_names())) == 1024
    for g in np.random.default_rng(8).integers(0, 2 * CHUNK, 200).tolist():
        c, i = divmod(g, CHUNK)
        index, seed, name = ARRANGED[stream](g, c, i)
        assert chunks[c][i] == words32([index], key(seed, name))[0]


@pytest.mark.parametrize("stream", sources.WORDS)
def test_streams(stream: str) -> None:
    p = battery.run(stream, 19, 1 << 19)
    assert min(p.values()) > battery.THRESHOLD, p


def test_verdict() -> None:
    p = (np.arange(100) + 0.5) / 100
    assert battery.verdict([*p]) == 0
    assert battery.verdict([*p, 1e-11]) == 1  # one that is impossible
    assert battery.verdict([*p**3]) == 1  # too many that are small


def test_pipe() -> None:
    """The words that other batteries read."""
    command = [sys.executable, str(ROOT / "tools" / "sources.py"), "normal-float32"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        piped = np.frombuffer(process.stdout.read(4096), np.uint32)
        process.stdout.close()
        assert process.wait() == 0 and not process.stderr.read()
    z = (
        fi.normal(2048, std=0.02, seed=sources.SEED, name=f"{sources.LAWS['normal']} float32").astype(
            np.float64
        )
        / 0.02
    )
    digits = (ndtr(z) * 65536).astype(np.uint32).reshape(-1, 2)
    assert (piped == digits[:, 0] | digits[:, 1] << np.uint32(16)).all()


def test_bits_are_reversed() -> None:
    w = independent(1000)
    assert [int(f"{x:032b}"[::-1], 2) for x in w] == sources.reverse_bits(w).tolist()
