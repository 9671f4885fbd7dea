"""Schemes: a name, a shape and some numbers -> the distribution to draw. Each one is a function here, too."""

from typing import TYPE_CHECKING

from .catalogue import SCHEMES as SCHEMES
from .catalogue import Scheme as Scheme
from .fans import Fans as Fans
from .recommend import Recommendation as Recommendation

if TYPE_CHECKING:
    from ..drawing.functions import (
        array as array,
    )
    from ..drawing.functions import (
        averaging as averaging,
    )
    from ..drawing.functions import (
        bilinear as bilinear,
    )
    from ..drawing.functions import (
        chrono as chrono,
    )
    from ..drawing.functions import (
        class_prior as class_prior,
    )
    from ..drawing.functions import (
        complex_normal as complex_normal,
    )
    from ..drawing.functions import (
        complex_truncated_normal as complex_truncated_normal,
    )
    from ..drawing.functions import (
        complex_uniform as complex_uniform,
    )
    from ..drawing.functions import (
        constant as constant,
    )
    from ..drawing.functions import (
        conv_orthogonal as conv_orthogonal,
    )
    from ..drawing.functions import (
        delta_orthogonal as delta_orthogonal,
    )
    from ..drawing.functions import (
        dirac as dirac,
    )
    from ..drawing.functions import (
        dt_bias as dt_bias,
    )
    from ..drawing.functions import (
        focal_prior as focal_prior,
    )
    from ..drawing.functions import (
        forget_gate_bias as forget_gate_bias,
    )
    from ..drawing.functions import (
        glorot_normal as glorot_normal,
    )
    from ..drawing.functions import (
        glorot_uniform as glorot_uniform,
    )
    from ..drawing.functions import (
        hadamard as hadamard,
    )
    from ..drawing.functions import (
        hadamard_orthogonal as hadamard_orthogonal,
    )
    from ..drawing.functions import (
        he_normal as he_normal,
    )
    from ..drawing.functions import (
        he_uniform as he_uniform,
    )
    from ..drawing.functions import (
        hippo_legs as hippo_legs,
    )
    from ..drawing.functions import (
        icnr as icnr,
    )
    from ..drawing.functions import (
        identity as identity,
    )
    from ..drawing.functions import (
        kaiming_normal as kaiming_normal,
    )
    from ..drawing.functions import (
        kaiming_uniform as kaiming_uniform,
    )
    from ..drawing.functions import (
        lecun_normal as lecun_normal,
    )
    from ..drawing.functions import (
        lecun_uniform as lecun_uniform,
    )
    from ..drawing.functions import (
        log_uniform as log_uniform,
    )
    from ..drawing.functions import (
        mamba_a_log as mamba_a_log,
    )
    from ..drawing.functions import (
        n_m_sparse as n_m_sparse,
    )
    from ..drawing.functions import (
        normal as normal,
    )
    from ..drawing.functions import (
        ones as ones,
    )
    from ..drawing.functions import (
        orthogonal as orthogonal,
    )
    from ..drawing.functions import (
        positive_bias as positive_bias,
    )
    from ..drawing.functions import (
        s4d_inv as s4d_inv,
    )
    from ..drawing.functions import (
        s4d_lin as s4d_lin,
    )
    from ..drawing.functions import (
        s4d_real as s4d_real,
    )
    from ..drawing.functions import (
        siren as siren,
    )
    from ..drawing.functions import (
        sparse as sparse,
    )
    from ..drawing.functions import (
        stft as stft,
    )
    from ..drawing.functions import (
        torch_bias as torch_bias,
    )
    from ..drawing.functions import (
        torch_default as torch_default,
    )
    from ..drawing.functions import (
        truncated_normal as truncated_normal,
    )
    from ..drawing.functions import (
        uniform as uniform,
    )
    from ..drawing.functions import (
        uniform_scaling as uniform_scaling,
    )
    from ..drawing.functions import (
        variance_scaling as variance_scaling,
    )
    from ..drawing.functions import (
        xavier_normal as xavier_normal,
    )
    from ..drawing.functions import (
        xavier_uniform as xavier_uniform,
    )
    from ..drawing.functions import (
        zer_o as zer_o,
    )
    from ..drawing.functions import (
        zeros as zeros,
    )
else:

    def __getattr__(name: str) -> object:
        """A scheme's function. It draws, and drawing stands above this folder: it is loaded when asked for."""
        if name not in SCHEMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from ..drawing import functions

        return getattr(functions, name)


__all__ = [
    "SCHEMES",
    "Fans",
    "Recommendation",
    "Scheme",
    "array",
    "averaging",
    "bilinear",
    "chrono",
    "class_prior",
    "complex_normal",
    "complex_truncated_normal",
    "complex_uniform",
    "constant",
    "conv_orthogonal",
    "delta_orthogonal",
    "dirac",
    "dt_bias",
    "focal_prior",
    "forget_gate_bias",
    "glorot_normal",
    "glorot_uniform",
    "hadamard",
    "hadamard_orthogonal",
    "he_normal",
    "he_uniform",
    "hippo_legs",
    "icnr",
    "identity",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "log_uniform",
    "mamba_a_log",
    "n_m_sparse",
    "normal",
    "ones",
    "orthogonal",
    "positive_bias",
    "s4d_inv",
    "s4d_lin",
    "s4d_real",
    "siren",
    "sparse",
    "stft",
    "torch_bias",
    "torch_default",
    "truncated_normal",
    "uniform",
    "uniform_scaling",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zer_o",
    "zeros",
]
