"""What each kernel costs against its floor, in cycles for 16 values: ``python bench/floors.py``.

- **The floor** is a bound from below. OPERATIONS counts what a kernel must do, PORTS which ports of a processor can do
  it; the port with the most work decides.
- **The model** is llvm-mca's, of one tile of the compiled kernel.
- **Measured** is the least time of many fills of 16 KiB on this machine, in cycles that a chain of additions counts.

The tile comes from the system's own steps through a fill (floors.c), so that it is what runs, branches included. Needs
Linux on x86-64, GCC, objdump and LLVM 19 (llvm-mca-19).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FLAGS = [
    *("-std=c11", "-O2", "-ffp-contract=off", "-falign-functions=64", "-falign-loops=64", "-Wno-psabi"),
    *("-D_GNU_SOURCE", "-pthread", "-g0", f"-I{ROOT / 'csrc'}"),
]
ISAS = {"AVX-512": 16, "AVX2": 8}
"""Lanes of float32."""
SAPPHIRE, ZEN = "Sapphire Rapids", "Zen 5"


class Case(NamedTuple):
    """A distribution with its place in FI_LAWS and its parameters, and a dtype with its place in FI_DTYPES."""

    name: str
    law: int
    parameters: tuple[float, ...]
    dtype: int
    size: int

    @property
    def wide(self) -> bool:
        return self.size == 8


UNIFORM, NORMAL, TRUNCATED = (2, (-1.0, 1.0)), (3, (0.0, 1.0)), (4, (0.0, 1.0, -2.0, 2.0))
CASES = [
    Case("random words", 1, (), 0, 4),
    Case("uniform float32", *UNIFORM, 0, 4),
    Case("normal float32", *NORMAL, 0, 4),
    Case("truncated normal float32", *TRUNCATED, 0, 4),
    Case("normal float16", *NORMAL, 2, 2),
    Case("normal bfloat16", *NORMAL, 3, 2),
    Case("normal float8_e4m3fn", *NORMAL, 4, 1),
    Case("uniform float64", *UNIFORM, 1, 8),
    Case("normal float64", *NORMAL, 1, 8),
    Case("truncated normal float64", *TRUNCATED, 1, 8),
]

# Operations on two vectors, the words of N/2 blocks of Philox. `logic` is also addition of integers and a blend by a
# constant, which run where exclusive or runs.
PHILOX = {
    "AVX-512": {"multiply": 17, "shuffle": 20, "logic": 20},
    "AVX2": {"multiply": 17, "shuffle": 20, "logic": 37},
}
QUANTILE = {
    "AVX-512": {"convert": 2, "shift": 2, "logic": 2, "plus": 2, "permute": 12, "fma": 10},
    "AVX2": {
        **{"convert": 2, "shift": 4, "logic": 7, "plus": 2, "permute": 24, "blend": 12, "fma": 10},
        "test": 1,  # for octaves beyond 16 columns
    },
}
OPERATIONS = {
    "random words": {"AVX-512": {}, "AVX2": {}},
    "uniform float32": {isa: {"convert": 2, "times": 2, "plus": 2} for isa in ISAS},
    "uniform float64": {
        "AVX-512": {"convert": 2, "times": 2, "plus": 2},
        "AVX2": {"shift": 2, "logic": 6, "times": 2, "plus": 6},
    },
    # sign, scale, the test for rare words
    "normal float32": {
        "AVX-512": QUANTILE["AVX-512"] | {"logic": 5, "fma": 12},
        "AVX2": QUANTILE["AVX2"] | {"logic": 13, "fma": 12},
    },
    # magnitude, tail probability, scale, bound, sign
    "truncated normal float32": {
        isa: q | {"logic": q["logic"] + (4 if isa == "AVX-512" else 6), "fma": 12, "times": 2, "minmax": 2}
        for isa, q in QUANTILE.items()
    },
    "normal float64": {
        "AVX-512": {"shuffle": 4, "shift": 6, "logic": 10, "plus": 29, "times": 30, "divide": 1, "root": 1},
        "AVX2": {"shuffle": 4, "shift": 6, "logic": 13, "plus": 29, "times": 30, "divide": 1, "root": 1},
    },
    # the quantile's polynomial has degree 18; AVX2 loads its coefficients two at a time, from rows whose
    # addresses leave the vectors
    "truncated normal float64": {
        "AVX-512": {
            **{"convert": 2, "shift": 8, "logic": 14, "plus": 42, "times": 40},
            **{"permute": 38, "minmax": 4},
        },
        "AVX2": {
            **{"shift": 8, "logic": 28, "plus": 46, "times": 40, "minmax": 4},
            **{"join": 40, "shuffle": 38, "extract": 2, "element": 4, "scalar": 4},
        },
    },
}
# Two vectors of float32 to one or a half of narrower values.
ROUNDED = {
    "normal float16": {isa: {"half": 2, "insert": 1} for isa in ISAS},
    "normal bfloat16": {
        "AVX-512": {"bfloat16": 1},
        "AVX2": {"shuffle": 4, "logic": 2, "saturate": 1, "shift": 1, "permute": 1},
    },
    "normal float8_e4m3fn": {
        "AVX-512": {"logic": 8, "minmax": 2, "plus": 2, "words": 2, "shift": 2, "narrow": 1},
        "AVX2": {"logic": 12, "minmax": 2, "plus": 2, "shuffle": 5, "shift": 2, "permute": 1},
    },
}

# Which ports take an operation, one word for each part of it; a number before it is its cycles there if not 1.
#
# Intel, Golden Cove: the optimization manual (248966), LLVM's model of the processor and uops.info. With 512 bits ports
# 0 and 1 are one, and port 1 takes no vectors. LLVM knows the 512-bit unit of port 5 only in its model of Ice Lake.
# AMD, Zen 5: every line measured, by itself and with partners: two operations share ports if both take longer together.
PORTS = {
    (SAPPHIRE, "AVX-512"): {
        **dict.fromkeys(("multiply", "times", "fma", "plus", "convert", "minmax", "logic"), "05"),
        **{"shift": "0", "saturate": "0", "shuffle": "5", "permute": "5", "insert": "5", "test": "5"},
        **{"words": "5 5 05", "narrow": "5 5", "half": "05 5", "bfloat16": "0 0 5 5"},
        **{"divide": "0 0 5 16d", "root": "0 0 5 24d"},
    },
    (SAPPHIRE, "AVX2"): {
        **dict.fromkeys(("multiply", "times", "fma", "convert", "minmax", "shift", "saturate"), "01"),
        **{"plus": "15", "logic": "015", "join": "015", "shuffle": "15", "permute": "5", "insert": "5"},
        **{"extract": "5", "element": "0 5", "scalar": "0"},
        **{"blend": "015 015 015", "test": "0 5", "half": "01 5", "divide": "0 8d", "root": "0 12d"},
    },
    (ZEN, "AVX-512"): {
        **dict.fromkeys(("multiply", "times", "fma", "blend"), "01"),
        **dict.fromkeys(("plus", "convert", "minmax", "shift"), "23"),
        **dict.fromkeys(("permute", "words", "insert", "join", "narrow", "test", "extract", "element"), "12"),
        **{"shuffle": "0123", "logic": "0123", "saturate": "03", "scalar": ""},
        **{"half": "1.5*23", "bfloat16": "1.5*23", "divide": "1 4d", "root": "1 7.5d"},
    },
}
PORTS[ZEN, "AVX2"] = PORTS[ZEN, "AVX-512"]
MODELS = {SAPPHIRE: ["-mcpu=sapphirerapids"], ZEN: ["-mcpu=znver4", "-dispatch=8"]}

KINDS = {  # the beginnings of instructions' names
    "multiply": "vpmuludq", "times": "vmulp", "fma": "vfm", "plus": "vaddp vsubp", "divide": "vdivp",
    "convert": "vcvtdq2ps vcvtqq2pd", "minmax": "vminp vmaxp", "root": "vsqrtp", "shift": "vpsr vpsl",
    "saturate": "vpsubus", "shuffle": "vpshuf vpunpck vunpck vpackus", "words": "vpermt2w vpermi2w",
    "permute": "vperm", "blend": "vblendv vpblendv", "insert": "vinserti", "join": "vinsertf", "test": "vptest",
    "extract": "vextracti", "element": "vpextr", "scalar": "vmovq", "half": "vcvtps2ph", "bfloat16": "vcvtne2ps2bf16", "narrow": "vpmovwb",
    "logic": "vpxor vpand vpor vptern vandp vandnp vxorp vorp vpadd vpsub vpblendd vpblendm",
}  # fmt: skip


def operations(case: Case, isa: str) -> dict[str, float]:
    """What 16 values need."""
    if case.name in ROUNDED:
        law = Counter(OPERATIONS["normal float32"][isa]) + Counter(ROUNDED[case.name][isa])
    else:
        law = Counter(OPERATIONS[case.name][isa])
    groups = (2 if case.wide else 1) * 8 / ISAS[isa]
    return {kind: n * groups for kind, n in (law + Counter(PHILOX[isa])).items()}


def floor(counts: Mapping[str, float], ports: dict[str, str]) -> float:
    """The least cycles: of every set of ports, the work that only they can do, shared among them; and the divider's."""
    work, divider = defaultdict[frozenset[str], float](float), 0.0
    for kind, n in counts.items():
        for part in ports[kind].split():
            cycles, _, where = part.rpartition("*")
            if part.endswith("d"):
                divider += n * float(part[:-1])
            else:
                work[frozenset(where)] += n * float(cycles or 1)
    every = sorted({port for where in work for port in where})
    sets = [frozenset(s) for n in range(1, len(every) + 1) for s in combinations(every, n)]
    return max(divider, *(sum(n for where, n in work.items() if where <= s) / len(s) for s in sets))


