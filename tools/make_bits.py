"""Write docs/bits.json, the tables of docs/bits.md, from csrc/coefficients.h: ``python tools/make_bits.py``."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import reference  # noqa: E402

TARGET = ROOT / "docs" / "bits.json"


def text() -> str:
    """One polynomial a line, constants first, as hexadecimal floats."""
    tables = {
        "quantile_single": reference.TABLES["quantile_f"].T[:28],
        "quantile_double": reference.TABLES["quantile_d"].T[:14],
        **{name: reference.TABLES[f"{name}_poly"] for name in ("tail", "log", "sin", "cos")},
    }
    entries = []
    for name, table in tables.items():
        lines = [json.dumps([c.hex() for c in row.tolist()]) for row in table.reshape(-1, table.shape[-1])]
        entries.append(f'"{name}": ' + (lines[0] if table.ndim == 1 else "[\n" + ",\n".join(lines) + "\n]"))
    return "{\n" + ",\n".join(entries) + "\n}\n"


if __name__ == "__main__":
    TARGET.write_text(text())
