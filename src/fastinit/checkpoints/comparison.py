"""Whether values are those of a plan: bit for bit if the seed is known, else by their statistics."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..arguments import file_path, instance
from ..drawing.config import threads_for
from ..drawing.memory import empty, readable
from ..drawing.streams import STREAM_VERSION, Seed, resolve_seed
from ..dtypes import COMPLEX, Array, is_integer, nbytes, numpy_dtype, part_of
from ..files import atomic, safetensors
from ..files.safetensors import Extent
from ..laws import Distribution, Elementwise
from ..plans.buffer import Buffer
from ..plans.lint import Finding
from ..plans.parameter import Parameter
from ..plans.plan import Plan
from .header import origin_of
from .statistics import unlike

_CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class Stored:
    """A tensor in a safetensors file; ``dtype`` is None for one that can neither be drawn nor is of integers."""

    file: Path
    extent: Extent

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        return self.extent.shape

    @property
    def dtype(self) -> str | None:
        """The dtype's name."""
        return self.extent.dtype or safetensors.INTEGERS.get(self.extent.code)

    def pieces(self, buffer: Array) -> Iterator[Array]:
        """The values in C order, as many at a time as the buffer holds."""
        with atomic.naming(self.file), open(self.file, "rb") as file:
            file.seek(self.extent.begin)
            left = self.extent.end - self.extent.begin
            while left:
                piece = buffer.view(np.uint8)[:left]
                # Read, not mapped: a file that shrinks must not end the process.
                if file.readinto(piece.data) < len(piece):
                    raise ValueError(f"{self.file} ends within {self.extent.name!r}")
                left -= len(piece)
                yield piece.view(numpy_dtype(self.dtype or ""))


@dataclass(frozen=True)
class _InMemory:
    """A tensor in memory, with the same face as `Stored`."""

    values: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def dtype(self) -> str:
        return self.values.dtype.name

    def pieces(self, buffer: Array) -> Iterator[Array]:
        flat = self.values.reshape(-1)
        count = buffer.nbytes // flat.itemsize
        for at in range(0, flat.size, count):
            yield flat[at : at + count]


@dataclass(frozen=True)
class _Integers:
    """An array or tensor of integers or bools, which need not be in the CPU's memory until it is looked into."""

    name: str
    values: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    @property
    def dtype(self) -> str:
        return str(self.values.dtype).rpartition(".")[2]

    def pieces(self, buffer: Array) -> Iterator[Array]:
        try:
            array = np.asarray(self.values)
        except (RuntimeError, TypeError) as error:
            raise TypeError(f"checkpoint[{self.name!r}] must be in the CPU's memory: {error}") from None
        return _InMemory(array).pieces(buffer)


_Tensor: TypeAlias = Stored | _InMemory | _Integers


def _in_memory(name: str, values: Any) -> _InMemory | _Integers:
    if is_integer(getattr(values, "dtype", None)):
        return _Integers(name, values)
    return _InMemory(readable(values, f"checkpoint[{name!r}]"))


def stored(checkpoint: str | os.PathLike[str]) -> dict[str, Stored]:
    """The tensors of a safetensors file, or of a folder of them with Hugging Face's index, by name.

    They have a ``shape`` and a ``dtype``, so that `fastinit.plan` takes them as a model. No values are read. Raises
    OSError if a file cannot be read, ValueError, naming it, if it is malformed.
    """
    return _stored(safetensors.read_checkpoint(file_path("checkpoint", checkpoint)))


def _stored(checkpoint: safetensors.Checkpoint) -> dict[str, Stored]:
    return {name: Stored(*place) for name, place in checkpoint.tensors.items()}


def verify(
    checkpoint: Mapping[str, Any] | str | os.PathLike[str],
    plan: Plan | None = None,
    *,
    seed: Seed = None,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Finding]:
    """Find where values differ from what a plan draws.

    A file that fastinit wrote is compared with its own plan and seed, which its header holds, unless others are given.

    If the seed is known, every bit is compared. Without a seed, a tensor's mean and standard deviation must lie within 7
    standard errors (from 1000 elements on) and every value within the range of its distribution; constants are compared
    bit for bit, except that -0 equals 0. Of structured distributions it is only known that values are finite. Integers and bools,
    such as a batch norm's count, are compared if the plan stores them. Nothing is said of others, and of what the plan leaves
    alone.

    Parameters
    ----------
    checkpoint
        The path of a safetensors file, or of a folder of them with Hugging Face's index; or a mapping of names to arrays
        or CPU tensors. Tied names may be there or not.
    plan
        What the values should be; by default, what the file says in its header. Arrays need one.
    seed
        The seed of the streams; by default, that in the file's header, if there is one.
    threads
        How many threads may draw; by default as `set_num_threads` says.
    progress
        Called with the bytes of values that are done, after each tensor.

    Returns
    -------
    list of Finding
        Empty if the values are the plan's. The kinds are "bits" (with the index of the first element that differs),
        "mean", "std", "bounds", "missing", "unexpected", "shape", "dtype", and "unknown" for a tensor whose distribution
        the file's header does not hold.

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        For wrong arguments, a malformed file, and a file that does not say what its plan is if none is given.

    Examples
    --------
    >>> import fastinit as fi
    >>> plan = fi.plan({"fc.weight": (4, 8)})
    >>> arrays = fi.init(plan, seed=0)
    >>> verify(arrays, plan, seed=0)
    []
    >>> arrays["fc.weight"][2, 3] = 1
    >>> print(verify(arrays, plan, seed=0)[0])
    fc.weight: 1 of 32 values differ, the first at (2, 3): 1.0, not -0.3014577031135559
    """
    number, n_threads = None if seed is None else resolve_seed(seed), threads_for(threads)
    tensors: dict[str, _Tensor]
    unknown: tuple[str, ...] = ()
    if isinstance(checkpoint, Mapping):
        instance("plan", plan, Plan)
        tensors = {name: _in_memory(name, values) for name, values in checkpoint.items()}
    else:
        read = safetensors.read_checkpoint(file_path("checkpoint", checkpoint))
        tensors = {**_stored(read)}
        if plan is None or seed is None:
            found = origin_of(read.headers)
            if plan is None and found is None:
                raise ValueError(f"{checkpoint}: fastinit did not write it: say which plan it should be of")
            if found is not None and seed is None:
                if found.stream != STREAM_VERSION:
                    raise ValueError(
                        f"{checkpoint}: fastinit {found.version} drew it from stream version {found.stream}, "
                        f"this one draws version {STREAM_VERSION}"
                    )
                number = found.seed
            if found is not None and plan is None:
                plan, unknown = found.plan, found.unknown
    return _compared(tensors, instance("plan", plan, Plan), unknown, number, n_threads, progress)


