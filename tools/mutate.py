"""Change one constant or operator of the core at a time, and see whether the tests notice.

    python tools/mutate.py [--sample N] [--seed S] [FILE...]

FILE defaults to every file of csrc/ that decides values. Mutants are built in a temporary copy of the tree, the header's
on the base instruction set only, without optimisation. A mutant whose object file is the original's does not count.
Prints each mutant's fate; exit status 1 where one survives that `EQUIVALENT` does not explain.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[1]
FILES = ["philox.h", "dist.h", "vmath.h", "coefficients.h", "convert.h", "kernel.h", "inspect.h"]
FILES += ["scalar.c", "stream.c", "truncated.c", "law.c", "inspect.c", "dispatch.c"]
QUICK = [
    "test_coefficients.py",
    "test_kernels.py",
    "test_frozen.py::test_cpu",
    "test_bad_input.py",
    "test_fill.py",
]
INSPECT = ["test_inspect.py", "test_measure.py"]
THOROUGH = ["test_statistics.py", "test_lanes.py", "test_environment.py"]
COMPILE = [
    "gcc",
    "-std=c11",
    "-D_GNU_SOURCE",
    "-O0",
    "-ffp-contract=off",
    "-Wno-psabi",
    "-w",
    "-fPIC",
    "-pthread",
]
SECONDS = 300  # a mutant that takes longer never ends

EQUIVALENT: dict[str, str] = {
    "enum { CHUNK = 1 << 16, PER_THREAD = 1 << 17, SCATTER_BYTES = 1 << 14 };": "sizes of work: only speed",
    "if (calling_thread && job->interrupted && seconds() - asked > 0.03) {": "how often a signal is looked for",
    "double asked = calling_thread && job->interrupted ? seconds() : 0;": "how often a signal is looked for",
    "return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;": "how often a signal is looked for",
    "if ((skip + to_aligned) % per_block == 0 && ((uintptr_t)to + to_aligned * size) % sizeof(U) == 0 &&": "streaming or not",
    "(to_aligned == head || count >= 8 * four_count))": "from which length on an aligned address is sought",
    'return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");': "shows on a machine without",
    'return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&': "the same",
    '__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");': "the same",
    "const uint64_t rows = least(next_left, (end - at) / inner->length);": "the same values written twice",
    "sign[v] = (x[v] & law->sign_and) ^ law->sign_xor;": "never both: what is entered from both tails is not mirrored",
    "W sign = (((W)x[v] >> 32) & law->sign_and) ^ law->sign_xor;": "the same",
    "x[v] = (U)y ^ (x[v] & u_all(fi_bits.sign));": "the magnitude has no sign",
    "const F y = fma_f((F)((U)z[v] ^ sign[v]), f_all(law->scale), f_all(law->shift));": "the same",
    "const L beyond = t > d_all(0x1p31);": "shows in one word of 2^52",
    "for (size_t i = 0; i < FI_BINS; i++) counts[i] = bins[0][i] + bins[1][i];": "AddressSanitizer tells",
    "m->mean = m->m2 = m->m3 = m->m4 = 0;": "moments of no values have no weight",
    "if (m->mean < m->low) m->mean = m->low; /* rounding may take it there; the mean of a constant is the constant */": "an equal value",
    "if (m->mean > m->high) m->mean = m->high;": "an equal value",
    "memcpy(&scale, &scale_bits, 4);": "AddressSanitizer tells",
    "const U tail[2] = {tail_bits(kernel, wide, law, x[0]), tail_bits(kernel, wide, law, x[1])};": "a longer array",
    "U word[2 * MAX_GROUPS];": "a longer array",
    "draw(kernel, wide, false, 2, law, x, &tails);": "AddressSanitizer tells",
    "U tails = ~(U){0};": "a bit below those that tell",
    "U x[2 * MAX_GROUPS], waiting[2 * MAX_GROUPS], tails = ~(U){0};": "a longer array, or a bit below those that tell",
    "const bool may = kernel == FI_truncated_normal ? !shortcut && law->has_rare : kernel == FI_normal && !wide;": "looked for in vain",
    "const size_t to_aligned = (size_t)(-(uintptr_t)to % sizeof(U)) / size;": "streaming or not",
    "if (b < -far) return constant_init(law, law->dhigh);": "an equal value",
    "if (a > far) return constant_init(law, law->dlow);": "an equal value",
    "if (loss < TAIL_END) {": "shows at one loss",
    "double smallest = 0x1p32;": "more than any",
    "smallest = least(smallest, 0x1p32 * least(first, first + span));": "rare words looked for in vain",
    "return (((uint32_t)(word >> 32) & law->sign_and) ^ law->sign_xor) >> 31 ? -z : z;": "never both",
    "const I lower = (I)word >> 31;": "the sign again, as processors shift",
    "D r[BATCH / 2], angle[BATCH / 2], s[BATCH / 2], c[BATCH / 2];": "AddressSanitizer tells",
    "c[g] = (D)((W)c[g] ^ ((angular[g] << 1) & w_all(1ull << 63)));": "a quarter's cosine has no sign",
    "struct shared shared = {.job = job, .count = 1};": "the same values written twice",
    "for (uint64_t rows = next && column == 0 ? next_left : 1; rows && at < end; rows--) {": "a part of a row ends it",
    "if (n < inner->length) break; /* the run ends within the row */": "positions looked up again: only speed",
}
"""Changed lines that no test tells from the original, and why."""

OPERATORS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "+": "-",
    "-": "+",
    "*": "+",
    "/": "*",
    "&": "|",
    "|": "&",
}
OPERATORS |= {"^": "|", "<<": ">>", ">>": "<<", "==": "!=", "!=": "==", "&&": "||", "||": "&&"}
OPERATORS |= {"+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "^=": "|="}
TOKEN = re.compile(
    r"(?P<number>\b(?:0x[0-9a-fA-F.]+(?:p[+-]?\d+)?|\d+(?:\.\d+)?)[uflUL]*\b)"
    r"|(?<= )(?P<operator><<|>>|<=|>=|==|!=|&&|\|\||[-+|&^]=|[-+*/<>&|^])(?= )"
)


def changed(number: str) -> str:
    """Another value: an integer's successor; a float whose first digit after the point, or exponent, is another."""
    body, suffix = re.fullmatch(r"(.*?)([uUlL]*|f)", number).groups()  # type: ignore[union-attr]
    if "p" in body:
        mantissa, exponent = body.split("p")
        if "." in mantissa:
            whole, digits = mantissa.split(".")
            return f"{whole}.{int(digits[0], 16) ^ 1:x}{digits[1:]}p{exponent}{suffix}"
        return f"{mantissa}p{int(exponent) + 1}{suffix}"
    if body.startswith("0x"):
        return f"{int(number.rstrip('uUlL'), 16) + 1:#x}{re.search(r'[uUlL]*$', number).group()}"  # type: ignore[union-attr]
    return f"{float(body) * 1.5}{suffix}" if "." in body else f"{int(body) + 1}{suffix}"


