"""The functions of `torch.nn.init`: its names, arguments, warnings and errors; fastinit's values."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

import torch
from torch import Tensor
from torch.nn.init import calculate_gain as _torch_gain
from torch.nn.init import constant_
from torch.overrides import handle_torch_function, has_torch_function_variadic

from ..arguments import real
from ..laws.distributions import Constant, Normal, TruncatedNormal, Uniform
from ..schemes.resolve import distribution
from ._private import _calculate_correct_fan, _calculate_fan_in_and_fan_out
from .tensors import InvalidValueError, check_target, fill

if TYPE_CHECKING:
    from ._private import _FanMode, _NonlinearityType

_P = ParamSpec("_P")
_EMPTY = "Initializing zero-element tensors is a no-op"


def calculate_gain(nonlinearity: _NonlinearityType, param: int | float | None = None) -> float:
    """torch's gain of an activation: 1 (linear, convolutions, sigmoid), 5/3 (tanh), sqrt(2) (relu), 3/4 (selu) or
    sqrt(2 / (1 + param^2)) (leaky_relu, whose slope is 0.01 by default). More activations: `fastinit.gain`.

    Raises ValueError for an unknown activation and for a slope that is not finite.

    >>> round(calculate_gain("leaky_relu", 0.2), 6)
    1.38675
    """
    gain = _torch_gain(nonlinearity, param)
    if not gain > 0:
        raise InvalidValueError(f"negative_slope must be finite, got {param!r}")
    return gain


def _no_grad_uniform_(tensor: Tensor, a: float, b: float, generator: torch.Generator | None = None) -> Tensor:
    a, b = _real("a", a), _real("b", b)
    if a > b:
        raise InvalidValueError(f"a must not be above b, got a={a}, b={b}")
    return fill(tensor, Uniform(a, b), generator)


def _no_grad_normal_(
    tensor: Tensor, mean: float, std: float, generator: torch.Generator | None = None
) -> Tensor:
    return fill(tensor, Normal(_real("mean", mean), _non_negative("std", std)), generator)


def _no_grad_trunc_normal_(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: torch.Generator | None = None
) -> Tensor:
    mean, std = _real("mean", mean), _non_negative("std", std)
    a, b = _real("a", a, finite=False), _real("b", b, finite=False)
    if a > b or (std == 0 and not a <= mean <= b):
        raise InvalidValueError(f"nothing lies in [a, b], got mean={mean}, std={std}, a={a}, b={b}")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. All values come from one tail.",
            stacklevel=3,
        )
    return fill(tensor, TruncatedNormal(mean, std, a, b) if a < b else Constant(a), generator)


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """Fill with U[a, b): no value equals b, unless a does. Returns the tensor.

    Raises ValueError (also a RuntimeError) for bounds that are not finite and for a > b.

    >>> w = uniform_(torch.empty(3, 5), -1, 1)
    """
    if has_torch_function_variadic(tensor):
        return _handled(uniform_, tensor, a=a, b=b, generator=generator)
    return _no_grad_uniform_(tensor, a, b, generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """Fill with N(mean, std^2). Returns the tensor.

    Raises ValueError (also a RuntimeError) for numbers that are not finite and for std < 0.

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
    """Fill with N(mean, std^2) given a <= x <= b, exactly, in far tails too. Returns the tensor.

    `a` and `b` are values, not multiples of `std`, and may be infinite. Warns where the mean is more than 2 std outside.
    Raises ValueError (also a RuntimeError) for nan, for an infinite mean or std, for std < 0 and for a > b.

    >>> w = trunc_normal_(torch.empty(3, 5), std=0.02, a=-0.04, b=0.04)
    """
    return _no_grad_trunc_normal_(tensor, mean, std, a, b, generator=generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill with U[-x, x), x = gain sqrt(6 / (fan_in + fan_out)). Returns the tensor.

    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html. Raises ValueError for fewer than two axes and
    for a gain that is negative or not finite.

    >>> w = xavier_uniform_(torch.empty(3, 5), gain=calculate_gain("relu"))
    """
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return _no_grad_uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Fill with N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out)). Returns the tensor.

    Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html. Raises ValueError for fewer than two axes and
    for a gain that is negative or not finite.

    >>> w = xavier_normal_(torch.empty(3, 5))
    """
    return _no_grad_normal_(tensor, 0.0, _xavier_std(tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: _FanMode = "fan_in",
    nonlinearity: _NonlinearityType = "leaky_relu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill with U[-x, x), x = gain sqrt(3 / fan). Returns the tensor.

    `mode` chooses the fan, `nonlinearity` and its slope `a` the gain; see `calculate_gain`. He et al. 2015,
    https://arxiv.org/abs/1502.01852. Warns for a tensor without elements. Raises ValueError for fewer than two axes, an
    unknown mode or nonlinearity, and a slope that is not finite.

    >>> w = kaiming_uniform_(torch.empty(3, 5), nonlinearity="relu")
    """
    if has_torch_function_variadic(tensor):
        return _handled(
            kaiming_uniform_, tensor, a=a, mode=mode, nonlinearity=nonlinearity, generator=generator
        )
    if 0 in tensor.shape:
        warnings.warn(_EMPTY, stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return _no_grad_uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: _FanMode = "fan_in",
    nonlinearity: _NonlinearityType = "leaky_relu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Fill with N(0, std^2), std = gain / sqrt(fan). Returns the tensor.

    Arguments, source, warning and errors are those of `kaiming_uniform_`.

    >>> w = kaiming_normal_(torch.empty(3, 5), mode="fan_out", nonlinearity="relu")
    """
    if 0 in tensor.shape:
        warnings.warn(_EMPTY, stacklevel=2)
        return tensor
    return _no_grad_normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: torch.Generator | None = None) -> Tensor:
    """Fill with gain times a semi-orthogonal matrix of Haar's law; all axes but the first are its columns.

    Saxe et al. 2013, https://arxiv.org/abs/1312.6120. Returns the tensor. Raises ValueError for fewer than two axes and
    for a gain that is not finite.

    >>> w = orthogonal_(torch.empty(3, 5))
    >>> torch.allclose(w @ w.T, torch.eye(3), atol=1e-6)
    True
    """
    if tensor.ndimension() < 2:
        raise ValueError(f"tensor must have 2 or more dimensions, got shape {tuple(tensor.shape)}")
    law = distribution("orthogonal", tuple(tensor.shape), gain=_real("gain", gain))
    return fill(tensor, law, generator)


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: torch.Generator | None = None
) -> Tensor:
    """Fill with N(0, std^2), but for ceil(sparsity * rows) zeros at random rows of each column. Returns the tensor.

    Martens 2010, Deep learning via Hessian-free optimization. Raises ValueError unless there are two axes, for a sparsity
    outside [0, 1] and for a std that is negative or not finite.

    >>> int((sparse_(torch.empty(10, 4), sparsity=0.25) == 0).sum())
    12
    """
    if tensor.ndimension() != 2:
        raise ValueError(f"tensor must have 2 dimensions, got shape {tuple(tensor.shape)}")
    sparsity = _real("sparsity", sparsity)
    if not 0 <= sparsity <= 1:
        raise InvalidValueError(f"sparsity must lie in [0, 1], got {sparsity}")
    law = distribution("sparse", tuple(tensor.shape), sparsity=sparsity, std=_non_negative("std", std))
    return fill(tensor, law, generator)


def eye_(tensor: Tensor) -> Tensor:
    """Fill with the identity matrix, of any dtype; zeros where it is not square. Returns the tensor.

    Raises ValueError unless there are two axes.

    >>> eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndimension() != 2:
        raise ValueError(f"tensor must have 2 dimensions, got shape {tuple(tensor.shape)}")
    check_target(tensor)
    with torch.no_grad():
        tensor.zero_().diagonal().fill_(1)
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill with a convolution that keeps its input, of any dtype: 1 at the centre of kernel (i, i) of every group.

    Returns the tensor. Raises ValueError unless there are 3, 4 or 5 axes, and for groups that do not divide the first.

    >>> dirac_(torch.empty(2, 2, 3))[1]
    tensor([[0., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndimension() not in (3, 4, 5):
        raise ValueError(f"tensor must have 3, 4 or 5 dimensions, got shape {tuple(tensor.shape)}")
    groups = operator.index(groups)
    if groups < 1 or tensor.size(0) % groups:
        raise ValueError(f"groups must be at least 1 and divide {tensor.size(0)}, got {groups}")
    check_target(tensor)
    if tensor.numel():
        with torch.no_grad():
            centre = tensor.zero_()
            for size in tensor.shape[2:]:
                centre = centre.select(2, size // 2)
            centre.view(groups, -1, tensor.size(1)).diagonal(dim1=1, dim2=2).fill_(1)
    return tensor


def _xavier_std(tensor: Tensor, gain: float) -> float:
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return _non_negative("gain", gain) * math.sqrt(2.0 / max(fan_in + fan_out, 1))


def _kaiming_std(tensor: Tensor, a: float, mode: _FanMode, nonlinearity: _NonlinearityType) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _real(argument: str, value: object, *, finite: bool = True) -> float:
    # torch takes a tensor without axes for a number.
    if isinstance(value, Tensor) and value.dim() == 0:
        value = value.item()
    try:
        return real(argument, value, finite=finite)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


def _non_negative(argument: str, value: object) -> float:
    number = _real(argument, value)
    if number < 0:
        raise InvalidValueError(f"{argument} must be at least 0, got {value!r}")
    return number


def _handled(function: Callable[..., Tensor], tensor: Tensor, **arguments: object) -> Tensor:
    """What a subclass or mode with `__torch_function__` makes of the call."""
    result: Tensor = handle_torch_function(function, (tensor,), tensor=tensor, **arguments)
    return result


def _deprecated(function: Callable[_P, Tensor]) -> Callable[_P, Tensor]:
    new = function.__name__
    old = new[:-1]

    def alias(*args: _P.args, **kwargs: _P.kwargs) -> Tensor:
        message = f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`."
        warnings.warn(message, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    alias.__name__ = alias.__qualname__ = old
    alias.__doc__ = f"Deprecated: use `{new}`."
    return alias


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
