"""What is drawn follows the law. Seeds are fixed and thresholds strict: a failure is a bug, never bad luck."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from conftest import BITS, NARROW
from scipy import stats

import fastinit as fi
from fastinit.dtypes import numpy_dtype

N = 1 << 22
LAWS: dict[str, tuple[dict[str, Any], Any]] = {
    "normal": ({"mean": 0.5, "std": 2.0}, stats.norm(0.5, 2.0)),
    "uniform": ({"low": -0.3, "high": 0.5}, stats.uniform(-0.3, 0.8)),
    "truncated_normal": ({"std": 0.5, "low": -2, "high": 2}, stats.truncnorm(-2, 2, scale=0.5)),
}
CUTS = [
    (-1, 3),
    (0, np.inf),
    (-np.inf, -1),
    (3, 4),
    (-6, 6),
    (6, 8),
    (12, np.inf),
    (40, 41),
    (-1e-3, 2e-3),
    (-9, 0.01),
]


def probabilities(x: np.ndarray, law: Any) -> np.ndarray:
    return np.clip(law.cdf(x.astype(np.float64)), 0, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", LAWS)
def test_law(scheme: str, dtype: str) -> None:
    numbers, law = LAWS[scheme]
    x = fi.fill(np.zeros(N, dtype), scheme, seed=1, name="a", **numbers).astype(np.float64)
    u = probabilities(x, law)
    assert stats.kstest(u, "uniform").pvalue > 1e-6
    counts = np.bincount((u * 1024).astype(int).clip(0, 1023), minlength=1024)
    assert stats.chisquare(counts).pvalue > 1e-6
    z = (x - law.mean()) / law.std()
    for order in range(1, 5):
        moment, spread = law_moment(law, order), law_moment(law, 2 * order) - law_moment(law, order) ** 2
        assert abs((z**order).mean() - moment) < 6 * math.sqrt(spread / N), order


def law_moment(law: Any, order: int) -> float:
    low, high = (
        max(law.support()[0], law.mean() - 40 * law.std()),
        min(law.support()[1], law.mean() + 40 * law.std()),
    )
    nodes, weights = np.polynomial.legendre.leggauss(400)
    x = 0.5 * (high + low) + 0.5 * (high - low) * nodes
    return float((weights * law.pdf(x) * ((x - law.mean()) / law.std()) ** order).sum() * 0.5 * (high - low))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_truncated_normal_for_any_bounds(cut: tuple[float, float], dtype: str) -> None:
    n = 60_000
    x = fi.truncated_normal(n, low=cut[0], high=cut[1], dtype=dtype, seed=2).astype(np.float64)
    assert x.min() >= cut[0] and x.max() <= cut[1]
    law = stats.truncnorm(*cut)
    assert stats.kstest(probabilities(x, law), "uniform").pvalue > 1e-6
    mean, std = fi.TruncatedNormal(0, 1, *cut).moments()
    assert abs(x.mean() - mean) < 6 * std / math.sqrt(n)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_moments(dtype: str) -> None:
    x = fi.normal(N, seed=3, dtype=dtype).astype(np.float64)
    assert abs(x.mean()) < 6 / math.sqrt(N) and abs(x.var() - 1) < 6 * math.sqrt(2 / N) + 2e-5
    assert len(np.unique(x)) > 2000


@pytest.mark.parametrize("dtype", [dtype for dtype in NARROW if BITS[dtype].itemsize == 1])
@pytest.mark.parametrize("scheme", LAWS)
def test_every_value_of_8_bits_has_its_probability(scheme: str, dtype: str) -> None:
    """That of the interval which is rounded to it, the law's ends included."""
    numbers, law = LAWS[scheme]
    x = fi.fill(np.zeros(N, numpy_dtype(dtype)), scheme, seed=9, name="a", **numbers).astype(np.float32)
    codes = np.arange(256, dtype=np.uint8).view(numpy_dtype(dtype)).astype(np.float32)
    values = np.unique(codes[np.isfinite(codes) & (codes >= x.min()) & (codes <= x.max())])
    assert set(np.unique(x)) == set(values.tolist())
    middles = (values[1:] + values[:-1]) / 2
    counts = np.histogram(x, [-np.inf, *middles, np.inf])[0]
    expected = N * np.diff(law.cdf([-np.inf, *middles, np.inf]))
    likely = expected > 10
    counts, expected = (
        np.append(counts[likely], counts[~likely].sum()),
        np.append(expected[likely], expected[~likely].sum()),
    )
    if expected[-1] == 0:
        counts, expected = counts[:-1], expected[:-1]
    assert stats.chisquare(counts, expected).pvalue > 1e-6


