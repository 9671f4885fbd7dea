"""The handler of XLA's custom call with call frames made by hand: it refuses what it does not understand, by XLA's own error."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_void_p, cast, sizeof
from typing import Any

import numpy as np
import pytest

import fastinit as fi
from fastinit import _core

S64, U32, F32, F64, PRED = 5, 8, 11, 12, 1
ARRAY, DICTIONARY, SCALAR, STRING = 1, 2, 3, 4


def struct(name: str, *fields: tuple[str, Any]) -> Any:
    return type(name, (Structure,), {"_fields_": [("size", c_size_t), ("extensions", c_void_p), *fields]})


Version = struct("Version", ("major", c_int), ("minor", c_int))
Api = struct("Api", ("version", Version), ("internal", c_void_p), ("create_error", c_void_p))
Request = struct("Request", ("message", c_char_p), ("code", c_int))
Buffer = struct("Buffer", ("type", c_int), ("data", c_void_p), ("rank", c_int64), ("lengths", c_void_p))
List = struct("List", ("count", c_int64), ("types", c_void_p), ("items", c_void_p))
Attributes = struct(
    "Attributes", ("count", c_int64), ("types", c_void_p), ("names", c_void_p), ("values", c_void_p)
)
Frame = struct("Frame", ("api", c_void_p), ("context", c_void_p), ("stage", c_int),
               ("arguments", List), ("results", List), ("attributes", Attributes))  # fmt: skip


class Span(Structure):
    _fields_ = (("text", c_char_p), ("length", c_size_t))


class Scalar(Structure):
    _fields_ = (("type", c_int), ("value", c_void_p))


class Array(Structure):
    _fields_ = (("type", c_int), ("length", c_size_t), ("values", c_void_p))


class Extension(Structure):
    _fields_ = (("size", c_size_t), ("type", c_int), ("next", c_void_p), ("metadata", c_void_p))


class Metadata(Structure):
    _fields_ = (("size", c_size_t), ("version", Version), ("traits", ctypes.c_uint32))


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, (ctypes.py_object, c_char_p)


def handler(platform: str) -> Any:
    capsule = _core.xla_handler(platform)
    return CFUNCTYPE(c_void_p, POINTER(Frame))(_pointer(capsule, b"xla._CUSTOM_CALL_TARGET"))


HANDLER = handler("cpu")


class Call:
    """One call of a handler, a normal (3, 5) float32 at (1, 2) of a whole (8, 9) for each of two keys."""

    handler = staticmethod(HANDLER)

    def __init__(self) -> None:
        self.words = np.array([[0, 7], [1, 8]], np.uint32)
        self.starts = np.array([[1, 2], [1, 2]], np.uint32)
        self.out = np.zeros((2, 3, 5), np.float32)
        self.attributes: dict[str, Any] = {
            "isa": 0,
            "law": "normal",
            "name": "w",
            "parameters": np.array([0.0, 2.0]),
            "streaming": 0,
            "threads": 1,
            "whole": np.array([8, 9]),
        }
        self.types = {np.dtype(np.int64): S64, np.dtype(np.float64): F64}
        self.kept: list[Any] = []
        self.frame, self.api = Frame(sizeof(Frame)), Api(sizeof(Api), None, Version(24, None, 0, 3))
        self.messages: list[str] = []
        self.buffers: list[Any] = []

    def keep(self, value: Any) -> int:
        self.kept.append(value)
        return ctypes.addressof(value)

    def pointers(self, items: list[Any]) -> int:
        return self.keep((c_void_p * max(1, len(items)))(*[self.keep(item) for item in items]))

    def integers(self, items: list[int], kind: Any = c_int) -> int:
        return self.keep((kind * max(1, len(items)))(*items))

    def buffer(self, array: np.ndarray, kind: int) -> Any:
        lengths = self.integers(list(array.shape), c_int64)
        self.buffers.append(Buffer(sizeof(Buffer), None, kind, array.ctypes.data, array.ndim, lengths))
        return self.buffers[-1]

    def value(self, value: Any) -> tuple[int, Any]:
        if isinstance(value, str):
            return STRING, Span(value.encode(), len(value))
        if isinstance(value, int):
            return SCALAR, Scalar(S64, self.integers([value], c_int64))
        array = Array(self.types.get(value.dtype, PRED), value.size, value.ctypes.data)
        return ARRAY, array

    def list(self, buffers: list[Any]) -> Any:
        return List(
            sizeof(List), None, len(buffers), self.integers([1] * len(buffers)), self.pointers(buffers)
        )

    def given(self) -> tuple[list[Any], list[Any]]:
        return [self.buffer(self.words, U32), self.buffer(self.starts, U32)], [self.buffer(self.out, F32)]

    def build(self) -> None:
        def create(request: Any) -> int:
            asked = cast(request, POINTER(Request)).contents
            assert asked.size == 28 and asked.code == 3
            self.messages.append(asked.message.decode())
            return 0xE

        pairs = [self.value(value) for value in self.attributes.values()]
        names = [Span(name.encode(), len(name)) for name in self.attributes]
        frame = self.frame
        frame.stage, frame.api = 3, self.keep(self.api)
        callback = CFUNCTYPE(c_void_p, c_void_p)(create)
        self.kept.append(callback)
        self.api.create_error = cast(callback, c_void_p).value
        frame.arguments, frame.results = map(self.list, self.given())
        kinds = self.integers([kind for kind, _ in pairs])
        values = self.pointers([value for _, value in pairs])
        frame.attributes = Attributes(
            sizeof(Attributes), None, len(pairs), kinds, self.pointers(names), values
        )

    def run(self) -> str:
        """The error's message, "" if there is none."""
        error = self.handler(self.frame)
        assert (error is None) == (not self.messages) and error in (None, 0xE)
        return "".join(self.messages)


