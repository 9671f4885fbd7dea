"""The tensors of a model by the names that they have without wrappers, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..layers import AROUND


class Named(NamedTuple):
    name: str
    tensor: Tensor
    owner: nn.Module
    kind: str  # "parameter", "buffer" (persistent) or "transient" (a buffer that is not)


def tensors_of(model: nn.Module) -> list[Named]:
    """Parameters in torch's order, then buffers; a shared module's under each of its names. Modules that contain themselves end."""
    found = [named for path, module in _modules(model) for named in _of_one(path, module)]
    names: set[str] = set()
    for named in found:
        if named.name in names:
            raise ValueError(f"two tensors are called {named.name!r} once wrappers are taken off")
        names.add(named.name)
    return sorted(found, key=lambda named: named.kind != "parameter")


def _modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    stack: list[tuple[str, nn.Module, frozenset[int]]] = [("", model, frozenset())]
    while stack:
        path, module, above = stack.pop()
        yield path, module
        children = list(module._modules.items())
        if not children:
            continue
        above = above | {id(module)}
        for name, child in reversed(children):
            if child is not None and id(child) not in above:
                inside = name in AROUND and (not AROUND[name] or type(module).__name__ in AROUND[name])
                stack.append((path if inside else f"{path}.{name}" if path else name, child, above))


def _of_one(path: str, module: nn.Module) -> Iterator[Named]:
    prefix = f"{path}." if path else ""
    if isinstance(module, torch.jit.ScriptModule):
        for name, tensor in module.named_parameters(recurse=False):
            yield Named(prefix + name, tensor, module, "parameter")
        for name, tensor in module.named_buffers(recurse=False):
            yield Named(prefix + name, tensor, module, "buffer")
        return
    for name, tensor in module._parameters.items():
        if tensor is not None:
            yield Named(prefix + name, tensor, module, "parameter")
    for name, tensor in module._buffers.items():
        if tensor is not None:
            hidden = name in module._non_persistent_buffers_set
            yield Named(prefix + name, tensor, module, "transient" if hidden else "buffer")
