"""Drawing: a distribution, a stream and a place in memory -> values."""

from .fill import random_bits

__all__ = ["random_bits"]
