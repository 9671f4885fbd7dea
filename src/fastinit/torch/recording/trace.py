"""Following a model's own initialisation code, operation by operation, on the meta device.

Every storage has a list of writes, each a view of it and what the view then holds. An operation on the contents is either
carried out on laws (copies, arithmetic), or put off (deterministic ones), or leaves contents that are lost.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from .contents import Content, Drawn, Known, Lost, Store, View, Write, certain, is_random, seen, values
from .operations import FORMULAS, Call, computed, constant_value, copied, filled, random_law, replayed


class Trace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, tensors are followed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calling = ""  # the function of torch.nn.init that runs
        self.stores: dict[int, Store] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = Call.of(func, args, kwargs or {})
        before = {id(tensor): self.read(tensor) for tensor in call.tensors}
        if func is torch.ops.aten._local_scalar_dense.default:
            return self._number(call.tensors[0])
        kwargs = dict(kwargs or {})
        if any(
            tensor.is_meta for tensor in call.tensors
        ):  # then all are: what has no memory can be copied nowhere
            args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
            if kwargs.get("device") is not None:
                kwargs["device"] = torch.device("meta")
        out = func(*args, **kwargs)
        if torch.Tag.inplace_view in func.tags:
            return out
        if targets := tree_leaves([call.bound[name] for name in call.written]):
            out = targets[0] if isinstance(out, Tensor) else out
        else:
            known = {tensor.untyped_storage()._cdata for tensor in call.tensors}
            targets = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
            targets = [tensor for tensor in targets if tensor.untyped_storage()._cdata not in known]
        for i, target in enumerate(targets):
            self.write(target, self._result(call, before, target, i))
        return out

    def read(self, tensor: Tensor) -> list[Write]:
        """What the tensor holds: nothing, one content, or, if it is a whole storage in C order, several."""
        view, store = View.of(tensor), self.stores.get(tensor.untyped_storage()._cdata)
        if store is None and tensor.is_meta:
            return [Write(view, Lost("was made before the recording", False))]
        if store is None or store.memory != store.bytes():  # written by others than torch's operations
            size = tensor.untyped_storage().nbytes() // tensor.element_size()
            whole = tensor.detach().as_strided((size,), (1,), 0)
            copy = whole.clone()
            self.write(whole, Known(lambda: copy, "given"))
            return self.read(tensor)
        if tensor.element_size() != store.itemsize:
            random = any(is_random(write.content) for write in store.writes)
            return [Write(view, Lost("is read as another dtype", random))]
        writes = [write for write in store.writes if write.view.meets(view)]
        if not writes or writes[-1].view == view:
            return writes[-1:]
        if certain(writes):
            later, dtype = tuple(writes), tensor.dtype
            text = ", ".join([write.content.text for write in writes])
            return [Write(view, Known(cache(lambda: values(later, view, dtype)), text))]
        if len(writes) == 1 and store.whole(writes[0].view):
            return [Write(view, seen(writes[0], view, tensor.dtype))]
        if store.whole(view) and tensor.is_contiguous():
            return writes
        random = any(is_random(write.content) for write in writes)
        return [Write(view, Lost("is a part of a tensor with several laws", random))]

    def write(self, tensor: Tensor, result: Content | list[Write] | None) -> None:
        view, storage = View.of(tensor), tensor.untyped_storage()
        store = self.stores.setdefault(storage._cdata, Store(storage, tensor.element_size()))
        store.memory = store.bytes()
        whole = store.whole(view)
        if result is None:  # memory as it was found
            return
        if isinstance(result, list):
            fits = whole and tensor.is_contiguous()
            store.writes = (
                result if fits else [Write(view, Lost("is a rearranged tensor with several laws", True))]
            )
            return
        kept = [] if whole else [write for write in store.writes if write.view != view]
        store.writes = [*kept, Write(view, result)]

    def _number(self, tensor: Tensor) -> Any:
        writes = self.read(tensor)
        if not certain(writes):
            raise ValueError("the model's code looks at the value of a random or uninitialised tensor")
        return values(writes, View.of(tensor), tensor.dtype).item()

    def _result(
        self, call: Call, before: dict[int, list[Write]], target: Tensor, i: int
    ) -> Content | list[Write] | None:
        """What an operation leaves in its i-th target; None where it writes nothing."""
        text = self.calling or call.name
        if call.name.removeprefix("new_").startswith("empty"):
            return None
        if torch.Tag.nondeterministic_seeded in call.func.tags:
            law = random_law(call)
            return Drawn(law, text) if law else Lost(f"is drawn by {text}, which is no law here", True)
        value = constant_value(call)
        if isinstance(value, Tensor) and certain(before[id(value)]):
            value = self._number(value)
        if value is not None and not isinstance(value, Tensor):
            return filled(value, target, text)
        if call.operation in ("copy_", "clone", "_to_copy"):
            source = call.bound["src" if call.operation == "copy_" else "self"]
            return copied(before[id(source)], source, target)
        if call.name in FORMULAS and (result := computed(call, before, target, text)) is not None:
            return result
        writes = [before[id(leaf)] for leaf in tree_leaves(call.inputs) if isinstance(leaf, Tensor)]
        if all(map(certain, writes)):
            return Known(cache(replayed(call, before, i)), text)
        lost = [write.content for of_one in writes for write in of_one if is_random(write.content)]
        if lost and isinstance(lost[0], Lost):
            return lost[0]
        what = f"the random values of {lost[0].text}" if lost else "a tensor that was never initialised"
        return Lost(f"is made by {text} from {what}", bool(lost))


class RealConstants(TorchFunctionMode):
    """Tensors made of given numbers are real ones, not on the meta device, so that the numbers are known."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            kwargs = {**(kwargs or {}), "device": "cpu"}
            if args and isinstance(args[0], Tensor):
                del kwargs["device"]
        return func(*args, **(kwargs or {}))
