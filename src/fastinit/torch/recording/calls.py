"""Calls of torch's operations: their arguments by name, and how they are carried out later, on real tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from .._private import operator_name, schema, tree_leaves, tree_map_only
from .contents import Content, Known, Lost, View, Write, certain, values


class Operation:
    """What is known of one operator of torch: its arguments' names, and those that it writes."""

    def __init__(self, func: Any) -> None:
        self.func = func
        self.operation: str = operator_name(func)  # with the underscore of those that work in place
        self.name = self.operation.rstrip("_")
        arguments = schema(func).arguments
        self.arguments = tuple([argument.name for argument in arguments])
        self.positional = tuple([argument.name for argument in arguments if not argument.kwarg_only])
        written = [a for a in arguments if a.alias_info is not None and a.alias_info.is_write]
        self.written = tuple([argument.name for argument in written])
        self.outputs = tuple([argument.name for argument in written if argument.kwarg_only])
        # Written without the schema's saying so, in training.
        self.updated = ("running_mean", "running_var") if self.name == "native_batch_norm" else ()
        returns = schema(func).returns
        self.views = not written and bool(returns) and all(r.alias_info is not None for r in returns)
        self.random = torch.Tag.nondeterministic_seeded in func.tags
        self.data_dependent = bool(
            {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(func.tags)
        )


class Call:
    """One call of an operation, with its arguments by name."""

    def __init__(self, of: Operation, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        self.of = of
        self.name, self.operation = of.name, of.operation
        self.bound: dict[str, Any] = {**dict(zip(of.arguments, args, strict=False)), **kwargs}

    @cached_property
    def inputs(self) -> dict[str, Any]:
        return {name: value for name, value in self.bound.items() if name not in self.of.outputs}

    @cached_property
    def written(self) -> list[Tensor]:
        found = tree_leaves([self.bound[name] for name in self.of.written if name in self.bound])
        return [tensor for tensor in found if isinstance(tensor, Tensor)]

    @cached_property
    def tensors(self) -> list[Tensor]:
        return [leaf for leaf in tree_leaves(self.bound) if isinstance(leaf, Tensor)]

    @cached_property
    def read(self) -> list[Tensor]:
        """The tensors whose values it uses."""
        return [leaf for leaf in tree_leaves(self.inputs) if isinstance(leaf, Tensor)]


def updated(call: Call, before: dict[int, list[Write]], name: str, text: str) -> Content:
    """What an operation leaves in an argument that it writes without its schema's saying so."""
    if not all(certain(before[id(tensor)]) for tensor in call.read):
        return Lost(f"is updated by {text} from random values", True)
    later = _put_off(call, before)

    def value() -> Tensor:
        now = tree_map_only(FunctionType, lambda thunk: thunk(), later)
        run(call.of, now)
        result: Tensor = now[name]
        return result

    return Known(cache(value), text)


def replayed(call: Call, before: dict[int, list[Write]], i: int) -> Callable[[], Tensor]:
    """The i-th result of a deterministic operation, to be computed on real tensors."""
    later = _put_off(call, before)
    return lambda: [leaf for leaf in tree_leaves(run(call.of, later)) if isinstance(leaf, Tensor)][i]


def _put_off(call: Call, before: dict[int, list[Write]]) -> dict[str, Any]:
    """The call's arguments by name, with functions in place of tensors that tell their values."""

    def value(tensor: Tensor) -> Callable[[], Tensor]:
        writes, view, dtype = tuple(before[id(tensor)]), View.of(tensor), tensor.dtype
        return lambda: values(writes, view, dtype).clone()

    def room(tensor: Tensor) -> Callable[[], Tensor]:
        shape, dtype = tuple(tensor.shape), tensor.dtype
        return lambda: torch.empty(shape, dtype=dtype, device="cpu")

    later = {
        name: tree_map_only(Tensor, room if name in call.of.outputs else value, argument)
        for name, argument in call.bound.items()
    }
    if "device" in later:
        later["device"] = torch.device("cpu")
    return later


def run(of: Operation, later: dict[str, Any]) -> Any:
    """What the operation gives for arguments, some of which are functions that tell them."""
    now = tree_map_only(FunctionType, lambda thunk: thunk(), later)
    args = [now[name] for name in of.positional if name in now]
    out = of.func(*args, **{name: argument for name, argument in now.items() if name not in of.positional})
    return [now[name] for name in of.written if name in now] if of.written else out
