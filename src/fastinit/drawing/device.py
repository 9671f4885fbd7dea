"""Arrays in the memory of an NVIDIA GPU: the stream on which their owner works, and copies of what the host has drawn."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from .. import cuda
from ..dtypes import Array
from .memory import Memory

_LEGACY_STREAM = 1  # the driver's number of the default stream, which waits for others and they for it


def stream_of(out: Any, ordinal: int) -> int:
    """The stream on which the owner of an array works: torch's and CuPy's current one, else the default stream."""
    torch = sys.modules.get("torch")  # never imported for this
    if torch is not None and isinstance(out, getattr(torch, "Tensor", ())):
        return int(torch.cuda.current_stream(ordinal).cuda_stream) or _LEGACY_STREAM
    stream = getattr(out, "__cuda_array_interface__", {}).get("stream")
    return _LEGACY_STREAM if stream is None else int(stream)


def upload(to: Memory, values: Array) -> None:
    """Queue a copy of an array of the host to a device's memory, which has no gaps (see `check_dense`)."""
    assert to.place is not None
    in_memory = np.ascontiguousarray(values.transpose(_order(to)))
    cuda.copy(to.place, to.address, in_memory.view(np.uint8).reshape(-1).tobytes())
