"""NVIDIA's driver: devices, compiled kernels loaded, and launches. Nothing here waits for the device."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache
from threading import Lock
from typing import Any, NamedTuple

from ..extras import needs
from .compiling import Kernels, cubin, nvrtc

_loading = Lock()
_OUT_OF_MEMORY = 2


class Place(NamedTuple):
    """A device by its number, and the stream on which its memory's owner works."""

    ordinal: int
    stream: int


class Device(NamedTuple):
    """What launches need to know of a device."""

    context: Any
    arch: str
    multiprocessors: int


@cache
def api() -> Any:
    """The driver's functions. ModuleNotFoundError says what to install."""
    return needs("cuda.bindings.driver", extra="cuda", what="drawing on a GPU")


def call(function: str, *arguments: Any) -> Any:
    """A function of the driver, by its name. RuntimeError if it fails, MemoryError if the device's memory does not suffice."""
    result = getattr(api(), function)(*arguments)
    if int(result[0]) == _OUT_OF_MEMORY:
        raise MemoryError(f"{function}: {result[0].name}")
    if int(result[0]):
        raise RuntimeError(f"{function}: {result[0].name}")
    return result[1] if len(result) > 1 else None


@cache
def missing() -> str:
    """What has to be installed before a GPU can draw, or "" if nothing has."""
    try:
        api()
        nvrtc()
    except ModuleNotFoundError as error:
        return str(error)
    return ""


@cache
def device(ordinal: int) -> Device:
    """The device of a number, with the context that all libraries of a process share."""
    call("cuInit", 0)
    handle = call("cuDeviceGet", ordinal)
    attribute = api().CUdevice_attribute

    def number(name: str) -> int:
        return int(call("cuDeviceGetAttribute", getattr(attribute, f"CU_DEVICE_ATTRIBUTE_{name}"), handle))

    major, minor = number("COMPUTE_CAPABILITY_MAJOR"), number("COMPUTE_CAPABILITY_MINOR")
    context = call("cuDevicePrimaryCtxRetain", handle)
    return Device(context, f"{major}{minor}", number("MULTIPROCESSOR_COUNT"))


def ordinal_of(address: int) -> int:
    """The number of the device that has this address."""
    call("cuInit", 0)
    attribute = api().CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    return int(call("cuPointerGetAttribute", attribute, address))


class Current:
    """A context in which a device is the current one of this thread. It costs less than one by `contextmanager`."""

    def __init__(self, ordinal: int) -> None:
        self.device = device(ordinal)
        self.pushed = False

    def __enter__(self) -> Device:
        if int(call("cuCtxGetCurrent")) != int(self.device.context):
            call("cuCtxPushCurrent", self.device.context)
            self.pushed = True
        return self.device

    def __exit__(self, *error: object) -> None:
        if self.pushed:
            call("cuCtxPopCurrent")


class Buffer:
    """New memory of a device, which is given back with the object. The driver waits then for what still uses it."""

    def __init__(self, ordinal: int, size: int) -> None:
        self.ordinal, self.address = ordinal, 0
        with Current(ordinal):
            self.address = int(call("cuMemAlloc", size))

    def __del__(self) -> None:
        if self.address:
            with Current(self.ordinal):
                call("cuMemFree", self.address)


def launch(kernel: Any, crews: int, threads: int, arguments: Sequence[bytes], stream: int) -> None:
    """Queue a kernel on the stream. The driver copies the arguments before it returns."""
    pointers = (ctypes.c_char_p * len(arguments))(*arguments)
    call(
        "cuLaunchKernel", kernel, crews, 1, 1, threads, 1, 1, 0, _stream(stream), ctypes.addressof(pointers), 0
    )  # fmt: skip


@lru_cache
def _stream(stream: int) -> Any:
    return api().CUstream(stream)


def kernel(kernels: Kernels, arch: str, kind: str) -> Any:
    """A kernel of the device's code, loaded once for all devices of a kind."""
    with _loading:
        return _kernel(kernels, arch, kind)


@cache
def _kernel(kernels: Kernels, arch: str, kind: str) -> Any:
    handle = call("cuLibraryGetKernel", _library(kernels, arch), kernels.name(kind).encode())
    return api().CUfunction(int(handle))


@cache
def _library(kernels: Kernels, arch: str) -> Any:
    return call("cuLibraryLoadData", cubin(kernels, arch), [], [], 0, [], [], 0)


def function(kernels: Kernels, arch: str, kind: str) -> int:
    """The same as a function of the current context, which has it from now on."""
    return int(call("cuKernelGetFunction", api().CUkernel(int(kernel(kernels, arch, kind)))))


def address(name: str) -> int:
    """Where the driver has a function, as CUDA 12.0 declares it."""
    found = int(call("cuGetProcAddress", name.encode(), 12000, 0))
    if not found:
        raise RuntimeError(f"the driver of NVIDIA has no {name}")
    return found
