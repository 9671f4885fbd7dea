"""``fastinit plan``: what would be drawn."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from .. import terminal
from ..plans.lint import lint
from ..table import wrapped
from . import options

_EXAMPLES = """  fastinit plan model.json
  fastinit plan model.json --recipe gpt2 --dtype bf16"""


def add(commands: Any) -> None:
    parser = options.add_command(
        commands, "plan", run, "show what would be drawn for each parameter of a model", _EXAMPLES
    )
    parser.add_argument("model", help=options.MODEL)
    options.add_recipe(parser, "that of the model of a config.json, or else 'default'")
    options.add_names(parser)
    options.add_dtype(parser)


def run(arguments: argparse.Namespace) -> int:
    plan = options.plan_of(arguments.model, options.recipe_of(arguments), arguments.dtype, arguments.names)
    if arguments.json:
        print(plan.to_json())
        return 0
    width = terminal.width(sys.stdout)
    print(plan.text(width))
    for finding in lint(plan):
        print(*wrapped(f"note: {finding}", width), sep="\n")
    return 0
