"""Exported programs (jax.export) draw by operations of XLA: the bits of an eager call, where fastinit is not."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from conftest import optional
from test_jax_meshes import on_devices

import fastinit as fi
from fastinit.drawing import streams
from fastinit.dtypes import numpy_dtype
from fastinit.laws.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform

jax = optional("jax")
jnp = jax.numpy
import fastinit.jax as fj  # noqa: E402
from fastinit.jax import exact, stream, tails, xla  # noqa: E402

KEYS = [jax.random.key(7), jax.random.PRNGKey(2**31 + 5)]


def bits(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array.view(f"u{array.itemsize}") if array.dtype.kind != "c" else array.view(np.uint8)


def same(got: Any, expected: Any) -> None:
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_array_equal(bits(x), bits(y))


def exported(draw: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    return jax.export.export(jax.jit(draw), **options)(*arguments)


# ------------------------------------------------------------------------------------------------ initializers

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


# ------------------------------------------------------------------------------------------------ distributions

SEED = 0x123456789ABCDEF
LAWS: list[Distribution] = [
    Constant(3.3),
    Uniform(1.0, 1.0000003),
    Uniform(-1e-44, 3e-45),
    Normal(0.3, 2.0),
    Normal(0.0, 1e-44),  # subnormal values, and zeros of both signs
    TruncatedNormal(0.0, 1.0, -9.0, 3.0),
    TruncatedNormal(0.1, 1.0, 3.0, math.inf),
    TruncatedNormal(0.0, 0.5, -20.0, -6.0),
    TruncatedNormal(0.0, 1.0, -0.01, 0.05),
    TruncatedNormal(-1.0, 1e-3, 3.0, 4.0),
]


@pytest.fixture
def x64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def key_words() -> Any:
    return jnp.array([SEED >> 32, SEED & 0xFFFFFFFF], jnp.uint32)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    ("law", "dtype"),
    [(law, "float32") for law in LAWS] + [(law, "float64") for law in (LAWS[3], LAWS[6], LAWS[8])],
    ids=str,
)
def test_laws(law: Distribution, dtype: str) -> None:
    size = 1001 if isinstance(law, TruncatedNormal) else 100_001
    expected = fi.fill(np.empty(size, numpy_dtype(dtype)), law, seed=SEED)
    same(drawn(law, dtype, np.arange(size), from_zero=True), expected)
    if law == Normal(0.0, 1e-44):
        zeros = np.signbit(expected[expected == 0])
        assert zeros.any() and not zeros.all()


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_part(dtype: str) -> None:
    law, size = Normal(0.3, 2.0), 5
    starts = (3, 2**34 * 3 + 2, 2**40)
    index = np.concatenate([np.arange(start, start + size)[::-1] for start in starts])
    parts = [
        fi.fill(np.empty(size, dtype), law, seed=SEED, shape=(2**41,), block=(slice(start, start + size),))
        for start in starts
    ]
    same(drawn(law, dtype, index, from_zero=False), np.concatenate([part[::-1] for part in parts]))


def drawn(law: Distribution, dtype: str, index: Any, *, from_zero: bool) -> Any:
    @jax.jit
    def draw(words: Any, index: Any) -> Any:
        at = stream.stream_of(words)
        return xla.drawn(law.law, law.parameters, dtype, index, at, from_zero=from_zero)

    return draw(key_words(), index.astype(np.uint64))


@pytest.mark.usefixtures("x64")
def test_streams() -> None:
    at = jax.jit(stream.stream_of)(key_words())
    key = streams.key(SEED, "")
    assert b"".join(int(word).to_bytes(4, "little") for pair in at for word in pair) == key
    numbers = np.array([0, 1, 2**32 - 1, 2**32, 2**63 + 12345, 2**64 - 1], np.uint64)
    np.testing.assert_array_equal(
        jnp.stack(stream.block(jnp.asarray(numbers), at), -1), reference.philox(numbers, key)
    )


@pytest.mark.usefixtures("x64")
def test_rare_words() -> None:
    """Chosen ones: the least and the largest, and those on the edge of the table."""
    key, at = streams.key(SEED, ""), stream.stream_of(key_words())
    words = np.array([0, 1, 2, 77, 2**16, 2**17 - 1, 2**32 - 1, 2**32 - 2, 2**32 - 2**17 + 1], np.uint32)
    index = np.arange(len(words), dtype=np.uint64) * 2**33
    law = xla._Law("normal", (0.3, 2.0), "float32")
    got = jax.jit(lambda w, i: xla._slow(law, w, i, at))(
        jnp.asarray(words.view(np.int32), jnp.int64), jnp.asarray(index)
    )
    for word, i, code in zip(words.tolist(), index.tolist(), got.tolist(), strict=True):
        half, fraction = reference.slow_word(word, i, key, False)
        z = reference.tail(-reference.log(0.5 * fraction))
        assert np.int32(code).view(np.float32) == np.float32((-z if half else z) * 2.0 + 0.3)


@pytest.mark.usefixtures("x64")
def test_tails() -> None:
    """Of all losses, by the polynomial and by Newton's method, at their border too."""
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [np.exp(-rng.uniform(10.5, 60.0, 500)), math.exp(-45) * (1 + np.arange(-200, 200) * 2.0**-50)]
    )
    reach = rng.uniform(0.0, 1e5, p.size)
    reach[::2] = 0.0
    losses = [r - reference.log(x) for r, x in zip(reach.tolist(), p.tolist(), strict=True)]
    z = jax.jit(tails.tail)(exact.number(reach), exact.number(p))
    np.testing.assert_array_equal(floats(z), [reference.tail(loss) for loss in losses])
    assert min(abs(loss - 45) for loss in losses) < 1e-13 and any(loss == 45 for loss in losses)


