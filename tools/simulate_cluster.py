"""A start of 2 T parameters on 16,384 processes, on one machine: ``python tools/simulate_cluster.py [--ranks N]``.

The model is a mixture of experts of this script's own. torch's own functions arrange it (FSDP2, tensor, pipeline and expert
parallelism) with torch's fake process group, which sends nothing. For all ranks it is counted what each holds, and shown that
together they hold each element as often as the arrangement says. A sample of ranks is filled for real: what is drawn is
counted, and elements of each shard are compared with the specification of the bits, tests/reference.py.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import math
import platform
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, debug, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.testing._internal.distributed.fake_pg import FakeStore

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import reference

import fastinit as fi
import fastinit.torch as ft
from fastinit.drawing.fill import Batch
from fastinit.drawing.streams import key
from fastinit.torch import sharded
from fastinit.torch.survey import survey

SEED = 2024
_PRIME = (1 << 61) - 1


@dataclass(frozen=True)
class Geometry:
    """A mixture of experts, and how many processes share it in each way. All of a stage share its experts too."""

    layers: int
    dense_layers: int
    width: int
    words: int
    key_values: int
    hidden: int  # of the first, dense layers
    experts: int
    expert_hidden: int
    stages: int
    shards: int
    tensor: int
    expert_parallel: int

    @property
    def ranks_of_stage(self) -> int:
        return self.shards * self.tensor

    @property
    def ranks(self) -> int:
        return self.stages * self.ranks_of_stage


LARGE = Geometry(
    layers=96, dense_layers=2, width=8192, words=160_000, key_values=1024, hidden=28_672, experts=256,
    expert_hidden=3328, stages=8, shards=256, tensor=8, expert_parallel=64,
)  # fmt: skip
SMALL = Geometry(  # sizes that the meshes do not divide
    layers=4, dense_layers=1, width=24, words=50, key_values=8, hidden=40, experts=7, expert_hidden=10, stages=2,
    shards=4, tensor=2, expert_parallel=4,
)  # fmt: skip


class Gated(nn.Module):
    def __init__(self, width: int, hidden: int, out_std: float) -> None:
        super().__init__()
        self.w1, self.w3 = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.w2 = nn.Linear(hidden, width, bias=False)
        for weight, std in ((self.w1, 0.02), (self.w2, out_std), (self.w3, out_std)):
            nn.init.trunc_normal_(weight.weight, std=std)


class Experts(nn.Module):
    """All experts of a layer as one tensor for each weight."""

    def __init__(self, given: Geometry, out_std: float) -> None:
        super().__init__()
        into = (given.experts, given.expert_hidden, given.width)
        self.w1, self.w3 = (nn.Parameter(torch.empty(into)) for _ in range(2))
        self.w2 = nn.Parameter(torch.empty(given.experts, given.width, given.expert_hidden))
        for weight, std in ((self.w1, 0.02), (self.w2, out_std), (self.w3, out_std)):
            nn.init.trunc_normal_(weight, std=std)


class Layer(nn.Module):
    def __init__(self, given: Geometry, number: int) -> None:
        super().__init__()
        out_std = 0.02 / math.sqrt(2 * (number + 1))
        self.attention_norm, self.ffn_norm = (nn.RMSNorm(given.width) for _ in range(2))
        self.wq, self.wo = (nn.Linear(given.width, given.width, bias=False) for _ in range(2))
        self.wk, self.wv = (nn.Linear(given.width, given.key_values, bias=False) for _ in range(2))
        for weight, std in ((self.wq, 0.02), (self.wk, 0.02), (self.wv, 0.02), (self.wo, out_std)):
            nn.init.trunc_normal_(weight.weight, std=std)
        if number < given.dense_layers:
            self.feed_forward = Gated(given.width, given.hidden, out_std)
        else:
            self.router = nn.Linear(given.width, given.experts, bias=False)
            nn.init.trunc_normal_(self.router.weight, std=0.02)
            self.experts = Experts(given, out_std)
            self.shared = Gated(given.width, given.expert_hidden, out_std)


class Model(nn.Module):
    """All layers, or those of a stage, under the names of the whole."""

    def __init__(self, given: Geometry, stage: int | None = None) -> None:
        super().__init__()
        first = stage in (None, 0)
        last = stage in (None, given.stages - 1)
        self.embed = nn.Embedding(given.words, given.width) if first else None
        each = given.layers // given.stages
        own = range(given.layers) if stage is None else range(stage * each, (stage + 1) * each)
        self.layers = nn.ModuleDict({str(i): Layer(given, i) for i in own})
        self.norm = nn.RMSNorm(given.width) if last else None
        self.head = nn.Linear(given.width, given.words, bias=False) if last else None
        if self.head is not None:
            nn.init.trunc_normal_(self.head.weight, std=given.width**-0.5)


@contextmanager
def as_rank(given: Geometry, rank: int) -> Iterator[tuple[DeviceMesh, DeviceMesh]]:
    """This process as one of many: the mesh of stages, shards and tensor parallelism, and that of stages and experts."""
    gc.collect()  # the modules of the rank before, which FSDP links in circles
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=given.ranks)
    debug._clear_sharding_prop_cache()  # which takes the mesh of one rank for another's
    try:
        shape = (given.stages, given.shards, given.tensor)
        of_experts = (given.stages, given.ranks_of_stage // given.expert_parallel, given.expert_parallel)
        yield (
            init_device_mesh("cpu", shape, mesh_dim_names=("stage", "shard", "tensor")),
            init_device_mesh("cpu", of_experts, mesh_dim_names=("stage", "expert_shard", "expert")),
        )
    finally:
        dist.destroy_process_group()


def arranged(given: Geometry, mesh: DeviceMesh, of_experts: DeviceMesh) -> Any:
    """What this rank holds, without memory, by torch's own functions."""
    with torch.device("meta"):
        model: Any = Model(given, mesh.get_local_rank("stage"))
    tensor, shards = mesh["tensor"], mesh["shard"]
    gated = {"w1": ColwiseParallel(), "w3": ColwiseParallel(), "w2": RowwiseParallel()}
    styles = {
        **dict.fromkeys(("wq", "wk", "wv"), ColwiseParallel()), "wo": RowwiseParallel(),
        **dict.fromkeys(("attention_norm", "ffn_norm"), SequenceParallel()),
    }  # fmt: skip
    for layer in model.layers.values():
        parallelize_module(layer, tensor, styles)
        if not hasattr(layer, "experts"):
            parallelize_module(layer.feed_forward, tensor, gated)
        else:
            parallelize_module(layer.shared, tensor, gated)
            for name, weight in layer.experts.named_parameters():
                whole = distribute_tensor(weight, of_experts["expert"], [Shard(0)])
                setattr(layer.experts, name, nn.Parameter(whole))
            fully_shard(layer.experts, mesh=of_experts["expert_shard"], shard_placement_fn=lambda _: Shard(1))
        fully_shard(layer, mesh=shards)
    if model.embed is not None:
        parallelize_module(model, tensor, {"embed": RowwiseParallel(input_layouts=Replicate())})
    if model.head is not None:
        parallelize_module(model, tensor, {"head": ColwiseParallel(), "norm": SequenceParallel()})
    return fully_shard(model, mesh=shards)


