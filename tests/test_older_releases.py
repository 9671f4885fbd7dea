"""What an older release drew and wrote, the present one draws and reads: every bit."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from golden import MEANING
from test_structured import FOLLOWS_NUMPY, STRUCTURED

import fastinit as fi
from fastinit import _core
from fastinit.dtypes import COMPLEX
from fastinit.laws.parts import of_reals

# Versions, and the commits that they are built from, which takes half a minute each. This one is the last before stream version
# 1 was frozen. A release is a row of its own, by its tag, if its plans or files differ from those of the rows before.
OLDER = {"0.1.0": "6413cb5ac6181393376faa14bad585164667ea03"}
CI = bool(os.environ.get("FASTINIT_REQUIRE_OPTIONAL"))
pytestmark = pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="the older wheel has no sanitizers")

NAMES = [
    "",
    "w",
    "model.layers.7.mlp.up_proj.weight",
    "\u00e9",
    "e\u0301",
    "\u5c42.0.\u6743\u91cd",
    "\U0001f600",
    "a b\n",
]
SCHEMES: list[tuple[str, dict[str, Any]]] = [
    ("he_normal", {"gain": 0.7, "fan_in": 48.0}), ("he_uniform", {"gain": 1.3, "mode": "fan_out"}),
    ("xavier_normal", {"gain": 5 / 3}), ("xavier_uniform", {"fan_in": 30.0, "fan_out": 7.0}), ("lecun_normal", {}),
    ("variance_scaling", {"scale": 2.0, "mode": "fan_avg", "distribution": "truncated_normal"}),
    ("normal", {"mean": 0.5, "std": 0.02}), ("uniform", {"low": -1e-3, "high": 2.0}), ("constant", {"value": 0.3}),
    ("truncated_normal", {"std": 0.02, "low": -1.5, "high": 3.0}), ("siren", {"omega": 30.0}), ("zeros", {}),
]  # fmt: skip
SHAPES = {
    "a.weight": (64, 48),
    "a.bias": (64,),
    "conv.weight": (8, 6, 3, 3),
    "norm.weight": (48,),
    "é": (5, 7),
}
# Models, recipes, dtypes. What a recipe gives may change; the older release's plan is what both draw.
PLANS = {
    **{dtype: (SHAPES, "he_normal", dtype) for dtype in (*_core.DTYPES, "complex64")},
    "composed": (SHAPES, {"a.weight": {"scheme": "sparse", "sparsity": 0.3}, "conv.weight": "icnr",
                          "é": {"scheme": "log_uniform", "low": 0.1, "high": 2.0}}, "float32"),
    "gpt2": (str(ROOT / "examples" / "gpt2.json"), "gpt2", None),
    "mamba": (str(ROOT / "examples" / "mamba-130m.json"), "mamba", "bfloat16"),
}  # fmt: skip


def some_laws() -> list[dict[str, Any]]:
    """Random distributions, dtypes, streams, shapes and parts."""
    rng, found = random.Random(19), list[dict[str, Any]]()
    while len(found) < 400:
        dtype = rng.choice([*_core.DTYPES, *COMPLEX])
        std, mean = 10 ** rng.uniform(-9, 1), rng.choice([0.0, rng.gauss(0, 1)])
        a, b = sorted((rng.gauss(0, 4), rng.gauss(0, 4)))
        law = rng.choice(
            [
                fi.Constant(mean),
                fi.Normal(mean, std),
                fi.Uniform(-std, std),
                fi.Uniform(mean, mean + std),
                fi.TruncatedNormal(0.0, std, -2 * std, 2 * std),
                fi.TruncatedNormal(mean, std, mean + a * std, mean + b * std),
                fi.TruncatedNormal(mean, std, mean + a * std, math.inf),
            ]
        )
        shape = [rng.choice([1, 2, 5, 16, 33, 257]) for _ in range(rng.randrange(1, 4))]
        block = [(rng.randrange(size // 3 + 1), size, rng.choice([1, 1, 2, 3])) for size in shape]
        try:
            real, _ = of_reals(law, tuple(shape), dtype)
            if dtype not in COMPLEX:
                _core.Law(real.law, dtype, real.parameters)
        except ValueError:
            continue
        seed = rng.choice([0, 2**64 - 1, rng.randrange(2**64)])
        found.append({"law": law.to_dict(), "dtype": dtype, "seed": seed, "name": rng.choice(NAMES), "shape": shape,
                      "block": block})  # fmt: skip
    return found


def some_schemes() -> list[tuple[str, tuple[int, ...], str, dict[str, Any]]]:
    structured = [(name, shape, numbers) for name, cases in STRUCTURED.items() for shape, numbers in cases]
    cases = [*((name, (64, 48), numbers) for name, numbers in SCHEMES), *structured]
    wide, narrow = ("float32", "float64"), ("float16", "bfloat16")
    return [
        (name, shape, dtype, numbers)
        for name, shape, numbers in cases
        for dtype in (("float64",) if follows_numpy(name, numbers) else (*wide, *narrow))
    ]


def follows_numpy(scheme: str, numbers: dict[str, Any]) -> bool:
    return not FOLLOWS_NUMPY.isdisjoint({scheme, numbers.get("inner")})


Releases = tuple[Path, Path]


@pytest.fixture(scope="session", params=OLDER)
def releases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """What the older release and the present one have drawn, in a folder each."""
    work = tmp_path_factory.mktemp("older")
    installed = build(OLDER[request.param], work)
    cases = {"laws": some_laws(), "schemes": some_schemes(), "plans": PLANS}
    (work / "cases.json").write_text(json.dumps(cases, default=lambda array: array.tolist()))
    older, present = work / "by_the_older", work / "by_the_present"
    package = run(work, older, older, PYTHONPATH=str(installed))
    assert Path(package).parent == installed, "the older release was not what drew"
    run(work, present, older)
    return older, present


def run(work: Path, to: Path, plans: Path, **environment: str) -> str:
    to.mkdir()
    command = [sys.executable, ROOT / "tests" / "draws.py", work / "cases.json", to, plans]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, cwd=work)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def build(commit: str, work: Path) -> Path:
    """The package of a commit, built as pip does it. Without the repository's history there is nothing to build."""
    missing = pytest.fail if CI else pytest.skip
    for tool, found in (("git", shutil.which("git")), ("pip", has("pip", 1))):
        if not found:
            missing(f"{tool} is not installed")
    tree = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True)
    if tree.returncode:
        missing(f"commit {commit} is not here, or git does not give it: {tree.stderr.decode()}")
    (work / "tree").mkdir()
    subprocess.run(["tar", "x"], input=tree.stdout, cwd=work / "tree", check=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    if has("setuptools", 77) and has("cython", 3):
        command.append("--no-build-isolation")
    done = subprocess.run(
        [*command, "--target", work / "installed", work / "tree"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return work / "installed"


def has(name: str, major: int) -> bool:
    try:
        return int(metadata.version(name).split(".")[0]) >= major
    except metadata.PackageNotFoundError:
        return False


def test_draw_the_same_values(releases: Releases) -> None:
    older, present = (np.load(folder / "values.npz") for folder in releases)
    assert older.files == present.files
    cases = {f"law {i}": law for i, law in enumerate(some_laws())}
    cases |= {f"scheme {i}": scheme for i, scheme in enumerate(some_schemes())}
    for name in older.files:
        case = cases.get(name, name)
        if name.startswith("scheme") and follows_numpy(case[0], case[3]):
            np.testing.assert_allclose(older[name], present[name], rtol=0, atol=1e-12)
        else:
            assert older[name].tobytes() == present[name].tobytes(), MEANING.format(what=case)


def test_plans_are_read(releases: Releases) -> None:
    older, _ = releases
    for name in PLANS:
        text = (older / f"{name}.json").read_text()
        plan = fi.Plan.from_json(text)
        assert json.loads(plan.to_json()) == {"stream": 1} | json.loads(text)


def test_files_are_verified(releases: Releases) -> None:
    """Their values are those of the present one's files too, byte for byte."""
    older, present = releases
    files = sorted(older.glob("*.safetensors"))
    assert len(files) == len(_core.DTYPES) + 2
    for path in files:
        assert fi.verify(path) == []
        (a, start), (b, other) = map(read, (path, present / path.name))
        assert a[start:] == b[other:], MEANING.format(what=path.name)


def read(path: Path) -> tuple[bytes, int]:
    """A safetensors file, and where its values begin."""
    data = path.read_bytes()
    return data, 8 + int.from_bytes(data[:8], "little")
