"""One function for each scheme, made when it is first asked for.

tools/make_stubs.py writes functions.pyi, which type checkers and editors read, from the table of schemes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from numpy.typing import DTypeLike

from ..arguments import Shape, checked_shape
from ..dtypes import dtype_name
from ..schemes.catalogue import REQUIRED, SCHEMES
from . import blocks, memory
from .blocks import Block
from .docstrings import docstring
from .fill import draw, resolved
from .streams import Seed

__all__ = [*SCHEMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Callable[..., Any]:
    """The function of a scheme."""
    if name not in SCHEMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made: Callable[..., Any] = globals().setdefault(name, _function(name))  # one for all threads
    return made


def _function(scheme: str) -> Callable[..., Any]:
    row = SCHEMES[scheme]

    def function(
        shape: Shape | None = None,
        *further: object,
        out: Any = None,
        seed: Seed = None,
        name: str = "",
        dtype: DTypeLike | None = None,
        block: Block = ...,
        threads: int | None = None,
        **numbers: Any,
    ) -> Any:
        if further:
            raise TypeError(
                f"{scheme} takes only the shape by position; give seed and others by name: seed=0"
            )
        to = None if out is None else memory.target(out)
        if to is not None and dtype is not None and dtype_name(dtype) != to.dtype:
            raise TypeError(f"out has dtype {to.dtype}, but dtype={dtype!r} was asked for")
        if shape is not None:
            whole = checked_shape(shape)
        elif to is not None:
            whole = to.shape
        else:
            raise TypeError(f"{scheme} needs a shape or out=")
        kind = dtype_name("float32" if dtype is None else dtype) if to is None else to.dtype
        law, ready = resolved(scheme, whole, _OF_FUNCTIONS, kind, numbers)
        if to is None:
            to = memory.new(whole if block is ... else blocks.block_shape(block, whole), kind)
            out = to.owner
        draw(to, law, ready, seed, name, whole, block, threads)
        return out

    function.__name__ = function.__qualname__ = scheme
    function.__doc__ = docstring(scheme, row)
    shared = [p for p in inspect.signature(function).parameters.values() if p.name in _OF_FUNCTIONS]
    parameters = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in shared]
    for number in row.keywords.values():
        default = inspect.Parameter.empty if number.default is REQUIRED else number.default
        parameters.append(inspect.Parameter(number.name, inspect.Parameter.KEYWORD_ONLY, default=default))
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


_OF_FUNCTIONS = ("shape", "out", "seed", "name", "dtype", "block", "threads")
