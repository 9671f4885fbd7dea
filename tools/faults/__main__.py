"""Every call that touches a file fails in turn, and so does every allocation; after each, what is promised is looked at.

python tools/faults [SCENARIO ...] [--every K] names the scenarios (all by default), and takes each K-th call only.
Needs Linux and gcc.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from files import Command, commands
from memory import Use, uses
from process import Shim


def preloaded() -> int:
    """The same command in a process whose calls go through faults.c."""
    with tempfile.TemporaryDirectory() as folder:
        shim = Path(folder, "faults.so")
        source = Path(__file__).with_name("faults.c")
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", source, "-o", shim], check=True)
        # Python's own allocator would hide most allocations.
        settings = {"LD_PRELOAD": str(shim), "PYTHONMALLOC": "malloc", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, str(Path(__file__).parent), *sys.argv[1:]], env={**os.environ, **settings}
        ).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    if "faults.so" not in os.environ.get("LD_PRELOAD", ""):
        return preloaded()
    shim, total = Shim(), 0
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        scenarios: dict[str, Command | Use] = {**commands(work), **uses(work)}
        for name in arguments.scenario or scenarios:
            started, broken = time.monotonic(), []
            broken = list(scenarios[name].broken(shim, work / "folder", arguments.every))
            print(
                f"{name}: {len(broken) or 'no'} broken promises, {time.monotonic() - started:.1f} s",
                flush=True,
            )
            print(*(f"  {line}\n" for line in broken), sep="", end="", flush=True)
            total += len(broken)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
