"""The functions of `torch.nn.init`, and of fastinit's drop-in, while a model's code is followed: each writes its law."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from ...laws.distributions import Distribution, Elementwise
from ...laws.orthogonal import Orthogonal
from ...laws.views import Viewed
from ...schemes.resolve import resolve
from .. import functional, structured, tensors
from ..interception import intercepted
from .contents import Content, Drawn, Known, new_source
from .operations import drawn, filled
from .trace import Trace

_OURS = vars(functional) | vars(structured)
# fastinit's own check the arguments and end in `tensors.fill`.
_DRAWN = (
    "uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_",
    "orthogonal_", "sparse_",
)  # fmt: skip


def hooked(trace: Trace) -> AbstractContextManager[None]:
    """While active, the trace hears of every call of these functions in this thread."""

    def fill(original: Any, tensor: Tensor, law: Distribution, generator: Any) -> Tensor:
        text = trace.calling or law.law
        trace.write(tensor, drawn(law, tensor, text))
        return tensor

    def named(run: Callable[..., Any], name: str) -> Callable[..., Any]:
        def handler(original: Any, *args: Any, **kwargs: Any) -> Any:
            outer, trace.calling = trace.calling, trace.calling or name
            try:
                return run(original, *args, **kwargs)
            finally:
                trace.calling = outer

        return handler

    def constant(number: float) -> Callable[..., Any]:
        def handler(original: Any, tensor: Tensor) -> Tensor:
            return put(tensor, filled(number, tensor, trace.calling))

        return handler

    def constant_(original: Any, tensor: Tensor, val: float) -> Tensor:
        number = val.item() if isinstance(val, Tensor) else val
        return put(tensor, filled(number, tensor, trace.calling))

    def put(tensor: Tensor, content: Content) -> Tensor:
        trace.write(tensor, content)
        return tensor

    def pattern(scheme: str) -> Callable[..., Any]:
        """A matrix without chance: its law for the plan, its values for what the code makes of them."""

        def handler(original: Any, tensor: Tensor, **numbers: Any) -> Tensor:
            shape, dtype = tuple(tensor.shape), tensor.dtype
            law = None if tensor.is_complex() else resolve(scheme, shape, numbers)

            def made() -> Tensor:
                result: Tensor = original(torch.empty(shape, dtype=dtype, device="cpu"), **numbers)
                return result

            return put(tensor, Known(cache(made), trace.calling, law))

        return handler

    def dirac(original: Any, tensor: Tensor, groups: int = 1) -> Tensor:
        result: Tensor = pattern("dirac")(original, tensor, groups=groups)
        return result

    handlers: dict[Any, Callable[..., Any]] = {tensors.fill: fill}
    for name in _DRAWN:
        run, short = _OURS[name], name.rstrip("_")
        handlers[getattr(nn.init, name)] = named(lambda original, *a, run=run, **kw: run(*a, **kw), short)
        handlers[run] = named(lambda original, *a, **kw: original(*a, **kw), short)
    hidden = nn.init._no_grad_trunc_normal_
    handlers[hidden] = named(
        lambda original, *a, **kw: functional._no_grad_trunc_normal_(*a, **kw), "trunc_normal"
    )
    handlers[nn.init.zeros_], handlers[nn.init.ones_] = (
        named(constant(0.0), "zeros"),
        named(constant(1.0), "ones"),
    )
    handlers[nn.init.constant_] = named(constant_, "constant")
    for function in (nn.init.eye_, structured.eye_):
        handlers[function] = named(pattern("identity"), "eye")
    for function in (nn.init.dirac_, structured.dirac_):
        handlers[function] = named(dirac, "dirac")
    # The first compares Q'Q with the identity, which only values could tell; the second is a QR decomposition.
    for name, of_orthogonal in (("_is_orthogonal", is_orthogonal), ("_make_orthogonal", made_orthogonal)):
        if (checked := getattr(parametrizations, name, None)) is not None:
            handlers[checked] = partial(of_orthogonal, trace)
    return intercepted(handlers)


def is_orthogonal(trace: Trace, original: Any, tensor: Tensor, eps: float | None = None) -> bool:
    """Whether its law is that of orthonormal columns."""
    writes = trace.read(tensor)
    law = writes[0].content.law if len(writes) == 1 and isinstance(writes[0].content, Drawn) else None
    return isinstance(law, Orthogonal) and abs(law.gain) == 1


def made_orthogonal(trace: Trace, original: Any, tensor: Tensor) -> Tensor:
    """The factor Q of a matrix of independent values around 0, or of one with orthonormal columns, or of both side by side:
    of Haar's law if the values are normal, and close to it for others."""
    writes = trace.read(tensor)
    if tensor.is_complex() or not all(isinstance(c, Drawn) and _spreads(c.law) for _, c in writes):
        result: Tensor = original(tensor)
        return result
    matrix, made = tensor.dim() - 2, torch.empty_like(tensor)
    law = Orthogonal(axis=matrix, stacked=tuple(range(matrix)))
    trace.write(made, Drawn(law, writes[0].content.text, new_source(tuple(made.shape))))
    return made


def _spreads(law: Distribution) -> bool:
    if isinstance(law, Viewed) and math.prod(law.sizes) == math.prod(law.shape):  # its axes exchanged
        law = law.inner
    mean, std = law.moments()
    return isinstance(law, Orthogonal) or (isinstance(law, Elementwise) and mean == 0 and std > 0)
