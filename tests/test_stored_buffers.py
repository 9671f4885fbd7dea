"""Counts, positions and masks in files: what a model's code writes into persistent buffers that are not drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit import cli
from fastinit.checkpoints import origin, split, write
from fastinit.dtypes import INTEGERS
from fastinit.plans.buffer import Buffer
from fastinit.plans.plan import Plan

torch = optional("torch")
library = optional("safetensors.torch")
import fastinit.torch as ft  # noqa: E402


class Counted(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm = torch.nn.Linear(7, 5), torch.nn.BatchNorm1d(5)
        self.register_buffer("position_ids", torch.arange(9).expand(1, 9))
        self.register_buffer("mask", torch.ones(4, 4, dtype=torch.bool).tril())
        self.register_buffer("bytes", torch.arange(3, dtype=torch.uint8))
        self.register_buffer("narrow", torch.full((2, 3), -(2**15), dtype=torch.int16))
        self.register_buffer("wide", torch.tensor([2**62 + 1, -1]))
        self.register_buffer("passing", torch.arange(3), persistent=False)
        self.register_buffer("halves", torch.arange(3, dtype=torch.bfloat16))
        self.register_buffer("infinite", torch.full((3, 3), -torch.inf).triu(1))
        self.register_buffer("narrow_infinite", torch.full((2,), torch.inf, dtype=torch.bfloat16))
        self.register_buffer("unset", torch.tensor(torch.nan))
        self.register_buffer("again", self.mask)


def _equal(one: Any, other: Any) -> bool:
    return torch.equal(one, other) or bool(one.isnan().all() and other.isnan().all())


def _same(state: dict[str, Any], found: dict[str, Any]) -> None:
    own = {name: tensor for name, tensor in state.items() if name != "again"}  # tied: it stands once
    assert set(found) == set(own)
    for name, tensor in own.items():
        assert found[name].dtype == tensor.dtype and _equal(found[name], tensor), name


@pytest.mark.parametrize("shards", [None, 120])
def test_files_have_all_of_the_state(shards: int | None, tmp_path: Path) -> None:
    """The file is that of safetensors' own library, byte for byte after the header."""
    plan, model = ft.record(Counted), Counted()
    assert not plan.unfilled and list(plan.ties) == ["again"]
    state = ft.init_(model, plan, seed=3).state_dict()
    path = tmp_path / ("m.safetensors" if shards is None else "m")
    summary = write(plan, path, seed=3, max_shard_size=shards)
    assert summary.tensors == len(plan.stored) == len(state) - 1 and summary.nbytes == plan.nbytes
    files = [path] if shards is None else sorted(path.glob("*.safetensors"))
    assert len(files) > 2 * (shards is not None)
    found: dict[str, Any] = {}
    for file in files:
        found |= (held := library.load_file(file))
        library.save_file(held, other := tmp_path / "other")
        size = sum(tensor.nbytes for tensor in held.values())
        assert other.read_bytes()[-size:] == file.read_bytes()[-size:]
    _same(state, found)
    assert fi.verify(path) == fi.verify(path, plan, seed=3) == fi.verify(path, plan) == []
    assert fi.verify(state, plan, seed=3) == []
    arrays = fi.init(plan, seed=3)
    assert arrays["again"] is arrays["mask"]
    fresh, narrow = Counted(), ("halves", "narrow_infinite")
    assert all((arrays[k].astype(np.float32) == state[k].float().numpy()).all() for k in narrow)
    fresh.load_state_dict(
        {k: torch.from_numpy(v) for k, v in arrays.items() if k not in narrow} | {k: state[k] for k in narrow}
    )
    assert all(_equal(tensor, state[name]) for name, tensor in fresh.state_dict().items())


def test_what_differs_is_found(tmp_path: Path) -> None:
    plan = ft.record(Counted)
    write(plan, path := tmp_path / "m.safetensors", seed=3)
    state = library.load_file(path)
    changes = {"wide": torch.tensor([2**62, -1]), "position_ids": torch.arange(9, dtype=torch.int32).expand(1, 9),
               "mask": torch.zeros(4, 4, dtype=torch.bool)}  # fmt: skip
    for seed in (3, None):
        found = fi.verify(state | changes, plan, seed=seed)
        assert {(f.name, f.kind, f.index) for f in found} == {
            ("wide", "bits", (0,)), ("position_ids", "dtype", None), ("mask", "bits", (0, 0))
        }  # fmt: skip
    assert str(fi.verify(state | {"wide": changes["wide"]}, plan)[0]) == (
        f"wide: 1 of 2 values differ, the first at (0,): {2**62}, not {2**62 + 1}"
    )
    del state["bytes"]
    assert [str(f) for f in fi.verify(state, plan)] == ["bytes: is missing"]
    with pytest.raises(TypeError, match=r"checkpoint\['mask'\] must be in the CPU's memory"):
        fi.verify(state | {"mask": torch.ones(4, 4, dtype=torch.bool, device="meta")}, plan)
    data = bytearray(path.read_bytes())
    data[len(data) - 3] ^= 1  # of a bool or a byte, which come last
    path.write_bytes(data)
    assert [f.kind for f in fi.verify(path)] == ["bits"]


