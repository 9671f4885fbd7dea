"""A plan's buffers into a model's: positions, masks, counts and frequencies, which hold garbage after `to_empty`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..plans.buffer import Buffer
from ..plans.plan import Plan
from .sharded import fill_task, whole_task
from .survey import Survey


def buffers_of(seen: Survey, plan: Plan, prefix: str) -> list[tuple[Tensor, Buffer]]:
    """The model's buffers that are not rows of the plan and that it knows, all of them checked."""
    found: list[tuple[Tensor, Buffer]] = []
    for local, slot in seen.buffers.items():
        name = prefix + local
        buffer = plan.buffers.get(plan.ties.get(name, name))
        if buffer is None or buffer.content is None:
            continue
        shape, dtype = tuple(slot.tensor.shape), str(slot.tensor.dtype).removeprefix("torch.")
        if hasattr(slot.tensor, "placements"):
            raise ValueError(f"buffer {name!r} is sharded; only parameters can be")
        if shape != buffer.shape and not buffer.persistent:
            continue  # a forward pass has put another in its place
        if shape != buffer.shape:
            raise ValueError(f"buffer {name!r}: its shape is {shape}, the plan's is {buffer.shape}")
        if slot.tensor.is_floating_point() != (np.dtype(_plain(buffer.dtype)).kind == "f"):
            raise ValueError(f"buffer {name!r}: its dtype is {dtype}, the plan's is {buffer.dtype}")
        found.append((slot.tensor, buffer))
    return found


def _plain(dtype: str) -> str:
    """A dtype that NumPy has, of the same kind."""
    return "float32" if dtype.startswith(("bfloat", "float8")) else dtype


def fill_buffer(tensor: Tensor, buffer: Buffer, seed: int, threads: int) -> None:
    if isinstance(buffer.content, np.ndarray):
        tensor.copy_(torch.from_numpy(np.array(buffer.content)))
    elif buffer.content is not None:
        fill_task(whole_task(tensor, buffer.content, buffer.name), seed, threads)
