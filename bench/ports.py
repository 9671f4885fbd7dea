"""Which operations share this processor's ports, and what the kernels wait for: ``python bench/ports.py``.

Cycles of loops of instructions of 512 bits that do not depend on each other, counted by a chain of additions. Two kinds
share ports if a pair takes longer than the slower of both by itself. Needs GCC, Linux and AVX-512.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from itertools import combinations
from pathlib import Path

import floors

OPERATIONS = {  # of registers 30 and 31, and of {d}, which is another one each time
    "multiply": "vpmuludq %zmm30, %zmm31, %zmm{d}",
    "fma": "vfmadd231ps %zmm30, %zmm31, %zmm{d}",
    "times": "vmulps %zmm30, %zmm31, %zmm{d}",
    "plus": "vaddps %zmm30, %zmm31, %zmm{d}",
    "convert": "vcvtdq2ps %zmm31, %zmm{d}",
    "minmax": "vminps %zmm30, %zmm31, %zmm{d}",
    "shift": "vpsrld $22, %zmm31, %zmm{d}",
    "logic": "vpternlogd $0x96, %zmm30, %zmm31, %zmm{d}",
    "shuffle": "vpshufd $0xf5, %zmm31, %zmm{d}",
    "permute": "vpermt2ps %zmm30, %zmm31, %zmm{d}",
    "words": "vpermt2w %zmm30, %zmm31, %zmm{d}",
    "insert": "vinserti64x4 $1, %ymm30, %zmm31, %zmm{d}",
    "narrow": "vpmovwb %zmm31, %ymm{d}",
    "saturate": "vpsubusw %zmm30, %zmm31, %zmm{d}",
    "test": "vptestmd %zmm30, %zmm31, %k1",
    "half": "vcvtps2ph $0, %zmm31, %ymm{d}",
    "bfloat16": "vcvtne2ps2bf16 %zmm30, %zmm31, %zmm{d}",
    "divide": "vdivpd %zmm30, %zmm31, %zmm{d}",
    "root": "vsqrtpd %zmm31, %zmm{d}",
}
BEGIN = ["mov $0x3ff8123456789abc, %rax", "vpbroadcastq %rax, %zmm30", "vmovdqa64 %zmm30, %zmm31"]
LOOPS, REPEATS = 64, 1000


def measure(loops: list[list[str]]) -> list[float]:
    """Cycles of one turn of each loop."""
    functions, calls = [], []
    for i, loop in enumerate(loops):
        lines = [
            *BEGIN,
            f"mov ${LOOPS}, %ecx",
            ".p2align 6",
            "1:",
            *loop,
            "dec %ecx",
            "jnz 1b",
            "vzeroupper",
            "ret",
        ]
        functions.append(f".globl loop{i}\n.p2align 6\nloop{i}:\n" + "\n".join(lines))
        calls.append(f"void loop{i}(void);")
    listed = ", ".join(f"loop{i}" for i in range(len(loops)))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "loops.s").write_text(
            "\n".join(functions) + '\n.section .note.GNU-stack,"",@progbits\n'
        )
        main = "\n".join(calls) + f"\nstatic void (*const loops[])(void) = {{{listed}}};\n" + MAIN
        (Path(folder) / "main.c").write_text(main)
        program = f"{folder}/ports"
        sources = [f"{folder}/main.c", f"{folder}/loops.s"]
        subprocess.run(["gcc", "-O1", *sources, "-o", program], check=True)
        return [float(line) / LOOPS for line in floors.run(program).split()]


MAIN = f"""
#include <stdint.h>
#include <stdio.h>
#include <time.h>
static double now(void) {{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}}
int main(void) {{
    double cycle = 1;
    static double least[sizeof loops / sizeof *loops];
    for (unsigned i = 0; i < sizeof loops / sizeof *loops; i++) {{
        least[i] = 1;
        for (int r = 0; r < {REPEATS}; r++) {{
            double start = now(), time;
            loops[i]();
            time = now() - start, least[i] = time < least[i] ? time : least[i];
            uint64_t x = 1, y = 3;
            start = now();
            for (int j = 0; j < 128; j++) __asm__ volatile(".rept 16\\nadd %1, %0\\n.endr" : "+r"(x) : "r"(y));
            time = (now() - start) / 2048, cycle = time < cycle ? time : cycle;
        }}
    }}
    for (unsigned i = 0; i < sizeof loops / sizeof *loops; i++) printf("%f\\n", least[i] / cycle);
}}
"""


def independent(kinds: list[str]) -> list[str]:
    """Instructions of these kinds, in an order without a pattern."""
    mixed = random.Random(0).sample(kinds, len(kinds))
    return [OPERATIONS[kind].replace("{d}", str(i % 24)) for i, kind in enumerate(mixed)]


def rounds(groups: int) -> list[str]:
    """Four rounds of Philox: each group waits for its own results only."""
    state = [[4 * g + i for i in range(4)] for g in range(groups)]
    lines = []
    for _ in range(4):
        for g, (c0, c1, c2, c3) in enumerate(state):
            lines += [f"vpmuludq %zmm30, %zmm{c0}, %zmm{c0}", f"vpmuludq %zmm31, %zmm{c2}, %zmm{c2}"]
            for product, word in ((c2, c1), (c0, c3)):
                lines.append(f"vpshufd $0xf5, %zmm{product}, %zmm29")
                lines.append(f"vpternlogd $0x96, %zmm30, %zmm29, %zmm{word}")
            state[g] = [c1, c2, c3, c0]
    return lines


def main() -> None:
    kinds = list(OPERATIONS)
    pairs = [p for p in combinations(kinds, 2) if {"divide", "root"}.isdisjoint(p)]
    times = measure([independent([*pair] * 48) for pair in [(k, k) for k in kinds] + pairs])
    own = dict(zip(kinds, (time / 96 for time in times), strict=False))
    print("cycles of one: " + ", ".join(f"{kind} {cycles:.2f}" for kind, cycles in own.items()))
    shared = dict(zip(pairs, (time / 48 for time in times[len(kinds) :]), strict=True))
    for kind in kinds[:-2]:
        partners = {a if b == kind else b: t for (a, b), t in shared.items() if kind in (a, b)}
        print(f"a {kind} and one of: " + ", ".join(f"{k} {t:.2f}" for k, t in partners.items()))
    counts = range(2, 8)
    for groups, time in zip(counts, measure([rounds(n) for n in counts]), strict=True):
        print(
            f"a round of Philox, {groups} groups in flight: {time / 4:.1f} cycles, {time / 4 / groups:.2f} a group"
        )
    for case in floors.CASES[:4]:
        need = floors.operations(case, "AVX-512")
        mixed = [kind for kind, n in need.items() for _ in range(int(8 * n))]
        random.Random(0).shuffle(mixed)
        print(
            f"{case.name}, the operations of 16 values in any order: {measure([independent(mixed)])[0] / 8:.1f}"
        )


if __name__ == "__main__":
    main()
