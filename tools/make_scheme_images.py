"""Draws the pictures of docs/schemes.md, one for each scheme: ``python tools/make_scheme_images.py [FOLDER]``."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import fastinit as fi

FOLDER = Path(__file__).parents[1] / "docs" / "images" / "schemes"
BLUE, ORANGE = "#0072B2", "#D55E00"  # of Okabe and Ito's palette
# Blue below 0, red above, white at 0; grey between the parts of a picture.
COLOURS = plt.get_cmap("RdBu_r").with_extremes(bad="#999999")
STYLE = {
    "font.size": 13,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 2.5,
}
WEIGHT = (256, 128)


def draw(scheme: str, shape: tuple[int, ...], **numbers: Any) -> np.ndarray:
    values: np.ndarray = getattr(fi.schemes, scheme)(shape, seed=0, name="w", **numbers)
    return values


def panels(*widths: float) -> tuple[Figure, list[Axes]]:
    figure, grid = plt.subplots(
        1, len(widths), figsize=(5.4, 2.4), layout="compressed", squeeze=False, width_ratios=widths
    )
    return figure, list(grid.flat)


def compare(title: str, values: np.ndarray, x: np.ndarray, law: np.ndarray) -> Figure:
    """A histogram of the values, and the law's density at x."""
    figure, (axes,) = panels(1)
    axes.hist(values.ravel(), x[::20], density=True, color=BLUE, alpha=0.6, label="drawn")
    axes.plot(x, law, color=ORANGE, label="law")
    axes.set(xlim=(x[0], x[-1]), yticks=[])
    axes.locator_params(axis="x", nbins=6)
    axes.set_title(title, loc="left")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.95), ncols=2, handlelength=1, columnspacing=1)
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
) -> Any:
    """The elementwise law and what it drew, between low and reach."""

    def picture(scheme: str) -> Figure:
        x = np.linspace(-reach if low is None else low, reach, 1201)
        law = fi.distribution(scheme, shape, **numbers)
        title = f"shape {shape}: std {law.moments()[1]:.4f}"
        return compare(title, draw(scheme, shape, **numbers), x, density_of(law, x))

    return picture


def spike(**numbers: Any) -> Any:
    def picture(scheme: str) -> Figure:
        figure, (axes,) = panels(1)
        value = float(np.unique(draw(scheme, (10,), **numbers)).item())
        axes.vlines([value], 0, 1, color=BLUE, lw=6)
        reach = 1.5 * abs(value) or 1
        axes.set(xlim=(-reach, reach), ylim=(0, 1.05), yticks=[0, 1], ylabel="share")
        axes.locator_params(axis="x", nbins=6)
        axes.axvline(0, color="#999999", lw=1, zorder=0)
        given = ", ".join(f"{name}={value}" for name, value in numbers.items())
        axes.set_title(f"{given}: {value:.4g}" if given else f"{value:.4g}", loc="left")
        return figure

    return picture


def log_uniform(scheme: str) -> Figure:
    x = np.linspace(-3.5, -0.5, 1201)
    law = np.where((x >= -3) & (x <= -1), 0.5, 0)
    figure = compare("on a logarithmic axis", np.log10(draw(scheme, WEIGHT)), x, law)
    figure.axes[0].set_xticks([-3, -2, -1], ["0.001", "0.01", "0.1"])
    return figure


def dt_bias(scheme: str) -> Figure:
    b = np.linspace(-8, -1, 1201)
    step = np.log1p(np.exp(b))
    inside = (step >= 1e-3) & (step <= 0.1)
    law = np.where(inside, 1 / (1 + np.exp(-b)) / (step * math.log(100)), 0)
    return compare("softplus: 0.001 to 0.1", draw(scheme, WEIGHT), b, law)


def plane(radius: float, reach: float = 2.6) -> Any:
    """Points of the complex plane, and the circle that holds them all."""

    def picture(scheme: str) -> Figure:
        figure, (axes,) = panels(1)
        x, y = draw(scheme, (1000, 2)).T
        axes.plot(x, y, ".", color=BLUE, ms=3)
        if radius:
            turn = np.linspace(0, 2 * math.pi, 200)
            axes.plot(radius * np.cos(turn), radius * np.sin(turn), color=ORANGE)
        axes.set(aspect="equal", xlim=(-2 * reach, 2 * reach), ylim=(-reach, reach))
        axes.set(xlabel="real", ylabel="imaginary")
        return figure

    return picture


# ------------------------------------------------------------------------------------------------- matrices


def show(figure: Figure, axes: Axes, matrix: np.ndarray, title: str) -> None:
    reach = float(np.nanmax(abs(matrix)))
    image = axes.imshow(matrix, cmap=COLOURS, vmin=-reach, vmax=reach, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color="#999999")
    axes.set_title(title, loc="left")
    figure.colorbar(image, ax=axes, ticks=[-reach, 0, reach], format=lambda v, _: f"{v:.2g}", aspect=12)


def matrix(shape: tuple[int, ...], seen: tuple[int, int] | None = None, **numbers: Any) -> Any:
    """The tensor as an image of rows and columns, by default its own."""

    def picture(scheme: str) -> Figure:
        figure, (axes,) = panels(1)
        show(figure, axes, draw(scheme, shape, **numbers).reshape(seen or shape), f"shape {shape}")
        return figure

    return picture


