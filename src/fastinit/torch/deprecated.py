"""The deprecated spellings of torch.nn.init, without an underscore: they warn as torch's do."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import ParamSpec

from torch import Tensor
from torch.nn.init import constant_

from .functional import (
    kaiming_normal_,
    kaiming_uniform_,
    normal_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
)
from .structured import dirac_, eye_, orthogonal_, sparse_

_P = ParamSpec("_P")


def _deprecated(function: Callable[_P, Tensor]) -> Callable[_P, Tensor]:
    new = function.__name__
    old = new[:-1]

    def alias(*args: _P.args, **kwargs: _P.kwargs) -> Tensor:
        message = f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`."
        warnings.warn(message, FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    alias.__name__ = alias.__qualname__ = old
    alias.__doc__ = f"Deprecated: use `{new}`."
    return alias


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
