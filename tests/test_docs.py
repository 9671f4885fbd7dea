"""What the docs claim: docstrings, snippets and commands run; imports go one way; few files name instructions."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, optional, program_of

import fastinit as fi
from fastinit import cli
from fastinit.schemes.catalogue import SCHEMES

SOURCE = ROOT / "src" / "fastinit"
# Bottom to top, as the README draws it: a folder imports only what stands before it.
FOLDERS = ["_core", "_version", "arguments", "extras", "dtypes", "table", "terminal", "files", "laws", "schemes", "cuda", "drawing",
           "plans", "checkpoints", "inspection", "propagation", "torch", "jax", "keras", ".", "cli", "__main__"]  # fmt: skip
# What a room's doctests need.
NEEDS = {"torch": "torch", "jax": "jax", "keras": "keras", "propagation.plot": "matplotlib",
         "propagation.render": "matplotlib"}  # fmt: skip


def dotted(path: Path) -> str:
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    return name.removesuffix("__init__").removesuffix(".") or "."


PATHS = {dotted(path): path for path in SOURCE.rglob("*.py")}


@pytest.mark.parametrize("module", sorted(set(PATHS) - {"__main__"}))
def test_doctests(module: str) -> None:
    for room, needed in NEEDS.items():
        if module == room or module.startswith(f"{room}."):
            optional(needed)
    result = doctest.testmod(importlib.import_module(f"fastinit.{module}".rstrip(".")))
    assert result.failed == 0


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_scheme_functions_run_their_examples(name: str) -> None:
    function = getattr(fi.schemes, name)
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder().find(function, name, globs={}):
        runner.run(test)
    assert runner.tries >= 2 and runner.failures == 0


# Pages. `<!-- setup` begins what a snippet needs and no reader does.

PAGES = {path.name: path for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]}
SNIPPET = re.compile(
    r"^<!-- (setup)\n(.*?)^-->|^```(python|sh|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
USES = {name: rf"\b{name}\b" for name in ("torch", "transformers", "jax", "flax", "equinox", "keras")}
USES["matplotlib"] = r"-o \S+\.(png|html)"
SETUP = {
    "README.md": """