Mutant: TypeAlias = tuple[str, int, int, int, str]


def mutants(name: str) -> list[Mutant]:
    """(file, line, from, to, replacement) for each; comments, directives and string literals are left alone."""
    text = (ROOT / "csrc" / name).read_text()
    blank = re.sub(r'/\*.*?\*/|"[^"\n]*"', lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)
    found = []
    for line, code in enumerate(blank.splitlines()):
        if code.startswith(("#if", "#el", "#include", "#error", "extern")):
            continue
        for match in TOKEN.finditer(code):
            token = match.group()
            new = changed(token) if match["number"] else OPERATORS[token]
            found.append((name, line, match.start(), match.end(), new))
    return found


class Copy:
    """The tree in a temporary folder, with the objects of its last build."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("csrc", "src", "tests", "build"):
            shutil.copytree(
                ROOT / part,
                folder / part,
                ignore=shutil.ignore_patterns("address*", "stress*", "__pycache__"),
            )
        shutil.copy(ROOT / "pyproject.toml", folder)
        self.objects = folder / "build" / "objects"
        for built in (folder / "src" / "fastinit").glob("_core*.so"):
            built.unlink()
        self.extension = folder / "src" / "fastinit" / "_core.so"

    def units(self, name: str) -> list[str]:
        """The files that are compiled anew when this one changes."""
        own = [name] if name.endswith(".c") else ["isa_base.c"]
        return [*own, "scalar.c"] if name == "coefficients.h" else own

    def compile(self, name: str) -> dict[str, bytes]:
        """Their objects, or nothing where it is not a program."""
        made = {}
        for unit in self.units(name):
            out = self.object(unit)
            command = [*COMPILE, "-c", f"csrc/{unit}", "-o", str(out)]
            if subprocess.run(command, cwd=self.folder, stderr=subprocess.DEVNULL).returncode:
                return {}
            made[unit] = out.read_bytes()
        return made

    def object(self, unit: str) -> Path:
        return self.objects / "csrc" / f"{Path(unit).stem}.o"

    def restore(self, made: dict[str, bytes]) -> None:
        for unit, data in made.items():
            self.object(unit).write_bytes(data)

    def link(self) -> None:
        objects = [str(path) for path in self.objects.rglob("*.o")]
        subprocess.run(["gcc", "-shared", "-pthread", *objects, "-o", str(self.extension)], check=True)

    def passes(self, tests: list[str]) -> bool:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            *(f"tests/{t}" for t in tests),
        ]
        command += ["-k", "not avx512 and not avx2 and not test_tails"]
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "src")}
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def sample(chosen: list[Mutant], count: int, rng: random.Random) -> list[Mutant]:
    """One mutant of each of `count` lines: the tables' many numbers count no more than other lines."""
    lines: dict[tuple[str, int], list[Mutant]] = {}
    for mutant in chosen:
        lines.setdefault(mutant[:2], []).append(mutant)
    return [rng.choice(lines[line]) for line in sorted(rng.sample(sorted(lines), min(count, len(lines))))]


