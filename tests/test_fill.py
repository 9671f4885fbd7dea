"""The public fill functions: parts, targets, bad input (nothing is written then), threads, environment."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
import weakref
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastinit as fi
from fastinit import streams

WHOLE = fi.normal((12, 20, 30), seed=5, name="w")


def optional(module: str) -> Any:
    if os.environ.get("FASTINIT_REQUIRE_OPTIONAL"):
        return __import__(module)
    return pytest.importorskip(module)


# ------------------------------------------------------------------------------------------------ parts


def axis_index(size: int) -> st.SearchStrategy[Any]:
    bounds = st.none() | st.integers(-size - 2, size + 2)
    steps = st.integers(-4, 4).filter(bool)
    return st.builds(slice, bounds, bounds, st.none() | steps) | st.integers(-size, size - 1)


@given(st.tuples(axis_index(12), axis_index(20), axis_index(30)), st.integers(1, 3))
def test_any_block_is_the_slice_of_the_whole(block: Any, threads: int) -> None:
    got = fi.normal((12, 20, 30), seed=5, name="w", block=block, threads=threads)
    np.testing.assert_array_equal(got, WHOLE[block])


def test_block_forms() -> None:
    for block in (..., np.s_[3:], (..., 4), (2, ..., slice(None, None, -1)), ()):
        np.testing.assert_array_equal(fi.normal((12, 20, 30), seed=5, name="w", block=block), WHOLE[block])
    for block in ([1, 2], None, True, np.arange(3), "a"):
        with pytest.raises(TypeError, match="block"):
            fi.normal((12, 20, 30), seed=5, block=block)
    for block in (12, (0, 0, 0, 0), (..., ...)):
        with pytest.raises(IndexError, match="block"):
            fi.normal((12, 20, 30), seed=5, block=block)


@pytest.mark.parametrize(
    "layout",
    [
        lambda a: a,
        lambda a: a.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 3, axis=2)[:, :, ::3],
        lambda a: a[::-1, :, ::-1],
        lambda a: np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape),
    ],
    ids=["C", "mixed", "F", "strided", "negative", "misaligned"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", ml_dtypes.bfloat16])
def test_memory_order_does_not_matter(layout: Any, dtype: Any) -> None:
    out = layout(np.zeros((12, 20, 30), dtype))
    assert fi.fill(out, "normal", seed=5, name="w") is out
    np.testing.assert_array_equal(out, fi.normal((12, 20, 30), seed=5, name="w", dtype=dtype))


def test_half_precision_is_the_rounded_float32() -> None:
    for scheme in ("normal", "uniform", "truncated_normal"):
        wide = fi.fill(np.zeros(50_000, np.float32), scheme, seed=1)
        for dtype in (np.float16, ml_dtypes.bfloat16):
            half = fi.fill(np.zeros(50_000, dtype), scheme, seed=1)
            low, high = (0.0, 1.0) if scheme == "uniform" else (-100.0, 100.0)
            inside = (wide.astype(dtype) < high) & (wide.astype(dtype) >= low)
            np.testing.assert_array_equal(half[inside], wide.astype(dtype)[inside])
            assert (half < high).all()


def test_memmap(tmp_path: Any) -> None:
    out = np.lib.format.open_memmap(tmp_path / "w.npy", "w+", np.float32, (12, 20, 30))
    fi.fill(out, "normal", seed=5, name="w")
    np.testing.assert_array_equal(out, WHOLE)


def test_torch_tensors() -> None:
    torch = optional("torch")
    tensor = torch.zeros(20, 12, 30).transpose(0, 1)
    fi.fill(tensor, "normal", seed=5, name="w")
    np.testing.assert_array_equal(tensor.numpy(), WHOLE)
    parameter = torch.nn.Parameter(torch.zeros(12, 20, 30, dtype=torch.bfloat16))
    fi.fill(parameter, "normal", seed=5, name="w")
    np.testing.assert_array_equal(
        parameter.detach().float().numpy(), WHOLE.astype(ml_dtypes.bfloat16).astype(np.float32)
    )
    with pytest.raises(ValueError, match="overlaps"):
        fi.fill(torch.zeros(3, 1).expand(3, 4), "normal")
    with pytest.raises(TypeError, match="dtype"):
        fi.fill(torch.zeros(3, dtype=torch.int32), "normal")


def test_new_arrays_are_aligned() -> None:
    assert all(fi.zeros((n,)).ctypes.data % 64 == 0 for n in (1, 7, 1000, 100_000))


def test_large_fill_with_threads() -> None:
    one = fi.normal((1 << 21) + 3, seed=9, threads=1)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(fi.normal((1 << 21) + 3, seed=9, threads=threads), one)


# ------------------------------------------------------------------------------------------ streams


def test_seeds() -> None:
    first = fi.normal(8, seed=5)
    for seed in (np.int32(5), np.uint64(5), type("Index", (), {"__index__": lambda self: 5})()):
        np.testing.assert_array_equal(fi.normal(8, seed=seed), first)
    fi.normal(8, seed=np.uint64(2**64 - 1))
    assert not np.array_equal(fi.normal(8), fi.normal(8))
    sequence = np.random.SeedSequence(3)
    np.testing.assert_array_equal(fi.normal(8, seed=sequence), fi.normal(8, seed=sequence))
    generator = np.random.default_rng(3)
    assert not np.array_equal(fi.normal(8, seed=generator), fi.normal(8, seed=generator))


@pytest.mark.parametrize("seed", [1.5, np.float64(3), float("nan"), "abc", True, np.True_, [1]])
def test_seed_types(seed: Any) -> None:
    with pytest.raises(TypeError, match="seed"):
        fi.normal(3, seed=seed)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_values(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        fi.normal(3, seed=seed)


def test_names() -> None:
    names = ["", "a", "b", "a\0", "a\0\0", "x" * 1_000_000, "\U0001f600", "\u00e9", "e\u0301"]
    assert len({streams.key(0, name) for name in names}) == len(names)
    for name in (b"a", 1, None):
        with pytest.raises(TypeError, match="name"):
            fi.normal(3, name=name)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        fi.normal(3, name="\ud800")


# --------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("shape", [1.5, "3", True, (2, None), (True, 2)])
def test_shape_types(shape: Any) -> None:
    with pytest.raises(TypeError, match="shape"):
        fi.normal(shape)


@pytest.mark.parametrize("shape", [-1, (2, -3), (2**40, 2**40), (0, 2**62, 2**62), (1,) * 65])
def test_shape_values(shape: Any) -> None:
    with pytest.raises(ValueError, match="shape"):
        fi.normal(shape)


def test_too_much_memory() -> None:
    with pytest.raises(MemoryError):
        fi.normal(2**48)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (2, 0, 3)])
def test_empty_arrays(shape: tuple[int, ...]) -> None:
    assert fi.normal(shape).shape == shape
    with pytest.raises(ValueError, match="std"):
        fi.normal(shape, std=-1)
    if len(shape) > 1:
        assert fi.he_normal(shape).shape == shape


def test_scalars() -> None:
    assert fi.normal((), seed=0).shape == ()
    assert fi.normal((), seed=0) == fi.normal(1, seed=0)[0]
    for shape in ((), (3,)):
        with pytest.raises(ValueError, match="fan"):
            fi.he_normal(shape)
    assert fi.he_normal((3,), fan_in=3).shape == (3,)


@pytest.mark.parametrize(
    "dtype", [np.int32, bool, object, "U3", "M8[s]", complex, "foo", ">f4", np.longdouble]
)
def test_dtypes(dtype: Any) -> None:
    with pytest.raises(TypeError, match="dtype"):
        fi.normal(3, dtype=dtype)


class Untouched:
    """A target of sevens that must stay one."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.before = array, array.tobytes()

    def __enter__(self) -> np.ndarray:
        return self.array

    def __exit__(self, *_: object) -> None:
        assert self.array.tobytes() == self.before


