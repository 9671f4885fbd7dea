"""Calls that allocate, and what each promises when an allocation fails."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from process import MEMORY, Outcome, Shim, in_child


@dataclass(frozen=True)
class Use:
    """A call that allocates; ``result`` gives the bytes that it leaves, from what it returns and what it was given.

    It succeeds or raises, and then the target is as it was; the next call succeeds. The error need be no MemoryError:
    NumPy and Python themselves raise others here and there.
    """

    act: Callable[[Any], Any]
    given: Callable[[], Any] = lambda: None
    result: Callable[[Any, Any], Any] = lambda returned, given: returned

    def broken(self, shim: Shim, folder: Path, every: int) -> Iterator[str]:
        expected = self.result(self.act(given := self.given()), given)
        counted = self._run(shim, folder, 1, 0, expected)
        total = int(counted.out)
        for at in range(1, total + 1, every):
            for last in (at, at + 49):
                got = self._run(shim, folder, at, last, expected)
                if got.err or got.code:
                    yield f"allocations {at} to {last} of {total}: {got.code} {got.err}"

    def _run(self, shim: Shim, folder: Path, first: int, last: int, expected: Any) -> Outcome:
        def act() -> dict[str, Any]:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # "Exception ignored in ..."
            given, untouched = self.given(), self.result(None, self.given())
            act, disarm, said = self.act, shim.functions.faults_disarm, ""
            calls = failed = returned = None
            shim.arm(MEMORY, folder, first, last, errno.ENOMEM)
            try:
                returned = act(given)
            except BaseException as error:
                failed = error
            while calls is None:
                try:
                    calls = disarm()
                except MemoryError:  # the call itself asks for some
                    continue
            if failed is None:
                said = "" if self.result(returned, given) == expected else "success, but other values"
            elif self.result(None, given) != untouched:
                said = f"{failed!r}, but the target is not as it was"
            del failed, returned
            given = self.given()
            if self.result(self.act(given), given) != expected:
                said += "; the next call gives other values"
            return {"code": 0, "out": str(calls), "err": said}

        return in_child(act)


def uses(work: Path) -> dict[str, Use]:
    import numpy as np

    import fastinit as fi
    from fastinit.plans.plan import Plan

    shape = (300, 70)

    def sevens() -> Any:
        return np.full(shape, 7, np.float32)

    def bytes_of(returned: Any, given: Any) -> bytes:
        return given.tobytes()

    def new(returned: Any, given: Any) -> bytes:
        return b"" if returned is None else returned.tobytes()

    plan_files = (work / "model.json", work / "recipe.toml")
    text = fi.plan(*plan_files).to_json()
    plain = fi.plan(
        plan_files[0], {"*.bias": "zeros", "*": "he_normal"}
    )  # without structured laws, where NumPy crashes for want of memory
    calls = {
        "memory: fill": Use(lambda out: fi.fill(out, "normal", seed=1, name="w"), sevens, bytes_of),
        "memory: fill of columns": Use(
            lambda out: fi.fill(out[:, ::-2], "he_uniform", seed=1, block=np.s_[1:, 3:38], shape=(301, 90)),
            sevens, bytes_of,
        ),
        "memory: fill with threads": Use(
            lambda out: fi.fill(out, "normal", seed=1, threads=4), lambda: np.full(600_000, 7, np.float32), bytes_of
        ),
        "memory: new array": Use(
            lambda _: fi.he_normal(shape, seed=1, name="w", dtype="bfloat16"), result=new
        ),
    }  # fmt: skip
    if sys.version_info < (3, 12):  # from then on CPython crashes where a closure's memory is not to be had
        calls |= {
            "memory: plan": Use(lambda _: str(fi.plan(*plan_files))),
            "memory: plan from JSON": Use(lambda _: Plan.from_json(text).digest),
            "memory: init": Use(
                lambda _: fi.init(plain, seed=1),
                result=lambda returned, _: returned and {name: array.tobytes() for name, array in returned.items()},
            ),
            "memory: verify": Use(lambda _: fi.verify(work / "3", plain, seed=4)),
        }  # fmt: skip
    return calls
