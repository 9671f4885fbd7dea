"""Draws by whichever fastinit is found first: ``python draws.py CASES TO [PLANS]``, for tests/test_older_releases.py.

CASES is a file of JSON, TO a folder for the values and files, PLANS the folder of another release whose plans are read
instead of making them anew.
"""

import json
import sys
from pathlib import Path

import numpy as np

import fastinit as fi
from fastinit.drawing import memory
from fastinit.laws import from_dict

cases = json.loads(Path(sys.argv[1]).read_text())
to, plans = Path(sys.argv[2]), Path(sys.argv[-1])


def as_bytes(array: np.ndarray) -> np.ndarray:
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)


drawn = {}
for i, case in enumerate(cases["laws"]):
    part = np.empty(case["shape"], bool)[tuple(slice(*extent) for extent in case["block"])].shape
    array = memory.empty(part[::-1], case["dtype"]).T  # in Fortran's order
    fi.fill(
        array,
        from_dict(case["law"]),
        seed=case["seed"],
        name=case["name"],
        shape=tuple(case["shape"]),
        block=tuple(slice(*extent) for extent in case["block"]),
    )
    drawn[f"law {i}"] = as_bytes(array)
for i, (scheme, shape, dtype, numbers) in enumerate(cases["schemes"]):
    array = getattr(fi.schemes, scheme)(tuple(shape), seed=i, name="w", dtype=dtype, **numbers)
    drawn[f"scheme {i}"] = as_bytes(array) if dtype != "float64" else array
for name, (model, recipe, dtype) in cases["plans"].items():
    if to == plans:
        (to / f"{name}.json").write_text(fi.plan(model, recipe, dtype=dtype).to_json())
    plan = fi.Plan.from_json((plans / f"{name}.json").read_text())
    for parameter in plan.values():
        block = tuple(slice(size // 3, size // 3 + 5) for size in parameter.shape)
        drawn[f"{name}: {parameter.name}"] = as_bytes(plan.tensor(parameter.name, seed=11, block=block))
    drawn[f"{name}: digest"] = as_bytes(np.array(plan.digest))
    if plan.nbytes < 1 << 20:
        fi.checkpoints.write(plan, to / f"{name}.safetensors", seed=12)
        drawn[f"{name}: checksum"] = np.array(fi.checksum(plan, seed=12), np.uint64)
np.savez(to / "values.npz", **drawn)
print(Path(fi.__file__).parent)