def test_a_file_that_was_cut_is_resumed(tmp_path: Path) -> None:
    plan = ft.record(Counted)
    write(plan, whole := tmp_path / "whole.safetensors", seed=3)
    write(plan, again := tmp_path / "again.safetensors", seed=3, resume=True)
    assert write(plan, again, seed=3, resume=True).kept_nbytes == plan.nbytes
    assert whole.read_bytes() == again.read_bytes()
    wide = Buffer("wide", (2,), "int64", np.array([0, 0]), persistent=True)
    other = replace(plan, buffers={**plan.buffers, "wide": wide})
    assert other != plan and other.digest != plan.digest
    with pytest.raises(ValueError, match="another plan"):
        write(other, again, seed=3, resume=True)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_dtype_of_integers(dtype: str, tmp_path: Path) -> None:
    least, most = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    values = np.array([[least, most], [1, 0]], dtype)
    held = {"a": Buffer("a", (2, 2), dtype, values, True), "b": Buffer("b", (0,), dtype, values[0, :0], True)}
    row = fi.plan({"w": (3, 5)})["w"]
    plan = Plan({"w": row}, {}, "by hand", {}, held)
    write(plan, path := tmp_path / "m.safetensors", seed=0)
    found = library.load_file(path)
    assert found["a"].numpy().tobytes() == values.tobytes()
    assert found["b"].shape == (0,) and fi.verify(path) == []
    said = origin(path)
    assert said is not None and said.unknown == ()
    assert said.plan.buffers["a"].values().tobytes() == values.tobytes()
    assert Plan.from_json(plan.to_json()) == plan


def test_long_ones_are_not_in_the_header(tmp_path: Path) -> None:
    values = np.arange(9000)
    long = Buffer("ids", (9000,), "int64", values, persistent=True)
    same = Buffer("zeros", (10**6,), "int64", np.broadcast_to(np.int64(0), (10**6,)), persistent=True)
    plan = Plan({}, {}, "by hand", {}, {"ids": long, "zeros": same})
    write(plan, path := tmp_path / "m.safetensors", seed=0)
    assert [(f.name, f.kind) for f in fi.verify(path)] == [("ids", "unknown")]
    assert fi.verify(path, plan) == []


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"ids":0.5}', '{"ids":[0,1]}', '{"ids":"a"}', '{"ids":[99999999999999999999,0,0]}',
             '{"w":0}', '{"w":[0.5,1]}', '{"nothing":0}', '{"ids":[[0],1,2]}', '{"ids":null}'],
)  # fmt: skip
def test_hostile_headers(text: str, tmp_path: Path) -> None:
    held = Buffer("ids", (3,), "int64", np.arange(3), persistent=True)
    plan = replace(fi.plan({"w": (3, 3)}), buffers={"ids": held})
    write(plan, path := tmp_path / "m.safetensors", seed=0)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["fastinit_given"] = text
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + data[8 + size :])
    for use in (origin, fi.verify, fi.inspect):
        with pytest.raises(ValueError, match=r"m\.safetensors: the origin in its header is malformed"):
            use(path)
    assert fi.verify(path, plan, seed=0) == []


def test_values_of_another_dtype_are_refused() -> None:
    held = Buffer("ids", (3,), "int64", np.arange(3), persistent=True).to_dict()
    assert Buffer.from_dict("ids", held).values().tolist() == [0, 1, 2]
    held["content"]["dtype"] = "<f8"
    with pytest.raises(ValueError, match="buffer 'ids': TypeError: values of <f8 are not int64"):
        Buffer.from_dict("ids", held)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = ft.record(Counted)
    (model := tmp_path / "plan.json").write_text(plan.to_json())
    output = str(tmp_path / "m.safetensors")
    assert cli.main(["plan", str(model)]) == 0
    shown = capsys.readouterr().out
    assert "norm.num_batches_tracked" in shown and "values that the model's code writes" in shown
    assert f"{len(plan.stored)} tensors, {plan.nbytes:,} bytes" in shown and "left alone" not in shown
    assert cli.main(["init", str(model), "--seed", "1", "-o", output]) == 0
    assert (
        cli.main(["init", str(model), "--seed", "1", "-o", str(tmp_path / "f"), "--max-shard-size", "120"])
        == 0
    )
    assert cli.main(["verify", output]) == cli.main(["verify", str(tmp_path / "f")]) == 0
    assert cli.main(["verify", output, "--model", str(model), "--seed", "1"]) == 0
    names = [name for shard in split(plan, 120) for name in shard.names]
    assert names == list(plan.stored)
    assert (
        cli.main(
            ["init", str(model), "--recipe", "he_normal", "--dtype", "bf16", "--seed", "1", "-o", output]
        )
        == 0
    )
    found = library.load_file(output)
    assert found["wide"].tolist() == [2**62 + 1, -1]
    assert found["halves"].tolist() == [0, 1, 2]  # a buffer, which the recipe leaves alone
    assert abs(found["fc.weight"].float().std() - (2 / 7) ** 0.5) < 0.2 and not found["fc.bias"].any()
    with pytest.raises(ValueError, match="no parameter 'passing'"):
        write(plan, output, seed=0, names=["passing"])
