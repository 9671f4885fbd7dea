"""What the models of libraries get: transformers draws the same, and the ends of branches are found in every family."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest
from conftest import optional
from recipe_formulas import (
    Shapes,
    torchtitan,
)

import fastinit as fi


def drawn_by_transformers(kind: str, **config: Any) -> dict[str, np.ndarray]:
    optional("torch").manual_seed(0)
    transformers = optional("transformers")
    name = {"GPT2": "LMHeadModel", "Llama": "ForCausalLM", "Bert": "ForMaskedLM", "T5": "ForConditionalGeneration",
            "Bart": "ForConditionalGeneration", "GPTNeoX": "ForCausalLM",
            "Mamba": "ForCausalLM"}.get(kind, "ForImageClassification")  # fmt: skip
    model = getattr(transformers, kind + name)(getattr(transformers, f"{kind}Config")(**config))
    return {name: p.detach().numpy() for name, p in model.named_parameters()}


SMALL = {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.mark.parametrize(
    ("recipe", "kind", "config"),
    [
        ("gpt2", "GPT2", {"n_embd": 64, "n_layer": 3, "n_head": 4, "vocab_size": 500, "n_positions": 64}),
        ("llama", "Llama", {**SMALL, "vocab_size": 500}),
        ("bert", "Bert", {**SMALL, "vocab_size": 5000}),
        ("vit", "ViT", {**SMALL, "image_size": 32, "patch_size": 8, "num_labels": 50}),
        (
            "t5",
            "T5",
            {"d_model": 64, "d_kv": 8, "d_ff": 96, "num_layers": 2, "num_heads": 6, "vocab_size": 500},
        ),
        (
            "convnext",
            "ConvNext",
            {"hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 2, 1], "num_labels": 50},
        ),
        (
            "resnet",
            "ResNet",
            {"embedding_size": 16, "hidden_sizes": [32, 64, 128, 256], "depths": [1] * 4, "num_labels": 50},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_transformers_draws_the_same_laws(recipe: str, kind: str, config: dict[str, Any]) -> None:
    arrays = drawn_by_transformers(kind, **config)
    rows = fi.plan(arrays, recipe)
    differing = {finding.name for finding in fi.verify(arrays, rows)}
    # transformers leaves these norms at one.
    zeroed = {name for name in arrays if recipe == "resnet" and "layer.2.normalization.weight" in name}
    assert differing == zeroed and bool(zeroed) == (recipe == "resnet")


def timm_vit() -> Shapes:
    shapes: Shapes = {
        "cls_token": (1, 1, 64),
        "pos_embed": (1, 17, 64),
        "patch_embed.proj.weight": (64, 3, 8, 8),
    }
    for i in range(2):
        at = f"blocks.{i}."
        shapes |= {f"{at}norm1.weight": (64,), f"{at}norm1.bias": (64,), f"{at}attn.qkv.weight": (192, 64)}
        shapes |= {f"{at}attn.proj.weight": (64, 64), f"{at}mlp.fc1.weight": (256, 64)}
        shapes[f"{at}mlp.fc2.weight"] = (64, 256)
    return shapes | {"norm.weight": (64,), "head.weight": (10, 64), "head.bias": (10,)}


def megatron_gpt() -> Shapes:
    shapes: Shapes = {"embedding.word_embeddings.weight": (500, 64), "decoder.final_layernorm.weight": (64,)}
    for i in range(2):
        at = f"decoder.layers.{i}."
        shapes |= {
            f"{at}self_attention.linear_qkv.weight": (192, 64),
            f"{at}mlp.linear_fc1.weight": (256, 64),
        }
        shapes |= {
            f"{at}self_attention.linear_proj.weight": (64, 64),
            f"{at}mlp.linear_fc2.weight": (64, 256),
        }
        shapes[f"{at}self_attention.linear_qkv.layer_norm_weight"] = (64,)
    return shapes


def bart() -> Shapes:
    sides: dict[str, Any] = {}
    for side in ("encoder", "decoder"):
        sides |= {f"{side}_layers": 2, f"{side}_ffn_dim": 128, f"{side}_attention_heads": 2}
    arrays = drawn_by_transformers("Bart", d_model=64, vocab_size=500, max_position_embeddings=32, **sides)
    return {name: array.shape for name, array in arrays.items()}


def gpt_neox() -> Shapes:
    return {
        name: array.shape for name, array in drawn_by_transformers("GPTNeoX", **SMALL, vocab_size=500).items()
    }


def std_of(row: fi.plans.Parameter) -> float:
    assert isinstance(row.distribution, fi.laws.Distribution)
    return row.distribution.moments()[1]


@pytest.mark.parametrize(
    ("family", "ends", "head"),
    [
        (timm_vit, r"attn\.proj|fc2", "head.weight"),
        (megatron_gpt, r"linear_proj|linear_fc2", ""),
        (torchtitan, r"wo|w2", "output.weight"),
        (bart, r"out_proj|fc2", ""),
        (gpt_neox, r"attention\.dense|dense_4h_to_h", "lm_head.weight"),
    ],
)
def test_branch_ends_of_every_family(family: Callable[[], Shapes], ends: str, head: str) -> None:
    shapes = family()
    n, expected = (
        3 if family is torchtitan else 2,
        {name for name in shapes if re.search(rf"({ends})\.weight$", name)},
    )
    for recipe, own, plain in (("megatron", 0.02 / sqrt(2 * n), 0.02), ("neox", 2 / (n * 8), sqrt(2 / 320))):
        stds = {name: std_of(row) for name, row in fi.plan(shapes, recipe).items()}
        assert {name for name, std in stds.items() if std == pytest.approx(own)} == expected
        rest = {name for name in shapes if len(shapes[name]) > 1} - expected
        assert [stds[name] for name in rest] == pytest.approx([plain] * len(rest))
    rows = fi.plan(shapes, fi.read_recipe("mup", base_width=16))
    inputs = {name for name in shapes if re.search("embed|shared|token", name)} - {head}
    for name, row in rows.items():
        constant = std_of(row) == 0
        assert row.lr == (1 if constant or name in inputs else 1 / 4), name
    assert not head or rows[head].distribution == fi.Normal(0, 0.02 / 4)
    if family is bart:
        assert len(fi.plan(shapes, "t-fixup")) == len(fi.plan(shapes, "deepnorm-encoder-decoder"))
    if family is timm_vit:
        assert len(fi.plan(shapes, "vit")) == len(shapes)


def test_transformers_draws_mambas_state_space_alike() -> None:
    arrays = drawn_by_transformers("Mamba", hidden_size=128, num_hidden_layers=8, vocab_size=50, state_size=8)
    rows, ours = fi.plan(arrays, "mamba"), fi.init(arrays, "mamba", seed=0)
    own = {
        name: a
        for name, a in arrays.items()
        if name.endswith(("A_log", "mixer.D", "dt_proj.weight", "norm.weight"))
    }
    assert len(own) == 4 * 8
    part = fi.Plan({name: rows[name] for name in own}, {}, "mamba")
    assert fi.verify(own, part) == []
    for name in own:
        if name.endswith("A_log"):
            assert ours[name] == pytest.approx(arrays[name], rel=1e-6)
    # Both are drawn alike: the two samples' distribution functions differ by less than chance does once in 10^6 times.
    biases = [
        np.sort(np.concatenate([a for n, a in of.items() if n.endswith("dt_proj.bias")]))
        for of in (arrays, ours)
    ]
    places = np.concatenate(biases)
    heights = [np.searchsorted(sample, places, "right") / len(sample) for sample in biases]
    assert np.abs(heights[0] - heights[1]).max() < sqrt(-math.log(5e-7) / len(biases[0]))
