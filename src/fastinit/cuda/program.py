"""Draws in programs of XLA: what the custom call (csrc/xla_cuda.c) launches is decided, compiled and loaded before they run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from threading import Lock
from typing import NamedTuple

import numpy as np

from .. import _core
from ..dtypes import Array
from . import driver
from .compiling import Kernels, source
from .drawing import CREW, crews_for, law_of
from .launches import Axis, boxes

_adding = Lock()


class Launches(NamedTuple):
    """The attributes of a call: the kernels' name, boxes as the kernels take them, and how many crews draw each."""

    kernels: str
    boxes: Array
    crews: Array


def launches_for(
    ordinals: Sequence[int],
    law: str,
    parameters: tuple[float, ...],
    dtype: str,
    axes: Sequence[Axis],
    tensors: int,
) -> Launches:
    """The launches that draw so many tensors' parts of these axes on any of the devices, which have their kernels then."""
    kernels, _ = law_of(law, dtype, parameters)
    with _adding:
        names = [_load(kernels, ordinal) for ordinal in ordinals]
    packed, crews = [], []
    for box in boxes(axes, dtype) if tensors and all(axis[0] for axis in axes) else ():
        rounds, _ = crews_for(driver.device(ordinals[0]), 1, box.units * tensors)
        packed.append(box.packed(rounds))
        crews.append(-(-box.units // (CREW * rounds)))
    return Launches(names[0], np.frombuffer(b"".join(packed), np.int64), np.array(crews, np.int64))


@cache
def _load(kernels: Kernels, ordinal: int) -> str:
    """Their name. It has a digest of their text, because programs are kept longer than processes."""
    _connect()
    name = f"{kernels.name('keyed')} {sha256(source().encode()).hexdigest()}"
    with driver.Current(ordinal) as device:
        pair = [driver.function(kernels, device.arch, kind) for kind in ("origins", "keyed")]
        _core.xla_cuda_kernels(name.encode(), int(device.context), *pair)
    return name


@cache
def _connect() -> None:
    names = ("cuStreamGetCtx", "cuCtxPushCurrent", "cuCtxPopCurrent", "cuLaunchKernel")
    _core.xla_cuda_driver(tuple([driver.address(name) for name in names]))
