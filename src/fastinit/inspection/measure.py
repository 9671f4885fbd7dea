"""What the values of many tensors are like: chunks of files or of memory, shared out to threads."""

from __future__ import annotations

import errno
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import BinaryIO, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..drawing import config
from ..drawing.memory import empty
from ..drawing.moments import MOMENTS, Moments
from ..dtypes import COMPLEX, nbytes, part_of
from ..files import atomic

_T = TypeVar("_T")

_CHUNK_BYTES = 1 << 20  # about a core's second-level cache
_SHORTEST_ROW = 4  # shorter rows are equal by chance
_MOST_ROWS = 1 << 24  # their hashes take 128 MiB

_position = threading.Lock()  # a file has one position: where Windows reads, its threads take turns


@dataclass(frozen=True)
class Source:
    """A tensor to measure.

    Of a complex one, the real and imaginary parts are measured. ``start`` is an offset in the ``file``. Without a file, it is an address in memory that the ``owner`` keeps alive.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    start: int
    file: BinaryIO | None = None
    owner: object = None

    @property
    def nbytes(self) -> int:
        """The bytes of the values."""
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

    ``counts`` are those of the kernel's bins; in a large tensor, only every sixteenth tile is counted. ``duplicates`` is
    the number of rows that repeat an earlier one bit for bit, and ``twins`` the first two that are equal.
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
    """Some rows of a tensor, or a part of one row."""

    job: _Job
    number: int
    offset: int  # in bytes
    rows: int
    row_count: int  # values in each row
    word: int  # where in the row it begins, in 64-bit words
    row: int  # the first one's number

    @property
    def nbytes(self) -> int:
        return self.rows * self.row_count * self.job.itemsize


class _Job:
    """One tensor under way: it is cut into chunks, which any thread measures, and finished when all are measured."""

    def __init__(self, index: int, source: Source) -> None:
        self.index, self.source = index, source
        self.dtype = part_of(source.dtype)
        total = math.prod(source.shape) * (2 if source.dtype in COMPLEX else 1)
        self.itemsize = nbytes((), self.dtype)
        self.rows = (source.rows or 1) if total else 1
        self.row_count = total // self.rows
        self.row_bytes = self.row_count * self.itemsize
        # Whole rows, or even parts of a row in whole 64-byte lines.
        self.rows_at_once = max(1, _CHUNK_BYTES // max(self.row_bytes, 1))
        parts = -(-self.row_bytes // _CHUNK_BYTES)
        self.part_bytes = -(-self.row_bytes // (parts * 64)) * 64 if parts > 1 else max(self.row_bytes, 1)
        self.parts = max(-(-self.row_bytes // self.part_bytes), 1)
        self.left = -(-self.rows // self.rows_at_once) * self.parts
        self.moments = np.zeros(self.left, MOMENTS)
        self.counts = np.zeros(_core.BINS, np.int64)
        self.hashes = np.zeros(self.rows, np.uint64) if source.rows and total else None
        self._lock = threading.Lock()

    def chunks(self) -> Iterator[_Chunk]:
        """The chunks in order; an empty tensor has an empty one."""
        number = 0
        for row in range(0, self.rows, self.rows_at_once):
            for part in range(self.parts):
                begin = part * self.part_bytes
                end = min(begin + self.part_bytes, self.row_bytes)
                yield _Chunk(self, number, row * self.row_bytes + begin, min(self.rows_at_once, self.rows - row),
                             (end - begin) // self.itemsize, begin // 8, row)  # fmt: skip
                number += 1

    def add(self, chunk: _Chunk, counts: NDArray[np.uint32], hashes: NDArray[np.uint64]) -> bool:
        """Take in what was measured of a chunk; True if it was the last one."""
        with self._lock:
            self.counts += counts
            if self.hashes is not None:
                self.hashes[chunk.row : chunk.row + chunk.rows] += hashes[: chunk.rows]
            self.left -= 1
            return self.left == 0

    def finish(self) -> Measured:
        """The tensor's values, from all chunks in their order: the result does not depend on the threads."""
        _core.merge(self.moments.ctypes.data, len(self.moments))
        m = Moments(*self.moments[0].item())
        variance = m.m2 / m.count if m.count else math.nan
        square = variance * variance
        known = 1e-280 < square < math.inf  # neither 0 nor out of a float's range
        duplicates, twins = (None, None) if self.hashes is None else _duplicates(self.hashes)
        return Measured(
            count=m.count,
            nan=m.nan,
            inf=m.inf,
            zeros=m.zeros,
            low=m.low + 0.0
            if m.count
            else math.nan,  # -0.0 or 0.0: which is smaller is the processor's choice
            high=m.high + 0.0 if m.count else math.nan,
            mean=m.mean + 0.0 if m.count else math.nan,
            std=math.sqrt(variance),
            skew=m.m3 / m.count / variance**1.5 if known else math.nan,
            kurtosis=m.m4 / m.count / square - 3 if known else math.nan,
            counts=self.counts,
            duplicates=duplicates,
            twins=twins,
        )


