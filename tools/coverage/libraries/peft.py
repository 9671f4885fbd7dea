"""peft: every adapter, with its ways to begin, on a small Llama or GPT-2."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import peft
import torch
import transformers
import transformers.models.gpt2.modeling_gpt2
import transformers.models.llama.modeling_llama
from torch import nn
from torch_model import SEEDS, check, prepare

PACKAGE = "peft"
SAMPLE = ["LoRA", "LoHa", "IA3"]
QUERY_AND_VALUE = ["q_proj", "v_proj"]
LORA: dict[str, dict[str, Any]] = {
    "LoRA": {},
    "LoRA of all linear layers": {"target_modules": "all-linear"},
    "LoRA with saved modules": {"modules_to_save": ["lm_head", "embed_tokens"]},
    "LoRA of an embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "LoRA of an expert's parameter": {"target_modules": [], "target_parameters": ["q_proj.weight"]},
    "LoRA, rslora": {"use_rslora": True},
    "LoRA, DoRA": {"use_dora": True},
    "LoRA, bias=all": {"bias": "all"},
    "LoRA, bias of B": {"lora_bias": True},
    "LoRA, rank pattern": {"rank_pattern": {"q_proj": 4}},
    "LoRA, trainable tokens": {"trainable_token_indices": [0, 1]},
    **{
        f"LoRA, init_lora_weights={how}": {"init_lora_weights": how}
        for how in (False, "gaussian", "pissa", "pissa_niter_4", "olora", "orthogonal", "eva")
    },
    "LoRA, init_lora_weights=loftq": {
        "init_lora_weights": "loftq",
        "loftq_config": {"loftq_bits": 4, "loftq_iter": 1},
    },
}
OTHERS: dict[str, dict[str, Any]] = {
    "AdaLora": {"total_step": 100},
    "Adamss": {"r": 8, "num_subspaces": 2},
    "AdaptionPrompt": {"adapter_len": 4, "adapter_layers": 1, "target_modules": None},
    "Beft": {},
    "BOFT": {"boft_block_size": 4},
    "C3A": {"block_size": 8},
    "Deft": {"r": 8},
    "Delora": {"r": 8},
    "FourierFT": {"n_frequency": 16},
    "Frod": {},
    "Glora": {"r": 8},
    "Gralora": {"r": 8},
    "Hira": {"r": 8},
    "HRA": {"r": 8},
    "IA3": {"target_modules": ["k_proj", "v_proj", "down_proj"], "feedforward_modules": ["down_proj"]},
    "Lily": {"r": 8},
    "LNTuning": {"target_modules": ["input_layernorm"]},
    "LoHa": {"r": 8},
    "LoKr": {"r": 8},
    "Miss": {"r": 8},
    "OFT": {"oft_block_size": 8, "r": 0},
    "OSF": {},
    "Peanut": {"r": 8, "depth": 2},
    "Poly": {"r": 4},
    "Psoft": {"r": 8},
    "Pvera": {"r": 8},
    "RandLora": {"r": 8},
    "Road": {"group_size": 16},
    "Shadow": {"r": 8},
    "Shira": {"r": 4},
    "Supertuning": {},
    "TinyLora": {},
    "TrainableTokens": {"target_modules": ["embed_tokens"], "token_indices": [0, 1]},
    "UniLora": {},
    "VBLoRA": {"r": 4, "num_vectors": 8, "vector_length": 16, "topk": 2},
    "Vera": {"r": 8},
    "WaveFT": {"n_frequency": 16},
}
# Those draw with a seed of their own, the same at each call: one model says all, and the plan's seed takes its place.
SEEDED = ("Frod", "Pvera", "TinyLora", "UniLora", "Vera", "FourierFT", "WaveFT", "RandLora")
PROMPTS: dict[str, dict[str, Any]] = {
    "PromptTuning": {},
    "PrefixTuning": {},
    "PrefixTuning with a projection": {"prefix_projection": True, "encoder_hidden_size": 32},
    "Cartridge": {},
    "PromptEncoder": {"encoder_hidden_size": 32},
    "MultitaskPromptTuning": {"num_tasks": 2},
}


def _llama() -> nn.Module:
    sizes = {"vocab_size": 160, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    config = transformers.LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2)
    return transformers.LlamaForCausalLM(config)


def _gpt2() -> nn.Module:
    config = transformers.GPT2Config(vocab_size=160, n_embd=64, n_layer=2, n_head=4, n_positions=64)
    return transformers.GPT2LMHeadModel(config)


def cases() -> dict[str, Callable[[], None]]:
    prepare()
    made: dict[str, Callable[[], None]] = {}

    def add(name: str, adapter: str, base: Callable[[], nn.Module] = _llama, **numbers: Any) -> None:
        def factory() -> nn.Module:
            return peft.get_peft_model(
                base(), getattr(peft, f"{adapter}Config")(task_type="CAUSAL_LM", **numbers)
            )

        made[name] = partial(check, factory, seeds=1 if name in SEEDED else SEEDS)

    for name, numbers in LORA.items():
        add(name, "Lora", **{"r": 8, "target_modules": QUERY_AND_VALUE, **numbers})
    add("LoRA of GPT-2", "Lora", _gpt2, r=8, target_modules=["c_attn"], fan_in_fan_out=True)
    half = {"r": 8, "target_modules": QUERY_AND_VALUE}
    add("LoRA of a model in bfloat16", "Lora", lambda: _llama().to(torch.bfloat16), **half)
    for name, numbers in OTHERS.items():
        add(name, name, **{"target_modules": QUERY_AND_VALUE, **numbers})
    for name, numbers in PROMPTS.items():
        add(name, name.split()[0], _gpt2, num_virtual_tokens=8, **numbers)
    return made
