"""What no element's index reaches: any counter of Philox, and the outermost words of uniform laws."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import reference
from conftest import FLAGS, ISAS, ROOT, read_vectors

from fastinit import _core
from fastinit.drawing import memory

BOUNDS = [(0.0, 1.0), (-0.1, 0.1), (1.0, 1.0625), (-3e-5, 1e-5), (0.1, 0.9), (100.0, 101.0)]


@pytest.fixture(scope="module", params=ISAS)
def lanes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    program = str(tmp_path_factory.mktemp("lanes") / request.param)
    scalar = [ROOT / "csrc" / f"{part}.c" for part in ("law", "scalar", "stream", "truncated")]
    sources = [str(path) for path in (*scalar, Path(__file__).with_name("lanes.c"))]
    subprocess.run(
        ["gcc", *FLAGS, f"-DLANES_{request.param.upper()}", *sources, "-o", program, "-lm"], check=True
    )
    return program


def run(*command: str) -> bytes:
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("line", read_vectors("philox4x32-10.txt"), ids=lambda line: line[0])
def test_known_answers(line: list[str], lanes: str) -> None:
    counter, key, answer = (part.split(",") for part in line)
    words = np.frombuffer(run(lanes, "philox", *counter, *key), np.uint32).reshape(-1, 4)
    assert words[0].tolist() == [int(word, 16) for word in answer]
    # The blocks that follow, past the wrap of the 64-bit block number too.
    first = int(counter[1] + counter[0], 16)
    blocks = np.array([(first + i) % 2**64 for i in range(len(words))], np.uint64)
    raw = b"".join(int(word, 16).to_bytes(4, "little") for word in (*key, counter[2], counter[3]))
    np.testing.assert_array_equal(words, reference.philox(blocks, raw))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_uniform_is_half_open_to_its_outermost_words(
    bounds: tuple[float, float], dtype: str, lanes: str
) -> None:
    out = run(lanes, "uniform", str(_core.DTYPES.index(dtype)), *map(repr, bounds))
    values = np.frombuffer(out, memory.numpy_dtype(dtype)).astype(np.float64)
    low, high = (np.array(bound).astype(memory.numpy_dtype(dtype)).astype(np.float64) for bound in bounds)
    assert len(values) == 2**24
    assert low <= values.min() and values.max() < high  # in the dtype
    assert bounds[0] <= float(values.min()) and float(values.max()) < bounds[1]  # in double


def test_bfloat16_is_rounded_to_nearest_even(lanes: str) -> None:
    run(lanes, "bfloat16")
