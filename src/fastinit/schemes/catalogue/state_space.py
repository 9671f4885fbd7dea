"""Schemes for state matrices of structured state-space layers."""

from __future__ import annotations

from ...laws.state_space import StateMatrix
from .row import Number, Scheme

_S4D = "Gu et al. 2022, https://arxiv.org/abs/2206.11893"
_PAIRS = (
    "In a complex dtype, the modes lie along the last axis. In a real one, they lie along the axis before it: their real "
    "and imaginary parts are pairs along the last axis, of length 2."
)

ROWS = (
    Scheme(
        name="mamba_a_log",
        summary="The logarithms of 1, 2, 3, ... along the last axis.",
        use="Mamba's state matrix, which is minus the exponential of it",
        formula="ln(n + 1), with n the place along the last axis, from 0",
        tex=r"\ln(n + 1)",
        mean=None,
        std=None,
        source="Gu and Dao 2023, https://arxiv.org/abs/2312.00752",
        build=lambda w: StateMatrix("mamba_a_log"),
        specialist=True,
        random=False,
    ),
    Scheme(
        name="s4d_real",
        summary="-1, -2, -3, ... along the last axis.",
        use="a real diagonal state matrix (S4D-Real)",
        formula="-(n + 1), with n the place along the last axis, from 0",
        tex="-(n + 1)",
        mean=None,
        std=None,
        source=_S4D,
        build=lambda w: StateMatrix("s4d_real"),
        specialist=True,
        random=False,
    ),
    Scheme(
        name="s4d_lin",
        summary="Complex modes of real part -1/2 and frequencies pi n.",
        use="a complex diagonal state matrix (S4D-Lin)",
        formula="-1/2 + i pi n, with n the number of the mode, from 0",
        tex=r"-\frac{1}{2} + i \pi n",
        mean=None,
        std=None,
        source=_S4D,
        build=lambda w: StateMatrix("s4d_lin"),
        note=_PAIRS,
        example="(4, 2)",
        specialist=True,
        random=False,
    ),
    Scheme(
        name="s4d_inv",
        summary="Complex modes of real part -1/2 and frequencies that fall with n.",
        use="a complex diagonal state matrix (S4D-Inv)",
        formula="-1/2 + i (N / pi) (N / (2 n + 1) - 1), with n the number of the mode, from 0, and N = states",
        tex=r"-\frac{1}{2} + i \frac{N}{\pi} \left(\frac{N}{2 n + 1} - 1\right)",
        mean=None,
        std=None,
        source=_S4D,
        build=lambda w, states: StateMatrix("s4d_inv", states),
        numbers=(
            Number(
                "states",
                int | None,
                None,
                "The number of states. By default twice the stored modes, which stand for themselves and their conjugates.",
            ),
        ),
        note=_PAIRS,
        example="(4, 2)",
        specialist=True,
        random=False,
    ),
    Scheme(
        name="hippo_legs",
        summary="HiPPO's state matrix of scaled Legendre polynomials, in the last two axes.",
        use="state-space layers that remember all of the past (S4)",
        formula="-sqrt((2 n + 1)(2 k + 1)) below the diagonal (n > k), -(n + 1) on it, 0 above",
        tex=r"w_{n,k} = \begin{cases} -\sqrt{(2 n + 1)(2 k + 1)} & n > k \cr -(n + 1) & n = k \cr 0 & \text{else} \end{cases}",
        mean=None,
        std=None,
        source="Gu et al. 2020, https://arxiv.org/abs/2008.07669",
        build=lambda w: StateMatrix("hippo_legs"),
        specialist=True,
        random=False,
    ),
)