def _duplicates(hashes: NDArray[np.uint64]) -> tuple[int, tuple[int, int] | None]:
    """How many rows repeat an earlier one, and the first pair that is equal."""
    ordered = np.sort(hashes)
    repeats = int(np.count_nonzero(ordered[1:] == ordered[:-1]))
    if not repeats:
        return 0, None
    order = np.argsort(hashes, kind="stable")
    at = np.flatnonzero(ordered[1:] == ordered[:-1])
    second = int(order[at + 1].min())
    first = int(np.flatnonzero(hashes == hashes[second])[0])
    return repeats, (first, second)


class _Shared(Generic[_T]):
    """An iterator from which several threads take items; `stop` ends it for all of them."""

    def __init__(self, items: Iterator[_T]) -> None:
        self._items, self._lock = items, threading.Lock()

    def __iter__(self) -> _Shared[_T]:
        return self

    def __next__(self) -> _T:
        with self._lock:
            return next(self._items)

    def stop(self) -> None:
        with self._lock:
            self._items = iter(())


class _Worker:
    """One thread's buffers."""

    def __init__(self) -> None:
        self._bytes = empty((_CHUNK_BYTES + 64,), "float16").view(np.uint8)
        self.counts = np.empty(_core.BINS, np.uint32)
        self.hashes = np.empty(_CHUNK_BYTES // 8, np.uint64)

    def measure(self, chunk: _Chunk) -> None:
        """Measure the chunk's moments into its job, and its bins and hashes into the buffers."""
        job, address = chunk.job, chunk.job.source.start + chunk.offset
        if job.source.file is not None:
            _read(job.source.file, self._bytes[: chunk.nbytes].data, address)
            address = _core.address(self._bytes)
        _core.inspect(
            job.dtype, address, chunk.rows, chunk.row_count, chunk.word, config.ISA,
            _core.address(job.moments) + chunk.number * MOMENTS.itemsize, _core.address(self.counts),
            0 if job.hashes is None else _core.address(self.hashes),
        )  # fmt: skip


def measure_all(
    sources: Sequence[Source],
    finish: Callable[[Source, Measured], _T],
    *,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[_T]:
    """What ``finish`` makes of each tensor, once it is measured.

    Files are read once, in chunks, into one buffer per thread. The results do not depend on the number of threads.
    Raises OSError if a file cannot be read or ends early.
    """
    from concurrent.futures import ThreadPoolExecutor  # here, for a short import

    n_threads = config.threads_for(threads)
    results: dict[int, _T] = {}
    chunks = _Shared(chunk for i, source in enumerate(sources) for chunk in _Job(i, source).chunks())
    told: SimpleQueue[int | None] = (
        SimpleQueue()
    )  # the bytes of each chunk that is done; None from a thread that ends

    def work() -> None:
        worker = _Worker()
        try:
            for chunk in chunks:
                worker.measure(chunk)
                if chunk.job.add(chunk, worker.counts, worker.hashes):
                    results[chunk.job.index] = finish(chunk.job.source, chunk.job.finish())
                told.put(chunk.nbytes)
        finally:
            chunks.stop()
            told.put(None)

    with ThreadPoolExecutor(n_threads) as pool:
        futures = [pool.submit(work) for _ in range(n_threads)]
        try:
            running, done = n_threads, 0
            while running:
                size = told.get()
                running -= size is None
                done += size or 0
                progress(done)
        finally:
            chunks.stop()
    for future in futures:
        future.result()
    return [results[i] for i in range(len(sources))]


def _read(file: BinaryIO, buffer: memoryview, offset: int) -> None:
    """Fill the buffer from the offset on."""
    with atomic.naming(file.name):
        while buffer:
            n = _read_at(file.fileno(), buffer, offset)
            if n == 0:
                raise OSError(errno.EIO, f"the file ends at byte {offset}, within a tensor")
            buffer, offset = buffer[n:], offset + n


def _read_at(file: int, buffer: memoryview, offset: int) -> int:
    """Read into the buffer, and tell how many bytes."""
    if hasattr(os, "preadv"):
        return os.preadv(file, [buffer], offset)
    with _position:
        os.lseek(file, offset, os.SEEK_SET)
        data = os.read(file, len(buffer))
    buffer[: len(data)] = data
    return len(data)