BAD_NUMBERS = [
    ("normal", {"std": -1}, ValueError),
    ("normal", {"std": float("nan")}, ValueError),
    ("normal", {"std": float("inf")}, ValueError),
    ("normal", {"mean": float("nan")}, ValueError),
    ("normal", {"std": 1e38}, ValueError),
    ("normal", {"std": "1"}, TypeError),
    ("normal", {"std": None}, TypeError),
    ("normal", {"std": 1j}, TypeError),
    ("normal", {"std": np.ones(2)}, TypeError),
    ("normal", {"stdd": 1.0}, TypeError),
    ("uniform", {"low": 1, "high": 0}, ValueError),
    ("uniform", {"low": 0, "high": 1e300}, ValueError),
    ("uniform", {"low": 1 + 1e-12, "high": 1 + 2e-12}, ValueError),
    ("uniform", {"eps": -1}, ValueError),
    ("truncated_normal", {"low": 1, "high": 1}, ValueError),
    ("truncated_normal", {"low": float("nan")}, ValueError),
    ("truncated_normal", {"bounds": "relative"}, ValueError),
    ("constant", {"value": 1e39}, ValueError),
    ("constant", {"value": float("nan")}, ValueError),
    ("xavier_uniform", {"gain": float("nan")}, ValueError),
    ("xavier_uniform", {"gain": -1}, ValueError),
    ("he_normal", {"fan_in": 0}, ValueError),
    ("he_normal", {"fan_in": -1}, ValueError),
    ("he_normal", {"fan_in": float("nan")}, ValueError),
    ("he_normal", {"groups": 0}, ValueError),
    ("he_normal", {"groups": 5}, ValueError),
    ("he_normal", {"layout": "xyz"}, ValueError),
    ("he_normal", {"layout": "oi"}, ValueError),
    ("he_normal", {"mode": "fan_inn"}, ValueError),
    ("he_normal", {"activation": "rellu"}, ValueError),
    ("he_normal", {"threads": 0}, ValueError),
    ("he_normal", {"threads": -1}, ValueError),
    ("he_normal", {"threads": 1.5}, TypeError),
    ("he_normal", {"shape": (4, 4)}, ValueError),
    ("he_normal", {"block": np.s_[:2]}, ValueError),
    ("He_Normal", {}, ValueError),
    ("he_norml", {}, ValueError),
]


