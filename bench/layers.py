"""What each library's own He scheme does to the signal, layer by layer; and the speed of initialising whole modules.

`python bench/layers.py` prints the table of docs/choosing.md, `python bench/layers.py --speed` the times.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from fastinit.torch import init_

Forward = Callable[[Tensor, Tensor], Tensor]


class Experts(nn.Module):
    """Stacked experts, (experts, in, out)."""

    def __init__(self, experts: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, n_in, n_out))


@dataclass(frozen=True)
class Case:
    """A layer: its module, the parameter that is its weight, input shape, forward pass, and how JAX and Keras keep the
    weight (as axes of torch's, with a last axis of 1 where Keras counts the channels' multiplier)."""

    module: Callable[[], nn.Module]
    weight: str
    inputs: tuple[int, ...]
    forward: Forward
    jax: tuple[int, ...]
    keras: tuple[int, ...]
    options: Mapping[str, Any] | None = None


def _inside(y: Tensor) -> Tensor:
    return y[..., 4:-4, 4:-4]


CASES = {
    "Linear": Case(lambda: nn.Linear(128, 96), "weight", (512, 128), lambda x, w: F.linear(x, w), (1, 0), (1, 0)),
    "convolution": Case(lambda: nn.Conv2d(16, 32, 3), "weight", (8, 16, 24, 24), lambda x, w: F.conv2d(x, w),
                        (2, 3, 1, 0), (2, 3, 1, 0)),
    "grouped convolution": Case(lambda: nn.Conv2d(32, 48, 3, groups=4), "weight", (8, 32, 24, 24),
                                lambda x, w: F.conv2d(x, w, groups=4), (2, 3, 1, 0), (2, 3, 1, 0)),
    "depthwise convolution": Case(lambda: nn.Conv2d(64, 64, 3, groups=64), "weight", (2, 64, 12, 12),
                                  lambda x, w: F.conv2d(x, w, groups=64), (2, 3, 1, 0), (2, 3, 0, 1)),
    "transposed convolution, stride 2": Case(
        lambda: nn.ConvTranspose2d(32, 16, 4, stride=2), "weight", (8, 32, 16, 16),
        lambda x, w: _inside(F.conv_transpose2d(x, w, stride=2)), (2, 3, 0, 1), (2, 3, 1, 0)),
    "fused query, key, value": Case(lambda: nn.MultiheadAttention(64, 4), "in_proj_weight", (512, 64),
                                    lambda x, w: F.linear(x, w), (1, 0), (1, 0)),
    "stacked experts": Case(lambda: Experts(8, 48, 64), "weight", (8, 256, 48), lambda x, w: torch.bmm(x, w),
                            (0, 1, 2), (0, 1, 2), {"layouts": {"weight": "bio"}}),
}  # fmt: skip


def ratio(case: Case, draw: Callable[[int], Tensor], error: float = 0.004) -> float:
    """E[y^2] / (2 E[x^2]) over as many draws as make the sampling error of the weights small, x ~ N(0, 1)."""
    generator = torch.Generator().manual_seed(0)
    size = draw(0).numel()
    draws = max(4, math.ceil(2 / (size * (error / 2) ** 2)))
    total = 0.0
    for seed in range(draws):
        x = torch.randn(case.inputs, generator=generator)
        total += float(case.forward(x, draw(seed)).square().mean() / (2 * x.square().mean()))
    return total / draws


def ours(case: Case) -> Callable[[int], Tensor]:
    module = case.module()

    def draw(seed: int) -> Tensor:
        init_(module, "he_normal", seed=seed, **(case.options or {}))
        return module.get_parameter(case.weight).detach()

    return draw


def _by_torch(case: Case) -> Callable[[int], Tensor]:
    weight = case.module().get_parameter(case.weight).detach()

    def draw(seed: int) -> Tensor:
        return nn.init.kaiming_normal_(
            weight, nonlinearity="relu", generator=torch.Generator().manual_seed(seed)
        )

    return draw


def _in_layout(
    case: Case, axes: tuple[int, ...], values: Callable[[int, tuple[int, ...]], Any]
) -> Callable[[int], Tensor]:
    """Draws of another library: in its axes there, in torch's here."""
    shape = case.module().get_parameter(case.weight).shape
    theirs = tuple(shape[axis] for axis in axes)
    back = tuple(axes.index(axis) for axis in range(len(axes)))
    return lambda seed: torch.tensor(values(seed, theirs)).permute(back).contiguous()


def _by_jax(case: Case) -> Callable[[int], Tensor]:
    import jax
    import numpy as np

    he = jax.nn.initializers.he_normal()
    return _in_layout(case, case.jax, lambda seed, shape: np.asarray(he(jax.random.key(seed), shape)))


def _by_keras(case: Case) -> Callable[[int], Tensor]:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras
    import numpy as np

    return _in_layout(
        case, case.keras, lambda seed, shape: np.asarray(keras.initializers.HeNormal(seed=seed)(shape))
    )


LIBRARIES = {"torch": _by_torch, "JAX": _by_jax, "Keras": _by_keras, "fastinit": ours}


def table() -> str:
    lines = [f"| layer | {' | '.join(LIBRARIES)} |", "|---|" + "---|" * len(LIBRARIES)]
    for name, case in CASES.items():
        cells = [f"{ratio(case, library(case)):.3f}" for library in LIBRARIES.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def speed() -> str:
    """Times of the fastest of 5 on models of about 100 million parameters, in ms."""
    width = 2048
    models = {
        "24 Linear(2048, 2048)": nn.Sequential(*(nn.Linear(width, width) for _ in range(24))),
        "12 TransformerEncoderLayer(768)": nn.Sequential(
            *(nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True) for _ in range(12))
        ),
        "40 Conv2d(512, 512, 3)": nn.Sequential(*(nn.Conv2d(512, 512, 3) for _ in range(40))),
    }
    lines = ["| model | parameters | reset_parameters | init_(he_uniform) | (auto) | ratio | ratio (auto) |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, model in models.items():

        def reset(model: nn.Module = model) -> None:
            for module in model.modules():
                for method in ("reset_parameters", "_reset_parameters"):
                    getattr(module, method, lambda: None)()

        old, new, auto = (
            _fastest(reset),
            _fastest(lambda m=model: init_(m, "he_uniform", seed=0)),
            _fastest(lambda m=model: init_(m, seed=0)),
        )
        count = sum(p.numel() for p in model.parameters()) / 1e6
        lines.append(f"| {name} | {count:.0f} M | {old:.0f} ms | {new:.0f} ms | {auto:.0f} ms | x {old / new:.1f} | "
                     f"x {old / auto:.1f} |")  # fmt: skip
    return "\n".join(lines)


def _fastest(call: Callable[[], Any], times: int = 5) -> float:
    best = math.inf
    for _ in range(times):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", action="store_true", help="times instead of the table")
    print(speed() if parser.parse_args().speed else table())
