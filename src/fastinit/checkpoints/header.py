"""What a file says of its own origin, in the header's metadata: recipe, seed, and the distribution of every tensor."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .._version import __version__
from ..arguments import file_path, instance, integer
from ..drawing.streams import STREAM_VERSION, resolve_seed
from ..dtypes import INTEGERS
from ..files import safetensors
from ..laws import from_dict
from ..laws.parts import of_reals
from ..plans.buffer import Buffer
from ..plans.parameter import Parameter
from ..plans.plan import Plan

# Characters of a distribution's JSON, or of a buffer's; longer ones, of given values, stay out of the header.
_LONGEST = 1 << 14
_GIVEN = "fastinit_given"


@dataclass(frozen=True)
class Origin:
    """What a checkpoint of fastinit says of itself; made by `origin`.

    Attributes
    ----------
    source
        The recipe, or what else the plan was made from; see `Plan.source`.
    seed
        The seed of the streams.
    digest
        The plan's `Plan.digest`.
    stream, version
        The version of the streams, and that of fastinit.
    plan
        The tensors of the checkpoint with their distributions.
    unknown
        The names of those whose distribution is not in the header: given values that would make it too long.
    """

    source: str
    seed: int
    digest: str
    stream: int
    version: str
    plan: Plan
    unknown: tuple[str, ...]


def metadata(plan: Plan, rows: Iterable[Parameter | Buffer], seed: int) -> dict[str, str]:
    """What the header of a file with these rows of the plan says of its origin."""
    kinds: dict[str, int] = {}  # models draw many tensors from few distributions
    of: list[int | None] = []  # in the order of names
    given: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: row.name):
        if isinstance(row, Buffer):
            of.append(None)
            if len(text := _values(row)) <= _LONGEST:
                given[row.name] = text
            continue
        text = json.dumps([row.scheme, row.distribution.to_dict()], separators=(",", ":"))
        of.append(kinds.setdefault(text, len(kinds)) if len(text) <= _LONGEST else None)
    listed = ",".join(f"{json.dumps(name)}:{text}" for name, text in given.items())
    return {
        **({_GIVEN: f"{{{listed}}}"} if given else {}),
        "fastinit_distributions": f'{{"kinds":[{",".join(kinds)}],"of":{json.dumps(of, separators=(",", ":"))}}}',
        "fastinit_plan": plan.digest,
        "fastinit_seed": str(seed),
        "fastinit_source": plan.source,
        "fastinit_stream": str(STREAM_VERSION),
        "fastinit_version": __version__,
    }


def _values(buffer: Buffer) -> str:
    """The values of a stored buffer as JSON: one number if they are all the same."""
    values = buffer.values()
    if buffer.dtype not in INTEGERS:
        values = values.astype(np.float64)
    same = values.size > 0 and values.tobytes() == values.flat[:1].tobytes() * values.size
    return json.dumps((values.flat[0] if same else values).tolist(), separators=(",", ":"))


def origin(checkpoint: str | os.PathLike[str]) -> Origin | None:
    """What a safetensors file, or a folder of them, says of its origin; None if fastinit did not write it.

    Raises OSError if a file cannot be read. Raises ValueError, naming the file, for one that is malformed or of another
    plan or seed than the other files of the folder.

    >>> import tempfile
    >>> import fastinit as fi
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     summary = fi.checkpoints.write(fi.plan({"w": (4, 8)}, "he_normal"), f"{folder}/m.safetensors", seed=3)
    ...     found = origin(f"{folder}/m.safetensors")
    >>> found.source, found.seed, found.plan["w"].distribution
    ('recipe he_normal', 3, Normal(mean=0.0, std=0.5))
    """
    return origin_of(safetensors.read_checkpoint(file_path("checkpoint", checkpoint)).headers)


def origin_of(headers: Mapping[Path, safetensors.Header]) -> Origin | None:
    """`origin`, by the headers of the files."""
    said: dict[Path, dict[str, str]] = {}
    rows: dict[str, Parameter | None] = {}
    given: dict[str, Buffer] = {}
    for path, header in headers.items():
        own = {key: text for key, text in header.metadata.items() if key.startswith("fastinit_")}
        try:
            if own:
                given |= _given(header, own.pop(_GIVEN, "{}"))
                rows |= _rows(header, own.pop("fastinit_distributions"))
        except (KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: the origin in its header is malformed: {error!r}") from None
        said[path] = own
    first, own = next(iter(said.items()))
    for path, other in said.items():
        if other != own:
            raise ValueError(f"{path}: is of another plan, seed or version than {first}")
    if not own:
        return None
    known = {name: row for name, row in rows.items() if row is not None}
    unknown = tuple([name for name, row in rows.items() if row is None and name not in given])
    try:
        source, version = own["fastinit_source"], own["fastinit_version"]
        seed, stream = resolve_seed(int(own["fastinit_seed"])), int(own["fastinit_stream"])
        plan = Plan(known, {}, source, {}, given)
        return Origin(source, seed, own["fastinit_plan"], stream, version, plan, unknown)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{first}: the origin in its header is malformed: {error!r}") from None


def _given(header: safetensors.Header, text: str) -> dict[str, Buffer]:
    """The stored buffers whose values the header has."""
    extents = {extent.name: extent for extent in header.extents}
    found = {}
    for name, values in safetensors.parse_json(text.encode()).items():
        extent, array = extents[name], np.array(values, object)
        dtype = extent.dtype or safetensors.INTEGERS[extent.code]
        numbers = (int, bool) if dtype in INTEGERS else (float,)
        if not all(type(value) in numbers for value in array.flat):
            raise ValueError(f"{name!r} of {dtype} has the values {text[:80]}")
        content = np.broadcast_to(array.astype(dtype if dtype in INTEGERS else np.float64), extent.shape)
        found[name] = Buffer(name, extent.shape, dtype, content, persistent=True)
    return found


def _rows(header: safetensors.Header, text: str) -> dict[str, Parameter | None]:
    """The tensors' rows of the plan; None if a distribution is not in the header."""
    data = safetensors.parse_json(text.encode())
    kinds = [(instance("scheme", scheme, str), from_dict(law)) for scheme, law in data["kinds"]]
    extents = sorted(header.extents, key=lambda extent: extent.name)
    if len(data["of"]) != len(extents):
        raise ValueError(f"{len(data['of'])} distributions for {len(extents)} tensors")
    rows: dict[str, Parameter | None] = {}
    for extent, i in zip(extents, data["of"], strict=True):
        rows[extent.name] = None
        if i is None or extent.dtype is None:
            continue
        if not 0 <= integer("of", i) < len(kinds):
            raise ValueError(f"of {len(kinds)} distributions, {extent.name!r} has number {i}")
        scheme, distribution = kinds[i]
        of_reals(distribution, extent.shape, extent.dtype)
        rows[extent.name] = Parameter(extent.name, extent.shape, extent.dtype, scheme, distribution, None)
    return rows
