"""The draws of the drop-in for torch.nn.init, with the distribution of each."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from conftest import optional

import fastinit as fi

torch = optional("torch")

theirs = torch.nn.init
NAN, INF = math.nan, math.inf
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPE, FAN_IN, FAN_OUT = (20, 6, 3, 5), 90, 300
SQRT3 = math.sqrt(3)


def symmetric(bound: float) -> fi.Uniform:
    return fi.Uniform(-bound, bound)


DRAWS: list[Any] = [
    ("uniform_", {"a": -1, "b": 3}, fi.Uniform(-1, 3)),
    ("normal_", {"mean": 1, "std": 2}, fi.Normal(1, 2)),
    ("trunc_normal_", {"std": 0.5, "a": -0.5}, fi.TruncatedNormal(0, 0.5, -0.5, 2)),
    ("xavier_uniform_", {"gain": 2}, symmetric(SQRT3 * (2 * math.sqrt(2 / (FAN_IN + FAN_OUT))))),
    ("xavier_normal_", {"gain": 2}, fi.Normal(0, 2 * math.sqrt(2 / (FAN_IN + FAN_OUT)))),
    ("kaiming_uniform_", {"a": 0.5}, symmetric(SQRT3 * (math.sqrt(2 / 1.25) / math.sqrt(FAN_IN)))),
    ("kaiming_normal_", {"nonlinearity": "tanh", "mode": "fan_out"}, fi.Normal(0, 5 / 3 / math.sqrt(FAN_OUT))),
    ("orthogonal_", {"gain": 2}, fi.distribution("orthogonal", SHAPE, gain=2)),
]  # fmt: skip


every_draw = pytest.mark.parametrize(("name", "numbers", "law"), DRAWS)


def next_seed(generator: Any) -> int:
    return int(torch.empty((), dtype=torch.int64).random_(-(2**63), None, generator=generator)) % 2**64


def generator(seed: int = 7) -> Any:
    return torch.Generator().manual_seed(seed)


def as_numpy(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().resolve_neg().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def drawn(law: Any, dtype: Any, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    array = as_numpy(torch.zeros(shape, dtype=dtype))
    fi.fill(array, law, seed=next_seed(generator()))
    return array


EVERY_DTYPE = [*DTYPES, torch.complex64, torch.int64, torch.uint8, torch.bool, torch.float8_e8m0fnu]


def every_function(shape: tuple[int, ...]) -> list[tuple[str, dict[str, Any]]]:
    calls = [(name, numbers) for name, numbers, _ in DRAWS]
    calls += [("constant_", {"val": 2.0}), ("ones_", {}), ("zeros_", {})]
    calls += [("sparse_", {"sparsity": 0.5})] if len(shape) == 2 else []
    return calls + ([("eye_", {})] if len(shape) == 2 else [("dirac_", {})])
