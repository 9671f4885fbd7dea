"""Means over normal variables, by quadrature that refines itself until it has converged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..dtypes import Floats
from .activations import Activation

# The 15-point Kronrod rule on [-1, 1] and the 7-point Gauss rule on every second of its nodes (QUADPACK's qk15).
_HALF_NODES = (0.991455371120812639206854697526329, 0.949107912342758524526189684047851,
               0.864864423359769072789712788640926, 0.741531185599394439863864773280788,
               0.586087235467691130294144691693013, 0.405845151377397166906606412076961,
               0.207784955007898467600689403773245)  # fmt: skip
_HALF_KRONROD = (0.022935322010529224963732008058970, 0.063092092629978553290700663189204,
                 0.104790010322250183839876322541518, 0.140653259715525918745189590510238,
                 0.169004726639267902826583426598550, 0.190350578064785409913256402421014,
                 0.204432940075298892414161999234649)  # fmt: skip
_HALF_GAUSS = (0.129484966168869693270611432679082, 0.279705391489276667901467771423780,
               0.381830050505118944950369775488975)  # fmt: skip
_NODES = np.array([*(-x for x in _HALF_NODES), 0.0, *reversed(_HALF_NODES)])
_KRONROD = np.array([*_HALF_KRONROD, 0.209482141084727828012999174891714, *reversed(_HALF_KRONROD)])
_GAUSS = np.array([*_HALF_GAUSS, 0.417959183673469387755102040816327, *reversed(_HALF_GAUSS)])

_ALTERNATING = (-1.0) ** np.arange(15)

# Panels in units of the standard deviation; beyond 38 the density is zero in double.
_GRID = np.array([-38, -14, -8, -5, -2.5, 0, 2.5, 5, 8, 14, 38.0])
_TOLERANCE = 1e-10
_MOST_PANELS, _NARROWEST = 1 << 17, 1e-13


def _differentiation_matrix(nodes: Floats) -> Floats:
    """The derivative, at the nodes, of the polynomial through values at the nodes (barycentric formula)."""
    difference = nodes[:, None] - nodes
    np.fill_diagonal(difference, 1)
    weights = 1 / difference.prod(axis=1)
    matrix: Floats = weights / weights[:, None] / difference
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


_DERIVATIVE = _differentiation_matrix(_NODES)


@dataclass(frozen=True)
class Sample:
    """A function at the nodes of some panels, one panel a row: its values at h = mean + std z."""

    z: Floats
    h: Floats
    value: Floats
    half_width: Floats

    @cached_property
    def slope(self) -> Floats:
        """The function's derivative at the nodes, that of the polynomial through each panel's values."""
        slope: Floats = self.value @ _DERIVATIVE.T / self.half_width
        return slope


def expect(
    f: Activation,
    moment: Callable[[Sample], Floats],
    mean: Floats | float = 0.0,
    std: Floats | float = 1.0,
    *,
    floor: float = 0.0,
) -> Floats:
    """E[moment(f)] under N(mean, std^2), for every element of ``mean`` and ``std`` (positive), to 1e-9 or better.

    Panels start at the function's kinks and at powers of 2, where steps are steep for large ``std``; a panel whose
    Gauss and Kronrod rules differ by more than 1e-10 of the whole is halved. The whole is E|moment|, or ``floor`` where
    that is more.

    Raises ValueError, naming the function, where halving does not help, and what the function itself raises.

    >>> from .activations import as_activation
    >>> float(expect(as_activation("relu"), lambda s: s.value**2, std=2.0).round(9))
    2.0
    """
    means, stds = (a.ravel() for a in np.broadcast_arrays(np.asarray(mean, float), np.asarray(std, float)))
    shape = np.broadcast_shapes(np.shape(mean), np.shape(std))
    reach = float(np.max(np.abs(means) + _GRID[-2] * stds, initial=1.0))
    # Down to steps of any steepness at 0; the parts of a nested mean, which have a floor, could not afford that.
    ladder = 2.0 ** np.arange(0 if floor else -30, math.ceil(math.log2(reach)))
    marks = np.unique([0.0, *ladder, *-ladder, *f.kinks])
    edges = np.clip((marks - means[:, None]) / stds[:, None], _GRID[0], _GRID[-1])
    edges = np.sort(np.concatenate([edges, np.broadcast_to(_GRID, (len(means), len(_GRID)))], axis=1), axis=1)
    owner, at = np.nonzero(edges[:, 1:] > edges[:, :-1])
    left, right = edges[owner, at], edges[owner, at + 1]
    total, magnitude = np.zeros((2, len(means)))
    while True:
        half = 0.5 * (right - left)
        z = (0.5 * (left + right))[:, None] + half[:, None] * _NODES
        scale = stds[owner, None]
        h = means[owner, None] + scale * z
        sample = Sample(z, h, f(h), scale * half[:, None])
        density = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
        with np.errstate(all="ignore"):
            g = moment(sample) * density
        integral, size = half * (g @ _KRONROD), half * (np.abs(g) @ _KRONROD)
        if not np.isfinite(size).all():
            raise ValueError(f"a moment of activation {f.name} is not finite: does it jump or overflow?")
        rounding = half * (_rounding(sample, moment, density) @ _KRONROD)
        error = np.abs(integral - half * (g[:, 1::2] @ _GAUSS)) - rounding
        whole = np.maximum(magnitude + np.bincount(owner, size, len(means)), floor)
        done = error <= _TOLERANCE * whole[owner]
        total += np.bincount(owner[done], integral[done], len(means))
        magnitude += np.bincount(owner[done], size[done], len(means))
        left, right, owner = left[~done], right[~done], np.tile(owner[~done], 2)
        if not len(left):
            return total.reshape(shape)
        if len(owner) > _MOST_PANELS or half[~done].min() < _NARROWEST:
            break
        middle = 0.5 * (left + right)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    raise ValueError(
        f"a moment of activation {f.name} does not converge (std {float(stds.max()):.6g}): is it smooth?"
    )


def _rounding(sample: Sample, moment: Callable[[Sample], Floats], density: Floats) -> Floats:
    """By how much the integrand may be off because a difference of rounded values is all that tells a slope."""
    if "slope" not in vars(sample):
        return np.zeros_like(density)
    rounded = np.abs(sample.value).max(axis=1, keepdims=True) * (_ALTERNATING * np.finfo(float).eps)
    shifted = Sample(sample.z, sample.h, sample.value + 4 * rounded, sample.half_width)
    difference: Floats = np.abs(moment(shifted) - moment(sample)) * density
    return difference
