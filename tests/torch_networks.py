"""Networks that the tests of probing and calibrating share, and all that must not change in one."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from conftest import optional

import fastinit as fi

torch = optional("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812
from torch.utils.checkpoint import checkpoint  # noqa: E402


def normal(*shape: int) -> Any:
    return torch.from_numpy(fi.normal(shape, seed=1, name="x"))


def stack(widths: list[int], activation: Callable[[], Any], seed: int = 4) -> Any:
    """A torch network of the weights that the NumPy stack has."""
    modules: list[Any] = []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        linear = nn.Linear(n_in, n_out)
        with torch.no_grad():
            linear.weight.copy_(
                torch.from_numpy(fi.he_normal((n_out, n_in), seed=seed, name=f"layer.{i}.weight"))
            )
            linear.bias.zero_()
        modules += [linear, activation()]
    return nn.Sequential(*modules[:-1])


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(20, 30), nn.Linear(30, 30), nn.Linear(30, 4)

    def forward(self, x: Any) -> Any:
        return self.c(torch.tanh(self.b(F.relu(self.a(x)))))


def convolutions() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.5),
        nn.Conv2d(8, 8, 3, groups=4), nn.ReLU(), nn.ConvTranspose2d(8, 4, 2, groups=2), nn.MaxPool2d(2),
        nn.Flatten(), nn.LazyLinear(5),
    )  # fmt: skip


def ready(model: Any, batch: Any) -> Any:
    model(batch)
    return model


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16)) for _ in range(3)
        )

    def forward(self, x: Any) -> Any:
        for block in self.blocks:
            x = x + block(x)
        return x


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.unused = nn.Linear(12, 12), nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        for _ in range(3):
            x = torch.tanh(self.cell(x))
        return {"hidden": x, "logits": x * 2}


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.norm = nn.Embedding(50, 16), nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.rnn, self.head = nn.LSTM(16, 8, batch_first=True), nn.Linear(8, 50)

    def forward(self, tokens: Any) -> Any:
        x = self.table(tokens)
        x = x + self.attention(self.norm(x), x, x)[0]
        return self.head(self.rnn(x)[0])


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Any) -> Any:
        return checkpoint(lambda y: self.b(torch.relu(self.a(y))), x, use_reentrant=False)


IMAGES = (4, 3, 12, 12)
MODELS: list[Any] = [
    ("convolutions", lambda: ready(convolutions(), normal(*IMAGES)), lambda: normal(*IMAGES), ["0", "4", "6", "9"]),
    ("residual", Residual, lambda: normal(5, 16), [f"blocks.{i}.{j}" for i in range(3) for j in (1, 3)]),
    ("shared", Shared, lambda: normal(5, 12), ["cell", "cell (2)", "cell (3)", "unused"]),
    ("tokens", Tokens, lambda: torch.arange(20).reshape(2, 10),
     ["table", "attention", "rnn", "head", "attention.out_proj"]),
    ("checkpointed", Checkpointed, lambda: normal(5, 6), ["a", "b"]),
    ("functional", Functional, lambda: normal(5, 20), ["a", "b", "c"]),
]  # fmt: skip


class Snapshot:
    """All that a probe must not change."""

    def __init__(self, model: Any, batch: Any) -> None:
        self.model, self.batch = model, batch
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, 3)
        self.before = self.now()

    def now(self) -> dict[str, Any]:
        tensors = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        return {
            "values": {name: tensor.detach().clone() for name, tensor in tensors.items()},
            "objects": {name: id(tensor) for name, tensor in tensors.items()},
            "grads": {name: p.grad.clone() for name, p in self.model.named_parameters()},
            "flags": [(m.training, [p.requires_grad for p in m.parameters()]) for m in self.model.modules()],
            "hooks": [
                [len(value) for key, value in vars(m).items() if "hooks" in key] for m in self.model.modules()
            ],
            "batch": (self.batch.clone(), self.batch.requires_grad, self.batch.grad),
            "random": (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()),
            "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        }

    def check(self) -> None:
        torch.testing.assert_close(self.now(), self.before, rtol=0, atol=0)


def values(model: nn.Module) -> dict[str, Any]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def unchanged(model: nn.Module, before: dict[str, Any]) -> bool:
    return all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
