"""How many values feed an output, and how many outputs a value feeds: from a shape and the roles of its axes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import NamedTuple, SupportsIndex, TypeAlias

from .distributions import real

Shape: TypeAlias = SupportsIndex | Iterable[SupportsIndex]
Stride: TypeAlias = SupportsIndex | Iterable[SupportsIndex]

MAX_DIMENSIONS = 64  # NumPy's
MAX_ELEMENTS = 2**63 - 1


class Fans(NamedTuple):
    """The mean number of inputs that feed one output, and of outputs that one input feeds."""

    fan_in: float
    fan_out: float


def fans(
    shape: Shape,
    layout: str | None = None,
    *,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Fans:
    """Count the fans of a weight.

    `layout` gives each axis one letter: `o` outputs, `i` inputs, `b` stacked weights (experts, scanned layers; the
    only letter that may stand more than once), any other lower-case letter a kernel axis. Without it, the layout is
    torch's: "oi" and then kernel axes, or "io" and then kernel axes, if `transposed`.

    With i, o the lengths of those axes, K the product of the kernel axes' and S that of the strides:

    ==========================================  ================  ================
    weight                                      fan_in            fan_out
    ==========================================  ================  ================
    linear (K = S = 1) and convolution          i K               o / groups K / S
    transposed convolution                      i / groups K / S  o K
    ==========================================  ================  ================

    As every library stores them, a grouped convolution's `i` axis and a grouped transposed convolution's `o` axis
    count the channels of one group, the other axis those of all. The stride thins out one of the two: a convolution
    of stride 2 skips half of the taps on the way back, so an input feeds K / S outputs on average, and a transposed
    one skips them on the way forward. What is missing at the borders is not counted. Without stride and groups these
    are torch's numbers, except for transposed convolutions, where torch swaps the two.

    Parameters
    ----------
    shape : int or iterable of int
    layout : str, optional
        One letter per axis.
    groups : int
        Must divide the axis that counts all channels.
    stride : int or iterable of int
        One for all kernel axes, or one for each, in the order of the axes.
    transposed : bool
        Whether the weight is that of a transposed convolution.
    fan_in, fan_out : float, optional
        Taken as they are, in place of what the shape says.

    Returns
    -------
    Fans
        Positive. A shape without elements has fans of at least 1: there is nothing to draw, and nothing to raise.

    Raises
    ------
    TypeError
        For an argument of the wrong type; bool is no int.
    ValueError
        For an impossible shape, layout, group count, stride or fan, and for fewer than two axes, unless the layout
        or both fans are given.

    Examples
    --------
    >>> fans((64, 32, 3, 3))
    Fans(fan_in=288.0, fan_out=576.0)
    >>> fans((3, 3, 32, 64), "hwio", stride=2)
    Fans(fan_in=288.0, fan_out=144.0)
    >>> fans((512, 64, 4, 4), stride=2, transposed=True)
    Fans(fan_in=2048.0, fan_out=1024.0)
    >>> fans((8, 1024, 4096), "bio")
    Fans(fan_in=1024.0, fan_out=4096.0)
    """
    known = known_fans(
        shape, layout, groups=groups, stride=stride, transposed=transposed, fan_in=fan_in, fan_out=fan_out
    )
    return Fans(known("fan_in"), known("fan_out"))
