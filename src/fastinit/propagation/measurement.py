"""What a probe finds: plain data, the same for a NumPy stack and for a torch module; and how weights are measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import instance
from ..table import html_table
from .layer import Layer, columns

# Cosine and rank look at no more units of a layer than these, evenly chosen: both cost the square and more.
_MOST_UNITS = 512
# Singular values below this share of the largest are the rounding of float32.
_ROUNDING = 2.0**-23
_BLOCK = 64


@dataclass(frozen=True)
class Inputs:
    """The moments of one of the model's inputs; `column` is the largest rms of a feature or channel. A name if it has one."""

    name: str
    mean: float
    std: float
    column: float


@dataclass(frozen=True)
class ProbeReport:
    """A network's layers in the order of the forward pass, measured on one batch."""

    title: str
    layers: tuple[Layer, ...]
    loss: float | None = None
    """The first loss."""
    classes: int | None = None
    """K, for the loss ln K of a classifier that knows nothing."""
    seed: int | None = None
    """Of all streams that were drawn from."""
    samples: int | None = None
    """In the batch."""
    inputs: tuple[Inputs, ...] = ()
    """The batch's tensors of floats, except masks and one-hot vectors."""
    derives: bool = False
    """Whether the model takes derivatives in its forward pass: then the layers' gradients are not measured."""

    def to_dict(self) -> dict[str, Any]:
        """The report for JSON; numbers that are not finite are None."""
        data: dict[str, Any] = _for_json(asdict(self))
        return data

    def loss_text(self) -> list[str]:
        """A sentence on the first loss, if there is one."""
        if self.loss is None:
            return []
        against = f", ln {self.classes} = {math.log(self.classes):.4g}" if self.classes else ""
        return [f"first loss {self.loss:.4g}{against}"]

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        return html_table(columns(self.layers), [self.title, *self.loss_text()])


def reports_of(reports: ProbeReport | Sequence[ProbeReport]) -> tuple[ProbeReport, ...]:
    """One report or several, as a tuple."""
    shown = (
        (reports,)
        if isinstance(reports, ProbeReport) or not isinstance(reports, Iterable)
        else tuple(reports)
    )
    if not shown or not all(instance("reports", report, ProbeReport).layers for report in shown):
        raise ValueError("reports must hold one report or more, of one layer or more")
    return shown


def _for_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _for_json(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_for_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cosine_and_rank(weights: NDArray[Any]) -> tuple[float | None, int, int]:
    """Largest cosine between two rows, rank, and full rank, of a (units, inputs) matrix of finite values."""
    units = len(weights)
    if units > _MOST_UNITS:
        weights = weights[np.linspace(0, units - 1, _MOST_UNITS).astype(int)]
    rows = weights.astype(np.float64)
    largest = np.abs(rows).max(initial=0.0)
    full: int = min(rows.shape)
    if largest == 0:
        return (1.0 if len(rows) > 1 else None), 0, full
    rows /= largest
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    # Rows of zeros are equal to each other, and at no angle to the rest.
    directions = rows / np.where(norms, norms, 1)[:, None]
    gram = directions @ directions.T
    cosines = np.where(np.logical_and.outer(norms == 0, norms == 0), 1.0, gram)
    np.fill_diagonal(cosines, -1)
    cosine = min(float(cosines.max()), 1.0) if len(rows) > 1 else None
    return cosine, _rank(directions, gram), full


def _rank(rows: NDArray[np.float64], gram: NDArray[np.float64]) -> int:
    """Singular values above rounding; they are not computed where a Cholesky factor of the smaller Gram matrix, which is
    ten times as fast, shows full rank."""
    full: int = min(rows.shape)
    try:
        pivots = _pivots(gram if len(rows) == full else rows.T @ rows)
        if float(pivots.min()) > 1e-6 * math.sqrt(len(rows)):
            return full
    except np.linalg.LinAlgError:
        pass
    values = np.linalg.svd(rows, compute_uv=False)
    return int(np.count_nonzero(values > _ROUNDING * values[0]))


def _pivots(gram: NDArray[np.float64]) -> NDArray[Any]:
    """The diagonal of the Cholesky factor, in blocks that LAPACK factors in one thread: where cores are shared, threads
    that wait for each other cost a hundred times the work."""
    if len(gram) <= _BLOCK:
        return np.linalg.cholesky(gram).diagonal()
    factor = np.linalg.cholesky(gram[:_BLOCK, :_BLOCK])
    across = np.linalg.solve(factor, gram[:_BLOCK, _BLOCK:])
    rest = _pivots(gram[_BLOCK:, _BLOCK:] - across.T @ across)
    return np.concatenate([factor.diagonal(), rest])


def count_copies(weights: NDArray[Any], bias: NDArray[Any] | None, gradients: NDArray[np.float64]) -> int:
    """Units that equal an earlier one in its row of ``weights``, in bias, and in the row of ``gradients``.

    ``gradients`` has a few numbers per unit that sum up dL/dh; equal to 1e-5 of the largest counts as equal.
    """
    tolerance = 1e-5 * np.abs(gradients).max(axis=0, initial=0.0)
    first: dict[bytes, list[int]] = {}
    copies = 0
    for unit, row in enumerate(weights):
        key = row.tobytes() + (b"" if bias is None else bias[unit].tobytes())
        kin = first.setdefault(key, [])
        if any((np.abs(gradients[unit] - gradients[other]) <= tolerance).all() for other in kin[:8]):
            copies += 1
        else:
            kin.append(unit)
    return copies
