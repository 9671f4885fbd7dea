"""Drawing on an NVIDIA GPU, by its own processor: the bits are those that the CPU would draw.

One source serves both (csrc). It is compiled for the device at hand by NVIDIA's run-time compiler when a distribution and
dtype are first asked for (`compiling`), and kept on disk. What is to be drawn becomes a few launches (`launches`), which
take the caller's stream and return at once (`drawing`).
"""

from .drawing import Draw, copy, draw
from .driver import Buffer, Place, missing, ordinal_of
from .program import Launches, launches_for

__all__ = ["Buffer", "Draw", "Launches", "Place", "copy", "draw", "launches_for", "missing", "ordinal_of"]
