"""Checkpoints of several files: split, shared out, ended at any time, resumed; and files that a run goes on with."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
import safetensors.numpy
from conftest import KILLED_AT

import fastinit as fi
from fastinit import checkpoints, cli
from fastinit.checkpoints import sharded, single
from fastinit.files import atomic as files
from fastinit.files import safetensors as format
from fastinit.plans.plan import Plan

INDEX = "model.safetensors.index.json"
SHAPES = {
    **{f"layers.{i}.weight": (40, 50) for i in range(6)}, "norm.weight": (50,), "empty": (0, 3), "scalar": (),
    "big.weight": (200, 50), "head.weight": (30, 50),
}  # fmt: skip
SIZE = "20KB"
RECIPE = """
[[rule]]
match = "layers.3.*"
scheme = "orthogonal"
[[rule]]
ndim = 2
scheme = "he_normal"
[[rule]]
scheme = "ones"
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file and a recipe beside it, with a structured law among the others."""
    parameters = {name: {"shape": list(shape)} for name, shape in SHAPES.items()}
    (tmp_path / "model.json").write_text(
        json.dumps({"parameters": parameters, "tied": {"tied": "norm.weight"}})
    )
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path / "model.json"


@pytest.fixture
def plan(model: Path) -> Plan:
    return fi.plan(model, model.with_name("recipe.toml"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def whole(plan: Plan, tmp_path: Path) -> dict[str, bytes]:
    """The files of a run without interruption."""
    checkpoints.write(plan, tmp_path / "whole", seed=3, max_shard_size=SIZE)
    return contents(tmp_path / "whole")


# ---------------------------------------------------------------------------------------- splitting


@pytest.mark.parametrize("size", [1, 7_000, 8_000, 8_001, 17_000, "20KB", "40kb", 10**9])
def test_split_as_hugging_face_does(size: int | str, plan: Plan) -> None:
    hub = pytest.importorskip("huggingface_hub.serialization._base")
    arrays = {name: array for name, array in fi.init(plan, seed=0).items() if name not in plan.ties}
    theirs = hub.split_state_dict_into_shards_factory(
        arrays, get_storage_size=lambda a: a.nbytes, get_storage_id=id,
        filename_pattern="model{suffix}.safetensors", max_shard_size=size,
    )  # fmt: skip
    shards = checkpoints.split(plan, size)
    assert {shard.file: list(shard.names) for shard in shards} == theirs.filename_to_tensors
    assert sum(shard.nbytes for shard in shards) == plan.nbytes
    if len(shards) > 1:
        index = json.loads(format.index({n: s.file for s in shards for n in s.names}, plan.nbytes))
        assert index == {"metadata": theirs.metadata, "weight_map": theirs.tensor_to_filename}


@pytest.mark.parametrize(
    ("size", "number"), [("5GB", 5 * 10**9), ("1.5kb", 1500), (7, 7), ("7", 7), ("2TB", 2 * 10**12)]
)
def test_sizes(size: int | str, number: int) -> None:
    assert sharded.parse_size(size) == number


@pytest.mark.parametrize(
    "size", ["", "GB", "5 bytes", "5XB", "-5GB", "nanGB", "infGB", 0, -1, "0", True, 1.5]
)
def test_bad_sizes(size: Any, plan: Plan, tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError), match="size"):
        checkpoints.write(plan, tmp_path / "new", seed=0, max_shard_size=size)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("bad", [{"seed": -1}, {"seed": 1.5}, {"threads": 0}, {"max_shard_size": 0}])
def test_bad_arguments_remove_nothing(
    bad: dict[str, Any], plan: Plan, whole: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises((TypeError, ValueError), match=r"seed|threads|size"):
        checkpoints.write(plan, tmp_path / "whole", **{"seed": 3, "max_shard_size": SIZE, **bad})
    assert contents(tmp_path / "whole") == whole


@pytest.mark.parametrize(
    "bad", [{"rank": 2, "of": 2}, {"rank": -1}, {"of": 0}, {"rank": True, "of": 2}, {"of": 1.0}]
)
def test_bad_ranks(bad: dict[str, Any], plan: Plan, tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError), match=r"rank|of"):
        checkpoints.write(plan, tmp_path / "new", seed=0, max_shard_size=SIZE, **bad)
    assert not (tmp_path / "new").exists()


# ------------------------------------------------------------------------------------------ content


def test_shards_hold_what_init_draws(plan: Plan, tmp_path: Path) -> None:
    done: list[int] = []
    summary = checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size=SIZE, progress=done.append)
    arrays = fi.init(plan, seed=3)
    files_found = sorted(os.listdir(tmp_path / "m"))
    assert files_found == [f"model-0000{i}-of-00005.safetensors" for i in range(1, 6)] + [INDEX]
    index = json.loads((tmp_path / "m" / INDEX).read_text())
    assert index["weight_map"].keys() == plan.keys() and index["metadata"]["total_size"] == plan.nbytes
    for file in files_found[:-1]:
        for name, array in safetensors.numpy.load_file(tmp_path / "m" / file).items():
            assert index["weight_map"][name] == file and array.tobytes() == arrays.pop(name).tobytes()
    assert arrays.keys() == {"tied"}
    assert (summary.tensors, summary.nbytes, summary.kept_nbytes) == (len(plan), plan.nbytes, 0)
    assert done == sorted(done) and done[0] == 0 and done[-1] == plan.nbytes
    assert fi.verify(tmp_path / "m", plan, seed=3) == []
    assert fi.verify(tmp_path / "m", plan, seed=4)


def test_one_shard_is_the_file_that_write_makes(plan: Plan, tmp_path: Path) -> None:
    checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size="5GB")
    checkpoints.write(plan, tmp_path / "one.safetensors", seed=3)
    assert contents(tmp_path / "m") == {"model.safetensors": (tmp_path / "one.safetensors").read_bytes()}
    assert fi.verify(tmp_path / "m", plan, seed=3) == []


@pytest.mark.parametrize("of", [2, 3, 8])
def test_ranks_share_the_files(of: int, plan: Plan, whole: dict[str, bytes], tmp_path: Path) -> None:
    """In one folder, the last one writes the index; on machines apart, whoever gathers the files."""
    for rank in reversed(range(of)):
        assert not (tmp_path / "m" / INDEX).exists()
        apart = tmp_path / f"machine {rank}"
        for folder in (tmp_path / "m", apart):
            checkpoints.write(plan, folder, seed=3, max_shard_size=SIZE, rank=rank, of=of)
        assert apart.name and sorted(os.listdir(apart)) == sorted(whole)[:-1][rank::of]
    assert contents(tmp_path / "m") == whole
    gathered = tmp_path / "gathered"
    gathered.mkdir()
    for rank in range(of):
        for path in (tmp_path / f"machine {rank}").iterdir():
            path.rename(gathered / path.name)
    summary = checkpoints.write(plan, gathered, seed=3, max_shard_size=SIZE, resume=True)
    assert contents(gathered) == whole and summary.kept_nbytes == plan.nbytes


def test_ranks_at_once(model: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fastinit", "init", str(model), "--recipe", str(model.with_name("recipe.toml")),
               "--seed", "3", "-o", str(tmp_path / "m"), "--max-shard-size", SIZE, "--of", "3"]  # fmt: skip
    running = [
        subprocess.Popen([*command, "--rank", str(rank)], stdout=subprocess.DEVNULL) for rank in range(3)
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert contents(tmp_path / "m") == whole


def test_one_file_of_a_model_too_large_for_this_machine(tmp_path: Path) -> None:
    """280 TB: the plan, the index, any part of any tensor, and one shard by itself."""
    shapes = {f"layers.{i}.weight": (2**20, 2**20) for i in range(64)}
    shapes |= {"norm.weight": (2**10,), **{f"last.{i}.weight": (2**20, 2**20) for i in range(64)}}
    plan = fi.plan(shapes, dtype="bfloat16")
    shards = checkpoints.split(plan, 2**41)
    assert plan.nbytes > 2.8e14 and len(shards) == 129
    (at,) = [i for i, shard in enumerate(shards) if "norm.weight" in shard.names]
    checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size=2**41, rank=at, of=len(shards))
    assert os.listdir(tmp_path / "m") == [shards[at].file]
    assert safetensors.numpy.load_file(tmp_path / "m" / shards[at].file).keys() == {"norm.weight"}
    part = plan.tensor("last.63.weight", seed=3, block=np.s_[-1, -5:])
    assert part.shape == (5,) and len(set(part.tolist())) > 1


def test_transformers_loads_shards(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(n_layer=2, n_embd=16, n_head=2, vocab_size=50, n_positions=8)
    empty = transformers.GPT2LMHeadModel(config)
    config.save_pretrained(tmp_path)
    shapes = {name: tuple(p.shape) for name, p in empty.named_parameters()}
    plan = fi.plan(shapes, "gpt2")
    checkpoints.write(plan, tmp_path, seed=0, max_shard_size="10KB")
    loaded, info = transformers.GPT2LMHeadModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values()) and len(list(tmp_path.glob("*.safetensors"))) > 2
    arrays = fi.init(plan, seed=0)
    assert all(np.array_equal(p.detach().numpy(), arrays[name]) for name, p in loaded.named_parameters())


# ----------------------------------------------------------------------------------------- resuming

KILLER = f"""{KILLED_AT}
from fastinit.checkpoints import single, write
import fastinit as fi
single._CHUNK_BYTES = 4096
plan = fi.plan(sys.argv[1], sys.argv[1].replace("model.json", "recipe.toml"))
count("listdir", "open", "write", "read", "fsync", "replace", "close")
write(plan, sys.argv[2], seed=3, max_shard_size="20KB", resume=True)
"""


def test_killed_and_resumed(model: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    """Killed at any system call, again and again: what is finished is right, and the end is as without."""
    folder, calls = tmp_path / "m", random.Random(0)
    kills = 0
    for _ in range(40):
        command = [sys.executable, "-c", KILLER, str(model), str(folder), str(calls.randint(1, 45))]
        returned = subprocess.run(command, timeout=60).returncode
        if folder.exists():
            found = contents(folder)
            assert all(whole[name] == data for name, data in found.items() if not name.endswith(".part"))
            assert len(found.keys() - whole.keys()) <= 2
        if returned == 0:
            break
        assert returned == -signal.SIGKILL
        kills += 1
    assert returned == 0 and kills >= 4
    assert contents(folder) == whole


def begun(plan: Plan, path: Path, monkeypatch: pytest.MonkeyPatch, calls: int = 20) -> Path:
    """The part that a run leaves, which fails at a write."""
    written = iter(range(calls))
    real = os.write

    def fail(file: int, data: Any) -> int:
        if next(written, None) is None:
            raise OSError(errno.ENOSPC, "injected")
        return real(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(single, "_CHUNK_BYTES", 4096)
        patch.setattr(files.os, "write", fail)
        with pytest.raises(OSError, match=path.name) as info:
            checkpoints.write(plan, path, seed=3, resume=True)
        assert info.value.errno == errno.ENOSPC
    (part,) = path.parent.glob(f".{path.name}.*.part")
    return part


@pytest.fixture
def one(plan: Plan, tmp_path: Path) -> Iterator[tuple[Path, bytes]]:
    """A file's path, in a folder by itself, and what is to stand there."""
    checkpoints.write(plan, tmp_path / "reference", seed=3)
    (tmp_path / "alone").mkdir()
    yield tmp_path / "alone" / "m.safetensors", (tmp_path / "reference").read_bytes()


