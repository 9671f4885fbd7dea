"""A plan -> a checkpoint: one safetensors file, or a folder of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection

from ..arguments import file_path, flag, instance, integer, positive_integer
from ..drawing.config import threads_for
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import numpy_dtype
from ..files.safetensors import check_dtype
from ..plans.plan import Plan
from .sharded import parse_size, write_folder
from .single import Summary, write_file


def write(
    plan: Plan,
    path: str | os.PathLike[str],
    *,
    seed: Seed,
    max_shard_size: int | str | None = None,
    rank: int = 0,
    of: int = 1,
    names: Collection[str] | None = None,
    resume: bool = False,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Summary:
    """Draw a plan into a safetensors file or, with ``max_shard_size``, into a folder of them.

    A file appears under its name when it is whole and synced. On any failure, a file of that name is as it was. Values
    are drawn in constant memory: the next ones while the last ones are written. The header says what was drawn: see
    `checkpoints.origin`. A symbolic link's target is replaced, not the link; permissions are the old file's or follow the
    umask.

    In a folder, the index comes last, by whoever finds all files finished: without it, a checkpoint is incomplete. An
    index and files of the same names from before are removed first, so that old and new never stand for one checkpoint.

    Parameters
    ----------
    plan
        What to draw.
    path
        The file; with ``max_shard_size``, the folder, which is made if it is missing.
    seed
        The seed of the streams. A `numpy.random.Generator` gives one number.
    max_shard_size
        The most bytes of values in one file: a number, or a text such as "5GB" with a decimal unit. A tensor that is larger
        has a file of its own. Names and contents of the files are those of Hugging Face (see `checkpoints.split`).
    rank, of
        Write only the share of process ``rank`` (from 0) among ``of`` processes. Needs ``max_shard_size``.
    names
        Write only these tensors of `Plan.stored`; by default, all: parameters, and buffers of integers and bools.
    resume
        Go on where an earlier call was ended: whole files are kept; the part of one that it left is read, compared and
        completed. On a failure, a part is left behind. The bytes are those of a call without interruption.
    threads
        How many threads may draw; by default as `set_num_threads` says.
    progress
        Called with the bytes of values that are done so far.

    Returns
    -------
    Summary
        What was written, how fast, and how far it is from its distributions.

    Raises
    ------
    OSError
        With errno and filename, if a file cannot be written.
    TypeError, ValueError
        For wrong arguments, and with ``resume`` for a file or part of another plan or seed.

    Examples
    --------
    >>> import tempfile
    >>> import fastinit as fi
    >>> plan = fi.plan({"fc.weight": (4, 8), "fc.bias": (4,)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     summary = write(plan, f"{folder}/model.safetensors", seed=0)
    ...     fi.verify(f"{folder}/model.safetensors")
    []
    >>> summary.tensors, summary.nbytes
    (2, 144)
    """
    # What could fail later is asked for before anything is written or removed.
    instance("plan", plan, Plan)
    where, threads = file_path("path", path), threads_for(threads)
    of, rank = positive_integer("of", of), integer("rank", rank)
    flag("resume", resume)
    if not 0 <= rank < of:
        raise ValueError(f"rank must be at least 0 and below of={of}, got {rank}")
    if seed is None and (resume or of > 1):
        raise ValueError("resume, rank and of need the seed of the other calls")
    chosen = list(dict.fromkeys(plan.stored if names is None else names))
    for name in chosen:
        if name not in plan.stored:
            raise ValueError(f"names: the plan has no parameter {name!r}")
        check_dtype(name, plan.stored[name].dtype)
        numpy_dtype(plan.stored[name].dtype)
    if max_shard_size is None:
        if of > 1:
            raise ValueError("rank and of share out the files of a folder, which max_shard_size makes")
        return write_file(
            plan, where, chosen, seed=resolve_seed(seed), resume=resume, threads=threads, progress=progress
        )
    size = parse_size(max_shard_size)
    return write_folder(
        plan, where, chosen, seed=resolve_seed(seed), max_shard_size=size, rank=rank, of=of, resume=resume,
        threads=threads, progress=progress,
    )  # fmt: skip
