"""Derive every constant of csrc/coefficients.h: ``python tools/fit_coefficients.py > csrc/coefficients.h``.

Polynomials interpolate at Chebyshev nodes in 50-digit arithmetic (within a small factor of minimax) and are
rounded once. The worst error of each, measured in the same arithmetic, is printed beside it. Needs mpmath.
"""

import sys
from collections.abc import Callable

import mpmath as mp
import numpy as np

mp.mp.dps = 50
Function = Callable[[mp.mpf], mp.mpf]


def upper_quantile(p: mp.mpf) -> mp.mpf:
    """x with P(Z > x) = p, by Halley's iteration."""
    if p > mp.mpf("0.1"):
        return mp.sqrt(2) * mp.erfinv(1 - 2 * p)
    x = mp.sqrt(-2 * mp.log(p))
    while True:
        step = (mp.erfc(x / mp.sqrt(2)) / 2 - p) / mp.npdf(x)
        step /= 1 - step * x / 2
        x += step
        if abs(step) < mp.mpf(10) ** -40:
            return x


def fit(f: Function, low: float, high: float, degree: int) -> list[mp.mpf]:
    """Coefficients, constant first, of the polynomial through f at the Chebyshev nodes of [low, high]."""
    n = degree + 1
    centre, half = (mp.mpf(low) + high) / 2, (mp.mpf(high) - low) / 2
    nodes = [centre + half * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    vandermonde = mp.matrix(n, n)
    for i, x in enumerate(nodes):
        for j in range(n):
            vandermonde[i, j] = x**j
    return list(mp.lu_solve(vandermonde, mp.matrix([f(x) for x in nodes])))


def worst(f: Function, coefficients: list[float], low: float, high: float, points: int = 200) -> float:
    grid = [mp.mpf(low) + (mp.mpf(high) - low) * i / points for i in range(points + 1)]
    return float(max(abs(mp.polyval([mp.mpf(c) for c in reversed(coefficients)], x) - f(x)) for x in grid))


def literal(value: float, single: bool) -> str:
    mantissa, exponent = float(value).hex().split("p") if value else ("0x0", "+0")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}p{exponent}" + ("f" if single else "")


def quantile_of(octave: int) -> Function:
    """x -> the quantile at P(Z > z) = 2^octave (1.5 + x) / 2^32."""
    return lambda x: upper_quantile(mp.mpf(2) ** (octave - 32) * (x + mp.mpf("1.5")))


def quantile_rows(degree: int, pieces: int, single: bool) -> tuple[list[list[float]], float]:
    """Row j: coefficient j of each piece of octaves 17..30. Octave 31 has only its lower end, t = 2^31, where a tiny
    value stands for the words that round to it; octave 32 is never met."""
    columns: list[list[float]] = []
    error = 0.0
    for octave in range(17, 33):
        for piece in range(pieces):
            low = piece / pieces - 0.5
            rounded = [2.0**-26 if single else 2.0**-54] + [0.0] * degree
            if octave < 31:
                exact = fit(quantile_of(octave), low, low + 1 / pieces, degree)
                rounded = [float(np.float32(float(c))) if single else float(c) for c in exact]
                error = max(error, worst(quantile_of(octave), rounded, low, low + 1 / pieces, 40))
            columns.append(rounded)
    return [list(row) for row in zip(*columns, strict=True)], error


def table(name: str, ctype: str, rows: list[list[float]]) -> str:
    body = ",\n".join("    {" + ", ".join(literal(v, ctype == "float") for v in row) + "}" for row in rows)
    return f"static const {ctype} {name}[{len(rows)}][{len(rows[0])}] ALIGNED = {{\n{body},\n}};\n"


def row(name: str, f: Function, low: float, high: float, degree: int) -> str:
    rounded = [float(c) for c in fit(f, low, high, degree)]
    body = ", ".join(literal(c, False) for c in rounded)
    bound = worst(f, rounded, low, high)
    return f"/* on [{low}, {high}]; worst error {bound:.2g} */\nstatic const double {name}[{degree + 1}] = {{{body}}};\n"


def tail_row(degree: int) -> str:
    """The normal quantile at a loss -log P(Z > z), as a polynomial in its root, down to P = 2^-65."""
    low, high = mp.sqrt(mp.mpf("10.3")), mp.sqrt(mp.mpf("45.1"))
    centre = float((low + high) / 2)
    function: Function = lambda x: upper_quantile(mp.exp(-((x + centre) ** 2)))  # noqa: E731
    rounded = [float(c) for c in fit(function, low - centre, high - centre, degree)]
    bound = worst(function, rounded, float(low) - centre, float(high) - centre)
    body = ", ".join(literal(c, False) for c in rounded)
    return (
        "/* z with -log P(Z > z) = loss, for loss = 10.3 .. 45.1: sum_j c[j] (sqrt(loss) - centre)^j.\n"
        f" * Worst error {bound:.2g}. */\n"
        f"enum {{ TAIL_DEGREE = {degree} }};\nstatic const double TAIL_END = {literal(45.0, False)}, TAIL_CENTRE = {literal(centre, False)};\n"
        f"static const double tail_poly[{degree + 1}] = {{{body}}};\n"
    )


