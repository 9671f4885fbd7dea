"""Draws on a device: launches, of which short ones are batched, and copies of what the host has drawn."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from .._core import law_argument, stream_argument
from ..dtypes import DTYPES
from . import driver
from .compiling import Kernels
from .driver import Place
from .launches import ONE_ROW, PIECES, Axis, Box, Run, launches

CREW = 256  # the threads that CUDA calls a block
_CREWS = 8  # of a launch to each multiprocessor, before a crew draws more than it must
_MOST_ROUNDS = 32
_SHORT = 1 << 16  # units of runs that share a launch: up to 1 MiB


class Draw(NamedTuple):
    """What is to be drawn into the memory of a device."""

    place: Place
    law: str
    parameters: tuple[float, ...]
    dtype: str
    key: bytes
    address: int
    axes: Sequence[Axis]


_Piece = tuple[bytes, Run]


@lru_cache(maxsize=4096)
def law_of(law: str, dtype: str, parameters: tuple[float, ...]) -> tuple[Kernels, bytes]:
    kernel, shortcut, argument = law_argument(law, dtype, parameters)
    return Kernels(kernel, dtype, shortcut), argument


def draw(draws: Iterable[Draw]) -> None:
    """Queue the draws on the streams of their places, and return. Short runs of one law and dtype share launches."""
    short: dict[tuple[Place, Kernels, bytes], list[_Piece]] = defaultdict(list)
    for place, name, parameters, dtype, key, address, axes in draws:
        kernels, law = law_of(name, dtype, parameters)
        for part in launches(axes, address, dtype):
            if isinstance(part, Run) and part.rows is None and part.units < _SHORT:
                short[place, kernels, law].append((key, part))
            else:
                _launch(place, kernels, law, key, part)
    for (place, kernels, law), pieces in short.items():
        for first in range(0, len(pieces), PIECES):
            few = pieces[first : first + PIECES]
            if len(few) == 1:
                _launch(place, kernels, law, *few[0])
            else:
                _launch_batch(place, kernels, law, few)


def copy(place: Place, address: int, values: bytes | memoryview) -> None:
    """Queue a copy of the host's bytes. The driver has taken them when this returns."""
    with driver.Current(place.ordinal):
        driver.call("cuMemcpyHtoDAsync", address, values, len(values), driver.api().CUstream(place.stream))


def _launch(place: Place, kernels: Kernels, law: bytes, key: bytes, part: Run | Box) -> None:
    with driver.Current(place.ordinal) as device:
        if isinstance(part, Run):
            stream, shared = stream_argument(key, part.block >> 32)
            rounds, crews = crews_for(device, _thread_units(kernels.dtype), part.all_units)
            rows = part.rows.packed() if part.rows else ONE_ROW
            arguments = [law, stream, shared, part.packed(), rows, struct.pack("<I", rounds)]
            kernel = driver.kernel(kernels, device.arch, "run")
        else:
            stream, _ = stream_argument(key, 0)
            rounds, crews = crews_for(device, 1, part.units)
            arguments = [law, stream, part.packed(rounds)]
            kernel = driver.kernel(kernels, device.arch, "box")
        driver.launch(kernel, crews, CREW, arguments, place.stream)


def _launch_batch(place: Place, kernels: Kernels, law: bytes, pieces: Sequence[_Piece]) -> None:
    with driver.Current(place.ordinal) as device:
        units = [run.all_units for _, run in pieces]
        each = _thread_units(kernels.dtype)
        rounds, _ = crews_for(device, each, sum(units))
        first_crews, crews = [], 0
        for n in units:
            first_crews.append(crews)
            crews += -(-n // (CREW * each * rounds))
        packed = b"".join([run.packed() + key for key, run in pieces])
        table = packed.ljust(len(packed) // len(pieces) * PIECES, b"\0")
        places = struct.pack(f"<{len(units)}I", *first_crews).ljust(4 * PIECES, b"\0")
        argument = table + places + struct.pack("<II", len(pieces), rounds)
        kernel = driver.kernel(kernels, device.arch, "batch")
        driver.launch(kernel, crews, CREW, [law, argument], place.stream)


def _thread_units(dtype: str) -> int:
    """The units that a thread of a run draws at a time, as csrc/unit_cuda.h has it."""
    return 1 if DTYPES[dtype].size == 1 else 2


def crews_for(device: driver.Device, each: int, units: int) -> tuple[int, int]:
    """(rounds of a crew, crews) for so many units, of which a thread draws ``each`` at a time."""
    at_once = CREW * each
    rounds = max(1, min(_MOST_ROUNDS, units // (at_once * device.multiprocessors * _CREWS)))
    return rounds, -(-units // (at_once * rounds))
