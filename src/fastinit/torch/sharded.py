"""What is to be drawn into a model for a plan, parameter by parameter: each process writes what it holds, and asks nobody."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..drawing.fill import Part, fill, part_of
from ..drawing.prepared import prepared
from ..drawing.structured import by_gpu
from ..laws.composed import Box, Patched
from ..laws.copies import drawn_as
from ..laws.distributions import Constant, Distribution, Elementwise
from ..laws.parts import of_reals
from ..plans.plan import Plan
from .survey import Survey
from .tensors import DTYPES, draw_block, gpu_of, memory_of

Run = tuple[int, int]
"""(first index, length) along one dimension of the whole tensor."""

_NAMED = 20  # faults in one message


@dataclass(frozen=True)
class Task:
    """One tensor to fill: what this process holds of a parameter, and its place in the whole.

    Of a complex parameter, all of ``local``, ``law``, ``shape`` and ``runs`` are those of its parts, along one more axis.
    """

    parameter: Tensor
    local: Tensor
    law: Distribution
    name: str
    shape: tuple[int, ...]
    runs: tuple[tuple[Run, ...], ...]

    @property
    def sharded(self) -> bool:
        """Whether other processes hold a part of the parameter."""
        parameter: Any = self.parameter
        return hasattr(parameter, "placements") and bool(parameter.device_mesh.size() > 1)

    @property
    def nbytes(self) -> int:
        """What drawing takes: a structured law is computed whole by every process that holds a part."""
        if isinstance(self.inner, Elementwise):
            return self.local.nbytes
        return math.prod(self.shape) * self.local.element_size()

    @property
    def patches(self) -> tuple[tuple[Box, Any], ...]:
        """The boxes of a patched law that are drawn part by part: constants within an elementwise law."""
        law = self.law
        if not isinstance(law, Patched) or not isinstance(law.inner, Elementwise):
            return ()
        return law.patches if all(isinstance(patch, Constant) for _, patch in law.patches) else ()

    @property
    def inner(self) -> Any:
        """The law around the patches."""
        return self.law.inner if self.patches and isinstance(self.law, Patched) else self.law

    @property
    def dtype(self) -> torch.dtype:
        """What values are drawn in: patched laws are structured ones, which are rounded from float32."""
        narrow = self.local.dtype.itemsize < torch.float32.itemsize
        return torch.float32 if self.patches and narrow else self.local.dtype

    def boxes(self) -> Iterator[tuple[Tensor, tuple[slice, ...]]]:
        """Parts of the local tensor that are blocks of the whole."""
        return boxes(self.local, self.runs)


def boxes(local: Tensor, runs: Sequence[Sequence[Run]]) -> Iterator[tuple[Tensor, tuple[slice, ...]]]:
    """Parts of a local tensor, which holds those indices, that are blocks of the whole."""
    placed = [[(at, *run) for at, run in zip(_starts(of_dim), of_dim, strict=True)] for of_dim in runs]
    for chosen in itertools.product(*placed):
        here = tuple([slice(at, at + length) for at, _, length in chosen])
        yield local[here], tuple([slice(first, first + length) for _, first, length in chosen])


def held(tensor: Tensor, zero: bool = False) -> tuple[Tensor, tuple[tuple[Run, ...], ...]] | None:
    """What this process holds of a tensor, and its indices in the whole; None if it is not in the tensor's mesh. ``zero``: see
    `index_runs`."""
    if not hasattr(tensor, "placements"):
        return tensor.detach(), tuple([((0, size),) for size in tensor.shape])
    sharded: Any = tensor.detach()
    mesh = sharded.device_mesh
    if (coordinate := mesh.get_coordinate()) is None:
        return None
    local = sharded.to_local()
    runs = index_runs(tuple(tensor.shape), mesh.shape, coordinate, sharded.placements, zero)
    asked = tuple([sum(length for _, length in of_dim) for of_dim in runs])
    if local.numel() != math.prod(asked) or (local.numel() and tuple(local.shape) != asked):
        raise ValueError(f"its shard has shape {tuple(local.shape)}, its placements ask for {asked}")
    return local, runs


def index_runs(
    shape: Sequence[int],
    mesh_shape: Sequence[int],
    coordinate: Sequence[int],
    placements: Sequence[Any],
    zero: bool = False,
) -> tuple[tuple[Run, ...], ...]:
    """For each dimension the indices that the device at that coordinate of the mesh holds, in the order of its shard.

    Raises ValueError for placements other than replicated and sharded ones. A partial sum of a tensor that is to be ``zero``
    is one too, as if it were replicated.
    """
    runs: list[list[Run]] = [[(0, size)] for size in shape]
    for n_parts, part, placement in zip(mesh_shape, coordinate, placements, strict=True):
        if placement.is_replicate() or (zero and placement.is_partial("sum")):
            continue
        if placement.is_partial() or type(placement).__name__ not in ("Shard", "_StridedShard"):
            raise ValueError(f"{placement!r} says of no element which process holds it")
        dim = placement.dim % len(shape)
        size = sum(length for _, length in runs[dim])
        groups = getattr(placement, "split_factor", 1)
        kept: list[Run] = []
        for group in range(groups):
            start, stop = _chunk(size, groups, group)
            first, last = _chunk(stop - start, n_parts, part)
            kept += _cut(runs[dim], start + first, start + last)
        runs[dim] = _joined(kept)
    return tuple(map(tuple, runs))


def _chunk(size: int, n_parts: int, part: int) -> Run:
    """Where the part of torch.chunk begins and ends."""
    each = -(-size // n_parts)
    return min(part * each, size), min((part + 1) * each, size)


def _cut(runs: Sequence[Run], start: int, stop: int) -> Iterator[Run]:
    for at, (first, length) in zip(_starts(runs), runs, strict=True):
        begin, end = max(start - at, 0), min(stop - at, length)
        if begin < end:
            yield first + begin, end - begin


def _starts(runs: Sequence[Run]) -> list[int]:
    return list(itertools.accumulate([0, *[length for _, length in runs[:-1]]]))[: len(runs)]


def _joined(runs: Sequence[Run]) -> list[Run]:
    result: list[Run] = []
    for first, length in runs:
        if result and sum(result[-1]) == first:
            result[-1] = result[-1][0], result[-1][1] + length
        else:
            result.append((first, length))
    return result


def tasks_of(seen: Survey, plan: Plan, prefix: str, strict: bool) -> list[Task]:
    """What is to be done for a plan in a model, all of it checked."""
    slots = {prefix + name: slot for name, slot in (seen.parameters | seen.buffers).items()}
    faults: list[str] = []
    tasks: list[Task] = []
    filled: dict[str, str] = {}  # what a tensor of the model is in the plan
    for name, slot in slots.items():
        names = [name, *[prefix + alias for alias, owner in seen.ties.items() if prefix + owner == name]]
        owners = {plan.ties.get(one, one): one for one in names if plan.ties.get(one, one) in plan}
        kind = "buffer" if slot.name in seen.buffers else "parameter"
        if len(owners) > 1:
            faults.append(
                f"{kind}s {' and '.join(map(repr, owners))} are tied in the model and not in the plan"
            )
            filled |= dict.fromkeys(owners, name)
        elif owners:
            owner = next(iter(owners))
            filled[owner] = name
            try:
                if slot.fault:
                    raise ValueError(slot.fault)
                if (task := _task(slot.tensor, owner, plan)) is not None:
                    tasks.append(task)
            except (TypeError, ValueError) as error:
                faults.append(f"{kind} {name!r}: {error}")
        elif slot.tensor.is_meta:
            faults.append(f"{kind} {name!r} is on the meta device, and the plan does not fill it")
        elif kind == "parameter" and name not in plan.unfilled:
            faults.append(f"parameter {name!r} is not in the plan")
    if strict:
        faults += [
            f"parameter {name!r} of the plan is not in the model" for name in plan if name not in filled
        ]
    if faults:
        raise ValueError(listed(faults))
    return tasks


def listed(faults: Sequence[str]) -> str:
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return "; ".join(faults[:_NAMED]) + more


def _task(parameter: Tensor, name: str, plan: Plan) -> Task | None:
    """What this process has to do for a parameter; None if it is not in the parameter's mesh."""
    law, shape = plan[name].distribution, tuple(parameter.shape)
    if shape != plan[name].shape:
        raise ValueError(
            f"its shape is {shape}, the plan's is {plan[name].shape}{_shard(shape, plan[name].shape)}"
        )
    mine = held(parameter)
    if mine is None:
        return None
    local, runs = mine
    if local.is_inference():
        raise ValueError("it was made in inference mode, and can be changed only there")
    if local.is_meta:
        raise ValueError("it is on the meta device; model.to_empty(device=...) gives it memory first")
    task = task_of(parameter, local, law, name, runs)
    if isinstance(task.inner, Elementwise):
        prepared(task.inner, DTYPES[task.dtype])
    return task


