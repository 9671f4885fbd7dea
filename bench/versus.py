"""Measure every figure that fastinit claims, in one run: ``python bench/versus.py [--json FILE] [--quick]``.

Each part runs in a process of its own, because the instruction set is chosen at import and because peers keep
threads. Within a part, what is compared is timed in turn, each as the best of three calls or more; the result is the
median of the pairs' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu import gpu_part
from parts import PARTS as CPU_PARTS
from parts import QUICK, Row, Scale
from timing import machine

import fastinit as fi

PARTS = CPU_PARTS | {"gpu": ("On an NVIDIA GPU, in place", gpu_part)}


def plan() -> list[tuple[str, str]]:
    """Parts and instruction sets, in the order of the tables."""
    isas = fi.available_isas()
    forced = [("limit", "avx2")] if "avx2" in isas[1:] else []
    base = [("base", "base")] if "base" in isas else []
    rest = [(part, isas[0]) for part in PARTS if part not in ("limit", "base")]
    return [("limit", isas[0]), *forced, *base, *rest]


def measure(part: str, isa: str, quick: bool) -> list[Row]:
    """The rows of one part, from a process of its own."""
    command = [sys.executable, __file__, "--part", part, *(["--quick"] if quick else [])]
    child = subprocess.run(
        command, env=os.environ | {"FASTINIT_ISA": isa}, stdout=subprocess.PIPE, text=True, check=True
    )
    return [Row(**row) for row in json.loads(child.stdout.splitlines()[-1])]


def duration(value: float) -> str:
    unit, factor = next(((u, f) for u, f in (("s", 1), ("ms", 1e3)) if value * f >= 1), ("µs", 1e6))
    return f"{value * factor:.3g} {unit}"


def cells(row: Row) -> list[str]:
    """One line of a table."""

    def speed(time: float | None) -> str:
        if time is None:
            return "-"
        return f"{row.elements / time / 1e9:.3g} G/s" if row.elements else duration(time)

    def result(value: float) -> str:
        return {"x": f"x {value:.3g}", "s": duration(value), "MiB": f"{value:.3g} MiB"}[row.unit]

    value = "not installed" if row.value is None else result(row.value)
    spread = f"{min(row.ratios):.3g} - {max(row.ratios):.3g}" if row.ratios and row.unit == "x" else "-"
    target = "-" if row.target is None else f"{'>=' if row.unit == 'x' else '<='} {result(row.target)}"
    holds = {None: "-", True: "yes", False: "**no**"}[row.holds]
    return [row.what, row.versus, speed(row.ours), speed(row.other), value, spread, target, holds]


def print_table(title: str, rows: list[Row]) -> None:
    heads = ["what", "against", "fastinit", "the other", "result", "pairs", "target", "holds"]
    print(f"\n### {title}\n")
    for line in heads, ["---"] * len(heads), *map(cells, rows):
        print(f"| {' | '.join(line)} |", flush=True)


def print_machine(about: dict[str, Any], scale: Scale) -> None:
    named = ", ".join(f"{name} {number or 'not installed'}" for name, number in about["versions"].items())
    print(f"{about['processor']}, {about['threads']} threads, {', '.join(about['isas'])}; {named}")
    sizes = f"buffers of {scale.buffer >> 20} MiB, {scale.elements} elements against peers"
    print(f"{sizes}; {scale.pairs} pairs, at most 5 with peers")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there too")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    scale = QUICK if options.quick else Scale()
    if options.part:
        print(json.dumps([asdict(row) for row in PARTS[options.part][1](scale)]))
        return
    report: dict[str, Any] = {"machine": machine(), "scale": asdict(scale), "tables": []}
    print_machine(report["machine"], scale)
    for part, isa in plan():
        rows = measure(part, isa, options.quick)
        if not rows:  # no GPU
            continue
        print_table(f"{PARTS[part][0]} ({isa})", rows)
        found = [asdict(row) | {"holds": row.holds} for row in rows]
        report["tables"].append({"part": part, "isa": isa, "rows": found})
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
