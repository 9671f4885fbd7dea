"""A plan of a model of transformers -> the plan of its published checkpoints: their names and shapes, by transformers' own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from ...dtypes import name_of
from ...laws import Elementwise
from ...laws.copies import renamed
from ...plans.buffer import Buffer
from ...plans.parameter import Parameter
from ...plans.plan import Plan

# What only moves elements. Each keeps its distribution, if that is the same for all.
_MOVING = {"cat", "chunk", "contiguous", "flatten", "permute", "reshape", "split", "squeeze", "stack", "transpose",
           "unbind", "unflatten", "unsqueeze", "view"}  # fmt: skip


def hub_plan(plan: Plan, model: Any, quantizer: Any = None) -> Plan:
    """The plan under the names, in the shapes and in the order in which ``save_pretrained`` writes the model.

    A tensor that only has another name there keeps its distribution. One that is cut out of others or put together from them
    gets theirs: where transformers has one tensor for all experts, most published checkpoints have matrices for each.

    Parameters
    ----------
    plan
        By the names of the model.
    model
        A model of transformers, on any device.
    quantizer
        Its quantiser, if its layers are quantised.

    Raises
    ------
    ValueError
        for a tensor that is computed otherwise than by moving elements, or from tensors whose elements differ in
        distribution: it names the tensor.
    """
    rows = {**plan.unfilled, **{name: plan[name] for name in plan.stored}}
    of_ties = {alias: rows[owner] for alias, owner in plan.ties.items() if owner in rows}
    tensors = {name: _meta(row) for name, row in (rows | of_ties).items()}
    with _Origins(tensors) as origins:
        published = _published(model, tensors, quantizer)
    if sum(map(torch.numel, published.values())) != sum(map(torch.numel, tensors.values())):
        raise ValueError(f"transformers writes {type(model).__name__} with other elements than it has")
    names = {id(tensor): name for name, tensor in published.items()}
    parameters: dict[str, Parameter] = {}
    unfilled: dict[str, Parameter] = {}
    buffers: dict[str, Buffer] = {}
    ties: dict[str, str] = {}
    for name, tensor in published.items():
        sources, operation = origins.of[id(tensor)]
        if operation:
            of = " and ".join(map(repr, sorted(sources))) or "nothing"
            raise ValueError(f"{name!r} is made from {of} by {operation}: its distribution is not known")
        first, *others = sorted(sources)
        if tied := [source for source in (first, *others) if source in of_ties]:
            owner = names.get(id(tensors[plan.ties[tied[0]]]))
            if tensor is not tensors[tied[0]] or owner is None:
                of = f"{tied[0]!r}, which is tied to {plan.ties[tied[0]]!r}"
                raise ValueError(f"{name!r} is not the whole of {of}")
            ties[name] = owner
            continue
        if first in plan.stored and first not in plan:
            if tensor is not tensors[first]:
                raise ValueError(f"{name!r} is not the whole of the buffer {first!r}")
            buffers[name] = replace(plan.buffers[first], name=name)
            continue
        if tensor is not tensors[first]:
            _check_cut(name, [rows[source] for source in (first, *others)])

        def there(other: str, name: str = name) -> str:
            if (its := names.get(id(tensors.get(other)))) is None:
                raise ValueError(f"{name!r} follows from {other!r}, which is not a tensor there")
            return its

        law = renamed(rows[first].distribution, first, name, there)
        dtype = name_of(tensor.dtype)
        row = replace(rows[first], name=name, shape=tuple(tensor.shape), dtype=dtype, distribution=law)
        (unfilled if first in plan.unfilled else parameters)[name] = row
    return replace(plan, parameters=parameters, ties=ties, unfilled=unfilled, buffers=buffers)


class _Origin(NamedTuple):
    """From which named tensors one is made, and the first operation that did more than to move elements, or ""."""

    names: frozenset[str]
    operation: str


class _Origins(TorchFunctionMode):
    """Follows what is made from named tensors."""

    def __init__(self, named: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.alive = list(named.values())  # so that ids stay theirs
        self.of = {id(tensor): _Origin(frozenset([name]), "") for name, tensor in named.items()}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [self.of[id(x)] for x in tree_leaves((args, kwargs)) if id(x) in self.of]
        names = frozenset[str]().union(*[origin.names for origin in given])
        own = "" if func.__name__ in _MOVING else func.__name__
        operation = next((origin.operation for origin in given if origin.operation), own)
        for made in tree_leaves(result):
            # An operation in place returns one of the given.
            if isinstance(made, Tensor) and (own or id(made) not in self.of):
                self.alive.append(made)
                self.of[id(made)] = _Origin(names, operation)
        return result


def _published(model: Any, tensors: dict[str, Tensor], quantizer: Any) -> dict[str, Tensor]:
    """What ``save_pretrained`` would make of a state_dict. A quantiser's own second names of scales are left out: to reverse
    them is ambiguous."""
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import PrefixChange, revert_weight_conversion
    from transformers.quantizers.base import HfQuantizer

    if quantizer is not None:
        known = get_model_conversion_mapping(model, add_legacy=False)
        add_scales: Any = HfQuantizer.update_weight_conversions
        with_scales = add_scales(quantizer, known, model)
        model._weight_conversions = [one for one in with_scales if not isinstance(one, PrefixChange)]
    found: dict[str, Tensor] = revert_weight_conversion(model, tensors)
    return found


def _check_cut(name: str, sources: list[Parameter]) -> None:
    """Raise ValueError unless a tensor that is cut out of others has a distribution of its own."""
    law = sources[0].distribution
    if not isinstance(law, Elementwise) or any(source.distribution != law for source in sources):
        of = " and ".join(repr(source.name) for source in sources)
        laws = ", ".join(dict.fromkeys(str(source.distribution) for source in sources))
        raise ValueError(
            f"{name!r} is cut out of {of}, whose elements differ in distribution ({laws}): "
            "write the model's own names, or give another recipe"
        )


def _meta(row: Parameter) -> Tensor:
    return torch.empty(row.shape, dtype=getattr(torch, row.dtype), device="meta")
