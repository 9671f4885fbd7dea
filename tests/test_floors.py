"""The floors of the kernels (docs/floors.md): the tables are those of bench/floors.py, whose counts are the kernels'."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from programs import program_of

floors = program_of("bench/floors.py")

PAGE = (ROOT / "docs" / "floors.md").read_text()


def table(isa: str) -> dict[str, list[str]]:
    """The cells of an instruction set's table, by its first column."""
    found = re.search(rf"^\| {re.escape(isa)} \|.*\n\|[- |]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found
    rows = [
        [cell.strip().strip("*") for cell in line.strip("|\n").split("|")] for line in found[1].splitlines()
    ]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("isa", floors.ISAS)
def test_floors_in_the_docs(isa: str) -> None:
    rows = table(isa)
    assert list(rows) == [case.name for case in floors.CASES]
    for case in floors.CASES:
        need = floors.operations(case, isa)
        least = [f"{floors.floor(need, floors.PORTS[maker, isa]):.1f}" for maker in floors.MODELS]
        _, total, *cycles = rows[case.name]
        assert [total, cycles[0], cycles[2]] == [f"{sum(need.values()):.1f}", *least], case.name


def test_a_floor_is_the_busiest_set_of_ports() -> None:
    ports = {"a": "0", "b": "01", "c": "1 2*0", "d": "1 9d"}
    assert floors.floor(dict(a=3, b=1), ports) == 3
    assert floors.floor(dict(a=3, b=5), ports) == 4
    assert floors.floor(dict(a=1, c=2), ports) == 5
    assert floors.floor(dict(d=1), ports) == 9


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("steps through code on Linux and x86-64")
    for tool in ("gcc", "objdump"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    return floors.Kernels(str(tmp_path_factory.mktemp("floors")))


@pytest.mark.parametrize("case", floors.CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("isa", floors.ISAS)
def test_counts_are_those_of_the_kernels(isa: str, case: Any, kernels: Any) -> None:
    """What OPERATIONS counts by hand, the compiled loop has; and with the compiler that the docs name, no more
    instructions besides.
    """
    if list(floors.ISAS).index(isa) < len(floors.ISAS) - kernels.vector_isas():
        pytest.skip(f"this machine lacks {isa}")
    if (isa, case.name) == ("AVX-512", "normal bfloat16") and "avx512_bf16" not in Path(
        "/proc/cpuinfo"
    ).read_text():
        pytest.skip("this machine rounds to bfloat16 in several instructions")
    try:
        tile, values = kernels.tile(case, isa)
    except subprocess.CalledProcessError as refused:
        if refused.returncode == 5:
            pytest.skip("the system does not allow ptrace")
        raise
    need, have = floors.operations(case, isa), Counter(map(floors.kind, tile))
    del have[""]
    for kind in need.keys() | have:
        assert have[kind] * 16 / values == pytest.approx(need.get(kind, 0), rel=0.03, abs=1), kind
    version = subprocess.run(
        ["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if f"GCC {version} " in PAGE:
        assert f"{len(tile) * 16 / values:.0f}" == table(isa)[case.name][0]