class Shares:
    """How many elements each rank holds, and whether the ranks hold each element equally often.

    Each index of each axis has a random weight, an element the product of its indices'. Over the shards, the sum of these products is
    the whole tensor's times the number of copies: unless an element is missing or held too often, or by a chance of 1 in 2**60.
    """

    def __init__(self, given: Geometry) -> None:
        self.given = given
        self.elements = np.zeros((given.stages, given.ranks_of_stage), np.int64)
        self._known: dict[Any, np.ndarray] = {}
        chance = random.Random(SEED)
        longest = max(given.words, given.width, given.hidden, given.experts, given.expert_hidden)
        axes = [[chance.randrange(_PRIME) for _ in range(longest)] for _ in range(3)]
        self._sums = [[0, *itertools.accumulate(axis)] for axis in axes]

    def add(self, stage: int, parameter: Any) -> None:
        """Count a parameter on all ranks of its stage, and check that they hold it."""
        shape, mesh = tuple(parameter.shape), parameter.device_mesh
        case = shape, mesh.mesh_dim_names, parameter.placements
        if case not in self._known:
            self._known[case] = self._counted(shape, mesh, parameter.placements)
        self.elements[stage] += self._known[case]

    def _counted(self, shape: tuple[int, ...], mesh: DeviceMesh, placements: Sequence[Any]) -> np.ndarray:
        given, added = self.given, 0
        counts = np.zeros(given.ranks_of_stage, np.int64)
        for rank in range(given.ranks_of_stage):
            place = {
                "shard": rank // given.tensor, "tensor": rank % given.tensor,
                "expert_shard": rank // given.expert_parallel, "expert": rank % given.expert_parallel,
            }  # fmt: skip
            coordinate = [place[name] for name in mesh.mesh_dim_names or ()]
            runs = sharded.index_runs(shape, mesh.shape, coordinate, placements)
            counts[rank] = math.prod(sum(length for _, length in of_axis) for of_axis in runs)
            added += math.prod(map(self._weight, runs, self._sums))
        copies, rest = divmod(int(counts.sum()), math.prod(shape))
        whole = math.prod(map(self._weight, [[(0, size)] for size in shape], self._sums))
        assert not rest and added % _PRIME == copies * whole % _PRIME, (shape, placements)
        return counts

    @staticmethod
    def _weight(runs: Sequence[tuple[int, int]], sums: Sequence[int]) -> int:
        return sum(sums[first + length] - sums[first] for first, length in runs)


