"""What of torch and transformers is in use and not public, on one shelf: why, and what happens when it is gone.

A name that is imported here and gone is an ImportError of `fastinit.torch`; a test looks for all of them in the oldest torch
that is allowed. What may be missing without harm is asked for by a function, which says what stands in for it.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

# Fake tensors have a shape and no values; the drop-in draws nothing into them, as torch does not. There is no public name.
from torch._subclasses.fake_tensor import FakeTensor as FakeTensor

# Private in torch too, but imported by much code elsewhere, so that the drop-in has them.
from torch.nn.init import _calculate_correct_fan as _calculate_correct_fan
from torch.nn.init import _calculate_fan_in_and_fan_out as _calculate_fan_in_and_fan_out
from torch.nn.init import _no_grad_fill_ as _no_grad_fill_
from torch.nn.init import _no_grad_zero_ as _no_grad_zero_

if TYPE_CHECKING:  # the names of fans and activations, only for type checkers
    from torch.nn.init import _FanMode as _FanMode
    from torch.nn.init import _NonlinearityType as _NonlinearityType

# The bases of torch's own classes and of others that have no public base: without them, a user's own subclass of
# such a base would be known only by its name.
from torch.nn.modules.batchnorm import _NormBase as _NormBase
from torch.nn.modules.conv import _ConvNd as _ConvNd
from torch.nn.modules.conv import _ConvTransposeNd as _ConvTransposeNd

# The hooks of the older kind of weight norm and of spectral norm. A function has the name of their module in `torch.nn.utils`.
from torch.nn.utils.spectral_norm import SpectralNorm as SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm as WeightNorm

# The one way to see each operation on tensors of a thread, and to walk its arguments; used by `record`. torch documents
# both for extensions, without a promise.
from torch.utils._python_dispatch import TorchDispatchMode as TorchDispatchMode
from torch.utils._pytree import tree_leaves as tree_leaves
from torch.utils._pytree import tree_map_only as tree_map_only

# A class that has its own `__torch_dispatch__` need not hold its values where its address says.
NO_DISPATCH = Tensor.__torch_dispatch__  # pyright: ignore[reportAttributeAccessIssue]


# torch gives a module another class, made for it, that has its own as the last base: fully_shard, replicate, parametrize.
_MADE = ("FSDP", "DDP", "Replicate", "Parametrized")


def plain_class(module: nn.Module) -> Any:
    """The class that a module had before torch exchanged it. A prefix that torch renames leaves the exchanged class: its name
    is then another one, and its bases tell what it is."""
    made: Any = type(module)
    while len(made.__bases__) and made.__name__ in [prefix + made.__bases__[-1].__name__ for prefix in _MADE]:
        made = made.__bases__[-1]
    return made


# The tables of a module's hooks, which tracing empties for a while: a hook on proxies may do anything.
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def pre_hooks(module: nn.Module) -> list[Any]:
    """What runs before a module's forward pass: weight norm and spectral norm of the older kind are found there only."""
    return list(getattr(module, "_forward_pre_hooks", {}).values())


def children(module: nn.Module) -> dict[str, nn.Module]:
    """The modules that a module owns, by name, a shared one under each of its names. `named_children` gives it once,
    and `named_modules` runs for ever in a module that owns its parent."""
    return {name: child for name, child in module._modules.items() if child is not None}


def parameters(module: nn.Module) -> MutableMapping[str, nn.Parameter | None]:
    """A module's own table of parameters, a shared one under each of its names. `named_parameters` gives it once."""
    return module._parameters


def buffers(module: nn.Module) -> MutableMapping[str, Tensor | None]:
    """A module's own table of buffers, to be put back as it was: forward may register others, or exchange them."""
    return module._buffers


def is_persistent(module: nn.Module, buffer: str) -> bool:
    """Whether a module's buffer is saved. The public way, `state_dict`, runs hooks that rename."""
    return buffer not in getattr(module, "_non_persistent_buffers_set", ())


def computed_by(tensor: Tensor) -> str:
    """The operation that computes a tensor, or "" for one that is a leaf of autograd, or a view of one. `_base` has no public
    name; without it a part of a parameter would pass for a computed tensor."""
    base = tensor._base if is_view(tensor) and tensor._base is not None else tensor
    return type(base.grad_fn).__name__.removesuffix("0") if base.grad_fn is not None else ""


