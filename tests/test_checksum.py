"""Checksums of tensors and models, which add up over parts."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
from conftest import BITS

import fastinit as fi
from fastinit import checkpoints


@pytest.mark.parametrize("dtype", BITS)
def test_checksums_of_parts_add_up(dtype: str) -> None:
    shape = (7, 60, 131)
    whole = fi.normal(shape, seed=1, dtype=dtype)
    expected = fi.checksum(whole, name="w")
    assert fi.checksum(np.asfortranarray(whole), name="w") == expected
    for axis, size in enumerate(shape):
        for step in (1, 3):
            parts = [slice(i, None, step) for i in range(step)] if step > 1 else [slice(0, 5), slice(5, size)]
            blocks = [(slice(None),) * axis + (part,) for part in parts]
            sums = [fi.checksum(whole[block], name="w", shape=shape, block=block) for block in blocks]
            assert sum(sums) % 2**64 == expected
    rows = [fi.checksum(whole[i], name="w", shape=shape, block=i) for i in range(7)]
    assert sum(rows) % 2**64 == expected


def test_checksum_is_of_bits_and_places() -> None:
    assert fi.checksum(np.zeros(0, np.float32)) == 0
    x = np.arange(6, dtype=np.float32)
    assert fi.checksum(x) == 0xB6213558090139C5, "ranks of different versions must agree"
    assert fi.checksum(np.float64([3])[0:1].reshape(())) == fi.checksum(np.array([3.0]))
    swapped = x[[1, 0, 2, 3, 4, 5]]
    seen = [
        fi.checksum(a)
        for a in (x, swapped, -x, x + 1, x[:5], np.zeros(6, np.float32), np.zeros(5, np.float32))
    ]
    seen += [fi.checksum(x, name="a"), fi.checksum(x, name="b")]
    assert len(set(seen)) == len(seen) and all(0 <= s < 2**64 for s in seen)
    flips = set()
    for bit in range(32):
        y = x.copy()
        y.view(np.uint32)[3] ^= np.uint32(1 << bit)
        flips.add(fi.checksum(y))
    assert len(flips - {fi.checksum(x)}) == 32


def test_checksum_by_hand() -> None:
    """Against integers of Python, one element at a time."""

    def mix(x: int) -> int:
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        return x ^ (x >> 31)

    from hashlib import blake2b

    key = int.from_bytes(blake2b(b"w", digest_size=8).digest(), "little")
    x = fi.normal((3, 5), seed=0, dtype="float16")
    bits = x.view(np.uint16).reshape(-1).tolist()
    by_hand = sum(mix(mix((key + i) % 2**64) ^ b) for i, b in enumerate(bits)) % 2**64
    assert fi.checksum(x, name="w") == by_hand


def test_checksums_of_models(tmp_path: Path) -> None:
    """A model's is the sum of its tensors'; the same for arrays, files and a plan. Integers do not count."""
    plan = fi.plan({"a": (3, 500), "b": (7,)}, "he_normal", dtype="bfloat16")
    arrays = fi.init(plan, seed=4)
    expected = sum(fi.checksum(array, name=name) for name, array in arrays.items()) % 2**64
    assert fi.checksum(arrays) == fi.checksum(plan, seed=4) == expected
    assert fi.checksum({**arrays, "count": np.zeros(3, np.int64), "c": arrays["a"]}) == expected
    assert fi.checksum({**arrays, "c": arrays["a"].copy()}) != expected
    assert fi.checksum(plan.astype("float32"), seed=4) != expected != fi.checksum(plan, seed=5)
    for size, name in ((None, "m.safetensors"), (1000, "folder")):
        checkpoints.write(plan, tmp_path / name, seed=4, max_shard_size=size)
        assert fi.checksum(tmp_path / name) == fi.checksum(str(tmp_path / name)) == expected
    data = bytearray((tmp_path / "m.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "m.safetensors").write_bytes(data)
    assert fi.checksum(tmp_path / "m.safetensors") != expected
    for given in ({"name": "a"}, {"shape": 3}, {"block": 0}, {"seed": 4}):
        with pytest.raises(TypeError, match=next(iter(given))):
            fi.checksum(arrays, **given)
    with pytest.raises(TypeError, match="seed"):
        fi.checksum(plan)
    with pytest.raises(TypeError, match=r"values\['a'\]"):
        fi.checksum({"a": [1.0]})
    with pytest.raises(FileNotFoundError):
        fi.checksum("nothing.safetensors")


def test_bad_checksums() -> None:
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="shape"):
        fi.checksum(x, shape=(2, 4))
    with pytest.raises(TypeError, match="dtype"):
        fi.checksum(x.astype(np.int32))
    with pytest.raises(TypeError, match="array"):
        fi.checksum([1.0])
