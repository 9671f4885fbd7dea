"""New JAX arrays on stand-in devices: memory of the driver's, which JAX takes over and gives back."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, optional
from cuda_stand_in import HostDriver

import fastinit as fi

jax = optional("jax")
jnp = jax.numpy
import fastinit.jax as fj  # noqa: E402
from fastinit.jax import _private  # noqa: E402
from fastinit.jax import gpu as arrays  # noqa: E402

NamedSharding, PartitionSpec = jax.sharding.NamedSharding, jax.sharding.PartitionSpec


@pytest.fixture
def jax_on_gpu(gpu: HostDriver, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostDriver]:
    """JAX's CPU passes for device 0, and its memory for that device's. It names no stream, which means the default one."""
    monkeypatch.setattr(arrays, "nvidia_ordinal", lambda device: device.id)
    monkeypatch.setattr(arrays, "_CUDA", 1)
    yield gpu
    gc.collect()
    assert not gpu.allocated and not gpu.current


DTYPES = ("float32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "complex64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_new_arrays_are_drawn_in_place(dtype: str, jax_on_gpu: HostDriver) -> None:
    key = jax.random.key(5)
    found = fj.normal(0.02)(key, (37, 45), dtype)
    assert found.shape == (37, 45) and str(found.dtype) == dtype and not found.committed
    assert [launch[2:] for launch in jax_on_gpu.launched] == [(0, 1)] and not jax_on_gpu.copied
    assert found.unsafe_buffer_pointer() in jax_on_gpu.allocated
    expected = fi.fill(np.zeros((37, 45), dtype), fi.Normal(0.0, 0.02), seed=5)
    assert np.asarray(found).tobytes() == expected.tobytes()
    assert float(abs(jnp.sum(found.astype("complex64" if dtype == "complex64" else "float32")))) > 0
    del found


def test_structured_and_empty_arrays(jax_on_gpu: HostDriver) -> None:
    found = fj.orthogonal()(jax.random.key(5), (12, 8))
    np.testing.assert_array_equal(found, fi.orthogonal((12, 8), seed=5, layout="io"))
    assert [copy[1:] for copy in jax_on_gpu.copied] == [(384, 0)] and not jax_on_gpu.launched
    assert fj.normal()(jax.random.key(5), (0, 3)).shape == (0, 3)
    del found


def test_trees_and_shardings(jax_on_gpu: HostDriver) -> None:
    mesh = jax.make_mesh((1,), ("x",))
    placed = NamedSharding(mesh, PartitionSpec("x"))
    tree = {"a": jax.ShapeDtypeStruct((16, 8), jnp.float32, sharding=placed), "b": jax.ShapeDtypeStruct((16, 8), jnp.bfloat16)}  # fmt: skip
    found = fj.init(tree, "he_normal", seed=3)
    assert found["a"].sharding == placed and len(jax_on_gpu.allocated) == 2
    for name, value in found.items():
        expected = fi.fill(np.zeros((16, 8), value.dtype), "he_normal", seed=3, name=name, layout="io")
        np.testing.assert_array_equal(value, expected)
    key = jax.device_put(jax.random.key(0), jax.devices()[0])
    assert fj.normal()(key, (3,)).committed
    with jax.default_device(jax.devices()[0]):
        assert not fj.normal()(jax.random.key(0), (3,)).committed
    del found, value


def test_a_traced_call_is_not_drawn_there(jax_on_gpu: HostDriver) -> None:
    drawn = jax.jit(lambda: fj.init({"a": jax.ShapeDtypeStruct((16, 8), jnp.float32)}, "he_normal", seed=3))()
    assert drawn["a"].shape == (16, 8) and not jax_on_gpu.allocated


def test_memory_is_given_back(jax_on_gpu: HostDriver) -> None:
    found = fj.normal()(jax.random.key(5), (100,))
    later = found + 1
    assert len(jax_on_gpu.allocated) == 1
    found.delete()
    gc.collect()
    assert not jax_on_gpu.allocated
    assert later.shape == (100,)
    # What nobody takes over, and what could not be drawn.
    new: Any = arrays._New((3,), "float32", 0, lambda to: None)
    capsule = new.__dlpack__()
    assert len(jax_on_gpu.allocated) == 1
    del capsule
    assert not jax_on_gpu.allocated
    jax_on_gpu.fails = "cuLaunchKernel"
    with pytest.raises(RuntimeError, match="cuLaunchKernel: CUDA_ERROR_700"):
        fj.normal()(jax.random.key(5), (100,))


def test_without_memory_the_host_draws(jax_on_gpu: HostDriver) -> None:
    jax_on_gpu.room = 100
    found = fj.normal()(jax.random.key(5), (100,))
    np.testing.assert_array_equal(found, fi.fill(np.zeros(100, np.float32), fi.Normal(0, 0.01), seed=5))
    assert not jax_on_gpu.launched and not jax_on_gpu.allocated


def test_which_devices_are_nvidias() -> None:
    class Device:
        def __init__(self, platform: str, version: str) -> None:
            self.platform, self.local_hardware_id = platform, 3
            self.client = type("Client", (), {"platform_version": version})

    assert _private.nvidia_ordinal(Device("gpu", "PJRT C API\ncuda 12080")) == 3
    assert _private.nvidia_ordinal(Device("gpu", "rocm 60200")) is None
    assert _private.nvidia_ordinal(jax.devices()[0]) is None


def test_each_device_draws_its_shards(library: ctypes.CDLL) -> None:
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", SHARDS, library._name]
    path = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, **flags, "PYTHONPATH": path}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["right"] * 3


SHARDS = """
import ctypes, gc, sys
import cuda_stand_in, jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P
import fastinit as fi, fastinit.jax as fj
from fastinit.jax import gpu

gpu.nvidia_ordinal, gpu._CUDA = (lambda device: device.id), 1
mesh = jax.make_mesh((2,), ("x",))
expected = fi.fill(np.zeros((16, 64), np.float32), fi.Normal(), seed=3)
with cuda_stand_in.devices(ctypes.CDLL(sys.argv[1])) as stand_in:
    for spec in (P("x"), P(None, "x"), P()):
        stand_in.launched.clear()
        placed = NamedSharding(mesh, spec)
        found = fj.normal(1.0)(jax.random.key(3), (16, 64), "float32", placed)
        assert found.sharding == placed and [launch[2:] for launch in stand_in.launched] == [(0, 1), (1, 1)]
        addresses = {shard.data.unsafe_buffer_pointer() for shard in found.addressable_shards}
        assert addresses == set(stand_in.allocated)
        np.testing.assert_array_equal(found, expected)
        print("right")
        del found
        gc.collect()
        assert not stand_in.allocated
"""
