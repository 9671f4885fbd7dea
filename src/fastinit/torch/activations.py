"""Which of torch's modules and functions are activations, under the names that `fastinit.gain` knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class ActivationCall(NamedTuple):
    """As `fastinit.recommend` takes them: a name or a function, and the slope of a leaky ReLU or the frequency of a sine."""

    function: str | Callable[[Any], Any]
    param: float | None = None

    @property
    def name(self) -> str:
        return self.function if isinstance(self.function, str) else self.function.__name__


_SPELLINGS = {
    name.replace("_", ""): name
    for name in (
        "relu", "relu6", "leaky_relu", "squared_relu", "elu", "celu", "selu", "gelu", "gelu_tanh", "quick_gelu", "silu",
        "swish", "mish", "hardswish", "softplus", "sigmoid", "hard_sigmoid", "log_sigmoid", "tanh", "hardtanh",
        "softsign", "tanhshrink", "softshrink", "hardshrink", "erf", "sin",
    )
} | {"newgelu": "gelu_tanh", "fastgelu": "gelu_tanh", "pytorchgelutanh": "gelu_tanh", "relusquared": "squared_relu",
     "prelu": "leaky_relu", "rrelu": "leaky_relu"}  # fmt: skip
# The values of these attributes with which the name says everything.
_USUAL = {"alpha": 1.0, "beta": 1.0, "lambd": 0.5, "min_val": -1.0, "max_val": 1.0}


def _spelt(name: str) -> str | None:
    return _SPELLINGS.get(re.sub("_|activation$", "", name.lower()))


def of_module(module: nn.Module) -> ActivationCall | None:
    """The activation that a module is, or None."""
    name = _spelt(type(module).__name__)
    if name is None or any(True for _ in module.children()):
        return None
    if isinstance(module, nn.PReLU):
        return ActivationCall("leaky_relu", 0.25)
    if isinstance(module, nn.RReLU):
        return ActivationCall("leaky_relu", (module.lower + module.upper) / 2)
    if name == "leaky_relu":
        return ActivationCall(name, float(getattr(module, "negative_slope", 0.01)))
    if getattr(module, "approximate", "none") == "tanh":
        return ActivationCall("gelu_tanh")
    if name != "relu6" and any(getattr(module, key, usual) != usual for key, usual in _USUAL.items()):
        return ActivationCall(_called(module, name))
    return ActivationCall(name)


def of_function(
    function: Any, keywords: Mapping[str, Any], arguments: tuple[Any, ...] = ()
) -> ActivationCall | None:
    """The activation that a function, or a method by its name, is, or None. `arguments` are those after the tensor."""
    name = _spelt(function if isinstance(function, str) else getattr(function, "__name__", ""))
    if name == "leaky_relu":
        slope = keywords.get("negative_slope", arguments[0] if arguments else 0.01)
        return ActivationCall(name, float(slope)) if isinstance(slope, (int, float)) else None
    if name == "gelu" and keywords.get("approximate") == "tanh":
        return ActivationCall("gelu_tanh")
    return None if name is None else ActivationCall(name)


def _called(module: nn.Module, name: str) -> Callable[[Any], Any]:
    def function(z: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.no_grad():
            values: NDArray[np.float64] = module(torch.tensor(z)).numpy()
        return values

    function.__name__ = name
    return function
