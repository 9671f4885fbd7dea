"""Draws what `experiments.py` measured: one picture for each claim."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import matplotlib.pyplot as plt
from themes import Theme, on_every_theme

DASHES = (0, (4, 2))


def draw(results: Mapping[str, Any], folder: Path) -> None:
    """Writes claims-NAME.png and claims-NAME-dark.png for every experiment that has a picture."""
    for name, picture in PICTURES.items():
        on_every_theme(partial(picture, results[name]), folder / f"claims-{name}.png")


def panels(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, list[Axes]]:
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)
    return figure, list(grid.flat)


def densities(results: Any, theme: Theme) -> Figure:
    figure, both = panels(1, 2, (8.6, 3.6), sharey=True)
    edges = np.array(results["edges"])
    middles = 0.5 * (edges[1:] + edges[:-1])
    fine = np.linspace(edges[0], edges[-1], 801)

    def normal(std: float) -> Any:
        return np.exp(-0.5 * (fine / std) ** 2) / (std * np.sqrt(2 * np.pi))

    schemes = results["schemes"]
    uniform, xavier, he = (schemes[name] for name in ("xavier_uniform", "xavier_normal", "he_normal"))
    bound = uniform["law std"] * np.sqrt(3)
    inside = np.where(np.abs(fine) < bound, 1 / (2 * bound), 0)
    for axes, drawn, law, colour, name in (
        (both[0], uniform, inside, theme.blue, "Xavier, uniform"),
        (both[1], xavier, normal(xavier["law std"]), theme.blue, "Xavier, normal"),
        (both[1], he, normal(he["law std"]), theme.orange, "He, normal"),
    ):
        axes.bar(middles, drawn["heights"], np.diff(edges), color=colour, alpha=0.35, label=name)
        axes.plot(fine, law, color=colour, linewidth=1.6)
    for axes in both:
        axes.set(xlabel="weight", xlim=(edges[0], edges[-1]), ylim=(0, 11))
        axes.legend(loc="upper right", handlelength=1, borderaxespad=0)
    both[0].set_ylabel("density")
    both[0].set_title("A matrix of 256 by 784, uniform")
    both[1].set_title("The same, normal")
    return figure


def symmetry(results: Any, theme: Theme) -> Figure:
    figure, all_axes = panels(1, 3, (8.6, 3.3), sharey=True)
    styles = {
        "zeros": (theme.red, "zeros"),
        "constant": (theme.orange, "constant 0.1"),
        "xavier_normal": (theme.blue, "Xavier"),
    }
    names = {"tanh": "tanh", "relu": "ReLU", "sigmoid": "sigmoid"}
    for axes, activation in zip(all_axes, names, strict=True):
        for run in (r for r in results if r["activation"] == activation):
            colour, label = styles[run["scheme"]]
            losses = np.array(run["losses"][9:], float)
            axes.plot(np.arange(10, len(losses) + 10), losses, color=colour, linewidth=1.8, label=label)
        axes.axhline(np.log(10), color=theme.ink, linewidth=1, linestyle=DASHES, zorder=0)
        axes.set(xlabel="step", ylim=(0, 2.6))
        axes.set_title(names[activation])
    all_axes[0].text(300, np.log(10) + 0.06, "ln 10", ha="right", va="bottom")
    all_axes[0].set_ylabel("loss")
    all_axes[0].legend(loc="center right", bbox_to_anchor=(1, 0.45))
    return figure


def ranges(results: Any, theme: Theme) -> Figure:
    figure, both = panels(1, 2, (8.6, 4))
    for run, colour in zip(results, (theme.sky, theme.blue, theme.ink), strict=True):
        label = f"{run['depth']} layers"
        both[0].plot(run["eps"], run["rms"], "o", color=colour, markersize=3.5, label=label)
        both[0].plot(run["eps"], run["theory"], color=colour, linewidth=1, linestyle=DASHES)
        loss = np.array([np.nan if v is None else v for v in run["loss"]], float)
        both[1].plot(run["eps"], loss, "o-", color=colour, markersize=3.5, linewidth=1.6, label=label)
        lost = np.isnan(loss)
        both[1].plot(np.array(run["eps"])[lost], [2.75] * lost.sum(), "x", color=theme.red, markersize=5)
    for axes in both:
        axes.set(xscale="log", xlabel="eps of U[-eps, eps)")
        axes.axvline(np.sqrt(6 / 64), color=theme.orange, linewidth=1.6, zorder=0)
    both[0].set(yscale="log", ylabel="rms of the last hidden h", yticks=10.0 ** np.arange(-120, 61, 30))
    both[0].yaxis.set_minor_locator(NullLocator())
    both[0].legend(loc="upper left", markerscale=1.5)
    both[1].set(ylabel="loss after 300 steps", ylim=(0, 3))
    both[1].text(np.sqrt(6 / 64) * 1.25, 1.3, "He", color=theme.orange, weight="bold")
    both[1].text(100, 2.55, "overflow", color=theme.red, ha="right", va="top")
    both[0].set_title("The signal; dashed: theory")
    both[1].set_title("What is learned")
    return figure


def variance(results: Any, theme: Theme) -> Figure:
    figure, grid = panels(4, 2, (8.6, 10), sharex=True)
    for axes, (case, run) in zip(grid, results.items(), strict=True):
        for key, colour, label in (("q", theme.blue, "signal $q$"), ("gradient", theme.red, "gradient")):
            curve = {name: np.array(values[:-1]) for name, values in run[key].items()}
            layers = np.arange(1, len(curve["median"]) + 1)
            if (
                curve["high"] > curve["theory"]
            ).all():  # or else the band's first order in 1 / width is not a guide
                axes.fill_between(layers, curve["low"], curve["high"], color=colour, alpha=0.16, linewidth=0)
            axes.plot(layers, curve["theory"], color=colour, linewidth=1.2, linestyle=DASHES)
            axes.errorbar(
                layers[3::5],
                curve["median"][3::5],
                [(curve["median"] - curve["least"])[3::5], (curve["largest"] - curve["median"])[3::5]],
                color=colour,
                fmt="o",
                markersize=3.5,
                linewidth=1,
                label=label,
            )
        axes.set_yscale("log")
        axes.set_title(case.replace(" x ", r" $\times$ "))
    for axes in grid[-2:]:
        axes.set_xlabel("layer")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def dead(results: Any, theme: Theme) -> Figure:
    figure, (relu, off, dead) = panels(1, 3, (8.6, 3.6))
    edges, heights = np.array(results[0]["edges"]), results[0]["h"]
    colours = [theme.red if edge < 0 else theme.blue for edge in edges[:-1]]
    relu.bar(edges[:-1], heights, np.diff(edges), align="edge", color=colours, alpha=0.4)
    relu.plot(edges, 0.12 * np.maximum(edges, 0), color=theme.ink, linewidth=2)
    relu.text(-3.4, 0.06, "off", color=theme.red, weight="bold", ha="center")
    relu.text(3.7, 0.47, "ReLU", weight="bold", ha="right")
    relu.set(xlabel="h in layer 2", ylabel="density", xlim=(edges[0], edges[-1]), ylim=(0, 0.6))
    for run, colour in zip(results, (theme.ink, theme.blue, theme.orange), strict=True):
        layers = np.arange(1, len(run["dead"]) + 1)
        for axes, key in ((off, "off"), (dead, "dead")):
            axes.plot(layers, run[key], "o", color=colour, markersize=3, label=f"bias {run['bias']:g}")
        dead.plot(layers, run["theory"], color=colour, linewidth=1.2, linestyle=DASHES)
    off.set(ylim=(0, 1), ylabel="share of h below 0", xlabel="layer")
    dead.set(ylim=(0, 0.5), ylabel="share of units", xlabel="layer")
    relu.set_title("What a ReLU gets")
    off.set_title("Off for one image")
    dead.set_title("Off for all images")
    dead.legend(loc="lower right", markerscale=1.5)
    return figure


def convergence(results: Any, theme: Theme) -> Figure:
    figure, both = panels(1, 2, (8.6, 4.4), sharey=True)
    styles = {
        "tanh, Xavier": (0, theme.blue, "o"),
        "tanh, He": (0, theme.sky, "s"),
        "sigmoid, Xavier": (0, theme.pink, "^"),
        "ReLU, He": (1, theme.ink, "o"),
        "ReLU, Xavier": (1, theme.red, "s"),
        "ReLU, He, bias 0.01": (1, theme.green, "^"),
        "ReLU, He, bias 0.1": (1, theme.orange, "v"),
    }
    never = 500  # where they are drawn
    for k, (run, rows) in enumerate(results.items()):
        side, colour, marker = styles[run]
        shift = 1.0 + 0.05 * (k % 4 - 1.5)
        depths = np.array([row["depth"] for row in rows], float) * shift
        steps = np.array([[never if s is None else s for s in row["steps"]] for row in rows], float)
        middle = np.median(steps, axis=1)
        both[side].plot(depths, middle, color=colour, linewidth=1.5, label=run)
        both[side].plot(np.repeat(depths, steps.shape[1]), steps.ravel(), marker, color=colour, markersize=4,
                        linestyle="none", alpha=0.7)  # fmt: skip
    for axes in both:
        axes.set(xscale="log", yscale="log", xlabel="hidden layers", ylim=(15, 640))
        axes.xaxis.set_major_locator(FixedLocator([2, 5, 10, 20, 50]))
        axes.yaxis.set_major_locator(FixedLocator([20, 50, 100, 200, never]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_xticklabels(["2", "5", "10", "20", "50"])
        axes.set_yticklabels(["20", "50", "100", "200", "not in 300"])
        axes.legend(loc="lower right")
    both[0].set_ylabel("steps to a loss of 0.5")
    both[0].set_title("tanh and sigmoid")
    both[1].set_title("ReLU")
    return figure


PICTURES = {
    "densities": densities,
    "symmetry": symmetry,
    "ranges": ranges,
    "variance": variance,
    "dead": dead,
    "convergence": convergence,
}
