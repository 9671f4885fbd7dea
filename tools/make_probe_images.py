"""Draws the pictures of docs/probe.md and docs/getting-started.md: python tools/make_probe_images.py"""

from __future__ import annotations

from pathlib import Path

from fastinit.propagation import plot, probe

IMAGES = Path(__file__).parents[1] / "docs" / "images"


def main() -> None:
    first = [probe([784, *[256] * 20, 10], "relu", scheme) for scheme in ("he_normal", "xavier_normal")]
    plot(first, IMAGES / "getting-started.png")
    relu = [
        probe([256] * 51, "relu", scheme, **numbers)
        for scheme, numbers in (
            ("he_normal", {}),
            ("xavier_normal", {}),
            ("normal", {"std": 0.15}),
            ("constant", {"value": 0.006}),
        )
    ]
    plot(relu, IMAGES / "probe-relu.png")
    tanh = [probe([256] * 31, "tanh", "he_normal", gain=gain) for gain in (1.0, 5 / 3, 4.0)]
    plot([*tanh, probe([256] * 31, "sigmoid", "xavier_normal")], IMAGES / "probe-tanh.png")


if __name__ == "__main__":
    main()
