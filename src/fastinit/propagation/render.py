"""Reports for reading: a table for the terminal, and a page of HTML that needs nothing but itself."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from html import escape

from ..table import Column, shape_text, table, wrapped
from .measurement import Layer, ProbeReport, reports_of
from .plot import svg
from .verdict import Verdict, judge

# The terminal shows no more layers than these, evenly chosen.
_MOST_ROWS = 16


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _rank(layer: Layer) -> str:
    return "-" if layer.rank is None else f"{layer.rank}/{layer.full_rank}"


# Title, cell, and the rank by which a narrow table leaves the column out.
_COLUMNS: tuple[tuple[str, Callable[[Layer], str], int], ...] = (
    ("layer", lambda layer: layer.name, 0),
    ("weight", lambda layer: shape_text(layer.shape), 6),
    ("Var fan_in", lambda layer: _number(layer.weight_variance), 8),
    ("target", lambda layer: _number(layer.target), 9),
    ("rms", lambda layer: _number(layer.rms), 1),
    ("theory", lambda layer: _number(layer.expected.rms if layer.expected else None), 10),
    ("gradient", lambda layer: _number(layer.gradient), 2),
    ("theory", lambda layer: _number(layer.expected.gradient if layer.expected else None), 11),
    ("saturated", lambda layer: _share(layer.saturated), 4),
    ("dead", lambda layer: _share(layer.dead), 3),
    ("cosine", lambda layer: _number(layer.cosine), 5),
    ("rank", _rank, 7),
)
_TITLES = [title for title, *_ in _COLUMNS] + ["verdict"]
_RANKS = [rank for *_, rank in _COLUMNS] + [0]


def _cells(report: ProbeReport, verdict: Verdict) -> list[list[str]]:
    return [
        [*(show(layer) for _, show, _ in _COLUMNS), word]
        for layer, word in zip(report.layers, verdict.words, strict=True)
    ]


def text(reports: ProbeReport | Sequence[ProbeReport], width: int | None = None) -> str:
    """Each report as a table with its verdict.

    Parameters
    ----------
    reports
        One report or several. Of many layers, at most 16 evenly chosen ones are shown.
    width
        The most characters a line may have; columns that do not fit are left out, and a line names them. By default
        lines are as long as they are.

    Examples
    --------
    >>> from fastinit.propagation import probe
    >>> print(text(probe([100, 100, 100], "relu", "he_normal", seed=0)).splitlines()[-1])
    keeps: the gradient norm changes by a factor of 1 over 1 layer
    """
    return "\n\n".join(_text(report, width) for report in reports_of(reports))


def _text(report: ProbeReport, width: int | None) -> str:
    verdict = judge(report)
    cells = _cells(report, verdict)
    if len(cells) > _MOST_ROWS:
        step = (len(cells) - 1) / (_MOST_ROWS - 1)
        cells = [cells[round(i * step)] for i in range(_MOST_ROWS)]
    columns = [
        Column(title, [row[i] for row in cells], _RANKS[i], "" if i else "middle")
        for i, title in enumerate(_TITLES)
    ]
    sentences = [*_loss(report), *verdict.text.splitlines()]
    if len(cells) < len(report.layers):
        sentences.insert(0, f"{len(cells)} of {len(report.layers)} layers")
    lines = wrapped(f"{report.title}: {verdict.level}", width) + table(columns, width)
    return "\n".join([*lines, *(line for sentence in sentences for line in wrapped(sentence, width))])


def _loss(report: ProbeReport) -> list[str]:
    if report.loss is None:
        return []
    against = f", ln {report.classes} = {math.log(report.classes):.4g}" if report.classes else ""
    return [f"first loss {report.loss:.4g}{against}"]


_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --faint: #d8d8d8;
        --fine: #00664b; --warning: #8a5a00; --fault: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --faint: #4a4a4a; --fine: #2bc59a; --warning: #e69f00; --fault: #ff8a80; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, sans-serif;
       max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
img { width: 100%; height: auto; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.fine { color: var(--fine); } .warning { color: var(--warning); } .fault { color: var(--fault); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { text-align: right; padding: .15rem .6rem; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; }
"""


def html(reports: ProbeReport | Sequence[ProbeReport]) -> str:
    """A page with the picture, the verdicts and all numbers, light or dark as the reader's system is.

    It loads nothing: the picture is inside, as SVG in base64. Raises ImportError without matplotlib.

    >>> from fastinit.propagation import probe
    >>> html(probe([64, 64, 10], "relu", "he_normal")).splitlines()[0]
    '<!DOCTYPE html>'
    """
    shown = reports_of(reports)
    light, dark = (base64.b64encode(svg(shown, dark=dark)).decode() for dark in (False, True))
    kind = "data:image/svg+xml;base64,"
    sections = "\n".join(_section(report) for report in shown)
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fastinit probe</title>
<style>{_STYLE}</style>
<h1>What the initialisation does</h1>
<picture>
<source media="(prefers-color-scheme: dark)" srcset="{kind}{dark}">
<img src="{kind}{light}" alt="Forward rms, gradient norm, dead and saturated units and cosine by layer">
</picture>
{sections}
</html>
"""


def _section(report: ProbeReport) -> str:
    verdict = judge(report)
    findings = "\n".join(
        f'<li class="{finding.level}">{escape(finding.text)}</li>' for finding in verdict.findings
    )
    head = "".join(f"<th>{escape(title)}</th>" for title in _TITLES)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in _cells(report, verdict)
    )
    loss = "".join(f"<p>{escape(line)}</p>" for line in _loss(report))
    return f"""<h2>{escape(report.title)}: <span class="{verdict.level}">{verdict.level}</span></h2>
<ul>
{findings}
</ul>
{loss}
<details open>
<summary>{len(report.layers)} layers</summary>
<div class="scroll"><table>
<tr>{head}</tr>
{body}
</table></div>
</details>"""
