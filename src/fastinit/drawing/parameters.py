"""An elementwise distribution's numbers, checked."""

from __future__ import annotations

from functools import lru_cache

from .. import _core
from ..laws.distributions import Distribution, Words


@lru_cache(maxsize=4096)
def checked_parameters(law: Distribution | Words, dtype: str) -> tuple[float, ...]:
    """The law's parameters, if it can be drawn in the dtype; models draw from few laws many times."""
    try:
        _core.check(law.law, dtype, law.parameters)
    except ValueError as error:
        raise ValueError(f"{law} {error} ({dtype})") from None
    return law.parameters
