"""A plan -> the values of every parameter, in new arrays or in place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from numpy.typing import DTypeLike

from ..drawing.config import threads_for
from ..drawing.fill import fill
from ..drawing.memory import empty
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import Array
from .make import plan as plan_of
from .parameter import Parameter
from .plan import Plan
from .recipe import RecipeLike

_WORTH_A_POOL = 4 << 20  # bytes
_WORTH_ALL_THREADS = 64 << 20


def draw_plan(
    plan: Plan, targets: Mapping[str, Any], *, seed: Seed = None, threads: int | None = None
) -> None:
    """Write the values of every parameter of the plan into its target, in place."""
    number, workers = resolve_seed(seed), threads_for(threads)

    def one(parameter: Parameter, threads: int) -> None:
        fill(
            targets[parameter.name], parameter.distribution, seed=number, name=parameter.name, threads=threads
        )

    # One thread for each tensor keeps all of them busy from end to end; what is too large for that goes first, with all.
    by_size = sorted(plan.values(), key=lambda parameter: -parameter.nbytes)
    pooled = workers > 1 and plan.nbytes >= _WORTH_A_POOL
    share = min(plan.nbytes / workers, _WORTH_ALL_THREADS) if pooled else 0.0
    small = [parameter for parameter in by_size if parameter.nbytes < share]
    for parameter in by_size[: len(by_size) - len(small)]:
        one(parameter, workers)
    if small:
        from concurrent.futures import ThreadPoolExecutor  # here, to keep the package's import short

        with ThreadPoolExecutor(workers) as pool:
            try:
                list(pool.map(lambda parameter: one(parameter, 1), small))
            except BaseException:  # Ctrl-C: not after all the others
                pool.shutdown(cancel_futures=True)
                raise


def init(
    params: Plan | Mapping[str, Any] | str | os.PathLike[str],
    recipe: RecipeLike | None = None,
    *,
    seed: Seed = None,
    dtype: DTypeLike | None = None,
    threads: int | None = None,
) -> dict[str, Array]:
    """New arrays for every parameter of a model, byte-identical to those that ``fastinit init`` writes.

    ``params``, ``recipe`` and ``dtype`` are those of `fastinit.plan`, and so are the errors. Tied names share one array.

    >>> arrays = init({"fc.weight": (4, 8), "fc.bias": (4,)}, seed=0)
    >>> arrays["fc.weight"].shape, float(arrays["fc.bias"].sum())
    ((4, 8), 0.0)
    """
    plan = plan_of(params, recipe, dtype=dtype)
    arrays = {name: empty(parameter.shape, parameter.dtype) for name, parameter in plan.items()}
    draw_plan(plan, arrays, seed=seed, threads=threads)
    return arrays | {alias: arrays[owner] for alias, owner in plan.ties.items()}
