"""What a model gives for one input: filled after `to_empty`, whole and sharded on the meta device, against as its code built it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from table import SAME
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard

import fastinit.torch as fit
from fastinit.plans.plan import Plan
from fastinit.torch.survey import local_tensor

EQUAL = 1e-4  # of the largest output; one process may sum in another order than another
Forward = Callable[[Any], Any]


def compared(
    factory: Callable[[], nn.Module], model: nn.Module, empty: nn.Module, plan: Plan, forward: Forward
) -> tuple[list[str], str]:
    """What is wrong, and what was found: `model` has the buffers that its code gave it, `empty` is after `to_empty`."""
    fit.init_(model, replace(plan, buffers=_by_chance(plan)), seed=0, threads=1)
    wants = _output(forward, model)
    if isinstance(wants, Exception):
        return [], f"no output: {type(wants).__name__}: {str(wants)[:120]}"
    fit.init_(empty, plan, seed=0, threads=1)
    problems = _unlike(wants, _output(forward, empty), "after to_empty")
    try:
        with torch.device("meta"):
            sharded = factory()
    except Exception as error:
        return problems, f"the library does not build it on the meta device: {type(error).__name__}"
    _shard(sharded)
    fit.init_(poisoned(sharded.to_empty(device="cpu"), plan, model), plan, seed=0, threads=1)
    problems += _unlike(wants, _output(forward, sharded), "after fully_shard on the meta device and to_empty")
    return problems, "" if problems else SAME


@torch.no_grad()
def poisoned(model: nn.Module, plan: Plan, own: nn.Module) -> nn.Module:
    """The model with garbage in all of its memory, NaN and large integers; buffers of which the plan says that their values are
    not known have those of `own`."""
    for tensor in [*model.parameters(), *model.buffers()]:
        real = tensor.is_floating_point() or tensor.is_complex()
        local_tensor(tensor).untyped_storage().fill_(255 if real else 1)  # 255 in all bytes is NaN
    unknown = {name for name, held in plan.buffers.items() if held.content is None}
    for (name, buffer), values in zip(model.named_buffers(), own.buffers(), strict=True):
        if name.replace("_orig_mod.", "") in unknown:
            buffer.copy_(values)
    return model


def _by_chance(plan: Plan) -> dict[str, Any]:
    return {name: held for name, held in plan.buffers.items() if not isinstance(held.content, np.ndarray)}


def _shard(model: nn.Module) -> None:
    if not dist.is_initialized():
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scalars = {p for p in model.parameters() if not p.ndim}  # which it does not take
        fully_shard(model, mesh=dist.device_mesh.init_device_mesh("cpu", (1,)), ignored_params=scalars)


@torch.no_grad()
def _output(forward: Forward, model: nn.Module) -> Tensor | Exception:
    torch.manual_seed(0)  # of models that draw while they run
    try:
        out: Tensor = forward(model.eval())
        return out.detach().double()
    except Exception as error:
        return error


def _unlike(wants: Tensor, has: Tensor | Exception, when: str) -> list[str]:
    if isinstance(has, Exception):
        return [f"{when} a forward pass raises {type(has).__name__}: {str(has)[:200]}"]
    if wants.shape != has.shape:
        return [f"{when} the output has the shape {tuple(has.shape)}, not {tuple(wants.shape)}"]
    finite = torch.isfinite(wants)
    if not torch.equal(finite, torch.isfinite(has)):
        return [f"{when} a forward pass is not finite"]
    off, most = (wants - has)[finite].abs(), wants[finite].abs()
    if off.numel() and off.max() > EQUAL * most.max():
        return [f"{when} the outputs differ by {off.max() / most.max():.2g} of the largest"]
    return []