def logarithms() -> str:
    """Constants of log and of the normal law; LN2_LOW is what LN2 lacks of log 2."""
    ln2 = float(mp.log(2))
    values = {
        "LN2": ln2,
        "LN2_LOW": float(mp.log(2) - mp.mpf(ln2)),
        "TWO_PI": float(2 * mp.pi),
        "ROOT_2PI": float(mp.sqrt(2 * mp.pi)),
        "HALF_LOG_2PI": float(mp.log(2 * mp.pi) / 2),
    }
    body = ",\n                    ".join(
        f"{name} = {literal(value, False)}" for name, value in values.items()
    )
    return f"static const double {body};\n"


def centre_row(terms: int) -> str:
    """The series of the normal quantile about its centre: P(0 < Z < z) = p, v = p sqrt(2 pi), z = v sum_j c[j] v^2j.

    It is that of the inverse error function, whose coefficients follow one from the other.
    """
    inverse = [mp.mpf(1)]
    for k in range(1, terms):
        inverse.append(sum(inverse[m] * inverse[k - 1 - m] / ((m + 1) * (2 * m + 1)) for m in range(k)))
    body = ", ".join(literal(float(c / (2 * k + 1) / 2**k), False) for k, c in enumerate(inverse))
    return (
        "/* z with P(0 < Z < z) = p, from v = p sqrt(2 pi): v sum_j c[j] v^2j. */\n"
        f"enum {{ CENTRE_DEGREE = {terms - 1} }};\nstatic const double centre_poly[{terms}] = {{{body}}};\n"
    )


def log_remainder(z: mp.mpf) -> mp.mpf:
    """(log((1+s)/(1-s)) - 2s) / s^3 in z = s^2."""
    if z < mp.mpf(10) ** -12:
        return mp.mpf(2) / 3 + 2 * z / 5
    s = mp.sqrt(z)
    return (mp.log((1 + s) / (1 - s)) - 2 * s) / s**3


def sin_quarter(z: mp.mpf) -> mp.mpf:
    """sin(pi x / 2) / x in z = x^2."""
    x = mp.sqrt(z)
    return mp.sin(mp.pi * x / 2) / x if z else mp.pi / 2


def cos_quarter(z: mp.mpf) -> mp.mpf:
    return mp.cos(mp.pi * mp.sqrt(z) / 2)


def main() -> None:
    out = sys.stdout.write
    out(
        "/* Written by tools/fit_coefficients.py; do not edit. */\n/* clang-format off */\n#define ALIGNED __attribute__((aligned(64)))\n\n"
    )
    single, error = quantile_rows(5, 2, True)
    out(
        "/* The normal quantile over half octaves of the tail probability: for t = 2^k (1.5 + x), k = 17..30,\n"
        " * P(Z > sum_j c[j] x^j) = t / 2^32. Column 2 (k - 17) holds x < 0 of octave k, the next one x >= 0.\n"
        f" * Worst error {error:.2g}. */\n"
    )
    out(table("quantile_f", "float", single))
    centre = [
        [r[2 * (k - 17) + half] for k in (25, 26, 27, 28, 29, 30, 23, 24) for half in (0, 1)] for r in single
    ]
    out(
        "/* Octaves 23..30 again, octave k in columns 2 ((k - 17) & 7) and the next. */\n"
        + table("quantile_f16", "float", centre)
    )
    double, error = quantile_rows(18, 1, False)
    out(
        f"/* The same by octaves, in double. Worst error {error:.2g}. */\n"
        + table("quantile_d", "double", double)
    )
    octaves = [[*column, 0.0] for column in zip(*double, strict=True)]
    out("/* Again, a row for each octave. */\n" + table("quantile_octaves", "double", octaves))
    out(tail_row(24))
    s = (np.sqrt(2) - 1) / (np.sqrt(2) + 1)
    out("/* log((1+s)/(1-s)) = 2s + s^3 P(s^2) */\n" + row("log_poly", log_remainder, 0.0, float(s * s), 6))
    out("/* sin(pi x/2) = x P(x^2), cos(pi x/2) = P(x^2) */\n")
    out(row("sin_poly", sin_quarter, 0.0, 0.25, 6) + row("cos_poly", cos_quarter, 0.0, 0.25, 7))
    out(centre_row(7) + logarithms())


if __name__ == "__main__":
    main()
