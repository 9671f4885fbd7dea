"""The handler of NVIDIA's GPUs with call frames made by hand, and functions that pass for the driver's: what it launches and refuses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, POINTER, c_int, c_size_t, c_uint, c_void_p, cast, sizeof
from typing import Any

import numpy as np
import pytest
import test_xla_frames as frames
from test_xla_frames import U32, Call, changed, of_shape, struct, without

from fastinit import _core

U8, STREAM, CONTEXT = 6, 0x57, 0xC0
Api = struct("Api", *frames.Api._fields_[2:], ("message", c_void_p), ("destroy_error", c_void_p),
             ("register", c_void_p), ("get_stream", c_void_p))  # fmt: skip
Asked = struct("Asked", ("context", c_void_p), ("stream", c_void_p))
Destroyed = struct("Destroyed", ("error", c_void_p))
Launch = CFUNCTYPE(c_int, c_void_p, *[c_uint] * 7, c_void_p, POINTER(c_void_p), c_void_p)


class Driver:
    """It notes what is launched: kernel, grid, stream, and the words of the last three arguments."""

    def __init__(self) -> None:
        self.launched: list[tuple[Any, ...]] = []
        self.pushed = self.popped = 0
        self.fails = ""

        def context_of(stream: int, to: Any) -> int:
            to[0] = CONTEXT
            return 9 * (self.fails == "context" or stream != STREAM)

        def push(context: int) -> int:
            self.pushed += context == CONTEXT
            return 9 * (self.fails == "push")

        def pop(to: Any) -> int:
            self.popped += 1
            return 0

        def launch(kernel: int, x: int, y: int, z: int, tx: int, ty: int, tz: int, shared: int, stream: int, given: Any, extra: Any) -> int:  # fmt: skip
            assert (z, tx, ty, tz, shared, stream, extra) == (1, 256, 1, 1, 0, STREAM, None)
            last = [c_size_t.from_address(given[i]).value for i in (2, 3, 4)] if kernel == 0xB else []
            self.launched.append((kernel, x, y, *last))
            return 9 * (self.fails == hex(kernel))

        two = CFUNCTYPE(c_int, c_void_p, POINTER(c_void_p))
        self.functions = (two(context_of), CFUNCTYPE(c_int, c_void_p)(push),
                          CFUNCTYPE(c_int, POINTER(c_void_p))(pop), Launch(launch))  # fmt: skip


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    _core.xla_cuda_driver(tuple([cast(f, c_void_p).value for f in driver.functions]))
    _core.xla_cuda_kernels(b"some kernels", CONTEXT, 0xA, 0xB)
    _core.xla_cuda_kernels(b"some kernels", CONTEXT + 1, 0xC, 0xD)
    yield driver
    assert driver.pushed == driver.popped + (driver.fails == "push")


class CudaCall(Call):
    """The call of test_xla_frames as a GPU gets it, with one box of three crews."""

    handler = staticmethod(frames.handler("cuda"))

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.room = np.frombuffer(b"w\0", np.uint8), np.zeros((2, 6), np.uint32)
        for name in ("isa", "streaming", "threads"):
            del self.attributes[name]
        self.attributes |= {"boxes": np.zeros(30, np.int64), "crews": np.array([3]), "part": np.array([3, 5]),
                            "kernels": "some kernels"}  # fmt: skip
        self.api = Api(sizeof(Api), None, frames.Version(24, None, 0, 3))
        self.refuses, self.destroyed = False, 0

    def given(self) -> tuple[list[Any], list[Any]]:
        arguments, results = super().given()
        return [*arguments, self.buffer(self.letters, U8)], [*results, self.buffer(self.room, U32)]

    def build(self) -> None:
        super().build()
        self.frame.context = 0xE0

        def get_stream(request: int) -> int | None:
            asked = cast(request, POINTER(Asked)).contents
            assert asked.size == 32 and asked.context == 0xE0
            asked.stream = STREAM
            return 0xBAD if self.refuses else None

        def destroy(request: int) -> None:
            given = cast(request, POINTER(Destroyed)).contents
            assert given.size == 24 and given.error == 0xBAD
            self.destroyed += 1

        for name, function in (("get_stream", CFUNCTYPE(c_void_p, c_void_p)(get_stream)),
                               ("destroy_error", CFUNCTYPE(None, c_void_p)(destroy))):  # fmt: skip
            self.kept.append(function)
            setattr(self.api, name, cast(function, c_void_p).value)
        self.frame.api = ctypes.addressof(self.api)


def test_a_call(driver: Driver) -> None:
    call = CudaCall()
    call.build()
    assert call.run() == ""
    room, out = call.room.ctypes.data, call.out.ctypes.data
    assert driver.launched == [(0xA, 1, 1), (0xB, 3, 2, room, out, 60)]


def test_more_keys_than_a_launch_has_rows(driver: Driver) -> None:
    call, keys = CudaCall(), 70_000
    call.words, call.starts = np.zeros((keys, 2), np.uint32), np.zeros((keys, 2), np.uint32)
    call.out, call.room = np.zeros((keys, 3, 5), np.float32), np.zeros((keys, 6), np.uint32)
    call.attributes |= {"boxes": np.zeros(60, np.int64), "crews": np.array([3, 1])}
    call.build()
    assert call.run() == ""
    room, out, first = call.room.ctypes.data, call.out.ctypes.data, 65535
    parts = [(first, room, out, 60), (keys - first, room + 24 * first, out + 60 * first, 60)]
    assert driver.launched == [(0xA, 274, 1), *[(0xB, 3, *p) for p in parts], *[(0xB, 1, *p) for p in parts]]


def test_nothing_to_draw(driver: Driver) -> None:
    call = CudaCall()
    call.out, call.words, call.starts, call.room = (
        np.zeros((0, *x.shape[1:]), x.dtype) for x in (call.out, call.words, call.starts, call.room)
    )
    call.build()
    assert call.run() == "" and not driver.launched


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *[(without(name), "attribute") for name in CudaCall().attributes],
        (changed(part=np.array([3, 4])), "'part'"),
        (changed(part=np.array([3])), "'part'"),
        (changed(boxes=np.zeros(31, np.int64)), "'boxes'"),
        (changed(crews=np.array([3, 3])), "'boxes'"),
        (changed(crews=np.array([0])), "'crews'"),
        (changed(crews=np.array([2**31])), "'crews'"),
        (changed(kernels="some kernel"), "another process"),
        (changed(kernels="other kernels of another text"), "another process"),
        (changed(name="wide"), "letters"),
        (changed(whole=np.array([8])), "fit"),
        (of_shape(room=(2, 5)), "origins"),
        (of_shape(room=(3, 6)), "origins"),
        (of_shape(words=(3, 2)), "as many"),
        (of_shape(letters=(2, 1)), "letters"),
    ],
)
def test_what_does_not_fit_is_refused(change: Callable[[Call], None], words: str, driver: Driver) -> None:
    call = CudaCall()
    change(call)
    call.build()
    message = call.run()
    assert message.startswith("fastinit: ") and words in message
    assert not driver.launched


def test_frames_of_another_kind_are_refused(driver: Driver) -> None:
    def refused(change: Callable[[CudaCall], None], words: str) -> None:
        call = CudaCall()
        call.build()
        change(call)
        assert words in call.run() and not driver.launched
        assert call.destroyed == call.refuses

    for part, count in (("arguments", 2), ("arguments", 4), ("results", 1), ("results", 3)):
        refused(lambda call, p=part, n=count: setattr(getattr(call.frame, p), "count", n), "as many as")
    for i in range(5):
        refused(lambda call, i=i: setattr(call.buffers[i], "data", None), "no memory")
        refused(lambda call, i=i: setattr(call.buffers[i], "size", 40), "buffers")
    refused(lambda call: setattr(call.buffers[2], "type", U8), "dtype")
    refused(lambda call: setattr(call.frame, "stage", 1), "execution")
    refused(lambda call: setattr(call.api, "size", sizeof(Api) - 8), "no streams")
    refused(lambda call: setattr(call, "refuses", True), "refused to tell the stream")
    driver.fails = "context"
    refused(lambda call: None, "does not know XLA's stream")
    driver.fails = "push"
    refused(lambda call: None, "does not take")


@pytest.mark.parametrize("kernel", [0xA, 0xB])
def test_a_launch_that_fails(kernel: int, driver: Driver) -> None:
    call = CudaCall()
    call.build()
    driver.fails = hex(kernel)
    assert "refused to launch" in call.run()
    assert driver.launched[-1][0] == kernel


def test_it_is_not_captured() -> None:
    """It tells XLA its version, and leaves the traits: a command buffer must not replay it."""
    metadata = frames.Metadata(sizeof(frames.Metadata), frames.Version(24))
    extension = frames.Extension(sizeof(frames.Extension), 1, None, ctypes.addressof(metadata))
    assert CudaCall.handler(frames.Frame(sizeof(frames.Frame), ctypes.addressof(extension))) is None
    assert (metadata.version.major, metadata.version.minor, metadata.traits) == (0, 1, 0)


def test_the_drivers_functions_are_all_there() -> None:
    for functions in ((), (1, 2, 3), (1, 2, 0, 4)):
        with pytest.raises(ValueError, match="not the addresses of 4 functions"):
            _core.xla_cuda_driver(functions)
