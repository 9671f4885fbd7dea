"""Written by tools/make_stubs.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import ArrayLike

    from .activations import ActivationFunction
    from .fans import Stride

SchemeName: TypeAlias = Literal[
    "zeros",
    "ones",
    "constant",
    "uniform",
    "normal",
    "truncated_normal",
    "array",
    "log_uniform",
    "complex_normal",
    "complex_truncated_normal",
    "complex_uniform",
    "variance_scaling",
    "xavier_uniform",
    "glorot_uniform",
    "xavier_normal",
    "glorot_normal",
    "he_uniform",
    "kaiming_uniform",
    "he_normal",
    "kaiming_normal",
    "lecun_uniform",
    "lecun_normal",
    "torch_default",
    "uniform_scaling",
    "siren",
    "orthogonal",
    "delta_orthogonal",
    "conv_orthogonal",
    "hadamard_orthogonal",
    "identity",
    "dirac",
    "sparse",
    "n_m_sparse",
    "hadamard",
    "zer_o",
    "icnr",
    "bilinear",
    "averaging",
    "stft",
    "positive_bias",
    "torch_bias",
    "forget_gate_bias",
    "chrono",
    "focal_prior",
    "class_prior",
    "dt_bias",
    "mamba_a_log",
    "s4d_real",
    "s4d_lin",
    "s4d_inv",
    "hippo_legs",
]
"""The names of the schemes."""


class Keywords(TypedDict, total=False):
    """The keywords that one scheme or another takes, for functions that pass them on."""

    activation: str | ActivationFunction
    axis: int
    bounds: Literal["sigma", "absolute"]
    classes: int | None
    distribution: Literal["normal", "truncated_normal", "uniform"]
    down: bool
    factor: int
    fan_in: float | None
    fan_out: float | None
    first: bool
    floor: float
    forget: int
    gain: float | None
    gates: int
    groups: int
    high: float
    inner: SchemeName
    inner_numbers: Mapping[str, Any] | None
    input: int
    layout: str | None
    low: float
    m: int
    mean: float
    mode: Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
    n: int
    negative_slope: float | None
    omega: float
    order: Literal["pixel_shuffle", "depth_to_space"]
    packed: int
    periodic: bool
    prior: float
    radius: float
    scale: float
    scaling: Literal["density", "spectrum"] | None
    shift: int
    side: Literal["real", "imag"]
    sparsity: float
    states: int | None
    std: float
    stride: Stride
    t_max: float
    transposed: bool
    value: float
    values: ArrayLike
    window: Literal["hann", "hamming", "blackman"] | None
