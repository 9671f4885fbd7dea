"""JAX: the initializers of ``jax.nn.initializers``, drawn by fastinit, and whole models by the paths of their leaves.

The initializers have JAX's names, arguments, defaults and distributions: only the values differ. The two words of a key are the
high and the low half of the seed, so that ``he_normal()(jax.random.key(5), shape)`` draws from the stream of ``seed=5``
with the empty name; keys of more words (rbg) are hashed to 64 bits by BLAKE2b.
"""

from ..extras import needs as _needs

_needs("jax", extra="jax", what="fastinit.jax")

from jax.nn.initializers import Initializer, constant, ones, zeros

from .initializers import (
    delta_orthogonal,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    normal,
    orthogonal,
    truncated_normal,
    uniform,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
)
from .trees import init, plan

__all__ = [
    "Initializer",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "init",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "plan",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
