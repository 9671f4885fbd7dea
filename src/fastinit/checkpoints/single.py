"""One checkpoint file: a plan -> one safetensors file, whole or not at all, in constant memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

import numpy as np

from ..drawing.memory import empty
from ..dtypes import Array, as_parts, rounding_step
from ..files import atomic, safetensors
from ..laws import Elementwise
from ..laws.copies import drawn_as
from ..laws.parts import of_reals
from ..laws.rounding import rounded
from ..plans.buffer import Buffer
from ..plans.parameter import Parameter
from ..plans.plan import Plan
from .header import metadata
from .statistics import deviation, measure_in, unit_of

_CHUNK_BYTES = 8 << 20
_MEASURED = 1 << 20  # values of each tensor, at most


@dataclass(frozen=True)
class Summary:
    """What was written.

    Attributes
    ----------
    tensors, nbytes
        How many tensors there are, and the bytes of their values.
    kept_nbytes
        The bytes in files that an earlier run had finished.
    seconds
        The time it took.
    mean_deviation, std_deviation
        How far the drawn values are from their distribution: the largest deviation of any tensor's mean and variance, in
        standard errors, by the first million values of each. Numbers above 6 are not chance.
    """

    tensors: int
    nbytes: int
    kept_nbytes: int
    seconds: float
    mean_deviation: float
    std_deviation: float

    @property
    def gigabytes_per_second(self) -> float:
        """The speed at which values were drawn and written."""
        return (self.nbytes - self.kept_nbytes) / self.seconds / 1e9 if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The summary for JSON."""
        fields = asdict(self)
        fields["bytes"], fields["kept_bytes"] = fields.pop("nbytes"), fields.pop("kept_nbytes")
        return fields | {"gigabytes_per_second": self.gigabytes_per_second}


def write_file(
    plan: Plan,
    path: str | os.PathLike[str],
    names: Collection[str],
    *,
    seed: int,
    resume: bool,
    threads: int,
    progress: Callable[[int], None],
) -> Summary:
    """Draw the parameters of these names into a safetensors file; see `checkpoints.write`."""
    started = time.perf_counter()
    start, order, size = _layout(plan, names, seed)
    if resume and is_whole(plan, path, names, seed):
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
        for row in order:
            for i, chunk in enumerate(plan.chunks(row.name, buffers, seed=seed, threads=threads)):
                if i == 0 and isinstance(row, Parameter):
                    mean, std = _deviations(row, chunk[:_MEASURED])
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


def is_whole(plan: Plan, path: str | os.PathLike[str], names: Collection[str], seed: int) -> bool:
    """Whether the file is what `write_file` leaves, by its length and header; the values are not read."""
    start, _, size = _layout(plan, names, seed)
    with atomic.naming(path):
        if atomic.mode_of(path) is None:
            return False
        with open(path, "rb") as file:
            return os.fstat(file.fileno()).st_size == len(start) + size and file.read(len(start)) == start


def _layout(plan: Plan, names: Collection[str], seed: int) -> tuple[bytes, list[Parameter | Buffer], int]:
    """The file's first bytes, the order of its tensors, and the bytes of their values."""
    rows = [plan.stored[name] for name in names]
    tensors = [(row.name, row.dtype, row.shape) for row in rows]
    start, order = safetensors.header(tensors, {"format": "pt", **metadata(plan, rows, seed)})
    return start, [plan.stored[name] for name in order], sum(row.nbytes for row in rows)


def _put(file: int, data: memoryview, found: int) -> None:
    """Write the data, unless it is there already; ``found`` bytes of the file are an earlier run's."""
    at = os.lseek(file, 0, os.SEEK_CUR)
    if at < found:
        if atomic.read(file, len(data)) == data:
            return
        os.lseek(file, at, os.SEEK_SET)
    atomic.write(file, data)


def _deviations(parameter: Parameter, values: Array) -> tuple[float, float]:
    """By how many standard errors mean and variance of the values are off the law's; 0 if nothing is random."""
    law, _ = drawn_as(parameter.distribution, parameter.name)
    law, _ = of_reals(law, parameter.shape, parameter.dtype)
    if not isinstance(law, Elementwise) or law.moments()[1] == 0 or len(values) < 2:
        return 0.0, 0.0
    unit = unit_of(law)
    like = rounded(law.affine(unit, 0.0), parameter.dtype)
    if like.moments()[1] == 0 or rounding_step(law.moments()[0], parameter.dtype) > law.moments()[1]:
        return 0.0, 0.0  # nothing is left of the law in the dtype
    off = deviation(measure_in(unit, [as_parts(values)]), like)
    return abs(off.mean) / off.mean_error, abs(off.variance) / off.variance_error
