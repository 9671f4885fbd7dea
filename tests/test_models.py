"""Model files, recipes, plans, checkpoint files and the command line."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import stat
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
import safetensors.numpy
from conftest import KILLED_AT, loaded

import fastinit as fi
from fastinit import checkpoints
from fastinit.checkpoints import single
from fastinit.files import atomic
from fastinit.files.safetensors import header as header_of
from fastinit.plans import model
from fastinit.plans.make import make_plan
from fastinit.plans.recipe import as_recipe

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = {
    "dtype": "float32",
    "tied": {"head.weight": "wte.weight"},
    "parameters": {
        "wte.weight": {"shape": [50, 16], "module": "Embedding"},
        "h.0.c_fc.weight": {"shape": [16, 64], "module": "Conv1D"},
        "h.0.c_proj.weight": {"shape": [64, 16], "module": "Conv1D"},
        "h.0.ln_1.weight": {"shape": [16], "module": "LayerNorm", "dtype": "bfloat16"},
        "h.0.ln_1.bias": {"shape": [16], "module": "LayerNorm"},
        "h.1.c_fc.weight": {"shape": [16, 64], "module": "Conv1D", "dtype": "float16"},
        "h.1.c_proj.weight": {"shape": [64, 16], "module": "Conv1D", "dtype": "float64"},
        "bias": {"shape": [], "module": "", "dtype": "float32"},
        "h.1.ln_1.weight": {"shape": [16], "module": "LayerNorm", "dtype": "float8_e4m3fn"},
        "h.1.attn.weight": {"shape": [16, 64], "module": "Conv1D", "dtype": "float8_e5m2"},
        "empty.weight": {"shape": [0, 3]},
    },
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL))
    return path


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


# ------------------------------------------------------------------------------------------ recipes


def test_gpt2_has_its_own_numbers() -> None:
    gpt2 = fi.plan(EXAMPLES / "gpt2.json", "gpt2")
    assert len(gpt2) == 148 and gpt2.nbytes == 497_759_232
    for name, parameter in gpt2.items():
        std = 0.02 * (2 * 12) ** -0.5 if "c_proj.weight" in name else 0.02
        expected: fi.laws.Distribution = fi.Normal(0, std)
        if name.endswith(".bias"):
            expected = fi.Constant(0)
        elif ".ln_" in name:
            expected = fi.Constant(1)
        assert parameter.distribution == expected, name
    assert dict(gpt2.ties) == {"lm_head.weight": "transformer.wte.weight"}


def test_default_recipe() -> None:
    resnet = fi.plan(EXAMPLES / "resnet-50.json")
    assert resnet["resnet.embedder.embedder.convolution.weight"].distribution == fi.distribution(
        "he_normal", (64, 3, 7, 7)
    )
    assert resnet["resnet.embedder.embedder.normalization.weight"].distribution == fi.Constant(1)
    assert resnet["resnet.embedder.embedder.normalization.bias"].distribution == fi.Constant(0)
    assert resnet["classifier.1.weight"].distribution == fi.distribution("xavier_normal", (1000, 2048))
    gpt2 = fi.plan(EXAMPLES / "gpt2.json")
    assert gpt2["transformer.h.0.mlp.c_fc.weight"].fans == (768, 3072)


def test_a_scheme_or_globs_change_the_default_recipe() -> None:
    shapes = {"a.weight": (4, 8), "b.weight": (4, 8), "a.bias": (4,), "conv.weight": (2, 3, 3, 3)}
    laws = {name: row.distribution for name, row in fi.plan(shapes, "lecun_uniform").items()}
    assert laws["a.weight"] == fi.distribution("lecun_uniform", (4, 8)) and laws["a.bias"] == fi.Constant(0)
    assert laws["conv.weight"] == fi.distribution("lecun_uniform", (2, 3, 3, 3))
    globs = {"a.*": {"scheme": "normal", "std": 3.0}, "b.weight": "ones"}
    laws = {name: row.distribution for name, row in fi.plan(shapes, globs).items()}
    assert laws["a.weight"] == laws["a.bias"] == fi.Normal(0, 3) and laws["b.weight"] == fi.Constant(1)
    assert laws["conv.weight"] == fi.distribution("he_normal", (2, 3, 3, 3))
    for bad in ({"a.*": "he_norml"}, {"a.*": {"std": 3.0}}, {"nothing": "ones"}, {"a.*": 3}, {3: "ones"}):
        with pytest.raises((TypeError, ValueError)):
            fi.plan(shapes, bad)


def test_a_parameter_may_know_its_axes_and_a_rule_knows_better() -> None:
    tensor = model.TensorSpec((6, 4, 5), "float32", "", {"layout": "kio", "stride": (2,)})
    one = model.Model({"w": tensor})
    assert make_plan(one, as_recipe("he_normal"))["w"].fans == (24, 15)
    own = as_recipe({"w": {"scheme": "he_normal", "layout": "koi", "stride": 1}})
    assert make_plan(one, own)["w"].fans == (30, 24)
    law = make_plan(one, as_recipe({"w": "orthogonal"}))["w"].distribution
    assert law == fi.distribution("orthogonal", (6, 4, 5), layout="kio")


def test_depth_rules_and_layouts(small: Path, tmp_path: Path) -> None:
    text = """
