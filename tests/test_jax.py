"""JAX's initializers and models: the same names, arguments and laws as JAX's; the same values eager, traced and sharded."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
from conftest import optional
from jax_trees import numpy
from scipy import stats

import fastinit as fi
from fastinit.dtypes import DTYPES as DTYPE_TABLE
from fastinit.dtypes import numpy_dtype

jax = optional("jax")
jnp = jax.numpy
import fastinit.jax as fj  # noqa: E402

THEIRS = jax.nn.initializers
KEY = jax.random.key(7)
DTYPES = ["float32", "float16", "bfloat16"]
# name -> (an initializer, the law of a (64, 512) kernel in units of its std, that std)
LAWS: dict[str, tuple[Callable[..., Any], Any, float]] = {
    "uniform": (fj.uniform, stats.uniform(0, 12**0.5), 1e-2 / 12**0.5),
    "normal": (fj.normal, stats.norm, 1e-2),
    "truncated_normal": (fj.truncated_normal, "cut", 1e-2 * 0.87962566103423978),
    "glorot_uniform": (fj.glorot_uniform, "uniform", (2 / 576) ** 0.5),
    "glorot_normal": (fj.glorot_normal, "cut", (2 / 576) ** 0.5),
    "lecun_uniform": (fj.lecun_uniform, "uniform", 64**-0.5),
    "lecun_normal": (fj.lecun_normal, "cut", 64**-0.5),
    "he_uniform": (fj.he_uniform, "uniform", 32**-0.5),
    "he_normal": (fj.he_normal, "cut", 32**-0.5),
}
SHAPED = {
    "uniform": stats.uniform(-(3**0.5), 12**0.5),
    "cut": stats.truncnorm(-2, 2, scale=1 / 0.87962566103423978),
}


def test_names_and_signatures_are_those_of_jax() -> None:
    for name in (n for n in dir(THEIRS) if not n.startswith("_")):
        ours, theirs = getattr(fj, name), getattr(THEIRS, name)
        if ours is theirs:
            continue
        mine, its = (inspect.signature(f).parameters.values() for f in (ours, theirs))
        assert [(p.name, p.default, p.kind) for p in mine] == [(p.name, p.default, p.kind) for p in its], name
        arguments = (1.0, "fan_in", "normal") if name == "variance_scaling" else ()
        mine, its = (inspect.signature(f(*arguments)).parameters.values() for f in (ours, theirs))
        assert [(p.name, p.default, p.kind) for p in mine] == [(p.name, p.default, p.kind) for p in its], name
        assert isinstance(ours(*arguments), fj.Initializer)
    assert fj.xavier_uniform is fj.glorot_uniform and fj.kaiming_normal is fj.he_normal


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAWS)
def test_laws(name: str, dtype: str) -> None:
    initializer, law, std = LAWS[name]
    x = initializer()(KEY, (64, 512), dtype)
    assert x.shape == (64, 512) and x.dtype == dtype
    z = numpy(x).ravel() / std
    law = SHAPED.get(law, law) if isinstance(law, str) else law
    assert abs(z.mean() - law.mean()) < 6 * law.std() / z.size**0.5
    assert abs(z.std() / law.std() - 1) < 6 / z.size**0.5
    low, high = law.support()
    assert z.min() >= low * (1 + 2**-7) and z.max() <= high * (1 + 2**-7)
    if dtype == "float32":
        assert stats.kstest(z, law.cdf).pvalue > 1e-6
    elif "normal" in name:
        # Full resolution: bfloat16 would have 128 values if it were drawn from 7 bits.
        assert np.unique(z).size > 1000
        wide = initializer()(KEY, (64, 512), "float32").astype(dtype)
        assert (wide == x).mean() > 0.999  # a bound may round past itself


@pytest.mark.parametrize("dtype", [name for name in DTYPE_TABLE if name.startswith("float8")])
def test_float8_is_the_float32_value_rounded_once(dtype: str) -> None:
    for init in (fj.he_normal(), fj.normal(), fj.uniform(1.0), fj.orthogonal()):
        x = init(KEY, (64, 512), getattr(jnp, dtype))
        assert x.dtype == dtype
        rounded = np.asarray(init(KEY, (64, 512), "float32")).astype(numpy_dtype(dtype))
        beyond = abs(numpy(rounded)) >= abs(numpy(x)).max()  # what rounds past a bound stays within
        assert ((numpy(x) == numpy(rounded)) | beyond).all() and beyond.mean() < 0.25
        np.testing.assert_array_equal(
            numpy(jax.jit(lambda key, init=init: init(key, (64, 512), dtype))(KEY)), numpy(x)
        )
    drawn = fj.init({"Dense_0": {"kernel": jax.ShapeDtypeStruct((8, 4), dtype)}}, seed=0)
    assert drawn["Dense_0"]["kernel"].dtype == dtype


SHAPES = [(2,), (2, 2), (2, 3), (3, 2), (2, 3, 4), (4, 3, 2), (2, 3, 4, 5)]


@pytest.mark.parametrize("dtype", [*DTYPES, "complex64"])
@pytest.mark.parametrize("name", [*LAWS, "orthogonal", "delta_orthogonal"])
def test_shapes_and_dtypes(name: str, dtype: str) -> None:
    real_only = name in ("uniform", "truncated_normal", "orthogonal", "delta_orthogonal")
    least = {"uniform": 1, "normal": 1, "truncated_normal": 1, "delta_orthogonal": 4}.get(name, 2)
    for shape in SHAPES:
        if len(shape) < least:
            continue
        if dtype == "complex64" and real_only:
            with pytest.raises(TypeError, match="dtype"):
                getattr(fj, name)()(KEY, shape, dtype)
            continue
        by_call = getattr(fj, name)()(KEY, shape, dtype)
        assert by_call.shape == shape and by_call.dtype == dtype
        np.testing.assert_array_equal(by_call, getattr(fj, name)(dtype=dtype)(KEY, shape))


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
@pytest.mark.parametrize("axes", [{}, {"in_axis": (0, 1), "out_axis": (-2, -1)},
                                  {"in_axis": 0, "out_axis": (2, 3), "batch_axis": 1},
                                  {"in_axis": 0, "out_axis": 0}])  # fmt: skip
def test_variance_scaling_has_the_variance_of_jax(axes: dict, distribution: str, mode: str) -> None:
    shape = (4, 6, 8, 40)
    ours = numpy(fj.variance_scaling(3.0, mode, distribution, **axes)(KEY, shape))
    theirs = numpy(THEIRS.variance_scaling(3.0, mode, distribution, **axes)(KEY, shape))
    assert abs(ours.std() / theirs.std() - 1) < 6 * 2**0.5 / ours.size**0.5


def test_fans_of_a_flax_embedding() -> None:
    """in_axis and out_axis are the same axis there: the variance is 1 / features."""
    x = fj.variance_scaling(1.0, "fan_in", "normal", out_axis=0)(KEY, (500, 64))
    assert abs(numpy(x).std() * 8 - 1) < 6 / x.size**0.5


def test_scale_zero_and_empty_shapes() -> None:
    for distribution in ("truncated_normal", "normal", "uniform"):
        assert not fj.variance_scaling(0.0, "fan_in", distribution)(KEY, (3, 4)).any()
    for shape in ((0, 5), (5, 0), (0, 0)):
        assert fj.he_normal()(KEY, shape).shape == shape
        assert jax.jit(lambda k, shape=shape: fj.he_normal()(k, shape))(KEY).shape == shape
    assert fj.normal()(KEY, ()).shape == () and fj.normal()(KEY, 3).shape == (3,)


def test_a_key_is_the_seed() -> None:
    five = fj.normal(1.0)(jax.random.key(5), (9,))
    np.testing.assert_array_equal(five, fi.normal(9, seed=5))
    np.testing.assert_array_equal(five, fj.normal(1.0)(jax.random.PRNGKey(5), (9,)))
    high = jax.random.wrap_key_data(jnp.array([3, 4], jnp.uint32))
    np.testing.assert_array_equal(fj.normal(1.0)(high, (9,)), fi.normal(9, seed=3 << 32 | 4))
    rbg = jax.random.key(5, impl="rbg")
    words = np.asarray(jax.random.key_data(rbg)).astype("<u4").tobytes()
    seed = int.from_bytes(blake2b(words, digest_size=8).digest(), "little")
    np.testing.assert_array_equal(fj.normal(1.0)(rbg, (9,)), fi.normal(9, seed=seed))


EVERY = {**{name: row[0] for name, row in LAWS.items()}, "orthogonal": fj.orthogonal}


@pytest.mark.parametrize("dtype", [*DTYPES, "complex64"])
@pytest.mark.parametrize("name", EVERY)
def test_traced_is_eager(name: str, dtype: str) -> None:
    if dtype == "complex64" and name in ("uniform", "truncated_normal", "orthogonal"):
        pytest.skip("real laws, in JAX too or here")
    init = lambda key: EVERY[name]()(key, (5, 7), dtype)  # noqa: E731
    keys = jax.random.split(KEY, 3)
    eager = [init(key) for key in keys]
    np.testing.assert_array_equal(jnp.stack([jax.jit(init)(key) for key in keys]), jnp.stack(eager))
    np.testing.assert_array_equal(jax.vmap(init)(keys), jnp.stack(eager))
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.vmap(init)))(keys[:, None])[:, 0], jnp.stack(eager))
    assert jax.eval_shape(init, KEY).dtype == dtype


def test_complex_laws() -> None:
    shape = (64, 512)
    for distribution, bound in (
        ("normal", np.inf),
        ("uniform", 2**0.5),
        ("truncated_normal", 2 / 0.961961828),
    ):
        z = np.asarray(fj.variance_scaling(1.0, "fan_in", distribution)(KEY, shape, "complex64")) * 8
        assert abs((abs(z) ** 2).mean() - 1) < 6 / z.size**0.5 and abs(z.mean()) < 6 / z.size**0.5
        assert abs(z).max() <= bound * (1 + 1e-6)
        assert abs((z.real * z.imag).mean()) < 3 / z.size**0.5
        assert stats.kstest(np.angle(z).ravel(), stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-6


def test_float64() -> None:
    with pytest.warns(UserWarning, match="float64"):
        assert fj.normal()(KEY, (3,), "float64").dtype == "float32"
    jax.config.update("jax_enable_x64", True)
    try:
        x = fj.normal(1.0)(jax.random.key(5), (9,))
        assert x.dtype == "float64"
        np.testing.assert_array_equal(x, fi.normal(9, seed=5, dtype="float64"))
        np.testing.assert_array_equal(x, jax.jit(lambda k: fj.normal(1.0)(k, (9,)))(jax.random.key(5)))
        assert fj.he_normal()(KEY, (3, 4), "complex128").dtype == "complex128"
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 2), (2, 3, 4), (4, 3, 2)])
@pytest.mark.parametrize("axis", [-1, 0])
def test_orthogonal(shape: tuple[int, ...], axis: int, dtype: str) -> None:
    w = np.moveaxis(numpy(fj.orthogonal(2.0, axis)(KEY, shape, dtype)), axis, -1).reshape(-1, shape[axis])
    gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5 if dtype == "float32" else 0.1)


def test_delta_orthogonal() -> None:
    for shape, middle in (((3, 4, 5), (1,)), ((4, 3, 2, 3), (1, 1)), ((1, 2, 3, 4, 4), (0, 0, 1))):
        w = numpy(fj.delta_orthogonal(2.0)(KEY, shape))
        tap = w[middle]
        np.testing.assert_allclose(tap @ tap.T, 4 * np.eye(shape[-2]), atol=1e-5)
        assert np.count_nonzero(w) == np.count_nonzero(tap)
    for shape in ((3, 4), (3, 5, 4)):
        with pytest.raises(ValueError, match="shape"):
            fj.delta_orthogonal()(KEY, shape)


def test_scalars_of_jax_are_numbers() -> None:
    one = jnp.array(1.0, jnp.float32)
    for init in (
        fj.uniform(one, jnp.bfloat16),
        fj.normal(one, jnp.bfloat16),
        fj.truncated_normal(one, jnp.bfloat16),
    ):
        assert init(KEY, (4, 4)).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("call", "error", "argument"),
    [
        (lambda: fj.normal()(3, (2,)), TypeError, "key"),
        (lambda: fj.normal()(None, (2,)), TypeError, "key"),
        (lambda: fj.normal()(jnp.zeros(2), (2,)), TypeError, "key"),
        (lambda: fj.normal()(jax.random.split(KEY), (2,)), ValueError, "key"),
        (lambda: fj.normal()(KEY, (-2, 3)), ValueError, "shape"),
        (lambda: fj.normal()(KEY, (1.5,)), TypeError, "shape"),
        (lambda: fj.normal()(KEY, (True,)), TypeError, "shape"),
        (lambda: fj.normal()(KEY, (2**40, 2**40)), ValueError, "shape"),
        (lambda: fj.normal()(KEY, (2,), "int32"), TypeError, "dtype"),
        (lambda: fj.normal()(KEY, (2,), bool), TypeError, "dtype"),
        (lambda: fj.normal()(KEY, (2,), "foo"), TypeError, "dtype"),
        (lambda: fj.normal()(KEY, (2,), jnp.float8_e8m0fnu), TypeError, "dtype"),
        (lambda: fj.uniform()(KEY, (2,), "complex64"), TypeError, "dtype"),
        (lambda: fj.normal(float("nan")), ValueError, "stddev"),
        (lambda: fj.normal(-1.0), ValueError, "stddev"),
        (lambda: fj.normal("1"), TypeError, "stddev"),
        (lambda: fj.uniform(float("inf")), ValueError, "scale"),
        (lambda: fj.truncated_normal(1.0, lower=2, upper=-2), ValueError, "lower"),
        (lambda: fj.truncated_normal(1.0, upper=float("nan")), ValueError, "upper"),
        (lambda: fj.variance_scaling(-1.0, "fan_in", "normal"), ValueError, "scale"),
        (lambda: fj.variance_scaling(1.0, "fan", "normal"), ValueError, "mode"),
        (lambda: fj.variance_scaling(1.0, "fan_in", "cauchy"), ValueError, "distribution"),
        (lambda: fj.he_normal()(KEY, (5,)), ValueError, "Can't compute input and output sizes of a 1-dimensional"),
        (lambda: fj.he_normal(in_axis=(0, 1))(KEY, (5,)), ValueError, "in_axis"),
        (lambda: fj.he_normal(in_axis=0, out_axis=3)(KEY, (5, 5)), ValueError, "out_axis"),
        (lambda: fj.he_normal(in_axis=0.5), TypeError, "in_axis"),
        (lambda: fj.orthogonal()(KEY, (5,)), ValueError, "axes"),
        (lambda: fj.orthogonal(column_axis=2)(KEY, (5, 5)), ValueError, "axis"),
        (lambda: fj.normal()(KEY, (2,), out_sharding=3), TypeError, "out_sharding"),
        (lambda: fj.normal()(KEY, (2,), out_sharding=jax.P()), ValueError, "out_sharding"),
        (lambda: fj.normal(1e5)(KEY, (2,), "float16"), ValueError, "float16"),
        (lambda: jax.jit(lambda k: fj.normal(1e5)(k, (2,), "float16"))(KEY), ValueError, "float16"),
        (lambda: fj.init({}, seed=0), ValueError, "tree"),
        (lambda: fj.init({"a": jnp.zeros(3, jnp.int32)}, seed=0), ValueError, "tree"),
        (lambda: fj.init({"a": jnp.zeros(3, jnp.float8_e8m0fnu)}, seed=0), TypeError, "'a'"),
        (lambda: fj.init({"a": {"b": jnp.zeros(3)}, "a.b": jnp.zeros(3)}, seed=0), ValueError, "a.b"),
        (lambda: fj.init({"a": jnp.zeros((3, 3))}, "he_norml", seed=0), ValueError, "he_norml"),
        (lambda: fj.init({"a": jnp.zeros((3, 3))}, {"b": "ones"}, seed=0), ValueError, "b"),
        (lambda: fj.init({"a": jnp.zeros((3, 3))}, seed=-1), ValueError, "seed"),
    ],
)  # fmt: skip
def test_bad_input(call: Callable[[], Any], error: type[Exception], argument: str) -> None:
    with pytest.raises(error, match=argument):
        call()


def test_each_array_has_memory_of_its_own() -> None:
    a, b = (fj.normal()(KEY, (1000,)) for _ in range(2))
    assert a.unsafe_buffer_pointer() != b.unsafe_buffer_pointer()
