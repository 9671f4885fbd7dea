"""The public fill functions: parts, targets, streams."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from conftest import optional
from hypothesis import given
from hypothesis import strategies as st

import fastinit as fi
from fastinit.drawing import streams

WHOLE = fi.normal((12, 20, 30), seed=5, name="w")


def axis_index(size: int) -> st.SearchStrategy[Any]:
    bounds = st.none() | st.integers(-size - 2, size + 2)
    steps = st.integers(-4, 4).filter(bool)
    return st.builds(slice, bounds, bounds, st.none() | steps) | st.integers(-size, size - 1)


@given(st.tuples(axis_index(12), axis_index(20), axis_index(30)), st.integers(1, 3))
def test_any_block_is_the_slice_of_the_whole(block: Any, threads: int) -> None:
    got = fi.normal((12, 20, 30), seed=5, name="w", block=block, threads=threads)
    np.testing.assert_array_equal(got, WHOLE[block])


def test_block_forms() -> None:
    for block in (..., np.s_[3:], (..., 4), (2, ..., slice(None, None, -1)), ()):
        np.testing.assert_array_equal(fi.normal((12, 20, 30), seed=5, name="w", block=block), WHOLE[block])
    for block in ([1, 2], None, True, np.arange(3), "a"):
        with pytest.raises(TypeError, match="block"):
            fi.normal((12, 20, 30), seed=5, block=block)
    for block in (12, (0, 0, 0, 0), (..., ...)):
        with pytest.raises(IndexError, match="block"):
            fi.normal((12, 20, 30), seed=5, block=block)


@pytest.mark.parametrize(
    "layout",
    [
        lambda a: a,
        lambda a: a.transpose(2, 0, 1).copy().transpose(1, 2, 0),
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 3, axis=2)[:, :, ::3],
        lambda a: a[::-1, :, ::-1],
        lambda a: np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape),
    ],
    ids=["C", "mixed", "F", "strided", "negative", "misaligned"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", ml_dtypes.bfloat16])
def test_memory_order_does_not_matter(layout: Any, dtype: Any) -> None:
    out = layout(np.zeros((12, 20, 30), dtype))
    assert fi.fill(out, "normal", seed=5, name="w") is out
    np.testing.assert_array_equal(out, fi.normal((12, 20, 30), seed=5, name="w", dtype=dtype))


def test_half_precision_is_the_rounded_float32() -> None:
    for scheme in ("normal", "uniform", "truncated_normal"):
        wide = fi.fill(np.zeros(50_000, np.float32), scheme, seed=1)
        for dtype in (np.float16, ml_dtypes.bfloat16):
            half = fi.fill(np.zeros(50_000, dtype), scheme, seed=1)
            low, high = (0.0, 1.0) if scheme == "uniform" else (-100.0, 100.0)
            inside = (wide.astype(dtype) < high) & (wide.astype(dtype) >= low)
            np.testing.assert_array_equal(half[inside], wide.astype(dtype)[inside])
            assert (half < high).all()


def test_memmap(tmp_path: Any) -> None:
    out = np.lib.format.open_memmap(tmp_path / "w.npy", "w+", np.float32, (12, 20, 30))
    fi.fill(out, "normal", seed=5, name="w")
    np.testing.assert_array_equal(out, WHOLE)


def test_torch_tensors() -> None:
    torch = optional("torch")
    tensor = torch.zeros(20, 12, 30).transpose(0, 1)
    fi.fill(tensor, "normal", seed=5, name="w")
    np.testing.assert_array_equal(tensor.numpy(), WHOLE)
    parameter = torch.nn.Parameter(torch.zeros(12, 20, 30, dtype=torch.bfloat16))
    fi.fill(parameter, "normal", seed=5, name="w")
    np.testing.assert_array_equal(
        parameter.detach().float().numpy(), WHOLE.astype(ml_dtypes.bfloat16).astype(np.float32)
    )
    with pytest.raises(ValueError, match="overlaps"):
        fi.fill(torch.zeros(3, 1).expand(3, 4), "normal")
    with pytest.raises(TypeError, match="dtype"):
        fi.fill(torch.zeros(3, dtype=torch.int32), "normal")


def test_new_arrays_are_aligned() -> None:
    assert all(fi.zeros((n,)).ctypes.data % 64 == 0 for n in (1 << 12, 10_007, 100_000))


def test_large_fill_with_threads() -> None:
    one = fi.normal((1 << 21) + 3, seed=9, threads=1)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(fi.normal((1 << 21) + 3, seed=9, threads=threads), one)


def test_seeds() -> None:
    first = fi.normal(8, seed=5)
    for seed in (np.int32(5), np.uint64(5), type("Index", (), {"__index__": lambda self: 5})()):
        np.testing.assert_array_equal(fi.normal(8, seed=seed), first)
    fi.normal(8, seed=np.uint64(2**64 - 1))
    assert not np.array_equal(fi.normal(8), fi.normal(8))
    sequence = np.random.SeedSequence(3)
    np.testing.assert_array_equal(fi.normal(8, seed=sequence), fi.normal(8, seed=sequence))
    generator = np.random.default_rng(3)
    assert not np.array_equal(fi.normal(8, seed=generator), fi.normal(8, seed=generator))


@pytest.mark.parametrize("seed", [1.5, np.float64(3), float("nan"), "abc", True, np.True_, [1]])
def test_seed_types(seed: Any) -> None:
    with pytest.raises(TypeError, match="seed"):
        fi.normal(3, seed=seed)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_values(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        fi.normal(3, seed=seed)


@pytest.mark.parametrize("seed", [0, 1, 2**63 + 5, 2**64 - 1])
def test_keys_are_blake2b(seed: int) -> None:
    """Of texts that end within a block of 128 bytes, at its end, and behind it."""
    for length in range(400):
        name = "w\u00e9\u4e2d."[: length % 5] + "n" * length
        text = str.encode(name)
        whole = b"fastinit stream 1\0" + seed.to_bytes(8, "little") + len(text).to_bytes(8, "little") + text
        assert streams.key(seed, name) == hashlib.blake2b(whole, digest_size=16).digest()


def test_names() -> None:
    names = ["", "a", "b", "a\0", "a\0\0", "x" * 1_000_000, "\U0001f600", "\u00e9", "e\u0301"]
    assert len({streams.key(0, name) for name in names}) == len(names)
    for name in (b"a", 1, None):
        with pytest.raises(TypeError, match="name"):
            fi.normal(3, name=name)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        fi.normal(3, name="\ud800")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("shape", [(70, 300, 5), (3, 130, 257), (257, 3, 2), (1, 65, 64)], ids=str)
def test_any_order_of_the_axes_in_memory(shape: tuple[int, ...], dtype: str) -> None:
    """Transposed targets are drawn by square tiles, whose edges no shape here meets; so are blocks of them."""
    whole = fi.normal(shape, seed=3, name="w", dtype=dtype)
    block = (slice(None), slice(1, -1), slice(1, None))
    for axes in itertools.permutations(range(3)):
        target = np.zeros([shape[a] for a in axes], dtype).transpose(np.argsort(axes))
        np.testing.assert_array_equal(fi.fill(target, "normal", seed=3, name="w"), whole)
        part = np.zeros_like(target)[block]
        fi.fill(part, "normal", seed=3, name="w", shape=shape, block=block)
        np.testing.assert_array_equal(part, whole[block])
