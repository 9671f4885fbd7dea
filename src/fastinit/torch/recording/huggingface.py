"""A folder with Hugging Face's config.json -> the plan of the model that it describes, by transformers' own code."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...extras import needs
from ...plans.make import make_plan, with_recipe
from ...plans.model import Model
from ...plans.plan import Plan
from ...plans.recipe import Recipe, as_recipe
from ..survey import survey
from .record import record


def plan_of_config(folder: str | os.PathLike[str], recipe: Recipe | str | None = None) -> Plan:
    """What transformers would draw for the model of ``config.json``, in the configuration's dtype, or what a recipe gives its
    parameters; nothing is allocated.

    Needs transformers. No code from the folder is run. Raises OSError if there is no configuration, ValueError for one
    that names no model of transformers, for what `record` cannot express, and for a quantised model without a recipe.
    """
    transformers = needs("transformers", extra="hf", what="a folder with a config.json")
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(2, "no such file", str(path))
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    names = config.architectures or []
    if len(names) != 1 or not hasattr(transformers, names[0]):
        raise ValueError(f"{path}: architectures must name one model of transformers, not {names}")
    model = getattr(transformers, names[0])
    dtype = str(config.dtype or "float32").removeprefix("torch.")
    if getattr(config, "quantization_config", None) is not None:
        if recipe is None:
            raise ValueError(
                f"{path}: the model is quantised: no code initialises it; give a recipe, such as dummy"
            )
        return _quantised(model, config, recipe)
    plan = record(lambda: model(config))
    parameters = {name: replace(parameter, dtype=dtype) for name, parameter in plan.items()}
    plan = replace(plan, parameters=parameters)
    return plan if recipe is None else with_recipe(plan, recipe)


def _quantised(model: Any, config: Any, recipe: Recipe | str) -> Plan:
    """The recipe's plan for a model whose layers transformers has exchanged for quantised ones."""
    from transformers.quantizers.auto import AutoHfQuantizer

    quantizer = AutoHfQuantizer.from_config(config.quantization_config, pre_quantized=True)
    with torch.device("meta"):
        built = model(config).to(config.dtype)
        quantizer.preprocess_model(model=built)
    seen = survey(built)
    tensors = {name: slot.spec for name, slot in seen.parameters.items()}
    return make_plan(Model(tensors, seen.ties), as_recipe(recipe))
