"""Million values a second of the kernels in WebAssembly, run by Node, beside Math.random and this machine's own kernels in
one thread: ``python bench/browser.py``."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
from timing import NORMAL, TRUNCATED, UNIFORM, best, processor

import fastinit as fi

LAWS = {"uniform": UNIFORM, "normal": NORMAL, "truncated_normal": TRUNCATED}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="values of a call, as a layer has")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case in each round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rates: dict[str, list[float]] = {}  # Math.random, WebAssembly, native
    for _ in range(given.rounds):  # in turn: a shared machine slows down for all alike
        for case, found in browser(given.count, given.seconds).items():
            law, dtype = case.split()
            out = np.empty(given.count, dtype)
            native = best(lambda: fi.fill(out, LAWS[law], seed=0, threads=1), during=given.seconds / 2)  # noqa: B023
            found.append(given.count / native / 1e6)
            rates[case] = list(map(max, rates.get(case, found), found))
    print(f"{processor()}, {given.count} values, million values a second")
    print(f"{'':26} Math.random  WebAssembly  ratio  {fi.isa():>8}  ratio")
    for case, (plain, wasm, native) in rates.items():
        print(
            f"{case:26} {plain:11.1f}  {wasm:11.1f}  {wasm / plain:5.1f}  {native:8.0f}  {wasm / native:5.2f}"
        )


def browser(count: int, seconds: float) -> dict[str, list[float]]:
    command = ["node", str(Path(__file__).with_name("browser.mjs")), str(count), str(seconds)]
    found: dict[str, list[float]] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return found


if __name__ == "__main__":
    main()
