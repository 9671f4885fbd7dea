"""What a distribution says of itself: against SciPy, against what is drawn, and for one that nobody else knows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy import stats

import fastinit as fi
from fastinit.dtypes import Floats
from fastinit.laws import (
    Constant,
    Distribution,
    Elementwise,
    Identity,
    Kept,
    Normal,
    Orthogonal,
    Sparse,
    Structured,
    TruncatedNormal,
    Uniform,
    base,
)
from fastinit.plans import Parameter

HUGE = Uniform(-1e308, 1.7e308)  # wider than a float can say
# Each elementwise distribution, beside SciPy's of the same values.
LAWS: list[tuple[Elementwise, Any]] = [
    (Constant(0.25), None),
    (Uniform(-2.0, 1.0), stats.uniform(-2, 3)),
    (HUGE, None),
    (Uniform(3.0, 3.0), None),
    (Normal(0.5, 2.0), stats.norm(0.5, 2)),
    (Normal(0.5, 0.0), None),
    (TruncatedNormal(0.5, 2.0, -3.5, 4.5), stats.truncnorm(-2, 2, 0.5, 2)),
    (TruncatedNormal(low=1.0, high=4.0), stats.truncnorm(1, 4)),
    (TruncatedNormal(low=5.0), stats.truncnorm(5, math.inf)),
    (TruncatedNormal(high=-3.0), stats.truncnorm(-math.inf, -3)),
    (TruncatedNormal(low=-9.0, high=-5.0), stats.truncnorm(-9, -5)),
    (TruncatedNormal(), stats.norm()),
    (TruncatedNormal(low=1e4), None),
    (TruncatedNormal(3.0, 0.0, 1.0, 4.0), None),
]
KNOWN = [pytest.param(law, known, id=str(law)) for law, known in LAWS if known is not None]


def test_the_laws_above_are_all() -> None:
    kinds = {kind for kind in base._KINDS.values() if kind.__module__.startswith("fastinit.")}
    assert {kind for kind in kinds if issubclass(kind, Elementwise)} == {type(law) for law, _ in LAWS}
    assert all(issubclass(kind, Elementwise | Structured | Kept) for kind in kinds)
    assert all(kind.__name__ in fi.laws.__all__ for kind in kinds)


@pytest.mark.parametrize(("law", "known"), KNOWN)
def test_against_scipy(law: Elementwise, known: Any) -> None:
    mean, std = law.moments()
    assert (mean, std) == pytest.approx((known.mean(), known.std()), rel=1e-6)
    assert law.support() == pytest.approx(known.support(), rel=1e-15)
    x = np.linspace(mean - 9 * std, mean + 9 * std, 201)
    np.testing.assert_allclose(law.cdf(x), known.cdf(x), rtol=1e-9, atol=1e-13)
    skew, kurtosis = known.stats("sk")
    assert law.standard_moment(3) == pytest.approx(skew, abs=1e-5)
    assert law.standard_moment(4) == pytest.approx(3 + kurtosis, abs=1e-5)


@pytest.mark.parametrize(("law", "known"), KNOWN)
def test_moments_are_integrals_over_the_cdf(law: Elementwise, known: Any) -> None:
    mean, std = law.moments()
    low, high = law.reach()
    edges = np.linspace(low, high, 400_001)
    z = ((edges[1:] + edges[:-1]) / 2 - mean) / std
    # Near 1 a probability has no digits for the upper tail: there by the mirrored distribution.
    weights = np.where(z < 0, np.diff(law.cdf(edges)), -np.diff(law.affine(-1.0, 0.0).cdf(-edges)))
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert [weights @ z, weights @ z**2] == pytest.approx([0.0, 1.0], abs=1e-6)
    for order in (3, 4, 5, 6, 8):
        assert law.standard_moment(order) == pytest.approx(weights @ z**order, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("law", [law for law, _ in LAWS if law != HUGE], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_drawn(law: Elementwise, dtype: str) -> None:
    x = fi.fill(np.empty(100_000, dtype), law, seed=1).astype(np.float64)
    low, high = law.reach()
    mean, std = law.moments()
    assert low <= x.min() and x.max() <= high
    assert law.contains(float(x.min())) and law.contains(float(x.max()))
    assert not law.contains(math.nan) and not law.contains(math.inf)
    if std > 1e-6 * abs(mean):
        scaled = x / max(abs(x.min()), abs(x.max()))
        top = max(abs(x.min()), abs(x.max()))
        assert scaled.mean() == pytest.approx(mean / top, abs=6 * std / top / math.sqrt(len(x)))
        assert stats.kstest(law.cdf(x), "uniform").pvalue > 1e-6
    else:
        np.testing.assert_allclose(x, mean, rtol=1e-6)
    assert (np.diff(law.cdf(np.sort(x))) >= 0).all() and law.cdf(-math.inf) == 0 and law.cdf(math.inf) == 1


@pytest.mark.parametrize("law", [law for law, _ in LAWS], ids=str)
@pytest.mark.parametrize(("scale", "shift"), [(2.0, 1.0), (-0.5, 0.25), (1.0, 0.0), (0.0, 3.0)])
def test_affine(law: Elementwise, scale: float, shift: float) -> None:
    if law == HUGE and scale > 1:
        return
    moved, x = (
        law.affine(scale, shift),
        np.linspace(-10, 10, 77) if law.moments()[1] else np.array([-99.0, 99.0]),
    )
    mean, std = law.moments()
    assert moved.moments() == pytest.approx((scale * mean + shift, abs(scale) * std), rel=1e-12)
    assert moved.support() == pytest.approx(
        sorted(scale * x + shift if scale else shift for x in law.support())
    )
    if scale > 0:
        np.testing.assert_allclose(moved.cdf(scale * x + shift), law.cdf(x), atol=1e-12)
    if scale == 0:
        assert moved == Constant(shift)
    assert isinstance(moved, Constant) if scale == 0 else type(moved) is type(law)
    if std and scale:
        sign = math.copysign(1.0, scale)
        for order in (3, 4):
            expected = sign**order * law.standard_moment(order)
            assert moved.standard_moment(order) == pytest.approx(expected, abs=1e-9)


def test_affine_of_truncated_and_structured() -> None:
    law = TruncatedNormal(1.0, 2.0, -math.inf, 3.0)
    assert law.affine(-2.0, 1.0) == TruncatedNormal(-1.0, 4.0, -5.0, math.inf)
    assert Orthogonal(3.0, 1).affine(-2.0, 0.0) == Orthogonal(-6.0, 1)
    assert Identity().affine(0.5, 0.0) == Identity(0.5)
    assert Orthogonal().affine(2.0, 1.0) is None and Sparse(0.5).affine(2.0, 0.0) is None


def test_constants_have_no_shape() -> None:
    for law in (Constant(2.0), Normal(2.0, 0.0), Uniform(2.0, 2.0), TruncatedNormal(2.0, 0.0, 1.0, 3.0)):
        assert law.moments() == (2.0, 0.0) and math.isnan(law.standard_moment(4))
        assert law.contains(2.0) and not law.contains(2.5)
        assert law.cdf([1.9, 2.0, 2.1]).tolist() == [0, 1, 1]


def test_uniform_leaves_out_its_upper_end() -> None:
    law = Uniform(0.0, 1.0)
    assert law.contains(0.0) and law.contains(math.nextafter(1.0, 0.0)) and not law.contains(1.0)
    assert law.support() == (0.0, 1.0)


def test_labels() -> None:
    assert TruncatedNormal().label == "truncated normal" and Orthogonal().label == "orthogonal"


def test_structured_ones_say_that_they_do_not_know() -> None:
    for kind in (Orthogonal(), Identity(), Sparse(0.5)):
        assert all(map(math.isnan, kind.moments())) and kind.support() == (-math.inf, math.inf)
        assert isinstance(kind, Distribution)


@dataclass(frozen=True, slots=True)
class Laplace(Elementwise):
    """A distribution that the package does not have."""

    law: ClassVar[str] = "laplace of a test"
    farthest: ClassVar[float] = 40.0
    mean: float = 0.0
    std: float = 1.0

    def moments(self) -> tuple[float, float]:
        return self.mean, self.std

    def cdf(self, x: ArrayLike) -> Floats:
        z = (np.asarray(x, np.float64) - self.mean) * math.sqrt(2) / self.std
        return np.asarray(np.where(z < 0, np.exp(np.minimum(z, 0)) / 2, 1 - np.exp(-np.maximum(z, 0)) / 2))

    def _standard_moment(self, order: int) -> float:
        return 0.0 if order % 2 else math.factorial(order) / 2.0 ** (order / 2)

    def _affine(self, scale: float, shift: float) -> Laplace:
        return Laplace(scale * self.mean + shift, abs(scale) * self.std)


@pytest.fixture
def laplace() -> Any:
    yield Laplace(0.0, 0.02)
    del base._KINDS[Laplace.law]


def test_a_new_law_needs_no_table(laplace: Laplace) -> None:
    """verify, inspect and lint know of a distribution what it says of itself."""
    plan = fi.Plan({"w": Parameter("w", (300, 400), "float32", "normal", laplace, None)}, {}, "test")
    assert fi.Plan.from_json(plan.to_json()) == plan and fi.lint(plan) == []
    random = np.random.default_rng(0)
    for dtype in (np.float32, np.float16):
        drawn = random.laplace(0, 0.02 / math.sqrt(2), (300, 400)).astype(dtype)
        row = Parameter("w", (300, 400), str(drawn.dtype), "normal", laplace, None)
        own = fi.Plan({"w": row}, {}, "test")
        assert fi.verify({"w": drawn}, own) == [] and fi.inspect({"w": drawn}, own).deviating == ()
        others = {
            "std": random.laplace(0, 0.016, drawn.shape), "distribution": random.normal(0, 0.02, drawn.shape),
            "mean": drawn.astype(np.float64) + 0.003,
        }  # fmt: skip
        for kind, other in others.items():
            found = [
                finding.kind for finding in fi.inspect({"w": other.astype(dtype)}, own).tensors["w"].findings
            ]
            assert kind in found, kind
            if kind != "distribution":
                assert kind in [finding.kind for finding in fi.verify({"w": other.astype(dtype)}, own)]
