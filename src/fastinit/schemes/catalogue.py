"""The table of schemes: a name, a shape and some numbers -> the law to draw. A new scheme is one row."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..arguments import choose, flag, instance, non_negative, positive, positive_integer, real
from ..laws.biases import Chrono, ForgetGate, StepSize
from ..laws.distributions import Constant, Distribution, Normal, Uniform
from ..laws.exact_math import log
from ..laws.layout import checked_layout
from ..laws.orthogonal import ConvOrthogonal, DeltaOrthogonal, HadamardOrthogonal, Orthogonal
from ..laws.patterns import Channelwise, Given, Hadamard, Identity, Stft, ZerO
from ..laws.sparse import NMSparse, Sparse
from ..laws.state_space import StateMatrix
from ..laws.structured import Structured
from ..laws.transformed import (
    ComplexTruncatedNormal,
    ComplexUniform,
    Icnr,
    LogUniform,
    check_complex,
    shape_before,
)
from .scaling import Fan, he, of_variance, scaled, truncated, uniform

GLOROT = "Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html"
HE = "He et al. 2015, https://arxiv.org/abs/1502.01852"
S4D = "Gu et al. 2022, https://arxiv.org/abs/2206.11893"
MAMBA = "Gu and Dao 2023, https://arxiv.org/abs/2312.00752"
LECUN = "LeCun et al. 1998, Efficient BackProp"
CATEGORIES = ("fill", "fan-scaled", "structured", "bias", "state-space")


@dataclass(frozen=True, slots=True)
class Target:
    """What a row may ask of the tensor that it is for."""

    shape: tuple[int, ...]
    fan: Fan
    given_layout: str | None
    groups: int
    transposed: bool
    packed: int
    law: Callable[..., Distribution | Structured]
    """(scheme, shape, its own numbers) -> the law of another scheme, for the same layout and groups."""

    @property
    def layout(self) -> str:
        return checked_layout(self.shape, self.given_layout, self.transposed)

    def channelwise(self, taps: str, gain: float) -> Channelwise:
        return Channelwise(gain, self.given_layout, self.groups, self.transposed, taps)


@dataclass(frozen=True)
class Scheme:
    """One row: `formula` is TeX, `numbers` are its own keywords with their defaults, `geometry` those of `fans` that it
    heeds, and `example` the arguments of a call that can be shown."""

    name: str
    summary: str
    formula: str
    source: str
    build: Callable[..., Distribution | Structured]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    geometry: tuple[str, ...] = ()
    category: str = "fill"
    aliases: tuple[str, ...] = ()
    example: str = "(4, 4)"

    @property
    def needs_fans(self) -> bool:
        return "fan_in" in self.geometry


def _orthogonal(w: Target, gain: float, axis: int) -> Orthogonal:
    if w.given_layout is None:
        return Orthogonal(gain, axis, w.packed)
    stacked = tuple(i for i, letter in enumerate(w.layout) if letter == "b")
    return Orthogonal(gain, w.layout.index("o"), w.packed, stacked)


def _complex_normal(w: Target, std: float) -> Normal:
    check_complex(w.shape)
    return Normal(0.0, non_negative("std", std) / math.sqrt(2))


def _siren(w: Target, first: bool, omega: float) -> Distribution:
    flag("first", first)
    omega, fan_in = positive("omega", omega), w.fan("fan_in")
    bound = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
    return Uniform(-bound, bound)


def _n_m_sparse(w: Target, n: int, m: int, gain: float) -> NMSparse:
    kept = real("n", positive_integer("n", n)) / real("m", positive_integer("m", m))
    std = non_negative("gain", gain) / math.sqrt(w.fan("fan_in") * kept)
    return NMSparse(std, n, m, w.layout.index("i"))


def _icnr(w: Target, inner: str, factor: int, order: str, inner_numbers: Mapping[str, Any] | None) -> Icnr:
    choose("inner", inner, SCHEMES)
    own = {} if inner_numbers is None else instance("inner_numbers", inner_numbers, Mapping)
    before = shape_before(w.shape, factor, w.given_layout, flag("transposed", w.transposed))
    law = w.law(inner, before, **own)
    return Icnr(law, factor, order, w.given_layout, w.transposed)


def _bilinear(w: Target, gain: float, down: bool) -> Channelwise:
    return w.channelwise("triangle_mean" if flag("down", down) else "triangle", gain)


def _prior(prior: float) -> Constant:
    if not 0 < real("prior", prior) < 1:
        raise ValueError(f"prior must be between 0 and 1, got {prior!r}")
    return Constant(float(log(prior) - log(1 - prior)))


def _class_prior(w: Target, classes: int | None) -> Constant:
    if classes is None:
        if not w.shape:
            raise ValueError("class_prior of a scalar needs classes=")
        classes = max(w.shape[-1], 1)
    return Constant(-float(log(real("classes", positive_integer("classes", classes)))))


_PAIRS = "pairs along a last axis of length 2 (`.view(np.complex64)[..., 0]` makes them complex)"
_FANS = ("layout", "groups", "stride", "transposed", "packed", "fan_in", "fan_out")
_PLACES = ("layout", "groups", "transposed")
_HE_NUMBERS = {"mode": "fan_in", "gain": None, "activation": "relu", "param": None}

_ROWS = (
    Scheme("zeros", "Zeros.", "0", "elementary", lambda w: Constant(0.0)),
    Scheme("ones", "Ones.", "1", "elementary", lambda w: Constant(1.0)),
    Scheme("constant", "One value everywhere.", r"\mathrm{value}", "elementary",
           lambda w, value: Constant(value), {"value": 0.0}),
    Scheme("uniform", "Uniform between two bounds, or within eps of zero.",
           r"\mathcal{U}[\mathrm{low}, \mathrm{high}) \quad\text{or}\quad \mathcal{U}[-\mathrm{eps}, \mathrm{eps})",
           "elementary", lambda w, **numbers: uniform(**numbers), {"low": 0.0, "high": 1.0, "eps": None}),
    Scheme("normal", "Normal.", r"\mathcal{N}(\mathrm{mean}, \mathrm{std}^2)", "elementary",
           lambda w, mean, std: Normal(mean, std), {"mean": 0.0, "std": 1.0}),
    Scheme("truncated_normal",
           "Normal, cut at bounds in units of std, or in those of the values with bounds='absolute' (as torch does). "
           "The std is that of the normal before the cut.",
           r"\mathcal{N}(\mathrm{mean}, \mathrm{std}^2) \quad\text{given}\quad \mathrm{low} \le \frac{x - \mathrm{mean}}{\mathrm{std}} \le \mathrm{high}",
           "elementary",
           lambda w, **numbers: truncated(**numbers),
           {"mean": 0.0, "std": 1.0, "low": -2.0, "high": 2.0, "bounds": "sigma"}),
    Scheme("array", "Given values, of the shape of the tensor: what MXNet calls Load and Paddle Assign.",
           r"w_i = \mathrm{values}_i",
           "elementary", lambda w, values: Given(values), {"values": None}, example="(2,), values=[0.5, 1.5]"),
    Scheme("log_uniform", "Every order of magnitude between two positive bounds is equally likely.",
           r"e^u, \quad u \sim \mathcal{U}[\ln \mathrm{low}, \ln \mathrm{high})",
           "Reciprocal distribution", lambda w, low, high: LogUniform(low, high),
           {"low": 1e-3, "high": 1e-1}),
    Scheme("complex_normal",
           f"Independent normal real and imaginary parts, which are {_PAIRS}. The variance of both together is std^2.",
           r"x + i y, \quad x, y \sim \mathcal{N}(0, \mathrm{std}^2 / 2)",
           "elementary", _complex_normal, {"std": 1.0}, example="(4, 2)"),
    Scheme("complex_truncated_normal",
           f"Complex normal given that the modulus is at most 2 std; the parts are {_PAIRS}. The std is that before the cut; "
           "after it, it is .96196182800821354 std.",
           r"z = x + i y, \quad x, y \sim \mathcal{N}(0, \mathrm{std}^2 / 2) \quad\text{given}\quad |z| \le 2 \thinspace \mathrm{std}",
           "elementary", lambda w, std: ComplexTruncatedNormal(std),
           {"std": 1.0}, example="(4, 2)"),
    Scheme("complex_uniform", f"Uniform on a disk; the parts are {_PAIRS}. The std is radius / sqrt(2).",
           r"\mathrm{radius} \sqrt{u} \thinspace e^{i \varphi}, \quad u \sim \mathcal{U}[0, 1), \quad \varphi \sim \mathcal{U}[0, 2 \pi)",
           "elementary", lambda w, radius: ComplexUniform(radius),
           {"radius": 1.0}, example="(4, 2)"),
    Scheme("variance_scaling",
           "Zero mean and variance scale / n, n being fan_in, fan_out, fan_avg or fan_geo_avg. The truncated normal is "
           "cut at 2 sigma and widened so that its own variance is this.",
           r"\mathrm{E}[w] = 0, \quad \mathrm{Var}[w] = \frac{\mathrm{scale}}{n}", HE,
           lambda w, scale, mode, distribution: of_variance(non_negative("scale", scale), mode, distribution, w.fan),
           {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal"}, _FANS, "fan-scaled"),
    Scheme("xavier_uniform", "Keeps the signal through linear and tanh layers, forward and back.",
           r"\mathcal{U}[-a, a), \quad a = \mathrm{gain} \sqrt{\frac{6}{\mathrm{fan}_\mathrm{in} + \mathrm{fan}_\mathrm{out}}}",
           GLOROT,
           lambda w, gain: scaled(w.fan, "uniform", "fan_avg", gain), {"gain": 1.0}, _FANS, "fan-scaled", ("glorot_uniform",)),
    Scheme("xavier_normal",
           "Keeps the signal through linear and tanh layers, forward and back. Not truncated, as in torch; JAX and "
           "Keras cut theirs: variance_scaling(mode='fan_avg').",
           r"\mathcal{N}\left(0, \mathrm{gain}^2 \frac{2}{\mathrm{fan}_\mathrm{in} + \mathrm{fan}_\mathrm{out}}\right)",
           GLOROT,
           lambda w, gain: scaled(w.fan, "normal", "fan_avg", gain), {"gain": 1.0}, _FANS, "fan-scaled", ("glorot_normal",)),
    Scheme("he_uniform", "Keeps the signal through ReLU layers, or by the gain of another activation.",
           r"\mathcal{U}[-a, a), \quad a = \mathrm{gain} \sqrt{\frac{3}{\mathrm{fan}_\mathrm{in}}}",
           HE, lambda w, **numbers: he(w.fan, "uniform", **numbers),
           _HE_NUMBERS, _FANS, "fan-scaled", ("kaiming_uniform",)),
    Scheme("he_normal",
           "Keeps the signal through ReLU layers, or by the gain of another activation. Not truncated, as in torch; "
           "JAX and Keras cut theirs: variance_scaling(scale=2).",
           r"\mathcal{N}\left(0, \frac{\mathrm{gain}^2}{\mathrm{fan}_\mathrm{in}}\right)",
           HE, lambda w, **numbers: he(w.fan, "normal", **numbers),
           _HE_NUMBERS, _FANS, "fan-scaled", ("kaiming_normal",)),
    Scheme("lecun_uniform",
           "Keeps the signal through linear and self-normalising (SELU) layers. Caffe2's XavierFill is this law.",
           r"\mathcal{U}[-a, a), \quad a = \sqrt{\frac{3}{\mathrm{fan}_\mathrm{in}}}", LECUN,
           lambda w: of_variance(1.0, "fan_in", "uniform", w.fan), {}, _FANS, "fan-scaled"),
    Scheme("lecun_normal",
           "Keeps the signal through linear and self-normalising (SELU) layers. Not truncated; JAX and Keras cut "
           "theirs: variance_scaling().",
           r"\mathcal{N}\left(0, \frac{1}{\mathrm{fan}_\mathrm{in}}\right)",
           LECUN, lambda w: of_variance(1.0, "fan_in", "normal", w.fan), {}, _FANS, "fan-scaled"),
    Scheme("torch_default", "What torch's Linear and convolutions draw: a third of LeCun's variance.",
           r"\mathcal{U}[-a, a), \quad a = \frac{1}{\sqrt{\mathrm{fan}_\mathrm{in}}}",
           "torch.nn.Linear.reset_parameters",
           lambda w: of_variance(1 / 3, "fan_in", "uniform", w.fan), {}, _FANS, "fan-scaled"),
    Scheme("uniform_scaling",
           "Keeps the signal through linear layers, times a scale for the activation behind: 1.43 for ReLU, 1.15 for tanh.",
           r"\mathcal{U}[-a, a), \quad a = \mathrm{scale} \sqrt{\frac{3}{\mathrm{fan}_\mathrm{in}}}",
           "Sussillo and Abbott 2014, https://arxiv.org/abs/1412.6558",
           lambda w, scale: scaled(w.fan, "uniform", "fan_in", non_negative("scale", scale)), {"scale": 1.0}, _FANS, "fan-scaled"),
    Scheme("siren",
           "Layers with the activation sin(omega x): first=True for the one that takes the coordinates.",
           r"\mathcal{U}[-a, a), \quad a = \frac{1}{\omega} \sqrt{\frac{6}{\mathrm{fan}_\mathrm{in}}}, \quad\text{first layer:}\quad a = \frac{1}{\mathrm{fan}_\mathrm{in}}",
           "Sitzmann et al. 2020, https://arxiv.org/abs/2006.09661", _siren, {"first": False, "omega": 30.0}, _FANS,
           "fan-scaled"),
    Scheme("positive_bias", "A small positive bias, against ReLU units that never fire.", r"\mathrm{value}",
           "Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.3",
           lambda w, value: Constant(positive("value", value)), {"value": 0.01}, (), "bias"),
    Scheme("torch_bias", "What torch's Linear and convolutions draw for their bias; give the weight's fan_in.",
           r"\mathcal{U}[-a, a), \quad a = \frac{1}{\sqrt{\mathrm{fan}_\mathrm{in}}}",
           "torch.nn.Linear.reset_parameters",
           lambda w: of_variance(1 / 3, "fan_in", "uniform", w.fan), {}, _FANS, "bias", example="(4,), fan_in=16"),
    Scheme("orthogonal",
           "Semi-orthogonal, uniformly among all such: the axis counts the rows of the matrix, all others its columns. With a "
           "layout, 'o' is the axis, and 'b' axes stack such tensors. Of packed weights each is orthogonal by itself. The "
           "last bits follow NumPy's matrix product.",
           r"\mathrm{gain} \thinspace Q, \quad Q^\top Q = I \enspace\text{or}\enspace Q Q^\top = I, \quad Q \sim \text{Haar}",
           "Saxe et al. 2013, https://arxiv.org/abs/1312.6120",
           lambda w, gain, axis: _orthogonal(w, gain, axis), {"gain": 1.0, "axis": 0}, ("packed", "layout"), "structured"),
    Scheme("delta_orthogonal",
           "A convolution that starts as one semi-orthogonal matrix, at the centre tap: it keeps the norm of its input, if "
           "outputs are no fewer, else that of gradients. Even kernels have their centre at (k - 1) // 2, as in JAX. Of "
           "a grouped convolution each group is orthogonal by itself.",
           r"w_{o,i,t} = \begin{cases} \mathrm{gain} \thinspace Q_{o,i} & t = \text{centre} \cr 0 & \text{else} \end{cases}, \quad Q \sim \text{Haar}",
           "Xiao et al. 2018, https://arxiv.org/abs/1806.05393",
           lambda w, gain: DeltaOrthogonal(gain, w.given_layout, w.groups, w.transposed), {"gain": 1.0},
           _PLACES, "structured"),
    Scheme("identity",
           "Linear layers that start as the identity, cut or padded with zeros if not square; all axes but the last two, "
           "or those that the layout calls 'b', stack such layers. A shift moves the outputs round.",
           r"w_{o,i} = \begin{cases} \mathrm{gain} & i < n_\mathrm{out}, \enspace o = (i + \mathrm{shift}) \bmod n_\mathrm{out} \cr 0 & \text{else} \end{cases}",
           "elementary",
           lambda w, gain, shift: Identity(gain, shift, w.given_layout), {"gain": 1.0, "shift": 0}, ("layout",),
           "structured"),
    Scheme("dirac",
           "Convolutions that start as the identity: each group's output c is its input c, the centre being k // 2, as in "
           "torch.",
           r"w_{o,i,t} = \begin{cases} \mathrm{gain} & o = i, \enspace t = \lfloor k / 2 \rfloor \cr 0 & \text{else} \end{cases}",
           "Zagoruyko and Komodakis 2017, https://arxiv.org/abs/1706.00388",
           lambda w, gain: w.channelwise("centre", gain), {"gain": 1.0}, _PLACES, "structured"),
    Scheme("sparse",
           "Normal, but the same number of elements is zero in every column; the axis counts a column's rows, as in torch "
           "(MLX: -1).",
           r"\mathcal{N}(0, \mathrm{std}^2), \quad 0 \text{ at } \lceil \mathrm{sparsity} \cdot n \rceil \text{ random places of a column's } n",
           "Martens 2010, https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf",
           lambda w, **numbers: Sparse(**numbers), {"sparsity": 0.9, "std": 0.01, "axis": 0}, (), "structured"),
    Scheme("n_m_sparse",
           "Normal, but of each m neighbours along the input axis only n, chosen at random, are not zero (2:4 for NVIDIA's "
           "sparse cores). The variance of the kept ones makes up for the others: fan_in counts what is kept.",
           r"\mathcal{N}\left(0, \frac{m}{n} \frac{\mathrm{gain}^2}{\mathrm{fan}_\mathrm{in}}\right) \text{ at } n \text{ random places of each } m, \text{ else } 0",
           "Mishra et al. 2021, https://arxiv.org/abs/2104.08378", _n_m_sparse, {"n": 2, "m": 4, "gain": 1.0}, _FANS,
           "structured"),
    Scheme("conv_orthogonal",
           "A convolution that keeps the norm of its input exactly, under circular padding; that of gradients, if outputs "
           "are fewer. Any number and length of kernel axes; of a grouped convolution each group is orthogonal by itself. "
           "The last bits follow NumPy's matrix product.",
           r"\mathrm{gain} \thinspace Q * (P_1, I - P_1) * \dots * (P_{k-1}, I - P_{k-1}), \quad P_j \text{ a random projection of half rank}",
           "Xiao et al. 2018, https://arxiv.org/abs/1806.05393",
           lambda w, gain: ConvOrthogonal(gain, w.given_layout, w.groups, w.transposed), {"gain": 1.0}, _PLACES,
           "structured"),
    Scheme("hadamard_orthogonal",
           "Semi-orthogonal from random signs, permutations and Hadamard matrices, in O(n^2 log n): for large matrices. "
           "Entries have mean 0, variance 1 / n and nearly the normal law, but it is not Haar's law. The last bits follow "
           "NumPy's matrix product.",
           r"\mathrm{gain} \thinspace D_3 \thinspace H D_2 P_2 \thinspace H D_1 P_1, \quad D \text{ signs}, \enspace P \text{ permutations}, \enspace H \text{ Hadamard}",
           "Yu et al. 2016, https://arxiv.org/abs/1610.09072",
           lambda w, gain, axis: HadamardOrthogonal(gain, axis), {"gain": 1.0, "axis": 0}, (), "structured"),
    Scheme("hadamard",
           "Sylvester's matrix, scaled to be semi-orthogonal; leading axes stack it. The longer of the last two axes must be "
           "a power of two.",
           r"w_{r,c} = \frac{\mathrm{gain}}{\sqrt n} (-1)^{\mathrm{popcount}(r \thinspace \mathrm{and} \thinspace c)}, \quad n = \max(n_\mathrm{rows}, n_\mathrm{columns})",
           "Sylvester 1867", lambda w, gain: Hadamard(gain), {"gain": 1.0}, (),
           "structured"),
    Scheme("zer_o",
           "Neither chance nor zeros alone: the identity where outputs are no more than inputs, else part of a Hadamard "
           "matrix; at the centre tap k // 2 of a convolution.",
           r"w_{o,i} = \begin{cases} \delta_{o,i} & n_\mathrm{out} \le n_\mathrm{in} \cr H_{o,i} / \sqrt p & \text{else} \end{cases}, \quad p = 2^{\lceil \log_2 n_\mathrm{out} \rceil}",
           "Zhao et al. 2021, https://arxiv.org/abs/2110.12661",
           lambda w: ZerO(1.0, w.given_layout, w.groups, w.transposed), {}, _PLACES, "structured"),
    Scheme("icnr",
           "For convolutions in front of a pixel shuffle: the outputs that become neighbours start equal, so that no "
           "checkerboard appears. `inner` is the scheme drawn, with `inner_numbers`; order='depth_to_space' is TensorFlow's.",
           r"w_{o,i,t} = v_{\lfloor o / r \rfloor,i,t}, \quad v \sim \mathrm{inner}, \quad r = \mathrm{factor}^d",
           "Aitken et al. 2017, https://arxiv.org/abs/1707.02937",
           _icnr, {"inner": "he_normal", "factor": 2, "order": "pixel_shuffle", "inner_numbers": None}, _FANS, "structured",
           example="(8, 2, 3, 3)"),
    Scheme("bilinear",
           "Transposed convolutions of stride ceil(k / 2) that start as linear interpolation, channel by channel. "
           "down=True scales the taps to the sum 1 and gives the convolution for the way back.",
           r"w_{c,c,t} = \mathrm{gain} \prod_j \left(1 - \frac{|t_j - (k_j - 1) / 2|}{\lceil k_j / 2 \rceil}\right), \quad\text{else } 0",
           "Long et al. 2015, https://arxiv.org/abs/1411.4038", _bilinear, {"gain": 1.0, "down": False}, _PLACES,
           "structured"),
    Scheme("averaging", "Convolutions that start as the mean over the kernel, channel by channel.",
           r"w_{c,c,t} = \mathrm{gain} \prod_j \frac{1}{k_j}, \quad\text{else } 0", "elementary",
           lambda w, gain: w.channelwise("mean", gain), {"gain": 1.0}, _PLACES, "structured"),
    Scheme("stft",
           "One side ('real' or 'imag') of a short-term Fourier transform as a convolution of shape (frame, 1, frequencies). "
           "Windows: hann, hamming, blackman, None; scaled by their L2 norm ('density'), sum ('spectrum') or not (None).",
           r"h_t \cos \frac{2 \pi t f}{2 F - 2} \quad\text{or}\quad -h_t \sin \frac{2 \pi t f}{2 F - 2}, \quad h \text{ the window}, \enspace F \text{ frequencies}",
           "keras.initializers.STFT",
           lambda w, **numbers: Stft(**numbers),
           {"side": "real", "window": "hann", "scaling": "density", "periodic": False}, (), "structured",
           example="(8, 1, 5)"),
    Scheme("forget_gate_bias",
           "Lets a recurrent layer remember from the start. Gates lie side by side along the last axis: forget=1 for the "
           "orders of torch (input, forget, cell, output) and Keras, 2 for Haiku's. torch adds two biases: "
           "fill the other with zeros.",
           r"b = \begin{cases} \mathrm{value} & \text{gate} = \mathrm{forget} \cr 0 & \text{else} \end{cases}",
           "Jozefowicz et al. 2015, https://proceedings.mlr.press/v37/jozefowicz15.html",
           lambda w, **numbers: ForgetGate(**numbers), {"value": 1.0, "gates": 4, "forget": 1}, (), "bias"),
    Scheme("chrono",
           "Lets a recurrent layer remember for up to t_max steps, each unit for its own span. Gates lie side by side along "
           "the last axis; forget and input are their numbers.",
           r"b_\mathrm{forget} = \ln u, \quad b_\mathrm{input} = -\ln u, \quad u \sim \mathcal{U}[1, t_\mathrm{max} - 1), \quad\text{else } 0",
           "Tallec and Ollivier 2018, https://arxiv.org/abs/1804.11188",
           lambda w, **numbers: Chrono(**numbers), {"t_max": None, "gates": 4, "forget": 1, "input": 0}, (), "bias",
           example="(8,), t_max=100"),
    Scheme("focal_prior", "Makes a sigmoid output start at the frequency of a rare class.",
           r"-\ln \frac{1 - \mathrm{prior}}{\mathrm{prior}}",
           "Lin et al. 2017, https://arxiv.org/abs/1708.02002", lambda w, prior: _prior(prior), {"prior": 0.01}, (), "bias"),
    Scheme("class_prior",
           "Makes the sigmoid outputs of C exclusive classes start near 1 / C; C is the last axis, unless `classes` says it.",
           r"-\ln C",
           "Beyer et al. 2020, https://arxiv.org/abs/2006.07159", _class_prior, {"classes": None}, (), "bias"),
    Scheme("dt_bias", "The bias whose softplus, a state-space layer's step, is log-uniform, but at least floor.",
           r"\Delta + \ln(1 - e^{-\Delta}), \quad \Delta = \max(e^u, \mathrm{floor}), \quad u \sim \mathcal{U}[\ln \mathrm{low}, \ln \mathrm{high})",
           MAMBA,
           lambda w, **numbers: StepSize(**numbers), {"low": 1e-3, "high": 0.1, "floor": 1e-4}, (), "bias"),
    Scheme("mamba_a_log", "The logarithm of minus the diagonal state matrix, along the last axis: S4D-Real's.",
           r"\ln(n + 1)",
           MAMBA, lambda w: StateMatrix("mamba_a_log"), {}, (), "state-space"),
    Scheme("s4d_real", "A real diagonal state matrix, along the last axis.", "-(n + 1)", S4D,
           lambda w: StateMatrix("s4d_real"), {}, (), "state-space"),
    Scheme("s4d_lin", f"A complex diagonal state matrix, along the axis before the last; the parts are {_PAIRS}.",
           r"-\frac{1}{2} + i \pi n", S4D, lambda w: StateMatrix("s4d_lin"), {}, (), "state-space", example="(4, 2)"),
    Scheme("s4d_inv",
           f"A complex diagonal state matrix, along the axis before the last; the parts are {_PAIRS}. N is `states`, by default "
           "twice the stored modes, which stand for themselves and their conjugates.",
           r"-\frac{1}{2} + i \frac{N}{\pi} \left(\frac{N}{2 n + 1} - 1\right)",
           S4D, lambda w, states: StateMatrix("s4d_inv", states), {"states": None}, (),
           "state-space", example="(4, 2)"),
    Scheme("hippo_legs", "HiPPO's state matrix of scaled Legendre polynomials, in the last two axes.",
           r"w_{n,k} = \begin{cases} -\sqrt{(2 n + 1)(2 k + 1)} & n > k \cr -(n + 1) & n = k \cr 0 & \text{else} \end{cases}",
           "Gu et al. 2020, https://arxiv.org/abs/2008.07669",
           lambda w: StateMatrix("hippo_legs"), {}, (), "state-space"),
)  # fmt: skip

SCHEMES: Mapping[str, Scheme] = {name: row for row in _ROWS for name in (row.name, *row.aliases)}
