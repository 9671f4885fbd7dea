"""The custom call of GPUs in programs that XLA compiles and runs: on the host's memory, with kernels and driver of the stand-in."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import product

import numpy as np
import pytest
from conftest import ROOT, optional, program_of
from cuda_stand_in import HostDriver

import fastinit as fi
from fastinit.dtypes import COMPLEX, DTYPES, numpy_dtype
from fastinit.laws.distributions import Constant, Distribution, Normal

jax = optional("jax")
jnp = jax.numpy
from test_jax_call import KEY, LAWS, bits  # noqa: E402
from xla_on_the_host import Host, programs_for_gpus  # noqa: E402

import fastinit.jax as fj  # noqa: E402
from fastinit.jax import custom_call, gpu, traced  # noqa: E402
from fastinit.jax.keys import words_of_seed  # noqa: E402


@pytest.fixture
def host(gpu: HostDriver) -> Iterator[Host]:
    with programs_for_gpus(gpu) as host:
        yield host


@pytest.mark.parametrize(
    ("dtype", "law"), [*product(DTYPES, LAWS), *product(COMPLEX, [Normal(0.0, 2.0), Constant(0.0)])], ids=str
)
def test_distributions_and_dtypes(dtype: str, law: Distribution, host: Host) -> None:
    kind, seed = numpy_dtype(dtype), 2**63 + 5
    for shape in ((), (1,), (257,), (33, 65), (2, 1, 3, 5)):
        host.driver.launched.clear()
        with jax.enable_x64(True):
            words = words_of_seed(seed)
            draw = jax.jit(
                lambda words, shape=shape: traced.traced_array(words, law, shape, kind, None, "a.b")
            )
            compiled = draw.lower(words).compile()
            assert '"fastinit_draw_cuda"' in compiled.as_text() and "callback" not in compiled.as_text()
            got = compiled(words)
        expected = fi.fill(np.empty(shape, kind), law, seed=seed, name="a.b")
        assert got.dtype == kind and got.shape == shape
        np.testing.assert_array_equal(bits(got), bits(expected))
        kinds = [name.partition("_")[0] for name, *_ in host.driver.launched]
        assert kinds == ["origins", "keyed"] and {launch[2:] for launch in host.driver.launched} == {(0, 7)}
    assert not host.driver.current


@pytest.mark.parametrize("size", [0, 1, 93, 94, 95, 222, 223, 5000])
def test_names_of_any_length(size: int, host: Host) -> None:
    """The hash takes one block of 128 bytes or several, of any letters."""
    name = 'ü"\0層'[: size % 3] + "n" * (size - size % 3)
    draw = jax.jit(lambda w: traced.traced_array(w, Normal(0.0, 1.0), (5,), np.dtype("f4"), None, name))
    expected = fi.fill(np.empty(5, np.float32), Normal(0.0, 1.0), seed=9, name=name)
    np.testing.assert_array_equal(draw(words_of_seed(9)), expected)


def test_transformations(host: Host) -> None:
    draw = lambda key: fj.normal()(key, (3, 4))  # noqa: E731
    keys = jax.random.split(KEY, 6)
    seeds = [int(a) << 32 | int(b) for a, b in jax.random.key_data(keys)]
    eager = np.stack([fi.fill(np.empty((3, 4), np.float32), Normal(0.0, 0.01), seed=seed) for seed in seeds])
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.vmap(draw)))(keys.reshape(2, 3)), eager.reshape(2, 3, 3, 4))  # fmt: skip
    assert [launch[1] for launch in host.driver.launched] == [1, 1]  # all keys in one launch
    np.testing.assert_array_equal(jax.jit(jax.vmap(draw, out_axes=1))(keys), eager.swapaxes(0, 1))
    np.testing.assert_array_equal(jax.jit(lambda keys: jax.lax.map(draw, keys))(keys), eager)
    long = jax.random.key(3, impl="rbg")
    np.testing.assert_array_equal(jax.jit(draw)(long), draw(long))
    host.driver.launched.clear()
    for shape in ((0, 4), (3, 0)):
        assert jax.jit(jax.vmap(lambda key, s=shape: fj.normal()(key, s)))(keys).shape == (6, *shape)
    assert not host.driver.launched


def test_parts_that_begin_anywhere(host: Host) -> None:
    """Places that only the running program knows: far out, in and out of step with the units, many axes."""
    for dtype, (whole, part, start) in product(
        ("float32", "bfloat16", "float8_e5m2"),
        [
            ((1 << 20, 1 << 20), (3, 500), (1 << 19, (1 << 20) - 500)),
            ((100, 64), (10, 32), (50, 32)),
            ((100, 63), (10, 31), (51, 13)),
            ((5, 6, 7, 5, 3, 4, 5, 3), (2, 2, 2, 2, 2, 2, 2, 2), (3, 1, 5, 2, 1, 2, 0, 1)),
            ((1 << 27, 1 << 32), (2, 5), ((1 << 27) - 2, (1 << 32) - 5)),
        ],
    ):
        law, kind = Normal(0.0, 1.0), numpy_dtype(dtype)
        drawn = custom_call.TracedPart(law, "w", whole, part, kind)
        draw = jax.jit(partial(traced._draw.bind, of=drawn))
        found = draw(words_of_seed(4), np.array(start, np.uint32))
        block = tuple(slice(s, s + n) for s, n in zip(start, part, strict=True))
        expected = fi.fill(np.empty(part, kind), law, seed=4, name="w", shape=whole, block=block)
        np.testing.assert_array_equal(bits(found), bits(expected))


def test_what_is_checked_on_a_gpu(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    optional("torch")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    gpu_checks = program_of("tools/gpu_checks.py")
    checks = gpu_checks.Checks("cpu")
    assert gpu_checks.under_jit(checks, (30, 48)) == "JAX under jit"
    assert checks.values > 200_000 and not checks.wrong


def test_errors_are_those_of_xla(host: Host) -> None:
    draw = jax.jit(lambda key: fj.normal()(key, (3, 4))).lower(KEY).compile()

    def refused(words: str) -> None:
        with pytest.raises(jax.errors.JaxRuntimeError, match=f"fastinit: .*{words}"):
            draw(KEY)
        assert not host.driver.current

    host.stream = None
    refused("refused to tell the stream")
    host.stream = 99
    refused("does not know XLA's stream")
    host.stream = 9  # of a device that was not there when the program was compiled
    refused("not loaded here, .* compile it anew")
    host.stream = 7
    for function, words in (("cuCtxPushCurrent", "context"), ("cuLaunchKernel", "refused to launch")):
        host.driver.fails = function
        refused(words)
    host.driver.fails = ""
    np.testing.assert_array_equal(draw(KEY), fj.normal()(KEY, (3, 4)))


@pytest.mark.parametrize("function", ["cuGetProcAddress", "cuKernelGetFunction", "cuLibraryLoadData"])
def test_what_fails_while_a_program_is_compiled(function: str, host: Host) -> None:
    host.driver.fails = function
    with pytest.raises(RuntimeError, match=f"{function}: CUDA_ERROR_700"):
        jax.jit(lambda key: fj.normal()(key, (3, 4))).lower(KEY)
    host.driver.fails = ""


def test_a_driver_without_a_function(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostDriver, "cuGetProcAddress", lambda *_: (0, 0, 0))
    with pytest.raises(RuntimeError, match="no cuStreamGetCtx"):
        jax.jit(lambda key: fj.normal()(key, (3, 4))).lower(KEY)


def test_which_programs_have_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those for GPUs whose kernels can be loaded. One for several platforms is exported, and draws by XLA's operations."""
    traced_draw = lambda shape: jax.jit(lambda key: fj.normal()(key, shape)).trace(KEY)  # noqa: E731
    with pytest.raises(ValueError, match="platform"):  # JAX's own words: a callback needs the devices
        traced_draw((3, 4)).lower(lowering_platforms=("cuda",))
    launches = fi.cuda.Launches("kernels", np.zeros(30, np.int64), np.ones(1, np.int64))
    monkeypatch.setattr(fi.cuda, "launches_for", lambda *_: launches)
    monkeypatch.setattr(gpu, "ordinals", lambda: (0,))
    monkeypatch.setattr(traced, "with_devices", lambda context, platform: (context, ()))
    for platform, call in (("cuda", "@fastinit_draw_cuda("), ("cpu", "@fastinit_draw(")):
        text = traced_draw((3, 7)).lower(lowering_platforms=(platform,)).as_text()
        assert call in text and text.count("custom_call") == 1 and "callback" not in text
    draw = jax.jit(lambda key: fj.normal()(key, (3, 4)))
    exported = jax.export.export(draw, platforms=["cpu", "cuda"])(KEY)
    assert "@fastinit_draw" not in exported.mlir_module()
    np.testing.assert_array_equal(exported.call(KEY), fj.normal()(KEY, (3, 4)))