class Kernels:
    """The kernels as one compiler builds them."""

    def __init__(self, folder: str, compiler: str = "gcc") -> None:
        self.program = str(Path(folder) / "floors")
        sources = [p for p in (ROOT / "csrc").glob("*.c") if not p.stem.startswith("xla")]
        command = [compiler, *FLAGS, *map(str, sources), str(ROOT / "bench" / "floors.c")]
        subprocess.run([*command, "-static", "-o", self.program, "-lm"], check=True)
        listing = run("objdump", "-d", "--no-show-raw-insn", self.program)
        found = re.findall(r"^ +([0-9a-f]+):\t([^#<\n]*)", listing, re.M)
        self.code = {int(address, 16): text.strip() for address, text in found}

    def ask(self, case: Case, isa: str, count: int, repeats: int) -> list[str]:
        place = list(ISAS).index(isa) + len(ISAS) - self.vector_isas()
        numbers = [place, case.law, case.dtype, count, repeats, *case.parameters]
        return run(self.program, *map(str, numbers)).split()

    def vector_isas(self) -> int:
        """How many of AVX-512 and AVX2 this machine runs."""
        flags = Path("/proc/cpuinfo").read_text()
        return ("avx512vl" in flags) + ("avx2" in flags)

    def tile(self, case: Case, isa: str) -> tuple[list[str], int]:
        """The instructions of one turn of the loop, and how many values it draws."""
        count = 8192
        steps = [int(line, 16) for line in self.ask(case, isa, count, 0)]
        best, longest = ((), 1), 0
        for head, visits in Counter(b for a, b in pairwise(steps) if b < a).items():
            if not 4 <= visits <= count // 16:
                continue
            places = [i for i, step in enumerate(steps) if step == head]
            turns = Counter(tuple(steps[a:b]) for a, b in pairwise(places))
            turn, often = turns.most_common(1)[0]
            if often >= 3 and len(turn) * visits > longest:
                best, longest = (turn, visits), len(turn) * visits
        turn, visits = best
        return [self.code[step] for step in turn], 16 * round(count / visits / 16)

    def cycles(self, case: Case, isa: str) -> float:
        """Measured, for 16 values."""
        count = 16384 // case.size
        return min(float(self.ask(case, isa, count, 2000)[0]) for _ in range(3)) / count * 16


