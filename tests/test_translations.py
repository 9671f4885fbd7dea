"""Translated pages say what the English ones say: the same code, commands, numbers, tables, pictures and links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, optional, program_of

ENGLISH = {
    ROOT / "README.zh-CN.md": ROOT / "README.md",
    ROOT / "docs" / "zh" / "index.md": ROOT / "docs" / "index.md",
    ROOT / "docs" / "zh" / "getting-started.md": ROOT / "docs" / "getting-started.md",
    ROOT / "docs" / "zh" / "explorer.md": ROOT / "docs" / "explorer.md",
    ROOT / "docs" / "zh" / "claims.md": ROOT / "docs" / "claims.md",
}
SWITCH = re.compile(r"^\[(?:English|简体中文)\]\((.*)\)$", re.MULTILINE)
TOCTREE = re.compile(r"^```\{toctree\}.*?^```$", re.DOTALL | re.MULTILINE)  # each language has its own
VERBATIM = re.compile(r"(^```.*?^```$|^<!--.*?-->$)", re.DOTALL | re.MULTILINE)
FACT = re.compile(r"`[^`]+`|\$[^$]+\$|\]\([^)]+\)|\d+(?:[.,]\d+)*|[⁰¹²³⁴-⁹]+")


def anchors(text: str) -> list[str]:
    """Those of the headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", VERBATIM.sub("", text), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


class Page:
    def __init__(self, path: Path) -> None:
        self.path, self.text = path, path.read_text()

    def target(self, link: str) -> Any:
        """Where a link leads, whatever the language: an address, a heading's number, or a file."""
        if link.startswith("http"):
            return link
        if link.startswith("#"):
            return anchors(self.text).index(link[1:])
        file = (self.path.parent / link).resolve()
        assert file.exists(), f"{self.path.name}: {link}"
        return str(ENGLISH.get(file, file))

    def facts(self, line: str) -> list[str]:
        """Code, formulas, numbers and links, in an order that no language decides."""
        return sorted(
            repr(self.target(fact[2:-1])) if fact[0] == "]" else fact for fact in FACT.findall(line)
        )

    def blocks(self) -> list[Any]:
        """Code and comments as they are; of tables each cell's facts, of other paragraphs their signs and facts."""
        found: list[Any] = []
        for i, part in enumerate(VERBATIM.split(TOCTREE.sub("", SWITCH.sub("", self.text)))):
            for block in [part] if i % 2 else filter(None, re.split(r"\n{2,}", part.strip())):
                if i % 2:
                    found.append(block)
                elif block.startswith("|"):
                    found.append(
                        [[self.facts(cell) for cell in row.split("|")] for row in block.splitlines()]
                    )
                else:
                    signs = re.findall(r"^(#+|- |!)", block, re.MULTILINE)  # headings, items, pictures
                    found.append((signs, self.facts(block)))
        return found


@pytest.mark.parametrize("translated", ENGLISH, ids=lambda path: path.name)
def test_says_what_the_english_page_says(translated: Path) -> None:
    ours, theirs = Page(translated).blocks(), Page(ENGLISH[translated]).blocks()
    for mine, english in zip(ours, theirs, strict=False):
        assert mine == english
    assert len(ours) == len(theirs) > 7


def test_the_chinese_sidebar_has_every_page() -> None:
    optional("sphinx")
    pages = program_of("docs/pages.py")
    shown = [page for section in pages.CHINESE.values() for page in section]
    translated = {path.stem for path in (ROOT / "docs" / "zh").iterdir()}
    every = {path.stem for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".rst")}
    assert sorted(shown) == sorted({f"zh/{page}" for page in translated} | every - translated)
