"""A model's values in one file: its bytes, and what a failure leaves."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
import safetensors.numpy
from conftest import EXAMPLES, KILLED_AT, SMALL, loaded

import fastinit as fi
from fastinit import checkpoints
from fastinit.checkpoints import single
from fastinit.files import atomic
from fastinit.files.safetensors import header as header_of


def as_bits(array: np.ndarray) -> bytes:
    return array.tobytes()


def test_file_equals_arrays_and_the_librarys_own(small: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    summary = checkpoints.write(fi.plan(small), target, seed=3)
    arrays = fi.init(small, seed=3)
    found = loaded(target)
    assert set(found) == set(arrays) - {"head.weight"} and arrays["head.weight"] is arrays["wte.weight"]
    for name, array in found.items():
        assert array.dtype == arrays[name].dtype and array.shape == arrays[name].shape
        assert as_bits(array) == as_bits(arrays[name]), name
    stored = {name: arrays[name] for name in found}
    with safetensors.safe_open(target, "np") as file:
        metadata = file.metadata()
    assert metadata["fastinit_seed"] == "3" and metadata["fastinit_source"] == "recipe default"
    header, _ = header_of([(p.name, p.dtype, p.shape) for p in fi.plan(small).values()], {"format": "pt"})
    ours = header + target.read_bytes()[-summary.nbytes :]
    assert ours == safetensors.numpy.save(stored, {"format": "pt"})
    assert summary.tensors == len(stored) and summary.mean_deviation < 6 and summary.std_deviation < 6


@pytest.mark.parametrize(
    ("dtype", "std"),
    [("float32", std) for std in (1e-200, 1e-36, 0.02, 1e36)]
    + [("float64", std) for std in (1e-310, 1e-200, 0.02, 1e200, 1e306)],
)
def test_deviations_of_any_scale(dtype: str, std: float, tmp_path: Path) -> None:
    drawn = fi.plan({"w": (300, 300)}, {"w": {"scheme": "normal", "std": std}}, dtype=dtype)
    summary = checkpoints.write(drawn, tmp_path / "m.safetensors", seed=0)
    arrays = fi.init(drawn, seed=0)
    assert fi.verify(arrays, drawn) == [] and fi.inspect(arrays, drawn).deviating == ()
    if dtype == "float32" and std < 1e-45:  # all values are zero
        assert summary.mean_deviation == summary.std_deviation == 0
        return
    assert 0 < summary.mean_deviation < 6 and 0 < summary.std_deviation < 6
    assert [finding.kind for finding in fi.verify({"w": arrays["w"] * 1.1}, drawn)] == ["std"]


def test_a_reader_that_leaves(small: Path) -> None:
    """As under `| head`: silence, whether the pipe breaks at once or with the last that is printed."""
    for described in (EXAMPLES / "gpt2.json", small):
        command = [sys.executable, "-m", "fastinit", "plan", str(described)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout and process.stderr
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141


def test_chunks_do_not_show(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, pieces = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    checkpoints.write(fi.plan(small), whole, seed=3)
    monkeypatch.setattr(single, "_CHUNK_BYTES", 72)
    checkpoints.write(fi.plan(small), pieces, seed=3, threads=2)
    assert whole.read_bytes() == pieces.read_bytes()


def test_header_of_a_checkpoint_is_a_model(small: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    checkpoints.write(fi.plan(small, dtype="bfloat16"), first, seed=3)
    again = fi.plan(first)
    assert {n: (p.shape, p.dtype) for n, p in again.items()} == {
        n: (tuple(e["shape"]), "bfloat16") for n, e in SMALL["parameters"].items()
    }
    checkpoints.write(again, second, seed=3)
    assert loaded(second).keys() == SMALL["parameters"].keys()


@pytest.fixture
def old(small: Path, tmp_path: Path) -> Path:
    target = tmp_path / "folder" / "m.safetensors"
    target.parent.mkdir()
    target.write_bytes(b"old")
    return target


def write(small: Path, target: Path) -> None:
    checkpoints.write(fi.plan(small), target, seed=0)


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failure_keeps_the_old_file(
    call: str, small: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, "injected")

    monkeypatch.setattr(single.os, call, fail)
    with pytest.raises(OSError, match=r"m\.safetensors") as info:
        write(small, old)
    assert info.value.errno == errno.EIO and info.value.filename == str(old)
    assert old.read_bytes() == b"old" and os.listdir(old.parent) == [old.name]


def test_an_interrupt_keeps_the_old_file(small: Path, old: Path) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.write(fi.plan(small), old, seed=0, progress=stop)
    assert old.read_bytes() == b"old" and os.listdir(old.parent) == [old.name]


def test_short_writes(small: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fully = os.write
    monkeypatch.setattr(single.os, "write", lambda file, data: write_fully(file, data[:100]))
    write(small, old)
    monkeypatch.undo()
    assert len(loaded(old)) == len(SMALL["parameters"])


def test_disk_limit(small: Path, old: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError) as info:
            write(small, old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert info.value.errno == errno.EFBIG and info.value.filename == str(old)
    assert old.read_bytes() == b"old" and os.listdir(old.parent) == [old.name]


def test_full_disk(small: Path, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(mount)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        target = mount / "m.safetensors"
        target.write_bytes(b"old")
        with pytest.raises(OSError) as info:
            write(small, target)
        assert info.value.errno == errno.ENOSPC and info.value.filename == str(target)
        assert target.read_bytes() == b"old" and os.listdir(mount) == [target.name]
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_killed_at_any_time(small: Path, old: Path) -> None:
    """Killed before each system call in turn: under the name stands the old file or the whole new one."""
    code = f"""{KILLED_AT}
