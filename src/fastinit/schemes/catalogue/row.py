"""What a row of the table of schemes says, and what it may ask of the tensor that it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args, get_origin

from ...arguments import non_negative
from ...laws.distributions import Distribution
from ...laws.layout import checked_layout
from ...laws.patterns import Channelwise
from ..fans import Geometry, Stride
from ..scaling import Kind, Mode, he, of_variance, scaled


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Any = _Required()


class Number(NamedTuple):
    """A keyword of a scheme: its type as type checkers read it, its default, and what it means.

    The default is ``REQUIRED`` if there is none.
    """

    name: str
    type: Any
    default: Any
    meaning: str

    @property
    def is_text(self) -> bool:
        """Whether its values are names, not numbers."""
        kinds = (self.type, *get_args(self.type))
        return any(kind is str or get_origin(kind) is Literal for kind in kinds)


# The keywords that say how to count fans and where outputs and inputs lie, in the order of `Geometry`.
GEOMETRY = (
    Number("layout", str | None, None,
           "One letter for each axis: o outputs, i inputs, b stacked weights, any other lower-case letter a kernel axis. "
           "By default torch's: 'oi' and then kernel axes, or 'io' and then kernel axes if `transposed`."),
    Number("groups", int, 1, "The number of groups of a grouped convolution."),
    Number("stride", Stride, 1, "The stride of the convolution: one for all kernel axes, or one for each."),
    Number("transposed", bool, False, "Whether the weight is that of a transposed convolution."),
    Number("packed", int, 1,
           "How many weights of equal shape are fused along the output axis: 3 for a fused query, key and value, "
           "4 for the gates of an LSTM."),
    Number("fan_in", float | None, None, "The number of inputs of one output, in place of what the shape says."),
    Number("fan_out", float | None, None, "The number of outputs of one input, in place of what the shape says."),
)  # fmt: skip
FANS = Geometry._fields
PLACES = ("layout", "groups", "transposed")


@dataclass(frozen=True, repr=False)
class Scheme:
    """One row of the table: what a scheme draws and from which keywords.

    Attributes
    ----------
    name : str
    summary : str
        A sentence that says what is drawn.
    use : str
        What it is for.
    formula, tex : str
        The distribution, as plain text and in TeX.
    mean, std : str or None
        Those of an element, as formulas of the keywords. None if they differ from place to place or depend on chance.
    source : str or None
        The paper or program that it is from, with its address. None for what every library has.
    build : callable
        (target, numbers) -> the distribution.
    numbers : tuple of Number
        Its own keywords.
    geometry : tuple of str
        Which keywords of `fastinit.fans` it heeds.
    aliases : tuple of str
        Other names of it.
    note : str
        What else a user must know.
    example : str
        The arguments of a call that can be shown.
    specialist : bool
        Whether its function is in `fastinit.schemes` only, and not in `fastinit` itself.
    random : bool
        Whether the values depend on the seed and the name.
    """

    name: str
    summary: str
    use: str
    formula: str
    tex: str
    mean: str | None
    std: str | None
    source: str | None
    build: Callable[..., Distribution]
    numbers: tuple[Number, ...] = ()
    geometry: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    note: str = ""
    example: str = "(4, 4)"
    specialist: bool = False
    random: bool = True

    def __repr__(self) -> str:
        return f"<scheme {self.name}: {self.formula}>"

    @property
    def needs_fans(self) -> bool:
        return "fan_in" in self.geometry

    @cached_property
    def keywords(self) -> dict[str, Number]:
        """Its own keywords and those of `fastinit.fans` that it heeds, by name."""
        heeded = tuple(row for row in GEOMETRY if row.name in self.geometry)
        return {number.name: number for number in (*self.numbers, *heeded)}


class Target(NamedTuple):
    """The tensor that a row is for."""

    shape: tuple[int, ...]
    geometry: Geometry
    fan: Callable[[str], float]
    another: Callable[..., Distribution]
    """(scheme, shape, its numbers) -> the distribution of another scheme, for the same geometry and dtype."""
    is_complex: bool
    """Whether the tensor's dtype is."""

    @property
    def layout(self) -> str:
        return checked_layout(self.shape, self.geometry.layout, self.geometry.transposed)

    @property
    def places(self) -> tuple[str | None, int, bool]:
        """What a law of each group by itself asks for."""
        return self.geometry.layout, self.geometry.groups, self.geometry.transposed

    def channelwise(self, taps: str, gain: float) -> Channelwise:
        return Channelwise(gain, *self.places, taps)


# How most rows build their distribution, as data: tools/make_wasm.py writes it for other languages.


@dataclass(frozen=True)
class OfNumbers:
    """The distribution whose fields are the row's numbers, and those that are `fixed`."""

    law: type[Distribution]
    fixed: Mapping[str, float] = field(default_factory=dict[str, float])

    def __call__(self, w: Target, **numbers: Any) -> Distribution:
        return self.law(**self.fixed, **numbers)


@dataclass(frozen=True)
class ByFans:
    """A distribution of mean 0 and a variance that some fan divides.

    `kind` is the distribution's and `mode` says which fan; what is None is a keyword of the row. `variance` is the variance
    times the fan, or the keyword that gives it; `std` is the keyword that gives the root of that instead. Where a row has a
    keyword `activation`, its gain is the default of `std`.
    """

    kind: Kind | None
    mode: Mode | None
    variance: float | str = 1.0
    std: str | None = None

    def __call__(
        self, w: Target, *, mode: Any = None, distribution: Any = None, **numbers: Any
    ) -> Distribution:
        kind, mode = self.kind or distribution, self.mode or mode
        if "activation" in numbers:
            return he(w.fan, kind, mode, **numbers)
        if self.std is not None:
            return scaled(w.fan, kind, mode, non_negative(self.std, numbers[self.std]))
        variance = self.variance
        if isinstance(variance, str):
            variance = non_negative(variance, numbers[variance])
        return of_variance(variance, mode, kind, w.fan)
