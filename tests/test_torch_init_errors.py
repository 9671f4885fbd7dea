"""The drop-in for torch.nn.init refuses what torch refuses, by errors of torch's classes."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import optional

torch = optional("torch")
from torch_draws import (  # noqa: E402
    INF,
    NAN,
    every_function,
)

import fastinit.torch as init  # noqa: E402
from fastinit.torch import tensors  # noqa: E402

theirs = torch.nn.init
SQUARE = (4, 4)
BAD: list[Any] = [
    ("uniform_", SQUARE, {"a": 1, "b": 0}),
    ("uniform_", SQUARE, {"a": NAN}),
    ("uniform_", SQUARE, {"b": NAN}),
    ("uniform_", SQUARE, {"b": INF}),
    ("uniform_", SQUARE, {"b": 1e39}),
    ("uniform_", SQUARE, {"a": "0"}),
    ("uniform_", SQUARE, {"a": None}),
    ("uniform_", SQUARE, {"a": 1j}),
    ("uniform_", SQUARE, {"a": torch.zeros(1)}),
    ("uniform_", SQUARE, {"generator": 1}),
    ("normal_", SQUARE, {"std": -1}),
    ("normal_", SQUARE, {"std": NAN}),
    ("normal_", SQUARE, {"std": None}),
    ("normal_", SQUARE, {"generator": "g"}),
    ("trunc_normal_", SQUARE, {"a": 2, "b": 1}),
    ("trunc_normal_", SQUARE, {"a": NAN}),
    ("trunc_normal_", SQUARE, {"b": NAN}),
    ("trunc_normal_", SQUARE, {"std": "1"}),
    ("xavier_uniform_", (), {}),
    ("xavier_uniform_", (4,), {}),
    ("xavier_uniform_", SQUARE, {"gain": -1}),
    ("xavier_uniform_", SQUARE, {"gain": NAN}),
    ("xavier_uniform_", SQUARE, {"gain": INF}),
    ("xavier_uniform_", SQUARE, {"gain": "x"}),
    ("xavier_normal_", (), {}),
    ("xavier_normal_", (4,), {}),
    ("xavier_normal_", SQUARE, {"gain": -1}),
    ("xavier_normal_", SQUARE, {"gain": NAN}),
    ("xavier_normal_", SQUARE, {"gain": None}),
    ("kaiming_uniform_", (), {}),
    ("kaiming_uniform_", (4,), {}),
    ("kaiming_uniform_", SQUARE, {"mode": "fan_avg"}),
    ("kaiming_uniform_", SQUARE, {"nonlinearity": "gelu"}),
    ("kaiming_uniform_", SQUARE, {"a": NAN}),
    ("kaiming_uniform_", SQUARE, {"a": True}),
    ("kaiming_uniform_", SQUARE, {"a": 1e200}),
    ("kaiming_normal_", (), {}),
    ("kaiming_normal_", (4,), {}),
    ("kaiming_normal_", SQUARE, {"mode": "fan_avg"}),
    ("kaiming_normal_", SQUARE, {"mode": 3}),
    ("kaiming_normal_", SQUARE, {"nonlinearity": "gelu"}),
    ("kaiming_normal_", SQUARE, {"a": "0"}),
    ("kaiming_normal_", SQUARE, {"a": NAN}),
    ("orthogonal_", (), {}),
    ("orthogonal_", (4,), {}),
    ("orthogonal_", SQUARE, {"gain": "x"}),
    ("sparse_", (4,), {"sparsity": 0.5}),
    ("sparse_", (4, 4, 4), {"sparsity": 0.5}),
    ("sparse_", SQUARE, {"sparsity": NAN}),
    ("sparse_", SQUARE, {"sparsity": "x"}),
    ("sparse_", SQUARE, {"sparsity": 0.5, "std": -1}),
    ("sparse_", SQUARE, {"sparsity": 0.5, "std": NAN}),
    ("eye_", (4,), {}),
    ("eye_", (4, 4, 4), {}),
    ("dirac_", (4,), {}),
    ("dirac_", SQUARE, {}),
    ("dirac_", (2,) * 6, {}),
    ("dirac_", (4, 4, 4), {"groups": 3}),
    ("dirac_", (4, 4, 4), {"groups": "x"}),
    ("dirac_", (4, 4, 4), {"groups": 2.0}),
]  # fmt: skip


# torch takes these, or stumbles over them (ZeroDivisionError).
WORSE: list[Any] = [
    ("normal_", {"mean": NAN}, "mean"),
    ("normal_", {"mean": INF}, "mean"),
    ("normal_", {"std": INF}, "std"),
    ("normal_", {"mean": 1e39}, "float32"),
    ("trunc_normal_", {"mean": NAN}, "mean"),
    ("trunc_normal_", {"mean": INF}, "mean"),
    ("trunc_normal_", {"std": NAN}, "std"),
    ("trunc_normal_", {"std": INF}, "std"),
    ("trunc_normal_", {"std": -1}, "std"),
    ("trunc_normal_", {"std": 0, "mean": 3}, "std"),
    ("xavier_normal_", {"gain": INF}, "gain"),
    ("kaiming_normal_", {"a": INF}, "negative_slope"),
    ("kaiming_uniform_", {"a": -INF}, "negative_slope"),
    ("orthogonal_", {"gain": NAN}, "gain"),
    ("orthogonal_", {"gain": INF}, "gain"),
    ("sparse_", {"sparsity": -0.1}, "sparsity"),
    ("sparse_", {"sparsity": 1.1}, "sparsity"),
    ("sparse_", {"sparsity": 0.5, "std": INF}, "std"),
    ("dirac_", {"groups": 0}, "groups"),
    ("dirac_", {"groups": -1}, "groups"),
]


def refused(name: str, tensor: Any, arguments: dict[str, Any], module: Any = init) -> Any:
    """The error; the tensor and the default generator must be as before."""
    before, version, state = tensor.clone(), tensor._version, torch.get_rng_state()
    with pytest.raises(Exception) as caught:
        getattr(module, name)(tensor, **arguments)
    if module is init:
        assert torch.equal(tensor, before) and tensor._version == version
        assert torch.equal(torch.get_rng_state(), state)
    return caught


@pytest.mark.parametrize(("name", "shape", "arguments"), BAD, ids=str)
def test_errors_are_of_torchs_class(name: str, shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    other = refused(name, torch.full(shape, 7.0), arguments, theirs).type
    ours = refused(name, torch.full(shape, 7.0), arguments).type
    assert issubclass(ours, other)
    assert other is not RuntimeError or issubclass(ours, ValueError)


@pytest.mark.parametrize(("name", "arguments", "match"), WORSE, ids=str)
def test_errors_where_torch_has_none(name: str, arguments: dict[str, Any], match: str) -> None:
    shape = (4, 4, 4) if name == "dirac_" else SQUARE
    error = refused(name, torch.full(shape, 7.0), arguments)
    assert error.type in (ValueError, tensors.InvalidValueError) and match in str(error.value)


def test_overlapping_tensors() -> None:
    for name, numbers in every_function((4, 2)):
        if name in ("constant_", "ones_", "zeros_"):
            continue
        for tensor in (torch.zeros(2, 1).expand(2, 2), torch.zeros(5).as_strided((4, 2), (1, 1))):
            error = refused(name, tensor, numbers)
            assert issubclass(error.type, ValueError) and "overlaps" in str(error.value)
    with pytest.raises(ValueError, match="overlaps"):
        init.dirac_(torch.zeros(2, 2, 1).expand(2, 2, 3))
