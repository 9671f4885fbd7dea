"""Draw speed by size and by threads: ``python bench/scaling.py [-o docs/images]``.

Writes `scaling.json` with every number, and the pictures of them, each on light and on dark paper: `scaling-normal.png`,
`scaling-uniform.png` and `scaling-threads.png`. ``--draw`` only draws what `scaling.json` has.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from peers import DRAWS
from themes import Theme, on_every_theme
from timing import NORMAL, UNIFORM, Call, best, check, limit, machine

import fastinit as fi

LAWS: dict[str, fi.laws.Distribution] = {"normal": NORMAL, "uniform": UNIFORM}
LIMIT = "limit"  # a fill with a constant, by whatever is fastest
ROUNDS = 3
PEERS_UP_TO = 1e8
BEYOND_CACHES = 10**7  # elements

Curve = dict[int, float]  # seconds by size or by threads
Curves = dict[str, Curve]


def ours(out: np.ndarray, law: fi.laws.Distribution, threads: int | None = None) -> Call:
    return lambda: fi.fill(out, law, seed=0, name="w", threads=threads)


def stores(out: np.ndarray, threads: int | None) -> list[Call]:
    """Ways to write a constant: streaming stores of each number of threads, and NumPy's stores into the caches."""
    numbers = range(1, (threads or os.cpu_count() or 1) + 1)
    return [partial(out.fill, 1.0), *(limit(out, n) for n in numbers)]


def compare(out: np.ndarray, during: float, threads: int | None = None) -> dict[str, float]:
    """Seconds of the limit and of each law. All are timed in turn, so that what slows memory down slows all of them."""
    calls = {LIMIT: stores(out, threads)} | {name: [ours(out, law, threads)] for name, law in LAWS.items()}
    seconds = dict.fromkeys(calls, np.inf)
    for _ in range(ROUNDS):
        for name, ways in calls.items():
            fastest = min(best(way, during=during / ROUNDS / len(ways)) for way in ways)
            seconds[name] = min(seconds[name], fastest)
    for law in LAWS.values():
        check(fi.fill(out, law, seed=0, name="w"), law)
    return seconds


def bounded(curve: Curve) -> Curve:
    """Memory that takes a large array at some rate takes a smaller one at least as fast, also beyond the caches."""
    found, least = dict[int, float](), np.inf  # seconds an element
    for n, seconds in sorted(curve.items(), reverse=True):
        if n >= BEYOND_CACHES:
            least = min(least, seconds / n)
        found[n] = least * n if n >= BEYOND_CACHES else seconds
    return dict(sorted(found.items()))


def by_size(sizes: list[int], during: float) -> dict[str, Curves]:
    """Seconds by law, curve and size, in place in the touched pages of one buffer."""
    buffer = np.ones(sizes[-1], np.float32)
    curves: dict[str, Curves] = {law: {LIMIT: {}, "fastinit": {}} for law in LAWS}
    for n in sizes:
        seconds = compare(buffer[:n], during)
        for law in LAWS:
            curves[law][LIMIT][n] = seconds[LIMIT]
            curves[law]["fastinit"][n] = seconds[law]
    return {law: found | {LIMIT: bounded(found[LIMIT])} for law, found in curves.items()}


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
        for name, seconds in compare(out, during, threads).items():
            curves.setdefault(name, {})[threads] = seconds
    return curves


def rates(curve: Curve, elements: int | None = None) -> list[float]:
    """G elements a second; the number of elements is the key, or the same for all."""
    return [(elements or n) / seconds / 1e9 for n, seconds in curve.items()]


def label_ends(
    axes: Axes, ends: Mapping[str, tuple[float, float]], colours: Mapping[str, str], apart: float
) -> None:
    """Names beside the last points, moved up where they would touch: ``apart`` is in parts of the height."""
    to_axes, below = axes.transData + axes.transAxes.inverted(), -1.0
    for name, end in sorted(ends.items(), key=lambda item: item[1][1]):
        x, y = to_axes.transform(end)
        below = max(y, below + apart)
        axes.text(
            x + 0.02, below, name, color=colours[name], transform=axes.transAxes, va="center", weight="bold"
        )


