"""Long formulas in double as a table of operations, which one loop runs: XLA would compile each operation of `exact` by itself,
thousands of instructions for one logarithm. For the few values of rare words.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from .exact import DOUBLE, Number, halfway, number, parted, product, quotient, rounded, select, total

_SUM, _DIFFERENCE, _PRODUCT, _QUOTIENT, _CHOICE, _EXPONENT, _MANTISSA, _HALFWAY = range(8)


class Value:
    """A register: that of the operation ``at``, or of an input or a constant, counted from the end."""

    def __init__(self, tape: Tape, at: int) -> None:
        self.tape, self.at = tape, at

    def __add__(self, other: Value | float) -> Value:
        return self.tape.do(_SUM, self, other)

    def __sub__(self, other: Value | float) -> Value:
        return self.tape.do(_DIFFERENCE, self, other)

    def __rsub__(self, other: float) -> Value:
        return self.tape.do(_DIFFERENCE, other, self)

    def __mul__(self, other: Value | float) -> Value:
        return self.tape.do(_PRODUCT, self, other)

    def __truediv__(self, other: Value | float) -> Value:
        return self.tape.do(_QUOTIENT, self, other)

    def __rtruediv__(self, other: float) -> Value:
        return self.tape.do(_QUOTIENT, other, self)

    __radd__, __rmul__ = __add__, __mul__

    def exponent(self) -> Value:
        return self.tape.do(_EXPONENT, self)

    def mantissa(self) -> Value:
        return self.tape.do(_MANTISSA, self)

    def halfway(self) -> Value:
        return self.tape.do(_HALFWAY, self)

    def below(self, other: Value | float, then: Value, otherwise: Value) -> Value:
        """``then`` where self < other."""
        return self.tape.do(_CHOICE, self, other, then, otherwise)


class Tape:
    def __init__(self) -> None:
        self.operations: list[tuple[int, ...]] = []
        self.given: list[Any] = []  # floats and inputs
        self.constants: dict[float, Value] = {}

    def input(self, x: Number) -> Value:
        self.given.append(x)
        return Value(self, -len(self.given))

    def do(self, operation: int, *operands: Value | float) -> Value:
        values = [x if isinstance(x, Value) else self.constant(x) for x in operands]
        at = [x.at for x in values] + [0] * (4 - len(values))
        self.operations.append((operation, *at))
        return Value(self, len(self.operations) - 1)

    def constant(self, x: float) -> Value:
        if x not in self.constants:
            self.constants[x] = self.input(number(x))
        return self.constants[x]

    def run(self, first: Value, last: Value, *, unless: Value) -> Number:
        """The registers after the operations up to `first`, and, unless `unless` is negative in all lanes, up to `last`."""
        size = len(self.operations) + len(self.given)
        table = jnp.array(np.array(self.operations, np.int32) % size)
        shape = jnp.broadcast_shapes(*(jnp.shape(x.m) for x in self.given))
        empty = jnp.zeros((len(self.operations), *shape), jnp.int64)
        given = zip(
            *([jnp.broadcast_to(part, shape) for part in x] for x in reversed(self.given)), strict=True
        )
        start = Number(*(jnp.concatenate([empty, jnp.stack(parts)]) for parts in given))

        def more(state: tuple[Any, Number]) -> Any:
            at, registers = state
            return (at <= first.at) | ((at <= last.at) & (registers.m[unless.at] >= 0).any())

        def step(state: tuple[Any, Number]) -> tuple[Any, Number]:
            at, registers = state
            kind, *operands = table[at]
            result = _result(kind, *(registers.take(i) for i in operands))
            return at + 1, Number(*(old.at[at].set(new) for old, new in zip(registers, result, strict=True)))

        return lax.while_loop(more, step, (jnp.int64(0), start))[1]


def _result(kind: Any, a: Number, b: Number, c: Number, d: Number) -> Number:
    difference = total(a, select(kind == _SUM, b, -b))
    e, mantissa = parted(a)
    by_kind = {
        _SUM: difference,
        _DIFFERENCE: difference,
        _PRODUCT: product(a, b),
        _QUOTIENT: quotient(a, b),
        _CHOICE: select(difference.m < 0, c, d),
        _EXPONENT: Number(e, jnp.zeros_like(e)),
        _MANTISSA: mantissa,
        _HALFWAY: halfway(a),
    }
    parts = zip(*by_kind.values(), strict=True)
    return rounded(Number(*(lax.select_n(jnp.broadcast_to(kind, e.shape), *part) for part in parts)), DOUBLE)
