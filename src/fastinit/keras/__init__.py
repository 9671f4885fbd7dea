"""Keras: the initializers of ``keras.initializers``, drawn by fastinit, and whole models by the paths of their variables.

The initializers have Keras's names, arguments, defaults and distributions, and are saved with a model under ``fastinit>``. As in
Keras, an object with an integer seed gives the same values at each call, ``seed=None`` takes such an integer when the
object is made, and a `SeedGenerator` gives new values at each call. Zeros, ones, constants, the identity and the Fourier
kernel draw nothing: they are Keras's own.
"""

from ..extras import needs_keras as _needs_keras

_needs_keras()

from keras.initializers import STFT, Constant, Identity, Initializer, Ones, Zeros

from .initializers import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    OrthogonalInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    deserialize,
    get,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    orthogonal,
    random_normal,
    random_uniform,
    serialize,
    truncated_normal,
    variance_scaling,
)
from .models import init, plan

# Keras's other names for its own.
IdentityInitializer = identity = Identity
STFTInitializer = stft = STFT
constant, ones, zeros = Constant, Ones, Zeros

__all__ = [
    "STFT",
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "init",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "plan",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]
