"""Gains from data: each layer's weights scaled until its output has unit variance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...drawing.fill import fill
from ...drawing.streams import Seed, resolve_seed
from ...propagation.calibrate import unit_variance_factor
from ...schemes.resolve import heeded, resolve
from .._private import _ConvNd
from ..parametrised import computed_weights
from ..survey import unwrapped
from .observe import LayerWeight, call, check, check_real, first_tensor, hooked, untouched, weights


def calibrate(
    model: nn.Module, batch: Any, scheme: str | None = "orthogonal", *, seed: Seed = 0, **numbers: Any
) -> dict[str, float]:
    """Scale each linear and convolutional layer's weights so that its output has unit variance on a batch.

    One pass forward: a layer is scaled when its input arrives, with all layers before it scaled already. With
    orthogonal weights, the default, this is LSUV (Mishkin and Matas 2016, https://arxiv.org/abs/1511.06422). Biases,
    buffers and random generators stay as they are, and all weights too where something is raised.

    Parameters
    ----------
    model, batch
        As `probe` takes them.
    scheme, numbers, seed
        What is drawn into the weights first, each from the stream of its own name; None keeps the weights there are:
        only their gains come from the data.

    Returns
    -------
    dict
        Name of the layer -> factor on its weights. A layer that is called again keeps the factor of its first call; layers
        that are not called, whose weight is also an embedding's or is parametrised are left out.

    Raises
    ------
    TypeError, ValueError
        for a model without such layers, and a layer whose output does not vary, or varies by more than 1 only
        through its bias; and whatever the model raises.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 10))
    >>> factors = calibrate(net, torch.randn(128, 32))
    >>> list(factors)
    ['0', '2']
    """
    check(model, batch)
    model = unwrapped(model)
    with untouched(model):
        layers = {name: weight for name, weight in weights(model).items() if _is_affine(weight)}
    lookups = {id(m.weight) for m in model.modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag))}
    layers = {name: weight for name, weight in layers.items() if id(weight.module.weight) not in lookups}
    check_real(layers, layers)
    if not layers:
        raise ValueError("model has no linear or convolutional layer to calibrate")
    seed = resolve_seed(seed)
    laws = {}
    if scheme is not None:
        for name, weight in layers.items():
            known = heeded(scheme, weight.geometry)
            laws[name] = resolve(scheme, tuple(weight.tensor.shape), {**known, **numbers})
    elif numbers:
        raise TypeError(f"numbers belong to a scheme, got {', '.join(numbers)}")
    before = {name: weight.tensor.clone() for name, weight in layers.items()}
    factors: dict[str, float] = {}
    done: set[int] = set()

    def scaled(name: str, weight: LayerWeight) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
            tensor = weight.tensor
            if tensor.data_ptr() in done:
                return output
            done.add(tensor.data_ptr())
            factors[name] = _factor(weight, first_tensor(output, f"module {name!r}"))
            tensor.mul_(factors[name])
            return module.forward(*args, **kwargs)

        return hook

    try:
        with untouched(model), torch.no_grad():
            for name, law in laws.items():
                tensor = layers[name].tensor
                values = np.empty(tuple(tensor.shape), np.float32)
                fill(values, law, seed=seed, name=f"{name}.{layers[name].parameter}")
                tensor.copy_(torch.from_numpy(values))
            with hooked({weight.module: scaled(name, weight) for name, weight in layers.items()}, {}):
                call(model, batch)
    except BaseException:
        for name, tensor in before.items():
            layers[name].tensor.copy_(tensor)
        raise
    return factors


def _is_affine(weight: LayerWeight) -> bool:
    """Whether the output is W x + b."""
    affine = (
        isinstance(weight.module, (nn.Linear, nn.Bilinear, _ConvNd))
        or type(weight.module).__name__ == "Conv1D"
    )
    return affine and not computed_weights(weight.module)


def _factor(weight: LayerWeight, output: Tensor | None) -> float:
    if output is None:
        raise ValueError(f"layer {weight.name!r} cannot be calibrated: it puts out no floats")
    h = weight.units_last(output).double().cpu().numpy()
    bias = np.zeros(h.shape[1]) if weight.bias is None else weight.bias.double().cpu().numpy()
    return unit_variance_factor(weight.name, h - bias, np.broadcast_to(bias, h.shape))
