"""The public functions of the schemes, one for each row of the table."""

from __future__ import annotations

import inspect
from typing import Any, Protocol, TypeVar, overload

from numpy.typing import DTypeLike

from ..arguments import Shape, checked_shape
from ..dtypes import Array, dtype_name
from ..schemes import resolve
from ..schemes.catalogue import Scheme
from . import blocks, memory
from .blocks import Block
from .fill import fill
from .streams import Seed

_Out = TypeVar("_Out")


class SchemeFunction(Protocol):
    """The keywords of every scheme's function; ``numbers`` are the scheme's own and those that count its fans."""

    @overload
    def __call__(
        self,
        shape: Shape,
        *,
        out: None = None,
        seed: Seed = None,
        name: str = "",
        dtype: DTypeLike | None = None,
        block: Block = ...,
        threads: int | None = None,
        **numbers: Any,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        shape: Shape | None = None,
        *,
        out: _Out,
        seed: Seed = None,
        name: str = "",
        dtype: DTypeLike | None = None,
        block: Block = ...,
        threads: int | None = None,
        **numbers: Any,
    ) -> _Out: ...


def scheme_function(name: str) -> SchemeFunction:
    """The public function of one row of the table of schemes."""
    scheme = resolve.SCHEMES[name]

    def function(
        shape: Shape | None = None,
        *,
        out: Any = None,
        seed: Seed = None,
        name: str = "",
        dtype: DTypeLike | None = None,
        block: Block = ...,
        threads: int | None = None,
        **numbers: Any,
    ) -> Any:
        if out is None:
            if shape is None:
                raise TypeError(f"{scheme.name} needs a shape or out=")
            part = blocks.block_shape(block, checked_shape(shape))
            out = memory.empty(part, dtype_name("float32" if dtype is None else dtype))
        elif dtype is not None and dtype_name(dtype) != (has := memory.target(out).dtype):
            raise TypeError(f"out has dtype {has}, but dtype={dtype!r} was asked for")
        return fill(
            out, scheme.name, seed=seed, name=name, shape=shape, block=block, threads=threads, **numbers
        )

    function.__name__ = function.__qualname__ = name
    function.__doc__ = _docstring(name, scheme)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "numbers"]
    for number, default in scheme.numbers.items():
        parameters.append(inspect.Parameter(number, inspect.Parameter.KEYWORD_ONLY, default=default))
    parameters += [parameter for parameter in resolve.GEOMETRY if parameter.name in scheme.geometry]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


def _docstring(name: str, scheme: Scheme) -> str:
    shape = scheme.example.partition(")")[0] + ")"
    return f"""{scheme.summary}

    Draws :math:`{scheme.formula}`.

    Give ``shape`` for a new array of ``dtype`` (float32 by default; float64, float16 and bfloat16 too), or ``out``
    to fill an array or CPU tensor in place. ``seed`` and ``name`` choose the stream; ``block`` asks for a slice of
    the whole tensor alone. Fans follow ``layout`` (see `fans`).

    Raises TypeError or ValueError, naming the argument, before anything is written.

    Source: {scheme.source}

    >>> import fastinit as fi
    >>> fi.{name}({scheme.example}, seed=0, name="w").shape
    {shape}
    """


globals().update({name: scheme_function(name) for name in resolve.SCHEMES})
