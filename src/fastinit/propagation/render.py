"""Reports for reading: a table for the terminal, and a page of HTML that needs nothing but itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from html import escape

from ..arguments import positive_integer
from ..table import Column, html_table, table, wrapped
from .layer import columns
from .measurement import ProbeReport, reports_of
from .plot import svg
from .verdict import Verdict, judge

# The terminal shows no more layers than these, evenly chosen.
_MOST_ROWS = 16


def _columns(report: ProbeReport, verdict: Verdict) -> list[Column]:
    return [*columns(report.layers), Column("verdict", verdict.words)]


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
    if width is not None:
        positive_integer("width", width)
    return "\n\n".join(_text(report, width) for report in reports_of(reports))


def _text(report: ProbeReport, width: int | None) -> str:
    verdict = judge(report)
    shown, count = _columns(report, verdict), len(report.layers)
    sentences = [*report.loss_text(), *verdict.text.splitlines()]
    if count > _MOST_ROWS:
        step = (count - 1) / (_MOST_ROWS - 1)
        rows = [round(i * step) for i in range(_MOST_ROWS)]
        shown = [replace(column, cells=[column.cells[i] for i in rows]) for column in shown]
        sentences.insert(0, f"{_MOST_ROWS} of {count} layers")
    lines = wrapped(f"{report.title}: {verdict.level}", width) + table(shown, width)
    return "\n".join([*lines, *(line for sentence in sentences for line in wrapped(sentence, width))])


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
    loss = "".join(f"<p>{escape(line)}</p>" for line in report.loss_text())
    return f"""<h2>{escape(report.title)}: <span class="{verdict.level}">{verdict.level}</span></h2>
<ul>
{findings}
</ul>
{loss}
<details open>
<summary>{len(report.layers)} layers</summary>
<div class="scroll">{html_table(_columns(report, verdict), most=len(report.layers))}</div>
</details>"""
