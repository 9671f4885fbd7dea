"""How the pictures of the documentation look, on light paper and on dark: `on_every_theme` saves both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


class Theme(NamedTuple):
    """Paper, ink, grid, and Okabe and Ito's colours, which the colour-blind can tell apart."""

    suffix: str
    paper: str
    ink: str
    grid: str
    blue: str
    orange: str
    red: str
    green: str
    pink: str
    sky: str


LIGHT = Theme("", "#ffffff", "#1a1a1a", "#dddddd",
              "#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")  # fmt: skip
# The same hues, bright enough for Furo's dark pages.
DARK = Theme("-dark", "#131416", "#e6e6e6", "#3a3d42",
             "#56B4E9", "#F0B840", "#FF8A4C", "#2BC59A", "#E39BC8", "#9AD4F5")  # fmt: skip


def each() -> Iterator[Theme]:
    """Light, then dark, with matplotlib set to it."""
    for theme in (LIGHT, DARK):
        with plt.rc_context(
            {
                "font.size": 12,
                "axes.titlesize": 12,
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "axes.axisbelow": True,
                "grid.color": theme.grid,
                "grid.linewidth": 0.6,
                "legend.frameon": False,
                "text.color": theme.ink,
                "axes.labelcolor": theme.ink,
                "axes.edgecolor": theme.ink,
                "xtick.color": theme.ink,
                "ytick.color": theme.ink,
                "figure.facecolor": theme.paper,
                "axes.facecolor": theme.paper,
                "savefig.facecolor": theme.paper,
            }
        ):
            yield theme


def on_every_theme(draw: Callable[[Theme], Figure], path: Path) -> None:
    """Saves PATH on light paper, and beside it the same picture on dark paper as NAME-dark.png."""
    for theme in each():
        figure = draw(theme)
        figure.savefig(path.with_name(f"{path.stem}{theme.suffix}.png"), dpi=150, metadata={"Software": None})
        plt.close(figure)
