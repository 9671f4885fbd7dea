"""A plan's buffers into a model's: positions, masks, counts and frequencies, which hold garbage after `to_empty`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..plans.buffer import Buffer
from ..plans.plan import Plan
from .sharded import Run, boxes, fill_task, held, task_of
from .survey import Survey


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
        shape, dtype = tuple(slot.tensor.shape), str(slot.tensor.dtype).removeprefix("torch.")
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
