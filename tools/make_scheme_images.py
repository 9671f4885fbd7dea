"""Draws the pictures of docs/schemes.md, on light paper and on dark: ``python tools/make_scheme_images.py [FOLDER]``."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

import matplotlib.pyplot as plt
import themes
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from themes import Theme

import fastinit as fi

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "schemes"
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "normal",
    "axes.grid": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}
WEIGHT = (256, 128)
Picture = Callable[[str, Theme], Figure]


def draw(scheme: str, shape: tuple[int, ...], **numbers: Any) -> np.ndarray:
    values: np.ndarray = getattr(fi.schemes, scheme)(shape, seed=0, name="w", **numbers)
    return values


def caption(scheme: str, shape: tuple[int, ...], **numbers: Any) -> str:
    """What all pictures say of themselves."""
    seed = ["seed 0"] if fi.schemes.SCHEMES[scheme].random else []
    return ", ".join([f"Shape {shape}", *seed, *(f"{name}={value}" for name, value in numbers.items())])


def panels(*widths: float) -> tuple[Figure, list[Axes]]:
    figure, grid = plt.subplots(
        1, len(widths), figsize=(4.2, 2.2), layout="compressed", squeeze=False, width_ratios=widths
    )
    return figure, list(grid.flat)


def compare(title: str, values: np.ndarray, x: np.ndarray, density: np.ndarray, theme: Theme) -> Figure:
    """A histogram of the values, and the density at x."""
    figure, (axes,) = panels(1)
    inside = x[density > 0]  # no bin reaches over a bound
    bins = np.linspace(inside[0], inside[-1], max(2, round(60 * len(inside) / len(x))))
    axes.hist(values.ravel(), bins, density=True, color=theme.blue, alpha=0.6, label="drawn")
    axes.plot(x, density, color=theme.red, label="density")
    axes.set(xlim=(x[0], x[-1]), ylim=(0, 1.28 * float(density.max())), yticks=[], xlabel="value")
    axes.locator_params(axis="x", nbins=6)
    axes.set_title(title)
    axes.legend(loc="upper right", ncols=2, handlelength=1, columnspacing=1)
    return figure


# ------------------------------------------------------------------------------------------------- densities


def density_of(law: Any, x: np.ndarray) -> np.ndarray:
    if isinstance(law, fi.Uniform):
        return np.where((x >= law.low) & (x < law.high), 1 / (law.high - law.low), 0)
    bell = np.exp(-0.5 * ((x - law.mean) / law.std) ** 2) / (law.std * math.sqrt(2 * math.pi))
    if isinstance(law, fi.Normal):
        return bell
    below, above = (
        math.erf((bound - law.mean) / law.std / math.sqrt(2)) / 2 for bound in (law.low, law.high)
    )
    return np.where((x >= law.low) & (x <= law.high), bell / (above - below), 0)


def density(
    reach: float = 0.4, shape: tuple[int, ...] = WEIGHT, low: float | None = None, **numbers: Any
) -> Picture:
    """The density of an element and what was drawn, between low and reach."""

    def picture(scheme: str, theme: Theme) -> Figure:
        x = np.linspace(-reach if low is None else low, reach, 1201)
        law = fi.distribution(fi.schemes.scheme(scheme), shape, **numbers)
        return compare(
            caption(scheme, shape, **numbers), draw(scheme, shape, **numbers), x, density_of(law, x), theme
        )

    return picture


def log_uniform(scheme: str, theme: Theme) -> Figure:
    x = np.linspace(-3.5, -0.5, 1201)
    law = np.where((x >= -3) & (x <= -1), 0.5, 0)
    figure = compare(caption(scheme, WEIGHT), np.log10(draw(scheme, WEIGHT)), x, law, theme)
    figure.axes[0].set_xticks([-3, -2, -1], ["0.001", "0.01", "0.1"])
    figure.axes[0].set_xlabel("value, on a logarithmic axis")
    return figure


def dt_bias(scheme: str, theme: Theme) -> Figure:
    b = np.linspace(-8, -1, 1201)
    step = np.log1p(np.exp(b))
    inside = (step >= 1e-3) & (step <= 0.1)
    law = np.where(inside, 1 / (1 + np.exp(-b)) / (step * math.log(100)), 0)
    return compare(caption(scheme, WEIGHT), draw(scheme, WEIGHT), b, law, theme)


def plane(radius: float, reach: float = 2.6) -> Picture:
    """Points of the complex plane, and the circle that holds them all."""

    def picture(scheme: str, theme: Theme) -> Figure:
        figure, (axes,) = panels(1)
        x, y = draw(scheme, (1000, 2)).T
        axes.plot(x, y, ".", color=theme.blue, ms=2.5)
        if radius:
            turn = np.linspace(0, 2 * math.pi, 200)
            axes.plot(radius * np.cos(turn), radius * np.sin(turn), color=theme.red)
        axes.set(aspect="equal", xlim=(-2 * reach, 2 * reach), ylim=(-reach, reach))
        axes.set(xlabel="real part", ylabel="imaginary part")
        axes.set_title(caption(scheme, (1000, 2)))
        return figure

    return picture


# ------------------------------------------------------------------------------------------------- matrices


def show(figure: Figure, axes: Axes, matrix: np.ndarray, title: str, theme: Theme) -> None:
    """Blue below 0, red above, the paper at 0; grey between the parts of a picture."""
    colours = LinearSegmentedColormap.from_list("", [theme.blue, theme.paper, theme.red])
    reach = float(np.nanmax(abs(matrix)))
    image = axes.imshow(
        matrix, cmap=colours.with_extremes(bad=theme.grid), vmin=-reach, vmax=reach, interpolation="nearest"
    )
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=theme.grid)
    axes.set_title(title)
    bar = figure.colorbar(image, ax=axes, ticks=[-reach, 0, reach], format=lambda v, _: f"{v:.2g}", aspect=12)
    bar.outline.set_edgecolor(theme.grid)  # type: ignore[operator]


def matrix(shape: tuple[int, ...], seen: tuple[int, int] | None = None, **numbers: Any) -> Picture:
    """The tensor as an image of rows and columns, by default its own."""

    def picture(scheme: str, theme: Theme) -> Figure:
        figure, (axes,) = panels(1)
        show(
            figure, axes, draw(scheme, shape, **numbers).reshape(seen or shape), caption(scheme, shape), theme
        )
        return figure

    return picture


def spectrum(shape: tuple[int, ...]) -> Picture:
    """The matrix, and its singular values beside those of a normal one of the same variance."""

    def picture(scheme: str, theme: Theme) -> Figure:
        figure, (left, right) = panels(1.1, 1)
        values = draw(scheme, shape)
        show(figure, left, values, caption(scheme, shape), theme)
        both = (values, draw("normal", shape, std=float(values.std())))
        singular(right, *(np.linalg.svd(v.astype(np.float64), compute_uv=False) for v in both), theme)
        return figure

    return picture


def singular(axes: Axes, ours: np.ndarray, normal: np.ndarray, theme: Theme) -> None:
    axes.plot(np.sort(ours)[::-1], color=theme.blue, label="drawn")
    axes.plot(np.sort(normal)[::-1], color=theme.red, ls="--", label="normal")
    axes.set(ylim=(0, 2.6), xticks=[], yticks=[0, 1, 2], xlabel="singular values")
    axes.legend(loc="upper right", handlelength=1.5)


def side_by_side(tiles: np.ndarray, gap: int = 1) -> np.ndarray:
    """Tiles (rows, columns, height, width) as one picture with gaps between them."""
    padded = np.pad(tiles, [(0, 0), (0, 0), (0, gap), (0, gap)], constant_values=np.nan)
    rows, columns, height, width = padded.shape
    return padded.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)[:-gap, :-gap]


def taps(shape: tuple[int, ...]) -> Picture:
    """For each tap of the kernel its matrix of outputs and inputs."""

    def picture(scheme: str, theme: Theme) -> Figure:
        figure, (axes,) = panels(1)
        show(
            figure,
            axes,
            side_by_side(draw(scheme, shape).transpose(2, 3, 0, 1)),
            caption(scheme, shape),
            theme,
        )
        axes.set_xlabel("one square for each tap")
        return figure

    return picture


def kernels(shape: tuple[int, ...]) -> Picture:
    """For each output and input its kernel."""

    def picture(scheme: str, theme: Theme) -> Figure:
        figure, (axes,) = panels(1)
        show(figure, axes, side_by_side(draw(scheme, shape)), caption(scheme, shape), theme)
        axes.set_xlabel("one square for each kernel")
        return figure

    return picture


def conv_orthogonal(scheme: str, theme: Theme) -> Figure:
    figure, (left, right) = panels(1.1, 1)
    shape = (8, 8, 3, 3)
    values = draw(scheme, shape)
    show(figure, left, side_by_side(values.transpose(2, 3, 0, 1)), caption(scheme, shape), theme)
    left.set_xlabel("one square for each tap")
    both = (values, draw("normal", shape, std=float(values.std())))
    # Of the map on circular images of 8 x 8.
    waves = (np.fft.fft2(v.astype(np.float64), (8, 8)).transpose(2, 3, 0, 1) for v in both)
    singular(right, *(np.linalg.svd(w, compute_uv=False).ravel() for w in waves), theme)
    return figure


def zer_o(scheme: str, theme: Theme) -> Figure:
    figure, both = panels(1.25, 1)
    for axes, shape in zip(both, ((20, 32), (32, 20)), strict=True):
        show(figure, axes, draw(scheme, shape), f"Shape {shape}", theme)
    return figure


# ------------------------------------------------------------------------------------------------ sequences


def gates(**numbers: Any) -> Picture:
    """A bias whose gates lie side by side."""

    def picture(scheme: str, theme: Theme) -> Figure:
        figure, (axes,) = panels(1)
        axes.plot(draw(scheme, (128,), **numbers), ".", color=theme.blue, ms=4)
        for edge in (32, 64, 96):
            axes.axvline(edge - 0.5, color=theme.grid, lw=1)
        axes.set_xticks([15.5, 47.5, 79.5, 111.5], ["input", "forget", "cell", "output"], rotation=0)
        axes.set(xlabel="gate", ylabel="value")
        axes.set_title(caption(scheme, (128,), **numbers))
        return figure

    return picture


def sequence(scheme: str, theme: Theme) -> Figure:
    figure, (axes,) = panels(1)
    axes.plot(draw(scheme, (16,)), "o", color=theme.blue, ms=4)
    axes.set(xlabel="n", ylabel="value", xticks=range(0, 16, 5))
    axes.set_title(caption(scheme, (16,)))
    return figure


def modes(scheme: str, theme: Theme) -> Figure:
    figure, (axes,) = panels(1)
    real, imaginary = draw(scheme, (16, 2)).T
    axes.plot(imaginary, "o", color=theme.blue, ms=4, label="imaginary part")
    axes.plot(real, "o", color=theme.red, ms=4, label="real part")
    axes.set(xlabel="n", ylabel="value", xticks=range(0, 16, 5))
    axes.set_title(caption(scheme, (16, 2)))
    axes.legend()
    return figure


PICTURES: dict[str, Picture] = {
    "uniform": density(1.25, low=-0.25),
    "normal": density(4),
    "truncated_normal": density(4),
    "array": matrix((8, 20), values=np.add.outer(np.arange(-4, 4), np.sin(np.arange(20)) * 3)),
    "log_uniform": log_uniform,
    "complex_normal": plane(0),
    "complex_truncated_normal": plane(2),
    "complex_uniform": plane(1, 1.2),
    "variance_scaling": density(),
    "xavier_uniform": density(),
    "xavier_normal": density(),
    "he_uniform": density(),
    "he_normal": density(),
    "lecun_uniform": density(),
    "lecun_normal": density(),
    "torch_default": density(),
    "uniform_scaling": density(),
    "siren": density(0.02),
    "orthogonal": spectrum((48, 48)),
    "delta_orthogonal": taps((10, 10, 3, 3)),
    "identity": matrix((16, 24)),
    "dirac": taps((10, 10, 3, 3)),
    "sparse": matrix((30, 60)),
    "n_m_sparse": matrix((16, 32)),
    "conv_orthogonal": conv_orthogonal,
    "hadamard_orthogonal": spectrum((48, 48)),
    "hadamard": matrix((32, 32)),
    "zer_o": zer_o,
    "icnr": matrix((16, 4, 3, 3), (16, 36)),
    "bilinear": kernels((3, 3, 8, 8)),
    "averaging": kernels((3, 3, 5, 5)),
    "stft": matrix((64, 1, 33), (64, 33)),
    "torch_bias": density(shape=(4096,), fan_in=128),
    "forget_gate_bias": gates(),
    "chrono": gates(t_max=100),
    "dt_bias": dt_bias,
    "mamba_a_log": sequence,
    "s4d_real": sequence,
    "s4d_lin": modes,
    "s4d_inv": modes,
    "hippo_legs": matrix((24, 24)),
}


def save(scheme: str, folder: Path) -> None:
    """FOLDER/SCHEME.png and FOLDER/SCHEME-dark.png, in 128 colours: a few kilobytes each."""
    for theme in themes.each():
        with plt.rc_context(STYLE):
            figure = PICTURES[scheme](scheme, theme)
            figure.set_dpi(160)
            figure.canvas.draw()
            pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]
            plt.close(figure)
        small = pixels.quantize(128, Image.Quantize.MAXCOVERAGE)
        small.save(folder / f"{scheme}{theme.suffix}.png", optimize=True)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for scheme in PICTURES:
        save(scheme, target)