def run(*command: str, text: str | None = None) -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def kind(instruction: str) -> str:
    """Of an arithmetic instruction on vectors; "" for moves, loads, stores and what is not of vectors."""
    name, _, arguments = instruction.partition(" ")
    registers = arguments.replace(" ", "").split(",")
    if name.startswith("vpxor") and len(set(registers[:2])) == 1:
        return ""  # a zero
    if name == "vmovq" and not registers[-1].startswith("%r"):
        return ""
    return next((k for k, begins in KINDS.items() if name.startswith(tuple(begins.split()))), "")


def model(tile: list[str], values: int, processor: str) -> tuple[float, str]:
    """llvm-mca's cycles for 16 values, and the port with the most work."""
    lines = [re.sub(r"^(j\w+) .*", r"\1 next", line) for line in tile]
    if processor == ZEN:
        lines = [halved(line) for line in lines]
    said = run("llvm-mca-19", "-mtriple=x86_64", *MODELS[processor], "-iterations=100", text="\n".join(lines))
    total = re.search(r"Total Cycles: +(\d+)", said)
    names = re.findall(r"^\[[\d.]+\] +- (\S+)", said, re.M)
    pressure = re.search(r"Resource pressure per iteration:\n.*\n(.*)", said)
    assert total and pressure
    loads = {n: float(x) for n, x in zip(names, pressure[1].split(), strict=False) if x != "-"}
    return int(total[1]) / 100 * 16 / values, max(loads, key=lambda name: loads[name])