def line(axes: Axes, x: list[int], y: list[float], name: str, colour: str) -> None:
    style: dict[str, Any] = {"linestyle": (0, (4, 2)), "linewidth": 1.6} if name == LIMIT else {"marker": "o"}
    axes.plot(x, y, color=colour, clip_on=False, **({"linewidth": 2, "markersize": 4} | style))


def sizes_of(law: str, by_name: Curves, theme: Theme) -> Figure:
    figure, axes = plt.subplots(figsize=(7.6, 4.2), layout="constrained")
    colours = {
        LIMIT: theme.ink,
        "fastinit": theme.blue,
        "NumPy": theme.orange,
        "torch": theme.red,
        "JAX": theme.green,
    }
    axes.set(xscale="log", yscale="log", xlabel="elements of the array", ylabel="G elements a second")
    for name, curve in by_name.items():
        line(axes, list(curve), rates(curve), name, colours[name])
    axes.set_title(f"{law.capitalize()} float32 values, by the size of the array")
    figure.canvas.draw()
    label_ends(axes, {name: (list(c)[-1], rates(c)[-1]) for name, c in by_name.items()}, colours, 0.075)
    return figure


def threads_of(curves: dict[str, Curves], threads: Curves, n: int, theme: Theme) -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 4.2), layout="constrained")
    colours = {LIMIT: theme.ink, "uniform": theme.pink, "normal": theme.blue}
    cost = {LIMIT: curves["normal"][LIMIT]} | {law: curves[law]["fastinit"] for law in LAWS}
    left.set(xscale="log", yscale="log", xlabel="elements of the array", ylabel="ns an element")
    for name, curve in cost.items():
        line(left, list(curve), [1 / rate for rate in rates(curve)], name, colours[name])
    left.set_title("Cost of an element")
    for name, curve in threads.items():
        line(right, list(curve), rates(curve, n), name, colours[name])
    highest = max(rate for curve in threads.values() for rate in rates(curve, n))
    right.set(xlabel="threads", ylabel="G elements a second", ylim=(0, 1.12 * highest))
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_title(f"Rate by threads, $\\mathbf{{10^{round(np.log10(n))}}}$ elements")
    figure.canvas.draw()
    ends = {name: (list(curve)[-1], 1 / rates(curve)[-1]) for name, curve in cost.items()}
    label_ends(left, ends, colours, 0.075)
    ends = {name: (list(curve)[-1], rates(curve, n)[-1]) for name, curve in threads.items()}
    label_ends(right, ends, colours, 0.075)
    return figure


def measure(largest: float, during: float) -> dict[str, Any]:
    # In whole blocks of the stream; JAX draws odd sizes at half its speed or less.
    sizes = [4 * round(10 ** (k / 2) / 4) for k in range(4, 2 * round(np.log10(largest)) + 1)]
    large = min(10**8, sizes[-1])
    threads = by_threads(large, during)
    curves = by_size(sizes, during)
    for law, found in peers_by_size(sizes, during).items():
        curves[law] |= found
    report: dict[str, Any] = {"machine": machine(), "unit": "seconds of a call", "by size": curves}
    return report | {"by threads": threads, "elements by threads": large}


def draw(report: dict[str, Any], folder: Path) -> None:
    def numbered(curves: dict[str, dict[str, float]]) -> Curves:
        return {name: {int(n): seconds for n, seconds in curve.items()} for name, curve in curves.items()}

    by_law = {law: numbered(curves) for law, curves in report["by size"].items()}
    for law, curves in by_law.items():
        on_every_theme(partial(sizes_of, law, curves), folder / f"scaling-{law}.png")
    threads = numbered(report["by threads"])
    picture = partial(threads_of, by_law, threads, report["elements by threads"])
    on_every_theme(picture, folder / "scaling-threads.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("docs/images"), help="folder of the pictures"
    )
    parser.add_argument(
        "--largest", type=float, default=1e9, help="elements of the largest array, 4 bytes each"
    )
    parser.add_argument("--seconds", type=float, default=0.9, help="least time of a point")
    parser.add_argument("--draw", action="store_true", help="measure nothing: draw what scaling.json has")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    numbers = options.output / "scaling.json"
    if not options.draw:
        report = measure(options.largest, options.seconds)
        numbers.write_text(json.dumps(report, indent=1) + "\n")
    draw(json.loads(numbers.read_text()), options.output)


if __name__ == "__main__":
    main()
