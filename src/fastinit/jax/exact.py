"""IEEE arithmetic by integers, for programs that are compiled elsewhere: XLA's compilers fuse products with sums, flush
subnormal values or lack float64, each as the device has it. Integers are the same everywhere.

A `Number` is m * 2^e, two arrays of int64; m has the 53 bits of a double, whose least ones are 0 if the value is a single.
Zero has m = 0 and an exponent below all others. There is no infinity, NaN or negative zero. All is traced with 64 bits enabled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax


class Format(NamedTuple):
    """Significant bits, and the exponent of the least value."""

    precision: int
    least: int


DOUBLE, SINGLE = Format(53, -1074), Format(24, -149)
_BITS, _SHORT = 53, 29  # of a mantissa, and by how many a single's is shorter
_BELOW_ALL = -(1 << 20)
_ROOT_HALF = 0x16A09E667F3BCD  # 2^53 sqrt(1/2)


class Number(NamedTuple):
    m: Any
    e: Any

    def __neg__(self) -> Number:
        return Number(-self.m, self.e)

    def take(self, index: Any) -> Number:
        return Number(jnp.asarray(self.m)[index], jnp.asarray(self.e)[index])


def number(values: Any) -> Number:
    """Constants: what NumPy's floats are."""
    m, e = np.frexp(np.asarray(values, np.float64))
    return Number(
        np.ldexp(m, _BITS).astype(np.int64), np.where(m == 0, _BELOW_ALL, e.astype(np.int64) - _BITS)
    )


def select(condition: Any, a: Number, b: Number) -> Number:
    return Number(jnp.where(condition, a.m, b.m), jnp.where(condition, a.e, b.e))


def scaled(x: Number, power: int) -> Number:
    """x * 2^power."""
    return Number(x.m, x.e + power)


def from_integer(i: Any, to: Format = DOUBLE) -> Number:
    large = (i >> 61) != (i >> 63)
    return rounded(Number(jnp.where(large, _jammed(i, 2), i), jnp.where(large, 2, 0)), to)


def integer(x: Number) -> Any:
    """The largest integer that is not above x; |x| < 2^52."""
    return x.m >> jnp.clip(-x.e, 0, 63)


def exponent(x: Number) -> Any:
    """k with 2^k <= |x| < 2^(k + 1)."""
    return x.e + (_BITS - 1)


def parted(x: Number) -> tuple[Any, Number]:
    """(e, m) with x = 2^e m, e an integer and m from sqrt(1/2) to sqrt(2); x > 0."""
    e = exponent(x) + (x.m >= _ROOT_HALF)
    return e, Number(x.m, x.e - e)


def halfway(x: Number) -> Number:
    """About the root of x, with half of its exponent: the double of these bits; x >= 1."""
    fraction = (1 << 52) - 1
    bits = ((((exponent(x) + 1023) << 52) | (x.m & fraction)) >> 1) + (1023 << 51)
    return Number((bits & fraction) | 1 << 52, (bits >> 52) - 1075)


def _jammed(m: Any, n: Any) -> Any:
    """m / 2^n, cut to an integer that is odd if bits were lost: fewer bits are then rounded from it as from m itself."""
    n = jnp.minimum(n, 63)
    kept = m >> n
    return kept | ((kept << n) != m)


def _steps(x: Number, to: Format) -> tuple[Any, Any]:
    """x in the units in which the format counts there, to nearest-even, and the exponent of that unit; |m| < 2^62."""
    size = 64 - lax.clz(jnp.abs(x.m))
    unit = jnp.maximum(x.e + size - to.precision, to.least)
    down, up = unit - x.e, jnp.clip(x.e - unit, 0, 63)
    by = jnp.clip(down, 1, 62)
    nearest = (x.m + ((jnp.int64(1) << (by - 1)) - 1 + (x.m >> by & 1))) >> by
    return jnp.where(down > 62, 0, jnp.where(down > 0, nearest, x.m << up)), unit


def rounded(x: Number, to: Format) -> Number:
    """x, which need not be a Number's 53 bits wide, in the format; |m| < 2^62."""
    m, unit = _steps(x, to)
    up = lax.clz(jnp.abs(m)) - (64 - _BITS)  # -1 if rounding has carried into one bit more, a power of two
    return Number(
        jnp.where(up < 0, m >> 1, m << jnp.maximum(up, 0)), jnp.where(m == 0, _BELOW_ALL, unit - up)
    )


