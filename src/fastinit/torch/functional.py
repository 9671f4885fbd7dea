"""The functions of `torch.nn.init`: its names, arguments, warnings and errors; fastinit's values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_variadic

from ..laws.distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from .scaling import kaiming_std, xavier_std
from .tensors import InvalidValueError, fill, non_negative, number

if TYPE_CHECKING:
    from ._private import _FanMode, _NonlinearityType

_EMPTY = "Initializing zero-element tensors is a no-op"


@lru_cache(maxsize=4096)
def _law(kind: Callable[..., Distribution], *numbers: float) -> Distribution:
    """A distribution, made and checked once: that costs as much as the rest of a small call."""
    return kind(*numbers)


def _no_grad_uniform_(tensor: Tensor, a: float, b: float, generator: torch.Generator | None = None) -> Tensor:
    a, b = number("a", a), number("b", b)
    if a > b:
        raise InvalidValueError(f"a must not be above b, got a={a}, b={b}")
    return fill(tensor, _law(Uniform, a, b), generator)


def _no_grad_normal_(
    tensor: Tensor, mean: float, std: float, generator: torch.Generator | None = None
) -> Tensor:
    return fill(tensor, _law(Normal, number("mean", mean), non_negative("std", std)), generator)


def _no_grad_trunc_normal_(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: torch.Generator | None = None
) -> Tensor:
    mean, std = number("mean", mean), non_negative("std", std)
    a, b = number("a", a, finite=False), number("b", b, finite=False)
    if a > b or (std == 0 and not a <= mean <= b):
        raise InvalidValueError(f"nothing lies in [a, b], got mean={mean}, std={std}, a={a}, b={b}")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. All values come from one tail.",
            stacklevel=3,
        )
    law = _law(TruncatedNormal, mean, std, a, b) if a < b else Constant(a)
    return fill(tensor, law, generator)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """Fill with U[a, b): every value from a to below b is equally likely.

    Parameters
    ----------
    tensor
        What is filled: a parameter, a tensor of any strides, on any device.
    a, b
        The bounds. No value equals b, unless a does.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Raises
    ------
    ValueError
        for bounds that are not finite and for a > b; it is a RuntimeError too, as torch's.

    Examples
    --------
    >>> w = uniform_(torch.empty(3, 5), -1, 1)
    """
    if has_torch_function_variadic(tensor):
        return _handled(uniform_, tensor, a=a, b=b, generator=generator)
    return _no_grad_uniform_(tensor, a, b, generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """Fill with N(mean, std^2).

    Parameters
    ----------
    tensor
        What is filled: a parameter, a tensor of any strides, on any device.
    mean
        The mean.
    std
        The standard deviation, at least 0.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Raises
    ------
    ValueError
        for numbers that are not finite and for std < 0; it is a RuntimeError too, as torch's.

    Examples
    --------
    >>> w = normal_(torch.empty(3, 5), std=0.02)
    """
    if has_torch_function_variadic(tensor):
        return _handled(normal_, tensor, mean=mean, std=std, generator=generator)
    return _no_grad_normal_(tensor, mean, std, generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill with N(mean, std^2) given a <= x <= b: exactly this distribution, in far tails too.

    Parameters
    ----------
    tensor
        What is filled: a parameter, a tensor of any strides, on any device.
    mean, std
        Of the normal distribution before it is cut. What remains varies less.
    a, b
        The bounds: values, not multiples of std. They may be infinite.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Warns
    -----
    UserWarning
        if the mean is more than 2 std outside of [a, b].

    Raises
    ------
    ValueError
        for nan, an infinite mean or std, std < 0 and a > b; it is a RuntimeError too, as torch's.

    Examples
    --------
    >>> w = trunc_normal_(torch.empty(3, 5), std=0.02, a=-0.04, b=0.04)
    """
    return _no_grad_trunc_normal_(tensor, mean, std, a, b, generator=generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill with U[-x, x), x = gain sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html

    Parameters
    ----------
    tensor
        A weight of two axes or more, (out, in, kernel...), of any strides, on any device.
    gain
        Factor on the standard deviation, for the activation that follows: see `calculate_gain`.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Raises
    ------
    ValueError
        for fewer than two axes, and for a gain that is negative or not finite.

    Examples
    --------
    >>> w = xavier_uniform_(torch.empty(3, 5), gain=2**0.5)
    """
    bound = math.sqrt(3.0) * xavier_std(tensor, gain)
    return _no_grad_uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill with N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out)).

    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html

    Parameters
    ----------
    tensor
        A weight of two axes or more, (out, in, kernel...), of any strides, on any device.
    gain
        Factor on the standard deviation, for the activation that follows: see `calculate_gain`.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Raises
    ------
    ValueError
        for fewer than two axes, and for a gain that is negative or not finite.

    Examples
    --------
    >>> w = xavier_normal_(torch.empty(3, 5))
    """
    return _no_grad_normal_(tensor, 0.0, xavier_std(tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: _FanMode = "fan_in",
    nonlinearity: _NonlinearityType = "leaky_relu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill with U[-x, x), x = gain sqrt(3 / fan).

    He et al. 2015, https://arxiv.org/abs/1502.01852

    Parameters
    ----------
    tensor
        A weight of two axes or more, (out, in, kernel...), of any strides, on any device.
    a
        The slope of a leaky ReLU for negative inputs; without effect for other activations.
    mode
        "fan_in" keeps the variance on the way forward, "fan_out" on the way back.
    nonlinearity
        The activation that follows, as `calculate_gain` knows it. torch's default is a leaky ReLU.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Warns
    -----
    UserWarning
        for a tensor without elements.

    Raises
    ------
    ValueError
        for fewer than two axes, an unknown mode or nonlinearity, and a slope that is not finite.

    Examples
    --------
    >>> w = kaiming_uniform_(torch.empty(3, 5), nonlinearity="relu")
    """
    if has_torch_function_variadic(tensor):
        return _handled(
            kaiming_uniform_, tensor, a=a, mode=mode, nonlinearity=nonlinearity, generator=generator
        )
    if 0 in tensor.shape:
        warnings.warn(_EMPTY, stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * kaiming_std(tensor, a, mode, nonlinearity)
    return _no_grad_uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: _FanMode = "fan_in",
    nonlinearity: _NonlinearityType = "leaky_relu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill with N(0, std^2), std = gain / sqrt(fan).

    He et al. 2015, https://arxiv.org/abs/1502.01852

    Parameters
    ----------
    tensor
        A weight of two axes or more, (out, in, kernel...), of any strides, on any device.
    a
        The slope of a leaky ReLU for negative inputs; without effect for other activations.
    mode
        "fan_in" keeps the variance on the way forward, "fan_out" on the way back.
    nonlinearity
        The activation that follows, as `calculate_gain` knows it. torch's default is a leaky ReLU.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Warns
    -----
    UserWarning
        for a tensor without elements.

    Raises
    ------
    ValueError
        for fewer than two axes, an unknown mode or nonlinearity, and a slope that is not finite.

    Examples
    --------
    >>> w = kaiming_normal_(torch.empty(3, 5), mode="fan_out", nonlinearity="relu")
    """
    if 0 in tensor.shape:
        warnings.warn(_EMPTY, stacklevel=2)
        return tensor
    return _no_grad_normal_(tensor, 0.0, kaiming_std(tensor, a, mode, nonlinearity), generator)


def _handled(function: Callable[..., Tensor], tensor: Tensor, **arguments: object) -> Tensor:
    """What a subclass or mode with `__torch_function__` makes of the call."""
    result: Tensor = handle_torch_function(function, (tensor,), tensor=tensor, **arguments)
    return result
