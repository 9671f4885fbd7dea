"""A plan -> the values of every parameter, in new arrays or in place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from numpy.typing import DTypeLike

from ..drawing.config import threads_for
from ..drawing.fill import fill
from ..drawing.memory import empty
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import Array
from .make import plan as plan_of
from .parameter import Parameter
from .plan import Plan, written_plan
from .recipe import RecipeLike

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


def init(
    params: Plan | Mapping[str, Any] | str | os.PathLike[str],
    recipe: RecipeLike | None = None,
    *,
    seed: Seed,
    prefix: str = "",
    dtype: DTypeLike | None = None,
    threads: int | None = None,
) -> dict[str, Array]:
    """New arrays for every parameter of a model, byte-identical to those that ``fastinit init`` writes.

    Parameters
    ----------
    params
        A plan or the file of one, or what `fastinit.plan` takes: a mapping of names to shapes or arrays, or a model file.
    recipe, dtype
        Those of `fastinit.plan`; a plan has its own. The recipe is "default" if None.
    seed
        With a parameter's name it is the stream: equal names have equal values under one seed. None is fresh entropy.
    prefix
        Goes before every name, those of a plan too: ``"critic."`` for the critic of a larger model. Two networks that are
        drawn with one seed need a prefix each.
    threads
        How many threads draw, by default all that the process may use. The values do not depend on it.

    Returns
    -------
    dict
        Name -> array, in the order of the plan. Tied names share one array. The plan's ``unfilled`` are not in it.

    Raises
    ------
    TypeError, ValueError, OSError
        as `fastinit.plan`; TypeError for a recipe or dtype beside a plan.

    Examples
    --------
    >>> arrays = init({"fc.weight": (4, 8), "fc.bias": (4,)}, seed=0)
    >>> arrays["fc.weight"].shape, float(arrays["fc.bias"].sum())
    ((4, 8), 0.0)
    >>> list(init({"fc.weight": (4, 8), "fc.bias": (4,)}, seed=0, prefix="critic."))
    ['critic.fc.weight', 'critic.fc.bias']
    """
    if isinstance(params, Plan):
        if recipe is not None or dtype is not None:
            raise TypeError(
                f"a plan has its own distributions, but recipe={recipe!r}, dtype={dtype!r} was given too"
            )
        plan = params.prefixed(prefix)
    elif recipe is None and isinstance(params, str | os.PathLike) and (written := written_plan(params)):
        plan = (written if dtype is None else written.astype(dtype)).prefixed(prefix)
    else:
        plan = plan_of(params, "default" if recipe is None else recipe, prefix=prefix, dtype=dtype)
    number, workers = resolve_seed(seed), threads_for(threads)
    arrays = {name: empty(parameter.shape, parameter.dtype) for name, parameter in plan.items()}

    def one(parameter: Parameter, threads: int) -> None:
        law, array = parameter.distribution, arrays[parameter.name]
        fill(array, law, seed=number, name=parameter.name, threads=threads)

    spread(plan.values(), one, workers)
    return arrays | {alias: arrays[owner] for alias, owner in plan.ties.items()}
