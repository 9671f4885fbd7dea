"""The models, an input for each, and what was counted and read by hand: the fans of weights, and what follows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import networks as own
import torch
from torch import Tensor, nn

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
TEXT = {"vocab_size": 160, **SMALL}
IMAGE = {"image_size": 32, "patch_size": 8, **SMALL}


class Case(NamedTuple):
    """``told``: a parameter -> its fans, or None if it has none, and words of the plan's reason for it."""

    build: Callable[[], nn.Module]
    inputs: Callable[[], Any]
    told: Mapping[str, tuple[tuple[float, float] | None, str]]
    library: str = "torch"


def _normal(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _uniform(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _tokens(*shape: int, high: int = 50) -> Callable[[], Tensor]:
    return lambda: torch.randint(4, high, shape, generator=torch.Generator().manual_seed(0))


def _hf(config: str, model: str, given: Mapping[str, Any], inputs: Callable[[], Any], told: Any) -> Case:
    def build() -> nn.Module:
        import transformers

        return getattr(transformers, model)(getattr(transformers, config)(**given))  # type: ignore[no-any-return]

    return Case(build, inputs, told, "transformers")


def _named(**inputs: Callable[[], Tensor]) -> Callable[[], dict[str, Tensor]]:
    return lambda: {name: make() for name, make in inputs.items()}


WORDS = _named(input_ids=_tokens(4, 12))
PIXELS = _named(pixel_values=_normal(2, 3, 32, 32))
BOTH = _named(input_ids=_tokens(2, 8), pixel_values=_normal(2, 3, 32, 32))
PAIR = _named(input_ids=_tokens(2, 8), decoder_input_ids=_tokens(2, 8))

CASES: dict[str, Case] = {
    "perceptron, ReLU": Case(
        lambda: own.mlp([64, 128, 128, 10], nn.ReLU), _normal(32, 64),
        {"0.weight": ((64, 128), "relu follows"), "4.weight": ((128, 10), "output follows")}),
    "perceptron, tanh": Case(
        lambda: own.mlp([64, 128, 128, 10], nn.Tanh), _normal(32, 64),
        {"2.weight": ((128, 128), "tanh follows"), "4.weight": ((128, 10), "output follows")}),
    "perceptron, SELU": Case(
        lambda: own.mlp([64, 128, 128, 10], nn.SELU), _normal(32, 64), {"0.weight": ((64, 128), "selu follows")}),
    "SIREN": Case(
        own.Siren, _uniform(64, 2), {"first.weight": ((2, 64), "sin"), "last.weight": ((64, 3), "output follows")}),
    "LeNet": Case(
        lambda: nn.Sequential(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
                              nn.Flatten(), nn.Linear(256, 84), nn.Tanh(), nn.Linear(84, 10)),
        _normal(4, 1, 28, 28), {"3.weight": ((150, 400), "tanh follows"), "7.weight": ((256, 84), "tanh follows")}),
    "VGG": Case(
        lambda: nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
                              nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Linear(8192, 10)),
        _normal(4, 3, 32, 32), {"4.weight": ((144, 288), "relu follows"), "8.weight": ((8192, 10), "output follows")}),
    "ResNet": Case(
        lambda: nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), own.Basic(16, 16, 1),
                              own.Basic(16, 32, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
        _normal(4, 3, 16, 16),
        {"4.conv1.weight": ((144, 72), "relu follows"), "4.shortcut.weight": ((16, 8), ""), "4.bn2.weight": (None, "")}),
    "DenseNet": Case(lambda: own.DenseBlock(16, 8, 3), _normal(4, 16, 8, 8), {"layers.2.2.weight": ((288, 72), "")}),
    "MobileNet": Case(
        lambda: nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU6(), nn.Conv2d(16, 16, 3, 1, 1, groups=16),
                              nn.BatchNorm2d(16), nn.ReLU6(), nn.Conv2d(16, 32, 1), nn.BatchNorm2d(32), nn.Flatten(),
                              nn.Linear(8192, 10)),
        _normal(4, 3, 32, 32), {"3.weight": ((9, 9), "relu6 follows"), "6.weight": ((16, 32), "")}),
    "squeeze and excitation": Case(
        lambda: nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.SiLU(), own.SqueezeExcite(16)), _normal(4, 3, 8, 8),
        {"0.weight": ((27, 144), "silu follows"), "2.reduce.weight": ((16, 4), "silu follows"),
         "2.expand.weight": ((4, 16), "sigmoid follows")}),
    "U-Net": Case(
        own.UNet, _normal(2, 1, 16, 16),
        {"up.weight": ((32, 64), ""), "down2.weight": ((144, 72), "relu follows"), "fuse.weight": ((288, 144), "relu follows")}),
    "DCGAN's generator": Case(
        lambda: nn.Sequential(nn.ConvTranspose2d(32, 64, 4), nn.BatchNorm2d(64), nn.ReLU(), nn.ConvTranspose2d(64, 3, 4, 2, 1),
                              nn.Tanh()),
        _normal(4, 32, 1, 1), {"3.weight": ((256, 48), "tanh follows")}),
    "DCGAN's discriminator": Case(
        lambda: nn.Sequential(nn.Conv2d(3, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.BatchNorm2d(64),
                              nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(1024, 1)),
        _normal(4, 3, 16, 16), {"2.weight": ((512, 256), "leaky_relu follows")}),
    "variational autoencoder": Case(
        own.Vae, _normal(16, 64), {"encoder.0.weight": ((64, 32), "relu follows"), "mu.weight": ((32, 8), "")}),
    "LSTM language model": Case(
        own.LstmLanguageModel, _tokens(4, 12),
        {"lstm.weight_ih_l0": ((32, 48), ""), "lstm.weight_hh_l0": (None, "orthogonal matrix"), "head.weight": ((48, 100), "output follows")}),
    "GRU tagger": Case(
        own.GruTagger, _tokens(4, 12),
        {"gru.weight_ih_l0_reverse": ((32, 24), ""), "embed.weight": (None, ""), "head.weight": ((48, 5), "output follows")}),
    "encoder and decoder of torch": Case(
        own.Seq2Seq, _tokens(2, 8),
        {"transformer.encoder.layers.0.self_attn.in_proj_weight": ((32, 32), ""),
         "transformer.decoder.layers.1.linear1.weight": ((32, 64), "relu follows")}),
    "GPT": Case(
        own.Gpt, _tokens(4, 12),
        {"h.0.qkv.weight": ((32, 32), ""), "h.1.fc.weight": ((32, 128), "gelu follows"), "h.0.out.weight": ((128, 32), "")}),
    "vision transformer": Case(
        own.VisionTransformer, _normal(2, 3, 32, 32),
        {"patch_embed.weight": ((48, 32), ""), "cls_token": (None, "a learned token"), "pos_embed": (None, "a table of positions")}),
    "MLP-Mixer": Case(
        lambda: nn.Sequential(own.MixerBlock(16, 32), own.MixerBlock(16, 32)), _normal(4, 16, 32),
        {"0.tokens.0.weight": ((16, 32), "gelu follows"), "1.channels.2.weight": ((64, 32), "")}),
    "actor and critic": Case(
        own.ActorCritic, _normal(2, 4, 44, 44), {"body.2.weight": ((256, 128), "relu follows"), "critic.weight": ((512, 1), "")}),
    "graph attention": Case(
        own.GraphAttention, _normal(10, 16), {"lin.weight": ((16, 32), ""), "att": (None, "the model's code: xavier_uniform")}),
    "two towers": Case(
        own.TwoTowers, _tokens(8, 2), {"users.weight": (None, ""), "mlp.0.weight": ((32, 64), "relu follows")}),
    "denoiser": Case(
        own.Diffusion, _normal(2, 3, 8, 8),
        {"time_mlp.0.weight": ((16, 64), "silu follows"), "conv2.weight": ((144, 27), "output follows")}),
    "ConvNeXt's block": Case(
        own.ConvNext, _normal(2, 16, 8, 8),
        {"conv_dw.weight": ((49, 49), ""), "gamma": (None, "the model's own value"), "fc1.weight": ((16, 64), "gelu follows")}),
    "BERT": _hf("BertConfig", "BertForMaskedLM", TEXT, WORDS,
                {"bert.encoder.layer.0.intermediate.dense.weight": ((64, 96), "gelu follows")}),
    "DeBERTa v2": _hf("DebertaV2Config", "DebertaV2Model", {**TEXT, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, WORDS,
                      {"encoder.layer.0.attention.self.query_proj.weight": ((64, 64), "")}),
    "GPT-2": _hf("GPT2Config", "GPT2LMHeadModel", {"vocab_size": 160, "n_embd": 64, "n_layer": 2, "n_head": 4}, WORDS,
                 {"transformer.h.0.attn.c_attn.weight": ((64, 64), ""), "transformer.h.1.mlp.c_fc.weight": ((64, 256), "gelu")}),
    "Llama": _hf("LlamaConfig", "LlamaForCausalLM", TEXT, WORDS,
                 {"model.layers.0.mlp.gate_proj.weight": ((64, 96), "silu follows"), "model.layers.1.mlp.down_proj.weight": ((96, 64), ""),
                  "lm_head.weight": ((64, 160), "output follows")}),
    "Gemma 2": _hf("Gemma2Config", "Gemma2ForCausalLM", {**TEXT, "head_dim": 16, "num_key_value_heads": 2}, WORDS,
                   {"model.layers.0.input_layernorm.weight": (None, "adds 1"), "model.layers.0.mlp.up_proj.weight": ((64, 96), "")}),
    "Mixtral": _hf("MixtralConfig", "MixtralForCausalLM", {**TEXT, "num_key_value_heads": 2, "num_local_experts": 4}, WORDS,
                   {"model.layers.0.mlp.experts.gate_up_proj": ((64, 96), ""), "model.layers.0.mlp.experts.down_proj": ((96, 64), "")}),
    "Mamba": _hf("MambaConfig", "MambaForCausalLM", {"vocab_size": 160, "hidden_size": 64, "num_hidden_layers": 2, "state_size": 8}, WORDS,
                 {"backbone.layers.0.mixer.A_log": (None, "state matrix"), "backbone.layers.0.mixer.conv1d.weight": ((4, 4), "")}),
    "GPT-OSS": _hf("GptOssConfig", "GptOssForCausalLM",
                   {**TEXT, "head_dim": 16, "num_key_value_heads": 2, "num_local_experts": 4}, WORDS,
                   {"model.layers.0.self_attn.sinks": (None, "the model's code"),
                    "model.layers.0.mlp.experts.gate_up_proj": ((64, 96), "")}),
    "T5": _hf("T5Config", "T5ForConditionalGeneration",
              {"vocab_size": 160, "d_model": 64, "d_ff": 96, "num_layers": 2, "num_heads": 4, "d_kv": 16}, PAIR,
              {"encoder.block.0.layer.1.DenseReluDense.wi.weight": ((64, 96), "relu follows")}),
    "Whisper": _hf("WhisperConfig", "WhisperForConditionalGeneration",
                   {"vocab_size": 160, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
                    "decoder_attention_heads": 4, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "max_source_positions": 50,
                    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
                   _named(input_features=_normal(2, 80, 100), decoder_input_ids=_tokens(2, 8)),
                   {"model.encoder.conv1.weight": ((240, 192), "no activation is seen (by order"), "model.encoder.embed_positions.weight": (None, "frozen")}),
    "ViT": _hf("ViTConfig", "ViTForImageClassification", IMAGE, PIXELS,
               {"vit.embeddings.patch_embeddings.projection.weight": ((192, 64), ""), "vit.embeddings.cls_token": (None, "token")}),
    "Swin": _hf("SwinConfig", "SwinModel",
                {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "window_size": 4}, PIXELS,
                {"encoder.layers.0.downsample.reduction.weight": ((64, 32), "")}),
    "ConvNeXt": _hf("ConvNextConfig", "ConvNextModel", {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, PIXELS,
                    {"encoder.stages.1.layers.0.layer_scale_parameter": (None, "the model's")}),
    "CLIP": _hf("CLIPConfig", "CLIPModel", {"text_config": {**TEXT, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
                                            "vision_config": IMAGE}, BOTH,
                {"logit_scale": (None, "the model's"), "text_model.encoder.layers.0.mlp.fc1.weight": ((64, 96), "quick_gelu")}),
    "SigLIP": _hf("SiglipVisionConfig", "SiglipVisionModel", IMAGE, PIXELS,
                  {"head.probe": (None, "the model's code")}),
}  # fmt: skip
