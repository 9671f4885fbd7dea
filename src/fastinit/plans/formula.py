"""Formulas in recipes: "sqrt(2 / (5 * d))", read as data and evaluated with the same bits on every machine."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field

from ..arguments import choose
from ..laws.exact_math import log

# Powers are left out: IEEE does not round them alike everywhere.
_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.UAdd: lambda x: x,
    ast.USub: lambda x: -x,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "sqrt": math.sqrt,
    "log": lambda x: float(log(x)),
    "min": min,
    "max": max,
}
_LONGEST = 200


@dataclass(frozen=True)
class Formula:
    """Numbers, names, + - * /, sqrt(x), log(x), min(x, y) and max(x, y). Raises ValueError for anything else.

    >>> Formula("sqrt(2 / (5 * d))")({"d": 1000}.__getitem__)
    0.02
    """

    text: str
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            if len(self.text) > _LONGEST:
                raise ValueError(f"is longer than {_LONGEST} characters")
            tree = ast.parse(self.text.strip(), mode="eval").body
            _check(tree)
        except (SyntaxError, ValueError) as error:
            reason = "is not arithmetic" if isinstance(error, SyntaxError) else error
            raise ValueError(f"formula {self.text[:_LONGEST]!r}: {reason}") from None
        object.__setattr__(self, "_tree", tree)

    @property
    def names(self) -> set[str]:
        """The names that it takes values for."""
        return {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)} - _FUNCTIONS.keys()

    def __call__(self, value_of: Callable[[str], float]) -> float:
        """The number; `value_of` gives the value of each name."""
        try:
            value = _value(self._tree, value_of)
            if not math.isfinite(value):
                raise ValueError("is not finite")
            return value
        except (ArithmeticError, ValueError) as error:
            raise ValueError(f"formula {self.text!r}: {error}") from None


def _check(node: ast.AST) -> None:
    match node:
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            _check(left)
            _check(right)
        case ast.UnaryOp(op, operand) if type(op) in _OPERATORS:
            _check(operand)
        case ast.Call(ast.Name(function), arguments, []):
            choose("function", function, _FUNCTIONS)
            if len(arguments) != (2 if function in ("min", "max") else 1):
                raise ValueError(f"{function} with {len(arguments)} arguments")
            for argument in arguments:
                _check(argument)
        case ast.Name() | ast.Constant(int() | float()) if not isinstance(getattr(node, "value", 0), bool):
            pass
        case _:
            raise ValueError(f"{ast.unparse(node)} is not a number, a name, + - * /, {', '.join(_FUNCTIONS)}")


def _value(node: ast.AST, value_of: Callable[[str], float]) -> float:
    match node:
        case ast.BinOp(left, op, right):
            return _OPERATORS[type(op)](_value(left, value_of), _value(right, value_of))
        case ast.UnaryOp(op, operand):
            return _OPERATORS[type(op)](_value(operand, value_of))
        case ast.Call(ast.Name(function), arguments):
            numbers = [_value(argument, value_of) for argument in arguments]
            if function == "log" and not numbers[0] > 0:
                raise ValueError(f"log({numbers[0]:g})")
            return _FUNCTIONS[function](*numbers)
        case ast.Name(name):
            return float(value_of(name))
        case ast.Constant(int() | float() as value):
            return float(value)
        case _:
            raise AssertionError(node)
