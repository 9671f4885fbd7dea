"""A torch module measured on one batch: what arrives at each layer, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...arguments import instance, integer
from ...drawing.fill import fill
from ...drawing.streams import Seed, resolve_seed
from ...propagation.layer import Layer
from ...propagation.measurement import ProbeReport, cosine_and_rank, count_copies
from ...propagation.probe import keeping_variance
from ...propagation.slopes import flat_slope, slope
from ...schemes import activations
from ...schemes.resolve import distribution
from .._private import is_view
from ..activations import ActivationCall, of_module
from ..layers import is_norm
from ..survey import clean_modules, unwrapped
from . import chain
from .inputs import inputs_of, samples_of
from .observe import LayerWeight, call, check, check_real, first_tensor, hooked, untouched, weights
from .rows import Activations, Before, Record, Row


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
    comes last, with its weight only.

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
        for a model without parameters, weights or batch that are not finite, an empty batch, unknown names of modules, layers
        with complex weights or outputs, or a loss that is not a real scalar; and whatever the model raises. ``modules``
        without the complex ones, and a ``loss`` that makes real numbers of a complex output, leave them out.

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
    record = Record()
    with untouched(model), torch.enable_grad():
        known = weights(model)
        chosen = _chosen(model, known, modules)
        output = _forward(model, batch, record, chosen, known)
        value = _backward(record, output, loss, seed)
    ran = {row.name for row in record.rows}
    record.rows += [Row(name, known.get(name)) for name in chosen if name not in ran]
    layers = _layers(record.rows)
    plain = modules is None and len(record.rows) == len(known)
    if plain and (expected := chain.expected(model, batch, known)):
        layers = tuple([replace(layer, expected=e) for layer, e in zip(layers, expected, strict=True)])
    return ProbeReport(
        type(model).__name__ if title is None else title, layers, value, classes, seed,
        samples_of(batch), inputs_of(batch), record.derives,
    )  # fmt: skip


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
    check_real(known, chosen)
    if not chosen:
        raise ValueError("model has no layer with a weight")
    return chosen


def _forward(
    model: nn.Module, batch: Any, record: Record, chosen: dict[str, nn.Module], known: dict[str, LayerWeight]
) -> Any:
    hooks: dict[nn.Module, Callable[..., Any]] = {}
    before: dict[nn.Module, Callable[..., Any]] = {}
    inputs: list[Before | None] = []

    def measured(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
            if isinstance(output, Tensor) and is_view(output):
                # Overwriting a view changes the graph behind it, and its edge would lead nowhere.
                output = output.clone()
            record.add(name, known.get(name), output)
            return output

        return hook

    def begin(module: nn.Module, args: Any, kwargs: Any) -> None:
        inputs.append(record.arrive(args[0]) if args else None)
        record.inside += 1

    def end(found: ActivationCall) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            record.inside -= 1
            values = inputs.pop()
            if not record.inside:
                record.activate(found, values, output)

        return hook

    def shifted(name: str, bias: Tensor) -> Callable[..., None]:
        return lambda module, args, kwargs, output: record.shift(name, bias)

    for name, module in clean_modules(model):
        bias = getattr(module, "bias", None)
        if is_norm(module) and isinstance(bias, Tensor):
            hooks[module] = shifted(name, bias)
    for module in model.modules():
        if module not in chosen.values() and (found := of_module(module)) is not None:
            before[module], hooks[module] = begin, end(found)
    hooks |= {module: measured(name) for name, module in chosen.items()}
    with hooked(hooks, before), Activations(record):
        return call(model, batch)


def _backward(record: Record, output: Any, loss: Callable[[Any], Tensor] | None, seed: Seed) -> float | None:
    """Gradients at all rows by one pass, which touches no parameter's; the loss."""
    value = None
    if loss is not None:
        target = loss(output)
        if not isinstance(target, Tensor) or target.numel() != 1:
            raise ValueError("loss must return a scalar tensor")
        if target.is_complex():
            raise TypeError(f"loss must return a real number, got {target.dtype}")
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
    rows = [row for row in record.rows if row.edge is not None and not record.derives]
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


def _layers(rows: list[Row]) -> tuple[Layer, ...]:
    norms = [row.norm for row in rows if row.norm is not None]
    last = norms[-1] if norms else 0.0
    statistics: dict[int, tuple[float | None, int | None, int | None]] = {}
    return tuple([_layer(row, last, len(rows), statistics) for row in rows])


def _layer(
    row: Row, last: float, depth: int, statistics: dict[int, tuple[float | None, int | None, int | None]]
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
    saturated = None
    unbiased, norm = None, ""
    if row.activation is not None and row.before_it is not None:
        saturated = _saturated(row.activation, row.before_it.values.numpy())
        unbiased, norm = _unbiased(row, row.activation, row.before_it.extremes)
    gradient = None if row.norm is None else row.norm / last if last else 0.0
    return Layer(
        row.name, shape, variance, target, row.mean, row.rms, gradient, saturated, row.dead, cosine, rank, full,
        copies, unbiased=unbiased, bias=norm,
    )  # fmt: skip


def _unbiased(row: Row, f: activations.Activation, extremes: Tensor | None) -> tuple[float | None, str]:
    """The share of units that would be dead without their bias, and the name of the norm that has it."""
    bias = row.shift if row.shift or not row.weight or row.weight.bias is None else ("", row.weight.bias)
    if bias is None or extremes is None or bias[1].shape != extremes.shape[1:]:
        return None, ""
    values = f.function((extremes - bias[1].to("cpu", torch.float64)).numpy())
    return float((values == 0).all(0).mean()), bias[0]


def _saturated(f: activations.Activation, h: np.ndarray[Any, Any]) -> float | None:
    limit = flat_slope(f)
    if limit is None:
        return None
    with np.errstate(all="ignore"):
        return float(((np.abs(slope(f, h)) < limit) & (f.function(h) != 0)).mean())