import torch
model = sharded_model = Net = torch.nn.Linear(3, 2)
Net, config = lambda config: torch.nn.Linear(3, 2), None
"""
}


def run_python(code: str, names: dict[str, Any], page: str) -> None:
    if not code.startswith(">>>"):
        exec(compile(code, page, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(code, names, page, page, 0)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False)
    assert not result.failed
    names.update(test.globs)


def run_command(line: str) -> None:
    command, _, status = line.partition("  # exit status ")
    assert cli.main(shlex.split(command)[1:]) == int(status or 0), line


def without_times(text: str) -> str:
    return re.sub(r"[\d.]+ s, [\d.]+ GB/s", "? s, ? GB/s", text)


@pytest.mark.parametrize(
    "page", sorted(set(PAGES) - {"clusters.md", "engines.md", "started-right.md", "torchtitan.md"})
)  # which have tests of their own
def test_snippets_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [(a or b, code or more) for a, code, b, more in SNIPPET.findall(PAGES[page].read_text())]
    for module, pattern in USES.items():
        if any(re.search(pattern, code) for _, code in found):
            optional(module)
    monkeypatch.chdir(tmp_path)
    Path("examples").symlink_to(ROOT / "examples")
    names: dict[str, Any] = {}
    exec(SETUP.get(page, ""), names)
    for kind, code in found:
        if kind in ("setup", "python"):
            run_python(code, names, page)
        elif kind == "sh":
            for line in code.replace("\\\n", "").splitlines():
                if line.startswith("fastinit "):
                    run_command(line)
        else:
            for line, expected in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", code, re.MULTILINE):
                capsys.readouterr()
                run_command(line)
                assert without_times(capsys.readouterr().out) == without_times(expected)


def test_what_the_readme_would_draw() -> None:
    assert repr(fi.distribution("he_normal", (4096, 1024))) in PAGES["README.md"].read_text()


def test_tests_that_pages_name_exist() -> None:
    for page in PAGES.values():
        for file, name in re.findall(r"(test_\w+\.py)::(\w+)", page.read_text()):
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(), f"{page.name}: {name}"


def test_every_promise_has_a_test() -> None:
    promised = PAGES["guarantees.md"].read_text().split("\n## Promised\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.*) \| (.*) \|$", promised, re.MULTILINE)
    assert len(rows) > 30
    for promise, tested_by in rows:
        assert promise == "promise" or re.search(r"`test_\w+\.py::test_\w+`", tested_by), promise


def test_the_page_of_versions_has_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        f"python{project['requires-python']}",
        *project["dependencies"],
        *extras["hf"],
        *extras["jax"],
        *extras["keras"],
    ]
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) \|", PAGES["versions.md"].read_text(), re.MULTILINE)
    said = {f"{name.lower()}>={version}" for name, version in rows}
    assert {name.replace("pytorch", "torch") for name in said} == set(wanted)


def test_the_api_pages_have_every_public_name_once() -> None:
    found: Counter[str] = Counter()
    for page in (ROOT / "docs" / "api").glob("*.rst"):
        module = ""
        for directive, name in re.findall(r"^\.\. (?:py:)?(\w+):: ([\w.]+)", page.read_text(), re.MULTILINE):
            if directive in ("module", "automodule", "currentmodule"):
                module = name
            if directive != "currentmodule":
                found[name if name.startswith("fastinit") else f"{module}.{name}"] += 1
    public = {
        "fastinit": {*fi.__all__},
        "fastinit.schemes": {*fi.schemes.__all__} - {*fi.__all__},
        "fastinit.propagation": {*fi.propagation.__all__},
        "fastinit.torch": names_beside(optional("torch").nn.init, "fastinit.torch")
        | {"init_", "plan", "record", "build", "checksum", "verify", "patched", "probe", "calibrate"},
        "fastinit.jax": names_beside(optional("jax").nn.initializers, "fastinit.jax") | {"init", "plan"},
        "fastinit.keras": names_beside(optional("keras").initializers, "fastinit.keras") | {"init", "plan"},
    }
    for module, names in public.items():
        for name in names:
            assert found[f"{module}.{name}"] == 1, f"{module}.{name}"


def names_beside(framework: ModuleType, adapter: str) -> set[str]:
    """The public names that an adapter shares with the framework's module."""
    ours = importlib.import_module(adapter)
    shared = {name for name in vars(framework) if not name.startswith("_") and hasattr(ours, name)}
    return {name for name in shared if callable(getattr(ours, name))}


def rows_of_calls(title: str) -> list[tuple[str, str]]:
    section = PAGES["coming-from.md"].read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+\(.*?\))` \| `(\w+\(.*?\))` \|", section, re.MULTILINE)


class _Schemes(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        return lambda **numbers: fi.distribution(name, (400, 300), **numbers)


def test_what_is_called_what_in_torch() -> None:
    torch = optional("torch")
    from fastinit.torch import record

    rows = rows_of_calls("torch.nn.init")
    assert len(rows) == 17
    for theirs, ours in rows:

        def factory(call: str = theirs) -> Any:
            model = torch.nn.Module()
            model.w = torch.nn.Parameter(torch.empty(400, 300))
            eval(f"torch.nn.init.{call}", {"torch": torch, "w": model.w})
            return model

        drawn, meant = record(factory)["w"].distribution, eval(ours, _Schemes())
        assert type(drawn) is type(meant), theirs
        assert drawn == meant or drawn.parameters == pytest.approx(meant.parameters, rel=1e-15), theirs


@pytest.mark.parametrize("framework", ["jax", "keras"])
def test_what_is_called_what_in_jax_and_keras(framework: str) -> None:
    jax, keras = optional("jax"), optional("keras")
    keras.utils.set_random_seed(0)
    from scipy.stats import ks_2samp

    module, title = {
        "jax": (jax.nn.initializers, "jax.nn.initializers"),
        "keras": (keras.initializers, "keras.initializers"),
    }[framework]
    rows = rows_of_calls(title)
    assert len(rows) == {"jax": 12, "keras": 15}[framework]
    for theirs, ours in rows:
        initializer = eval(f"module.{theirs}", {"module": module})
        key = (jax.random.key(0),) if framework == "jax" else ()
        drawn = np.asarray(initializer(*key, (400, 300)))
        meant = fi.fill(np.empty((400, 300), np.float32), eval(ours, _Schemes()), seed=0)
        assert ks_2samp(drawn.ravel(), meant.ravel()).pvalue > 1e-6, theirs
        gram, expected = drawn.T @ drawn, meant.T @ meant
        assert ("rthogonal" not in theirs) or np.allclose(gram, expected, atol=1e-5), theirs


def test_the_page_of_schemes_is_up_to_date() -> None:
    catalogue = program_of("tools/make_catalogue.py")
    assert catalogue.PAGE.read_text() == catalogue.page(), "run python tools/make_catalogue.py"
    for scheme, call, *_ in catalogue.PARITY:
        names = re.findall(r"`(\w+)", call)
        assert names and all(SCHEMES[name] for name in names) and SCHEMES[names[0]].name == scheme


