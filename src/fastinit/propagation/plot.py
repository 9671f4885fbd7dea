"""The picture of one or more reports: what arrives at each layer, with the theory behind it. Needs matplotlib."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import file_path, flag
from ..extras import needs
from ..files import atomic
from .layer import Layer
from .measurement import ProbeReport, reports_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart, in an order that also works in print; with a shape each.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DARK_COLOURS = ("#56B4E9", "#E69F00", "#2BC59A", "#E39BC8", "#F0E442", "#9AB7FF")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_LIGHT = {"ink": "#1a1a1a", "faint": "#d8d8d8", "paper": "#ffffff"}
_DARK = {"ink": "#e6e6e6", "faint": "#4a4a4a", "paper": "#16181c"}
# The logarithmic axes end here.
_DECADES = 12.0
_MOST_NAMES, _LONGEST_NAME = 14, 20
_DASHES = (0, (4, 2))


def plot(
    reports: ProbeReport | Sequence[ProbeReport],
    path: str | os.PathLike[str] | None = None,
    *,
    dark: bool = False,
) -> Figure:
    """Draw forward rms, gradient norm, dead and saturated shares, and unit cosine against depth.

    Several reports share the axes, so that schemes can be compared; layer names are the first's. Predictions are
    dashed, with the band that holds 95 of 100 networks. Returns matplotlib's figure, and writes it, if ``path`` is given,
    in the format that its ending says (.png, .svg, .pdf).

    Raises ValueError for no report, ImportError without matplotlib, OSError for a file that cannot be written.

    >>> from fastinit.propagation import probe
    >>> len(plot(probe([64, 64, 10], "relu", "he_normal")).axes)
    4
    """
    shown, dark = reports_of(reports), flag("dark", dark)
    target = None if path is None else file_path("path", path)
    matplotlib = _matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_style(_DARK if dark else _LIGHT)):
        figure = Figure(figsize=(8.6, 6.8), layout="constrained")
        FigureCanvasAgg(figure)
        _draw(figure, shown, _DARK_COLOURS if dark else _COLOURS)
        if target is not None:
            atomic.save(target, _rendered(figure, target.suffix.lower()[1:]))
    return figure


def _matplotlib() -> Any:
    return needs("matplotlib", extra="plot", what="a picture")


def _rendered(figure: Figure, ending: str) -> bytes:
    stream = io.BytesIO()
    figure.savefig(
        stream, format=ending or None, dpi=160, metadata={"Date": None} if ending == "svg" else None
    )
    return stream.getvalue()


def _style(colours: dict[str, str]) -> Any:
    ink, faint, paper = colours["ink"], colours["faint"], colours["paper"]
    return {
        "font.family": "DejaVu Sans", "font.size": 10.5, "axes.titlesize": 10.5, "axes.titleweight": "bold",
        "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.axisbelow": True, "grid.color": faint, "grid.linewidth": 0.6,
        "text.color": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink, "axes.edgecolor": ink,
        "figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper,
        "legend.frameon": False, "svg.hashsalt": "fastinit",
    }  # fmt: skip


def _draw(figure: Figure, reports: tuple[ProbeReport, ...], colours: tuple[str, ...]) -> None:
    grid = figure.subplots(2, 2, sharex=True)
    forward, gradient, shares, cosine = grid.flat
    gradient.sharey(forward)
    forward.set_title("Forward: rms of h")
    gradient.set_title("Backward: norm of dL/dh, last layer = 1")
    shares.set_title("Dead units (line), saturated values (dotted)")
    cosine.set_title("Largest cosine between two units' weights")
    low, high = _decades(reports)
    for axes in (forward, gradient):
        axes.set_yscale("log")
    for i, report in enumerate(reports):
        look = {"color": colours[i % len(colours)], "marker": _MARKERS[i % len(_MARKERS)]}
        _lines(grid, report, look, i / len(reports))
    forward.set_ylim(low / 2, high * 2)
    shares.set_ylim(-0.03, 1.03)
    cosine.set_ylim(-0.03, 1.03)
    shares.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    for axes in (shares, cosine):
        _name_layers(axes, reports)
    handles, labels = forward.get_legend_handles_labels()
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if any(layer.expected for report in reports for layer in report.layers):
        ink = forward.xaxis.label.get_color()
        handles += [Line2D([], [], color=ink, linewidth=1, linestyle=_DASHES),
                    Patch(color=ink, alpha=0.16, linewidth=0)]  # fmt: skip
        labels += ["theory", "95 of 100 networks"]
    figure.legend(handles, labels, loc="outside upper left", ncols=min(len(labels), 3))


def _lines(grid: Any, report: ProbeReport, look: dict[str, str], shift: float) -> None:
    """One report into all panels; marks are shifted, so that lines of several reports which coincide can be told apart."""
    forward, gradient, shares, cosine = grid.flat
    x = np.arange(1, len(report.layers) + 1)
    line: dict[str, Any] = {**look, "markersize": 3.5, "linewidth": 1.4, "label": report.title}

    def draw(axes: Axes, name: str, linestyle: str = "-") -> None:
        y = _column(report, attrgetter(name))
        there = ~np.isnan(y)
        step = max(1, int(there.sum()) // 10)
        axes.plot(x[there], y[there], linestyle=linestyle, markevery=(int(shift * step), step), **line)

    def predict(axes: Axes, name: str) -> None:
        axes.plot(x, _column(report, _expected(name)), color=look["color"], linewidth=1, linestyle=_DASHES)

    for axes, name in ((forward, "rms"), (gradient, "gradient")):
        bottom, top = (_column(report, _expected(f"{name}_{bound}")) for bound in ("low", "high"))
        axes.fill_between(x, bottom, top, color=look["color"], alpha=0.16, linewidth=0)
        predict(axes, name)
        draw(axes, name)
    predict(shares, "dead")
    draw(shares, "dead")
    draw(shares, "saturated", ":")
    draw(cosine, "cosine")


def _decades(reports: tuple[ProbeReport, ...]) -> tuple[float, float]:
    """The range that the logarithmic axes share, around 1."""
    values = [value for report in reports for layer in report.layers for value in (layer.rms, layer.gradient)]
    values += [value for report in reports for layer in report.layers if (e := layer.expected)
               for value in (e.rms_low, e.rms_high, e.gradient_low, e.gradient_high)]  # fmt: skip
    logs = [math.log10(value) for value in values if value and math.isfinite(value)]
    low = max(min([*logs, -0.5]), -_DECADES)
    high = min(max([*logs, 0.5]), _DECADES)
    return 10**low, 10**high


def _column(report: ProbeReport, value: Callable[[Layer], float | None]) -> Any:
    column = [value(layer) for layer in report.layers]
    return np.array([math.nan if item is None or math.isinf(item) else item for item in column])


def _expected(name: str) -> Callable[[Layer], float | None]:
    return lambda layer: None if layer.expected is None else getattr(layer.expected, name)


def _name_layers(axes: Axes, reports: tuple[ProbeReport, ...]) -> None:
    """Names under the axis: all of them, or every second, third, ..."""
    names = [layer.name for layer in max(reports, key=lambda report: len(report.layers)).layers]
    step = math.ceil(len(names) / _MOST_NAMES)
    places = range(0, len(names), step)
    axes.set_xticks(
        [i + 1 for i in places],
        [_short(names[i]) for i in places],
        rotation=45,
        ha="right",
        rotation_mode="anchor",
    )
    axes.set_xlim(0.5, len(names) + 0.5)


def _short(name: str) -> str:
    """Without the outer modules, where it is long."""
    kept = name
    while len(kept) > _LONGEST_NAME and "." in kept:
        kept = kept.partition(".")[2]
    return kept[:_LONGEST_NAME] if kept == name else f"…{kept[-_LONGEST_NAME:]}"


def svg(reports: Sequence[ProbeReport], *, dark: bool = False) -> bytes:
    """The picture as an SVG file."""
    matplotlib = _matplotlib()
    figure = plot(reports, dark=dark)
    with matplotlib.rc_context(_style(_DARK if dark else _LIGHT)):
        return _rendered(figure, "svg")
