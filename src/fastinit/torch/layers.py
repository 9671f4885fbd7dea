"""What is known of torch's modules: the names of their parameters, the role of each, and how to count its fans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..plans.make import Choice

# Modules that stand around another one, which they keep under this name.
AROUND = {"_orig_mod": (), "_checkpoint_wrapped_module": (), "_fsdp_wrapped_module": (),
           "module": ("DataParallel", "DistributedDataParallel", "FullyShardedDataParallel", "AveragedModel")}  # fmt: skip
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_GATES = {"LSTM": 4, "LSTMCell": 4, "GRU": 3, "GRUCell": 3}
_FUSED = re.compile(r"qkv|c_attn|query_key_value|in_proj", re.IGNORECASE)
# What the roles that are no weights get.
FIXED = {
    "bias": Choice("zeros", {}, "a bias"),
    "norm": Choice("ones", {}, "a norm's scale"),
    "prelu": Choice("constant", {"value": 0.25}, "PReLU's slope"),
    "embedding": Choice("normal", {"std": 1.0}, "an embedding"),
}


@dataclass(frozen=True)
class Slot:
    """A parameter and the module that owns it.

    ``role`` is weight, recurrent (state to state), embedding, bias, norm (a scale), prelu, output (an embedding that is also the weight of another layer), or
    "" where it is not known.
    """

    name: str
    tensor: Tensor
    module: nn.Module
    role: str
    geometry: Mapping[str, Any] = field(default_factory=dict)
    padding: int | None = None  # the row of an embedding that is zero


def clean_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """All modules in torch's order by the names that they have without wrappers; shared ones under each of their names."""
    stack = [("", model)]
    while stack:
        path, module = stack.pop()
        yield path, module
        for name, child in reversed(list(module._modules.items())):
            if child is not None:
                inside = name in AROUND and (not AROUND[name] or type(module).__name__ in AROUND[name])
                stack.append((path if inside else f"{path}.{name}" if path else name, child))


def unwrapped(model: nn.Module) -> nn.Module:
    """The model within its wrappers."""
    return [module for path, module in clean_modules(model) if path == ""][-1]


def slots(model: nn.Module) -> Iterator[Slot]:
    """The parameters in torch's order, tied ones under each of their names."""
    for path, module in clean_modules(model):
        for local, tensor in module._parameters.items():
            if isinstance(tensor, nn.UninitializedParameter):
                raise ValueError(
                    f"parameter {local!r} of {path!r} has no shape yet: run the lazy module once"
                )
            if tensor is not None:
                role, geometry = known(path, module, local, tensor)
                padding = module.padding_idx if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) else None
                yield Slot(f"{path}.{local}" if path else local, tensor, module, role, geometry, padding)


def is_norm(module: nn.Module) -> bool:
    return isinstance(module, _NORMS) or "norm" in type(module).__name__.lower()


def is_layer(module: nn.Module) -> bool:
    """Whether the module itself multiplies by a weight."""
    return any(
        tensor is not None and known("", module, local, tensor)[0] in ("weight", "recurrent")
        for local, tensor in module._parameters.items()
    )


def known(path: str, module: nn.Module, local: str, tensor: Tensor) -> tuple[str, dict[str, Any]]:
    kind = type(module).__name__
    if kind == "ParametrizationList":
        return "", {}
    if "bias" in local and (tensor.dim() == 1 or isinstance(module, nn.MultiheadAttention)):
        return "bias", {}
    if is_norm(module):
        return ("norm" if tensor.dim() <= 1 else ""), {}
    if isinstance(module, nn.PReLU):
        return "prelu", {}
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return "embedding", {}
    if isinstance(module, _ConvNd):
        geometry: dict[str, Any] = {"groups": module.groups, "stride": tuple(module.stride)}
        if isinstance(module, _ConvTransposeNd):
            geometry["transposed"] = True
        return "weight", geometry
    if isinstance(module, nn.Bilinear):  # fan_in is the product of both inputs
        return "weight", {"layout": "oik"}
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        gates = _GATES.get(kind if kind in _GATES else getattr(module, "mode", kind), 1)
        if local.startswith("weight_hr"):  # the projection of an LSTM's state
            return "weight", {}
        packed = {"packed": gates} if gates > 1 else {}
        return ("recurrent" if local.startswith("weight_hh") else "weight"), packed
    if kind == "Conv1D" and local == "weight":  # transformers': a Linear whose weight is (in, out)
        n_in, n_out = tensor.shape
        return "weight", {"layout": "io", **_packed(path, n_out, n_in)}
    if tensor.dim() == 2:
        n_out, n_in = tensor.shape
        fused = local if isinstance(module, nn.MultiheadAttention) else path
        return "weight", _packed(fused, n_out, n_in)
    return "", {}


def _packed(name: str, n_out: int, n_in: int) -> dict[str, Any]:
    """Query, key and value side by side, where the name and the shape both say so."""
    return {"packed": 3} if n_out == 3 * n_in and _FUSED.search(name.rpartition(".")[2]) else {}
