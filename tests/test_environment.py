"""Environment variables, threads, forks, interrupts, the floating-point environment."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_environment() -> None:
    bogus = run("import fastinit", FASTINIT_ISA="bogus")
    assert bogus.returncode == 1 and "ImportError" in bogus.stderr and "base" in bogus.stderr
    for isa in fi.available_isas():
        assert run("import fastinit; print(fastinit.isa())", FASTINIT_ISA=isa).stdout.split() == [isa]
    code = "import fastinit; print(fastinit.get_num_threads())"
    assert run(code, FASTINIT_NUM_THREADS="3").stdout.split() == ["3"]
    garbage = run(code, FASTINIT_NUM_THREADS="many")
    assert garbage.returncode == 0 and "FASTINIT_NUM_THREADS" in garbage.stderr


def test_thread_numbers() -> None:
    before = fi.get_num_threads()
    try:
        fi.set_num_threads(10**6)
        assert fi.get_num_threads() == 256
        for bad in (0, -1):
            with pytest.raises(ValueError, match="threads"):
                fi.set_num_threads(bad)
        for bad in (1.5, "2", True, None):
            with pytest.raises(TypeError, match="threads"):
                fi.set_num_threads(bad)  # type: ignore[arg-type]
    finally:
        fi.set_num_threads(before)


def test_eight_threads_fill_at_once() -> None:
    want = fi.normal(300_000, seed=1, threads=1)
    same = np.zeros(300_000, np.float32)
    targets = [same if i % 2 else np.zeros(300_000, np.float32) for i in range(8)]
    workers = [threading.Thread(target=fi.fill, args=(t, "normal"), kwargs={"seed": 1}) for t in targets]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for target in targets:
        np.testing.assert_array_equal(target, want)


def test_threads_share_what_is_cached() -> None:
    """First calls of everything that keeps what it has found, from eight threads at once."""
    code = """
import threading, fastinit as fi
start, results = threading.Barrier(8), []
def work():
    start.wait()
    plan = fi.plan({f"layers.{i}.fc.weight": (64, 48) for i in range(50)})
    arrays = fi.init(plan, seed=0)
    gains = [fi.gain(name) for name in ("gelu", "silu", "tanh", "relu")]
    weights = [fi.fill(fi.zeros((8, 8)), name, seed=0).tolist() for name in ("orthogonal", "sparse", "he_normal")]
    lengths = fi.propagation.mean_field("tanh", weight_variance=1.5).fixed_points()
    sums = {name: fi.checksum(array) for name, array in arrays.items()}
    results.append((plan.digest, sums, gains, weights, str(lengths)))
workers = [threading.Thread(target=work) for _ in range(8)]
for worker in workers: worker.start()
for worker in workers: worker.join()
assert len(results) == 8 and all(result == results[0] for result in results)
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_after_and_during_threaded_fills() -> None:
    code = """
import os, threading, numpy as np, fastinit as fi
busy = np.zeros(1 << 27, np.float32)
threading.Thread(target=fi.fill, args=(busy, "normal"), kwargs={"threads": 4}).start()
want = fi.normal(1 << 20, seed=1, threads=4)
child = os.fork()
same = (fi.normal(1 << 20, seed=1, threads=4) == want).all()
if not child:
    os._exit(0 if same else 1)
assert same and os.waitpid(child, 0)[1] == 0
"""
    assert run(code).returncode == 0


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the threads of a process as Linux lists them"
)
def test_threads_wait_between_draws_and_end_before_a_fork() -> None:
    """Both sides of a fork begin with one thread, and draw by several again."""
    code = """
import os, fastinit as fi
def threads():
    return len(os.listdir("/proc/self/task"))
def draw():
    return fi.normal(1 << 20, seed=1, threads=4).tobytes()
before, want = threads(), draw()
assert threads() == before + 3
assert draw() == want and threads() == before + 3
child = os.fork()
assert threads() == before, threads()
assert draw() == want and threads() == before + 3
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    done = run(code, OPENBLAS_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_signal_handler_forks_within_a_draw() -> None:
    """Neither side waits for a thread that is gone, and no value is left out."""
    code = """
import os, signal, threading, fastinit as fi
size, children = 1 << 23, []
def handler(*_):
    children.append(os.fork())
signal.signal(signal.SIGUSR1, handler)
draw = lambda: fi.truncated_normal(size, low=9, high=10, seed=1, threads=3)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
values = draw()
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
assert children and (values >= 9).all()
if children[0]:
    assert os.waitpid(children[0], 0)[1] == 0
assert (draw() == values).all()
os._exit(0)
"""
    done = run(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="signals are POSIX's")
def test_signals_reach_the_program_s_own_threads() -> None:
    """A signal that the program has blocked, to wait for it, is not taken by a thread that waits for draws."""
    code = """
import os, signal, fastinit as fi
fi.normal(1 << 20, threads=4)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
os.kill(os.getpid(), signal.SIGUSR1)
assert signal.sigwait({signal.SIGUSR1}) == signal.SIGUSR1
"""
    done = run(code, OPENBLAS_NUM_THREADS="1")
    assert done.returncode == 0, (done.returncode, done.stderr)


def test_interrupt_is_answered() -> None:
    """In the midst of a fill of some seconds, and the rest is left alone."""
    code = """
import os, signal, threading, numpy as np, fastinit as fi
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for what runs in their background
out = np.zeros(1 << 26, np.float32)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    fi.fill(out, "truncated_normal", low=9, high=10, threads=2)
except KeyboardInterrupt:
    print(out[0], out[-1])
"""
    first, last = run(code).stdout.split()
    assert float(first) >= 9 and float(last) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's fenv by name")
def test_rounding_mode_does_not_matter() -> None:
    code = """
import ctypes, ctypes.util, numpy as np, fastinit as fi
libm = ctypes.CDLL(ctypes.util.find_library("m"))
def draws():
    return [fi.normal(5000, std=s, seed=1, dtype=d).tobytes() for s in (1.0, 1e-42) for d in ("float32", "float64")] \
        + [fi.truncated_normal(5000, low=a, high=a + 1, seed=1).tobytes() for a in (-0.5, 0.3, 7)]
want = draws()
for mode in (0x400, 0x800, 0xC00):
    assert libm.fesetround(mode) == 0
    got = draws()
    assert libm.fegetround() == mode
    libm.fesetround(0)
    assert got == want, hex(mode)
"""
    import platform

    if platform.machine() != "x86_64":
        pytest.skip("rounding modes by their x86 numbers")
    result = run(code)
    assert result.returncode == 0, result.stderr


def test_flush_to_zero_does_not_matter() -> None:
    torch = optional("torch")
    want = fi.normal(5000, std=1e-42, seed=1)
    assert torch.set_flush_denormal(True)
    try:
        got = fi.normal(5000, std=1e-42, seed=1)
        flushed = torch.tensor([1e-42]) * 1.0 == 0  # the caller's flag is as it was
    finally:
        torch.set_flush_denormal(False)
    np.testing.assert_array_equal(got.view(np.uint32), want.view(np.uint32))
    assert flushed.all() and (want != 0).any()


def test_owner_lives_during_a_fill() -> None:
    """The target's only other owner lets go at once; the fill keeps it, and drops it at its end."""
    out = np.zeros(1 << 22, np.float32)
    alive = weakref.ref(out)
    arguments: list[Any] = [out]
    del out
    worker = threading.Thread(target=lambda: fi.fill(arguments.pop(), "normal"))
    worker.start()
    worker.join()
    gc.collect()
    assert alive() is None
