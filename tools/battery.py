"""A statistical battery for the streams: ``python tools/battery.py``; ``--help`` tells how to have more or less of it.

Every test counts: how often a stream falls into each of some cells whose probabilities are known exactly, or how
often something rare happens whose number follows a Poisson law. Counts of chunks add up, and one p-value, two-sided,
is taken at the end: so a small bias shows once there is enough of it. The probabilities are those of independent
words in which all 2**32 values are equally likely. tests/test_battery.py shows a bad generator to each test.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice, repeat

import numpy as np
from battery_tests import FLOAT_TESTS, WORD_TESTS, Test
from scipy import stats
from sources import CHUNK, FLOATS, WORDS, Array

THRESHOLD = 1e-10  # streams are fixed: what is below is a bug, never bad luck


def p_value(test: Test, total: Array) -> float:
    if test.law is None:
        events, mean = total
        return min(1.0, 2 * min(stats.poisson.cdf(events, mean), stats.poisson.sf(events - 1, mean)))
    counts = np.atleast_2d(total)
    if not counts.sum():
        return 0.0
    expected = test.law * counts[0].sum()
    # Cells of less than five expected come together, the rarest first; a last group of less, with what is above it.
    order = np.argsort(expected, kind="stable")
    expected, counts = expected[order], counts[:, order]
    start = np.cumsum(expected) - expected
    group = np.minimum(start // 5, max(expected[expected < 5].sum() // 5 - 1, 0))
    first = np.flatnonzero((np.diff(group, prepend=-1) > 0) | ((expected >= 5) & (start >= 5)))
    expected, counts = np.add.reduceat(expected, first), np.add.reduceat(counts, first, axis=1)
    statistic = ((counts - expected) ** 2 / expected).sum()
    freedom = len(counts) * (len(expected) - 1)
    return float(min(1.0, 2 * min(stats.chi2.sf(statistic, freedom), stats.chi2.cdf(statistic, freedom))))


def battery(chunks: Iterator[Array], tests: dict[str, Test]) -> dict[str, float]:
    """The p-value of each test over all chunks."""
    totals: dict[str, Array] = {}
    for chunk in chunks:
        for name, test in tests.items():
            totals[name] = totals.get(name, 0) + test.count(chunk)
    return {name: p_value(tests[name], total) for name, total in totals.items()}


def run(name: str, log2: int, chunk: int) -> dict[str, float]:
    """All tests over 2**log2 words of a stream, and as many numbers where they are floats."""
    chunks = max(1, (1 << log2) // chunk)
    p = battery(islice(WORDS[name](chunk), chunks), WORD_TESTS)
    if name in FLOATS:
        tests = {
            test: FLOAT_TESTS[test]
            for test in FLOAT_TESTS
            if name.startswith("normal") or test != "far tails"
        }
        p |= battery(islice(FLOATS[name](chunk), chunks), tests)
    return p


def verdict(every: list[float]) -> int:
    """Exit status: 1 if one p-value is impossible, or all together are."""
    together = stats.kstest(every, "uniform").pvalue
    print(f"{len(every)} p-values: the least {min(every):.1e}, {sum(p < 0.01 for p in every)} below 0.01, "
          f"uniform {together:.1e}; a bug is below {THRESHOLD}")  # fmt: skip
    return int(min(*every, together) < THRESHOLD)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("streams", nargs="*", default=list(WORDS), help="by default all of tools/sources.py")
    parser.add_argument(
        "--log2", type=int, default=22, help="binary logarithm of the words of each stream (22)"
    )
    parser.add_argument("--jobs", type=int, help="processes (one per core)")
    arguments = parser.parse_args()
    every: list[float] = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        results = pool.map(run, arguments.streams, repeat(arguments.log2), repeat(CHUNK))
        for name, p in zip(arguments.streams, results, strict=True):
            worst = sorted(p, key=lambda test: p[test])[:2]
            print(
                f"{name:32} {len(p)} tests, least p",
                *[f"{p[test]:.1e} ({test})" for test in worst],
                flush=True,
            )
            every += p.values()
    return verdict(every)


if __name__ == "__main__":
    sys.exit(main())
