"""Real models through fastinit: what records, whether its plan is what the model's own code draws, what is refused and why.

    python tools/coverage [LIBRARY ...] [--case TEXT] [--again STATUS] [--minutes N]
    python tools/coverage --sample [LIBRARY ...]
    python tools/coverage --table

A library is one file in `libraries/`. Its `cases()` gives functions by name; each returns if all is right, and raises
what `verdict.py` has if not. `SAMPLE` are the names of a few that run in seconds, `PACKAGE` is what its version is that of.
`cases` may import, but must compute nothing: every case runs in a fork of this process. Results are lines of
build/coverage/LIBRARY.jsonl; what is there is not run again, so a run can be ended at any time.
Exit status 1 if anything is wrong or failed.
"""

from __future__ import annotations

import argparse
import collections
import importlib
import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.update(
    OMP_NUM_THREADS="1",
    HF_HUB_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    CUDA_VISIBLE_DEVICES="",
    KERAS_BACKEND="jax",
    JAX_PLATFORMS="cpu",
)

import table
from process import verdict

HERE = Path(__file__).resolve().parent
STATE = HERE.parents[1] / "build" / "coverage"
LIBRARIES = sorted(path.stem for path in (HERE / "libraries").glob("[!_]*.py"))
GOOD = ("right", "refused", "large", "not built")


def results(library: str) -> dict[str, dict[str, Any]]:
    path = STATE / f"{library}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return {line["case"]: line for line in map(json.loads, lines)}


def run(library: str, options: argparse.Namespace, end: float) -> collections.Counter[str]:
    count: collections.Counter[str] = collections.Counter()
    try:
        module = importlib.import_module(f"libraries.{library}")
        cases = module.cases()
    except ModuleNotFoundError as error:
        print(f"{library}: {error.name} is not installed")
        return count
    version = importlib.metadata.version(module.PACKAGE)
    had = {} if options.sample else results(library)
    names = module.SAMPLE if options.sample else [name for name in cases if options.case in name]
    names = [n for n in names if n not in had or options.case or had[n]["status"] in options.again.split(",")]
    STATE.mkdir(parents=True, exist_ok=True)
    for done, name in enumerate(names):
        if time.monotonic() > end:
            break
        bar(library, done, len(names), name)
        line = {"case": name, "version": version, **verdict(cases[name], options.timeout)}
        if line["status"] == "refused" and table.reason_of(line["reason"]) is None:
            line["status"] = "failed"  # by a reason that no page defends
        count[line["status"]] += 1
        if not options.sample:
            with (STATE / f"{library}.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
        if line["status"] not in GOOD or options.case or options.sample:
            bar(library, done + 1, len(names), "")
            print(
                f"{library}: {name}: {line['status']} {line['reason'][: None if options.case else 300]}",
                flush=True,
            )
    bar(library, len(names), len(names), "")
    print(
        f"{library} {version}: " + ", ".join(f"{n} {status}" for status, n in sorted(count.items())),
        flush=True,
    )
    return count


def bar(library: str, done: int, total: int, name: str) -> None:
    """On a terminal, one line that is written over."""
    if sys.stderr.isatty():
        filled = "█" * round(30 * done / total) if total else ""
        sys.stderr.write(
            f"\r\033[K{library} [{filled:30}] {done}/{total} {name[:40]}" if name else "\r\033[K"
        )
        sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python tools/coverage", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=", ".join(LIBRARIES))
    parser.add_argument("--sample", action="store_true", help="a few cases of each, which run in seconds")
    parser.add_argument("--table", action="store_true", help="write docs/coverage.md from what was run")
    parser.add_argument("--case", default="", metavar="TEXT", help="only cases whose names contain it, again")
    parser.add_argument(
        "--again", default="", metavar="STATUS", help="also cases of that status, with commas between"
    )
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no case after so long")
    parser.add_argument("--timeout", type=float, default=120, help="seconds of one case")
    options = parser.parse_args()
    for library in options.libraries:
        if library not in LIBRARIES:
            parser.error(f"LIBRARY must be one of {', '.join(LIBRARIES)}, not {library!r}")
    if options.table:
        table.write({library: list(results(library).values()) for library in LIBRARIES})
        return 0
    end = time.monotonic() + 60 * options.minutes
    counts = [run(library, options, end) for library in options.libraries or LIBRARIES]
    return int(any(status not in GOOD for count in counts for status in count))


if __name__ == "__main__":
    sys.exit(main())
