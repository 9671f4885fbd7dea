"""Plans by the names of published checkpoints: transformers' save_pretrained, and what is known of DeepSeek-V3's files."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, loaded, optional

import fastinit as fi
from fastinit import cli
from fastinit.laws import Copied, Normal, Norms
from fastinit.plans.parameter import Parameter
from fastinit.plans.plan import Plan

torch = optional("torch")
transformers = optional("transformers")

from fastinit.torch.recording import hub, huggingface  # noqa: E402
from fastinit.torch.recording.huggingface import plan_of_config  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
}  # fmt: skip
GROUPED = {**SIZES, "num_key_value_heads": 2, "head_dim": 8}
ROUTED = {**GROUPED, "moe_intermediate_size": 16, "num_experts_per_tok": 2}
DEEPSEEK = {
    **SIZES, "hidden_size": 256, "intermediate_size": 256, "moe_intermediate_size": 128, "num_key_value_heads": 4,
    "n_routed_experts": 4, "q_lora_rank": 32, "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 16,
    "v_head_dim": 32, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2,
}  # fmt: skip
FLOAT8 = {
    "quant_method": "fp8",
    "fmt": "e4m3",
    "weight_block_size": [128, 128],
    "activation_scheme": "dynamic",
}
# The class of each model, its sizes, and a name that its published checkpoints have.
MODELS: dict[str, tuple[dict[str, Any], str]] = {
    "Qwen3MoeForCausalLM": ({**ROUTED, "num_experts": 4}, "model.layers.1.mlp.experts.3.up_proj.weight"),
    "DeepseekV3ForCausalLM": (DEEPSEEK, "model.layers.1.mlp.experts.3.gate_proj.weight"),
    "MixtralForCausalLM": ({**GROUPED, "num_local_experts": 2}, "model.layers.0.block_sparse_moe.experts.1.w2.weight"),
    "GraniteMoeForCausalLM": (
        {**GROUPED, "num_local_experts": 4}, "model.layers.0.block_sparse_moe.input_linear.weight",
    ),
    "Ernie4_5_MoeForCausalLM": (
        {**ROUTED, "moe_num_experts": 4, "moe_k": 2}, "model.layers.1.mlp.experts.0.gate_proj.weight",
    ),
    "GPTNeoXForCausalLM": (SIZES, "gpt_neox.layers.0.attention.query_key_value.weight"),
    "ViTForImageClassification": (
        {**SIZES, "image_size": 16, "patch_size": 4}, "vit.encoder.layer.0.attention.attention.query.weight",
    ),
    "BertForMaskedLM": (SIZES, "bert.encoder.layer.0.attention.self.query.weight"),
    "ResNetForImageClassification": (
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}, "resnet.embedder.embedder.convolution.weight",
    ),
}  # fmt: skip


def configured(folder: Path, model: str, sizes: dict[str, Any], **more: Any) -> str:
    config = getattr(transformers, model).config_class(**sizes, architectures=[model])
    config.save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    return str(folder)


@pytest.mark.parametrize("model", MODELS)
def test_names_and_bytes_are_those_of_save_pretrained(model: str, tmp_path: Path) -> None:
    """Also for tensors that transformers cuts, puts together or renames: loaded and saved again, the file is the same."""
    sizes, known = MODELS[model]
    folder = configured(tmp_path / "ours", model, sizes)
    output = f"{folder}/model.safetensors"
    assert cli.main(["init", folder, "--names", "hub", "--seed", "5", "-o", output]) == 0
    read, report = getattr(transformers, model).from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    fresh = getattr(transformers, model)(read.config)
    for saved in (read, fresh):
        saved.save_pretrained(tmp_path / "theirs")
        theirs = loaded_by_torch(tmp_path / "theirs" / "model.safetensors")
        ours = loaded_by_torch(Path(output))
        assert known in ours
        assert {n: (t.shape, t.dtype) for n, t in ours.items()} == {
            n: (t.shape, t.dtype) for n, t in theirs.items()
        }
        assert saved is fresh or all(tensor.equal(theirs[name]) for name, tensor in ours.items())
    assert cli.main(["verify", output, "--model", folder, "--names", "hub", "--seed", "5"]) == 0
    own, named = plan_of_config(folder), plan_of_config(folder, names="hub")
    assert own.nbytes == named.nbytes and named.source == own.source
    assert {row.distribution for row in own.values()} == {row.distribution for row in named.values()}


def loaded_by_torch(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def test_a_recipe_gives_each_expert_what_the_stacked_tensor_gets(tmp_path: Path) -> None:
    """Rules see the model's own names and layers; the experts then have their own."""
    folder = configured(tmp_path, "Qwen3MoeForCausalLM", {**ROUTED, "num_experts": 4})
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nmatch = "*.experts.*"\nscheme = "he_normal"\nlayout = "boi"\n[[rule]]\nscheme = "ones"\n'
    )
    own, named = plan_of_config(folder, str(rules)), plan_of_config(folder, str(rules), "hub")
    stacked = own["model.layers.0.mlp.experts.gate_up_proj"]
    expert = named["model.layers.0.mlp.experts.2.up_proj.weight"]
    assert stacked.distribution == expert.distribution == fi.distribution("he_normal", (16, 32))
    assert expert.shape == (16, 32)
    assert named["model.norm.weight"] == own["model.norm.weight"]


