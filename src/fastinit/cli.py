"""The command line: ``fastinit init MODEL --recipe RECIPE --seed N -o FILE``, ``fastinit inspect FILE``,
``fastinit probe --widths WIDTHS``."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache

from . import __version__, checkpoint
from .inspect import Report, TensorReport, inspect
from .memory import dtype_name
from .plan import Plan, plan_for
from .propagation import command as probe
from .streams import resolve_seed
from .table import aligned, shape_text


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0, 1 for a failed write or read, 2 for wrong arguments, 3 for deviations or faults found, 130 after Ctrl-C."""
    arguments = _parser().parse_args(argv)
    try:
        return {"init": _init, "inspect": _inspect, "probe": probe.run}[arguments.command](arguments)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
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
    init = commands.add_parser("init", help="initialise every parameter of a model into a safetensors file")
    init.add_argument("model", help="JSON file of names and shapes, or a .safetensors file for its header")
    init.add_argument("--recipe", default="default", help="shipped recipe (default, gpt2) or TOML file")
    init.add_argument("--seed", type=int, help="integer in [0, 2**64); fresh and reported if not given")
    init.add_argument("--dtype", help="float32, float64, float16 or bfloat16 instead of the model's")
    init.add_argument("--threads", type=int, help="at most so many; the values do not depend on it")
    init.add_argument("-o", "--output", help="the safetensors file to write")
    init.add_argument("--dry-run", action="store_true", help="show what would be drawn, write nothing")
    init.add_argument("--json", action="store_true", help="print for programs")
    look = commands.add_parser(
        "inspect", help="what a checkpoint's tensors are like; exit status 3 where something deviates"
    )
    look.add_argument("file", help="the safetensors file")
    look.add_argument("--against", metavar="RECIPE", help="shipped recipe or TOML file that it should follow")
    look.add_argument("--threads", type=int, help="at most so many; the results do not depend on it")
    look.add_argument("--json", action="store_true", help="print for programs")
    probe.add_parser(commands)
    return parser


def _init(arguments: argparse.Namespace) -> int:
    if not arguments.output and not arguments.dry_run:
        raise ValueError("give -o FILE to write, or --dry-run to look")
    seed = resolve_seed(arguments.seed)
    plan = plan_for(arguments.model, arguments.recipe, arguments.dtype and dtype_name(arguments.dtype))
    if arguments.dry_run:
        print(_plan_json(plan, seed) if arguments.json else f"{plan}, seed {seed}")
        return 0
    summary = checkpoint.write(
        plan, arguments.output, seed=seed, threads=arguments.threads, progress=_bar(plan.nbytes)
    )
    if arguments.json:
        print(json.dumps({"file": arguments.output, "seed": seed, **summary.to_dict()}))
        return 0
    rate = summary.to_dict()["gigabytes_per_second"]
    print(f"{arguments.output}: {summary.tensors} tensors, {summary.nbytes:,} bytes, seed {seed}")
    print(f"{summary.seconds:.2f} s, {rate:.2f} GB/s")
    print(
        f"drawn against intended, worst tensor: mean {summary.mean_deviation:.1f}, "
        f"std {summary.std_deviation:.1f} standard errors"
    )
    return 0


def _plan_json(plan: Plan, seed: int) -> str:
    parameters = {name: parameter.to_dict() for name, parameter in plan.items()}
    return json.dumps(
        {
            "recipe": plan.recipe,
            "seed": seed,
            "bytes": plan.nbytes,
            "tied": dict(plan.ties),
            "parameters": parameters,
        },
        indent=1,
    )


def _inspect(arguments: argparse.Namespace) -> int:
    bar = cache(_bar)
    report = inspect(
        arguments.file,
        arguments.against,
        threads=arguments.threads,
        progress=lambda done, total: bar(total)(done),
    )
    print(json.dumps({"file": arguments.file, **report.to_dict()}) if arguments.json else _report(report))
    return 3 if report.deviating else 0


def _report(report: Report) -> str:
    head = ("name", "shape", "dtype", "law", "mean", "std", "skew", "kurtosis", "min", "max", "zeros")
    lines = aligned([(*head, "std/He", "std/Xavier"), *map(_measured, report.tensors.values())])
    lines += [f"{name}: {dtype}, not inspected" for name, dtype in report.skipped.items()]
    for tensor in report.deviating:
        lines += [f"{tensor.name}: {finding.message}" for finding in tensor.findings]
    rate = report.nbytes / report.seconds / 1e9
    lines.append(
        f"{len(report.tensors)} tensors, {report.nbytes:,} bytes, {report.seconds:.2f} s, {rate:.2f} GB/s"
    )
    against = f" from recipe {report.recipe}" if report.recipe else ""
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
    started = shown = time.monotonic()

    def show(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < 0.1 and done < total:
            return
        shown = now
        full = 30 * done // total
        rate = done / max(now - started, 1e-9)
        left = (total - done) / rate if rate else 0
        text = f"\r[{'#' * full}{'.' * (30 - full)}] {done / total:4.0%} {rate / 1e9:5.2f} GB/s {left:4.0f} s left"
        print(text, end="\n" if done == total else "", file=sys.stderr, flush=True)

    return show
