"""Checkpoint files: a plan -> one safetensors file, whole or not at all, in constant memory."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import secrets
import stat
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import __version__
from .fill import draw
from .memory import Array, empty
from .model import SAFETENSORS_DTYPES
from .plan import Parameter, Plan
from .streams import STREAM_VERSION
from .structured import Structured

try:
    import fcntl
except ImportError:  # Windows: no locks, and leftovers stay
    fcntl = None  # type: ignore[assignment]

_CHUNK_BYTES = 8 << 20
_MOMENT_BLOCK = 1 << 16


@dataclass(frozen=True)
class Summary:
    """What was written. Deviations are the largest of any tensor, in standard errors of the law's own moments."""

    tensors: int
    nbytes: int  # of values
    seconds: float
    mean_deviation: float
    std_deviation: float

    def to_dict(self) -> dict[str, float]:
        return {
            "tensors": self.tensors,
            "bytes": self.nbytes,
            "seconds": self.seconds,
            "gigabytes_per_second": self.nbytes / self.seconds / 1e9 if self.seconds else 0.0,
            "mean_deviation": self.mean_deviation,
            "std_deviation": self.std_deviation,
        }


def header(plan: Plan, metadata: dict[str, str]) -> tuple[bytes, list[Parameter]]:
    """The file's first bytes and the order of its tensors: the safetensors library's own."""
    ranks = list(SAFETENSORS_DTYPES)
    order = sorted(plan.values(), key=lambda p: (ranks.index(p.dtype), p.name))
    entries: dict[str, object] = {"__metadata__": metadata}
    at = 0
    for p in order:
        entries[p.name] = {
            "dtype": SAFETENSORS_DTYPES[p.dtype],
            "shape": list(p.shape),
            "data_offsets": [at, at + p.nbytes],
        }
        at += p.nbytes
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, order


def write(
    plan: Plan,
    path: str | os.PathLike[str],
    *,
    seed: int,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Summary:
    """Draw every parameter of the plan into a safetensors file.

    The file appears under its name when it is whole and synced; on any failure a file of that name is as it was.
    A symbolic link's target is replaced, not the link; permissions are the old file's or follow the umask.
    ``progress`` is told the bytes written so far.

    Raises OSError with errno and filename.
    """
    started = time.perf_counter()
    metadata = {
        "format": "pt",
        "fastinit_recipe": plan.recipe,
        "fastinit_seed": str(seed),
        "fastinit_stream": str(STREAM_VERSION),
        "fastinit_version": __version__,
    }
    start, order = header(plan, metadata)
    buffer = empty((_CHUNK_BYTES // 8,), "float64")
    done, worst_mean, worst_std = 0, 0.0, 0.0
    with _replacing(Path(path)) as file:
        _write_all(file, memoryview(start))
        for parameter in order:
            moments = _Moments(parameter)
            for chunk in _chunks(parameter, seed, buffer, threads):
                _write_all(file, chunk.view(np.uint8).data)
                moments.add(chunk)
                done += chunk.nbytes
                progress(done)
            mean, std = moments.deviations()
            worst_mean, worst_std = max(worst_mean, mean), max(worst_std, std)
    return Summary(len(order), done, time.perf_counter() - started, worst_mean, worst_std)


def _chunks(parameter: Parameter, seed: int, buffer: Array, threads: int | None) -> Iterator[Array]:
    """The parameter's values in C order, drawn piece by piece into the buffer; structured laws at once."""
    total = math.prod(parameter.shape)
    if isinstance(parameter.distribution, Structured):
        whole = empty(parameter.shape, parameter.dtype)
        draw(whole, parameter.distribution, seed=seed, name=parameter.name, threads=threads)
        yield whole.reshape(-1)
        return
    typed = buffer.view(empty((0,), parameter.dtype).dtype)
    for at in range(0, total, len(typed)):
        chunk = typed[: min(len(typed), total - at)]
        draw(chunk, parameter.distribution, seed=seed, name=parameter.name, shape=total,
             block=slice(at, at + len(chunk)), threads=threads)  # fmt: skip
        yield chunk


class _Moments:
    """First two moments of what is drawn about the law's mean, in one pass, against what the law says."""

    def __init__(self, parameter: Parameter) -> None:
        law = parameter.distribution
        self.mean, self.std = (0.0, 0.0) if isinstance(law, Structured) else law.moments()
        self.n, self.first, self.second = 0, 0.0, 0.0

    def add(self, chunk: Array) -> None:
        if self.std == 0:
            return
        x = chunk if chunk.dtype.itemsize > 2 else chunk.astype(np.float32)
        for at in range(0, len(x), _MOMENT_BLOCK):
            block = x[at : at + _MOMENT_BLOCK]
            if self.mean:
                block = block - block.dtype.type(self.mean)
            self.first += float(block.sum())
            self.second += float(np.dot(block, block))
        self.n += len(x)

    def deviations(self) -> tuple[float, float]:
        if self.n < 2 or self.std == 0:
            return 0.0, 0.0
        mean, variance = self.first / self.n, self.second / self.n
        # A bound for every law here: the variance's standard error is largest for the normal.
        return (
            abs(mean) / (self.std / math.sqrt(self.n)),
            abs(variance / self.std**2 - 1) * math.sqrt(self.n / 2),
        )


def _write_all(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[int]:
    """A descriptor to write to; what was written takes the path's place at the end, or leaves no trace."""
    target = Path(os.path.realpath(path))
    try:
        mode = _mode_of(target)
        _reap(target)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            try:
                if fcntl:
                    fcntl.flock(file, fcntl.LOCK_EX)  # tells a live file from a leftover
                if mode is not None:
                    os.fchmod(file, mode)
                yield file
                os.fsync(file)
                os.replace(temporary, target)
            finally:
                os.close(file)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, os.strerror(error.errno), str(path)) from error


def _mode_of(target: Path) -> int | None:
    """Permissions of the regular file at the target, None if there is nothing; OSError for anything else."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return stat.S_IMODE(mode)


def _reap(target: Path) -> None:
    """Remove what killed writers of the same file left: parts that nobody holds a lock on."""
    if not fcntl:
        return
    for name in os.listdir(target.parent):
        if not (name.startswith(f".{target.name}.") and name.endswith(".part")):
            continue
        with contextlib.suppress(OSError):
            leftover = os.open(target.with_name(name), os.O_WRONLY)
            try:
                fcntl.flock(leftover, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(target.with_name(name))
            finally:
                os.close(leftover)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
