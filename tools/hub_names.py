"""The names of the Hub for every model type that transformers maps to published checkpoints: which plans are made, and which are
refused: `python tools/hub_names.py`, for a minute or two. No memory is taken: models are built on the meta device.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "coverage"))

import torch
import transformers
from libraries import transformers as swept
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from verdict import NotBuiltError

from fastinit.torch.recording.hub import hub_plan
from fastinit.torch.recording.huggingface import _surveyed


def built(kind: str) -> Any:
    """A small model of the configuration; None if the library does not build one here."""
    try:
        models = swept._models(CONFIG_MAPPING[kind])
    except NotBuiltError:
        return None
    for model in models:
        for make in swept._configs(kind, CONFIG_MAPPING[kind]):
            try:
                config = make()
                config.dtype = torch.float32
                with torch.device("meta"):
                    return model(config)
            except Exception:  # of a library's own code, which wants other numbers or packages
                continue
    return None


def verdict(kind: str) -> str:
    model = built(kind)
    if model is None:
        return "not built"
    if not get_model_conversion_mapping(model, add_legacy=False):
        return "without a mapping"
    try:
        hub_plan(_surveyed(model, model.config, "dummy"), model)
    except ValueError as error:
        print(f"{kind}: {error}"[:300], flush=True)
        return "refused"
    return "with a plan"


def main() -> None:
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    for what, number in Counter(map(verdict, list(CONFIG_MAPPING))).items():
        print(number, what)


if __name__ == "__main__":
    main()
