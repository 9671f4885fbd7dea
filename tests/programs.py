"""Programs of the repository as modules."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def program_of(path: str) -> Any:
    """A program of bench, docs, examples or tools; those of one folder import each other by name."""
    file = ROOT / path
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    return importlib.import_module(file.stem)
