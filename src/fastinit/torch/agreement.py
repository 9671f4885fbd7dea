"""Whether processes hold what one process would: one number for a model in any arrangement, and each process's faults."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeAlias, cast

import torch
from torch import Tensor, distributed, nn

from ..arguments import instance
from ..drawing.checksum import total
from ..drawing.config import threads_for
from ..drawing.memory import as_array
from ..drawing.streams import Seed, encoded_name, resolve_seed
from ..plans.lint import Finding
from ..plans.plan import Plan
from . import _private
from .buffers import buffers_of, fill_buffer
from .modules import reshard
from .sharded import Run, Task, fill_task, listed, tasks_of
from .survey import survey
from .tensors import host_memory, pieces

_Parts: TypeAlias = nn.Module | Iterable[nn.Module] | Mapping[str, nn.Module]
_PIECE = 1 << 20  # elements
_LIMB = 40  # bits of a sum in each of its integers, so that 2**23 processes can add theirs
_LIMBS = 3


@torch.no_grad()
def checksum(model: _Parts, plan: Plan, *, group: distributed.ProcessGroup | None = None) -> int:
    """One number for a model that many processes hold, the same on every process and for every arrangement of them.

    It is `fastinit.checksum` of the whole model's arrays, of its file, and of the plan with the seed. Parameters may be plain
    tensors or DTensors on any mesh: sharded, replicated, in stages of a pipeline, experts on different ranks, tied
    across stages. Each process sums over what it holds; then one reduction adds the sums, 32 bytes for each parameter of the
    plan. Nothing is gathered. What several processes hold counts once, and must be the same in all of them.

    Parameters
    ----------
    model
        What this process holds: a module; several, as of an interleaved schedule; or a mapping to modules from their
        ``prefix``, which is that of `init_`.
    plan
        What the parameters are: names, shapes and ties. All of them must be held, each by at least one process. Their
        values are not drawn: the number is that of the values that are there, in the model's dtypes.
    group
        The processes that hold the model together. By default all, or only this one if torch.distributed is not in use.

    Returns
    -------
    int
        In [0, 2**64).

    Raises
    ------
    TypeError, ValueError
        as `init_` with ``strict=False``. ValueError also for parameters that no process holds, or not all of, for copies that
        differ, and for processes that have different plans or faults of their own. All processes raise then, so that none
        waits for the others.

    Notes
    -----
    A faulty copy always changes the number. It is also an error that names the parameter unless the difference happens
    to be divisible by the number of copies, in one of two cases for two copies. `verify` finds and names it in all cases.

    Examples
    --------
    >>> import fastinit as fi
    >>> from fastinit.torch import init_, record
    >>> plan = record(lambda: nn.Linear(8, 4))
    >>> model = init_(nn.Linear(8, 4), plan, seed=0)
    >>> checksum(model, plan) == fi.checksum(plan, seed=0)
    True
    """
    parts = list(_parts(model))
    if group is not None:
        instance("group", group, distributed.ProcessGroup)
    rows = {name: row for row, name in enumerate(instance("plan", plan, Plan), 1)}
    # A power of two, so that processes with plans of other lengths mostly meet in one reduction and can say so.
    table = torch.zeros(1 << len(rows).bit_length(), 1 + _LIMBS, dtype=torch.int64)
    digests, fault = [int(plan.digest[at : at + 10], 16) for at in (0, 10)], None
    try:
        for prefix, part in parts:
            for task in tasks_of(survey(part), plan, prefix, strict=False):
                # Of complex values, the parts of each are one element.
                count = task.local.numel() * math.prod(plan[task.name].shape) // max(math.prod(task.shape), 1)
                table[rows[task.name]] += torch.tensor([count, *_limbs(_sum(task))])
    except (TypeError, ValueError) as error:
        fault = error
    table[0] = torch.tensor([1, fault is not None, *digests])
    table = _reduced(table, group)
    if fault is not None:
        raise fault
    processes, faulty, *added = table[0].tolist()
    if faulty:
        raise ValueError(f"{faulty} of {processes} processes raise errors, which say why")
    if added != [processes * digest for digest in digests]:
        raise ValueError("the processes have different plans")
    return _agreed(plan, table[1:].tolist())


def _agreed(plan: Plan, table: Sequence[Sequence[int]]) -> int:
    """The model's checksum by what was added up for each parameter; ValueError for what does not add up."""
    result, faults = 0, []
    for parameter, (count, *limbs) in zip(plan.values(), table, strict=False):
        if not (size := math.prod(parameter.shape)):
            continue
        added = sum(limb << _LIMB * i for i, limb in enumerate(limbs))
        copies, rest = divmod(count, size)
        if not count:
            faults.append(f"no process holds parameter {parameter.name!r}")
        elif rest:
            faults.append(
                f"the processes hold {count} elements of parameter {parameter.name!r}, which has {size}"
            )
        elif added % copies:
            faults.append(f"the {copies} copies of parameter {parameter.name!r} differ")
        else:
            result += added // copies
    if faults:
        raise ValueError(listed(faults))
    return result % 2**64


