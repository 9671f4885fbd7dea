"""A distribution, a stream and a place in memory -> values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from .. import _core, cuda
from ..arguments import Shape, checked_shape
from ..dtypes import COMPLEX, Array, numpy_dtype
from ..laws.base import Kept
from ..laws.copies import drawn_as
from ..laws.distributions import WORDS, Distribution, Words
from ..laws.parts import of_reals
from ..laws.structured import Structured
from ..schemes.catalogue import Scheme
from ..schemes.names import Keywords, SchemeName
from ..schemes.resolve import resolve
from . import blocks, config, memory, streams, structured
from .blocks import Block
from .prepared import prepared
from .spread import spread
from .streams import Seed

_Out = TypeVar("_Out")


class Part(NamedTuple):
    """A part of a tensor to be drawn into memory; all has been checked."""

    to: memory.Memory
    law: Any
    name: str
    whole: tuple[int, ...]
    block: Block

    @property
    def nbytes(self) -> int:
        """What drawing takes: a structured law is computed whole."""
        return math.prod(self.whole if isinstance(self.law, Structured) else self.to.shape) * self.to.itemsize


def part_of(
    to: memory.Memory, law: Distribution | Words, name: str, whole: tuple[int, ...], block: Block
) -> Part:
    """What is to be written to the memory for ``whole[block]`` of a tensor; see `fastinit.fill`."""
    _check_shape(to, whole, block)
    if isinstance(law, Kept):
        raise TypeError(f"{law} is not a distribution to draw from: the tensor keeps what it holds")
    law, name = drawn_as(law, name)
    law, whole = of_reals(law, whole, to.dtype)
    if to.dtype in COMPLEX:
        to, block = to.parts(), blocks.of_parts(block)
    if prepared(law, to.dtype) is None and structured.library_of(to, law, whole, block) is None:
        numpy_dtype(to.dtype)  # needs ml_dtypes for bfloat16
        memory.check_copy(to)
    if to.place is not None and (missing := cuda.missing()):
        raise ModuleNotFoundError(missing)
    streams.encoded_name(name)
    return Part(to, law, name, whole, block)


def _check_shape(to: memory.Memory, whole: tuple[int, ...], block: Block) -> None:
    asked = whole if block is ... else blocks.block_shape(block, whole)
    if asked != to.shape:
        what = "shape" if block is ... else "block"
        raise ValueError(f"out has shape {to.shape}, but {what} asks for {asked}")


def draw(
    to: memory.Memory,
    law: Distribution | Words,
    ready: _core.Law | None,
    seed: Seed,
    name: str,
    whole: tuple[int, ...],
    block: Block,
    threads: int | None,
) -> None:
    """Write the values of a part of a tensor into memory; `ready` is the law as `prepared`. All is checked before the
    first write.
    """
    n_threads = config.threads_for(threads)
    # Last of the checks is the seed: a Generator moves on only when values are drawn.
    if ready is not None and to.place is None:
        if block is not ... or whole != to.shape:
            _check_shape(to, whole, block)
        streams.encoded_name(name)
        number = streams.resolve_seed(seed)
        axes = _axes(to, whole, block)
        _core.draw(config.ISA, ready, streams.key(number, name), to.address, axes, n_threads)
    else:
        part = part_of(to, law, name, whole, block)
        batch = Batch(streams.resolve_seed(seed))
        batch.add(part)
        batch.run(n_threads)


def _axes(to: memory.Memory, whole: tuple[int, ...], block: Block) -> int | blocks.Axes:
    """How the core is to walk the memory."""
    if block is ... and to.contiguous:
        return math.prod(to.shape)
    return blocks.axes(whole, block, to.strides, to.itemsize)


class Batch:
    """Tensors that are drawn at once, under one seed: added, and checked, one by one; then written by `run`."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._jobs = _core.Jobs(config.ISA)
        self._launches: list[cuda.Draw] = []
        self._structured: list[Part] = []
        self._owners: list[object] = []  # of the memory, until all is written

    def new(self, shape: tuple[int, ...], dtype: str, law: Distribution, name: str) -> Array:
        """A new array, to be written by `run`."""
        array, ready = memory.empty(shape, dtype), prepared(law, dtype)
        if ready is not None:  # at once: a model may have many small ones
            key, address = streams.key(self.seed, name), memory.address_of(array)
            self._jobs.add(ready, key, address, array.size)
            self._owners.append(array)
        else:
            self.add(part_of(memory.target(array), law, name, shape, ...))
        return array

    def add(self, part: Part) -> None:
        to, law, name, whole, block = part
        if 0 in to.shape:
            return
        ready = prepared(law, to.dtype)
        if ready is None:
            self._structured.append(part)
            return
        key = streams.key(self.seed, name)
        if to.place is not None:
            axes = blocks.axes(whole, block, to.strides, to.itemsize)
            launch = cuda.Draw(to.place, law.law, law.parameters, to.dtype, key, to.address, axes)
            self._launches.append(launch)
        else:
            self._jobs.add(ready, key, to.address, _axes(to, whole, block))
            self._owners.append(to.owner)

    def run(self, threads: int) -> None:
        """Write all values: what the kernels draw in one call of the core, what GPUs draw in one of their queues."""
        if self._launches:
            cuda.draw(self._launches)
        if self._owners:
            self._jobs.run(threads)
        if not self._structured:
            return

        def compute(part: Part, threads: int) -> None:
            structured.write(*part, self.seed, threads)

        spread(self._structured, compute, threads, beside=lambda part: part.to.place is None)


