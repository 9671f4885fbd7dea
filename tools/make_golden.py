"""Write tests/vectors/golden.txt from tests/reference.py, and structured.txt: ``python tools/make_golden.py``.

The hashes change only with the stream version.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))
for name in ("golden.txt", "structured.txt"):
    (TESTS / "vectors" / name).touch()

import reference  # noqa: E402
from test_kernels import KEY, LAWS  # noqa: E402
from test_structured import FOLLOWS_MATRIX_PRODUCT, STRUCTURED, structured_digest  # noqa: E402

names = (
    "bits",
    "uniform",
    "uniform unit",
    "normal",
    "normal shifted",
    "truncated 2",
    "truncated 6",
    "truncated skew",
)
lines = [
    "# law, dtype, SHA-256 of the little-endian values 1..100000 of seed 0, name 'weight'; from reference.py"
]
for name in names:
    for dtype in reference.FORMATS:
        if name == "bits" and reference.is_narrow(dtype):
            continue
        values = reference.draw(*LAWS[name], np.arange(1, 100_001), KEY, dtype)
        digest = hashlib.sha256(values.tobytes()).hexdigest()
        lines.append(f"{name.replace(' ', '_')} {dtype} {digest}")
(TESTS / "vectors" / "golden.txt").write_text("\n".join(lines) + "\n")

lines = ["# scheme, SHA-256 of the little-endian float64 of its cases in tests/test_structured.py"]
lines += [
    f"{scheme} {structured_digest(scheme)}" for scheme in sorted(set(STRUCTURED) - FOLLOWS_MATRIX_PRODUCT)
]
(TESTS / "vectors" / "structured.txt").write_text("\n".join(lines) + "\n")
