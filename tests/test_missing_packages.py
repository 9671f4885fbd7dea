"""A package that is missing: what the error says, from Python and on the command line."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import ml_dtypes  # noqa: F401
import pytest
from conftest import optional

HIDE = """
import sys
class Hider:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hider())
"""


def hidden(packages: list[str], code: str, **environment: str) -> str:
    """The last line that a program says which does not find these packages."""
    program = HIDE.format(hidden=packages) + code
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert ended.returncode
    return ended.stderr.splitlines()[-1].partition("rror: ")[2]


@pytest.mark.parametrize("package", ["torch", "jax", "keras"])
def test_a_framework_that_is_missing(package: str) -> None:
    said = hidden([package], f"import fastinit.{package}")
    assert said == f'fastinit.{package} needs {package}: pip install "fastinit-nn[{package}]"'


@pytest.mark.parametrize("backend", ["tensorflow", "torch", "jax"])
def test_keras_without_its_backend(backend: str) -> None:
    optional("keras")
    said = hidden([backend], "import fastinit.keras", KERAS_BACKEND=backend)
    assert said.startswith(f"Keras runs on {backend}, which is not installed")
    assert said.endswith(f'pip install "fastinit-nn[keras,{backend.replace("tensorflow", "jax")}]"')
    assert ("KERAS_BACKEND" in said) == (backend == "tensorflow")


@pytest.mark.parametrize(
    ("package", "line", "extra"),
    [
        ("matplotlib", "probe --widths 4,4,4 -o p.png", "plot"),
        ("matplotlib", "probe --widths 4,4,4 -o p.svg", "plot"),
        ("matplotlib", "probe --widths 4,4,4 -o p.html", "plot"),
        ("transformers", "plan folder", "hf"),
        ("torch", "plan folder", "hf"),
        ("ml_dtypes", "init model.json --dtype bf16 -o m.safetensors", "bfloat16"),
    ],
)
def test_commands_without_an_extra(package: str, line: str, extra: str, here: Path) -> None:
    if package == "transformers":
        optional("torch")
    os.mkdir("folder")
    Path("folder/config.json").write_text("{}")
    said = hidden([package], f"from fastinit.cli import main; sys.exit(main({shlex.split(line)!r}))")
    assert said.endswith(f' needs {package}: pip install "fastinit-nn[{extra}]"')
    assert sorted(os.listdir()) == ["folder", "model.json"]


def test_a_package_that_lacks_something_itself(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("import no_such_thing")
    code = "import fastinit as fi; fi.propagation.plot(fi.propagation.probe([4, 4], 'relu', 'normal'))"
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    assert hidden([], code, PYTHONPATH=path) == "No module named 'no_such_thing'"
