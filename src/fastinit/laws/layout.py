"""Layouts: one letter for each axis of a weight."""

from __future__ import annotations


def checked_layout(sizes: tuple[int, ...], layout: str | None, transposed: bool = False) -> str:
    """One letter per axis, torch's by default; ValueError for a layout that does not fit the shape."""
    if layout is None:
        if len(sizes) < 2:
            raise ValueError(f"shape {sizes} needs two axes or more")
        return ("io" if transposed else "oi") + "k" * (len(sizes) - 2)
    if not isinstance(layout, str):
        raise TypeError(f"layout must be a str, got {layout!r}")
    kernel_letters = [c for c in layout if c not in "oib"]
    if len(layout) != len(sizes):
        raise ValueError(f"layout {layout!r} names {len(layout)} axes, shape {sizes} has {len(sizes)}")
    if layout.count("o") != 1 or layout.count("i") != 1 or not (layout.isascii() and layout.islower()):
        raise ValueError(f"layout {layout!r} must be lower-case letters with one 'o' and one 'i'")
    if len(set(kernel_letters)) < len(kernel_letters):
        raise ValueError(f"layout {layout!r} names a kernel axis twice")
    return layout
