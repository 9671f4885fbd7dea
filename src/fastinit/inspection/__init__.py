"""What the tensors of a checkpoint look like: one pass of measurement, the laws that fit, what deviates from a recipe."""

from .report import Report, TensorReport, inspect

__all__ = ["Report", "TensorReport", "inspect"]
