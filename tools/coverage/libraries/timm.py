"""timm: a small model of every family, which is a file of its models."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import timm
import torch
from torch_model import check, prepare

PACKAGE = "timm"
SAMPLE = ["vision_transformer", "resnet"]
SMALL = [
    "atto",
    "femto",
    "pico",
    "nano",
    "xxs",
    "xxtiny",
    "_xt",
    "tiny",
    "mini",
    "_xs",
    "_s0",
    "_b0",
    "lite",
    "050",
    "_18",
    "18",
    "_t_",
    "small",
    "26",
    "s12",
    "_s",
]


def cases() -> dict[str, Callable[[], None]]:
    prepare()
    families = {family: timm.list_models(module=family) for family in timm.list_modules()}
    return {family: partial(_case, min(names, key=_rank)) for family, names in families.items() if names}


def _rank(name: str) -> tuple[int, int, str]:
    place = next((i for i, word in enumerate(SMALL) if re.search(re.escape(word) + r"(\W|_|$|\d)", name)), 50)
    return (99 if name.startswith("test_") else place, len(name), name)


def _case(name: str) -> None:
    return check(lambda: timm.create_model(name, pretrained=False, num_classes=10), _forward, seeds=3)


def _forward(model: Any) -> Any:
    size = model.default_cfg["input_size"]
    return model(torch.randn(1, *size, generator=torch.Generator().manual_seed(0)))