layers = "h.{layer}.*"
[[rule]]
match = "*.c_proj.weight"
scheme = "xavier_normal"
layout = "io"
depth = "%s"
[[rule]]
scheme = "zeros"
"""
    base = fi.distribution("xavier_normal", (64, 16), layout="io").std
    for depth, factor in {"1/sqrt(L)": 0.5**0.5, "1/sqrt(2L)": 0.5, "1/sqrt(l+1)": 0.5**0.5, "1/sqrt(2(l+1))": 0.5,
                          "1/L": 0.5}.items():  # fmt: skip
        got = fi.plan(small, recipe(tmp_path, text % depth))["h.1.c_proj.weight"]
        assert got.distribution.std == pytest.approx(base * factor, rel=1e-12)
        assert got.fans == (64, 16)


BAD_RECIPES = [
    ('[[rule]]\nmatch = "h.*"\nscheme = "zeros"', "wte.weight"),
    ('[[rule]]\nscheme = "zeros"\n[[rule]]\nmatch = "nothing"\nscheme = "ones"', "rule 2.*nothing"),
    ('[[rule]]\nscheme = "zeroes"', "rule 1.*zeros"),
    ('[[rule]]\nscheme = "normal"\nstdd = 1.0', "rule 1.*std"),
    ('[[rule]]\nscheme = "normal"\nstd = "one"', "rule 1.*std"),
    ('[[rule]]\nscheme = "normal"\nstd = true', "rule 1.*std"),
    ('[[rule]]\nscheme = "normal"\nstd = nan', "rule 1.*std"),
    ('[[rule]]\nscheme = "normal"\ndepth = "1/sqrt(3L)"', "rule 1.*1/sqrt"),
    ('[[rule]]\nscheme = "normal"\ndepth = "1/L"', "rule 1.*layer"),
    ('[[rule]]\nscheme = "normal"\noptional = 1', "optional"),
    ('[[rule]]\nscheme = "normal"\nmatch = 3', "match"),
    ('[[rule]]\nmatch = "*"', "scheme"),
    ('layers = "h"\n[[rule]]\nscheme = "zeros"', "layers"),
    ('rules = 1', "rule"),
    ("x = [", "recipe"),
    ("x = " + "[" * 10_000, "recipe.*nested"),
    ("", "rule"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD_RECIPES)
def test_bad_recipes(text: str, message: str, small: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        fi.plan(small, recipe(tmp_path, text))


def test_unknown_recipe(small: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'gpt2'"):
        fi.plan(small, "gpt-2")
    with pytest.raises(FileNotFoundError):
        fi.plan(small, "missing.toml")


# -------------------------------------------------------------------------------------- model files


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "{", '{"parameters": {"a": 3}}', '{"parameters": {"a": {"shape": [-1]}}}',
     '{"parameters": {"a": {"shape": [1.5]}}}', '{"parameters": {"a": {"shape": [1]}, "a": {"shape": [1]}}}',
     '{"parameters": {"a": {"shape": [1], "dtype": "int8"}}}', '{"parameters": {"__metadata__": {"shape": [1]}}}',
     '{"parameters": {"a": {"shape": [1]}}, "tied": {"b": "c"}}', "[" * 100_000,
     '{"parameters": {"a": {"shape": [4294967296, 4294967296]}}}', '{"parameters": {"\\ud800": {"shape": [1]}}}',
     '{"parameters": {"a": {"shape": [1], "dtype": ","}}}'],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_bad_model_files(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"model\.json"):
        model.read_model(path)


def test_hostile_headers(small: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.safetensors"
    checkpoints.write(fi.plan(small), good, seed=0)
    data = good.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, values = json.loads(data[8 : 8 + length]), data[8 + length :]

    def with_header(change: Any) -> bytes:
        changed = json.loads(json.dumps(header))
        change(changed)
        text = json.dumps(changed).encode()
        return struct.pack("<Q", len(text)) + text + values

    def set_in(name: str, key: str, value: Any) -> Any:
        return lambda h: h[name].__setitem__(key, value)

    cases = [
        b"", data[:7], data[:100], data[:-1], data + b"\0", struct.pack("<Q", 2**63) + data[8:],
        struct.pack("<Q", 0) + data[8:], struct.pack("<Q", length) + b"[" * length + values,
        with_header(set_in("bias", "data_offsets", [0, 4])),
        with_header(set_in("bias", "data_offsets", [-4, 0])),
        with_header(set_in("bias", "data_offsets", "ab")),
        with_header(set_in("bias", "shape", [2])),
        with_header(set_in("bias", "shape", [2**40, 2**40])),
        with_header(set_in("bias", "dtype", "I64")),
        with_header(lambda h: h.pop("wte.weight")),
    ]  # fmt: skip
    for i, case in enumerate(cases):
        path = tmp_path / f"{i}.safetensors"
        path.write_bytes(case)
        with pytest.raises(ValueError, match=rf"{i}\.safetensors"):
            model.read_model(path)


# ----------------------------------------------------------------------------------------- the file


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
    """As on Windows, which renames closed files alone and has no fchmod."""
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
