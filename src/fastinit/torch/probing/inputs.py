"""A batch as what the probe's verdict rests on: how many samples it has, and how they are scaled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ...propagation.measurement import Inputs


def samples_of(batch: Any) -> int:
    """The largest number of samples in a tensor: its first axis, or all numbers if they are integers, such as tokens."""
    return max([tensor.numel() if _counts(tensor) else len(tensor) if tensor.dim() > 1 else 1
                for _, tensor in _tensors(batch)], default=1)  # fmt: skip


def inputs_of(batch: Any) -> tuple[Inputs, ...]:
    """The moments of each tensor of floats, except masks and one-hot vectors."""
    found = []
    for name, tensor in _tensors(batch):
        if tensor.dim() < 2 or _counts(tensor):
            continue
        values = tensor.detach().double()
        if not bool(((values == 0) | (values == 1)).all()):
            std, mean = torch.std_mean(values, correction=0)
            columns = values.movedim(1, 0).flatten(1).square().mean(1).sqrt()
            found.append(Inputs(name, float(mean), float(std), float(columns.max())))
    return tuple(found)


def _counts(tensor: Tensor) -> bool:
    return not tensor.is_floating_point()


def _tensors(batch: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors that the model is called with, with their names: of keywords, or numbers if there are several."""
    if isinstance(batch, Mapping):
        named = list(batch.items())
    else:
        items = batch if isinstance(batch, (tuple, list)) else [batch]
        named = [("" if len(items) == 1 else str(i), item) for i, item in enumerate(items)]
    return ((str(name), item) for name, item in named if isinstance(item, Tensor))
