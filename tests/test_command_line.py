"""The command line: help, models and recipes that are typed, and what init, plan and schemes say."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import ml_dtypes  # noqa: F401
import pytest
import safetensors.numpy
from conftest import Run, optional

import fastinit as fi
from fastinit import cli
from fastinit.plans.recipe import shipped_recipes
from fastinit.schemes.catalogue import SCHEMES


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
