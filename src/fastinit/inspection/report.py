"""What an inspection finds: plain data, and its table for terminals and notebooks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..laws import Distribution
from ..plans.lint import Finding
from ..table import Column, counted, html_table, shape_text, table, wrapped


@dataclass(frozen=True)
class TensorReport:
    """What a tensor's values are like. Moments and range are those of the finite values, NaN if there are none; of
    complex values, they are those of the real and imaginary parts.

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

    def text(self, width: int | None = None) -> str:
        """The table of all tensors, and sentences on what deviates.

        ``width`` is the most characters a line may have: columns that do not fit are left out, and a line names them. By
        default the table is as wide as its cells.
        """
        notes = [line for note in self._notes() for line in wrapped(note, width)]
        return "\n".join([*(table(self._columns(), width) if self.tensors else []), *notes])

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        return html_table(self._columns(), self._notes())

    def _columns(self) -> list[Column]:
        return [
            Column(title, [show(tensor) for tensor in self.tensors.values()], rank, "" if rank else "middle")
            for title, show, rank in _COLUMNS
        ]

    def _notes(self) -> list[str]:
        rate = self.nbytes / self.seconds / 1e9 if self.seconds else 0.0
        against = f" from {self.source}" if self.source else ""
        return [
            *(f"{name}: {dtype}, not inspected" for name, dtype in self.skipped.items()),
            *(str(finding) for tensor in self.deviating for finding in tensor.findings),
            f"{counted(len(self.tensors), 'tensor')}, {self.nbytes:,} bytes, {self.seconds:.2f} s, {rate:.2f} GB/s",
            f"deviating{against}: {len(self.deviating) or 'none'}",
        ]

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


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}g}"


# Title, cell, and the rank by which a narrow table leaves the column out.
_COLUMNS: tuple[tuple[str, Callable[[TensorReport], str], int], ...] = (
    ("name", lambda t: t.name, 0),
    ("shape", lambda t: shape_text(t.shape), 4),
    ("dtype", lambda t: t.dtype, 8),
    ("distribution", lambda t: t.law or "?", 3),
    ("mean", lambda t: _number(t.mean), 2),
    ("std", lambda t: _number(t.std), 1),
    ("skew", lambda t: _number(t.skew), 10),
    ("kurtosis", lambda t: _number(t.kurtosis), 11),
    ("min", lambda t: _number(t.min), 6),
    ("max", lambda t: _number(t.max), 7),
    ("zeros", lambda t: f"{t.zeros:,}", 9),
    ("std/He", lambda t: _number(t.he, 3), 5),
    ("std/Xavier", lambda t: _number(t.xavier, 3), 12),
)
