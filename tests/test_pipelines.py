"""Stages of a pipeline and parts of experts hold the values of one process: torch's own pipelining, over gloo."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from conftest import optional
from processes import in_processes, join

import fastinit as fi

torch = optional("torch")

import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.distributed.device_mesh import init_device_mesh  # noqa: E402
from torch.distributed.fsdp import fully_shard  # noqa: E402
from torch.distributed.pipelining import (  # noqa: E402
    PipelineStage,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    SplitPoint,
    pipeline,
)
from torch.distributed.tensor import DTensor, Shard, distribute_tensor  # noqa: E402

import fastinit.torch as ft  # noqa: E402

SEED = 2024
WIDTH, LAYERS, WORDS = 8, 4, 13


class Net(nn.Module):
    """Embedding and head are tied; the norm is frozen; parts that a stage lacks are None."""

    def __init__(self) -> None:
        super().__init__()
        self.embed: Any = nn.Embedding(WORDS, WIDTH)
        self.layers = nn.ModuleDict({str(i): nn.Linear(WIDTH, WIDTH) for i in range(LAYERS)})
        self.norm: Any = nn.LayerNorm(WIDTH).requires_grad_(False)
        self.head: Any = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.tensor(0.5), persistent=False)

    def forward(self, x: Any) -> Any:
        x = x if self.embed is None else self.embed(x)
        for layer in self.layers.values():
            x = torch.tanh(layer(x) * self.scale)
        return x if self.head is None else self.head(self.norm(x))


def _stage(index: int, of: int) -> Any:
    """A part of the model under the names of the whole, without memory."""
    with torch.device("meta"):
        model = Net()
    each = LAYERS // of
    for i in range(LAYERS):
        if i // each != index:
            del model.layers[str(i)]
    model.embed = model.embed if index == 0 else None
    if index < of - 1:
        model.norm = model.head = None
    return model


def _filled(model: Any, plan: Any, **given: Any) -> Any:
    model.to_empty(device="cpu")
    for tensor in [*model.parameters(), *model.buffers()]:
        (tensor.to_local() if isinstance(tensor, DTensor) else tensor).detach().fill_(7)
    return ft.init_(model, plan, seed=SEED, strict=False, threads=1, **given)


def _check(model: Any, plan: Any, rename: Any = str) -> set[str]:
    expected, seen = fi.init(plan, seed=SEED), set()
    for name, parameter in model.named_parameters():
        whole = parameter.full_tensor() if isinstance(parameter, DTensor) else parameter
        owner = plan.ties.get(rename(name), rename(name))
        assert np.array_equal(whole.detach().numpy(), expected[owner]), name
        seen.add(owner)
    return seen


def _everywhere(names: set[str]) -> set[str]:
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, names)
    return set.union(*found)


def _losses(schedule: Any, rank: int, tokens: Any) -> float | None:
    losses: list[Any] = []
    is_last = rank == dist.get_world_size() - 1
    arguments = (tokens,) if rank == 0 else ()
    schedule.step(*arguments, target=tokens if is_last else None, losses=losses if is_last else None)
    return float(torch.stack(losses).mean()) if is_last else None


def _loss(output: Any, labels: Any) -> Any:
    return nn.functional.cross_entropy(output.flatten(0, 1), labels.flatten())


def _pipelines(rank: int, plan: Any) -> None:
    device, tokens = torch.device("cpu"), torch.arange(WORDS).repeat(4, 1)
    whole = ft.init_(Net(), plan, seed=SEED)
    first = float(torch.stack([_loss(whole(one), one) for one in tokens.split(1)]).mean())

    def stage(index: int, of: int) -> Any:
        part = _filled(_stage(index, of), plan)
        assert part.scale == 0.5
        return part, PipelineStage(part, index, of, device)

    # One part a rank: embedding and head are one parameter in two processes.
    part, own = stage(rank, 2)
    assert _everywhere(_check(part, plan)) == set(plan)
    assert not any(p.requires_grad for name, p in part.named_parameters() if name.startswith("norm"))
    values: list[Any] = [None, None]
    dist.all_gather_object(values, (part.embed or part.head).weight.detach().numpy().tobytes())
    assert values[0] == values[1]
    loss = _losses(ScheduleGPipe(own, n_microbatches=4, loss_fn=_loss), rank, tokens)
    assert loss is None or loss == first

    # Interleaved: two parts a rank.
    made = [stage(rank + 2 * i, 4) for i in range(2)]
    assert _everywhere(set.union(*[_check(part, plan) for part, _ in made])) == set(plan)
    schedule = ScheduleInterleaved1F1B([own for _, own in made], n_microbatches=4, loss_fn=_loss)
    loss = _losses(schedule, rank, tokens)
    assert loss is None or loss == first

    # A stage may be sharded too.
    part = _stage(rank, 2)
    groups = init_device_mesh("cpu", (2, 1), mesh_dim_names=("stage", "shard"))
    fully_shard(part, mesh=groups["shard"])
    assert _check(_filled(part, plan), plan)


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, x: Any) -> Any:
        x = self.embed(x)
        for block in self.blocks:
            x = torch.relu(block(x))
        return self.head(x)


def _front_end(rank: int) -> None:
    """`pipeline()` traces the model and cuts it: each stage has submodules under the model's names."""
    plan, tokens = ft.record(Plain), torch.arange(WORDS).repeat(4, 1)
    model = Plain()
    pipe = pipeline(model, mb_args=(tokens[:1],), split_spec={"blocks.2": SplitPoint.BEGINNING})
    part = pipe.get_stage_module(rank)
    assert _everywhere(_check(_filled(part, plan), plan)) == set(plan)
    own = pipe.build_stage(rank, torch.device("cpu"))
    loss = _losses(ScheduleGPipe(own, n_microbatches=4, loss_fn=_loss), rank, tokens)
    whole = ft.init_(Plain(), plan, seed=SEED)
    first = float(torch.stack([_loss(whole(one), one) for one in tokens.split(1)]).mean())
    assert loss is None or loss == first


