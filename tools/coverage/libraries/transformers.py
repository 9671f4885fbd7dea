"""Hugging Face transformers: for every configuration that the library knows, the model with the most in it, built small."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import transformers
import transformers.generation
import transformers.models.bert.modeling_bert
import transformers.models.clip.modeling_clip
import transformers.models.gpt2.modeling_gpt2
import transformers.models.mixtral.modeling_mixtral
from inputs import output
from small import LEVELS, small
from torch import nn
from torch_model import check, check_large, prepare
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES
from verdict import NotBuiltError

PACKAGE = "transformers"
SAMPLE = ["gpt2", "llama", "mixtral", "t5", "vit", "wav2vec2", "mamba", "detr"]
LARGE = 100_000_000  # parameters of a model that is too large for a sweep
RUN = 8_000_000  # of one that is built only because smaller ones do not run
# Of several models of one configuration, that with the most in it comes first.
HEADS = (
    "ForPreTraining", "ForConditionalGeneration", "ForMaskedLM", "ForCausalLM", "LMHeadModel", "ForCTC", "ForSpeechToText",
    "ForTextToSpeech", "ForUniversalSegmentation", "ForObjectDetection", "ForSemanticSegmentation", "ForDepthEstimation",
    "ForKeypointDetection", "ForPrediction", "ForImageClassification", "ForAudioClassification", "ForVideoClassification",
    "ForSequenceClassification", "Model", "",
)  # fmt: skip
NUMBERS: dict[str, dict[str, Any]] = {  # of configurations that have no defaults for them
    "nemotron": {"head_dim": 16, "num_key_value_heads": 2},
    "hunyuan_v1_dense": {"head_dim": 16},
    "hunyuan_v1_moe": {"head_dim": 16},
    "hunyuan_vl_text": {"head_dim": 16},
    "time_series_transformer": {"prediction_length": 8},
    "informer": {"prediction_length": 8},
    "autoformer": {"prediction_length": 8, "lags_sequence": [1, 2, 3]},
    "timm_wrapper": {"architecture": "resnet10t"},
    "timm_backbone": {"backbone": "resnet10t", "use_pretrained_backbone": False},
}
TINY = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}


def cases() -> dict[str, Callable[[], str]]:
    prepare()
    return {kind: partial(_case, kind) for kind in CONFIG_MAPPING_NAMES}


def _case(kind: str) -> str:
    problem = "no model of this configuration"
    configuration = CONFIG_MAPPING[kind]
    first: Callable[[], nn.Module] | None = None
    for model in _models(configuration):
        large: list[Callable[[], nn.Module]] = []
        built = True  # as far as it was tried
        for make in _configs(kind, configuration):
            try:
                config = make()
                size = _size(model, config)
                if size > LARGE:
                    large.append(partial(model, config))
                    continue
                if first is not None and size > RUN:
                    break
                built = False
                made = model(config)
            except Exception as error:
                problem = f"{model.__name__}: {type(error).__name__}: {str(error)[:200]}"
                continue
            if _runs(made):
                return check(partial(model, config), output)
            first = first or partial(model, config)
        if large and built and first is None:
            check_large(large[0])
    if first is not None:
        return check(first, output)
    raise NotBuiltError(problem)


@torch.no_grad()
def _runs(model: nn.Module) -> bool:
    """Whether it takes an input, as it does not where sizes that are made smaller must fit together."""
    try:
        output(model.eval())
    except Exception:
        return False
    return True


def _size(model: type[nn.Module], config: Any) -> int:
    try:
        with torch.device("meta"):
            made = model(config)
    except Exception:  # code that asks for values
        return 0
    return sum(p.numel() for p in made.parameters())


def _configs(kind: str, configuration: Any) -> list[Callable[[], Any]]:
    """Functions that make configurations, each larger than the one before."""
    composed = _composed(kind)
    if composed is not None:
        return [lambda: composed]
    return [partial(small, configuration, level, NUMBERS.get(kind, {})) for level in LEVELS]


def _models(configuration: Any) -> list[Any]:
    """Models of the configuration, in the module beside it."""
    name = configuration.__module__.replace(".configuration_", ".modeling_")
    if importlib.util.find_spec(name) is None:
        return []
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise NotBuiltError(str(error).strip().splitlines()[0]) from error
    found = []
    for value in vars(module).values():
        if not inspect.isclass(value) or not issubclass(value, transformers.PreTrainedModel):
            continue
        noted = inspect.signature(value.__init__).parameters.get("config")
        takes = getattr(value, "config_class", None) is configuration
        takes = takes or (noted is not None and configuration.__name__ in str(noted.annotation))
        if takes and value.__module__ == module.__name__ and not value.__name__.endswith("PreTrainedModel"):
            found.append(value)
    return sorted(found, key=lambda v: next(i for i, head in enumerate(HEADS) if v.__name__.endswith(head)))[
        :3
    ]


def _composed(kind: str) -> Any:
    """Configurations that are made of others."""
    tf = transformers
    text = tf.BertConfig(vocab_size=160, **TINY)
    image = tf.ViTConfig(image_size=32, patch_size=16, **TINY)
    if kind == "encoder-decoder":
        return tf.EncoderDecoderConfig.from_encoder_decoder_configs(
            text, tf.BertConfig(vocab_size=160, **TINY)
        )
    if kind == "vision-encoder-decoder":
        return tf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(image, text)
    if kind == "vision-text-dual-encoder":
        return tf.VisionTextDualEncoderConfig.from_vision_text_configs(image, text)
    if kind == "speech-encoder-decoder":
        speech = tf.Wav2Vec2Config(num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **TINY)
        return tf.SpeechEncoderDecoderConfig.from_encoder_decoder_configs(speech, text)
    if kind == "musicgen":
        t5 = tf.T5Config(vocab_size=160, d_model=64, d_ff=96, num_layers=2, num_heads=4, d_kv=16)
        lm = tf.MusicgenDecoderConfig(
            vocab_size=160, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, ffn_dim=96
        )
        return tf.MusicgenConfig(text_encoder=t5, audio_encoder=tf.EncodecConfig(), decoder=lm)
    if kind == "esm":
        return tf.EsmConfig(vocab_size=33, pad_token_id=1, mask_token_id=32, **TINY)
    return None
