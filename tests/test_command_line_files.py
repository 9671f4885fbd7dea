"""The command line on files: what a file says of itself, and errors that are sentences."""

from __future__ import annotations

import json
import os
from pathlib import Path

import ml_dtypes  # noqa: F401
import pytest
import safetensors.numpy
from conftest import Run

import fastinit as fi
from fastinit.checkpoints import write
from fastinit.cli import errors


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
