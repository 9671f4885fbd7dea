"""``fastinit verify``: whether a checkpoint holds the values that were meant."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from .. import terminal
from ..checkpoints import Origin, origin, stored, verify
from ..plans.plan import Plan, written_plan
from ..table import counted, wrapped
from . import options

_EXAMPLES = """  fastinit verify model.safetensors
  fastinit verify folder --model model.json --recipe gpt2 --seed 0"""


def add(commands: Any) -> None:
    parser = options.add_command(
        commands,
        "verify",
        run,
        "compare a checkpoint with what was to be drawn; exit status 3 if they differ",
        _EXAMPLES,
    )
    parser.add_argument("file", help="a .safetensors file, or a folder of them with their index")
    parser.add_argument(
        "--seed",
        type=int,
        help="the seed; by default the one that the file names. Without a seed, only means, standard deviations and "
        "bounds are compared, not bits",
    )
    options.add_recipe(parser, "what the file says of itself")
    parser.add_argument(
        "--model", help=f"compare names and shapes too. {options.MODEL}; by default, the file's own tensors"
    )
    options.add_names(parser)
    options.add_dtype(parser)
    options.add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    file, said = arguments.file, origin(arguments.file)
    plan = _plan(arguments, said)
    seed = said.seed if arguments.seed is None and said else arguments.seed
    with terminal.progress() as show:
        findings = verify(
            file,
            None if said and plan is said.plan else plan,
            seed=arguments.seed,
            threads=arguments.threads,
            progress=lambda done: show(done, plan.nbytes),
        )
    differences = [finding for finding in findings if finding.kind != "unknown"]
    if arguments.json:
        found = [finding.to_dict() for finding in findings]
        print(json.dumps({"file": file, "source": plan.source, "seed": seed, "findings": found}))
        return 3 if differences else 0
    if seed is None:
        compared = "without a seed: only means, standard deviations and bounds"
    else:
        compared = f"seed {seed}: every bit"
    count = counted(len(differences), "difference") if differences else "no differences"
    sentences = [f"compared with {plan.source}, {compared}", *map(str, findings), f"{file}: {count}"]
    width = terminal.width(sys.stdout)
    print(*(line for sentence in sentences for line in wrapped(sentence, width)), sep="\n")
    return 3 if differences else 0


def _plan(arguments: argparse.Namespace, said: Origin | None) -> Plan:
    """The plan to compare with: by the options, or else by what the file says of itself."""
    file, model = arguments.file, arguments.model
    name = said.source.removeprefix("recipe ") if said else ""
    if not (arguments.recipe or arguments.size):
        if said and not (model or arguments.dtype or arguments.names):
            return said.plan
        if model and (written_plan(model) or (not options.is_known(name) and options.describes_model(model))):
            name = ""  # the model brings its own
        elif said is None:
            raise ValueError(
                f"{file!r} does not say how it was drawn, as files do that fastinit writes; give --recipe, and --seed to "
                "compare every bit"
            )
        elif not options.is_known(name):
            raise ValueError(
                f"{file!r} was drawn from {said.source!r}, which is neither a recipe nor a file here; give --recipe, or "
                "the folder of a config.json with --model"
            )
    return options.plan_of(
        model or stored(file), options.recipe_of(arguments, name), arguments.dtype, arguments.names
    )
