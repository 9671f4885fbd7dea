"""Structured laws: what each promises of the whole tensor, and the law of what was drawn."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import fastinit as fi
from fastinit.laws import from_dict

Shape = tuple[int, ...]
# One or more cases of every structured scheme.
STRUCTURED: dict[str, list[tuple[Shape, dict[str, Any]]]] = {
    "orthogonal": [((5, 5), {}), ((7, 3), {"gain": 2}), ((3, 7), {"axis": -1}), ((6, 2, 3), {"packed": 3}),
                   ((3, 4, 2), {"layout": "boi"})],
    "delta_orthogonal": [((5, 3, 3, 2), {}), ((3, 3, 4, 6), {"layout": "hwio", "groups": 2, "gain": 2})],
    "identity": [((3, 5), {}), ((2, 5, 3), {"gain": 2, "shift": 1}), ((3, 5), {"layout": "io"})],
    "dirac": [((5, 3, 3), {}), ((4, 2, 3, 2), {"groups": 2}), ((3, 2, 3, 4), {"layout": "hwio"})],
    "sparse": [((6, 4), {}), ((4, 5, 6), {"axis": -1, "sparsity": 0.5, "std": 1})],
    "n_m_sparse": [((6, 8), {}), ((8, 3, 5), {"layout": "iko", "n": 1, "gain": 2})],
    "conv_orthogonal": [((5, 3, 3), {}), ((3, 2, 3, 4), {"layout": "hwio"}), ((2, 4, 1, 2, 2), {"gain": 2}),
                        ((4, 3, 2), {"groups": 2}), ((4, 3), {})],
    "hadamard_orthogonal": [((8, 8), {}), ((7, 5), {"gain": 2}), ((3, 5, 2), {"axis": 1}), ((1, 1), {})],
    "hadamard": [((8, 8), {}), ((3, 3, 4), {"gain": 2}), ((1, 1), {})],
    "zer_o": [((3, 5), {}), ((7, 5, 3), {}), ((3, 3, 4, 6), {"layout": "hwio", "groups": 2})],
    "icnr": [((8, 2, 3, 3), {}), ((3, 2, 9), {"layout": "kio", "factor": 3, "order": "depth_to_space"}),
             ((8, 6, 3), {"inner": "orthogonal", "inner_numbers": {"gain": 2}}),
             ((8, 6, 3), {"inner": "truncated_normal", "inner_numbers": {"low": -math.inf}})],
    "bilinear": [((3, 3, 4, 4), {"transposed": True}), ((4, 1, 3, 3), {"groups": 4, "down": True})],
    "averaging": [((3, 3, 4, 4), {}), ((4, 1, 3, 3), {"groups": 4, "gain": 2})],
    "stft": [((8, 1, 5), {}), ((7, 1, 9), {"side": "imag", "window": None}),
             ((6, 1, 3), {"window": "blackman", "scaling": "spectrum", "periodic": True})],
    "array": [((2, 3), {"values": [[1, 2, 3], [0.5, -7, 1e-3]]}), ((3,), {"values": np.arange(3)})],
    "log_uniform": [((5, 7), {}), ((3,), {"low": 2, "high": 2})],
    "complex_truncated_normal": [((3, 5, 2), {}), ((7, 2), {"std": 3})],
    "complex_uniform": [((3, 5, 2), {}), ((7, 2), {"radius": 3})],
    "forget_gate_bias": [((8,), {}), ((2, 9), {"gates": 3, "forget": 2, "value": 3})],
    "chrono": [((8,), {"t_max": 100}), ((2, 9), {"t_max": 2, "gates": 3, "forget": 2, "input": 1})],
    "dt_bias": [((8, 3), {}), ((5,), {"low": 1e-6, "high": 1e-5})],
    "mamba_a_log": [((3, 16), {})],
    "s4d_real": [((3, 16), {})],
    "s4d_lin": [((3, 8, 2), {})],
    "s4d_inv": [((3, 8, 2), {}), ((8, 2), {"states": 8})],
    "hippo_legs": [((8, 8), {}), ((2, 8, 8), {})],
}  # fmt: skip
CASES = [(scheme, shape, numbers) for scheme, cases in STRUCTURED.items() for shape, numbers in cases]

# Their last bits follow NumPy's matrix product; what tests/vectors/golden.txt has of them is near.
FOLLOWS_NUMPY = {"orthogonal", "delta_orthogonal", "conv_orthogonal", "hadamard_orthogonal"}


@pytest.mark.parametrize(("scheme", "shape", "numbers"), CASES, ids=str)
def test_any_block_any_dtype_any_layout(scheme: str, shape: Shape, numbers: dict[str, Any]) -> None:
    function = getattr(fi.schemes, scheme)
    whole = function(shape, seed=3, name="w", **numbers)
    again = np.asfortranarray(np.empty(shape, np.float32))
    function(out=again, seed=3, name="w", threads=1, **numbers)
    assert np.array_equal(whole, again)
    block = (slice(1, None), ..., slice(None, None, 2))[: len(shape)]
    assert np.array_equal(function(shape, seed=3, name="w", block=block, **numbers), whole[block])
    half = function(shape, seed=3, name="w", dtype="bfloat16", **numbers)
    assert np.array_equal(half, whole.astype(half.dtype))


@pytest.mark.parametrize(("scheme", "shape", "numbers"), CASES, ids=str)
def test_json(scheme: str, shape: Shape, numbers: dict[str, Any]) -> None:
    law = fi.distribution(scheme, shape, **numbers)
    assert from_dict(json.loads(json.dumps(law.to_dict()))) == law


BAD: list[tuple[str, Shape, dict[str, Any], str]] = [
    ("orthogonal", (3,), {}, "axes"),
    ("orthogonal", (3, 4), {"axis": 2}, "axis"),
    ("orthogonal", (3, 4), {"packed": 2}, "packed"),
    ("orthogonal", (3, 4), {"packed": 0}, "packed"),
    ("orthogonal", (3, 4), {"gain": float("nan")}, "gain"),
    ("orthogonal", (3, 4), {"gain": 1e39}, "too large"),
    ("orthogonal", (3, 4), {"layout": "ob"}, "layout"),
    ("delta_orthogonal", (3,), {}, "axes"),
    ("delta_orthogonal", (3, 4), {"gain": float("inf")}, "gain"),
    ("delta_orthogonal", (3, 4, 3), {"groups": 2}, "groups"),
    ("delta_orthogonal", (3, 4, 3), {"groups": 0}, "groups"),
    ("identity", (3,), {}, "axes"),
    ("identity", (3, 3), {"gain": float("nan")}, "gain"),
    ("identity", (3, 3, 2), {"layout": "oik"}, "kernel"),
    ("dirac", (3,), {}, "axes"),
    ("dirac", (3, 3, 3), {"groups": 2}, "groups"),
    ("dirac", (3, 3, 3), {"groups": -1}, "groups"),
    ("dirac", (3, 3, 3), {"gain": 1e39}, "too large"),
    ("sparse", (3, 3), {"sparsity": -0.1}, "sparsity"),
    ("sparse", (3, 3), {"sparsity": 1.1}, "sparsity"),
    ("sparse", (3, 3), {"sparsity": float("nan")}, "sparsity"),
    ("sparse", (3, 3), {"std": -1}, "std"),
    ("sparse", (3, 3), {"axis": 2}, "axis"),
    ("sparse", (), {}, "axis"),
    ("n_m_sparse", (3, 6), {}, "m must divide"),
    ("n_m_sparse", (3, 8), {"n": 0}, "n must"),
    ("n_m_sparse", (3, 8), {"n": 5}, "n must"),
    ("n_m_sparse", (3, 8), {"m": 0}, "m must"),
    ("n_m_sparse", (3, 8), {"gain": -1}, "gain"),
    ("conv_orthogonal", (3,), {}, "axes"),
    ("conv_orthogonal", (3, 3, 3), {"groups": 2}, "groups"),
    ("conv_orthogonal", (3, 3, 3), {"gain": float("nan")}, "gain"),
    ("hadamard_orthogonal", (3,), {}, "axes"),
    ("hadamard_orthogonal", (3, 4), {"axis": -3}, "axis"),
    ("hadamard_orthogonal", (3, 4), {"gain": 1e39}, "too large"),
    ("hadamard", (3,), {}, "axes"),
    ("hadamard", (3, 3), {}, "power of two"),
    ("hadamard", (4, 4), {"gain": float("inf")}, "gain"),
    ("zer_o", (3,), {}, "axes"),
    ("zer_o", (3, 3), {"groups": 2}, "groups"),
    ("icnr", (6, 2, 3, 3), {}, "factor"),
    ("icnr", (8, 2, 3, 3), {"factor": 0}, "factor"),
    ("icnr", (8, 2, 3, 3), {"order": "torch"}, "order"),
    ("icnr", (8, 2, 3, 3), {"inner": "he"}, "inner"),
    ("icnr", (8, 2, 3, 3), {"inner": "orthogonal", "inner_numbers": {"axis": 4}}, "axis"),
    ("bilinear", (3, 3, 3), {"groups": 2}, "groups"),
    ("averaging", (3, 3, 3), {"gain": float("nan")}, "gain"),
    ("stft", (8, 5), {}, "shape"),
    ("stft", (8, 2, 5), {}, "shape"),
    ("stft", (8, 1, 1), {}, "shape"),
    ("stft", (8, 1, 5), {"window": "kaiser"}, "window"),
    ("stft", (8, 1, 5), {"side": "left"}, "side"),
    ("stft", (8, 1, 5), {"scaling": "none"}, "scaling"),
    ("array", (2,), {"values": [1]}, "shape"),
    ("array", (2,), {"values": [[1], [2, 3]]}, "values"),
    ("array", (2,), {"values": [1, float("nan")]}, "finite"),
    ("array", (2,), {"values": [1, 1e39]}, "too large"),
    ("log_uniform", (2,), {"low": 0}, "low"),
    ("log_uniform", (2,), {"low": 1}, "low"),
    ("log_uniform", (2,), {"high": float("inf")}, "high"),
    ("complex_normal", (3,), {}, "last axis"),
    ("complex_normal", (2,), {"std": -1}, "std"),
    ("complex_truncated_normal", (), {}, "last axis"),
    ("complex_truncated_normal", (2,), {"std": float("nan")}, "std"),
    ("complex_uniform", (2, 3), {}, "last axis"),
    ("complex_uniform", (2,), {"radius": -1}, "radius"),
    ("forget_gate_bias", (7,), {}, "gates"),
    ("forget_gate_bias", (), {}, "gates"),
    ("forget_gate_bias", (8,), {"gates": 0}, "gates"),
    ("forget_gate_bias", (8,), {"forget": 4}, "forget"),
    ("forget_gate_bias", (8,), {"forget": -1}, "forget"),
    ("forget_gate_bias", (8,), {"value": float("nan")}, "value"),
    ("chrono", (8,), {"t_max": 1.9}, "t_max"),
    ("chrono", (8,), {"t_max": float("inf")}, "t_max"),
    ("chrono", (8,), {"t_max": 9, "input": 1}, "two gates"),
    ("chrono", (7,), {"t_max": 9}, "gates"),
    ("dt_bias", (8,), {"low": 0}, "low"),
    ("dt_bias", (8,), {"floor": -1}, "floor"),
    ("dt_bias", (8,), {"high": 701}, "high"),
    ("focal_prior", (8,), {"prior": 0}, "prior"),
    ("focal_prior", (8,), {"prior": 1.0}, "prior"),
    ("class_prior", (8,), {"classes": 0}, "classes"),
    ("class_prior", (), {}, "classes"),
    ("siren", (8, 8), {"omega": 0}, "omega"),
    ("uniform_scaling", (8, 8), {"scale": -1}, "scale"),
    ("mamba_a_log", (), {}, "axes"),
    ("s4d_lin", (8,), {}, "last axis"),
    ("s4d_lin", (2,), {}, "axes"),
    ("s4d_inv", (8, 2), {"states": 0}, "states"),
    ("hippo_legs", (8, 4), {}, "square"),
]


@pytest.mark.parametrize(("scheme", "shape", "numbers", "word"), BAD, ids=str)
def test_bad_numbers_and_shapes(scheme: str, shape: Shape, numbers: dict[str, Any], word: str) -> None:
    out = np.full(shape, 7, np.float32)
    with pytest.raises(ValueError, match=word):
        fi.fill(out, scheme, seed=0, **numbers)
    assert (out == 7).all()


@pytest.mark.parametrize(
    ("scheme", "numbers"),
    [("identity", {"shift": 1.5}), ("identity", {"gain": "1"}), ("dirac", {"groups": True}),
     ("siren", {"first": 1}), ("bilinear", {"down": "yes"}), ("array", {"values": None}), ("array", {"values": "a"}),
     ("array", {"values": np.array([1j])}), ("chrono", {"t_max": None}), ("chrono", {"t_max": 9, "gates": 4.0}),
     ("sparse", {"sparsity": None}), ("orthogonal", {"axis": 0.0}), ("sparse", {"axis": (0, 1)})],
    ids=str,
)  # fmt: skip
def test_numbers_of_the_wrong_type(scheme: str, numbers: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=list(numbers)[-1]):
        fi.distribution(scheme, (4, 4, 3), **numbers)


@pytest.mark.parametrize(
    ("scheme", "shape", "numbers"),
    [case for case in CASES if case[0] not in ("array", "hippo_legs")],
    ids=str,
)
def test_no_elements(scheme: str, shape: Shape, numbers: dict[str, Any]) -> None:
    empty = (0, *shape[1:])
    assert getattr(fi.schemes, scheme)(empty, seed=0, **numbers).shape == empty


@pytest.mark.skipif(
    sys.platform != "linux" or "LD_PRELOAD" in os.environ,
    reason="needs a limit on memory, which sanitizers exceed",
)
def test_shapes_beyond_memory() -> None:
    """No scheme takes what there is before it finds that there is not enough."""
    code = """
import resource, fastinit as fi
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for scheme in fi.schemes.SCHEMES:
    for shape in ((2**45,), (2**45, 4), (4, 2**45), (2**45, 1, 1), (3, 2**45, 3)):
        for block in (..., slice(0, 3)):
            try:
                getattr(fi.schemes, scheme)(shape, seed=0, block=block)
            except (MemoryError, TypeError, ValueError):
                pass
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300_000  # KiB
