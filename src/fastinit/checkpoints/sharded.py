"""Checkpoints of several files: a plan -> safetensors files and their index, each file by any machine at any time."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from ..arguments import choose, positive_integer
from ..files import atomic, safetensors
from ..plans.plan import Plan
from .single import Summary, is_whole, write_file

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True)
class Shard:
    """One file of a checkpoint, and the parameters in it."""

    file: str
    names: tuple[str, ...]
    nbytes: int


def parse_size(size: int | str) -> int:
    """Bytes, from a number or from a text such as "5GB" with a decimal unit.

    >>> parse_size("1.5KB")
    1500
    """
    if isinstance(size, str):
        number, unit = size[:-2], size[-2:].upper()
        try:
            size = int(size) if size.isdecimal() else int(float(number) * choose("unit", unit, _UNITS))
        except (ValueError, OverflowError):
            raise ValueError(f"a shard's size is a number of bytes, KB, MB, GB or TB, not {size!r}") from None
    return positive_integer("a shard's size", size)


def split(plan: Plan, max_shard_size: int | str, names: Collection[str] | None = None) -> list[Shard]:
    """The files of a sharded checkpoint, as Hugging Face names and fills them: greedily, in the plan's order.

    A tensor larger than ``max_shard_size`` has a file of its own. There is one file, model.safetensors, if all fits.
    ``names`` are the tensors to store; by default, all of `Plan.stored`.

    >>> import fastinit as fi
    >>> split(fi.plan({"a": (10, 10), "b": (10, 10)}), 500)[1]
    Shard(file='model-00002-of-00002.safetensors', names=('b',), nbytes=400)
    """
    limit = parse_size(max_shard_size)
    groups: list[list[str]] = []
    current: list[str] = []
    room = limit
    for name in plan.stored if names is None else names:
        nbytes = plan.stored[name].nbytes
        if nbytes > limit:
            groups.append([name])
            continue
        if nbytes > room:
            groups.append(current)
            current, room = [], limit
        current.append(name)
        room -= nbytes
    if current or not groups:
        groups.append(current)
    n = len(groups)
    return [
        Shard(
            "model.safetensors" if n == 1 else f"model-{i:05d}-of-{n:05d}.safetensors",
            tuple(group),
            sum(plan.stored[name].nbytes for name in group),
        )
        for i, group in enumerate(groups, 1)
    ]


def write_folder(
    plan: Plan,
    folder: Path,
    names: Collection[str],
    *,
    seed: int,
    max_shard_size: int,
    rank: int,
    of: int,
    resume: bool,
    threads: int,
    progress: Callable[[int], None],
) -> Summary:
    """Draw the parameters of these names into a folder of files, or one process's share; see `checkpoints.write`."""
    started = time.perf_counter()
    shards = split(plan, max_shard_size, names)
    mine = shards[rank::of]
    folder.mkdir(parents=True, exist_ok=True)
    if not resume and len(shards) > 1:
        _remove(folder, [safetensors.INDEX, *(shard.file for shard in mine)])

    def finished(shard: Shard) -> bool:
        return is_whole(plan, folder / shard.file, shard.names, seed)

    kept = [shard for shard in mine if resume and finished(shard)]
    kept_nbytes = done = sum(shard.nbytes for shard in kept)
    mean = std = 0.0
    for shard in mine:
        if shard in kept:
            continue
        before = done
        summary = write_file(
            plan, folder / shard.file, shard.names, seed=seed, resume=resume, threads=threads,
            progress=lambda written, before=before: progress(before + written),  # type: ignore[misc]
        )  # fmt: skip
        done += shard.nbytes
        mean, std = max(mean, summary.mean_deviation), max(std, summary.std_deviation)
    progress(done)
    if len(shards) > 1 and all(map(finished, shards)):
        file_of = {name: shard.file for shard in shards for name in shard.names}
        atomic.save(
            folder / safetensors.INDEX, safetensors.index(file_of, sum(shard.nbytes for shard in shards))
        )
    tensors = sum(len(shard.names) for shard in mine)
    return Summary(tensors, done, kept_nbytes, time.perf_counter() - started, mean, std)


def _remove(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        # A link's target is replaced; anything else is refused.
        if stat.S_ISREG(atomic.kind_of(path, follow_symlinks=False)):
            path.unlink()
