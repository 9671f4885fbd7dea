"""Draws the pictures of docs/probe.md and docs/getting-started.md: python tools/make_probe_images.py"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastinit.propagation import ProbeReport, plot, probe

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def draw(reports: Sequence[ProbeReport], name: str) -> None:
    """On light paper and on dark."""
    plot(reports, IMAGES / f"{name}.png")
    plot(reports, IMAGES / f"{name}-dark.png", dark=True)


def main() -> None:
    first = [probe([784, *[256] * 20, 10], "relu", scheme) for scheme in ("he_normal", "xavier_normal")]
    draw(first, "getting-started")
    relu = [
        probe([256] * 51, "relu", scheme, **numbers)
        for scheme, numbers in (
            ("he_normal", {}),
            ("xavier_normal", {}),
            ("normal", {"std": 0.15}),
            ("constant", {"value": 0.006}),
        )
    ]
    draw(relu, "probe-relu")
    tanh = [probe([256] * 31, "tanh", "he_normal", gain=gain) for gain in (1.0, 5 / 3, 4.0)]
    draw([*tanh, probe([256] * 31, "sigmoid", "xavier_normal")], "probe-tanh")


if __name__ == "__main__":
    main()
