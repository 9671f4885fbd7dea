"""The custom call by which XLA draws on the CPU: traced programs, shards on devices, threads, and frames that are not as they should be."""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from conftest import optional
from test_jax_meshes import on_devices

import fastinit as fi
from fastinit.dtypes import COMPLEX as COMPLEX_DTYPES
from fastinit.dtypes import DTYPES, numpy_dtype
from fastinit.laws.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform

jax = optional("jax")
jnp = jax.numpy
import fastinit.jax as fj  # noqa: E402
from fastinit.jax import custom_call, traced  # noqa: E402
from fastinit.jax.keys import words_of_seed  # noqa: E402

KEY = jax.random.key(2**40 + 3)
LAWS = [
    Uniform(-0.3, 0.7),
    Normal(0.1, 2.0),
    TruncatedNormal(0.0, 1.0, -2.0, 2.0),
    TruncatedNormal(0.5, 2.0, 3.0, math.inf),
    Constant(0.7),
]
COMPLEX = [Normal(0.0, 2.0), Constant(0.0)]
"""Those of which each part of a complex value is drawn by itself."""


def bits(array: Any) -> np.ndarray:
    array = np.asarray(array)
    size = array.itemsize // (2 if array.dtype.kind == "c" else 1)
    return np.frombuffer(array.tobytes(), f"u{size}")


def program_of(compiled: Any) -> str:
    text = compiled.as_text()
    assert "callback" not in text
    return text


# ------------------------------------------------------------------------------------------------- programs


@pytest.mark.parametrize(
    ("dtype", "law"),
    [*product(DTYPES, LAWS), *product(COMPLEX_DTYPES, COMPLEX)],
    ids=str,
)
def test_distributions_and_dtypes(dtype: str, law: Distribution) -> None:
    kind, seed = numpy_dtype(dtype), 2**63 + 5
    for shape in ((), (1,), (257,), (33, 65), (2, 1, 3, 5)):
        with jax.enable_x64(True):
            draw = jax.jit(
                lambda words, shape=shape: traced.traced_array(words, law, shape, kind, None, "a.b")
            )
            words = words_of_seed(seed)
            compiled = draw.lower(words).compile()
            assert program_of(compiled).count('"fastinit_draw"') == 1
            got = compiled(words)
        expected = fi.fill(np.empty(shape, kind), law, seed=seed, name="a.b")
        assert got.dtype == kind and got.shape == shape
        np.testing.assert_array_equal(bits(got), bits(expected))


def test_a_name_is_any_text() -> None:
    for name in ('a"b', "a\\b", "\0", "a\0b", "{}[]<>%$\n", "层.权重"):
        draw = jax.jit(lambda w, name=name: traced.traced_array(w, Normal(0.0, 1.0), (5,), np.dtype("f4"), None, name))  # fmt: skip
        expected = fi.fill(np.empty(5, np.float32), Normal(0.0, 1.0), seed=9, name=name)
        np.testing.assert_array_equal(draw(words_of_seed(9)), expected)


@pytest.mark.parametrize("size", [0, 1, 93, 94, 95, 221, 222, 223, 1000])
def test_names_of_any_length(size: int) -> None:
    """The hash takes one block of 128 bytes or several; also in an exported program."""
    name = "ü"[: size % 2] + "n" * (size - size % 2 * 2)
    draw = lambda words: traced.traced_array(words, Normal(0.0, 1.0), (5,), np.dtype("f4"), None, name)  # noqa: E731
    expected = fi.fill(np.empty(5, np.float32), Normal(0.0, 1.0), seed=9, name=name)
    np.testing.assert_array_equal(jax.jit(draw)(words_of_seed(9)), expected)
    if size in (93, 95, 222):
        exported = jax.export.export(jax.jit(draw))(words_of_seed(9))
        np.testing.assert_array_equal(exported.call(words_of_seed(9)), expected)


