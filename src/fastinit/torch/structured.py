"""The functions of torch.nn.init that fill a tensor as a whole: orthogonal and sparse matrices, and patterns."""

from __future__ import annotations

import operator

import torch
from torch import Tensor

from ..schemes.resolve import distribution
from .tensors import InvalidValueError, check_target, fill, non_negative, number


def orthogonal_(tensor: Tensor, gain: float = 1, generator: torch.Generator | None = None) -> Tensor:
    """Fill with gain times a semi-orthogonal matrix, uniform among all of them (Haar's distribution).

    All axes after the first count as columns. Saxe et al. 2013, https://arxiv.org/abs/1312.6120

    Parameters
    ----------
    tensor
        A weight of two axes or more, (out, in, kernel...), of any strides, on any device.
    gain
        Factor on the matrix, for the activation that follows: see `calculate_gain`.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Raises
    ------
    ValueError
        for fewer than two axes and for a gain that is not finite.

    Examples
    --------
    >>> w = orthogonal_(torch.empty(3, 5))
    >>> torch.allclose(w @ w.T, torch.eye(3), atol=1e-6)
    True
    """
    if tensor.ndimension() < 2:
        raise ValueError(f"tensor must have 2 or more dimensions, got shape {tuple(tensor.shape)}")
    law = distribution("orthogonal", tuple(tensor.shape), gain=number("gain", gain))
    return fill(tensor, law, generator)


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: torch.Generator | None = None
) -> Tensor:
    """Fill with N(0, std^2), with ceil(sparsity * rows) zeros at random rows of each column.

    Martens 2010, Deep learning via Hessian-free optimization

    Parameters
    ----------
    tensor
        A matrix (out, in), of any strides, on any device.
    sparsity
        The share of zeros in each column, from 0 to 1.
    std
        The standard deviation of what is not zero.
    generator
        Where the seed of the stream is taken from: one 64-bit number. torch's default generator if None.

    Returns
    -------
    torch.Tensor
        The tensor.

    Raises
    ------
    ValueError
        unless there are two axes, for a sparsity outside of [0, 1], and for a std that is negative or not finite.

    Examples
    --------
    >>> int((sparse_(torch.empty(10, 4), sparsity=0.25) == 0).sum())
    12
    """
    if tensor.ndimension() != 2:
        raise ValueError(f"tensor must have 2 dimensions, got shape {tuple(tensor.shape)}")
    sparsity = number("sparsity", sparsity)
    if not 0 <= sparsity <= 1:
        raise InvalidValueError(f"sparsity must lie in [0, 1], got {sparsity}")
    law = distribution("sparse", tuple(tensor.shape), sparsity=sparsity, std=non_negative("std", std))
    return fill(tensor, law, generator)


def eye_(tensor: Tensor) -> Tensor:
    """Fill with ones on the diagonal and zeros elsewhere: a layer that keeps its input.

    Parameters
    ----------
    tensor
        A tensor of two axes, of any dtype.

    Returns
    -------
    torch.Tensor
        The tensor.

    Raises
    ------
    ValueError
        unless there are two axes.

    Examples
    --------
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
    """Fill with a convolution that keeps its input: 1 at the centre of kernel (i, i) of every group, zeros elsewhere.

    Parameters
    ----------
    tensor
        A weight of shape (out, in, kernel...) with 3, 4 or 5 axes, of any dtype.
    groups
        In how many groups the output channels are. It must divide the first axis.

    Returns
    -------
    torch.Tensor
        The tensor.

    Raises
    ------
    ValueError
        for another number of axes, and for groups that do not divide the first.

    Examples
    --------
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
