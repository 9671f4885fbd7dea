"""What the values of many tensors are like: chunks of a file or of memory, shared out to threads."""

from __future__ import annotations

import errno
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..drawing import config
from ..drawing.memory import empty
from ..dtypes import nbytes

_T = TypeVar("_T")

_CHUNK_BYTES = 1 << 20  # about a core's second-level cache
_SHORTEST_ROW = 4  # shorter rows are equal by chance
_MOST_ROWS = 1 << 24  # their hashes take 128 MiB

# As struct fi_moments.
_MOMENTS = np.dtype(
    [(field, np.uint64) for field in ("count", "nan", "inf", "zeros")]
    + [(field, np.float64) for field in ("low", "high", "mean", "m2", "m3", "m4")]
)


@dataclass(frozen=True)
class Source:
    """A tensor to measure: ``start`` is an offset in the file, or an address whose memory the owner keeps alive."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int
    owner: object = None

    @property
    def nbytes(self) -> int:
        return nbytes(self.shape, self.dtype)

    @property
    def rows(self) -> int | None:
        """How many rows, along the first axis, are compared with each other."""
        if len(self.shape) < 2 or math.prod(self.shape[1:]) < _SHORTEST_ROW or self.shape[0] > _MOST_ROWS:
            return None
        return self.shape[0]


@dataclass(frozen=True)
class Measured:
    """Of the finite values: their number, range and moments; of all: what else there is.

    ``counts`` are those of the kernel's bins, in a large tensor of every sixteenth tile alone. ``duplicates`` is the
    number of rows that repeat an earlier one bit for bit, and ``twins`` the first two that are equal.
    """

    count: int
    nan: int
    inf: int
    zeros: int
    low: float
    high: float
    mean: float
    std: float
    skew: float
    kurtosis: float  # that of the normal law is 0
    counts: NDArray[np.int64]
    duplicates: int | None
    twins: tuple[int, int] | None


class _Chunk(NamedTuple):
    job: _Job
    number: int
    offset: int  # in bytes
    rows: int
    row_count: int
    word: int  # where in the row it begins, in 64-bit words
    row: int


class _Job:
    """One tensor under way."""

    def __init__(self, index: int, source: Source) -> None:
        self.index, self.source = index, source
        itemsize = nbytes((), source.dtype)
        total = math.prod(source.shape)
        rows, self.row_count = (source.rows or 1, total // (source.rows or 1)) if total else (0, 0)
        row_bytes = self.row_count * itemsize
        self.itemsize, self.rows, self.row_bytes = itemsize, rows, row_bytes
        # Whole rows, or even parts of a row in whole 64-byte lines.
        self.rows_at_once = max(1, _CHUNK_BYTES // row_bytes) if rows else 1
        parts = -(-row_bytes // _CHUNK_BYTES) or 1
        self.part_bytes = (-(-row_bytes // parts) + 63) // 64 * 64 if parts > 1 else row_bytes
        self.parts = -(-row_bytes // self.part_bytes) if row_bytes else 1
        self.left = -(-rows // self.rows_at_once) * self.parts
        self.moments = np.zeros(max(self.left, 1), _MOMENTS)
        self.moments_at = self.moments.ctypes.data
        self.counts = np.zeros(_core.BINS, np.int64)
        self.hashes = np.zeros(rows, np.uint64) if source.rows and rows else None

    def chunks(self) -> Iterator[_Chunk]:
        number = 0
        for row in range(0, self.rows, self.rows_at_once):
            for part in range(self.parts):
                begin = part * self.part_bytes
                end = min(begin + self.part_bytes, self.row_bytes)
                yield _Chunk(self, number, row * self.row_bytes + begin, min(self.rows_at_once, self.rows - row),
                             (end - begin) // self.itemsize, begin // 8, row)  # fmt: skip
                number += 1

    def result(self) -> Measured:
        _core.merge(self.moments_at, len(self.moments))
        count, nan, inf, zeros, low, high, mean, m2, m3, m4 = self.moments[0].item()
        variance = m2 / count if count else math.nan
        square = variance * variance
        known = 1e-280 < square < math.inf  # neither 0 nor out of a float's range
        duplicates, twins = (None, None) if self.hashes is None else _duplicates(self.hashes)
        return Measured(
            count=count,
            nan=nan,
            inf=inf,
            zeros=zeros,
            low=low + 0.0 if count else math.nan,  # -0.0 or 0.0: which is smaller is the processor's choice
            high=high + 0.0 if count else math.nan,
            mean=mean + 0.0 if count else math.nan,
            std=math.sqrt(variance),
            skew=m3 / count / variance**1.5 if known else math.nan,
            kurtosis=m4 / count / square - 3 if known else math.nan,
            counts=self.counts,
            duplicates=duplicates,
            twins=twins,
        )


def _duplicates(hashes: NDArray[np.uint64]) -> tuple[int, tuple[int, int] | None]:
    ordered = np.sort(hashes)
    repeats = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
    if not repeats:
        return 0, None
    order = np.argsort(hashes, kind="stable")
    at = np.flatnonzero(ordered[1:] == ordered[:-1])
    second = int(order[at + 1].min())
    first = int(np.flatnonzero(hashes == hashes[second])[0])
    return repeats, (first, second)


def measure_all(
    sources: Sequence[Source],
    file: int | None,
    finish: Callable[[Source, Measured], _T],
    *,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[_T]:
    """What ``finish`` makes of each tensor, once it is measured; from the file of this descriptor, or from memory.

    The file is read once, in chunks, into one buffer per thread. The results depend on no number of threads.
    Raises OSError where the file cannot be read or ends early.
    """
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait  # here, for a short import

    n_threads = config.threads_for(threads)
    results: list[_T | None] = [None] * len(sources)
    lock = threading.Lock()
    done, stop = 0, False

    def all_chunks() -> Iterator[_Chunk]:
        for index, source in enumerate(sources):
            job = _Job(index, source)
            if job.left:
                yield from job.chunks()
            else:
                results[index] = finish(source, job.result())

    chunks = all_chunks()

    def work() -> None:
        nonlocal done
        buffer = empty((_CHUNK_BYTES + 64 if file is not None else 0,), "float16").view(np.uint8)
        counts, hashes = np.empty(_core.BINS, np.uint32), np.empty(_CHUNK_BYTES // 8, np.uint64)
        read_to, counts_at, hashes_at = (array.ctypes.data for array in (buffer, counts, hashes))
        while not stop:
            with lock:
                chunk = next(chunks, None)
            if chunk is None:
                return
            job = chunk.job
            size = chunk.rows * chunk.row_count * job.itemsize
            if file is None:
                address = job.source.start + chunk.offset
            else:
                _read(file, buffer[:size].data, job.source.start + chunk.offset)
                address = read_to
            _core.inspect(
                job.source.dtype, address, chunk.rows, chunk.row_count, chunk.word, config.ISA,
                job.moments_at + chunk.number * _MOMENTS.itemsize, counts_at, 0 if job.hashes is None else hashes_at,
            )  # fmt: skip
            with lock:
                job.counts += counts
                if job.hashes is not None:
                    job.hashes[chunk.row : chunk.row + chunk.rows] += hashes[: chunk.rows]
                job.left -= 1
                last = job.left == 0
                done += size
            if last:
                results[job.index] = finish(job.source, job.result())

    with ThreadPoolExecutor(n_threads) as pool:
        futures = [pool.submit(work) for _ in range(n_threads)]
        try:
            while wait(futures, 0.1, FIRST_EXCEPTION).not_done and not _failed(futures):
                progress(done)
        finally:
            stop = True
    for future in futures:
        future.result()
    progress(done)
    return results  # type: ignore[return-value]


def _failed(futures: Sequence[Any]) -> bool:
    return any(future.done() and future.exception() for future in futures)


def _read(file: int, buffer: memoryview, offset: int) -> None:
    while buffer:
        n = os.preadv(file, [buffer], offset)
        if n == 0:
            raise OSError(errno.EIO, f"the file ends at byte {offset}, within a tensor")
        buffer, offset = buffer[n:], offset + n
