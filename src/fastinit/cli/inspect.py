"""``fastinit inspect``: what the tensors of a checkpoint are like."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from typing import Any

from ..checkpoints import Origin, origin
from ..inspection import Inspection, TensorReport, inspect
from ..table import Column, counted, shape_text, table, wrapped
from . import options, terminal

_EXAMPLES = """  fastinit inspect model.safetensors
  fastinit inspect model.safetensors --recipe gpt2"""


def add(commands: Any) -> None:
    parser = options.add_command(
        commands,
        "inspect",
        run,
        "show what the tensors of a checkpoint are like; exit status 3 if one deviates",
        _EXAMPLES,
    )
    parser.add_argument("file", help="a .safetensors file, or a folder of them with their index")
    options.add_recipe(parser, "what the file says of itself")
    options.add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    said = origin(arguments.file)
    with terminal.progress() as show:
        report = inspect(
            arguments.file, options.recipe_of(arguments), threads=arguments.threads, progress=show
        )
    if arguments.json:
        drawn = said and {"source": said.source, "seed": said.seed, "version": said.version}
        print(json.dumps({"file": arguments.file, "drawn": drawn, **report.to_dict()}))
    else:
        print(*_lines(report, said, terminal.width(sys.stdout)), sep="\n")
    return 3 if report.deviating else 0


def _lines(report: Inspection, said: Origin | None, width: int | None) -> list[str]:
    columns = [
        Column(title, [show(tensor) for tensor in report.tensors.values()], rank, "" if rank else "middle")
        for title, show, rank in _COLUMNS
    ]
    rate = report.nbytes / report.seconds / 1e9
    sentences = [f"{name}: {dtype}, not inspected" for name, dtype in report.skipped.items()]
    sentences += [str(finding) for tensor in report.deviating for finding in tensor.findings]
    sentences.append(
        f"{counted(len(report.tensors), 'tensor')}, {report.nbytes:,} bytes, {report.seconds:.2f} s, {rate:.2f} GB/s"
    )
    against = f" from {report.source}" if report.source else ""
    sentences.append(f"deviating{against}: {len(report.deviating) or 'none'}")
    lines = []
    if said:
        lines += wrapped(f"drawn by fastinit {said.version}, {said.source}, seed {said.seed}", width)
    if report.tensors:
        lines += table(columns, width)
    return lines + [line for sentence in sentences for line in wrapped(sentence, width)]


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}g}"


# Title, cell, and the rank by which a narrow table leaves the column out.
_COLUMNS: tuple[tuple[str, Callable[[TensorReport], str], int], ...] = (
    ("name", lambda t: t.name, 0),
    ("shape", lambda t: shape_text(t.shape), 4),
    ("dtype", lambda t: t.dtype, 8),
    ("distribution", lambda t: t.law or "?", 3),
    ("mean", lambda t: _number(t.mean), 2),
    ("std", lambda t: _number(t.std), 1),
    ("skew", lambda t: _number(t.skew), 10),
    ("kurtosis", lambda t: _number(t.kurtosis), 11),
    ("min", lambda t: _number(t.min), 6),
    ("max", lambda t: _number(t.max), 7),
    ("zeros", lambda t: f"{t.zeros:,}", 9),
    ("std/He", lambda t: _number(t.he, 3), 5),
    ("std/Xavier", lambda t: _number(t.xavier, 3), 12),
)
