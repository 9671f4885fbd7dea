"""The normal law's quantile far out, for rare words: the functions of docs/bits.md, on a tape."""

from __future__ import annotations

from typing import Any

from .. import _core
from .exact import Number, select
from .tape import Tape, Value


def tail(reference: Number, p: Number) -> Number:
    """z with P(Z > z) = p exp(-reference), for p exp(-reference) < 2^-15."""
    c, tape = _core.coefficients(), Tape()
    loss = tape.input(reference) - _log(tape.input(p), c)
    beyond, near = loss - c["TAIL_END"], _near(loss, c)
    far = _far(loss, c)
    registers = tape.run(near, far, unless=beyond)
    return select(registers.m[beyond.at] < 0, registers.take(near.at), registers.take(far.at))


def _near(loss: Value, c: dict[str, Any]) -> Value:
    x = _root(loss) - c["TAIL_CENTRE"]
    y = loss.tape.constant(c["tail"][-1])
    for coefficient in c["tail"][-2::-1]:
        y = y * x + coefficient
    return y


def _far(loss: Value, c: dict[str, Any]) -> Value:
    """By Newton's method. x is above 9."""
    square = 2.0 * loss
    x = _root(square - _log(c["TWO_PI"] * square, c))
    for _ in range(4):
        mills = _mills(x)
        log_upper = 0.5 * x * x + (c["HALF_LOG_2PI"] - _log(mills, c))
        x = x - (log_upper - loss) * mills
    return x


def _mills(x: Value) -> Value:
    last, y = 600.0 / (x * x), x  # the fraction has 24 terms more than this
    for n in range(24 + 600 // 9**2, 0, -1):
        term = x + n / y
        y = last.below(n - 24.0, y, term) if n > 24 else term
    return 1.0 / y


def _root(x: Value) -> Value:
    """Heron's, until it stands: from half the exponent, it does after four steps."""
    y = x.halfway()
    y = 0.5 * (y + x / y)
    for _ in range(6):
        less = 0.5 * (y + x / y)
        y = less.below(y, less, y)
    return y


def _log(x: Value, c: dict[str, Any]) -> Value:
    e, m = x.exponent(), x.mantissa()
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    total = x.tape.constant(0.0)
    for n in range(25, 1, -2):
        total = (total + 1 / n) * z
    return e * c["LN2"] + (2.0 * s + (2.0 * s * total + e * c["LN2_LOW"]))
