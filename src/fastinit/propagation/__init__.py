"""What an initialisation does to signals and gradients in a deep network, in theory."""

from .theory import CriticalPoint, FixedPoint, MeanField, Trajectory, critical_line, mean_field

__all__ = ["CriticalPoint", "FixedPoint", "MeanField", "Trajectory", "critical_line", "mean_field"]
