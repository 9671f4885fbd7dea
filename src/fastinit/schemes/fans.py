"""How many values feed an output, and how many outputs a value feeds: from a shape and the roles of its axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, SupportsIndex, TypeAlias

from ..arguments import Shape, checked_shape, flag, integers, positive, positive_integer
from ..laws.layout import checked_layout

Stride: TypeAlias = SupportsIndex | Iterable[SupportsIndex]


class Fans(NamedTuple):
    """The mean number of inputs that feed one output, and of outputs that one input feeds."""

    fan_in: float
    fan_out: float


class Geometry(NamedTuple):
    """What is known of the axes of a weight besides its shape; `fans` explains each field."""

    layout: str | None = None
    groups: int = 1
    stride: Stride = 1
    transposed: bool = False
    packed: int = 1
    fan_in: float | None = None
    fan_out: float | None = None


def fans(
    shape: Shape,
    layout: str | None = None,
    *,
    groups: int = 1,
    stride: Stride = 1,
    transposed: bool = False,
    packed: int = 1,
    fan_in: float | None = None,
    fan_out: float | None = None,
) -> Fans:
    """Count the fans of a weight.

    `layout` gives each axis one letter: `o` outputs, `i` inputs, `b` stacked weights (experts, scanned layers; the
    only letter that may stand more than once), any other lower-case letter a kernel axis. By default the layout is
    torch's: "oi" and then kernel axes, or "io" and then kernel axes if `transposed`.

    With i, o the lengths of those axes (o divided by `packed`), K the product of the kernel axes' and S that of the
    strides:

    ==========================================  ================  ================
    weight                                      fan_in            fan_out
    ==========================================  ================  ================
    linear (K = S = 1) and convolution          i K               o / groups K / S
    transposed convolution                      i / groups K / S  o K
    ==========================================  ================  ================

    As every library stores them, a grouped convolution's `i` axis and a grouped transposed convolution's `o` axis
    count the channels of one group. The other axis counts those of all groups. A convolution of stride 2 skips half of
    the taps on the way back, so an input feeds K / S outputs on average; a transposed one skips them on the way
    forward. Zero padding at the borders is ignored. Without stride and groups these are torch's numbers, except for
    transposed convolutions, whose two fans torch swaps.

    Parameters
    ----------
    shape : int or iterable of int
    layout : str, optional
        One letter for each axis.
    groups : int
        The number of groups. It must divide the axis that counts all channels.
    stride : int or iterable of int
        One for all kernel axes, or one for each, in the order of the axes.
    transposed : bool
        Whether the weight is that of a transposed convolution.
    packed : int
        How many weights of equal shape are fused along the `o` axis: 3 for a fused query, key and value, 4 for the
        gates of an LSTM. Each has its own outputs, so fan_out is that of one.
    fan_in, fan_out : float, optional
        Taken as they are, in place of what the shape says.

    Returns
    -------
    Fans
        Positive. A shape without elements has fans of at least 1.

    Raises
    ------
    TypeError
        For an argument of the wrong type; bool is not an int.
    ValueError
        For an impossible shape, layout, group count, stride, packing or fan, and for fewer than two axes, unless the
        layout or both fans are given.

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
    >>> fans((2304, 768), packed=3)
    Fans(fan_in=768.0, fan_out=768.0)
    """
    fan = known_fans(shape, Geometry(layout, groups, stride, transposed, packed, fan_in, fan_out))
    return Fans(fan("fan_in"), fan("fan_out"))


def known_fans(shape: Shape, geometry: Geometry) -> Callable[[str], float]:
    """The fans by name. One that cannot be counted is an error only when it is asked for."""
    given = {
        name: None if value is None else positive(name, value)
        for name, value in (("fan_in", geometry.fan_in), ("fan_out", geometry.fan_out))
    }
    sizes, strides = checked_shape(shape), integers("stride", geometry.stride)
    packed, groups = positive_integer("packed", geometry.packed), positive_integer("groups", geometry.groups)
    transposed = flag("transposed", geometry.transposed)
    if geometry.layout is not None or len(sizes) >= 2:
        counted = _count(sizes, geometry.layout, groups, strides, transposed, packed)
        return lambda name: counted[name] if given[name] is None else given[name]  # type: ignore[return-value]

    def known(name: str) -> float:
        value = given[name]
        if value is None:
            raise ValueError(f"shape {sizes} has no {name}: give {name}=, or a shape of two axes or more")
        return value

    return known


def _count(
    sizes: tuple[int, ...],
    layout: str | None,
    groups: int,
    strides: tuple[int, ...],
    transposed: bool,
    packed: int,
) -> dict[str, float]:
    layout = checked_layout(sizes, layout, transposed)
    kernel = [n for n, axis in zip(sizes, layout, strict=True) if axis not in "oib"]
    if len(strides) != 1 and len(strides) != len(kernel):
        raise ValueError(f"stride {strides} must be one integer or one per kernel axis ({len(kernel)})")
    if min(strides, default=1) < 1:
        raise ValueError(f"stride must be at least 1, got {strides}")
    if len(strides) == 1:
        strides *= len(kernel)
    n_in, n_out = sizes[layout.index("i")], sizes[layout.index("o")]
    if n_out % packed:
        raise ValueError(f"packed must divide {n_out}, got {packed}")
    n_out //= packed
    # The axis that counts the channels of all groups.
    everything = n_in if transposed else n_out
    if everything % groups:
        raise ValueError(f"groups must divide {everything}, got {groups}")
    try:
        taps, thinned = float(math.prod(kernel)), math.prod(kernel) / math.prod(strides)
        if transposed:
            fan_in, fan_out = n_in / groups * thinned, n_out * taps
        else:
            fan_in, fan_out = n_in * taps, n_out / groups * thinned
    except OverflowError:
        fan_in = fan_out = math.inf
    if 0 in sizes:
        fan_in, fan_out = max(fan_in, 1.0), max(fan_out, 1.0)
    if not (0 < fan_in < math.inf and 0 < fan_out < math.inf):
        raise ValueError(f"shape {sizes} and stride {strides} give fans beyond the range of floats")
    return {"fan_in": float(fan_in), "fan_out": float(fan_out)}
