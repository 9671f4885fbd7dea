"""Plans: what every parameter of a model is drawn from, as plain data, before a byte is written."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from numpy.typing import DTypeLike

from ..arguments import checked_shape, choose, instance
from ..drawing.blocks import Block, block_shape
from ..drawing.fill import fill
from ..drawing.memory import empty
from ..drawing.streams import STREAM_VERSION, Seed, encoded_name
from ..dtypes import Array, dtype_name, numpy_dtype
from ..files import atomic
from ..files.safetensors import parse_json
from ..laws import Distribution, Structured
from ..laws.copies import drawn_as, renamed
from ..laws.parts import of_reals
from ..table import Column, counted, html_table, table, wrapped
from .buffer import Buffer
from .model import PLAN_KEYS, checked_ties
from .parameter import FROZEN, WRITTEN, Parameter
from .shown import columns


@dataclass(frozen=True, eq=False)
class Plan(Mapping[str, Parameter]):
    """What every parameter of a model is drawn from: a mapping of names to `Parameter`, in the model's order.

    Plans are equal, and have the same `digest`, if they have the same names, shapes, dtypes, distributions and ties in the
    same order, whatever they were made from.

    Attributes
    ----------
    parameters
        The parameters by name. Tied ones stand once.
    ties
        The other names of tied parameters, and the name that each stands under.
    source
        What the plan was made from, for people: "recipe gpt2", or "recorded from Net".
    unfilled
        The model's tensors that are left alone and that the plan's files do not contain, with the reason: persistent buffers,
        frozen parameters. ``plan[name]`` finds them too; they are not among the plan's keys.
    buffers
        The model's other buffers: of integers, or not persistent. Files have the persistent ones whose values are known.

    Examples
    --------
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
    unfilled: Mapping[str, Parameter] = field(default_factory=dict)
    buffers: Mapping[str, Buffer] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Parameter:
        if name in self.parameters or name not in self.stored:
            return self.parameters[name] if name in self.parameters else self.unfilled[name]
        held = self.stored[name]
        return Parameter.kept(name, held.shape, held.dtype, WRITTEN)

    def __contains__(self, name: object) -> bool:
        return name in self.parameters

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plan):
            return False
        one, two = ((*plan._drawn(), plan.ties, plan._held()) for plan in (self, other))
        return one == two

    def __hash__(self) -> int:
        return hash(tuple([(p.name, p.shape, p.dtype) for p in self.values()]))

    def _drawn(self) -> Iterator[tuple[str, tuple[int, ...], str, Distribution]]:
        return ((p.name, p.shape, p.dtype, p.distribution) for p in self.values())

    def _held(self) -> list[list[Any]]:
        return [buffer.digest for buffer in self.buffers.values()]

    @cached_property
    def stored(self) -> Mapping[str, Parameter | Buffer]:
        """What the plan's files contain, by name: the parameters, then the persistent buffers of integers and
        bools, and of floats that are not all finite.

        >>> import numpy as np
        >>> steps = Buffer("steps", (), "int64", np.array(0), persistent=True)
        >>> list(Plan({}, {}, "by hand", {}, {"steps": steps}).stored)
        ['steps']
        """
        return {
            **self.parameters,
            **{name: held for name, held in self.buffers.items() if held.stored},
        }

    @property
    def nbytes(self) -> int:
        """The bytes of all values in files."""
        return sum(row.nbytes for row in self.stored.values())

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits that stand for what is drawn, the same on all machines: BLAKE2b of the plan's content."""
        rows = [[*place, distribution.to_dict()] for *place, distribution in self._drawn()]
        content: list[object] = [rows, sorted(self.ties.items())]
        if self.buffers:
            content.append(self._held())
        text = json.dumps(content, separators=(",", ":"))
        return blake2b(text.encode(), digest_size=16).hexdigest()

    def to_json(self) -> str:
        """The plan as a JSON object, which is a model file too. `from_json` reads it."""
        parameters = {name: parameter.to_dict() for name, parameter in self.items()}
        content = {
            "stream": STREAM_VERSION,
            "source": self.source,
            "bytes": self.nbytes,
            "tied": dict(self.ties),
            "unfilled": {
                name: {
                    "shape": list(row.shape),
                    "dtype": row.dtype,
                    "module": row.module,
                    "reason": row.reason,
                }
                for name, row in self.unfilled.items()
            },
            "buffers": {name: buffer.to_dict() for name, buffer in self.buffers.items()},
            "parameters": parameters,
        }
        return json.dumps(content, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` described, of this release or an earlier one. Raises ValueError for anything else, naming the
        parameter, the key that this release does not know, or the stream version that it does not draw.
        """
        data = parse_json(instance("text", text, str).encode())
        stream = data.get("stream", 1)  # before 1.0.0 plans did not say it
        if type(stream) is not int or stream != STREAM_VERSION:
            raise ValueError(
                f"the plan is of stream version {stream!r}, this fastinit draws version {STREAM_VERSION}"
            )
        for key in data:
            choose("key of a plan", key, PLAN_KEYS)
        match data:
            case {"source": str(source), "tied": dict(ties), "parameters": dict(rows)}:
                parameters = {name: Parameter.from_dict(name, row) for name, row in rows.items()}
            case _:
                raise ValueError('a plan has "source", "tied" and "parameters"')
        others = {key: data.get(key, {}) for key in ("unfilled", "buffers")}
        for key, value in others.items():
            if not isinstance(value, dict):
                raise ValueError(f'"{key}" must be an object of names, not {value!r}')
        unfilled = {name: _kept(name, row) for name, row in others["unfilled"].items()}
        buffers = {name: Buffer.from_dict(name, row) for name, row in others["buffers"].items()}
        ties = checked_ties(ties, {**parameters, **buffers})
        return cls(parameters, ties, source, unfilled, buffers)

    def astype(self, dtype: DTypeLike) -> Plan:
        """The same plan with all parameters in one dtype.

        >>> import fastinit as fi
        >>> fi.plan({"fc.weight": (4, 8)}, "he_normal").astype("bf16")["fc.weight"].dtype
        'bfloat16'
        """
        kind = dtype_name(dtype)
        return replace(self, parameters={name: replace(row, dtype=kind) for name, row in self.items()})

    def prefixed(self, prefix: str) -> Plan:
        """The plan of the same model as a part of a larger one, in which its names begin with the prefix.

        >>> import fastinit as fi
        >>> list(fi.plan({"fc.weight": (4, 8)}).prefixed("critic."))
        ['critic.fc.weight']
        """
        encoded_name(prefix, "prefix")
        if not prefix:
            return self
        kept = {prefix + name: replace(row, name=prefix + name) for name, row in self.unfilled.items()}

        def law(row: Parameter | Buffer, of: Any) -> Any:
            return renamed(of, row.name, prefix + row.name, lambda other: prefix + other)

        return replace(
            self,
            parameters={
                prefix + name: replace(row, name=prefix + name, distribution=law(row, row.distribution))
                for name, row in self.items()
            },
            ties={prefix + alias: prefix + owner for alias, owner in self.ties.items()},
            unfilled=kept,
            buffers={
                prefix + name: replace(row, name=prefix + name, content=law(row, row.content))
                for name, row in self.buffers.items()
            },
        )

    def __str__(self) -> str:
        return self.text()

    def text(self, width: int | None = None) -> str:
        """The plan as a table for people. Long numbers have 6 digits there.

        Parameters
        ----------
        width
            The most characters a line may have. Columns that do not fit are left out, and a line names them. By default the
            table is as wide as its cells.

        Examples
        --------
        >>> import fastinit as fi
        >>> print(fi.plan({"transformer.h.0.mlp.c_fc.weight": (4, 8)}, "he_normal").text(50))
        name                   shape  distribution
        transforme…_fc.weight  4x8    Normal(mea… std=0.5)
        left out to fit: dtype, scheme, fans, bytes, why
        1 tensor, 128 bytes, recipe he_normal
        """
        notes = [line for note in self._notes() for line in wrapped(note, width)]
        return "\n".join([*table(self._columns(), width), *notes])

    def _repr_html_(self) -> str:
        """The table in a notebook."""
        return html_table(self._columns(), self._notes())

    def _columns(self) -> list[Column]:
        return columns({name: self[name] for name in self.stored})

    def _notes(self) -> list[str]:
        """The lines below the table."""
        ties = [f"{alias} is tied to {owner}" for alias, owner in self.ties.items()]
        kept = [
            f"{name} is left alone: {p.reason}" for name, p in self.unfilled.items() if p.reason == FROZEN
        ]
        more = [f"{len(kept) - 3} others are too"] if len(kept) > 4 else []
        kept = kept[:3] + more if more else kept
        return [*ties, *kept, f"{counted(len(self.stored), 'tensor')}, {self.nbytes:,} bytes, {self.source}"]

    def tensor(self, name: str, *, seed: Seed, block: Block = ..., threads: int | None = None) -> Array:
        """A new array of a parameter's first values, or of a part of them.

        Parameters
        ----------
        name
            The parameter's name. A tied name gives its owner's values.
        seed
            The seed of the streams.
        block
            The part to draw, as an index of integers, slices and "..."; by default, all.
        threads
            How many threads may draw; by default as `set_num_threads` says.

        Raises
        ------
        KeyError
            For a name that the plan does not have.
        IndexError
            For a block out of range.
        """
        parameter = self.parameters[self.ties.get(name, name)]
        array = empty(block_shape(block, parameter.shape), parameter.dtype)
        fill(array, parameter.distribution, seed=seed, name=parameter.name, shape=parameter.shape, block=block,
             threads=threads)  # fmt: skip
        return array

    def chunks(
        self, name: str, buffers: Iterator[Array], *, seed: int, threads: int | None = None
    ) -> Iterator[Array]:
        """The values of a parameter or a stored buffer in C order, piece by piece: drawn into the buffers in turn, or at once
        what is structured or given."""
        if name not in self.parameters:
            yield self.buffers[name].values().reshape(-1)
            return
        parameter = self[name]
        drawn, _ = drawn_as(parameter.distribution, name)
        drawn, _ = of_reals(drawn, parameter.shape, parameter.dtype)
        if isinstance(drawn, Structured):
            yield self.tensor(name, seed=seed, threads=threads).reshape(-1)
            return
        total, at = math.prod(parameter.shape), 0
        while at < total:
            chunk = next(buffers).view(numpy_dtype(parameter.dtype))[: total - at]
            fill(chunk, parameter.distribution, seed=seed, name=name, shape=total,
                 block=slice(at, at + len(chunk)), threads=threads)  # fmt: skip
            at += len(chunk)
            yield chunk


def _kept(name: str, data: Any) -> Parameter:
    match data:
        case {
            "shape": list(shape),
            "dtype": str(dtype),
            "module": str(module),
            "reason": str(reason),
            **more,
        } if not more:
            return Parameter.kept(name, checked_shape(shape), dtype, reason, module)
        case _:
            raise ValueError(f"{name!r} is not a tensor that is left alone: {data!r}")


def written_plan(path: str | os.PathLike[str]) -> Plan | None:
    """The plan that ``fastinit plan --json`` or `Plan.to_json` wrote to a file; None for a folder or a file of another kind.

    Raises OSError for a file that cannot be read, ValueError, naming it, for a malformed plan.
    """
    path = Path(path)
    if stat.S_ISDIR(atomic.kind_of(path)) or path.suffix == ".safetensors":
        return None
    with atomic.naming(path):
        data = path.read_bytes()
    try:
        if not {"source", "tied", "unfilled", "parameters"} <= parse_json(data).keys():
            return None
    except ValueError:
        return None  # whoever reads it as a model says what is wrong
    try:
        return Plan.from_json(data.decode())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
