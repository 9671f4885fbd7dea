"""torchtitan's own models, parallelised by its own functions: one start, whatever the arrangement of processes (CPU, gloo)."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import pathlib
import re
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, optional
from processes import in_processes, join

import fastinit as fi

optional("torchtitan.trainer")

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402

SEED = 2024
BATCH, LENGTH, VOCABULARY = 4, 16, 2048
# Degrees of torchtitan's parallelisms, and the schedule of its pipeline. Together they make up to 8 processes.
ARRANGEMENTS: dict[str, list[dict[str, Any]]] = {
    "llama3": [
        {},
        {"data_parallel_shard_degree": 2},
        {"tensor_parallel_degree": 2},
        {"pipeline_parallel_degree": 2},
        {"pipeline_parallel_degree": 2, "pipeline_parallel_schedule": "Interleaved1F1B"},
        {"data_parallel_shard_degree": 2, "tensor_parallel_degree": 2},
        {"data_parallel_shard_degree": 2, "tensor_parallel_degree": 2, "spmd_backend": "full_dtensor"},
        {"data_parallel_replicate_degree": 2, "data_parallel_shard_degree": 2},
        {"data_parallel_shard_degree": 8},
        {"data_parallel_shard_degree": 2, "tensor_parallel_degree": 2, "pipeline_parallel_degree": 2},
    ],
    "deepseek_v3": [
        {},
        {"data_parallel_shard_degree": 2, "expert_parallel_degree": 2},
        {"data_parallel_shard_degree": 4, "expert_parallel_degree": 2},
        {"tensor_parallel_degree": 2, "data_parallel_shard_degree": 2, "expert_parallel_degree": 4},
        {"data_parallel_shard_degree": 8, "expert_parallel_degree": 8},
        {
            "data_parallel_shard_degree": 2,
            "tensor_parallel_degree": 2,
            "pipeline_parallel_degree": 2,
            "expert_parallel_degree": 2,
        },
    ],
}
LARGEST = 8
PAGE = re.findall(
    r"<!-- torchtitan -->\n```python\n(.*?)```", (ROOT / "docs" / "torchtitan.md").read_text(), re.DOTALL
)[0]


def _processes(degrees: dict[str, Any]) -> int:
    alone = ("data_parallel_shard_degree", "data_parallel_replicate_degree", "tensor_parallel_degree",
             "pipeline_parallel_degree")  # fmt: skip
    return int(np.prod([degrees.get(name, 1) for name in alone]))


def _loss(output: Any, labels: Any, **_: Any) -> Any:
    whole = output.full_tensor() if hasattr(output, "full_tensor") else output
    return nn.functional.cross_entropy(whole.flatten(0, 1), labels.flatten()), {}


def _started(family: str, degrees: dict[str, Any]) -> float | None:
    """Build the model as torchtitan's trainer does, and check all of it. Returns the first loss where it is known."""
    from torchtitan.config.configs import ParallelismConfig, TrainingConfig
    from torchtitan.distributed import ParallelDims, utils
    from torchtitan.protocols.model import BaseModel
    from torchtitan.trainer import Trainer

    spec = importlib.import_module(f"torchtitan.models.{family}").model_registry("debugmodel")
    given = {"spmd_backend": "partial_dtensor", "data_parallel_shard_degree": 1} | degrees
    config = Trainer.Config(
        model_spec=spec,
        parallelism=ParallelismConfig(**given),
        training=TrainingConfig(
            seq_len=LENGTH, local_batch_size=BATCH, mixed_precision_param="float32", disable_cuda_graphs=True
        ),
    )
    dims = ParallelDims.from_config(config.parallelism, dist.get_world_size())
    dims.build_mesh()
    utils.set_spmd_backend(config.parallelism.spmd_backend)
    names: dict[str, Any] = {}
    exec(PAGE, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseModel, "init_weights", None)
        return _parallelised(spec, config, dims, names["replace_init_weights"](config, SEED))


