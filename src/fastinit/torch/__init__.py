"""A drop-in for `torch.nn.init`: `import fastinit.torch as init` in place of `import torch.nn.init as init`.

What torch has not: a plan of a whole model (`plan`) or of its own code (`record`), and its values in place, sharded or not
(`init_`), and checked (`checksum`, `verify`); the drop-in under code that cannot be edited (`patched`); what an initialisation
does to a model (`probe`), and gains from data (`calibrate`).

The names that begin with an underscore are private in torch too, but imported by much code elsewhere.
"""

from ..extras import needs as _needs

_needs("torch", extra="torch", what="fastinit.torch")

from torch.nn.init import (
    constant_,
    ones_,
    zeros_,
)

from ._private import _calculate_correct_fan as _calculate_correct_fan
from ._private import _calculate_fan_in_and_fan_out as _calculate_fan_in_and_fan_out
from ._private import _no_grad_fill_ as _no_grad_fill_
from ._private import _no_grad_zero_ as _no_grad_zero_
from .agreement import checksum, verify
from .build import build
from .deprecated import (
    constant,
    dirac,
    eye,
    kaiming_normal,
    kaiming_uniform,
    normal,
    orthogonal,
    sparse,
    uniform,
    xavier_normal,
    xavier_uniform,
)
from .functional import _no_grad_normal_ as _no_grad_normal_
from .functional import _no_grad_trunc_normal_ as _no_grad_trunc_normal_
from .functional import _no_grad_uniform_ as _no_grad_uniform_
from .functional import (
    kaiming_normal_,
    kaiming_uniform_,
    normal_,
    trunc_normal_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
)
from .modules import init_, plan
from .patched import patched
from .probing.calibrate import calibrate
from .probing.probe import probe
from .recording.record import record
from .scaling import calculate_gain
from .structured import dirac_, eye_, orthogonal_, sparse_

__all__ = [
    "build",
    "calculate_gain",
    "calibrate",
    "checksum",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "init_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "patched",
    "plan",
    "probe",
    "record",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "verify",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]
