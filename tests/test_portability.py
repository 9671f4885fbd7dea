"""The kernels built by other compilers, with sanitizers (of memory, arithmetic and threads), with musl, for AArch64 (under
qemu-user) and for Windows (under Wine): the same bits. Machines without these bits are refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import reference
from conftest import FLAGS, NARROW, ROOT
from test_kernels import KEY, LAWS

from fastinit import _core

SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g"]
MINGW = "x86_64-w64-mingw32-gcc"
# clang as clang-cl has it: Microsoft's calling convention and _MSC_VER, here with MinGW's headers and libraries.
CLANG_CL = ["clang-19", "--target=x86_64-pc-windows-msvc19.44", "-fgnuc-version=4.2.1"]
CLANG_CL += ["-isystem", "/usr/x86_64-w64-mingw32/include", "-Wno-everything"]
BUILDS = {  # the command, its flags, and what runs the program
    **{name: ([name], [], []) for name in ("gcc", "gcc-10", "gcc-11", "clang-14", "clang-19")},
    "sanitized": (["gcc"], SANITIZE, []),
    "threads": (["gcc"], ["-fsanitize=thread", "-g"], []),
    "musl": (["musl-gcc"], ["-static"], []),
    "aarch64": (["aarch64-linux-gnu-gcc"], ["-static"], ["qemu-aarch64"]),
    "mingw": ([MINGW], ["-static"], ["wine"]),
    "clang-cl": (CLANG_CL, [], ["wine"]),
}
# What .ci/run installs must not be skipped there.
REQUIRED = {"gcc", "gcc-11", "clang-14"} if os.environ.get("FASTINIT_REQUIRE_OPTIONAL") else set()
WORDS = [str(int.from_bytes(KEY[i : i + 4], "little")) for i in (0, 4, 8, 12)]


@pytest.fixture(scope="module", params=BUILDS)
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    compiler, extra, runner = BUILDS[request.param]
    for tool in filter(None, (compiler, runner)):
        if not shutil.which(tool[0]) or subprocess.run([*tool, "--version"], capture_output=True).returncode:
            missing = pytest.fail if tool[0] in REQUIRED else pytest.skip
            missing(f"{' '.join(tool)} is not installed")
    program = tmp_path_factory.mktemp("driver") / f"{request.param}.exe"
    others, link = [ROOT / "tests" / "driver.c"], None
    if request.param == "clang-cl":
        others.append(program.with_name("chkstk.s"))
        others[-1].write_text(".globl __chkstk\n__chkstk: jmp ___chkstk_ms\n")  # the same under another name
        link = [MINGW, "-static"]
    build([*compiler, *FLAGS, *extra], others, program, link)
    return [*runner, str(program)]


def build(compile: list[str], others: list[Path], program: Path, link: list[str] | None = None) -> None:
    """csrc/ and other sources, side by side, to a program."""
    sources = [*(ROOT / "csrc").glob("*.c"), *others]
    objects = [program.with_name(f"{program.name}.{source.stem}.o") for source in sources]
    commands = [[*compile, "-c", str(s), "-o", str(o)] for s, o in zip(sources, objects, strict=True)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda command: subprocess.run(command, check=True), commands))
    subprocess.run([*(link or compile), *map(str, objects), "-o", str(program), "-lm"], check=True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--target=s390x-linux-gnu"], "does not run on big-endian machines"),
        (["--target=i386-linux-gnu", "-mno-sse"], "arithmetic in the type's own precision"),
        (["-ffast-math"], "build without -ffast-math"),
    ],
)
def test_machines_without_these_bits(flags: list[str], message: str) -> None:
    if not shutil.which("clang-14"):
        (pytest.fail if "clang-14" in REQUIRED else pytest.skip)("clang-14 is not installed")
    command = ["clang-14", *flags, "-ffreestanding", "-fsyntax-only", "-x", "c", ROOT / "csrc" / "fastinit.h"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode and 'error: "fastinit' in result.stderr and message in result.stderr


NAMES = ["bits", "uniform", "normal", "truncated 6", "truncated skew", "truncated tail"]
CASES = [(n, d) for n in NAMES for d in _core.DTYPES if not (n == "bits" and d in NARROW)]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_same_bits(name: str, dtype: str, driver: list[str]) -> None:
    law, parameters = LAWS[name]
    count, index = (
        (200, 5) if name == "truncated tail" else (270_001, 2**34 - 5)
    )  # enough for a second thread
    want = reference.draw(law, parameters, np.arange(count, dtype=np.uint64) + np.uint64(index), KEY, dtype)
    numbers = [str(_core.LAWS.index(law)), str(_core.DTYPES.index(dtype)), str(index), str(count)]
    for isa in range(len(_core.available_isas())):
        command = [*driver, str(isa), *numbers, *WORDS, *(repr(p) for p in parameters)]
        result = subprocess.run(command, capture_output=True, timeout=120)
        if result.returncode == 4:  # fewer instruction sets there
            break
        assert result.returncode == 0, result.stderr.decode()
        np.testing.assert_array_equal(np.frombuffer(result.stdout, want.dtype), want)
    assert isa or result.returncode == 0


def test_threads_that_cannot_be_had(tmp_path: Path) -> None:
    """Every pthread_create fails: the calling thread does all the work, with the same bits."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    wrapper = tmp_path / "wrapper.c"
    wrapper.write_text("#include <errno.h>\nint __wrap_pthread_create(void) { return EAGAIN; }\n")
    program = tmp_path / "driver"
    build(["gcc", *FLAGS, "-Wl,--wrap=pthread_create"], [ROOT / "tests" / "driver.c", wrapper], program)
    numbers = ["0", str(_core.LAWS.index("normal")), "0", "0", "300000"]  # enough for a second thread
    out = subprocess.run(
        [program, *numbers, *WORDS, "0", "1"], capture_output=True, check=True, timeout=60
    ).stdout
    want = reference.draw("normal", (0.0, 1.0), np.arange(300_000), KEY, "float32")
    np.testing.assert_array_equal(np.frombuffer(out, np.uint32), want)
