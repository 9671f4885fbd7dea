"""torchtitan's checkpoint manager loads the files of `fastinit init` into its parallelised models (CPU, gloo)."""

from __future__ import annotations

import importlib
import json
import logging
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from processes import in_processes, join

import fastinit as fi
from fastinit import cli

pytest.importorskip("torchtitan.trainer", exc_type=ImportError)
pytest.importorskip("transformers")

import torch
import torch.distributed as dist
import transformers

SEED = 5
BLOCKS = {
    "quant_method": "fp8",
    "fmt": "e4m3",
    "weight_block_size": [128, 128],
    "activation_scheme": "dynamic",
}
# torchtitan's debug models, as Hugging Face's configurations say them.
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama3": (
        "LlamaForCausalLM",
        {"vocab_size": 2048, "hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 16,
         "intermediate_size": 768},
    ),
    "deepseek_v3": (
        "DeepseekV3ForCausalLM",
        {"vocab_size": 2048, "hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 16,
         "num_key_value_heads": 16, "intermediate_size": 1024, "moe_intermediate_size": 256, "n_routed_experts": 8,
         "n_shared_experts": 2, "num_experts_per_tok": 3, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
         "q_lora_rank": None, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128},
    ),
}  # fmt: skip
RULES = """
[[rule]]
match = "*_scale_inv"
scheme = "ones"
optional = true
[[rule]]
scheme = "uniform"
low = -1
high = 1
"""


def _loaded(family: str, degrees: dict[str, int], files: str, folder: str) -> None:
    """Build and parallelise the model as torchtitan's trainer does, let its manager load the files, and compare."""
    from torchtitan.components.checkpoint import CheckpointManager
    from torchtitan.config.configs import ParallelismConfig, TrainingConfig
    from torchtitan.distributed import ParallelDims, utils
    from torchtitan.trainer import Trainer

    spec = importlib.import_module(f"torchtitan.models.{family}").model_registry("debugmodel")
    given = {"spmd_backend": "partial_dtensor", "data_parallel_shard_degree": 1, **degrees}
    training = TrainingConfig(seq_len=16, mixed_precision_param="float32", disable_cuda_graphs=True)
    config = Trainer.Config(model_spec=spec, parallelism=ParallelismConfig(**given), training=training)
    dims = ParallelDims.from_config(config.parallelism, dist.get_world_size())
    dims.build_mesh()
    utils.set_spmd_backend(config.parallelism.spmd_backend)
    spec.model.update_from_config(config=config)
    with torch.device("meta"):
        model = spec.model.build()
    model = spec.parallelize_fn(
        model, parallel_dims=dims, training=config.training, parallelism=config.parallelism,
        compile_config=config.compile, ac_config=None, dump_folder="",
    )  # fmt: skip
    model.to_empty(device="cpu")
    quantised = "quantization_config" in json.loads(Path(files, "config.json").read_text())
    checkpoint = CheckpointManager.Config(
        enable=True, folder=folder, initial_load_path=files, initial_load_in_hf=True,
        initial_load_in_hf_quantized=quantised,
    )  # fmt: skip
    adapter = spec.state_dict_adapter(spec.model, files)
    nothing: Any = None
    manager = CheckpointManager(
        checkpoint, dataloader=None, model_parts=[model], optimizers=nothing, lr_schedulers=nothing, states={},
        sd_adapter=adapter,
    )  # fmt: skip
    assert manager.load()
    said = fi.checkpoints.origin(files)
    assert said is not None
    arrays = {
        name: array.astype("float32")  # the model's own dtype
        for name, array in fi.init(said.plan, seed=SEED).items()
        if not name.endswith("_scale_inv")
    }
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    expected = spec.state_dict_adapter(spec.model, None).from_hf(tensors)
    state = model.state_dict()
    assert set(expected) == set(state)
    for name, tensor in state.items():
        whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
        assert whole.dtype == expected[name].dtype == torch.float32, name
        assert whole.view(torch.int32).equal(expected[name].view(torch.int32)), name


CASES: list[tuple[str, dict[str, int], bool]] = [
    ("llama3", {"data_parallel_shard_degree": 2, "tensor_parallel_degree": 2}, False),
    ("deepseek_v3", {"data_parallel_shard_degree": 4, "expert_parallel_degree": 2}, False),
    ("deepseek_v3", {"data_parallel_shard_degree": 2, "expert_parallel_degree": 2}, True),
]


def _worker(rank: int, folder: str) -> None:
    logging.disable(logging.WARNING)
    importlib.import_module("torchtitan.distributed.parallel_dims").device_type = "cpu"
    for number, (family, degrees, _) in enumerate(CASES):
        processes = degrees["data_parallel_shard_degree"] * degrees.get("tensor_parallel_degree", 1)
        if rank < processes:
            join(rank, processes, f"{folder}/store{number}")
            _loaded(family, degrees, f"{folder}/{number}", f"{folder}/out{number}")
            dist.destroy_process_group()


def test_its_checkpoint_manager_loads_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    for number, (family, _, quantised) in enumerate(CASES):
        model, sizes = CONFIGS[family]
        folder = tmp_path / str(number)
        config = getattr(transformers, model).config_class(**sizes, architectures=[model])
        config.save_pretrained(folder)
        if quantised:
            path = folder / "config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": BLOCKS}))
        command = ["init", str(folder), "--names", "hub", "--seed", str(SEED), "-o", str(folder)]
        assert cli.main([*command, "--max-shard-size", "5MB", "--recipe", str(rules)]) == 0
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    multiprocessing.set_forkserver_preload(["torchtitan.trainer"])
    in_processes(_worker, str(tmp_path), count=4, start_method="forkserver")
