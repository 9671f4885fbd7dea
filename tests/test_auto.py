"""The models of docs/auto.md: fans and reasons by hand, and an output of a sane size."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import optional

torch = optional("torch")

TOOL = Path(__file__).parents[1] / "tools" / "auto"
sys.path.insert(0, str(TOOL))
from cases import CASES  # noqa: E402
from check import PAGE, check  # noqa: E402

sys.path.remove(str(TOOL))


@pytest.mark.parametrize("name", CASES)
def test_auto(name: str) -> None:
    optional(CASES[name].library)
    assert check(CASES[name]).faults == []


def test_the_page_has_every_model() -> None:
    page = PAGE.read_text()
    assert [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")][
        1:
    ] == list(CASES)
