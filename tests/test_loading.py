"""Readers of other libraries fill sharded models from the files of `fastinit init`: what docs/loading.md shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional
from processes import in_processes, join
from test_engines import recipe, shown
from test_jax_meshes import on_devices

import fastinit as fi
from fastinit import cli

torch = optional("torch")
transformers = optional("transformers")

import torch.distributed as dist  # noqa: E402

SEED = 5
pytestmark = pytest.mark.filterwarnings("ignore")
LLAMA = {
    "vocab_size": 64, "hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 16,
    "num_key_value_heads": 1, "intermediate_size": 50,
}  # fmt: skip
QWEN = {
    **LLAMA, "hidden_size": 128, "num_experts": 2, "moe_intermediate_size": 128, "num_experts_per_tok": 1,
}  # fmt: skip
RULES = """
[[rule]]
match = "*_scale_inv"
scheme = "ones"
[[rule]]
scheme = "uniform"
low = -1
high = 1
"""


def _sharded(files: str) -> Any:
    from torch.distributed.fsdp import fully_shard

    config = transformers.AutoConfig.from_pretrained(files)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    for layer in model.model.layers:
        fully_shard(layer)
    fully_shard(model)
    model.to_empty(device="cpu")
    for parameter in model.parameters():
        parameter.to_local().detach().fill_(7)
    return model


def _same(tensor: Any, array: np.ndarray) -> bool:
    whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return bool(whole.detach().contiguous().view(torch.uint8).numpy().tobytes() == array.tobytes())


def _by_dcp(rank: int, folder: str, tied: bool) -> None:
    join(rank, 2, f"{folder}/store")
    files = f"{folder}/files"
    model = _sharded(files)
    recipe("dcp", "loading.md")["load_files"](model, files)
    said = fi.checkpoints.origin(files)
    assert said is not None
    expected = fi.init(said.plan, seed=SEED)
    state = model.state_dict()
    assert set(state) - set(expected) == ({"lm_head.weight"} if tied else set())
    assert all(_same(state[name], array) for name, array in expected.items())
    assert not tied or model.lm_head.weight is model.model.embed_tokens.weight
    dist.destroy_process_group()


def _write(folder: Path, model: str, sizes: dict[str, Any], *options: str, **more: Any) -> None:
    config = getattr(transformers, model).config_class(**sizes, architectures=[model])
    config.save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    command = ["init", str(folder), "--seed", str(SEED), "-o", str(folder), "--max-shard-size", "10KB"]
    assert cli.main([*command, *options]) == 0
    assert (folder / "model.safetensors.index.json").exists()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_torch_distributed_checkpoint(tied: bool, dtype: str, tmp_path: Path) -> None:
    """Uneven shards of several files, and a tied head that no file has."""
    sizes = {**LLAMA, "tie_word_embeddings": tied}
    _write(tmp_path / "files", "LlamaForCausalLM", sizes, dtype=dtype)
    in_processes(_by_dcp, str(tmp_path), tied, count=2)


def _by_quantised_dcp(rank: int, folder: str) -> None:
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.quantized_hf_storage import QuantizedHuggingFaceStorageReader
    from torch.distributed.tensor import DeviceMesh, Shard, distribute_tensor

    join(rank, 2, f"{folder}/store")
    said = fi.checkpoints.origin(f"{folder}/files")
    assert said is not None
    expected = fi.init(said.plan, seed=SEED)
    mesh = DeviceMesh("cpu", [0, 1])
    wanted = {name: array for name, array in expected.items() if not name.endswith("_scale_inv")}
    state = {
        name: distribute_tensor(torch.full(array.shape, 7.0), mesh, [Shard(0)])
        for name, array in wanted.items()
    }
    dcp.load(state, storage_reader=QuantizedHuggingFaceStorageReader(f"{folder}/files"))
    kinds = {array.dtype.name for array in wanted.values()}
    assert kinds == {"float8_e4m3fn", "bfloat16"}
    for name, array in wanted.items():
        assert _same(state[name], array.astype(np.float32)), name
    dist.destroy_process_group()


def test_float8_blocks_are_read_by_torch(tmp_path: Path) -> None:
    """torch finds each weight's scales, multiplies by them, and gets the values."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    quantised = {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
    _write(
        tmp_path / "files", "Qwen3MoeForCausalLM", QWEN, "--recipe", str(rules), dtype="bfloat16",
        quantization_config=quantised,
    )  # fmt: skip
    in_processes(_by_quantised_dcp, str(tmp_path), count=2)


ORBAX = """
import numpy as np, fastinit as fi, fastinit.jax as fj
from jax.sharding import NamedSharding, PartitionSpec as P

mesh = jax.make_mesh((4, 2), ("x", "y"))

class Net(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(64, 16, rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(16, 16, param_dtype="bfloat16", rngs=rngs) for _ in range(2)])
        self.drop = nnx.Dropout(0.1, rngs=rngs)

def placed(leaf):
    spec = P("x", "y") if leaf.ndim == 2 else P("y")
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, spec))

model = nnx.eval_shape(lambda: Net(nnx.Rngs(0)))
nnx.update(model, jax.tree.map(placed, nnx.state(model, nnx.Param)))
plan = fj.plan(model)
fi.checkpoints.write(plan, FOLDER, seed=3, max_shard_size="1KB")
load_arrays(model, FOLDER)
arrays = fi.init(plan, seed=3)
for path, param in nnx.to_flat_state(nnx.state(model, nnx.Param)):
    array, got = arrays.pop(".".join(map(str, path))), param[...]
    assert got.dtype == array.dtype and np.asarray(got).tobytes() == array.tobytes(), path
    assert got.sharding == placed(got).sharding, path
assert not arrays
print("checked")
"""


def test_orbax_and_flax(tmp_path: Path) -> None:
    """Each device gets its shard of an abstract model, in the model's own shardings and dtypes."""
    optional("flax")
    pytest.importorskip("orbax.checkpoint.experimental.v1")
    folder = f"FOLDER = {str(tmp_path / 'files')!r}"
    assert on_devices("\n".join([folder, shown("orbax", "loading.md"), ORBAX]))[-1] == "checked"


def test_safetensors_into_linen(tmp_path: Path) -> None:
    flax = optional("flax")
    import jax
    from flax.traverse_util import unflatten_dict
    from safetensors.flax import load_file

    import fastinit.jax as fj

    model, x = flax.linen.Dense(8), jax.numpy.ones((2, 4))
    tree = jax.eval_shape(model.init, jax.random.key(0), x)
    path = tmp_path / "model.safetensors"
    fi.checkpoints.write(fj.plan(tree), path, seed=3)
    params = unflatten_dict(load_file(path), sep=".")
    drawn = fj.init(tree, seed=3)
    assert jax.tree.structure(params) == jax.tree.structure(drawn)
    assert (model.apply(params, x) == model.apply(drawn, x)).all()
