"""Layers that linen's ``scan`` and ``vmap`` stack: the axis along which they lie, which a tree of parameters does not tell.

It follows from what all layers of a stack have in common: one length at one place, names of partitioned axes, and that what
remains are weights and biases that fit each other. If several places are left, the weights are named as not clear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple, TypeAlias

Shape: TypeAlias = tuple[int, ...]
Axes: TypeAlias = tuple[int, ...]
"""The places of the stacked axes, from the outermost transformation in; each counts in what is left by those before it."""

_DEPTH = 3  # how many transformations may lie within each other
# How linen's automatic names of transformed modules begin: all of them, and those that stack.
_TRANSFORMED = re.compile(
    r"(Scan|Vmap|Remat_scan|Checkpoint|Jit|Map_variables|Add_metadata_axis|Fold_rngs)+(?=[A-Z])"
)
_STACKS = re.compile(r"\w*(Scan|Vmap|Remat_scan)[A-Z]")
_LAYERS = re.compile("layer|scan|stack|stage|block|depth|repeat|expert|member|ensemble")


def plain_name(name: str) -> str:
    """linen's automatic name of a module without its number and its transformations.

    >>> plain_name("CheckpointDense_0"), plain_name("head")
    ('Dense', 'head')
    """
    return _TRANSFORMED.sub("", re.sub(r"_\d+$", "", name), count=1)


class Weight(NamedTuple):
    """A parameter of a layer of a known kind. Each of ``kinds`` has a letter for each of its own axes, and "k" for one or
    more of a kernel; axes of "o" are as long in all parameters of the layer. Of several that fit, the ``first`` counts, or
    else none. ``names`` are those of a partitioned one.
    """

    path: tuple[str, ...]
    shape: Shape
    kinds: tuple[str, ...]
    first: bool = False
    names: tuple[str | None, ...] | None = None


class Own(NamedTuple):
    """The places of a weight's stacked axes in its shape, and the letters of the others."""

    stacked: tuple[int, ...]
    letters: str


def own_axes(weights: Iterable[Weight]) -> dict[tuple[str, ...], Own | None]:
    """What is known of each weight's axes by its path; None if several answers are left, or none."""
    found: dict[tuple[str, ...], Own | None] = {}
    _solve(list(weights), 0, found)
    return found


def _solve(weights: list[Weight], depth: int, found: dict[tuple[str, ...], Own | None]) -> None:
    """Decide for all weights that share the first ``depth`` parts of their path, or for each of the branches."""
    below: list[Weight] = []
    rest: list[Weight] = []
    for weight in weights:
        (below if any(map(_STACKS.match, weight.path[depth:])) else rest).append(weight)
    if depth and weights and _STACKS.match(weights[0].path[depth - 1]):
        if answers := list(_answers(weights, range(_DEPTH + 1))):
            return _decide(weights, answers, found)
    elif rest and _fits(rest, ()):
        _decide(rest, [()], found)
        weights = below
    elif rest:
        for count in range(1, _DEPTH + 1):
            if answers := list(_answers(weights, (count,))):
                return _decide(weights, answers, found)
    branches: dict[str, list[Weight]] = {}
    for weight in weights:
        if len(weight.path) > depth + 1:
            branches.setdefault(weight.path[depth], []).append(weight)
        else:  # a layer by itself, and nothing fits it
            found[weight.path] = None
    for branch in branches.values():
        _solve(branch, depth + 1, found)


def _answers(weights: list[Weight], counts: Iterable[int]) -> Iterator[Axes]:
    """The places of stacked axes with which all these weights can be what they are: from the front, or the last."""
    rank = min((len(weight.shape) for weight in weights), default=0)
    for count in counts:
        for axes in product((*range(rank), -1), repeat=count):
            if _fits(weights, axes):
                yield axes


