"""docs/coverage.md from the results of all libraries, and the reasons for which a model may be refused."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

SAME = "the outputs are equal"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage.md"
# By words of the message. docs/recording.md says more of each.
REASONS = {
    r"chance outside torch": "chance outside torch",
    r"looks at the value of a random": "the code looks at random values",
    r"never initialised|never written": "never initialised",
    r"no shape yet": "a lazy module that never ran",
    r"is made by (\w+) from (the random values|several)": "a function of random values without a law",
    r"of '.*', which is in another module": "a function of another module's values",
    r"is drawn by (\w+), which is not a law": "drawn from a distribution that fastinit does not have",
}
HEAD = """# Coverage

What fastinit makes of other libraries' models. Each model of torch is built small, recorded, and built by its own code with several
seeds. Its plan is right if

- every parameter and buffer is in it;
- values without chance are equal;
- means, variances, supports, distribution functions and the products of rows agree for all others. The thresholds are so
  strict that a difference is a fault;
- `init_` fills the model after `to_empty`, and after `fully_shard` on the meta device and `to_empty`. For models of transformers
  the outputs for one input are compared with those of the model that its code built, with the plan's values in its
  parameters. "Equal outputs" counts the models that ran; for the others no input was found that they take.

Models and layers of Flax, Equinox and Keras are not recorded: `plan` and `init` draw their weights by He's rule. They are right if each
weight's fans are those that were counted by hand, or that the library's own values show; if what is drawn has them; and if all
else is as the library has it, frozen leaves untouched.

Models that are too large for this are recorded, and their names compared. [Why a model is refused](recording.md#what-is-refused)
is on another page.

`python tools/coverage` runs all of it, and goes on where it was stopped. `python tools/coverage --table` writes this page. A
sample of each library is a test.

"""


def reason_of(text: str) -> str | None:
    """Why a model was refused, in the words of the page; None if no page defends it."""
    return next((reason for pattern, reason in REASONS.items() if re.search(pattern, text)), None)


def write(results: dict[str, list[dict[str, Any]]]) -> None:
    lines = [
        HEAD + "| library | version | built | recorded | compared | right | equal outputs | refused |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for library, all_of_it in results.items():
        by = _by_status(all_of_it)
        if not by:
            continue
        right, refused = len(by["right"]), len(by["refused"])
        compared = right + len(by["wrong"])
        recorded = compared + len(by["large"])
        built = recorded + refused + len(by["failed"])
        version = max(line["version"] for line in all_of_it).partition("+")[0]
        equal = sum(line["reason"] == SAME for line in by["right"])
        counts = " | ".join(map(str, (built, recorded, compared, right, equal or "-", refused)))
        lines.append(f"| {library.replace('_', '.')} | {version} | {counts} |")
    for title, status in {
        "Refused": "refused",
        "Wrong": "wrong",
        "Failed": "failed",
        "Not built": "not built",
    }.items():
        rows = _rows(results, status)
        if rows:
            lines += ["", f"## {title}", ""]
            lines += ["| library | why | models |", "|---|---|---|", *rows]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _by_status(lines: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    by: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        by[line["status"]].append(line)
    return by


def _rows(results: dict[str, list[dict[str, Any]]], status: str) -> list[str]:
    rows = []
    for library, lines in results.items():
        by: dict[str, list[str]] = defaultdict(list)
        for line in _by_status(lines)[status]:
            why = reason_of(line["reason"]) or " ".join(line["reason"].split())[:100].replace("|", "/")
            if status == "not built":
                why = "the library does not build it from its defaults here, or not in time"
            by[why].append(line["case"])
        rows += [f"| {library.replace('_', '.')} | {why} | {'; '.join(names)} |" for why, names in by.items()]
    return rows