def test_a_part_is_continued_and_not_drawn_anew(
    plan: Plan, one: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reference = one
    length = begun(plan, path, monkeypatch).stat().st_size
    assert 0 < length < len(reference) and not path.exists()
    real, written = os.write, 0

    def counted(file: int, data: Any) -> int:
        nonlocal written
        written += len(data)
        return real(file, data)

    monkeypatch.setattr(single, "_CHUNK_BYTES", 4096)
    monkeypatch.setattr(files.os, "write", counted)
    checkpoints.write(plan, path, seed=3, resume=True)
    header = len(format.header([(p.name, p.dtype, p.shape) for p in plan.values()], {})[0]) + 1000
    assert written < len(reference) - length + header
    assert contents(path.parent) == {path.name: reference}
    summary = checkpoints.write(plan, path, seed=3, resume=True)
    assert summary.kept_nbytes == summary.nbytes == plan.nbytes


@pytest.mark.parametrize("fault", ["zeros", "hole", "short", "long", "empty"])
def test_a_damaged_part_is_repaired(
    fault: str, plan: Plan, one: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may leave a part with pages that were never written."""
    path, reference = one
    part = begun(plan, path, monkeypatch)
    data = part.read_bytes()
    damaged = {
        "zeros": data[:-5000] + bytes(5000), "hole": data[:-9000] + bytes(100) + data[-8900:],
        "short": data[:100], "long": reference + b"more", "empty": b"",
    }  # fmt: skip
    part.write_bytes(damaged[fault])
    checkpoints.write(plan, path, seed=3, resume=True)
    assert contents(path.parent) == {path.name: reference}


def test_another_plan_or_seed_refuses(
    plan: Plan, one: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reference = one
    other = fi.plan(SHAPES, {"*": "ones"})
    part = begun(plan, path, monkeypatch)
    before = contents(path.parent)
    for refused, seed in ((other, 3), (plan, 4)):
        with pytest.raises(ValueError, match=r"cannot resume .*m\.safetensors"):
            checkpoints.write(refused, path, seed=seed, resume=True)
        assert contents(path.parent) == before
    checkpoints.write(plan, path, seed=3)
    assert contents(path.parent) == {path.name: reference} and not part.exists()
    with pytest.raises(ValueError, match="cannot resume"):
        checkpoints.write(plan, path, seed=4, resume=True)
    assert contents(path.parent) == {path.name: reference}


def test_shards_of_another_seed_refuse(plan: Plan, whole: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    with pytest.raises(ValueError, match="cannot resume"):
        checkpoints.write(plan, folder, seed=4, max_shard_size=SIZE, resume=True)
    assert contents(folder) == whole


def test_old_and_new_are_never_one_checkpoint(
    plan: Plan, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run over an old checkpoint that fails leaves no index and no old file of its own; it can be resumed."""
    folder, count = tmp_path / "whole", 0
    replace = os.replace

    def fail_third(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(errno.EIO, "injected")
        replace(*arguments)

    monkeypatch.setattr(files.os, "replace", fail_third)
    with pytest.raises(OSError, match="00003"):
        checkpoints.write(plan, folder, seed=4, max_shard_size=SIZE)
    assert sorted(os.listdir(folder)) == sorted(whole)[:2]
    monkeypatch.undo()
    checkpoints.write(plan, folder, seed=4, max_shard_size=SIZE, resume=True)
    checkpoints.write(plan, tmp_path / "new", seed=4, max_shard_size=SIZE)
    assert contents(folder) == contents(tmp_path / "new") != whole


def test_an_interrupt_can_be_resumed(plan: Plan, whole: dict[str, bytes], tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done > plan.nbytes // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size=SIZE, resume=True, progress=stop)
    assert 0 < len(contents(tmp_path / "m")) < len(whole)
    done: list[int] = []
    checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size=SIZE, resume=True, progress=done.append)
    assert contents(tmp_path / "m") == whole and done[0] > 0 and done[-1] == plan.nbytes


# ------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("call", ["write", "fsync", "replace", "open"])
def test_failing_calls(call: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m").mkdir()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "injected")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, call, fail)
        with pytest.raises(OSError, match=r"model-00001-of-00005\.safetensors") as info:
            checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size=SIZE)
    assert info.value.errno == errno.EIO and os.listdir(tmp_path / "m") == []


def test_short_writes_and_reads(
    plan: Plan,
    one: tuple[Path, bytes],
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, reference = one
    begun(plan, path, monkeypatch)
    write, read = os.write, os.read
    monkeypatch.setattr(files.os, "write", lambda file, data: write(file, data[:1000]))
    monkeypatch.setattr(files.os, "read", lambda file, count: read(file, min(count, 1000)))
    checkpoints.write(plan, path, seed=3, resume=True)
    checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size=SIZE)
    monkeypatch.undo()
    assert path.read_bytes() == reference and contents(tmp_path / "m") == whole


def test_disk_limit(plan: Plan, whole: dict[str, bytes], tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(OSError) as info:
            checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size=SIZE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    # The tensor that is larger than a shard may be.
    large = next(shard.file for shard in checkpoints.split(plan, SIZE) if "big.weight" in shard.names)
    assert info.value.errno == errno.EFBIG and info.value.filename == str(tmp_path / "m" / large)
    assert all(whole[name] == data for name, data in contents(tmp_path / "m").items())
    checkpoints.write(plan, tmp_path / "m", seed=3, max_shard_size=SIZE, resume=True)
    assert contents(tmp_path / "m") == whole


def test_targets(plan: Plan, whole: dict[str, bytes], tmp_path: Path) -> None:
    folder, first = tmp_path / "m", sorted(whole)[0]
    folder.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"old")
    (folder / first).symlink_to(tmp_path / "elsewhere")
    checkpoints.write(plan, folder, seed=3, max_shard_size=SIZE)
    assert (folder / first).is_symlink() and (tmp_path / "elsewhere").read_bytes() == whole[first]
    for i, make in enumerate((os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/null", path))):
        (tmp_path / f"{i}").mkdir()
        make(tmp_path / f"{i}" / first)
        for resume in (False, True):
            with pytest.raises(OSError, match=first):
                checkpoints.write(plan, tmp_path / f"{i}", seed=3, max_shard_size=SIZE, resume=resume)
            assert os.listdir(tmp_path / f"{i}") == [first]
    with pytest.raises(FileExistsError):
        checkpoints.write(plan, tmp_path / "elsewhere", seed=3, max_shard_size=SIZE)


def test_a_writer_at_work_is_left_alone(plan: Plan, one: tuple[Path, bytes]) -> None:
    """Two runs for one file: neither takes the other's part, and each ends with the whole file."""
    path, reference = one
    with files.replacing(path, resume=True) as file:
        checkpoints.write(plan, path, seed=3, resume=True)
        assert path.read_bytes() == reference
        files.write(file, memoryview(reference))
    assert contents(path.parent) == {path.name: reference}


# --------------------------------------------------------------------------------- the command line


def test_command(
    model: Path, whole: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, folder = ["--recipe", str(model.with_name("recipe.toml"))], tmp_path / "m"
    init = ["init", str(model), *recipe, "--seed", "3", "-o", str(folder), "--max-shard-size", SIZE]
    assert cli.main([*init, "--rank", "1", "--of", "2"]) == 0
    assert "7 tensors" in capsys.readouterr().out
    assert cli.main([*init, "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept_bytes"] > 0
    assert contents(folder) == whole
    verify = ["verify", str(folder), *recipe]
    assert cli.main([*verify, "--seed", "3"]) == 0 and "no differences" in capsys.readouterr().out
    assert cli.main([*verify, "--seed", "3", "--model", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
    assert cli.main(verify) == 0
    capsys.readouterr()
    first = folder / sorted(whole)[0]
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    assert cli.main([*verify, "--seed", "3", "--json"]) == 3
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["kind"] == "bits" and finding["name"] == "layers.1.weight" and finding["index"] == [39, 49]
    assert cli.main([*verify, "--seed", "3"]) == 3
    assert "the first at (39, 49)" in capsys.readouterr().out
    assert cli.main(["verify", str(folder), *recipe, "--seed", "4"]) == 3
    first.unlink()
    assert cli.main(verify) == 1


@pytest.mark.parametrize(
    "index", ["", "[]", "{}", '{"weight_map": {"a": 3}}', '{"weight_map": {"a": "../m.safetensors"}}',
              '{"weight_map": {"nothing": "m.safetensors"}}']
)  # fmt: skip
def test_bad_indices(index: str, plan: Plan, tmp_path: Path) -> None:
    checkpoints.write(plan, tmp_path / "m.safetensors", seed=3)
    (tmp_path / INDEX).write_text(index)
    with pytest.raises(ValueError, match=r"weight_map|nothing|Expecting|object"):
        fi.verify(tmp_path, plan)
