"""What a model's own initialisation code does to its tensors, followed on the meta device: laws in place of values.

Every storage has a list of writes, each a view of it and what the view then holds. An operation on the contents is either
carried out on laws (copies, arithmetic), or put off (deterministic ones), or leaves contents that are lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from ..composed import Function, affine, evaluate
from ..distributions import Constant, Law, Normal, Uniform
from ..memory import may_overlap
from ..orthogonal import Orthogonal
from ..structured import Structured
from .formulas import FORMULAS, linear


@dataclass(frozen=True)
class Drawn:
    """Values of a law; those of equal `source` are functions of the same draw, index by index."""

    law: Law
    text: str
    source: object = field(default_factory=object)


@dataclass(frozen=True)
class Known:
    """Values without chance, computed when asked for."""

    values: Callable[[], Tensor]
    text: str


@dataclass(frozen=True)
class Lost:
    """Values of which `text` tells why no law is known."""

    text: str
    random: bool


Content: TypeAlias = Drawn | Known | Lost


class View(NamedTuple):
    """Which elements of a storage; steps along axes of length 1 are 0."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, tensor: Tensor) -> View:
        shape = tuple(tensor.shape)
        strides = [stride if size > 1 else 0 for size, stride in zip(shape, tensor.stride(), strict=True)]
        return cls(shape, tuple(strides), tensor.storage_offset())

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        steps = zip(self.shape, self.strides, strict=True)
        return (
            self.offset + 1 + sum((size - 1) * stride for size, stride in steps) if self.size else self.offset
        )

    def meets(self, other: View) -> bool:
        """Whether they may share elements."""
        return self.offset < other.end and other.offset < self.end

    @property
    def repeats(self) -> bool:
        return may_overlap(self.shape, self.strides, 1)


class Write(NamedTuple):
    view: View
    content: Content


@dataclass
class Store:
    storage: torch.UntypedStorage  # held, so that no other takes its address
    itemsize: int
    writes: list[Write] = field(default_factory=list)

    def whole(self, view: View) -> bool:
        return view.size * self.itemsize == self.storage.nbytes() and not view.repeats


def is_random(content: Content) -> bool:
    return (
        content.random if isinstance(content, Lost) else isinstance(content, Drawn) and not constant(content)
    )


def constant(content: Any) -> bool:
    return isinstance(content, Drawn) and isinstance(content.law, Constant)


def certain(writes: Sequence[Write]) -> bool:
    """Whether the values can be computed."""
    return bool(writes) and all(isinstance(w.content, Known) or constant(w.content) for w in writes)


def values(writes: Sequence[Write], view: View, dtype: torch.dtype) -> Tensor:
    """The values that a view holds after certain writes. Raises ValueError where a part was never written."""
    flat = torch.zeros(max(write.view.end for write in (*writes, Write(view, Lost("", False)))), dtype=dtype)
    written = torch.zeros(flat.shape, dtype=torch.bool)
    for (shape, strides, offset), content in writes:
        to = flat.as_strided(shape, strides, offset)
        if isinstance(content, Known):
            to.copy_(content.values())
        elif isinstance(content, Drawn):
            to.fill_(content.law.parameters[0])
        written.as_strided(shape, strides, offset).fill_(True)
    if not written.as_strided(*view).all():
        raise ValueError("a part is never written")
    return flat.as_strided(*view)


