"""The recipes of docs/engines.md run: FSDP1, and other engines where they are installed. CI installs all but DeepSpeed."""

from __future__ import annotations

import logging
import os
import pathlib
import re
import socket
import warnings
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, optional
from processes import in_processes, join

import fastinit as fi

torch = optional("torch")

import torch.distributed as dist  # noqa: E402
from torch import nn  # noqa: E402

import fastinit.torch as ft  # noqa: E402

SEED = 2024
pytestmark = pytest.mark.filterwarnings("ignore")


def shown(name: str, page: str = "engines.md") -> str:
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(rf"<!-- {name} -->\n```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    return "\n".join(blocks)


def recipe(name: str, page: str = "engines.md", **names: Any) -> dict[str, Any]:
    exec(shown(name, page), names)
    return names


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(5, 9), nn.LayerNorm(9), nn.Linear(9, 5)) for _ in range(2)
        )
        self.head = nn.Linear(5, 3)

    def forward(self, x: Any) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def _start(rank: int, folder: str, ranks: int) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    join(rank, ranks, f"{folder}/store")


def _fsdp1(rank: int, folder: str) -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    _start(rank, folder, 2)
    names = recipe("fsdp1", torch=torch, ft=ft)
    plan = ft.record(Net)
    expected = fi.init(plan, seed=SEED)
    options: dict[str, Any] = {
        "use_orig_params": True,
        "device_id": torch.device("cpu"),
        "auto_wrap_policy": lambda module, recurse, **_: recurse or isinstance(module, nn.Sequential),
    }

    def check(model: Any) -> None:
        with FullyShardedDataParallel.summon_full_params(model):
            for name, parameter in model.named_parameters():
                plain = name.replace("_fsdp_wrapped_module.", "")
                assert np.array_equal(parameter.detach().clone().numpy(), expected[plain]), name
        assert torch.isfinite(model(torch.ones(2, 5))).all()

    model = FullyShardedDataParallel(Net(), **options)
    for given in (plan, "auto"):
        with pytest.raises(ValueError, match=r"'blocks.0.0.weight'.*cut by FSDP1"):
            ft.init_(model, given, seed=SEED)
    names["fill_wrapped"](model, plan, SEED)
    check(model)
    with torch.device("meta"):
        model = Net()
    check(names["wrapped"](model, plan, SEED, **options))
    dist.destroy_process_group()


def test_fsdp1(tmp_path: pathlib.Path) -> None:
    in_processes(_fsdp1, str(tmp_path), count=2)


def _gpt(tensor: int, stages: int, experts: int) -> Any:
    from megatron.core import parallel_state
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
    from megatron.core.transformer import TransformerConfig

    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=tensor, pipeline_model_parallel_size=stages,
        expert_model_parallel_size=experts, expert_tensor_parallel_size=tensor if experts == 1 else 1,
    )  # fmt: skip
    config = TransformerConfig(
        num_layers=2, hidden_size=16, num_attention_heads=4, num_query_groups=2, gated_linear_unit=True,
        use_cpu_initialization=True, num_moe_experts=4, add_bias_linear=False, pipeline_dtype=torch.float32,
        tensor_model_parallel_size=tensor, pipeline_model_parallel_size=stages, sequence_parallel=False,
        expert_model_parallel_size=experts, expert_tensor_parallel_size=tensor if experts == 1 else 1,
    )  # fmt: skip
    spec = get_gpt_layer_local_spec(num_experts=4, moe_grouped_gemm=False)
    return GPTModel(
        config, spec, vocab_size=32, max_sequence_length=8, share_embeddings_and_output_weights=False,
        pre_process=parallel_state.is_pipeline_first_stage(),
        post_process=parallel_state.is_pipeline_last_stage(),
    )  # fmt: skip


