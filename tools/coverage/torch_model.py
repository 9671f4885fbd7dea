"""A torch model as a case: recorded, drawn, and compared with what its own code draws."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from comparison import Array, differences, looked_at
from outputs import Forward, compared, poisoned
from torch import Tensor, nn
from verdict import NotBuiltError, RefusedError, TooLargeError, WrongError

import fastinit.torch as fit
from fastinit.plans.plan import Plan

SEEDS = 6
LARGE = 8_000_000  # parameters, from which on fewer seeds are drawn


def prepare() -> None:
    """Import what torch imports when it is first used, once for all cases."""
    torch.set_num_threads(1)

    def factory() -> nn.Module:
        layer = nn.LSTM(4, 4)
        nn.init.trunc_normal_(layer.weight_ih_l0)
        nn.init.orthogonal_(layer.weight_hh_l0)
        return layer

    fit.init_(factory(), fit.record(factory), seed=0, threads=1)


def check(factory: Callable[[], nn.Module], forward: Forward | None = None, seeds: int = SEEDS) -> str:
    """What was found besides, if the plan of `factory()` is right; `forward` runs the model, whose outputs are compared."""
    try:
        model = _built(factory, 0)
    except Exception as error:
        raise NotBuiltError(f"{type(error).__name__}: {str(error)[:300]}") from error
    plan = _recorded(factory, model)
    if sum(p.numel() for p in model.parameters()) > LARGE:
        seeds = min(seeds, 3)
    real = [_values(model)]
    real += [_values(_built(factory, seed)) for seed in range(1, seeds)]
    empty = poisoned(_built(factory, 99).to_empty(device="cpu"), plan, model)
    drawn = []
    for seed in range(max(4, 2 * seeds)):
        fit.init_(empty, plan, seed=seed, threads=1)
        drawn.append(_values(empty))
    laws = {name: row.distribution for name, row in plan.items()}
    problems = differences(real, drawn, laws)
    problems += _buffers(real, drawn, plan)
    said = ""
    if not problems and forward is not None:
        problems, said = compared(factory, model, poisoned(empty, plan, model), plan, forward)
    if problems:
        raise WrongError("; ".join(problems[:8]))
    return said


def check_large(factory: Callable[[], nn.Module]) -> None:
    """Raise TooLargeError if the plan has every parameter and buffer of the model, which is built on the meta device."""
    with torch.device("meta"):
        model = factory()
    _recorded(factory, model)
    raise TooLargeError(f"{sum(p.numel() for p in model.parameters()):,} parameters")


def _recorded(factory: Callable[[], nn.Module], model: nn.Module) -> Plan:
    """The plan, which must know the model's tensors, and no others."""
    try:
        plan = fit.record(factory)
    except (TypeError, ValueError) as error:
        raise RefusedError(str(error)) from error
    tensors = _tensors(model)
    known = {**plan, **plan.buffers, **plan.ties}
    problems = [f"{name} is not in the plan" for name in tensors if name not in known]
    problems += [f"{name} is in the plan, but not in the model" for name in known if name not in tensors]
    for name, row in {**plan, **plan.buffers}.items():
        tensor = tensors.get(name)
        if tensor is not None and (str(tensor.dtype), tuple(tensor.shape)) != (
            f"torch.{row.dtype}",
            row.shape,
        ):
            problems.append(f"{name} has the shape {row.shape} and the dtype {row.dtype} in the plan")
    if problems:
        raise WrongError("; ".join(problems[:5]))
    return plan


def _built(factory: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    return factory()


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, under all of their names, which have no wrappers."""
    found = {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }
    return {name.replace("_orig_mod.", ""): tensor for name, tensor in found.items()}


def _values(model: nn.Module) -> dict[str, Array]:
    def array(tensor: Tensor) -> Array:
        plain = tensor.detach()
        if plain.is_floating_point() and plain.dtype is not torch.float64:
            plain = plain.float()
        return looked_at(plain.numpy()).copy()

    return {name: array(tensor) for name, tensor in _tensors(model).items()}


def _buffers(real: list[dict[str, Array]], drawn: list[dict[str, Array]], plan: Plan) -> list[str]:
    """Buffers that are not rows: the same in all, if the model's own are; of those with a law, the law."""
    problems = []
    for name, buffer in plan.buffers.items():
        one, two = real[0][name], drawn[0][name]
        if buffer.content is None:
            continue
        if isinstance(buffer.content, np.ndarray):
            if not np.allclose(one, two, rtol=1e-6, atol=1e-30, equal_nan=True):
                problems.append(f"buffer {name} differs from the model's own")
        else:
            problems += differences(real, drawn, {name: buffer.content})
    return problems
