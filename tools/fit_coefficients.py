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


def octave(k: int) -> Function:
    return lambda x: upper_quantile((mp.mpf(2) ** k * (x + mp.mpf("1.5")) + mp.mpf("0.5")) / 2**32)


def quantile_rows(degree: int, single: bool) -> tuple[list[list[float]], float]:
    """Row j: coefficient j of the octaves, octave k in column (k - 17) & 15; 2^31 is the exact centre."""
    columns: list[list[float]] = [[0.0] * (degree + 1) for _ in range(16)]
    error = 0.0
    for k in range(16, 31):
        exact = fit(octave(k), -0.5, 0.5, degree)
        rounded = [float(np.float32(float(c))) if single else float(c) for c in exact]
        columns[(k - 17) & 15] = rounded
        error = max(error, worst(octave(k), rounded, -0.5, 0.5, 40))
    return [list(row) for row in zip(*columns, strict=True)], error


def table(name: str, ctype: str, rows: list[list[float]]) -> str:
    body = ",\n".join("    {" + ", ".join(literal(v, ctype == "float") for v in row) + "}" for row in rows)
    return f"static const {ctype} {name}[{len(rows)}][{len(rows[0])}] ALIGNED = {{\n{body},\n}};\n"


def row(name: str, f: Function, low: float, high: float, degree: int) -> str:
    rounded = [float(c) for c in fit(f, low, high, degree)]
    body = ", ".join(literal(c, False) for c in rounded)
    bound = worst(f, rounded, low, high)
    return f"/* on [{low}, {high}]; worst error {bound:.2g} */\nstatic const double {name}[{degree + 1}] = {{{body}}};\n"


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
    single, error = quantile_rows(7, True)
    out(
        "/* The normal quantile over octaves of the tail probability: for t = 2^k (1.5 + x), k = 16..30,\n"
        " * P(Z > sum_j c[j] x^j) = (t + 1/2) / 2^32. Column (k - 17) & 15 holds octave k; t = 2^31 gives 0.\n"
        f" * Worst error {error:.2g}. */\n"
    )
    out(table("quantile_f", "float", single))
    centre = [[r[(k - 17) & 15] for k in (25, 26, 27, 28, 29, 30, 23, 24)] for r in single]
    out(
        "/* Octaves 23..30 again, octave k in column (k - 17) & 7. */\n"
        + table("quantile_f8", "float", centre)
    )
    double, error = quantile_rows(18, False)
    out(f"/* The same in double. Worst error {error:.2g}. */\n" + table("quantile_d", "double", double))
    s = (np.sqrt(2) - 1) / (np.sqrt(2) + 1)
    out("/* log((1+s)/(1-s)) = 2s + s^3 P(s^2) */\n" + row("log_poly", log_remainder, 0.0, float(s * s), 6))
    out("/* sin(pi x/2) = x P(x^2), cos(pi x/2) = P(x^2) */\n")
    out(row("sin_poly", sin_quarter, 0.0, 0.25, 6) + row("cos_poly", cos_quarter, 0.0, 0.25, 7))


if __name__ == "__main__":
    main()
