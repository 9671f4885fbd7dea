"""What torch's classes of modules say of their parameters: the role of each, and how to count its fans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ..dtypes import name_of
from ..plans.model import TensorSpec
from ..plans.roles import WEIGHTS, adds_one, with_roles
from ._private import _ConvNd, _ConvTransposeNd, _NormBase, plain_class
from .parametrised import computed_weights

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_GATES = {"LSTM": 4, "LSTMCell": 4, "GRU": 3, "GRUCell": 3}
_FUSED = re.compile(r"qkv|c_attn|query_key_value|in_proj", re.IGNORECASE)


def is_norm(module: nn.Module) -> bool:
    owner = plain_class(module)
    if owner.__module__.startswith(
        "torch.nn.utils"
    ):  # weight norm and spectral norm, which normalise no signal
        return False
    return isinstance(module, _NORMS) or "norm" in owner.__name__.lower()


def has_children(module: nn.Module) -> bool:
    """Whether it owns modules, except those that compute its weights."""
    return any(name != "parametrizations" for name, _ in module.named_children())


def is_layer(module: nn.Module) -> bool:
    """Whether the module itself multiplies by a weight."""
    own: dict[str, Tensor] = {
        local: tensor
        for local, tensor in module.named_parameters(recurse=False, remove_duplicate=False)
        if not isinstance(tensor, nn.UninitializedParameter)
    }
    own |= {weight.name: weight.like for weight in computed_weights(module)}
    return any(spec.role in WEIGHTS for spec in described("", module, own).values())


def described(path: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, TensorSpec]:
    """What is known of a module's own tensors, by their names in the whole model: by its class, or else by names.

    >>> specs = described("fc", nn.Linear(8, 4), {"weight": nn.Parameter(), "bias": nn.Parameter()})
    >>> [(name, spec.role) for name, spec in specs.items()]
    [('fc.weight', 'weight'), ('fc.bias', 'bias')]
    """
    owner = plain_class(module)
    specs = {}
    for local, tensor in tensors.items():
        role, geometry = _of_class(path, module, local, tensor)
        padding = module.padding_idx if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) else None
        dtype = name_of(tensor.dtype)
        name = f"{path}.{local}" if path else local
        specs[name] = TensorSpec(tuple(tensor.shape), dtype, owner.__name__, geometry, role, padding)
    specs = with_roles(specs)
    for name, spec in specs.items():
        local = name.rpartition(".")[2]
        if spec.role == "norm" and adds_one(owner, local):
            specs[name] = replace(spec, role="norm_plus_one")
        elif spec.role == "weight" and len(spec.shape) == 2 and "layout" not in spec.geometry:
            fused = local if isinstance(module, nn.MultiheadAttention) else path
            specs[name] = replace(spec, geometry={**spec.geometry, **_packed(fused, *spec.shape)})
    return specs


def _of_class(path: str, module: nn.Module, local: str, tensor: Tensor) -> tuple[str, dict[str, Any]]:
    """The role that the class of a module gives a tensor, or "", and what it says of the tensor's axes."""
    kind = plain_class(module).__name__
    weight = "weight" in local
    if isinstance(module, _NORMS):
        return {"weight": "norm", "bias": "bias"}.get(local, ""), {}
    if isinstance(module, nn.PReLU):
        return "slope" if weight else "", {}
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding" if weight else "", {}
    if isinstance(module, (_ConvNd, nn.Linear, nn.Bilinear, nn.MultiheadAttention)) and "bias" in local:
        return "bias", {}
    if isinstance(module, _ConvNd) and weight:
        geometry: dict[str, Any] = {"groups": module.groups, "stride": tuple(module.stride)}
        if isinstance(module, _ConvTransposeNd):
            geometry["transposed"] = True
        return "conv", geometry
    if isinstance(module, nn.Bilinear) and weight:  # fan_in is the product of both inputs
        return "weight", {"layout": "oik"}
    if isinstance(module, (nn.Linear, nn.MultiheadAttention)) and weight:
        return "weight", {}
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        if "bias" in local:
            return "bias", {}
        gates = _GATES.get(kind if kind in _GATES else getattr(module, "mode", kind), 1)
        if local.startswith("weight_hr"):  # the projection of an LSTM's state
            return "weight", {}
        packed = {"packed": gates} if gates > 1 else {}
        return ("recurrent" if local.startswith("weight_hh") else "weight"), packed
    if kind == "Conv1D" and local == "weight":  # transformers': a Linear whose weight is (in, out)
        n_in, n_out = tensor.shape
        return "weight", {"layout": "io", **_packed(path, n_out, n_in)}
    transposed = getattr(module, "is_transposed", None)  # transformers' experts, which are stacked
    if isinstance(transposed, bool) and local.endswith("_proj") and tensor.dim() == 3:
        gated = {"packed": 2} if local == "gate_up_proj" else {}
        return "weight", {"layout": "bio" if transposed else "boi", **gated}
    return "", {}


def _packed(name: str, n_out: int, n_in: int) -> dict[str, Any]:
    """Query, key and value side by side, if the name and the shape both say so."""
    return {"packed": 3} if n_out == 3 * n_in and _FUSED.search(name.rpartition(".")[2]) else {}
