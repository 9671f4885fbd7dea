"""Gains and standard deviations as torch.nn.init has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.init import calculate_gain as _torch_gain

from ._private import _calculate_correct_fan, _calculate_fan_in_and_fan_out
from .tensors import InvalidValueError, non_negative

if TYPE_CHECKING:
    from ._private import _FanMode, _NonlinearityType


def calculate_gain(nonlinearity: _NonlinearityType, param: int | float | None = None) -> float:
    """torch's gain of an activation, the factor on a weight's standard deviation. `fastinit.gain` knows more activations.

    Parameters
    ----------
    nonlinearity
        "linear" and convolutions (1), "sigmoid" (1), "tanh" (5/3), "relu" (sqrt(2)), "selu" (3/4) or "leaky_relu"
        (sqrt(2 / (1 + param^2))).
    param
        The slope of a leaky ReLU for negative inputs, 0.01 if None.

    Returns
    -------
    float
        The gain.

    Raises
    ------
    ValueError
        for an unknown activation and for a slope that is not finite.

    Examples
    --------
    >>> round(calculate_gain("leaky_relu", 0.2), 6)
    1.38675
    """
    gain = _torch_gain(nonlinearity, param)
    if not gain > 0:
        raise InvalidValueError(f"negative_slope must be finite, got {param!r}")
    return gain


def xavier_std(tensor: Tensor, gain: float) -> float:
    """The standard deviation of Xavier's rule, by torch's fans."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return non_negative("gain", gain) * math.sqrt(2.0 / max(fan_in + fan_out, 1))


def kaiming_std(tensor: Tensor, a: float, mode: _FanMode, nonlinearity: _NonlinearityType) -> float:
    """The standard deviation of He's rule, by torch's fans."""
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)
