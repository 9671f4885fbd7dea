"""Laws: the distributions that a tensor can be drawn from, as plain data.

`Elementwise` distributions say what each element follows by itself; `Structured` ones say what a whole tensor is. All
modules are imported here, so that `from_dict` knows every class.
"""

from .base import Distribution, Kept, from_dict
from .biases import Chrono, ForgetGate, StepSize
from .composed import Patched, Transformed
from .copies import Copied
from .distributions import Constant, Elementwise, Normal, TruncatedNormal, Uniform
from .orthogonal import ConvOrthogonal, DeltaOrthogonal, HadamardOrthogonal, Orthogonal
from .parts import ComplexParts
from .patterns import Channelwise, Given, Hadamard, Identity, Stft, ZerO
from .sparse import NMSparse, Sparse
from .state_space import StateMatrix
from .structured import Structured
from .transformed import ComplexTruncatedNormal, ComplexUniform, Icnr, LogUniform
from .views import Norms, SingularVector, Viewed

__all__ = [
    "Channelwise",
    "Chrono",
    "ComplexParts",
    "ComplexTruncatedNormal",
    "ComplexUniform",
    "Constant",
    "ConvOrthogonal",
    "Copied",
    "DeltaOrthogonal",
    "Distribution",
    "Elementwise",
    "ForgetGate",
    "Given",
    "Hadamard",
    "HadamardOrthogonal",
    "Icnr",
    "Identity",
    "Kept",
    "LogUniform",
    "NMSparse",
    "Normal",
    "Norms",
    "Orthogonal",
    "Patched",
    "SingularVector",
    "Sparse",
    "StateMatrix",
    "StepSize",
    "Stft",
    "Structured",
    "Transformed",
    "TruncatedNormal",
    "Uniform",
    "Viewed",
    "ZerO",
    "from_dict",
]
