"""``fastinit schemes``: what schemes there are, and what one of them draws."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from .. import schemes, terminal
from ..arguments import choose
from ..schemes.catalogue import CATEGORIES, REQUIRED, SCHEMES, Scheme
from ..table import Column, table, wrapped
from . import options

_EXAMPLES = """  fastinit schemes
  fastinit schemes he_normal"""


def add(commands: Any) -> None:
    parser = options.add_command(commands, "schemes", run, "list the schemes, or explain one", _EXAMPLES)
    parser.add_argument("name", nargs="?", help="the scheme to explain")


def run(arguments: argparse.Namespace) -> int:
    width = terminal.width(sys.stdout)
    if arguments.name is None:
        if arguments.json:
            listed = {title: [_for_json(row) for row in rows] for title, rows in CATEGORIES.items()}
            print(json.dumps(listed, indent=1))
        else:
            print(*_list(width), sep="\n")
        return 0
    row = choose("scheme", arguments.name, SCHEMES)
    text = inspect.getdoc(getattr(schemes, arguments.name)) or ""
    if arguments.json:
        print(json.dumps({**_for_json(row), "text": text}, indent=1))
    else:
        print(arguments.name, "", *_reflowed(text, width), sep="\n")
    return 0


def _list(width: int | None) -> Iterator[str]:
    """The schemes by kind, one a line, in the same columns for all kinds."""
    rows = [row for kind in CATEGORIES.values() for row in kind]
    columns = [
        Column("scheme", [row.name for row in rows]),
        Column("draws", [row.formula for row in rows], cut="end"),
        Column("for", [row.use for row in rows], rank=1, cut="end"),
    ]
    head, *lines = table(columns, width)
    yield head
    for title, kind in CATEGORIES.items():
        yield ""
        yield from wrapped(f"{title}:", width)
        yield from (lines.pop(0) for _ in kind)
    yield from lines
    aliases = [f"{alias} is {row.name}" for row in rows for alias in row.aliases]
    yield ""
    yield from wrapped(f"Other names: {', '.join(aliases)}.", width or 100)
    yield from wrapped("`fastinit schemes NAME` explains one.", width)


def _reflowed(text: str, width: int | None) -> Iterator[str]:
    """The text with long lines broken; lines of one indentation belong together, except for examples."""
    if width is None:
        yield from text.splitlines()
        return

    def kind(line: str) -> tuple[int, bool]:
        return len(line) - len(line.lstrip()), bool(line.strip(" -"))

    for (indent, has_words), group in groupby(text.splitlines(), kind):
        lines = list(group)
        margin = " " * indent
        if not has_words or lines[0].lstrip().startswith((">>>", "...")):
            yield from (line[:width] for line in lines)
        else:
            yield from wrapped(margin + " ".join(line.strip() for line in lines), width, margin)


def _for_json(row: Scheme) -> dict[str, Any]:
    numbers = {number.name: {"default": number.default, "meaning": number.meaning} for number in row.numbers}
    for number in numbers.values():
        if number["default"] is REQUIRED:
            del number["default"]
    return {
        "name": row.name, "aliases": list(row.aliases), "draws": row.formula, "for": row.use, "source": row.source,
        "numbers": numbers, "geometry": list(row.geometry),
    }  # fmt: skip
