"""One row of a plan: what is drawn for a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..arguments import checked_shape, choose, non_negative
from ..dtypes import dtype_name, nbytes
from ..laws import Distribution, Kept, from_dict
from ..laws.parts import of_reals
from ..schemes.catalogue import SCHEMES
from ..schemes.fans import Fans

# Why tensors are left alone.
FROZEN = "frozen (requires_grad=False): it keeps the model's own values"
BUFFER = "a buffer: it keeps the model's own values"
NOT_A_PARAMETER = "not a parameter: it keeps the model's own values"
COUNTS = "integers or bools, which are not drawn"
WRITTEN = "a buffer: the values that the model's code writes"
# What JSON has of a row.
KEYS: Mapping[str, Any] = dict.fromkeys(("shape", "dtype", "module", "scheme", "fans", "distribution", "rule", "reason",
                                         "lr", "also", "buffer", "bytes"))  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One row of a plan: what a parameter is drawn from, and why.

    Attributes
    ----------
    name, shape, dtype
        The tensor.
    scheme
        The name of the scheme that chose the distribution; "" for a tensor that is left alone.
    distribution
        What it is drawn from; `Kept` for a tensor that is left alone.
    fans
        The fans that the distribution rests on, or None.
    rule
        The number of the recipe's rule that decided, from 1; 0 if none did.
    reason
        Why, in words.
    module
        The type of the module that owns the parameter, or "".
    lr
        A factor on its learning rate.
    also
        The numbers of later rules whose patterns match too, except optional ones.
    buffer
        Whether the model has it as a buffer, which recipes leave as the model's code writes it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scheme: str
    distribution: Distribution
    fans: Fans | None
    rule: int = 0
    reason: str = ""
    module: str = ""
    lr: float = 1.0
    also: tuple[int, ...] = ()
    buffer: bool = False

    @classmethod
    def kept(cls, name: str, shape: tuple[int, ...], dtype: str, reason: str, module: str = "") -> Parameter:
        """The row of a tensor that is left alone, and why. Its dtype may be one that cannot be drawn."""
        return cls(name, shape, dtype, "", Kept(), None, 0, reason, module)

    @property
    def nbytes(self) -> int:
        """The bytes of its values."""
        return nbytes(self.shape, self.dtype)

    def to_dict(self) -> dict[str, Any]:
        """The row for JSON, without its name."""
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "scheme": self.scheme,
            "fans": list(self.fans) if self.fans else None,
            "distribution": self.distribution.to_dict(),
            "rule": self.rule,
            "reason": self.reason,
            "module": self.module,
            "lr": self.lr,
            "also": list(self.also),
            "buffer": self.buffer,
            "bytes": self.nbytes,
        }

    @classmethod
    def from_dict(cls, name: str, data: Any) -> Parameter:
        """The row that `to_dict` described. Raises ValueError, naming it, for anything else."""
        match data:
            case {
                "shape": list(shape), "dtype": str(dtype), "scheme": str(scheme), "distribution": dict(law),
                "fans": (None | [int() | float(), int() | float()]) as counted,
                "rule": int(rule), "reason": str(reason), "module": str(module),
                "lr": int() | float() as lr, "also": list(also),
            }:  # fmt: skip
                pass
            case _:
                raise ValueError(f"parameter {name!r} is not a row of a plan: {data!r}")
        try:
            for key in data:
                choose("key", key, KEYS)
            choose("scheme", scheme, SCHEMES)
            if not all(type(number) is int for number in also):
                raise ValueError(f"also must be a list of rules' numbers, not {also!r}")
            if type(buffer := data.get("buffer", False)) is not bool:
                raise ValueError(f"buffer must be true or false, not {buffer!r}")
            made = cls(name, checked_shape(shape), dtype_name(dtype), scheme, from_dict(law),
                       None if counted is None else Fans(*counted), rule, reason, module, non_negative("lr", lr),
                       tuple(also), buffer)  # fmt: skip
            of_reals(made.distribution, made.shape, made.dtype)
            return made
        except RecursionError:
            raise ValueError(f"parameter {name!r}: its distribution is nested too deeply") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"parameter {name!r}: {error}") from None
