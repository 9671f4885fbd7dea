"""A model's own initialisation code -> a plan, without memory for its weights."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ...arguments import instance
from ...dtypes import dtype_name
from ...laws.composed import Box, Patched, Transformed
from ...laws.distributions import Constant, Distribution
from ...laws.patterns import Given
from ...laws.structured import Structured
from ...plans.parameter import Parameter
from ...plans.plan import Plan
from ...schemes.catalogue import SCHEMES
from ...schemes.fans import fans
from ...schemes.resolve import distribution
from .. import functional, tensors
from .contents import Content, Drawn, Lost, View, Write, is_random, seen, values
from .trace import RealConstants, Trace

_Function: TypeAlias = Callable[..., Any]
_BY_FANS = ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_")
_NAMED = ("uniform_", "normal_", "constant_", "ones_", "zeros_", *_BY_FANS)
# torch's need values, or do nothing on the meta device; fastinit's end in `tensors.fill`, of which the trace hears.
_REPLACED = ("orthogonal_", "sparse_", "_no_grad_trunc_normal_")


def record(factory: Callable[[], nn.Module]) -> Plan:
    """The plan of the model that `factory()` builds: for each parameter the law that its own code draws it from.

    The factory runs on the meta device, where tensors have no memory. Functions of `torch.nn.init` (and of this drop-in),
    in-place and other operations of torch are followed, and so are Hugging Face's models: the last one that writes a whole
    parameter decides, later ones rescale or overwrite parts. Values without chance become constants or given values. The
    factory is called twice, to see that these are the same. torch's generator is left as it was.

    Tied parameters stand once, under their first name. Persistent buffers, whose values are without chance, come after the
    parameters; those that cannot be drawn (of integers, say, or never written) are the plan's ``unfilled``. Two parameters that the code draws
    once and copies are two draws of the plan's.

    Raises ValueError, naming the parameter and the operation, for one that is never initialised or whose law cannot be told,
    and for a random buffer; TypeError for a dtype that cannot be drawn and for a factory that returns no module.

    >>> plan = record(lambda: torch.nn.Linear(256, 10))
    >>> plan["weight"].scheme, plan["bias"].distribution
    ('kaiming_uniform', Uniform(low=-0.0625, high=0.0625))
    """
    instance("factory", factory, Callable)
    plan, again = _record(factory, 0), _record(factory, 1)
    for name, parameter in plan.items():
        if name not in again or again[name].distribution != parameter.distribution:
            raise ValueError(
                f"parameter {name!r}: its values differ from call to call, by chance outside torch"
            )
    return plan


def _record(factory: Callable[[], nn.Module], seed: int) -> Plan:
    trace = Trace()
    with torch.random.fork_rng(devices=[]), _hooked(trace), torch.device("meta"), RealConstants(), trace:
        torch.default_generator.manual_seed(seed)
        model = factory()
    if not isinstance(model, nn.Module):
        raise TypeError(f"factory must return a torch.nn.Module, not {type(model).__name__}")
    for name, buffer in model.named_buffers():
        for write in trace.read(buffer):
            if is_random(write.content):
                raise ValueError(
                    f"buffer {name!r} is random ({write.content.text}); a plan has random parameters alone"
                )
    parameters: dict[str, Parameter] = {}
    ties: dict[str, str] = {}
    owners: dict[int, dict[View, str]] = {}  # by storage
    unfilled: list[str] = []
    persistent = model.state_dict(keep_vars=True)
    buffers = {
        name: tensor for name, tensor in model.named_buffers(remove_duplicate=False) if name in persistent
    }
    for name, tensor in itertools.chain(model.named_parameters(remove_duplicate=False), buffers.items()):
        view, sharers = View.of(tensor), owners.setdefault(tensor.untyped_storage()._cdata, {})
        if view in sharers:
            ties[name] = sharers[view]
            continue
        try:
            for other, sharer in sharers.items():
                if other.meets(view):
                    raise ValueError(f"it shares a part of its memory with {sharer!r}")
            sharers[view] = name
            dtype = dtype_name(str(tensor.dtype).removeprefix("torch."))
            law, text = _law(trace.read(tensor), tensor)
            if isinstance(law, Structured):
                law.check(tuple(tensor.shape))
        except (TypeError, ValueError) as error:
            if name in buffers:
                unfilled.append(name)
                sharers.pop(view, None)
                continue
            raise type(error)(f"parameter {name!r}: {error}") from None
        scheme, owner = _scheme(law, text), model.get_submodule(name.rpartition(".")[0])
        counted = fans(tuple(tensor.shape)) if f"{scheme}_" in _BY_FANS else None
        reason = f"the model's code: {text}"
        parameters[name] = Parameter(
            name, tuple(tensor.shape), dtype, scheme, law, counted, 0, reason, type(owner).__name__
        )
    return Plan(parameters, ties, f"recorded from {type(model).__name__}", tuple(unfilled))


def _scheme(law: Any, text: str) -> str:
    """The scheme that torch's function is, or else the innermost law is."""
    function = text.split(", ")[0]
    while isinstance(law, (Transformed, Patched)):
        law = law.inner
    return function if function in SCHEMES else law.law


