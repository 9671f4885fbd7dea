"""Keras's initializers and models: the same names, arguments, laws and seeds as Keras's. On JAX, and again on torch."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional
from scipy import stats

import fastinit as fi

keras = optional("keras")
from keras_networks import network, numpy, small  # noqa: E402

import fastinit.keras as fk  # noqa: E402

# Keras's own ways to NumPy warn.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
THEIRS = keras.initializers
FUNCTIONS = ("serialize", "deserialize", "get")
DRAWN = ["RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "GlorotUniform", "GlorotNormal",
         "LecunNormal", "LecunUniform", "HeNormal", "HeUniform", "Orthogonal"]  # fmt: skip
CUT = 0.87962566103423978
NORMAL, BAND = stats.norm, stats.uniform(-(3**0.5), 12**0.5)
TRUNCATED = stats.truncnorm(-2, 2, scale=1 / CUT)
# An initializer, the law of a (64, 512) kernel in units of its std, that std.
LAWS = [
    (fk.RandomNormal(seed=1), NORMAL, 0.05),
    (fk.RandomUniform(seed=1), BAND, 0.05 / 3**0.5),
    (fk.TruncatedNormal(seed=1), TRUNCATED, 0.05 * CUT),
    (fk.VarianceScaling(seed=1), TRUNCATED, 1 / 8),
    (fk.VarianceScaling(2.0, "fan_out", "untruncated_normal", 1), NORMAL, (2 / 512) ** 0.5),
    (fk.GlorotUniform(seed=1), BAND, (2 / 576) ** 0.5),
    (fk.GlorotNormal(seed=1), TRUNCATED, (2 / 576) ** 0.5),
    (fk.LecunNormal(seed=1), TRUNCATED, 1 / 8),
    (fk.LecunUniform(seed=1), BAND, 1 / 8),
    (fk.HeNormal(seed=1), TRUNCATED, 32**-0.5),
    (fk.HeUniform(seed=1), BAND, 32**-0.5),
]
WITH_AXES = "input_axes" in inspect.signature(THEIRS.VarianceScaling).parameters  # not in the oldest version
if WITH_AXES:
    swapped = fk.VarianceScaling(seed=1, mode="fan_in", input_axes=[1], output_axes=[0])
    LAWS.append((swapped, TRUNCATED, 512**-0.5))


def test_names_and_signatures_are_those_of_keras() -> None:
    names = [name for name in dir(THEIRS) if not name.startswith("_") and name not in FUNCTIONS]
    for name in FUNCTIONS:
        assert (
            inspect.signature(getattr(fk, name)).parameters.keys()
            == inspect.signature(getattr(THEIRS, name)).parameters.keys()
        )
    for name in names:
        ours, theirs = getattr(fk, name), getattr(THEIRS, name)
        assert inspect.signature(ours) == inspect.signature(theirs), name
        assert issubclass(ours, theirs) and ours.__name__ == theirs.__name__
        assert (ours is theirs) == (ours.__name__ not in DRAWN)


def test_classes_are_subclasses_of_each_other_as_those_of_keras_are() -> None:
    kinds = {getattr(fk, name): getattr(THEIRS, name) for name in DRAWN}
    for one, theirs in kinds.items():
        for other, its in kinds.items():
            assert issubclass(one, other) == issubclass(theirs, its), (one, other)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize(("initializer", "law", "std"), LAWS, ids=[type(row[0]).__name__ for row in LAWS])
def test_laws(initializer: Any, law: Any, std: float, dtype: str) -> None:
    x = initializer((64, 512), dtype=dtype)
    assert tuple(x.shape) == (64, 512) and keras.backend.standardize_dtype(x.dtype) == dtype
    z = numpy(x).ravel().astype(np.float64) / std
    assert abs(z.mean()) < 6 / z.size**0.5 and abs(z.std() - 1) < 6 / z.size**0.5
    assert max(-z.min(), z.max()) <= law.support()[1] * (1 + 2**-7)
    if dtype == "float32":
        assert stats.kstest(z, law.cdf).pvalue > 1e-6
    elif law is not BAND:
        assert np.unique(z).size > 1000


def test_fans_are_those_of_keras() -> None:
    from keras.src.initializers.random_initializers import compute_fans

    for shape in ((), (7,), (5, 7), (3, 5, 7), (2, 3, 5, 7), (0, 5)):
        for axes in ((), ([0], [-1])) if len(shape) > 1 and WITH_AXES else ((),):
            theirs = compute_fans(shape, *axes)
            for mode, fan in zip(("fan_in", "fan_out"), theirs, strict=True):
                law = fk.VarianceScaling(3.0, mode, "uniform", 0, *axes)._law(shape)
                assert law.high == pytest.approx((9 / max(fan, 1)) ** 0.5), (shape, axes)


def test_orthogonal() -> None:
    for shape in ((5, 5), (3, 7), (7, 3), (2, 3, 4)):
        w = numpy(fk.Orthogonal(gain=2.0, seed=1234)(shape)).reshape(-1, shape[-1])
        gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)
    assert keras.backend.standardize_dtype(fk.Orthogonal(seed=0)((4, 4), "bfloat16").dtype) == "bfloat16"


@pytest.mark.parametrize("name", DRAWN)
def test_seeds(name: str) -> None:
    kind, shape = getattr(fk, name), (4, 6)
    fixed = kind(seed=1337)
    assert fixed.seed == 1337
    np.testing.assert_array_equal(numpy(fixed(shape)), numpy(fixed(shape)))
    np.testing.assert_array_equal(numpy(fixed(shape)), numpy(fixed.clone()(shape)))
    free = kind()
    np.testing.assert_array_equal(numpy(free(shape)), numpy(free(shape)))
    assert (numpy(free(shape)) != numpy(free.clone()(shape))).any()
    keras.utils.set_random_seed(5)
    first = kind()
    keras.utils.set_random_seed(5)
    np.testing.assert_array_equal(numpy(first(shape)), numpy(kind()(shape)))
    moving = kind(seed=keras.random.SeedGenerator(1337))
    a, b = numpy(moving(shape)), numpy(moving(shape))
    assert (a != b).any()
    np.testing.assert_array_equal(a, numpy(kind(seed=keras.random.SeedGenerator(1337))(shape)))


def test_values_are_fastinits() -> None:
    np.testing.assert_array_equal(numpy(fk.RandomNormal(seed=9)((5, 3))), fi.normal((5, 3), std=0.05, seed=9))
    moving = fk.RandomNormal(seed=keras.random.SeedGenerator(9))
    for count in ("0", "1"):
        np.testing.assert_array_equal(numpy(moving((5, 3))), fi.normal((5, 3), std=0.05, seed=9, name=count))


@pytest.mark.parametrize("seed", [None, 3, "generator"])
@pytest.mark.parametrize("name", DRAWN)
def test_serialization(name: str, seed: Any) -> None:
    kind = getattr(fk, name)
    initializer = kind(seed=keras.random.SeedGenerator(3) if seed == "generator" else seed)
    data = THEIRS.serialize(initializer)
    assert data["registered_name"] == f"fastinit>{name}"
    again = THEIRS.deserialize(data)
    assert type(again) is kind and again.get_config() == initializer.get_config()
    assert type(THEIRS.get(f"fastinit>{name}")) is kind and THEIRS.get(again) is again


def test_get() -> None:
    """Whatever `keras.initializers.get` takes; what has fastinit's values comes in fastinit's class."""
    from keras.src.initializers import ALL_OBJECTS_DICT

    for name, theirs in ALL_OBJECTS_DICT.items():
        if theirs is fk.Constant or name == "initializer":  # needs a value; is abstract
            continue
        ours = fk.get(name)
        assert isinstance(ours, theirs) and type(ours) is getattr(fk, theirs.__name__), name
        assert type(fk.deserialize({"class_name": name, "config": {}})) is type(ours)
        assert type(fk.get(THEIRS.serialize(theirs() if theirs is not fk.STFT else theirs("real")))) is type(
            ours
        ), name
    assert fk.get(None) is None
    assert type(fk.get(fk.HeNormal)) is fk.HeNormal
    mine = fk.HeNormal(seed=3)
    assert fk.get(mine) is mine and fk.get(fk.serialize(mine)).seed == 3
    assert fk.get({"class_name": "VarianceScaling", "config": {"scale": 2.0, "seed": 1}}).scale == 2.0
    np.testing.assert_array_equal(numpy(fk.get(np.arange(3.0))((3,))), np.arange(3.0))
    own = lambda shape, dtype=None: 7  # noqa: E731
    assert fk.get(own) is own
    for wrong in ("he_norml", 3, {"a": 1}):
        with pytest.raises(ValueError, match=r"identifier|config"):
            fk.get(wrong)


def test_a_layer_of_ones_own_takes_names(tmp_path: Path) -> None:
    """As in Keras's guides: `get` in the constructor, `serialize` in the configuration."""

    @keras.saving.register_keras_serializable("test")
    class Own(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, initializer: Any = "he_normal", **kinds: Any) -> None:
            super().__init__(**kinds)
            self.initializer = fk.get(initializer)

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], 3), initializer=self.initializer, name="kernel")

        def call(self, x: Any) -> Any:
            return x @ self.kernel

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "initializer": fk.serialize(self.initializer)}

    model = keras.Sequential([keras.Input((4,)), Own(name="own"), Own(fk.GlorotUniform(seed=2), name="two")])
    model.save(tmp_path / "own.keras")
    again = keras.saving.load_model(tmp_path / "own.keras")
    assert type(again.get_layer("own").initializer) is fk.HeNormal
    assert again.get_layer("two").initializer.get_config()["seed"] == 2
    np.testing.assert_array_equal(numpy(again.get_layer("two").kernel), numpy(model.get_layer("two").kernel))


