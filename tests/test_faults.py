"""What fails beneath: system calls, files, memory. tools/faults looks at all calls; here is a share, and what it found."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

import fastinit as fi
from fastinit import checkpoints
from fastinit.checkpoints import single
from fastinit.files import atomic as files
from fastinit.plans.model import read_model
from fastinit.plans.recipe import read_recipe

PLAN = fi.plan({"w": (30, 40), "b": (30,)})


def failing(real: Callable[..., Any], code: int, ending: str) -> Callable[..., Any]:
    """The call, but an error where its first argument is a path that ends so."""

    def call(first: Any, *more: Any, **options: Any) -> Any:
        if str(first).endswith(ending):
            raise OSError(code, os.strerror(code), first)
        return real(first, *more, **options)

    return call


def test_a_share_of_all_faults() -> None:
    if not sys.platform.startswith("linux") or not shutil.which("gcc"):
        pytest.skip("needs Linux and gcc")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("needs a Python whose allocations are malloc's")
    tool = [sys.executable, str(ROOT / "tools" / "faults"), "--every", "29"]
    result = subprocess.run(tool, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_locks_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    for call in ("flock", "fstat"):
        with monkeypatch.context() as patch:
            module = files.fcntl if call == "flock" else files.os
            patch.setattr(module, call, lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "injected")))
            with pytest.raises(OSError) as info:
                checkpoints.write(PLAN, path, seed=0)
        assert (info.value.errno, info.value.filename) == (errno.ENOLCK, str(path))
        assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_looked_at_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is the index left out, nor another run's file replaced."""
    path = tmp_path / "m.safetensors"
    checkpoints.write(PLAN, path, seed=0)
    before = path.read_bytes()
    monkeypatch.setattr(os, "stat", failing(os.stat, errno.EIO, path.name))
    for call in (
        lambda: single.is_whole(PLAN, path, list(PLAN), 0),
        lambda: checkpoints.write(PLAN, path, seed=1, resume=True),
    ):
        with pytest.raises(OSError) as info:
            call()
        assert info.value.errno == errno.EIO and str(info.value.filename) == str(path)
    monkeypatch.undo()
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]


def test_a_link_that_cannot_be_read_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "link"
    link.symlink_to("m.safetensors")
    monkeypatch.setattr(os, "lstat", failing(os.lstat, errno.EIO, "link"))
    with pytest.raises(OSError) as info:
        checkpoints.write(PLAN, link, seed=0)
    assert info.value.errno == errno.EIO and os.listdir(tmp_path) == ["link"]
    monkeypatch.undo()
    checkpoints.write(PLAN, link, seed=0)
    assert link.is_symlink() and sorted(os.listdir(tmp_path)) == ["link", "m.safetensors"]


def test_a_part_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not left behind for good by a resumed run that begins anew; another user's is nobody's business."""
    path, part = tmp_path / "m.safetensors", tmp_path / ".m.safetensors.0123456789abcdef.part"
    part.write_bytes(b"")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(os.open, errno.EIO, part.name))
        with pytest.raises(OSError, match=r"'.*m\.safetensors'") as info:
            checkpoints.write(PLAN, path, seed=0, resume=True)
        assert info.value.errno == errno.EIO and os.listdir(tmp_path) == [part.name]
        patch.setattr(os, "open", failing(os.open, errno.EACCES, part.name))
        checkpoints.write(PLAN, path, seed=0)
        assert sorted(os.listdir(tmp_path)) == sorted([path.name, part.name])


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
@pytest.mark.parametrize(
    ("name", "read"),
    [("m.json", read_model), ("r.toml", read_recipe), ("m.json", lambda path: fi.inspect({"w": np.ones(3)}, path)),
     ("model.safetensors.index.json", lambda path: fi.verify(path.parent, PLAN))],
)  # fmt: skip
def test_errors_of_reading_name_the_file(name: str, read: Callable[[Path], Any], tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/proc/self/mem")
    with pytest.raises(OSError) as info:
        read(tmp_path / name)
    assert (info.value.errno, info.value.filename) == (errno.EIO, str(tmp_path / name))


def test_a_missing_recipe_is_named_and_not_the_checkpoint(tmp_path: Path) -> None:
    checkpoints.write(PLAN, tmp_path / "m.safetensors", seed=0)
    with pytest.raises(FileNotFoundError) as info:
        fi.inspect(tmp_path / "m.safetensors", tmp_path / "r.toml")
    assert str(info.value.filename) == str(tmp_path / "r.toml")