def _law(writes: list[Write], tensor: Tensor) -> tuple[Any, str]:
    """The law of a parameter, and how it came about."""
    if not tensor.numel():
        return Constant(0.0), "constant"
    if not writes:
        raise ValueError("it is never initialised")
    if len(writes) == 1 and writes[0].view.size == tensor.numel():
        return _one_law(writes[0].content), writes[0].content.text
    first, *rest = writes
    drawn = [content.source for _, content in writes if isinstance(content, Drawn) and is_random(content)]
    if len(set(map(id, drawn))) < len(drawn):
        raise ValueError("several parts of it are copies of the same random values")
    if first.view.size == tensor.numel():
        inner = _one_law(seen(first, View.of(tensor), tensor.dtype))
    else:
        inner, rest = Constant(0.0), writes
        marks = [Write(write.view, Drawn(Constant(0.0), "")) for write in writes]
        values(marks, View.of(tensor), torch.bool)
    patches = []
    for view, content in rest:
        box = _box(view, tuple(tensor.shape))
        if box is None:
            raise ValueError(f"{content.text} writes elements that are no box of it")
        patches.append((box, _one_law(content)))
    return Patched(inner, tuple(patches)), ", ".join(dict.fromkeys(write.content.text for write in writes))


def _one_law(content: Content) -> Distribution:
    if isinstance(content, Lost):
        raise ValueError(f"it {content.text}")
    if isinstance(content, Drawn):
        return content.law
    array = content.values().to(torch.float64)
    if bool((array == array.flatten()[0]).all()):
        return Constant(float(array.flatten()[0]))
    return Given(array.numpy())


def _box(view: View, shape: tuple[int, ...]) -> Box | None:
    """The view as a box of a contiguous tensor of that shape, if it is one and has its axes in order."""
    steps = [(size, stride) for size, stride in zip(view.shape, view.strides, strict=True) if size > 1]
    box: list[int | tuple[int, int, int]] = []
    unit = 1
    at = view.offset
    taken = list(view.shape)
    for size in reversed(shape):
        start, at = at % size, at // size
        if steps and steps[-1][1] < unit * size:
            length, stride = steps.pop()
            step = stride // unit
            if stride % unit or start + step * (length - 1) >= size:
                return None
            box.append((start, start + step * (length - 1) + 1, step))
        else:
            box.append((start, start + 1, 1))
        unit *= size
    box.reverse()
    if steps:
        return None
    # Axes that the view has not are indices.
    missing = len(shape) - len(taken)
    for axis, extent in enumerate(box):
        if missing > 0 and isinstance(extent, tuple) and extent[1] - extent[0] == 1:
            box[axis] = extent[0]
            missing -= 1
    sizes = [len(range(*extent)) for extent in box if isinstance(extent, tuple)]
    return tuple(box) if sizes == taken else None


@contextmanager
def _hooked(trace: Trace) -> Iterator[None]:
    """In place of the functions of `torch.nn.init`, in whatever module they stand, those that the trace hears of."""
    active = True

    def named(original: _Function, run: _Function) -> _Function:
        name = original.__name__.removeprefix("_no_grad_").rstrip("_")

        @wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not active:
                return original(*args, **kwargs)
            outer, trace.calling = trace.calling, trace.calling or name
            try:
                return run(*args, **kwargs)
            finally:
                trace.calling = outer

        return call

    def fill(tensor: Tensor, law: Distribution, generator: Any) -> Tensor:
        trace.write(tensor, Drawn(law, trace.calling if trace.calling != "fill" else law.law))
        return tensor

    def eye(tensor: Tensor) -> Tensor:
        return fill(tensor, distribution("identity", tuple(tensor.shape)), None)

    def dirac(tensor: Tensor, groups: int = 1) -> Tensor:
        return fill(tensor, distribution("dirac", tuple(tensor.shape), groups=groups), None)

    swaps = {getattr(nn.init, name): getattr(nn.init, name) for name in _NAMED}
    swaps |= {getattr(nn.init, name): getattr(functional, name) for name in _REPLACED}
    swaps |= {nn.init.eye_: eye, nn.init.dirac_: dirac, tensors.fill: fill}
    swaps = {original: named(original, run) for original, run in swaps.items()}
    try:
        _swap(swaps)
        yield
    finally:
        active = False
        # Modules that were imported meanwhile hold the new ones too.
        _swap({new: original for original, new in swaps.items()})


def _swap(functions: dict[_Function, _Function]) -> None:
    by_id = {id(old): new for old, new in functions.items()}
    spaces = [vars(module) for module in list(sys.modules.values()) if hasattr(module, "__dict__")]
    huggingface = sys.modules.get("transformers.initialization")
    if huggingface is not None:
        spaces.append(huggingface.TORCH_INIT_FUNCTIONS)
    for space in spaces:
        for key, value in list(space.items()):
            if id(value) in by_id:
                space[key] = by_id[id(value)]
