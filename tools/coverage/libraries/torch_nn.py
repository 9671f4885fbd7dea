"""torch.nn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn
from torch_model import check, prepare

PACKAGE = "torch"
SAMPLE = ["Linear", "LSTM"]


def cases() -> dict[str, Callable[[], None]]:
    prepare()
    factories: dict[str, Callable[[], nn.Module]] = {
        "Linear": lambda: nn.Linear(32, 48),
        "LSTM": lambda: nn.LSTM(12, 16),
    }
    return {name: partial(check, factory) for name, factory in factories.items()}