# ------------------------------------------------------------------------------------------------ arithmetic


def floats(x: exact.Number) -> np.ndarray:
    return np.ldexp(np.asarray(x.m).astype(np.float64), np.maximum(x.e, -2000))


def operands(seed: int, reach: int = 70) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b, c = (rng.standard_normal(20_000) * 2.0 ** rng.integers(-reach, reach, 20_000) for _ in range(3))
    b[:2000] = -a[:2000] * (1 + rng.integers(-3, 4, 2000) * 2.0**-52)  # cancels
    b[2000:4000] = a[2000:4000] * 2.0 ** rng.integers(-60, -50, 2000)  # ties
    a[4000:6000], c[6000], a[6001] = rng.integers(-9, 9, 2000), 0.0, 0.0
    return a, b, c


@pytest.mark.usefixtures("x64")
def test_arithmetic_of_doubles() -> None:
    a, b, _ = operands(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for ours, theirs in ((exact.add, np.add), (exact.multiply, np.multiply), (exact.divide, np.divide)):
            x = jax.jit(ours)(exact.number(a), exact.number(b))
            np.testing.assert_array_equal(floats(x), theirs(a, b))
            assert set(np.unique(abs(np.asarray(x.m)) >> 52)) <= {0, 1}
    positive = abs(b)
    np.testing.assert_array_equal(
        floats(jax.jit(exact.square_root)(exact.number(positive))), np.sqrt(positive)
    )
    squares = np.arange(1.0, 5000.0) ** 2
    np.testing.assert_array_equal(floats(exact.square_root(exact.number(squares))), np.sqrt(squares))
    integers = np.array([0, 1, -1, 2**53 + 1, 2**61 - 1, 2**62 + 2**9, -(2**63), 2**63 - 1])
    np.testing.assert_array_equal(
        floats(exact.from_integer(jnp.asarray(integers))), integers.astype(np.float64)
    )


@pytest.mark.usefixtures("x64")
def test_arithmetic_of_singles() -> None:
    a, b, c = (x.astype(np.float32) for x in operands(2, 50))
    c[:5000] = -(a * b)[:5000]
    got = jax.jit(exact.fused)(*(exact.number(x) for x in (a, b, c)))
    np.testing.assert_array_equal(floats(got), reference.fma32(a, b, c))


@pytest.mark.usefixtures("x64")
def test_codes_of_subnormals_ties_and_zeros() -> None:
    a, _, _ = operands(3)
    wide = np.concatenate([a * 2.0**-130, np.arange(-50, 50) * 2.0**-151, [0.0, 2.0**-150, -(2.0**-200)]])
    codes = exact.encoded(exact.number(wide), exact.SINGLE, 32)
    np.testing.assert_array_equal(np.asarray(codes).astype(np.int32), wide.astype(np.float32).view(np.int32))
    for dtype in ("bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"):
        least, largest = reference.FORMATS[dtype][1], reference.FORMATS[dtype][2]
        values = np.clip(np.concatenate([a, wide * 2.0 ** (140 + least)]), -largest, largest).astype(
            np.float32
        )
        size = 8 * numpy_dtype(dtype).itemsize
        codes = xla._narrowed(jnp.asarray(values.view(np.int32), jnp.int64), dtype, size)
        np.testing.assert_array_equal(
            np.asarray(codes).astype(f"u{size // 8}"), reference.round_to(dtype, values)
        )
