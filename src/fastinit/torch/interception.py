"""Calls of Python functions that go elsewhere for a while, in one thread, whoever holds the functions.

A function is found by many ways: a module's namespace, a table, a default argument, a `functools.partial`, a closure. What
they hold is the function object; so it is the object's code that is exchanged, not the names. The new code asks in which
thread it runs: other threads get the function as it always was. The code is put back when the last thread is done.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeAlias

Handler: TypeAlias = Callable[..., Any]
"""Called with the function as it was, then with the call's own arguments."""


@dataclass
class _Exchange:
    """A function whose code is exchanged, and by how many threads' wish."""

    original: Any  # a function; checkers know no settable parts of one
    signature: inspect.Signature | None
    users: int = 0


_lock = threading.Lock()
_exchanges: dict[FunctionType, _Exchange] = {}


class _Handlers(threading.local):
    """This thread's handlers, by function; the innermost of those that are active."""

    def __init__(self) -> None:
        self.of: dict[FunctionType, Handler] = {}


_handlers = _Handlers()


@contextmanager
def intercepted(handlers: Mapping[FunctionType, Handler]) -> Iterator[None]:
    """While active, calls of these functions in this thread go to their handlers, calls within handlers too.

    Functions with closures cannot be exchanged: ValueError.

    >>> def double(x): return 2 * x
    >>> table = {"double": double}
    >>> with intercepted({double: lambda original, x: original(x) + 1}):
    ...     table["double"](5)
    11
    >>> table["double"](5)
    10
    """
    for function in handlers:
        if function.__closure__:
            raise ValueError(f"{function.__name__} has a closure, and its code cannot be exchanged")
    before = _handlers.of
    taken: list[FunctionType] = []
    try:
        with _lock:
            for function in handlers:
                _take(function)
                taken.append(function)
        _handlers.of = {**before, **handlers}
        yield
    finally:
        _handlers.of = before
        with _lock:
            for function in taken:
                _give_back(function)


def _take(function: FunctionType) -> None:
    exchange = _exchanges.get(function)
    if exchange is None or not exchange.users:
        original = FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__
        )
        original.__kwdefaults__ = function.__kwdefaults__
        original.__annotations__ = function.__annotations__
        original.__dict__.update(function.__dict__)
        own = function.__dict__.get("__signature__")
        exchange = _exchanges[function] = _Exchange(original, own)
        function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        # The code comes last: another thread may call the function between these lines.
        named = {"_call": call, "_function": function}
        function.__kwdefaults__ = {**(function.__kwdefaults__ or {}), **named}
        function.__code__ = _exchanged.__code__
    exchange.users += 1


def _give_back(function: FunctionType) -> None:
    exchange = _exchanges[function]
    exchange.users -= 1
    if exchange.users == 0:
        function.__code__ = exchange.original.__code__
        function.__kwdefaults__ = exchange.original.__kwdefaults__
        if exchange.signature is None:
            del function.__signature__  # type: ignore[attr-defined]
        else:
            function.__signature__ = exchange.signature  # type: ignore[attr-defined]
        # `_exchanges` keeps it: another thread may still be on its way into the new code.


def _exchanged(*args: Any, _call: Any, _function: Any, **kwargs: Any) -> Any:
    # It runs with the globals of the function whose code it is: what it needs is handed to it.
    return _call(_function, args, kwargs)


def call(function: FunctionType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a call of an exchanged function does in this thread."""
    original = _exchanges[function].original
    handler = _handlers.of.get(function)
    return original(*args, **kwargs) if handler is None else handler(original, *args, **kwargs)
