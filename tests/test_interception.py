"""Calls of functions that go elsewhere for a while."""

from __future__ import annotations

import functools
import inspect
import threading
from typing import Any

import pytest
from conftest import optional

optional("torch")

from fastinit.torch.interception import intercepted  # noqa: E402


def double(x: float, *, times: int = 1) -> float:
    return 2 * x * times


TABLE = {"double": double}
PARTIAL = functools.partial(double, times=3)


def default(x: float, function: Any = double) -> float:
    result: float = function(x)
    return result


def test_every_reference_is_reached_and_everything_is_put_back() -> None:
    code, signature = double.__code__, inspect.signature(double)
    with intercepted({double: lambda original, x, times=1: -original(x, times=times)}):
        assert [double(1), TABLE["double"](1), PARTIAL(1), default(1)] == [-2, -2, -6, -2]
        assert inspect.signature(double) == signature
        with intercepted({double: lambda original, x: 0}):
            assert double(1) == 0
        assert double(1) == -2
    assert double(1) == 2 and PARTIAL(1) == 6
    assert double.__code__ is code and double.__kwdefaults__ == {"times": 1} and not vars(double)


def test_it_ends_with_an_error_too() -> None:
    def fails(original: Any, x: float) -> float:
        raise RuntimeError("within")

    with pytest.raises(RuntimeError, match="within"), intercepted({double: fails}):
        double(1)
    assert double(1) == 2


def test_other_threads_have_the_function_as_it_was() -> None:
    inside, done, seen = threading.Event(), threading.Event(), []

    def other() -> None:
        inside.wait(30)
        seen.append(double(1))
        with intercepted({double: lambda original, x: 5}):
            seen.append(double(1))
            done.set()
            outside.wait(30)
            seen.append(double(1))
        seen.append(double(1))

    outside = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    with intercepted({double: lambda original, x: 7}):
        inside.set()
        done.wait(30)
        assert double(1) == 7
    assert double(1) == 2
    outside.set()
    thread.join()
    assert seen == [2, 5, 5, 2] and double(1) == 2


def test_closures_are_refused() -> None:
    captured = 1

    def function() -> int:
        return captured

    with pytest.raises(ValueError, match="function has a closure"), intercepted({function: lambda _: 2}):
        pass
    assert function() == 1
