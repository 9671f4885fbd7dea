"""NVRTC, which needs no GPU: the kernels compile for every kind of device, and what their code may and may not hold."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastinit import cuda
from fastinit.cuda import compiling, driver
from fastinit.cuda.compiling import Kernels

needs_nvrtc = pytest.mark.skipif(
    bool(cuda.missing()) and not os.environ.get("FASTINIT_REQUIRE_OPTIONAL"), reason="NVRTC is not installed"
)
NORMAL = Kernels("normal", "float32", False)
KINDS = ("run", "batch", "box", "origins", "keyed")

# Of the 2 units that a thread draws at a time (of 8-bit dtypes 1): operations of float32 or float64 an element.
# The quantile takes 1 sum and 5 fused products, scale and shift 1 more; rounding to 8 bits adds a sum.
COUNTS = [
    (Kernels("uniform", "float32", True), {"mul": 8, "add": 8, "fma": 0}),
    (Kernels("uniform", "bfloat16", False), {"mul": 16, "add": 16, "fma": 0}),
    (Kernels("uniform", "float64", True), {"mul": 4, "add": 4, "fma": 0}),
    (NORMAL, {"mul": 0, "add": 8, "fma": 48}),
    (Kernels("normal", "float16", False), {"mul": 0, "add": 16, "fma": 96}),
    (Kernels("normal", "float8_e4m3fn", False), {"mul": 0, "add": 32, "fma": 96}),
    (Kernels("truncated_normal", "float32", True), {"mul": 8, "add": 8, "fma": 48}),
    (Kernels("truncated_normal", "bfloat16", True), {"mul": 16, "add": 16, "fma": 96}),
    (Kernels("truncated_normal", "float32", False), {"mul": 0}),
    (Kernels("constant", "bfloat16", False), {"mul": 0, "add": 0, "fma": 0}),
    (Kernels("bits", "float32", False), {"mul": 0, "add": 0, "fma": 0}),
    (Kernels("truncated_normal", "float64", True), {"fma": 0}),
    (Kernels("normal", "float64", False), {"fma": 0}),
]


def hot_loops(ptx: str, kernels: Kernels, kind: str = "run") -> list[str]:
    """The loops of a kernel; a run has two, of several rows and of one: what lies between barriers and stores whole units. Rare words are
    drawn anew behind a barrier, and stored by elements. A kernel without barriers has both loops in one text."""
    entry = ptx.partition(f".entry {kernels.name(kind)}(")[2].partition("\n}\n")[0]
    return [part for part in re.split(r"bar\.sync", entry) if "st.global.v4" in part]


@needs_nvrtc
@pytest.mark.parametrize(("kernels", "counts"), COUNTS, ids=str)
def test_operations_of_a_run(kernels: Kernels, counts: dict[str, int]) -> None:
    ptx = compiling.compile(kernels, "90", "PTX").decode()
    kind = "f64" if kernels.dtype == "float64" else "f32"
    loops = "".join(hot_loops(ptx, kernels))
    for operation, count in counts.items():
        found = len(re.findall(rf"\b{operation}\.rn\.{kind}\b", loops))
        assert found == 2 * count, (operation, found)
    for each in ("run", "batch", "box", "keyed"):
        assert not re.search(r"[ls][dt]\.local|\bcall\b", "".join(hot_loops(ptx, kernels, each)))
    # Nothing is fused that csrc does not fuse, nothing is flushed or approximate, in scalar code either.
    assert not re.search(r"\bfma\.rn\.f64|\bmad\.f|\.ftz\b|\.approx\b", ptx)
    if kind == "f64" or kernels.law == "uniform":
        assert "fma.rn.f32" not in ptx


@needs_nvrtc
def test_rows_that_lie_apart_cost_little() -> None:
    # A shard of columns is to be drawn at .6 of the speed of the whole, or more: its loop has a division for each unit.
    for kernels in (NORMAL, NORMAL._replace(dtype="bfloat16")):
        loops = hot_loops(compiling.compile(kernels, "90", "PTX").decode(), kernels)
        apart, one = (len(re.findall(r"^\t(?:@%p\d+ )?[a-z]", loop, re.M)) for loop in loops)
        assert one < apart < 1.2 * one


@needs_nvrtc
@pytest.mark.parametrize("arch", ["75", "80", "89", "90", "100", "120"])
def test_every_kind_of_device(arch: str) -> None:
    for kernels in (
        NORMAL,
        Kernels("truncated_normal", "bfloat16", False),
        Kernels("uniform", "float8_e5m2", True),
    ):
        code = compiling.compile(kernels, arch)
        assert code[:4] == b"\x7fELF"
        assert all(kernels.name(kind).encode() in code for kind in KINDS)


AMD = [
    (NORMAL, True),
    (Kernels("normal", "float64", False), False),
    (Kernels("truncated_normal", "bfloat16", False), True),
    (Kernels("uniform", "float8_e5m2", True), False),
    (Kernels("constant", "float16", False), False),
]


@pytest.mark.parametrize(("kernels", "fused"), AMD, ids=str)
def test_the_text_compiles_for_a_gpu_of_amd(kernels: Kernels, fused: bool, tmp_path: Path) -> None:
    """By clang, without ROCm; nothing has run there. Only what the source fuses is fused, and no vector register is spilled."""
    clang = shutil.which("clang")
    if clang is None:
        pytest.skip("clang is not installed")
    code = tmp_path / "kernels.s"
    command = [
        clang, "-x", "hip", "--offload-arch=gfx90a", "--cuda-device-only", "-nogpuinc", "-nogpulib", "-std=c++17", "-O3",
        "-ffp-contract=off", "-w", f"-DFI_ONLY={compiling.instance(kernels)}",
        f'-DKERNELS_FILE="{Path(compiling.__file__).with_name("kernels.cu")}"', "-S", "-o", str(code),
        str(Path(__file__).with_name("hip.h")),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if "gfx90a" in done.stderr:
        pytest.skip("this clang knows no gfx90a")
    assert not done.returncode, done.stderr
    text = code.read_text()
    for kind in KINDS:
        assert f".amdhsa_kernel {kernels.name(kind)}\n" in text
    assert set(re.findall(r"\.vgpr_spill_count: *(\d+)", text)) == {"0"}
    assert bool(re.search(r"\bv_(pk_)?(fma|fmac|mac|mad)_f32", text)) == fused


@needs_nvrtc
def test_devices_that_the_compiler_does_not_know() -> None:
    assert compiling.options_for("91")[0] == "-arch=sm_90"  # code for 9.0 runs there
    with pytest.raises(RuntimeError, match=r"NVRTC \d+\.\d+ does not know devices of compute capability 990"):
        compiling.options_for("990")


def compiled(folder: str) -> bytes:
    os.environ["FASTINIT_CACHE"] = folder
    return compiling.cubin(NORMAL, "90")


@needs_nvrtc
def test_kept_on_disk_by_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        codes = pool.map(compiled, [str(tmp_path)] * 3, chunksize=1)
    assert len(set(codes)) == 1
    (file,) = tmp_path.iterdir()  # no leftovers
    monkeypatch.setenv("FASTINIT_CACHE", str(tmp_path))
    calls: list[Any] = []
    monkeypatch.setattr(compiling, "compile", lambda *arguments: calls.append(arguments) or codes[0])
    assert compiling.cubin(NORMAL, "90") == codes[0] and not calls
    # A file that is not whole is compiled anew and replaced; another device or compiler has another file.
    file.write_bytes(file.read_bytes()[:-1])
    assert compiling.cubin(NORMAL, "90") == codes[0] and len(calls) == 1
    assert compiling.cubin(NORMAL, "90") == codes[0] and len(calls) == 1
    compiling.cubin(NORMAL, "80")
    monkeypatch.setattr(compiling, "_version", lambda: "99.9")
    compiling.cubin(NORMAL, "90")
    assert len(calls) == 3 and len(list(tmp_path.iterdir())) == 3
    # A folder that cannot be made costs time only.
    monkeypatch.setenv("FASTINIT_CACHE", str(file / "below"))
    assert compiling.cubin(NORMAL, "90") == codes[0] and len(calls) == 4


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cuda", "cuda.bindings", "cuda.bindings.driver"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(driver, "api", driver.api.__wrapped__)  # not what was found before
    found = cuda.missing.__wrapped__()
    assert found == 'drawing on a GPU needs cuda.bindings.driver: pip install "fastinit-nn[cuda]"'
