"""fastinit.torch.init_: the same values in one process and in any mesh; indices of shards."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from conftest import optional
from processes import in_processes, join

import fastinit as fi
from fastinit.laws.composed import Patched
from fastinit.laws.distributions import Constant, Normal, Uniform
from fastinit.plans.parameter import Parameter
from fastinit.plans.plan import Plan

torch = optional("torch")
import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402
from torch.distributed.device_mesh import DeviceMesh  # noqa: E402
from torch.distributed.fsdp import fully_shard  # noqa: E402
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard  # noqa: E402
from torch.distributed.tensor.parallel import (  # noqa: E402
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.distributed.tensor.placement_types import _StridedShard  # noqa: E402

import fastinit.torch as ft  # noqa: E402
from fastinit.torch import sharded  # noqa: E402
from fastinit.torch.sharded import index_runs  # noqa: E402

SEED, WORLD = 2024, 4


class Net(nn.Module):
    """Elementwise laws, constants, a row of zeros, structured laws; sizes that no mesh divides."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(13, 8, padding_idx=5)
        self.up = nn.Linear(8, 10)
        self.norm = nn.LayerNorm(10)
        self.down = nn.Linear(10, 7)
        self.gate = nn.Linear(7, 7, bias=False)
        self.scale = nn.Parameter(torch.full((3,), 0.5))
        nn.init.trunc_normal_(self.up.weight, std=0.02)
        nn.init.orthogonal_(self.gate.weight)

    def forward(self, x: Any) -> Any:
        return self.gate(self.down(self.norm(self.up(self.tokens(x))))).sum() * self.scale.sum()


class Normed(nn.Module):
    """Weights that are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.utils.parametrizations.weight_norm(nn.Linear(8, 10))
        self.down = nn.utils.parametrizations.spectral_norm(nn.Linear(10, 7))
        self.across = nn.utils.parametrizations.weight_norm(nn.Conv1d(7, 5, 3), dim=1)

    def forward(self, x: Any) -> Any:
        return self.across(self.down(self.up(x)).mT)


def _check(model: Any, plan: Plan) -> None:
    """Every parameter gathered by torch, byte by byte against one process's."""
    expected = fi.init(plan, seed=SEED)
    for name, parameter in itertools.chain(model.named_parameters(), model.named_buffers()):
        whole = parameter.full_tensor() if isinstance(parameter, DTensor) else parameter
        assert np.array_equal(whole.detach().numpy(), expected[name]), name


def _split(indices: Any, mesh_shape: tuple[int, ...], coordinate: tuple[int, ...], placements: Any) -> Any:
    """By torch's own rule."""
    for n_parts, part, placement in zip(mesh_shape, coordinate, placements, strict=True):
        if not placement.is_replicate():
            indices = placement._split_tensor(indices, n_parts, with_padding=False, contiguous=True)[0][part]
    return indices


