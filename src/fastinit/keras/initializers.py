"""The initializers of ``keras.initializers``: Keras's names, arguments, defaults and distributions; fastinit's values."""

from __future__ import annotations

import math
from functools import partial
from inspect import isclass
from typing import Any

import keras
import numpy as np

from ..arguments import checked_shape, non_negative, real
from ..drawing.fill import fill
from ..drawing.streams import resolve_seed
from ..laws.distributions import Normal, Uniform
from ..schemes.resolve import distribution
from .tensors import dtype_of, new_tensor

_serializable = keras.saving.register_keras_serializable(package="fastinit")


class _Drawn:
    """In front of an initializer of Keras: its configuration, fastinit's values."""

    seed: Any

    def _law(self, shape: tuple[int, ...]) -> Any:
        raise NotImplementedError

    def __call__(self, shape: Any, dtype: Any = None, layout: Any = None) -> Any:
        whole, name = checked_shape(tuple(shape)), ""
        law, kind = self._law(whole), dtype_of(dtype)
        if isinstance(self.seed, keras.random.SeedGenerator):
            seed, count = np.asarray(keras.ops.convert_to_numpy(self.seed.next())).tolist()
            name = str(count)
        else:
            seed = resolve_seed(self.seed)
        return new_tensor(whole, kind, layout, partial(fill, scheme=law, seed=seed, name=name, shape=whole))


@_serializable
class RandomNormal(_Drawn, keras.initializers.RandomNormal):
    """N(mean, stddev^2).

    >>> RandomNormal(stddev=0.02, seed=0)((2, 3)).shape == (2, 3)
    True
    """

    def _law(self, shape: tuple[int, ...]) -> Any:
        return Normal(real("mean", self.mean), non_negative("stddev", self.stddev))


@_serializable
class TruncatedNormal(_Drawn, keras.initializers.TruncatedNormal):
    """N(mean, stddev^2) cut at 2 stddev on either side; the cut is not made up for.

    >>> TruncatedNormal(seed=0)((2, 3)).shape == (2, 3)
    True
    """

    def _law(self, shape: tuple[int, ...]) -> Any:
        mean, std = real("mean", self.mean), non_negative("stddev", self.stddev)
        return distribution("truncated_normal", shape, mean=mean, std=std)


@_serializable
class RandomUniform(_Drawn, keras.initializers.RandomUniform):
    """U[minval, maxval).

    >>> RandomUniform(seed=0)((2, 3)).shape == (2, 3)
    True
    """

    def _law(self, shape: tuple[int, ...]) -> Any:
        low, high = real("minval", self.minval), real("maxval", self.maxval)
        if low > high:
            raise ValueError(f"minval must not be above maxval, got minval={low}, maxval={high}")
        return Uniform(low, high)


class _Scaled(_Drawn):
    scale: float
    mode: Any
    distribution: Any
    input_axes: Any = None  # of layers that say so themselves, in newer versions of Keras
    output_axes: Any = None

    def _law(self, shape: tuple[int, ...]) -> Any:
        fan_in, fan_out = _fans_of_shape(shape, self.input_axes, self.output_axes)
        law: Any = "normal" if self.distribution == "untruncated_normal" else self.distribution
        return distribution(
            "variance_scaling",
            shape,
            fan_in=fan_in,
            fan_out=fan_out,
            scale=self.scale,
            mode=self.mode,
            distribution=law,
        )


def _fans_of_shape(shape: tuple[int, ...], input_axes: Any, output_axes: Any) -> tuple[int, int]:
    """As Keras counts them: the last two axes are in and out, unless the layer says otherwise."""
    if input_axes is not None and output_axes is not None:
        fans = [math.prod(shape[axis] for axis in axes) for axes in (input_axes, output_axes)]
    elif len(shape) < 2:
        fans = [math.prod(shape)] * 2
    else:
        fans = [math.prod(shape[:-1]), math.prod(shape[:-2]) * shape[-1]]
    return max(fans[0], 1), max(fans[1], 1)


