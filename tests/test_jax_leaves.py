"""Whole models of JAX: what is a parameter and what stays, what is not known, plans of earlier, adapters and state."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    "shape_of_name",
    [{"temperature": ()}, {"logit_scale": ()}, {"ls1": (4,)}, {"gain": (4,)}, {"alpha": (4,)}, {"mixing": (4, 4)},
     {"w": (4, 5, 6)}, {"relative": {"scale": (2, 3, 4)}}, {"temperature": (), "gate": {"slope": (4,)}}],
)  # fmt: skip
def test_what_is_not_known_is_named(shape_of_name: dict[str, Any]) -> None:
    def spec(shape: tuple[int, ...]) -> Any:
        return jax.ShapeDtypeStruct(shape, "float32")

    tree = jax.tree.map(spec, shape_of_name, is_leaf=lambda node: isinstance(node, tuple))
    names = [
        jax.tree_util.keystr(path, simple=True, separator=".")
        for path, _ in jax.tree_util.tree_leaves_with_path(tree)
    ]
    tree["head"] = {"kernel": spec((4, 3))}
    for recipe in ("default", "he_normal"):
        with pytest.raises(ValueError, match="no rule takes") as error:
            fj.init(tree, recipe, seed=0)
        assert all(repr(name) in str(error.value) for name in names)
    rules = {name: {"scheme": "constant", "value": 2.5} for name in names}
    drawn = fj.init(tree, rules, seed=0)
    assert all(
        (leaf == 2.5).all() for leaf in jax.tree_util.tree_leaves({**drawn, "head": 2.5 * jnp.ones(())})
    )


def test_a_scale_without_a_rule_keeps_the_models_value() -> None:
    tree = {
        "gain": jnp.full(4, 1.5),
        "temperature": jnp.asarray(0.07),
        "ls1": jnp.full(4, 1e-5, "bfloat16"),
        "head": {"kernel": jnp.ones((4, 3))},
    }
    plan = fj.plan(tree, "he_normal")
    assert plan["temperature"].reason == "a logit scale or temperature: the model's own value"
    new = fj.init(tree, "he_normal", seed=0)
    assert plan["gain"].reason == "the model's own value" and (new["gain"] == 1.5).all()
    assert new["temperature"] == tree["temperature"] and (new["ls1"] == tree["ls1"]).all()
    assert fj.init(tree, {"temperature": "ones"}, seed=0)["temperature"] == 1
    with pytest.raises(ValueError, match="'mixing'"):  # may stand for a shape
        fj.plan({**tree, "mixing": jnp.ones((4, 4))})
    for value in (jnp.arange(4.0), jnp.full(4, jnp.nan)):
        with pytest.raises(ValueError, match="'ls1'"):
            fj.plan({**tree, "ls1": value})
    with pytest.raises(ValueError, match="'temperature'"):
        jax.jit(lambda tree: fj.init(tree, seed=0))(tree)  # a traced value is not known


def test_what_is_left_alone_is_listed_with_its_reason() -> None:
    optional("flax")
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.adapted = nnx.LoRALinear(4, 8, lora_rank=2, rngs=rngs)
            self.norm = nnx.BatchNorm(8, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)
            self.table = nnx.Variable(jnp.sin(jnp.arange(8.0)))
            self.mask = jnp.ones((2, 2), bool)

    plan = fj.plan(Net(nnx.Rngs(0)), prefix="net.")
    reasons = {name.removeprefix("net."): row.reason.partition(":")[0] for name, row in plan.unfilled.items()}
    assert reasons == {
        "adapted.kernel": "frozen, the base of a LoRA",
        "adapted.bias": "frozen, the base of a LoRA",
        "dropout.rngs.count": "a random stream",
        "dropout.rngs.key": "a random stream",
        "table": "not a parameter",
        "mask": "integers or bools, which are not drawn",
    }
    assert "net.table" not in plan and plan["net.table"].shape == (8,)
    assert not any("adapted" in name for name in fj.plan(Net(nnx.Rngs(0)), frozen=True).unfilled)
    assert fi.Plan.from_json(plan.to_json()) == plan
    assert not fj.plan({"w": jnp.ones((4, 3))}).unfilled
    linen = {"params": {"Dense_0": {"kernel": jnp.ones((4, 4))}}, "cache": {"index": jnp.array(3)}}
    assert list(fj.plan(linen).unfilled) == ["cache.index"]


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
    optax = optional("optax")
    from flax.training import train_state as state

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


def test_equinox_constants_and_state() -> None:
    eqx = optional("equinox")

    class Net(eqx.Module):
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
    with jax.set_mesh(jax.make_mesh((1,), ("a",), axis_types=(jax.sharding.AxisType.Explicit,))):
        under = fj.init(tree, seed=0)["Dense_0"]["kernel"]
        assert isinstance(under.sharding, jax.NamedSharding)
        np.testing.assert_array_equal(under, drawn)
