"""equinox.nn: its layers with each argument that changes parameters, stacks of them by filter_vmap, and small models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from equinox import nn
from jax_model import Fans, check

PACKAGE = "equinox"
SAMPLE = ["Linear", "Conv2d, grouped and strided", "LSTMCell", "MLP", "filter_vmap of Linear, axis 1"]
OWN = 1 / 3  # the variance times fan_in with which Equinox's layers begin


class Net(eqx.Module):
    table: np.ndarray
    embed: nn.Embedding
    blocks: list[Any]
    conv: nn.Conv1d
    norm: nn.LayerNorm
    head: nn.Linear
    activation: Any = eqx.field(static=True)

    def __init__(self, key: Any) -> None:
        a, b, c, d, e = jax.random.split(key, 5)
        self.table = np.sin(np.arange(8.0))
        self.embed = nn.Embedding(50, 32, key=a)
        self.blocks = [nn.MultiheadAttention(4, 32, key=b), nn.MLP(32, 32, 64, 1, key=c)]
        self.conv = nn.Conv1d(32, 32, 5, groups=32, key=d)
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 50, use_bias=False, key=e)
        self.activation = jax.nn.gelu


def heads(query: int, key: int, value: int, inner: tuple[int, int, int], out: int, prefix: str = "") -> Fans:
    sizes = {
        "query": (query, inner[0]),
        "key": (key, inner[1]),
        "value": (value, inner[2]),
        "output": (inner[2], out),
    }
    return {f"{prefix}{name}_proj.weight": fans for name, fans in sizes.items()}


Make = Callable[[Any], Any]
LAYERS: dict[str, tuple[Make, Fans, float | None]] = {
    "Linear": (lambda k: nn.Linear(24, 16, key=k), {"weight": (24, 16)}, OWN),
    "Linear of scalars": (lambda k: nn.Linear("scalar", 16, key=k), {"weight": (1, 16)}, None),
    "Linear, bfloat16": (lambda k: nn.Linear(24, 16, dtype="bfloat16", key=k), {"weight": (24, 16)}, OWN),
    "MLP": (
        lambda k: nn.MLP(8, 4, 16, 2, key=k),
        {"layers.0.weight": (8, 16), "layers.1.weight": (16, 16), "layers.2.weight": (16, 4)},
        OWN,
    ),
    **{
        f"Conv{d}d": (
            lambda k, d=d: nn.Conv(d, 8, 16, 3, key=k),
            {"weight": (8 * 3**d, 16 * 3**d)},
            OWN,
        )
        for d in (1, 2, 3)
    },
    "Conv2d, grouped and strided": (
        lambda k: nn.Conv2d(8, 16, 3, stride=2, groups=4, key=k),
        {"weight": (18, 4 * 9 / 4)},
        OWN,
    ),
    "Conv2d, depthwise": (lambda k: nn.Conv2d(16, 32, 3, groups=16, key=k), {"weight": (9, 18)}, OWN),
    **{
        f"ConvTranspose{d}d, strided": (
            lambda k, d=d: nn.ConvTranspose(d, 8, 16, 4, stride=2, key=k),
            {"weight": (8 * 2**d, 16 * 4**d)},
            None,
        )
        for d in (1, 2, 3)
    },
    "ConvTranspose2d, grouped": (
        lambda k: nn.ConvTranspose2d(8, 16, 4, groups=4, key=k),
        {"weight": (2 * 16, 4 * 16)},
        None,
    ),
    "LSTMCell": (lambda k: nn.LSTMCell(8, 16, key=k), {"weight_ih": (8, 16), "weight_hh": (16, 16)}, None),
    "GRUCell": (lambda k: nn.GRUCell(8, 16, key=k), {"weight_ih": (8, 16), "weight_hh": (16, 16)}, None),
    "MultiheadAttention": (
        lambda k: nn.MultiheadAttention(4, 32, key=k),
        heads(32, 32, 32, (32, 32, 32), 32),
        OWN,
    ),
    "MultiheadAttention, all widths": (
        lambda k: nn.MultiheadAttention(
            2,
            32,
            key_size=24,
            value_size=20,
            output_size=40,
            qk_size=6,
            vo_size=10,
            use_query_bias=True,
            key=k,
        ),
        heads(32, 24, 20, (12, 12, 20), 40),
        OWN,
    ),
    "Embedding": (lambda k: nn.Embedding(50, 16, key=k), {}, None),
    "RotaryPositionalEmbedding": (
        lambda k: (nn.RotaryPositionalEmbedding(16), nn.Linear(24, 16, key=k)),
        {"1.weight": (24, 16)},
        OWN,
    ),
    "LayerNorm": (lambda k: nn.LayerNorm((4, 16)), {}, None),
    "RMSNorm": (lambda k: nn.RMSNorm(16), {}, None),
    "GroupNorm": (lambda k: nn.GroupNorm(4, 16), {}, None),
    "BatchNorm": (lambda k: nn.make_with_state(nn.BatchNorm)(16, "batch", mode="batch"), {}, None),
    "BatchNorm, ema": (lambda k: nn.make_with_state(nn.BatchNorm)(16, "batch", mode="ema"), {}, None),
    "PReLU": (lambda k: nn.PReLU(), {}, None),
    "Sequential": (
        lambda k: nn.Sequential(
            [nn.Linear(24, 16, key=k), nn.Lambda(jax.nn.relu), nn.Dropout(), nn.Linear(16, 4, key=k)]
        ),
        {"layers.0.weight": (24, 16), "layers.3.weight": (16, 4)},
        OWN,
    ),
    **{
        f"filter_vmap of {name}, axis {axis}": (
            lambda k, make=make, axis=axis: eqx.filter_vmap(make, out_axes=axis)(jax.random.split(k, 5)),
            fans,
            own,
        )
        for axis in (0, 1)
        for name, make, fans, own in (
            ("Linear", lambda k: nn.Linear(24, 16, key=k), {"weight": (24, 16)}, OWN),
            ("Conv2d", lambda k: nn.Conv2d(8, 16, 3, groups=4, key=k), {"weight": (18, 36)}, OWN),
            (
                "GRUCell",
                lambda k: nn.GRUCell(8, 16, key=k),
                {"weight_ih": (8, 16), "weight_hh": (16, 16)},
                None,
            ),
        )
    },
    "a network with a table": (
        Net,
        {
            **heads(32, 32, 32, (32, 32, 32), 32, "blocks.0."),
            "blocks.1.layers.0.weight": (32, 64),
            "blocks.1.layers.1.weight": (64, 32),
            "conv.weight": (5, 5),
            "head.weight": (32, 50),
        },
        OWN,
    ),
}


def cases() -> dict[str, Callable[[], None]]:
    def shapes(make: Callable[[], Any]) -> Any:
        """Abstract, except for tables of NumPy, which an abstract tree would hold as parameters."""
        tree = make()
        return (
            eqx.tree_at(lambda net: net.table, eqx.filter_eval_shape(make), tree.table)
            if isinstance(tree, Net)
            else eqx.filter_eval_shape(make)
        )

    return {
        name: partial(check, lambda make=make: make(jax.random.key(0)), shapes, fans, own)
        for name, (make, fans, own) in LAYERS.items()
    }
