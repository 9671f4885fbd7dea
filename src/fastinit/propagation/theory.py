"""Mean-field theory: what an initialisation does to signals and gradients in a very wide network.

Layers are h = W x + b, x = f(h before), with Var(W) = weight_variance / fan_in and Var(b) = bias_variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..arguments import non_negative, positive_integer, real
from ..dtypes import Floats
from ..schemes.activations import Activation, ActivationFunction, as_activation
from .moments import LEAST_STD, pair_moment, pair_slope, second_moment, second_moment_slope, slope_moment

# Fixed points are looked for between these powers of 2 (1e-14 to 1e8), and further down for tiny bias variances.
_LEAST, _LARGEST = -46, 27
# Stands for infinity where a limit is asked for.
_INFINITE = 2.0**54
# Growth by this factor in one layer is without end.
_RUN_AWAY = 1e12
# Relative differences below the first are rounding and quadrature, no direction; slopes this close to 1 are 1.
_FLAT, _CRITICAL = 1e-11, 1e-6


class FixedPoint(NamedTuple):
    """A q that the q-map keeps, and the map's slope there: it attracts where abs(slope) < 1."""

    q: float
    slope: float


class CriticalPoint(NamedTuple):
    """A point of the critical line: chi = 1 at the fixed point ``q_star``."""

    weight_variance: float
    q_star: float


class Trajectory(NamedTuple):
    """Arrays over layers 1 ... depth, one input (or pair of inputs) sent through."""

    q: Floats
    correlation: Floats
    gradient: Floats


