"""One row of a plan: what is drawn for a parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..arguments import checked_shape, choose, non_negative
from ..dtypes import dtype_name, nbytes
from ..laws import Distribution, Structured, from_dict
from ..schemes.catalogue import SCHEMES
from ..schemes.fans import Fans


@dataclass(frozen=True)
class Parameter:
    """One row of a plan; ``rule`` counts the recipe's rules from 1, and is 0 where the ``reason`` is another.

    ``module`` is the type of the module that owns it, or ""; ``lr`` multiplies its learning rate; ``also`` are the later
    rules whose patterns match it, optional ones apart.
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

    @property
    def nbytes(self) -> int:
        return nbytes(self.shape, self.dtype)

    def to_dict(self) -> dict[str, Any]:
        """The row for JSON, but for its name."""
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
                raise ValueError(f"parameter {name!r} is no row of a plan: {data!r}")
        try:
            choose("scheme", scheme, SCHEMES)
            if not all(type(number) is int for number in also):
                raise ValueError(f"also must be a list of rules' numbers, not {also!r}")
            made = cls(name, checked_shape(shape), dtype_name(dtype), scheme, from_dict(law),
                       None if counted is None else Fans(*counted), rule, reason, module, non_negative("lr", lr),
                       tuple(also))  # fmt: skip
            if isinstance(made.distribution, Structured):
                made.distribution.check(made.shape)
            return made
        except RecursionError:
            raise ValueError(f"parameter {name!r}: its law is nested too deeply") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"parameter {name!r}: {error}") from None
