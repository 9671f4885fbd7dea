"""The tensors of a model by the names that they have without wrappers, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import _private
from ..survey import clean_modules


class Named(NamedTuple):
    name: str
    tensor: Tensor
    owner: nn.Module
    kind: str  # "parameter", "buffer" (persistent) or "transient" (a buffer that is not)


def tensors_of(model: nn.Module) -> list[Named]:
    """Parameters in torch's order, then buffers; a shared module's under each of its names.

    `survey` says more of each, and costs more: a recorded model may have 50,000 parameters.
    """
    found = [named for path, module in clean_modules(model) for named in _of_one(path, module)]
    names: set[str] = set()
    for named in found:
        if named.name in names:
            raise ValueError(f"two tensors are called {named.name!r} once wrappers are taken off")
        names.add(named.name)
    return sorted(found, key=lambda named: named.kind != "parameter")


def _of_one(path: str, module: nn.Module) -> Iterator[Named]:
    prefix = f"{path}." if path else ""
    scripted = isinstance(module, torch.jit.ScriptModule)
    parameters: Iterable[tuple[str, Tensor | None]]
    buffers: Iterable[tuple[str, Tensor | None]]
    parameters = module.named_parameters(recurse=False) if scripted else _private.parameters(module).items()
    buffers = module.named_buffers(recurse=False) if scripted else _private.buffers(module).items()
    for name, parameter in parameters:
        if parameter is not None:
            yield Named(prefix + name, parameter, module, "parameter")
    for name, buffer in buffers:
        if buffer is not None:
            kind = "buffer" if _private.is_persistent(module, name) else "transient"
            yield Named(prefix + name, buffer, module, kind)