def test_zero_size() -> None:
    for name in DRAWN:
        assert tuple(getattr(fk, name)(seed=0)((0, 5)).shape) == (0, 5)


@pytest.mark.parametrize(
    ("call", "error", "argument"),
    [
        (lambda: fk.VarianceScaling(scale=-1.0), ValueError, "scale"),
        (lambda: fk.VarianceScaling(mode="invalid"), ValueError, "mode"),
        (lambda: fk.VarianceScaling(distribution="invalid"), ValueError, "distribution"),
        (lambda: fk.RandomNormal(seed="1"), ValueError, "seed"),
        (lambda: fk.RandomNormal(seed=-1)((2,)), ValueError, "seed"),
        (lambda: fk.RandomNormal(seed=True)((2,)), TypeError, "seed"),
        (lambda: fk.RandomNormal(stddev=-1.0)((2,)), ValueError, "stddev"),
        (lambda: fk.RandomNormal(mean=float("nan"))((2,)), ValueError, "mean"),
        (lambda: fk.TruncatedNormal(stddev=float("inf"))((2,)), ValueError, "stddev"),
        (lambda: fk.RandomUniform(1.0, -1.0)((2,)), ValueError, "minval"),
        (lambda: fk.RandomUniform("0")((2,)), TypeError, "minval"),
        (lambda: fk.RandomNormal()((-2, 3)), ValueError, "shape"),
        (lambda: fk.RandomNormal()((2,), "int32"), TypeError, "dtype"),
        (lambda: fk.RandomNormal(stddev=1e5)((2,), "float16"), ValueError, "float16"),
        (lambda: fk.Orthogonal()((5,)), ValueError, "axes"),
        (lambda: fk.Orthogonal(gain=float("nan"))((5, 5)), ValueError, "gain"),
        (lambda: fk.init(3, seed=0), TypeError, "model"),
        (lambda: fk.init(keras.Sequential([keras.layers.Dense(3)]), seed=0), ValueError, "built"),
        (lambda: fk.init(small(), "he_norml", seed=0), ValueError, "he_norml"),
        (lambda: fk.init(small(), {"nothing": "ones"}, seed=0), ValueError, "nothing"),
        (lambda: fk.init(small(), seed=1.5), TypeError, "seed"),
    ],
)  # fmt: skip
def test_bad_input(call: Callable[[], Any], error: type[Exception], argument: str) -> None:
    with pytest.raises(error, match=argument):
        call()


