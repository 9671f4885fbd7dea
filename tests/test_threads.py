"""Threads that call the public functions at once, as a Python without the global interpreter lock really runs them. They share
what is remembered from call to call, a plan, a generator, an array. Each has what one thread by itself would have.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import numpy as np
import pytest
from conftest import example_of
from test_catalogue import ROWS

import fastinit as fi
from fastinit.laws import from_dict

THREADS = 8
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def threads_change_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def at_once(work: Callable[[int], Result]) -> list[Result]:
    """What each of the threads makes of its number."""
    start = Barrier(THREADS)

    def begin(number: int) -> Result:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def turned(count: int, number: int) -> list[int]:
    """All of so many, from another one on in each thread."""
    first = number * count // THREADS
    return [*range(first, count), *range(first)]


def test_more_distributions_than_are_remembered() -> None:
    count = 5000  # 4096 are

    def draw(i: int) -> bytes:
        out = np.empty(3, np.float32)
        return fi.fill(out, "truncated_normal", mean=i / 8, std=1 + i / 1024, seed=i, name=f"t{i}").tobytes()

    def work(number: int) -> list[bytes]:
        drawn = {i: draw(i) for i in turned(count, number)}
        return [drawn[i] for i in range(count)]

    got = at_once(work)
    want = [draw(i) for i in range(count)]
    assert len(set(want)) == count and all(one == want for one in got)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_all_schemes(dtype: str) -> None:
    def draw(i: int) -> tuple[object, bytes]:
        arguments = example_of(ROWS[i])
        shape = arguments.pop("shape")
        law = fi.distribution(ROWS[i].name, shape, **arguments)
        assert from_dict(law.to_dict()) == law
        values = getattr(fi.schemes, ROWS[i].name)(shape, seed=3, name="w", dtype=dtype, **arguments)
        return law, values.tobytes()

    def work(number: int) -> list[tuple[object, bytes]]:
        drawn = {i: draw(i) for i in turned(len(ROWS), number)}
        return [drawn[i] for i in range(len(ROWS))]

    got = at_once(work)
    want = [draw(i) for i in range(len(ROWS))]
    assert all(one == want for one in got)


def test_one_plan(tmp_path: Path) -> None:
    shapes = {f"layers.{i}.{part}": (16, 8 + i) for i in range(30) for part in ("fc.weight", "norm.weight")}
    plan = fi.plan(shapes)

    def work(number: int) -> tuple[str, list[str], dict[str, bytes], bytes]:
        arrays = {name: array.tobytes() for name, array in fi.init(plan, seed=5).items()}
        file = tmp_path / f"{number}.safetensors"
        fi.checkpoints.write(plan, file, seed=5)
        return plan.digest, list(plan.stored), arrays, file.read_bytes()

    got = at_once(work)
    assert all(one == got[0] for one in got)
    digest, names, arrays, _ = got[0]
    alone = fi.plan(shapes)
    assert (digest, names) == (alone.digest, list(alone.stored))
    for name, array in fi.init(alone, seed=5).items():
        assert arrays[name] == array.tobytes(), name


def test_one_generator() -> None:
    """It moves on by one number for each draw, whoever draws; no number is given twice."""
    each = 200
    shared = np.random.default_rng(9)
    got = at_once(lambda number: [fi.normal(4, seed=shared).tobytes() for _ in range(each)])
    one_by_one = np.random.default_rng(9)
    want = [fi.normal(4, seed=one_by_one).tobytes() for _ in range(each * THREADS)]
    assert sorted(values for one in got for values in one) == sorted(want) and len(set(want)) == len(want)
    assert shared.bit_generator.state == one_by_one.bit_generator.state


def test_blocks_of_one_array_while_the_number_of_threads_changes() -> None:
    rows, before = 64, fi.get_num_threads()
    want = fi.normal((rows * THREADS, 3000), seed=2, name="w")
    whole = np.empty_like(want)

    def work(number: int) -> None:
        fi.set_num_threads(number + 1)
        block = np.s_[rows * number : rows * (number + 1)]
        fi.fill(whole[block], "normal", seed=2, name="w", shape=whole.shape, block=block)

    try:
        at_once(work)
    finally:
        fi.set_num_threads(before)
    np.testing.assert_array_equal(whole, want)


def test_first_use() -> None:
    """In a new process, several threads use every public name for the first time; the lock stays off where there is none."""
    code = f"""
import sys, threading, fastinit as fi
start, found = threading.Barrier({THREADS}), []
def work(number):
    start.wait()
    names = [*fi.__all__, *fi.schemes.SCHEMES]
    names = names[number:] + names[:number]
    used = {{name: getattr(fi, name, None) or getattr(fi.schemes, name) for name in names}}
    found.append((used["normal"](5, seed=1).tobytes(), used))
threads = [threading.Thread(target=work, args=(9 * i,)) for i in range({THREADS})]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == {THREADS} and all(one == found[0] for one in found)
print(getattr(sys, "_is_gil_enabled", lambda: True)())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(not sysconfig.get_config_var("Py_GIL_DISABLED"))
