"""Structured distributions without chance: identities, filters, Hadamard and Fourier matrices, given values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arguments import Sizes, choose, flag, integer, real
from ..dtypes import DTYPES, Array
from .exact_math import cos_of_turns
from .layout import checked_layout
from .structured import Grouped, Stream, Structured, canonical_order, set_fields


@dataclass(frozen=True, slots=True)
class Identity(Structured):
    """A linear layer's weight that is gain where output (i + shift) mod outputs meets input i, else 0.

    Layers are stacked along all other axes.
    """

    law: ClassVar[str] = "identity"
    gain: float = 1.0
    shift: int = 0
    layout: str | None = None

    def __post_init__(self) -> None:
        set_fields(self, gain=real("gain", self.gain), shift=integer("shift", self.shift))

    def _layout(self, shape: Sizes) -> str:
        if self.layout is None and len(shape) > 2:
            return checked_layout(shape, "b" * (len(shape) - 2) + "oi")
        return checked_layout(shape, self.layout)

    def check(self, shape: Sizes) -> None:
        if set(layout := self._layout(shape)) - set("oib"):
            raise ValueError(f"an identity has no kernel axes, got layout {layout!r}; dirac has")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        whole = stream.zeros(shape)
        view = whole.transpose(canonical_order(self._layout(shape)))
        n_out, n_in = view.shape[-2:]
        inputs = np.arange(min(n_out, n_in))
        view[..., (inputs + self.shift % max(n_out, 1)) % n_out, inputs] = self.gain
        return whole


def _triangle(k: int) -> Array:
    """The weights of linear interpolation by the factor ceil(k / 2)."""
    taps: Array = 1 - abs(np.arange(k) - (k - 1) / 2) / ((k + 1) // 2)
    return taps


# The taps of a kernel axis of length k.
_TAPS: dict[str, Callable[[int], Array]] = {
    "centre": lambda k: np.arange(k) == k // 2,
    "triangle": _triangle,
    "triangle_mean": lambda k: _triangle(k) / math.fsum(_triangle(k)),
    "mean": lambda k: np.full(k, 1 / k),
}


@dataclass(frozen=True, slots=True)
class Channelwise(Grouped):
    """A convolution in which output c of each group is input c, filtered by the product of one filter per kernel axis.

    `taps` names the filter.
    """

    law: ClassVar[str] = "channelwise"
    taps: str = "centre"

    def __post_init__(self) -> None:
        choose("taps", self.taps, _TAPS)
        Grouped.__post_init__(self)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        whole = stream.zeros(shape)
        view = whole.transpose(canonical_order(checked_layout(shape, self.layout, self.transposed)))
        stacked = (self.layout or "").count("b")
        n_out, n_in, *kernel = view.shape[stacked:]
        # One of the two axes counts the channels of all groups, the other those of one group.
        of_all, of_one = (n_in, n_out) if self.transposed else (n_out, n_in)
        of_group = of_all // self.groups
        one, group = np.meshgrid(np.arange(min(of_group, of_one)), np.arange(self.groups))
        every = group * of_group + one
        taps: Array = np.array(self.gain)
        for k in kernel:
            taps = taps[..., None] * _TAPS[self.taps](k)
        pair = (one, every) if self.transposed else (every, one)
        view[(slice(None),) * stacked + pair] = taps
        return whole


def hadamard(rows: int, columns: int, dtype: str) -> Array:
    """The upper left part of Sylvester's matrix of +1 and -1."""
    matrix = np.empty((rows, columns), dtype)
    matrix[:1, :1] = 1
    n = 1
    while n < max(rows, columns):
        right, below, corner = matrix[:n, n : 2 * n], matrix[n : 2 * n, :n], matrix[n : 2 * n, n : 2 * n]
        right[:] = matrix[:n, : right.shape[1]]
        below[:] = matrix[: below.shape[0], :n]
        np.negative(matrix[: corner.shape[0], : corner.shape[1]], out=corner)
        n *= 2
    return matrix


def _power_of_two(n: int) -> int:
    """The least power of two that is at least n."""
    return 1 << max(n - 1, 0).bit_length()