@dataclass(frozen=True)
class MeanField:
    """The recursions of one activation with one weight and one bias variance; made by `mean_field`."""

    activation: Activation
    weight_variance: float
    bias_variance: float

    def q_map(self, q: float) -> float:
        """E[h^2] in the next layer, from that in this one: weight_variance E[f(sqrt(q) z)^2] + bias_variance."""
        return (
            self.weight_variance * second_moment(self.activation, non_negative("q", q)) + self.bias_variance
        )

    def q_slope(self, q: float) -> float:
        """The derivative of `q_map` at ``q``."""
        return self.weight_variance * second_moment_slope(self.activation, non_negative("q", q))

    def chi_map(self, q: float) -> float:
        """The factor on the squared gradient norm per layer, from the output back: weight_variance E[f'(sqrt(q) z)^2].

        Where the activation jumps, the jump counts as flat, as it does in backpropagation.
        """
        return self.weight_variance * slope_moment(self.activation, non_negative("q", q))

    def c_map(self, c: float, *, q: float | None = None) -> float:
        """The correlation of two inputs' h in the next layer, from that in this one; both have E[h^2] = q (`q_star`)."""
        at = self._reference(q)
        product = self.weight_variance * pair_moment(self.activation, at, correlation("c", c))
        return self._share(product + self.bias_variance, at)

    def c_slope(self, c: float, *, q: float | None = None) -> float:
        """The derivative of `c_map` at ``c``; at c = 1 it is chi for q = q_star."""
        at = self._reference(q)
        slopes = pair_slope(self.activation, at, correlation("c", c))
        return self._share(self.weight_variance * slopes * at, at)

    def _reference(self, q: float | None) -> float:
        """A positive, finite q: the limits 0 and infinity are stood for by their neighbours."""
        return min(max(self.q_star if q is None else non_negative("q", q), LEAST_STD**2), _INFINITE)

    def _share(self, moment: float, q: float) -> float:
        whole = self.q_map(q)
        return moment / whole if whole else math.nan

    def fixed_points(self) -> tuple[FixedPoint, ...]:
        """All q that `q_map` keeps, found by its changes of direction between 1e-14 and 1e8, and 0 where it is one.

        Where the map keeps all q, as He's does for ReLU, no other than 0 is listed.
        """
        start = self.q_map(0.0)
        found = [] if start else [0.0]
        found += _roots(self._growth, _grid(start))
        return tuple(FixedPoint(q, self.q_slope(q)) for q in found)

    @cached_property
    def q_star(self) -> float:
        """The fixed point that q = 1 goes to (inf if it grows without end); 1 itself where that is one, stable or not."""
        step = self._growth(1.0)
        if abs(step) <= _FLAT:
            return 1.0
        grid = _grid(self.q_map(0.0))
        if step > 0:
            return next(_roots(self._growth, grid[grid >= 1]), math.inf)
        return next(_roots(self._growth, grid[grid <= 1][::-1]), 0.0)

    def _growth(self, q: float) -> float:
        return self.q_map(q) - q

    @cached_property
    def slope(self) -> float:
        """`q_slope` at `q_star`; the fixed point is stable where its magnitude is below 1."""
        return self.q_slope(min(self.q_star, _INFINITE))

    @cached_property
    def chi(self) -> float:
        """`chi_map` at `q_star`; above 1 gradients explode and inputs part, below 1 gradients vanish."""
        return self.chi_map(min(self.q_star, _INFINITE))

    @cached_property
    def phase(self) -> str:
        """ "ordered" (chi < 1), "critical" (chi = 1 to 1e-6) or "chaotic" (chi > 1)."""
        if abs(self.chi - 1) <= _CRITICAL:
            return "critical"
        return "ordered" if self.chi < 1 else "chaotic"

    @cached_property
    def c_star(self) -> float:
        """The correlation that pairs of inputs go to, 1 unless the c-map is steeper than 1 there."""
        if not self.c_slope(1.0) > 1 + _CRITICAL:
            return 1.0
        # On [0, 1] the map is convex (a power series without negative terms): Newton's steps from 0 never go too far.
        c = 0.0
        for _ in range(64):
            step = (self.c_map(c) - c) / (1 - self.c_slope(c))
            c += step
            if step <= 1e-10:
                break
        return c

    @cached_property
    def xi_q(self) -> float:
        """Layers in which q comes e times closer to `q_star`, -1 / ln(slope)."""
        return _depth(abs(self.slope))

    @cached_property
    def xi_c(self) -> float:
        """Layers in which c comes e times closer to `c_star`; networks train to a depth of about 6 of them."""
        return _depth(self.c_slope(self.c_star))

    @cached_property
    def xi_gradient(self) -> float:
        """Layers in which the squared gradient norm falls by e, -1 / ln(chi); negative where it grows."""
        return _depth(self.chi)

    def trajectory(self, depth: int, *, q: float = 1.0, c: float = 0.0) -> Trajectory:
        """Layers 1 ... depth, the first with E[h^2] = ``q`` and the correlation ``c`` between two inputs.

        ``gradient`` is the squared norm of dL/dh relative to that in the last layer. Raises TypeError or ValueError
        for a depth below 1, a negative q or a c out of [-1, 1].

        >>> mean_field("relu", weight_variance=2).trajectory(3, c=0).correlation.round(6)
        array([0.      , 0.31831 , 0.493731])
        """
        positive_integer("depth", depth)
        qs, cs = [non_negative("q", q)], [correlation("c", c)]
        for _ in range(depth - 1):
            cs.append(self.c_map(cs[-1], q=qs[-1]))
            qs.append(self.q_map(qs[-1]))
        factors = [self.chi_map(q) for q in qs[:-1]]
        gradient: Floats = np.cumprod([1.0, *reversed(factors)], dtype=np.float64)[::-1]
        return Trajectory(np.array(qs), np.array(cs), gradient)


