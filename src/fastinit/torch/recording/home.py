"""Tensors on the meta device that a model's code sees as it would at home, on a CPU.

Code asks for a tensor's device, and goes another way on the meta device; or for its values, which the meta device does
not have. Here the device is the CPU's, values without chance are told, and others are an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .._private import storage_key, tree_map_only
from .contents import Drawn, Norms, constant
from .trace import Trace, UnknownValueError, on_meta

_CPU, _META = torch.device("cpu"), torch.device("meta")


class Home(TorchFunctionMode):
    """Within it, tensors pretend to lie in the host's memory."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        special = _SPECIAL.get(func)
        if special is not None:
            return special(self.trace, func, args, kwargs or {})
        if not kwargs:
            return func(*args)
        if kwargs.get("device") is not None:
            kwargs["device"] = _META
        return func(*args, **kwargs)


def _device(trace: Trace, func: Any, args: Any, kwargs: Any) -> torch.device:
    device: torch.device = func(*args)
    return _CPU if device.type == "meta" else device


def _is_meta(trace: Trace, func: Any, args: Any, kwargs: Any) -> bool:
    return False


def _is_cpu(trace: Trace, func: Any, args: Any, kwargs: Any) -> bool:
    return bool(args[0].is_meta or args[0].is_cpu)


