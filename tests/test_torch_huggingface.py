"""fastinit.torch.record on Hugging Face's models: every law against models that transformers builds for real."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit import cli
from fastinit.checkpoints.writing import write
from fastinit.laws.composed import Patched
from fastinit.laws.distributions import Constant, Normal

optional("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = optional("transformers")
    from test_torch_record import check

    import fastinit.torch as ft

pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
}  # fmt: skip
IMAGES = {**SIZES, "image_size": 16, "patch_size": 4}
GROUPED = {**SIZES, "num_key_value_heads": 2, "head_dim": 8}
ENCODER_DECODER = {
    "vocab_size": 64, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 20,
}  # fmt: skip
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT2": ("CausalLM", {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}),
    "Llama": ("CausalLM", GROUPED),
    "Bert": ("MaskedLM", SIZES),
    "ViT": ("ImageClassification", IMAGES),
    "T5": ("Seq2SeqLM", {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}),
    "Mamba": ("CausalLM", {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}),
    "ResNet": ("ImageClassification", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}),
    # Not looked at while the recorder was written.
    "OPT": ("CausalLM", {**SIZES, "ffn_dim": 48, "word_embed_proj_dim": 16}),
    "Mistral": ("CausalLM", GROUPED),
    "Qwen2": ("CausalLM", GROUPED),
    "Whisper": (
        "SpeechSeq2Seq",
        {**ENCODER_DECODER, "max_source_positions": 20, "max_target_positions": 20, "num_mel_bins": 8, "pad_token_id": 0},
    ),
    "Swin": (
        "ImageClassification",
        {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    ),
    "ConvNext": ("ImageClassification", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
    "Bloom": ("CausalLM", {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "Falcon": ("CausalLM", {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}),
    "Mixtral": ("CausalLM", {**GROUPED, "num_local_experts": 2}),
    "GPTNeoX": ("CausalLM", SIZES),
    "Gemma3Text": ("CausalLM", GROUPED),
    "GptOss": ("CausalLM", {**GROUPED, "num_local_experts": 2}),
    "Rwkv": ("CausalLM", {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2}),
    "DebertaV2": ("MaskedLM", SIZES),
    "Beit": ("ImageClassification", IMAGES),
    "Pegasus": ("Seq2SeqLM", ENCODER_DECODER),
    "Mamba2": (
        "CausalLM",
        {
            "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "num_heads": 8, "head_dim": 8,
            "n_groups": 1,
        },
    ),
    "XLNet": ("CausalLM", {"vocab_size": 64, "d_model": 32, "n_layer": 1, "n_head": 4, "d_inner": 32}),
}  # fmt: skip


def factory(name: str, **changes: Any) -> Any:
    kind, sizes = MODELS[name]
    transformers.logging.set_verbosity_error()
    tokens = {"bos_token_id": 1, "eos_token_id": 2}
    config = getattr(transformers, f"{name}Config")(**{**tokens, **sizes, **changes})
    build = getattr(transformers, f"AutoModelFor{kind}").from_config
    return lambda: build(config)


@pytest.mark.parametrize("name", MODELS)
def test_recorded_laws_are_the_models_own(name: str) -> None:
    assert len(check(factory(name), seeds=range(4))) > 10


def test_gpt2_scales_the_residual_projections() -> None:
    plan = ft.record(factory("GPT2"))
    assert plan["transformer.h.0.mlp.c_proj.weight"].distribution == Normal(0.0, 0.02 / 4**0.5)
    assert plan["transformer.h.0.mlp.c_fc.weight"].distribution == Normal(0.0, 0.02)
    assert plan.ties == {"lm_head.weight": "transformer.wte.weight"}


def test_bert_keeps_its_padding_row() -> None:
    law = ft.record(factory("Bert", pad_token_id=7))["bert.embeddings.word_embeddings.weight"].distribution
    assert law == Patched(Normal(0.0, 0.02), (((7, (0, 32, 1)), Constant(0.0)),))


def test_half_precision_and_inner_meta_device() -> None:
    import torch

    def inner() -> Any:
        with torch.device("meta"):
            return factory("Llama", dtype="bfloat16")()

    plan = ft.record(inner)
    assert {parameter.dtype for parameter in plan.values()} == {"bfloat16"}
    assert plan["model.embed_tokens.weight"].distribution == Normal(0.0, 0.02)


def test_weight_norm_of_a_speech_model() -> None:
    config = transformers.Wav2Vec2Config(**{key: SIZES[key] for key in SIZES if key != "vocab_size"})
    plan = ft.record(lambda: transformers.AutoModel.from_config(config))
    weight = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
    arrays = fi.init(plan, seed=0)
    norms = np.sqrt((arrays[f"{weight}1"] ** 2).sum((0, 1)))
    np.testing.assert_allclose(arrays[f"{weight}0"].ravel(), norms, rtol=1e-6)


@pytest.mark.parametrize("name", ["Mamba", "Whisper", "Bert", "GPT2", "Llama", "ViT"])
def test_from_a_configuration_to_a_checkpoint(name: str, tmp_path: Any) -> None:
    """What the checkpoint writer makes of a recorded plan is loaded by transformers, and is what init_ draws."""
    build = factory(name)
    plan, model = ft.record(build), build()
    model.config.save_pretrained(tmp_path)
    write(plan, tmp_path / "model.safetensors", seed=7)
    loaded, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    ft.init_(model, plan, seed=7)
    for (name, ours), theirs in zip(model.named_parameters(), loaded.parameters(), strict=True):
        assert ours.equal(theirs), name


@pytest.mark.parametrize("name", ["GPT2", "Llama", "Bert", "ViT"])
def test_the_first_loss_is_that_of_the_models_own_initialisation(name: str) -> None:
    """Mean and spread of the loss at step 0 over 24 networks of each kind: 5 standard errors, and a factor of 3."""
    import torch

    build = factory(name)
    plan, draw = ft.record(build), torch.Generator().manual_seed(0)
    if name == "ViT":
        batch = {
            "pixel_values": torch.randn(4, 3, 16, 16, generator=draw),
            "labels": torch.tensor([0, 1, 0, 1]),
        }
    else:
        tokens = torch.randint(0, 64, (4, 12), generator=draw)
        batch = {"input_ids": tokens, "labels": tokens}

    def loss(model: Any) -> float:
        with torch.no_grad():
            return float(model.eval()(**batch).loss)

    own, ours = [], []
    for seed in range(24):
        torch.manual_seed(seed)
        model = build()
        own.append(loss(model))
        ours.append(loss(ft.init_(model, plan, seed=seed)))
    error = ((np.var(own, ddof=1) + np.var(ours, ddof=1)) / 24) ** 0.5
    assert abs(np.mean(own) - np.mean(ours)) < 5 * error
    assert 1 / 3 < np.std(own) / np.std(ours) < 3
    assert own != ours


def tied(model: Any) -> set[tuple[str, ...]]:
    """The names of each parameter that has several."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return {tuple(several) for several in names.values() if len(several) > 1}


