"""A distribution, a stream and a place in memory -> values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from .. import _core, cuda
from ..arguments import Shape, checked_shape
from ..dtypes import COMPLEX, Array, numpy_dtype
from ..laws.distributions import WORDS, Distribution, Words
from ..laws.parts import of_reals
from ..laws.structured import Stream, Structured
from ..schemes.catalogue import Scheme
from ..schemes.names import Keywords, SchemeName
from ..schemes.resolve import resolve
from . import blocks, config, memory, streams
from .blocks import Block
from .streams import Seed

_Out = TypeVar("_Out")

# From here on the target does not fit a core's cache, and stores go past it.
STREAMING_BYTES = 4 << 20


def draw(
    to: memory.Memory,
    law: Distribution | Words,
    seed: Seed,
    name: str,
    shape: Shape | None,
    block: Block,
    threads: int | None,
) -> None:
    """Write the values of a part of a tensor into memory; see `fastinit.fill`. All is checked before the first write."""
    whole = to.shape if shape is None else checked_shape(shape)
    part = whole if block is ... else blocks.block_shape(block, whole)
    if part != to.shape:
        what = "shape" if block is ... else "block"
        raise ValueError(f"out has shape {to.shape}, but {what} asks for {part}")
    n_threads = config.threads_for(threads)
    law, whole = of_reals(law, whole, to.dtype)
    if to.dtype in COMPLEX:
        to, block = to.parts(), blocks.of_parts(block)
    part = to.shape
    parameters: tuple[float, ...] = ()
    if isinstance(law, Structured):
        numpy_dtype(to.dtype)  # needs ml_dtypes for bfloat16
        memory.check_copy(to)
    else:
        parameters = checked_parameters(law, to.dtype)
    if to.place is not None and (missing := cuda.missing()):
        raise ModuleNotFoundError(missing)
    # Last of the checks: a Generator given as the seed moves on only when values are drawn.
    streams.encoded_name(name)
    number = streams.resolve_seed(seed)
    size = math.prod(part)
    if size == 0:
        return
    if isinstance(law, Structured):
        memory.write(to, _structured(law, whole, block, number, name, to.dtype, n_threads))
        return
    if to.place is not None:
        cuda.draw([device_draw(to, law, number, name, whole, block)])
        return
    axes, key = _axes(to, whole, block), streams.key(number, name)
    streaming = size * to.itemsize >= STREAMING_BYTES
    _core.fill(law.law, parameters, key, to.dtype, to.address, axes, n_threads, streaming, config.ISA)


def _axes(to: memory.Memory, whole: tuple[int, ...], block: Block) -> tuple[blocks.Axis, ...]:
    if block is ... and to.contiguous:
        return blocks.contiguous(math.prod(to.shape), to.itemsize)
    return blocks.axes(whole, block, to.strides, to.itemsize)


def device_draw(
    to: memory.Memory, law: Distribution | Words, seed: int, name: str, whole: tuple[int, ...], block: Block
) -> cuda.Draw:
    """What `draw` queues for memory of a GPU, to be queued with others; all has been checked."""
    assert to.place is not None
    axes, key = _axes(to, whole, block), streams.key(seed, name)
    parameters = checked_parameters(law, to.dtype)
    return cuda.Draw(to.place, law.law, parameters, to.dtype, key, to.address, axes)


def _structured(
    law: Structured, shape: tuple[int, ...], block: Block, seed: int, name: str, dtype: str, threads: int
) -> Array:
    """The block of the whole tensor; narrow dtypes are rounded from float32 once, at the end."""

    def stream(name: str) -> Stream:
        key = streams.key(seed, name)

        def piece(law: Any, first: int, shape: tuple[int, ...], dtype: str) -> Array:
            array = memory.empty(shape, dtype)
            axes = ((array.size, 1, array.itemsize, ((0, first),)),)
            address, parameters = memory.target(array).address, checked_parameters(law, dtype)
            _core.fill(law.law, parameters, key, dtype, address, axes, threads, False, config.ISA)
            return array

        def other(of: str) -> Stream:
            local = of.lstrip(".")
            within = name.split(".")[: len(local) - len(of) - 1]
            return stream(".".join([*within, local]))

        return Stream(piece, "float64" if dtype == "float64" else "float32", other)

    with np.errstate(over="ignore", invalid="ignore"):
        whole = law.values(shape, stream(name))
        values: Array = whole[block].astype(numpy_dtype(dtype), copy=False)
    if not np.isfinite(values).all():
        raise ValueError(f"{law} has values too large for {dtype}")
    return values


@lru_cache(maxsize=4096)
def checked_parameters(law: Distribution | Words, dtype: str) -> tuple[float, ...]:
    """The law's parameters, if it can be drawn in the dtype; models draw from few laws many times."""
    try:
        _core.check(law.law, dtype, law.parameters)
    except ValueError as error:
        raise ValueError(f"{law} {error} ({dtype})") from None
    return law.parameters


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
        distribution = distribution_of(scheme, whole, numbers, _OF_FILL, to.dtype)
    elif isinstance(scheme, Scheme):
        distribution = resolve(scheme, whole, numbers, _OF_FILL, to.dtype)
    elif not isinstance(scheme, Distribution):
        raise TypeError(f"scheme must be a scheme's name or a distribution, not {scheme!r}")
    elif numbers:
        raise TypeError(f"a distribution takes no further keywords, got {', '.join(numbers)}")
    else:
        distribution = scheme
    draw(to, distribution, seed, name, None if shape is None else whole, block, threads)
    return out


_OF_FILL = ("seed", "name", "shape", "block", "threads")


def distribution_of(
    scheme: str, shape: tuple[int, ...], numbers: Mapping[str, Any], beside: tuple[str, ...], dtype: str
) -> Distribution:
    typed = tuple([(key, type(value), value) for key, value in numbers.items()])  # True is not 1 here
    try:
        hash(typed)
    except TypeError:
        return resolve(scheme, shape, numbers, beside, dtype)
    return _cached(scheme, shape, typed, beside, dtype)


@lru_cache(maxsize=4096)
def _cached(
    scheme: str,
    shape: tuple[int, ...],
    typed: tuple[tuple[str, type, Any], ...],
    beside: tuple[str, ...],
    dtype: str,
) -> Distribution:
    return resolve(scheme, shape, {key: value for key, _, value in typed}, beside, dtype)


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
    array = memory.empty(blocks.block_shape(block, whole), "float32")
    draw(memory.target(array), WORDS, seed, name, whole, block, threads)
    return array.view(np.uint32)
