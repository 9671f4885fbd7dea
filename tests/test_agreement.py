"""One number for a model in any arrangement of processes: pipelines, tensor and expert parallelism, FSDP2, copies; and its faults."""

from __future__ import annotations

import math
import pathlib
import re
from typing import Any
from unittest import mock

import pytest
from conftest import ROOT, optional
from processes import in_processes, join

import fastinit as fi
from fastinit import checkpoints

torch = optional("torch")

import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.distributed.device_mesh import init_device_mesh  # noqa: E402
from torch.distributed.fsdp import fully_shard  # noqa: E402
from torch.distributed.tensor import DTensor, distribute_tensor  # noqa: E402
from torch.distributed.tensor.parallel import (  # noqa: E402
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.distributed.tensor.placement_types import Shard  # noqa: E402

import fastinit.torch as ft  # noqa: E402

SEED = 2024
WIDTH, LAYERS, EXPERTS, WORDS = 6, 4, 5, 11
PAGE = ROOT / "docs" / "started-right.md"


class Layer(nn.Module):
    """Sizes that no mesh divides; grouped experts; a structured distribution; complex values; a persistent buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 16), nn.Linear(16, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.experts = nn.Parameter(torch.empty(EXPERTS, WIDTH, WIDTH).normal_(std=0.1))
        self.phase = nn.Parameter(torch.randn(3, 2, dtype=torch.complex64))
        nn.init.orthogonal_(self.down.weight)
        self.register_buffer("mean", torch.full((3,), 0.5))
        self.register_buffer("steps", torch.arange(4))

    def forward(self, x: Any) -> Any:
        x = x + self.down(torch.tanh(self.up(self.norm(x))))
        found = torch.tanh(torch.einsum("ti,eio->eto", x, _local(self.experts))).sum(0)
        if isinstance(self.experts, DTensor):
            dist.all_reduce(found, group=self.experts.device_mesh.get_group())
        return x + found


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed: Any = nn.Embedding(WORDS, WIDTH, padding_idx=2)
        self.layers = nn.ModuleDict({str(i): Layer() for i in range(LAYERS)})
        self.head: Any = nn.Linear(WIDTH, WORDS, bias=False)
        self.head.weight = self.embed.weight
        with torch.no_grad():
            self.embed.weight.normal_(std=0.1)[2] = 0

    def forward(self, x: Any) -> Any:
        x = x if self.embed is None else self.embed(x)
        for layer in self.layers.values():
            x = layer(x)
        return x if self.head is None else self.head(x)


# Stages, parts of the model in each rank, copies, shards, tensor parallel, expert parallel (within shards x tensor parallel).
ARRANGEMENTS = [
    (1, 1, 8, 1, 1, 1),
    (1, 1, 1, 8, 1, 8),
    (1, 1, 1, 1, 8, 4),
    (2, 1, 1, 2, 2, 4),
    (2, 2, 1, 2, 2, 2),
    (4, 1, 1, 1, 2, 2),
    (2, 2, 2, 2, 1, 2),
    (2, 1, 2, 1, 2, 1),
]


def _parts(
    rank: int, stages: int, each: int, copies: int, shards: int, tensor: int, experts: int
) -> list[Any]:
    """What a process holds, before memory: stages are plain parts; norms are not sharded by tensor parallelism."""
    mesh = init_device_mesh(
        "cpu", (stages, copies, shards, tensor), mesh_dim_names=("stage", "copy", "shard", "tensor")
    )
    of_experts = init_device_mesh("cpu", (8 // experts, experts), mesh_dim_names=("rest", "expert"))["expert"]
    stage = mesh.get_local_rank("stage")
    parts = []
    for number in range(stage, stages * each, stages):
        with torch.device("meta"):
            part = Net()
        for i in range(LAYERS):
            if i * stages * each // LAYERS != number:
                del part.layers[str(i)]
        if number > 0:
            part.embed = None
        if number < stages * each - 1:
            part.head = None
        for layer in part.layers.values():
            parallelize_module(layer, mesh["tensor"], {"up": ColwiseParallel(), "down": RowwiseParallel()})
            layer.experts = nn.Parameter(distribute_tensor(layer.experts, of_experts, [Shard(0)]))
            fully_shard(layer, mesh=mesh["copy", "shard"], ignored_params={layer.experts, layer.phase})
        parts.append(part)
    return parts


def _filled(parts: list[Any], plan: Any) -> list[Any]:
    for part in parts:
        part.to_empty(device="cpu")
        ft.init_(part, plan, seed=SEED, strict=False, threads=1)
    return parts


def _local(parameter: Any) -> Any:
    return (parameter.to_local() if isinstance(parameter, DTensor) else parameter).detach()


def _first_loss(parts: list[Any], stages: int) -> float:
    """One stage after the other, the last one's output everywhere."""
    tokens = torch.arange(WORDS).repeat(4)
    each, x = dist.get_world_size() // stages, tokens
    for stage in range(stages):
        if stage == dist.get_rank() // each:
            x = parts[0](x)
        else:
            x = torch.empty(len(tokens), WORDS if stage == stages - 1 else WIDTH)
        dist.broadcast(x, stage * each)
    return float(nn.functional.cross_entropy(x, tokens.roll(1)))


def _everywhere(rank: int, folder: str, plan: Any, expected: int) -> None:
    join(rank, 8, f"{folder}/store")
    reference = ft.init_(Net(), plan, seed=SEED).requires_grad_(False)
    tokens = torch.arange(WORDS).repeat(4)
    loss = float(nn.functional.cross_entropy(reference(tokens), tokens.roll(1)))
    code = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    for arrangement in ARRANGEMENTS:
        parts = _filled(_parts(rank, *arrangement), plan)
        assert not ft.verify(parts, plan, seed=SEED), arrangement
        with mock.patch.object(dist, "all_reduce", wraps=dist.all_reduce) as reduce:
            assert ft.checksum(parts, plan) == expected, arrangement
        (call,) = reduce.call_args_list
        assert call.args[0].shape == (64, 4)
        if len(parts) == 1:  # one of them is the page's
            with torch.no_grad():
                names = {"parts": parts, "plan": plan, "SEED": SEED, "WORDS": WORDS,
                         "first_loss": lambda parts=parts, stages=arrangement[0]: _first_loss(parts, stages)}  # fmt: skip
                exec(code, names)
            assert names["number"] == expected and abs(names["loss"] - loss) < 1e-6 * loss
            for name, (measured, meant) in names["root_mean_squares"](parts, plan).items():
                near = 0.4 if math.prod(plan[plan.ties.get(name, name)].shape) > 30 else 1
                assert math.isnan(meant) or abs(measured - meant) <= near * meant, name
    _faults(rank, plan, expected)
    dist.destroy_process_group()


def _faults(rank: int, plan: Any, expected: int) -> None:
    """Of one process; all of them notice."""
    parts = _filled(_parts(rank, 2, 1, 1, 2, 2, 4), plan)
    last = rank >= 4
    assert ft.checksum(parts, plan) == expected

    # A copy that differs in a bit: process 5 holds one of those of the second stage's norms, which are not cut by TP.
    norm, named = (
        parts[0].layers["2" if last else "0"].norm,
        r"the 2 copies of parameter 'layers\.2\.norm\.weight' differ",
    )
    assert _local(norm.weight).numel() == WIDTH // 2
    seen = set()
    for bit in range(8):
        bits = _local(norm.weight).view(torch.int32)
        bits[0] ^= (rank == 5) << bit
        try:
            assert ft.checksum(parts, plan) != expected
        except ValueError as error:
            assert re.fullmatch(named, str(error))
            seen.add("copies")
        else:
            seen.add("number")
        found = [(finding.name, finding.kind, finding.index) for finding in ft.verify(parts, plan, seed=SEED)]
        assert found == ([("layers.2.norm.weight", "bits", (0,))] if rank == 5 else [])
        bits[0] ^= (rank == 5) << bit
    assert seen == {"copies", "number"}

    with pytest.raises(ValueError, match=r"^no process holds parameter 'layers\.2\.experts'; no process"):
        ft.checksum([] if last else parts, plan)
    with pytest.raises(
        ValueError, match=r"hold 9 elements of parameter 'layers\.0\.norm\.weight', which has 6;"
    ):
        ft.checksum([] if rank == 3 else parts, plan)
    wrong = "parameter 'weight' is not in the plan" if rank == 3 else "1 of 8 processes raise errors"
    with pytest.raises(ValueError, match=wrong):
        ft.checksum(parts if rank != 3 else nn.Linear(3, 2), plan)
    short = fi.Plan({name: row for name, row in plan.items() if name != "layers.2.phase"}, plan.ties, "")
    with pytest.raises(ValueError, match=r"different plans|1 of 8 processes raise errors"):
        ft.checksum(parts, short if rank == 2 else plan)
    assert ft.checksum(parts, plan) == expected


def test_one_number_for_any_arrangement(tmp_path: pathlib.Path) -> None:
    plan = ft.record(Net)
    arrays = fi.init(plan, seed=SEED)
    expected = fi.checksum(plan, seed=SEED)
    assert fi.checksum(arrays) == expected and len(arrays) > len(plan)
    assert fi.checksum({name: arrays[name] for name in plan}) == expected
    by_tensor = sum(fi.checksum(arrays[name], name=name) for name in plan)
    assert by_tensor % 2**64 == expected
    for limit in (None, 300):
        path = tmp_path / ("files" if limit else "model.safetensors")
        checkpoints.write(plan, path, seed=SEED, max_shard_size=limit)
        assert fi.checksum(path) == expected
    model = ft.init_(Net(), plan, seed=SEED)
    assert ft.checksum(model, plan) == expected
    assert fi.checksum({k: v for k, v in model.state_dict().items()}) == expected
    in_processes(_everywhere, str(tmp_path), plan, expected, count=8)