class Trace(TorchDispatchMode):
    """Within it, tensors are followed."""

    def __init__(self) -> None:
        super().__init__()
        self.calling = ""  # the function of torch.nn.init that runs
        self.stores: dict[int, Store] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        names = [argument.name for argument in func._schema.arguments]
        bound = {**dict(zip(names, args, strict=False)), **(kwargs or {})}
        tensors = [leaf for leaf in tree_leaves(bound) if isinstance(leaf, Tensor)]
        before = {id(tensor): self.read(tensor) for tensor in tensors}
        if func is torch.ops.aten._local_scalar_dense.default:
            return self._number(tensors[0])
        if len({tensor.is_meta for tensor in tensors}) > 1:
            args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs or {}))
        out = func(*args, **(kwargs or {}))

        targets = [
            bound[argument.name]
            for argument in func._schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write and argument.name in bound
        ]
        if targets:
            out = targets[0] if isinstance(out, Tensor) else out
        else:
            known = {tensor.untyped_storage()._cdata for tensor in tensors}
            targets = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
            targets = [tensor for tensor in targets if tensor.untyped_storage()._cdata not in known]
        for i, target in enumerate(targets):
            self.write(target, self._result(func, bound, before, target, i))
        return out

    def read(self, tensor: Tensor) -> list[Write]:
        """What the tensor holds: nothing, one content, or, if it is a whole storage in C order, several."""
        view, store = View.of(tensor), self.stores.get(tensor.untyped_storage()._cdata)
        if store is None:
            if tensor.is_meta:
                return [Write(view, Lost("was made before the recording", False))]
            copy = tensor.detach().clone()
            self.write(tensor, Known(lambda: copy, "given"))
            return [Write(view, Known(lambda: copy, "given"))]
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
            return [Write(view, _part(writes[0].content, view))]
        if store.whole(view) and tensor.is_contiguous():
            return writes
        random = any(is_random(write.content) for write in writes)
        return [Write(view, Lost("is a part of a tensor with several laws", random))]

    def write(self, tensor: Tensor, result: Content | list[Write] | None) -> None:
        view, storage = View.of(tensor), tensor.untyped_storage()
        store = self.stores.setdefault(storage._cdata, Store(storage, tensor.element_size()))
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
        self, func: Any, bound: dict[str, Any], before: dict[int, list[Write]], target: Tensor, i: int
    ) -> Content | list[Write] | None:
        """What an operation leaves in its i-th target; None where it writes nothing."""
        operation = func.overloadpacket.__name__
        name = operation.rstrip("_")
        text = self.calling or name
        if name.removeprefix("new_").startswith("empty"):
            return None
        if torch.Tag.nondeterministic_seeded in func.tags:
            law = _random_law(func, operation, bound)
            return Drawn(law, text) if law else Lost(f"is drawn by {text}, which is no law here", True)
        if (value := _constant_value(operation, bound)) is not None:
            number = self._number(value) if isinstance(value, Tensor) else value
            return _filled(number, target, text)
        if operation in ("copy_", "clone", "_to_copy"):
            source = bound["src" if operation == "copy_" else "self"]
            return _copied(before[id(source)], source, target)
        if name in FORMULAS and (result := _formula(name, bound, before, target, text)) is not None:
            return result
        outputs = {
            argument.name
            for argument in func._schema.arguments
            if argument.kwarg_only and argument.alias_info is not None and argument.alias_info.is_write
        }
        inputs = [t for key, value in bound.items() if key not in outputs for t in tree_leaves(value)]
        writes = [before[id(t)] for t in inputs if isinstance(t, Tensor)]
        if all(map(certain, writes)):
            return Known(cache(_replay(func, bound, before, outputs, i)), text)
        lost = [w.content for ws in writes for w in ws if is_random(w.content)]
        what = f"the random values of {lost[0].text}" if lost else "a tensor that was never initialised"
        if lost and isinstance(lost[0], Lost):
            return lost[0]
        return Lost(f"is made by {text} from {what}", bool(lost))