def _parallelised(spec: Any, config: Any, dims: Any, plan: Any) -> float | None:
    with torch.device("meta"):
        model = spec.model.build()
    arguments = {
        "parallel_dims": dims,
        "training": config.training,
        "parallelism": config.parallelism,
        "compile_config": config.compile,
        "ac_config": None,
        "dump_folder": "",
    }
    schedule, is_last, parts = None, True, []
    if dims.pp_enabled:
        schedule, parts, _, is_last = spec.pipelining_fn(
            model, device=torch.device("cpu"), model_config=spec.model, parallelize_fn=spec.parallelize_fn,
            loss_fn=_loss, **arguments,
        )  # fmt: skip
    else:
        parts = [spec.parallelize_fn(model, **arguments)]
    for part in parts:
        part.to_empty(device="cpu")
        for tensor in [*part.parameters(), *part.buffers()]:
            local = tensor.to_local() if hasattr(tensor, "to_local") else tensor
            local.detach().fill_(7)
        part.init_weights(buffer_device=None)
    _check(parts, plan)
    if config.parallelism.spmd_backend == "full_dtensor":
        return None  # its forward pass takes sharded inputs
    return _first_loss(parts, schedule, is_last)


def _check(parts: list[Any], plan: Any) -> None:
    """Each parameter and buffer, gathered by torch, byte by byte; together the stages hold the plan."""
    expected = fi.init(plan, seed=SEED)
    expected |= {name: b.content for name, b in plan.buffers.items() if b.content is not None}
    names: list[str] = []
    for part in parts:
        for name, tensor in [*part.named_parameters(), *part.named_buffers()]:
            whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
            array = whole.detach().numpy()
            assert array.dtype == expected[name].dtype, name
            assert array.tobytes() == np.ascontiguousarray(expected[name]).tobytes(), name
            names.append(name)
    everywhere: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everywhere, names)
    assert {name for some in everywhere for name in some} == set(expected)
    assert ft.checksum(parts, plan) == fi.checksum(plan, seed=SEED)


def _first_loss(parts: list[Any], schedule: Any, is_last: bool) -> float | None:
    generator = torch.Generator().manual_seed(1)
    tokens, labels = torch.randint(VOCABULARY, (2, BATCH, LENGTH), generator=generator)
    positions = torch.arange(LENGTH).repeat(BATCH, 1)
    given = {"positions": positions, "attention_masks": parts[0].get_attention_masks(positions=positions)}
    with torch.no_grad():
        if schedule is None:
            return float(_loss(parts[0](tokens, **given), labels)[0])
        losses: list[Any] | None = [] if is_last else None
        arguments = (tokens,) if parts[0].tok_embeddings is not None else ()
        schedule.eval(*arguments, target=labels if is_last else None, losses=losses, **given)
        return float(torch.stack(losses).mean()) if losses else None


def _worker(rank: int, folder: str) -> None:
    logging.disable(logging.WARNING)
    importlib.import_module("torchtitan.distributed.parallel_dims").device_type = "cpu"
    first: dict[str, float] = {}
    for number, (family, degrees) in enumerate((f, d) for f, all_ in ARRANGEMENTS.items() for d in all_):
        processes = _processes(degrees)
        if rank >= processes:
            continue
        join(rank, processes, f"{folder}/{number}")
        loss = _started(family, degrees)
        losses: list[Any] = [None] * processes
        dist.all_gather_object(losses, loss)
        for one in losses:
            if one is not None and rank == 0:  # sums over processes are rounded in another order
                assert abs(one - first.setdefault(family, one)) < 1e-5 * one, (family, degrees, one, first)
        dist.destroy_process_group()


def test_one_start_on_any_arrangement(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")  # flex_attention without the compiler
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    multiprocessing.set_forkserver_preload(["torchtitan.trainer"])
    in_processes(_worker, str(tmp_path), count=LARGEST, start_method="forkserver")
