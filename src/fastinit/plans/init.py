"""A plan -> the values of every parameter, in new arrays or in place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from numpy.typing import DTypeLike

from ..drawing.config import threads_for
from ..drawing.fill import Batch
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import Array
from .make import plan as plan_of
from .match import check_nothing_beside
from .plan import Plan, written_plan
from .recipe import RecipeLike


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
        Name -> array, in the order of the plan, with the buffers that its files have (`Plan.stored`). Tied names
        share one array. The plan's ``unfilled`` are not in it.

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
        check_nothing_beside({}, recipe=recipe is not None, dtype=dtype is not None)
        plan = params.prefixed(prefix)
    elif recipe is None and isinstance(params, str | os.PathLike) and (written := written_plan(params)):
        plan = (written if dtype is None else written.astype(dtype)).prefixed(prefix)
    else:
        plan = plan_of(params, "default" if recipe is None else recipe, prefix=prefix, dtype=dtype)
    number, workers = resolve_seed(seed), threads_for(threads)
    batch = Batch(number)
    arrays = {name: batch.new(row.shape, row.dtype, row.distribution, name) for name, row in plan.items()}
    batch.run(workers)
    arrays |= {name: held.values() for name, held in plan.buffers.items() if held.stored}
    return arrays | {alias: arrays[owner] for alias, owner in plan.ties.items() if owner in arrays}