def test_every_scheme_has_a_picture(tmp_path: Path) -> None:
    optional("matplotlib")
    images = program_of("tools/make_scheme_images.py")
    constant = set(program_of("tools/make_catalogue.py").NOT_SHOWN)
    assert set(images.PICTURES) == {row.name for row in SCHEMES.values()} - constant
    shown = {path.stem: path.stat().st_size for path in images.FOLDER.iterdir()}
    assert shown.keys() == {f"{name}{theme}" for name in images.PICTURES for theme in ("", "-dark")}
    assert max(shown.values()) < 15_000
    for scheme in images.PICTURES:
        images.save(scheme, tmp_path)


def test_numbers_of_schemes_and_recipes() -> None:
    there = {"schemes": len({row.name for row in SCHEMES.values()}),
             "recipes": len(list((SOURCE / "plans" / "recipes").glob("*.toml")))}  # fmt: skip
    for page in [ROOT / "CHANGELOG.md", *PAGES.values()]:
        for number, kind in re.findall(r"\b(\d+) (schemes|recipes)\b", page.read_text()):
            assert int(number) == there[kind], f"{page.name}: {number} {kind}"


def test_links_lead_somewhere() -> None:
    outside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
    for page in [*outside, *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_pictures_have_dark_variants_and_captions() -> None:
    for page in (ROOT / "docs").glob("**/*.md"):
        for text, link in re.findall(r"!\[(.*)\]\((.*images/[\w-]+\.png)\)", page.read_text()):
            picture = page.parent / link
            assert picture.exists() and picture.with_stem(f"{picture.stem}-dark").exists(), (
                f"{page.name}: {link}"
            )
            assert text[-1] in ".。", f"{page.name}: the caption is a sentence: {text}"


# The functions of the schemes draw, and yet their place is beside the table.
FACES = {"schemes"}


def imported(module: str) -> set[str]:
    """The modules of the package that a module imports when it is loaded or later."""
    path, found = PATHS[module], set()
    folder = path.relative_to(SOURCE).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            room = ".".join(filter(None, base))
            for name in [alias.name for alias in node.names]:
                inner = f"{room}.{name}".lstrip(".")
                found.add(inner if inner in PATHS or inner == "_core" else room or ".")
    return found


def test_folders_import_those_below_them() -> None:
    folder_of = {module: module.partition(".")[0] or "." for module in [*PATHS, "_core"]}
    assert set(folder_of.values()) == set(FOLDERS)
    for module in PATHS.keys() - FACES:
        for below in imported(module):
            order = FOLDERS.index(folder_of[below]) - FOLDERS.index(folder_of[module])
            assert order <= 0, f"{module} imports {below}, which stands above it"


def test_modules_import_each_other_in_no_circle() -> None:
    TopologicalSorter({module: imported(module) for module in PATHS.keys() - FACES}).prepare()


def test_only_few_files_name_instructions() -> None:
    for path in (ROOT / "csrc").rglob("*.[ch]*"):
        text = path.read_text()
        assert "Python.h" not in text and "math.h>" not in text, path.name
        if path.name not in ("vec.h", "convert.h", "arithmetic.h"):
            assert not re.search(r"\b_mm\d*_|\bv\w+q_f(32|64)\b|\bwasm_\w+\(", text), path.name
        if path.name != "vec_cuda.h":
            assert not re.search(r"\basm\(|\b__[a-z]\w*_rn\b", text), path.name


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
