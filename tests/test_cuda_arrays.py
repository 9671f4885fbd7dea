"""Arrays on stand-in devices through the public functions: the bits of NumPy arrays, in place, on the owner's stream."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cuda_stand_in
import numpy as np
import pytest
from conftest import optional
from cuda_stand_in import DeviceArray, DlpackArray, HostDriver

import fastinit as fi
from fastinit import cuda
from fastinit.cuda import driver
from fastinit.cuda.compiling import Kernels


def zeros(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64"])
def test_fill_is_that_of_a_numpy_array(dtype: str, gpu: HostDriver) -> None:
    expected = fi.fill(zeros((37, 45), dtype), fi.Normal(std=0.02), seed=3, name="w")
    values = zeros((37, 45), dtype)
    out = DeviceArray(values, gpu, ordinal=1, stream=9)
    assert fi.fill(out, fi.Normal(std=0.02), seed=3, name="w") is out
    assert values.tobytes() == expected.tobytes()
    assert {(ordinal, stream) for *_, ordinal, stream in gpu.launched} == {(1, 9)}
    # DLPack: the stream is told to the owner, which has no other way to say its own.
    for old in (False, True):
        values = zeros((37, 45), dtype)
        by_dlpack = DlpackArray(values, old=old)
        fi.fill(by_dlpack, fi.Normal(std=0.02), seed=3, name="w")
        assert values.tobytes() == expected.tobytes() and by_dlpack.streams == [1]
    assert gpu.launched[-1][2:] == (0, 1)
    assert not gpu.current and not gpu.copied


def test_views_and_blocks(gpu: HostDriver) -> None:
    whole = fi.he_normal((40, 50), seed=0, name="w")
    for view, block in (
        (zeros((50, 40)).T, ...), (zeros((40, 100))[:, ::2], ...), (zeros((40, 50))[::-1], ...),
        (zeros((8, 50)), slice(8, 16)), (zeros((40, 16)), (slice(None), slice(16, 32))), (zeros((40, 7)).T[:, ::3], None),
    ):  # fmt: skip
        out = DeviceArray(view, gpu)
        if block is None:
            block = (slice(3, 10), slice(0, 40, 3))
        fi.he_normal((40, 50), out=out, seed=0, name="w", block=block)
        np.testing.assert_array_equal(view, whole[block])


def test_versions_of_the_cuda_array_interface(gpu: HostDriver) -> None:
    expected = fi.fill(zeros((6, 8)), fi.Normal(), seed=3)
    gpu.streams |= {2: 0, 7: 0}
    # Version 2 has no streams and may leave strides out; in 3 the stream is None, 1, 2 (of the thread) or a handle.
    for version, keys, stream in ((2, {}, 1), (3, {"stream": None}, 1), (3, {"stream": 1}, 1), (3, {"stream": 2}, 2), (3, {"stream": 7}, 7)):  # fmt: skip
        for strides in (None, "left out", (32, 4)):
            values = zeros((6, 8))
            out = DeviceArray(values, gpu, version=version, strides=strides, **keys)
            if version == 2:
                del out.__cuda_array_interface__["stream"]
            if strides == "left out":
                del out.__cuda_array_interface__["strides"]
            assert fi.fill(out, fi.Normal(), seed=3) is out
            np.testing.assert_array_equal(values, expected)
            assert gpu.launched[-1][2:] == (0, stream)
    # What numba and CuPy give as address, shape and strides are any integers.
    values = zeros((8, 6)).T
    numbers = {"shape": [np.int64(6), np.int64(8)], "strides": [np.int64(4), np.int64(24)]}
    fi.fill(
        DeviceArray(values, gpu, data=(np.uint64(values.ctypes.data), False), **numbers), fi.Normal(), seed=3
    )
    np.testing.assert_array_equal(values, expected)


def test_arrays_without_elements(gpu: HostDriver) -> None:
    for shape in ((0,), (0, 3), (3, 0, 5)):
        for strides in (None, tuple([4] * len(shape))):
            for data in ((0, False), (None, False)):
                out = DeviceArray(zeros(shape), gpu, data=data, strides=strides)
                assert fi.fill(out, fi.Normal(), seed=0) is out
                if len(shape) > 1:
                    assert fi.orthogonal(shape, out=out, seed=0) is out
        with pytest.raises(ValueError, match="out is read-only"):
            fi.fill(DeviceArray(zeros(shape), gpu, data=(0, True)), fi.Normal(), seed=0)
    scalar = zeros(())
    fi.fill(DeviceArray(scalar, gpu), fi.Normal(), seed=3)
    assert scalar == fi.fill(zeros(()), fi.Normal(), seed=3)


def test_dlpack_says_read_only(gpu: HostDriver) -> None:
    values = zeros((4, 4))
    values.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        fi.fill(DlpackArray(values), fi.Normal(), seed=0)
    # An exporter that cannot say so by DLPack, as CuPy's, says it by its other interface.
    both: Any = DlpackArray(zeros((4, 4)))
    both.__cuda_array_interface__ = {"data": (both.values.ctypes.data, True)}
    with pytest.raises(ValueError, match="out is read-only"):
        fi.fill(both, fi.Normal(), seed=0)
    # And its stream.
    both.__cuda_array_interface__ = {"data": (both.values.ctypes.data, False), "stream": 7}
    fi.fill(both, fi.Normal(), seed=0)
    assert both.streams == [7] and gpu.launched[-1][2:] == (0, 7)


def test_kernels_are_loaded_once_by_several_threads(gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, real = list[Kernels](), driver.cubin

    def slow(kernels: Kernels, arch: str) -> bytes:
        compiled.append(kernels)
        time.sleep(0.05)
        return real(kernels, arch)

    monkeypatch.setattr(driver, "cubin", slow)
    wanted = [
        (Kernels(law, "float32", False), kind) for law in ("normal", "constant") for kind in ("run", "box")
    ]
    with ThreadPoolExecutor(8) as pool:
        handles = list(pool.map(lambda one: driver.kernel(one[0], "90", one[1]), wanted * 4))
    assert len(compiled) == len(gpu.loaded) == 2 and len(set(handles)) == 4
    assert handles == handles[:4] * 4


def test_another_context_stays_current(gpu: HostDriver) -> None:
    gpu.current.append(cuda_stand_in.Handle(1001))
    fi.fill(DeviceArray(zeros((100,)), gpu, ordinal=0), fi.Normal(), seed=0)
    fi.fill(DeviceArray(zeros((100,)), gpu, ordinal=1), fi.Normal(), seed=0)
    assert gpu.current == [1001] and [launch[2] for launch in gpu.launched] == [0, 1]
    assert len(gpu.loaded) == 1  # once for both devices


def test_structured_distributions_are_copied(gpu: HostDriver) -> None:
    expected = fi.orthogonal((12, 8), seed=0, name="w")
    for values in (zeros((12, 8)), zeros((8, 12)).T):
        fi.orthogonal((12, 8), out=DeviceArray(values, gpu, ordinal=1, stream=9), seed=0, name="w")
        np.testing.assert_array_equal(values, expected)
    assert [copy[1:] for copy in gpu.copied] == [(384, 1)] * 2 and not gpu.launched
    gaps = zeros((12, 16))[:, ::2]
    with pytest.raises(ValueError, match="out must have no gaps, because the host draws this distribution"):
        fi.orthogonal((12, 8), out=DeviceArray(gaps, gpu), seed=0)
    assert not gaps.any()


def test_what_is_refused(gpu: HostDriver) -> None:
    def refused(out: Any, error: type[Exception], match: str) -> None:
        with pytest.raises(error, match=match):
            fi.fill(out, fi.Normal(), seed=0)

    values = zeros((4, 4))
    address = values.ctypes.data
    refused(DeviceArray(values, gpu, data=(address, True)), ValueError, "out is read-only")
    refused(DeviceArray(values, gpu, mask=object()), TypeError, "not a masked one")
    refused(DeviceArray(values.astype("int32"), gpu), TypeError, "out must be of dtype")
    refused(DeviceArray(values, gpu, typestr=">f4"), ValueError, "foreign byte order")
    refused(DeviceArray(values, gpu, strides=(0, 4)), ValueError, "out overlaps itself")
    refused(DlpackArray(values, device=(10, 0)), ValueError, "not on DLPack device type 10")
    with pytest.raises(ValueError, match="values must be in the CPU's memory, not on a GPU"):
        fi.checksum(DlpackArray(values))
    empty = DeviceArray(zeros((0, 3)), gpu)
    assert fi.fill(empty, fi.Normal(), seed=0) is empty
    assert not values.any() and not gpu.launched


def test_jax_arrays_are_refused(gpu: HostDriver) -> None:
    jax = optional("jax")
    with pytest.raises(TypeError, match="a jax\\.Array is immutable"):
        fi.fill(jax.numpy.zeros(3), fi.Normal(), seed=0)


def test_errors_of_the_driver_are_told(gpu: HostDriver) -> None:
    values = zeros((4,))
    for function in ("cuLaunchKernel", "cuLibraryLoadData", "cuCtxPushCurrent", "cuInit"):
        driver.device.cache_clear()
        driver._library.cache_clear()
        driver._kernel.cache_clear()
        gpu.fails = function
        with pytest.raises(RuntimeError, match=f"{function}: CUDA_ERROR_700"):
            fi.fill(DlpackArray(values), fi.Normal(), seed=0)
        assert not gpu.current
    with pytest.raises(RuntimeError, match="cuDeviceGet: CUDA_ERROR_101"):
        gpu.fails = ""
        fi.fill(DlpackArray(values, device=(2, 5)), fi.Normal(), seed=0)


def test_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "missing", lambda: "drawing on a GPU needs x: y")
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    with pytest.raises(ModuleNotFoundError, match="drawing on a GPU needs x: y"):
        fi.fill(DlpackArray(zeros((3,))), fi.Normal(), seed=rng)
    assert rng.bit_generator.state == before
