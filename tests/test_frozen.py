"""Stream version 1 is frozen: whatever draws the lines of tests/vectors/golden.txt has their bits."""

from __future__ import annotations

import golden
import numpy as np
import pytest
import reference
from conftest import BITS, ISAS, fill_jobs
from cuda_stand_in import HostDriver
from golden import Elementwise, Near, Whole, check, digest
from test_bits import bits_reference, by_the_page
from test_structured import FOLLOWS_NUMPY
from webassembly import Answers, call, described, number, values

from fastinit import _core, cuda
from fastinit.drawing import blocks, streams
from fastinit.dtypes import COMPLEX
from fastinit.laws import base

ELEMENTWISE: list[Elementwise] = golden.lines(Elementwise)
WHOLE: list[Whole] = golden.lines(Whole)
NEAR: list[Near] = golden.lines(Near)


def axes_of(line: Elementwise, first: int, out: np.ndarray) -> blocks.Axes:
    """Where the elements of the block lie in an array of their own, from index `first` on if there is one axis."""
    if len(line.shape) == 1:
        return ((out.size, 1, out.itemsize, ((0, first),)),)
    return blocks.axes(line.shape, line.block, out.strides, out.itemsize)


@pytest.mark.parametrize("isa", range(len(ISAS)), ids=ISAS)
@pytest.mark.parametrize("line", ELEMENTWISE, ids=str)
def test_cpu(line: Elementwise, isa: int) -> None:
    for dtype in line.sha256:
        out, key = np.zeros(line.part, BITS[dtype]), streams.key(line.seed, line.name)
        axes = axes_of(line, int(line.indices[0]), out)
        fill_jobs([(line.law, line.parameters, key, dtype, out.ctypes.data, axes, False)], 3, isa)
        check(digest(out), line.sha256[dtype], f"{line} in {dtype}, by {ISAS[isa]},")


@pytest.mark.parametrize("line", ELEMENTWISE, ids=str)
def test_text_of_the_gpus_kernels(line: Elementwise, gpu: HostDriver) -> None:
    """On the host. Runs begin where the fast kernels do, at a multiple of 16 elements."""
    for dtype in line.sha256:
        before = int(line.indices[0]) % 16 if len(line.shape) == 1 else 0
        part = (before + line.part[0], *line.part[1:])
        out, key = np.zeros(part, BITS[dtype]), streams.key(line.seed, line.name)
        axes = axes_of(line, int(line.indices[0]) - before, out)
        cuda.draw([cuda.Draw(cuda.Place(0, 7), line.law, line.parameters, dtype, key, out.ctypes.data, axes)])
        check(digest(out[before:]), line.sha256[dtype], f"{line} in {dtype}, by the GPU's kernels,")


def test_webassembly(answers: Answers) -> None:
    cases, calls = [], []
    for line in [line for line in ELEMENTWISE if line.indices.max() < 2**60]:  # as many as a tensor may have
        starts = np.flatnonzero(np.diff(line.indices, prepend=line.indices[:1] - 2) != 1)
        ends = [*starts[1:], line.indices.size]
        for dtype in line.sha256:
            cases.append((line, dtype, len(starts)))
            calls += [
                call(described(line.law, line.parameters), dtype, seed=number(line.seed), name=line.name,
                     index=number(int(line.indices[start])), count=int(end - start))
                for start, end in zip(starts, ends, strict=True)
            ]  # fmt: skip
    found = iter(answers(calls))
    for line, dtype, runs in cases:
        drawn = [values(next(found), dtype) for _ in range(runs)]
        check(digest(np.concatenate(drawn)), line.sha256[dtype], f"{line} in {dtype}, by WebAssembly,")


@pytest.mark.parametrize("line", [line for line in ELEMENTWISE if line.indices.size <= 5000], ids=str)
def test_the_page(line: Elementwise) -> None:
    """By the program that was written from only docs/bits.md, which is slow: of many values it draws one dtype."""
    dtypes = sorted(line.sha256)
    for dtype in dtypes if line.indices.size < 2000 else [dtypes[ELEMENTWISE.index(line) % len(dtypes)]]:
        drawn = by_the_page(line.law, line.parameters, dtype, line.seed, line.name, line.indices)
        check(digest(drawn), line.sha256[dtype], f"{line} in {dtype}, by docs/bits_reference.py,")
    bits_reference.block.cache_clear()


@pytest.mark.parametrize("line", WHOLE, ids=str)
def test_whole_tensors(line: Whole) -> None:
    check(golden.drawn(line.draws, line.dtypes), line.sha256, str(line))


@pytest.mark.parametrize("line", NEAR, ids=str)
def test_all_but_the_last_bits(line: Near) -> None:
    drawn = golden.values(line.law, line.shape, "float64")
    assert np.abs(drawn.ravel() - line.values).max() < 1e-12


def test_nothing_is_left_out() -> None:
    """Every law in every dtype that has it, and what is easily forgotten."""
    drawn = {(line.law, dtype) for line in ELEMENTWISE for dtype in line.sha256}
    assert drawn == {
        (law, dtype)
        for law in _core.LAWS
        for dtype in _core.DTYPES
        if law != "bits" or BITS[dtype].itemsize > 2
    }
    kinds = {law["law"] for line in WHOLE for law, _ in line.draws}
    near = {line.law["law"] for line in NEAR}
    assert near == {*FOLLOWS_NUMPY, "norms", "singular_vector"}
    elementwise = {"constant", "uniform", "normal", "truncated_normal"}
    shipped = {name for name, kind in base._KINDS.items() if kind.__module__.startswith("fastinit.")}
    assert kinds | near | elementwise == shipped - {"kept"}
    for dtype in COMPLEX:
        assert len([line for line in WHOLE if dtype in line.dtypes]) > 10
    seeds, names = ({line.seed for line in ELEMENTWISE}, {line.name for line in ELEMENTWISE})
    assert {0, 2**64 - 1} <= seeds and "" in names and not all(map(str.isascii, names))
    indices = [line.indices for line in ELEMENTWISE]
    assert max(int(some.max()) for some in indices) == 2**63 - 1
    drawn_from = [
        reference.words32(line.indices, streams.key(line.seed, line.name)).view(np.int32)
        for line in ELEMENTWISE
        if line.law == "truncated_normal"
    ]
    outermost = {0, 1, -1, 2**17, 2**17 - 1, -(2**17), 1 - 2**17, 2**31 - 1, -(2**31)}
    assert outermost <= {*np.concatenate(drawn_from).tolist()}
