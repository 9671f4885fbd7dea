"""Streams: (seed, name) -> the 128-bit key that every value of that parameter is drawn under."""

from __future__ import annotations

import operator
import os
from typing import TypeAlias

import numpy as np

from .. import _core

Seed: TypeAlias = "int | np.integer | np.random.SeedSequence | np.random.Generator | None"

STREAM_VERSION = int(_core.STREAM_TAG.split()[-1].rstrip(b"\0"))

key = _core.key


def resolve_seed(seed: Seed) -> int:
    """The integer in [0, 2**64) that ``seed`` stands for.

    An integer stands for itself, a ``SeedSequence`` for its first 64-bit word, a ``Generator`` for the next
    one it draws, and None for fresh entropy from the operating system.

    Raises
    ------
    TypeError
        for anything else, booleans and floats included.
    ValueError
        for an integer outside [0, 2**64).

    Examples
    --------
    >>> resolve_seed(np.uint64(7))
    7
    """
    if type(seed) is int and 0 <= seed < 2**64:
        return seed
    if seed is None:
        return int.from_bytes(os.urandom(8))
    if isinstance(seed, np.random.SeedSequence):
        return int(seed.generate_state(1, np.uint64)[0])
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(0, 2**64, dtype=np.uint64))
    if isinstance(seed, (bool, np.bool_)):
        raise TypeError(f"seed must be an integer, not {seed!r}")
    try:
        value = operator.index(seed)
    except TypeError:
        raise TypeError(
            f"seed must be an integer, SeedSequence, Generator or None, not {type(seed).__name__}: {seed!r}"
        ) from None
    if not 0 <= value < 2**64:
        raise ValueError(f"seed must be in [0, 2**64), not {value}")
    return value


def around_the_seed(name: str) -> tuple[bytes, bytes]:
    """What is hashed before and after the seed's eight bytes."""
    encoded = encoded_name(name)
    return _core.STREAM_TAG, len(encoded).to_bytes(8, "little") + encoded


def encoded_name(name: str, argument: str = "name") -> bytes:
    """The name in UTF-8; TypeError or ValueError for what has no such form."""
    try:
        return str.encode(name)
    except TypeError:
        raise TypeError(f"{argument} must be a str, not {name!r} ({type(name).__name__})") from None
    except UnicodeEncodeError:
        raise ValueError(f"{argument} must be Unicode text, got {name!r}") from None