def test_transformations() -> None:
    draw = lambda key: fj.normal()(key, (3, 4))  # noqa: E731
    keys = jax.random.split(KEY, 6)
    eager = np.stack([draw(key) for key in keys])
    grid = keys.reshape(2, 3)
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.vmap(draw)))(grid), eager.reshape(2, 3, 3, 4))
    np.testing.assert_array_equal(jax.jit(jax.vmap(draw, out_axes=1))(keys), eager.swapaxes(0, 1))
    np.testing.assert_array_equal(jax.jit(lambda keys: jax.lax.map(draw, keys))(keys), eager)
    scanned = jax.lax.scan(lambda total, key: (total + draw(key), draw(key)), jnp.zeros((3, 4)), keys)[1]
    np.testing.assert_array_equal(scanned, eager)
    with jax.disable_jit():
        np.testing.assert_array_equal(jax.vmap(draw)(keys), eager)
    gradient = jax.jit(jax.grad(lambda x, key: (x * draw(key)).sum()))(jnp.ones((3, 4)), keys[1])
    np.testing.assert_array_equal(gradient, eager[1])
    branches = [partial(draw, key) for key in keys]
    chosen = jax.jit(lambda i: jax.lax.switch(i, branches))(4)
    np.testing.assert_array_equal(chosen, eager[4])
    np.testing.assert_array_equal(jax.jit(jax.checkpoint(draw))(keys[2]), eager[2])
    assert jax.eval_shape(draw, KEY) == jax.ShapeDtypeStruct((3, 4), jnp.float32)
    long = jax.random.key(3, impl="rbg")
    np.testing.assert_array_equal(jax.jit(draw)(long), draw(long))
    for shape in ((0, 4), (3, 0)):
        assert jax.jit(jax.vmap(lambda key, s=shape: fj.normal()(key, s)))(keys).shape == (6, *shape)


def test_a_tree_is_drawn_when_the_program_runs() -> None:
    """Its values are not constants of the program, except those that NumPy puts together."""
    shapes = {"Dense_0": {"kernel": jax.ShapeDtypeStruct((512, 256), "float32")},
              "Dense_1": {"kernel": jax.ShapeDtypeStruct((512, 64), "bfloat16")}}  # fmt: skip
    draw = jax.jit(lambda: fj.init(shapes, "he_normal", seed=7))
    compiled = draw.lower().compile()
    assert program_of(compiled).count('"fastinit_draw"') == 2
    assert len(draw.lower().as_text()) < 10_000
    for got, expected in zip(
        jax.tree.leaves(compiled()),
        jax.tree.leaves(fj.init(shapes, "he_normal", seed=7)),
        strict=True,
    ):
        np.testing.assert_array_equal(bits(got), bits(expected))
    assert jax.eval_shape(lambda: fj.init(shapes, seed=0)) == shapes
    exported = jax.export.export(jax.jit(lambda: fj.init(shapes, "he_normal", seed=7)))()
    assert len(exported.mlir_module_serialized) < 200_000
    np.testing.assert_array_equal(exported.call()["Dense_0"]["kernel"], compiled()["Dense_0"]["kernel"])
    small = {"Dense_0": {"kernel": jax.ShapeDtypeStruct((8, 4), "float32")}}
    orthogonal = jax.jit(lambda: fj.init(small, "orthogonal", seed=7))().popitem()[1]["kernel"]
    np.testing.assert_array_equal(orthogonal, fj.init(small, "orthogonal", seed=7)["Dense_0"]["kernel"])


def test_axes_that_are_too_long() -> None:
    with pytest.raises(ValueError, match=r"shape .* 2\*\*32"):
        jax.eval_shape(lambda key: fj.normal()(key, (2**32 + 1,)), KEY)


