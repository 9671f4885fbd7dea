"""Failing calls, by turns and many: no block of memory, object, reference, lock on a buffer or descriptor stays."""

from __future__ import annotations

import contextlib
import gc
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import fill_jobs

import fastinit as fi
from fastinit import _core, checkpoints

CALLS = int(os.environ.get("FASTINIT_FAILING_CALLS", "20000"))
ERRORS = (TypeError, ValueError, IndexError, OSError, MemoryError, KeyError, OverflowError)


def fills() -> list[Callable[[], object]]:
    room = bytearray(64)
    out = np.frombuffer(room, np.float32)
    key, axes = b"0123456789abcdef", ((16, 1, 4, ((0, 0),)),)
    at, normal = out.ctypes.data, ("normal", (0.0, 1.0))
    return [
        lambda: fi.fill(out, "uniform", low=0, high=1e300),
        lambda: fi.fill(out, "normal", std=-1),
        lambda: fi.fill(out, "normal", std="1"),
        lambda: fi.fill(out, "normal", stdd=1),
        lambda: fi.fill(out, "he_normal"),
        lambda: fi.fill(out, "he_norml"),
        lambda: fi.fill(out, "normal", seed=-1),
        lambda: fi.fill(out, "normal", seed=1.5),  # type: ignore[arg-type]
        lambda: fi.fill(out, "normal", name="\ud800"),
        lambda: fi.fill(out, "normal", shape=(2, 3)),
        lambda: fi.fill(out, "normal", block=np.s_[3]),
        lambda: fi.fill(out, "normal", block=[1]),
        lambda: fi.fill(out, "normal", threads=0),
        lambda: fi.fill(out.view(np.int32), "normal"),
        lambda: fi.fill(out.view(">f4"), "normal"),
        lambda: fi.fill(np.lib.stride_tricks.as_strided(out, (4, 2), (4, 4)), "normal"),
        lambda: fi.fill(room, "normal"),
        lambda: fi.fill(None, "normal"),
        lambda: fi.fill(out.reshape(4, 4), "orthogonal", gain=float("nan")),
        lambda: fi.normal((2, -3)),
        lambda: fi.normal(2**50),
        lambda: fi.normal(3, dtype="int8"),
        lambda: fi.fans((3,)),
        lambda: fi.gain("rellu"),
        lambda: fi.distribution("normal", (3, 4), std=float("nan")),
        # Past the checks of Python, as no caller of the package can.
        lambda: fill_jobs([(*normal, key[:3], "float32", at, axes, False)], 1, 0),
        lambda: fill_jobs([(*normal, key, "float32", at, (), False)], 1, 0),
        lambda: fill_jobs([(*normal, key, "float32", at, axes, False)], 1, 99),
        lambda: fill_jobs([(*normal, key, "float32", at, ((16, 1, 4, ((0, 0), (1, -1))),), False)], 1, 0),
        lambda: fill_jobs([(*normal, key, "float32", at, ((16, 1, 4, ((0,),)),), False)], 1, 0),
        lambda: fill_jobs([(*normal, key, "float32", at, ((16, 1),), False)], 1, 0),
        lambda: fill_jobs([("normal", (0.0, "x"), key, "float32", at, axes, False)], 1, 0),
        lambda: fill_jobs([("normol", (0.0, 1.0), key, "float32", at, axes, False)], 1, 0),
        lambda: _core.Law("uniform", "float16", (0.0, 1e6)),
        lambda: _core.address(3),
        lambda: _core.read_dlpack(3),
        lambda: _core.inspect("float32", at, 1, 16, 0, 99, 0, 0, 0),
    ]


def files(folder: Path) -> list[Callable[[], object]]:
    """Readers of files that are none, and a writer with nowhere to write."""
    contents = {
        "empty": b"",
        "short": b"\x08\0\0",
        "huge": struct.pack("<Q", 2**63) + b"{}",
        "text": struct.pack("<Q", 8) + b"not json",
        "outside": struct.pack("<Q", 62) + b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}       ',
    }
    for name, content in contents.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    shapes = folder / "shapes.json"
    shapes.write_text('{"a.weight": [-3, 4]}')
    whole = fi.plan({"a.weight": (3, 4)})
    return [
        *[lambda path=folder / f"{name}.safetensors": fi.inspect(path) for name in contents],
        lambda: fi.inspect(folder / "nothing.safetensors"),
        lambda: fi.inspect(folder),
        lambda: fi.plan(shapes),
        lambda: fi.plan({"a": (2, -3)}),
        lambda: fi.plan({"a.weight": (3, 4)}, recipe="nothing"),
        lambda: fi.Plan.from_json("{"),
        lambda: checkpoints.write(whole, folder / "none" / "m.safetensors", seed=0),
        lambda: checkpoints.write(whole, folder, seed=0),
        lambda: checkpoints.write(whole, folder / "m.safetensors", seed=-1),
    ]


def rounds(calls: list[Callable[[], object]], times: int) -> None:
    for _ in range(times):
        for number, call in enumerate(calls):
            with contextlib.suppress(*ERRORS):
                call()
                raise AssertionError(f"call {number} did not fail")


def standing() -> list[int]:
    """Blocks of memory, tracked objects and descriptors."""
    gc.collect()
    return [sys.getallocatedblocks(), len(gc.get_objects()), len(os.listdir("/proc/self/fd"))]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
@pytest.mark.parametrize("kind", ["fills", "files"])
def test_failing_calls_leave_nothing(kind: str, tmp_path: Path) -> None:
    calls = fills() if kind == "fills" else files(tmp_path)
    times = max(CALLS // len(calls) // 4, 40)
    marks = []
    for _ in range(4):
        rounds(calls, times)
        marks.append(standing())
    # Caches grow at first and now and then; a leak grows by one a round, in every pass.
    blocks, objects, descriptors = np.diff(marks, axis=0).min(axis=0).tolist()
    assert descriptors == 0
    assert blocks < times / 2 and objects < times / 2, marks


def test_failing_calls_let_go_of_their_arguments() -> None:
    room = bytearray(64)
    out = np.frombuffer(room, np.float32)
    name, block = "".join(["a", "weight"]), slice(40, 10**9)
    arguments = (out, name, block, room)
    before = [sys.getrefcount(argument) for argument in arguments]
    for _ in range(1000):
        with pytest.raises(ValueError):
            fi.fill(out, "uniform", low=0, high=1e300, name=name)
        with pytest.raises(ValueError):
            fi.fill(out, "normal", name=name, block=block)
        with pytest.raises(TypeError):
            fi.fill(room, "normal", name=name)
    assert [sys.getrefcount(argument) for argument in arguments] == before
    del out, arguments
    gc.collect()
    room.extend(b"a")  # BufferError while anyone holds the memory
