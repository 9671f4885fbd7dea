"""flax.nnx: its layers with each argument that changes parameters, stacks of them by vmap, and small models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax_model import Fans, check

PACKAGE = "flax"
SAMPLE = [
    "Linear",
    "Conv, grouped and strided",
    "MultiHeadAttention",
    "OptimizedLSTMCell",
    "vmap of Linear, axis 1",
]
LECUN = 1.0  # the variance times fan_in with which Flax's layers begin

Make = Callable[[Any], Any]


def heads(n_in: int, features: int, n_out: int, prefix: str = "") -> Fans:
    """Of an attention."""
    inner = {f"{prefix}{name}.kernel": (n_in, features) for name in ("query", "key", "value")}
    return {**inner, f"{prefix}out.kernel": (features, n_out)}


def stacked(make: Make, axis: int) -> Make:
    return nnx.split_rngs(splits=5)(nnx.vmap(make, out_axes=axis))


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm1, self.norm2 = nnx.LayerNorm(32, rngs=rngs), nnx.RMSNorm(32, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(4, 32, decode=False, rngs=rngs)
        self.up, self.down = nnx.Linear(32, 64, rngs=rngs), nnx.Linear(64, 32, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)


BLOCK: Fans = {**heads(32, 32, 32, "attention."), "up.kernel": (32, 64), "down.kernel": (64, 32)}


class Transformer(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(50, 32, rngs=rngs)
        self.pos_embed = nnx.Param(0.02 * rngs.params.normal((1, 9, 32)))
        self.blocks = nnx.List([Block(rngs) for _ in range(2)])
        self.experts = nnx.Param(rngs.params.normal((4, 32, 64)))
        self.head = nnx.Linear(32, 50, use_bias=False, rngs=rngs)


class Cnn(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 16, (3, 3), strides=2, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(16, rngs=rngs)
        self.depthwise = nnx.Conv(16, 32, (5, 5), feature_group_count=16, rngs=rngs)
        self.head = nnx.Linear(32, 10, rngs=rngs)


LAYERS: dict[str, tuple[Make, Fans, float | None]] = {
    "Linear": (lambda r: nnx.Linear(24, 16, rngs=r), {"kernel": (24, 16)}, LECUN),
    "Linear, bfloat16": (
        lambda r: nnx.Linear(24, 16, param_dtype="bfloat16", rngs=r),
        {"kernel": (24, 16)},
        LECUN,
    ),
    "LinearGeneral": (
        lambda r: nnx.LinearGeneral((4, 8), (2, 16), axis=(-2, -1), rngs=r),
        {"kernel": (32, 32)},
        LECUN,
    ),
    "LinearGeneral, batch_axis": (
        lambda r: nnx.LinearGeneral(8, (2, 16), batch_axis={0: 5}, rngs=r),
        {"kernel": (8, 32)},
        None,
    ),
    "Einsum": (lambda r: nnx.Einsum("nta,hab->nthb", (4, 8, 16), (4, 16), rngs=r), {"kernel": (8, 64)}, None),
    "Einsum, experts": (lambda r: nnx.Einsum("ebd,edf->ebf", (3, 8, 24), rngs=r), {"kernel": (8, 24)}, None),
    "Embed": (lambda r: nnx.Embed(50, 16, rngs=r), {}, None),
    **{
        f"Conv, {len(size)} dimensions": (
            lambda r, size=size: nnx.Conv(8, 16, size, rngs=r),
            {"kernel": (8 * 3 ** len(size), 16 * 3 ** len(size))},
            LECUN,
        )
        for size in ((3,), (3, 3), (3, 3, 3))
    },
    "Conv, grouped and strided": (
        lambda r: nnx.Conv(8, 16, (3, 3), feature_group_count=4, strides=2, rngs=r),
        {"kernel": (2 * 9, 16 / 4 * 9 / 4)},
        LECUN,
    ),
    "Conv, dilated and masked": (
        lambda r: nnx.Conv(8, 16, (3, 3), kernel_dilation=2, mask=jnp.ones((3, 3, 8, 16)), rngs=r),
        {"kernel": (72, 144)},
        LECUN,
    ),
    "ConvTranspose": (
        lambda r: nnx.ConvTranspose(8, 16, (4, 4), rngs=r),
        {"kernel": (8 * 16, 16 * 16)},
        LECUN,
    ),
    "ConvTranspose, strided": (
        lambda r: nnx.ConvTranspose(8, 16, (4, 4), strides=(2, 2), rngs=r),
        {"kernel": (8 * 16 / 4, 16 * 16)},
        None,
    ),
    "ConvTranspose, transpose_kernel": (
        lambda r: nnx.ConvTranspose(8, 16, (4, 4), transpose_kernel=True, rngs=r),
        {"kernel": (8 * 16, 16 * 16)},
        None,
    ),
    "MultiHeadAttention": (
        lambda r: nnx.MultiHeadAttention(4, 32, decode=False, rngs=r),
        heads(32, 32, 32),
        LECUN,
    ),
    "MultiHeadAttention, all widths": (
        lambda r: nnx.MultiHeadAttention(
            2, 32, qkv_features=24, out_features=40, normalize_qk=True, decode=False, rngs=r
        ),
        heads(32, 24, 40),
        LECUN,
    ),
    "LSTMCell": (
        lambda r: nnx.LSTMCell(8, 16, rngs=r),
        {
            f"{a}{gate}.kernel".replace("if.", "if_."): (n, 16)
            for gate in "ifgo"
            for a, n in (("i", 8), ("h", 16))
        },
        LECUN,
    ),
    "OptimizedLSTMCell": (
        lambda r: nnx.OptimizedLSTMCell(8, 16, rngs=r),
        {"dense_i.kernel": (8, 16), "dense_h.kernel": (16, 16)},
        LECUN,
    ),
    "GRUCell": (
        lambda r: nnx.GRUCell(8, 16, rngs=r),
        {"dense_i.kernel": (8, 16), "dense_h.kernel": (16, 16)},
        LECUN,
    ),
    "SimpleCell": (
        lambda r: nnx.SimpleCell(8, 16, rngs=r),
        {"dense_i.kernel": (8, 16), "dense_h.kernel": (16, 16)},
        LECUN,
    ),
    "Bidirectional RNN": (
        lambda r: nnx.Bidirectional(nnx.RNN(nnx.GRUCell(8, 16, rngs=r)), nnx.RNN(nnx.GRUCell(8, 16, rngs=r))),
        {
            f"{way}_rnn.cell.dense_{part}.kernel": (n, 16)
            for way in ("forward", "backward")
            for part, n in (("i", 8), ("h", 16))
        },
        LECUN,
    ),
    "LoRA": (lambda r: nnx.LoRA(8, 4, 16, rngs=r), {"lora_a": (8, 4)}, None),
    "LoRALinear": (
        lambda r: nnx.LoRALinear(8, 16, lora_rank=4, rngs=r),
        {"lora.lora_a": (8, 4), "kernel": (8, 16)},
        None,
    ),
    **{
        name: (lambda r, make=make: make(16, rngs=r), {}, None)
        for name, make in (
            ("BatchNorm", nnx.BatchNorm),
            ("LayerNorm", nnx.LayerNorm),
            ("RMSNorm", nnx.RMSNorm),
            ("GroupNorm", partial(nnx.GroupNorm, num_groups=4)),
            ("InstanceNorm", nnx.InstanceNorm),
        )
    },
    "WeightNorm": (
        lambda r: nnx.WeightNorm(nnx.Linear(8, 16, rngs=r), rngs=r),
        {"layer_instance.kernel": (8, 16)},
        LECUN,
    ),
    "PReLU": (lambda r: nnx.PReLU(), {}, None),
    "Sequential with Dropout": (
        lambda r: nnx.Sequential(
            nnx.Linear(8, 16, rngs=r), nnx.Dropout(0.1, rngs=r), nnx.Linear(16, 4, rngs=r)
        ),
        {"layers.0.kernel": (8, 16), "layers.2.kernel": (16, 4)},
        LECUN,
    ),
    **{
        f"vmap of {name}, axis {axis}": (lambda r, make=make, axis=axis: stacked(make, axis)(r), fans, own)
        for axis in (0, 1)
        for name, make, fans, own in (
            ("Linear", lambda r: nnx.Linear(24, 16, rngs=r), {"kernel": (24, 16)}, LECUN),
            ("Conv", lambda r: nnx.Conv(8, 16, (3, 3), rngs=r), {"kernel": (72, 144)}, LECUN),
        )
    },
    "vmap of a block": (lambda r: stacked(Block, 0)(r), BLOCK, LECUN),
    "a transformer": (
        Transformer,
        {
            **{f"blocks.{i}.{name}": fans for i in range(2) for name, fans in BLOCK.items()},
            "experts": (32, 64),
            "head.kernel": (32, 50),
        },
        None,
    ),
    "a convolutional network": (
        Cnn,
        {"conv.kernel": (27, 16 * 9 / 4), "depthwise.kernel": (25, 50), "head.kernel": (32, 10)},
        LECUN,
    ),
}


def cases() -> dict[str, Callable[[], None]]:
    return {
        name: partial(check, lambda make=make: make(nnx.Rngs(0)), nnx.eval_shape, fans, own)
        for name, (make, fans, own) in LAYERS.items()
    }
