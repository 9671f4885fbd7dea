"""Following a model's own initialisation code, operation by operation, on the meta device.

Every storage has a list of writes, each a view of it and what the view then holds. An operation on the contents is either
carried out on laws (copies, arithmetic), or put off (deterministic ones), or leaves contents that are lost. Draws and
constants are not run at all: that is most of what a model's code does, and torch is slow at it on the meta device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from .._private import TorchDispatchMode, storage_key, tree_leaves, tree_map_only
from . import calls, norms, operations, parts
from .calls import Call, Operation
from .complex_numbers import mirrored, of_two_parts
from .contents import (
    Content,
    Known,
    Lost,
    Store,
    View,
    Write,
    certain,
    is_random,
    seen,
    values,
)
from .reading import covers, cut, placed, read_as

_META = torch.device("meta")
_aten = torch.ops.aten
# In place of an operation that makes a new tensor: one that makes room for it, for less.
_ROOM = {
    "randn": (_aten.empty.memory_format, ("size",)),
    "rand": (_aten.empty.memory_format, ("size",)),
    "randn_like": (_aten.empty_like.default, ("self",)),
    "rand_like": (_aten.empty_like.default, ("self",)),
}
_MOST = 1 << 22  # elements of a tensor that stands in for another
_IN_PLACE = ("uniform_", "normal_", "log_normal_", "exponential_", "fill_", "zero_")


def on_meta(tensor: Tensor) -> bool:
    """Whether a tensor has no memory; `Home` denies it."""
    return tensor.untyped_storage().device.type == "meta"


class UnknownValueError(ValueError):
    """A model's code asks for a value that only a draw would give."""

    def __init__(self, message: str, tensor: Tensor) -> None:
        super().__init__(message)
        self.tensor = tensor


class Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, tensors are followed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calling = ""  # the function of torch.nn.init that runs
        self.idle = False  # while values are computed
        self.stores: dict[int, Store] = {}
        self._operations: dict[Any, Operation] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.idle:
            return func(*args, **kwargs)
        of = self._operations.get(func)
        if of is None:
            of = self._operations[func] = Operation(func)
        if of.views:
            return func(*args, **kwargs)
        call = Call(of, args, kwargs)
        if of.operation in _IN_PLACE and not isinstance(call.bound.get("value"), Tensor):
            self.write(args[0], self._new(call, args[0]))
            return args[0]
        if func is _aten._local_scalar_dense.default:
            return self.known(args[0]).item()
        if of.name == "index":
            call = Call(of, [args[0], self._indices(args[1])], {})
            args = tuple(call.bound.values())
        before = {id(tensor): self.read(tensor) for tensor in call.tensors}
        if of.data_dependent and of.name != "index":
            return self._at_once(call, before)
        if torch.Tag.inplace_view in func.tags:
            return func(*args, **kwargs)
        out = self._room(call, args, kwargs)
        targets = call.written
        if targets:
            out = targets[0] if isinstance(out, Tensor) else out
        else:
            known = {storage_key(tensor) for tensor in call.tensors}
            targets = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
            targets = [tensor for tensor in targets if storage_key(tensor) not in known]
        for i, target in enumerate(targets):
            self.write(target, self._result(call, before, target, i))
            if not on_meta(target) and certain(self.read(target)):
                self._carry_out(target)
        for name in of.updated if call.bound.get("training") else ():
            if isinstance(call.bound[name], Tensor):
                self.write(call.bound[name], calls.updated(call, before, name, call.name))
        return out

    def _room(self, call: Call, args: Any, kwargs: Any) -> Any:
        """What the operation returns, on the meta device."""
        func = call.of.func
        if not all(map(on_meta, call.tensors)):
            args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to(_META), (args, kwargs))
        elif call.operation in _ROOM:
            func, names = _ROOM[call.operation]
            args = [call.bound[name] for name in names]
            kwargs = {name: value for name, value in kwargs.items() if name != "generator"}
        if "device" in call.of.arguments:
            kwargs = {**kwargs, "device": _META}
            kwargs.pop("pin_memory", None)
        if kwargs.get("generator") is not None:
            kwargs = {**kwargs, "generator": None}
        try:
            return func(*args, **kwargs)
        except NotImplementedError:  # which a model's code may take for its own
            return self._elsewhere(call)

    def _elsewhere(self, call: Call) -> Any:
        """What an operation returns that the meta device does not have: it is run on other values to see the shapes."""
        if any(tensor.numel() > _MOST for tensor in call.tensors):
            raise UnknownValueError(
                f"the model's code calls {call.name}, which has no meta version", call.tensors[0]
            )

        def stand_in(tensor: Tensor) -> Tensor:
            if tensor.dim() < 2:
                return torch.ones(tensor.shape, dtype=tensor.dtype, device="cpu")
            return (
                torch.eye(*tensor.shape[-2:], dtype=tensor.dtype, device="cpu").expand(tensor.shape).clone()
            )

        real = tree_map_only(Tensor, stand_in, call.bound)
        return tree_map_only(Tensor, lambda tensor: tensor.to(_META), calls.run(call.of, real))

    def _indices(self, indices: Any) -> list[Any]:
        """Indices of which masks have become numbers, so that the result's shape is known."""
        found: list[Any] = []
        for index in indices:
            if isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8):
                mask = self.known(index)
                found += [self.adopted(numbers) for numbers in mask.nonzero(as_tuple=True)]
            else:
                found.append(index)
        return found

    def _carry_out(self, tensor: Tensor) -> None:
        """Put what a tensor holds into its memory, which others read."""
        known = self.known(tensor)
        self.apart(lambda: tensor.detach().copy_(known))
        store = self.stores[storage_key(tensor)]
        store.memory = store.bytes()

    def adopted(self, tensor: Tensor) -> Tensor:
        """A tensor on the meta device that holds what one in memory holds."""
        shape, strides, dtype = tensor.shape, tensor.stride(), tensor.dtype
        held = self.apart(lambda: torch.empty_strided(shape, strides, dtype=dtype, device=_META))
        self.write(held, Known(lambda: tensor.detach(), "given"))
        return held

    def _at_once(self, call: Call, before: dict[int, list[Write]]) -> Any:
        """An operation whose result's shape or value hangs on values: it is carried out on them."""
        for tensor in call.read:
            self.expect_known(tensor)
        real = tree_map_only(Tensor, self.known, call.bound)
        out = calls.run(call.of, real)
        return tree_map_only(Tensor, self.adopted, out)

    def known(self, tensor: Tensor) -> Tensor:
        """The values of a tensor without chance. Raises UnknownValueError for another."""
        self.expect_known(tensor)
        return self.apart(
            lambda: values(self.read(tensor), View.of(tensor), tensor.dtype).expand(tensor.shape)
        )

    @torch.no_grad()
    def apart(self, compute: Callable[[], Tensor]) -> Tensor:
        """What `compute` returns when it is not followed."""
        outer, self.idle = self.idle, True
        try:
            return compute().detach()
        finally:
            self.idle = outer

    def expect_known(self, tensor: Tensor) -> None:
        writes = self.read(tensor)
        if not certain(writes):
            texts = [write.content.text for write in writes if is_random(write.content)]
            what = f"a random tensor ({texts[0]})" if texts else "an uninitialised tensor"
            raise UnknownValueError(f"the model's code looks at the value of {what}", tensor)

    def read(self, tensor: Tensor) -> list[Write]:
        """What the tensor holds: nothing, one content, or several, in views that count its elements in C order."""
        if tensor.is_conj():
            return [mirrored(write, tensor) for write in self._stored(self.apart(tensor.conj))]
        writes = self._stored(tensor)
        return [mirrored(write, tensor) for write in writes] if tensor.is_neg() else writes

    def _stored(self, tensor: Tensor) -> list[Write]:
        """What the tensor's memory holds where it is read."""
        view = View.of(tensor)
        store = self.stores.get(storage_key(tensor))
        if store is None and on_meta(tensor):
            return [Write(view, Lost("was made before the recording", False))]
        if store is None or (
            store.on_host and store.memory != store.bytes()
        ):  # written by others than torch's operations
            size = tensor.untyped_storage().nbytes() // tensor.element_size()
            whole = self.apart(lambda: tensor.as_strided((size,), (1,), 0))
            copy = self.apart(whole.clone)
            self.write(whole, Known(lambda: copy, "given"))
            return self._stored(tensor)
        if len(store.writes) == 1 and store.writes[0].view == view and tensor.dtype is store.dtype:
            return store.writes
        if tensor.dtype is not store.dtype:
            return [Write(view, read_as(store, view, tensor.dtype))]
        writes = [write for write in store.writes if write.view.meets(view)]
        if not writes or writes[-1].view == view:
            return writes[-1:]
        if certain(writes):
            later, dtype = tuple(writes), tensor.dtype
            text = ", ".join([write.content.text for write in writes])
            return [Write(view, Known(cache(lambda: values(later, view, dtype)), text))]
        if len(writes) == 1 and covers(writes[0].view, view):
            return [Write(view, seen(writes[0], view, tensor.dtype))]
        if (several := cut(writes, view, tensor.dtype)) is not None:
            return several
        random = any(is_random(write.content) for write in writes)
        return [Write(view, Lost("is a part of a tensor with several laws", random))]

    def write(self, tensor: Tensor, result: Content | list[Write] | None) -> None:
        view, storage = View.of(tensor), tensor.untyped_storage()
        store = self.stores.get(storage_key(tensor))
        if store is None:
            store = Store(storage, tensor.dtype, storage.nbytes(), not on_meta(tensor))
            self.stores[storage_key(tensor)] = store
        if store.on_host:
            store.memory = store.bytes()
        whole = store.whole(view)
        if result is None:  # memory as it was found
            return
        if tensor.is_conj() or tensor.is_neg():
            result = Lost("is written through a view that conjugates", True)
        if isinstance(result, list):
            moved = [placed(write, view) for write in result]
            if None not in moved:
                kept = [] if whole else [write for write in store.writes if write.view != view]
                store.writes = [*kept, *[write for write in moved if write is not None]]
                return
            result = Lost("is a rearranged tensor with several laws", True)
        if whole:
            store.dtype = tensor.dtype
        elif store.dtype is not tensor.dtype and certain(store.writes):
            all_of_it = View.whole((store.nbytes // tensor.element_size(),))
            store.writes = [Write(all_of_it, read_as(store, all_of_it, tensor.dtype))]
            store.dtype = tensor.dtype
        elif store.dtype is not tensor.dtype:
            result = Lost(f"is written in part as {tensor.dtype}", True)
        kept = [] if whole else [write for write in store.writes if write.view != view]
        store.writes = [*kept, Write(view, result)]

    def _new(self, call: Call, target: Tensor) -> Content:
        """What a draw or a constant writes."""
        text = self.calling or call.name
        if call.of.random:
            law = operations.random_law(call)
            if law is None:
                return Lost(f"is drawn by {text}, which is not a law here", True)
            return operations.drawn(law, target, text)
        return operations.filled(operations.constant_value(call), target, text)

    def _result(
        self, call: Call, before: dict[int, list[Write]], target: Tensor, i: int
    ) -> Content | list[Write] | None:
        """What an operation leaves in its i-th target; None where it writes nothing."""
        text = self.calling or call.name
        made: Content | list[Write] | None
        if call.name.removeprefix("new_").startswith("empty"):
            return None
        if call.name == "normal" and (made := operations.normals_of_tensors(call, before, target, text)):
            return made
        if call.of.random:
            return self._new(call, target)
        value = operations.constant_value(call)
        if isinstance(value, Tensor) and certain(before[id(value)]):
            value = self.known(value).item()
        if value is not None and not isinstance(value, Tensor):
            return operations.filled(value, target, text)
        if call.operation in ("copy_", "clone", "_to_copy"):
            source = call.bound["src" if call.operation == "copy_" else "self"]
            if source.shape != target.shape:
                source = source.expand(target.shape)
            return operations.copied(self.read(source), source, target)
        parts_known = all(certain(before[id(tensor)]) for tensor in call.read if tensor.numel())
        if call.name in ("cat", "stack") and not parts_known and (made := parts.joined(call, before, target)):
            return made
        if call.name == "complex" and not parts_known:
            real, imaginary = [before[id(call.bound[name])] for name in ("real", "imag")]
            if (made := of_two_parts(real, imaginary, tuple(target.shape), text)) is not None:
                return made
        writes = [before[id(tensor)] for tensor in call.read]
        if all(map(certain, writes)):
            if (made := operations.computed(call, before, target, text)) is not None:
                return made
            return Known(cache(calls.replayed(call, before, i)), text)
        for rule in (operations.computed, parts.moved if call.name in parts.MOVES else None):
            if rule is not None and (result := rule(call, before, target, text)) is not None:
                return result
        for shortcut in (norms.norms, norms.normed, norms.product_with_zeros):
            if (made := shortcut(call, before, target)) is not None:
                return made
        lost = [write.content for of_one in writes for write in of_one if is_random(write.content)]
        if lost and isinstance(lost[0], Lost):
            return lost[0]
        what = f"the random values of {lost[0].text}" if lost else "a tensor that was never initialised"
        return Lost(f"is made by {text} from {what}", bool(lost))
