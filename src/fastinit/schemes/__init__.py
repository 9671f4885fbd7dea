"""Schemes: a name, a shape and some numbers -> the distribution to draw. Each one is a function here, too."""

from typing import TYPE_CHECKING

from .catalogue import SCHEMES, Number, Scheme
from .fans import Fans
from .names import Keywords, SchemeName
from .recommend import Recommendation
from .resolve import scheme

__all__ = ["SCHEMES", "Fans", "Keywords", "Number", "Recommendation", "Scheme", "SchemeName", "scheme"]

if TYPE_CHECKING:
    from ..drawing.functions import *  # noqa: F403
else:
    __all__ += SCHEMES

    def __getattr__(name: str) -> object:
        """A scheme's function. It draws, and drawing stands above this folder: it is loaded when asked for."""
        if name not in SCHEMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from ..drawing import functions

        return getattr(functions, name)


def __dir__() -> list[str]:
    return sorted(__all__)
