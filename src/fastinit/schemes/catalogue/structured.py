"""Schemes whose elements are tied to their places: identities, filters, sparse matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from ...arguments import flag, instance, non_negative, positive_integer, real
from ...laws.patterns import Channelwise, Hadamard, Identity, Stft, ZerO
from ...laws.sparse import NMSparse, Sparse
from ...laws.transformed import Icnr, shape_before
from ..names import SchemeName
from .row import FANS, PLACES, Number, OfNumbers, Scheme, Target


def _n_m_sparse(w: Target, n: int, m: int, gain: float) -> NMSparse:
    kept = real("n", positive_integer("n", n)) / real("m", positive_integer("m", m))
    std = non_negative("gain", gain) / math.sqrt(w.fan("fan_in") * kept)
    return NMSparse(std, n, m, w.layout.index("i"))


def _icnr(w: Target, inner: str, factor: int, order: str, inner_numbers: Mapping[str, Any] | None) -> Icnr:
    own = {} if inner_numbers is None else instance("inner_numbers", inner_numbers, Mapping)
    layout, transposed = w.geometry.layout, flag("transposed", w.geometry.transposed)
    before = shape_before(w.shape, factor, layout, transposed)
    return Icnr(w.another("inner", inner, before, own), factor, order, layout, transposed)


def _bilinear(w: Target, gain: float, down: bool) -> Channelwise:
    return w.channelwise("triangle_mean" if flag("down", down) else "triangle", gain)


_GAIN = Number("gain", float, 1.0, "A factor on every value.")

ROWS = (
    Scheme(
        name="identity",
        summary="The identity matrix, cut or padded with zeros if it is not square.",
        use="linear layers that start as the identity",
        formula="gain if o = (i + shift) mod n_out and i < n_out, else 0",
        tex=r"w_{o,i} = \begin{cases} \mathrm{gain} & i < n_\mathrm{out}, \enspace o = (i + \mathrm{shift}) \bmod n_\mathrm{out} \cr 0 & \text{else} \end{cases}",
        mean=None,
        std=None,
        source=None,
        build=lambda w, gain, shift: Identity(gain, shift, w.geometry.layout),
        numbers=(_GAIN, Number("shift", int, 0, "By how many places the outputs are rotated.")),
        geometry=("layout",),
        note="All axes but the last two, or those that the layout calls 'b', stack such matrices.",
        random=False,
    ),
    Scheme(
        name="dirac",
        summary="A convolution that starts as the identity: 1 at the centre of the kernel for equal channels.",
        use="convolutions that start as the identity",
        formula="gain if o = i and each tap is k // 2, else 0",
        tex=r"w_{o,i,t} = \begin{cases} \mathrm{gain} & o = i, \enspace t = \lfloor k / 2 \rfloor \cr 0 & \text{else} \end{cases}",
        mean=None,
        std=None,
        source="Zagoruyko and Komodakis 2017, https://arxiv.org/abs/1706.00388",
        build=lambda w, gain: w.channelwise("centre", gain),
        numbers=(_GAIN,),
        geometry=PLACES,
        note="Output c of each group is its input c, as in torch.",
        random=False,
    ),
    Scheme(
        name="sparse",
        summary="Normal values, of which the same number is zero in every column.",
        use="sparse layers, recurrent networks",
        formula="N(0, std^2), but 0 at ceil(sparsity n) random places of the n of a column",
        tex=r"\mathcal{N}(0, \mathrm{std}^2), \quad 0 \text{ at } \lceil \mathrm{sparsity} \cdot n \rceil \text{ random places of a column's } n",
        mean="0",
        std="std * sqrt(1 - sparsity)",
        source="Martens 2010, https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf",
        build=OfNumbers(Sparse),
        numbers=(
            Number("sparsity", float, 0.9, "The share of zeros in a column, from 0 to 1."),
            Number("std", float, 0.01, "The standard deviation of the values that are not zero."),
            Number("axis", int, 0, "The axis along which a column lies: 0 in torch, -1 in MLX."),
        ),
        example="(20, 4)",
    ),
    Scheme(
        name="n_m_sparse",
        summary="Normal values, of which n of each m neighbours along the input axis are not zero.",
        use="2:4 sparse layers for NVIDIA's sparse tensor cores",
        formula="N(0, (m / n) gain^2 / fan_in) at n random places of each m, else 0",
        tex=r"\mathcal{N}\left(0, \frac{m}{n} \frac{\mathrm{gain}^2}{\mathrm{fan}_\mathrm{in}}\right) \text{ at } n \text{ random places of each } m, \text{ else } 0",
        mean="0",
        std="gain / sqrt(fan_in)",
        source="Mishra et al. 2021, https://arxiv.org/abs/2104.08378",
        build=_n_m_sparse,
        numbers=(
            Number("n", int, 2, "How many of each m values are not zero."),
            Number(
                "m",
                int,
                4,
                "How many neighbours count together. It must divide the length of the input axis.",
            ),
            Number("gain", float, 1.0, "A factor on the std."),
        ),
        geometry=FANS,
        note="The variance of the values that are kept makes up for those that are not.",
        specialist=True,
    ),
    Scheme(
        name="hadamard",
        summary="Sylvester's Hadamard matrix, scaled to have orthonormal rows or columns.",
        use="fixed orthogonal projections",
        formula="gain / sqrt(n) (-1)^popcount(row and column), with n = max(rows, columns)",
        tex=r"w_{r,c} = \frac{\mathrm{gain}}{\sqrt n} (-1)^{\mathrm{popcount}(r \thinspace \mathrm{and} \thinspace c)}, \quad n = \max(n_\mathrm{rows}, n_\mathrm{columns})",
        mean=None,
        std=None,
        source="Sylvester 1867, Philosophical Magazine 34",
        build=OfNumbers(Hadamard),
        numbers=(_GAIN,),
        note="The longer of the last two axes must be a power of two. Leading axes stack such matrices.",
        specialist=True,
        random=False,
    ),
    Scheme(
        name="zer_o",
        summary="The identity if there are at most as many outputs as inputs, else part of a Hadamard matrix.",
        use="residual networks that start without chance (ZerO)",
        formula="identity if n_out <= n_in, else H / sqrt(p), with p the power of two from n_out on; at the tap k // 2",
        tex=r"w_{o,i} = \begin{cases} \delta_{o,i} & n_\mathrm{out} \le n_\mathrm{in} \cr H_{o,i} / \sqrt p & \text{else} \end{cases}, \quad p = 2^{\lceil \log_2 n_\mathrm{out} \rceil}",
        mean=None,
        std=None,
        source="Zhao et al. 2021, https://arxiv.org/abs/2110.12661",
        build=lambda w: ZerO(1.0, *w.places),
        geometry=PLACES,
        note="In a convolution it stands at the centre of the kernel, k // 2; all other taps are zero.",
        specialist=True,
        random=False,
    ),
    Scheme(
        name="icnr",
        summary="Values of another scheme, repeated so that the pixels of one patch start equal.",
        use="convolutions before a pixel shuffle, against checkerboard patterns",
        formula="w[o] = v[o // r], with v from `inner` and r = factor^(number of kernel axes)",
        tex=r"w_{o,i,t} = v_{\lfloor o / r \rfloor,i,t}, \quad v \sim \mathrm{inner}, \quad r = \mathrm{factor}^d",
        mean=None,
        std=None,
        source="Aitken et al. 2017, https://arxiv.org/abs/1707.02937",
        build=_icnr,
        numbers=(
            Number("inner", SchemeName, "he_normal", "The scheme that is drawn."),
            Number("factor", int, 2, "By how much each axis of the image is enlarged."),
            Number(
                "order",
                Literal["pixel_shuffle", "depth_to_space"],
                "pixel_shuffle",
                "Which outputs make one patch: 'pixel_shuffle', consecutive ones (torch), or 'depth_to_space', every n-th "
                "(TensorFlow).",
            ),
            Number(
                "inner_numbers",
                Mapping[str, Any] | None,
                None,
                "The keywords of `inner`. By default its own defaults.",
            ),
        ),
        geometry=FANS,
        example="(8, 2, 3, 3)",
        specialist=True,
    ),
    Scheme(
        name="bilinear",
        summary="The taps of linear interpolation, channel by channel.",
        use="transposed convolutions that start as upsampling by ceil(k / 2)",
        formula="gain times the product of 1 - |t - (k - 1) / 2| / ceil(k / 2) over the kernel axes if o = i, else 0",
        tex=r"w_{c,c,t} = \mathrm{gain} \prod_j \left(1 - \frac{|t_j - (k_j - 1) / 2|}{\lceil k_j / 2 \rceil}\right), \quad\text{else } 0",
        mean=None,
        std=None,
        source="Long et al. 2015, https://arxiv.org/abs/1411.4038",
        build=_bilinear,
        numbers=(
            _GAIN,
            Number(
                "down",
                bool,
                False,
                "Whether the taps are scaled to the sum 1, for a convolution that downsamples.",
            ),
        ),
        geometry=PLACES,
        specialist=True,
        random=False,
    ),
    Scheme(
        name="averaging",
        summary="The mean over the kernel, channel by channel.",
        use="convolutions that start as average pooling",
        formula="gain / (number of taps) if o = i, else 0",
        tex=r"w_{c,c,t} = \mathrm{gain} \prod_j \frac{1}{k_j}, \quad\text{else } 0",
        mean=None,
        std=None,
        source=None,
        build=lambda w, gain: w.channelwise("mean", gain),
        numbers=(_GAIN,),
        geometry=PLACES,
        specialist=True,
        random=False,
    ),
    Scheme(
        name="stft",
        summary="One side of a short-term Fourier transform, as a convolution of shape (frame, 1, frequencies).",
        use="spectrograms as a layer",
        formula="h[t] cos(2 pi t f / (2 F - 2)) or -h[t] sin(2 pi t f / (2 F - 2)), with h the window and F frequencies",
        tex=r"h_t \cos \frac{2 \pi t f}{2 F - 2} \quad\text{or}\quad -h_t \sin \frac{2 \pi t f}{2 F - 2}, \quad h \text{ the window}, \enspace F \text{ frequencies}",
        mean=None,
        std=None,
        source="Keras, keras.initializers.STFT, https://keras.io/api/layers/initializers/",
        build=OfNumbers(Stft),
        numbers=(
            Number(
                "side",
                Literal["real", "imag"],
                "real",
                "Which part of the transform: cosines or minus sines.",
            ),
            Number(
                "window",
                Literal["hann", "hamming", "blackman"] | None,
                "hann",
                "The window, or None for no window.",
            ),
            Number(
                "scaling",
                Literal["density", "spectrum"] | None,
                "density",
                "By what the window is divided: 'density', the root of the sum of its squares, 'spectrum', its sum, or None, "
                "nothing.",
            ),
            Number(
                "periodic",
                bool,
                False,
                "Whether the window repeats after `frame` samples, and not after frame - 1.",
            ),
        ),
        example="(8, 1, 5)",
        specialist=True,
        random=False,
    ),
)
