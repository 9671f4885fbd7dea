"""torch's tensors and models on stand-in devices: the host's bits, in place, on torch's stream; and what measures a GPU."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, optional, program_of
from cuda_stand_in import DeviceArray, HostDriver

import fastinit as fi
from fastinit import cuda


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize("raw", [True, False])
def test_fill_of_a_cuda_tensor(raw: bool, gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = optional("torch")

    class OnGpu(torch.Tensor):  # type: ignore[name-defined,misc]
        is_cuda = True

        def get_device(self) -> int:
            return 1

    asked: list[int] = []

    def current_stream(ordinal: int) -> SimpleNamespace:
        asked.append(ordinal)
        return SimpleNamespace(cuda_stream=9)

    # As torch for CUDA has it, and as it would be without that private function.
    if raw:
        name = "_cuda_getCurrentRawStream"
        monkeypatch.setattr(
            torch._C, name, lambda ordinal: current_stream(ordinal).cuda_stream, raising=False
        )
    else:
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

    from fastinit.torch import normal_, sparse_, tensors, trunc_normal_, uniform_

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
    sparse_(torch.zeros(5, 5), 0.2)
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


def test_a_draw_that_is_captured_only_launches(on_gpu: HostDriver) -> None:
    """Once the kernels are loaded: no allocation, copy or wait, which a CUDA graph could not hold."""
    import torch

    from fastinit.torch import init_, normal_

    def everything() -> None:
        fi.fill(DeviceArray(zeros((300,)), on_gpu, stream=7), fi.Normal(), seed=0)
        fi.fill(DeviceArray(zeros((30, 40)).T, on_gpu, stream=7), fi.Normal(), seed=0)
        normal_(torch.zeros(3, 5), generator=torch.Generator().manual_seed(1))
        init_(torch.nn.Sequential(*[torch.nn.Linear(4, 4) for _ in range(9)]), "he_normal", seed=0)

    everything()
    kinds = [name.partition("_")[0] for name, *_ in on_gpu.launched]
    assert set(kinds) == {"run", "box", "batch"}
    on_gpu.capturing = True
    everything()
    assert len(on_gpu.launched) == 2 * len(kinds)


def test_what_a_gpu_is_checked_by(on_gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    # Tensors that pass for those of a GPU say so by DLPack too, unless they are the check's own.
    checks = program_of("tools/gpu_checks.py")
    real = fi.fill
    host: list[bool] = []

    def fill(out: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        from fastinit.torch.tensors import memory_of

        host.append(not host or not host[-1])  # the device's comes first, then the host's
        place = cuda.Place(0, 7) if host[-1] else None
        real(memory_of(out, place), *arguments, **options)
        return out

    monkeypatch.setattr(checks.fi, "fill", fill)
    found = checks.check("cpu", 3000, 5000)
    assert not found.wrong and found.values > 1_000_000
    assert {"run", "box", "batch"} == {name.partition("_")[0] for name, *_ in on_gpu.launched}


def test_without_a_gpu_the_check_says_so() -> None:
    """In a process of its own: a name that this one has imported may be missing there."""
    torch = optional("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "check_gpu.py")], capture_output=True, text=True
    )
    assert done.returncode == 2 and not done.stderr, done.stderr
    assert done.stdout.strip() in (cuda.missing(), "torch sees no NVIDIA GPU")
    program = "import sys; sys.path.insert(0, 'bench'); import torch, gpu; torch.cuda.is_available = lambda: True; print(gpu.available())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == [str(not cuda.missing())], done.stderr


def test_bench_runs(on_gpu: HostDriver) -> None:
    parts = program_of("bench/parts.py")
    gpu = program_of("bench/gpu.py")
    scale = parts.Scale(buffer=1 << 12, tensors=5, pairs=1, calls=1)
    rows = gpu.gpu_part(scale, "cpu")
    assert len([row for row in rows if row.value is not None]) >= 40
