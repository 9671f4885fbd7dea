"""Schemes whose matrix has orthonormal rows or columns. Their last bits follow NumPy's matrix product."""

from __future__ import annotations

from ...arguments import flag, integer, positive_integer
from ...laws.orthogonal import ConvOrthogonal, DeltaOrthogonal, HadamardOrthogonal, Orthogonal
from .row import PLACES, Number, Scheme, Target


def _row_axis(axis: int | None) -> int:
    if axis is None:  # as an einsum or a dense layer of several axes has it
        raise ValueError(
            "several axes are inputs and several are outputs: give axis=, which counts the rows of the matrix"
        )
    return integer("axis", axis)


def _orthogonal(w: Target, gain: float, axis: int | None) -> Orthogonal:
    axis, blocks = _row_axis(axis), w.geometry.packed
    stacked: tuple[int, ...] = ()
    if w.geometry.layout is not None:
        axis = w.layout.index("o")
        stacked = tuple(i for i, letter in enumerate(w.layout) if letter == "b")
    transposed = flag("transposed", w.geometry.transposed)
    if (groups := positive_integer("groups", w.geometry.groups)) > 1:
        along = w.layout.index("i" if transposed else "o")
        if axis not in (along, along - len(w.shape)):
            raise ValueError(f"groups lie along axis {along}, but axis {axis} counts the rows of the matrix")
        if w.shape[along] % groups:
            raise ValueError(f"groups must divide {w.shape[along]}, got {groups}")
        blocks = positive_integer("packed", blocks) * groups
    return Orthogonal(gain, axis, blocks, stacked)


_GAIN = Number("gain", float, 1.0, "A factor on the matrix: the singular values.")
_AXIS = Number("axis", int, 0, "The axis that counts the rows of the matrix; all others count its columns.")

ROWS = (
    Scheme(
        name="orthogonal",
        summary="A random matrix with orthonormal rows or columns.",
        use="recurrent layers, deep linear and tanh stacks",
        formula="gain Q, with Q uniform (Haar) among the matrices with Q^T Q = I or Q Q^T = I",
        tex=r"\mathrm{gain} \thinspace Q, \quad Q^\top Q = I \enspace\text{or}\enspace Q Q^\top = I, \quad Q \sim \text{Haar}",
        mean="0",
        std="gain / sqrt(max(rows, columns))",
        source="Saxe et al. 2013, https://arxiv.org/abs/1312.6120",
        build=_orthogonal,
        numbers=(_GAIN, _AXIS),
        geometry=("layout", "groups", "transposed", "packed"),
        note="With a layout, its 'o' axis counts the rows, and its 'b' axes stack such tensors. Each of several `packed` "
        "weights and each group of a convolution is orthogonal by itself. The last bits follow NumPy's matrix product.",
    ),
    Scheme(
        name="delta_orthogonal",
        summary="A random matrix with orthonormal rows or columns at the centre of the kernel, 0 elsewhere.",
        use="deep convolutional stacks without normalisation",
        formula="gain Q at the tap (k - 1) // 2 of each kernel axis, with Q uniform (Haar), else 0",
        tex=r"w_{o,i,t} = \begin{cases} \mathrm{gain} \thinspace Q_{o,i} & t = \text{centre} \cr 0 & \text{else} \end{cases}, \quad Q \sim \text{Haar}",
        mean=None,
        std=None,
        source="Xiao et al. 2018, https://arxiv.org/abs/1806.05393",
        build=lambda w, gain: DeltaOrthogonal(gain, *w.places),
        numbers=(_GAIN,),
        geometry=PLACES,
        note="The layer keeps the norm of its input if it has no fewer outputs than inputs, else that of gradients. Each group "
        "of a grouped convolution is orthogonal by itself. The last bits follow NumPy's matrix product.",
    ),
    Scheme(
        name="conv_orthogonal",
        summary="A random convolution that keeps the norm of its input, under circular padding.",
        use="deep convolutional stacks without normalisation",
        formula="gain Q * (P_1, I - P_1) * ... * (P_(k-1), I - P_(k-1)), with each P_j a random projection of half rank",
        tex=r"\mathrm{gain} \thinspace Q * (P_1, I - P_1) * \dots * (P_{k-1}, I - P_{k-1}), \quad P_j \text{ a random projection of half rank}",
        mean="0",
        std="gain / sqrt(max(n_out, n_in) * taps)",
        source="Xiao et al. 2018, https://arxiv.org/abs/1806.05393",
        build=lambda w, gain: ConvOrthogonal(gain, *w.places),
        numbers=(_GAIN,),
        geometry=PLACES,
        note="With fewer outputs than inputs it keeps the norm of gradients instead. The kernel may have any number of axes, "
        "of any length. Each group of a grouped convolution is orthogonal by itself. The last bits follow NumPy's matrix "
        "product.",
        specialist=True,
    ),
    Scheme(
        name="hadamard_orthogonal",
        summary="A matrix with orthonormal rows or columns, from random signs and permutations.",
        use="large matrices: it takes n^2 log n steps",
        formula="gain D3 H D2 P2 H D1 P1, with D random signs, P random permutations and H a Hadamard matrix",
        tex=r"\mathrm{gain} \thinspace D_3 \thinspace H D_2 P_2 \thinspace H D_1 P_1, \quad D \text{ signs}, \enspace P \text{ permutations}, \enspace H \text{ Hadamard}",
        mean="0",
        std="gain / sqrt(max(rows, columns))",
        source="Yu et al. 2016, https://arxiv.org/abs/1610.09072",
        build=lambda w, gain, axis: HadamardOrthogonal(gain, _row_axis(axis)),
        numbers=(_GAIN, _AXIS),
        note="Its entries are nearly normal, but there are finitely many such matrices: it is not uniform (Haar) as "
        "`orthogonal` is. The last bits follow NumPy's matrix product.",
        specialist=True,
    ),
)