def test_a_jax_without_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback takes over, with a warning that has JAX's words."""

    def refuse(*_: Any, **__: Any) -> None:
        raise jax.errors.JaxRuntimeError("API version (0.1) is incompatible")

    custom_call._takes.cache_clear()
    monkeypatch.setattr(jax.ffi, "register_ffi_target", refuse)
    try:
        with pytest.warns(UserWarning, match=r"callback.*API version \(0.1\)"):
            lowered = jax.jit(lambda key: fj.normal()(key, (3, 7))).lower(KEY)
        with warnings.catch_warnings(action="error"):  # once is enough
            jax.jit(lambda key: fj.normal()(key, (3, 9))).lower(KEY)
    finally:
        custom_call._takes.cache_clear()
    assert "fastinit_draw" not in lowered.as_text()
    np.testing.assert_array_equal(lowered.compile()(KEY), fj.normal()(KEY, (3, 7)))


def test_threads() -> None:
    """One program and several, called by eight threads at once, large enough for threads of their own."""
    shapes = [(1 << 19,), (700, 900), (3, 5)]
    programs = [jax.jit(lambda key, shape=shape: fj.normal()(key, shape)) for shape in shapes]
    keys = jax.random.split(KEY, 4)
    expected = {(i, j): np.asarray(fj.normal()(keys[j], shapes[i])) for i in range(3) for j in range(4)}
    calls = [(n % 3, n % 4) for n in range(48)]
    with ThreadPoolExecutor(8) as pool:
        for (i, j), got in zip(calls, pool.map(lambda c: programs[c[0]](keys[c[1]]), calls), strict=True):
            np.testing.assert_array_equal(got, expected[i, j])


# -------------------------------------------------------------------------------------------------- devices


def test_each_device_draws_its_own_shard() -> None:
    """The bits of an eager call, and no memory beside the shard; without it being asked for by an `out_sharding`."""
    assert on_devices(SHARDS) == ["72", "checked"]


