"""What files say of themselves: verify and inspect of only a path, headers that are hostile, old or of other plans."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
import safetensors.numpy
from conftest import EXAMPLES
from test_structured import CASES

import fastinit as fi
from fastinit import checkpoints
from fastinit.checkpoints import origin
from fastinit.checkpoints.header import metadata
from fastinit.laws import Constant, Given, Normal, Orthogonal, Patched, Transformed, Uniform
from fastinit.plans import Parameter

SHAPES = {f"h.{i}.weight": (40, 50) for i in range(4)} | {"h.0.bias": (40,), "norm.weight": (50,)}


def own(**laws: Any) -> fi.Plan:
    """A plan that no recipe makes."""
    rows = {
        name: Parameter(name, (40, 50), "float32", "normal", law, None, reason="the model's code")
        for name, law in laws.items()
    }
    return fi.Plan(rows, {}, "recorded from Net")


RECORDED = own(
    a=Normal(0.1, 0.3), b=Patched(Normal(), [((0, (0, 50, 1)), Constant(0.0))]), c=Orthogonal(2.0),
    d=Transformed(Uniform(1.0, 16.0), ("log", "x")), e=Given(np.arange(2000.0).reshape(40, 50) % 7), f=Constant(0.5),
)  # fmt: skip


def written(plan: fi.Plan, path: Path, **options: Any) -> Path:
    checkpoints.write(plan, path, **{"seed": 7, **options})
    return path


def edited(path: Path, change: Any) -> Path:
    """The file, with its header's metadata changed."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    change(header["__metadata__"])
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    return path


@pytest.mark.parametrize("recipe", ["default", "gpt2"])
@pytest.mark.parametrize("sizes", [None, "40MB"])
def test_a_file_knows_its_plan(recipe: str, sizes: str | None, tmp_path: Path) -> None:
    shapes = {
        name: tuple(n // 8 or 1 for n in row.shape) for name, row in fi.plan(EXAMPLES / "gpt2.json").items()
    }
    plan = fi.plan(shapes, recipe, dtype="bfloat16")
    path = written(plan, tmp_path / "m.safetensors", max_shard_size=sizes and "1MB")
    found = origin(path)
    assert found is not None and found.source == f"recipe {recipe}" and found.seed == 7
    assert found.digest == plan.digest and found.unknown == () and found.version == fi.__version__
    assert {
        name: (row.shape, row.dtype, row.scheme, row.distribution) for name, row in found.plan.items()
    } == {name: (row.shape, row.dtype, row.scheme, row.distribution) for name, row in plan.items()}
    assert fi.verify(path) == fi.verify(path, plan) == fi.verify(path, seed=7) == []
    report = fi.inspect(path)
    assert report.deviating == () and report.source == f"recipe {recipe}" and len(report.tensors) == len(plan)


def test_the_header_stays_small() -> None:
    """A number for each tensor, and each distribution once."""
    shapes = {f"model.layers.{i}.{j}.weight": (64, 64) for i in range(100) for j in range(50)}
    plan = fi.plan(shapes, "he_normal")
    assert len(metadata(plan, plan.values(), 0)["fastinit_distributions"]) < 3 * len(plan)


def test_verify_of_a_file_alone_finds_one_bit(tmp_path: Path) -> None:
    path = written(RECORDED, tmp_path / "m.safetensors")
    assert fi.verify(path) == []
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (finding,) = fi.verify(path)
    assert (finding.name, finding.kind, finding.index) == ("f", "bits", (39, 49))
    assert {finding.kind for finding in fi.verify(path, seed=8)} == {"bits"}


def test_inspect_of_a_file_alone_finds_what_was_changed(tmp_path: Path) -> None:
    path = written(fi.plan(SHAPES, "he_normal"), tmp_path / "m.safetensors")
    arrays = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, "np") as file:
        said = file.metadata()
    arrays["h.1.weight"] *= 2
    safetensors.numpy.save_file(arrays, path, said)
    assert [tensor.name for tensor in fi.inspect(path).deviating] == ["h.1.weight"]
    assert [finding.name for finding in fi.verify(path)] == ["h.1.weight"]
    assert fi.inspect(path, "zeros").deviating and fi.inspect(arrays).source is None


@pytest.mark.parametrize(("scheme", "shape", "numbers"), CASES, ids=str)
def test_every_distribution_fits_into_a_header(
    scheme: str, shape: tuple[int, ...], numbers: dict[str, Any], tmp_path: Path
) -> None:
    law = fi.distribution(scheme, shape, **numbers)
    plan = fi.Plan({"w": Parameter("w", shape, "float32", scheme, law, None)}, {}, "test")
    path = written(plan, tmp_path / "m.safetensors")
    found = origin(path)
    assert found is not None and found.plan["w"].distribution == law and fi.verify(path) == []


