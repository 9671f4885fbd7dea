"""What is in a checkpoint, and where it deviates from a recipe: one pass over the values."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import file_path
from ..drawing.memory import target
from ..dtypes import dtype_name, rounding_step
from ..files import atomic, safetensors
from ..laws.distributions import Distribution, Elementwise
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
    """A tensor's values. Moments and range are those of the finite ones, NaN where there are none.

    ``skew`` and ``kurtosis`` are 0 for the normal law. ``law`` is "constant", "normal", "uniform", "truncated normal"
    (at 2 sigma), "other", or None where there are too few values to tell. ``he`` and ``xavier`` are the std in units
    of sqrt(2 / fan_in) and sqrt(2 / (fan_in + fan_out)), None for a shape without fans. ``duplicate_rows`` counts
    rows, along the first axis, that repeat an earlier one; None where rows are not compared: tensors of one axis, and
    rows of fewer than 4 values. ``expected`` is the recipe's law. A finding's ``kind`` is "non-finite", "zero", "value",
    "mean", "std", "range", "law" or "duplicates".
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
    """The tensors by name; ``skipped`` names those not inspected, with their dtype."""

    tensors: Mapping[str, TensorReport]
    skipped: Mapping[str, str]
    recipe: str | None
    nbytes: int  # inspected
    seconds: float

    @property
    def deviating(self) -> tuple[TensorReport, ...]:
        return tuple(tensor for tensor in self.tensors.values() if tensor.findings)

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
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
    """Measure every tensor of a safetensors file, or of a mapping of names to arrays, in one pass.

    Without a recipe, what no initialisation wants is found: values that are not finite, weights of two axes or more
    that are all zero, rows that are equal bit for bit. With one (as in `as_recipe`, or a plan), also what its laws
    do not give: another value, mean, std, range or shape, each beyond 6 standard errors. Mean and std are compared
    with the law's own; the shape by range, skew, kurtosis and Pearson's test, apart from mean and std.

    Arrays are NumPy's or CPU tensors with DLPack; those that are not contiguous are copied or, with DLPack, refused.
    A file is read in chunks, never mapped, and may be larger than memory. ``progress`` is told the bytes done and
    those of all.

    Raises
    ------
    OSError
        for a file that cannot be read.
    ValueError
        for a malformed file, or a recipe that does not fit the tensors.
    TypeError
        for what is neither path nor mapping of arrays.

    Examples
    --------
    >>> import fastinit as fi
    >>> report = inspect({"fc.weight": fi.uniform((64, 64), low=-0.1, high=0.1, seed=0)}, "default")
    >>> report.tensors["fc.weight"].law
    'uniform'
    >>> [finding.kind for finding in report.tensors["fc.weight"].findings]
    ['std', 'law']
    """
    if isinstance(checkpoint, Mapping):
        sources, skipped = _arrays(checkpoint)
        return _inspect(sources, None, skipped, recipe, threads, progress)
    path = file_path("checkpoint", checkpoint)
    try:
        with atomic.naming(path), open(path, "rb") as file:
            extents = safetensors.read_header(file).extents
            sources = [Source(e.name, e.shape, e.dtype, e.begin) for e in extents if e.dtype]
            skipped = {e.name: e.code for e in extents if not e.dtype}
            return _inspect(sources, file.fileno(), skipped, recipe, threads, progress)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _arrays(arrays: Mapping[str, Any]) -> tuple[list[Source], dict[str, str]]:
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
                source = Source(name, array.shape, dtype_name(array.dtype), array.ctypes.data, array)
            else:
                memory = target(array)
                if not memory.contiguous:
                    raise ValueError("is not contiguous")
                source = Source(name, memory.shape, memory.dtype, memory.address, memory)
        except (TypeError, ValueError) as error:
            raise type(error)(f"parameter {name!r}: {error}") from None
        sources.append(source)
    return sources, skipped


def _inspect(
    sources: list[Source],
    file: int | None,
    skipped: Mapping[str, str],
    recipe: RecipeLike | Plan | None,
    threads: int | None,
    progress: Callable[[int, int], None],
) -> Inspection:
    started = time.perf_counter()
    plan = None if recipe is None else _plan(sources, recipe)

    def report(source: Source, measured: Measured) -> TensorReport:
        parameter = None if plan is None else plan[plan.ties.get(source.name, source.name)]
        return _report(source, measured, parameter)

    total = sum(source.nbytes for source in sources)
    reports = measure_all(sources, file, report, threads=threads, progress=lambda done: progress(done, total))
    return Inspection({r.name: r for r in reports}, skipped, None if plan is None else plan.recipe, total,
                  time.perf_counter() - started)  # fmt: skip


def _plan(sources: list[Source], recipe: RecipeLike | Plan) -> Plan:
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
        found.append(("zero", "all values are zero"))
        return found
    if law is not None:
        found += _against(measured, source.dtype, law)
    if measured.duplicates and not constant and not _by_chance(source):
        first, second = measured.twins or (0, 0)
        found.append(
            ("duplicates", f"{measured.duplicates:,} rows repeat another; row {second} is row {first}")
        )
    return found


def _by_chance(source: Source) -> bool:
    """Might two rows be equal by chance? A value is taken to have 8 random bits in 16, 16 in 32 or more."""
    rows, length = source.shape[0], math.prod(source.shape[1:])
    bits = length * (8 if source.dtype in ("float16", "bfloat16") else 16)
    return 2 * math.log2(rows) - 1 - bits > math.log2(1e-9)


def _half_step(value: float, dtype: str) -> float:
    """What rounding to the dtype may change."""
    return rounding_step(value, dtype) / 2 if value else 0.0


def _against(measured: Measured, dtype: str, law: Elementwise) -> list[tuple[str, str]]:
    found = []
    mean, std = law.moments()
    # What rounding to the dtype may add to both, in units of the std.
    coarse = (fit.spacing(measured, dtype) / std) ** 2 / 8
    if coarse > 1 / 8:
        return []  # values further apart than the std
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
        found.append(("law", f"not {law.label}: {different}"))
    return found
