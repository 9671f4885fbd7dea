from typing import Any, Protocol, TypeVar, overload

from numpy.typing import DTypeLike

from ..arguments import Shape
from ..dtypes import Array
from .blocks import Block
from .streams import Seed

_Out = TypeVar("_Out")

class SchemeFunction(Protocol):
    """The keywords of every scheme's function; ``numbers`` are the scheme's own and those that count its fans."""

    @overload
    def __call__(
        self,
        shape: Shape,
        *,
        out: None = None,
        seed: Seed = None,
        name: str = "",
        dtype: DTypeLike | None = None,
        block: Block = ...,
        threads: int | None = None,
        **numbers: Any,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        shape: Shape | None = None,
        *,
        out: _Out,
        seed: Seed = None,
        name: str = "",
        dtype: DTypeLike | None = None,
        block: Block = ...,
        threads: int | None = None,
        **numbers: Any,
    ) -> _Out: ...

averaging: SchemeFunction
bilinear: SchemeFunction
chrono: SchemeFunction
class_prior: SchemeFunction
complex_normal: SchemeFunction
complex_truncated_normal: SchemeFunction
complex_uniform: SchemeFunction
constant: SchemeFunction
conv_orthogonal: SchemeFunction
delta_orthogonal: SchemeFunction
dirac: SchemeFunction
dt_bias: SchemeFunction
focal_prior: SchemeFunction
forget_gate_bias: SchemeFunction
array: SchemeFunction
glorot_normal: SchemeFunction
glorot_uniform: SchemeFunction
hadamard: SchemeFunction
hadamard_orthogonal: SchemeFunction
he_normal: SchemeFunction
he_uniform: SchemeFunction
hippo_legs: SchemeFunction
icnr: SchemeFunction
identity: SchemeFunction
kaiming_normal: SchemeFunction
kaiming_uniform: SchemeFunction
lecun_normal: SchemeFunction
lecun_uniform: SchemeFunction
log_uniform: SchemeFunction
mamba_a_log: SchemeFunction
n_m_sparse: SchemeFunction
normal: SchemeFunction
ones: SchemeFunction
orthogonal: SchemeFunction
positive_bias: SchemeFunction
s4d_inv: SchemeFunction
s4d_lin: SchemeFunction
s4d_real: SchemeFunction
siren: SchemeFunction
sparse: SchemeFunction
stft: SchemeFunction
torch_bias: SchemeFunction
torch_default: SchemeFunction
truncated_normal: SchemeFunction
uniform: SchemeFunction
uniform_scaling: SchemeFunction
variance_scaling: SchemeFunction
xavier_normal: SchemeFunction
xavier_uniform: SchemeFunction
zer_o: SchemeFunction
zeros: SchemeFunction
