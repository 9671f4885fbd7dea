"""One number for a tensor, a part of one, a whole model or its files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from ..arguments import file_path
from ..drawing.checksum import total
from ..drawing.memory import empty, readable
from ..drawing.streams import Seed, resolve_seed
from ..dtypes import Array, is_integer
from ..plans.plan import Plan
from .comparison import stored

_CHUNK_BYTES = 4 << 20


def checksum(
    values: Any,
    *,
    name: str = "",
    shape: int | Sequence[int] | None = None,
    block: Any = ...,
    seed: Seed = None,
) -> int:
    """An integer in [0, 2**64) that depends on every bit of the values and on the place of each in the whole tensor.

    The checksums of parts that make up the whole sum to its checksum, modulo 2**64: processes can compare what they hold
    without gathering it. A model's checksum is the sum of its tensors', each under its name. Checksums find faults; they do
    not protect against forgery. `fastinit.torch.checksum` is that of a model that many processes hold.

    Of complex values it is that of their parts, along one more axis.

    It is the sum of h(h(key + i) ^ bits) over the elements, where i is the C-order index in the whole tensor, h the
    finaliser of SplitMix64 (Steele et al. 2014, https://doi.org/10.1145/2714064.2660195) and the key 64 bits of BLAKE2b of
    the name.

    Parameters
    ----------
    values
        An array or CPU tensor of a dtype that can be drawn: ``whole[block]`` of a tensor of this ``shape``. Or a model: a
        mapping of names to arrays or CPU tensors, of which those that are one memory count once, under the first name; the
        path of a safetensors file, or of a folder of them with Hugging Face's index; or a plan, whose values are
        drawn piece by piece. As in `verify`, integers and bools do not count.
    name
        The tensor's name.
    shape, block
        The shape of the whole tensor, and which part of it the array is; by default, the array is the whole.
    seed
        The seed of a plan's values.

    Raises
    ------
    TypeError, ValueError
        For an array of another dtype, or one that does not fit ``shape`` and ``block``; for a plan without a seed; for
        an argument that such values do not take.
    IndexError
        For a block out of range.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import fastinit as fi
    >>> w = np.arange(12, dtype=np.float32).reshape(3, 4)
    >>> parts = [checksum(w[:, :2], shape=(3, 4), block=np.s_[:, :2]), checksum(w[:, 2:], shape=(3, 4), block=np.s_[:, 2:])]
    >>> sum(parts) % 2**64 == checksum(w)
    True
    >>> plan = fi.plan({"fc.weight": (4, 8), "fc.bias": (4,)})
    >>> checksum(plan, seed=0) == checksum(fi.init(plan, seed=0))
    True
    """
    if isinstance(values, Plan | Mapping | str | os.PathLike) and (
        name or shape is not None or block is not ...
    ):
        raise TypeError("name, shape and block are of a single tensor, but values are a model")
    if isinstance(values, Plan):
        if seed is None:
            raise TypeError("the values of a plan need a seed")
        return _of_plan(values, resolve_seed(seed)) % 2**64
    if seed is not None:
        raise TypeError(f"seed is for a plan, not for {type(values).__name__}")
    if isinstance(values, Mapping):
        return sum(total(array, each) for each, array in _distinct(values)) % 2**64
    if isinstance(values, str | os.PathLike):
        return _of_files(values) % 2**64
    return total(readable(values, "values"), name, shape, block) % 2**64


def _of_plan(plan: Plan, seed: int) -> int:
    buffers = repeat(empty((_CHUNK_BYTES // 8,), "float64"))
    return sum(
        _of_pieces(plan.chunks(name, buffers, seed=seed), name, row.shape) for name, row in plan.items()
    )


def _of_files(path: str | os.PathLike[str]) -> int:
    result, buffer = 0, empty((_CHUNK_BYTES // 8,), "float64")
    for name, tensor in stored(file_path("values", path)).items():
        if is_integer(tensor.dtype):
            continue
        if tensor.dtype is None:
            raise ValueError(f"{tensor.file}: {name!r} has dtype {tensor.extent.code}, which has no checksum")
        result += _of_pieces(tensor.pieces(buffer), name, tensor.shape)
    return result


def _of_pieces(pieces: Iterable[Array], name: str, shape: tuple[int, ...]) -> int:
    """Of a tensor's values in C order, some at a time."""
    result, at, size = 0, 0, math.prod(shape)
    for piece in pieces:
        result += total(piece, name, size, slice(at, at + len(piece)))
        at += len(piece)
    return result


def _distinct(tensors: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    """The tensors that are not of integers, each once: tied ones are one memory under several names."""
    seen: set[object] = set()
    for name, tensor in tensors.items():
        if is_integer(getattr(tensor, "dtype", None)):
            continue
        array = readable(tensor, f"values[{name!r}]")
        place = (array.ctypes.data, array.shape, array.strides, array.dtype)
        if place not in seen:
            yield name, array
        seen.add(place)
