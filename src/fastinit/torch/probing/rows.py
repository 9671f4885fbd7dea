"""What a probe sees on the way forward: a row for each call of a layer, and the activation behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from ...schemes import activations
from .._private import in_forward_mode, within_transforms
from ..activations import ActivationCall, of_function
from .observe import LayerWeight, first_tensor

# Saturation is measured on no more values of a layer than these, evenly chosen.
_MOST_VALUES = 1 << 18


class Before(NamedTuple):
    """What arrives at an activation: some of the values, and each unit's least and largest."""

    values: Tensor
    extremes: Tensor | None


_DERIVATIVES = (torch.autograd.grad, torch.autograd.backward, Tensor.backward)


@dataclass
class Row:
    """One call of a module, as it is seen on the way forward; `sums` on the way back."""

    name: str
    weight: LayerWeight | None
    shape: tuple[int, ...] = ()
    mean: float | None = None
    rms: float | None = None
    edge: GradientEdge | None = None
    before: activations.Activation | None = None
    activation: activations.Activation | None = None
    before_it: Before | None = None
    dead: float | None = None
    shift: tuple[str, Tensor] | None = None
    norm: float | None = None
    sums: np.ndarray[Any, Any] | None = None


@dataclass
class Record:
    """The rows so far, whether an activation module is running, whose inner functions are not activations, and whether the
    model takes derivatives by itself."""

    rows: list[Row] = field(default_factory=list)
    inside: int = 0
    derives: bool = False

    def add(self, name: str, weight: LayerWeight | None, output: Any) -> None:
        h = first_tensor(output, f"module {name!r}")
        calls = 1 + sum(row.name == name or row.name.startswith(f"{name} (") for row in self.rows)
        row = Row(name if calls == 1 else f"{name} ({calls})", weight)
        if self.rows:
            row.before = self.rows[-1].activation
        self.rows.append(row)
        if h is None or not h.numel():
            return
        self.derives |= in_forward_mode() or within_transforms(h)[2]
        values = readable(h)
        row.shape = tuple(values.shape)
        row.mean = float(values.mean(dtype=torch.float64))
        norm = float(torch.linalg.vector_norm(values, dtype=torch.float64))
        row.rms = norm / math.sqrt(values.numel())
        if h.requires_grad and not self.derives:
            # The edge stays that of h when an activation overwrites h in place.
            row.edge = get_gradient_edge(h)

    def shift(self, name: str, bias: Tensor) -> None:
        """A norm after the last layer, whose bias takes the place of the layer's own."""
        if self.rows and self.rows[-1].activation is None:
            self.rows[-1].shift = name, bias.detach()

    def arrive(self, tensor: Any) -> Before | None:
        """What an activation is about to be called with, and may overwrite."""
        if not isinstance(tensor, Tensor):
            return None
        units, extremes = self._units(tensor), None
        if units is not None and len(units):
            extremes = readable(torch.stack([units.amin(0), units.amax(0)]).to("cpu", torch.float64))
        return Before(sample(tensor), extremes)

    def activate(self, found: ActivationCall, before: Before | None, output: Any) -> None:
        """An activation after the last layer: only the first one counts."""
        on = self._units(output)
        if on is not None:
            row = self.rows[-1]
            row.activation = activations.as_activation(found.function, found.param)
            row.before_it = before
            row.dead = 1 - float((on != 0).any(dim=0).double().mean())

    def _units(self, tensor: Any) -> Tensor | None:
        """The values as (samples, units), if they may belong to the activation of the last layer."""
        row = self.rows[-1] if self.rows else None
        if row is None or row.activation is not None or row.weight is None or not isinstance(tensor, Tensor):
            return None
        if not tensor.shape or tensor.shape[:1] != row.shape[:1]:  # of something else than this batch
            return None
        values = readable(tensor)
        same = values.dim() == len(row.shape)
        return row.weight.units_last(values) if same else values.reshape(-1, values.shape[-1])


class Activations(TorchFunctionMode):
    """Sees activations that are called as functions, and derivatives."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        self.record.derives |= func in _DERIVATIVES
        found = None
        if not self.record.inside and args and isinstance(args[0], Tensor):
            found = of_function(func, keywords, args[1:])
        if found is None:
            return func(*args, **keywords)
        before = self.record.arrive(args[0])
        output = func(*args, **keywords)
        self.record.activate(found, before, output)
        return output


def readable(tensor: Tensor) -> Tensor:
    """The values, without their history."""
    values, batched, _ = within_transforms(tensor.detach())  # which wraps it, within transforms
    if batched:
        raise ValueError("the model calls torch.vmap on its layers, inside which their values cannot be read")
    return values


def sample(tensor: Tensor) -> Tensor:
    """At most so many of the values, evenly chosen, as they are now."""
    flat = readable(tensor).reshape(-1)
    step = -(-flat.numel() // _MOST_VALUES) or 1
    return readable(flat[::step].to("cpu", torch.float64, copy=True))
