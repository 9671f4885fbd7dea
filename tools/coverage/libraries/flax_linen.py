"""flax.linen: its layers with each argument that changes parameters, stacks by scan and vmap, and small models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax_model import Fans, check

PACKAGE = "flax"
SAMPLE = ["Dense", "Conv", "MultiHeadDotProductAttention", "scan of a block, axis 1", "remat of Dense"]
LECUN = 1.0  # the variance times fan_in with which Flax's layers begin


class Net(nn.Module):
    """One layer or function of layers, with the automatic names that users see."""

    layer: Callable[[], Any]
    function: Callable[[Any], Any] | None = None

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return self.layer()(x) if self.function is None else self.function(x)


def cell(make: Callable[[], Any]) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        made = make()
        return made(made.initialize_carry(jax.random.key(0), x.shape), x)[1]

    return run


def heads(layer: str, n_in: int, features: int, n_out: int) -> Fans:
    inner = {f"{layer}.{name}.kernel": (n_in, features) for name in ("query", "key", "value")}
    return {**inner, f"{layer}.out.kernel": (features, n_out)}


def block(x: Any) -> Any:
    x = x + nn.MultiHeadDotProductAttention(4)(nn.LayerNorm()(x))
    hidden = nn.gelu(nn.Dense(64)(nn.RMSNorm()(x)))
    return x + nn.Dense(32)(hidden)


BLOCK: Fans = {
    **heads("MultiHeadDotProductAttention_0", 32, 32, 32),
    "Dense_0.kernel": (32, 64),
    "Dense_1.kernel": (64, 32),
}


def scanned(axis: int) -> Callable[[Any], Any]:
    class Block(nn.Module):
        @nn.compact
        def __call__(self, x: Any, _: Any) -> Any:
            return block(x), None

    stack = nn.scan(Block, variable_axes={"params": axis}, split_rngs={"params": True}, length=5)
    return lambda x: stack()(x, None)[0]


def experts(axis: int) -> Callable[[Any], Any]:
    many = nn.vmap(
        nn.Dense, variable_axes={"params": axis}, split_rngs={"params": True}, in_axes=None, axis_size=5
    )
    return lambda x: many(24)(x)


def transformer(x: Any) -> Any:
    x = nn.Embed(50, 32)(x.astype(int))
    for _ in range(2):
        x = block(x)
    return nn.Dense(50, use_bias=False, name="head")(x)


def convolutional(x: Any) -> Any:
    x = nn.relu(
        nn.BatchNorm(use_running_average=True)(nn.Conv(16, (3, 3), use_bias=False, name="conv_stem")(x))
    )
    return nn.Dense(10)(x.reshape(len(x), -1))


def under(fans: Fans, prefix: str = "") -> Fans:
    return {f"params.{prefix}{name}": counted for name, counted in fans.items()}


TWICE = {
    **under(
        {
            name.replace("_0.", f"_{i}.", 1): fans
            for i in (0, 1)
            for name, fans in heads("MultiHeadDotProductAttention_0", 32, 32, 32).items()
        }
    ),
    **under(
        {f"Dense_{2 * i + j}.kernel": fans for i in (0, 1) for j, fans in enumerate([(32, 64), (64, 32)])}
    ),
    "params.head.kernel": (32, 50),
}
GATES = {f"{a}{gate}.kernel": (n, 16) for gate in "ifgo" for a, n in (("i", 8), ("h", 16))}
# A layer or a function of layers, its input's shape, its fans, and the variance times fan_in of its own weights.
LAYERS: dict[str, tuple[Callable[[], Any] | None, Callable[[Any], Any] | None, tuple[int, ...], Fans, float | None]] = {
    "Dense": (lambda: nn.Dense(16), None, (2, 24), under({"Dense_0.kernel": (24, 16)}), LECUN),
    "DenseGeneral": (lambda: nn.DenseGeneral((4, 8)), None, (2, 24), under({"DenseGeneral_0.kernel": (24, 32)}), LECUN),
    "DenseGeneral of a matrix": (lambda: nn.DenseGeneral(8), None, (2, 24), under({"DenseGeneral_0.kernel": (24, 8)}), LECUN),
    "Conv": (lambda: nn.Conv(16, (3, 3)), None, (2, 8, 8, 4), under({"Conv_0.kernel": (36, 144)}), LECUN),
    "Conv, 1 dimension": (lambda: nn.Conv(16, (5,)), None, (2, 8, 4), under({"Conv_0.kernel": (20, 80)}), LECUN),
    "Conv, 3 dimensions": (lambda: nn.Conv(16, (3, 3, 3)), None, (2, 4, 4, 4, 4), under({"Conv_0.kernel": (108, 432)}), LECUN),
    "Conv, grouped": (
        lambda: nn.Conv(16, (3, 3), feature_group_count=4), None, (2, 8, 8, 8),
        under({"Conv_0.kernel": (18, 144)}), LECUN,  # a dict of arrays does not say how many groups there are
    ),
    "ConvTranspose": (lambda: nn.ConvTranspose(16, (4, 4)), None, (2, 8, 8, 4), under({"ConvTranspose_0.kernel": (64, 256)}), LECUN),
    "ConvTranspose, transpose_kernel": (
        lambda: nn.ConvTranspose(16, (4, 4), transpose_kernel=True), None, (2, 8, 8, 4),
        under({"ConvTranspose_0.kernel": (64, 256)}), None,
    ),
    "ConvLocal": (lambda: nn.ConvLocal(16, (3, 3)), None, (2, 8, 8, 4), under({"ConvLocal_0.kernel": (36, 16)}), None),
    "Embed": (None, lambda x: nn.Embed(50, 16)(x.astype(int)), (2, 5), {}, None),
    "MultiHeadDotProductAttention": (
        lambda: nn.MultiHeadDotProductAttention(4), None, (2, 5, 32), under(heads("MultiHeadDotProductAttention_0", 32, 32, 32)), LECUN,
    ),
    "MultiHeadDotProductAttention, all widths": (
        lambda: nn.MultiHeadDotProductAttention(2, qkv_features=24, out_features=40, normalize_qk=True), None, (2, 5, 32),
        under(heads("MultiHeadDotProductAttention_0", 32, 24, 40)), LECUN,
    ),
    "SelfAttention, without biases": (
        lambda: nn.SelfAttention(4, use_bias=False), None, (2, 5, 32), under(heads("SelfAttention_0", 32, 32, 32)), LECUN,
    ),
    "LSTMCell": (None, cell(lambda: nn.LSTMCell(16)), (2, 8), under(GATES, "LSTMCell_0."), LECUN),
    "OptimizedLSTMCell": (None, cell(lambda: nn.OptimizedLSTMCell(16)), (2, 8), under(GATES, "OptimizedLSTMCell_0."), LECUN),
    "GRUCell": (
        None, cell(lambda: nn.GRUCell(16)), (2, 8),
        under({f"GRUCell_0.{a}{gate}.kernel": (n, 16) for gate in "rzn" for a, n in (("i", 8), ("h", 16))}), LECUN,
    ),
    "MGUCell": (
        None, cell(lambda: nn.MGUCell(16)), (2, 8),
        under({f"MGUCell_0.{a}{gate}.kernel": (n, 16) for gate in "fn" for a, n in (("i", 8), ("h", 16))}), LECUN,
    ),
    "SimpleCell": (
        None, cell(lambda: nn.SimpleCell(16)), (2, 8), under({"SimpleCell_0.i.kernel": (8, 16), "SimpleCell_0.h.kernel": (16, 16)}), LECUN,
    ),
    "ConvLSTMCell": (
        None, cell(lambda: nn.ConvLSTMCell(4, (3, 3))), (2, 8, 8, 3),
        under({"ConvLSTMCell_0.ih.kernel": (27, 36), "ConvLSTMCell_0.hh.kernel": (36, 36)}), None,
    ),
    "RNN": (lambda: nn.RNN(nn.GRUCell(16)), None, (2, 5, 8),
            under({f"GRUCell_0.{a}{gate}.kernel": (n, 16) for gate in "rzn" for a, n in (("i", 8), ("h", 16))}), LECUN),
    **{
        name: (lambda make=make: make(), None, (2, 16), {}, None)
        for name, make in (
            ("BatchNorm", partial(nn.BatchNorm, use_running_average=True)), ("LayerNorm", nn.LayerNorm), ("RMSNorm", nn.RMSNorm),
            ("GroupNorm", partial(nn.GroupNorm, num_groups=4)), ("InstanceNorm", nn.InstanceNorm),
        )
    },
    "WeightNorm": (lambda: nn.WeightNorm(nn.Dense(16)), None, (2, 24), under({"Dense_0.kernel": (24, 16)}), LECUN),
    "PReLU": (lambda: nn.PReLU(), None, (2, 16), {}, None),
    "remat of Dense": (lambda: nn.remat(nn.Dense)(16), None, (2, 24), under({"CheckpointDense_0.kernel": (24, 16)}), LECUN),
    "Sequential": (
        lambda: nn.Sequential([nn.Dense(16), nn.relu, nn.Dense(4)]), None, (2, 24),
        under({"Dense_0.kernel": (24, 16), "Dense_1.kernel": (16, 4)}), LECUN,
    ),
    **{
        f"scan of a block, axis {axis}": (None, scanned(axis), (2, 6, 32), under(BLOCK, "ScanBlock_0."), LECUN)
        for axis in (0, 1, -1)
    },
    **{
        f"vmap of Dense, axis {axis}": (None, experts(axis), (2, 32), under({"VmapDense_0.kernel": (32, 24)}), LECUN)
        for axis in (0, 1, -1)
    },
    "remat_scan of Dense": (lambda: nn.remat_scan(nn.Dense, lengths=(2, 3))(32), None, (2, 32),
                            under({"Remat_scanDense_0.kernel": (32, 32)}), LECUN),
    "a transformer": (None, transformer, (2, 5), TWICE, LECUN),
    "a convolutional network": (
        None, convolutional, (2, 8, 8, 3), under({"conv_stem.kernel": (27, 144), "Dense_0.kernel": (1024, 10)}), LECUN,
    ),
}  # fmt: skip


def cases() -> dict[str, Callable[[], None]]:
    def build(layer: Any, function: Any, shape: tuple[int, ...]) -> Any:
        return Net(layer, function).init(jax.random.key(0), jnp.ones(shape))

    return {
        name: partial(check, partial(build, layer, function, shape), jax.eval_shape, fans, own)
        for name, (layer, function, shape, fans, own) in LAYERS.items()
    }