def is_view(tensor: Tensor) -> bool:
    """Whether the tensor is a view of another. Without it, what a module puts out would be copied in any case."""
    return bool(tensor._is_view())


def fsdp2_modules(model: nn.Module) -> list[Any]:
    """The modules that `fully_shard` was called for. If torch.distributed.fsdp was never imported, there are none."""
    made = getattr(sys.modules.get("torch.distributed.fsdp"), "FSDPModule", ())
    return [module for module in model.modules() if isinstance(module, made)]


def is_flat_parameter(tensor: Tensor) -> bool:
    """Whether FSDP1 keeps several parameters in this one. Gone with FSDP1, which torch has deprecated."""
    return type(tensor).__name__ == "FlatParameter" or hasattr(tensor, "_is_flat_param")


def fsdp1_shards(model: nn.Module) -> set[int]:
    """The ids of the parameters that FSDP1 (``use_orig_params=True``) has cut and not gathered; it shows no public sign of it.
    Without it a shard's shape would be taken for the parameter's."""
    made = getattr(sys.modules.get("torch.distributed.fsdp"), "FullyShardedDataParallel", ())
    handles = [getattr(module, "_handle", None) for module in model.modules() if isinstance(module, made)]
    cut = [handle.flat_param for handle in handles if handle and handle.is_sharded(handle.flat_param)]
    return {id(parameter) for flat in cut for parameter in flat._params or ()}


def device_of_group(group: Any) -> str:
    """Which kind of device a group of processes reduces tensors on. Without it NCCL would be handed those of the CPU: no public
    name tells for a group with several backends."""
    return str(torch.distributed.distributed_c10d._get_object_coll_device(group))


def shard_of_engine(tensor: Tensor) -> str:
    """Which engine keeps only a part of a parameter here, by the attributes that it sets, or "". The tensor's own shape is
    then not the parameter's."""
    noted: Any = tensor
    if not tensor.numel() and hasattr(tensor, "ds_numel") and noted.ds_numel:
        return "DeepSpeed's ZeRO-3"
    groups: Any = sys.modules.get("megatron.core.parallel_state")
    if groups is None or not groups.is_initialized() or not hasattr(tensor, "partition_dim"):
        return ""
    if not getattr(tensor, "allreduce", True):  # one of the experts
        ranks = groups.get_expert_tensor_parallel_world_size() * groups.get_expert_model_parallel_world_size()
    else:
        ranks = groups.get_tensor_model_parallel_world_size()
    return "Megatron" if getattr(tensor, "tensor_model_parallel", False) and ranks > 1 else ""


def storage_key(tensor: Tensor) -> int:
    """What tensors have in common that share their memory. Storages are not equal by themselves, and those on the meta device
    have no address; without it views could not be told from tensors of their own."""
    return int(tensor.untyped_storage()._cdata)


def schema(operator: Any) -> Any:
    """The arguments and results of an operator, and which of them it writes. Without it nothing could be recorded."""
    return operator._schema


def operator_name(operator: Any) -> str:
    """An operator's name without its overload, with the underscore of those that work in place."""
    return str(operator.overloadpacket.__name__)


def within_transforms(tensor: Tensor) -> tuple[Tensor, bool, bool]:
    """What a tensor is within those of `torch.func`, whether one of them is `torch.vmap`, which makes it stand for a batch
    whose values cannot be read there, and whether there are others. There are no public names; without them torch's own
    errors about `.item()` and storage are raised."""
    functorch = getattr(torch._C, "_functorch", None)
    wrapped = getattr(functorch, "is_functorch_wrapped_tensor", lambda tensor: False)
    batched = False
    others = False
    while wrapped(tensor):
        if functorch.is_batchedtensor(tensor):  # type: ignore[union-attr]
            batched = True
        else:
            others = True
        tensor = functorch.get_unwrapped(tensor)  # type: ignore[union-attr]
    return tensor, batched, others


def in_forward_mode() -> bool:
    """Whether derivatives are being carried along, by `torch.autograd.forward_ad`. Without it a network of which only these
    are put out would seem to have a gradient of 0."""
    return getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0
