"""Running a module on a batch with hooks, and leaving no trace: what `probe` and `calibrate` share."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...laws.layout import checked_layout
from ...schemes.fans import fans as count_fans
from .. import _private
from .._private import _ConvNd, _ConvTransposeNd
from ..layers import described
from ..parametrised import computed_weights
from ..survey import SCRIPTED, clean_modules

_ROLES = ("weight", "conv", "recurrent", "embedding")


@dataclass(frozen=True)
class LayerWeight:
    """A module that multiplies by a weight."""

    name: str
    module: nn.Module
    parameter: str
    tensor: Tensor
    role: str
    geometry: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bias(self) -> Tensor | None:
        bias = getattr(self.module, "bias", None)
        return bias.detach() if isinstance(bias, Tensor) else None

    @property
    def fan_in(self) -> float:
        """The inputs of one unit; an embedding is fed by one token at a time."""
        if self.role == "embedding":
            return 1.0
        # The stride thins out the way back, which is not asked for here.
        return count_fans(tuple(self.tensor.shape), **self.geometry).fan_in

    def matrix(self) -> np.ndarray[Any, Any]:
        """The weight as (units, inputs)."""
        weight = self.tensor.to("cpu", torch.float64)
        groups = self.geometry.get("groups", 1)
        layout = checked_layout(
            tuple(weight.shape), self.geometry.get("layout"), self.geometry.get("transposed", False)
        )
        if isinstance(self.module, _ConvTransposeNd):  # (inputs of all groups, units of one)
            weight = weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
        else:
            weight = weight.movedim(layout.index("o"), 0)
        matrix: np.ndarray[Any, Any] = weight.flatten(1).numpy()
        return matrix

    def units_last(self, h: Tensor) -> Tensor:
        """What the module put out as (samples, units)."""
        if isinstance(self.module, _ConvNd):
            h = h.movedim(-1 - len(self.module.kernel_size), -1)
        return h.reshape(-1, h.shape[-1]) if h.dim() else h.reshape(1, 1)


def weights(model: nn.Module) -> dict[str, LayerWeight]:
    """The modules with a weight, by name, in torch's order; each once, with the first of its weights.

    To look at a parametrised weight may change buffers: call it within `untouched`. Raises ValueError for a lazy
    module that has not run yet.
    """
    found: dict[str, LayerWeight] = {}
    seen: set[int] = set()
    for path, module in clean_modules(model):
        if id(module) in seen:
            continue
        seen.add(id(module))
        names = [name for name, _ in module.named_parameters(recurse=False, remove_duplicate=False)]
        names += [weight.name for weight in computed_weights(module)]
        for name in names:
            tensor = getattr(module, name)
            if isinstance(tensor, nn.UninitializedParameter):
                raise ValueError(f"parameter {name!r} of {path!r} has no shape yet: run the lazy module once")
            (spec,) = described(path, module, {name: tensor}).values()
            if spec.role in _ROLES:
                found[path] = LayerWeight(path, module, name, tensor.detach(), spec.role, spec.geometry)
                break
    return found


def first_tensor(output: Any, name: str = "the model") -> Tensor | None:
    """The tensor of floats that a module put out: itself, or the first one inside, "logits" before all. TypeError if there are
    only complex ones."""
    tensors = list(_tensors(output))
    found = next((tensor for tensor in tensors if tensor.is_floating_point()), None)
    if (
        found is None
        and (one := next((tensor for tensor in tensors if tensor.is_complex()), None)) is not None
    ):
        raise TypeError(f"{name} puts out complex values ({one.dtype}), whose variances are not measured")
    return found


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for key in ("logits", *output):
            if key in output:
                yield from _tensors(output[key])
    elif isinstance(output, (tuple, list)):
        for item in output:
            yield from _tensors(item)


def check_real(known: Mapping[str, LayerWeight], names: Iterable[str]) -> None:
    """Raise TypeError for a layer whose weight is complex."""
    for name in names:
        if name in known and known[name].tensor.is_complex():
            raise TypeError(
                f"the weight of {name!r} is complex ({known[name].tensor.dtype}), and its variances are not measured"
            )


def call(model: nn.Module, batch: Any) -> Any:
    """The model on copies of a batch's tensors: a tensor, a tuple of arguments or a mapping of keywords."""
    if isinstance(batch, Mapping):
        return model(**{key: _prepared(item) for key, item in batch.items()})
    items = batch if isinstance(batch, (tuple, list)) else (batch,)
    return model(*[_prepared(item) for item in items])


def check(model: Any, batch: Any) -> None:
    """Raise for what is not a module, has no parameters, or a batch that is empty or not finite."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    for path, module in clean_modules(model):
        if isinstance(module, torch.jit.ScriptModule):
            own = [name for name, _ in module.named_parameters()]
            name = ".".join(filter(None, [path, *own[:1]]))
            raise ValueError(f"parameter {name!r}: {SCRIPTED}" if own else f"module {path!r}: {SCRIPTED}")
    if next(model.parameters(), None) is None:
        raise ValueError("model has no parameters")
    if any(parameter.is_meta for parameter in model.parameters()):
        raise ValueError("model is on the meta device: its parameters have no values")
    items = list(batch.values()) if isinstance(batch, Mapping) else batch
    tensors = [
        item for item in (items if isinstance(items, (tuple, list)) else [items]) if isinstance(item, Tensor)
    ]
    if not tensors:
        raise TypeError(f"batch must be a tensor, or a tuple or mapping of some, not {type(batch).__name__}")
    for tensor in tensors:
        if not tensor.numel():
            raise ValueError(f"batch must not be empty, got shape {tuple(tensor.shape)}")
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError("batch must be finite")


def _prepared(item: Any) -> Any:
    """A copy that the model may write to, and through which a gradient flows even if all parameters are frozen."""
    if not isinstance(item, Tensor):
        return item
    # Two copies: one to hold the gradient, and one, no leaf, that may be written to.
    item = item.detach().clone()
    if torch.is_grad_enabled() and item.is_floating_point():
        item.requires_grad_()
    return item.clone()


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Buffers and random generators are afterwards what they were before, whatever happens within; inference mode is off
    within, as it knows no gradients."""
    devices = {tensor.device.index or 0 for tensor in model.parameters() if tensor.is_cuda}
    buffers = [(_private.buffers(module), dict(_private.buffers(module))) for module in model.modules()]
    copies = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=sorted(devices)), torch.inference_mode(False):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        with torch.no_grad():
            for table, kept in buffers:
                table.clear()
                table.update(kept)
            for buffer, copy in copies:
                if not torch.equal(buffer, copy):
                    buffer.copy_(copy)


@contextmanager
def hooked(
    hooks: Mapping[nn.Module, Callable[..., Any]], before: Mapping[nn.Module, Callable[..., Any]]
) -> Iterator[None]:
    """Forward hooks and forward pre-hooks, removed at the end; they get arguments and keywords."""
    with ExitStack() as stack:
        for module, hook in before.items():
            handle = module.register_forward_pre_hook(hook, with_kwargs=True)
            stack.callback(handle.remove)
        for module, hook in hooks.items():
            handle = module.register_forward_hook(hook, with_kwargs=True)
            stack.callback(handle.remove)
        yield