class RealConstants(TorchFunctionMode):
    """Tensors made of given numbers are real ones, not on the meta device, so that the numbers are known."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            kwargs = {**(kwargs or {}), "device": "cpu"}
            if len(args) and isinstance(args[0], Tensor):
                del kwargs["device"]
        return func(*args, **(kwargs or {}))


def _part(content: Content, view: View) -> Content:
    if not isinstance(content, Drawn) or constant(content):
        return content
    if isinstance(content.law, Structured) and not isinstance(content.law, Function):
        return Lost(f"is a part or another view of a tensor of the law {content.law.law}", True)
    if view.repeats:
        return Lost(f"repeats the random values of {content.text}", True)
    return Drawn(content.law, content.text)


def _random_law(func: Any, operation: str, bound: dict[str, Any]) -> Law | None:
    if operation in ("rand", "rand_like", "uniform_"):
        return Uniform(bound.get("from", 0.0), bound.get("to", 1.0))
    if operation in ("randn", "randn_like", "normal_") or func is torch.ops.aten.normal.float_float:
        return Normal(bound.get("mean", 0.0), bound.get("std", 1.0))
    return None


def _constant_value(operation: str, bound: dict[str, Any]) -> Any:
    if operation in ("zero_", "zeros", "zeros_like", "new_zeros"):
        return 0.0
    if operation in ("ones", "ones_like", "new_ones"):
        return 1.0
    key = {"fill_": "value", "full": "fill_value", "full_like": "fill_value", "new_full": "fill_value"}
    return bound["s"] if operation == "scalar_tensor" else bound.get(key.get(operation, ""))


def _filled(number: Any, target: Tensor, text: str) -> Content:
    if not isinstance(number, complex) and math.isfinite(number):
        return Drawn(Constant(float(number)), text)
    shape, dtype = tuple(target.shape), target.dtype
    return Known(lambda: torch.full(shape, number, dtype=dtype), text)


def _copied(writes: list[Write], source: Tensor, target: Tensor) -> Content | list[Write] | None:
    if not writes:
        return (
            None if source.shape == target.shape else Lost("is copied from a tensor never initialised", False)
        )
    if len(writes) > 1:
        same = source.shape == target.shape and target.is_floating_point()
        return writes if same else Lost("is a rearranged tensor with several laws", True)
    content = writes[0].content
    if isinstance(content, Known):
        shape, dtype, known = tuple(target.shape), target.dtype, content.values
        return Known(cache(lambda: known().to(dtype).expand(shape)), content.text)
    if is_random(content) and isinstance(content, Drawn):
        if source.shape != target.shape:
            return Lost(f"repeats the random values of {content.text}", True)
        if not target.is_floating_point():
            return Lost(f"converts the random values of {content.text} to {target.dtype}", True)
    return content


def _formula(
    name: str, bound: dict[str, Any], before: dict[int, list[Write]], target: Tensor, text: str
) -> Content | list[Write] | None:
    """An elementwise operation on laws; None where there is no chance in it, or too much."""
    several = [value for value in bound.values() if isinstance(value, Tensor) and len(before[id(value)]) > 1]
    if not several:
        contents = {
            id(v): before[id(v)][0].content for v in bound.values() if isinstance(v, Tensor) and before[id(v)]
        }
        return _content(name, bound, contents, target, text)
    results = []
    for view, content in before[id(several[0])]:
        contents = {
            id(v): w[0].content
            for v in bound.values()
            if isinstance(v, Tensor) and len(w := before[id(v)]) == 1
        }
        result = _content(name, bound, {**contents, id(several[0]): content}, target, text)
        if len(several) > 1 or result is None:
            return None
        results.append(Write(view, result))
    return results


def _content(
    name: str, bound: dict[str, Any], contents: dict[int, Content], target: Tensor, text: str
) -> Content | None:
    operands: dict[str, Any] = {}
    drawn: list[Drawn] = []
    for key, value in bound.items():
        if not isinstance(value, Tensor):
            operands[key] = value
            continue
        content = contents.get(id(value))
        if isinstance(content, Drawn) and isinstance(content.law, Constant):
            operands[key] = content.law.value
        elif isinstance(content, Drawn) and value.shape == target.shape:
            drawn.append(content)
            operands[key] = content.law.formula if isinstance(content.law, Function) else "x"
        elif isinstance(content, Known) and value.numel() == 1:
            operands[key] = float(content.values().item())
        else:
            return None
    formula = FORMULAS[name](**operands)
    if formula is None or not target.is_floating_point():
        return None
    if not drawn:
        with_known = any(isinstance(contents.get(id(value)), Known) for value in bound.values())
        return None if with_known else _filled(float(evaluate(formula, 0.0)), target, text)
    first, source = drawn[0].law, drawn[0].source
    if any(one.source is not source for one in drawn):
        return Lost(f"is made by {text} from several random tensors", True)
    texts = f"{drawn[0].text}, {text}"
    scaled = linear(formula)
    if isinstance(first, Structured) and not isinstance(first, Function):
        if scaled and scaled[1] == 0 and isinstance(first, Orthogonal):
            return Drawn(replace(first, gain=first.gain * scaled[0]), texts)
        return None
    inner = first.inner if isinstance(first, Function) else first
    if scaled is not None:
        return Drawn(affine(inner, *scaled), texts)
    return Drawn(Function(inner, formula), texts, source)  # type: ignore[arg-type]


def _replay(
    func: Any, bound: dict[str, Any], before: dict[int, list[Write]], outputs: Iterable[str], i: int
) -> Callable[[], Tensor]:
    """The i-th result of a deterministic operation, on real tensors."""

    def real(tensor: Tensor) -> Callable[[], Tensor]:
        writes, view, dtype = tuple(before[id(tensor)]), View.of(tensor), tensor.dtype
        return lambda: values(writes, view, dtype).clone()

    def room(tensor: Tensor) -> Callable[[], Tensor]:
        shape, dtype = tuple(tensor.shape), tensor.dtype
        return lambda: torch.empty(shape, dtype=dtype)

    later = {
        key: tree_map_only(
            Tensor, room if key in outputs else real, torch.device("cpu") if key == "device" else value
        )
        for key, value in bound.items()
    }
    positional = [argument.name for argument in func._schema.arguments if not argument.kwarg_only]

    def run() -> Tensor:
        now = tree_map_only(type(real), lambda thunk: thunk(), later)
        args = [now[key] for key in positional if key in now]
        out = func(*args, **{key: value for key, value in now.items() if key not in positional})
        result: Tensor = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)][i]
        return result

    return run
