"""Laws: what can be drawn, as plain data. Elementwise laws are `Distribution`s; `Structured` ones fill whole tensors."""

from .distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from .structured import Structured

__all__ = ["Constant", "Distribution", "Normal", "Structured", "TruncatedNormal", "Uniform"]
