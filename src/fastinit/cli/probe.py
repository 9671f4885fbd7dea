"""``fastinit probe``: draw a network by several schemes, and see what each does to signals and gradients."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import terminal
from ..files import atomic
from ..propagation import ProbeReport, html, judge, plot, probe, text
from ..table import wrapped
from . import options

_EXAMPLES = """  fastinit probe --widths 784,256x20,10 --activation relu --scheme he_normal,xavier_normal
  fastinit probe --widths 256x50 --activation tanh --scheme "normal:std=0.1" -o report.html"""
_MOST_LAYERS = 1_000_000
_FORMATS = (".html", ".png", ".svg", ".pdf", ".json")


def add(commands: Any) -> None:
    parser = options.add_command(
        commands,
        "probe",
        run,
        "show what schemes do to signals and gradients in a network; exit status 3 if one fails",
        _EXAMPLES,
    )
    parser.add_argument(
        "--widths", required=True, help="the inputs, then the units of each layer, such as 784,256x50,10"
    )
    parser.add_argument("--activation", default="relu", help="the name of the activation (relu)")
    parser.add_argument(
        "--negative-slope", type=float, metavar="NUMBER", help="the slope of leaky_relu below 0 (0.01)"
    )
    parser.add_argument(
        "--scheme",
        default="he_normal",
        help="one scheme or several (see: fastinit schemes), with numbers after colons: "
        'he_normal,"normal:std=0.1" (he_normal)',
    )
    parser.add_argument("--bias", default="zeros", help="the scheme of the biases (zeros)")
    parser.add_argument("--seed", type=int, default=0, help="for weights and inputs (0)")
    parser.add_argument("--batch", type=int, default=128, metavar="N", help="use N random inputs (128)")
    parser.add_argument(
        "-o", "--output", help="write a file that ends with .html, .png, .svg, .pdf or .json; else print text"
    )


def run(arguments: argparse.Namespace) -> int:
    suffix = Path(arguments.output).suffix.lower() if arguments.output else ""
    if arguments.output and suffix not in _FORMATS:
        raise ValueError(f"the output's name must end with {', '.join(_FORMATS)}, got {arguments.output!r}")
    widths, specs = _widths(arguments.widths), _schemes(arguments.scheme)
    bias, bias_numbers = _schemes(arguments.bias)[0]
    if bias_numbers:
        raise ValueError(f"a bias takes no numbers here, got {arguments.bias!r}")
    reports = [
        probe(
            widths, arguments.activation, scheme, negative_slope=arguments.negative_slope, bias=bias, seed=arguments.seed,
            batch=arguments.batch, **numbers,
        )
        for scheme, numbers in specs
    ]  # fmt: skip
    if arguments.output:
        _write(reports, Path(arguments.output), suffix)
    width = terminal.width(sys.stdout)
    if arguments.json:
        print(_json(reports))
    elif arguments.output:
        for report in reports:
            print(*wrapped(f"{report.title}: {judge(report).findings[0].text}", width), sep="\n")
    else:
        print(text(reports, width))
    return max(judge(report).exit_code for report in reports)


def _write(reports: Sequence[ProbeReport], path: Path, suffix: str) -> None:
    if suffix in (".json", ".html"):
        content = html(reports) if suffix == ".html" else _json(reports) + "\n"
        atomic.save(path, content.encode())
    else:
        plot(reports, path)


def _json(reports: Sequence[ProbeReport]) -> str:
    data = []
    for report in reports:
        verdict = judge(report)
        judged = {"level": verdict.level, "findings": verdict.text.split("\n"), "layers": verdict.words}
        data.append({**report.to_dict(), "verdict": judged})
    return json.dumps(data, indent=1)


def _widths(given: str) -> list[int]:
    """784,256x3 -> [784, 256, 256, 256]."""
    widths: list[int] = []
    for part in given.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:x(\d+))?\s*", part)
        if match is None:
            raise ValueError(f"--widths must be numbers or WIDTHxCOUNT, got {part!r}")
        count = int(match[2] or 1)
        if count > _MOST_LAYERS:
            raise ValueError(f"--widths takes {_MOST_LAYERS:,} layers at most, got {part!r}")
        widths += [int(match[1])] * count
    return widths


def _schemes(given: str) -> list[tuple[str, dict[str, Any]]]:
    """he_normal,normal:std=1:mean=0 -> names and their numbers."""
    specs = []
    for part in given.split(","):
        name, *pairs = part.strip().split(":")
        numbers = {}
        for pair in pairs:
            key, equals, value = (word.strip() for word in pair.partition("="))
            if not equals:
                raise ValueError(f"--scheme takes numbers as NAME:KEY=VALUE, got {part!r}")
            if key in numbers:
                raise ValueError(f"--scheme gives {key!r} twice, in {part!r}")
            numbers[key] = _value(value)
        specs.append((name, numbers))
    return specs


def _value(given: str) -> float | int | bool | str:
    if given in ("true", "false"):
        return given == "true"
    for kind in (int, float):
        try:
            return kind(given)
        except ValueError:
            continue
    return given
