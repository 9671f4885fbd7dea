"""fastinit.torch.calibrate: layers of unit variance, by gains from data."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi

torch = optional("torch")
from torch import nn  # noqa: E402
from torch_networks import (  # noqa: E402
    MODELS,
    Shared,
    Snapshot,
    normal,
)

import fastinit.torch as fit  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


def outputs(model: Any, x: Any, names: list[str]) -> list[float]:
    stds: list[float] = []
    modules = dict(model.named_modules())
    handles = [modules[name].register_forward_hook(lambda m, a, y: stds.append(float(y.std(correction=0)))) for name in names]  # fmt: skip
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return stds


@pytest.mark.parametrize("scheme", ["orthogonal", None, "normal"])
@pytest.mark.parametrize(
    ("name", "build", "batch", "rows"), MODELS[:2] + MODELS[5:], ids=["conv", "residual", "functional"]
)
def test_calibrated_layers_have_unit_variance(
    name: str, build: Callable[[], Any], batch: Callable[[], Any], rows: list[str], scheme: str | None
) -> None:
    model, x = build().eval(), batch()
    biases = {key: value.clone() for key, value in model.state_dict().items() if not key.endswith("weight")}
    snapshot = Snapshot(model, x)
    before = snapshot.now()
    factors = fit.calibrate(model, x, scheme)
    assert list(factors) == rows and all(factor > 0 for factor in factors.values())
    np.testing.assert_allclose(outputs(model, x, rows), 1, atol=0.01)
    after = snapshot.now()
    for key in ("objects", "grads", "flags", "hooks", "batch", "random", "modes"):
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=0)
    for key, value in biases.items():
        assert torch.equal(model.state_dict()[key], value)


def test_calibration_draws_fastinits_bits() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))
    factors = fit.calibrate(model, normal(20, 6), "he_normal", seed=9, gain=0.5)
    drawn = fi.he_normal((5, 6), seed=9, name="0.weight", gain=0.5)
    np.testing.assert_allclose(model[0].weight.detach().numpy(), factors["0"] * drawn, rtol=1e-6)


def test_calibration_leaves_embeddings_and_shared_calls() -> None:
    tied = nn.Sequential(nn.Embedding(30, 8), nn.Linear(8, 8), nn.Linear(8, 30))
    tied[2].weight = tied[0].weight
    before = copy.deepcopy(tied[0].weight)
    assert list(fit.calibrate(tied, torch.arange(30))) == ["1"]
    assert torch.equal(tied[0].weight, before)
    shared = Shared()
    assert list(fit.calibrate(shared, normal(50, 12))) == ["cell"]


def test_what_cannot_be_calibrated() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    nn.init.zeros_(model[1].weight)
    snapshot = Snapshot(model, x := normal(9, 3))
    with pytest.raises(ValueError, match="layer '1' cannot be calibrated: W x has the variance 0"):
        fit.calibrate(model, x, None)
    snapshot.check()
    with pytest.raises(TypeError, match="gain"):
        fit.calibrate(model, x, None, gain=2.0)
    with pytest.raises(ValueError, match="did you mean"):
        fit.calibrate(model, x, "orthogonl")
    snapshot.check()
