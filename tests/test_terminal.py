"""How what the command line says fits the terminal."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401
import numpy as np
import pytest
import safetensors.numpy
from conftest import EXAMPLES, Run

from fastinit import cli, terminal


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, width: int, line: str, status: int = 0) -> list[str]:
    """The lines that a command prints on a terminal of this width."""
    screen = Terminal()
    with monkeypatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setattr(sys, "stdout", screen)
        assert cli.main(shlex.split(line)) == status, line
    return screen.getvalue().splitlines()


WIDTHS = (40, 60, 80, 120)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("line", "status"),
    [
        (f"plan {EXAMPLES / 'gpt2.json'} --recipe gpt2", 0),
        (f"plan {EXAMPLES / 'resnet-50.json'} --recipe resnet", 0),
        ("inspect m.safetensors", 0),
        ("inspect m.safetensors --recipe zeros", 3),
        ("verify m.safetensors --seed 1", 3),
        ("init model.json --seed 0 -o n.safetensors", 0),
        ("probe --widths 64,64x20,10 --scheme he_normal,constant:value=0.01", 3),
        ("schemes", 0),
        ("schemes stft", 0),
        ("schemes he_normal", 0),
        ("recipes", 0),
        ("recipes mup", 0),
        ("recipes default", 0),
    ],
)
def test_what_is_printed_fits(
    line: str, status: int, width: int, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init model.json --seed 0 -o m.safetensors")
    lines = on_terminal(monkeypatch, width, line, status)
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width / 2  # and uses the room


@pytest.mark.parametrize("width", WIDTHS)
def test_what_a_table_leaves_out(width: int, here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"plan {EXAMPLES / 'gpt2.json'} --recipe gpt2"
    whole = run(line).splitlines()
    titles = whole[0].split()
    lines = on_terminal(monkeypatch, width, line)
    shown = lines[0].split()
    text = " ".join(lines)
    found = re.search(r"left out to fit: ((?:\w+,\s+)*\w+)", text)
    left_out = re.split(r",\s+", found[1]) if found else []
    assert {*shown} | {*left_out} == {*titles} and not {*shown} & {*left_out}
    assert (len(left_out) >= 3) == (width < 120) and shown[0] == "name" and "distribution" in shown
    assert len(lines[1:149]) == 148 and lines[1].startswith("transform")
    assert ("…" in text) == (width < 80)
    assert on_terminal(monkeypatch, 200, line) == whole and "left out" not in run(line)


def test_a_pipe_has_no_width(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    line = f"plan {EXAMPLES / 'resnet-50.json'} --recipe resnet"
    assert max(map(len, run(line).splitlines())) > 120
    assert terminal.width(io.StringIO()) is None and terminal.width(Terminal()) == 40
    monkeypatch.setenv("COLUMNS", "wide")
    assert terminal.width(Terminal()) == 80


def test_names_cannot_move_the_cursor(here: Path, run: Run) -> None:
    arrays = {"a\x1b[2Jb\nc": np.zeros((4, 4), np.float32)}
    safetensors.numpy.save_file(arrays, "m.safetensors")
    said = run("inspect m.safetensors", 3) + run("plan m.safetensors --recipe normal")
    assert "\x1b" not in said and said.count(r"a\x1b[2Jb\nc") == 3


@pytest.mark.parametrize("width", [20, 30, 40, 50, 60, 61, 80, 120])
def test_the_progress_bar_fits(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, now = Terminal(), [0.0]
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    with terminal.progress() as show:
        for percent in range(101):
            now[0] = percent * 50.0
            show(percent * 10**9, 100 * 10**9)
    text = screen.getvalue()
    first, *updates = text.split("\r")
    assert first == "" and len(updates) == 100 and text.count("\n") == 1 and text.endswith("\n")
    assert all(len(line.rstrip("\n")) < width for line in updates)
    assert all(f"{percent}%" in line for percent, line in zip(range(1, 101), updates, strict=True))
    assert all(
        line.startswith("[") and line.count("#") >= percent // 10 for percent, line in enumerate(updates, 1)
    )
    assert ("left" in text) == (width >= 30) and ("GB/s" in text) == (width >= 50)


def test_the_bar_ends_its_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)

    def interrupted(*arguments: Any, progress: Callable[[int], None], **options: Any) -> None:
        progress(0)
        monkeypatch.setattr(terminal, "_PAUSE", 0.0)
        progress(1000)
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.init, "write", interrupted)
    assert cli.main(["init", "model.json", "--seed", "0", "-o", "m.safetensors"]) == 130
    *_, bar, message = screen.getvalue().splitlines()
    assert bar.startswith("[") and message == "fastinit: error: interrupted"


def test_no_bar_without_a_terminal(here: Path, capsys: pytest.CaptureFixture[str], run: Run) -> None:
    run("init model.json --seed 0 -o m.safetensors")
    with terminal.progress() as show:
        show(100, 100)
    assert capsys.readouterr().err == ""