def test_which_gpus_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu.ordinals() == ()  # JAX has none
    monkeypatch.setattr(fi.cuda, "missing", lambda: "")
    assert gpu.ordinals() == ()
    client = type("Client", (), {"platform_version": "cuda 12080"})()
    cards = [
        type("Card", (), {"platform": "gpu", "client": client, "local_hardware_id": n})() for n in (0, 3)
    ]
    monkeypatch.setattr(jax, "local_devices", lambda backend: cards if backend == "cuda" else [])
    assert gpu.ordinals() == (0, 3)
    monkeypatch.setattr(fi.cuda, "missing", lambda: "pip install")
    assert gpu.ordinals() == () and not custom_call.works("cuda")


def test_each_device_draws_its_own_shard(library: ctypes.CDLL) -> None:
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    path = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", SHARDS, library._name]
    done = subprocess.run(
        command, env={**os.environ, **flags, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["27", "checked"]


SHARDS = """
import ctypes, sys
import cuda_stand_in, xla_on_the_host, jax, numpy as np, fastinit.jax as fj
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
checked = 0
mesh = jax.make_mesh((4, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
key, keys, shape = jax.random.key(3), jax.random.split(jax.random.key(3), 8), (64, 48)
inits = [fj.normal(), fj.he_normal(dtype="bfloat16"), fj.uniform(dtype="float8_e5m2"), fj.normal(dtype="complex64")]
eager = [np.asarray(init(key, shape)) for init in inits]
many = np.stack([inits[0](k, shape) for k in keys])
odd = np.asarray(inits[0](key, (10, 7)))

def check(draw, expected, *given, spare=2048):
    global checked
    compiled = draw.lower(*given).compile()
    stand_in.launched.clear()
    got, memory, text = jax.block_until_ready(compiled(*given)), compiled.memory_analysis(), compiled.as_text()
    np.testing.assert_array_equal(np.asarray(got), expected)
    assert "fastinit_draw_cuda" in text and "callback" not in text
    assert memory.output_size_in_bytes == got.addressable_shards[0].data.nbytes and memory.temp_size_in_bytes <= spare
    assert len(stand_in.launched) == 16  # two on each device
    checked += 1

with cuda_stand_in.devices(ctypes.CDLL(sys.argv[1])) as stand_in:
    stand_in.streams |= {7: 0}
    with xla_on_the_host.programs_for_gpus(stand_in):
        for init, values in zip(inits, eager):
            for spec in (P("a", "b"), P("b", "a"), P(None, ("b", "a")), P(("a", "b")), P()):
                check(jax.jit(lambda k: init(k, shape), out_shardings=NamedSharding(mesh, spec)), values, key)
        each = jax.vmap(lambda k: inits[0](k, shape))
        for spec in (P("a", "b"), P("b", None, "a"), P(None, "a"), P(("a", "b"))):
            check(jax.jit(each, out_shardings=NamedSharding(mesh, spec)), many, keys)
        lies = lambda x: jax.lax.with_sharding_constraint(x, NamedSharding(mesh, P("a", "b")))
        got = jax.jit(lambda k: lies(inits[0](k, (10, 7))) * 1)(key)
        np.testing.assert_array_equal(np.asarray(got), odd)
        checked += 1
        with jax.set_mesh(mesh):
            placed = jax.jit(lambda k: inits[0](k, shape, "float32", NamedSharding(mesh, P("a", "b"))))
            check(placed, eager[0], key)
        mapped = jax.shard_map(lambda k: inits[0](k, shape)[None], mesh=mesh, in_specs=P(), out_specs=P("a"), check_vma=False)
        got = jax.block_until_ready(jax.jit(mapped)(key))
        np.testing.assert_array_equal(np.asarray(got), np.stack([eager[0]] * 4))
        checked += 1
print(checked, "checked")
"""
