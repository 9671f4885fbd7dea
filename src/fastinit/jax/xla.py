"""The elementwise distributions as operations of XLA: the words of a stream become the bits that the kernels write.

docs/bits.md has the formulas. The programs run where fastinit is not, and are far slower than the kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .. import _core
from ..dtypes import numpy_dtype
from ..laws.distributions import Distribution
from .exact import (
    DOUBLE,
    SINGLE,
    Format,
    Number,
    add,
    decoded,
    divide,
    encoded,
    exponent,
    from_integer,
    fused,
    horner,
    multiply,
    number,
    parted,
    product,
    rounded,
    scaled,
    select,
    single_product,
    square_root,
    subtract,
    total,
)
from .stream import Stream, block
from .tails import tail

_TABLE = 17  # the quantile's table begins at a tail probability of 2^17 / 2^32; the words below are rare


@cache
def _coefficients() -> dict[str, Number]:
    return {name: number(values) for name, values in _core.coefficients().items()}


class _Law:
    """The kernels' numbers for a law in a dtype (`fi_law` in csrc/fastinit.h)."""

    def __init__(self, law: str, parameters: tuple[float, ...], dtype: str) -> None:
        self.numbers = _core.prepare(law, dtype, parameters)
        self.wide = dtype == "float64"
        self.format = DOUBLE if self.wide else SINGLE
        self.bits = 64 if self.wide else 32

    def __getattr__(self, name: str) -> Any:
        value = self.numbers[name]
        return value if isinstance(value, (bool, str)) else number(value)

    def code(self, name: str) -> int:
        return int(np.array(self.numbers[name], f"f{self.bits // 8}").view(f"i{self.bits // 8}"))

    def placed(self, z: Number) -> Number:
        """z * scale + shift, to be rounded; singles are fused."""
        return total(multiply(z, self.scale) if self.wide else single_product(z, self.scale), self.shift)


def drawn(law: Distribution, dtype: str, index: Any, stream: Stream, *, from_zero: bool) -> Any:
    """The elements at these indices, one axis of uint64. If they count up from 0, a block is computed once for all its elements."""
    prepared = _Law(law.law, law.parameters, dtype)
    if prepared.kernel == "constant":
        codes = jnp.full(index.shape, prepared.code("shift"))
    else:
        codes = _LAWS[prepared.kernel](prepared, index, stream, from_zero)
    target = numpy_dtype(dtype)
    if target.itemsize < 4:
        codes = _narrowed(codes, dtype, 8 * target.itemsize)
    return lax.bitcast_convert_type(codes.astype(f"i{target.itemsize}"), target)


def _narrowed(codes: Any, dtype: str, bits: int) -> Any:
    precision, least = _core.FORMATS[dtype]
    value = decoded(codes & (2**31 - 1), SINGLE, 32)
    magnitude = encoded(value, Format(precision, least - precision + 1), bits)
    return magnitude | (codes >> 31 << (bits - 1))


def _uniform(law: _Law, index: Any, stream: Stream, from_zero: bool) -> Any:
    w = from_integer(_words(law, index, stream, from_zero), law.format)
    scaled_ = rounded(product(w, law.scale), law.format)
    return _kept(law, encoded(total(scaled_, law.shift), law.format, law.bits))


def _normal(law: _Law, index: Any, stream: Stream, from_zero: bool) -> Any:
    if law.wide:
        return _box_muller(law, index, stream, from_zero)
    words = _words(law, index, stream, from_zero)
    t = from_integer(jnp.abs(words), SINGLE)
    codes = encoded(law.placed(_signed(_quantile(t), words < 0)), SINGLE, 32)
    return _with_rare(law, codes, exponent(t) < _TABLE, words, index, stream, 2.0 ** (_TABLE - 31))


def _truncated_normal(law: _Law, index: Any, stream: Stream, from_zero: bool) -> Any:
    words = _words(law, index, stream, from_zero)
    if law.near_centre:
        return _kept(law, _slow(law, words, index, stream))
    half = (words < 0).astype(jnp.int64)
    magnitude = from_integer(jnp.abs(jnp.maximum(words, -(2**63) + 1)), law.format)
    slope, base = law.slope.take(half), law.base.take(half)
    t = add(multiply(magnitude, slope), base) if law.wide else fused(magnitude, slope, base)
    rare = exponent(t) < _TABLE
    negative = _negative(law, words)
    if law.crosses_centre:
        beyond = subtract(t, number(2.0**31)).m > 0
        mirrored = rounded(total(number(2.0**32), -t), law.format)
        t, negative = select(beyond, mirrored, t), negative ^ beyond
    z = (_quantile_double if law.wide else _quantile)(t)
    codes = encoded(law.placed(_signed(z, negative)), law.format, law.bits)
    if law.has_rare:
        codes = _with_rare(law, codes, rare, words, index, stream, _share_of_rare(law))
    return _kept(law, codes)


_LAWS = {"uniform": _uniform, "normal": _normal, "truncated_normal": _truncated_normal}


def _words(law: _Law, index: Any, stream: Stream, from_zero: bool) -> Any:
    """The signed word of each element, as int64."""
    words = block(_blocks(index, 2 if law.wide else 4, from_zero), stream)
    parts = _pairs(words) if law.wide else [lax.bitcast_convert_type(w, jnp.int32) for w in words]
    return _spread(parts, index, from_zero).astype(jnp.int64)


def _pairs(words: Sequence[Any]) -> list[Any]:
    return [a.astype(jnp.uint64) | b.astype(jnp.uint64) << 32 for a, b in (words[:2], words[2:])]


