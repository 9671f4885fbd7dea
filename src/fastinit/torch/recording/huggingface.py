"""A folder with Hugging Face's config.json -> the plan of the model that it describes, by transformers' own code."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ...arguments import choose
from ...dtypes import is_integer, name_of
from ...extras import needs
from ...files import atomic
from ...plans.make import make_plan, with_recipe
from ...plans.model import Model, TensorSpec
from ...plans.parameter import COUNTS, Parameter
from ...plans.plan import Plan
from ...plans.recipe import Recipe, as_recipe
from ..survey import survey
from .hub import hub_plan
from .record import followed, recorded

_LEAST = (5, 24)  # of transformers, whose quantisers in it name the scales of stacked experts


def plan_of_config(
    folder: str | os.PathLike[str], recipe: Recipe | str | None = None, names: str | None = None
) -> Plan:
    """What transformers would draw for the model of ``config.json``, in the configuration's dtype, or what a recipe gives its
    parameters; nothing is allocated. What transformers keeps in float32 is float32.

    ``names`` are those of the model, as `init_` has them ("model"), or those of the published checkpoints, as inference
    engines read them ("hub"; see `hub_plan`). A quantised model has the latter by default, any other the former.

    Needs transformers. No code from the folder is run. Raises OSError if there is no configuration, ValueError for one
    that names no model of transformers, for what `record` or `hub_plan` cannot express, and for a quantised model
    without a recipe.
    """
    transformers = needs("transformers", extra="hf", what="a folder with a config.json")
    path = Path(folder) / "config.json"
    if not stat.S_ISREG(atomic.kind_of(path)):
        raise FileNotFoundError(2, "no such file", str(path))
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    known = config.architectures or []
    if len(known) != 1 or not hasattr(transformers, known[0]):
        raise ValueError(f"{path}: architectures must name one model of transformers, not {known}")
    model = getattr(transformers, known[0])
    config.dtype = config.dtype or torch.float32
    quantisation = getattr(config, "quantization_config", None)
    names = names or ("model" if quantisation is None else "hub")
    choose("names", names, {"model": None, "hub": None})
    quantizer = None
    if quantisation is None:
        plan, built = _recorded(model, config, recipe)
    elif recipe is None:
        raise ValueError(
            f"{path}: the model is quantised: no code initialises it; give a recipe, such as dummy"
        )
    else:
        with torch.device("meta"):
            built = model(config)
        quantizer = _quantise(built, config)
        plan = _surveyed(built, config, recipe)
    if names == "model":
        return plan
    plan = hub_plan(plan, built, quantizer)
    if quantizer is not None:
        _check_blocks(plan, getattr(quantizer.quantization_config, "weight_block_size", None))
    return plan


def _recorded(model: Any, config: Any, recipe: Recipe | str | None) -> tuple[Plan, Any]:
    """What the model's code draws, or the recipe's plan for its tensors; and the model, without memory."""
    first, again = (followed(lambda: model(config), seed) for seed in (0, 1))
    plan, built = recorded(first, again), first.model
    rows = {name: replace(row, dtype=_dtype(name, built, config.dtype)) for name, row in plan.items()}
    plan = replace(plan, parameters=rows)
    return plan if recipe is None else with_recipe(plan, recipe), built


def _quantise(built: Any, config: Any) -> Any:
    """Exchange the model's layers for quantised ones, as transformers does before it loads. Returns the quantiser.

    Raises ValueError for another method than float8 by blocks or by tensors: what others store is not floats, or cannot be
    told without their libraries and a GPU.
    """
    from transformers.quantizers.auto import AutoHfQuantizer

    if tuple(map(int, (has := version("transformers")).split(".")[:2])) < _LEAST:
        raise ImportError(f"a quantised model needs transformers {'.'.join(map(str, _LEAST))}, not {has}")
    method = config.quantization_config.get("quant_method")
    if method != "fp8":
        raise ValueError(f"quant_method is {method!r}; what can be drawn is 'fp8'")
    quantizer = AutoHfQuantizer.from_config(config.quantization_config, pre_quantized=True)
    built.to(config.dtype)
    with torch.device("meta"):
        quantizer.preprocess_model(model=built)
    if not any(parameter.dtype == torch.float8_e4m3fn for parameter in built.parameters()):
        raise ValueError(f"{type(built).__name__} has no layer that {config.quantization_config} quantises")
    return quantizer


def _surveyed(built: Any, config: Any, recipe: Recipe | str) -> Plan:
    """The recipe's plan for the tensors of a quantised model, persistent buffers included."""
    seen = survey(built)
    tensors: dict[str, TensorSpec] = {}
    unfilled: dict[str, Parameter] = {}
    for name, slot in (seen.parameters | seen.buffers).items():
        if name in seen.buffers and not slot.persistent:
            continue
        if name in seen.buffers and is_integer(slot.tensor.dtype):
            kind = name_of(slot.tensor.dtype)
            unfilled[name] = Parameter.kept(name, tuple(slot.tensor.shape), kind, COUNTS)
            continue
        if slot.fault:
            raise ValueError(f"parameter {name!r}: {slot.fault}")
        own = slot.tensor.dtype != config.dtype  # a quantised weight's
        kind = slot.spec.dtype if own else _dtype(name, built, config.dtype)
        tensors[name] = replace(slot.spec, dtype=kind)
    return make_plan(Model(tensors, seen.ties, unfilled), as_recipe(recipe))


def _dtype(name: str, built: Any, dtype: torch.dtype) -> str:
    """The dtype in which transformers holds a parameter of a model that it loads in ``dtype``."""
    kept = list(built._keep_in_fp32_modules_strict or ()) if dtype in (torch.float16, torch.bfloat16) else []
    kept += list(built._keep_in_fp32_modules or ()) if dtype == torch.float16 else []
    stays = any(re.search(pattern.replace("*", ".*"), name) for pattern in kept)
    return "float32" if stays else name_of(dtype)


def _check_blocks(plan: Plan, sizes: Iterable[int] | None) -> None:
    """Raise ValueError for scales that do not fit the blocks of a weight: they were cut in the midst of a block."""
    for name, row in plan.items():
        weight = plan.parameters.get(name.removesuffix("_scale_inv"))
        if sizes is None or weight is row or weight is None:
            continue
        blocks = tuple([-(-n // size) for n, size in zip(weight.shape[-2:], sizes, strict=True)])
        if row.shape[-2:] != blocks:
            raise ValueError(
                f"{name!r} would have shape {row.shape}, but {weight.name!r} of shape {weight.shape} has {blocks} "
                f"blocks of {sizes}: transformers cuts the stacked experts within a block"
            )
