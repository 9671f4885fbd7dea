"""What "auto" does to 40 models of many kinds: ``python tools/auto [NAME ...]`` checks them; ``--write`` writes docs/auto.md."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping

import torch
from cases import CASES
from check import PAGE, Result, check


def rows(results: Mapping[str, Result]) -> str:
    lines = [
        "| model | tensors | schemes | by the model's own code | output's rms |",
        "|---|---|---|---|---|",
    ]
    for name, result in results.items():
        schemes = ", ".join(
            f"{scheme} {n}"
            for scheme, n in sorted(result.schemes.items(), key=lambda item: (-item[1], item[0]))
        )
        lines.append(f"| {name} | {result.parameters} | {schemes} | {result.own or ''} | {result.rms:.2g} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="models; all without any")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    results, faults = {}, 0
    for name in chosen.names or CASES:
        results[name] = result = check(CASES[name])
        faults += len(result.faults)
        print(
            f"{name}: {result.parameters} tensors, output {result.rms:.3g}",
            *result.faults,
            sep="\n  ",
            file=sys.stderr,
        )
    if chosen.write:
        text = PAGE.read_text()
        start, end = "<!-- table -->\n", "<!-- end -->"
        before, rest = text.split(start)
        PAGE.write_text(before + start + rows(results) + "\n" + end + rest.split(end)[1])
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
