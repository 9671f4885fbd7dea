"""Files of other formats at every door, and tensors in files and in memory that nothing draws."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from conftest import optional

import fastinit as fi
from fastinit import cli
from fastinit.plans.parameter import COUNTS

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"


def _npz(path: Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, weight=np.zeros(3))


def _npy(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def _torch(path: Path, **options: Any) -> None:
    optional("torch").save({"weight": optional("torch").zeros(3)}, path, **options)


WRITERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "torch": (_torch, "a file of torch.save$"),
    "old torch": (
        lambda path: _torch(path, _use_new_zipfile_serialization=False),
        "torch.save, in its older format$",
    ),
    "npz": (_npz, "a file of numpy.savez$"),
    "npy": (_npy, "a NumPy array file$"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "a pickle$"),
    "first pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1}, protocol=0)), "a pickle$"),
    "pointer": (
        lambda path: path.write_bytes(LFS),
        "a Git LFS pointer: the file itself has not been fetched$",
    ),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"text")), "a gzip file$"),
    "page": (lambda path: path.write_text("<!DOCTYPE html><html></html>"), "a page of HTML$"),
}
DOORS: dict[str, Callable[[Path], Any]] = {
    "plan": fi.plan,
    "init": lambda path: fi.init(path, "he_normal", seed=0),
    "verify": lambda path: fi.checkpoints.verify(path, fi.plan({"weight": (3,)}, {"*": "ones"}), seed=0),
    "inspect": fi.inspect,
    "stored": fi.checkpoints.stored,
}


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", WRITERS)
def test_every_door_names_the_format(kind: str, door: str, suffix: str, tmp_path: Path) -> None:
    write, text = WRITERS[kind]
    write(path := tmp_path / f"model{suffix}")
    with pytest.raises(ValueError, match=rf"model\{suffix}: not a safetensors file.*, but .*{text}"):
        DOORS[door](path)


@pytest.mark.parametrize("command", ["plan", "init", "verify", "inspect"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_the_commands_name_it_too(
    command: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (path := tmp_path / f"model{suffix}").write_bytes(LFS)
    more = ["-o", str(tmp_path / "out.safetensors"), "--seed", "0"] if command == "init" else []
    assert cli.main([command, str(path), *more]) == 2
    assert "but a Git LFS pointer" in capsys.readouterr().err


COUNTED = {"0.weight": (8, 4), "0.bias": (8,)}
EXTRA = {
    "1.num_batches_tracked": np.array(7, np.int64),
    "positions": np.arange(5, dtype=np.int32),
    "mask": np.ones((2, 2), np.bool_),
}


def test_counts_do_not_fail_verify(tmp_path: Path) -> None:
    plan = fi.plan(COUNTED, "he_normal")
    arrays = {**fi.init(plan, seed=0), **EXTRA}
    safetensors.numpy.save_file(arrays, path := tmp_path / "m.safetensors")
    for checkpoint in (arrays, path):
        for seed in (0, None):
            assert fi.checkpoints.verify(checkpoint, plan, seed=seed) == []
    for read in (
        fi.plan(path, "he_normal"),
        fi.plan(arrays, "he_normal"),
        fi.plan(fi.checkpoints.stored(path), "he_normal"),
    ):
        assert set(read) == set(plan) and {row.reason for row in read.unfilled.values()} == {COUNTS}
        assert set(read.unfilled) == set(EXTRA)
        assert read.unfilled["1.num_batches_tracked"].shape == ()
        assert [read.unfilled[name].dtype for name in EXTRA] == ["int64", "int32", "bool"]
        assert fi.checkpoints.verify(path, read, seed=0) == fi.checkpoints.verify(arrays, read, seed=0) == []
    assert set(fi.init(path, "he_normal", seed=0)) == set(plan)
    assert fi.inspect(path).skipped.keys() == EXTRA.keys()
    # What the plan draws must not be of integers, and floats that it does not know are unexpected.
    wrong = {**arrays, "0.bias": np.zeros(8, np.int64), "more": np.zeros(2, np.float32)}
    found = fi.checkpoints.verify(wrong, plan, seed=0)
    assert [(f.name, f.kind) for f in found] == [("0.bias", "dtype"), ("more", "unexpected")]
    assert found[0].message == "has dtype int64, not float32"


def test_a_state_dict_with_what_is_left_alone(tmp_path: Path) -> None:
    torch = optional("torch")
    import fastinit.torch as ft

    def build() -> Any:
        return torch.nn.Sequential(torch.nn.Conv1d(3, 8, 3), torch.nn.BatchNorm1d(8), torch.nn.ReLU())

    plan, recorded = ft.plan(build(), "he_normal"), ft.record(build)
    for chosen, count in ((recorded, 0), (recorded, 12), (plan, 12)):
        model = ft.init_(build(), chosen, seed=4)
        model[1].num_batches_tracked.fill_(count)
        state = model.state_dict()
        optional("safetensors.torch").save_file(state, path := tmp_path / "m.safetensors")
        for checkpoint in (state, path):
            for seed in (4, None):
                found = [str(f) for f in fi.checkpoints.verify(checkpoint, chosen, seed=seed)]
                said = "1.num_batches_tracked: 1 of 1 values differ, the first at (): 12, not 0"
                assert found == ([said] if count and chosen is recorded else [])
    state["1.running_mean"] = torch.zeros(9)
    assert [f.name for f in fi.checkpoints.verify(state, plan, seed=4)] == ["1.running_mean"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_without_a_seed_the_sign_of_zero_does_not_count(dtype: str) -> None:
    plan = fi.plan({"bias": (9,), "scale": (9,)}, {"bias": "zeros", "scale": "ones"}, dtype=dtype)
    arrays = fi.init(plan, seed=0)
    arrays["bias"][3:] = -arrays["bias"][3:]
    assert np.signbit(arrays["bias"][3:].astype("float64")).all()
    assert fi.checkpoints.verify(arrays, plan) == []
    (found,) = fi.checkpoints.verify(arrays, plan, seed=0)
    assert (found.name, found.kind, found.index) == ("bias", "bits", (3,))
    arrays["bias"][5], arrays["scale"][2] = 1e-3, -1
    assert [(f.name, f.index) for f in fi.checkpoints.verify(arrays, plan)] == [
        ("bias", (5,)),
        ("scale", (2,)),
    ]


def test_sizes_of_integers_are_checked(tmp_path: Path) -> None:
    safetensors.numpy.save_file({"count": np.zeros(3, np.int64)}, path := tmp_path / "m.safetensors")
    path.write_bytes(path.read_bytes().replace(b'"I64"', b'"I32"'))
    with pytest.raises(ValueError, match="parameter 'count' has 24 bytes for shape"):
        fi.checkpoints.stored(path)
