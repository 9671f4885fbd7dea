"""What an initialisation does to signals and gradients in a deep network, in theory."""

from .dead import Bounds, dead_network, dead_ray, dead_share
from .exact import largest_squared_singular_value, linear_lyapunov, relu_log_moments
from .finite_width import Band, Prediction, predict, variances
from .theory import CriticalPoint, FixedPoint, MeanField, Trajectory, critical_line, mean_field

__all__ = [
    "Band",
    "Bounds",
    "CriticalPoint",
    "FixedPoint",
    "MeanField",
    "Prediction",
    "Trajectory",
    "critical_line",
    "dead_network",
    "dead_ray",
    "dead_share",
    "largest_squared_singular_value",
    "linear_lyapunov",
    "mean_field",
    "predict",
    "relu_log_moments",
    "variances",
]
