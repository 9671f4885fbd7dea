"""A plan's values into a model's parameters, whole or sharded: each process writes what it holds, and asks nobody."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..arguments import instance
from ..drawing.config import threads_for
from ..drawing.fill import checked_parameters, fill
from ..drawing.streams import Seed, resolve_seed
from ..laws.composed import Box, Patched
from ..laws.distributions import Constant, Distribution, Elementwise
from ..laws.structured import Structured
from ..plans.plan import Plan
from .layers import AROUND
from .tensors import DTYPES, check_target, draw_block, host_memory

Run = tuple[int, int]
"""(first index, length) along one dimension of the whole tensor."""

_Model = TypeVar("_Model", bound=nn.Module)
_WRAPPERS = {name for name, modules in AROUND.items() if not modules}  # and "module"


@dataclass(frozen=True)
class _Task:
    """One tensor to fill: what this process holds of a parameter, and where that lies in the whole."""

    parameter: Tensor
    local: Tensor
    law: Distribution | Structured
    name: str
    shape: tuple[int, ...]
    runs: tuple[tuple[Run, ...], ...]

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
        narrow = self.local.dtype in (torch.float16, torch.bfloat16)
        return torch.float32 if self.patches and narrow else self.local.dtype

    def boxes(self) -> Iterator[tuple[Tensor, tuple[slice, ...]]]:
        """Parts of the local tensor that are blocks of the whole."""
        placed = [[(at, *run) for at, run in zip(_starts(runs), runs, strict=True)] for runs in self.runs]
        for chosen in itertools.product(*placed):
            here = tuple([slice(at, at + length) for at, _, length in chosen])
            yield self.local[here], tuple([slice(first, first + length) for _, first, length in chosen])


@torch.no_grad()
def init_(model: _Model, plan: Plan, *, seed: Seed, threads: int | None = None) -> _Model:
    """Fill every parameter of the model with the plan's values, in place. Returns the model.

    Parameters may be plain tensors or DTensors: of FSDP2 (`fully_shard`), tensor parallelism, both, hybrid and uneven
    shards. Each process draws the elements that it holds, without communication; element by element the values are those
    of one process, whatever the mesh. The stream is the seed and the parameter's name in the plan; wrappers of
    `torch.compile`, checkpointing, DDP and FSDP do not count as parts of names.

    A structured law is computed whole by every process that holds a part (constant boxes within an elementwise law,
    such as an embedding's row for padding, are not). On other devices than the CPU values are drawn in host memory
    and copied, 4 MiB at a time. Buffers are filled where the plan has them, and left alone elsewhere.

    Raises, before the first write: ValueError for a parameter that the plan or the model lacks, a shape that differs, a
    partial placement and a parameter or buffer on the meta device; TypeError for a dtype that cannot be drawn and for seed=None.

    >>> from fastinit.torch import record
    >>> plan = record(lambda: torch.nn.Linear(3, 2))
    >>> model = init_(torch.nn.Linear(3, 2), plan, seed=0)
    """
    if seed is None:
        raise TypeError("seed must be given: every process needs the same one")
    n_threads = threads_for(threads)
    tasks = list(_tasks(model, plan))
    number = resolve_seed(seed)
    for task in tasks:
        _fill(task, number, n_threads)
        torch.autograd.graph.increment_version(task.parameter)
        if task.local is not task.parameter:
            torch.autograd.graph.increment_version(task.local)
    return model


def index_runs(
    shape: Sequence[int], mesh_shape: Sequence[int], coordinate: Sequence[int], placements: Sequence[Any]
) -> tuple[tuple[Run, ...], ...]:
    """For each dimension the indices that the device at that coordinate of the mesh holds, in the order of its shard.

    Raises ValueError for placements other than replicated and sharded ones.
    """
    runs: list[list[Run]] = [[(0, size)] for size in shape]
    for n_parts, part, placement in zip(mesh_shape, coordinate, placements, strict=True):
        if placement.is_replicate():
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


def _tasks(model: nn.Module, plan: Plan) -> Iterator[_Task]:
    """What is to be done, all of it checked."""
    instance("model", model, nn.Module)
    instance("plan", plan, Plan)
    seen: set[str] = set()
    names: dict[int, str] = {}
    known = {*plan, *plan.ties}
    buffers = dict(model.named_buffers(remove_duplicate=False))
    lost = [path for path, buffer in buffers.items() if buffer.is_meta and _plain(path, known) not in known]
    if lost:
        raise ValueError(f"buffers on the meta device that the plan does not fill: {', '.join(lost)}")
    for path, parameter in itertools.chain(model.named_parameters(remove_duplicate=False), buffers.items()):
        name = _plain(path, known)
        if path in buffers and name not in known:
            continue
        owner = plan.ties.get(name, name)
        if owner not in plan:
            raise ValueError(f"parameter {path!r} is not in the plan")
        seen.add(owner)
        if names.setdefault(id(parameter), owner) != owner:
            raise ValueError(f"parameters {names[id(parameter)]!r} and {owner!r} are tied in the model alone")
        try:
            task = _task(parameter, owner, plan)
        except (TypeError, ValueError) as error:
            raise type(error)(f"parameter {path!r}: {error}") from None
        if task is not None:
            yield task
    for name in plan:
        if name not in seen:
            raise ValueError(f"parameter {name!r} of the plan is not in the model")


def _plain(path: str, known: set[str]) -> str:
    """The path without the parts that wrappers add, outermost first."""
    if path in known:
        return path
    parts = [part for part in path.split(".") if part not in _WRAPPERS]
    while ".".join(parts) not in known and "module" in parts:
        parts.remove("module")
    return ".".join(parts)


def _task(parameter: Tensor, name: str, plan: Plan) -> _Task | None:
    """What this process has to do for a parameter; nothing, if it is no part of the parameter's mesh."""
    law, shape = plan[name].distribution, tuple(parameter.shape)
    if shape != plan[name].shape:
        raise ValueError(
            f"its shape is {shape}, the plan's is {plan[name].shape}{_shard(shape, plan[name].shape)}"
        )
    runs: tuple[tuple[Run, ...], ...] = tuple([((0, size),) for size in shape])
    local = parameter
    if hasattr(parameter, "placements"):  # a DTensor
        sharded: Any = parameter
        mesh = sharded.device_mesh
        coordinate = mesh.get_coordinate()
        if coordinate is None:
            return None
        local = sharded.detach().to_local()
        runs = index_runs(shape, mesh.shape, coordinate, sharded.placements)
    if local.is_inference():
        raise ValueError("it was made in inference mode, where it alone can be changed")
    if local.is_meta:
        raise ValueError("it is on the meta device; model.to_empty(device=...) gives it memory first")
    check_target(local)
    if local.dtype not in DTYPES:
        raise TypeError(f"its dtype must be one of {', '.join(DTYPES.values())}, not {local.dtype}")
    held = tuple([sum(length for _, length in of_dim) for of_dim in runs])
    if local.numel() != math.prod(held) or (local.numel() and tuple(local.shape) != held):
        raise ValueError(f"its shard has shape {tuple(local.shape)}, its placements ask for {held}")
    if isinstance(law, Structured):
        law.check(shape)
    task = _Task(parameter, local.detach(), law, name, shape, runs)
    if isinstance(task.inner, Elementwise):
        checked_parameters(task.inner, DTYPES[task.dtype])
    return task


def _shard(shape: Sequence[int], whole: Sequence[int]) -> str:
    """A hint, where the shape is an integer part of the whole along one axis."""
    axes = [axis for axis, (n, all_of_it) in enumerate(zip(shape, whole, strict=False)) if n != all_of_it]
    if len(shape) != len(whole) or len(axes) != 1:
        return ""
    small, large = sorted((shape[axes[0]], whole[axes[0]]))
    if not small or large % small:
        return ""
    shard = "the parameter" if shape[axes[0]] == small else "the plan's"
    return f"; {shard} looks like 1/{large // small} along axis {axes[0]}, a shard without its mesh"


def _fill(task: _Task, seed: int, threads: int) -> None:
    if not task.local.numel():
        return
    if not isinstance(task.inner, Elementwise):
        whole = torch.empty(task.shape, dtype=task.local.dtype, device="cpu")
        fill(host_memory(whole), task.law, seed=seed, name=task.name, threads=threads)
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