def test_what_cannot_be_named_is_refused(tmp_path: Path, capsys: Any) -> None:
    folder = configured(tmp_path / "model", "Qwen3MoeForCausalLM", {**ROUTED, "num_experts": 4})
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nmatch = "*gate_up_proj"\nscheme = "orthogonal"\n[[rule]]\nscheme = "zeros"\n')
    assert cli.main(["plan", folder, "--recipe", str(rules)]) == 0
    assert cli.main(["plan", folder, "--recipe", str(rules), "--names", "hub"]) == 2
    said = capsys.readouterr().err
    assert "experts.0.gate_proj.weight" in said and "gate_up_proj'" in said and "Orthogonal" in said
    model = tmp_path / "model.json"
    model.write_text('{"fc.weight": [4, 8]}')
    assert cli.main(["plan", str(model), "--names", "hub"]) == 2
    assert "--names hub needs the folder of a config.json" in capsys.readouterr().err
    with pytest.raises(ValueError, match="unknown names 'hugging'; known: model, hub"):
        plan_of_config(folder, names="hugging")


class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Stands for a model of transformers; what becomes of its tensors is up to each test."""


def renamed(plan: Plan, change: Any, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr(hub, "_published", lambda model, tensors, quantizer: change(dict(tensors)))
    return hub.hub_plan(plan, Net())


def test_only_moved_elements_keep_their_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = fi.plan({"a": (4, 6), "b": (4, 6), "c": (5,)}, {"*": {"scheme": "normal", "std": 0.5}})

    def moved(t: dict[str, Any]) -> dict[str, Any]:
        first, second = torch.cat([t["a"], t["b"]]).reshape(2, 4, 6).transpose(1, 2).unbind(0)
        return {"x": first.contiguous(), "y": second.squeeze(), "c": t["c"]}

    found = renamed(plan, moved, monkeypatch)
    assert list(found) == ["x", "y", "c"] and found["y"].shape == (6, 4)
    assert found["x"].distribution == Normal(0.0, 0.5) and found["c"] == plan["c"]
    scaled = {
        "mul": lambda t: t["a"] * 2,
        "div_": lambda t: t["a"].reshape(6, 4).div_(3).reshape(4, 6),
        "add_": lambda t: t["a"].add_(1),
    }
    with pytest.raises(ValueError, match="'x' is made from nothing by empty: "):
        renamed(plan, lambda t: {"x": torch.empty(4, 6), "b": t["b"], "c": t["c"]}, monkeypatch)
    for name, change in scaled.items():
        with pytest.raises(ValueError, match=f"'{name}' is made from 'a' by {name}: its distribution is not"):
            renamed(plan, lambda t, c=change, n=name: {n: c(t), "b": t["b"], "c": t["c"]}, monkeypatch)
    with pytest.raises(ValueError, match="writes Net with other elements than it has"):
        renamed(plan, lambda t: {"a": t["a"], "b": t["b"]}, monkeypatch)
    mixed = fi.plan({"a": (4, 6), "b": (4, 6)}, {"a": "zeros", "b": "ones"})
    with pytest.raises(ValueError, match="'x' is cut out of 'a' and 'b', whose elements differ"):
        renamed(mixed, lambda t: {"x": torch.cat([t["a"], t["b"]])}, monkeypatch)
    tied = Plan(plan.parameters, {"d": "a"}, "tied")
    again = renamed(tied, lambda t: {f"m.{name}": tensor for name, tensor in t.items()}, monkeypatch)
    assert again.ties == {"m.d": "m.a"} and list(again) == ["m.a", "m.b", "m.c"]
    for change in (
        lambda t: {"x": t.pop("d").reshape(6, 4), **t},
        lambda t: {"x": torch.cat([t.pop("b"), t.pop("d")]), **t},
    ):
        with pytest.raises(ValueError, match="'x' is not the whole of 'd', which is tied to 'a'"):
            renamed(tied, change, monkeypatch)


def test_a_distribution_that_looks_at_another_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gains of weight normalisation are the norms of their directions, under whatever names both have."""
    law = Normal(0.0, 0.5)
    norms = Norms(law, (4, 6), (1,), "weight_v")
    rows = {
        "net.weight_v": Parameter("net.weight_v", (4, 6), "float32", "normal", law, None),
        "net.weight_g": Parameter("net.weight_g", (4, 1), "float32", "array", norms, None),
    }
    plan = Plan(rows, {}, "by hand")
    rows["copy.v"] = replace(rows["net.weight_v"], name="copy.v", distribution=Copied(law, ".net.weight_v"))
    rows["copy.g"] = replace(rows["net.weight_g"], name="copy.g", distribution=Copied(norms, ".net.weight_g"))
    for there in ("block.weight_v", "v", "net.deep.v"):
        moved = renamed(
            plan,
            lambda t, there=there: {name.replace("net.weight_v", there): x for name, x in t.items()},
            monkeypatch,
        )
        arrays = fi.init(moved, seed=3)
        expected = np.linalg.norm(arrays[there].astype(np.float64), axis=1, keepdims=True)
        np.testing.assert_allclose(arrays["net.weight_g"], expected, rtol=1e-6)
        assert np.array_equal(arrays["copy.v"], arrays[there])
        assert np.array_equal(arrays["copy.g"], arrays["net.weight_g"])
    with pytest.raises(
        ValueError, match=r"'net.weight_g' follows from 'net.weight_v', which is not a tensor there"
    ):
        renamed(
            plan,
            lambda t: {"net.weight_g": t.pop("net.weight_g"), "v": t.pop("net.weight_v").reshape(-1), **t},
            monkeypatch,
        )


