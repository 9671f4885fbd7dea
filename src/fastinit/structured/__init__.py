"""Laws of whole tensors, whose elements hang together: the frame here, the laws in the modules beside."""

from .frame import Sizes, Stream, Structured

__all__ = ["Sizes", "Stream", "Structured"]