def encoded(x: Number, to: Format, bits: int) -> Any:
    """The code of x in the format of so many bits, a sign in front, rounded. The sign outlives what rounds to zero."""
    m, unit = _steps(x, to)
    magnitude = ((unit - to.least) << (to.precision - 1)) + jnp.abs(m)
    return magnitude | jnp.where(x.m < 0, jnp.int64(-1) << (bits - 1), 0)


def decoded(code: Any, of: Format, bits: int) -> Number:
    """The value of such a code, not 53 bits wide."""
    magnitude = code & ((1 << (bits - 1)) - 1)
    field, fraction = magnitude >> (of.precision - 1), magnitude & ((1 << (of.precision - 1)) - 1)
    m = jnp.where(field > 0, fraction | 1 << (of.precision - 1), fraction)
    return Number(jnp.where(code < 0, -m, m), jnp.maximum(field, 1) - 1 + of.least)


def total(a: Number, b: Number) -> Number:
    """a + b, to be rounded to a format."""
    e = jnp.maximum(a.e, b.e) - 8
    return Number(_jammed(a.m << 8, e + 8 - a.e) + _jammed(b.m << 8, e + 8 - b.e), e)


def single_product(a: Number, b: Number) -> Number:
    """a * b of singles, exact; a term of `total`."""
    return Number((a.m >> _SHORT) * (b.m >> _SHORT) << 5, a.e + b.e + (2 * _SHORT - 5))


def fused(a: Number, b: Number, c: Number) -> Number:
    """a * b + c of singles, rounded once, to single."""
    return rounded(total(single_product(a, b), c), SINGLE)


def product(a: Number, b: Number) -> Number:
    """a * b, to be rounded to a format."""
    n = 27
    low = (1 << n) - 1
    a_high, a_low, b_high, b_low = (
        jnp.abs(a.m) >> n,
        jnp.abs(a.m) & low,
        jnp.abs(b.m) >> n,
        jnp.abs(b.m) & low,
    )
    least = a_low * b_low
    middle = a_high * b_low + a_low * b_high + (least >> n)
    m = (a_high * b_high << 8) + (middle >> 19)
    m |= ((middle << 45) | (least << 37)) != 0
    return Number(jnp.where((a.m ^ b.m) < 0, -m, m), a.e + b.e + (2 * n - 8))


def quotient(a: Number, b: Number) -> Number:
    """a / b, to be rounded to a format."""
    rest, by = jnp.abs(a.m), jnp.abs(b.m)
    m = jnp.zeros_like(rest)
    for bits in (0, *[10] * 6):  # a remainder has room for ten bits more
        rest <<= bits
        m = m << bits | rest // by
        rest %= by
    m |= rest != 0
    return Number(jnp.where((a.m ^ b.m) < 0, -m, m), a.e - b.e - 60)


def add(a: Number, b: Number) -> Number:
    return rounded(total(a, b), DOUBLE)


def subtract(a: Number, b: Number) -> Number:
    return add(a, -b)


def multiply(a: Number, b: Number) -> Number:
    return rounded(product(a, b), DOUBLE)


def divide(a: Number, b: Number) -> Number:
    return rounded(quotient(a, b), DOUBLE)


def square_root(x: Number) -> Number:
    """Correctly rounded; x > 0."""
    odd = x.e & 1

    def digit(i: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        root, rest = state
        two = (x.m << (8 + odd)) >> (60 - 2 * jnp.minimum(i, 30)) & 3
        rest = (rest << 2) | jnp.where(i <= 30, two, 0)
        trial = (root << 2) | 1
        fits = rest >= trial
        return root << 1 | fits, jnp.where(fits, rest - trial, rest)

    zero = jnp.zeros_like(x.m)
    root, rest = lax.fori_loop(0, 58, digit, (zero, zero))
    return rounded(Number(root << 1 | (rest != 0), ((x.e - odd - 8) >> 1) - 28), DOUBLE)


def horner(coefficients: Number, x: Number) -> Number:
    """The polynomial with these coefficients, constant first, in double."""
    last = len(coefficients.m) - 1

    def step(i: Any, y: Number) -> Number:
        return add(multiply(y, x), coefficients.take(last - 1 - i))

    shape = jnp.shape(x.m)
    first = Number(*(jnp.broadcast_to(part[last], shape) for part in coefficients))
    return lax.fori_loop(0, last, step, first)