def spectrum(shape: tuple[int, ...]) -> Any:
    """The matrix, and its singular values beside those of a normal one of the same variance."""

    def picture(scheme: str) -> Figure:
        figure, (left, right) = panels(1.1, 1)
        values = draw(scheme, shape)
        show(figure, left, values, f"shape {shape}")
        both = (values, draw("normal", shape, std=float(values.std())))
        singular(right, *(np.linalg.svd(v.astype(np.float64), compute_uv=False) for v in both))
        return figure

    return picture


def singular(axes: Axes, ours: np.ndarray, normal: np.ndarray) -> None:
    axes.plot(np.sort(ours)[::-1], color=BLUE, label="drawn")
    axes.plot(np.sort(normal)[::-1], color="#777777", ls="--", label="normal")
    axes.set(ylim=(0, 2.2), xticks=[], yticks=[0, 1, 2])
    axes.set_title("singular values", loc="left")
    axes.legend(loc="upper right", fontsize=11)


def side_by_side(tiles: np.ndarray, gap: int = 1) -> np.ndarray:
    """Tiles (rows, columns, height, width) as one picture with gaps between them."""
    padded = np.pad(tiles, [(0, 0), (0, 0), (0, gap), (0, gap)], constant_values=np.nan)
    rows, columns, height, width = padded.shape
    return padded.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)[:-gap, :-gap]


def taps(shape: tuple[int, ...]) -> Any:
    """For each tap of the kernel its matrix of outputs and inputs."""

    def picture(scheme: str) -> Figure:
        figure, (axes,) = panels(1)
        show(figure, axes, side_by_side(draw(scheme, shape).transpose(2, 3, 0, 1)), f"taps of {shape}")
        return figure

    return picture


def kernels(shape: tuple[int, ...]) -> Any:
    """For each output and input its kernel."""

    def picture(scheme: str) -> Figure:
        figure, (axes,) = panels(1)
        show(figure, axes, side_by_side(draw(scheme, shape)), f"kernels of {shape}")
        return figure

    return picture


def conv_orthogonal(scheme: str) -> Figure:
    figure, (left, right) = panels(1.1, 1)
    shape = (8, 8, 3, 3)
    values = draw(scheme, shape)
    show(figure, left, side_by_side(values.transpose(2, 3, 0, 1)), f"taps of {shape}")
    both = (values, draw("normal", shape, std=float(values.std())))
    # Of the map on circular images of 8 x 8.
    waves = (np.fft.fft2(v.astype(np.float64), (8, 8)).transpose(2, 3, 0, 1) for v in both)
    singular(right, *(np.linalg.svd(w, compute_uv=False).ravel() for w in waves))
    return figure


def zer_o(scheme: str) -> Figure:
    figure, both = panels(1.25, 1)
    for axes, shape in zip(both, ((20, 32), (32, 20)), strict=True):
        show(figure, axes, draw(scheme, shape), f"{shape}")
    return figure


# ------------------------------------------------------------------------------------------------ sequences


def gates(**numbers: Any) -> Any:
    """A bias whose gates lie side by side."""

    def picture(scheme: str) -> Figure:
        figure, (axes,) = panels(1)
        axes.plot(draw(scheme, (128,), **numbers), ".", color=BLUE, ms=5)
        for edge in (32, 64, 96):
            axes.axvline(edge - 0.5, color="#999999", lw=1)
        axes.set_xticks([15.5, 47.5, 79.5, 111.5], ["input", "forget", "cell", "output"], rotation=0)
        given = "".join(f", {name}={value}" for name, value in numbers.items())
        axes.set_title(f"shape (128,){given}", loc="left")
        return figure

    return picture


def sequence(scheme: str) -> Figure:
    figure, (axes,) = panels(1)
    axes.plot(draw(scheme, (16,)), "o", color=BLUE, ms=5)
    axes.set(xlabel="n", xticks=range(0, 16, 5))
    axes.set_title("shape (16,)", loc="left")
    return figure


def modes(scheme: str) -> Figure:
    figure, (axes,) = panels(1)
    real, imaginary = draw(scheme, (16, 2)).T
    axes.plot(imaginary, "o", color=BLUE, ms=5, label="imaginary")
    axes.plot(real, "o", color=ORANGE, ms=5, label="real")
    axes.set(xlabel="n", xticks=range(0, 16, 5))
    axes.set_title("shape (16, 2)", loc="left")
    axes.legend()
    return figure


PICTURES: dict[str, Callable[[str], Figure]] = {
    "zeros": spike(),
    "ones": spike(),
    "constant": spike(value=0.1),
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
    "positive_bias": spike(),
    "torch_bias": density(shape=(4096,), fan_in=128),
    "forget_gate_bias": gates(),
    "chrono": gates(t_max=100),
    "focal_prior": spike(prior=0.01),
    "class_prior": spike(classes=1000),
    "dt_bias": dt_bias,
    "mamba_a_log": sequence,
    "s4d_real": sequence,
    "s4d_lin": modes,
    "s4d_inv": modes,
    "hippo_legs": matrix((24, 24)),
}


def save(scheme: str, folder: Path) -> None:
    """FOLDER/SCHEME.png, in 128 colours: a few kilobytes each."""
    with plt.rc_context(STYLE):
        figure = PICTURES[scheme](scheme)
        figure.set_dpi(150)
        figure.canvas.draw()
        pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]
        plt.close(figure)
    pixels.quantize(128, Image.Quantize.MAXCOVERAGE).save(folder / f"{scheme}.png", optimize=True)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for scheme in PICTURES:
        save(scheme, target)
