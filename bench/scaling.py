"""Draw speed by size and by threads: ``python bench/scaling.py [-o docs/images]``.

Writes two pictures and every number in them: `scaling-size.png`, `scaling-threads.png` and `scaling.json`.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from peers import DRAWS
from timing import NORMAL, UNIFORM, Call, best, check, limit, machine

import fastinit as fi

LAWS: dict[str, fi.laws.Distribution] = {"normal": NORMAL, "uniform": UNIFORM}
LIMIT = "limit"  # a fill with a constant
# Okabe and Ito's palette, told apart by the colour-blind.
COLOURS = {LIMIT: "#000000", "fastinit": "#0072B2", "NumPy": "#E69F00", "torch": "#D55E00", "JAX": "#009E73"}
LAW_COLOURS = {LIMIT: "#000000", "uniform": "#CC79A7", "normal": "#0072B2"}
PEERS_UP_TO = 1e8

Curve = dict[int, float]  # seconds by size or by threads
Curves = dict[str, Curve]


def ours(out: np.ndarray, law: fi.laws.Distribution, threads: int | None = None) -> Call:
    return lambda: fi.fill(out, law, seed=0, name="w", threads=threads)


def by_size(sizes: list[int], during: float) -> dict[str, Curves]:
    """Seconds by law, curve and size, in place in the touched pages of one buffer."""
    buffer = np.ones(sizes[-1], np.float32)
    curves: dict[str, Curves] = {law: {LIMIT: {}, "fastinit": {}} for law in LAWS}
    for n in sizes:
        out = buffer[:n]
        at_best = best(limit(out), during=during)
        for name, law in LAWS.items():
            curves[name][LIMIT][n] = at_best
            curves[name]["fastinit"][n] = best(ours(out, law), during=during)
            check(out, law)
    return curves


def peers_by_size(sizes: list[int], during: float) -> dict[str, Curves]:
    curves: dict[str, Curves] = {law: {} for law in LAWS}
    for peer, draw_of in DRAWS.items():
        for name, law in LAWS.items():
            for n in (size for size in sizes if size <= PEERS_UP_TO):
                if draw := draw_of(law, n):
                    draw()  # untimed: compiles, touches the memory
                    curves[name].setdefault(peer, {})[n] = best(draw, during=during)
    return curves


def by_threads(n: int, during: float) -> Curves:
    out, curves = np.ones(n, np.float32), dict[str, Curve]()
    for threads in range(1, (os.cpu_count() or 1) + 1):
        curves.setdefault(LIMIT, {})[threads] = best(limit(out, threads), during=during)
        for name, law in LAWS.items():
            curves.setdefault(name, {})[threads] = best(ours(out, law, threads), during=during)
    return curves


def rates(curve: Curve, elements: int | None = None) -> list[float]:
    """G elements a second; the number of elements is the key, or the same for all."""
    return [(elements or n) / seconds / 1e9 for n, seconds in curve.items()]


def label_ends(
    axes: Axes, ends: Mapping[str, tuple[float, float]], colours: dict[str, str], apart: float
) -> None:
    """Names beside the last points, moved up where they would touch: ``apart`` is in parts of the height."""
    to_axes, below = axes.transData + axes.transAxes.inverted(), -1.0
    for name, end in sorted(ends.items(), key=lambda item: item[1][1]):
        x, y = to_axes.transform(end)
        below = max(y, below + apart)
        axes.text(
            x + 0.015, below, name, color=colours[name], transform=axes.transAxes, va="center", weight="bold"
        )


def plain(axes: Axes, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", weight="bold")


def line(axes: Axes, x: list[int], y: list[float], name: str, colour: str) -> None:
    style = (
        {"linestyle": (0, (4, 2)), "linewidth": 1.6} if name == LIMIT else {"marker": "o", "markersize": 4}
    )
    axes.plot(x, y, color=colour, clip_on=False, **style)  # type: ignore[arg-type]


def draw_sizes(curves: dict[str, Curves], path: Path) -> None:
    figure, both = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    for axes, (law, by_name) in zip(both, curves.items(), strict=True):
        axes.set(xscale="log", yscale="log", xlabel="elements in place")
        for name, curve in by_name.items():
            line(axes, list(curve), rates(curve), name, COLOURS[name])
        plain(axes, f"{law.capitalize()}, float32")
    both[0].set_ylabel("G elements a second")
    figure.canvas.draw()
    for axes, by_name in zip(both, curves.values(), strict=True):
        ends = {name: (list(curve)[-1], rates(curve)[-1]) for name, curve in by_name.items()}
        label_ends(axes, ends, COLOURS, 0.055)
    figure.savefig(path, dpi=150)


def draw_threads(curves: dict[str, Curves], threads: Curves, n: int, path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    cost = {LIMIT: curves["normal"][LIMIT]} | {law: curves[law]["fastinit"] for law in LAWS}
    left.set(xscale="log", yscale="log", xlabel="elements in place", ylabel="ns an element")
    for name, curve in cost.items():
        line(left, list(curve), [1 / rate for rate in rates(curve)], name, LAW_COLOURS[name])
    plain(left, "Cost of an element")
    for name, curve in threads.items():
        line(right, list(curve), rates(curve, n), name, LAW_COLOURS[name])
    highest = max(rate for curve in threads.values() for rate in rates(curve, n))
    right.set(xlabel="threads", ylabel="G elements a second", ylim=(0, 1.12 * highest))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain(right, f"Rate by threads, $\\mathbf{{10^{round(np.log10(n))}}}$ elements")
    figure.canvas.draw()
    ends = {name: (list(curve)[-1], 1 / rates(curve)[-1]) for name, curve in cost.items()}
    label_ends(left, ends, LAW_COLOURS, 0.06)
    ends = {name: (list(curve)[-1], rates(curve, n)[-1]) for name, curve in threads.items()}
    label_ends(right, ends, LAW_COLOURS, 0.06)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("docs/images"), help="folder of the pictures"
    )
    parser.add_argument(
        "--largest", type=float, default=1e9, help="elements of the largest array, 4 bytes each"
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="least time of a point")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    # In whole blocks of the stream; JAX draws odd sizes at half its speed or less.
    sizes = [4 * round(10 ** (k / 2) / 4) for k in range(4, 2 * round(np.log10(options.largest)) + 1)]
    large = min(10**8, sizes[-1])
    threads = by_threads(large, options.seconds)
    curves = by_size(sizes, options.seconds)
    for law, found in peers_by_size(sizes, options.seconds).items():
        curves[law] |= found
    plt.rcParams |= {"font.size": 12, "lines.linewidth": 2, "font.family": "sans-serif"}
    draw_sizes(curves, options.output / "scaling-size.png")
    draw_threads(curves, threads, large, options.output / "scaling-threads.png")
    report: dict[str, Any] = {"machine": machine(), "unit": "seconds of a call", "by size": curves}
    report |= {"by threads": threads, "elements by threads": large}
    (options.output / "scaling.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