def mean_field(
    activation: str | ActivationFunction,
    *,
    weight_variance: float,
    bias_variance: float = 0.0,
    negative_slope: float | None = None,
) -> MeanField:
    """The mean-field theory of a deep network with this activation, Var(W) fan_in and Var(b).

    Sources: Poole et al. 2016 (https://arxiv.org/abs/1606.05340), Schoenholz et al. 2017
    (https://arxiv.org/abs/1611.01232).

    Parameters
    ----------
    activation
        A name, or any function of a float64 array that works element by element.
    weight_variance, bias_variance
        sigma_w^2 = Var(W) fan_in, which is gain^2 for weights scaled by fan-in, and sigma_b^2 = Var(b).
    negative_slope
        The negative slope of ``leaky_relu``, 0.01 by default.

    Returns
    -------
    MeanField
        with the attributes ``q_star``, ``chi``, ``c_star``, ``slope``, ``xi_q``, ``xi_c``, ``xi_gradient`` and ``phase``,
        computed when first asked for, and the maps as methods. All are exact to 1e-6 relative or better.

    Raises
    ------
    TypeError, ValueError
        for an unknown name, a negative or non-finite variance; and later, for a function that returns another
        shape or non-finite values, or whose moments do not converge.

    Examples
    --------
    >>> theory = mean_field("tanh", weight_variance=1.5, bias_variance=0.05)
    >>> round(theory.q_star, 6), round(theory.chi, 6), theory.c_star, theory.phase
    (0.418037, 0.938636, 1.0, 'ordered')
    """
    return MeanField(
        as_activation(activation, negative_slope),
        non_negative("weight_variance", weight_variance),
        non_negative("bias_variance", bias_variance),
    )


def critical_line(
    activation: str | ActivationFunction, bias_variance: float = 0.0, *, negative_slope: float | None = None
) -> CriticalPoint:
    """The weight variance at which chi = 1 for this bias variance, the edge of chaos, with the fixed point q_star there.

    Solves q E[f'^2] - E[f^2] = bias_variance E[f'^2] for the smallest q; then weight_variance = 1 / E[f'^2]. Raises
    ValueError where there is no such point (ReLU with a bias), and as `mean_field` does. Whether the point is stable
    is another matter: see `MeanField.slope`, above 1 for SiLU.

    >>> [round(x, 6) for x in critical_line("tanh", 0.05)]
    [1.760955, 0.570048]
    """
    f, bias = as_activation(activation, negative_slope), non_negative("bias_variance", bias_variance)
    if bias == 0 and second_moment(f, 0.0) == 0:
        root = 0.0
    else:
        root = next(
            _roots(lambda q: q - second_moment(f, q) / slope_moment(f, q) - bias, _grid(bias)), math.nan
        )
    flatness = 0.0 if math.isnan(root) else slope_moment(f, root)
    if not flatness:
        raise ValueError(f"activation {f.name} has no critical point at bias_variance={bias!r}")
    return CriticalPoint(1 / flatness, root)


def _grid(least: float) -> Floats:
    """Powers of 2 in which fixed points are looked for; none is below ``least``, the q-map's value at 0."""
    lowest = min(_LEAST, math.floor(math.log2(least)) - 1) if least else _LEAST
    return np.array([2.0**k for k in range(lowest, _LARGEST)])


def _roots(function: Callable[[float], float], grid: Floats) -> Iterator[float]:
    """The q between points of the grid where function(q) changes its sign, in the grid's order.

    Points where it is below 1e-11 q have no sign; beyond 1e12 q, it has run away and does not come back.
    """
    last = 0.0
    before = 0.0
    for q in grid.tolist():
        value = function(q)
        if q > 1 and value > _RUN_AWAY * q:
            return
        if abs(value) > _FLAT * q:
            if value * before < 0:
                yield _bisect(function, min(last, q), max(last, q))
            last, before = q, value


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """The root between two points of different signs."""
    sign = math.copysign(1, function(low))
    while high - low > 1e-14 * high:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (middle, high) if sign * function(middle) > 0 else (low, middle)
    return float(0.5 * (low + high))


def _depth(factor: float) -> float:
    if factor == 0:
        return 0.0
    return -1 / math.log(factor) if abs(factor - 1) > _CRITICAL else math.inf


def correlation(argument: str, value: float) -> float:
    number = real(argument, value)
    if not -1 <= number <= 1:
        raise ValueError(f"{argument} must lie in [-1, 1], got {value!r}")
    return number
