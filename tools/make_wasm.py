"""Write docs/explorer/kernels.wasm and tables.js from csrc and the table of schemes: ``python tools/make_wasm.py``.

It needs clang and wasm-ld (Debian's packages clang and lld). The same versions of them write the same bytes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from fastinit.laws.distributions import Constant, Normal, TruncatedNormal, Uniform, truncated_std
from fastinit.schemes.activations import ACTIVATIONS, GATED, OTHER_NAMES
from fastinit.schemes.catalogue import CATEGORIES, Scheme
from fastinit.schemes.catalogue.row import ByFans, OfNumbers
from fastinit.schemes.gains import gain

ROOT = Path(__file__).parents[1]
EXPLORER = ROOT / "docs" / "explorer"
SOURCES = [
    "wasm/exports.c",
    "wasm/orthogonal.c",
    "key.c",
    "law.c",
    "scalar.c",
    "stream.c",
    "truncated.c",
]
FLAGS = [
    "--target=wasm32", "-O2", "-std=c11", "-ffp-contract=off", "-ffreestanding", "-nostdlib",
    "-msimd128", "-mbulk-memory", "-Wall", "-Wextra", "-Wno-psabi", "-Icsrc/wasm", "-Icsrc",
    "-Wl,--no-entry", "-Wl,--strip-all",
]  # fmt: skip
LAWS = (Constant, Uniform, Normal, TruncatedNormal)
# Schemes that the binding has by name, because no data say all of what they do.
BY_NAME = ("truncated_normal", "orthogonal", "identity")


def build(to: Path) -> None:
    """The kernels as a WebAssembly module; CalledProcessError if the compiler fails."""
    command = ["clang", *FLAGS, *[f"csrc/{source}" for source in SOURCES], "-o", str(to)]
    subprocess.run(command, check=True, cwd=ROOT)


def tables() -> str:
    """The text of tables.js: the distributions' parameters, the gains of activations, the schemes."""
    laws = {
        law.law: {
            "parameters": {f.name: None if f.default is MISSING else f.default for f in fields(law)},
            "infinite": law.may_be_infinite,
        }
        for law in LAWS
    }
    gains = {name: gain(name) for name in (*ACTIVATIONS, *OTHER_NAMES, *GATED)}
    exports = [
        (
            "LAWS",
            laws,
            "Record<string, {parameters: Record<string, number | null>, infinite: string[]}>",
            "The parameters of each distribution with their defaults, in the kernels' order, and which may be infinite.",
        ),
        ("GAINS", gains, "Record<string, number>", "The gain of each activation."),
        ("TRUNCATED_STD", truncated_std(-2, 2), "number", "The std of a unit normal law cut at 2 std."),
        (
            "SCHEMES",
            {row["name"]: row for row in _schemes()},
            "Record<string, {name: string, aliases: string[], summary: string, formula: string, tex: string,\n"
            " *   numbers: Record<string, any>, draws: any}>",
            "The schemes that the binding knows, with their numbers' defaults and how they become distributions.",
        ),
    ]
    return "// Written by tools/make_wasm.py; do not edit.\n" + "".join(
        f"\n/**\n * {meaning}\n * @type {{{kind}}}\n */\nexport const {name} = {json.dumps(value, indent=1)};\n"
        for name, value, kind, meaning in exports
    )


def _schemes() -> Iterator[dict[str, Any]]:
    for rows in CATEGORIES.values():
        for row in rows:
            if (draws := _draws(row)) is not None:
                yield {
                    "name": row.name,
                    "aliases": row.aliases,
                    "summary": row.summary,
                    "formula": row.formula,
                    "tex": row.tex,
                    "numbers": {number.name: number.default for number in row.numbers},
                    "draws": draws,
                }


def _draws(row: Scheme) -> dict[str, Any] | None:
    """How a scheme becomes a distribution, as data; None if the binding does not know it."""
    if isinstance(row.build, ByFans):
        return {"by": "fans", **{f.name: getattr(row.build, f.name) for f in fields(row.build)}}
    if isinstance(row.build, OfNumbers) and row.build.law in LAWS:
        return {"by": "numbers", "law": row.build.law.law, "fixed": row.build.fixed}
    return {"by": "name"} if row.name in BY_NAME else None


if __name__ == "__main__":
    build(EXPLORER / "kernels.wasm")
    (EXPLORER / "kernels.wasm").chmod(0o644)  # as data: the linker thinks it a program
    (EXPLORER / "tables.js").write_text(tables())
