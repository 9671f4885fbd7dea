"""Inputs for a model of transformers, by the names that its forward pass takes: the first that it accepts is taken."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor, nn

MOST = 48  # inputs that are tried
_PARTS = ("vision_config", "text_config", "audio_config", "encoder", "backbone_config", "decoder")


def output(model: nn.Module) -> Tensor:
    """The first output of floats, for the first input that the model accepts; the first one's error if it accepts none."""
    first: Exception | None = None
    for inputs in islice(_inputs(model), MOST):
        try:
            return _floats(model(**inputs))
        except Exception as error:
            first = first or error
    raise first or ValueError("nothing is known of its inputs")


def _floats(out: Any) -> Tensor:
    if isinstance(out, Tensor) and out.is_floating_point() and out.numel():
        return out
    held = out.values() if hasattr(out, "values") else out if isinstance(out, tuple | list) else ()
    for value in held:
        try:
            return _floats(value)
        except ValueError:
            continue
    raise ValueError("there is nothing of floats in the output")


def _inputs(model: Any) -> Iterator[dict[str, Any]]:
    parameters = inspect.signature(model.forward).parameters.values()
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [p.name for p in parameters if p.kind in plain]
    needed = {p.name for p in parameters if p.kind in plain and p.default is p.empty}
    main = model.main_input_name
    wanted = dict.fromkeys([*([main] if main in names or not names else []), *needed])
    if "decoder_input_ids" in names and getattr(model.config, "is_encoder_decoder", False):
        wanted["decoder_input_ids"] = None
    both = dict.fromkeys([*wanted, *(name for name in ("input_ids", "pixel_values") if name in names)])
    for chosen in (wanted, both):
        choices = [_values(model.config, name) for name in chosen]
        if all(choices):
            for values in product(*choices):
                yield dict(zip(chosen, (value() for value in values), strict=True))


def _values(config: Any, name: str) -> list[Callable[[], Any]]:
    """Functions that make what may stand for an argument of this name."""
    parts = [config, *(getattr(config, part, None) for part in _PARTS)]

    def number(*keys: str, default: int) -> int:
        held = (getattr(part, key, None) for key in keys for part in parts)
        return next((value for value in held if type(value) is int and value > 0), default)

    def normal(*shape: int) -> Callable[[], Tensor]:
        return lambda: torch.randn(shape, generator=torch.Generator().manual_seed(0))

    def tokens(low: int, high: int, *shape: int) -> Callable[[], Tensor]:
        return lambda: torch.randint(low, high, shape, generator=torch.Generator().manual_seed(0))

    width = number("hidden_size", "d_model", "embed_dim", "hidden_dim", default=64)
    channels, patch = (
        number("num_channels", "in_channels", "in_chans", default=3),
        number("patch_size", default=16),
    )
    if name.endswith("input_ids"):
        return [tokens(10, 100, 2, 8), tokens(3, 20, 2, 8), tokens(3, 20, 2, 32), tokens(3, 20, 4, 8)]
    if name == "pixel_values" or name in ("image", "images"):
        size = next((s for part in parts if (s := getattr(part, "image_size", None)) is not None), 64)
        sides = (size, size) if isinstance(size, int) else tuple(size)
        flat = normal(16, channels * number("temporal_patch_size", default=1) * patch * patch)
        images = [normal(1, channels, *s) for s in (sides, (64, 64), (224, 224), (256, 256), (768, 768))]
        return [*images, *_videos(normal, number, channels, sides), flat]
    if name == "pixel_values_videos":
        size = number("image_size", "crop_size", default=64)
        return _videos(normal, number, channels, (size, size))
    if name.endswith("grid_thw") or name == "image_grid_thw":
        return [lambda: torch.tensor([[1, 4, 4]])]
    if name == "flattened_patches":
        return [normal(1, 8, channels * patch * patch + 2)]
    if name in ("hidden_states", "inputs_embeds", "context", "encoder_hidden_states"):
        volume = channels * patch * patch
        time = number("temporal_patch_size", default=1)
        return [normal(1, 8, width), normal(16, volume * time), normal(16, width), normal(1, 8, number("input_dim", default=width))]  # fmt: skip
    if name.endswith("mask"):
        return [lambda: torch.ones(1, 8, dtype=torch.long), lambda: torch.ones(1, 8, dtype=torch.bool)]
    if name in ("input_features", "audio_features"):
        bins = number("num_mel_bins", "feature_size", "input_feat_per_channel", "n_mels", default=80)
        length = 2 * number("max_source_positions", default=1500)
        return [
            normal(1, bins, length),
            normal(1, 100, bins),
            normal(1, 1, 1024, bins),
            normal(1, 100, width),
        ]
    if name in ("input_values", "waveform", "audio_values"):
        return [normal(1, 4000), normal(1, 1, 4000), normal(1, number("max_length", default=1024), number("num_mel_bins", default=128))]  # fmt: skip
    return []


def _videos(normal: Any, number: Any, channels: int, sides: tuple[int, ...]) -> list[Callable[[], Tensor]]:
    frames = number("num_frames", "frames_per_clip", default=8)
    return [normal(1, frames, channels, *sides), normal(1, channels, frames, *sides)]
