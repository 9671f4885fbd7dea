"""A plan's buffers into a model's: positions, masks, counts and frequencies, which hold garbage after `to_empty`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..dtypes import name_of
from ..plans.buffer import Buffer
from ..plans.plan import Plan
from . import _private
from .sharded import Run, boxes, fill_task, held, task_of
from .survey import Slot, Survey, local_tensor

_LOOKED_AT = 1 << 16  # elements of a parameter, at most
_MOST_STEPS = 1 << 48  # of a batch norm, at most


@dataclass(frozen=True)
class Filling:
    """A buffer, what this process holds of it, its indices in the whole, and what the plan says of it."""

    tensor: Tensor
    local: Tensor
    runs: tuple[tuple[Run, ...], ...]
    buffer: Buffer


def buffers_of(seen: Survey, plan: Plan, prefix: str) -> list[Filling]:
    """What is to be done for the model's buffers that are not rows of the plan and that it knows, all of it checked."""
    found: list[Filling] = []
    for local, slot in seen.buffers.items():
        name = prefix + local
        buffer = plan.buffers.get(plan.ties.get(name, name))
        if buffer is None or buffer.content is None:
            continue
        shape, dtype = tuple(slot.tensor.shape), name_of(slot.tensor.dtype)
        if shape != buffer.shape and not buffer.persistent and seen.built:
            continue  # a forward pass has put another in its place
        if shape != buffer.shape:
            raise ValueError(f"buffer {name!r}: its shape is {shape}, the plan's is {buffer.shape}")
        if slot.tensor.is_floating_point() != (np.dtype(_plain(buffer.dtype)).kind == "f"):
            raise ValueError(f"buffer {name!r}: its dtype is {dtype}, the plan's is {buffer.dtype}")
        try:
            mine = held(slot.tensor, zero=isinstance(buffer.content, np.ndarray) and not buffer.content.any())
        except ValueError as error:
            raise ValueError(f"buffer {name!r}: {error}") from None
        if mine is not None:
            found.append(Filling(slot.tensor, *mine, buffer))
    return found


def check_left(seen: Survey, plan: Plan, prefix: str, filled: list[Filling]) -> None:
    """Raise ValueError, naming them, for buffers that the plan does not fill if the memory is certainly that of `to_empty`."""
    filling = {id(one.tensor) for one in filled}
    left = {
        prefix + name: slot
        for name, slot in seen.buffers.items()
        if not (id(slot.tensor) in filling or plan.ties.get(prefix + name, prefix + name) in plan)
        and slot.tensor.numel()
    }
    if seen.built or not left or not (_is_zero(seen) or any(map(_is_garbage, left.values()))):
        return
    raise ValueError(
        f"the model holds what to_empty has left, and the plan does not fill the buffers {', '.join(map(repr, left))}: the plan "
        "that record gives does, if their values can be told"
    )


@torch.no_grad()
def _is_zero(seen: Survey) -> bool:
    """Whether all parameters of torch's own modules begin with zeros only, as fresh memory does and no model."""
    own = [slot for slot in seen.parameters.values() if _private.is_of_torch(slot.module) and not slot.fault]
    return bool(own) and not any(bool(local_tensor(slot.tensor).flatten()[:_LOOKED_AT].any()) for slot in own)


@torch.no_grad()
def _is_garbage(slot: Slot) -> bool:
    """Whether no code gives the buffer its values: NaN, or statistics of a batch norm that its count denies."""
    tensor = local_tensor(slot.tensor)
    if tensor.is_floating_point() and bool(tensor.isnan().any()):
        return True
    module = slot.module
    if (
        not isinstance(module, nn.modules.batchnorm._NormBase)
        or module.num_batches_tracked is not slot.tensor
    ):
        return False
    count, mean, variance = int(tensor), module.running_mean, module.running_var
    if mean is None or variance is None:
        return False
    fresh = not bool(local_tensor(mean).any()) and bool((local_tensor(variance) == 1).all())
    return not 0 <= count < _MOST_STEPS or (count == 0 and not fresh)


def _plain(dtype: str) -> str:
    """A dtype that NumPy has, of the same kind."""
    return "float32" if dtype.startswith(("bfloat", "float8")) else dtype


def fill_buffer(filling: Filling, seed: int, threads: int) -> None:
    local, runs, buffer = filling.local, filling.runs, filling.buffer
    if isinstance(buffer.content, np.ndarray):
        for target, block in boxes(local, runs):
            target.copy_(torch.from_numpy(np.array(buffer.content[block])))
    elif buffer.content is not None:
        fill_task(task_of(filling.tensor, local, buffer.content, buffer.name, runs), seed, threads)
