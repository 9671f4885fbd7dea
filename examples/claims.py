"""What is taught about initialisation, put to the test: ``python examples/claims.py``.

Runs every experiment, writes the numbers to docs/images/claims.json, draws docs/images/claims-*.png and renews the
tables of docs/claims.md. Needs scikit-learn (its digits) and matplotlib.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import experiments
import numpy as np

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, NUMBERS = DOCS / "claims.md", DOCS / "images" / "claims.json"
NAMES = ("densities", "symmetry", "ranges", "variance", "spread", "dead", "convergence")


def main() -> None:
    import pictures

    results = {}
    for name in NAMES:
        start = time.perf_counter()
        results[name] = rounded(getattr(experiments, name)())
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    NUMBERS.write_text("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in results.items()) + "\n}\n")
    pictures.draw(results, NUMBERS.parent)
    PAGE.write_text(renewed(PAGE.read_text(), tables(results)))


def rounded(value: Any) -> Any:
    """All floats to 5 digits; those that are not finite become null."""
    if isinstance(value, Mapping):
        return {key: rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def renewed(page: str, tables: Mapping[str, str]) -> str:
    """The page with each table between its two comments replaced."""
    for name, table in tables.items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise ValueError(f"{PAGE.name} has no table between <!-- {name} --> and <!-- end -->")
        page = before + mark + table + end + after
    return page


def table(head: str, rows: Iterable[Iterable[object]]) -> str:
    titles = head.split(" | ")
    lines = [titles, ["---"] * len(titles), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float | None) -> str:
    """Three digits, or what is not finite in words."""
    if value is None:
        return "overflow"
    return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.1e}"


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """The tables of the page, from the numbers."""
    return {
        "densities": table(
            "scheme | std in theory | std drawn | largest weight",
            ([f"`{k}`", *map(number, (v["law std"], v["std"], v["largest"]))]
             for k, v in results["densities"]["schemes"].items()),
        ),
        "symmetry": table(
            "activation | weights | loss at the end | different units, layer by layer",
            ([r["activation"], r["scheme"], f"{r['losses'][-1]:.2f}", ", ".join(map(str, r["units"]))]
             for r in results["symmetry"]),
        ),
        "ranges": table(
            "layers | learns for eps from | to | decades | signal at eps = 0.1 | in theory | at 1 | in theory",
            map(_window, results["ranges"]),
        ),
        "variance": table(
            "network | q, layer 10 | in theory | q, layer 40 | in theory | gradient, 10 layers down | in theory",
            ([case, *_against(r["q"], 9), *_against(r["q"], 39), *_against(r["gradient"], -11)]
             for case, r in results["variance"].items()),
        ),
        "spread": table(
            "over networks | measured | in theory",
            ([name, f"{results['spread'][key]:.2f}", f"{results['spread']['theory ' + key]:.2f}"]
             for name, key in (("mean of ln growth", "mean"), ("std of ln growth", "std"),
                               ("share of networks that lose signal", "shrunk"))),
        ),
        "dead": table(
            "bias | h below 0, layer 10 | " + " | ".join(f"dead in layer {n} | theory" for n in (2, 10, 50)),
            ([r["bias"], f"{r['off'][9]:.3f}",
              *(f"{r[key][n - 1]:.4f}" for n in (2, 10, 50) for key in ("dead", "theory"))]
             for r in results["dead"]),
        ),
        "convergence": table(
            "network | " + " | ".join(f"{row['depth']} layers" for row in results["convergence"]["ReLU, He"]),
            ([run, *map(_steps, rows)] for run, rows in results["convergence"].items()),
        ),
    }  # fmt: skip


def window(run: Mapping[str, Any]) -> list[float]:
    """The eps at which a network came below a loss of 1."""
    pairs = zip(run["eps"], run["loss"], strict=True)
    return [eps for eps, loss in pairs if loss is not None and loss < 1]


def _window(run: Mapping[str, Any]) -> list[object]:
    learned = window(run)
    decades = math.log10(learned[-1] / learned[0])
    at = [int(np.argmin(np.abs(np.log10(run["eps"]) - exponent))) for exponent in (-1, 0)]
    signals = (number(run[key][i]) for i in at for key in ("rms", "theory"))
    return [run["depth"], *(number(e) for e in (learned[0], learned[-1])), f"{decades:.2f}", *signals]


def _against(run: Mapping[str, Any], layer: int) -> tuple[str, str]:
    """The measured median, and the theory with its band where first order in 1 / width is a guide."""
    median, theory, low, high = (run[key][layer] for key in ("median", "theory", "low", "high"))
    band = f" ({number(low)} to {number(high)})" if high > theory else ""
    return number(median), number(theory) + band


def _steps(row: Mapping[str, Any]) -> str:
    """Median and range over seeds."""
    steps = sorted(math.inf if s is None else s for s in row["steps"])
    low, middle, high = (
        f"{s:g}" if s < math.inf else "> 300" for s in (steps[0], statistics.median(steps), steps[-1])
    )
    return middle if low == high else f"{middle} ({low} to {high})"


if __name__ == "__main__":
    main()
