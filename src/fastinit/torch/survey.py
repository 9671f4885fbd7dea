"""One look at a torch model, which all calls share: its parameters and buffers by name, what each is, and what is not understood."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..plans.model import TensorSpec
from ..plans.roles import OWN
from . import _private
from ._private import plain_class
from .layers import described
from .parametrised import Computed, computed_weights
from .tensors import DTYPES, check_target

# Modules that stand around another one, which they keep under this name.
_AROUND = {"_orig_mod": (), "_checkpoint_wrapped_module": (), "_fsdp_wrapped_module": (),
           "module": ("DataParallel", "DistributedDataParallel", "FullyShardedDataParallel", "AveragedModel")}  # fmt: skip


SCRIPTED = "it belongs to a TorchScript module, whose inside cannot be seen: take what it was made from"


@dataclass(frozen=True)
class Slot:
    """A parameter or buffer, the module that owns it, and what is known of it; ``fault`` says why it cannot be drawn, if
    anything does. The shape is the whole tensor's, whatever part of it this process holds."""

    name: str
    tensor: Tensor
    module: nn.Module
    spec: TensorSpec
    fault: str = ""
    persistent: bool = True

    @property
    def frozen(self) -> bool:
        return not self.tensor.requires_grad


@dataclass(frozen=True)
class Whole:
    """A weight that its module computes from other tensors: the place that it would have as a parameter, the module's name
    with a dot, and how it is computed."""

    slot: Slot
    path: str
    computed: Computed

    @property
    def parts(self) -> list[str]:
        return [self.path + part for part in self.computed.parts]


@dataclass(frozen=True)
class Survey:
    """A model's parameters and buffers in torch's order, by the names that they have without wrappers. A tensor that has
    several names, or shares all of its memory with another, stands once; ``ties`` maps its other names to the first.
    ``weights`` are computed from some of the parameters. ``built`` says that the model holds what its code gave it, and not
    what `to_empty` left."""

    parameters: dict[str, Slot]
    buffers: dict[str, Slot]
    ties: dict[str, str]
    weights: dict[str, Whole]
    built: bool


