"""A Hugging Face configuration -> a small one of the same kind."""

from __future__ import annotations

import copy
import re
from typing import Any

DEPTH = re.compile(
    r"^(num_hidden_layers|num_layers|n_layers?|num_blocks|depth|n_blocks|num_(encoder|decoder)_(hidden_layers|blocks)"
    r"|(num_)?[a-z_]*(encoder|decoder|vision|text|audio|adapter|attention|transformer|generator|backbone|resampler|qformer|local|global"
    r"|refiner|codec|flow|prenet|duration_predictor|prior|postnet|prediction|speech)_(hidden_)?(num_)?(layers|blocks|depth))$"
)
DEPTHS = re.compile(r"^(depths|num_blocks|layers|num_layers|encoder_depths|layer_repeats)$")
COUNTS = re.compile(r"^(num_hidden_layers|num_layers|n_layers?)$")
# What becomes at most how much, the first that fits.
VOCABULARY: list[tuple[str, int]] = [
    (r"(^|_)codebook_size$", 128),
    (r"(vocab_size|n_vocab|vocab_size_per_layer_input|num_embeddings|vocab)$", 160),
    (
        r"^(\w+_)?(num_(local_|routed_)?experts|n_routed_experts|moe_num_experts|num_total_experts|num_experts_pool)$",
        4,
    ),
    (
        r"(experts_per_tok(en)?|moe_topk?|moe_k|top_k_experts|experts_per_token|moe_top_k|selected_experts)$",
        2,
    ),
    (r"^(first_k_dense_replace|n_group|topk_group|num_dense_layers)$", 1),
    (
        r"(intermediate_size|ffn_dim|d_ff|n_inner|ffn_hidden_size|mlp_dim|inner_dim|feedforward_dim|dim_feedforward|d_inner)$",
        96,
    ),
]
WIDTHS: list[tuple[str, int]] = [
    (r"^(q_lora_rank|kv_lora_rank|o_lora_rank|v_head_dim|index_head_dim)$", 16),
    (r"^(qk_nope_head_dim|qk_rope_head_dim|mamba_d_state|hidden_size_per_layer_input|index_topk)$", 8),
    (r"^(max_position_embeddings|max_source_positions|max_target_positions|n_positions|n_ctx)$", 256),
    (r"^num_kv_shared_layers$", 0),
    (r"(num_attention_heads|(^|_)n_heads?|(^|_)num_heads|attention_heads)$", 4),
    (r"(head_dim|d_kv|head_size|kv_channels|d_head)$", 16),
    (
        r"^((\w+_)?(hidden_size|d_model|n_embd|embed_dim|embedding_size|hidden_dim|model_dim|emb_dim|projection_dim|dim_model"
        r"|proj_dim|hidden_channels|out_hidden_size|proj_size|lm_embed_dim))$|^(dim|width)$",
        64,
    ),
]
SHARED_HEADS = re.compile(
    r"(num_key_value_heads|n_kv_heads?|num_kv_heads|n_head_kv|num_query_groups|multi_query_group_num)$"
)
HEADS = re.compile(r"(num_attention_heads|(^|_)n_heads?|(^|_)num_heads|attention_heads)$")
TOKEN = re.compile(r"(_token_id|_token_index|_id)$")
PERIODIC = re.compile(r"period|interval|freq|every|offset|pattern|sparse_step|layers_block_type")
DROPPED = ("transformers_version", "architectures", "_name_or_path", "model_type", "dtype", "torch_dtype")
LEVELS = ("all", "depth and vocabulary", "depth", "none")


def small(configuration: Any, level: str, numbers: dict[str, Any]) -> Any:
    """One of the class, with `numbers` for what it has no defaults for; `level` says what is made smaller."""
    config = configuration(**numbers)
    if level == "none":
        return config
    data = {key: value for key, value in copy.deepcopy(config.to_dict()).items() if key not in DROPPED}
    return configuration.from_dict(_small(data, level))


def _small(data: dict[str, Any], level: str) -> dict[str, Any]:
    counts = [(key, value) for key, value in data.items() if COUNTS.search(key) and type(value) is int]
    key, before = counts[0] if counts else ("", 0)
    layers = _layers(data, before, level)
    result: dict[str, Any] = {}
    for name, value in data.items():
        if name.strip("_") in ("out_features", "out_indices", "stage_names"):
            value = None  # of layers that may be gone
        elif name in ("width_coefficient", "depth_coefficient"):
            value = 1.0
        elif name == "per_layer_config" and value:
            value = {layers.index(int(i)): held for i, held in value.items() if int(i) in layers}
        elif name == key:
            value = len(layers)
        elif type(value) is int:
            value = _number(name, value, level, data)
        elif isinstance(value, dict) and (name.endswith("config") or "model_type" in value):
            value = _small(value, level)
        elif isinstance(value, list | tuple) and before > 2 and len(value) == before:
            value = type(value)(value[i] for i in layers)
        elif isinstance(value, list | tuple) and DEPTHS.search(name) and all(type(v) is int for v in value):
            value = type(value)(min(v, 2) for v in value)
        elif isinstance(value, list) and TOKEN.search(name) and all(type(v) is int for v in value):
            value = [min(v, 2 + i) for i, v in enumerate(value)]
        result[name] = value
    return result


def _layers(data: dict[str, Any], before: int, level: str) -> list[int]:
    """Which layers stay: the first two, and the first of each kind."""
    kinds = next(
        (
            v
            for v in data.values()
            if isinstance(v, list | tuple) and v and len(v) == before and type(v[0]) is str
        ),
        None,
    )
    if kinds is None:
        return list(range(_number("num_hidden_layers", before, level, data)))
    return sorted({kinds.index(kind) for kind in kinds} | set(range(min(2, before))))


def _number(name: str, value: int, level: str, data: dict[str, Any]) -> int:
    if value <= 0:
        return value
    if DEPTH.search(name):
        varied = any(PERIODIC.search(key) and held is not None for key, held in data.items())
        return min(value, 4 if varied else 2)
    if level == "depth":
        return value
    if TOKEN.search(name) and value >= 160:
        return 3 + sum(map(ord, name)) % 150
    if level == "all" and SHARED_HEADS.search(name):
        heads = next((held for key, held in data.items() if HEADS.search(key) and type(held) is int), value)
        return min(value, 1 if value == 1 else 2 if value < heads else 4)
    rules = VOCABULARY + (WIDTHS if level == "all" else [])
    return next((min(value, most) for pattern, most in rules if re.search(pattern, name)), value)
