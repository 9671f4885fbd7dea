"""Neural-network initialisation at the speed of memory, with the same bits everywhere."""

import sys
from typing import TYPE_CHECKING

from . import checkpoints, drawing, inspection, laws, plans, propagation, schemes
from ._version import __version__ as __version__
from .checkpoints import checksum, verify
from .drawing.config import available_isas, get_num_threads, isa, set_num_threads, show_config
from .drawing.fill import fill
from .drawing.functions import (
    complex_normal,
    constant,
    delta_orthogonal,
    dirac,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    identity,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    normal,
    ones,
    orthogonal,
    siren,
    sparse,
    torch_default,
    truncated_normal,
    uniform,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
    zeros,
)
from .inspection import inspect
from .laws.distributions import Constant, Normal, TruncatedNormal, Uniform
from .plans.init import init
from .plans.lint import diff, lint
from .plans.make import plan
from .plans.plan import Plan
from .plans.recipe import Recipe, read_recipe
from .schemes.fans import fans
from .schemes.gains import gain
from .schemes.recommend import recommend
from .schemes.resolve import distribution

__all__ = [
    "Constant",
    "Normal",
    "Plan",
    "Recipe",
    "TruncatedNormal",
    "Uniform",
    "available_isas",
    "checkpoints",
    "checksum",
    "complex_normal",
    "constant",
    "delta_orthogonal",
    "diff",
    "dirac",
    "distribution",
    "drawing",
    "fans",
    "fill",
    "gain",
    "get_num_threads",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "init",
    "inspect",
    "inspection",
    "isa",
    "kaiming_normal",
    "kaiming_uniform",
    "laws",
    "lecun_normal",
    "lecun_uniform",
    "lint",
    "normal",
    "ones",
    "orthogonal",
    "plan",
    "plans",
    "propagation",
    "read_recipe",
    "recommend",
    "schemes",
    "set_num_threads",
    "show_config",
    "siren",
    "sparse",
    "torch_default",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "verify",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


if not TYPE_CHECKING:  # to a type checker, any name would be known

    def __getattr__(name: str) -> object:
        """Nothing; but say where a scheme's function is."""
        where = f"; {name} is in fastinit.schemes" if name in schemes.__all__ else ""
        message = f"module {__name__!r} has no attribute {name!r}{where}"
        raise AttributeError(message, name=name, obj=sys.modules[__name__])