def clean_modules(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """All modules in torch's order by the names that they have without wrappers; shared ones under each of their names. A
    module that owns one of those that own it is not followed there."""
    yield from _walk("", model, frozenset())


def _walk(path: str, module: nn.Module, owners: frozenset[int]) -> Iterator[tuple[str, nn.Module]]:
    yield path, module
    owners |= {id(module)}
    for name, child in _private.children(module).items():
        if id(child) not in owners:
            inside = name in _AROUND and (not _AROUND[name] or plain_class(module).__name__ in _AROUND[name])
            yield from _walk(path if inside else f"{path}.{name}" if path else name, child, owners)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model within its wrappers."""
    return [module for path, module in clean_modules(model) if path == ""][-1]


def survey(model: nn.Module) -> Survey:
    """Look at a model; nothing is changed.

    Raises ValueError for two tensors that have one name once wrappers are taken off, and for quantised modules, whose weights
    are not tensors of the module.

    >>> seen = survey(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    >>> [(name, slot.spec.role) for name, slot in seen.parameters.items()]
    [('0.weight', 'weight'), ('0.bias', 'bias'), ('1.weight', 'norm'), ('1.bias', 'bias')]
    >>> list(seen.buffers)
    ['1.running_mean', '1.running_var', '1.num_batches_tracked']
    """
    parameters: dict[str, Slot] = {}
    buffers: dict[str, Slot] = {}
    ties: dict[str, str] = {}
    weights: dict[str, Whole] = {}
    written, cut = _was_built(model), _private.fsdp1_shards(model)
    first: dict[object, str] = {}  # the first name of a tensor or of a place in memory
    for path, module in clean_modules(model):
        if hasattr(module, "_packed_params"):
            raise ValueError(
                f"module {path!r} is quantised ({type(module).__name__}): its weights are packed"
            )
        own = dict(module.named_parameters(recurse=False, remove_duplicate=False))
        held = dict(module.named_buffers(recurse=False, remove_duplicate=False))
        lazy = {local for local, tensor in own.items() if isinstance(tensor, nn.UninitializedParameter)}
        computed = {weight.name: weight for weight in computed_weights(module)}
        known = {k: v for k, v in (own | held).items() if k not in lazy}
        specs = described(path, module, known | {k: weight.like for k, weight in computed.items()})
        specs = {name: _valued(spec, name, own, written) for name, spec in specs.items()}
        for local, tensor in (own | held).items():
            name = f"{path}.{local}" if path else local
            if name in parameters or name in buffers or name in ties:
                raise ValueError(f"two tensors are called {name!r} once wrappers are taken off")
            if local in lazy:
                spec = TensorSpec((), "", plain_class(module).__name__)
                parameters[name] = Slot(
                    name, tensor, module, spec, "it has no shape yet: run the lazy module once"
                )
                continue
            place = _place(tensor)
            owner = first.setdefault(id(tensor), first.get(place, name) if place else name)
            if place:
                first.setdefault(place, owner)
            slots = parameters if local in own else buffers
            if owner == name:
                persistent = local in own or _private.is_persistent(module, local)
                slots[name] = Slot(name, tensor, module, specs[name], _fault(tensor, module, cut), persistent)
            else:
                ties[name] = owner
                if owner in parameters:
                    parameters[owner] = _tied(parameters[owner], specs[name])
        before = f"{path}." if path else ""
        for local, weight in computed.items():
            slot = Slot(before + local, weight.like, module, specs[before + local], weight.fault)
            weights[slot.name] = Whole(slot, before, weight)
    parameters = _without_overlaps(parameters)
    return Survey(parameters, buffers, ties, _without_ties(weights, parameters, ties), written)


def local_tensor(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor: of a DTensor its shard, without its gradient's history."""
    held: Any = tensor.detach()
    local: Tensor = held.to_local() if hasattr(held, "placements") else held
    return local


def _tied(slot: Slot, other: TensorSpec) -> Slot:
    """A slot that another module has too: an embedding's weight may be the output's."""
    if {slot.spec.role, other.role} != {"embedding", "weight"}:
        return slot
    padding = other.zero_row if slot.spec.zero_row is None else slot.spec.zero_row
    return replace(slot, spec=replace(slot.spec, role="output", geometry={}, zero_row=padding))


def _without_ties(
    weights: dict[str, Whole], parameters: dict[str, Slot], ties: dict[str, str]
) -> dict[str, Whole]:
    """The weights that are not others under a second name; a fault for those of which a part is tied or has a fault."""
    result = {}
    for name, whole in weights.items():
        if all(part in ties for part in whole.parts):
            continue
        tied = [f"its {part!r} is tied to {ties[part]!r}" for part in whole.parts if part in ties]
        faults = [parameters[part].fault for part in whole.parts if part in parameters]
        fault = next(filter(None, [*tied, *faults, whole.slot.fault]), "")
        result[name] = replace(whole, slot=replace(whole.slot, fault=fault))
    return result


def _was_built(model: nn.Module) -> bool:
    """Whether the model holds what its code gave it: torch's own modules write their parameters in place. `to_empty` gives
    new ones, which nothing has written."""
    of_torch = [m for m in model.modules() if _private.is_of_torch(m)]
    own = [tensor for module in of_torch for tensor in module.parameters(recurse=False)]
    return all(map(_was_written, own)) if own else any(map(_was_written, model.parameters()))


def _was_written(tensor: Tensor) -> bool:
    lazy = isinstance(tensor, nn.UninitializedParameter)
    return not lazy and not tensor.is_inference() and tensor._version > 0


def _valued(spec: TensorSpec, name: str, own: Mapping[str, Tensor], written: bool) -> TensorSpec:
    """With the one value that the model's code gave all elements, if the role asks for it."""
    tensor = own.get(name.rpartition(".")[2])
    if spec.role not in OWN or tensor is None or not written or not _is_plain(tensor):
        return spec
    values = tensor.detach().double().flatten()
    same = bool(len(values)) and bool((values == values[0]).all())
    return replace(spec, value=values[0].item()) if same else spec


def _is_plain(tensor: Tensor) -> bool:
    whole = type(tensor) in (Tensor, nn.Parameter) and not tensor.is_meta and tensor.is_floating_point()
    return whole and tensor.layout is torch.strided


def _fault(tensor: Tensor, module: nn.Module, cut: Container[int]) -> str:
    """Why a tensor cannot be drawn into, or ""."""
    if isinstance(module, torch.jit.ScriptModule):
        return SCRIPTED
    if _private.is_flat_parameter(tensor):
        return "it is FSDP1's flat parameter of several others: use fully_shard, or use_orig_params=True"
    if id(tensor) in cut:
        return "it is cut by FSDP1, and whole only within FSDP.summon_full_params(model)"
    if engine := _private.shard_of_engine(tensor):
        return f"it is a part that {engine} keeps here, without its place in the whole: see docs/engines.md"
    try:
        check_target(local_tensor(tensor))
    except (TypeError, ValueError, RuntimeError) as error:
        return "it " + str(error).removeprefix("tensor ")
    if tensor.dtype not in DTYPES:
        return f"it has dtype {tensor.dtype}; what can be drawn is {', '.join(DTYPES.values())}"
    return ""


def _place(tensor: Tensor) -> tuple[object, ...] | None:
    """Where the tensor lies; the same for tensors that are one memory under several names. None if it has none."""
    if not tensor.numel() or tensor.layout is not torch.strided or tensor.is_nested:
        return None
    try:
        local = local_tensor(tensor)
        strides = [stride for size, stride in zip(local.shape, local.stride(), strict=True) if size > 1]
        storage = local.untyped_storage()  # one object for all tensors that share it
    except (NotImplementedError, RuntimeError, AttributeError):  # a subclass without memory of its own
        return None
    return (storage, local.storage_offset(), tuple(local.shape), tuple(strides), local.dtype)


def _without_overlaps(parameters: dict[str, Slot]) -> dict[str, Slot]:
    """The slots, with a fault for each that shares a part of its memory with another."""
    by_storage: dict[object, list[tuple[int, int, str]]] = {}
    for name, slot in parameters.items():
        place = None if slot.fault else _place(slot.tensor)
        if place is not None:
            local = local_tensor(slot.tensor)
            start, itemsize = int(local.storage_offset()), local.element_size()
            reach = sum((n - 1) * step for n, step in zip(local.shape, local.stride(), strict=True))
            by_storage.setdefault(place[0], []).append(
                (start * itemsize, (start + reach + 1) * itemsize, name)
            )
    result = dict(parameters)
    for spans in by_storage.values():
        spans.sort()
        for i, (_, end, name) in enumerate(spans):
            for start, _, other in spans[i + 1 :]:
                if start >= end:
                    break
                if _meet(parameters[name].tensor, parameters[other].tensor):
                    result[other] = replace(
                        result[other], fault=f"it shares a part of its memory with {name!r}"
                    )
    return result


def _meet(a: Tensor, b: Tensor) -> bool:
    """Whether two views of one storage have an element in common."""
    one, other = local_tensor(a), local_tensor(b)
    if one.dtype != other.dtype:
        return True
    start = min(one.storage_offset(), other.storage_offset())
    length = one.untyped_storage().nbytes() // one.element_size() - start
    taken = torch.zeros(length, dtype=torch.bool)
    taken.as_strided(one.shape, one.stride(), one.storage_offset() - start).fill_(True)
    return bool(taken.as_strided(other.shape, other.stride(), other.storage_offset() - start).any())
