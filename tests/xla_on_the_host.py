"""Programs with the custom call of NVIDIA GPUs, run by XLA on the CPU: what passes for a GPU is cuda_stand_in's.

XLA's frames, memory and errors are real ones. Only the stream is put in, which XLA has on GPUs only.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, c_char_p, c_size_t, c_void_p
from typing import Any

import jax
from cuda_stand_in import HostDriver

from fastinit import _core
from fastinit.jax import gpu, traced

_EXTENSIONS, _API, _GET_STREAM = 8, 16, 80  # offsets in a frame, and in XLA's table of functions

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = c_void_p, (ctypes.py_object, c_char_p)
HANDLER = CFUNCTYPE(c_void_p, c_void_p)(_pointer(_core.xla_handler("cuda"), b"xla._CUSTOM_CALL_TARGET"))


class Host:
    """Where programs run: `stream` is what XLA says, or None if it says none."""

    def __init__(self) -> None:
        self.driver: Any = None
        self.stream: int | None = 7
        self.lock = threading.Lock()
        self.get_stream = CFUNCTYPE(c_void_p, c_void_p)(self._get_stream)
        self.handler = CFUNCTYPE(c_void_p, c_void_p)(self._handle)

    def _get_stream(self, request: int) -> None:
        assert c_size_t.from_address(request).value == 32
        c_void_p.from_address(request + 24).value = self.stream

    def _handle(self, frame: int) -> Any:
        if c_void_p.from_address(frame + _EXTENSIONS).value:  # which version it is
            return HANDLER(frame)
        with self.lock:  # the stand-in takes one launch at a time
            place = c_void_p.from_address(frame + _API)
            real = place.value
            assert real
            table = ctypes.create_string_buffer(ctypes.string_at(real, c_size_t.from_address(real).value))
            if self.stream is not None:
                mine = ctypes.cast(self.get_stream, c_void_p).value
                c_void_p.from_address(ctypes.addressof(table) + _GET_STREAM).value = mine
            place.value = ctypes.addressof(table)
            try:
                return HANDLER(frame)
            finally:
                place.value = real


_HOST = Host()  # XLA keeps the handler


@contextmanager
def programs_for_gpus(driver: HostDriver) -> Iterator[Host]:
    """For a while, jitted programs have the call of GPUs, and the CPU takes it."""
    jax.ffi.register_ffi_target("fastinit_draw_cuda", jax.ffi.pycapsule(_HOST.handler), platform="cpu")
    before = traced.platform_of, traced.with_devices, gpu.ordinals
    traced.platform_of = lambda context: "cuda"
    traced.with_devices = lambda context, platform: before[1](context, "cpu")
    gpu.ordinals = lambda: (0,)
    _HOST.driver, _HOST.stream = driver, 7
    jax.clear_caches()
    try:
        yield _HOST
    finally:
        traced.platform_of, traced.with_devices, gpu.ordinals = before
        jax.clear_caches()
