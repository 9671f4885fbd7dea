"""Layers that Flax's and Equinox's scan and vmap stack along any axis: fans are those of one layer, or are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional

jax = optional("jax")
jnp = jax.numpy
flax = optional("flax")
import flax.linen as nn  # noqa: E402
from flax import nnx  # noqa: E402

import fastinit.jax as fj  # noqa: E402

KEY = jax.random.key(7)
LENGTH = 5


def scanned(inner: Callable[[Any], Any], axis: int, *shape: int, length: int = LENGTH, **names: Any) -> Any:
    """A net with a head and a scanned block: the values that linen's own initializers give."""

    class Block(nn.Module):  # type: ignore[misc]
        @nn.compact
        def __call__(self, x: Any, _: Any) -> Any:
            return inner(x), None

    class Net(nn.Module):  # type: ignore[misc]
        @nn.compact
        def __call__(self, x: Any) -> Any:
            stack = nn.scan(
                Block, variable_axes={"params": axis, "batch_stats": 0}, split_rngs={"params": True}, length=length,
                metadata_params=names,
            )  # fmt: skip
            return nn.Dense(3)(stack()(x, None)[0])

    return Net().init(KEY, jnp.ones(shape))


def stacked(make: Callable[[Any], Any], axis: int) -> Any:
    return nnx.split_rngs(splits=LENGTH)(nnx.vmap(make, out_axes=axis))(nnx.Rngs(0))


def compare(values: Any, kernels: int) -> None:
    """Plan "lecun_normal", with which linen's layers begin, against their own values."""
    plan = fj.plan(values, "lecun_normal")
    flat = {
        jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value"): np.asarray(value)
        for path, value in jax.tree_util.tree_leaves_with_path(values)
    }
    names = [name for name in plan if name.endswith("kernel")]
    assert len(names) == kernels
    for name in names:
        drawn, std = flat[name], plan[name].distribution.moments()[1]
        assert abs(drawn.std() / std - 1) < 6 / (2 * drawn.size) ** 0.5, (name, plan[name].fans)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize(
    ("inner", "shape", "kernels"),
    [
        (lambda x: nn.Dense(24)(nn.Dense(36)(x)), (2, 24), 3),
        (lambda x: nn.Dense(24, use_bias=False)(nn.Dense(96, use_bias=False)(nn.LayerNorm()(x))), (2, 24), 3),
        (lambda x: nn.Conv(24, (3, 3))(x), (2, 8, 8, 24), 2),
        (lambda x: nn.remat(nn.Dense)(24)(nn.Conv(12, (3,))(x)), (2, 8, 24), 3),
        (lambda x: nn.MultiHeadDotProductAttention(4)(x, x), (2, 6, 24), 5),
        (lambda x: nn.GRUCell(24)(x, nn.Dense(36)(x))[0], (2, 24), 8),
    ],
    ids=["dense", "without biases", "conv", "remat", "attention", "cell"],
)
def test_linens_scan(inner: Any, shape: tuple[int, ...], kernels: int, axis: int) -> None:
    compare(scanned(inner, axis, *shape), kernels)


def test_a_norm_tells_of_a_convolution_without_a_bias() -> None:
    values = scanned(lambda x: nn.Conv(24, (3, 3), use_bias=False)(nn.GroupNorm(4)(x)), 0, 2, 8, 8, 24)
    compare(values, 2)


@pytest.mark.parametrize("axis", [0, 1])
def test_stacks_within_stacks(axis: int) -> None:
    def experts(x: Any) -> Any:
        many = nn.vmap(nn.Dense, variable_axes={"params": axis}, split_rngs={"params": True}, in_axes=None,
                       axis_size=4)  # fmt: skip
        return many(24)(x).mean(0)

    compare(scanned(experts, axis, 2, 24), 2)


def test_an_ensemble_of_whole_networks() -> None:
    net = nn.Sequential([nn.Dense(16), nn.relu, nn.Dense(8)])
    members = jax.vmap(net.init, (0, None))(jax.random.split(KEY, 6), jnp.ones((2, 40)))
    compare(members, 2)
    compare(jax.vmap(net.init, (0, None), out_axes=1)(jax.random.split(KEY, 6), jnp.ones((2, 40))), 2)


def test_names_of_partitioned_axes_tell() -> None:
    square = nn.with_partitioning(nn.initializers.lecun_normal(), ("embed", "mlp"))
    for axis in (0, 1, -1):
        values = scanned(lambda x: nn.Dense(24, use_bias=False, kernel_init=square)(x), axis, 2, 24,
                         **{nn.PARTITION_NAME: "layers"})  # fmt: skip
        compare(values, 2)
        compare(jax.tree.map(lambda x: x, values), 2)
        with pytest.raises(ValueError, match=r"ScanBlock_0\.Dense_0\.kernel.*axes"):
            fj.plan(nn.meta.unbox(values), "lecun_normal")


def test_what_cannot_be_told_is_refused() -> None:
    """A square weight without a bias: any axis may be that of the layers."""
    for axis in (0, 1, -1):
        values = scanned(lambda x: nn.Dense(24, use_bias=False)(nn.LayerNorm()(x)), axis, 2, 24)
        for recipe in ("default", "he_normal", "orthogonal"):
            with pytest.raises(ValueError, match=r"ScanBlock_0\.Dense_0\.kernel.*axes"):
                fj.plan(values, recipe)
        letters = {0: "bio", 1: "ibo", -1: "iob"}[axis]
        rule = {"*ScanBlock_0*.kernel": {"scheme": "lecun_normal", "layout": letters}}
        assert fj.plan(values, rule)["params.ScanBlock_0.Dense_0.kernel"].fans == (24, 24)
    conv = scanned(lambda x: nn.Conv(24, (3, 3), use_bias=False)(x), 0, 2, 8, 8, 24)
    with pytest.raises(ValueError, match=r"Conv_0\.kernel.*axes"):  # or a stack of none, of three dimensions
        fj.plan(conv)
    # Five layers along the first axis, or 24 along the last.
    with pytest.raises(ValueError, match="axes"):
        fj.plan({"layers": {"Dense_0": {"kernel": jnp.ones((24, 24, 5)), "bias": jnp.ones((24, 5))}}})


