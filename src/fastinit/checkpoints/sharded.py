"""Sharded checkpoints: a plan -> several safetensors files and their index, each file by any machine at any time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..arguments import choose, integer, positive_integer
from ..drawing.config import threads_for
from ..drawing.streams import resolve_seed
from ..dtypes import numpy_dtype
from ..files import atomic, safetensors
from ..plans.plan import Plan
from . import write as checkpoint

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


def split(plan: Plan, max_shard_size: int | str) -> list[Shard]:
    """The files of a sharded checkpoint, as Hugging Face names and fills them: in the plan's order, greedily.

    A tensor larger than ``max_shard_size`` has a file of its own. One file is all if everything fits.

    >>> import fastinit as fi
    >>> split(fi.plan({"a": (10, 10), "b": (10, 10)}), 500)[1]
    Shard(file='model-00002-of-00002.safetensors', names=('b',), nbytes=400)
    """
    limit = parse_size(max_shard_size)
    groups: list[list[str]] = []
    current: list[str] = []
    room = limit
    for name, parameter in plan.items():
        if parameter.nbytes > limit:
            groups.append([name])
            continue
        if parameter.nbytes > room:
            groups.append(current)
            current, room = [], limit
        current.append(name)
        room -= parameter.nbytes
    if current or not groups:
        groups.append(current)
    n = len(groups)
    return [
        Shard(
            "model.safetensors" if n == 1 else f"model-{i:05d}-of-{n:05d}.safetensors",
            tuple(names),
            sum(plan[name].nbytes for name in names),
        )
        for i, names in enumerate(groups, 1)
    ]


def write(
    plan: Plan,
    folder: str | os.PathLike[str],
    *,
    seed: int,
    max_shard_size: int | str = "5GB",
    rank: int = 0,
    of: int = 1,
    resume: bool = False,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> checkpoint.Summary:
    """Draw the plan into a folder of safetensors files, or the share of process ``rank`` among ``of``.

    Each file is written as `checkpoint.write` does. The index comes last, by whoever finds all files finished: without
    it, a checkpoint is incomplete. An index and files of the same names from before are removed first, so that old and
    new never stand for one checkpoint. With ``resume``, finished files are kept and unfinished ones continued.

    Raises OSError with errno and filename; TypeError or ValueError for arguments, and, with ``resume``, for files of
    another plan or seed.
    """
    started = time.perf_counter()
    of, rank = positive_integer("of", of), integer("rank", rank)
    if not 0 <= rank < of:
        raise ValueError(f"rank must be at least 0 and below of={of}, got {rank}")
    # What could fail later is asked for before anything is removed.
    seed, threads = resolve_seed(seed), threads_for(threads)
    for parameter in plan.values():
        numpy_dtype(parameter.dtype)
    shards, folder = split(plan, max_shard_size), Path(folder)
    mine = shards[rank::of]
    folder.mkdir(parents=True, exist_ok=True)
    if not resume and len(shards) > 1:
        _remove(folder, [safetensors.INDEX, *(shard.file for shard in mine)])

    def is_whole(shard: Shard) -> bool:
        return checkpoint.is_whole(plan, folder / shard.file, seed, shard.names)

    kept = [shard for shard in mine if resume and is_whole(shard)]
    kept_nbytes = done = sum(shard.nbytes for shard in kept)
    mean = std = 0.0
    for shard in mine:
        if shard in kept:
            continue
        before = done
        summary = checkpoint.write(
            plan, folder / shard.file, seed=seed, names=shard.names, resume=resume, threads=threads,
            progress=lambda written, before=before: progress(before + written),  # type: ignore[misc]
        )  # fmt: skip
        done += shard.nbytes
        mean, std = max(mean, summary.mean_deviation), max(std, summary.std_deviation)
    progress(done)
    if len(shards) > 1 and all(map(is_whole, shards)):
        file_of = {name: shard.file for shard in shards for name in shard.names}
        atomic.save(folder / safetensors.INDEX, safetensors.index(file_of, plan.nbytes))
    tensors = sum(len(shard.names) for shard in mine)
    return checkpoint.Summary(tensors, done, kept_nbytes, time.perf_counter() - started, mean, std)


def _remove(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        if path.is_file() and not path.is_symlink():  # a link's target is replaced; anything else is refused
            path.unlink()
