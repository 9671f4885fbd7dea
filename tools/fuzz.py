"""Feed one target of tests/test_fuzz.py with inputs that reach new code. Needs atheris (pip install atheris; Python 3.11).

python tools/fuzz.py TARGET [CORPUS] [-max_total_time=SECONDS] [-runs=N] [libFuzzer's other options]

The corpus is a folder; by default, a new one that is thrown away. What breaks a promise is left as crash-* here.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
with atheris.instrument_imports(include=["fastinit"]):
    import test_fuzz


def main() -> None:
    warnings.simplefilter("error")
    arguments = {name: test for name, test in vars(test_fuzz).items() if name.startswith("test_arguments_of")}
    targets = {name.removeprefix("test_arguments_of_"): test for name, test in arguments.items()}
    if len(sys.argv) < 2 or sys.argv[1] not in {*test_fuzz.READERS, *targets}:
        sys.exit(f"{__doc__}\nTargets: {', '.join([*test_fuzz.READERS, *targets])}")
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if name in targets:
            run = targets[name].hypothesis.fuzz_one_input
        else:
            read, seeds = test_fuzz.READERS[name]
            corpus = Path(folder, "seeds")
            corpus.mkdir()
            for i, seed in enumerate(seeds):
                (corpus / f"{i}").write_bytes(seed)
            options.append(str(corpus))

            def run(data: bytes) -> None:
                read(data, Path(folder))

        atheris.Setup([sys.argv[0], *options], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
