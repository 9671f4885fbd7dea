"""Neural-network initialisation at the speed of memory, with the same bits everywhere."""

from .checksum import checksum
from .config import available_isas, get_num_threads, isa, set_num_threads, show_config
from .distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from .fans import Fans, fans
from .fill import draw, fill, random_bits, scheme_function
from .gains import gain
from .lint import diff, lint
from .plan import Parameter, Plan, init, plan_for
from .schemes import SCHEMES, distribution
from .verify import verify

__version__ = "0.1.0"

zeros = scheme_function("zeros")
ones = scheme_function("ones")
constant = scheme_function("constant")
uniform = scheme_function("uniform")
normal = scheme_function("normal")
truncated_normal = scheme_function("truncated_normal")
variance_scaling = scheme_function("variance_scaling")
xavier_uniform = scheme_function("xavier_uniform")
xavier_normal = scheme_function("xavier_normal")
glorot_uniform = scheme_function("glorot_uniform")
glorot_normal = scheme_function("glorot_normal")
he_uniform = scheme_function("he_uniform")
he_normal = scheme_function("he_normal")
kaiming_uniform = scheme_function("kaiming_uniform")
kaiming_normal = scheme_function("kaiming_normal")
lecun_uniform = scheme_function("lecun_uniform")
lecun_normal = scheme_function("lecun_normal")
torch_default = scheme_function("torch_default")
positive_bias = scheme_function("positive_bias")
torch_bias = scheme_function("torch_bias")
orthogonal = scheme_function("orthogonal")

__all__ = [
    "SCHEMES",
    "Constant",
    "Distribution",
    "Fans",
    "Normal",
    "Parameter",
    "Plan",
    "TruncatedNormal",
    "Uniform",
    "available_isas",
    "checksum",
    "constant",
    "diff",
    "distribution",
    "draw",
    "fans",
    "fill",
    "gain",
    "get_num_threads",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "init",
    "isa",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "lint",
    "normal",
    "ones",
    "orthogonal",
    "plan_for",
    "positive_bias",
    "random_bits",
    "set_num_threads",
    "show_config",
    "torch_bias",
    "torch_default",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "verify",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