def _blocks(index: Any, size: int, from_zero: bool) -> Any:
    """The blocks that hold these elements: each block once, or one for each element."""
    return jnp.arange(-(-len(index) // size), dtype=jnp.uint64) if from_zero else index // size


def _spread(parts: Sequence[Any], index: Any, from_zero: bool) -> Any:
    """From the parts of the blocks to the elements."""
    if from_zero:
        return jnp.stack(parts, axis=-1).reshape(-1)[: len(index)]
    return lax.select_n((index % len(parts)).astype(jnp.int32), *parts)


def _kept(law: _Law, codes: Any) -> Any:
    """Between the bounds; one that equals a bound becomes it, as zeros do."""

    def order(codes: Any) -> Any:
        return jnp.where(codes < 0, -(codes & (2 ** (law.bits - 1) - 1)), codes)

    for bound, inside in (("low", jnp.greater), ("high", jnp.less)):
        code = jnp.int64(law.code(bound))
        codes = jnp.where(inside(order(codes), order(code)), codes, code)
    return codes


def _signed(x: Number, negative: Any) -> Number:
    return Number(jnp.where(negative, -x.m, x.m), x.e)


def _negative(law: _Law, words: Any) -> Any:
    return (words < 0 if law.signed else jnp.zeros_like(words, bool)) ^ law.mirrored


def _quantile(t: Number) -> Number:
    k, x = exponent(t) - _TABLE, Number(t.m - (3 << 51), -52)
    column = jnp.clip(2 * k + (x.m >= 0), 0, 31)
    rows = [Number(*row) for row in zip(*_coefficients()["quantile_f"], strict=True)]
    y = rows[-1].take(column)
    for row in rows[-2::-1]:
        y = fused(y, x, row.take(column))
    return y


def _quantile_double(t: Number) -> Number:
    k, x = exponent(t) - _TABLE, from_integer(t.m - (3 << 51))
    column = jnp.clip(k, 0, 15)
    table = _coefficients()["quantile_d"]
    return horner(Number(*(jnp.asarray(part)[:, column] for part in table)), scaled(x, -52))


def _box_muller(law: _Law, index: Any, stream: Stream, from_zero: bool) -> Any:
    c = _coefficients()
    radial, angular = _pairs(block(_blocks(index, 2, from_zero), stream))
    e, m = parted(scaled(from_integer((2 * (radial >> 12) + 1).astype(jnp.int64)), -53))
    f = subtract(m, number(1.0))
    s = divide(f, add(f, number(2.0)))
    z = multiply(s, s)
    log = add(
        multiply(from_integer(e), c["LN2"]), add(multiply(multiply(s, z), horner(c["log"], z)), scaled(s, 1))
    )
    radius = square_root(scaled(-log, 1))
    x = scaled(from_integer(((angular >> 10) & (2**52 - 1)).astype(jnp.int64) - 2**51), -52)
    y = multiply(x, x)
    sine, cosine = multiply(x, horner(c["sin"], y)), horner(c["cos"], y)
    cosine = _signed(cosine, angular >> 62 & 1 == 1)
    swap = angular >> 63 == 1
    both = (select(swap, sine, cosine), select(swap, cosine, sine))
    return _spread(
        [encoded(law.placed(multiply(radius, part)), DOUBLE, 64) for part in both], index, from_zero
    )


def _share_of_rare(law: _Law) -> float:
    magnitudes = np.linspace(0.0, 2.0 ** (law.bits - 1), 4097)
    halves = zip(law.numbers["slope"], law.numbers["base"], strict=True)
    return float(np.mean([slope * magnitudes + base < 2**_TABLE for slope, base in halves]))


def _with_rare(law: _Law, codes: Any, rare: Any, words: Any, index: Any, stream: Stream, share: float) -> Any:
    """The codes, with those of rare words computed a few at a time: about all that there are, if they are few."""
    size = len(index)
    at_once = min(size, int(2 * share * size) + 32, 4096)

    def some(state: tuple[Any, Any]) -> tuple[Any, Any]:
        codes, rare = state
        where = jnp.nonzero(rare, size=at_once, fill_value=size)[0]
        found = _slow(law, words.at[where].get(mode="clip"), index.at[where].get(mode="clip"), stream)
        return codes.at[where].set(found, mode="drop"), rare.at[where].set(False, mode="drop")

    return lax.while_loop(lambda state: state[1].any(), some, (codes, rare))[0] if size else codes


def _slow(law: _Law, words: Any, index: Any, stream: Stream) -> Any:
    """The codes of rare words: in double, and the words of 32 bits lengthened."""
    if not law.wide:
        extra = block(index | jnp.uint64(2**63), stream)[0]
        words = (words << 32) + lax.bitcast_convert_type(extra, jnp.int32).astype(jnp.int64)
    half = words < 0
    fraction = scaled(add(from_integer(jnp.where(half, ~words, words)), number(0.5)), -63)
    if law.kernel == "normal":
        z, negative = tail(number(0.0), scaled(fraction, -1)), half
    else:
        of = half.astype(jnp.int64)
        p = add(law.first.take(of), multiply(law.span.take(of), fraction))
        z, negative = (_inverse_centre(p) if law.near_centre else tail(law.log_ref, p)), _negative(law, words)
    return encoded(add(multiply(_signed(z, negative), law.dscale), law.dshift), law.format, law.bits)


def _inverse_centre(p: Number) -> Number:
    v = multiply(p, _coefficients()["ROOT_2PI"])
    return multiply(v, horner(_coefficients()["centre"], multiply(v, v)))
