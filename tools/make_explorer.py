"""What the explorer page has from the library and its docs: ``python tools/make_explorer.py``.

Writes docs/explorer/facts.js (activations, the quadrature's rules, the verdict's limits, the claims in both languages) and
docs/explorer/digits.bin.gz (scikit-learn's digits, in the order in which examples/claims.py trains on them).
"""

from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from fastinit.propagation import finite_width, slopes, verdict
from fastinit.propagation.plot import _COLOURS, _DARK, _DARK_COLOURS, _LIGHT
from fastinit.schemes import quadrature
from fastinit.schemes.activations import ACTIVATIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE = DOCS / "explorer"
LANGUAGES = {"en": DOCS / "claims.md", "zh": DOCS / "zh" / "claims.md"}


def main() -> None:
    (PAGE / "facts.js").write_text(facts())
    (PAGE / "digits.bin.gz").write_bytes(digits())


def facts() -> str:
    """The module: data that the page does not write down again."""
    data: dict[str, Any] = {
        "activations": {
            name: {"kinks": list(row.kinks), "flat": slopes.flat_slope(row)}
            for name, row in ACTIVATIONS.items()
        },
        "quadrature": {
            "nodes": quadrature._NODES.tolist(),
            "kronrod": quadrature._KRONROD.tolist(),
            "gauss": quadrature._GAUSS.tolist(),
            "grid": quadrature._GRID.tolist(),
            "tolerance": quadrature._TOLERANCE,
        },
        "look": {
            "light": {**_LIGHT, "colours": _COLOURS},
            "dark": {**_DARK, "colours": _DARK_COLOURS},
        },
        "reach": finite_width._95_PERCENT,
        "limits": {
            "warning": verdict._WARNING,
            "fault": verdict._FAULT,
            "largest": verdict._LARGEST,
            "half": verdict._HALF,
            "nearlyAll": verdict._NEARLY_ALL,
        },
        "generator": generator(),
        "claims": {language: claims(page.read_text()) for language, page in LANGUAGES.items()},
    }
    lines = ",\n".join(
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in data.items()
    )
    return f"// Written by tools/make_explorer.py.\nexport const facts = {{\n{lines},\n}};\n"


def generator() -> dict[str, str]:
    """NumPy's PCG64 of seed 0, which chooses the batches in examples/claims.py."""
    state: Any = np.random.default_rng(0).bit_generator.state["state"]
    return {key: str(value) for key, value in state.items()}


def claims(page: str) -> list[dict[str, Any]]:
    """The rows of the first table, and of the section that each leads to its paragraphs and tables."""
    sections = {anchor: body for body in re.split(r"(?m)^#{2,3} ", page)[1:] for anchor in [_anchor(body)]}
    shared = _table(_comment(page, "variance"))
    found = []
    for title, anchor, word in re.findall(r"(?m)^\| \[(.+?)\]\(#(.+?)\) \| (.+?) \|$", page):
        blocks = [block.strip() for block in sections[anchor].split("\n\n")[1:]]
        texts = [" ".join(block.splitlines()) for block in blocks if block and block[0] not in "<!|"]
        networks = [
            shared[0],
            *(row for row in shared if re.split("[,\uff0c]", row[0])[0].lower() in anchor.split("-")),
        ]
        tables = [_table(block) for block in blocks if block.startswith("<!--")]
        tables += [networks] if len(networks) > 1 else []
        found.append({"title": title, "anchor": anchor, "verdict": word, "text": texts, "tables": tables})
    return found


def _comment(page: str, name: str) -> str:
    return page.partition(f"<!-- {name} -->")[2].partition("<!-- end -->")[0]


def _table(block: str) -> list[list[str]]:
    rows = [line.strip("| ").split(" | ") for line in block.splitlines() if line.startswith("| ")]
    return [row for row in rows if set(row) != {"---"}]


def _anchor(section: str) -> str:
    heading = section.splitlines()[0].lower()
    return re.sub(r"[^\w -]", "", heading).replace(" ", "-")


def digits() -> bytes:
    """1797 times 64 pixels and a label, in a byte each."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    rows = np.concatenate([images, labels[:, None]], axis=1)
    order = np.random.default_rng(0).permutation(len(rows))
    assert math.prod(rows.shape) == 116_805
    return gzip.compress(rows[order].astype(np.uint8).tobytes(), mtime=0)


if __name__ == "__main__":
    main()