def _shard(shape: Sequence[int], whole: Sequence[int]) -> str:
    """A hint, if the shape is an integer part of the whole along one axis."""
    axes = [axis for axis, (n, all_of_it) in enumerate(zip(shape, whole, strict=False)) if n != all_of_it]
    if len(shape) != len(whole) or len(axes) != 1:
        return ""
    small, large = sorted((shape[axes[0]], whole[axes[0]]))
    if not small or large % small:
        return ""
    shard = "the parameter" if shape[axes[0]] == small else "the plan's"
    return f"; {shard} looks like 1/{large // small} along axis {axes[0]}, a shard without its mesh"


def task_of(
    parameter: Tensor, local: Tensor, law: Distribution, name: str, runs: tuple[tuple[Run, ...], ...]
) -> Task:
    """What is to be done for a parameter or buffer of which this process holds those indices."""
    law, name = drawn_as(law, name)
    law, shape = of_reals(law, tuple(parameter.shape), DTYPES.get(parameter.dtype, ""))
    if local.is_complex():
        local, runs = torch.view_as_real(local), (*runs, ((0, 2),))
    return Task(parameter, local, law, name, shape, runs)


def drawn_in_place(task: Task) -> bool:
    """Whether the processor that holds the tensor draws all of it, in its dtype: so do not those with patches."""
    plain = isinstance(task.inner, Elementwise) and not task.patches and not task.local.is_neg()
    return plain and (task.local.is_cpu or (bool(task.local.numel()) and gpu_of(task.local) is not None))


