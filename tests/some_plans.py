"""Plans of a few rows, which several tests look at."""

from __future__ import annotations

import math
from typing import Any

from fastinit.laws.distributions import Constant, Normal, TruncatedNormal, Uniform
from fastinit.laws.orthogonal import Orthogonal
from fastinit.plans.parameter import Parameter
from fastinit.plans.plan import Plan

MODELS = [(name, recipe) for name in ("gpt2", "resnet-50") for recipe in ("default", "gpt2")][:3]
LAWS: list[tuple[str, Any]] = [
    ("constant", Constant(0.25)), ("uniform", Uniform(-0.5, 1.5)), ("normal", Normal(0.5, 0.1)),
    ("truncated_normal", TruncatedNormal(0, 0.5, -1, 1)), ("truncated_normal", TruncatedNormal(0, 1, 4, math.inf)),
    ("normal", Normal(0, 0)), ("orthogonal", Orthogonal(2.0, 1)),
]  # fmt: skip


def one(
    scheme: str, law: Any, shape: tuple[int, ...] = (40, 50), dtype: str = "float32", **more: Any
) -> Plan:
    return Plan({"w": Parameter("w", shape, dtype, scheme, law, None, **more)}, {}, "test")


def laws(dtype: str = "float32") -> Plan:
    rows = {f"w{i}": Parameter(f"w{i}", (40, 50), dtype, *row, None) for i, row in enumerate(LAWS)}
    return Plan(rows, {"tied": "w1"}, "test")
