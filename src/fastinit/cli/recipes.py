"""``fastinit recipes``: what recipes there are, and what one of them says."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import terminal
from ..plans.formula import Formula
from ..plans.recipe import Recipe, Rule, as_recipe, shipped_recipes
from ..plans.roles import ROLES
from ..plans.sizes import Size
from ..table import Column, table, wrapped
from . import options

_EXAMPLES = """  fastinit recipes
  fastinit recipes gpt2"""
_READABLE = 100  # the width of a page that is not shown on a terminal


def add(commands: Any) -> None:
    parser = options.add_command(commands, "recipes", run, "list the recipes, or explain one", _EXAMPLES)
    parser.add_argument("name", nargs="?", help="a recipe, a TOML file, or a scheme as --recipe takes it")


def run(arguments: argparse.Namespace) -> int:
    width = terminal.width(sys.stdout)
    if arguments.name is None:
        summaries = {name: _summary(path) for name, path in sorted(shipped_recipes().items())}
        if arguments.json:
            print(json.dumps(summaries, indent=1))
            return 0
        columns = [Column("recipe", [*summaries]), Column("for", [*summaries.values()], cut="end")]
        print(*table(columns, width), sep="\n")
        return 0
    recipe = as_recipe(arguments.name)
    path = shipped_recipes().get(arguments.name, Path(arguments.name))
    text = path.read_text(encoding="utf-8") if path.suffix == ".toml" else ""
    if arguments.json:
        print(json.dumps(_for_json(recipe, text), indent=1))
    else:
        print(*_page(recipe, text, width or _READABLE), sep="\n")
    return 0


def _description(text: str) -> str:
    """The comment that a recipe's file begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


def _summary(path: Path) -> str:
    """The first sentence of the description, without addresses."""
    sentence = re.split(r"(?<=\.)\s+(?=[A-Z])", _description(path.read_text(encoding="utf-8")))[0]
    return re.sub(r",? https?://[^\s);,]+", "", sentence).rstrip(".")


def _notes(text: str) -> list[str]:
    """The comment behind each rule's head, or ""."""
    return re.findall(r"^\[\[rule\]\](?:[ \t]*#[ \t]*(.*))?$", text, re.MULTILINE)


def _page(recipe: Recipe, text: str, width: int) -> Iterator[str]:
    changed = f"the recipe 'default', with {recipe.name} for all weights"
    yield from wrapped(f"{recipe.name}: {_description(text) or changed}", width)
    if recipe.layers:
        yield ""
        yield from wrapped(f"layers: {', '.join(recipe.layers)}", width)
    if recipe.sizes:
        yield ""
        yield from wrapped("sizes, which --size NAME=NUMBER changes:", width)
        for name, size in recipe.sizes.items():
            yield from wrapped(f"  {name}: {_size(size)}", width, "    ")
    yield ""
    yield from wrapped("rules, of which the first that takes a parameter counts:", width)
    notes = _notes(text)
    for i, rule in enumerate(recipe.rules):
        note = f" ({notes[i]})" if i < len(notes) and notes[i] else ""
        yield from wrapped(f"{rule.number:>3}. {_takes(rule)}{note}", width, "     ")
        yield from wrapped(f"     {_draws(rule)}", width, "       ")
    if any(rule.depth for rule in recipe.rules):
        yield ""
        yield from wrapped(
            "L is the number of layers in the parameter's stack; l is the number of its own layer, from 0",
            width,
        )


def _size(size: Size) -> str:
    if size.number is not None:
        return f"{size.number:g}"
    places = []
    for place in size.places:
        glob, _, axis = place.rpartition(":")
        places.append(
            f"the number of layers in {place}"
            if "{layer}" in place
            else f"the length of axis {axis} of {glob}"
        )
    return ", or else ".join(places).replace("or else the length", "or")


def _takes(rule: Rule) -> str:
    """What a rule takes, in words."""
    words = []
    if rule.match:
        words.append(_either(rule.match))
    if rule.module:
        words.append(f"in a module {_either(rule.module)}")
    if rule.role:
        words.append(_either([ROLES[role] for role in rule.role]))
    if rule.ndim:
        words.append(f"with {_either(list(map(str, rule.ndim)))} {'axis' if rule.ndim == (1,) else 'axes'}")
    return "; ".join(words) or "every other parameter"


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _draws(rule: Rule) -> str:
    words = [", ".join([rule.scheme, *(f"{name} = {_value(value)}" for name, value in rule.numbers.items())])]
    if rule.depth:
        words.append(f"scaled with the depth by {rule.depth}")
    if rule.lr != 1:
        words.append(f"learning rate times {_value(rule.lr)}")
    if rule.optional:
        words.append("may match nothing")
    return "; ".join(words)


def _value(value: Any) -> str:
    return value.text if isinstance(value, Formula) else str(value)


def _for_json(recipe: Recipe, text: str) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return value.text if isinstance(value, Formula) else value

    rules = [
        {
            "match": rule.match, "module": rule.module, "role": rule.role, "ndim": rule.ndim, "scheme": rule.scheme,
            "numbers": {name: plain(value) for name, value in rule.numbers.items()},
            "depth": rule.depth, "lr": plain(rule.lr), "optional": rule.optional,
        }
        for rule in recipe.rules
    ]  # fmt: skip
    sizes = {name: size.number or list(size.places) for name, size in recipe.sizes.items()}
    return {
        "name": recipe.name, "description": _description(text), "layers": recipe.layers, "sizes": sizes, "rules": rules
    }  # fmt: skip
