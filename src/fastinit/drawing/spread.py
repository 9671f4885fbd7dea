"""Jobs of many sizes, shared out among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

_WORTH_A_POOL = 4 << 20  # bytes
_WORTH_ALL_THREADS = 64 << 20


class Job(Protocol):
    """What is to be written."""

    @property
    def nbytes(self) -> int: ...


_Job = TypeVar("_Job", bound=Job)


def spread(
    jobs: Iterable[_Job],
    run: Callable[[_Job, int], object],
    workers: int,
    beside: Callable[[_Job], bool] = lambda job: True,
) -> None:
    """Do each job by ``run(job, threads)``, with ``workers`` threads in all. ``beside`` says which may run beside others."""
    # One thread for each job keeps all of them busy from end to end; what is too large for that goes first, with all.
    by_size = sorted(jobs, key=lambda job: -job.nbytes)
    total = sum(job.nbytes for job in by_size)
    pooled = workers > 1 and total >= _WORTH_A_POOL
    share = min(total / workers, _WORTH_ALL_THREADS) if pooled else 0.0
    small = [job for job in by_size if job.nbytes < share and beside(job)]
    for job in by_size:
        if job.nbytes >= share or not beside(job):
            run(job, workers)
    if small:
        from concurrent.futures import ThreadPoolExecutor  # here, to keep the package's import short

        with ThreadPoolExecutor(workers) as pool:
            try:
                list(pool.map(lambda job: run(job, 1), small))
            except BaseException:  # Ctrl-C: not after all the others
                pool.shutdown(cancel_futures=True)
                raise
