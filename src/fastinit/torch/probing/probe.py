"""A torch module measured on one batch: what arrives at each layer, forward and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from ...arguments import instance, integer
from ...drawing.fill import fill
from ...drawing.streams import Seed, resolve_seed
from ...propagation.layer import Layer
from ...propagation.measurement import ProbeReport, cosine_and_rank, count_copies
from ...propagation.probe import keeping_variance
from ...propagation.slopes import flat_slope, slope
from ...schemes import activations
from ...schemes.resolve import distribution
from .._private import in_vmap, is_view
from ..activations import ActivationCall, of_function, of_module
from ..survey import clean_modules, unwrapped
from . import chain
from .observe import LayerWeight, call, check, first_tensor, hooked, untouched, weights

# Saturation is measured on no more values of a layer than these, evenly chosen.
_MOST_VALUES = 1 << 18


@dataclass
class _Row:
    """One call of a module, as it is seen on the way forward; `sums` on the way back."""

    name: str
    weight: LayerWeight | None
    shape: tuple[int, ...] = ()
    mean: float | None = None
    rms: float | None = None
    edge: GradientEdge | None = None
    before: activations.Activation | None = None
    activation: activations.Activation | None = None
    saturated: float | None = None
    dead: float | None = None
    norm: float | None = None
    sums: np.ndarray[Any, Any] | None = None


@dataclass
class _Record:
    """The rows so far, and whether an activation module is running, whose inner functions are no activations."""

    rows: list[_Row] = field(default_factory=list)
    inside: int = 0

    def add(self, name: str, weight: LayerWeight | None, output: Any) -> None:
        h = first_tensor(output)
        calls = 1 + sum(row.name == name or row.name.startswith(f"{name} (") for row in self.rows)
        row = _Row(name if calls == 1 else f"{name} ({calls})", weight)
        if self.rows:
            row.before = self.rows[-1].activation
        self.rows.append(row)
        if h is None or not h.numel():
            return
        _check_readable(h)
        values = h.detach()
        row.shape = tuple(values.shape)
        row.mean = float(values.mean(dtype=torch.float64))
        norm = float(torch.linalg.vector_norm(values, dtype=torch.float64))
        row.rms = norm / math.sqrt(values.numel())
        if h.requires_grad:
            # The edge stays that of h when an activation overwrites h in place.
            row.edge = get_gradient_edge(h)

    def activate(self, found: ActivationCall, values: Tensor | None, output: Any) -> None:
        """An activation after the last layer: only the first one counts."""
        row = self.rows[-1] if self.rows else None
        if row is None or row.activation is not None or row.weight is None or not isinstance(output, Tensor):
            return
        if not output.shape or output.shape[:1] != row.shape[:1]:  # of something else than this batch
            return
        row.activation = f = activations.as_activation(found.function, found.param)
        on = output.detach() != 0
        same = on.dim() == len(row.shape)
        on = row.weight.units_last(on) if same else on.reshape(-1, on.shape[-1])
        row.dead = 1 - float(on.any(dim=0).double().mean())
        limit = flat_slope(f)
        if limit is not None and values is not None:
            h = values.numpy()
            with np.errstate(all="ignore"):
                row.saturated = float(((np.abs(slope(f, h)) < limit) & (f.function(h) != 0)).mean())


class _Activations(TorchFunctionMode):
    """Sees activations that are called as functions."""

    def __init__(self, record: _Record) -> None:
        super().__init__()
        self.record = record

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        found = None
        if not self.record.inside and args and isinstance(args[0], Tensor):
            found = of_function(func, keywords, args[1:])
        if found is None:
            return func(*args, **keywords)
        values = _sample(args[0])  # before the function may overwrite them
        output = func(*args, **keywords)
        self.record.activate(found, values, output)
        return output


def probe(
    model: nn.Module,
    batch: Any,
    loss: Callable[[Any], Tensor] | None = None,
    *,
    classes: int | None = None,
    modules: Iterable[str] | None = None,
    title: str | None = None,
    seed: Seed = 0,
) -> ProbeReport:
    """Run a module on a batch, forward and back, and measure every layer that has a weight, in the order of the calls.

    The model, its gradients, buffers, modes, hooks and all random generators are afterwards what they were before, also
    when the model raises. A module that is called more than once has a row for each call; one that is not called
    comes last, with its weight alone.

    Parameters
    ----------
    model
        Run as it is, in training or evaluation mode. Wrappers (torch.compile, data parallel) are left out.
    batch
        A tensor, a tuple of arguments, or a mapping of keywords.
    loss
        From the model's output to a scalar. Without it, the gradient at the output is standard normal, drawn from
        ``seed``.
    classes
        The number of classes: the loss is then held against ln(classes).
    modules
        Names of the modules to measure instead: blocks, for instance, whose outputs are the residual stream.
    title
        The report's title; the model's class by default.

    Raises
    ------
    TypeError, ValueError
        for a model without parameters, weights or batch that are not finite, an empty batch, unknown names of modules, or a
        loss that is no scalar; and whatever the model raises.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    >>> report = probe(net, torch.ones(8, 64))
    >>> [(layer.name, layer.shape) for layer in report.layers]
    [('0', (64, 64)), ('2', (10, 64))]
    """
    check(model, batch)
    model = unwrapped(model)
    for argument, given, kind in (
        ("loss", loss, Callable),
        ("modules", modules, Iterable),
        ("title", title, str),
    ):
        if given is not None:
            instance(argument, given, kind)
    if classes is not None and integer("classes", classes) < 2:
        raise ValueError(f"classes must be at least 2, got {classes!r}")
    seed = resolve_seed(seed)
    record = _Record()
    with untouched(model), torch.enable_grad():
        known = weights(model)
        chosen = _chosen(model, known, modules)
        output = _forward(model, batch, record, chosen, known)
        value = _backward(record, output, loss, seed)
    ran = {row.name for row in record.rows}
    record.rows += [_Row(name, known.get(name)) for name in chosen if name not in ran]
    layers = _layers(record.rows)
    plain = modules is None and len(record.rows) == len(known)
    if plain and (expected := chain.expected(model, batch, known)):
        layers = tuple([replace(layer, expected=e) for layer, e in zip(layers, expected, strict=True)])
    return ProbeReport(type(model).__name__ if title is None else title, layers, value, classes, seed)


def _chosen(
    model: nn.Module, known: dict[str, LayerWeight], modules: Iterable[str] | None
) -> dict[str, nn.Module]:
    """The modules to measure, by name."""
    for weight in known.values():
        if not bool(torch.isfinite(weight.tensor).all()):
            raise ValueError(f"the weight of {weight.name!r} is not finite")
    if modules is None:
        chosen = {name: weight.module for name, weight in known.items()}
    else:
        named = dict(clean_modules(model))
        for name in (names := list(modules)):
            if name not in named:
                raise ValueError(f"modules must be names of the model's modules, got {name!r}")
        chosen = {name: named[name] for name in names}
    if not chosen:
        raise ValueError("model has no layer with a weight")
    return chosen


def _forward(
    model: nn.Module, batch: Any, record: _Record, chosen: dict[str, nn.Module], known: dict[str, LayerWeight]
) -> Any:
    hooks: dict[nn.Module, Callable[..., Any]] = {}
    before: dict[nn.Module, Callable[..., Any]] = {}
    inputs: list[Tensor | None] = []

    def measured(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
            if isinstance(output, Tensor) and is_view(output):
                # Overwriting a view changes the graph behind it, and its edge would lead nowhere.
                output = output.clone()
            record.add(name, known.get(name), output)
            return output

        return hook

    def begin(module: nn.Module, args: Any, kwargs: Any) -> None:
        inputs.append(_sample(args[0]) if args and isinstance(args[0], Tensor) else None)
        record.inside += 1

    def end(found: ActivationCall) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            record.inside -= 1
            values = inputs.pop()
            if not record.inside:
                record.activate(found, values, output)

        return hook

    for module in model.modules():
        if module not in chosen.values() and (found := of_module(module)) is not None:
            before[module], hooks[module] = begin, end(found)
    hooks |= {module: measured(name) for name, module in chosen.items()}
    with hooked(hooks, before), _Activations(record):
        return call(model, batch)


def _backward(record: _Record, output: Any, loss: Callable[[Any], Tensor] | None, seed: Seed) -> float | None:
    """Gradients at all rows by one pass, which touches no parameter's; the loss."""
    value = None
    if loss is not None:
        target = loss(output)
        if not isinstance(target, Tensor) or target.numel() != 1:
            raise ValueError("loss must return a scalar tensor")
        value = float(target.detach())
        upstream = torch.ones_like(target)
    else:
        found = first_tensor(output)
        if found is None:
            raise TypeError(
                f"model must put out a tensor of floats, or give loss; got {type(output).__name__}"
            )
        target = found
        drawn = np.empty(tuple(target.shape), np.float32)
        fill(drawn, distribution("normal", drawn.shape), seed=seed, name="gradient")
        upstream = torch.from_numpy(drawn).to(target.device, target.dtype)
    rows = [row for row in record.rows if row.edge is not None]
    if not rows or not target.requires_grad:
        return value
    edges = [row.edge for row in rows if row.edge is not None]
    gradients = torch.autograd.grad(target, edges, upstream, allow_unused=True)
    for row, gradient in zip(rows, gradients, strict=True):
        if gradient is None:
            row.norm = 0.0
            continue
        row.norm = float(torch.linalg.vector_norm(gradient, dtype=torch.float64))
        if row.weight is not None:
            columns = row.weight.units_last(gradient)
            sums = torch.stack(
                [columns.sum(0, dtype=torch.float64), columns.abs().sum(0, dtype=torch.float64)], 1
            )
            row.sums = sums.cpu().numpy()
    return value


