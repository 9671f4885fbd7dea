"""The laws of the tensors that a weight is computed from, by the law that the weight is to have: the way back is followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ...laws.composed import Transformed, evaluate
from ...laws.distributions import Distribution, Elementwise
from ..parametrised import Computed
from .contents import Drawn, new_source
from .home import Home
from .hooks import hooked
from .outcome import Outcome, outcomes
from .trace import Trace


def outcomes_of_parts(weights: Mapping[str, tuple[Computed, Distribution]]) -> dict[str, list[Outcome]]:
    """By weight, what each part holds, and each buffer that the way back changes, if the weight of that name is to have that
    distribution. What cannot be told has an ``error``.

    Raises ValueError, naming the weight, if torch's way back fails.
    """
    trace, holder = Trace(), nn.Module()
    weight_of: dict[str, str] = {}
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for name, (weight, law) in weights.items():
            path = name.removesuffix(weight.name)
            try:
                for part, tensor in _followed(trace, weight, law).items():
                    _put(holder, path + part, tensor)
                    weight_of[path + part] = name
            except Exception as error:  # of anybody's code
                raise ValueError(
                    f"parameter {name!r}: its {weight.kind} cannot be given a value: {error or type(error).__name__}"
                ) from error
        result: dict[str, list[Outcome]] = {name: [] for name in weights}
        for outcome in outcomes(holder, trace):
            result[weight_of[outcome.name]].append(_checked(outcome))
        return result


def _followed(trace: Trace, weight: Computed, law: Distribution) -> dict[str, Tensor]:
    inverse, value = weight.inverse(), weight.like
    trace.write(value, Drawn(law, law.law, new_source(weight.shape)))
    with hooked(trace), Home(trace), trace:
        return inverse(value)


def _put(holder: nn.Module, name: str, tensor: Tensor) -> None:
    path, _, local = name.rpartition(".")
    for step in path.split(".") if path else ():
        if step not in dict(holder.named_children()):
            holder.add_module(step, nn.Module())
        holder = holder.get_submodule(step)
    holder.register_buffer(local, tensor.detach())


def _checked(outcome: Outcome) -> Outcome:
    """With an error if the formula gives no number for some of the values that it is given."""
    law = outcome.content
    if not isinstance(law, Transformed) or not isinstance(law.inner, Elementwise):
        return outcome
    mean, std = law.inner.moments()
    low, high = law.inner.support()
    places = np.clip(mean + std * np.linspace(-3, 3, 25), low, high)
    with np.errstate(all="ignore"):
        finite = all(np.isfinite(evaluate(law.formula, place)).all() for place in places)
    if finite:
        return outcome
    return replace(outcome, content=None, error=ValueError(f"it is not finite for all values of {law.inner}"))