def parts_of(task: Task) -> Iterator[Part]:
    """What is drawn in place for a task."""
    if not task.local.numel():
        return
    for local, block in task.boxes():
        yield part_of(memory_of(local, gpu_of(local)), task.inner, task.name, task.shape, block)


def fill_task(task: Task, seed: int, threads: int) -> None:
    if not task.local.numel():
        return
    if not isinstance(task.inner, Elementwise):
        place = gpu_of(task.local) if by_gpu(task.law, DTYPES[task.local.dtype]) else None
        device = task.local.device if place else "cpu"
        whole = torch.empty(task.shape, dtype=task.local.dtype, device=device)
        fill(memory_of(whole, place), task.law, seed=seed, name=task.name, threads=threads)
        for target, block in task.boxes():
            target.copy_(whole[block])
        return
    for target, block in task.boxes():
        draw_block(
            target, task.inner, seed=seed, name=task.name, shape=task.shape, block=block, dtype=task.dtype,
            threads=threads,
        )  # fmt: skip
        for box, law in task.patches:
            target[_within(box, block)].fill_(law.value)


def _within(box: Box, block: tuple[slice, ...]) -> tuple[slice, ...]:
    """The part of the box that lies in the block, as slices of the block."""
    result = []
    for extent, part in zip(box, block, strict=True):
        start, stop, step = (extent, extent + 1, 1) if isinstance(extent, int) else extent
        first = max(start, start - (start - part.start) // step * step)
        result.append(slice(first - part.start, max(min(stop, part.stop), first) - part.start, step))
    return tuple(result)
