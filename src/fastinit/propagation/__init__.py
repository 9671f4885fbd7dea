"""What an initialisation does to signals and gradients in a deep network: in theory, and measured."""

from .calibrate import calibrate
from .dead import Bounds, dead_network, dead_ray, dead_share
from .exact import largest_squared_singular_value, linear_lyapunov, relu_log_moments
from .finite_width import Band, Prediction, predict, variances
from .layer import Expected, Layer
from .measurement import Inputs, ProbeReport
from .plot import plot
from .probe import probe
from .render import html, text
from .theory import CriticalPoint, FixedPoint, MeanField, Trajectory, critical_line, mean_field
from .verdict import Judgement, Verdict, judge

__all__ = [
    "Band",
    "Bounds",
    "CriticalPoint",
    "Expected",
    "FixedPoint",
    "Inputs",
    "Judgement",
    "Layer",
    "MeanField",
    "Prediction",
    "ProbeReport",
    "Trajectory",
    "Verdict",
    "calibrate",
    "critical_line",
    "dead_network",
    "dead_ray",
    "dead_share",
    "html",
    "judge",
    "largest_squared_singular_value",
    "linear_lyapunov",
    "mean_field",
    "plot",
    "predict",
    "probe",
    "relu_log_moments",
    "text",
    "variances",
]
