"""Orthogonal matrices on stand-in devices: torch's and CuPy's products, of the pieces that the kernels draw."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import optional
from cuda_stand_in import DeviceArray, HostDriver

import fastinit as fi
from fastinit.drawing.memory import Memory

LAWS = [
    (fi.distribution("orthogonal", (300, 40), gain=0.5), (300, 40)),
    (fi.distribution("orthogonal", (40, 300)), (40, 300)),
    (fi.distribution("orthogonal", (700, 600), gain=-2.0), (700, 600)),
    (fi.distribution("orthogonal", (1, 1)), (1, 1)),
    (fi.distribution("orthogonal", (12, 20, 3), axis=1), (12, 20, 3)),
    (fi.distribution("orthogonal", (24, 8), packed=3), (24, 8)),
    (fi.distribution("orthogonal", (5, 8, 6), layout="bio"), (5, 8, 6)),
    (fi.distribution("delta_orthogonal", (6, 3, 3), groups=2, gain=1.5), (6, 3, 3)),
    (fi.distribution("delta_orthogonal", (4, 3, 6, 7), layout="hwio"), (4, 3, 6, 7)),
    (fi.distribution("delta_orthogonal", (6, 3, 3), groups=2, transposed=True), (6, 3, 3)),
    (fi.distribution("conv_orthogonal", (5, 3, 3, 2)), (5, 3, 3, 2)),
    (fi.distribution("conv_orthogonal", (4, 8, 3)), (4, 8, 3)),
    (fi.distribution("conv_orthogonal", (6, 2, 3, 3), groups=2, gain=2.0), (6, 2, 3, 3)),
]
# Half of the products' rounding is the host's, in float32 or float64; then values are rounded to the dtype.
BOUNDS = {"float64": 40 * 2**-52, "float32": 40 * 2**-23, "bfloat16": 2**-7, "float16": 2**-10}


def device_memory(tensor: Any) -> Memory:
    from fastinit import cuda
    from fastinit.torch.tensors import memory_of

    return memory_of(tensor, cuda.Place(0, 7))


@pytest.mark.parametrize(("law", "shape"), LAWS, ids=str)
def test_orthogonal_by_torch(law: Any, shape: tuple[int, ...], on_gpu: HostDriver) -> None:
    torch = optional("torch")
    for dtype, bound in BOUNDS.items():
        on_gpu.launched.clear()
        found = torch.zeros(shape, dtype=getattr(torch, dtype))
        fi.fill(device_memory(found), law, seed=3, name="w")
        assert on_gpu.launched and {launch[2:] for launch in on_gpu.launched} == {(0, 7)}
        expected = fi.fill(torch.zeros_like(found), law, seed=3, name="w")
        assert abs(found.double() - expected.double()).max() <= bound * abs(law.gain), dtype
    assert not on_gpu.copied and not on_gpu.current


def test_views_and_blocks_of_an_orthogonal_matrix(on_gpu: HostDriver) -> None:
    torch = optional("torch")
    law = fi.distribution("orthogonal", (40, 30))
    whole = torch.from_numpy(fi.orthogonal((40, 30), seed=0, name="w"))
    room = torch.zeros(60, 90)
    for view, block in (
        (room[5:45, ::3], ...), (room[:30, 7:47].T, ...), (room[1:9, :15], (slice(8, 16), slice(0, 30, 2))), (room[3, :30], 7),
    ):  # fmt: skip
        room.zero_()
        fi.fill(device_memory(view), law, seed=0, name="w", shape=(40, 30), block=block)
        assert abs(view - whole[block]).max() < 40 * 2**-23
        view.zero_()
        assert not room.any()
    # What torch cannot slice is the host's.
    on_gpu.launched.clear()
    view = room[:40, :30].contiguous()
    fi.fill(device_memory(view), law, seed=0, name="w", block=slice(None, None, -1))
    assert torch.equal(view.flip(0), whole) and len(on_gpu.copied) == 1 and not on_gpu.launched


def test_orthogonal_in_models_and_shards(on_gpu: HostDriver) -> None:
    torch = optional("torch")
    from fastinit.torch import init_, orthogonal_
    from fastinit.torch.sharded import Task, fill_task

    tensor = torch.zeros(30, 20)
    orthogonal_(tensor, gain=3)
    assert abs(tensor.T @ tensor - 9 * torch.eye(20)).max() < 1e-5
    model = init_(torch.nn.LSTM(8, 16), {"weight_hh*": "orthogonal", "*": "zeros"}, seed=1)
    gates = model.weight_hh_l0.detach().view(4, 16, 16)
    assert abs(gates @ gates.mT - torch.eye(16)).max() < 1e-5
    whole = torch.from_numpy(fi.orthogonal((16, 12), seed=9, name="w"))
    local = torch.zeros(6, 11)
    law = fi.distribution("orthogonal", (16, 12))
    on_gpu.launched.clear()
    fill_task(Task(local, local, law, "w", (16, 12), (((2, 3), (10, 3)), ((1, 11),))), 9, 1)
    assert abs(local - torch.cat([whole[2:5, 1:], whole[10:13, 1:]])).max() < 1e-6
    assert len(on_gpu.launched) == 1  # the whole matrix once, for both pieces


def test_a_gain_beyond_the_dtype_is_named(on_gpu: HostDriver) -> None:
    torch = optional("torch")
    tensor = torch.zeros(4, 4, dtype=torch.float16)
    with pytest.raises(ValueError, match="has values too large for float16"):
        fi.fill(device_memory(tensor), fi.distribution("orthogonal", (4, 4), gain=1e6), seed=0)
    assert not tensor.any() and not on_gpu.launched


def test_orthogonal_by_cupy(gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy has NumPy's functions. What is particular is that an array is made on the device that is current."""
    current: list[int] = []

    class Device:
        def __init__(self, ordinal: int) -> None:
            self.ordinal = ordinal

        def __enter__(self) -> None:
            current.append(self.ordinal)

        def __exit__(self, *error: object) -> None:
            current.pop()

    def zeros(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        assert current == [1]
        return np.zeros(shape, dtype)

    class CupyArray(DeviceArray):
        def __setitem__(self, place: Any, values: np.ndarray) -> None:
            self.values[place] = values

    names = ("concatenate", "diag", "diagonal", "float32", "float64", "linalg", "moveaxis", "ones_like", "sqrt", "stack", "tril",
             "triu", "where", "zeros_like")  # fmt: skip
    functions = {name: getattr(np, name) for name in names}
    fake = SimpleNamespace(ndarray=CupyArray, cuda=SimpleNamespace(Device=Device), zeros=zeros, **functions)
    monkeypatch.setitem(sys.modules, "cupy", fake)  # type: ignore[arg-type]
    for law, shape in LAWS:
        values = np.zeros(shape[::-1], np.float32).T
        fi.fill(CupyArray(values, gpu, ordinal=1, stream=9), law, seed=3, name="w")
        assert {launch[2:] for launch in gpu.launched} == {(1, 9)} and not gpu.copied and not current
        expected = fi.fill(np.zeros(shape, np.float32), law, seed=3, name="w")
        assert abs(values - expected).max() <= BOUNDS["float32"] * abs(law.gain)