def _megatron(rank: int, folder: str) -> None:
    from megatron.core import parallel_state

    _start(rank, folder, 4)
    names = recipe("megatron")
    plans = []
    for tensor, stages, experts in (
        (1, 1, 1),
        (2, 1, 1),
        (4, 1, 1),
        (2, 2, 1),
        (2, 1, 2),
        (1, 2, 2),
        (1, 1, 4),
    ):
        model = _gpt(tensor, stages, experts)
        if tensor * experts > 1:
            with pytest.raises(ValueError, match="Megatron keeps here, without its place"):
                ft.init_(model, "megatron", seed=SEED)
        plan = names["fill_megatron"](model, "megatron", SEED)
        plans.append(dict(plan))
        whole = fi.init(plan, seed=SEED)
        named, _ = names["described"](model)
        for name, parameter in named.items():
            # Megatron's own way to cut a whole tensor: _initialize_affine_weight_cpu
            axis, stride, part, parts = names["cut"](parameter)
            size = parameter.shape[axis] // stride
            pieces = torch.split(torch.from_numpy(whole[name]), size, dim=axis)[part::parts]
            assert torch.equal(parameter, torch.cat(pieces, dim=axis)), name
        parallel_state.destroy_model_parallel()
    assert all(plan == plans[0] for plan in plans)
    dist.destroy_process_group()


def test_megatron(tmp_path: pathlib.Path) -> None:
    optional("megatron.core")
    in_processes(_megatron, str(tmp_path), count=4)


def _deepspeed(rank: int, folder: str, port: int) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_SIZE="2", MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port), DS_ACCELERATOR="cpu",
    )  # fmt: skip
    import deepspeed

    _start(rank, folder, 2)
    deepspeed.init_distributed(dist_backend="gloo")
    config = {"train_batch_size": 2, "zero_optimization": {"stage": 3}}
    with deepspeed.zero.Init(config_dict_or_path=config):
        model = Net()
    plan = ft.record(Net)
    for given in (plan, "auto"):
        with pytest.raises(ValueError, match="ZeRO-3 keeps here, without its place"):
            ft.init_(model, given, seed=SEED)
    recipe("deepspeed")["fill_zero3"](model, plan, SEED)
    expected = fi.init(plan, seed=SEED)
    for name, parameter in model.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter]):
            assert np.array_equal(parameter.detach().numpy(), expected[name]), name
    dist.destroy_process_group()


def test_deepspeed(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("deepspeed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    in_processes(_deepspeed, str(tmp_path), port, count=2)


def test_stages_and_blocks() -> None:
    names = recipe("stages")
    whole = fi.init(names["plan"], seed=0)
    assert np.array_equal(names["last"].head.weight.detach(), whole["embed.weight"])
    for i, layer in enumerate(names["stage"]):
        assert np.array_equal(layer.weight.detach(), whole[f"layers.{2 + i}.weight"])
    part = recipe("block")["part"]
    assert np.array_equal(part, fi.he_normal((4096, 1024), seed=0, name="mlp.up.weight")[512:1024])


def _holds(model: Any, factory: Any) -> None:
    expected = fi.init(ft.record(factory), seed=0)
    found = dict(model.named_parameters())
    assert found and all(np.array_equal(p.detach().numpy(), expected[name]) for name, p in found.items())


def test_accelerate() -> None:
    optional("accelerate")
    _holds(recipe("accelerate")["model"], lambda: nn.Linear(8, 4))


def test_lightning(tmp_path: pathlib.Path) -> None:
    lightning = optional("lightning")
    module = recipe("lightning")["Module"]()
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    started: list[Any] = []

    class Look(lightning.Callback):
        def on_train_start(self, _: Any, module: Any) -> None:
            _holds(module.net, lambda: nn.Linear(8, 4))
            started.append(module)

    trainer.callbacks.append(Look())
    trainer.fit(module, torch.utils.data.DataLoader(torch.ones(2, 8)))
    assert started == [module]


def test_transformers(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = optional("transformers")
    optional("accelerate")
    monkeypatch.chdir(tmp_path)
    names = recipe("transformers")
    made = names["trainer"].model
    _holds(made, lambda: transformers.AutoModelForCausalLM.from_config(names["config"]))
