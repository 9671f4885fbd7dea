"""The drop-in for torch.nn.init: what the values are, by statistics and by hand."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from conftest import optional
from scipy import stats

torch = optional("torch")
from torch_draws import (  # noqa: E402
    DTYPES,
    EVERY_DTYPE,
    INF,
    as_numpy,
    generator,
)

import fastinit.torch as init  # noqa: E402

theirs = torch.nn.init
SAMPLE = (60, 50, 3, 3)
KS: list[Any] = [
    ("uniform_", {"a": -2.5, "b": 1.25}, stats.uniform(-2.5, 3.75)),
    ("normal_", {"mean": -1.5, "std": 3.0}, stats.norm(-1.5, 3.0)),
    ("trunc_normal_", {}, stats.truncnorm(-2, 2)),
    ("trunc_normal_", {"mean": 2.5, "std": 0.5, "a": 2.0, "b": 2.25}, stats.truncnorm(-1, -0.5, 2.5, 0.5)),
    ("trunc_normal_", {"mean": 0.0, "std": 1.0, "a": 2.0, "b": 3.0}, stats.truncnorm(2, 3)),
    ("trunc_normal_", {"a": -INF, "b": -1.0}, stats.truncnorm(-np.inf, -1)),
    ("xavier_uniform_", {}, stats.uniform(-(6 / 990) ** 0.5, 2 * (6 / 990) ** 0.5)),
    ("xavier_normal_", {"gain": 1.7}, stats.norm(0, 1.7 * (2 / 990) ** 0.5)),
    ("kaiming_uniform_", {}, stats.uniform(-(6 / 450) ** 0.5, 2 * (6 / 450) ** 0.5)),
    ("kaiming_uniform_", {"a": 1.3, "mode": "fan_out"}, stats.uniform(-(6 / 2.69 / 540) ** 0.5, 2 * (6 / 2.69 / 540) ** 0.5)),
    ("kaiming_normal_", {}, stats.norm(0, (2 / 450) ** 0.5)),
    ("kaiming_normal_", {"a": 0.7, "mode": "fan_out"}, stats.norm(0, (2 / 1.49 / 540) ** 0.5)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "numbers", "law"), KS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_distributions(name: str, numbers: dict[str, float], law: Any, dtype: Any) -> None:
    tensor = torch.empty(SAMPLE, dtype=dtype)
    x = as_numpy(getattr(init, name)(tensor, **numbers, generator=generator(11))).ravel()
    assert stats.kstest(x, law.cdf).pvalue > 1e-3
    assert abs(x.mean() - law.mean()) < 5 * law.std() / x.size**0.5
    assert x.std() == pytest.approx(law.std(), rel=5 / x.size**0.5)
    low, high = law.support()
    assert low * (1 + 1e-6 * np.sign(-low)) <= x.min() and x.max() <= high * (1 + 1e-6 * np.sign(high))


@pytest.mark.parametrize(
    ("dtype", "distinct"), [*zip(DTYPES, (5000, 5000, 3000, 1000), strict=True)], ids=str
)
def test_truncated_normal_keeps_its_bounds_and_its_many_values(dtype: Any, distinct: int) -> None:
    tensor = init.trunc_normal_(torch.empty(10_000, dtype=dtype), generator=generator(1))
    assert tensor.min() >= -2 and tensor.max() <= 2 and tensor.unique().numel() > distinct
    narrow = init.trunc_normal_(torch.empty(10_000, dtype=dtype), std=0.1, generator=generator(1))
    assert narrow.abs().max() < 1


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (20, 2, 3, 4), (2, 3, 4, 5), (1, 1), (130, 130)], ids=str)
@pytest.mark.parametrize("gain", [1, -1.5, torch.tensor(0.25), 0])
def test_orthogonal(shape: tuple[int, ...], gain: Any) -> None:
    tensor = init.orthogonal_(torch.empty(shape, dtype=torch.float64), gain, generator=generator())
    matrix = tensor.view(shape[0], -1)
    if matrix.size(0) > matrix.size(1):
        matrix = matrix.T
    torch.testing.assert_close(
        matrix @ matrix.T, float(gain) ** 2 * torch.eye(len(matrix), dtype=torch.float64)
    )


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.15, 0.5, 1])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sparse(sparsity: float, dtype: Any) -> None:
    tensor = init.sparse_(torch.empty(33, 200, dtype=dtype), sparsity, std=0.2, generator=generator())
    zeros = as_numpy(tensor == 0).sum(0)
    assert (zeros == math.ceil(sparsity * 33)).all()
    if sparsity < 1:
        assert stats.kstest(as_numpy(tensor[tensor != 0].double()), stats.norm(0, 0.2).cdf).pvalue > 1e-3
    if sparsity == 0.5:  # every row loses its share
        rows = as_numpy(tensor == 0).sum(1)
        assert rows.min() > 60 and rows.max() < 150
    torch.manual_seed(0)
    default = init.sparse_(torch.empty(33, 200), 0.1)
    assert float(default[default != 0].std()) == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("dtype", EVERY_DTYPE, ids=str)
def test_constants_of_every_dtype(dtype: Any) -> None:
    for name, arguments in (("constant_", (1,)), ("ones_", ()), ("zeros_", ()), ("eye_", ())):
        for shape in ((3, 3), (2, 5), (5, 2), (0, 3)):
            ours, other = torch.ones(shape, dtype=dtype), torch.ones(shape, dtype=dtype)
            assert getattr(init, name)(ours, *arguments) is ours
            getattr(theirs, name)(other, *arguments)
            assert torch.equal(ours.to(torch.complex64), other.to(torch.complex64))


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(3,), (4, 1), (2, 3, 5)], ids=str)
@pytest.mark.parametrize("channels", [(2, 2), (1, 4), (5, 3)], ids=str)
def test_dirac_is_torchs(groups: int, kernel: tuple[int, ...], channels: tuple[int, int]) -> None:
    shape = (channels[0] * groups, channels[1], *kernel)
    for dtype in (torch.float32, torch.bfloat16, torch.int32, torch.complex64):
        ours, other = torch.ones(shape, dtype=dtype), torch.ones(shape, dtype=dtype)
        assert init.dirac_(ours, groups) is ours
        assert torch.equal(ours, theirs.dirac_(other, groups))
        assert ours.count_nonzero() == groups * min(channels)
    strided = torch.ones(shape[::-1]).permute(*range(len(shape) - 1, -1, -1))
    assert torch.equal(init.dirac_(strided, groups), theirs.dirac_(torch.ones(shape), groups))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_a_dirac_convolution_keeps_its_input(axes: int) -> None:
    convolve = (torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d)[axes - 1]
    x = torch.randn(4, 6, *(5,) * axes, generator=generator())
    weight = init.dirac_(torch.empty(9, 2, *(3,) * axes), 3)
    y = convolve(x, weight, padding=1, groups=3).unflatten(1, (3, 3))
    assert torch.equal(y[:, :, :2].flatten(1, 2), x)
    assert not y[:, :, 2].any()


def test_dirac_of_empty_tensors() -> None:
    for shape in ((0, 2, 3), (2, 0, 3), (2, 2, 0)):
        assert init.dirac_(torch.empty(shape)).numel() == 0


def test_a_distant_mean_is_told() -> None:
    for mean, a, b in ((5.0, -2, 2), (-5.0, -2, 2), (4.001, -2, 2)):
        tensor = torch.empty(2000)
        for module in (init, theirs):
            with pytest.warns(UserWarning, match=r"mean is more than 2 std from \[a, b\]"):
                module.trunc_normal_(tensor, mean, 1.0, a, b, generator=generator())
        with pytest.warns(UserWarning) as caught:
            init.trunc_normal_(tensor, mean, 1.0, a, b, generator=generator())
        assert caught[0].filename == __file__
        assert stats.kstest(as_numpy(tensor), stats.truncnorm(a - mean, b - mean, mean).cdf).pvalue > 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init.trunc_normal_(tensor, 4.0)


def test_degenerate_laws() -> None:
    assert (init.uniform_(torch.empty(9), 2, 2) == 2).all()
    assert (init.normal_(torch.empty(9), 3, 0) == 3).all()
    assert (init.trunc_normal_(torch.empty(9), 1, std=0) == 1).all()
    assert (init.trunc_normal_(torch.empty(9), a=1, b=1) == 1).all()
    assert not init.xavier_uniform_(torch.empty(3, 3), gain=0).any()