def _worker(rank: int, store: str) -> None:
    join(rank, WORLD, store)
    plan = ft.record(Net)

    def net(dtype: Any = None) -> Any:
        with torch.device("meta"):
            return Net().to(dtype)

    def filled(model: Any) -> Any:
        model.to_empty(device="cpu")
        for parameter in model.parameters():
            local = parameter.to_local() if isinstance(parameter, DTensor) else parameter
            local.detach().fill_(math.nan)
        return ft.init_(model, plan, seed=SEED, threads=1)

    def fsdp(model: Any, mesh: Any) -> Any:
        for part in (model.tokens, model.up, model.down):
            fully_shard(part, mesh=mesh)
        return fully_shard(model, mesh=mesh)

    def tensor_parallel(model: Any, mesh: Any) -> Any:
        styles = {"up": ColwiseParallel(), "down": RowwiseParallel(), "tokens": RowwiseParallel()}
        return parallelize_module(model, mesh, styles)

    meshes = {size: DeviceMesh("cpu", list(range(size))) for size in range(1, WORLD + 1)}
    for size, mesh in meshes.items():
        if rank < size:
            model = fsdp(net(), mesh)
            _check(filled(model), plan)
            model(torch.arange(13)).backward()
        if rank < size and size > 1:
            _check(filled(tensor_parallel(net(), mesh)), plan)

    rules = [{"match": "scale", "scheme": "constant", "value": 0.5}]
    model = fsdp(net(), meshes[WORLD])
    for recipe in ("auto", "he_normal", "default"):  # shapes are the whole's, on the meta device too
        own = ft.plan(model, recipe, rules=rules)
        whole = ft.plan(Net(), recipe, rules=rules)
        assert own == whole and dict(own) == dict(whole)
        model.to_empty(device="cpu")
        _check(ft.init_(model, recipe, seed=SEED, rules=rules), own)
    model(torch.arange(13))  # after which the root's parameters are whole ones, and copies
    ft.init_(model, own, seed=SEED)
    assert all(isinstance(parameter, DTensor) for parameter in model.parameters())
    _check(model, own)
    with torch.device("meta"):
        normed = Normed()
    for part in (normed.up, normed.down, normed.across):
        fully_shard(part, mesh=meshes[WORLD])
    for recipe in ("he_normal", "auto"):
        own_normed = ft.plan(normed, recipe)
        assert own_normed == ft.plan(Normed(), recipe)
        normed.to_empty(device="cpu")
        _check(ft.init_(normed, recipe, seed=SEED), own_normed)
    normed(torch.ones(2, 3, 8)).sum().backward()
    before = [parameter.to_local().clone() for parameter in model.parameters()]
    with pytest.raises(ValueError, match="seed must be a number"):
        ft.init_(model, own, seed=None)
    assert all(torch.equal(a, b.to_local()) for a, b in zip(before, model.parameters(), strict=True))

    grid = DeviceMesh("cpu", torch.arange(4).reshape(2, 2), mesh_dim_names=("a", "b"))
    _check(filled(fsdp(tensor_parallel(net(), grid["b"]), grid["a"])), plan)
    _check(filled(fsdp(net(), grid)), plan)  # hybrid: replicas of shards

    # Where each element of a shard lies is told by a tensor of indices, which torch has sharded.
    strided = _StridedShard(0, split_factor=2)
    options = [Replicate(), Shard(0), Shard(1), _StridedShard(1, split_factor=3)]
    for shape, placements in itertools.product(
        [(9, 10), (3, 2), (16, 4)],
        [*itertools.product(options, options), (strided, Shard(0)), (Shard(0), strided)],
    ):
        patched = Patched(Normal(), ((((0, 3, 2), 1), Constant(0.0)),))
        laws = [
            (Normal(), "float32"),
            (patched, "float32"),
            (patched, "complex64"),
            (Uniform(-1, 1), "complex64"),
        ]
        indices = _split(
            torch.arange(math.prod(shape)).reshape(shape), (2, 2), grid.get_coordinate(), placements
        )
        for law, dtype in laws:
            local = torch.empty(indices.shape, dtype=getattr(torch, dtype))
            model = nn.Module()
            model.w = nn.Parameter(
                DTensor.from_local(
                    local, grid, placements, run_check=False, shape=shape, stride=(shape[1], 1)
                )
            )
            one = Plan({"w": Parameter("w", shape, dtype, "normal", law, None, 0)}, {}, "test")
            ft.init_(model, one, seed=SEED)
            expected = fi.init(one, seed=SEED)["w"].reshape(-1)[indices.numpy()]
            assert np.array_equal(local.numpy(), expected), (shape, placements)

    # A module's buffers may be distributed as its parameters are.
    plan = ft.record(_normed)
    model = _normed()
    for module, name, layout in ((model[1], "running_var", (Replicate(), Shard(0))),
                                 (model, "kept", (Shard(0), Replicate()))):  # fmt: skip
        whole = torch.distributed.tensor.distribute_tensor(module._buffers[name], grid, layout)
        module._buffers[name] = whole
        whole.to_local().fill_(7)
    counts = DTensor.from_local(torch.tensor(7), grid, (Partial(), Replicate()), run_check=False)
    model[1]._buffers["num_batches_tracked"] = counts
    ft.init_(model, plan, seed=SEED)
    expected = dict(_normed().named_buffers())
    for name, buffer in model.named_buffers():
        assert torch.equal(getattr(buffer, "full_tensor", lambda b=buffer: b)(), expected[name]), name
    model._buffers["passing"] = DTensor.from_local(torch.ones(3), grid, (Partial(), Replicate()))
    with pytest.raises(ValueError, match=r"buffer 'passing': Partial"):
        ft.init_(model, plan, seed=SEED)

    if rank == 3:  # no part of the mesh
        local = torch.empty(0)
        outside = nn.Module()
        outside.w = nn.Parameter(
            DTensor.from_local(local, meshes[3], (Shard(0),), run_check=False, shape=(4, 2), stride=(2, 1))
        )
        one = Plan({"w": Parameter("w", (4, 2), "float32", "normal", Normal(), None, 0)}, {}, "test")
        ft.init_(outside, one, seed=SEED)

    partial = nn.Module()
    partial.w = nn.Parameter(
        DTensor.from_local(torch.ones(2, 2), grid, (Partial(), Shard(0)), run_check=False)
    )
    one = Plan({"w": Parameter("w", (4, 2), "float32", "normal", Normal(), None, 0)}, {}, "test")
    with pytest.raises(ValueError, match=r"'w'.*Partial"):
        ft.init_(partial, one, seed=SEED)
    assert (partial.w.to_local() == 1).all()
    dist.destroy_process_group()


