"""A sample of tools/coverage: other libraries' models, recorded and drawn; and that the comparison sees what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import optional

from fastinit.laws import Constant, Distribution, Normal, Orthogonal, TruncatedNormal, Uniform

TOOL = Path(__file__).parents[1] / "tools" / "coverage"
LIBRARIES = sorted(path.stem for path in (TOOL / "libraries").glob("[!_]*.py"))
IN_CI = {
    "torch_nn": "torch",
    "transformers": "transformers",
    "equinox": "equinox",
    "flax_nnx": "flax",
    "flax_linen": "flax",
    "keras_layers": "keras",
    "keras_applications": "keras",
}  # fmt: skip; others are run where they are installed


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_sample_of_each_library_is_right(library: str) -> None:
    if library in IN_CI:
        optional(IN_CI[library])
    command = [sys.executable, str(TOOL), "--sample", library]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if "is not installed" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert " right" in done.stdout.splitlines()[-1], done.stdout


@pytest.fixture
def comparison(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(TOOL))
    return __import__("comparison")


def _drawn(law: Distribution, shape: tuple[int, ...], seeds: range) -> list[dict[str, np.ndarray]]:
    import fastinit as fi

    return [{"w": fi.fill(np.empty(shape, np.float32), law, seed=seed, name="w")} for seed in seeds]


RIGHT = TruncatedNormal(0.0, 0.02, -0.04, 0.04)
WRONG = {
    "its deviation": (RIGHT, TruncatedNormal(0.0, 0.021, -0.042, 0.042)),
    "its mean": (RIGHT, TruncatedNormal(0.001, 0.02, -0.039, 0.041)),
    "its kind": (Uniform(-1.0, 1.0), Normal(0.0, 3**-0.5)),
    "its support": (Uniform(-1.0, 1.0), Uniform(-0.99, 0.99)),
    "a constant": (Constant(1.0), Constant(1.0001)),
    "no chance": (Constant(1.0), Normal(1.0, 0.01)),
    "chance": (Normal(1.0, 0.01), Constant(1.0)),
    "no orthogonal rows": (Normal(0.0, 64**-0.5), Orthogonal()),
    "orthogonal rows": (Orthogonal(), Normal(0.0, 64**-0.5)),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_law_is_seen(what: str, comparison: ModuleType) -> None:
    model, plan = WRONG[what]
    shape = (64, 64)
    real = _drawn(model, shape, range(6))
    assert not comparison.differences(real, _drawn(model, shape, range(10, 22)), {"w": model})
    assert comparison.differences(real, _drawn(plan, shape, range(10, 22)), {"w": plan})


def test_one_wrong_row_is_seen(comparison: ModuleType) -> None:
    real = _drawn(Normal(), (50, 16), range(6))
    drawn = _drawn(Normal(), (50, 16), range(10, 22))
    for values in real:
        values["w"][3] = 0
    assert comparison.differences(real, drawn, {"w": Normal()})