@dataclass(frozen=True, slots=True)
class Hadamard(Structured):
    """gain / sqrt(n) times the first rows or columns of Sylvester's matrix of +1 and -1; n is the longer side."""

    law: ClassVar[str] = "hadamard"
    gain: float = 1.0

    def __post_init__(self) -> None:
        set_fields(self, gain=real("gain", self.gain))

    def check(self, shape: Sizes) -> None:
        if len(shape) < 2:
            raise ValueError(f"a Hadamard matrix needs two axes or more, got shape {shape}")
        longer = max(shape[-2:])
        if longer != _power_of_two(longer) and 0 not in shape:
            raise ValueError(f"the longer of the last two axes must be a power of two, got shape {shape}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        rows, columns = shape[-2:]
        scale = self.gain / math.sqrt(max(rows, columns))
        return np.broadcast_to(scale * hadamard(rows, columns, stream.dtype), shape)


@dataclass(frozen=True, slots=True)
class ZerO(Grouped):
    """gain times a matrix at the centre tap; all else is 0.

    The matrix is a part of the identity if there are at most as many outputs as inputs, else of an orthogonal Hadamard
    matrix.
    """

    law: ClassVar[str] = "zer_o"

    def fill(self, weight: Array, stream: Stream) -> None:
        n_out, n_in, *kernel = weight.shape
        if n_out <= n_in:
            matrix = np.eye(n_out, n_in, dtype=stream.dtype)
        else:
            matrix = hadamard(n_out, n_in, stream.dtype) / math.sqrt(_power_of_two(n_out))
        weight[(..., *(k // 2 for k in kernel))] = self.gain * matrix


# Weights of the cosines of 0, 1, 2 turns along a window.
_WINDOWS = {"hann": (0.5, -0.5), "hamming": (0.54, -0.46), "blackman": (0.42, -0.5, 0.08)}
_SIDES = {"real": 0, "imag": 1}
_SCALINGS: dict[str | None, Callable[[Array], float]] = {
    None: lambda window: 1.0,
    "density": lambda window: math.sqrt(math.fsum(window * window)),
    "spectrum": lambda window: math.fsum(abs(window)),
}


@dataclass(frozen=True, slots=True)
class Stft(Structured):
    """The real or the imaginary part (`side`) of a short-term Fourier transform, as a convolution's kernel.

    The shape is (frame, 1, frequencies), as in Keras. The kernel is multiplied by the `window` and divided by a number
    that `scaling` chooses; a `periodic` window is one of frame + 1 points without its last.
    """

    law: ClassVar[str] = "stft"
    side: str = "real"
    window: str | None = "hann"
    scaling: str | None = "density"
    periodic: bool = False

    def __post_init__(self) -> None:
        choose("side", self.side, _SIDES)
        if self.window is not None:
            choose("window", self.window, _WINDOWS)
        if self.scaling is not None:
            choose("scaling", self.scaling, {name: None for name in _SCALINGS if name})
        flag("periodic", self.periodic)

    def check(self, shape: Sizes) -> None:
        if len(shape) != 3 or shape[1] != 1 or shape[2] == 1:
            raise ValueError(f"stft needs the shape (frame, 1, 2 frequencies or more), got {shape}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        frame, _, frequencies = shape
        turns = 2 * (frequencies - 1)
        times = np.multiply.outer(np.arange(frame), np.arange(frequencies))
        # -sin(x) is the cosine a quarter of a turn on.
        kernel = cos_of_turns(4 * times + _SIDES[self.side] * turns, 4 * turns)
        if self.window is not None:
            window = self._window(frame)
            kernel *= (window / _SCALINGS[self.scaling](window))[:, None]
        return kernel.reshape(shape).astype(stream.dtype)

    def _window(self, frame: int) -> Array:
        if frame == 1 or self.window is None:
            return np.ones(frame)
        steps = np.arange(frame)
        period = frame if self.periodic else frame - 1
        window: Array = sum(
            (weight * cos_of_turns(k * steps, period) for k, weight in enumerate(_WINDOWS[self.window])),
            start=np.zeros(frame),
        )
        return window


@dataclass(frozen=True, slots=True, eq=False)
class Given(Structured):
    """The values of `array`."""

    law: ClassVar[str] = "array"
    array: Any

    def __post_init__(self) -> None:
        try:
            array = np.array(self.array)
        except ValueError as error:
            raise ValueError(f"values must be an array: {error}") from None
        if array.dtype.kind not in "iuf" and array.dtype.name not in DTYPES:
            raise TypeError(f"values must be real numbers, got {array.dtype}: {self.array!r}")
        array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ValueError("values must be finite")
        array.flags.writeable = False
        set_fields(self, array=array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and np.array_equal(self.array, other.array)

    def __repr__(self) -> str:
        return f"Given({self.array.tolist() if self.array.size <= 8 else f'{self.array.shape} values'})"

    def __hash__(self) -> int:
        return hash((self.array.shape, self.array.tobytes()))

    def to_dict(self) -> dict[str, Any]:
        return {"law": self.law, "array": self.array.tolist()}

    def check(self, shape: Sizes) -> None:
        if shape != self.array.shape:
            raise ValueError(f"values have shape {self.array.shape}, the tensor has {shape}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        given: Array = self.array.astype(stream.dtype)
        return given
