"""The command line: what is typed, what is said, and how it fits the terminal."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
import safetensors.numpy
from conftest import ROOT, optional

import fastinit as fi
from fastinit import cli, terminal
from fastinit.checkpoints import write
from fastinit.cli import errors
from fastinit.plans.recipe import shipped_recipes
from fastinit.schemes.catalogue import SCHEMES

EXAMPLES = ROOT / "examples"
MODEL = {
    "parameters": {
        "wte.weight": {"shape": [50, 16], "module": "Embedding"},
        "h.0.c_fc.weight": {"shape": [16, 64], "module": "Conv1D"},
        "h.0.ln_1.weight": {"shape": [16], "module": "LayerNorm", "dtype": "bfloat16"},
        "h.0.ln_1.bias": {"shape": [16], "module": "LayerNorm"},
        "h.1.c_fc.weight": [16, 64],
    },
    "tied": {"head.weight": "wte.weight"},
}
Run = Callable[..., str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a model."""
    monkeypatch.chdir(tmp_path)
    Path("model.json").write_text(json.dumps(MODEL))
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a line, look at its exit status, and return what it says."""

    def said(line: str, status: int = 0) -> str:
        capsys.readouterr()
        assert cli.main(shlex.split(line)) == status, line
        captured = capsys.readouterr()
        if status in (0, 3):
            assert captured.err == ""
            return captured.out
        assert captured.out == "" and captured.err.startswith("fastinit: error: ")
        return captured.err.removeprefix("fastinit: error: ").rstrip("\n")

    return said


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, width: int, line: str, status: int = 0) -> list[str]:
    """The lines that a command prints on a terminal of this width."""
    screen = Terminal()
    with monkeypatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setattr(sys, "stdout", screen)
        assert cli.main(shlex.split(line)) == status, line
    return screen.getvalue().splitlines()


# ------------------------------------------------------------------------------------------- help


def test_without_a_command_there_is_help(here: Path, run: Run) -> None:
    said = run("")
    for command in ("plan", "init", "verify", "inspect", "probe", "schemes", "recipes"):
        assert f"\n    {command} " in said
    module = subprocess.run([sys.executable, "-m", "fastinit"], capture_output=True, text=True, check=True)
    assert module.stdout.split() == said.split() and module.stderr == ""


def test_examples_of_the_help_run(here: Path, run: Run) -> None:
    os.remove("model.json")
    lines = re.findall(r"^  (echo|fastinit) (.*)$", run("").partition("examples:")[2], re.MULTILINE)
    assert [kind for kind, _ in lines][:2] == ["echo", "fastinit"] and len(lines) == 5
    for kind, line in lines:
        if kind == "echo":
            text, arrow, file = shlex.split(line)
            assert arrow == ">"
            Path(file).write_text(text)
        else:
            run(line)


@pytest.mark.parametrize("command", ["plan", "init", "verify", "inspect", "probe", "schemes", "recipes"])
def test_every_command_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    examples = capsys.readouterr().out.partition("\nexamples:\n")[2].splitlines()
    assert 1 <= len(examples) <= 2
    for line in examples:
        assert line.startswith(f"  fastinit {command}")
        assert cli.parser().parse_args(shlex.split(line)[1:]).run


def test_what_argparse_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("ini", "plan", "init model.json", "init model.json -o a.safetensors --seed x", "plan --no"):
        with pytest.raises(SystemExit) as stop:
            cli.main(line.split())
        assert stop.value.code == 2 and ": error: " in capsys.readouterr().err


# ----------------------------------------------------------------------------------- init and plan


def test_init_and_plan(here: Path, run: Run) -> None:
    target = Path("m.safetensors")
    assert "Normal(mean=0.0, std=0.02)" in run("plan model.json")
    shown = json.loads(run("plan model.json --json"))
    assert shown["parameters"]["h.0.c_fc.weight"]["fans"] == [16, 64] and not target.exists()
    assert "m.safetensors: 5 tensors" in run("init model.json --seed 3 -o m.safetensors")
    first = target.read_bytes()
    said = json.loads(run("init model.json --seed 3 -o m.safetensors --threads 2 --json"))
    assert (said["tensors"], said["source"], said["seed"]) == (
        5,
        "recipe default",
        3,
    ) and target.read_bytes() == first
    for short, name in (("bf16", "bfloat16"), ("fp16", "float16"), ("fp32", "float32"), ("fp64", "float64")):
        run(f"init model.json --seed 3 -o m.safetensors --dtype {short}")
        assert {a.dtype.name for a in safetensors.numpy.load_file(target).values()} == {name}


def test_a_plan_of_the_command_is_a_model_with_a_recipe(here: Path, run: Run) -> None:
    Path("plan.json").write_text(run("plan model.json --recipe orthogonal --json"))
    assert run("plan plan.json") == run("plan model.json --recipe orthogonal") != run("plan model.json")
    run("init plan.json --seed 0 -o a.safetensors")
    run("init model.json --recipe orthogonal --seed 0 -o b.safetensors")
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()
    arrays = fi.init("plan.json", seed=0)
    assert (
        fi.verify("a.safetensors")
        == fi.verify(arrays, fi.Plan.from_json(Path("plan.json").read_text()), seed=0)
        == []
    )
    assert {array.dtype.name for array in fi.init("plan.json", seed=0, dtype="fp16").values()} == {"float16"}
    assert run("verify a.safetensors --model plan.json").endswith("no differences\n")
    assert "float16" in run("plan plan.json --dtype fp16") and "orthogonal" in run(
        "plan plan.json --dtype fp16"
    )
    assert run("plan plan.json --recipe default") == run("plan model.json")
    Path("plan.json").write_text(
        '{"source": "recipe gpt2", "tied": {}, "unfilled": {}, "parameters": {"w": {"shape": [4]}}}'
    )
    assert run("plan plan.json", 2).startswith("plan.json: ")


def test_numbers_that_do_not_fit(here: Path, run: Run) -> None:
    to = "-o m.safetensors"
    for options in ("--seed -1", "--dtype int8", "--threads 0", "--resume", "--of 2", "--seed 0 --of 2",
                    "--size a=1 --size a=2", "--size a"):  # fmt: skip
        run(f"init model.json {to} {options}", 2)
    run("init model.json -o folder --max-shard-size 5XB", 2)
    assert os.listdir() == ["model.json"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("-o m.pt", r"a safetensors file; its name must end with \.safetensors, got 'm.pt'"),
        ("-o m", r"must end with \.safetensors, got 'm'"),
        ("-o m.safetensors.gz", r"must end with \.safetensors"),
        ("-o folder", "'folder' is a folder"),
        ("-o m.safetensors --max-shard-size 1KB", "'m.safetensors' is a file's name"),
    ],
)
def test_names_of_what_is_written(options: str, says: str, here: Path, run: Run) -> None:
    os.mkdir("folder")
    assert re.search(says, run(f"init model.json --seed 0 {options}", 2))
    assert sorted(os.listdir()) == ["folder", "model.json"] and os.listdir("folder") == []


# ------------------------------------------------------------------------------------ model files


@pytest.mark.parametrize(
    "text",
    [
        '{"fc.weight": [4, 8]}',
        '{"fc.weight": {"shape": [4, 8]}}',
        '{"parameters": {"fc.weight": [4, 8]}}',
        '{"parameters": {"fc.weight": {"shape": [4, 8], "dtype": "fp32"}}, "dtype": "bf16"}',
    ],
)
def test_forms_of_a_model(text: str, here: Path, run: Run) -> None:
    Path("m.json").write_text(text)
    assert json.loads(run("plan m.json --json")) == json.loads(
        fi.plan({"fc.weight": (4, 8)}, "default").to_json()
    )


FORM = r"""\{"fc\.weight": \[4, 8\]\} or \{"parameters": """


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fc.weight 4 8", rf"not a model.*{FORM}"),
        ("[[4, 8]]", rf"not a model.*{FORM}.*an object"),
        ("{}", rf"no parameters.*{FORM}"),
        ('{"fc.weight": 4}', r"'fc\.weight' needs a shape, such as \[4, 8\].*not 4"),
        ('{"fc.weight": {"dtype": "fp16"}}', r"'fc\.weight' needs a shape"),
        ('{"fc.weight": [4, 8.5]}', r"'fc\.weight'.*8\.5"),
        ('{"fc.weight": [4, 8], "dtype": "fp16"}', r"'dtype'.*under 'parameters'"),
        ('{"tied": {"a": "b"}}', "'tied'.*under 'parameters'"),
        ('{"parameters": [4, 8]}', rf"'parameters' must be an object.*{FORM}"),
        ('{"parameters": {"w": [4]}, "tied": ["a"]}', "'tied' must be an object"),
        ('{"parameters": {"w": [4]}, "b": [4]}', "unknown key 'b'"),
        ('{"parameters": {"w": [4]}, "dtpye": "fp16"}', "unknown key 'dtpye'; did you mean 'dtype'"),
        (
            '{"w": {"shape": [4], "dtpye": "fp16"}}',
            "unknown key of parameter 'w' 'dtpye'; did you mean 'dtype'",
        ),
        ('{"model_type": "gpt2", "n_layer": 12}', "give the folder"),
        ('{"metadata": {}, "weight_map": {"a": "b"}}', "index.*give the folder"),
    ],
)
def test_what_is_not_a_model(text: str, says: str, here: Path, run: Run) -> None:
    Path("m.json").write_text(text)
    said = run("plan m.json", 2)
    assert said.startswith("m.json: ") and re.search(says, said)


def test_folders_that_are_models(here: Path, run: Run) -> None:
    os.mkdir("empty")
    assert "'empty' has neither a config.json nor a model.safetensors" in run("plan empty", 2)
    run("init model.json --seed 0 -o shards --max-shard-size 4KB")
    assert "5 tensors" in run("plan shards")


# ---------------------------------------------------------------------------------------- recipes


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("he_norml", "he_normal"), ("gtp2", "gpt2"), ("xavier", "xavier_normal"), ("deepnrm", "deepnorm"), ("Default", "default")],
)  # fmt: skip
def test_misspelt_recipes_and_schemes(typed: str, meant: str, here: Path, run: Run) -> None:
    said = run(f"plan model.json --recipe {typed}", 2)
    assert re.search(rf"unknown recipe '{typed}'; did you mean '(\w+)'", said)[1] == meant  # type: ignore[index]


def test_what_is_neither_recipe_nor_scheme(here: Path, run: Run) -> None:
    assert "`fastinit recipes` and `fastinit schemes`" in run("plan model.json --recipe 123", 2)
    assert "'he_normal' is a scheme" in run("plan model.json --recipe he_normal --size base_width=2", 2)


def test_recipes_are_listed_and_explained(here: Path, run: Run) -> None:
    listed = run("recipes").splitlines()
    assert [line.split()[0] for line in listed[1:]] == sorted(shipped_recipes())
    assert json.loads(run("recipes --json")).keys() == shipped_recipes().keys()
    assert all(len(line.split()) > 3 and "http" not in line for line in listed[1:])
    said = run("recipes gpt2")
    for words in ("Radford", "layers: *h.{layer}.*", "normal, std = 0.02", "scaled with the depth by 1/sqrt(2L)",
                  "*wte.weight or *wpe.weight", "residual stream", "L is the number of layers"):  # fmt: skip
        assert words in said
    said = run("recipes mup")
    assert (
        "base_width: 256" in said
        and "learning rate times base_width / d" in said
        and "may match nothing" in said
    )
    assert "0.02 * base_width / d" in said and "axis 1 of *wte.weight, or of axis 1 of" in said
    data = json.loads(run("recipes mup --json"))
    assert data["sizes"]["base_width"] == 256 and data["rules"][-1]["lr"] == "base_width / d"
    assert "the recipe 'default', with orthogonal" in run("recipes orthogonal")
    Path("own.toml").write_text('# Mine. All zero.\n[[rule]]\nscheme = "zeros"\n')
    assert "own.toml: Mine. All zero." in run("recipes own.toml") and "every other parameter" in run(
        "recipes own.toml"
    )
    assert "did you mean 'gpt2'" in run("recipes gtp2", 2)


def test_every_recipe_can_be_explained(run: Run) -> None:
    for name in shipped_recipes():
        assert f"{name}: " in run(f"recipes {name}")
        json.loads(run(f"recipes {name} --json"))


# ------------------------------------------------------------------------------ verify and inspect


@pytest.mark.parametrize(
    "recipe", ["", "--recipe orthogonal", "--recipe own.toml", "--recipe own.toml --size d=5"]
)
@pytest.mark.parametrize("sharded", [False, True])
def test_a_file_is_verified_by_what_it_says(recipe: str, sharded: bool, here: Path, run: Run) -> None:
    """GPT-2's Conv1D, a module that the file does not name, has other fans than a linear layer of that shape."""
    Path("own.toml").write_text('[sizes]\nd = 3\n[[rule]]\nscheme = "normal"\nstd = "1 / d"\n')
    output = "folder --max-shard-size 4KB" if sharded else "folder.safetensors"
    run(f"init model.json {recipe} --seed 7 -o {output}")
    file = output.split()[0]
    if recipe:
        os.rename("own.toml", "gone.toml")
    said = run(f"verify {file}")
    name = recipe.replace("--recipe ", "").replace(" --size", ",") or "default"
    assert said == f"compared with recipe {name}, seed 7: every bit\n{file}: no differences\n"
    data = json.loads(run(f"verify {file} --json"))
    assert data == {"file": file, "source": f"recipe {name}", "seed": 7, "findings": []}


def test_inspect_shows_where_a_file_comes_from(here: Path, run: Run) -> None:
    run("init model.json --recipe orthogonal --seed 7 -o m.safetensors")
    said = run("inspect m.safetensors")
    assert said.startswith(f"drawn by fastinit {fi.__version__}, recipe orthogonal, seed 7\n")
    assert "deviating from recipe orthogonal: none" in said
    data = json.loads(run("inspect m.safetensors --json"))
    assert data["drawn"] == {"source": "recipe orthogonal", "seed": 7, "version": fi.__version__}
    assert "deviating from recipe zeros" in run("inspect m.safetensors --recipe zeros", 3)
    safetensors.numpy.save_file({"w": fi.normal((40, 40), seed=0)}, "other.safetensors")
    said = run("inspect other.safetensors")
    assert "drawn by" not in said and said.endswith("deviating: none\n")
    assert json.loads(run("inspect other.safetensors --json"))["drawn"] is None


def test_options_go_before_what_a_file_says(here: Path, run: Run) -> None:
    run("init model.json --seed 7 -o m.safetensors")
    assert "seed 8: every bit" in run("verify m.safetensors --seed 8", 3)
    assert "recipe he_normal" in run("verify m.safetensors --recipe he_normal", 3)
    assert run("verify m.safetensors --model model.json").endswith("no differences\n")
    Path("less.json").write_text('{"wte.weight": [50, 16]}')
    assert "h.0.ln_1.bias: is not in the plan" in run("verify m.safetensors --model less.json", 3)
    assert "has dtype bfloat16, not float16" in run("verify m.safetensors --model model.json --dtype fp16", 3)
    data = bytearray(Path("m.safetensors").read_bytes())
    data[-1] ^= 1
    Path("m.safetensors").write_bytes(data)
    said = run("verify m.safetensors", 3)
    assert "1 of 16 values differ" in said and said.endswith("m.safetensors: 1 difference\n")


def test_sizes_of_a_recipe_are_said_to_the_last_digit(here: Path, run: Run) -> None:
    Path("own.toml").write_text('[sizes]\nd = 3\n[[rule]]\nscheme = "normal"\nstd = "1 / d"\n')
    for size in ("0.123456789012", "1234567", "1e-7"):
        run(f"init model.json --recipe own.toml --size d={size} --seed 7 -o m.safetensors")
        assert run("verify m.safetensors --model model.json").endswith("no differences\n")
        assert run(f"verify m.safetensors --size d={size}").endswith("no differences\n")
    assert run("verify m.safetensors --size d=2", 3).endswith("5 differences\n")


def test_files_of_other_programs(here: Path, run: Run) -> None:
    arrays = fi.init({"fc.weight": (64, 32), "fc.bias": (64,)}, "default", seed=3)
    safetensors.numpy.save_file(arrays, "m.safetensors")
    said = run("verify m.safetensors", 2)
    assert "'m.safetensors' does not say how it was drawn" in said and "--recipe" in said and "--seed" in said
    said = run("verify m.safetensors --recipe default")
    assert "without a seed: only means, standard deviations and bounds" in said
    assert json.loads(run("verify m.safetensors --recipe default --json"))["seed"] is None
    assert "seed 3: every bit" in run("verify m.safetensors --recipe default --seed 3")
    assert "std" in run("verify m.safetensors --recipe normal", 3)


def test_recipes_that_no_file_holds(here: Path, run: Run) -> None:
    """A mapping: the distributions are in the header, but for another model there is nothing to ask."""
    plan = fi.plan({"fc.weight": (40, 8)}, {"fc.*": "orthogonal"})
    write(plan, "m.safetensors", seed=0)
    assert run("verify m.safetensors").endswith("no differences\n")
    Path("m.json").write_text('{"fc.weight": [40, 8]}')
    said = run("verify m.safetensors --model m.json", 2)
    assert (
        "was drawn from 'recipe default, changed', which is neither a recipe nor a file here; give --recipe"
        in said
    )


# ----------------------------------------------------------------------------------------- errors


def test_errors_of_files_are_sentences(here: Path, run: Run) -> None:
    os.mkdir("folder")
    Path("file").write_text("{}")
    init = "init model.json --seed 0 -o"
    for line, says in (
        ("plan no.json", "cannot read 'no.json': the file does not exist"),
        ("plan nodir/no.json", "cannot read 'nodir/no.json': the folder 'nodir' does not exist"),
        ("plan file/no.json", "cannot read 'file/no.json': 'file' is a file, not a folder"),
        ("plan model.json --recipe no.toml", "cannot read 'no.toml': the file does not exist"),
        ("plan model.json --recipe folder/../no/x.toml", "cannot read 'folder/../no/x.toml': the folder 'folder/../no' does not exist"),
        ("verify no.safetensors", "cannot read 'no.safetensors': the file does not exist"),
        ("verify folder", "cannot read 'folder/model.safetensors': the file does not exist"),
        ("inspect no.safetensors", "cannot read 'no.safetensors': the file does not exist"),
        (f"{init} nodir/a.safetensors", "cannot write 'nodir/a.safetensors': the folder 'nodir' does not exist"),
        (f"{init} file --max-shard-size 1KB", "cannot write 'file': 'file' is a file, not a folder"),
        (f"{init} {'a' * 300}.safetensors", f"cannot write '{'a' * 300}.safetensors': file name too long"),
        ("probe --widths 4,4 -o nodir/a.json", "cannot write 'nodir/a.json': the folder 'nodir' does not exist"),
    ):  # fmt: skip
        assert run(line, 1) == says


def test_a_full_disk_and_what_has_no_name() -> None:
    full = OSError(28, "No space left on device", "out/a.safetensors")
    assert errors.sentence(full, "out") == "cannot write 'out/a.safetensors': no space left on device"
    assert errors.sentence(OSError(13, "Permission denied", "a")) == "cannot read 'a': permission denied"
    assert errors.sentence(OSError(28, "No space left on device")) == "no space left on device"
    assert errors.sentence(OSError("the hub cannot be reached")) == "the hub cannot be reached"


def test_the_library_keeps_errno_and_filename(here: Path) -> None:
    with pytest.raises(FileNotFoundError) as info:
        write(fi.plan({"w": (4, 8)}, "default"), "nodir/a.safetensors", seed=0)
    assert (info.value.errno, info.value.filename) == (2, "nodir/a.safetensors")


# --------------------------------------------------------------------------------- missing extras

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


# -------------------------------------------------------------------------------------- terminals

WIDTHS = (40, 60, 80, 120)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("line", "status"),
    [
        (f"plan {EXAMPLES / 'gpt2.json'} --recipe gpt2", 0),
        (f"plan {EXAMPLES / 'resnet-50.json'} --recipe resnet", 0),
        ("inspect m.safetensors", 0),
        ("inspect m.safetensors --recipe zeros", 3),
        ("verify m.safetensors --seed 1", 3),
        ("init model.json --seed 0 -o n.safetensors", 0),
        ("probe --widths 64,64x20,10 --scheme he_normal,constant:value=0.01", 3),
        ("schemes", 0),
        ("schemes stft", 0),
        ("schemes he_normal", 0),
        ("recipes", 0),
        ("recipes mup", 0),
        ("recipes default", 0),
    ],
)
def test_what_is_printed_fits(
    line: str, status: int, width: int, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init model.json --seed 0 -o m.safetensors")
    lines = on_terminal(monkeypatch, width, line, status)
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width / 2  # and uses the room


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_table_leaves_out(width: int, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"plan {EXAMPLES / 'gpt2.json'} --recipe gpt2"
    whole = run(line).splitlines()
    titles = whole[0].split()
    lines = on_terminal(monkeypatch, width, line)
    shown = lines[0].split()
    text = " ".join(lines)
    found = re.search(r"left out to fit: ((?:\w+,\s+)*\w+)", text)
    left_out = re.split(r",\s+", found[1]) if found else []
    assert {*shown} | {*left_out} == {*titles} and not {*shown} & {*left_out}
    assert (len(left_out) >= 3) == (width < 120) and shown[0] == "name" and "distribution" in shown
    assert len(lines[1:149]) == 148 and lines[1].startswith("transform")
    assert ("…" in text) == (width < 80)
    assert on_terminal(monkeypatch, 200, line) == whole and "left out" not in run(line)


def test_a_pipe_has_no_width(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    line = f"plan {EXAMPLES / 'resnet-50.json'} --recipe resnet"
    assert max(map(len, run(line).splitlines())) > 120
    assert terminal.width(io.StringIO()) is None and terminal.width(Terminal()) == 40
    monkeypatch.setenv("COLUMNS", "wide")
    assert terminal.width(Terminal()) == 80


def test_names_cannot_move_the_cursor(here: Path, run: Run) -> None:
    arrays = {"a\x1b[2Jb\nc": np.zeros((4, 4), np.float32)}
    safetensors.numpy.save_file(arrays, "m.safetensors")
    said = run("inspect m.safetensors", 3) + run("plan m.safetensors --recipe normal")
    assert "\x1b" not in said and said.count(r"a\x1b[2Jb\nc") == 3


@pytest.mark.parametrize("width", [20, 30, 40, 50, 60, 61, 80, 120])
def test_the_progress_bar_fits(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, now = Terminal(), [0.0]
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    with terminal.progress() as show:
        for percent in range(101):
            now[0] = percent * 50.0
            show(percent * 10**9, 100 * 10**9)
    text = screen.getvalue()
    first, *updates = text.split("\r")
    assert first == "" and len(updates) == 100 and text.count("\n") == 1 and text.endswith("\n")
    assert all(len(line.rstrip("\n")) < width for line in updates)
    assert all(f"{percent}%" in line for percent, line in zip(range(1, 101), updates, strict=True))
    assert all(
        line.startswith("[") and line.count("#") >= percent // 10 for percent, line in enumerate(updates, 1)
    )
    assert ("left" in text) == (width >= 30) and ("GB/s" in text) == (width >= 50)


def test_the_bar_ends_its_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)

    def interrupted(*arguments: Any, progress: Callable[[int], None], **options: Any) -> None:
        progress(0)
        monkeypatch.setattr(terminal, "_PAUSE", 0.0)
        progress(1000)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.init, "write", interrupted)
    assert cli.main(["init", "model.json", "--seed", "0", "-o", "m.safetensors"]) == 130
    *_, bar, message = screen.getvalue().splitlines()
    assert bar.startswith("[") and message == "fastinit: error: interrupted"


def test_no_bar_without_a_terminal(here: Path, capsys: pytest.CaptureFixture[str], run: Run) -> None:
    run("init model.json --seed 0 -o m.safetensors")
    with terminal.progress() as show:
        show(100, 100)
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------------------------------- schemes


def test_schemes_are_listed(run: Run) -> None:
    said = run("schemes")
    assert {line.split()[0] for line in said.splitlines() if line} >= {row.name for row in SCHEMES.values()}
    assert all(alias in said for row in SCHEMES.values() for alias in row.aliases)
    listed = json.loads(run("schemes --json"))
    assert {row["name"] for rows in listed.values() for row in rows} == {row.name for row in SCHEMES.values()}


@pytest.mark.parametrize("name", ["he_normal", "glorot_uniform", "zeros", "stft"])
def test_schemes_are_explained(name: str, run: Run) -> None:
    said = run(f"schemes {name}")
    assert (fi.schemes.__getattr__(name).__doc__ or "?").split()[0] in said
    assert SCHEMES[name].formula in said and f".{name}(" in said and "Raises" in said
    assert SCHEMES[name].source is None or SCHEMES[name].source in said
    data = json.loads(run(f"schemes {name} --json"))
    assert data["name"] == SCHEMES[name].name and data["text"] in said


def test_a_misspelt_scheme(run: Run) -> None:
    assert "did you mean 'he_normal'" in run("schemes he_norml", 2)


def test_the_shell_completes(tmp_path: Path) -> None:
    optional("argcomplete")
    said = tmp_path / "said"
    line = "fastinit init model.json --rec"
    asked = {
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": str(said),
    }
    subprocess.run([sys.executable, "-m", "fastinit"], env={**os.environ, **asked}, check=True)
    assert said.read_text().strip() == "--recipe"
