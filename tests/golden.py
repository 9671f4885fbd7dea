"""The lines of tests/vectors/golden.txt, and what is said when bits differ from them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from conftest import ROOT

import fastinit as fi
from fastinit.drawing import memory
from fastinit.dtypes import as_parts
from fastinit.laws import from_dict

PATH = ROOT / "tests" / "vectors" / "golden.txt"
MEANING = """{what} has other bits than stream version 1, which is frozen.
If the change was not meant to change bits, it has a fault: mend it, and leave tests/vectors/golden.txt as it is. If it was, it
is stream version 2, which comes beside version 1 and not in its place: docs/versions.md says how."""


@dataclass(frozen=True)
class Elementwise:
    """A law whose elements are drawn one by one, a stream and a part of a tensor; a hash for each dtype."""

    law: str
    parameters: tuple[float, ...]
    seed: int
    name: str
    shape: tuple[int, ...]
    block: tuple[slice, ...]
    sha256: dict[str, str]

    @property
    def part(self) -> tuple[int, ...]:
        """The shape of the block."""
        return tuple([len(numbers) for numbers in self._numbers()])

    @cached_property
    def indices(self) -> np.ndarray:
        """Those of the block's elements in the whole tensor."""
        strides = [math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        runs = (
            [number * stride for number in numbers]
            for numbers, stride in zip(self._numbers(), strides, strict=True)
        )
        return np.array([sum(at) for at in product(*runs)], np.uint64)

    def _numbers(self) -> list[range]:
        return [range(*part.indices(length)) for part, length in zip(self.block, self.shape, strict=True)]

    def __str__(self) -> str:
        parts = ",".join(f"{s.start}:{s.stop}" + (f":{s.step}" if s.step else "") for s in self.block)
        return f"{self.law}{self.parameters}, seed {self.seed}, name {self.name!r}, [{parts}]"


@dataclass(frozen=True)
class Whole:
    """Whole tensors, each a distribution's JSON and a shape, in each of some dtypes, of seed 0 and name "weight"."""

    draws: list[tuple[dict[str, Any], tuple[int, ...]]]
    dtypes: list[str]
    sha256: str

    def __str__(self) -> str:
        return f"{'+'.join(sorted({law['law'] for law, _ in self.draws}))} in {', '.join(self.dtypes)}"


@dataclass(frozen=True)
class Near:
    """A float64 tensor of seed 0 and name "weight" whose last bits follow NumPy's library."""

    law: dict[str, Any]
    shape: tuple[int, ...]
    values: list[float]

    def __str__(self) -> str:
        return str(self.law["law"])


def parsed(line: str) -> Elementwise | Whole | Near:
    row = json.loads(line)
    if "values" in row:
        return Near(row["law"], tuple(row["shape"]), row["values"])
    if "draws" in row:
        return Whole([(law, tuple(shape)) for law, shape in row["draws"]], row["dtypes"], row["sha256"])
    law, *parameters = row["law"].values()
    block = tuple([slice(*extent) for extent in row["block"]])
    return Elementwise(law, tuple(map(float, parameters)), row["seed"], row["name"], tuple(row["shape"]), block,
                       row["sha256"])  # fmt: skip


def lines(kind: type[Any]) -> list[Any]:
    """Those of one kind."""
    return [line for line in map(parsed, written()) if isinstance(line, kind)]


def written() -> Iterator[str]:
    return (line for line in PATH.read_text().splitlines() if not line.startswith("#"))


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def check(found: str, wanted: str, what: str) -> None:
    """That a hash is that of the file."""
    assert found == wanted, MEANING.format(what=what)


def values(law: dict[str, Any], shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A tensor of a distribution, as float64; of complex ones the parts."""
    target = memory.empty(shape, dtype)
    drawn = fi.fill(target, from_dict(law), seed=0, name="weight")
    return as_parts(drawn).astype("<f8")


def drawn(draws: list[Any], dtypes: list[str]) -> str:
    """The hash of whole tensors."""
    return digest(
        np.concatenate([values(law, shape, dtype).ravel() for law, shape in draws for dtype in dtypes])
    )
