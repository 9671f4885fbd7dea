"""Exported programs (jax.export) draw by operations of XLA: the bits of an eager call, where fastinit is not."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional
from jax_trees import bits, same
from test_jax_meshes import on_devices

jax = optional("jax")
jnp = jax.numpy
import fastinit.jax as fj  # noqa: E402

KEYS = [jax.random.key(7), jax.random.PRNGKey(2**31 + 5)]


def exported(draw: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return jax.export.export(jax.jit(draw), **options)(*arguments)


NAMES = [
    "uniform",
    "normal",
    "truncated_normal",
    *(f"{a}_{b}" for a in ("glorot", "lecun", "he") for b in ("normal", "uniform")),
]


def all_of_them(key: Any) -> dict[str, jax.Array]:
    return {name: getattr(fj, name)()(key, (5 + i, 7)) for i, name in enumerate(NAMES)} | {
        "scaled": fj.variance_scaling(0.7, "fan_avg", "normal", (0, 1), 2, 3)(key, (3, 2, 5, 2)),
        "complex": fj.normal(0.3)(key, (3, 5), "complex64"),
        "one-sided": fj.truncated_normal(0.5, lower=5.0, upper=math.inf)(key, (33,)),
        "thin": fj.truncated_normal(2.0, lower=-0.01, upper=0.02)(key, (2, 3)),
        "constant": fj.uniform(0.0)(key, (2,)),
        "zeros": fj.zeros(key, (2, 2)),
        "scalar": fj.normal()(key, ()),
        "empty": fj.he_normal()(key, (0, 4)),
    }  # fmt: skip


def narrow(key: Any) -> dict[str, jax.Array]:
    dtypes = ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")
    return {
        f"{name} {dtype}": getattr(fj, name)(1.0)(key, (41, 25), dtype)
        for name in ("uniform", "normal", "truncated_normal")
        for dtype in dtypes
    }


@pytest.mark.parametrize("draw", [all_of_them, narrow])
def test_the_bits_of_an_eager_call(draw: Callable[..., Any]) -> None:
    program = jax.jit(exported(draw, jax.random.PRNGKey(0)).call)
    for key in KEYS:
        key = jax.random.key_data(key)
        same(program(key), draw(key))


def a_few(key: Any) -> dict[str, jax.Array]:
    return {
        "he_normal": fj.he_normal()(key, (5, 7)),
        "normal": fj.normal()(key, (100, 401), "bfloat16"),
        "uniform": fj.uniform()(key, (3,), "float16"),
    }


def test_elsewhere(tmp_path: Path) -> None:
    """Serialised, and called by a process that has JAX only."""
    optional("flatbuffers")
    key = KEYS[1]
    (tmp_path / "program").write_bytes(exported(a_few, key).serialize())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = str(Path(sys.modules["flatbuffers"].__file__ or "").parents[1])
    program = ELSEWHERE.format(folder=str(tmp_path), libraries=found)
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=tmp_path)
    with np.load(tmp_path / "values.npz") as values:
        for name, expected in a_few(key).items():
            np.testing.assert_array_equal(values[name], bits(expected))


ELSEWHERE = """
import sys
sys.path.append({libraries!r})
sys.modules["fastinit"] = None  # an import of it fails
import jax, numpy as np
with open({folder!r} + "/program", "rb") as file:
    program = jax.export.deserialize(bytearray(file.read()))
