"""Arrays of JAX on several devices: by shards, under a mesh, traced and within shard_map, placed as JAX places its own."""

from __future__ import annotations

import os
import subprocess
import sys

from conftest import optional

optional("jax")


def on_devices(program: str) -> list[str]:
    """What the program prints on eight virtual devices."""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env={**os.environ, **flags}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_shards() -> None:
    """What is asked for by shards is the whole's, eager and traced, in any mesh."""
    assert on_devices(SHARDS) == ["50", "checked"]


SHARDS = """
import jax, numpy as np, fastinit.jax as fj
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
key, shape, checked = jax.random.key(3), (8, 16), 0

def check(got, whole, sharding):
    global checked
    assert (np.asarray(got) == np.asarray(whole)).all()
    assert got.sharding.is_equivalent_to(sharding, 2), got.sharding
    checked += 1

for kind in (AxisType.Auto, AxisType.Explicit):
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind,) * 2)
    for spec in (P("x", "y"), P(None, ("x", "y")), P("y"), P()):
        placed = NamedSharding(mesh, spec)
        for init in (fj.he_normal(dtype="bfloat16"), fj.orthogonal()):
            whole = init(key, shape)
            by_sharding = lambda key: init(key, shape, out_sharding=placed)
            check(by_sharding(key), whole, placed)
            check(jax.jit(by_sharding)(key), whole, placed)
        with jax.set_mesh(mesh):
            by_spec = lambda key: init(key, shape, out_sharding=spec)
            check(by_spec(key), whole, placed)
            check(jax.jit(by_spec)(key), whole, placed)
    tree = {"kernel": jax.ShapeDtypeStruct(shape, "float32", sharding=NamedSharding(mesh, P("x", "y")))}
    drawn = fj.init(tree, seed=0)["kernel"]
    check(drawn, fj.init({"kernel": np.zeros(shape, "float32")}, seed=0)["kernel"], tree["kernel"].sharding)
    shard = drawn.addressable_shards[3]
    assert shard.data.unsafe_buffer_pointer() % 64 == 0  # taken as it was drawn
print(checked, "checked")
"""


def test_a_mesh_places_as_jax_does() -> None:
    assert on_devices(PLACES) == ["51", "checked"]


PLACES = """
import jax, jax.numpy as jnp, numpy as np, pytest, fastinit.jax as fj
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
key, keys, checked = jax.random.key(3), jax.random.split(jax.random.key(3), 4), 0
theirs, Auto, Explicit = jax.nn.initializers, AxisType.Auto, AxisType.Explicit

def check(call):
    global checked
    ours, other = call(fj.normal()), call(theirs.normal())
    assert ours.sharding.is_equivalent_to(other.sharding, ours.ndim), (ours.sharding, other.sharding)
    assert jax.typeof(ours) == jax.typeof(other) and ours.committed == other.committed
    checked += 1
    return ours

def mapped(out, **kinds):
    return lambda init: jax.shard_map(lambda k: init(k, (4, 8)), in_specs=P(), out_specs=P(out), check_vma=False, **kinds)

calls = [
    lambda init: init(key, (4, 8)),
    lambda init: init(key, ()),
    lambda init: jax.jit(lambda k: init(k, (4, 8)))(key),
    lambda init: jax.vmap(lambda k: init(k, (4, 8)))(keys),
    lambda init: jax.jit(jax.vmap(lambda k: init(k, (4, 8))))(keys),
    lambda init: jax.vmap(jax.vmap(lambda k: init(k, (8,))))(keys[None]),
    lambda init: jax.jit(lambda x: x + init(key, (4, 8)))(1.0),
    lambda init: jax.vmap(lambda x: x + init(key, (8,)))(jnp.ones(3)),
    lambda init: jax.jvp(lambda s: s * init(key, (4, 8)), (1.0,), (1.0,))[1],
    lambda init: mapped("a")(init)(key),
    lambda init: jax.jit(mapped("b")(init))(key),
]
by_spec = [
    lambda init: init(key, (4, 8), out_sharding=P("a", "b")),
    lambda init: jax.vmap(lambda k: init(k, (4, 8), out_sharding=P("a", "b")))(keys),
]
values = [call(fj.normal()) for call in calls[:9]]
for kinds in ((Auto, Auto), (Explicit, Explicit), (Auto, Explicit), (Explicit, Auto)):
    with jax.set_mesh(jax.make_mesh((4, 2), ("a", "b"), axis_types=kinds)):
        for i, call in enumerate(calls):
            got = check(call)
            whole = values[i] if i < len(values) else values[0]  # within shard_map, each device draws the whole
            got = np.asarray(got)
            np.testing.assert_array_equal(got[: len(whole)] if got.ndim else got, whole)
        for call in by_spec if kinds == (Explicit, Explicit) else ():
            check(call)
        if kinds == (Auto, Auto):
            with pytest.raises(NotImplementedError, match="shard_map"):
                jax.jit(mapped("a", axis_names={"a"})(fj.orthogonal()))(key)
mesh = jax.make_mesh((4, 2), ("a", "b"), axis_types=(Auto, Auto))
for place in (jax.devices()[3], NamedSharding(mesh, P())):
    moved = jax.device_put(key, place)
    check(lambda init: init(moved, (4, 8)))
    check(lambda init: jax.jit(lambda k: init(k, (4, 8)))(moved))
with jax.default_device(jax.devices()[2]):
    check(lambda init: init(key, (4, 8)))
print(checked, "checked")
"""


