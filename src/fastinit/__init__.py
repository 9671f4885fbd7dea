"""Neural-network initialisation at the speed of memory, with the same bits everywhere."""

from . import inspection, propagation
from .catalogue import Scheme
from .checksum import checksum
from .config import available_isas, get_num_threads, isa, set_num_threads, show_config
from .distributions import Constant, Distribution, Normal, TruncatedNormal, Uniform
from .fans import Fans, fans
from .fill import draw, fill, random_bits, scheme_function
from .gains import gain
from .inspection import inspect
from .lint import Change, Finding, diff, lint
from .parameter import Parameter
from .plan import Plan, init, plan_for
from .recipe import Recipe, read_recipe
from .recommend import Recommendation, recommend
from .schemes import SCHEMES, distribution
from .structured import Structured
from .verify import verify

__version__ = "0.1.0"

zeros = scheme_function("zeros")
ones = scheme_function("ones")
constant = scheme_function("constant")
uniform = scheme_function("uniform")
normal = scheme_function("normal")
truncated_normal = scheme_function("truncated_normal")
array = scheme_function("array")
log_uniform = scheme_function("log_uniform")
complex_normal = scheme_function("complex_normal")
complex_truncated_normal = scheme_function("complex_truncated_normal")
complex_uniform = scheme_function("complex_uniform")
variance_scaling = scheme_function("variance_scaling")
xavier_uniform = scheme_function("xavier_uniform")
glorot_uniform = scheme_function("glorot_uniform")
xavier_normal = scheme_function("xavier_normal")
glorot_normal = scheme_function("glorot_normal")
he_uniform = scheme_function("he_uniform")
kaiming_uniform = scheme_function("kaiming_uniform")
he_normal = scheme_function("he_normal")
kaiming_normal = scheme_function("kaiming_normal")
lecun_uniform = scheme_function("lecun_uniform")
caffe2_xavier = scheme_function("caffe2_xavier")
lecun_normal = scheme_function("lecun_normal")
torch_default = scheme_function("torch_default")
uniform_scaling = scheme_function("uniform_scaling")
siren = scheme_function("siren")
positive_bias = scheme_function("positive_bias")
torch_bias = scheme_function("torch_bias")
orthogonal = scheme_function("orthogonal")
delta_orthogonal = scheme_function("delta_orthogonal")
identity = scheme_function("identity")
eye = scheme_function("eye")
dirac = scheme_function("dirac")
sparse = scheme_function("sparse")
n_m_sparse = scheme_function("n_m_sparse")
conv_orthogonal = scheme_function("conv_orthogonal")
hadamard_orthogonal = scheme_function("hadamard_orthogonal")
hadamard = scheme_function("hadamard")
zer_o = scheme_function("zer_o")
icnr = scheme_function("icnr")
bilinear = scheme_function("bilinear")
averaging = scheme_function("averaging")
stft = scheme_function("stft")
forget_gate_bias = scheme_function("forget_gate_bias")
chrono = scheme_function("chrono")
focal_prior = scheme_function("focal_prior")
class_prior = scheme_function("class_prior")
dt_bias = scheme_function("dt_bias")
mamba_a_log = scheme_function("mamba_a_log")
s4d_real = scheme_function("s4d_real")
s4d_lin = scheme_function("s4d_lin")
s4d_inv = scheme_function("s4d_inv")
hippo_legs = scheme_function("hippo_legs")
del scheme_function

__all__ = [
    "SCHEMES",
    "Change",
    "Constant",
    "Distribution",
    "Fans",
    "Finding",
    "Normal",
    "Parameter",
    "Plan",
    "Recipe",
    "Recommendation",
    "Scheme",
    "Structured",
    "TruncatedNormal",
    "Uniform",
    "array",
    "available_isas",
    "averaging",
    "bilinear",
    "caffe2_xavier",
    "checksum",
    "chrono",
    "class_prior",
    "complex_normal",
    "complex_truncated_normal",
    "complex_uniform",
    "constant",
    "conv_orthogonal",
    "delta_orthogonal",
    "diff",
    "dirac",
    "distribution",
    "draw",
    "dt_bias",
    "eye",
    "fans",
    "fill",
    "focal_prior",
    "forget_gate_bias",
    "gain",
    "get_num_threads",
    "glorot_normal",
    "glorot_uniform",
    "hadamard",
    "hadamard_orthogonal",
    "he_normal",
    "he_uniform",
    "hippo_legs",
    "icnr",
    "identity",
    "init",
    "inspect",
    "inspection",
    "isa",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "lint",
    "log_uniform",
    "mamba_a_log",
    "n_m_sparse",
    "normal",
    "ones",
    "orthogonal",
    "plan_for",
    "positive_bias",
    "propagation",
    "random_bits",
    "read_recipe",
    "recommend",
    "s4d_inv",
    "s4d_lin",
    "s4d_real",
    "set_num_threads",
    "show_config",
    "siren",
    "sparse",
    "stft",
    "torch_bias",
    "torch_default",
    "truncated_normal",
    "uniform",
    "uniform_scaling",
    "variance_scaling",
    "verify",
    "xavier_normal",
    "xavier_uniform",
    "zer_o",
    "zeros",
]