def test_a_saved_model_keeps_initializers_and_values(tmp_path: Path) -> None:
    model = network(kernel_initializer=fk.HeUniform(seed=2), bias_initializer=fk.RandomNormal(seed=3))
    fk.init(model, seed=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.get_layer("conv").kernel_initializer) is fk.HeUniform
    assert again.get_layer("head").bias_initializer.get_config() == {"seed": 3, "mean": 0.0, "stddev": 0.05}
    for mine, its in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(numpy(mine), numpy(its))


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **environment}, capture_output=True, text=True
    )


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the run on torch itself")
def test_all_this_on_torch() -> None:
    optional("torch")
    result = run(["-m", "pytest", "-x", "-p", "no:cacheprovider", __file__], KERAS_BACKEND="torch")
    assert result.returncode == 0 and "passed" in result.stdout, result.stdout


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="layouts are JAX's")
def test_layouts() -> None:
    result = run(["-c", LAYOUTS], XLA_FLAGS="--xla_force_host_platform_device_count=8", JAX_PLATFORMS="cpu")
    assert result.returncode == 0, result.stderr


LAYOUTS = """
import keras, numpy as np, fastinit as fi, fastinit.keras as fk
mesh = keras.distribution.DeviceMesh((8,), ["model"], keras.distribution.list_devices())
layouts = keras.distribution.LayoutMap(mesh)
layouts[".*kernel"] = (None, "model")
keras.distribution.set_distribution(keras.distribution.ModelParallel(layout_map=layouts))
kind = fk.RandomNormal(seed=1)
dense = keras.layers.Dense(16, kernel_initializer=kind, bias_initializer=kind, name="dense")
dense.build((None, 4))
spec = dense.kernel.value.sharding.spec
assert tuple(spec) == (None, "model")
np.testing.assert_array_equal(dense.kernel.value, fi.normal((4, 16), std=0.05, seed=1))
np.testing.assert_array_equal(dense.bias.value, fi.normal(16, std=0.05, seed=1))
fk.init(dense, "he_normal", seed=0)
assert dense.kernel.value.sharding.spec == spec
np.testing.assert_array_equal(
    dense.kernel.value, fi.he_normal((4, 16), layout="io", seed=0, name="dense.kernel")
)
"""