def test_given_values_that_are_too_many(tmp_path: Path) -> None:
    plan = own(a=Given(np.random.default_rng(0).normal(size=(40, 50))), b=Normal())
    path = written(plan, tmp_path / "m.safetensors")
    found = origin(path)
    assert found is not None and found.unknown == ("a",) and list(found.plan) == ["b"]
    assert [(finding.name, finding.kind) for finding in fi.verify(path)] == [("a", "unknown")]
    assert fi.verify(path, plan) == [] and fi.inspect(path).deviating == ()


def test_files_of_others(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    safetensors.numpy.save_file({"w": np.ones((3, 4), np.float32)}, path)
    assert origin(path) is None and fi.inspect(path).source is None
    with pytest.raises(ValueError, match=r"m\.safetensors: fastinit did not write it"):
        fi.verify(path)
    with pytest.raises(TypeError, match="plan"):
        fi.verify({"w": np.ones(3)})
    plan = fi.plan({"w": (3, 4)}, "ones")
    assert fi.verify(path, plan) == []


def test_files_of_another_plan_or_seed(tmp_path: Path) -> None:
    plan = fi.plan(SHAPES)
    for folder, seed in (("a", 7), ("b", 8)):
        written(plan, tmp_path / folder, seed=seed, max_shard_size="20KB")
    first, second, *_ = sorted(path.name for path in (tmp_path / "a").glob("model-*"))
    (tmp_path / "b" / second).replace(tmp_path / "a" / second)
    for use in (origin, fi.verify, fi.inspect):
        with pytest.raises(ValueError, match=f"{second}: is of another plan, seed or version than .*{first}"):
            use(tmp_path / "a")
    assert {finding.kind for finding in fi.verify(tmp_path / "a", plan, seed=7)} == {"bits"}


def test_another_stream_is_not_compared(tmp_path: Path) -> None:
    path = edited(
        written(fi.plan(SHAPES), tmp_path / "m.safetensors"), lambda m: m.update(fastinit_stream="2")
    )
    with pytest.raises(ValueError, match="stream version 2"):
        fi.verify(path)
    assert fi.verify(path, seed=7) == [] and fi.inspect(path).deviating == ()


@pytest.mark.parametrize(
    "change",
    [
        {"fastinit_seed": "x"}, {"fastinit_seed": "-1"}, {"fastinit_seed": None}, {"fastinit_stream": ""},
        {"fastinit_source": None}, {"fastinit_distributions": None}, {"fastinit_distributions": "["},
        {"fastinit_distributions": "[]"}, {"fastinit_distributions": '{"kinds":[],"of":[]}'},
        {"fastinit_distributions": '{"kinds":[],"of":[0,0]}'}, {"fastinit_distributions": '{"kinds":3,"of":[null,null]}'},
        {"fastinit_distributions": '{"kinds":[["ones",{"law":"constant","value":1}]],"of":[true,"a"]}'},
        {"fastinit_distributions": '{"kinds":[["ones",{"law":"constant","value":1}]],"of":[-2,0]}'},
        {"fastinit_distributions": '{"kinds":[[3,{"law":"constant","value":1}]],"of":[0,0]}'},
        {"fastinit_distributions": '{"kinds":[["ones",{"law":"nothing"}]],"of":[0,0]}'},
        {"fastinit_distributions": '{"kinds":[["ones",{"law":"hadamard","gain":1.0}]],"of":[0,0]}'},
        {"fastinit_distributions": '{"kinds":[["w",' + '{"law":"patched","patches":[],"inner":' * 700 + "1" + "}" * 700
                                   + ']],"of":[0,0]}'},
    ],
    ids=lambda change: str(change)[:60],
)  # fmt: skip
def test_hostile_origins(change: dict[str, Any], tmp_path: Path) -> None:
    plan = fi.plan({"a": (3, 3), "b": (3, 3)}, "ones")
    path = written(plan, tmp_path / "m.safetensors")

    def apply(said: dict[str, Any]) -> None:
        said.update(change)
        for key in [key for key, value in said.items() if value is None]:
            del said[key]

    edited(path, apply)
    for use in (origin, fi.verify, fi.inspect):
        with pytest.raises(ValueError, match=r"m\.safetensors: .*malformed"):
            use(path)
    assert fi.verify(path, plan, seed=7) == []


def test_origins_of_parts(tmp_path: Path) -> None:
    plan = fi.plan(SHAPES)
    path = written(plan, tmp_path / "m.safetensors", names=["norm.weight", "h.1.weight", "h.1.weight"])
    found = origin(path)
    assert found is not None and found.plan.keys() == {"norm.weight", "h.1.weight"} and fi.verify(path) == []
    assert {finding.kind for finding in fi.verify(path, plan)} == {"missing"}
    with pytest.raises(ValueError, match="nothing"):
        written(plan, tmp_path / "n.safetensors", names=["nothing"])
    assert replace(plan, source="x") == plan
