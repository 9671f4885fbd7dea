"""The engine of the explorer page, run by Node, and what its numbers are held against."""

from __future__ import annotations

import json
import math
import subprocess
from typing import Any

import numpy as np
from conftest import ROOT
from webassembly import node

CLAIMS = json.loads((ROOT / "docs" / "images" / "claims.json").read_text())


def answers(*calls: tuple[str, Any]) -> list[Any]:
    command = [node(), str(ROOT / "tests" / "explorer_calls.mjs")]
    done = subprocess.run(command, input=json.dumps(calls), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def run(activation: str, scheme: str, value: float | None = None, bias: float = 0.0) -> dict[str, Any]:
    return {"activation": activation, "scheme": scheme, "value": value, "bias": bias}


def number(value: Any) -> float:
    """What a measurement is: none where it could not be, or where it overflowed."""
    return math.nan if value is None else float(value)


def close(ours: Any, theirs: Any, rtol: float, what: str) -> None:
    np.testing.assert_allclose(number(ours), number(theirs), rtol, 1e-300, equal_nan=True, err_msg=what)
