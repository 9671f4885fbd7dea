"""What is in a checkpoint, and where it deviates from a recipe: one pass over the values."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import file_path
from ..checkpoints.header import origin_of
from ..drawing.memory import target
from ..dtypes import dtype_name, rounding_step
from ..files import safetensors
from ..laws.distributions import Distribution, Elementwise
from ..laws.rounding import rounded
from ..plans.lint import Finding
from ..plans.make import make_plan
from ..plans.model import Model, TensorSpec
from ..plans.parameter import Parameter
from ..plans.plan import Plan
from ..plans.recipe import RecipeLike, as_recipe
from ..schemes.fans import Fans, fans
from . import fit
from .measure import Measured, Source, measure_all


@dataclass(frozen=True)
class TensorReport:
    """What a tensor's values are like. Moments and range are those of the finite values, NaN if there are none.

    Attributes
    ----------
    name, shape, dtype
        The tensor.
    mean, std, skew, kurtosis, min, max
        Moments and range; skew and kurtosis are 0 for a normal distribution.
    zeros, nan, inf
        How many values are zero, NaN and infinite.
    law
        The kind of distribution that fits: "constant", "normal", "uniform", "truncated normal" (at 2 sigma), "other", or
        None if there are too few values to tell.
    he, xavier
        The std in units of sqrt(2 / fan_in) and of sqrt(2 / (fan_in + fan_out)); None for a shape without fans.
    duplicate_rows
        How many rows, along the first axis, repeat an earlier one; None if rows are not compared, as in tensors of one axis
        and for rows of fewer than 4 values.
    expected
        The recipe's distribution, if there is one.
    findings
        What looks wrong. The kinds are "non-finite", "zero", "value", "mean", "std", "range", "distribution" and
        "duplicates".
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    mean: float
    std: float
    skew: float
    kurtosis: float
    min: float
    max: float
    zeros: int
    nan: int
    inf: int
    law: str | None
    he: float | None
    xavier: float | None
    duplicate_rows: int | None
    expected: Distribution | None
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: numbers that are not finite become None."""
        data = {
            k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in vars(self).items()
        }
        return data | {
            "shape": list(self.shape),
            "expected": self.expected.to_dict() if self.expected else None,
            "findings": [finding.to_dict() for finding in self.findings],
        }


@dataclass(frozen=True)
class Inspection:
    """What the tensors of a checkpoint are like.

    Attributes
    ----------
    tensors
        The reports by name.
    skipped
        The names of tensors that were not inspected, with their dtype.
    source
        What the tensors were compared with (see `Plan.source`), or None.
    nbytes, seconds
        The bytes inspected, and the time it took.
    """

    tensors: Mapping[str, TensorReport]
    skipped: Mapping[str, str]
    source: str | None
    nbytes: int
    seconds: float

    @property
    def deviating(self) -> tuple[TensorReport, ...]:
        """The reports with findings."""
        return tuple(tensor for tensor in self.tensors.values() if tensor.findings)

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "source": self.source,
            "bytes": self.nbytes,
            "seconds": self.seconds,
            "deviating": len(self.deviating),
            "skipped": dict(self.skipped),
            "tensors": [tensor.to_dict() for tensor in self.tensors.values()],
        }


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
        parameter = None if plan is None else plan.get(plan.ties.get(source.name, source.name))
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
        planned = recipe.get(recipe.ties.get(name, name))
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
        he=counted and measured.std / math.sqrt(2 / counted.fan_in),
        xavier=counted and measured.std / math.sqrt(2 / (counted.fan_in + counted.fan_out)),
        duplicate_rows=measured.duplicates,
        expected=law,
        findings=tuple(Finding(source.name, *found) for found in _findings(source, measured, law)),
    )


def _findings(source: Source, measured: Measured, law: Distribution | None) -> list[tuple[str, str]]:
    found = []
    if measured.nan or measured.inf:
        found.append(("non-finite", f"{measured.nan:,} NaN and {measured.inf:,} infinite values"))
    if measured.count == 0 or not isinstance(
        law, Elementwise | None
    ):  # nothing is known of its moments and rows
        return found
    constant = measured.low == measured.high
    if law is not None and law.moments()[1] == 0:
        value = law.moments()[0]
        if max(abs(measured.low - value), abs(measured.high - value)) > _half_step(value, source.dtype):
            found.append(("value", f"from {measured.low:g} to {measured.high:g}, expected {value:g}"))
        return found
    if constant and measured.low == 0 and (law is not None or len(source.shape) >= 2):
        if law is None or not _rounds_to_zero(law, source.dtype, measured.count):
            found.append(("zero", "all values are zero"))
        return found
    if law is not None:
        found += _against(measured, source.dtype, law)
    if measured.duplicates and not constant and not _by_chance(source, measured):
        first, second = measured.twins or (0, 0)
        found.append(
            ("duplicates", f"{measured.duplicates:,} rows repeat another; row {second} is row {first}")
        )
    return found


def _by_chance(source: Source, measured: Measured) -> bool:
    """Might two rows be equal by chance?

    Two values are equal with a probability of about spacing / (3.4 std): of normal and uniform laws it is the integral of
    the squared density, times the spacing. It is taken to be at least 2^-16, and higher if many values are zero.
    """
    alike = max(fit.spacing(measured, source.dtype) / (3.4 * measured.std), 2.0**-16)
    alike = min(alike + (measured.zeros / measured.count) ** 2, 1.0)
    rows, length = source.shape[0], math.prod(source.shape[1:])
    return 2 * math.log2(rows) - 1 + length * math.log2(alike) > math.log2(1e-9)


def _rounds_to_zero(law: Elementwise, dtype: str, count: int) -> bool:
    """Might so many values of the law all be zero in the dtype?"""
    half = rounding_step(0.0, dtype) / 2
    zero = float(law.cdf(half) - law.cdf(-half))
    return zero > 0 and count * math.log(zero) > -math.log(fit.SURE)


def _half_step(value: float, dtype: str) -> float:
    """What rounding to the dtype may change."""
    return rounding_step(value, dtype) / 2 if value else 0.0


def _against(measured: Measured, dtype: str, law: Elementwise) -> list[tuple[str, str]]:
    found = []
    # What rounding to the dtype may add to both, in units of the std.
    coarse = (fit.spacing(measured, dtype) / law.moments()[1]) ** 2 / 8
    if coarse > 1 / 8:
        return []  # values further apart than the std
    like = rounded(law, dtype)
    if not isinstance(like, Elementwise):
        coarse = 0.0
    mean, std = like.moments()
    error = std / math.sqrt(measured.count)
    if abs(measured.mean - mean) > fit.LEVEL * error + coarse * std:
        off = (measured.mean - mean) / error
        found.append(("mean", f"mean {measured.mean:.4g}, expected {mean:.4g} ({off:+.1f} standard errors)"))
    ratio, allowed = measured.std / std, fit.LEVEL * fit.std_error(measured) + coarse
    if abs(ratio - 1) > allowed:
        message = f"std {measured.std:.4g}, expected {std:.4g} (x {ratio:.4g}; by chance 1 +- {allowed:.2g} at most)"
        found.append(("std", message))
    # If mean or std are off, the shape is judged without them.
    shape = fit.fitted(law, measured, dtype) if found else law
    low, high = law.support()
    slack = max(_half_step(bound, dtype) for bound in (low, high))
    if measured.low < low - slack or measured.high > high + slack:
        between = f"from {measured.low:.4g} to {measured.high:.4g}"
        found.append(("range", f"{between}, expected {low:.4g} to {high:.4g}"))
    if different := fit.misfit(measured, dtype, shape):
        found.append(("distribution", f"not {law.label}: {different}"))
    return found
