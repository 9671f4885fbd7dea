"""The initializers of ``jax.nn.initializers``: JAX's names, arguments, defaults and distributions; fastinit's values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer

from ..arguments import checked_shape, choose, integer, integers, non_negative, real
from ..drawing.fill import fill
from ..dtypes import dtype_name, numpy_dtype
from ..laws.distributions import Normal, Uniform
from ..schemes.resolve import distribution
from ._private import Tracer, inside_a_trace
from .arrays import sharded_array, where_key_is
from .keys import seed_of, words_of
from .traced import traced_array

Shape: TypeAlias = tuple[int, ...]
Axes: TypeAlias = int | Sequence[int]


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """U[0, scale), as in JAX: not symmetric.

    Raises ValueError for a scale that is negative or not finite.

    >>> uniform(0.5)(jax.random.key(0), (2, 3)).shape
    (2, 3)
    """
    law = Uniform(0.0, non_negative("scale", _item(scale)))
    return _initializer(dtype, lambda shape: law)


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """N(0, stddev^2); complex values have independent parts of variance stddev^2 / 2.

    Raises ValueError for a stddev that is negative or not finite.

    >>> normal()(jax.random.key(0), (2, 3), jnp.bfloat16).dtype
    dtype(bfloat16)
    """
    law = Normal(0.0, non_negative("stddev", _item(stddev)))
    return _initializer(dtype, lambda shape: law, may_be_complex=True)


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """N(0, stddev^2) cut at ``lower`` and ``upper``: the values have a smaller standard deviation than ``stddev``.

    Parameters
    ----------
    stddev
        Of the normal distribution before it is cut; at least 0.
    dtype
        Unless the call says another; JAX's default dtype if None.
    lower, upper
        The bounds, in units of ``stddev``.

    Raises
    ------
    TypeError, ValueError
        For numbers that are not finite, and bounds that do not include an interval.

    Examples
    --------
    >>> float(abs(truncated_normal(1.0)(jax.random.key(0), (1000,))).max()) <= 2
    True
    """
    std = non_negative("stddev", _item(stddev))
    low, high = real("lower", _item(lower), finite=False), real("upper", _item(upper), finite=False)
    if not low < high:
        raise ValueError(f"lower must be below upper, got lower={lower!r}, upper={upper!r}")
    law = distribution("truncated_normal", (), std=std, low=low, high=high)
    return _initializer(dtype, lambda shape: law)


def variance_scaling(
    scale: Any,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """Mean 0 and variance scale / n, with n the fan that ``mode`` names.

    Complex values are drawn from JAX's complex distributions: the normal one, the one cut at a modulus of 2 sigma, the
    uniform disk. A shape without elements gives an empty array.

    Parameters
    ----------
    scale
        At least 0.
    mode
        "fan_in", "fan_out", "fan_avg" (their mean) or "fan_geo_avg" (their geometric mean).
    distribution
        "truncated_normal" (cut at 2 sigma before it is scaled to its variance), "normal" or "uniform".
    in_axis, out_axis
        The axes of inputs and outputs. Axes that are neither in, out nor batch are a convolution's.
    batch_axis
        The axes along which weights are stacked; they do not count.
    dtype
        Unless the call says another; JAX's default dtype if None.

    Raises
    ------
    TypeError, ValueError
        For arguments that are not as above; by the call, for a shape that lacks the axes.

    Examples
    --------
    >>> variance_scaling(2.0, "fan_in", "normal")(jax.random.key(0), (0, 5)).shape
    (0, 5)
    """
    non_negative("scale", _item(scale))
    choose("mode", mode, dict.fromkeys(("fan_in", "fan_out", "fan_avg", "fan_geo_avg")))
    choose("distribution", distribution, dict.fromkeys(("truncated_normal", "normal", "uniform")))
    given = {"in_axis": in_axis, "out_axis": out_axis, "batch_axis": batch_axis}
    axes = {name: integers(name, value) for name, value in given.items()}
    numbers = {"scale": _item(scale), "mode": mode, "distribution": distribution}
    return _initializer(dtype, lambda shape: _scaled(shape, axes, numbers), may_be_complex=True)


class _Named(Protocol):
    def __call__(
        self, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
    ) -> Initializer: ...


def _named(name: str, law: str, scale: float, mode: str, distribution: str) -> _Named:
    def initializer(
        in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
    ) -> Initializer:
        return variance_scaling(scale, mode, distribution, in_axis, out_axis, batch_axis, dtype)

    initializer.__name__ = initializer.__qualname__ = name
    initializer.__doc__ = f"""{law}; axes and dtype as in `variance_scaling`.

    >>> {name}()(jax.random.key(0), (4, 3)).shape
    (4, 3)
    """
    return initializer


glorot_uniform = _named(
    "glorot_uniform", "U[-a, a), a = sqrt(6 / (fan_in + fan_out))", 1.0, "fan_avg", "uniform"
)
glorot_normal = _named(
    "glorot_normal", "Truncated, variance 2 / (fan_in + fan_out)", 1.0, "fan_avg", "truncated_normal"
)
lecun_uniform = _named("lecun_uniform", "U[-a, a), a = sqrt(3 / fan_in)", 1.0, "fan_in", "uniform")
lecun_normal = _named("lecun_normal", "Truncated, variance 1 / fan_in", 1.0, "fan_in", "truncated_normal")
he_uniform = _named("he_uniform", "U[-a, a), a = sqrt(6 / fan_in)", 2.0, "fan_in", "uniform")
he_normal = _named("he_normal", "Truncated, variance 2 / fan_in", 2.0, "fan_in", "truncated_normal")
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """scale times a semi-orthogonal matrix, uniform over all such, whose columns ``column_axis`` counts. Real dtypes.

    >>> w = orthogonal()(jax.random.key(0), (4, 3))
    >>> bool(jnp.allclose(w.T @ w, jnp.eye(3), atol=1e-6))
    True
    """
    gain, axis = real("scale", _item(scale)), integer("column_axis", column_axis)
    return _initializer(dtype, lambda shape: distribution("orthogonal", shape, gain=gain, axis=axis))


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Zeros, except for an orthogonal matrix at the middle tap of a kernel of one to three dimensions, then in and out axis
    (Xiao et al. 2018, https://arxiv.org/abs/1806.05393).

    >>> w = delta_orthogonal()(jax.random.key(0), (3, 4, 4))
    >>> bool(jnp.allclose(w[1].T @ w[1], jnp.eye(4), atol=1e-6)), bool(w[0].any())
    (True, False)
    """
    gain = real("scale", _item(scale))
    integer("column_axis", column_axis)  # Haar's law is that of the transpose too

    def law(shape: Shape) -> Any:
        if len(shape) not in (3, 4, 5):
            raise ValueError(f"shape must have 3, 4 or 5 axes, got {shape}")
        if shape[-1] < shape[-2]:
            raise ValueError(f"shape must have no fewer outputs than inputs, got {shape}")
        return distribution("delta_orthogonal", shape, gain=gain, layout="xyz"[: len(shape) - 2] + "io")

    return _initializer(dtype, law)


