"""Whole models of JAX: Flax linen and nnx, Equinox, plain trees. What is a parameter, its role and its fans; what stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi

jax = optional("jax")
jnp = jax.numpy
import fastinit.jax as fj  # noqa: E402

KEY = jax.random.key(7)


def numpy(array: Any) -> np.ndarray:
    return np.asarray(array).astype(np.float64)


def std(plan: Any, name: str) -> float:
    return plan[name].distribution.moments()[1]


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
    state = fj.init(nnx.state(abstract, nnx.Param), {"layers.1.kernel": "orthogonal"}, seed=1)
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
    drawn = fj.init(Opaque(jnp.zeros((4, 6))), "he_normal", seed=5)
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


def abstract(make: Callable[[Any], Any]) -> Any:
    from flax import nnx

    return nnx.eval_shape(lambda: make(nnx.Rngs(0)))


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


@pytest.mark.parametrize(
    "shape_of_name",
    [{"temperature": ()}, {"logit_scale": ()}, {"ls1": (4,)}, {"gain": (4,)}, {"alpha": (4,)}, {"mixing": (4, 4)},
     {"w": (4, 5, 6)}, {"relative": {"scale": (2, 3, 4)}}, {"temperature": (), "gate": {"slope": (4,)}}],
)  # fmt: skip
def test_what_is_not_known_is_named(shape_of_name: dict[str, Any]) -> None:
    tree = jax.tree.map(jnp.ones, shape_of_name, is_leaf=lambda node: isinstance(node, tuple))
    names = [
        jax.tree_util.keystr(path, simple=True, separator=".")
        for path, _ in jax.tree_util.tree_leaves_with_path(tree)
    ]
    tree["head"] = {"kernel": jnp.ones((4, 3))}
    for recipe in ("default", "he_normal"):
        with pytest.raises(ValueError, match="no rule takes") as error:
            fj.init(tree, recipe, seed=0)
        assert all(repr(name) in str(error.value) for name in names)
    rules = {name: {"scheme": "constant", "value": 2.5} for name in names}
    drawn = fj.init(tree, rules, seed=0)
    assert all(
        (leaf == 2.5).all() for leaf in jax.tree_util.tree_leaves({**drawn, "head": 2.5 * jnp.ones(())})
    )


def test_leaves_that_are_no_parameters_stay() -> None:
    optional("flax")
    from flax import nnx

    class Marker(nnx.Variable):
        pass

    class Net(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.linear = nnx.Linear(4, 4, rngs=rngs)
            self.table = nnx.Variable(jnp.sin(jnp.arange(8.0)).reshape(2, 4))
            self.marker = Marker(jnp.full(3, 7.0))
            self.count = nnx.Variable(jnp.array(5))
            self.raw = jnp.cos(jnp.arange(4.0))
            self.mask = jnp.tril(jnp.ones((4, 4), bool))
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

    own = Net(nnx.Rngs(0))
    new = fj.init(own, "he_normal", seed=0)
    assert list(fj.plan(own)) == ["linear.bias", "linear.kernel"]
    assert (new.linear.kernel[...] != own.linear.kernel[...]).any()
    for name in ("table", "marker", "count"):
        np.testing.assert_array_equal(getattr(new, name)[...], getattr(own, name)[...])
    np.testing.assert_array_equal(new.raw, own.raw)
    np.testing.assert_array_equal(new.mask, own.mask)
    assert (new.dropout.rngs.key[...] == own.dropout.rngs.key[...]).all()

    class Abstract(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.linear = nnx.Linear(4, 4, rngs=rngs)
            self.table = nnx.Variable(jnp.ones(3))
            self.raw = nnx.data(jnp.ones(3))
            self.count = nnx.Variable(jnp.array(5))

    with pytest.raises(ValueError, match="must have values") as error:
        fj.init(abstract(Abstract), seed=0)
    assert all(repr(name) in str(error.value) for name in ("table", "raw", "count"))


def test_linens_collections() -> None:
    table = jnp.sin(jnp.arange(8.0)).reshape(2, 4)
    tree = {
        "params": {"Dense_0": {"kernel": jnp.ones((4, 4))}},
        "constants": {"table": table},
        "cache": {"index": jnp.array(3)},
        "batch_stats": {
            "BatchNorm_0": {"mean": jnp.ones(4), "var": jnp.zeros(4)},
            "Own_0": {"seen": jnp.ones(2)},
        },
    }
    new = fj.init(tree, "he_normal", seed=0)
    assert new["constants"]["table"] is table and new["cache"] == tree["cache"]
    assert (
        not new["batch_stats"]["BatchNorm_0"]["mean"].any()
        and (new["batch_stats"]["BatchNorm_0"]["var"] == 1).all()
    )
    assert new["batch_stats"]["Own_0"] == tree["batch_stats"]["Own_0"]
    shapes = jax.eval_shape(lambda: tree)
    with pytest.raises(ValueError, match=r"'cache\.index', 'constants\.table'"):
        fj.init(shapes, "he_normal", seed=0)


def test_the_moments_of_an_optimizer_stay() -> None:
    optax, state = optional("optax"), optional("flax.training.train_state")
    params = {"params": {"Dense_0": {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(3)}}}
    train = state.TrainState.create(apply_fn=None, params=params, tx=optax.adam(1e-3))
    new = fj.init(train, "he_normal", seed=0)
    assert list(fj.plan(train)) == ["params.params.Dense_0.bias", "params.params.Dense_0.kernel"]
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), new.opt_state, train.opt_state))
    assert (new.params["params"]["Dense_0"]["kernel"] != 1).all() and new.step == 0


def test_lora() -> None:
    optional("flax")
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.first = nnx.LoRALinear(4, 8, lora_rank=2, rngs=rngs)
            self.second = nnx.LoRA(8, 2, 3, base_module=nnx.Linear(8, 3, rngs=rngs), rngs=rngs)
            self.head = nnx.Linear(3, 3, rngs=rngs)

    base = ["first.bias", "first.kernel", "second.base_module.bias", "second.base_module.kernel"]
    for recipe in ("default", "he_normal", "orthogonal"):
        plan = fj.plan(abstract(Net), recipe)
        assert set(base) <= set(plan)  # what is abstract must have values
        assert plan["first.lora.lora_b"].scheme == plan["second.lora_b"].scheme == "zeros"
        assert plan["second.lora_a"].scheme == "torch_default" and plan["second.lora_a"].fans == (8, 2)
    own = Net(nnx.Rngs(0))
    new = fj.init(own, "he_normal", seed=0)
    assert not set(base) & set(fj.plan(own)) and set(base) <= set(fj.plan(own, frozen=True))
    np.testing.assert_array_equal(new.first.kernel[...], own.first.kernel[...])
    np.testing.assert_array_equal(new.second.base_module.kernel[...], own.second.base_module.kernel[...])
    assert (new.head.kernel[...] != own.head.kernel[...]).any()
    assert (new.first.lora.lora_a[...] != own.first.lora.lora_a[...]).any() and not new.first.lora.lora_b[
        ...
    ].any()
    np.testing.assert_array_equal(
        fj.init(own, "he_normal", seed=0, frozen=True).first.kernel[...],
        fj.init(abstract(Net), "he_normal", seed=0).first.kernel[...],
    )


def test_norms_of_several_kinds() -> None:
    optional("flax")
    from flax import nnx

    spectral = fj.init(
        abstract(lambda r: nnx.SpectralNorm(nnx.Linear(8, 16, rngs=r), rngs=r)), "he_normal", seed=0
    )
    assert np.isfinite(numpy(spectral(jnp.ones((1, 8)), update_stats=True))).all()
    weight = fj.init(abstract(lambda r: nnx.WeightNorm(nnx.Linear(8, 16, rngs=r), rngs=r)), seed=0)
    concrete = fj.init(nnx.WeightNorm(nnx.Linear(8, 16, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0)), seed=0)
    np.testing.assert_array_equal(concrete.layer_instance.kernel[...], weight.layer_instance.kernel[...])
    assert (weight.scales[("kernel",)] == 1).all() and weight(jnp.ones((1, 8))).shape == (1, 16)
    plan = fj.plan(abstract(lambda r: nnx.PReLU()))
    assert plan["negative_slope"].distribution == fi.distribution("constant", (), value=0.25)


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
    assert plan(nn.ConvLocal(4, (3, 3)), 2, 8, 8, 3)["params.ConvLocal_0.kernel"].fans == (27, 4)
    assert plan(nn.PReLU(), 2, 3)["params.PReLU_0.negative_slope"].scheme == "constant"
    assert (
        plan(nn.WeightNorm(nn.Dense(4)), 2, 3)["params.WeightNorm_0.layer_instance/kernel/scale"].scheme
        == "ones"
    )
    with pytest.raises(ValueError, match=r"Einsum_0.kernel.*axes"):  # nothing says the equation
        plan(nn.Einsum((4, 8, 16), "nta,hab->nthb"), 2, 3, 8)
    with pytest.raises(ValueError, match=r"own.kernel.*axes"):
        plan(nn.DenseGeneral((4, 8), name="own"), 2, 3)
    stacked = jnp.zeros((5, 6, 2, 3))  # an attention's layers, by scan
    attention = {"blocks": {"query": {"kernel": stacked}, "out": {"kernel": jnp.zeros((5, 2, 3, 6))}}}
    assert fj.plan(attention, "he_normal")["blocks.query.kernel"].fans == (6, 6)
    assert fj.plan(attention, "he_normal")["blocks.out.kernel"].fans == (6, 6)


def test_equinox_constants_and_state() -> None:
    eqx = optional("equinox")

    class Net(eqx.Module):  # type: ignore[misc]
        norm: Any
        spectral: Any
        gain: Any
        table: np.ndarray
        mask: Any
        prelu: Any
        layer_norm: Any

        def __init__(self, key: Any) -> None:
            self.norm = eqx.nn.BatchNorm(8, "batch", mode="batch")
            self.spectral = eqx.nn.SpectralNorm(eqx.nn.Linear(8, 16, key=key), "weight", key=key)
            self.gain = eqx.nn.WeightNorm(eqx.nn.Linear(8, 16, key=key))
            self.table = np.arange(4.0)
            self.mask = jnp.ones((2, 2), bool)
            self.prelu = eqx.nn.PReLU()
            self.layer_norm = eqx.nn.LayerNorm((4, 6))

    own = eqx.nn.make_with_state(Net)(KEY)
    model, state = fj.init(own, "he_normal", seed=0)
    assert model.table is own[0].table and model.mask is own[0].mask
    assert (model.layer_norm.weight == 1).all() and not model.layer_norm.bias.any()
    assert float(model.prelu.negative_slope) == 0.25
    np.testing.assert_allclose(
        model.gain.g[:, 0], jnp.linalg.norm(model.gain.layer.weight, axis=1), rtol=1e-6
    )
    u, v = state.get(model.spectral.uv_index)
    weight = model.spectral.layer.weight
    assert float(u @ weight @ v) > 0.98 * np.linalg.norm(weight, 2)
    with pytest.raises(ValueError, match=r"leaf '0\.mask' must have values"):
        fj.init(eqx.filter_eval_shape(lambda: eqx.nn.make_with_state(Net)(KEY)), seed=0)
    shapes = eqx.filter_eval_shape(lambda: eqx.nn.make_with_state(eqx.nn.BatchNorm)(8, "batch", mode="ema"))
    norm, state = fj.init(shapes, seed=0)
    mean, var = state.get(norm.ema_state_index)
    assert bool(state.get(norm.ema_first_time_index)) and not mean.any() and (var == 1).all()


def test_plans_and_prefixes() -> None:
    tree = {"Dense_0": {"kernel": jnp.zeros((4, 3)), "bias": jnp.zeros(3)}}
    plan = fj.plan(tree, "he_normal")
    np.testing.assert_array_equal(
        fj.init(tree, plan, seed=1)["Dense_0"]["kernel"],
        fj.init(tree, "he_normal", seed=1)["Dense_0"]["kernel"],
    )
    first, second = (fj.init(tree, seed=0, prefix=prefix)["Dense_0"]["kernel"] for prefix in ("q1.", "q2."))
    assert (first != second).all()
    np.testing.assert_array_equal(
        first, fi.xavier_normal((4, 3), layout="io", seed=0, name="q1.Dense_0.kernel")
    )
    assert list(fj.plan(tree, prefix="q1.")) == ["q1.Dense_0.bias", "q1.Dense_0.kernel"]
    wide = fj.plan(tree, "normal", std=3.0)
    assert std(wide, "Dense_0.kernel") == 3.0
    for wrong, message in (
        ({"Dense_0": {"kernel": jnp.zeros((4, 3))}}, "lacks"),
        ({"Dense_0": {**tree["Dense_0"], "extra_bias": jnp.zeros(3)}}, "extra_bias"),
        ({"Dense_0": {"kernel": jnp.zeros((3, 4)), "bias": jnp.zeros(3)}}, "shape"),
        ({"Dense_0": {"kernel": jnp.zeros((4, 3), "bfloat16"), "bias": jnp.zeros(3)}}, "bfloat16"),
    ):
        with pytest.raises(ValueError, match=message):
            fj.init(wrong, plan, seed=0)
    with pytest.raises(TypeError, match="std"):
        fj.init(tree, plan, seed=0, std=1.0)
    with pytest.raises(TypeError, match="seed"):
        fj.init(tree)


def test_a_model_may_be_drawn_within_jit_and_under_a_mesh() -> None:
    tree = {"Dense_0": {"kernel": jnp.zeros((4, 3))}}
    drawn = fj.init(tree, seed=0)["Dense_0"]["kernel"]
    np.testing.assert_array_equal(jax.jit(lambda: fj.init(tree, seed=0))()["Dense_0"]["kernel"], drawn)
    with jax.set_mesh(jax.make_mesh((1,), ("a",))):
        under = fj.init(tree, seed=0)["Dense_0"]["kernel"]
        assert isinstance(under.sharding, jax.NamedSharding)
        np.testing.assert_array_equal(under, drawn)
