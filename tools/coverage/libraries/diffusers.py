"""diffusers: every model, built small."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import diffusers
import diffusers.models
import torch
from torch_model import check, check_large, prepare
from verdict import NotBuiltError

PACKAGE = "diffusers"
SAMPLE = ["AutoencoderKL", "UNet2DModel", "DiTTransformer2DModel"]
LARGE = 30_000_000  # parameters of a model that is too large for a sweep
DEPTH = re.compile(r"layers|depth|n_layer|num_blocks|layers_per_block|_blocks$")
HEADS = re.compile(r"num_(\w+_)?heads|n_heads|num_head$")
# What becomes at most how much.
WIDTHS: list[tuple[str, int]] = [
    (r"channels?$|dims?$|width|hidden_size|embed_dim|inner_size|_size$|mlp_dim", 32),
    (r"num_embeds|vocab|num_vectors|codebook|num_embeddings", 64),
]


def cases() -> dict[str, Callable[[], None]]:
    prepare()
    models = {name: getattr(diffusers.models, name) for name in diffusers.models.__all__ if name[0].isupper()}
    return {
        name: partial(_case, model)
        for name, model in models.items()
        if inspect.isclass(model)
        and issubclass(model, diffusers.ModelMixin)
        and model is not diffusers.ModelMixin
    }


def _case(model: Any) -> None:
    problem = "nothing tried"
    large: list[Callable[[], Any]] = []
    built = True  # as far as it was tried
    for numbers in _numbers(model):
        factory = partial(model, **numbers)
        try:
            try:
                with torch.device("meta"):
                    size = sum(p.numel() for p in factory().parameters())
            except Exception:  # code that asks for values
                size = 0
            if size > LARGE:
                large.append(factory)
                continue
            built = False
            factory()
        except Exception as error:
            problem = f"{type(error).__name__}: {str(error)[:200]}"
            continue
        return check(factory)
    if large and built:
        return check_large(large[0])
    raise NotBuiltError(problem)


def _numbers(model: Any) -> Iterator[dict[str, Any]]:
    """Arguments that make it small, and others that make it less so."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(model.__init__).parameters.items()
        if parameter.default not in (inspect.Parameter.empty, None)
    }
    for rules in (WIDTHS, WIDTHS[1:], []):
        for fewer_heads in (True, False):
            changed = {name: _small(name, value, rules, fewer_heads) for name, value in defaults.items()}
            yield {name: value for name, value in changed.items() if value != defaults[name]}


def _small(name: str, value: Any, rules: list[tuple[str, int]], fewer_heads: bool) -> Any:
    if isinstance(value, list | tuple) and name == "block_out_channels":
        return type(value)(min(v, 32) for v in value) if rules else value
    if type(value) is not int or value <= 0:
        return value
    if DEPTH.search(name):
        return min(value, 2)
    if fewer_heads and HEADS.search(name):
        return min(value, 2)
    return next((min(value, most) for pattern, most in rules if re.search(pattern, name)), value)
