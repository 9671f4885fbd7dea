"""Writes what type checkers and editors know of the schemes: ``python tools/make_stubs.py``.

From the table: the signatures of the schemes' functions (drawing/functions.pyi), their names and keywords (schemes/names.py).
From the folder of recipes: their names (plans/names.py).
"""

from __future__ import annotations

import functools
import inspect
import json
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import indent
from types import NoneType
from typing import Any, get_args

from numpy.typing import ArrayLike

from fastinit.drawing import functions
from fastinit.plans.recipe import shipped_recipes
from fastinit.schemes.activations import ActivationFunction
from fastinit.schemes.catalogue import REQUIRED, SCHEMES, Number
from fastinit.schemes.fans import Stride
from fastinit.schemes.names import SchemeName

SOURCE = Path(__file__).parents[1] / "src" / "fastinit"
# As annotations write them; literals, unions and plain classes say it themselves.
TYPES: tuple[tuple[Any, str], ...] = (
    (SchemeName, "SchemeName"),
    (ActivationFunction, "ActivationFunction"),
    (ArrayLike, "ArrayLike"),
    (Stride, "Stride"),
    (Mapping[str, Any], "Mapping[str, Any]"),
    (NoneType, "None"),
)
NOTICE = '"""Written by tools/make_stubs.py."""'
HEAD = f"""\
{NOTICE}

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, overload

from numpy.typing import ArrayLike, DTypeLike

from ..arguments import Shape
from ..dtypes import Array
from ..schemes.activations import ActivationFunction
from ..schemes.fans import Stride
from ..schemes.names import SchemeName
from .blocks import Block
from .streams import Seed

_Out = TypeVar("_Out")

"""
HEAD_OF_NAMES = f"""\
{NOTICE}

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import ArrayLike

    from .activations import ActivationFunction
    from .fans import Stride

"""
HEAD_OF_KEYWORDS = '''

class Keywords(TypedDict, total=False):
    """The keywords that one scheme or another takes, for functions that pass them on."""

'''
SHARED = [
    "seed: Seed = None",
    'name: str = ""',
    "dtype: DTypeLike | None = None",
    "block: Block = ...",
    "threads: int | None = None",
]


def typed(kind: Any) -> str:
    """A type as an annotation."""
    for known, text in TYPES:
        if kind == known:
            return text
    if isinstance(kind, type):
        return kind.__name__
    parts = get_args(kind)
    return (
        f"Literal[{', '.join(map(json.dumps, parts))}]"
        if isinstance(parts[0], str)
        else " | ".join(map(typed, parts))
    )


def keyword(number: Number) -> str:
    """A keyword as a parameter."""
    default = json.dumps(number.default) if isinstance(number.default, str) else repr(number.default)
    return f"{number.name}: {typed(number.type)}" + ("" if number.default is REQUIRED else f" = {default}")


def overload(name: str, parameters: Sequence[str], returned: str, docstring: str | None = None) -> str:
    """One signature, with a parameter a line, as ruff formats it."""
    lines = "".join(f"    {parameter},\n" for parameter in parameters)
    body = " ...\n" if docstring is None else "\n" + indent(f'"""{docstring}\n"""', "    ") + "\n\n"
    return f"@overload\ndef {name}(\n{lines}) -> {returned}:{body}"


def functions_stub() -> str:
    """drawing/functions.pyi: for each scheme a new array, or one in place."""
    parts = [HEAD, "__all__ = [\n", *(f"    {json.dumps(name)},\n" for name in sorted(SCHEMES)), "]\n\n"]
    for name, row in SCHEMES.items():
        keywords = [*SHARED, *map(keyword, row.keywords.values())]
        docstring = inspect.getdoc(getattr(functions, name))
        parts.append(overload(name, ["shape: Shape", "*", "out: None = None", *keywords], "Array", docstring))
        parts.append(overload(name, ["shape: Shape | None = None", "*", "out: _Out", *keywords], "_Out"))
    return "".join(parts)


def keywords_of_all() -> str:
    """The keywords of all schemes, with every type that one of them has."""
    types: dict[str, list[Any]] = {}
    for row in SCHEMES.values():
        for number in row.keywords.values():
            kinds = types.setdefault(number.name, [])
            if number.type not in kinds:
                kinds.append(number.type)
    return "".join(
        f"    {name}: {typed(functools.reduce(operator.or_, kinds))}\n"
        for name, kinds in sorted(types.items())
    )


def literal(alias: str, names: Sequence[str], of: str) -> str:
    """A literal type of these names."""
    lines = "".join(f"    {json.dumps(name)},\n" for name in names)
    return f'{alias}: TypeAlias = Literal[\n{lines}]\n"""The names of {of}."""\n'


def files() -> dict[Path, str]:
    """All that is written."""
    schemes = literal("SchemeName", list(SCHEMES), "the schemes")
    recipes = literal("RecipeName", sorted(shipped_recipes()), "the recipes that ship with the package")
    return {
        SOURCE / "drawing" / "functions.pyi": functions_stub(),
        SOURCE / "schemes" / "names.py": HEAD_OF_NAMES + schemes + HEAD_OF_KEYWORDS + keywords_of_all(),
        SOURCE / "plans" / "names.py": f"{NOTICE}\n\nfrom typing import Literal, TypeAlias\n\n{recipes}",
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