def check_rank(given: Geometry, plan: fi.Plan, rank: int, elements: int) -> dict[str, float]:
    """Fill what a rank holds, and compare: the elements that are drawn, and a sample of the values. Returns seconds of CPU."""
    with as_rank(given, rank) as meshes:
        times = {"arranged by torch": time.process_time()}
        stage = arranged(given, *meshes)
        stage.to_empty(device="cpu")
        times["understood"] = time.process_time()
        assert all(parameter.device_mesh.get_rank() == rank for parameter in stage.parameters())
        tasks = sharded.tasks_of(survey(stage), plan, "", strict=False)
        times["drawn"] = time.process_time()
        with mock.patch.object(Batch, "add", autospec=True, side_effect=Batch.add) as drawn:
            ft.init_(stage, plan, seed=SEED, strict=False)
        times["end"] = time.process_time()
        assert sum(math.prod(call.args[1].to.shape) for call in drawn.call_args_list) == elements, rank
        chance = np.random.default_rng(rank)
        for task in tasks:
            for target, block in task.boxes():
                _check_values(target.numpy(), block, task, chance)
    ends = list(times.values())
    return {name: end - start for name, start, end in zip(times, ends, ends[1:], strict=False)}


def _check_values(values: Any, block: tuple[slice, ...], task: Any, chance: np.random.Generator) -> None:
    """Elements anywhere in a box against the specification, and a row of it against `fastinit.fill`."""
    if not values.size:
        return
    at = tuple([chance.integers(size, size=32) for size in values.shape])
    whole = [index + part.start for index, part in zip(at, block, strict=True)]
    index = np.ravel_multi_index(whole, task.shape)
    law = task.law
    bits = reference.draw(law.law, law.parameters, index, key(SEED, task.name), "float32")
    assert (values[at].view(np.uint32) == bits).all(), task.name
    first = tuple([slice(part.start, part.start + 1) for part in block[:-1]])
    row = np.empty(values[(slice(0, 1),) * len(first)].shape, np.float32)
    fi.fill(row, law, seed=SEED, name=task.name, shape=task.shape, block=(*first, block[-1]))
    assert (row == values[(slice(0, 1),) * len(first)]).all(), task.name


def simulate(given: Geometry, sample: Sequence[int]) -> dict[str, Any]:
    """Check all that the head of this file says. Returns figures of it: counts of elements, seconds of CPU, bytes."""
    before = _peak()
    start = time.process_time()
    plan = ft.record(lambda: Model(given))
    figures: dict[str, Any] = {"plan, s": time.process_time() - start, "tensors": len(plan)}
    figures["memory of the plan"] = _peak() - before
    shares, start = Shares(given), time.process_time()
    held, copies = set(), 0
    for stage in range(given.stages):
        with as_rank(given, stage * given.ranks_of_stage) as meshes:
            for name, parameter in arranged(given, *meshes).named_parameters():
                before = shares.elements[stage].sum()
                shares.add(stage, parameter)
                assert name not in held and parameter.shape == plan[name].shape
                held.add(name)
                copies += int(shares.elements[stage].sum() - before) - parameter.numel()
    assert held == set(plan)
    n = sum(math.prod(row.shape) for row in plan.values())
    assert shares.elements.sum() == n + copies
    figures |= {
        "parameters": n, "ranks": given.ranks, "all shares, s": time.process_time() - start,
        "copies": copies, "least": int(shares.elements.min()), "most": int(shares.elements.max()),
    }  # fmt: skip
    before = _peak()
    runs = [check_rank(given, plan, rank, int(shares.elements.reshape(-1)[rank])) for rank in sample]
    for name in runs[0]:
        figures[f"{name}, s"] = max(run[name] for run in runs)
    figures["memory of a rank"] = _peak() - before
    return figures


def _peak() -> int:
    """The most bytes that this process has had until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--ranks", type=int, default=8, help="how many ranks are filled (0.5 GB each in turn)"
    )
    given = parser.parse_args()
    chance = random.Random(SEED)
    sample = [0, LARGE.ranks - 1, *[chance.randrange(LARGE.ranks) for _ in range(given.ranks - 2)]]
    for name, value in simulate(LARGE, sample).items():
        print(f"{name:>24}: {value:,.3f}" if isinstance(value, float) else f"{name:>24}: {value:,}")
    print(f"{'processor':>24}: {platform.machine()}, {fi.isa()}, {fi.get_num_threads()} threads")


if __name__ == "__main__":
    main()
