"""An elementwise distribution, checked, as the kernels take it."""

from __future__ import annotations

from functools import lru_cache

from .. import _core
from ..dtypes import COMPLEX
from ..laws.distributions import Distribution, Elementwise, Words


def prepared(law: Distribution | Words, dtype: str) -> _core.Law | None:
    """The law for the kernels of the dtype. None if no kernel draws such tensors by itself: the law is structured, or the
    dtype complex. ValueError if the dtype has no room for the law.
    """
    return None if dtype in COMPLEX or not isinstance(law, _BY_KERNELS) else _prepared(law, dtype)


_BY_KERNELS = (Elementwise, Words)


@lru_cache(maxsize=4096)  # models draw from few laws many times
def _prepared(law: Elementwise | Words, dtype: str) -> _core.Law:
    try:
        return _core.Law(law.law, dtype, law.parameters)
    except ValueError as error:
        raise ValueError(f"{law} {error} ({dtype})") from None