def test_layers_of_flax_lie_where_flax_puts_them() -> None:
    """With fastinit's initializers in a layer of Flax under a mesh, shardings, types and values are as they should be."""
    optional("flax")
    assert on_devices(LAYERS) == ["34", "checked"]


LAYERS = """
import jax, jax.numpy as jnp, numpy as np, fastinit.jax as fj
import flax.linen as nn
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
checked = 0

def layers(init):
    placed, spread = {"kernel_metadata": {"out_sharding": ("a", "b")}}, nnx.with_partitioning(init, ("a", "b"))
    make = lambda **kinds: (lambda r: nnx.Linear(8, 16, rngs=r, **kinds))
    yield make(kernel_init=init, **placed)
    yield make(kernel_init=spread)
    yield make(kernel_init=init, bias_init=fj.normal() if init is not theirs else jax.nn.initializers.normal())
    yield lambda r: nnx.jit(make(kernel_init=spread))(r)
    yield lambda r: nnx.Conv(4, 8, (3, 3), kernel_init=nnx.with_partitioning(init, (None, None, "b", "a")), rngs=r)
    yield lambda r: nnx.Embed(16, 8, embedding_init=spread, rngs=r)
    yield lambda r: nnx.LinearGeneral(8, (4, 2), kernel_init=nnx.with_partitioning(init, ("a", "b", None)), rngs=r)
    yield lambda r: nnx.split_rngs(splits=2)(nnx.vmap(
        lambda r: nnx.Linear(8, 16, kernel_init=spread, rngs=r), transform_metadata={nnx.PARTITION_NAME: None}))(r)

theirs = jax.nn.initializers.lecun_normal()
for kinds in ((AxisType.Auto,) * 2, (AxisType.Explicit,) * 2):
    with jax.set_mesh(jax.make_mesh((4, 2), ("a", "b"), axis_types=kinds)):
        for ours, other in zip(layers(fj.lecun_normal()), layers(theirs), strict=True):
            one, two = (nnx.state(make(nnx.Rngs(0)), nnx.Param) for make in (ours, other))
            for (path, a), (_, b) in zip(nnx.to_flat_state(one), nnx.to_flat_state(two), strict=True):
                a, b = a.get_value(), b.get_value()
                assert jax.typeof(a) == jax.typeof(b), (path, jax.typeof(a), jax.typeof(b))
                assert a.sharding.is_equivalent_to(b.sharding, a.ndim), (path, a.sharding, b.sharding)
                checked += 1
        # A whole model: an abstract one has the shardings of the real one, and init keeps them.
        make = next(layers(theirs))
        model = fj.init(nnx.eval_shape(lambda: make(nnx.Rngs(0))), "he_normal", seed=0)
        assert model.kernel[...].sharding.spec == P("a", "b"), model.kernel[...].sharding
        checked += 1
        # linen: logical names become shardings.
        dense = nn.Dense(16, kernel_init=nn.with_logical_partitioning(fj.lecun_normal(), ("in", "out")))
        init = lambda key: dense.init(key, jnp.ones((2, 8)))
        specs = nn.logical_to_mesh(nn.get_partition_spec(jax.eval_shape(init, jax.random.key(0))), (("in", "a"), ("out", "b")))
        plain = nn.unbox(init(jax.random.key(0)))["params"]["kernel"]
        drawn = jax.jit(init, out_shardings=jax.tree.map(lambda s: NamedSharding(jax.sharding.get_mesh(), s), specs))(
            jax.random.key(0)) if kinds[0] == AxisType.Auto else init(jax.random.key(0))
        np.testing.assert_array_equal(nn.unbox(drawn)["params"]["kernel"], plain)
        checked += 1
print(checked, "checked")
"""
