"""Neural-network initialisation at the speed of memory, with the same bits everywhere."""

from typing import TYPE_CHECKING

from ._version import __version__ as __version__
from .drawing.config import available_isas, get_num_threads, isa, set_num_threads, show_config

if TYPE_CHECKING:
    from . import checkpoints, drawing, inspection, laws, plans, propagation, schemes
    from .checkpoints import checksum, verify
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

# Where a name is loaded from when it is first used; a folder has itself. What is not here is in drawing.functions.
_HOMES = {
    "Constant": "laws.distributions",
    "Normal": "laws.distributions",
    "Plan": "plans.plan",
    "Recipe": "plans.recipe",
    "TruncatedNormal": "laws.distributions",
    "Uniform": "laws.distributions",
    "checksum": "checkpoints",
    "diff": "plans.lint",
    "distribution": "schemes.resolve",
    "fans": "schemes.fans",
    "gain": "schemes.gains",
    "fill": "drawing.fill",
    "init": "plans.init",
    "inspect": "inspection",
    "lint": "plans.lint",
    "plan": "plans.make",
    "read_recipe": "plans.recipe",
    "recommend": "schemes.recommend",
    "verify": "checkpoints",
    **{
        name: name
        for name in ("checkpoints", "drawing", "inspection", "laws", "plans", "propagation", "schemes")
    },
}


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


if not TYPE_CHECKING:  # to a type checker, any name would be known

    def __getattr__(name: str) -> object:
        """Load a name when it is first used."""
        from importlib import import_module

        if name in __all__:
            home = _HOMES.get(name, "drawing.functions")
            module = import_module(f".{home}", __name__)
            globals()[name] = value = module if home == name else getattr(module, name)
            return value
        message = f"module {__name__!r} has no attribute {name!r}"
        if not name.startswith("_") and name in import_module(".schemes", __name__).__all__:
            message += f"; {name} is in fastinit.schemes"
        raise AttributeError(message, name=name, obj=import_module(__name__))
