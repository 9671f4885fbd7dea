"""The drop-in for torch.nn.init: torch's names and arguments, fastinit's values, and the seeds they come from."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi

torch = optional("torch")
from torch_draws import (  # noqa: E402
    DTYPES,
    INF,
    NAN,
    SHAPE,
    SQRT3,
    as_numpy,
    drawn,
    every_draw,
    generator,
    next_seed,
    symmetric,
)

import fastinit.torch as init  # noqa: E402
from fastinit.torch import tensors  # noqa: E402

theirs = torch.nn.init


def test_every_name_of_torch_is_here() -> None:
    assert set(theirs.__all__) <= set(init.__all__)
    private = ("_calculate_fan_in_and_fan_out", "_calculate_correct_fan", "_no_grad_uniform_", "_no_grad_normal_",
               "_no_grad_trunc_normal_", "_no_grad_fill_", "_no_grad_zero_")  # fmt: skip
    for name in (*theirs.__all__, *private):
        ours, other = (inspect.signature(getattr(m, name)).parameters.values() for m in (init, theirs))
        assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in other]


@pytest.mark.parametrize("name", [name for name in theirs.__all__ if name + "_" in theirs.__all__])
def test_deprecated_names(name: str) -> None:
    arguments = {"constant": (3.0,), "sparse": (0.5,)}.get(name, ())
    shape = (3, 3, 3) if name == "dirac" else (3, 3)
    one, two = torch.zeros(shape), torch.zeros(shape)
    torch.manual_seed(5)
    with pytest.warns(FutureWarning, match=rf"`nn.init.{name}` is now deprecated") as caught:
        assert getattr(init, name)(one, *arguments) is one
    assert caught[0].filename == __file__
    torch.manual_seed(5)
    getattr(init, name + "_")(two, *arguments)
    assert torch.equal(one, two) and one.count_nonzero()
    assert getattr(init, name).__name__ == name


def test_gains_are_torchs() -> None:
    names = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]
    names += [f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]
    for name in names:
        assert init.calculate_gain(name) == theirs.calculate_gain(name)
    for slope in (None, 0, 0.01, 10, -1.0):
        assert init.calculate_gain("leaky_relu", slope) == theirs.calculate_gain("leaky_relu", slope)
    for slope in (True, [1], {"a": "b"}, "0.1", NAN, INF, -INF):
        with pytest.raises(ValueError, match="negative_slope"):
            init.calculate_gain("leaky_relu", slope)
    for name in ("", "gelu", "Relu", 3):
        with pytest.raises(ValueError, match="nonlinearity"):
            init.calculate_gain(name)


def test_fans_are_torchs() -> None:
    weight = torch.nn.ConvTranspose2d(16, 64, 3).weight
    assert init._calculate_fan_in_and_fan_out(weight) == (576, 144)
    assert init._calculate_correct_fan(weight, "FAN_OUT") == 144


@every_draw
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_are_those_of_the_law(name: str, numbers: dict[str, Any], law: Any, dtype: Any) -> None:
    tensor = torch.zeros(SHAPE, dtype=dtype)
    assert getattr(init, name)(tensor, **numbers, generator=generator()) is tensor
    np.testing.assert_array_equal(as_numpy(tensor), drawn(law, dtype))


def test_numbers_may_be_scalars_of_numpy_and_torch() -> None:
    for number in (
        np.float64(0.5),
        np.float32(0.5),
        torch.tensor(0.5),
        torch.tensor(0.5, dtype=torch.float16),
    ):
        tensor = init.normal_(torch.zeros(9), 0, number, generator=generator())
        np.testing.assert_array_equal(as_numpy(tensor), drawn(fi.Normal(0, 0.5), torch.float32, (9,)))


@every_draw
def test_seeds(name: str, numbers: dict[str, Any], law: Any) -> None:
    def draw(**arguments: Any) -> Any:
        return getattr(init, name)(torch.empty(SHAPE), **numbers, **arguments)

    torch.manual_seed(3)
    first, second = draw(), draw()
    torch.manual_seed(3)
    assert torch.equal(draw(), first) and not torch.equal(first, second)
    assert torch.equal(draw(generator=generator(3)), first)
    state = torch.get_rng_state()
    draw(generator=generator())
    assert torch.equal(torch.get_rng_state(), state)
    before = fi.get_num_threads()
    try:
        fi.set_num_threads(1)
        assert torch.equal(draw(generator=generator(3)), first)
    finally:
        fi.set_num_threads(before)


def test_a_call_takes_one_number() -> None:
    g = generator()
    init.normal_(torch.empty(100_000), generator=g)
    same = generator()
    next_seed(same)
    assert torch.equal(g.get_state(), same.get_state())
    for nothing in (torch.empty(0), torch.empty(3, device="meta")):
        init.normal_(nothing, generator=g)
    assert torch.equal(g.get_state(), same.get_state())


def test_seeds_use_64_bits() -> None:
    g = generator()
    seeds = [int(tensors._Seed(g)) for _ in range(200)]
    assert all(0 <= seed < 2**64 for seed in seeds)
    bits = np.array([[seed >> bit & 1 for bit in range(64)] for seed in seeds]).mean(0)
    assert (abs(bits - 0.5) < 5 * 0.5 / 200**0.5).all()


def test_existing_code_runs_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reset_parameters of torch's own modules, with torch's functions replaced."""
    for name in theirs.__all__:
        monkeypatch.setattr(theirs, name, getattr(init, name))
    torch.manual_seed(0)
    layer = torch.nn.Linear(300, 200)
    seeds = generator(0)
    for tensor in (layer.weight, layer.bias):
        bound = SQRT3 * (math.sqrt(2 / 6) / math.sqrt(300)) if tensor.dim() == 2 else 1 / math.sqrt(300)
        wanted = np.empty(tuple(tensor.shape), np.float32)
        fi.fill(wanted, symmetric(bound), seed=next_seed(seeds))
        np.testing.assert_allclose(as_numpy(tensor), wanted, rtol=1e-6)