@pytest.mark.parametrize(("scheme", "numbers", "error"), BAD_NUMBERS, ids=lambda v: str(v)[:40])
def test_bad_numbers_leave_the_target_alone(
    scheme: str, numbers: dict[str, Any], error: type[Exception]
) -> None:
    with Untouched(np.full((4, 2, 3), 7, np.float32)) as out, pytest.raises(error):
        fi.fill(out, scheme, **numbers)


def test_suggestions() -> None:
    with pytest.raises(ValueError, match="did you mean 'he_normal'"):
        fi.distribution("he_norml", (3, 4))
    with pytest.raises(ValueError, match="he_normal"):
        fi.distribution("He_Normal", (3, 4))


def read_only() -> np.ndarray:
    out = np.full(4, 7, np.float32)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (read_only(), ValueError),
        (np.frombuffer(b"\7" * 16, np.float32), ValueError),
        (np.full(4, 7, ">f8"), ValueError),
        (np.lib.stride_tricks.as_strided(np.full(8, 7, np.float32), (4, 2), (4, 4)), ValueError),
        (np.lib.stride_tricks.as_strided(np.full(8, 7, np.float32), (4,), (0,)), ValueError),
        (np.full(4, 7, np.int32), TypeError),
        (np.ma.masked_array(np.full(4, 7, np.float32)), TypeError),
    ],
)
def test_bad_targets(target: np.ndarray, error: type[Exception]) -> None:
    with Untouched(target) as out, pytest.raises(error, match="out"):
        fi.fill(out, "normal")


def test_bad_target_objects() -> None:
    for target in ([1.0], None, 3, "abc", b"abc"):
        with pytest.raises(TypeError, match="out"):
            fi.fill(target, "normal")
    with pytest.raises(TypeError, match="dtype"):
        fi.normal(out=np.zeros(3, np.float32), dtype="float64")
    with pytest.raises(ValueError, match="shape"):
        fi.normal((4,), out=np.zeros(3, np.float32))
    assert fi.fill(np.zeros((2, 2), np.float32).view(np.matrix), "ones").sum() == 4


def test_degenerate_laws() -> None:
    assert (fi.normal(9, mean=3, std=-0.0) == 3).all()
    assert (fi.normal(9, mean=3, std=0) == 3).all()
    assert (fi.uniform(9, low=2, high=2) == 2).all()
    assert (fi.truncated_normal(9, mean=3, std=0) == 3).all()
    assert (fi.uniform(1000, low=1, high=1 + 2.0**-30) == 1).all()
    np.testing.assert_array_equal(
        fi.truncated_normal(99, low=-np.inf, high=np.inf, seed=0), fi.normal(99, seed=0)
    )


def test_far_tail_of_the_truncated_normal() -> None:
    x = fi.truncated_normal(4000, mean=100, std=1, low=-2, high=2, bounds="absolute", seed=0)
    assert (x <= 2).all() and abs(x.mean() - 1.98980) < 6 * 0.0102 / 4000**0.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("bounds", [(0, 1), (-0.1, 0.1), (1, 1.0625), (-3e-5, 1e-5), (0.1, 0.9), (100, 101)])
def test_uniform_is_half_open(bounds: tuple[float, float], dtype: str) -> None:
    """However the caller compares: in the dtype or in double. Every code of a word: test_lanes.py."""
    low, high = bounds
    x = fi.uniform(1 << 20, low=low, high=high, dtype=dtype, seed=0)
    assert (x >= x.dtype.type(low)).all() and (x < x.dtype.type(high)).all()
    wide = x.astype(np.float64)
    assert low <= wide.min() and wide.max() < high


# -------------------------------------------------------------------------- threads and environment


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


def test_interrupt() -> None:
    out = np.zeros(1 << 26, np.float32)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        fi.fill(out, "truncated_normal", low=9, high=10, threads=2)
    timer.join()
    assert out[0] >= 9


def test_interrupt_is_answered() -> None:
    code = """
import os, signal, threading, time, numpy as np, fastinit as fi
out = np.zeros(1 << 26, np.float32)
sent = []
threading.Timer(0.3, lambda: (sent.append(time.monotonic()), os.kill(os.getpid(), signal.SIGINT))).start()
try:
    fi.fill(out, "truncated_normal", low=9, high=10, threads=2)
except KeyboardInterrupt:
    print(time.monotonic() - sent[0])
"""
    assert float(run(code).stdout) < 2  # 0.1 is promised; a loaded machine may be late


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


def test_failing_calls_leak_nothing() -> None:
    def fail(times: int) -> None:
        out = np.zeros(4, np.float32)
        for _ in range(times):
            with contextlib.suppress(ValueError):
                fi.fill(out, "uniform", low=0, high=1e300)

    tracemalloc.start()
    fail(500)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    fail(5000)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000