def _item(value: Any) -> Any:
    """The number that a zero-dimensional array holds."""
    return value.item() if isinstance(value, (jax.Array, np.ndarray)) and value.ndim == 0 else value


def _scaled(shape: Shape, axes: Mapping[str, Shape], numbers: Mapping[str, Any]) -> Any:
    if axes["in_axis"] == (-2,) and len(shape) < 2:
        raise ValueError(
            f"Can't compute input and output sizes of a {len(shape)}-dimensional weights tensor with default in_axis."
            f" Must be at least 2D or specify in_axis explicitly. shape is {shape}"
        )  # in JAX's words, which tests and users look for
    sizes = {}
    for name, indices in axes.items():
        for index in indices:
            if not -len(shape) <= index < len(shape):
                raise ValueError(f"{name} {index} is out of range for shape {shape}: it has no fans without")
        sizes[name] = math.prod(shape[index] for index in indices)
    size = math.prod(shape)
    fan_in = size / sizes["out_axis"] / sizes["batch_axis"] if size else 1.0
    fan_out = size / sizes["in_axis"] / sizes["batch_axis"] if size else 1.0
    return distribution("variance_scaling", shape, fan_in=fan_in, fan_out=fan_out, **numbers)


def _initializer(dtype: Any, law_for: Callable[[Shape], Any], *, may_be_complex: bool = False) -> Initializer:
    default = dtype

    def init(key: Any, shape: Any, dtype: Any = default, out_sharding: Any = None) -> jax.Array:
        words, whole = words_of(key), checked_shape(shape)
        kind = _dtype(dtype, may_be_complex)
        law = law_for(whole)
        if isinstance(words, Tracer) or inside_a_trace():
            return traced_array(words, law, whole, kind, out_sharding)
        draw_one = partial(fill, scheme=law, seed=seed_of(words), shape=whole)
        return sharded_array(whole, kind, out_sharding, draw_one, where_key_is(key))

    return init


def _dtype(dtype: Any, may_be_complex: bool) -> np.dtype[Any]:
    """JAX's default dtype or the one asked for, as wide as JAX has it."""
    if dtype is None:
        return np.dtype(jnp.result_type(float))
    asked = numpy_dtype(dtype_name(dtype))
    if asked.kind == "c" and not may_be_complex:
        raise TypeError(f"dtype must be real for this initializer, as in JAX, not {asked}")
    known = np.dtype(jax.dtypes.canonicalize_dtype(asked))
    if known != asked:
        warnings.warn(f"dtype {asked} is {known} without jax_enable_x64", UserWarning, stacklevel=3)
    return known