def test_a_call() -> None:
    call = Call()
    call.build()
    assert call.run() == ""
    for i, seed in enumerate((7, 2**32 + 8)):
        whole = fi.normal((8, 9), seed=seed, name="w", std=2.0)
        np.testing.assert_array_equal(call.out[i], whole[1:4, 2:7])


def test_which_interface_it_is() -> None:
    metadata = Metadata(sizeof(Metadata), Version(24))
    extension = Extension(sizeof(Extension), 1, None, ctypes.addressof(metadata))
    other = Extension(sizeof(Extension), 9, ctypes.addressof(extension))
    for first in (extension, other):
        metadata.version.minor = 7
        assert HANDLER(Frame(sizeof(Frame), ctypes.addressof(first))) is None
        assert (metadata.version.major, metadata.version.minor) == (0, 1)


def changed(**attributes: Any) -> Callable[[Call], None]:
    return lambda call: call.attributes.update(attributes)


def without(name: str) -> Callable[[Call], None]:
    def remove(call: Call) -> None:
        del call.attributes[name]

    return remove


def of_shape(**shapes: tuple[int, ...]) -> Callable[[Call], None]:
    def reshape(call: Call) -> None:
        for name, shape in shapes.items():
            setattr(call, name, np.zeros(shape, getattr(call, name).dtype))

    return reshape


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *[(without(name), "attribute") for name in Call().attributes],
        (changed(name=3), "attribute"),
        (changed(whole=np.array([8, 9], np.float32)), "attribute"),
        (changed(isa="0"), "attribute"),
        (changed(isa=64), "'isa'"),
        (changed(isa=-1), "'isa'"),
        (changed(threads=0), "'threads'"),
        (changed(threads=-(2**63)), "'threads'"),
        (changed(law="cauchy"), "'law'"),
        (changed(law="norma"), "'law'"),
        (changed(parameters=np.zeros(5)), "'parameters'"),
        (changed(law="truncated_normal", parameters=np.array([0.0, 1.0, 2.0, 1.0])), "no value"),
        (changed(law="normal", parameters=np.array([0.0, np.inf])), "range"),
        (changed(whole=np.array([8, 9, 1, 1])), "fit"),
        (changed(whole=np.array([8])), "fit"),
        (changed(whole=np.ones(65, np.int64)), "fit"),
        (of_shape(words=(3, 2)), "as many"),
        (of_shape(starts=(1, 2)), "as many"),
        (of_shape(starts=(2, 3)), "fit"),
        (of_shape(words=(2,)), "fit"),
        (of_shape(words=(2, 0)), "fit"),
        (of_shape(words=(2, 33)), "fit"),
        (of_shape(out=(15,)), "fit"),
    ],
)
def test_what_does_not_fit_is_refused(change: Callable[[Call], None], words: str) -> None:
    call = Call()
    change(call)
    call.build()
    message = call.run()
    assert message.startswith("fastinit: ") and words in message
    assert not call.out.any()


def test_frames_of_another_kind_are_refused() -> None:
    def refused(change: Callable[[Call], None], words: str) -> None:
        call = Call()
        call.build()
        change(call)
        assert words in call.run()
        assert not call.out.any()

    def put(of: Callable[[Call], Any], field: str, value: Any) -> Callable[[Call], None]:
        return lambda call: setattr(of(call), field, value)

    for part in ("arguments", "results", "attributes"):
        refused(put(lambda call, part=part: getattr(call.frame, part), "size", 8), "smaller")
    refused(put(lambda call: call.frame, "size", sizeof(Frame) - 8), "smaller")
    for stage in (0, 1, 2, 4):
        refused(put(lambda call: call.frame, "stage", stage), "execution")
    for part, count in (("arguments", 1), ("arguments", 3), ("results", 0), ("results", 2)):
        refused(put(lambda call, part=part: getattr(call.frame, part), "count", count), "buffers")
    for i in range(3):
        refused(put(lambda call, i=i: call.buffers[i], "size", 40), "buffers")
        refused(put(lambda call, i=i: call.buffers[i], "rank", -1), "buffers")
        refused(put(lambda call, i=i: call.buffers[i], "data", None), "no memory")
    lengths = (c_int64 * 3)(2, -3, 5)
    refused(put(lambda call: call.buffers[2], "lengths", ctypes.addressof(lengths)), "buffers")
    refused(put(lambda call: call.buffers[0], "type", F32), "fit")
    refused(put(lambda call: call.buffers[1], "type", S64), "fit")
    refused(put(lambda call: call.buffers[2], "type", PRED), "dtype")
    other = (c_int * 2)(2, 2)
    refused(put(lambda call: call.frame.arguments, "types", ctypes.addressof(other)), "buffers")