def tests_of(name: str) -> list[str]:
    return INSPECT if name.startswith("inspect") else QUICK


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", default=FILES)
    parser.add_argument(
        "--sample", type=int, default=150, help="so many, each of another line; 0 for all there are"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=ROOT, check=True)
    chosen = [mutant for name in options.files for mutant in mutants(name)]
    if options.sample:
        chosen = sample(chosen, options.sample, random.Random(options.seed))
    fates: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder) / "copy")
        original: dict[str, dict[str, bytes]] = {}
        for name, line, begin, end, new in chosen:
            source = copy.folder / "csrc" / name
            text = source.read_text()
            lines = text.splitlines(keepends=True)
            if name not in original:
                original[name] = copy.compile(name)
                copy.link()
                if not copy.passes(tests_of(name)):
                    raise SystemExit(f"the tests fail without a change of {name}")
            lines[line] = lines[line][:begin] + new + lines[line][end:]
            source.write_text("".join(lines))
            made = copy.compile(name)
            if not made:
                fate = "no program"
            elif made == original[name]:
                fate = "same object"
            else:
                copy.link()
                fate = "survived" if copy.passes(tests_of(name)) and copy.passes(THOROUGH) else "killed"
            if fate == "survived" and lines[line].strip() in EQUIVALENT:
                fate = "equivalent"
            source.write_text(text)
            copy.restore(original[name])
            fates[fate] += 1
            print(f"{fate:11} {name}:{line + 1}: {lines[line].strip()[:150]}", flush=True)
    print(", ".join(f"{count} {fate}" for fate, count in sorted(fates.items())))
    return 1 if fates["survived"] else 0


if __name__ == "__main__":
    sys.exit(main())
