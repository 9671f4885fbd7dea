"""What the tensors of a checkpoint look like: one pass of measurement, the laws that fit, what deviates from a recipe."""

from .inspecting import inspect
from .report import Inspection, TensorReport

__all__ = ["Inspection", "TensorReport", "inspect"]
