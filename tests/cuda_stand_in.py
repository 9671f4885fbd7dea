"""A stand-in for NVIDIA's driver: its devices' memory is the host's, and launches run the kernels of cuda_host.cpp.

It has the functions of `cuda.bindings.driver` that fastinit calls, and fails where the driver would, or could.
"""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fastinit.cuda import compiling, driver, program
from fastinit.cuda.compiling import Kernels


class Handle(int):
    """A handle of the driver: a number of its own type."""


class Function(Handle):
    pass


class Kernel(Handle):
    pass


class Stream(Handle):
    pass


class Error(int):
    @property
    def name(self) -> str:
        return f"CUDA_ERROR_{int(self)}"


OK = Error(0)
# What may be called while a stream is captured into a graph: launches, and what concerns no stream.
_CAPTURABLE = ("cuLaunchKernel", "cuCtxGetCurrent", "cuCtxPushCurrent", "cuCtxPopCurrent", "cuInit", "cuPointerGetAttribute")  # fmt: skip


def build(folder: Path) -> ctypes.CDLL:
    """The kernels' text, compiled for the host."""
    if not shutil.which("g++") or platform.libc_ver()[0] != "glibc":
        pytest.skip("g++ is not installed, or the C library has no coroutines")
    library = folder / "kernels.so"
    kernels = Path(compiling.__file__).with_name("kernels.cu")
    subprocess.run(
        ["g++", "-std=gnu++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-w", f'-DKERNELS_FILE="{kernels}"',
         str(Path(__file__).with_name("cuda_host.cpp")), "-o", str(library)], check=True
    )  # fmt: skip
    return ctypes.CDLL(str(library))


