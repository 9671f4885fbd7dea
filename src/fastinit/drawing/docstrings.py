"""A row of the table of schemes -> the docstring of its function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import fill
from types import NoneType
from typing import Any, get_args

from numpy.typing import ArrayLike

from ..dtypes import KNOWN
from ..schemes.activations import ActivationFunction
from ..schemes.catalogue import REQUIRED, Number, Scheme
from ..schemes.fans import Stride
from ..schemes.names import SchemeName

_WIDTH = 88
# What numpydoc calls the types of keywords. A choice of literals lists them.
_SPOKEN: tuple[tuple[Any, str], ...] = (
    (float, "float"),
    (int, "int"),
    (bool, "bool"),
    (str, "str"),
    (SchemeName, "str"),
    (ActivationFunction, "callable"),
    (ArrayLike, "array_like"),
    (Stride, "int or iterable of int"),
    (Mapping[str, Any], "mapping"),
)


def docstring(name: str, row: Scheme) -> str:
    """In numpydoc's sections, for the function of that name."""
    known = list(KNOWN)
    seed = (
        "An integer from 0 to 2**64 - 1, or what gives one. By default new entropy of the operating system."
    )
    stream = (
        "The name of the parameter. It chooses the stream, with the seed. Two tensors of one shape drawn with the same "
        "seed and name are equal: give each parameter its name."
    )
    if not row.random:
        seed = stream = "Not used: nothing here is random."
    parameters = [
        ("shape", "int or iterable of int, optional", "The shape of the whole tensor. By default that of `out`."),
        ("out", "array, optional",
         "What to fill in place: a NumPy array (views and memory maps too), a CPU tensor that speaks DLPack, such as "
         "torch's, or an array on an NVIDIA GPU. By default a new array."),
        ("seed", "int, SeedSequence, Generator or None", seed),
        ("name", "str", stream),
        ("dtype", "str or dtype, optional",
         f"{', '.join(known[:-1])} or {known[-1]}. By default float32, or that of `out`."),
        ("block", "int, slice, ... or a tuple of them",
         "The part of the whole tensor to make, as in ``whole[block]``. By default all of it."),
        ("threads", "int, optional",
         "How many threads may draw; the values do not depend on it. By default `fastinit.get_num_threads`."),
        *((number.name, _type_text(number), number.meaning) for number in row.keywords.values()),
    ]  # fmt: skip
    place = "fi.schemes" if row.specialist else "fi"
    shape = row.example.partition(")")[0] + ")"
    stream_of_example = ', seed=0, name="w"' if row.random else ""
    sections = [
        row.summary,
        f"{'Distribution' if row.random else 'Values'}::\n\n    {row.formula}",
        _filled(f"For {row.use}. {row.note}".strip()),
        _section("Parameters", (f"{key} : {kind}\n{_filled(text, 4)}" for key, kind, text in parameters)),
        _section("Returns", ["array\n    `out`, or a new NumPy array."]),
        _section(
            "Raises",
            [
                "TypeError\n"
                + _filled("For a keyword that is not listed here, or an argument of the wrong type.", 4),
                "ValueError\n"
                + _filled(
                    "For a wrong value, or a shape that the scheme cannot have. Nothing is written then.", 4
                ),
            ],
        ),
        _section("References", [_filled(row.source)]) if row.source else "",
        _section(
            "Examples",
            [
                ">>> import fastinit as fi",
                f">>> {place}.{name}({row.example}{stream_of_example}).shape",
                shape,
            ],
        ),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _type_text(number: Number) -> str:
    kinds = [number.type] if _spoken(number.type) else list(get_args(number.type))
    choices = [kind for kind in kinds if kind is not NoneType]
    text = " or ".join(_spoken(kind) for kind in choices)
    if number.default is None:
        return f"{text}, optional"
    if NoneType in kinds:
        text += " or None"
    return text if number.default is REQUIRED else f"{text}, default {number.default!r}"


def _spoken(kind: Any) -> str:
    for known, text in _SPOKEN:
        if kind == known:
            return text
    literals = get_args(kind)
    return (
        f"{{{', '.join(map(repr, literals))}}}"
        if all(isinstance(v, str) for v in literals) and literals
        else ""
    )


def _filled(text: str, indent: int = 0) -> str:
    margin = " " * indent
    return fill(text, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_long_words=False,
                break_on_hyphens=False)  # fmt: skip


def _section(title: str, entries: Iterable[str]) -> str:
    return "\n".join([title, "-" * len(title), *entries])
