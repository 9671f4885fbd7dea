"""What the docs claim: docstrings and README run; imports go one way; only vec.h names instructions."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import optional

import fastinit as fi

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "fastinit"
MODULES = [path.stem for path in SOURCE.glob("*.py") if path.stem != "__main__"]
# A module may import those before it.
ORDER = ["_core", "distributions", "activations", "gaussian", "streams", "fans", "gains", "memory",
         "elementary", "elementwise", "structured", "transformed", "sparse", "patterns", "orthogonal",
         "biases", "state_space", "catalogue", "schemes", "blocks", "config", "fill", "model", "table",
         "formula", "sizes", "recipe", "parameter", "plan", "lint", "checksum", "verify", "propagation", "recommend", "measure", "fit", "inspect", "jax", "keras", "__init__",
         "files", "checkpoint", "sharding", "cli", "__main__"]  # fmt: skip


# The same within the package folder, after the modules before its name in ORDER.
PROPAGATION = ["moments", "theory", "dead", "exact", "finite_width", "__init__"]


@pytest.mark.parametrize("module", [*MODULES, *(f"propagation.{name}" for name in PROPAGATION[:-1])])
def test_doctests(module: str) -> None:
    if module in ("jax", "keras"):
        optional(module)
    result = doctest.testmod(
        importlib.import_module(f"fastinit.{module}" if module != "__init__" else "fastinit")
    )
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(fi.SCHEMES))
def test_scheme_functions_run_their_examples(name: str) -> None:
    function = getattr(fi, name)
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder().find(function, name, globs={}):
        runner.run(test)
    assert runner.tries >= 2 and runner.failures == 0


def test_readme() -> None:
    assert doctest.testfile(str(ROOT / "README.md"), module_relative=False).failed == 0
    text = (ROOT / "README.md").read_text()
    assert repr(fi.distribution("he_normal", (4096, 1024))) in text


def test_the_page_of_schemes_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_catalogue", ROOT / "tools" / "make_catalogue.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.PAGE.read_text() == tool.page(), "run python tools/make_catalogue.py"
    assert {row.category for row in fi.SCHEMES.values()} == set(tool.TITLES)
    for scheme, call, *_ in tool.PARITY:
        names = re.findall(r"`(\w+)", call)
        assert names and all(fi.SCHEMES[name] for name in names) and fi.SCHEMES[names[0]].name == scheme


def test_theory_page() -> None:
    assert doctest.testfile(str(ROOT / "docs" / "theory.md"), module_relative=False).failed == 0


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_imports_go_one_way() -> None:
    assert set(MODULES) | {"_core", "__main__", "propagation"} == set(ORDER)
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                for name in [node.module] if node.module else [alias.name for alias in node.names]:
                    below = name if name in ORDER else "__init__"
                    if (path.stem, name) != ("config", "__version__"):
                        assert ORDER.index(below) < ORDER.index(path.stem), f"{path.stem} imports {name}"


def test_imports_of_propagation_go_one_way() -> None:
    folder = SOURCE / "propagation"
    assert {path.stem for path in folder.glob("*.py")} == set(PROPAGATION)
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                order, here = (PROPAGATION, path.stem) if node.level == 1 else (ORDER, "propagation")
                assert order.index(str(node.module)) < order.index(here), f"{path.stem} imports {node.module}"


def test_only_vec_h_names_instructions() -> None:
    for path in (ROOT / "csrc").iterdir():
        text = path.read_text()
        assert "Python.h" not in text and "math.h>" not in text, path.name
        if path.name != "vec.h":
            assert not re.search(r"\b_mm\d*_|\bv\w+q_f(32|64)\b", text), path.name


def test_import_is_light() -> None:
    code = "import sys, numpy; before = set(sys.modules); import fastinit; print(*sorted(set(sys.modules) - before))"
    environment = {**os.environ, "FASTINIT_ISA": ""}
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    heavy = {"torch", "jax", "tensorflow", "ml_dtypes", "scipy", "argparse", "tomllib", "safetensors"}
    assert not heavy & set(loaded.stdout.split())


def test_import_leaves_the_floating_point_environment() -> None:
    code = "import sys, numpy; import fastinit; print(5e-324 * 1.0, 1e-310 + 0.0, 1.0 + 2.0**-53)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["5e-324", "1e-310", "1.0"]
