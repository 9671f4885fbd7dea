"""What a model's own code gives the parameters of which no theory speaks: the code is followed anew."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from ..laws.copies import Copied
from ..plans.make import Choice, choice_of_role
from ..plans.plan import Plan
from ._private import plain_class
from .recording.record import record
from .survey import Slot, clean_modules


def own_chooser(model: nn.Module) -> Callable[[Slot], Choice | None]:
    """What the code of this model draws a parameter from, if the recipe "default" has no rule for its role; None if no code
    can be followed anew.

    Models of transformers are built again from their configurations, on the meta device. Another module that owns the
    parameter is copied there, and asked to reset its parameters.
    """
    rebuilt: dict[str, Plan] | None = None
    resets: dict[int, Plan | None] = {}

    def choose(slot: Slot) -> Choice | None:
        nonlocal rebuilt
        if choice_of_role(slot.spec.role) is not None:
            return None
        rebuilt = _rebuilt(model) if rebuilt is None else rebuilt
        for prefix, plan in rebuilt.items():
            if slot.name.startswith(prefix) and (found := _choice(slot, plan, slot.name[len(prefix) :])):
                return found
        if id(slot.module) not in resets:
            resets[id(slot.module)] = _reset(slot.module)
        return _choice(slot, resets[id(slot.module)], slot.name.rpartition(".")[2])

    return choose


def _choice(slot: Slot, plan: Plan | None, name: str) -> Choice | None:
    row = None if plan is None else plan.parameters.get(plan.ties.get(name, name))
    if row is None or row.shape != slot.spec.shape:
        return None
    if isinstance(row.distribution, Copied):
        return None  # of a parameter that a theory may draw otherwise
    return Choice(row.scheme, {}, row.reason, distribution=row.distribution)


def _rebuilt(model: nn.Module) -> dict[str, Plan]:
    """The plans of the models of transformers within a model, by the prefixes of their names there."""
    found: dict[str, Plan] = {}
    for path, module in clean_modules(model):
        prefix = f"{path}." if path else ""
        if not _is_pretrained(module) or any(prefix.startswith(outer) for outer in found):
            continue
        if (plan := _followed(partial(_built_again, module))) is not None:
            found[prefix] = plan
    return found


def _built_again(module: Any) -> nn.Module:
    return plain_class(module)(copy.deepcopy(module.config))  # type: ignore[no-any-return]


def _is_pretrained(module: nn.Module) -> bool:
    classes = plain_class(module).__mro__
    return any(
        (c.__module__, c.__name__) == ("transformers.modeling_utils", "PreTrainedModel") for c in classes
    )


def _reset(module: Any) -> Plan | None:
    if not callable(getattr(module, "reset_parameters", None)):
        return None

    def factory() -> nn.Module:
        tensors = [*module.parameters(), *module.buffers()]
        blank = {id(tensor): _blank(tensor) for tensor in tensors}
        copied: Any = copy.deepcopy(module, blank)
        copied.reset_parameters()
        return copied  # type: ignore[no-any-return]

    return _followed(factory)


def _blank(tensor: torch.Tensor) -> torch.Tensor:
    made = torch.empty_like(tensor, device="meta")
    return nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


def _followed(factory: Callable[[], nn.Module]) -> Plan | None:
    try:
        return record(factory)
    except Exception:  # of the model's own code too: its parameters are then named as unknown
        return None
