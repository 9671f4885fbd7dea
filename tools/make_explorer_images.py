"""The pictures of docs/explorer.md: ``python tools/make_explorer_images.py``. Needs Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))


def main() -> None:
    from browser import Page, served

    with served(ROOT / "docs") as base, tempfile.TemporaryDirectory() as profile:
        page = Page(Path(profile))
        for name, dark in (("explorer.png", False), ("explorer-dark.png", True)):
            page.open(f"{base}/explorer/index.html", width=1200, height=742, dark=dark)
            page.wait("window.explorer && document.body.dataset.busy === 'false'")
            page.screenshot(ROOT / "docs" / "images" / name, whole=False)
        page.close()


if __name__ == "__main__":
    main()