def test_transformed_modules_are_what_they_wrap() -> None:
    def kernel(module: Any) -> Any:
        class Net(nn.Module):  # type: ignore[misc]
            @nn.compact
            def __call__(self, x: Any) -> Any:
                return module()(x)

        plan = fj.plan(jax.eval_shape(Net().init, KEY, jnp.ones((2, 8, 24))), "he_normal")
        return next(row.fans for name, row in plan.items() if name.endswith("kernel"))

    for wrapped in (
        nn.remat,
        nn.jit,
        lambda m: nn.remat(nn.jit(m)),
        lambda m: nn.add_metadata_axis(m, {"params": 0}),
    ):
        assert kernel(lambda wrapped=wrapped: wrapped(nn.Dense)(6)) == (24, 6)
        assert kernel(lambda wrapped=wrapped: wrapped(nn.Conv)(6, (3,))) == (72, 18)
    assert kernel(lambda: nn.remat_scan(nn.Dense, lengths=(2, 3))(24)) == (24, 24)


def test_a_layer_of_ones_own_in_linen() -> None:
    class Own(nn.Module):  # type: ignore[misc]
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return x @ self.param("kernel", nn.initializers.lecun_normal(), (24, 6)) + self.param(
                "bias", nn.initializers.zeros, (6,)
            )

    class Net(nn.Module):  # type: ignore[misc]
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return Own()(x)

    assert fj.plan(Net().init(KEY, jnp.ones((2, 24))), "he_normal")["params.Own_0.kernel"].fans == (24, 6)
    outward = {"Own_0": {"kernel": jnp.ones((6, 24)), "bias": jnp.ones(6)}}  # (out, in): its bias tells
    with pytest.raises(ValueError, match=r"Own_0\.kernel.*axes"):
        fj.plan(outward)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda r: nnx.Linear(8, 16, use_bias=False, rngs=r), "kernel"),
        (
            lambda r: nnx.Conv(8, 16, (3, 3), strides=2, feature_group_count=2, use_bias=False, rngs=r),
            "kernel",
        ),
        (lambda r: nnx.ConvTranspose(8, 16, (4,), transpose_kernel=True, use_bias=False, rngs=r), "kernel"),
        (lambda r: nnx.LinearGeneral((4, 8), 16, axis=(-2, -1), use_bias=False, rngs=r), "kernel"),
        (lambda r: nnx.Einsum("nta,hab->nthb", (4, 8, 16), rngs=r), "kernel"),
        (
            lambda r: nnx.MultiHeadAttention(2, 8, qkv_features=12, use_bias=False, decode=False, rngs=r),
            "query.kernel",
        ),
        (lambda r: nnx.LoRA(8, 4, 16, rngs=r), "lora_a"),
    ],
    ids=["linear", "conv", "transposed", "general", "einsum", "attention", "lora"],
)
def test_nnx_vmap(make: Callable[[Any], Any], name: str, axis: int) -> None:
    def stack() -> Any:
        return stacked(make, axis)

    one, many = (fj.plan(nnx.eval_shape(m), "he_normal")[name] for m in (lambda: make(nnx.Rngs(0)), stack))
    assert many.shape[axis] == 5 and many.fans.fan_in == one.fans.fan_in
    assert many.fans == one.fans or name == "lora_a"  # a LoRA does not know its rank


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_equinox_vmap(axis: int) -> None:
    eqx = optional("equinox")
    keys = jax.random.split(KEY, 5)
    for make, name in (
        (lambda k: eqx.nn.Linear(8, 16, use_bias=False, key=k), "weight"),
        (lambda k: eqx.nn.Conv2d(8, 16, 3, stride=2, groups=4, use_bias=False, key=k), "weight"),
        (lambda k: eqx.nn.ConvTranspose2d(8, 16, 4, stride=2, groups=4, use_bias=False, key=k), "weight"),
        (lambda k: eqx.nn.GRUCell(8, 16, use_bias=False, key=k), "weight_ih"),
        (lambda k: eqx.nn.LSTMCell(8, 16, use_bias=False, key=k), "weight_hh"),
    ):
        one, many = (
            fj.plan(tree, "he_normal")[name]
            for tree in (make(KEY), eqx.filter_vmap(make, out_axes=axis)(keys))
        )
        assert many.shape[axis] == 5 and many.fans == one.fans


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_each_layer_of_a_stack_is_orthogonal(axis: int) -> None:
    for layer in (
        lambda r: nnx.Linear(8, 16, use_bias=False, rngs=r),
        lambda r: nnx.LinearGeneral(8, (4, 6), use_bias=False, rngs=r),
    ):
        kernel = fj.init(
            nnx.eval_shape(lambda layer=layer: stacked(layer, axis)), "orthogonal", seed=0
        ).kernel[...]
        for one in np.moveaxis(np.asarray(kernel), axis, 0).reshape(5, 8, -1):
            np.testing.assert_allclose(one @ one.T, np.eye(8), atol=1e-5)