@_serializable
class VarianceScaling(_Scaled, keras.initializers.VarianceScaling):
    """Mean 0 and variance scale / n, with n the fan that ``mode`` names; ``"normal"`` is the truncated one, as in Keras.

    The fans are Keras's, from the shape only, and wrong for transposed and depthwise convolutions: `init` knows better.

    >>> VarianceScaling(seed=0)((2, 3)).shape == (2, 3)
    True
    """


@_serializable
class GlorotUniform(VarianceScaling, keras.initializers.GlorotUniform):
    """U[-a, a), a = sqrt(6 / (fan_in + fan_out)).

    >>> GlorotUniform(seed=0)((2, 3)).shape == (2, 3)
    True
    """


@_serializable
class GlorotNormal(VarianceScaling, keras.initializers.GlorotNormal):
    """Normal of variance 2 / (fan_in + fan_out), cut at 2 sigma of the normal it is cut from.

    >>> GlorotNormal(seed=0)((2, 3)).shape == (2, 3)
    True
    """


@_serializable
class LecunNormal(VarianceScaling, keras.initializers.LecunNormal):
    """Normal of variance 1 / fan_in, cut at 2 sigma of the normal it is cut from.

    >>> LecunNormal(seed=0)((2, 3)).shape == (2, 3)
    True
    """


@_serializable
class LecunUniform(VarianceScaling, keras.initializers.LecunUniform):
    """U[-a, a), a = sqrt(3 / fan_in).

    >>> LecunUniform(seed=0)((2, 3)).shape == (2, 3)
    True
    """


@_serializable
class HeNormal(VarianceScaling, keras.initializers.HeNormal):
    """Normal of variance 2 / fan_in, cut at 2 sigma of the normal it is cut from.

    >>> HeNormal(seed=0)((2, 3)).shape == (2, 3)
    True
    """


@_serializable
class HeUniform(VarianceScaling, keras.initializers.HeUniform):
    """U[-a, a), a = sqrt(6 / fan_in).

    >>> HeUniform(seed=0)((2, 3)).shape == (2, 3)
    True
    """


@_serializable
class Orthogonal(_Drawn, keras.initializers.Orthogonal):
    """gain times a semi-orthogonal matrix, uniform over all such: the last axis counts the columns, all others the rows.

    >>> Orthogonal(seed=0)((2, 3)).shape == (2, 3)
    True
    """

    def _law(self, shape: tuple[int, ...]) -> Any:
        return distribution("orthogonal", shape, gain=self.gain, axis=-1)


# Keras's other names for them.
OrthogonalInitializer = orthogonal = Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform

# By every name that Keras knows, also those that only its strings have.
_BY_NAME = {
    **{
        name: globals().get(name, theirs)
        for name, theirs in vars(keras.initializers).items()
        if isclass(theirs)
    },
    **{"normal": RandomNormal, "uniform": RandomUniform},
    **{"one": keras.initializers.Ones, "zero": keras.initializers.Zeros},
}


def serialize(initializer: Any) -> Any:
    """The configuration of an initializer, which a ``.keras`` file keeps.

    >>> serialize(HeNormal(seed=3))["registered_name"]
    'fastinit>HeNormal'
    """
    return keras.initializers.serialize(initializer)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The initializer of a configuration; of fastinit's class for all those that Keras draws.

    >>> deserialize({"class_name": "HeNormal", "config": {"seed": 3}}).seed
    3
    """
    return keras.saving.deserialize_keras_object(
        config, custom_objects=custom_objects, module_objects=_BY_NAME
    )


def get(identifier: Any) -> Any:
    """The initializer that Keras would take for ``identifier``: a name, a configuration, a class, a callable or a tensor of
    values. By a name or a configuration it is fastinit's. None gives None. Raises ValueError for anything else.

    >>> isinstance(get("he_normal"), HeNormal)
    True
    """
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": {}}
    return keras.initializers.get(deserialize(identifier) if isinstance(identifier, dict) else identifier)