def _renumbered(rank: int) -> None:
    """A stage that counts its layers from 0 is filled layer by layer."""
    plan = ft.record(Plain)
    blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
    for i, block in enumerate(blocks):
        ft.init_(block, plan, seed=SEED, strict=False, prefix=f"blocks.{2 * rank + i}.")
    names = _check(blocks, plan, lambda name: f"blocks.{2 * rank + int(name[0])}{name[1:]}")
    assert len(_everywhere(names)) == 2 * LAYERS
    with pytest.raises(ValueError, match=r"'blocks.9.weight' is not in the plan"):
        ft.init_(blocks[0], plan, seed=SEED, strict=False, prefix="blocks.9.")


def _experts(rank: int) -> None:
    """Grouped experts over a mesh, evenly and not, and experts as modules of their own, which each rank has some of."""
    mesh = init_device_mesh("cpu", (2,), mesh_dim_names=("expert",))
    for count in (4, 5, 1):

        def grouped(count: int = count) -> Any:
            model = nn.Module()
            model.up = nn.Parameter(torch.empty(count, WIDTH, 3))
            model.down = nn.Parameter(torch.empty(count, 3, WIDTH))
            return model

        laws = {"layouts": {"*": "bio"}, "gain": 1.0}
        plan = ft.plan(grouped(), "xavier_normal", **laws)
        assert plan["up"].fans == (WIDTH, 3)  # of one expert
        model = grouped()
        for name, dim in (("up", 0), ("down", 0)):
            setattr(model, name, nn.Parameter(distribute_tensor(getattr(model, name), mesh, [Shard(dim)])))
        assert ft.plan(model, "xavier_normal", **laws) == plan
        _check(_filled(model, plan), plan)
        parted = grouped()  # experts over one dimension, each of them over another
        square = init_device_mesh("cpu", (1, 2), mesh_dim_names=("outer", "inner"))
        parted.up = nn.Parameter(distribute_tensor(parted.up, square, [Shard(0), Shard(2)]))
        _check(_filled(parted, plan), plan)

    class Experts(nn.Module):
        def __init__(self, kept: Any = range(5)) -> None:
            super().__init__()
            self.router = nn.Linear(WIDTH, 5)
            self.experts = nn.ModuleDict({str(i): nn.Linear(WIDTH, 3) for i in kept})

    plan = ft.record(Experts)
    own = Experts(range(3) if rank == 0 else range(3, 5))
    assert _everywhere(_check(_filled(own, plan), plan)) == set(plan)


def _worker(rank: int, folder: str) -> None:
    join(rank, 2, f"{folder}/store")
    _pipelines(rank, ft.record(Net))
    _front_end(rank)
    _renumbered(rank)
    _experts(rank)
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_parts_hold_the_values_of_the_whole(tmp_path: pathlib.Path) -> None:
    in_processes(_worker, str(tmp_path), count=2)
