"""Workers in processes of their own, for the tests of torch's distributed parts."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Callable
from typing import Any


def in_processes(
    worker: Callable[..., None], *arguments: Any, count: int, start_method: str = "spawn"
) -> None:
    """Run worker(rank, *arguments) for each rank below count; what one of them raises is raised here."""
    from torch import multiprocessing

    multiprocessing.start_processes(_run, (worker, arguments), nprocs=count, start_method=start_method)


def _run(rank: int, worker: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    worker(rank, *arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of torch that want the interpreter while it ends abort the process


def join(rank: int, ranks: int, store: str) -> None:
    """Make one group of the processes, which meet in the file `store`. Each has one thread."""
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    limit, meeting = datetime.timedelta(seconds=120), distributed.FileStore(store, ranks)
    distributed.init_process_group("gloo", store=meeting, rank=rank, world_size=ranks, timeout=limit)
