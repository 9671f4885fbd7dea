"""A checkpoint -> what its tensors are like, in one pass over the values."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..arguments import file_path
from ..checkpoints.header import origin_of
from ..drawing.memory import target
from ..dtypes import COMPLEX, dtype_name
from ..files import safetensors
from ..laws.parts import of_reals
from ..plans.lint import Finding
from ..plans.make import make_plan
from ..plans.model import Model, TensorSpec
from ..plans.parameter import Parameter
from ..plans.plan import Plan
from ..plans.recipe import RecipeLike, as_recipe
from ..schemes.fans import Fans, fans
from . import fit
from .findings import findings_in
from .measure import Measured, Source, measure_all
from .report import Inspection, TensorReport


def inspect(
    checkpoint: str | os.PathLike[str] | Mapping[str, Any],
    recipe: RecipeLike | Plan | None = None,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Inspection:
    """Measure every tensor of a checkpoint in one pass, and find what looks wrong.

    What no initialisation wants is always found: values that are not finite, weights of two axes or more that are all
    zero, rows that are equal bit for bit. With a recipe, also what its distributions do not give is found: another value,
    mean, std, range or shape, each beyond 6 standard errors. The shape is compared by range, skew, kurtosis and Pearson's
    test, whatever mean and std are.

    Parameters
    ----------
    checkpoint
        The path of a safetensors file, or of a folder of them with Hugging Face's index; or a mapping of names to arrays
        or CPU tensors. Arrays that are not contiguous are copied, tensors are refused. Files are read in chunks, never
        mapped, and may be larger than memory.
    recipe
        What the values should follow: a plan, or a recipe as `fastinit.plan` takes it. By default, what a file that
        fastinit wrote says in its header, and nothing for others.
    threads
        How many threads may measure; by default as `set_num_threads` says.
    progress
        Called with the bytes that are done and those of all.

    Returns
    -------
    Inspection
        The tensors' `TensorReport` by name, and what deviates.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        For a malformed file, or a recipe that does not fit the tensors.
    TypeError
        For anything other than a path or a mapping of arrays.

    Examples
    --------
    >>> import fastinit as fi
    >>> report = inspect({"fc.weight": fi.uniform((64, 64), low=-0.1, high=0.1, seed=0)}, "default")
    >>> report.tensors["fc.weight"].law
    'uniform'
    >>> [finding.kind for finding in report.tensors["fc.weight"].findings]
    ['std', 'distribution']
    """
    if isinstance(checkpoint, Mapping):
        sources, skipped = _arrays(checkpoint)
        return _inspect(sources, skipped, _plan(sources, recipe), threads, progress)
    path = file_path("checkpoint", checkpoint)
    read = safetensors.read_checkpoint(path)
    with contextlib.ExitStack() as stack:
        files = {file: stack.enter_context(open(file, "rb")) for file in read.headers}
        extents = [(files[file], extent) for file, extent in read.tensors.values()]
        sources = [Source(e.name, e.shape, e.dtype, e.begin, file) for file, e in extents if e.dtype]
        skipped = {e.name: e.code for _, e in extents if not e.dtype}
        try:
            own = origin_of(read.headers) if recipe is None else None
            plan = own.plan if own else _plan(sources, recipe)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        return _inspect(sources, skipped, plan, threads, progress)


def _arrays(arrays: Mapping[str, Any]) -> tuple[list[Source], dict[str, str]]:
    """The arrays to measure, and the dtypes of those that are not floats."""
    sources, skipped = [], {}
    for name, array in arrays.items():
        if not isinstance(name, str):
            raise TypeError(f"names in checkpoint must be strings, not {name!r}")
        try:
            if isinstance(array, np.ndarray):
                if array.dtype.kind in "biu":
                    skipped[name] = str(array.dtype)
                    continue
                array = np.ascontiguousarray(array).reshape(array.shape)
                source = Source(name, array.shape, dtype_name(array.dtype), array.ctypes.data, owner=array)
            else:
                memory = target(array)
                if not memory.contiguous:
                    raise ValueError("is not contiguous")
                source = Source(name, memory.shape, memory.dtype, memory.address, owner=memory)
        except (TypeError, ValueError) as error:
            raise type(error)(f"parameter {name!r}: {error}") from None
        sources.append(source)
    return sources, skipped


def _inspect(
    sources: list[Source],
    skipped: Mapping[str, str],
    plan: Plan | None,
    threads: int | None,
    progress: Callable[[int, int], None],
) -> Inspection:
    started = time.perf_counter()

    def report(source: Source, measured: Measured) -> TensorReport:
        parameter = None if plan is None else plan.parameters.get(plan.ties.get(source.name, source.name))
        return _report(source, measured, parameter)

    total = sum(source.nbytes for source in sources)
    reports = measure_all(sources, report, threads=threads, progress=lambda done: progress(done, total))
    return Inspection({r.name: r for r in reports}, skipped, None if plan is None else plan.source, total,
                      time.perf_counter() - started)  # fmt: skip


def _plan(sources: list[Source], recipe: RecipeLike | Plan | None) -> Plan | None:
    """What the sources should be, checked."""
    if recipe is None:
        return None
    if not isinstance(recipe, Plan):
        return make_plan(Model({s.name: TensorSpec(s.shape, s.dtype) for s in sources}), as_recipe(recipe))
    shapes = {source.name: source.shape for source in sources}
    for name in (*recipe, *recipe.ties):
        if name not in shapes and name not in recipe.ties:
            raise ValueError(f"the plan's parameter {name!r} is missing")
    for name, shape in shapes.items():
        planned = recipe.parameters.get(recipe.ties.get(name, name))
        if planned is None:
            raise ValueError(f"the plan has no parameter {name!r}")
        if planned.shape != shape:
            raise ValueError(f"parameter {name!r} has shape {shape}, in the plan {planned.shape}")
    return recipe


def _report(source: Source, measured: Measured, parameter: Parameter | None) -> TensorReport:
    counted: Fans | None = None
    if len(source.shape) >= 2:
        counted = parameter.fans if parameter and parameter.fans else fans(source.shape)
    law = parameter.distribution if parameter else None
    parts = None if law is None else of_reals(law, source.shape, source.dtype)[0]
    # The parts have half of a complex value's variance each.
    spread = measured.std * (math.sqrt(2) if source.dtype in COMPLEX else 1)
    return TensorReport(
        name=source.name,
        shape=source.shape,
        dtype=source.dtype,
        mean=measured.mean,
        std=measured.std,
        skew=measured.skew,
        kurtosis=measured.kurtosis,
        min=measured.low,
        max=measured.high,
        zeros=measured.zeros,
        nan=measured.nan,
        inf=measured.inf,
        law=fit.likely_law(measured, source.dtype),
        he=counted and spread / math.sqrt(2 / counted.fan_in),
        xavier=counted and spread / math.sqrt(2 / (counted.fan_in + counted.fan_out)),
        duplicate_rows=measured.duplicates,
        expected=law,
        findings=tuple(Finding(source.name, *found) for found in findings_in(source, measured, parts)),
    )
