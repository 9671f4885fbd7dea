"""Arrays on stand-in devices through the public functions: the bits of NumPy arrays, in place, on the owner's stream."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import cuda_stand_in
import numpy as np
import pytest
from conftest import ROOT, optional
from cuda_stand_in import DeviceArray, DlpackArray, HostDriver

import fastinit as fi
from fastinit import cuda
from fastinit.cuda import driver


@pytest.fixture
def gpu(library: ctypes.CDLL) -> Iterator[HostDriver]:
    with cuda_stand_in.devices(library) as stand_in:
        stand_in.streams |= {7: 0, 9: 1}
        yield stand_in


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
    with pytest.raises(ValueError, match="array must be in the CPU's memory, not on a GPU"):
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


# ------------------------------------------------------------------------------------------------- torch


@pytest.fixture
def on_gpu(gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> HostDriver:
    """torch's CPU tensors pass for those of device 0, whose current stream is 7."""
    optional("torch")
    from fastinit.torch import sharded, tensors

    for module in (tensors, sharded):
        monkeypatch.setattr(module, "gpu_of", lambda tensor: cuda.Place(0, 7))
    return gpu


def test_fill_of_a_cuda_tensor(gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = optional("torch")

    class OnGpu(torch.Tensor):  # type: ignore[name-defined,misc]
        is_cuda = True

        def get_device(self) -> int:
            return 1

    asked: list[int] = []

    def current_stream(ordinal: int) -> SimpleNamespace:
        asked.append(ordinal)
        return SimpleNamespace(cuda_stream=9)

    monkeypatch.setattr(torch.cuda, "current_stream", current_stream)
    values = torch.zeros(20, 33, dtype=torch.bfloat16)
    out = values.T[1:].as_subclass(OnGpu)
    assert fi.fill(out, fi.Normal(), seed=0, name="w") is out
    expected = fi.fill(torch.zeros(32, 20, dtype=torch.bfloat16), fi.Normal(), seed=0, name="w")
    assert torch.equal(values.T[1:], expected) and not values[:, 0].any()
    assert asked == [1] and {launch[2:] for launch in gpu.launched} == {(1, 9)}
    with pytest.raises(TypeError, match=r"out must be of dtype .*, not torch\.int32"):
        fi.fill(torch.zeros(3, dtype=torch.int32).as_subclass(OnGpu), fi.Normal(), seed=0)
    with pytest.raises(ValueError, match="out overlaps itself"):
        fi.fill(torch.zeros(3).expand(4, 3).as_subclass(OnGpu), fi.Normal(), seed=0)


def test_torch_functions(on_gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from fastinit.torch import normal_, orthogonal_, tensors, trunc_normal_, uniform_

    for dtype in (torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.float64, torch.complex64):
        for function in (normal_, uniform_, trunc_normal_):
            if dtype.is_complex and function is trunc_normal_:
                continue
            for tensor in (torch.zeros(37, 45, dtype=dtype), torch.zeros(4, 3, 5, 6, dtype=dtype).to(memory_format=torch.channels_last),
                           torch.zeros(20, 40, dtype=dtype)[::2, 3:].T):  # fmt: skip
                on_gpu.launched.clear()
                function(tensor, generator=torch.Generator().manual_seed(5))
                assert on_gpu.launched and {launch[2:] for launch in on_gpu.launched} == {(0, 7)}
                with monkeypatch.context() as host:
                    host.setattr(tensors, "gpu_of", lambda tensor: None)
                    expected = function(torch.zeros_like(tensor), generator=torch.Generator().manual_seed(5))
                assert torch.equal(
                    torch.view_as_real(tensor) if dtype.is_complex else tensor.double(),
                    torch.view_as_real(expected) if dtype.is_complex else expected.double(),
                )
    on_gpu.launched.clear()
    orthogonal_(torch.zeros(5, 5))
    assert not on_gpu.launched  # the host's


def test_a_cuda_generator_gives_seeds_without_the_device(on_gpu: HostDriver) -> None:
    import torch

    from fastinit.torch import normal_

    class Generator(torch.Generator):
        """As torch's for CUDA: it counts by an offset, of which 4 is a step."""

        offset = 0

        @property
        def device(self) -> torch.device:  # type: ignore[override]
            return torch.device("cuda", 0)

        def get_offset(self) -> int:
            return self.offset

        def set_offset(self, offset: int) -> None:
            assert offset % 4 == 0
            self.offset = offset

    draws = []
    for seed in (1, 1, 2):
        generator = Generator()
        generator.manual_seed(seed)
        draws.append([normal_(torch.zeros(100), generator=generator) for _ in range(2)])
        assert generator.offset == 8
        with pytest.raises(ValueError, match="mean"):
            normal_(torch.zeros(3), mean=float("nan"), generator=generator)
        assert generator.offset == 8
    (a, b), (c, d), (e, _) = draws
    assert torch.equal(a, c) and torch.equal(b, d) and not torch.equal(a, b) and not torch.equal(a, e)


def test_a_model_shares_launches(on_gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch import nn

    from fastinit.torch import init_, sharded, tensors

    def model() -> nn.Module:
        layers: list[nn.Module] = []
        for _ in range(100):
            layers += [nn.Linear(16, 16), nn.ReLU()]
        return nn.Sequential(nn.Conv2d(3, 8, 3), *layers, nn.Linear(16, 300000 // 16)).to(torch.bfloat16)

    found = init_(model(), "he_normal", seed=4)
    with monkeypatch.context() as host:
        for module in (tensors, sharded):
            host.setattr(module, "gpu_of", lambda tensor: None)
        expected = init_(model(), "he_normal", seed=4)
    for (name, a), b in zip(found.named_parameters(), expected.parameters(), strict=True):
        assert torch.equal(a, b), name
    names = [name for name, *_ in on_gpu.launched]
    # 102 weights of 2 stds (the last one is of the same as the 100 before it) and 102 biases.
    assert len(names) == 2 + 1 + 2, names
    assert names.count("batch_normal_bfloat16") == 2 and names.count("batch_constant_bfloat16") == 2


def test_shards_of_a_model(on_gpu: HostDriver) -> None:
    import torch

    from fastinit.drawing.fill import Batch
    from fastinit.laws.distributions import Normal
    from fastinit.torch.sharded import Task, drawn_in_place, parts_of

    # Runs of a strided shard: two pieces of the rows, and all columns but the first.
    local = torch.zeros(6, 31)
    task = Task(local, local, Normal(), "w", (16, 32), (((2, 3), (10, 3)), ((1, 31),)))
    assert drawn_in_place(task)
    batch = Batch(9)
    for part in parts_of(task):
        batch.add(part)
    batch.run(1)
    assert on_gpu.launched
    whole = fi.fill(zeros((16, 32)), Normal(), seed=9, name="w")
    np.testing.assert_array_equal(local.numpy(), np.concatenate([whole[2:5, 1:], whole[10:13, 1:]]))


def _program(path: str) -> Any:
    """A program of bench or tools, which import each other by name."""
    file = ROOT / path
    if (folder := str(ROOT / "bench")) not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def test_what_a_gpu_is_checked_by(on_gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    # Tensors that pass for those of a GPU say so by DLPack too, unless they are the check's own.
    checks = _program("tools/check_gpu.py")
    real = fi.fill
    host: list[bool] = []

    def fill(out: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        from fastinit.torch.tensors import host_memory

        host.append(not host or not host[-1])  # the device's comes first, then the host's
        place = cuda.Place(0, 7) if host[-1] else None
        real(host_memory(out)._replace(place=place), *arguments, **options)
        return out

    monkeypatch.setattr(checks.fi, "fill", fill)
    found = checks.check("cpu", 3000, 5000)
    assert not found.wrong and found.values > 1_000_000
    assert {"run", "box", "batch"} == {name.partition("_")[0] for name, *_ in on_gpu.launched}


def test_bench_runs(on_gpu: HostDriver) -> None:
    parts = _program("bench/parts.py")
    gpu = _program("bench/gpu.py")
    scale = parts.Scale(buffer=1 << 12, tensors=5, pairs=1, calls=1)
    rows = gpu.gpu_part(scale, "cpu")
    assert len([row for row in rows if row.value is not None]) >= 18
