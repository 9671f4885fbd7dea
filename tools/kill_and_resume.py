"""Kill a writing `fastinit init` at random, resume it, and compare the bytes with those of a run left alone.

    python tools/kill_and_resume.py [MODEL] [--kills N] [--in FOLDER]

MODEL defaults to Llama-3-8B's geometry in bfloat16, 16 GB; so much disk is needed once. Exit status 1 where bytes differ
or fewer runs were killed than asked for.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "llama-3-8b.json"


def hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", default=str(EXAMPLE))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--max-shard-size", default="5GB")
    parser.add_argument("--in", dest="folder", type=Path, default=None, help="where there is room")
    options = parser.parse_args()
    dice = random.Random(0)
    with tempfile.TemporaryDirectory(dir=options.folder) as room:
        out = Path(room) / "out"
        command = [sys.executable, "-m", "fastinit", "init", options.model, "--seed", "0", "-o", str(out)]
        command += ["--max-shard-size", options.max_shard_size]
        begin = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        alone = time.monotonic() - begin
        expected = hashes(out)
        size = sum(path.stat().st_size for path in out.iterdir())
        shutil.rmtree(out)
        print(f"left alone: {size:,} bytes in {len(expected)} files, {alone:.1f} s", flush=True)

        killed = 0
        for attempt in range(options.kills):
            child = subprocess.Popen(
                [*command, "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                child.wait(0.5 + dice.uniform(0, alone / options.kills))
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
            killed += child.wait() == -signal.SIGKILL
            there = sum(path.stat().st_blocks * 512 for path in out.iterdir()) if out.exists() else 0
            print(f"run {attempt + 1}: ended by {child.returncode}, {there:,} bytes there", flush=True)
        subprocess.run(
            [*command, "--resume"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        same = hashes(out) == expected
    print(f"killed {killed} times; bytes {'identical' if same else 'DIFFER'}")
    return 0 if same and killed == options.kills else 1


if __name__ == "__main__":
    sys.exit(main())