def fill(
    out: _Out,
    scheme: SchemeName | Scheme | Distribution,
    *,
    seed: Seed = None,
    name: str = "",
    shape: Shape | None = None,
    block: Block = ...,
    threads: int | None = None,
    **numbers: Unpack[Keywords],
) -> _Out:
    """Fill an array or tensor in place, by a scheme's name or from a distribution.

    Equal seed and name give equal values: give each parameter its name.

    Parameters
    ----------
    out : array
        A NumPy array (views and memory maps too), a CPU tensor that speaks DLPack, such as torch's, or an array on an
        NVIDIA GPU (torch's, CuPy's), which its processor fills, in the order of its owner's stream.
    scheme : str, Scheme or distribution
        A scheme's name, its row (see `fastinit.schemes.scheme`), or a distribution as `distribution` returns it.
    seed : int, SeedSequence, Generator or None
        An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the operating system.
    name : str
        The parameter's name. It chooses the stream, with the seed.
    shape, block
        Which part of which whole tensor `out` is: ``whole[block]`` of a tensor of this shape. By default `out` is the
        whole. Fans are the whole tensor's.
    threads : int, optional
        How many threads may draw. By default `get_num_threads`. The values do not depend on it.
    **numbers
        The scheme's own keywords, such as ``gain``, and those of `fastinit.fans` that it heeds, such as ``layout``.

    Returns
    -------
    array
        `out` itself.

    Raises
    ------
    TypeError
        For a target that cannot be filled, a keyword that the scheme does not take, or one of the wrong type.
    ValueError
        For an unknown scheme or a wrong value. Nothing is written then.

    Examples
    --------
    >>> import numpy as np
    >>> w = np.empty((3, 5), dtype=np.float32)
    >>> fill(w, "xavier_uniform", seed=0, name="head.weight", gain=5 / 3) is w
    True
    """
    to = memory.target(out)
    whole = to.shape if shape is None else checked_shape(shape)
    if isinstance(scheme, str):
        law, ready = resolved(scheme, whole, _OF_FILL, to.dtype, numbers)
    elif isinstance(scheme, Scheme):
        law = resolve(scheme, whole, numbers, _OF_FILL, to.dtype)
        ready = prepared(law, to.dtype)
    elif not isinstance(scheme, Distribution):
        raise TypeError(f"scheme must be a scheme's name or a distribution, not {scheme!r}")
    elif numbers:
        raise TypeError(f"a distribution takes no further keywords, got {', '.join(numbers)}")
    else:
        law, ready = scheme, prepared(scheme, to.dtype)
    draw(to, law, ready, seed, name, whole, block, threads)
    return out


_OF_FILL = ("seed", "name", "shape", "block", "threads")


def resolved(
    scheme: str, shape: tuple[int, ...], beside: tuple[str, ...], dtype: str, numbers: Mapping[str, Any]
) -> tuple[Distribution, _core.Law | None]:
    """The scheme's distribution for a shape and a dtype, and what the kernels take of it."""
    try:
        return _resolved(scheme, shape, beside, dtype, **numbers)
    except TypeError:  # perhaps of a number that has no hash
        return _resolved.__wrapped__(scheme, shape, beside, dtype, **numbers)


@lru_cache(maxsize=4096, typed=True)  # True is not 1 here
def _resolved(
    scheme: str, shape: tuple[int, ...], beside: tuple[str, ...], dtype: str, /, **numbers: Any
) -> tuple[Distribution, _core.Law | None]:
    law = resolve(scheme, shape, numbers, beside, dtype)
    return law, prepared(law, dtype)


def random_bits(
    shape: Shape,
    *,
    seed: Seed = None,
    name: str = "",
    block: Block = ...,
    threads: int | None = None,
) -> NDArray[np.uint32]:
    """Raw 32-bit words of the stream: element i is word ``i & 3`` of Philox block ``i >> 2``.

    >>> random_bits(2, seed=0, name="x").dtype
    dtype('uint32')
    """
    whole = checked_shape(shape)
    to = memory.new(blocks.block_shape(block, whole), "float32")
    draw(to, WORDS, prepared(WORDS, to.dtype), seed, name, whole, block, threads)
    values: Any = to.owner
    return values.view(np.uint32)  # type: ignore[no-any-return]
