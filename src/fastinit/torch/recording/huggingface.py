"""A folder with Hugging Face's config.json -> the plan of the model that it describes, by transformers' own code."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ...extras import needs
from ...plans.plan import Plan
from .record import record


def plan_of_config(folder: str | os.PathLike[str]) -> Plan:
    """What transformers would draw for the model of ``config.json``, in the configuration's dtype; nothing is allocated.

    Needs transformers. No code from the folder is run. Raises OSError if there is no configuration, ValueError for one
    that names no model of transformers, and for what `record` cannot express.
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
    plan = record(lambda: model(config))
    dtype = str(config.dtype or "float32").removeprefix("torch.")
    parameters = {name: replace(parameter, dtype=dtype) for name, parameter in plan.items()}
    return replace(plan, parameters=parameters)
