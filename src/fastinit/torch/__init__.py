"""A drop-in for `torch.nn.init`: `import fastinit.torch as init` in place of `import torch.nn.init as init`.

The names that begin with an underscore are private in torch too, but imported by much code elsewhere.

What torch has not: whole modules by name (`init_module`, `plan_module`), a model's own code as a plan (`record`), and a plan
into a model, sharded or not (`init_`); what an initialisation does to a model (`probe`), and gains from data (`calibrate`).
"""

from ..extras import needs

needs("torch", extra="torch", what="fastinit.torch")

from torch.nn.init import _calculate_correct_fan as _calculate_correct_fan
from torch.nn.init import _calculate_fan_in_and_fan_out as _calculate_fan_in_and_fan_out
from torch.nn.init import _no_grad_fill_ as _no_grad_fill_
from torch.nn.init import _no_grad_zero_ as _no_grad_zero_
from torch.nn.init import (
    constant_,
    ones_,
    zeros_,
)

from .functional import _no_grad_normal_ as _no_grad_normal_
from .functional import _no_grad_trunc_normal_ as _no_grad_trunc_normal_
from .functional import _no_grad_uniform_ as _no_grad_uniform_
from .functional import (
    calculate_gain,
    constant,
    dirac,
    dirac_,
    eye,
    eye_,
    kaiming_normal,
    kaiming_normal_,
    kaiming_uniform,
    kaiming_uniform_,
    normal,
    normal_,
    orthogonal,
    orthogonal_,
    sparse,
    sparse_,
    trunc_normal_,
    uniform,
    uniform_,
    xavier_normal,
    xavier_normal_,
    xavier_uniform,
    xavier_uniform_,
)
from .modules import init_module, plan_module
from .probing.calibrate import calibrate
from .probing.probe import probe
from .recording.record import record
from .sharded import init_

__all__ = [
    "calculate_gain",
    "calibrate",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "init_",
    "init_module",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "plan_module",
    "probe",
    "record",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]
