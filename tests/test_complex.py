"""Complex dtypes: arrays, plans, files, torch and JAX draw the same values, half of the variance in each part."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import optional

import fastinit as fi
from fastinit.dtypes import COMPLEX, as_parts, rounding_step
from fastinit.laws import (
    ComplexParts,
    ComplexTruncatedNormal,
    ComplexUniform,
    Distribution,
    Given,
    Patched,
    from_dict,
)
from fastinit.laws.parts import of_complex, of_reals

N = 1 << 18
DTYPES = ["complex64", "complex128"]
# A scheme, its keywords, and the standard deviation of a complex value of shape (512, 512).
RANDOM: list[tuple[str, dict[str, Any], float]] = [
    ("he_normal", {}, math.sqrt(2 / 512)),
    ("he_uniform", {}, math.sqrt(2 / 512)),
    ("lecun_normal", {}, math.sqrt(1 / 512)),
    ("xavier_uniform", {"gain": 2.0}, 2 * math.sqrt(2 / 1024)),
    ("variance_scaling", {"distribution": "truncated_normal"}, math.sqrt(1 / 512)),
    ("normal", {"mean": 3.0, "std": 0.5}, 0.5),
    ("truncated_normal", {"std": 0.02}, 0.02 * 0.8796256610342398),
    ("uniform", {"low": -3.0, "high": 3.0}, math.sqrt(3.0)),
    ("complex_normal", {"std": 2.0}, 2.0),
    ("complex_uniform", {"radius": 2.0}, math.sqrt(2.0)),
    ("complex_truncated_normal", {"std": 2.0}, 2 * 0.96196182800821354),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "scheme, numbers, std", RANDOM, ids=lambda case: case if isinstance(case, str) else ""
)
def test_half_of_the_variance_lies_in_each_part(
    scheme: str, numbers: dict[str, Any], std: float, dtype: str
) -> None:
    w = fi.fill(np.empty((512, 512), dtype), scheme, seed=3, name="w", **numbers)
    mean = numbers.get("mean", 0.0)
    for part, centre in ((w.real, mean), (w.imag, 0.0)):
        assert abs(part.mean() - centre) < 6 * std / math.sqrt(2 * N)
        assert abs(part.var() / (std**2 / 2) - 1) < 6 * math.sqrt(2 / N)
    off = w.astype(np.complex128) - mean
    assert abs((off * off).mean()) < 6 * std**2 / math.sqrt(N)  # circular: no correlation of the parts


@pytest.mark.parametrize("dtype", DTYPES)
def test_complex_values_are_the_pairs_of_the_real_law(dtype: str) -> None:
    part = COMPLEX[dtype].part
    for scheme in ("complex_normal", "complex_uniform", "complex_truncated_normal", "s4d_lin", "s4d_inv"):
        function = getattr(fi.schemes, scheme)
        pairs = function((6, 8, 2), seed=1, name="w", dtype=part)
        assert function((6, 8), seed=1, name="w", dtype=dtype).tobytes() == pairs.tobytes()
        assert function(out=np.empty((6, 8), dtype), seed=1, name="w").tobytes() == pairs.tobytes()


LAWS: list[Distribution] = [
    fi.Normal(0.0, 2.0),
    fi.Normal(1.5, 2.0),
    fi.Uniform(-1.0, 1.0),
    fi.Constant(0.0),
    fi.Constant(2.5),
    ComplexParts(fi.Uniform(0.0, 1.0)),
    ComplexParts(fi.TruncatedNormal(0.0, 1.0, -0.5, 3.0)),
    ComplexUniform(2.0),
    Patched(fi.Normal(), (((2, (0, 9, 1)), fi.Constant(1.0)), (((3, 6, 2), 4), fi.Uniform(-1.0, 1.0)))),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_blocks_strides_and_threads_change_no_bit(law: Distribution, dtype: str) -> None:
    whole = fi.fill(np.empty((7, 9), dtype), law, seed=5, name="w")
    for block in (
        np.s_[2:5],
        np.s_[..., 1:8:3],
        np.s_[4],
        np.s_[3, 2:],
        np.s_[::-2, ...],
        np.s_[6, 8],
        np.s_[1:1],
    ):
        expected = whole[block]
        room = np.full((3, *expected.shape, 2), 7, dtype)
        out = room[1, ..., 1]
        fi.fill(out, law, seed=5, name="w", shape=(7, 9), block=block, threads=2)
        assert out.tobytes() == expected.tobytes()
        assert (room[..., 0] == 7).all() and (room[[0, 2]] == 7).all()
    fortran = fi.fill(np.empty((7, 9), dtype, order="F"), law, seed=5, name="w")
    assert fortran.tobytes() == whole.tobytes()
    backwards = np.empty((7, 9), dtype)
    fi.fill(backwards[::-1, ::-1], law, seed=5, name="w")
    assert backwards[::-1, ::-1].tobytes() == whole.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_tensors_have_one_value_for_any_number_of_threads(dtype: str) -> None:
    one = fi.he_normal((700, 1500), seed=2, name="w", dtype=dtype, threads=1)
    two = fi.he_normal((700, 1500), seed=2, name="w", dtype=dtype, threads=2)
    assert one.tobytes() == two.tobytes()
    part = fi.he_normal((700, 1500), seed=2, name="w", dtype=dtype, block=np.s_[:, 700:])
    assert part.tobytes() == np.ascontiguousarray(one[:, 700:]).tobytes()


def test_constants_and_given_values() -> None:
    assert (fi.ones((2, 3), dtype="complex64") == 1).all() and not fi.zeros(3, dtype="complex128").any()
    assert (fi.constant((4,), value=-2.0, dtype="complex64") == -2).all()
    values = np.array([[1 + 2j, 3], [0, -1j]])
    assert (fi.schemes.array((2, 2), values=values, dtype="complex64") == values).all()
    assert (fi.schemes.array((2, 2), values=values.real, dtype="complex128") == values.real).all()
    with pytest.raises(TypeError, match="values must be real numbers"):
        fi.schemes.array((2, 2), values=values)  # a real dtype
    assert fi.fill(np.empty((), np.complex64), "ones") == 1
    assert fi.he_normal((0, 4), dtype="complex64").shape == (0, 4)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("orthogonal", {}), ("uniform", {}), ("truncated_normal", {"low": -1.0}), ("identity", {}), ("log_uniform", {}),
    ("sparse", {"sparsity": 0.5}), ("mamba_a_log", {}), ("hippo_legs", {}),
]  # fmt: skip


@pytest.mark.parametrize("scheme, numbers", REFUSED)
def test_what_no_complex_value_follows_is_refused_by_name(scheme: str, numbers: dict[str, Any]) -> None:
    w = np.full((4, 4), 7, np.complex64)
    with pytest.raises(ValueError, match="is not a distribution of complex values"):
        fi.fill(w, scheme, seed=0, **numbers)
    assert (w == 7).all()
    with pytest.raises(ValueError, match=r"parameter 'w'.*is not a distribution of complex values"):
        fi.plan({"w": w}, {"w": {"scheme": scheme, **numbers}})


def test_laws_of_parts() -> None:
    for law in (
        fi.Normal(0.0, 0.25),
        fi.Uniform(0.0, 1.0),
        ComplexUniform(2.0),
        ComplexTruncatedNormal(1.0),
        fi.Constant(0.0),
    ):
        parts, shape = of_reals(of_complex(law), (3, 2), "complex64")
        assert shape == (3, 2, 2) and type(parts) is type(law)
        assert np.allclose(parts.parameters, law.parameters, rtol=1e-15)
    assert of_reals(fi.Normal(), (3, 2), "float32") == (fi.Normal(), (3, 2))
    law = ComplexParts(Given([[1.0, 2.0]]))
    assert from_dict(json.loads(json.dumps(law.to_dict()))) == law
    with pytest.raises(ValueError, match="complex dtype or a last axis of length 2, got shape \\(3,\\)"):
        fi.fill(np.empty(3, np.float32), ComplexParts(fi.Normal()))
    with pytest.raises(TypeError, match="a distribution is needed"):
        ComplexParts("normal")  # type: ignore[arg-type]
    assert rounding_step(1.0, "complex64") == rounding_step(1.0, "float32")


def test_targets_that_cannot_be_filled() -> None:
    readonly = np.zeros(3, np.complex64)
    readonly.flags.writeable = False
    for out, error in (
        (readonly, ValueError),
        (np.zeros(3, ">c8"), ValueError),
        (np.lib.stride_tricks.as_strided(np.zeros(4, np.complex64), (3, 3), (8, 8)), ValueError),
        (np.zeros(3, np.clongdouble), TypeError),
    ):
        with pytest.raises(error):
            fi.fill(out, "complex_normal", seed=0)


def test_plans_are_data() -> None:
    shapes = {
        "a.weight": np.empty((4, 8), np.complex64),
        "a.bias": np.empty(4, np.complex128),
        "b": np.empty((2, 2), np.float32),
    }
    plan = fi.plan(shapes, {"b": "normal", "a.weight": "he_uniform"})
    assert [p.dtype for p in plan.values()] == ["complex64", "complex128", "float32"]
    assert plan["a.weight"].distribution == fi.distribution("he_uniform", (4, 8))
    assert plan.nbytes == 4 * 8 * 8 + 4 * 16 + 2 * 2 * 4
    assert fi.Plan.from_json(plan.to_json()) == plan
    arrays = fi.init(plan, seed=1)
    for name, array in arrays.items():
        assert array.dtype.name == plan[name].dtype
        assert plan.tensor(name, seed=1, block=np.s_[1:]).tobytes() == array[1:].tobytes()
    assert (
        arrays["a.weight"].tobytes()
        == fi.he_uniform((4, 8), seed=1, name="a.weight", dtype="complex64").tobytes()
    )
    assert fi.plan(shapes, "he_normal", dtype="complex128")["b"].dtype == "complex128"
    assert fi.plan({"w": (3, 3)}, "he_normal").astype("complex64")["w"].nbytes == 72
    data = json.loads(plan.to_json())
    data["parameters"]["a.weight"]["distribution"] = fi.distribution("orthogonal", (4, 8)).to_dict()
    with pytest.raises(ValueError, match=r"'a.weight'.*not a distribution of complex values"):
        fi.Plan.from_json(json.dumps(data))


def test_checksums_of_parts_sum_to_that_of_the_whole() -> None:
    for dtype in DTYPES:
        w = fi.complex_normal((6, 7), seed=0, dtype=dtype)
        left, right = np.s_[:, :3], np.s_[..., 3:]
        parts = [fi.checksum(w[block], name="w", shape=(6, 7), block=block) for block in (left, right)]
        assert sum(parts) % 2**64 == fi.checksum(w, name="w") == fi.checksum(as_parts(w), name="w")
        w[2, 3] = w[2, 3].conjugate()
        assert sum(parts) % 2**64 != fi.checksum(w, name="w")


MODEL = {
    "conv.weight": np.empty((64, 48), np.complex64),
    "conv.bias": np.empty(48, np.complex64),
    "out.weight": np.empty((32, 64), np.float32),
    "disk.weight": np.empty((40, 40), np.complex64),
    "count": np.empty((3,), np.float64),
}
RECIPE = {"disk.weight": "he_uniform", "*.weight": "he_normal", "*": "ones"}


def test_files(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    plan, path = fi.plan(MODEL, RECIPE), tmp_path / "m.safetensors"
    summary = fi.checkpoints.write(plan, path, seed=7)
    assert 0 < summary.mean_deviation < 6 and 0 < summary.std_deviation < 6
    found = load_file(path)
    for name, array in fi.init(plan, seed=7).items():
        assert found[name].dtype == array.dtype and found[name].tobytes() == array.tobytes()
    assert fi.verify(path) == [] and fi.verify(path, plan) == [] and fi.verify(found, plan, seed=7) == []
    assert fi.checkpoints.origin(path).plan["disk.weight"].dtype == "complex64"  # type: ignore[union-attr]
    fi.checkpoints.write(plan, tmp_path / "parts", seed=7, max_shard_size=20000)
    assert fi.verify(tmp_path / "parts") == []
    for name, tensor in load_file(path).items():
        assert (tmp_path / "m.safetensors").read_bytes().count(tensor.tobytes()) >= 1, name


def test_the_order_of_tensors_is_the_library_s(tmp_path: Path) -> None:
    from safetensors.numpy import save

    plan = fi.plan(MODEL, RECIPE)
    fi.checkpoints.write(plan, tmp_path / "m.safetensors", seed=7)
    theirs = save(fi.init(plan, seed=7))
    ours = (tmp_path / "m.safetensors").read_bytes()

    def offsets(data: bytes) -> Any:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        header.pop("__metadata__", None)
        return header

    assert offsets(ours) == offsets(theirs)
    assert ours[-plan.nbytes :] == theirs[-plan.nbytes :]


def test_verify_finds_what_differs(tmp_path: Path) -> None:
    big = {"w": np.empty((100, 100), np.complex64), "v": np.empty((50, 50), np.complex128)}
    plan = fi.plan(big, "he_normal")
    arrays = fi.init(plan, seed=0)
    assert fi.verify(arrays, plan) == [] and fi.verify(arrays, plan, seed=0) == []
    changed = {name: array.copy() for name, array in arrays.items()}
    changed["v"][3, 4] += 1j
    changed["v"][9, 1] = 0
    (finding,) = fi.verify(changed, plan, seed=0)
    assert (
        finding.kind == "bits"
        and finding.index == (3, 4)
        and "2 of 2,500" in finding.message
        and "j)" in finding.message
    )
    kinds: list[tuple[Callable[[Any], Any], str]] = [
        (lambda w: w * math.sqrt(2), "std"), (lambda w: w + 0.1j, "mean"), (lambda w: w.conj() * np.nan, "bounds"),
        (lambda w: w.real + 0j, "std"), (lambda w: w * 1e6, "bounds"),
    ]  # fmt: skip
    for change, kind in kinds:
        found = fi.verify({**arrays, "w": change(arrays["w"]).astype(np.complex64)}, plan)
        assert kind in [finding.kind for finding in found] and {finding.name for finding in found} == {"w"}
    found = fi.verify({**arrays, "w": arrays["w"].real.copy()}, plan)
    assert [finding.kind for finding in found] == ["dtype"]


def test_verify_looks_at_each_part_without_a_seed() -> None:
    """Changes that the pooled parts do not show."""
    plan = fi.plan({"w": np.empty((100, 100), np.complex64)}, "he_normal")
    w = fi.init(plan, seed=0)["w"]
    step = 0.1 * w.real.std()
    for changed, kind in (
        (w.real * 1.5**0.5 + 1j * w.imag * 0.5**0.5, "std"),
        (w + step * (1 - 1j), "mean"),
    ):
        found = fi.verify({"w": changed.astype(np.complex64)}, plan)
        assert [finding.kind for finding in found] == [kind, kind]
        assert all(
            f"in its {part} part" in f.message for f, part in zip(found, ("real", "imaginary"), strict=True)
        )
    law = ComplexParts(Patched(fi.Uniform(0.0, 1.0), (((*[(0, 60, 1)] * 2, 1), fi.Normal(0.0, 2.0)),)))
    plan = fi.Plan({"w": replace(plan["w"], shape=(60, 60), distribution=law)}, {}, "by hand")
    w = fi.init(plan, seed=0)["w"]
    assert fi.verify({"w": w}, plan) == []
    (finding,) = fi.verify({"w": w - 0.5}, plan)
    assert finding.kind == "bounds" and "in its real part values from -0.4" in finding.message
    (finding,) = fi.verify({"w": w.real + 3j * w.imag}, plan)
    assert finding.kind == "std" and "in its imaginary part std 5.9" in finding.message
    (finding,) = fi.verify({"w": w.real + 0j}, plan)
    assert finding.kind == "std" and "in its imaginary part std 0" in finding.message


def test_complex128_has_no_place_in_safetensors_files(tmp_path: Path) -> None:
    plan, path = (
        fi.plan({"b": (2, 2), "w": np.empty((2, 2), np.complex128)}, "he_normal"),
        tmp_path / "m.safetensors",
    )
    path.write_bytes(b"old")
    for where, size in ((path, None), (tmp_path / "folder", "1KB")):
        with pytest.raises(ValueError, match="'w' has dtype complex128, which safetensors files cannot hold"):
            fi.checkpoints.write(plan, where, seed=0, max_shard_size=size)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    fi.checkpoints.write(plan, path, seed=0, names=["b"])  # the others can be written


def test_inspection_measures_the_parts(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    plan = fi.plan(MODEL, RECIPE)
    fi.checkpoints.write(plan, path, seed=7)
    for report in (fi.inspect(path), fi.inspect(path, plan), fi.inspect(fi.init(plan, seed=7), plan)):
        w = report.tensors["conv.weight"]
        assert w.shape == (64, 48) and w.dtype == "complex64" and w.law == "normal" and not w.findings
        assert w.he is not None and abs(w.he - 1) < 0.1 and abs(w.std * math.sqrt(48) - 1) < 0.1
        assert not any(tensor.findings for tensor in report.tensors.values())
        assert "conv.weight" in str(report)
    arrays = fi.init(plan, seed=7)
    arrays["conv.weight"] *= 2
    arrays["disk.weight"][3] = arrays["disk.weight"][1]
    found = fi.inspect(arrays, plan)
    assert "std" in [finding.kind for finding in found.tensors["conv.weight"].findings]
    assert found.tensors["disk.weight"].duplicate_rows == 1


def test_jax_draws_the_same_values() -> None:
    jax = optional("jax")
    import fastinit.jax as fj

    for scheme in ("he_uniform", "xavier_uniform", "lecun_uniform"):
        ours = getattr(fi, scheme)((6, 8), seed=5, dtype="complex64", layout="io")
        assert (np.asarray(getattr(fj, scheme)()(jax.random.key(5), (6, 8), "complex64")) == ours).all()
    ours = fi.variance_scaling(
        (6, 8), seed=5, dtype="complex64", layout="io", distribution="truncated_normal", scale=2.0
    )
    assert (np.asarray(fj.he_normal()(jax.random.key(5), (6, 8), "complex64")) == ours).all()
    assert (
        np.asarray(fj.normal(2.0)(jax.random.key(5), (6,), "complex64"))
        == fi.normal(6, std=2.0, seed=5, dtype="complex64")
    ).all()


def test_trees_of_jax() -> None:
    jax = optional("jax")
    import fastinit.jax as fj

    leaf = jax.ShapeDtypeStruct((6, 8), "complex64")
    tree = {"Dense_0": {"kernel": leaf, "bias": jax.ShapeDtypeStruct((8,), "complex64")}}
    drawn = fj.init(tree, "he_normal", seed=2)["Dense_0"]
    expected = fi.he_normal((6, 8), seed=2, name="Dense_0.kernel", dtype="complex64", layout="io")
    assert drawn["kernel"].dtype == "complex64" and (np.asarray(drawn["kernel"]) == expected).all()
    assert not drawn["bias"].any()
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("x",))
    placed = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(None, "x"))
    sharded = fj.init(
        {"kernel": jax.ShapeDtypeStruct((6, 8), "complex64", sharding=placed)}, "he_uniform", seed=2
    )
    assert (
        np.asarray(sharded["kernel"])
        == fi.he_uniform((6, 8), seed=2, name="kernel", dtype="complex64", layout="io")
    ).all()
    with pytest.raises(ValueError, match=r"'Dense_0.kernel'.*not a distribution of complex values"):
        fj.init(tree, "orthogonal", seed=2)
