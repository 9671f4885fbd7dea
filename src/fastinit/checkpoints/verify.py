"""Whether values are those of a plan: bit for bit where the seed is known, by their statistics where it is not."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import file_path, instance
from ..drawing.config import threads_for
from ..drawing.memory import empty, readable
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import Array, numpy_dtype, rounding_step
from ..files import atomic, safetensors
from ..files.safetensors import Extent
from ..laws.distributions import Elementwise
from ..plans.lint import Finding
from ..plans.parameter import Parameter
from ..plans.plan import Plan

_CHUNK_BYTES = 4 << 20
_ERRORS = 7.0  # standard errors, beyond which chance is ruled out: once in 4e11 tensors
_ENOUGH = 1000  # elements, for which sums are near enough to normal at that distance


@dataclass(frozen=True)
class Stored:
    """A tensor in a safetensors file; ``dtype`` is None for one that cannot be drawn."""

    file: Path
    extent: Extent

    @property
    def shape(self) -> tuple[int, ...]:
        return self.extent.shape

    @property
    def dtype(self) -> str | None:
        return self.extent.dtype

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


def stored(path: str | os.PathLike[str]) -> dict[str, Stored]:
    """The tensors of a safetensors file, or of a folder of them with Hugging Face's index, by name.

    No values are read. Raises OSError if a file cannot be read, ValueError, naming it, if it is malformed.
    """
    path = Path(path)
    if not path.is_dir():
        return _stored_in(path)
    index = path / safetensors.INDEX
    if not index.exists():
        return _stored_in(path / "model.safetensors")
    file_of = safetensors.read_index(index)
    tensors = {}
    for file in dict.fromkeys(file_of.values()):
        found = _stored_in(path / file)
        for name in (name for name, of in file_of.items() if of == file):
            if name not in found:
                raise ValueError(f"{path / file}: has no {name!r}, which the index says")
            tensors[name] = found[name]
    return tensors


def _stored_in(path: Path) -> dict[str, Stored]:
    try:
        with atomic.naming(path), open(path, "rb") as file:
            return {extent.name: Stored(path, extent) for extent in safetensors.read_header(file).extents}
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def verify(
    checkpoint: Mapping[str, Any] | str | os.PathLike[str],
    plan: Plan,
    *,
    seed: Seed = None,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Finding]:
    """Where values differ from what a plan draws; nothing, where they are its own.

    With a ``seed``, every bit is compared, and a finding of kind "bits" names the first element that differs. Without,
    a tensor's mean and standard deviation must lie within 7 standard errors (from 1000 elements on), every value within
    the law's bounds or 10 sigma, and constants are compared bit for bit; of structured laws, only that values are
    finite. The other kinds are "mean", "std", "bounds", "missing", "unexpected", "shape" and "dtype".

    ``checkpoint`` maps names to arrays or CPU tensors, or is the path of a safetensors file, or of a folder of them with
    their index. Tied names may be there or not. ``progress`` is told the bytes of values done so far.

    Raises TypeError or ValueError for arguments, OSError for a file that cannot be read, and ValueError for a malformed one.

    >>> import fastinit as fi
    >>> plan = fi.plan({"fc.weight": (4, 8)})
    >>> arrays = init(plan, seed=0)
    >>> verify(arrays, plan, seed=0)
    []
    >>> arrays["fc.weight"][2, 3] = 1
    >>> print(verify(arrays, plan, seed=0)[0])
    fc.weight: 1 of 32 values differ, the first at (2, 3): 1.0, not -0.3014577031135559
    """
    instance("plan", plan, Plan)
    number, n_threads = None if seed is None else resolve_seed(seed), threads_for(threads)
    tensors: dict[str, Stored | _InMemory]
    if isinstance(checkpoint, Mapping):
        tensors = {
            name: _InMemory(readable(values, f"checkpoint[{name!r}]")) for name, values in checkpoint.items()
        }
    else:
        tensors = {**stored(file_path("checkpoint", checkpoint))}
    findings = [Finding(name, "missing", "is missing") for name in plan if name not in tensors]
    buffers = [empty((_CHUNK_BYTES // 8,), "float64") for _ in range(2)]
    done = 0
    for name, tensor in tensors.items():
        parameter = plan.get(plan.ties.get(name, name))
        if parameter is None:
            findings.append(Finding(name, "unexpected", "is not in the plan"))
            continue
        for what, has, wants in (
            ("shape", tensor.shape, parameter.shape),
            ("dtype", tensor.dtype, parameter.dtype),
        ):
            if has != wants:
                findings.append(Finding(name, what, f"has {what} {has}, not {wants}"))
                break
        else:
            law = parameter.distribution
            if number is not None or (isinstance(law, Elementwise) and law.moments()[1] == 0):
                found = _compare(name, parameter, tensor, plan, number or 0, buffers, n_threads)
            else:
                found = _measure(name, parameter, tensor, buffers[0])
            findings += found
            done += parameter.nbytes
            progress(done)
    return findings


def _compare(
    name: str,
    parameter: Parameter,
    tensor: Stored | _InMemory,
    plan: Plan,
    seed: int,
    buffers: list[Array],
    threads: int,
) -> list[Finding]:
    differing, first, message, at = 0, None, "", 0
    drawn = _split(
        plan.chunks(parameter.name, repeat(buffers[0]), seed=seed, threads=threads), len(buffers[0]) * 8
    )
    for expected, has in zip(drawn, tensor.pieces(buffers[1]), strict=True):
        bits = f"u{expected.dtype.itemsize}"
        unlike = np.flatnonzero(expected.view(bits) != np.ascontiguousarray(has).view(bits))
        if len(unlike) and first is None:
            first = tuple(map(int, np.unravel_index(at + unlike[0], parameter.shape)))
            message = f"the first at {first}: {float(has[unlike[0]])}, not {float(expected[unlike[0]])}"
        differing += len(unlike)
        at += len(expected)
    if first is None:
        return []
    total = math.prod(parameter.shape)
    return [Finding(name, "bits", f"{differing:,} of {total:,} values differ, {message}", first)]


def _split(chunks: Iterator[Array], nbytes: int) -> Iterator[Array]:
    for chunk in chunks:
        count = nbytes // chunk.itemsize
        yield from (chunk[at : at + count] for at in range(0, len(chunk), count))


def _measure(name: str, parameter: Parameter, tensor: Stored | _InMemory, buffer: Array) -> list[Finding]:
    law = parameter.distribution
    if not isinstance(law, Elementwise):
        finite = all(np.isfinite(piece.astype(np.float64)).all() for piece in tensor.pieces(buffer))
        return [] if finite else [Finding(name, "bounds", "has values that are not finite")]
    mean, std = law.moments()
    n, first, second = 0, 0.0, 0.0
    least, most = math.inf, -math.inf
    for piece in tensor.pieces(buffer):
        x = piece.astype(np.float64)
        least, most = min(least, float(x.min())), max(most, float(x.max()))
        x -= mean
        with np.errstate(over="ignore", invalid="ignore"):  # infinities, which the bounds find
            first, second, n = first + float(x.sum()), second + float(x @ x), n + len(x)
    if n == 0:
        return []
    findings = []
    if not (law.contains(least) and law.contains(most) and math.isfinite(second)):
        findings.append(
            Finding(name, "bounds", f"has values from {least:.6g} to {most:.6g}, not those of {law}")
        )
    elif n >= _ENOUGH:
        # Rounding moves mean and std by less than half a step.
        step = rounding_step(mean, parameter.dtype) / std
        off = abs(first / n) / std
        if off > _ERRORS / math.sqrt(n) + step / 2:
            errors = off * math.sqrt(n)
            findings.append(
                Finding(
                    name, "mean", f"has mean {mean + first / n:.6g}, {errors:.1f} standard errors from {law}"
                )
            )
        ratio = second / n / std**2
        error = math.sqrt((law.standard_moment(4) - 1) / n)
        if abs(ratio - 1) > _ERRORS * error + step**2:
            findings.append(Finding(name, "std", f"has std {std * math.sqrt(ratio):.6g}, not that of {law}"))
    return findings