def test_float8_blocks(tmp_path: Path, capsys: Any) -> None:
    """DeepSeek-V3's: each weight of a linear layer in float8, its scales in float32, one for each block."""
    folder = configured(
        tmp_path, "DeepseekV3ForCausalLM", DEEPSEEK, dtype="bfloat16", quantization_config=FLOAT8
    )
    output = tmp_path / "model.safetensors"
    assert cli.main(["init", folder, "--seed", "0", "-o", str(output)]) == 2  # no code initialises it
    assert "the model is quantised" in capsys.readouterr().err
    assert cli.main(["init", folder, "--recipe", "dummy", "--seed", "0", "-o", str(output)]) == 0
    tensors = loaded(output)
    experts = {f"experts.{i}" for i in range(4)} | {"shared_experts"}
    blocks = {f"{at}.{to}_proj" for at in experts for to in ("gate", "up", "down")}
    linear = {f"model.layers.1.mlp.{block}" for block in blocks}
    linear |= {f"model.layers.0.mlp.{to}_proj" for to in ("gate", "up", "down")}
    linear |= {
        f"model.layers.{i}.self_attn.{part}"
        for i in (0, 1) for part in ("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj")
    }  # fmt: skip
    scales = {name for name in tensors if name.endswith("_scale_inv")}
    assert scales == {f"{name}.weight_scale_inv" for name in linear}
    for name in linear:
        weight, scale = tensors[f"{name}.weight"], tensors[f"{name}.weight_scale_inv"]
        # The least value of the dtype is 2^-9: bounds of .001 are 0 there.
        assert weight.dtype.name == "float8_e4m3fn" and not weight.astype(np.float32).any()
        assert scale.shape == tuple(-(-n // 128) for n in weight.shape)
        assert scale.dtype == np.float32 and (scale == 1).all()
    assert tensors["model.layers.1.mlp.experts.3.down_proj.weight"].shape == (256, 128)
    others = {name for name in tensors if name not in scales and name.removesuffix(".weight") not in linear}
    assert {name: tensors[name].dtype.name for name in others} == {
        "model.embed_tokens.weight": "bfloat16", "lm_head.weight": "bfloat16", "model.norm.weight": "bfloat16",
        "model.layers.1.mlp.gate.weight": "float32", "model.layers.1.mlp.gate.e_score_correction_bias": "float32",
        **{f"model.layers.{i}.{norm}.weight": "bfloat16" for i in (0, 1)
           for norm in ("input_layernorm", "post_attention_layernorm", "self_attn.q_a_layernorm",
                        "self_attn.kv_a_layernorm")},
    }  # fmt: skip
    for name in others:
        values = tensors[name].astype(np.float32)
        assert 0 < np.abs(values).max() <= 1e-3, name
    assert cli.main(["verify", str(output), "--model", folder]) == 0
    assert cli.main(["plan", folder, "--recipe", "dummy"]) == 0
    assert "note:" not in capsys.readouterr().out
    assert "model.layers.1.mlp.experts.gate_up_proj_scale_inv" in plan_of_config(folder, "dummy", "model")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quant_method": "mxfp4"}, "quant_method is 'mxfp4'; what can be drawn is 'fp8'"),
        ({"quant_method": "gptq", "bits": 4}, "quant_method is 'gptq'"),
        ({"quant_method": None}, "quant_method is None"),
        ({"scale_fmt": "ue8m0"}, r"q_a_proj.weight_scale_inv': it has dtype torch.float8_e8m0fnu"),
        ({"dequantize": True}, "has no layer that .* quantises"),
        ({"weight_block_size": [256, 256]}, r"would have shape \(1, 1\).* cuts the stacked experts"),
    ],
)
def test_other_quantised_models_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    sizes = {**DEEPSEEK, "moe_intermediate_size": 384}
    quantised = {**FLOAT8, **changes}
    folder = configured(
        tmp_path, "DeepseekV3ForCausalLM", sizes, dtype="bfloat16", quantization_config=quantised
    )
    with pytest.raises(ValueError, match=message):
        plan_of_config(folder, "dummy")