SHARDS = """
import jax, jax.numpy as jnp, numpy as np, fastinit.jax as fj
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec as P
checked = 0
mesh = jax.make_mesh((4, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
backward = Mesh(np.array(jax.devices())[::-1].reshape(2, 4), ("c", "d"))
key, keys, shape = jax.random.key(3), jax.random.split(jax.random.key(3), 8), (64, 48)

def check(draw, expected, *given, spare=256, whole=False):
    global checked
    compiled = (draw if hasattr(draw, "lower") else jax.jit(draw)).lower(*given).compile()
    got, memory = compiled(*given), compiled.memory_analysis()
    np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))
    assert "callback" not in compiled.as_text()
    shard = got.addressable_shards[0].data.nbytes
    assert whole or memory.output_size_in_bytes == shard, (memory, shard)
    assert memory.temp_size_in_bytes <= spare, memory
    checked += 1

inits = [fj.normal(), fj.he_normal(dtype="bfloat16"), fj.uniform(dtype="float8_e5m2"), fj.normal(dtype="complex64")]
for init in inits:
    eager = init(key, shape)
    for spec in (P("a", "b"), P("b", "a"), P(None, ("b", "a")), P(("a", "b")), P("b"), P()):
        check(jax.jit(lambda k: init(k, shape), out_shardings=NamedSharding(mesh, spec)), eager, key)
        with jax.set_mesh(mesh):
            check(jax.jit(lambda k: init(k, shape), out_shardings=spec), eager, key)
    check(jax.jit(lambda k: init(k, shape), out_shardings=NamedSharding(backward, P("d", "c"))), eager, key)
init, eager = fj.normal(), fj.normal()(key, shape)
flat = init(key, (1 << 16,))
check(jax.jit(lambda k: init(k, (1 << 16,)), out_shardings=NamedSharding(mesh, P(("b", "a")))), flat, key)

# A constraint within the program, shards that reach past the end, or are past it as a whole.
lies = lambda spec: lambda x: jax.lax.with_sharding_constraint(x, NamedSharding(mesh, spec))
check(lambda k: lies(P("a", "b"))(init(k, shape)) * 1, eager, key)
for shape_ in ((10, 7), (5, 3)):
    for spec in (P("a", "b"), P(("a", "b")), P(None, "a")):
        check(lambda k: lies(spec)(init(k, shape_)) * 1, init(key, shape_), key, spare=2048, whole=True)

# Keys by vmap: their axis is divided too, evenly or not.
many = np.stack([init(k, shape) for k in keys])
each = jax.vmap(lambda k: init(k, shape))
for spec in (P("a", "b"), P("b", None, "a"), P(None, "a"), P(("a", "b"))):
    check(jax.jit(each, out_shardings=NamedSharding(mesh, spec)), many, keys)
spread = jax.device_put(keys, NamedSharding(mesh, P("a")))
check(jax.jit(each, out_shardings=NamedSharding(mesh, P("a", "b"))), many, spread)
check(lambda k: lies(P("a"))(each(k)) * 1, many[:5], keys[:5], spare=1 << 18, whole=True)

# Two meshes in one program; shard_map over all axes and over some.
other = jax.make_mesh((2, 4), ("c", "d"))
both = (NamedSharding(mesh, P("a", "b")), NamedSharding(other, P("c", "d")))
for got in jax.jit(lambda k: (init(k, shape), init(k, shape)), out_shardings=both)(key):
    np.testing.assert_array_equal(np.asarray(got), np.asarray(eager))
    checked += 1
for names in ({"a", "b"}, {"a"}):
    mapped = jax.shard_map(lambda k: init(k, shape)[None], mesh=mesh, in_specs=P(), out_specs=P("a"), axis_names=names, check_vma=False)
    check(mapped, np.stack([eager] * 4), key, whole=True)
try:
    jax.jit(jax.shard_map(lambda k: fj.orthogonal()(k, (4, 4)), mesh=mesh, in_specs=P(), out_specs=P(), axis_names={"a"}))(key)
except NotImplementedError as error:
    assert "shard_map" in str(error) and "Orthogonal" in str(error), error
    checked += 1

# Exported for devices that are not there.
abstract = NamedSharding(AbstractMesh((4, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2), P("a", "b"))
program = jax.jit(lambda k: init(k, shape), out_shardings=abstract)
assert "CustomSPMDPartitioning" in program.trace(key).lower(lowering_platforms=("cpu",)).as_text()
many = NamedSharding(AbstractMesh((32,), ("a",), axis_types=(AxisType.Auto,)), P("a"))
assert "@fastinit_draw" in jax.jit(lambda k: init(k, shape), out_shardings=many).trace(key).lower(lowering_platforms=("cpu",)).as_text()
exported = jax.export.export(program, platforms=["cpu", "tpu"])(key)
assert exported.nr_devices == 8 and "@fastinit_draw" not in exported.mlir_module()
checked += 1
print(checked, "checked")
"""


def test_models_of_flax_are_sharded_as_they_are_created() -> None:
    optional("flax")
    assert on_devices(MODELS) == ["15", "checked"]