def test_tails() -> None:
    """Counts beyond 4, 5 and 6 sigma of 2**30 draws, and the largest of them."""
    counts, largest, chunk = np.zeros(3), 0.0, 1 << 26
    out = np.empty(chunk, np.float32)
    for i in range(16):
        fi.fill(out, fi.Normal(0, 1), seed=4, shape=1 << 30, block=slice(i * chunk, (i + 1) * chunk))
        np.abs(out, out=out)
        far = out[out > 4]
        counts += [(far > s).sum() for s in (4, 5, 6)]
        largest = max(largest, float(far.max()))
    expected = np.array([2 * stats.norm.sf(s) * 2**30 for s in (4, 5, 6)])
    assert (abs(counts - expected) < 6 * np.sqrt(expected) + 1).all(), counts
    assert 5.7 < largest < 7.2


def test_reach() -> None:
    """The outermost words reach past 7 sigma: the law of the least magnitude and the least extra word."""
    from reference import log, tail

    assert tail(-log(0.5 * 0.5 * 2.0**-63)) > 9
    assert tail(-log(2.0**-32)) > 6.1


def test_no_correlations() -> None:
    n = 1 << 20
    x = fi.normal(n + 2**16, seed=5, name="a").astype(np.float64)
    pairs = [(f"lag {lag}", x[:n], x[lag : lag + n]) for lag in [2**k for k in range(17)] + [3, 5, 7]]
    for other, seed in (("`", 5), ("c", 5), ("a", 6), ("a", 4), ("a\0", 5)):
        pairs.append((f"{other!r}, {seed}", x[:n], fi.normal(n, seed=seed, name=other).astype(np.float64)))
    for label, a, b in pairs:
        for f in (lambda v: v, np.square, np.abs):
            assert abs(np.corrcoef(f(a), f(b))[0, 1]) < 6 / math.sqrt(n), label


def test_float64_pairs_are_independent() -> None:
    z = fi.normal(1 << 21, seed=6, dtype="float64").reshape(-1, 2)
    angle = np.arctan2(z[:, 1], z[:, 0]) / (2 * np.pi) + 0.5
    assert stats.kstest(angle, "uniform").pvalue > 1e-6
    assert stats.kstest(np.exp(-0.5 * (z**2).sum(1)), "uniform").pvalue > 1e-6


def test_quantile_against_scipy() -> None:
    """The float32 quantile, taken at the words themselves, is the exact one to 3 units in the last place of 1."""
    words = fi.drawing.random_bits(1 << 20, seed=7).view(np.int32).astype(np.float64)
    magnitude = abs(words)
    exact = stats.norm.isf(magnitude * 2.0**-32) * np.sign(words)
    drawn = fi.normal(1 << 20, seed=7).astype(np.float64)
    common = magnitude >= 2**17
    error = abs(drawn - exact)[common] / np.maximum(1, abs(exact[common]))
    assert error.max() < 3 * 2.0**-23


@pytest.mark.parametrize("scheme", ["xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "lecun_uniform",
                                    "lecun_normal", "torch_default", "variance_scaling"])  # fmt: skip
def test_schemes_draw_their_law(scheme: str) -> None:
    w = fi.fill(np.zeros((1000, 1500), np.float32), scheme, seed=8, name=scheme).astype(np.float64)
    mean, std = fi.distribution(scheme, (1000, 1500)).moments()
    assert abs(w.mean() - mean) < 6 * std / math.sqrt(w.size)
    assert abs(w.var() / std**2 - 1) < 6 * math.sqrt(2 / w.size)
