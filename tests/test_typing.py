"""What type checkers say of wrong calls, and that what they read is what the table of schemes says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, optional, program_of

import fastinit as fi
from fastinit.schemes.catalogue import SCHEMES
from fastinit.schemes.names import Keywords

BEGINNING = """\
import numpy as np

import fastinit as fi

out = np.empty((4, 8), np.float32)
text = str(3)
plan = fi.plan({"fc.weight": (4, 8)}, "he_normal")
"""
# A wrong call, and the same corrected.
CALLS = [
    ("fi.he_normal((4, 8), gian=1.5)", "fi.he_normal((4, 8), gain=1.5)"),
    ('fi.orthogonal((4, 8), mode="fan_in")', "fi.orthogonal((4, 8), axis=1)"),
    ('fi.he_normal((4, 8), std="wide")', 'fi.he_normal((4, 8), mode="fan_avg")'),
    ('fi.schemes.chrono((8,), t_max="100")', "fi.schemes.chrono((8,), t_max=100)"),
    ("fi.chrono((8,), t_max=100)", "fi.schemes.chrono((8,), t_max=100, gates=4)"),
    ('fi.distribution("he_normal", (4, 8), gian=2)', 'fi.distribution("he_normal", (4, 8), gain=2)'),
    ('fi.fill(np.empty((4, 8)), "he_norml")', 'fi.fill(np.empty((4, 8)), "he_normal")'),
    ("fi.schemes.chrono((8,))", "fi.schemes.chrono((8,), t_max=50)"),
    ("fi.stft((8, 1, 5))", 'fi.schemes.stft((8, 1, 5), window="hamming")'),
    ("fi.he_norml((4, 8))", "fi.he_normal((4, 8))"),
    ('fi.he_normal((4, 8), mode="fan_inn")', 'fi.he_normal((4, 8), mode="fan_in")'),
    ("fi.he_normal((4, 8), transposed=1)", "fi.he_normal((4, 8), transposed=True)"),
    ("fi.he_normal((4, 8), activation=3)", 'fi.he_normal((4, 8), activation="tanh")'),
    ('fi.he_normal((4, 8), layout=["o", "i"])', 'fi.he_normal((4, 8), layout="oi")'),
    ("fi.he_normal((4, 8), 0)", "fi.he_normal((4, 8), seed=0)"),
    ('fi.he_normal((4, 8), seed="0")', "fi.he_normal((4, 8), seed=np.random.default_rng(0))"),
    ("fi.he_normal(1.5)", "fi.he_normal((4, 8), out=out)"),
    ("fi.he_normal()", "fi.he_normal(out=out)"),
    ("fi.normal((4, 8), groups=7)", "fi.normal((4, 8), std=0.02)"),
    ("fi.zeros((4, 8), value=0)", "fi.zeros((4, 8))"),
    ('fi.truncated_normal((4, 8), bounds="std")', 'fi.truncated_normal((4, 8), bounds="absolute")'),
    ("fi.variance_scaling((4, 8), law='normal')", 'fi.variance_scaling((4, 8), distribution="normal")'),
    ('fi.fill(out, "he_normal", gian=2)', 'fi.fill(out, "he_normal", gain=2)'),
    ('fi.fill(out, "normal", std="wide")', 'fi.fill(out, "normal", std=0.02)'),
    ("fi.fill(out, 3)", "fi.fill(out, fi.Normal(std=0.02))"),
    ('fi.fill(out, "he_normal", 0)', 'fi.fill(out, "he_normal", seed=0)'),
    ("fi.fill(out, text)", 'fi.fill(out, fi.schemes.scheme("he_normal"), gain=2)'),
    ('fi.distribution("he_norml", (4, 8))', 'fi.distribution("kaiming_normal", (4, 8))'),
    ('fi.distribution("he_normal", "4x8")', 'fi.distribution("he_normal", [4, 8])'),
    ("fi.schemes.icnr((8, 2, 3, 3), inner='he')", "fi.schemes.icnr((8, 2, 3, 3), inner='he_uniform')"),
    ('fi.gain("tanh", kind="best")', 'fi.gain("tanh", kind="torch")'),
    ('fi.recommend("relu", layer="cnov")', 'fi.recommend("relu", layer="conv")'),
    ('fi.plan({"fc.weight": (4, 8)}, 3)', 'fi.plan({"fc.weight": (4, 8)}, "gpt2" if text == "" else "default")'),
    ('fi.plan({"fc.weight": (4, 8)}, "default", "float16")', 'fi.plan({"fc.weight": (4, 8)}, dtype="float16")'),
    ('fi.init({"fc.weight": (4, 8)}, ["he_normal"])', 'fi.init({"fc.weight": (4, 8)}, {"*": "zeros"}, seed=0)'),
    ('fi.init(plan, seed="0")', "fi.init(plan, seed=0)"),
    ('plan.tensor("fc.weight")', 'plan.tensor("fc.weight", seed=0)'),
]  # fmt: skip


def program(lines: list[str]) -> str:
    return BEGINNING + "\n".join(lines) + "\n"


def reported_by_mypy(path: Path) -> dict[int, str]:
    """What is said of each line."""
    optional("mypy")
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--cache-dir",
        str(path.parent / "cache"),
    ]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, env=environment)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(line): text for line, text in re.findall(r"\.py:(\d+): error: (.*)", done.stdout)}


def reported_by_pyright(path: Path) -> dict[int, str]:
    optional("pyright")
    settings = {"include": [path.name], "extraPaths": [str(ROOT / "src")], "typeCheckingMode": "strict"}
    (path.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [
        sys.executable,
        "-m",
        "pyright",
        "--outputjson",
        "--pythonpath",
        sys.executable,
        "-p",
        str(path.parent),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == 1
    return {entry["range"]["start"]["line"] + 1: entry["message"] for entry in found["generalDiagnostics"]}


@pytest.mark.parametrize("reported", [reported_by_mypy, reported_by_pyright])
def test_wrong_calls_are_reported(reported: Any, tmp_path: Path) -> None:
    """Every one of them, and nothing of the same calls corrected."""
    first = BEGINNING.count("\n") + 1
    path = tmp_path / "wrong.py"
    path.write_text(program([wrong for wrong, _ in CALLS]))
    found = reported(path)
    assert found.keys() == {first + i for i in range(len(CALLS))}, [
        wrong for i, (wrong, _) in enumerate(CALLS) if first + i not in found
    ]
    path.write_text(program([right for _, right in CALLS]))
    assert reported(path) == {}


def test_wrong_calls_fail_and_the_same_corrected_run() -> None:
    names: dict[str, Any] = {}
    exec(BEGINNING, names)
    names["text"] = "he_norml"
    for wrong, right in CALLS:
        eval(right, names)
        with pytest.raises((TypeError, ValueError, AttributeError)):
            eval(wrong, names)


def test_what_type_checkers_read_is_up_to_date() -> None:
    tool = program_of("tools/make_stubs.py")
    for path, text in tool.files().items():
        assert path.read_text() == text, "run python tools/make_stubs.py"
    assert Keywords.__annotations__.keys() == {name for row in SCHEMES.values() for name in row.keywords}


def test_the_root_has_the_schemes_that_are_not_for_specialists() -> None:
    common = {name for name, row in SCHEMES.items() if not row.specialist}
    assert common == set(fi.__all__) & SCHEMES.keys()
    with pytest.raises(AttributeError, match=r"stft is in fastinit\.schemes"):
        fi.stft  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'he_norml'$"):
        fi.he_norml  # type: ignore[attr-defined]  # noqa: B018
    assert dir(fi) == sorted([*fi.__all__, "__version__"])