@pytest.mark.parametrize(
    "name",
    ["GPT2", "Llama", "Bert", "ViT", "T5", "Mamba", "ResNet", "OPT", "Whisper", "Swin", "ConvNext", "Falcon", "Mixtral",
     "Gemma3Text", "GptOss", "DebertaV2", "Beit", "Mamba2", "XLNet"],
)  # fmt: skip
def test_a_folder_of_every_kind_loads_whole(name: str, tmp_path: Path) -> None:
    """Nothing is missing but counts, which transformers sets to 0; ties, values and buffers are those of `init_`."""
    build = factory(name)
    model = build()
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(tmp_path)
    output = str(tmp_path / "model.safetensors")
    assert cli.main(["init", str(tmp_path), "--seed", "5", "-o", output]) == 0
    loaded, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    counts = {name for name, buffer in model.named_buffers() if not buffer.is_floating_point()}
    assert set(report.pop("missing_keys")) <= counts and not any(report.values())
    assert tied(loaded) == tied(model)
    ft.init_(model, ft.record(build), seed=5)
    state = loaded.state_dict()
    assert all(tensor.equal(state[name]) for name, tensor in model.state_dict().items())
    assert cli.main(["verify", output, "--model", str(tmp_path), "--seed", "5"]) == 0


def test_a_config_folder_on_the_command_line(tmp_path: Path, capsys: Any) -> None:
    config = transformers.GPT2Config(
        vocab_size=64, n_embd=32, n_layer=2, n_head=4, architectures=["GPT2LMHeadModel"], dtype="bfloat16"
    )
    config.save_pretrained(tmp_path)
    output = str(tmp_path / "model.safetensors")
    assert cli.main(["init", str(tmp_path), "--seed", "3", "-o", output]) == 0
    model, report = transformers.GPT2LMHeadModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert model.lm_head.weight is model.transformer.wte.weight
    assert cli.main(["verify", output, "--model", str(tmp_path), "--seed", "3"]) == 0
    assert cli.main(["verify", output, "--model", str(tmp_path), "--recipe", "he_normal", "--seed", "3"]) == 3
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nmodule = "LayerNorm"\nscheme = "constant"\nvalue = 3\n[[rule]]\nscheme = "zeros"\n'
    )
    assert cli.main(["init", str(tmp_path), "--recipe", str(rules), "--seed", "3", "-o", output]) == 0
    model = transformers.GPT2LMHeadModel.from_pretrained(tmp_path)
    assert (model.transformer.ln_f.weight == 3).all() and not model.transformer.wte.weight.any()
    config.architectures = ["Nothing"]
    config.save_pretrained(tmp_path)
    assert cli.main(["plan", str(tmp_path)]) == 2
    assert "Nothing" in capsys.readouterr().err


def test_every_activation_of_transformers_has_a_gain() -> None:
    """Each name's gain is that of the module behind it, by 2**20 values."""
    import torch

    values = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for name in transformers.activations.ACT2FN:
        module = transformers.activations.ACT2FN[name]
        module = module.double() if isinstance(module, torch.nn.Module) else module
        with torch.no_grad():
            moment = float((module(values) ** 2).mean()) * fi.gain(name) ** 2
        assert abs(moment - 1) < 0.02, (name, moment)