def _compared(
    tensors: Mapping[str, _Tensor],
    plan: Plan,
    unknown: tuple[str, ...],
    seed: int | None,
    threads: int,
    progress: Callable[[int], None],
) -> list[Finding]:
    findings = [Finding(name, "missing", "is missing") for name in plan.stored if name not in tensors]
    buffers = [empty((_CHUNK_BYTES // 8,), "float64") for _ in range(2)]
    done = 0
    for name, tensor in tensors.items():
        row = plan.stored.get(plan.ties.get(name, name))
        if name in unknown:
            findings.append(
                Finding(name, "unknown", "is not checked: the file does not hold its distribution")
            )
            continue
        if row is None and (is_integer(tensor.dtype) or _is_left(name, tensor, plan)):
            continue
        if row is None:
            findings.append(Finding(name, "unexpected", "is not in the plan"))
            continue
        for what, has, wants in (
            ("shape", tensor.shape, row.shape),
            ("dtype", tensor.dtype, row.dtype),
        ):
            if has != wants:
                findings.append(Finding(name, what, f"has {what} {has}, not {wants}"))
                break
        else:
            if isinstance(row, Parameter) and seed is None and _has_chance(row.distribution):
                findings += unlike(row, name, partial(tensor.pieces, buffers[0]))
            else:
                findings += _compare(name, row, tensor, plan, seed, buffers, threads)
            done += row.nbytes
            progress(done)
    return findings


def _has_chance(law: Distribution) -> bool:
    return not isinstance(law, Elementwise) or law.moments()[1] != 0


def _is_left(name: str, tensor: _Tensor, plan: Plan) -> bool:
    """Whether the plan knows the tensor and leaves it alone."""
    row = plan.unfilled.get(plan.ties.get(name, name))
    return row is not None and row.shape == tensor.shape


def _compare(
    name: str,
    row: Parameter | Buffer,
    tensor: _Tensor,
    plan: Plan,
    seed: int | None,
    buffers: list[Array],
    threads: int,
) -> list[Finding]:
    """A finding if any bit differs from what the seed draws; without a seed -0 equals 0."""
    differing, first, message, at = 0, None, "", 0
    number = complex if row.dtype in COMPLEX else int if is_integer(row.dtype) else float
    drawn = _split(
        plan.chunks(row.name, repeat(buffers[0]), seed=seed or 0, threads=threads), len(buffers[0]) * 8
    )
    for expected, has in zip(drawn, tensor.pieces(buffers[1]), strict=True):
        bits = np.dtype(f"u{nbytes((), part_of(row.dtype))}")
        wants, holds = expected.view(bits), np.ascontiguousarray(has).view(bits)
        differs = wants != holds
        if seed is None and number is not int:
            differs &= (wants | holds) << bits.type(1) != 0  # more than the signs of zeros
        parts = expected.itemsize // bits.itemsize  # of an element
        unlike = np.flatnonzero(differs.reshape(-1, parts).any(axis=1))
        if len(unlike) and first is None:
            first = tuple(map(int, np.unravel_index(at + unlike[0], row.shape)))
            message = f"the first at {first}: {number(has[unlike[0]])}, not {number(expected[unlike[0]])}"
        differing += len(unlike)
        at += len(expected)
    if first is None:
        return []
    total = math.prod(row.shape)
    return [Finding(name, "bits", f"{differing:,} of {total:,} values differ, {message}", first)]


def _split(chunks: Iterator[Array], nbytes: int) -> Iterator[Array]:
    """The chunks in pieces of at most ``nbytes`` bytes."""
    for chunk in chunks:
        count = nbytes // chunk.itemsize
        yield from (chunk[at : at + count] for at in range(0, len(chunk), count))
