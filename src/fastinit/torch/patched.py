"""fastinit's functions in the place of torch.nn.init's, for code that cannot be edited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from . import functional, structured
from .interception import intercepted

# Those of torch.nn.init that draw, or fill with a pattern; its deprecated spellings end in them.
_NAMES = (
    "uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_",
    "orthogonal_", "sparse_", "_no_grad_uniform_", "_no_grad_normal_", "_no_grad_trunc_normal_", "eye_", "dirac_",
)  # fmt: skip


def _in_place_of(function: Callable[..., Any]) -> Callable[..., Any]:
    def handler(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return handler


_OURS = vars(functional) | vars(structured)
_HANDLERS = {getattr(nn.init, name): _in_place_of(_OURS[name]) for name in _NAMES}


@contextmanager
def patched() -> Iterator[None]:
    """While active, every call of a function of ``torch.nn.init`` in this thread is one of fastinit's function of that name.

    Whoever calls it, by whatever reference: torch's own layers, ``from torch.nn.init import normal_``, a table, a default
    argument, a ``functools.partial``. Other threads keep torch's functions, so that several threads can build models at
    once, patched or not; uses may be nested. Methods of tensors, such as ``weight.normal_()``, stay torch's. A decorator
    too.

    Examples
    --------
    >>> import fastinit, torch
    >>> with patched():
    ...     generator = torch.manual_seed(0)
    ...     layer = torch.nn.Linear(8, 4)
    >>> generator = torch.manual_seed(0)
    >>> weight = functional.kaiming_uniform_(torch.empty(4, 8), a=5**0.5)  # as Linear.reset_parameters has it
    >>> torch.equal(layer.weight, weight)
    True
    """
    with intercepted(_HANDLERS):
        yield
