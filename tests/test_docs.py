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
from types import ModuleType

import pytest
from conftest import optional

import fastinit as fi

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "fastinit"
# A module may import those before it; a folder's name is its __init__.
ORDER = ["_core", "distributions", "activations", "gaussian", "streams", "fans", "gains", "memory",
         "structured.frame", "structured", "structured.elementary", "elementwise",
         "structured.transformed", "structured.composed", "structured.sparse", "structured.patterns",
         "structured.orthogonal", "structured.biases", "structured.state_space", "catalogue", "schemes",
         "blocks", "config", "fill", "table", "model", "formula", "sizes", "recipe", "parameter", "plan", "lint", "checksum",
         "verify", "recommend", "propagation.moments", "propagation.theory", "propagation.dead",
         "propagation.exact", "propagation.finite_width", "propagation.slopes", "propagation.stack",
         "propagation.calibrate", "propagation.measurement", "propagation.probe", "propagation.verdict",
         "propagation.plot", "propagation.report", "propagation.command", "propagation",
         "inspection.measure", "inspection.fit", "inspection.report", "inspection", "torch.tensors",
         "torch.functional", "torch.activations", "torch.layers", "torch.graph", "torch.auto",
         "torch.modules", "torch.observe", "torch.chain", "torch.probe", "torch.calibrate",
         "torch.contents", "torch.operations", "torch.trace", "torch.record", "torch.huggingface", "torch.sharded", "torch",
         "jax", "keras", ".", "files", "checkpoint", "sharding", "cli", "__main__"]  # fmt: skip


def dotted(path: Path) -> str:
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    return name.removesuffix("__init__").removesuffix(".") or "."


PATHS = {dotted(path): path for path in SOURCE.rglob("*.py")}


@pytest.mark.parametrize("module", sorted(set(PATHS) - {"__main__"}))
def test_doctests(module: str) -> None:
    framework = module.split(".")[0]
    if framework in ("torch", "jax", "keras"):
        optional(framework)
    result = doctest.testmod(importlib.import_module(f"fastinit.{module}".rstrip(".")))
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


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_schemes_is_up_to_date() -> None:
    catalogue = tool("make_catalogue")
    assert catalogue.PAGE.read_text() == catalogue.page(), "run python tools/make_catalogue.py"
    assert {row.category for row in fi.SCHEMES.values()} == set(catalogue.TITLES)
    for scheme, call, *_ in catalogue.PARITY:
        names = re.findall(r"`(\w+)", call)
        assert names and all(fi.SCHEMES[name] for name in names) and fi.SCHEMES[names[0]].name == scheme


def test_every_scheme_has_a_picture(tmp_path: Path) -> None:
    optional("matplotlib")
    images = tool("make_scheme_images")
    assert set(images.PICTURES) == {row.name for row in fi.SCHEMES.values()}
    shown = {path.stem: path.stat().st_size for path in images.FOLDER.iterdir()}
    assert shown.keys() == images.PICTURES.keys() and max(shown.values()) < 15_000
    for scheme in images.PICTURES:
        images.save(scheme, tmp_path)


def test_theory_page() -> None:
    assert doctest.testfile(str(ROOT / "docs" / "theory.md"), module_relative=False).failed == 0


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_imports_go_one_way() -> None:
    assert sorted({*PATHS, "_core"}) == sorted(ORDER)
    for module, path in PATHS.items():
        folder = path.relative_to(SOURCE).parent.parts
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
                room = ".".join(filter(None, base))
                for name in [alias.name for alias in node.names]:
                    inner = f"{room}.{name}".lstrip(".")
                    below = inner if inner in ORDER else room or "."
                    if (module, name) != ("config", "__version__"):
                        assert ORDER.index(below) < ORDER.index(module), f"{module} imports {below}"


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