import fastinit as fi
from fastinit.checkpoints import write
made = fi.plan(sys.argv[1])
count("listdir", "open", "write", "fchmod", "fsync", "replace", "close")
write(made, sys.argv[2], seed=0)
"""
    reference = old.parent.parent / "whole.safetensors"
    write(small, reference)
    seen = set()
    for at in range(1, 60):
        command = [sys.executable, "-c", code, str(small), str(old), str(at)]
        returned = subprocess.run(command, timeout=60).returncode
        seen.add(old.read_bytes())
        assert len(os.listdir(old.parent)) <= 2, "the parts of killed writers are cleared away"
        if returned == 0:
            break
        assert returned == -signal.SIGKILL
    assert returned == 0 and at > 10
    assert seen == {b"old", reference.read_bytes()}
    assert os.listdir(old.parent) == [old.name]


def test_targets(small: Path, old: Path) -> None:
    link, folder = old.parent / "link", old.parent / "sub"
    link.symlink_to(old)
    write(small, link)
    assert link.is_symlink() and len(loaded(old)) == len(SMALL["parameters"])
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        write(small, folder)
    os.mkfifo(old.parent / "fifo")
    for special in (old.parent / "fifo", Path("/dev/null")):
        with pytest.raises(OSError, match=r"not a regular file|Invalid argument") as info:
            write(small, special)
        assert info.value.filename == str(special)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(FileNotFoundError):
        write(small, old.parent / "nowhere" / "m.safetensors")


def test_transformers_loads_gpt2(tmp_path: Path) -> None:
    """Nothing missing, nothing unexpected, the tie kept, and the first loss that of a uniform guess."""
    transformers = pytest.importorskip("transformers")
    import torch

    transformers.GPT2Config().save_pretrained(tmp_path)
    checkpoints.write(fi.plan(EXAMPLES / "gpt2.json", "gpt2"), tmp_path / "model.safetensors", seed=0)
    loaded, info = transformers.GPT2LMHeadModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert loaded.lm_head.weight.data_ptr() == loaded.transformer.wte.weight.data_ptr()
    tokens = torch.randint(50257, (2, 256), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = loaded.eval()(tokens, labels=tokens).loss.item()
    assert abs(loss / np.log(50257) - 1) < 0.02


def test_without_locks(small: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, which renames only closed files and has no fchmod."""
    closed: list[int] = []
    close, move = os.close, os.replace

    def replace(source: Path, target: Path) -> None:
        assert closed
        move(source, target)

    monkeypatch.setattr(atomic, "fcntl", None)
    monkeypatch.delattr(os, "fchmod")
    monkeypatch.setattr(os, "close", lambda file: (closed.append(file), close(file)))
    monkeypatch.setattr(os, "replace", replace)
    drawn = fi.plan(small)
    checkpoints.write(drawn, old, seed=3)
    assert fi.verify(old, drawn, seed=3) == [] and [*old.parent.glob(".*")] == []


def test_permissions(small: Path, old: Path) -> None:
    old.chmod(0o640)
    write(small, old)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    before = os.umask(0o027)
    try:
        write(small, old.parent / "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((old.parent / "new").stat().st_mode) == 0o640


def test_repeated_names_and_shared_memory() -> None:
    with pytest.raises(TypeError, match="names"):
        fi.init({3: (2, 2)}, seed=0)  # type: ignore[dict-item]
    arrays = fi.init({"a": (2, 2), "b": np.zeros((3, 3), np.float16)}, seed=0)
    assert arrays["b"].dtype == np.float16
    assert not np.shares_memory(arrays["a"], arrays["b"])