def test_any_mesh_holds_the_values_of_one_process(tmp_path: Path) -> None:
    in_processes(_worker, str(tmp_path / "store"), count=WORLD)


def test_runs_follow_torchs_rule() -> None:
    chance = random.Random(1)
    for _ in range(400):
        shape = tuple(chance.choice((1, 2, 3, 5, 8, 12, 17)) for _ in range(chance.choice((1, 2, 3))))
        mesh_shape = tuple(chance.choice((1, 2, 3, 4, 6)) for _ in range(chance.choice((1, 2, 3))))
        dims = range(-len(shape), len(shape))
        options = [
            Replicate(),
            *map(Shard, dims),
            *[_StridedShard(dim, split_factor=chance.choice((1, 2, 3, 4))) for dim in range(len(shape))],
        ]
        placements = [chance.choice(options) for _ in mesh_shape]
        torchs = [Shard(p.dim % len(shape)) if type(p) is Shard else p for p in placements]
        for coordinate in itertools.product(*map(range, mesh_shape)):
            runs = index_runs(shape, mesh_shape, coordinate, placements)
            grids = [np.concatenate([np.arange(a, a + n) for a, n in [*of_dim, (0, 0)]]) for of_dim in runs]
            ours = np.arange(math.prod(shape)).reshape(shape)[np.ix_(*[grid.astype(int) for grid in grids])]
            theirs = _split(
                torch.arange(math.prod(shape)).reshape(shape), mesh_shape, coordinate, torchs
            ).numpy()
            if ours.size or theirs.size:
                assert np.array_equal(ours, theirs), (shape, mesh_shape, coordinate, placements)


def test_shards_of_4096_devices() -> None:
    """2^40 elements: the devices' runs cover each once, and what lies in a shard is drawn alone, at its cost."""
    shape, mesh_shape = (2**20 + 3, 2**20 - 5), (16, 16, 16)
    placements = (_StridedShard(0, split_factor=16), Shard(1), Shard(0))
    law, key = Normal(std=0.02), fi.drawing.streams.key(SEED, "w")
    coordinates = list(itertools.product(range(16), repeat=3))
    held = {c: index_runs(shape, mesh_shape, c, placements) for c in coordinates}
    assert sum(math.prod(sum(n for _, n in runs) for runs in held[c]) for c in coordinates) == math.prod(
        shape
    )
    for dim, fixed in ((0, 1), (1, 0)):
        runs = sorted({run for c in coordinates if c[fixed] == 0 or dim == 1 for run in held[c][dim]})
        assert [run[0] for run in runs] == [0, *itertools.accumulate(n for _, n in runs)][:-1]
    chance = random.Random(2)
    for coordinate in chance.sample(coordinates, 100):
        corner = []
        for first, length in (chance.choice(runs) for runs in held[coordinate]):
            at = chance.randrange(length)
            corner.append(range(first + at, first + min(at + 3, length)))
        rows, columns = corner
        part = np.empty((len(rows), len(columns)), np.float32)
        block = np.s_[rows.start : rows.stop, columns.start : columns.stop]
        fi.fill(part, law, seed=SEED, name="w", shape=shape, block=block)
        index = np.array([row * shape[1] + column for row in rows for column in columns], np.uint64)
        expected = reference.draw("normal", law.parameters, index, key, "float32")
        assert np.array_equal(part.view(np.uint32).ravel(), expected)


