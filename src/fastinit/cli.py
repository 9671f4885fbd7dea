"""The command line: ``fastinit init MODEL -o FILE``, and ``plan``, ``verify``, ``inspect`` and ``probe``."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ._version import __version__
from .checkpoints import split, stored, verify, write
from .drawing.streams import resolve_seed
from .dtypes import dtype_name
from .inspection import Inspection, TensorReport, inspect
from .plans.lint import lint
from .plans.make import plan as plan_for
from .plans.plan import Plan
from .plans.recipe import Recipe, read_recipe
from .propagation import command as probe
from .table import aligned, shape_text

_MODEL = (
    "JSON file of names and shapes, .safetensors file for its header, or folder of a Hugging Face config.json"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, 1 for a failed write or read, 2 for wrong arguments, 3 for deviations or faults found, 130 after Ctrl-C,
    141 where the reader of what is printed has left."""
    arguments = _parser().parse_args(argv)
    try:
        commands = {"init": _init, "plan": _plan, "verify": _verify, "inspect": _inspect, "probe": probe.run}
        status = commands[arguments.command](arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        return 141
    except OSError as error:
        return _fail(str(error), 1)
    except (TypeError, ValueError, MemoryError) as error:
        return _fail(str(error) or type(error).__name__, 2)


def _fail(message: str, code: int) -> int:
    print(f"fastinit: error: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastinit", description="Initialise neural networks.")
    parser.add_argument("--version", action="version", version=f"fastinit {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    init = commands.add_parser("init", help="initialise every parameter of a model into safetensors files")
    init.add_argument("model", help=_MODEL)
    init.add_argument("--seed", type=int, help="integer in [0, 2**64); fresh and reported if not given")
    init.add_argument("-o", "--output", required=True, help="the safetensors file to write, or the folder")
    init.add_argument("--max-shard-size", help="write a folder of files of at most this size, such as 5GB")
    init.add_argument("--rank", type=int, default=0, metavar="I", help="write the files of process I alone")
    init.add_argument("--of", type=int, default=1, metavar="N", help="so many processes share the files")
    init.add_argument("--resume", action="store_true", help="go on where a run of this command was ended")

    plan = commands.add_parser("plan", help="show what would be drawn")
    plan.add_argument("model", help=_MODEL)

    check = commands.add_parser("verify", help="compare a file with its recipe; exit status 3 if they differ")
    check.add_argument("file", help="a safetensors file, or the folder of a checkpoint")
    check.add_argument(
        "--model", help="JSON file of names and shapes; by default, what the file says of itself"
    )
    check.add_argument("--seed", type=int, help="compare every bit; without, means, deviations and bounds")

    look = commands.add_parser(
        "inspect", help="what a checkpoint's tensors are like; exit status 3 where something deviates"
    )
    look.add_argument("file", help="the safetensors file")
    look.add_argument("--recipe", help="shipped recipe, TOML file or scheme that it should follow")
    probe.add_parser(commands)

    for command in (init, plan, check):
        command.add_argument(
            "--recipe",
            help="shipped recipe (docs/recipes.md), TOML file or scheme; by default, that of a config folder's model, else default",
        )
        command.add_argument("--dtype", help="float32, float64, float16 or bfloat16 instead of the model's")
    for command in (init, plan, check, look):
        command.add_argument(
            "--size",
            action="append",
            default=[],
            metavar="NAME=NUMBER",
            help="a size of the recipe, such as base_width=256",
        )
    for command in (init, check, look):
        command.add_argument("--threads", type=int, help="at most so many; the values do not depend on it")
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="print for programs")
    return parser


def _plan_of(model: str | Mapping[str, Any], arguments: argparse.Namespace) -> Plan:
    recipe, dtype = _recipe(arguments), arguments.dtype and dtype_name(arguments.dtype)
    if not (isinstance(model, str) and Path(model, "config.json").exists()):
        return plan_for(model, recipe or "default", dtype=dtype)
    from .torch.recording.huggingface import plan_of_config  # only here: torch and transformers

    recorded = plan_of_config(model)
    if recipe is not None:
        return replace(plan_for(dict(recorded), recipe, dtype=dtype), ties=recorded.ties)
    chosen = {name: replace(row, dtype=dtype or row.dtype) for name, row in recorded.items()}
    return replace(recorded, parameters=chosen)


def _recipe(arguments: argparse.Namespace) -> Recipe | str | None:
    """The recipe's name, or the recipe with the sizes given."""
    name: str | None = arguments.recipe
    if not arguments.size:
        return name
    return read_recipe(name or "default", **dict(map(_size, arguments.size)))


def _size(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise ValueError(f"--size must be NAME=NUMBER, got {text!r}") from None


def _plan(arguments: argparse.Namespace) -> int:
    plan = _plan_of(arguments.model, arguments)
    if arguments.json:
        print(plan.to_json())
        return 0
    print(plan)
    for finding in lint(plan):
        print(f"note: {finding}")
    return 0


def _init(arguments: argparse.Namespace) -> int:
    if arguments.seed is None and (arguments.resume or arguments.of > 1):
        raise ValueError("--resume and --of need the --seed of the other runs")
    seed, plan, output = resolve_seed(arguments.seed), _plan_of(arguments.model, arguments), arguments.output
    total = plan.nbytes
    if arguments.max_shard_size is not None:
        mine = split(plan, arguments.max_shard_size)[arguments.rank :: max(arguments.of, 1)]
        total = sum(shard.nbytes for shard in mine)
    summary = write(
        plan, output, seed=seed, max_shard_size=arguments.max_shard_size, rank=arguments.rank, of=arguments.of,
        resume=arguments.resume, threads=arguments.threads, progress=_bar(total),
    )  # fmt: skip
    if arguments.json:
        print(json.dumps({"file": output, "seed": seed, **summary.to_dict()}))
        return 0
    kept = f", {summary.kept_nbytes:,} of them kept" if summary.kept_nbytes else ""
    print(f"{output}: {summary.tensors} tensors, {summary.nbytes:,} bytes{kept}, seed {seed}")
    print(f"{summary.seconds:.2f} s, {summary.gigabytes_per_second:.2f} GB/s")
    print(
        f"drawn against intended, worst tensor: mean {summary.mean_deviation:.1f}, "
        f"std {summary.std_deviation:.1f} standard errors"
    )
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    plan = _plan_of(arguments.model or stored(arguments.file), arguments)
    findings = verify(
        arguments.file, plan, seed=arguments.seed, threads=arguments.threads, progress=_bar(plan.nbytes)
    )
    if arguments.json:
        print(json.dumps({"file": arguments.file, "findings": [finding.to_dict() for finding in findings]}))
    else:
        count = f"{len(findings) or 'no'} difference{'' if len(findings) == 1 else 's'}"
        print(*findings, f"{arguments.file}: {count}", sep="\n")
    return 3 if findings else 0


def _inspect(arguments: argparse.Namespace) -> int:
    bar = cache(_bar)
    report = inspect(
        arguments.file,
        _recipe(arguments),
        threads=arguments.threads,
        progress=lambda done, total: bar(total)(done),
    )
    print(json.dumps({"file": arguments.file, **report.to_dict()}) if arguments.json else _report(report))
    return 3 if report.deviating else 0


def _report(report: Inspection) -> str:
    head = ("name", "shape", "dtype", "law", "mean", "std", "skew", "kurtosis", "min", "max", "zeros")
    lines = aligned([(*head, "std/He", "std/Xavier"), *map(_measured, report.tensors.values())])
    lines += [f"{name}: {dtype}, not inspected" for name, dtype in report.skipped.items()]
    for tensor in report.deviating:
        lines += map(str, tensor.findings)
    rate = report.nbytes / report.seconds / 1e9
    lines.append(
        f"{len(report.tensors)} tensors, {report.nbytes:,} bytes, {report.seconds:.2f} s, {rate:.2f} GB/s"
    )
    against = f" from {report.source}" if report.source else ""
    lines.append(f"deviating{against}: {len(report.deviating) or 'none'}")
    return "\n".join(lines)


def _measured(tensor: TensorReport) -> tuple[str, ...]:
    numbers = (tensor.mean, tensor.std, tensor.skew, tensor.kurtosis, tensor.min, tensor.max)
    ratios = (tensor.he, tensor.xavier)
    return (
        tensor.name, shape_text(tensor.shape), tensor.dtype, tensor.law or "?",
        *("-" if math.isnan(x) else f"{x:.4g}" for x in numbers),
        f"{tensor.zeros:,}",
        *("-" if x is None or math.isnan(x) else f"{x:.3g}" for x in ratios),
    )  # fmt: skip


def _bar(total: int) -> Callable[[int], None]:
    """A progress bar on a terminal, silence elsewhere."""
    if not sys.stderr.isatty() or not total:
        return lambda done: None
    shown = time.monotonic()
    begun: tuple[float, int] | None = None  # when, and with what; kept bytes have no rate

    def show(done: int) -> None:
        nonlocal begun, shown
        now = time.monotonic()
        begun = begun or (now, done)
        if now - shown < 0.1 and done < total:
            return
        shown = now
        full = 30 * done // total
        rate = (done - begun[1]) / max(now - begun[0], 1e-9)
        left = (total - done) / rate if rate else 0
        text = f"\r[{'#' * full}{'.' * (30 - full)}] {done / total:4.0%} {rate / 1e9:5.2f} GB/s {left:4.0f} s left"
        print(text, end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show
