"""Probing and calibrating leave no trace in a model."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional

from fastinit.propagation import judge

torch = optional("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch_networks import (  # noqa: E402
    MODELS,
    Snapshot,
    normal,
)

import fastinit.torch as fit  # noqa: E402

pytestmark = pytest.mark.usefixtures("seeded")


every_model = pytest.mark.parametrize(("name", "build", "batch", "rows"), MODELS, ids=[m[0] for m in MODELS])


@every_model
@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_left_behind(
    name: str, build: Callable[[], Any], batch: Callable[[], Any], rows: list[str], training: bool
) -> None:
    model, x = build().train(training), batch()
    snapshot = Snapshot(model, x)
    report = fit.probe(model, x, lambda y: fit_loss(y))
    snapshot.check()
    assert [layer.name for layer in report.layers] == rows
    for layer in report.layers:
        unused = layer.name in ("unused", "attention.out_proj")
        assert (layer.rms is None) == (layer.gradient is None) == unused
        assert unused or (math.isfinite(layer.rms or 0) and (layer.gradient or 0) > 0)
    assert report.loss is not None and math.isfinite(report.loss)
    assert len(judge(report).words) == len(rows)
    again = fit.probe(model, x, lambda y: fit_loss(y))
    assert again == report


def fit_loss(output: Any) -> Any:
    output = output["logits"] if isinstance(output, dict) else output
    return output.square().mean() + torch.rand(()) * 0


class Raises(nn.Module):
    """Changes what it can, then raises."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        torch.rand(3)
        random.random()
        np.random.random()
        self.count = self.count + 1
        x = F.relu(self.norm(self.a(x)), inplace=True)
        raise RuntimeError("enough")


@pytest.mark.parametrize("run", [fit.probe, fit.calibrate])
def test_nothing_is_left_behind_when_the_model_raises(run: Callable[..., Any]) -> None:
    model, x = Raises(), normal(8, 4)
    snapshot = Snapshot(model, x)
    with pytest.raises(RuntimeError, match="enough"):
        run(model, x)
    snapshot.check()
    good = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    snapshot = Snapshot(good, x)
    with pytest.raises(ZeroDivisionError):
        fit.probe(good, x, lambda y: 1 / 0)
    snapshot.check()
