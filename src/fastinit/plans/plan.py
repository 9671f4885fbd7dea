"""Plans: a model and a recipe -> the law of every parameter, before a byte is written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from ..arguments import instance
from ..drawing.blocks import Block, block_shape
from ..drawing.fill import fill
from ..drawing.memory import empty
from ..drawing.streams import Seed
from ..dtypes import Array, numpy_dtype
from ..files.safetensors import parse_json
from ..laws.structured import Structured
from ..table import Column, counted, shape_text, table, wrapped
from .model import checked_ties
from .parameter import Parameter


@dataclass(frozen=True, eq=False)
class Plan(Mapping[str, Parameter]):
    """The parameters by name, in the model's order. Tied ones stand once; ``ties`` maps the other names to them.
    ``unfilled`` are the model's persistent buffers that the plan does not fill, where it knows of them.

    Plans are equal, and have one ``digest`` and hash, where they give the same names, shapes, dtypes and laws in the same
    order, whatever recipe they come from.

    >>> import fastinit as fi
    >>> plan = fi.plan({"fc.weight": (4, 8), "fc.bias": (4,)})
    >>> print(plan)
    name       shape  dtype    scheme         fans  distribution                    bytes  why
    fc.weight  4x8    float32  xavier_normal  8, 4  Normal(mean=0.0, std=0.408248)  128    a weight
    fc.bias    4      float32  zeros          -     Constant(value=0.0)             16     a bias
    2 tensors, 144 bytes, recipe default
    >>> Plan.from_json(plan.to_json()) == plan
    True
    >>> part = plan.tensor("fc.weight", seed=0, block=(slice(1, 3),))
    >>> bool((part == fi.init(plan, seed=0)["fc.weight"][1:3]).all())
    True
    """

    parameters: Mapping[str, Parameter]
    ties: Mapping[str, str]
    source: str
    unfilled: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def nbytes(self) -> int:
        return sum(parameter.nbytes for parameter in self.parameters.values())

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits that stand for what is drawn, alike on all machines (BLAKE2b of the plan's content)."""
        rows = [[p.name, p.shape, p.dtype, p.distribution.to_dict()] for p in self.values()]
        text = json.dumps([rows, sorted(self.ties.items())], separators=(",", ":"))
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def to_json(self) -> str:
        """The plan as a JSON object; it is a model file too. `from_json` is the way back."""
        parameters = {name: parameter.to_dict() for name, parameter in self.items()}
        content = {
            "source": self.source,
            "bytes": self.nbytes,
            "tied": dict(self.ties),
            "unfilled": list(self.unfilled),
            "parameters": parameters,
        }
        return json.dumps(content, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` described. Raises ValueError, naming the parameter, for anything else."""
        data = parse_json(instance("text", text, str).encode())
        match data:
            case {"source": str(source), "tied": dict(ties), "parameters": dict(rows)}:
                parameters = {name: Parameter.from_dict(name, row) for name, row in rows.items()}
            case _:
                raise ValueError('a plan has "source", "tied" and "parameters"')
        unfilled = data.get("unfilled", [])
        if not isinstance(unfilled, list) or not all(isinstance(name, str) for name in unfilled):
            raise ValueError(f'"unfilled" must be a list of names, not {unfilled!r}')
        return cls(parameters, checked_ties(ties, parameters), source, tuple(unfilled))

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """The plan as a table for people, with numbers of at most 6 digits where they are long.

        Parameters
        ----------
        width
            The most characters a line may have. Columns that do not fit are left out, and a line names them. By default the
            table is as wide as its cells.

        Examples
        --------
        >>> import fastinit as fi
        >>> print(fi.plan({"transformer.h.0.mlp.c_fc.weight": (4, 8)}, "he_normal").text(48))
        name                   distribution
        transformer…_fc.weight  Normal(mean=0.0, std=0.5)
        """
        columns = [
            Column(title, [show(parameter) for parameter in self.values()], rank, cut)
            for title, show, rank, cut in _COLUMNS
        ]
        columns = [column for column in columns if any(column.cells) or not self.parameters]
        lines = [f"{alias} is tied to {owner}" for alias, owner in self.ties.items()]
        lines.append(f"{counted(len(self), 'tensor')}, {self.nbytes:,} bytes, {self.source}")
        return "\n".join(table(columns, width) + [part for line in lines for part in wrapped(line, width)])

    def tensor(self, name: str, *, seed: Seed, block: Block = ..., threads: int | None = None) -> Array:
        """A new array of a parameter's first values, or of the ``block`` of them alone: any part at any time.

        ``block`` is an index of integers, slices and "...", as in `draw`. A tied name gives its owner's values. Raises
        KeyError for a name that the plan does not have, IndexError for a block out of range.
        """
        parameter = self[self.ties.get(name, name)]
        array = empty(block_shape(block, parameter.shape), parameter.dtype)
        fill(array, parameter.distribution, seed=seed, name=parameter.name, shape=parameter.shape, block=block,
             threads=threads)  # fmt: skip
        return array

    def chunks(
        self, name: str, buffers: Iterator[Array], *, seed: int, threads: int | None = None
    ) -> Iterator[Array]:
        """A parameter's values in C order, drawn piece by piece into the buffers in turn; structured laws at once."""
        parameter = self[name]
        if isinstance(parameter.distribution, Structured):
            yield self.tensor(name, seed=seed, threads=threads).reshape(-1)
            return
        total, at = math.prod(parameter.shape), 0
        while at < total:
            chunk = next(buffers).view(numpy_dtype(parameter.dtype))[: total - at]
            fill(chunk, parameter.distribution, seed=seed, name=name, shape=total,
                 block=slice(at, at + len(chunk)), threads=threads)  # fmt: skip
            at += len(chunk)
            yield chunk


def _fans(parameter: Parameter) -> str:
    return "-" if parameter.fans is None else f"{parameter.fans.fan_in:g}, {parameter.fans.fan_out:g}"


_LONG_NUMBER = re.compile(r"\d\.\d{8,}(e[-+]\d+)?")


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.6g}"


# Title, cell, the rank by which a narrow table leaves the column out, and how the cell may be cut.
_COLUMNS: tuple[tuple[str, Callable[[Parameter], str], int, str], ...] = (
    ("name", lambda p: p.name, 0, "middle"),
    ("shape", lambda p: shape_text(p.shape), 1, ""),
    ("dtype", lambda p: p.dtype, 4, ""),
    ("scheme", lambda p: p.scheme, 2, ""),
    ("fans", _fans, 5, ""),
    ("distribution", lambda p: _LONG_NUMBER.sub(_rounded, str(p.distribution)), 0, "middle"),
    ("lr", lambda p: "" if p.lr == 1 else f"{p.lr:.6g}", 3, ""),
    ("bytes", lambda p: f"{p.nbytes:,}", 6, ""),
    ("why", lambda p: p.reason, 7, "end"),
)
