"""What a checkpoint says of itself: the seed, the recipe and the distribution of each tensor, in the header of each file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .._version import __version__
from ..arguments import instance
from ..drawing.streams import STREAM_VERSION, resolve_seed
from ..files import atomic, safetensors
from ..laws import Structured, from_dict
from ..plans.parameter import Parameter
from ..plans.plan import Plan

_LARGEST = 4 << 20  # bytes; a plan that holds given values may be larger, and stays out of the header


@dataclass(frozen=True)
class Origin:
    """How a checkpoint was drawn.

    Parameters
    ----------
    recipe
        The name of the recipe, or what else the plan came from.
    seed
        The seed of all tensors.
    version
        The version of fastinit that wrote it.
    plan
        The distributions of its tensors; None if they were too large for the header.
    """

    recipe: str
    seed: int
    version: str
    plan: Plan | None


def metadata(plan: Plan, rows: Iterable[Parameter], seed: int) -> dict[str, str]:
    """What the header of a file with these rows of the plan says."""
    said = {
        "format": "pt",
        "fastinit_plan": plan.digest,
        "fastinit_recipe": plan.recipe,
        "fastinit_seed": str(seed),
        "fastinit_stream": str(STREAM_VERSION),
        "fastinit_version": __version__,
    }
    texts: dict[int, str] = {}  # a model repeats a few distributions often
    places: dict[str, int] = {}
    of = {}
    for row in rows:
        key = id(row.distribution)
        if key not in texts:
            texts[key] = _json(row.distribution.to_dict())
        of[row.name] = places.setdefault(texts[key], len(places))
    drawn = f'{{"distributions":[{",".join(places)}],"of":{_json(of)}}}'
    return {**said, "fastinit_drawn": drawn} if len(drawn) <= _LARGEST else said


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def origin(path: str | os.PathLike[str]) -> Origin | None:
    """How a safetensors file, or a folder of them with their index, was drawn; None if fastinit did not write it.

    Raises
    ------
    OSError
        if a file cannot be read.
    ValueError
        for a malformed file, for files of one checkpoint that were drawn in different ways, and for a file of a version of
        fastinit that draws other values.

    Examples
    --------
    >>> import tempfile
    >>> import fastinit as fi
    >>> from fastinit.checkpoints.write import write
    >>> plan = fi.plan({"fc.weight": (4, 8)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write(plan, f"{folder}/m.safetensors", seed=3)
    ...     found = origin(f"{folder}/m.safetensors")
    >>> found.recipe, found.seed, found.plan == plan
    ('default', 3, True)
    """
    path = Path(path)
    said: dict[Path, Mapping[str, str]] = {}
    drawn: dict[str, Parameter] | None = {}
    for file in _files(path):
        try:
            with atomic.naming(file), open(file, "rb") as opened:
                header = safetensors.read_header(opened)
            rows = _rows(header)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file}: {error}") from None
        said[file] = {key: header.metadata.get(key, "") for key in _ALIKE}
        drawn = None if drawn is None or rows is None else drawn | rows
    first, what = next(iter(said.items()))
    for file, other in said.items():
        for key in _ALIKE:
            if other[key] != what[key]:
                raise ValueError(f"{file}: {key} is {other[key]!r}, but {what[key]!r} in {first}")
    recipe, seed, stream, version = (what[key] for key in _ALIKE)
    if not seed:
        return None
    if stream != str(STREAM_VERSION):
        raise ValueError(
            f"{first}: fastinit {version} drew it with stream {stream}; this version draws stream {STREAM_VERSION}"
        )
    if not seed.isdecimal():
        raise ValueError(f"{first}: fastinit_seed must be an integer, not {seed!r}")
    plan = None if drawn is None else Plan(drawn, {}, recipe)
    return Origin(recipe, resolve_seed(int(seed)), version, plan)


# What all files of a checkpoint must say alike.
_ALIKE = ("fastinit_recipe", "fastinit_seed", "fastinit_stream", "fastinit_version")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    index = path / safetensors.INDEX
    if not index.exists():
        return [path / "model.safetensors"]
    return [path / file for file in dict.fromkeys(safetensors.read_index(index).values())]


def _rows(header: safetensors.Header) -> dict[str, Parameter] | None:
    """The rows of the plan that the header's tensors were drawn by; None if it does not say."""
    text = header.metadata.get("fastinit_drawn")
    if text is None:
        return None
    match safetensors.parse_json(text.encode()):
        case {"distributions": list(described), "of": dict(of)}:
            distributions = [from_dict(instance("a distribution", one, dict)) for one in described]
        case _:
            raise ValueError('fastinit_drawn must have "distributions" and "of"')
    extents = {extent.name: extent for extent in header.extents}
    rows = {}
    for name, place in of.items():
        extent = extents.get(name)
        if extent is None or extent.dtype is None:
            raise ValueError(f"fastinit_drawn names {name!r}, which is not a tensor of this file")
        if type(place) is not int or not 0 <= place < len(distributions):
            raise ValueError(f"fastinit_drawn must give {name!r} one of its distributions, not {place!r}")
        distribution = distributions[place]
        if isinstance(distribution, Structured):
            distribution.check(extent.shape)
        rows[name] = Parameter(name, extent.shape, extent.dtype, "", distribution, None)
    return rows