def halved(line: str) -> str:
    """An instruction of 512 bits as that of 256. LLVM has one model for Zen 4 and Zen 5. The units of Zen 4 are half as
    wide and otherwise much the same, so that it stands for Zen 5 when all vectors are halved.
    """
    if "zmm" not in line:
        return line
    for wide, narrow in (
        ("ymm", "xmm"),
        ("zmm", "ymm"),
        ("1to8", "1to4"),
        ("1to16", "1to8"),
        ("64x4", "64x2"),
    ):
        line = line.replace(wide, narrow)
    return line


def rows(kernels: Kernels, isa: str) -> Iterator[list[str]]:
    """One line of the table for each case."""
    for case in CASES:
        tile, values = kernels.tile(case, isa)
        need = operations(case, isa)
        cells = [case.name, f"{len(tile) * 16 / values:.0f}", f"{sum(need.values()):.1f}"]
        for processor in (SAPPHIRE, ZEN):
            least = floor(need, PORTS[processor, isa])
            cycles, _ = model(tile, values, processor)
            cells += [f"{least:.1f}", f"{cycles:.1f}"]
        yield [*cells, f"{kernels.cycles(case, isa):.1f}"]


HEADER = [
    "",
    "instructions",
    "operations",
    "Sapphire Rapids: floor",
    "model",
    "Zen 5: floor",
    "model",
    "measured",
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cc", default="gcc", help="the compiler")
    compiler = parser.parse_args().cc
    with tempfile.TemporaryDirectory() as folder:
        kernels = Kernels(folder, compiler)
        print(run(compiler, "--version").splitlines()[0])
        for isa in list(ISAS)[len(ISAS) - kernels.vector_isas() :]:
            print(f"\n{isa}, cycles for 16 values\n")
            for cells in (HEADER, ["---"] * len(HEADER), *rows(kernels, isa)):
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