def _layers(rows: list[_Row]) -> tuple[Layer, ...]:
    norms = [row.norm for row in rows if row.norm is not None]
    last = norms[-1] if norms else 0.0
    statistics: dict[int, tuple[float | None, int | None, int | None]] = {}
    return tuple([_layer(row, last, len(rows), statistics) for row in rows])


def _layer(
    row: _Row, last: float, depth: int, statistics: dict[int, tuple[float | None, int | None, int | None]]
) -> Layer:
    weight, shape = row.weight, row.shape
    variance, target, copies = None, None, None
    cosine, rank, full = None, None, None
    if weight is not None:
        shape = tuple(weight.tensor.shape)
        variance = float(weight.tensor.double().var(correction=0)) * weight.fan_in
        f = row.before or row.activation
        target = None if f is None or weight.role == "embedding" else keeping_variance(f, depth)
        if weight.role != "embedding":
            matrix = weight.matrix()
            if id(weight) not in statistics:
                statistics[id(weight)] = cosine_and_rank(matrix)
            cosine, rank, full = statistics[id(weight)]
            if row.sums is not None and len(row.sums) == len(matrix):
                bias = None if weight.bias is None else weight.bias.double().cpu().numpy()
                copies = count_copies(matrix, bias, row.sums)
    gradient = None if row.norm is None else row.norm / last if last else 0.0
    return Layer(
        row.name, shape, variance, target, row.mean, row.rms, gradient, row.saturated, row.dead, cosine, rank, full,
        copies,
    )  # fmt: skip


def _check_readable(tensor: Tensor) -> None:
    if in_vmap(tensor):
        raise ValueError("the model calls torch.vmap on its layers, inside which their values cannot be read")


def _sample(tensor: Tensor) -> Tensor:
    """At most so many of the values, evenly chosen, as they are now."""
    _check_readable(tensor)
    flat = tensor.detach().reshape(-1)
    step = -(-flat.numel() // _MOST_VALUES) or 1
    return flat[::step].to("cpu", torch.float64, copy=True)