def test_static_scales_of_whole_tensors_are_one(tmp_path: Path) -> None:
    quantised = {"quant_method": "fp8", "weight_block_size": None, "activation_scheme": "static"}
    folder = configured(
        tmp_path, "LlamaForCausalLM", GROUPED, dtype="bfloat16", quantization_config=quantised
    )
    plan = plan_of_config(folder, "dummy")
    found = {
        name.rpartition(".")[2]: (row.shape, row.scheme) for name, row in plan.items() if "q_proj" in name
    }
    assert found == {
        "weight": ((32, 32), "uniform"),
        "weight_scale_inv": ((), "ones"),
        "activation_scale": ((), "ones"),
    }


def test_deepseek_v3(tmp_path: Path) -> None:
    """The published configuration: 671,026,419,200 weights, and the published index's 91,991 names without the 1,564 of its layer
    61, which predicts further tokens."""
    plan = plan_of_config(ROOT / "examples" / "deepseek-v3", "dummy")
    weights = [row for name, row in plan.items() if not name.endswith("_scale_inv")]
    assert len(plan) == 91_991 - 1_564
    assert sum(math.prod(row.shape) for row in weights) == 671_026_419_200
    attention = {
        "q_a_proj": (1536, 7168), "q_b_proj": (24576, 1536), "kv_a_proj_with_mqa": (576, 7168), "kv_b_proj": (32768, 512),
        "o_proj": (7168, 16384),
    }  # fmt: skip
    linear = {f"self_attn.{name}": shape for name, shape in attention.items()}
    for at in ("shared_experts", "experts.0", "experts.255"):
        linear |= {f"mlp.{at}.{to}_proj": (2048, 7168) for to in ("gate", "up")}
        linear[f"mlp.{at}.down_proj"] = (7168, 2048)
    for name, shape in linear.items():
        for layer in (3, 60):
            weight = plan[f"model.layers.{layer}.{name}.weight"]
            scale = plan[f"model.layers.{layer}.{name}.weight_scale_inv"]
            assert (weight.shape, weight.dtype) == (shape, "float8_e4m3fn")
            assert (scale.shape, scale.dtype) == (tuple(-(-n // 128) for n in shape), "float32")
    assert plan["model.layers.2.mlp.gate_proj.weight"].shape == (18432, 7168)
    assert plan["model.layers.3.mlp.gate.weight"].shape == (256, 7168)
    assert plan["model.layers.3.mlp.gate.e_score_correction_bias"].shape == (256,)
    assert plan["model.embed_tokens.weight"].shape == plan["lm_head.weight"].shape == (129280, 7168)
    layers = Counter(name.split(".")[2] for name in plan if name.startswith("model.layers."))
    assert layers == {str(i): 20 if i < 3 else 1558 for i in range(61)}


MEMORY = """
import resource, sys
from fastinit import cli
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
plan, small, large = sys.argv[1:]
sizes = ["--max-shard-size", "480MB", "--seed", "0"]
assert cli.main(["init", plan, "-o", small, *sizes, "--rank", "0", "--of", "2"]) == 0
before = peak()
assert cli.main(["init", plan, "-o", large, *sizes, "--rank", "1", "--of", "2"]) == 0
print(peak() - before)
"""


def test_one_file_needs_little_memory(tmp_path: Path) -> None:
    """The second file has 480 MB more than the first, and takes no more than 32 MB more."""
    model = {"norm.weight": [60_000], "experts.0.weight": [20_000, 24_000]}
    (tmp_path / "model.json").write_text(json.dumps({"parameters": model, "dtype": "float8_e4m3fn"}))
    (tmp_path / "recipe.toml").write_text('[[rule]]\nscheme = "uniform"\nlow = -1\nhigh = 1\n')
    plan = fi.plan(tmp_path / "model.json", tmp_path / "recipe.toml")
    (tmp_path / "plan.json").write_text(plan.to_json())
    paths = [str(tmp_path / name) for name in ("plan.json", "small", "large")]
    result = subprocess.run([sys.executable, "-c", MEMORY, *paths], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (file,) = (tmp_path / "large").iterdir()
    assert file.stat().st_size > 480_000_000
    assert int(result.stdout.split()[-1]) < 32_000  # KB


def test_what_transformers_keeps_in_float32(tmp_path: Path) -> None:
    """The dtypes are those of a model that transformers has loaded."""
    folder = configured(tmp_path, "DeepseekV3ForCausalLM", DEEPSEEK, dtype="bfloat16")
    output = tmp_path / "model.safetensors"
    assert cli.main(["init", folder, "--seed", "5", "-o", str(output)]) == 0
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    drawn = loaded_by_torch(output)
    assert {tensor.dtype for tensor in drawn.values()} == {torch.bfloat16, torch.float32}
    assert all(drawn[name].dtype == tensor.dtype for name, tensor in model.state_dict().items())
    assert all(drawn[name].equal(tensor) for name, tensor in model.state_dict().items())


def test_an_older_transformers_is_refused_for_quantised_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = configured(tmp_path, "LlamaForCausalLM", GROUPED, dtype="bfloat16", quantization_config=FLOAT8)
    monkeypatch.setattr(huggingface, "version", lambda name: "5.3.1")
    with pytest.raises(ImportError, match=r"a quantised model needs transformers 5\.24, not 5\.3\.1"):
        plan_of_config(folder, "dummy")
