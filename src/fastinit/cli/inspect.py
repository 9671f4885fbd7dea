"""``fastinit inspect``: what the tensors of a checkpoint are like."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .. import terminal
from ..checkpoints import origin
from ..inspection import inspect
from ..table import wrapped
from . import options

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
        own = said and {"source": said.source, "seed": said.seed, "version": said.version}
        print(json.dumps({"file": arguments.file, "drawn": own, **report.to_dict()}))
    else:
        width = terminal.width(sys.stdout)
        if said:
            drawn = f"drawn by fastinit {said.version}, {said.source}, seed {said.seed}"
            print(*wrapped(drawn, width), sep="\n")
        print(report.text(width))
    return 3 if report.deviating else 0
