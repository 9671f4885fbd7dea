"""Checkpoint files: a plan -> one safetensors file, whole or not at all, in constant memory."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

import numpy as np

from ..drawing.memory import empty
from ..drawing.streams import resolve_seed
from ..dtypes import Array
from ..files import atomic, safetensors
from ..plans.parameter import Parameter
from ..plans.plan import Plan
from .origin import metadata

_CHUNK_BYTES = 8 << 20
_MOMENT_COUNT, _MOMENT_BLOCK = 1 << 20, 1 << 16


@dataclass(frozen=True)
class Summary:
    """What was written. Deviations are the largest of any tensor, in standard errors of the law's own moments, by its
    first values, a million at most."""

    tensors: int
    nbytes: int  # of values
    kept_nbytes: int  # in files that a former run had finished
    seconds: float
    mean_deviation: float
    std_deviation: float

    @property
    def gigabytes_per_second(self) -> float:
        return (self.nbytes - self.kept_nbytes) / self.seconds / 1e9 if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The summary for JSON."""
        fields = asdict(self)
        fields["bytes"], fields["kept_bytes"] = fields.pop("nbytes"), fields.pop("kept_nbytes")
        return fields | {"gigabytes_per_second": self.gigabytes_per_second}


def write(
    plan: Plan,
    path: str | os.PathLike[str],
    *,
    seed: int,
    names: Collection[str] | None = None,
    resume: bool = False,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Summary:
    """Draw every parameter of the plan, or those named, into a safetensors file.

    The file appears under its name when it is whole and synced; on any failure a file of that name is as it was.
    A symbolic link's target is replaced, not the link; permissions are the old file's or follow the umask.
    ``progress`` is told the bytes of values done so far. The next values are drawn while the last ones are written.

    With ``resume``, a whole file is kept, the part that a former run left is read, compared and completed, and a part
    is left behind on a failure. The bytes are those of a run without interruption.

    Raises OSError with errno and filename; TypeError or ValueError for arguments, and, with ``resume``, for a file or
    part of another plan or seed.
    """
    started = time.perf_counter()
    seed = resolve_seed(seed)
    start, order, size = _layout(plan, seed, names)
    if resume and is_whole(plan, path, seed, names):
        progress(size)
        return Summary(len(order), size, size, time.perf_counter() - started, 0.0, 0.0)
    progress(0)
    # One is written while the other is drawn.
    buffers = cycle([empty((_CHUNK_BYTES // 8,), "float64") for _ in range(2)])
    done, worst_mean, worst_std = 0, 0.0, 0.0
    with atomic.replacing(path, resume=resume) as file, ThreadPoolExecutor(1) as writer:
        found = os.fstat(file).st_size
        if not start.startswith(atomic.read(file, len(start))) or (
            resume and not found and atomic.mode_of(path) is not None
        ):
            raise ValueError(
                f"cannot resume {str(path)!r}: what is there is of another plan, seed or version"
            )
        os.lseek(file, 0, os.SEEK_SET)
        atomic.write(file, memoryview(start))
        writing: Future[None] | None = None
        for parameter in order:
            for i, chunk in enumerate(plan.chunks(parameter.name, buffers, seed=seed, threads=threads)):
                if i == 0:
                    mean, std = _deviations(parameter, chunk)
                    worst_mean, worst_std = max(worst_mean, mean), max(worst_std, std)
                if writing:
                    writing.result()
                    progress(done)
                writing = writer.submit(_put, file, chunk.view(np.uint8).data, found)
                done += chunk.nbytes
        if writing:
            writing.result()
        if found > len(start) + size:
            os.ftruncate(file, len(start) + size)
        progress(done)
    return Summary(len(order), done, 0, time.perf_counter() - started, worst_mean, worst_std)


def is_whole(
    plan: Plan, path: str | os.PathLike[str], seed: int, names: Collection[str] | None = None
) -> bool:
    """Whether the file is what `write` leaves, by its length and header; the values are not read."""
    start, _, size = _layout(plan, seed, names)
    with atomic.naming(path):
        if atomic.mode_of(path) is None:
            return False
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_size == len(start) + size and file.read(len(start)) == start


def _layout(plan: Plan, seed: int, names: Collection[str] | None) -> tuple[bytes, list[Parameter], int]:
    """The file's first bytes, the order of its tensors, and the bytes of their values."""
    rows = [plan[name] for name in (plan if names is None else names)]
    tensors = [(row.name, row.dtype, row.shape) for row in rows]
    start, order = safetensors.header(tensors, metadata(plan, rows, seed))
    return start, [plan[name] for name in order], sum(row.nbytes for row in rows)


def _put(file: int, data: memoryview, found: int) -> None:
    """Write the data, unless it is there already; ``found`` bytes of the file are a former run's."""
    at = os.lseek(file, 0, os.SEEK_CUR)
    if at < found:
        if atomic.read(file, len(data)) == data:
            return
        os.lseek(file, at, os.SEEK_SET)
    atomic.write(file, data)


def _deviations(parameter: Parameter, values: Array) -> tuple[float, float]:
    """By how many standard errors the first values' mean and standard deviation are off the law's."""
    law, n = parameter.distribution, min(len(values), _MOMENT_COUNT)
    mean, std = law.moments() or (0.0, 0.0)
    if n < 2 or std == 0:
        return 0.0, 0.0
    first = second = 0.0
    for at in range(0, n, _MOMENT_BLOCK):
        z = values[at : min(at + _MOMENT_BLOCK, n)].astype(np.float64)
        z -= mean
        z /= std
        first, second = first + float(z.sum()), second + float(z @ z)
    # A bound for every law here: the variance's standard error is largest for the normal.
    return abs(first) / math.sqrt(n), abs(second / n - 1) * math.sqrt(n / 2)
