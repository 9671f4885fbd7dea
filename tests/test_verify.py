"""Files and arrays that are held against a plan: bit for bit, and by statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
from conftest import BITS, optional
from some_plans import LAWS, laws, one

import fastinit as fi
from fastinit import checkpoints
from fastinit.laws.distributions import Uniform


@pytest.mark.parametrize("dtype", BITS)
def test_verify_finds_one_bit(dtype: str) -> None:
    plan = laws(dtype)
    arrays = fi.init(plan, seed=5)
    assert fi.verify(arrays, plan, seed=5) == [] == fi.verify(arrays, plan)
    for name in plan:
        flipped = {**arrays, "tied": arrays["tied"].copy(), name: arrays[name].copy()}
        flipped[name].view(BITS[dtype])[17, 31] ^= 1
        flipped[name].view(BITS[dtype])[29, 2] ^= 1
        (finding,) = fi.verify(flipped, plan, seed=5)
        assert (finding.name, finding.kind, finding.index) == (name, "bits", (17, 31))
        assert "2 of 2,000" in finding.message


def test_verify_names_other_faults() -> None:
    plan = laws()
    arrays: dict[str, Any] = fi.init(plan, seed=5)
    arrays["more"] = arrays.pop("w0")
    arrays["w1"], arrays["w2"] = arrays["w1"].T, arrays["w2"].astype(np.float64)
    kinds = {finding.name: finding.kind for finding in fi.verify(arrays, plan, seed=5)}
    assert kinds == {"w0": "missing", "more": "unexpected", "w1": "shape", "w2": "dtype"}
    with pytest.raises(TypeError, match="w3"):
        fi.verify({"w3": [1.0]}, plan)


def test_verify_of_views_and_tensors() -> None:
    torch = optional("torch")
    plan = laws("bfloat16")
    arrays: dict[str, Any] = fi.init(plan, seed=5)
    tensors = {name: torch.empty(40, 50, dtype=torch.bfloat16) for name in plan}
    for name, parameter in plan.items():
        fi.fill(tensors[name], parameter.distribution, seed=5, name=name)
    assert fi.verify(tensors, plan, seed=5) == []
    assert fi.checksum(tensors["w1"]) == fi.checksum(arrays["w1"])
    arrays["w1"] = np.asfortranarray(arrays["w1"])
    arrays["w2"].flags.writeable = False
    assert fi.verify(arrays, plan, seed=5) == []


@pytest.mark.parametrize("dtype", [dtype for dtype, bits in BITS.items() if bits.itemsize > 1])
@pytest.mark.parametrize(("scheme", "law"), [row for row in LAWS if row[0] not in ("constant", "orthogonal")])
def test_verify_by_statistics(scheme: str, law: Any, dtype: str) -> None:
    """No false alarm over seeds and names; what is off by a fifth, or out of bounds, is found."""
    plan = one(scheme, law, (100, 1000), dtype)
    for seed in range(20):
        values = plan.tensor("w", seed=seed)
        assert fi.verify({"w": values}, plan) == []
    mean, std = law.moments()
    if std == 0:
        return
    exact = one(scheme, law, (100, 1000), "float64").tensor("w", seed=0)
    wrong = {
        "mean": exact + 0.3 * std,
        "std": (exact - mean) * 0.8 + mean,
        "bounds": np.where(np.arange(exact.size).reshape(exact.shape) == 99, np.nan, exact),
    }
    for kind, array in wrong.items():
        found = [finding.kind for finding in fi.verify({"w": array.astype(values.dtype)}, plan)]
        assert found and (kind in found or "bounds" in found), kind


def test_verify_of_few_values_is_of_bounds_alone() -> None:
    plan = one("uniform", Uniform(0, 1), (9,))
    assert fi.verify({"w": np.zeros(9, np.float32)}, plan) == []
    assert [f.kind for f in fi.verify({"w": np.ones(9, np.float32)}, plan)] == ["bounds"]


def test_verify_of_files(tmp_path: Path) -> None:
    plan, path = laws("bfloat16"), tmp_path / "m.safetensors"
    checkpoints.write(plan, path, seed=5)
    assert fi.verify(path, plan, seed=5) == [] == fi.verify(tmp_path / "m.safetensors", plan)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (finding,) = fi.verify(path, plan, seed=5)
    assert finding.kind == "bits" and finding.index == (39, 49)
    assert {f.name for f in fi.verify(path, plan, seed=6)} == {"w1", "w2", "w3", "w4", "w6"}, (
        "all that is random"
    )
    with pytest.raises(FileNotFoundError):
        fi.verify(tmp_path / "nothing.safetensors", plan)
    path.write_bytes(data[:-1])
    with pytest.raises(ValueError, match=r"m\.safetensors"):
        fi.verify(path, plan)