class HostDriver:
    """Two devices of compute capability 9.0 with 2 multiprocessors each. `launched` holds (name, blocks, device, stream)."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.current: list[int] = []
        self.loaded: list[Kernels] = []
        self.launched: list[tuple[str, int, int, int]] = []
        self.copied: list[tuple[int, int, int]] = []
        self.functions: dict[int, tuple[str, str]] = {}
        self.fails = ""
        self.capturing = False
        self.allocated: dict[int, np.ndarray] = {}
        self.room = 1 << 30
        self.streams = {0: 0, 1: 0}  # of which device each is; 0 and 1 are the default streams of any
        self.CUstream, self.CUfunction, self.CUkernel = Stream, Function, Kernel
        self.native = self._native()
        names = ("COMPUTE_CAPABILITY_MAJOR", "COMPUTE_CAPABILITY_MINOR", "MULTIPROCESSOR_COUNT")
        self.attributes = dict(zip(names, (9, 0, 2), strict=True))
        self.CUdevice_attribute = SimpleNamespace(**{f"CU_DEVICE_ATTRIBUTE_{name}": name for name in names})
        self.CUpointer_attribute = SimpleNamespace(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL="ordinal")
        self.ordinals: dict[int, int] = {}

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("cu") and name[2:3].isupper() and object.__getattribute__(self, "fails") == name:
            return lambda *arguments: (Error(700),)
        if name.startswith("cu") and name[2:3].isupper() and object.__getattribute__(self, "capturing"):
            assert name in _CAPTURABLE, name
        return object.__getattribute__(self, name)

    def cuInit(self, flags: int) -> Any:  # noqa: N802
        assert flags == 0
        return (OK,)

    def cuDeviceGet(self, ordinal: int) -> Any:  # noqa: N802
        return (OK, Handle(ordinal)) if ordinal in (0, 1) else (Error(101),)

    def cuDeviceGetAttribute(self, attribute: str, device: Handle) -> Any:  # noqa: N802
        assert isinstance(device, Handle)
        return OK, self.attributes[attribute]

    def cuDevicePrimaryCtxRetain(self, device: Handle) -> Any:  # noqa: N802
        return OK, Handle(1000 + device)

    def cuCtxGetCurrent(self) -> Any:  # noqa: N802
        return OK, Handle(self.current[-1] if self.current else 0)

    def cuCtxPushCurrent(self, context: Handle) -> Any:  # noqa: N802
        assert isinstance(context, Handle)
        self.current.append(context)
        return (OK,)

    def cuCtxPopCurrent(self) -> Any:  # noqa: N802
        return OK, self.current.pop()

    def cuPointerGetAttribute(self, attribute: str, address: int) -> Any:  # noqa: N802
        assert attribute == "ordinal"
        return OK, self.ordinals[address]

    def cuMemAlloc(self, size: int) -> Any:  # noqa: N802
        assert size > 0 and self.current
        if size > self.room:
            return Error(2), None
        memory = np.full(size + 256, 0xA5, np.uint8)
        address = -(-memory.ctypes.data // 256) * 256
        self.allocated[address] = memory
        return OK, Handle(address)

    def cuMemFree(self, address: int) -> Any:  # noqa: N802
        assert self.current
        del self.allocated[address]
        return (OK,)

    def cuLibraryLoadData(self, code: bytes, *options: Any) -> Any:  # noqa: N802
        assert options == ([], [], 0, [], [], 0)
        self.loaded.append(Kernels(*eval(code.decode())))
        return OK, Handle(len(self.loaded))

    def cuLibraryGetKernel(self, library: Handle, name: bytes) -> Any:  # noqa: N802
        kernels = self.loaded[library - 1]
        kind = name.decode().partition("_")[0]
        if name.decode() != kernels.name(kind):
            return (Error(500),)
        handle = Handle(0x10000 + len(self.functions))
        self.functions[handle] = name.decode(), kind
        return OK, handle

    def cuKernelGetFunction(self, kernel: Kernel) -> Any:  # noqa: N802
        assert isinstance(kernel, Kernel) and self.current
        return OK, Function(kernel)

    def cuGetProcAddress(self, name: bytes, version: int, flags: int) -> Any:  # noqa: N802
        assert (version, flags) == (12000, 0)
        return OK, ctypes.cast(self.native[name.decode()], ctypes.c_void_p).value, 0

    def _native(self) -> dict[str, Any]:
        """Functions for C, as the driver's own are. They return an error's number."""

        def context_of(stream: int, to: Any) -> int:
            if stream not in self.streams:
                return 400
            to[0] = 1000 + self.streams[stream]
            return 0

        def push(context: int) -> int:
            return int(self.cuCtxPushCurrent(Handle(context))[0])

        def pop(to: Any) -> int:
            to[0] = int(self.cuCtxPopCurrent()[1])
            return 0

        def launch(kernel: int, *given: Any) -> int:
            *grid, stream, arguments, extra = given
            return int(
                self.cuLaunchKernel(Function(kernel), *grid, Stream(stream or 0), arguments, extra or 0)[0]
            )

        pointer, number = ctypes.c_void_p, ctypes.c_uint
        one, c = ctypes.POINTER(pointer), partial(ctypes.CFUNCTYPE, ctypes.c_int)
        return {
            "cuStreamGetCtx": c(pointer, one)(context_of),
            "cuCtxPushCurrent": c(pointer)(push),
            "cuCtxPopCurrent": c(one)(pop),
            "cuLaunchKernel": c(pointer, *[number] * 7, pointer, pointer, pointer)(launch),
        }

    def cuMemcpyHtoDAsync(self, to: int, values: Any, count: int, stream: Stream) -> Any:  # noqa: N802
        assert isinstance(stream, Stream) and self.current
        raw = bytes(values)
        assert len(raw) == count
        ctypes.memmove(to, raw, count)
        self.copied.append((to, count, self.current[-1] - 1000))
        return (OK,)

    def cuLaunchKernel(  # noqa: N802
        self, function: Function, x: int, y: int, z: int, threads: int, ty: int, tz: int, shared: int, stream: Stream,
        arguments: int, extra: int,
    ) -> Any:  # fmt: skip
        assert isinstance(function, Function) and isinstance(stream, Stream)
        assert (z, threads, ty, tz, shared, extra) == (1, 256, 1, 1, 0, 0)
        assert 1 <= x < 2**31 and 1 <= y < 2**16
        assert self.current, "no context"
        ordinal = self.current[-1] - 1000
        assert stream in (0, 1) or self.streams[stream] == ordinal, "a stream of another device"
        name, kind = self.functions[function]
        sizes = (ctypes.c_uint32 * 7).in_dll(self.library, f"{kind}_sizes")
        total = 0
        pointers = (ctypes.c_void_p * 7).from_address(arguments)
        for i, size in enumerate(sizes[: list(sizes).index(0)]):
            total = -(-total // 8) * 8 + size
            assert pointers[i]
        assert total <= 4096, "the arguments of a kernel"
        self.launched.append((name, x, ordinal, int(stream)))
        run = getattr(self.library, f"launch_{kind}")
        kernel = ctypes.cast(getattr(self.library, name), ctypes.c_void_p)
        run(
            kernel,
            ctypes.c_uint32(x),
            ctypes.c_uint32(y),
            ctypes.c_uint32(threads),
            ctypes.c_void_p(arguments),
        )
        return (OK,)


@contextmanager
def devices(library: ctypes.CDLL) -> Iterator[HostDriver]:
    """fastinit.cuda on stand-in devices for a while."""
    stand_in = HostDriver(library)
    caches = (driver.device, driver._kernel, driver._library, driver.missing, program._load, program._connect)
    before = driver.api, driver.cubin, driver.nvrtc
    for cache in caches:
        cache.cache_clear()
    driver.api = lambda: stand_in
    driver.nvrtc = lambda: None
    driver.cubin = lambda kernels, arch: repr(tuple(kernels)).encode() if arch == "90" else b""
    try:
        yield stand_in
    finally:
        driver.api, driver.cubin, driver.nvrtc = before
        for cache in caches:
            cache.cache_clear()


class DeviceArray:
    """An array on a device, as CuPy and Numba make them: it tells its address by `__cuda_array_interface__`."""

    def __init__(self, values: np.ndarray, stand_in: HostDriver, ordinal: int = 0, stream: Any = None, **changes: Any) -> None:  # fmt: skip
        self.values = values
        stand_in.ordinals[values.ctypes.data] = ordinal
        self.__cuda_array_interface__ = {
            "shape": values.shape, "typestr": values.dtype.str, "data": (values.ctypes.data, False), "version": 3,
            "strides": None if values.flags.c_contiguous else values.strides, "stream": stream,
        } | changes  # fmt: skip


class DlpackArray:
    """An array on a device that speaks only DLPack; an old exporter takes no `max_version`."""

    def __init__(self, values: np.ndarray, device: tuple[int, int] = (2, 0), old: bool = False) -> None:
        self.values, self.device, self.old = values, device, old
        self.streams: list[int] = []

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __dlpack__(self, *, stream: int, **options: Any) -> Any:
        if self.old and options:
            raise TypeError("__dlpack__() got an unexpected keyword argument")
        self.streams.append(stream)
        return self.values.__dlpack__(**options)
