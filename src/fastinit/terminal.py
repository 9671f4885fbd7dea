"""What a terminal shows: its width, and the progress of a long run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Progress = Callable[[int, int], None]
"""It is told the bytes done and the bytes in all."""

_USUAL_WIDTH = 80
_LONGEST_BAR, _SHORTEST_BAR = 30, 10
_PAUSE = 0.1  # seconds between two updates


def width(stream: TextIO) -> int | None:
    """How many characters a line of the terminal has, by COLUMNS if it is set; None if the stream is not a terminal."""
    if not stream.isatty():
        return None
    chosen = os.environ.get("COLUMNS", "")
    if chosen.isdecimal() and int(chosen):
        return int(chosen)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):  # a stream that stands for a terminal, but has no file
        return _USUAL_WIDTH


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on standard error if that is a terminal; else nothing is shown.

    The bar ends its line however the block ends, so that a message after it has a line of its own.
    """
    bar = _Bar()
    try:
        yield bar.show if sys.stderr.isatty() else lambda done, total: None
    finally:
        if bar.length:
            print(file=sys.stderr, flush=True)


class _Bar:
    def __init__(self) -> None:
        self.length = 0  # of what is shown
        self._shown = time.monotonic()
        self._begun: tuple[float, int] | None = None  # when, and with how much: kept bytes have no rate

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        began, kept = self._begun = self._begun or (now, done)
        if not total or (now - self._shown < _PAUSE and done < total):
            return
        self._shown = now
        # Of the first hundredth, nothing can be told.
        rate = (done - kept) / max(now - began, 1e-9) if done - kept > total // 100 else 0.0
        room = (width(sys.stderr) or _USUAL_WIDTH) - 1  # a terminal may begin a new line after the last place
        line = _line(done, total, rate, room)
        print(f"\r{line.ljust(min(self.length, room))}", end="", file=sys.stderr, flush=True)
        self.length = len(line)


def _line(done: int, total: int, rate: float, room: int) -> str:
    """The longest of the bar's forms that has room.

    >>> _line(1 << 30, 4 << 30, 1e9, 79)
    '[#######.......................]  25%  1.00 GB/s    3 s left'
    >>> _line(1 << 30, 4 << 30, 1e9, 39)
    '[#####...............]  25%    3 s left'
    >>> _line(1 << 30, 4 << 30, 1e9, 19)
    '[###.........]  25%'
    """
    share, left = f" {done / total:4.0%}", f" {_duration((total - done) / rate) if rate else '?':>6} left"
    for words in (f"{share} {rate / 1e9:5.2f} GB/s{left}", f"{share}{left}", share):
        if room - len(words) - 2 >= _SHORTEST_BAR:
            break
    length = max(min(_LONGEST_BAR, room - len(words) - 2), 1)
    full = length * done // total
    return f"[{'#' * full}{'.' * (length - full)}]{words}"


def _duration(seconds: float) -> str:
    """
    >>> _duration(14.2), _duration(600), _duration(1e4)
    ('14 s', '10 min', '3 h')
    """
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
