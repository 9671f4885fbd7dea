"""Structured distributions of biases: gates of recurrent layers, step sizes of state-space layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..arguments import Sizes, integer, non_negative, positive_integer, real
from ..dtypes import Array
from .distributions import Uniform
from .exact_math import expm1, log
from .structured import Stream, Structured, set_fields
from .transformed import LogUniform


def _checked_gate(argument: str, gate: int, gates: int) -> int:
    if not 0 <= integer(argument, gate) < gates:
        raise ValueError(f"{argument} must be a gate from 0 to {gates - 1}, got {gate!r}")
    return integer(argument, gate)


def _check_gates(shape: Sizes, gates: int) -> None:
    if not shape or shape[-1] % gates:
        raise ValueError(f"gates must divide the last axis, got gates={gates} for shape {shape}")


def _gate(bias: Array, gate: int, gates: int) -> Array:
    units = bias.shape[-1] // gates
    return bias[..., gate * units : (gate + 1) * units]


@dataclass(frozen=True, slots=True)
class ForgetGate(Structured):
    """`value` for gate number `forget`, 0 for the others; `gates` gates lie side by side along the last axis."""

    law: ClassVar[str] = "forget_gate"
    value: float = 1.0
    gates: int = 4
    forget: int = 1

    def __post_init__(self) -> None:
        gates = positive_integer("gates", self.gates)
        forget = _checked_gate("forget", self.forget, gates)
        set_fields(self, value=real("value", self.value), gates=gates, forget=forget)

    def check(self, shape: Sizes) -> None:
        _check_gates(shape, self.gates)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        bias = stream.zeros(shape)
        _gate(bias, self.forget, self.gates)[...] = self.value
        return bias


@dataclass(frozen=True, slots=True)
class Chrono(Structured):
    """ln U(1, t_max - 1) for the forget gate, the same values negated for the input gate, 0 for the others."""

    law: ClassVar[str] = "chrono"
    t_max: float
    gates: int = 4
    forget: int = 1
    input: int = 0

    def __post_init__(self) -> None:
        gates = positive_integer("gates", self.gates)
        forget, given = (_checked_gate(name, getattr(self, name), gates) for name in ("forget", "input"))
        if forget == given:
            raise ValueError(f"forget and input must be two gates, got {forget} for both")
        set_fields(self, t_max=real("t_max", self.t_max), gates=gates, forget=forget, input=given)
        if self.t_max < 2:
            raise ValueError(f"t_max must be at least 2, got {self.t_max}")

    def check(self, shape: Sizes) -> None:
        _check_gates(shape, self.gates)

    def values(self, shape: Sizes, stream: Stream) -> Array:
        bias = stream.zeros(shape)
        forget = _gate(bias, self.forget, self.gates)
        forget[...] = log(stream.draw(Uniform(1.0, self.t_max - 1), forget.shape))
        _gate(bias, self.input, self.gates)[...] = -forget
        return bias


@dataclass(frozen=True, slots=True)
class StepSize(Structured):
    """The b for which softplus(b) is the larger of `floor` and a log-uniform value between `low` and `high`."""

    law: ClassVar[str] = "step_size"
    low: float = 1e-3
    high: float = 0.1
    floor: float = 1e-4

    def __post_init__(self) -> None:
        bounds = LogUniform(self.low, self.high)
        set_fields(self, low=bounds.low, high=bounds.high, floor=non_negative("floor", self.floor))
        if self.high > 700:
            raise ValueError(f"high must be at most 700, got {self.high}")

    def values(self, shape: Sizes, stream: Stream) -> Array:
        steps = stream.draw(LogUniform(self.low, self.high), shape).astype(np.float64)
        steps = np.maximum(steps, self.floor)
        return (steps + log(-expm1(-steps))).astype(stream.dtype)
