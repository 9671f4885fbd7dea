"""Structured distributions: whole tensors, put together by NumPy on the host, or on a GPU by the library that has the target."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np

from .. import _core, cuda
from ..dtypes import COMPLEX, DTYPES, Array, nbytes, numpy_dtype
from ..laws.distributions import Distribution, Words
from ..laws.structured import Draw, Stream, Structured, neighbour
from . import blocks, config, memory, streams
from .prepared import prepared


def write(
    to: memory.Memory, law: Structured, name: str, whole: tuple[int, ...], block: Any, seed: int, threads: int
) -> None:  # fmt: skip
    """Write a part of a tensor; all has been checked."""
    library = library_of(to, law, whole, block)
    if library is None:
        memory.write(to, _on_host(law, whole, block, seed, name, to.dtype, threads))
    else:
        _on_gpu(to, library, law, whole, block, seed, name)


def _on_host(
    law: Structured, shape: tuple[int, ...], block: Any, seed: int, name: str, dtype: str, threads: int
) -> Array:
    """The block of the whole tensor; narrow dtypes are rounded from float32 once, at the end."""

    def draw(key: bytes) -> Draw:
        def piece(law: Any, first: int, shape: tuple[int, ...], dtype: str) -> Array:
            array = memory.empty(shape, dtype)
            ready, axes = prepared(law, dtype), _consecutive(first, shape, dtype)
            assert ready is not None
            _core.draw(config.ISA, ready, key, memory.address_of(array), axes, threads)
            return array

        return piece

    kind = "float64" if dtype == "float64" else "float32"
    with np.errstate(over="ignore", invalid="ignore"):
        whole = law.values(shape, _stream(draw, seed, name, kind))
        values: Array = whole[block].astype(numpy_dtype(dtype), copy=False)
    if not np.isfinite(values).all():
        raise ValueError(f"{law} has values too large for {dtype}")
    return values


class Library(NamedTuple):
    """torch or CuPy, as what computes where an array of theirs lies."""

    xp: Any
    array: Any
    where: dict[str, Any]
    current: Callable[[], AbstractContextManager[Any]]

    def new(self, shape: tuple[int, ...], dtype: str) -> Any:
        return self.xp.zeros(shape, dtype=getattr(self.xp, dtype), **self.where)


def by_gpu(law: Distribution | Words, dtype: str) -> bool:
    """Whether a GPU computes the law. A gain beyond the dtype is left to the host, which tells that values are too large."""
    return (
        isinstance(law, Structured) and law.portable and abs(getattr(law, "gain", 0)) <= DTYPES[dtype].largest
    )


def library_of(
    to: memory.Memory, law: Distribution | Words, whole: tuple[int, ...], block: Any
) -> Library | None:
    """What computes the law on the GPU that has the memory; None if the host does."""
    if to.place is None or to.dtype in COMPLEX or not by_gpu(law, to.dtype):
        return None
    if any(step < 0 for _, step, _, _ in blocks.normalize(block, whole)):
        return None  # torch has no such slices
    array: Any = to.owner[0] if isinstance(to.owner, tuple) else to.owner
    torch, cupy = sys.modules.get("torch"), sys.modules.get("cupy")  # never imported for this
    if torch is not None and isinstance(array, torch.Tensor):
        return Library(torch, array.detach(), {"device": array.device}, torch.no_grad)
    if cupy is not None and isinstance(array, cupy.ndarray):
        ordinal = to.place.ordinal
        return Library(cupy, array, {}, lambda: cupy.cuda.Device(ordinal))
    return None


def _on_gpu(
    to: memory.Memory, library: Library, law: Structured, shape: tuple[int, ...], block: Any, seed: int, name: str
) -> None:  # fmt: skip
    """Queue all of it on the stream of the target. The matrix products are those of float64, which no setting makes coarser, and the
    values are rounded as the host's are.
    """
    place, drawn = to.place, "float64" if to.dtype == "float64" else "float32"
    assert place is not None

    def draw(key: bytes) -> Draw:
        def piece(law: Any, first: int, shape: tuple[int, ...], _: str) -> Any:
            narrow, wide = library.new(shape, drawn), library.new(shape, "float64")
            prepared(law, drawn)
            address, axes = memory.target(narrow).address, _consecutive(first, shape, drawn)
            cuda.draw([cuda.Draw(place, law.law, law.parameters, drawn, key, address, axes)])
            wide[...] = narrow
            return wide

        return piece

    with library.current():
        stream = _stream(draw, seed, name, "float64", library.xp, **library.where)
        values: Any = law.values(shape, stream)[block]
        rounded = library.new(to.shape, drawn)
        rounded[...] = values
        library.array[...] = rounded


def _stream(
    draw: Callable[[bytes], Draw], seed: int, name: str, dtype: str, *where: Any, **more: Any
) -> Stream:
    def other(of: str) -> Stream:
        return _stream(draw, seed, neighbour(name, of), dtype, *where, **more)

    return Stream(draw(streams.key(seed, name)), dtype, other, *where, **more)


def _consecutive(first: int, shape: tuple[int, ...], dtype: str) -> blocks.Axes:
    return ((math.prod(shape), 1, nbytes((), dtype), ((0, first),)),)