MODELS = """
import jax, jax.numpy as jnp, numpy as np, fastinit.jax as fj
import flax.linen as nn
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
checked = 0
mesh = jax.make_mesh((4, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)

def check(compiled, got, expected):
    global checked
    memory, text = compiled.memory_analysis(), compiled.as_text()
    assert "callback" not in text and "all-gather" not in text and "all-reduce" not in text
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
        checked += 1
    shards = sum(x.addressable_shards[0].data.nbytes for x in jax.tree.leaves(got))
    assert memory.temp_size_in_bytes < 8192 < shards / 4, (memory, shards)

class Net(nnx.Module):
    def __init__(self, rngs):
        place = lambda init, *names: nnx.with_partitioning(init, names)
        self.up = nnx.Linear(256, 1024, kernel_init=place(fj.lecun_normal(), "a", "b"), bias_init=place(fj.normal(), "b"), rngs=rngs)
        self.down = nnx.Linear(1024, 256, kernel_init=place(fj.he_uniform(), "b", "a"), use_bias=False, rngs=rngs)

@jax.jit  # Flax's guide: create_sharded
def create():
    state = nnx.state(Net(nnx.Rngs(0)), nnx.Param)
    return jax.lax.with_sharding_constraint(state, nnx.get_partition_spec(state))

with jax.set_mesh(mesh):
    compiled = create.lower().compile()
    sharded = compiled()
    assert sharded["up"]["kernel"].get_value().sharding.spec == P("a", "b")
    check(compiled, sharded, nnx.state(Net(nnx.Rngs(0)), nnx.Param))

# A whole model by the names of its parameters, as nnx has it and as a pytree.
abstract = nnx.eval_shape(lambda: nnx.Linear(256, 1024, rngs=nnx.Rngs(0)))
draw = lambda: nnx.state(fj.init(abstract, "he_normal", seed=0), nnx.Param)
specs = {"kernel": NamedSharding(mesh, P("a", "b")), "bias": NamedSharding(mesh, P("b"))}
compiled = jax.jit(lambda: draw().to_pure_dict(), out_shardings=specs).lower().compile()
check(compiled, compiled(), draw().to_pure_dict())

# linen: jit(init, out_shardings) of boxed parameters.
dense = nn.Dense(1024, kernel_init=nn.with_partitioning(fj.lecun_normal(), ("a", "b")), bias_init=nn.with_partitioning(fj.normal(), ("b",)))
init = lambda key: dense.init(key, jnp.ones((2, 256)))
key = jax.random.key(0)
places = nn.get_sharding(jax.eval_shape(init, key), mesh)
compiled = jax.jit(init, out_shardings=places).lower(key).compile()
check(compiled, compiled(key), init(key))

# A state with its optimizer's moments, from one jitted function.
def train_state(key):
    params = init(key)
    return params, jax.tree.map(jnp.zeros_like, params)
compiled = jax.jit(train_state, out_shardings=(places, places)).lower(key).compile()
got = compiled(key)
check(compiled, got, train_state(key))
for x, y in zip(jax.tree.leaves(got[0]), jax.tree.leaves(places), strict=True):
    assert x.sharding.is_equivalent_to(y, x.ndim)
    checked += 1
# Gradients of parameters drawn within the differentiated function.
value, gradient = jax.jit(jax.value_and_grad(lambda s, key: (s * fj.normal()(key, (64, 64))).sum()))(2.0, key)
np.testing.assert_allclose(gradient, fj.normal()(key, (64, 64)).sum(), rtol=1e-5)
checked += 1
# shard_map and scan together.
layers = jax.jit(lambda keys: jax.lax.map(lambda k: fj.normal()(k, (64, 64)), keys), out_shardings=NamedSharding(mesh, P(None, "a", "b")))
keys = jax.random.split(key, 3)
np.testing.assert_array_equal(np.asarray(layers(keys)), np.stack([fj.normal()(k, (64, 64)) for k in keys]))
checked += 1
print(checked, "checked")
"""


def test_several_processes() -> None:
    """Two processes of four devices each: each process draws its own devices' shards."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", PROCESS, str(port)]
    running = [subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, text=True) for rank in (0, 1)]
    assert [process.communicate()[0].split() for process in running] == [["4", "of", "8"]] * 2


PROCESS = """
import os, sys
os.environ.update(XLA_FLAGS="--xla_force_host_platform_device_count=4", JAX_PLATFORMS="cpu")
import jax, numpy as np
jax.distributed.initialize(f"localhost:{sys.argv[1]}", 2, int(sys.argv[2]))
import fastinit as fi, fastinit.jax as fj
from jax.sharding import NamedSharding, PartitionSpec as P
mesh = jax.make_mesh((4, 2), ("a", "b"))
draw = jax.jit(lambda key: fj.normal(1.0)(key, (64, 32)), out_shardings=NamedSharding(mesh, P("b", "a")))
whole = fi.normal((64, 32), seed=3, std=1.0)
shards = draw(jax.random.key(3)).addressable_shards
for shard in shards:
    np.testing.assert_array_equal(shard.data, whole[shard.index])
print(len(shards), "of", jax.device_count())
"""
