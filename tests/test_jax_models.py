"""Whole models of JAX: Flax linen and nnx, Equinox, plain trees. The roles and the fans of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional
from jax_trees import abstract, numpy, std

import fastinit as fi

jax = optional("jax")
jnp = jax.numpy
import fastinit.jax as fj  # noqa: E402

KEY = jax.random.key(7)


def test_linen() -> None:
    optional("flax")
    import flax.linen as nn

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.Conv(16, (3, 3), feature_group_count=2)(nn.Embed(50, 8)(x))
            x = nn.BatchNorm(use_running_average=True)(nn.ConvTranspose(6, (2, 2))(x))
            x = nn.MultiHeadDotProductAttention(3)(x.reshape(1, -1, 6))
            boxed = nn.with_partitioning(nn.initializers.lecun_normal(), ("a", "b"))
            return nn.Dense(4, kernel_init=boxed)(x)

    abstract = jax.eval_shape(Net().init, KEY, jnp.zeros((1, 4, 4), jnp.int32))
    plan = fj.plan(abstract, "lecun_normal")
    assert std(plan, "params.Conv_0.kernel") == pytest.approx((4 * 9) ** -0.5)
    assert std(plan, "params.ConvTranspose_0.kernel") == pytest.approx((16 * 4) ** -0.5)
    attention = "params.MultiHeadDotProductAttention_0"
    assert plan[f"{attention}.query.kernel"].fans == (6, 6) == plan[f"{attention}.out.kernel"].fans
    assert plan["params.Dense_0.kernel"].fans == (6, 4)
    assert std(plan, "params.Embed_0.embedding") == 0.02
    assert plan["params.BatchNorm_0.scale"].scheme == "ones" == plan["batch_stats.BatchNorm_0.var"].scheme
    assert plan["params.BatchNorm_0.bias"].scheme == "zeros" == plan["batch_stats.BatchNorm_0.mean"].scheme
    variables = fj.init(abstract, "lecun_normal", seed=3)
    kernel = variables["params"]["Conv_0"]["kernel"]
    expected = fi.lecun_normal(kernel.shape, layout="hwio", seed=3, name="params.Conv_0.kernel")
    np.testing.assert_array_equal(kernel, expected)
    assert jnp.isfinite(Net().apply(variables, jnp.zeros((1, 4, 4), jnp.int32))).all()


def test_nnx() -> None:
    optional("flax")
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.embed = nnx.Embed(50, 8, rngs=rngs)
            self.conv = nnx.Conv(8, 16, (3, 3), strides=2, feature_group_count=2, rngs=rngs)
            self.up = nnx.ConvTranspose(16, 8, (4, 4), strides=(2, 2), transpose_kernel=True, rngs=rngs)
            self.norm = nnx.BatchNorm(8, use_running_average=True, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(2, 8, qkv_features=12, decode=False, rngs=rngs)
            self.layers = nnx.List([nnx.Linear(8, 8, rngs=rngs) for _ in range(2)])
            self.dropout = nnx.Dropout(0.5, rngs=rngs)
            self.head = nnx.Linear(8, 8, rngs=rngs)
            self.head.kernel = self.layers[0].kernel

        def __call__(self, x: Any) -> Any:
            x = self.norm(self.up(self.conv(self.embed(x))))
            x = self.attention(x.reshape(1, -1, 8))
            return self.head(self.dropout(self.layers[1](self.layers[0](x))))

    abstract = nnx.eval_shape(lambda: Net(nnx.Rngs(0)))
    plan = fj.plan(abstract)
    assert plan["conv.kernel"].fans == (4 * 9, 16 / 2 * 9 / 4)
    assert plan["up.kernel"].fans == (16 * 16 / 4, 8 * 16)
    assert plan["attention.query.kernel"].fans == (8, 12) and plan["attention.out.kernel"].fans == (12, 8)
    assert plan["norm.var"].scheme == plan["norm.scale"].scheme == "ones"
    assert plan["norm.mean"].scheme == plan["norm.bias"].scheme == "zeros"
    names = {name for name in plan if name.endswith("kernel") and ("layers" in name or "head" in name)}
    assert len(names) == 2  # the shared one stands once
    net = fj.init(
        abstract, {"layers.1.kernel": "orthogonal", "*.bias": {"scheme": "constant", "value": 3}}, seed=1
    )
    assert net.head.kernel is net.layers[0].kernel
    q = numpy(net.layers[1].kernel[...])
    np.testing.assert_allclose(q @ q.T, np.eye(8), atol=1e-6)
    assert (net.head.bias[...] == 3).all()
    assert jnp.isfinite(net(jnp.zeros((1, 4, 4), jnp.int32))).all()
    parameters, rules = nnx.state(abstract, nnx.Param), {"layers.1.kernel": "orthogonal"}
    with pytest.raises(
        ValueError, match=r"'up\.kernel'.*axes"
    ):  # a state has no layers: its bias fits another axis
        fj.init(parameters, rules, seed=1)
    state = fj.init(parameters, {**rules, "up.kernel": {"scheme": "he_normal", "layout": "hwoi"}}, seed=1)
    np.testing.assert_array_equal(state["layers"][1]["kernel"][...], q)
    # A concrete module gives the same, and stays as it is.
    before = Net(nnx.Rngs(0))
    weights = before.conv.kernel[...]
    again = fj.init(before, seed=1)
    np.testing.assert_array_equal(again.conv.kernel[...], net.conv.kernel[...])
    np.testing.assert_array_equal(before.conv.kernel[...], weights)


def test_nnx_takes_the_initializers() -> None:
    optional("flax")
    from flax import nnx

    def net() -> Any:
        return nnx.Linear(4, 8, kernel_init=fj.he_normal(), bias_init=fj.uniform(), rngs=nnx.Rngs(0))

    np.testing.assert_array_equal(net().kernel[...], nnx.jit(net)().kernel[...])
    assert nnx.eval_shape(net).kernel.shape == (4, 8)


def test_equinox() -> None:
    eqx = optional("equinox")

    def net(key: Any) -> Any:
        a, b, c, d = jax.random.split(key, 4)
        return {
            "mlp": eqx.nn.MLP(4, 3, 8, 2, key=a),
            "up": eqx.nn.ConvTranspose2d(8, 6, 4, stride=2, groups=2, key=b),
            "conv": eqx.nn.Conv2d(8, 6, 3, stride=2, groups=2, key=c),
            "cell": eqx.nn.LSTMCell(5, 7, key=d),
            "stack": eqx.filter_vmap(lambda key: eqx.nn.Linear(4, 6, key=key))(jax.random.split(key, 3)),
        }

    plan = fj.plan(eqx.filter_eval_shape(net, KEY), "xavier_normal")
    assert plan["mlp.layers.0.weight"].fans == (4, 8)
    assert plan["up.weight"].fans == (8 / 2 * 16 / 4, 6 / 2 * 16)
    assert plan["conv.weight"].fans == (8 / 2 * 9, 6 / 2 * 9 / 4)
    assert plan["cell.weight_ih"].fans == (5, 7)
    assert plan["stack.weight"].fans == (4, 6) and plan["stack.bias"].scheme == "zeros"
    drawn = fj.init(net(KEY), "xavier_normal", seed=0)
    np.testing.assert_array_equal(
        drawn["mlp"].layers[0].weight, fi.xavier_normal((8, 4), seed=0, name="mlp.layers.0.weight")
    )
    assert drawn["mlp"].activation is net(KEY)["mlp"].activation
    assert jnp.isfinite(drawn["mlp"](jnp.ones(4))).all()


class Opaque:
    """A pytree that does not tell the names of its children."""

    def __init__(self, w: Any) -> None:
        self.w = w


jax.tree_util.register_pytree_node(Opaque, lambda o: ((o.w,), None), lambda _, children: Opaque(*children))


def test_plain_trees() -> None:
    with pytest.raises(ValueError, match="'0' of shape"):
        fj.init(Opaque(jnp.zeros((4, 6))), "he_normal", seed=5)
    drawn = fj.init(Opaque(jnp.zeros((4, 6))), {"0": "he_normal"}, seed=5)
    np.testing.assert_array_equal(drawn.w, fi.he_normal((4, 6), layout="io", seed=5, name="0"))
    tree = {"w": jnp.zeros((4, 6)), "steps": jnp.zeros((), jnp.int32), "blocks": [{"w": jnp.zeros((6, 2))}]}
    drawn = fj.init(tree, seed=5)
    assert drawn["steps"] is tree["steps"]
    assert list(fj.plan(tree)) == ["blocks.0.w", "w"] and fj.plan(tree)["w"].fans == (4, 6)
    np.testing.assert_array_equal(
        drawn["blocks"][0]["w"], fi.xavier_normal((6, 2), layout="io", seed=5, name="blocks.0.w")
    )


def test_a_tree_of_one_array() -> None:
    drawn = fj.init(jax.ShapeDtypeStruct((8, 4), jnp.float32), "lecun_normal", seed=0)
    np.testing.assert_array_equal(drawn, fi.lecun_normal((8, 4), layout="io", seed=0))


def fans_of(make: Callable[[Any], Any], name: str = "kernel") -> tuple[float, float]:
    fans = fj.plan(abstract(make), "he_normal")[name].fans
    assert fans is not None
    return fans.fan_in, fans.fan_out


def test_fans_of_nnx_layers_by_hand() -> None:
    optional("flax")
    from flax import nnx

    assert fans_of(lambda r: nnx.Einsum("nta,hab->nthb", (4, 8, 16), (4, 16), rngs=r)) == (8, 64)
    assert fans_of(lambda r: nnx.Einsum("...d,df->...f", (8, 24), rngs=r)) == (8, 24)
    assert fans_of(lambda r: nnx.Einsum("ebd,edf->ebf", (3, 8, 24), rngs=r)) == (
        8,
        24,
    )  # experts, each by itself
    assert fans_of(lambda r: nnx.LinearGeneral((4, 8), (2, 16), axis=(-2, -1), rngs=r)) == (32, 32)
    assert fans_of(lambda r: nnx.LinearGeneral(8, (2, 16), batch_axis={0: 5}, rngs=r)) == (8, 32)
    for cell, gates in ((nnx.OptimizedLSTMCell, 4), (nnx.GRUCell, 3)):
        plan = fj.plan(abstract(lambda r, cell=cell: cell(8, 16, rngs=r)), "orthogonal")
        assert plan["dense_i.kernel"].shape == (8, 16 * gates)
        assert plan["dense_h.kernel"].distribution.packed == gates
    assert fans_of(lambda r: nnx.OptimizedLSTMCell(8, 16, rngs=r), "dense_i.kernel") == (8, 16)
    assert fans_of(lambda r: nnx.GRUCell(8, 16, rngs=r), "dense_h.kernel") == (16, 16)
    assert fans_of(lambda r: nnx.LSTMCell(8, 16, rngs=r), "hf.kernel") == (16, 16)
    assert fans_of(lambda r: nnx.Bidirectional(nnx.RNN(nnx.GRUCell(8, 16, rngs=r)), nnx.RNN(nnx.GRUCell(8, 16, rngs=r))),
                   "backward_rnn.cell.dense_i.kernel") == (8, 16)  # fmt: skip
    plan = fj.plan(abstract(lambda r: nnx.GRUCell(8, 16, rngs=r)))
    assert (
        plan["dense_h.kernel"].reason == "a recurrent weight" and plan["dense_i.kernel"].reason == "a weight"
    )


def own_modules() -> Any:
    from flax import nnx

    class Subclass(nnx.Linear):
        pass

    class Raw(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.cls = nnx.Param(jnp.zeros((1, 1, 32)))
            self.pos = nnx.Param(jnp.zeros((1, 17, 32)))
            self.experts = nnx.Param(jnp.zeros((4, 32, 64)))
            self.w = nnx.Param(jnp.zeros((32, 8)))
            self.proj = Subclass(32, 8, rngs=rngs)

    return Raw


def test_raw_parameters_by_their_names() -> None:
    optional("flax")
    plan = fj.plan(abstract(own_modules()), "he_normal")
    assert std(plan, "cls") == std(plan, "pos") == 0.02
    assert (
        plan["experts"].fans == (32, 64) and plan["w"].fans == (32, 8) and plan["proj.kernel"].fans == (32, 8)
    )
    assert plan["proj.bias"].scheme == "zeros"


def test_linen_layers_by_their_names() -> None:
    optional("flax")
    import flax.linen as nn

    def plan(module: Any, *shape: int, recipe: str = "he_normal") -> Any:
        class Net(nn.Module):
            @nn.compact
            def __call__(self, x: Any) -> Any:
                if isinstance(module, nn.RNNCellBase):
                    return module.copy()(module.initialize_carry(KEY, x.shape), x)
                return module.copy()(x)

        return fj.plan(jax.eval_shape(Net().init, KEY, jnp.ones(shape)), recipe)

    assert plan(nn.ConvLSTMCell(4, (3, 3)), 2, 8, 8, 3)["params.ConvLSTMCell_0.ih.kernel"].fans == (27, 36)
    assert plan(nn.GRUCell(4), 2, 3)["params.GRUCell_0.hz.kernel"].reason == "a recurrent weight"
    gates = plan(nn.MGUCell(4), 2, 3)
    ones = gates.tensor("params.MGUCell_0.if.bias", seed=0)  # as Flax has it
    assert gates["params.MGUCell_0.if.bias"].scheme == "forget_gate_bias" and (ones == 1).all()
    up = plan(nn.ConvTranspose(4, (2, 2), transpose_kernel=True), 2, 8, 8, 3)["params.ConvTranspose_0.kernel"]
    assert up.shape == (2, 2, 4, 3) and up.fans == (12, 16)  # its bias tells
    assert plan(nn.ConvLocal(4, (3, 3)), 2, 8, 8, 3)["params.ConvLocal_0.kernel"].fans == (27, 4)
    assert plan(nn.PReLU(), 2, 3)["params.PReLU_0.negative_slope"].scheme == "constant"
    assert (
        plan(nn.WeightNorm(nn.Dense(4)), 2, 3)["params.WeightNorm_0.layer_instance/kernel/scale"].scheme
        == "ones"
    )
    with pytest.raises(ValueError, match=r"Einsum_0.kernel.*axes"):  # nothing says the equation
        plan(nn.Einsum((4, 8, 16), "nta,hab->nthb"), 2, 3, 8)
    with pytest.raises(ValueError, match=r"DenseGeneral_0.kernel.*axes"):
        plan(nn.DenseGeneral((4, 8), use_bias=False), 2, 3)
    assert plan(nn.DenseGeneral((4, 8)), 2, 3)["params.DenseGeneral_0.kernel"].fans == (
        3,
        32,
    )  # its bias tells
    stacked = jnp.zeros((5, 6, 2, 3))  # an attention's layers, by scan
    attention = {"blocks": {"query": {"kernel": stacked}, "out": {"kernel": jnp.zeros((5, 2, 3, 6))}}}
    assert fj.plan(attention, "he_normal")["blocks.query.kernel"].fans == (6, 6)
    assert fj.plan(attention, "he_normal")["blocks.out.kernel"].fans == (6, 6)
