"""A torch module that is a chain of linear layers: what the theory expects of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ...propagation.layer import Expected
from ...propagation.probe import expected_layers
from ...schemes.activations import as_activation
from ..activations import of_module
from .observe import LayerWeight


def expected(model: nn.Module, batch: Any, known: Mapping[str, LayerWeight]) -> list[Expected | None]:
    """The theory's word on a chain of linear layers with one activation between them, of its own variances; else []."""
    if not isinstance(model, nn.Sequential) or not isinstance(batch, Tensor) or batch.dim() != 2:
        return []
    layers = [module for module in model.modules() if not isinstance(module, nn.Sequential)]
    between = layers[1::2][: len(known) - 1]
    found = [of_module(module) for module in between]
    if not all(isinstance(module, nn.Linear) for module in layers[::2]) or len(layers[::2]) != len(known):
        return []
    if not found or found[0] is None or any(other != found[0] for other in found):
        return []
    tensors = [weight.tensor.double() for weight in known.values()]
    if any(abs(float(w.mean())) > 5 * float(w.std(correction=0)) / w.numel() ** 0.5 for w in tensors):
        return []
    variances = [float(w.var(correction=0)) * w.shape[1] for w in tensors]
    biases = [0.0 if w.bias is None else float(w.bias.double().square().mean()) for w in known.values()]
    widths = [tensors[0].shape[1], *(w.shape[0] for w in tensors)]
    f = as_activation(found[0].function, found[0].param)
    return expected_layers(widths, f, variances, biases, batch.detach().double().cpu().numpy())
