"""``fastinit init``: draw a model into safetensors files."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from .. import terminal
from ..checkpoints import split, write
from ..drawing.streams import resolve_seed
from ..table import counted, wrapped
from . import options

_EXAMPLES = """  fastinit init model.json --recipe gpt2 --seed 0 -o model.safetensors
  fastinit init model.json --seed 0 -o folder --max-shard-size 5GB"""
_SUFFIX = ".safetensors"


def add(commands: Any) -> None:
    parser = options.add_command(
        commands, "init", run, "draw every parameter of a model into a safetensors file", _EXAMPLES
    )
    parser.add_argument("model", help=options.MODEL)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        help="the .safetensors file to write, or, with --max-shard-size, the folder",
    )
    parser.add_argument(
        "--seed", type=int, help="an integer in [0, 2**64); if not given, a fresh one, which is shown"
    )
    options.add_recipe(parser, "that of the model of a config.json, or else 'default'")
    options.add_names(parser)
    options.add_dtype(parser)
    parser.add_argument(
        "--max-shard-size", metavar="SIZE", help="write a folder of files of at most this size, such as 5GB"
    )
    parser.add_argument("--rank", type=int, default=0, metavar="I", help="write only the files of process I")
    parser.add_argument(
        "--of", type=int, default=1, metavar="N", help="share the files among N processes, from 0 to N-1"
    )
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run of this command")
    options.add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    output: str = arguments.output
    _check_output(output, arguments)
    if arguments.seed is None and (arguments.resume or arguments.of > 1):
        raise ValueError("--resume and --of need the --seed of the other runs")
    seed, plan = (
        resolve_seed(arguments.seed),
        options.plan_of(arguments.model, options.recipe_of(arguments), arguments.dtype, arguments.names),
    )
    total = plan.nbytes
    if arguments.max_shard_size is not None:
        shards = split(plan, arguments.max_shard_size)
        total = sum(shard.nbytes for shard in shards[arguments.rank :: max(arguments.of, 1)])
    with terminal.progress() as show:
        summary = write(
            plan, output, seed=seed, max_shard_size=arguments.max_shard_size, rank=arguments.rank, of=arguments.of,
            resume=arguments.resume, threads=arguments.threads, progress=lambda done: show(done, total),
        )  # fmt: skip
    if arguments.json:
        print(json.dumps({"file": output, "source": plan.source, "seed": seed, **summary.to_dict()}))
        return 0
    kept = f", of which {summary.kept_nbytes:,} were there" if summary.kept_nbytes else ""
    sentences = [
        f"{output}: {counted(summary.tensors, 'tensor')}, {summary.nbytes:,} bytes{kept}, {plan.source}, seed {seed}",
        f"{summary.seconds:.2f} s, {summary.gigabytes_per_second:.2f} GB/s",
        f"drawn against intended, worst tensor: mean {summary.mean_deviation:.1f}, "
        f"std {summary.std_deviation:.1f} standard errors",
    ]
    width = terminal.width(sys.stdout)
    print(*(line for sentence in sentences for line in wrapped(sentence, width)), sep="\n")
    return 0


def _check_output(output: str, arguments: argparse.Namespace) -> None:
    """Raise ValueError for a name that says something else than what would be written."""
    sharding = arguments.max_shard_size is not None
    if sharding and output.endswith(_SUFFIX):
        raise ValueError(
            f"--max-shard-size writes a folder of files, and {output!r} is a file's name; give a folder with -o"
        )
    if not sharding and (arguments.rank, arguments.of) != (0, 1):
        raise ValueError("--rank and --of share out the files that --max-shard-size makes; give it too")
    if not sharding and os.path.isdir(output):
        raise ValueError(f"{output!r} is a folder; name a {_SUFFIX} file in it, or give --max-shard-size")
    if not sharding and not output.endswith(_SUFFIX):
        raise ValueError(
            f"the file that is written is a safetensors file; its name must end with {_SUFFIX}, got {output!r}"
        )