drawn = {{name: np.asarray(x) for name, x in program.call(jax.random.PRNGKey(2**31 + 5)).items()}}
np.savez({folder!r} + "/values.npz", **{{name: x.view(f"u{{x.itemsize}}") for name, x in drawn.items()}})
"""


def test_keys_of_other_kinds() -> None:
    for key in (jax.random.key(3, impl="rbg"), jax.random.key(2**40 + 1)):
        draw = lambda key: fj.lecun_uniform()(key, (3, 5))  # noqa: E731
        same(exported(draw, key).call(key), draw(key))


def test_vmap_scan_and_grad() -> None:
    keys = jax.random.split(KEYS[0], 3)
    draw = fj.he_normal()
    eager = jnp.stack([draw(key, (4, 5)) for key in keys])
    by_vmap = jax.vmap(lambda key: draw(key, (4, 5)))
    same(exported(by_vmap, keys).call(keys), eager)
    twice = jax.vmap(by_vmap)
    same(exported(twice, keys[None]).call(keys[None]), eager[None])
    by_scan = lambda keys: jax.lax.map(lambda key: draw(key, (4, 5)), keys)  # noqa: E731
    same(exported(by_scan, keys).call(keys), eager)
    loss = jax.grad(lambda x, key: (x * draw(key, (4, 5))).sum())
    x = jnp.ones((4, 5))
    same(exported(loss, x, keys[0]).call(x, keys[0]), eager[0])
    rare = lambda key: fj.normal()(key, (40_000,))  # noqa: E731
    eager = jnp.stack([rare(key) for key in keys])
    assert (abs(eager) > 4e-2).any(axis=1).all()
    same(jax.jit(exported(jax.vmap(rare), keys).call)(keys), eager)


def test_a_module_of_flax_and_a_tree() -> None:
    linen = optional("flax.linen")
    model, x = linen.Dense(3, kernel_init=fj.lecun_normal(), bias_init=fj.normal(0.1)), jnp.ones((2, 5))
    draw = lambda key: model.init(key, x)  # noqa: E731
    same(jax.jit(exported(draw, KEYS[0]).call)(KEYS[0]), draw(KEYS[0]))
    tree = {"Dense_0": {"kernel": jax.ShapeDtypeStruct((8, 4), "float32")}}
    shifted = lambda x: fj.init(tree, "orthogonal", seed=3)["Dense_0"]["kernel"] + x  # noqa: E731
    same(exported(shifted, 1.0).call(1.0), shifted(1.0))  # constants of the program


def test_float64() -> None:
    def draw(key: Any) -> dict[str, jax.Array]:
        return {
            "uniform": fj.uniform(1e-300)(key, (5, 7)),
            "normal": fj.normal()(key, (301, 7)),
            "he": fj.he_uniform()(key, (5, 7)),
            "he_normal": fj.he_normal()(key, (5, 7)),
            "complex": fj.normal()(key, (5, 7), "complex128"),
            "part": fj.normal()(key, (5, 7), "float32"),
        }

    with jax.enable_x64(True):
        expected = draw(KEYS[0])
        assert expected["uniform"].dtype == "float64"
        same(jax.jit(exported(draw, KEYS[0]).call)(KEYS[0]), expected)


def test_shards() -> None:
    assert on_devices(SHARDED) == ["6", "checked"]


SHARDED = """
import jax, numpy as np, fastinit.jax as fj
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
key, shape, checked = jax.random.PRNGKey(3), (8, 6), 0  # JAX 0.8 loses the axis of typed keys on its way
for kind in (AxisType.Auto, AxisType.Explicit):
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(kind,) * 2)
    for spec in (P("x", "y"), P(None, "y"), P()):
        placed = NamedSharding(mesh, spec)
        draw = lambda key: fj.normal()(key, shape, out_sharding=placed)
        here = jax.device_put(key, NamedSharding(mesh, P()))
        got = jax.jit(jax.export.export(jax.jit(draw))(here).call)(here)
        assert (np.asarray(got) == np.asarray(fj.normal()(key, shape))).all()
        assert got.sharding.is_equivalent_to(placed, 2), got.sharding
        checked += 1
print(checked, "checked")
"""


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda key: fj.orthogonal(2.0)(key, (3, 3)), r"jax.export: Orthogonal\(gain=2.0.* NumPy"),
        (lambda key: fj.delta_orthogonal()(key, (3, 2, 2)), r"jax.export: DeltaOrthogonal\("),
        (lambda key: fj.he_normal(dtype="complex64")(key, (3, 3)), r"jax.export: ComplexTruncatedNormal\("),
        (lambda key: fj.he_uniform(dtype="complex64")(key, (3, 3)), r"jax.export: ComplexUniform\("),
    ],
)
def test_what_is_put_together_by_numpy_is_refused(draw: Callable[..., Any], words: str) -> None:
    jax.jit(draw)(KEYS[0])
    with pytest.raises(NotImplementedError, match=words):
        exported(draw, KEYS[0])


def test_an_exported_program_has_no_arithmetic_of_floats() -> None:
    """Which devices round, fuse and flush as they like: until the last operation all is integers, for any platform."""
    for platforms in (["cpu"], ["cuda"], ["tpu"]):
        text = exported(narrow, KEYS[0], platforms=platforms).mlir_module()
        floats = {
            match[1] for match in re.finditer(r"(stablehlo\.\w+|call) [^\n]*\b(?:b?f16|f32|f64|f8\w+)>", text)
        }
        assert floats <= {"stablehlo.bitcast_convert", "stablehlo.reshape", "call"}, floats
        assert "custom_call" not in text