def test_one_process_of_a_large_mesh_draws_its_shard() -> None:
    """A device of 4096 with all of its 2^16 elements of 2^28, three strided runs by four."""
    shape, mesh_shape, coordinate = (2**14, 2**14), (64, 64), (37, 11)
    placements = (_StridedShard(0, split_factor=3), _StridedShard(1, split_factor=4))
    runs = index_runs(shape, mesh_shape, coordinate, placements)
    model = nn.Module()
    local = torch.empty([sum(n for _, n in of_dim) for of_dim in runs], dtype=torch.bfloat16)
    model.w = nn.Parameter(local)
    task = sharded.Task(model.w, local, Uniform(-1.0, 1.0), "w", shape, runs)
    assert len(runs[0]) == 3 and len(runs[1]) == 4 and local.numel() < 2**17
    sharded.fill_task(task, SEED, 1)
    rows, columns = (np.concatenate([np.arange(a, a + n) for a, n in of_dim]) for of_dim in runs)
    index = (rows[:, None] * shape[1] + columns).astype(np.uint64).ravel()
    expected = reference.draw("uniform", (-1.0, 1.0), index, fi.drawing.streams.key(SEED, "w"), "bfloat16")
    assert np.array_equal(local.view(torch.uint16).numpy().ravel(), expected.view(np.uint16))


def test_wrappers_do_not_count_in_names() -> None:
    plan = ft.record(Net)
    expected = fi.init(plan, seed=3)
    for wrapped in (torch.compile(Net(), backend="eager"), nn.DataParallel(Net())):
        ft.init_(wrapped, plan, seed=3)
        for name, parameter in wrapped.named_parameters():
            plain = name.removeprefix("_orig_mod.").removeprefix("module.")
            assert name != plain and np.array_equal(parameter.detach().numpy(), expected[plain])


def _normed() -> Any:
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 4, 3), torch.nn.BatchNorm2d(4))
    model.register_buffer("kept", torch.arange(3.0))
    model.register_buffer("passing", torch.ones(3), persistent=False)
    return model


def test_buffers_of_the_plan_are_filled() -> None:
    plan = ft.record(_normed)
    assert {"kept", "1.running_mean", "1.running_var"} < set(plan) and "passing" not in plan
    assert not plan.unfilled and list(plan.stored)[-1] == "1.num_batches_tracked"
    assert set(plan.buffers) == {"1.num_batches_tracked", "passing"} and not fi.lint(plan)
    model, expected = _normed(), _normed().state_dict()
    for buffer in model.buffers():
        buffer.fill_(7)
    ft.init_(model, plan, seed=0)
    for name in ("kept", "1.running_mean", "1.running_var", "1.num_batches_tracked"):
        assert torch.equal(model.state_dict()[name], expected[name])
    assert (model.passing == 1).all()
    part = torch.nn.ModuleDict({"inner": _normed()})
    part.inner.passing.fill_(7)
    renamed = ft.record(lambda: torch.nn.ModuleDict({"inner": _normed()}))
    assert (ft.init_(part.inner, renamed, seed=0, prefix="inner.").passing == 1).all()
    model.passing = torch.full((4,), 7.0)
    assert (ft.init_(model, plan, seed=0).passing == 7).all()
    model[1].num_batches_tracked = torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"'1.num_batches_tracked': its shape is \(4,\), the plan's is \(\)"):
        ft.init_(model, plan, seed=0)
    drawn = {name: torch.from_numpy(array) for name, array in fi.init(plan, seed=0).items()}
    other = _normed()
    other.load_state_dict(drawn, strict=True)  # BatchNorm counts from 0 where a file has no count
    assert all(torch.equal(other.state_dict()[name], tensor) for name, tensor in drawn.items())


def test_buffers_without_memory_are_refused() -> None:
    plan, model = ft.record(_normed), _normed()
    before = model[0].weight.detach().clone()
    model.passing = model.passing.to("meta")
    model[1].num_batches_tracked = model[1].num_batches_tracked.to("meta")
    with pytest.raises(ValueError, match=r"'passing' is on the meta.*'1.num_batches_tracked' is on the meta"):
        ft.init_(model, plan, seed=0)
    assert torch.equal(model[0].weight, before)
