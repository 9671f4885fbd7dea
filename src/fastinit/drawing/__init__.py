"""Drawing: a distribution, a stream and a place in memory -> values."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fill import random_bits

__all__ = ["random_bits"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """What is public, loaded when it is first used: the settings of the process are loaded without it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .fill import random_bits

        return random_bits
