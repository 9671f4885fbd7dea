"""Dummy weights of DeepSeek-V3, by its published configuration: time and peak memory of the plan and of one file of 4.3 GB, from
the configuration and from the plan's JSON: `python bench/dummy.py FOLDER`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

CONFIG = Path(__file__).parents[1] / "examples" / "deepseek-v3"
FILES, FILE = 158, 17
SHARD = ["--seed", "0", "--max-shard-size", "4.3GB", "--rank", str(FILE), "--of", str(FILES)]


def run(*command: str, output: Path | None = None) -> str:
    """Run a command of fastinit; its seconds and peak memory, in words."""
    begun = time.perf_counter()
    with open(output or os.devnull, "wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "fastinit", *command], stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"fastinit {' '.join(command)}: status {status}")
    return f"{time.perf_counter() - begun:.0f} s, peak memory {usage.ru_maxrss / 1e3:.0f} MB"


def main(folder: Path) -> None:
    plan, shards = folder / "plan.json", folder / "shards"
    print("plan", run("plan", str(CONFIG), "--recipe", "dummy", "--json", output=plan), flush=True)
    content = json.loads(plan.read_text())
    print(f"{len(content['parameters']):,} tensors, {content['bytes']:,} bytes")
    for model in ([str(CONFIG), "--recipe", "dummy"], [str(plan)]):
        said = run("init", *model, *SHARD, "-o", str(shards))
        (file,) = shards.iterdir()
        print(f"{file.name}, {file.stat().st_size:,} bytes, from {Path(model[0]).name}: {said}", flush=True)
        file.unlink()
    plan.unlink()
    shards.rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
