"""Everything that a GPU can tell, in one run of less than 4 minutes: ``python tools/check_gpu.py [FOLDER]``.

First the values: hundreds of millions of them against those of the CPU, with all kinds of targets, streams, CUDA graphs and
threads. Then the speed, which is the part "gpu" of bench/versus.py. Last, where NVIDIA's compute-sanitizer is installed, it
watches a small run. FOLDER, build/gpu by default, gets report.txt, figures.json and sanitizer.log. The exit status is 1 if a
value differs or the sanitizer complains, and 2 without a GPU.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of the memory

from gpu_checks import check

from fastinit import cuda


class Report:
    """Standard output, and the same in a file."""

    def __init__(self, path: Path) -> None:
        self.shown, self.kept = sys.stdout, path.open("w")

    def write(self, text: str) -> int:
        self.kept.write(text)
        return self.shown.write(text)

    def flush(self) -> None:
        self.kept.flush()
        self.shown.flush()


def main() -> int:
    import gpu
    import torch
    from parts import Scale

    if not gpu.available():
        print(cuda.missing() or "torch sees no NVIDIA GPU")
        return 2
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/gpu")
    folder.mkdir(parents=True, exist_ok=True)
    if "--watched" in sys.argv:
        return bool(check("cuda", 1 << 14, 1 << 14, libraries=False).wrong)
    sys.stdout = Report(folder / "report.txt")
    card, began = torch.cuda.get_device_properties(0), time.time()
    print(
        f"{card.name}, {card.multi_processor_count} multiprocessors; torch {torch.__version__}, CUDA {torch.version.cuda}"
    )
    checks = check("cuda")
    rows = gpu.gpu_part(Scale(pairs=4, calls=1000))
    for row in rows:
        if row.value is not None:
            rate = f"{row.elements / row.ours * 1e-9:7.0f} G/s" if row.elements and row.ours else " " * 11
            verdict = "" if row.holds is None else "holds" if row.holds else f"BELOW {row.target:.2f}"
            print(f"{row.what:52} {rate}  x {row.value:.2f} of {row.versus} {verdict}", flush=True)
    figures = {"card": card.name, "torch": torch.__version__, "values": checks.values, "differ": checks.wrong,
               "rows": [asdict(row) for row in rows]}  # fmt: skip
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(f"measured [{time.time() - began:.0f} s]", flush=True)
    complaints = False
    if tool := shutil.which("compute-sanitizer"):
        command = [tool, "--error-exitcode", "3", sys.executable, __file__, str(folder), "--watched"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            complaints = done.returncode != 0
            print(f"compute-sanitizer: exit status {done.returncode}")
            (folder / "sanitizer.log").write_text(done.stdout + done.stderr)
        except subprocess.TimeoutExpired:
            print("compute-sanitizer: not done after 60 s")
    print(
        f"DIFFER: {checks.wrong[:20]}" if checks.wrong else f"all {checks.values} values are those of the CPU"
    )
    return bool(checks.wrong) or complaints


if __name__ == "__main__":
    sys.exit(main())