def _fits(weights: list[Weight], axes: Axes) -> bool:
    lengths: list[set[int]] = [set() for _ in axes]
    names: list[set[str | None]] = [set() for _ in axes]
    for weight in weights:
        places = _places(axes, len(weight.shape))
        if places is None:
            return False
        for which, place in enumerate(places):
            lengths[which].add(weight.shape[place])
            if weight.names is not None:
                names[which].add(weight.names[place])
    if any(len(several) > 1 for several in (*lengths, *names)):  # type: ignore[arg-type]
        return False
    return all(_outputs(layer, axes) for layer in _layers(weights))


def _layers(weights: list[Weight]) -> Iterable[list[Weight]]:
    layers: dict[tuple[str, ...], list[Weight]] = {}
    for weight in weights:
        layers.setdefault(weight.path[:-1], []).append(weight)
    return layers.values()


def _outputs(layer: list[Weight], axes: Axes) -> set[Shape]:
    """The lengths of the outputs that all parameters of a layer can have."""
    return set.intersection(*[set(_letters(weight, axes).values()) for weight in layer])


def _letters(weight: Weight, axes: Axes) -> dict[str, Shape]:
    """The kinds that a weight can be, with a letter for each of its own axes, and the lengths of its outputs."""
    own = _sizes(weight, axes)
    found = {}
    for kind in weight.kinds:
        taps = len(own) - len(kind) + 1 if "k" in kind else 0
        if taps > 0 or ("k" not in kind and len(own) == len(kind)):
            letters = kind.replace("k", "k" * taps)
            found[letters] = tuple([size for letter, size in zip(letters, own, strict=True) if letter == "o"])
    return found


def _sizes(weight: Weight, axes: Axes) -> Shape:
    """The lengths of a weight's own axes."""
    places = _places(axes, len(weight.shape)) or ()
    return tuple([size for place, size in enumerate(weight.shape) if place not in places])


def _places(axes: Axes, rank: int) -> tuple[int, ...] | None:
    """Where the stacked axes lie in a shape of that rank."""
    left = list(range(rank))
    places = []
    for axis in axes:
        if not -len(left) <= axis < len(left):
            return None
        places.append(left.pop(axis))
    return tuple(places)


def _decide(weights: list[Weight], answers: list[Axes], found: dict[tuple[str, ...], Own | None]) -> None:
    for likely in (_named_layers, _norms_fit):
        answers = [axes for axes in answers if likely(weights, axes)] or answers
    answers.sort(
        key=lambda axes: [axis if axis >= 0 else 99 for axis in axes]
    )  # the first axis, rather than another
    for layer in _layers(weights):
        known: list[dict[tuple[Shape, str], Own]] = [{} for _ in layer]
        for axes in answers:
            outputs = _outputs(layer, axes)
            for weight, owns in zip(layer, known, strict=True):
                places = _places(axes, len(weight.shape)) or ()
                kinds = [letters for letters, outs in _letters(weight, axes).items() if outs in outputs]
                for letters in kinds[:1] if weight.first else kinds:
                    owns.setdefault((_sizes(weight, axes), letters), Own(places, letters))
        for weight, owns in zip(layer, known, strict=True):
            found[weight.path] = next(iter(owns.values())) if len(owns) == 1 else None


def _named_layers(weights: list[Weight], axes: Axes) -> bool:
    """Whether the names of partitioned axes say that layers lie along these."""
    return all(
        _LAYERS.search(weight.names[place] or "")
        for weight in weights
        if weight.names is not None
        for place in _places(axes, len(weight.shape)) or ()
    )


def _norms_fit(weights: list[Weight], axes: Axes) -> bool:
    """Whether what norms scale are inputs or outputs of other layers."""
    sizes = {weight.path: _sizes(weight, axes) for weight in weights}
    features = {size for own in sizes.values() if len(own) > 1 for size in own[-2:]}
    return all(
        own[0] in features for weight in weights if weight.path[-1] == "scale" and (own := sizes[weight.path])
    )
