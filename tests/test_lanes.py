"""What no element's index reaches: any counter of Philox, and the outermost words of uniform laws."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import reference
from conftest import BITS, FLAGS, ISAS, NARROW, ROOT, read_vectors

from fastinit import _core
from fastinit.drawing import memory

BOUNDS = [(0.0, 1.0), (-0.1, 0.1), (1.0, 1.0625), (-3e-5, 1e-5), (0.1, 0.9), (96.0, 97.0)]


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


def run(*command: str, given: bytes = b"") -> bytes:
    return subprocess.run(command, input=given, capture_output=True, check=True, timeout=60).stdout


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


@pytest.mark.parametrize("dtype", _core.DTYPES)
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_uniform_is_half_open_to_its_outermost_words(
    bounds: tuple[float, float], dtype: str, lanes: str
) -> None:
    out = run(lanes, "uniform", str(_core.DTYPES.index(dtype)), *map(repr, bounds))
    values = np.frombuffer(out, memory.numpy_dtype(dtype)).astype(np.float64)
    low, high = (np.array(bound).astype(memory.numpy_dtype(dtype)).astype(np.float64) for bound in bounds)
    assert len(values) == 2**24
    if low == high:  # the dtype has one value there
        assert (values == low).all()
    else:
        assert low <= values.min() and values.max() < high  # in the dtype
    assert bounds[0] <= float(values.min()) and float(values.max()) < bounds[1]  # in double


def near_boundaries(dtype: str) -> np.ndarray:
    """Float32 at every value of the dtype and halfway to the next one, and those next to them, of both signs."""
    bits = BITS[dtype]
    kind = memory.numpy_dtype(dtype)
    codes = np.arange(
        1 << 8 * bits.itemsize - 1, dtype=bits
    )  # of the values that are not negative, ascending
    values = codes.view(kind).astype(np.float32)
    values = values[np.isfinite(values)]
    middles = (values[1:].astype(np.float64) / 2 + values[:-1].astype(np.float64) / 2).astype(np.float32)
    reach = 300 if bits.itemsize == 1 else 2
    steps = np.arange(-reach, reach + 1)
    near = (np.concatenate([values, middles]).view(np.int32)[:, None] + steps).ravel()
    near = np.concatenate([near[near >= 0].astype(np.int32), np.arange(2000)]).astype(np.uint32)
    floats = near.view(np.float32)
    floats = floats[floats <= values[-1]]
    floats = np.concatenate([floats, -floats])
    return np.concatenate([floats, np.zeros(-len(floats) % 32, np.float32)])


@pytest.mark.parametrize("never_subnormal", [False, True])
@pytest.mark.parametrize("dtype", NARROW)
def test_rounding_is_to_nearest_even(dtype: str, never_subnormal: bool, lanes: str) -> None:
    floats = near_boundaries(dtype)
    if never_subnormal:
        floats = floats[(abs(floats) >= 2.0**-126) | (floats == 0)]
        floats = floats[: len(floats) // 32 * 32]
    want = floats.astype(memory.numpy_dtype(dtype)).view(BITS[dtype])
    out = run(
        lanes, "round", str(_core.DTYPES.index(dtype)), str(int(never_subnormal)), given=floats.tobytes()
    )
    np.testing.assert_array_equal(np.frombuffer(out, BITS[dtype]), want)
    np.testing.assert_array_equal(reference.round_to(dtype, floats), want)