def _to(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    """To another device: all devices are one."""
    tensor, *others = args
    args = [_META if _is_device(other) else other for other in others] if tensor.is_meta else others
    if kwargs.get("device") is not None and tensor.is_meta:
        kwargs = {**kwargs, "device": _META}
    return func(tensor, *args, **kwargs)


def _is_device(value: Any) -> bool:
    return isinstance(value, torch.device | str) or type(value) is int


def _stay(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    return args[0] if args[0].is_meta else func(*args, **kwargs)


def _told(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    """The values themselves."""
    return func(trace.known(args[0]), *args[1:], **kwargs)


def _array(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    """NumPy's view of a tensor: without chance its values, which cannot be written; otherwise only shape and dtype."""
    tensor = args[0]
    if not tensor.is_meta:
        return func(*args, **kwargs)
    try:
        held = trace.known(tensor)
        array = func(trace.apart(held.clone), *args[1:], **kwargs)
    except UnknownValueError as error:
        empty = trace.apart(lambda: torch.empty(0, dtype=tensor.dtype, device="cpu"))
        return Unread(tuple(tensor.shape), func(empty, *args[1:], **kwargs).dtype, error)
    array.flags.writeable = False
    return array


class Unread:
    """What NumPy would see of a random tensor: its shape and dtype. Whatever asks for more is an error."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], error: UnknownValueError) -> None:
        self.shape, self.dtype, self._error = shape, dtype, error
        self.ndim, self.size, self.itemsize = len(shape), math.prod(shape), dtype.itemsize
        self.nbytes = self.itemsize * self.size

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__array_") and name != "__array__":
            raise AttributeError(name)
        raise self._error

    def __getitem__(self, index: Any) -> Any:
        raise self._error

    def __setitem__(self, index: Any, value: Any) -> None:
        raise self._error

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._error


def _tensor(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    """A tensor made of numbers, arrays or other tensors."""
    kwargs = dict(kwargs)
    data = args[0] if args else kwargs.pop("data", kwargs.pop("obj", None))
    rest = {key: value for key, value in kwargs.items() if key != "device"}
    if isinstance(data, Tensor):
        dtype = rest.get("dtype") or data.dtype
        made = data.detach().clone().to(dtype) if func is torch.tensor else data.to(dtype)
        return made.requires_grad_() if rest.get("requires_grad") else made
    try:
        made = func(data, *args[1:], **rest)
    except RuntimeError:  # of tensors within lists
        data = tree_map_only(Tensor, lambda tensor: trace.known(tensor).tolist(), data)
        made = func(data, *args[1:], **rest)
    if func is not torch.tensor or on_meta(made):  # the others may share memory with NumPy
        return made
    return trace.adopted(made).requires_grad_(made.requires_grad)


def _new_tensor(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    kwargs = {"dtype": args[0].dtype, **kwargs}
    return _tensor(trace, torch.tensor, args[1:], kwargs)


def _indexed(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    """An index or an assignment by lists of numbers, which torch would put on the meta device unseen."""
    tensor, index, *value = args
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, list | np.ndarray) for part in parts):
        index = tuple([_numbers(trace, part) for part in parts])
    return func(tensor, index, *value)


def _numbers(trace: Trace, part: Any) -> Any:
    array = np.asarray(part) if isinstance(part, list | np.ndarray) else np.empty(0)
    if not array.size or array.dtype.kind not in "iub":
        return part
    return trace.adopted(trace.apart(lambda: torch.from_numpy(array.copy())))


def _set_data(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    """`parameter.data = tensor`, of which one may lie in memory that others hold."""
    tensor, data = args
    if tensor.is_meta and isinstance(data, Tensor) and data.is_cpu:
        data = trace.adopted(data)
    return func(tensor, data)


def _norm_except_dim(trace: Trace, func: Any, args: Any, kwargs: Any) -> Any:
    """Norms over all axes except one between others, for which torch copies the tensor with its axes exchanged."""
    tensor, power, axis = args
    writes = trace.read(tensor) if 0 < axis < tensor.dim() - 1 and power == 2 else []
    if len(writes) != 1 or not isinstance(writes[0].content, Drawn) or constant(writes[0].content):
        return func(*args, **kwargs)
    made = torch.empty(
        [n if i == axis else 1 for i, n in enumerate(tensor.shape)], dtype=tensor.dtype, device=_META
    )
    axes = tuple([i for i in range(tensor.dim()) if i != axis])
    trace.write(made, Norms(writes[0].content, axes, f"{writes[0].content.text}, norm"))
    return made


_SPECIAL: dict[Any, Callable[[Trace, Any, Any, Any], Any]] = {
    Tensor.device.__get__: _device,
    Tensor.is_meta.__get__: _is_meta,  # type: ignore[attr-defined]
    Tensor.is_cpu.__get__: _is_cpu,  # type: ignore[attr-defined]
    Tensor.data.__set__: _set_data,  # type: ignore[attr-defined]
    Tensor.__getitem__: _indexed,
    Tensor.__setitem__: _indexed,
    Tensor.to: _to,
    Tensor.cpu: _stay,
    Tensor.cuda: _stay,
    Tensor.pin_memory: _stay,
    Tensor.tolist: _told,
    Tensor.numpy: _array,
    Tensor.__array__: _array,
    Tensor.new_tensor: _new_tensor,
    torch.tensor: _tensor,
    torch.as_tensor: _tensor,
    torch.asarray: _tensor,
    torch.norm_except_dim: _norm_except_dim,
}


def explained(error: UnknownValueError, trace: Trace) -> ValueError:
    """The error with the parameter that the code looked at, if a module on the way has it, and the line of the code."""
    sought = _draws(error.tensor, trace)
    for frame, _ in _own_frames(error):
        for module in [value for value in frame.f_locals.values() if isinstance(value, nn.Module)]:
            for path, parameter in module.named_parameters() if "_modules" in vars(module) else ():
                if sought & _draws(parameter, trace):
                    name = f"parameter {path!r} of {type(module).__name__}"
                    return ValueError(f"{name}: {error}, at {line_of(error)}")
    return ValueError(f"{error}, at {line_of(error)}")


def line_of(error: BaseException) -> str:
    """The innermost line of code that is neither torch's nor fastinit's."""
    return "".join([f"{frame.f_code.co_filename}:{line}" for frame, line in _own_frames(error)][-1:])


def _own_frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    step = error.__traceback__
    while step is not None:
        if not step.tb_frame.f_globals.get("__name__", "").startswith(("torch.", "fastinit.")):
            yield step.tb_frame, step.tb_lineno
        step = step.tb_next


def _draws(tensor: Tensor, trace: Trace) -> set[object]:
    """The draws of which a tensor holds values or their norms, and its storage."""
    found: set[object] = {storage_key(tensor)}
    for _, content in trace.read(tensor):
        drawn = content.of if isinstance(content, Norms) else content
        found |= drawn.source.draws if isinstance(drawn, Drawn) else set()
    return found