@torch.no_grad()
def verify(model: _Parts, plan: Plan, *, seed: Seed, threads: int | None = None) -> list[Finding]:
    """Find where what this process holds differs from what `init_` draws there, bit by bit. Nothing is sent.

    Each parameter's part is drawn again and compared, and so are the buffers that the plan holds.

    Parameters
    ----------
    model
        As in `checksum`.
    plan, seed
        Those of `init_`.
    threads
        See `fastinit.fill`.

    Returns
    -------
    list of Finding
        Empty if all is as `init_` leaves it. The kind is "bits", the index that of the first element of the whole tensor that
        differs.

    Raises
    ------
    TypeError, ValueError
        as `init_` with ``strict=False``.

    Examples
    --------
    >>> from fastinit.torch import init_, record
    >>> plan = record(lambda: nn.Linear(8, 4))
    >>> model = init_(nn.Linear(8, 4), plan, seed=0)
    >>> verify(model, plan, seed=0)
    []
    >>> _ = model.bias.data[2].zero_()
    >>> print(verify(model, plan, seed=0)[0])
    bias: 1 of the 4 values here differ, the first at (2,): 0.0, not -0.3096630871295929
    """
    instance("plan", plan, Plan)
    if seed is None:
        raise TypeError("seed must be the one that was drawn with, not None")
    number, workers = resolve_seed(seed), threads_for(threads)
    findings: list[Finding] = []
    for prefix, part in _parts(model):
        seen = survey(part)
        for task in tasks_of(seen, plan, prefix, strict=False):
            drawn = _room(task.local)
            fill_task(replace(task, local=drawn), number, workers)
            findings += _compared(task.name, task.local, drawn, task.runs)
        for filling in buffers_of(seen, plan, prefix):
            drawn = _room(filling.local)
            fill_buffer(replace(filling, local=drawn), number, workers)
            findings += _compared(filling.buffer.name, filling.local, drawn, filling.runs)
    return findings


def _parts(model: _Parts) -> Iterator[tuple[str, nn.Module]]:
    """Prefixes and modules, not gathered."""
    pairs: Iterable[tuple[str, nn.Module]]
    if isinstance(model, nn.Module):
        pairs = [("", model)]
    elif isinstance(model, Mapping):
        pairs = cast(Mapping[str, nn.Module], model).items()
    else:
        pairs = [("", part) for part in instance("model", model, Iterable)]
    for prefix, part in pairs:
        encoded_name(prefix, "prefix")
        reshard(instance("model", part, nn.Module))
        yield prefix, part


def _sum(task: Task) -> int:
    """Over what this process holds of a parameter; what a GPU holds is copied piece by piece."""
    result = 0
    for box, block in task.boxes():
        for part, place in pieces(box, block, _PIECE):
            host = part.cpu().resolve_neg()
            result += total(as_array(host_memory(host)), task.name, task.shape, place)
    return result


def _limbs(number: int) -> list[int]:
    return [number >> _LIMB * i & (1 << _LIMB) - 1 for i in range(_LIMBS)]


def _reduced(table: Tensor, group: distributed.ProcessGroup | None) -> Tensor:
    """The sum over the processes."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return table
    there = table.to(_private.device_of_group(group))
    distributed.all_reduce(there, group=group)
    return there.cpu()


def _room(local: Tensor) -> Tensor:
    return torch.empty(local.shape, dtype=local.dtype, device="cpu")


def _compared(name: str, local: Tensor, drawn: Tensor, runs: Sequence[Sequence[Run]]) -> Iterator[Finding]:
    """A finding if any bit differs."""
    held = local.detach().cpu().resolve_neg().contiguous()
    unlike = (_bytes(held) != _bytes(drawn)).any(-1).nonzero()
    if not len(unlike):
        return
    at = unlike[0].tolist()
    indices = [list(chain.from_iterable(range(start, start + n) for start, n in of_dim)) for of_dim in runs]
    index = tuple([of_dim[i] for of_dim, i in zip(indices, at, strict=True)])
    values = f"{held[tuple(at)].item()}, not {drawn[tuple(at)].item()}"
    message = f"{len(unlike):,} of the {held.numel():,} values here differ, the first at {index}: {values}"
    yield Finding(name, "bits", message, index)


def _bytes(tensor: Tensor) -> Tensor:
    """Along one more axis, the last."""
    return tensor.unsqueeze(-1).view(torch.uint8)
