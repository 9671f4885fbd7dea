"""The specification of stream version 1, slow and readable: what every kernel must equal, bit for bit.

NumPy arithmetic in IEEE float32 and float64 only. Coefficients are read from csrc/coefficients.h, the one place
where they stand. The parameters of a truncated normal come from the same scalar recipes as in csrc, written again.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

U32, U64 = np.uint32, np.uint64
F32, F64 = np.float32, np.float64
MASK = (1 << 64) - 1


# ------------------------------------------------------------------------------------------------ generator


def philox(blocks: np.ndarray, key: bytes) -> np.ndarray:
    """Philox4x32-10: the four words of each 64-bit block number, shape (n, 4)."""
    k0, k1, c2, c3 = (int.from_bytes(key[i : i + 4], "little") for i in (0, 4, 8, 12))
    blocks = np.asarray(blocks, U64)
    c = [blocks & U64(0xFFFFFFFF), blocks >> U64(32), np.full_like(blocks, c2), np.full_like(blocks, c3)]
    for _ in range(10):
        a, b = c[0] * U64(0xD2511F53), c[2] * U64(0xCD9E8D57)
        low = U64(0xFFFFFFFF)
        c = [(b >> U64(32)) ^ c[1] ^ U64(k0), b & low, (a >> U64(32)) ^ c[3] ^ U64(k1), a & low]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c, axis=-1).astype(U32)


def words32(index: np.ndarray, key: bytes) -> np.ndarray:
    index = np.asarray(index, U64)
    return np.take_along_axis(philox(index >> U64(2), key), (index & U64(3))[:, None].astype(int), 1)[:, 0]


def words64(index: np.ndarray, key: bytes) -> np.ndarray:
    index = np.asarray(index, U64)
    w = philox(index >> U64(1), key).astype(U64)
    pair = np.where((index & U64(1))[:, None] == 0, w[:, :2], w[:, 2:])
    return pair[:, 0] | pair[:, 1] << U64(32)


# ----------------------------------------------------------------------------------------------- arithmetic


def _two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _add_to_odd(a: Any, b: Any) -> Any:
    """a + b in double; when inexact, the neighbour with the odd last bit."""
    s, error = _two_sum(a, b)
    toward = np.nextafter(s, np.where(error > 0, np.inf, -np.inf))
    even = (np.asarray(s).view(U64) & U64(1)) == 0
    return np.where((error != 0) & even, toward, s)


def fma32(a: Any, b: Any, c: Any) -> Any:
    a, b, c = (np.asarray(x, F32).astype(F64) for x in (a, b, c))
    return _add_to_odd(a * b, c).astype(F32)


def _tables() -> dict[str, np.ndarray]:
    text = (Path(__file__).parents[1] / "csrc" / "coefficients.h").read_text()
    tables = {}
    for name, dims, body in re.findall(r"static const \w+ (\w+)((?:\[\d+\])+)[^=]*= \{(.*?)\};", text, re.S):
        shape = [int(d) for d in re.findall(r"\d+", dims)]
        values = [float.fromhex(v) for v in re.findall(r"-?0x[0-9a-f.]+p[+-]?\d+", body)]
        tables[name] = np.array(values).reshape(shape)
    return tables


def _constants() -> dict[str, float]:
    text = (Path(__file__).parents[1] / "csrc" / "coefficients.h").read_text()
    return {
        name: float.fromhex(value) for name, value in re.findall(r"(TAIL_\w+) = (0x[0-9a-f.p+]+)[,;]", text)
    }


TABLES = _tables()
CONSTANTS = _constants()


# ----------------------------------------------------------------------- scalar functions (csrc/scalar.c)

LN2, LN2_LOW = float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")
ROOT_2PI = float.fromhex("0x1.40d931ff62706p+1")
HALF_LOG_2PI = float.fromhex("0x1.d67f1c864beb5p-1")


def log(x: float) -> float:
    if x == 0:
        return -math.inf
    m, e = math.frexp(x)  # 1/2 <= m < 1
    if m < float.fromhex("0x1.6a09e667f3bcdp-1"):
        m, e = 2 * m, e - 1
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    total = 0.0
    for n in range(25, 2, -2):
        total = (total + 1.0 / n) * z
    return e * LN2 + (2.0 * s + (2.0 * s * total + e * LN2_LOW))


def exp(x: float) -> float:
    if x < -745.0:
        return 0.0
    k = int(x / LN2 - 0.5)
    r = (x - k * LN2) - k * LN2_LOW
    total = 1.0
    for n in range(18, 0, -1):
        total = 1.0 + total * r / n
    half = int(k / 2)
    return total * 2.0**half * 2.0 ** (k - half)


def density(x: float) -> float:
    return exp(-0.5 * x * x) / ROOT_2PI


def centre(x: float) -> float:
    total = 1.0
    for n in range(61, 2, -2):
        total = 1.0 + total * x * x / n
    return density(x) * x * total


def mills(x: float) -> float:
    rest = x
    for n in range(24 + int(600 / (x * x)), 0, -1):
        rest = x + n / rest
    return 1.0 / rest


def upper(x: float) -> float:
    if x == math.inf:
        return 0.0
    return 0.5 - centre(x) if x < 2.0 else density(x) * mills(x)


def log_upper(x: float) -> float:
    if x == math.inf:
        return math.inf
    return -log(upper(x)) if x < 2.0 else 0.5 * x * x + (HALF_LOG_2PI - log(mills(x)))


def square_root(square: float) -> float:
    """Heron's, from half the exponent, until it stands."""
    x = float(((np.float64(square).view(U64) >> U64(1)) + U64(1023 << 51)).view(F64))
    x = 0.5 * (x + square / x)
    while (following := 0.5 * (x + square / x)) < x:
        x = following
    return x


def tail(loss: float) -> float:
    if loss < CONSTANTS["TAIL_END"]:
        x = square_root(loss) - CONSTANTS["TAIL_CENTRE"]
        total = 0.0
        for c in reversed(TABLES["tail_poly"].tolist()):
            total = c + total * x
        return total
    square = 2.0 * loss
    square -= log(6.283185307179586 * square)
    x = square_root(square)
    for _ in range(4):
        x -= (log_upper(x) - loss) * mills(x)
    return x


def inverse_centre(p: float) -> float:
    v = p * ROOT_2PI
    z = v * v
    series = 0.0
    for c in (
        20036983.0 / 6227020800.0,
        34807.0 / 5702400,
        4369.0 / 362880,
        127.0 / 5040,
        7.0 / 120,
        1.0 / 6,
    ):
        series = c + z * series if series else c
    return v * (1.0 + z * series)


# ------------------------------------------------------------------------------------------------- quantile


def quantile32(t: np.ndarray) -> np.ndarray:
    bits = t.view(U32)
    x = ((bits & U32(0x7FFFFF)) | U32(0x3F800000)).view(F32) - F32(1.5)
    table, column = TABLES["quantile_f"].astype(F32), (bits >> U32(22)) & U32(31)
    y = table[5][column]
    for j in range(4, -1, -1):
        y = fma32(y, x, table[j][column])
    return y


def quantile64(t: np.ndarray) -> np.ndarray:
    bits = t.view(U64)
    x = ((bits & U64(0xFFFFFFFFFFFFF)) | U64(0x3FF0000000000000)).view(F64) - 1.5
    table, column = TABLES["quantile_d"], ((bits >> U64(52)) & U64(15)).astype(int)
    y = table[18][column]
    for j in range(17, -1, -1):
        y = y * x + table[j][column]
    return y


def slow_word(word: int, index: int, key: bytes, wide: bool) -> tuple[int, float]:
    """Half and fraction of the word with 32 bits more, which move it by half a unit to either side."""
    if not wide:
        extra = int(philox(np.array([1 << 63 | index], U64), key)[0, 0])
        word = ((word << 32) + (extra ^ 1 << 31) - (1 << 31)) & MASK
    half = word >> 63
    return half, (float(word ^ MASK if half else word) + 0.5) * 2.0**-63


# ----------------------------------------------------------------------------------------------------- laws


# Significant bits, exponent of the least normal value, largest value, bytes.
FORMATS = {
    "float32": (24, -126, float(np.finfo(F32).max), 4),
    "float64": (53, -1022, float(np.finfo(F64).max), 8),
    "float16": (11, -14, 65504.0, 2),
    "bfloat16": (8, -126, float.fromhex("0x1.fep127"), 2),
    "float8_e4m3fn": (4, -6, 448.0, 1),
    "float8_e5m2": (3, -14, 57344.0, 1),
}


def is_narrow(dtype: str) -> bool:
    return FORMATS[dtype][3] < 4


def round_to(dtype: str, y: np.ndarray) -> np.ndarray:
    """float32 to a narrower dtype, once, nearest-even, as its bits: sign, exponent, fraction."""
    precision, least, _, size = FORMATS[dtype]
    y = y.astype(F64)
    exponent = np.maximum(np.where(y == 0, least, np.frexp(y)[1] - 1), least)
    steps = np.rint(np.ldexp(abs(y), precision - 1 - exponent)).astype(int)  # ties to even
    magnitude = (exponent - least << precision - 1) + steps  # one step more than fits: the next exponent
    return (np.signbit(y).astype(int) << 8 * size - 1 | magnitude).astype(f"u{size}")


def floor_to(dtype: str, x: float) -> float:
    precision, least, _, _ = FORMATS[dtype]
    exponent = max(math.frexp(x)[1] - 1 if x else least, least)
    return math.ldexp(math.floor(math.ldexp(x, precision - 1 - exponent)), exponent - precision + 1)


def ceil_to(dtype: str, x: float) -> float:
    return 0.0 - floor_to(dtype, -x)


def keep(x: Any, low: Any, high: Any) -> Any:
    """A value that equals a bound becomes it: zeros have signs."""
    x = np.where(x > low, x, low)
    return np.where(x < high, x, high)


def uniform_bounds(dtype: str, low: float, high: float) -> tuple[float, float]:
    """Least and largest value: below `high` as it stands and as the dtype rounds it, or the one value there is."""
    bottom = ceil_to(dtype, low)
    rounded = high
    if high - floor_to(dtype, high) <= ceil_to(dtype, high) - high:
        rounded = floor_to(dtype, high)
    top = floor_to(dtype, math.nextafter(rounded, -math.inf))
    return bottom, bottom if top < bottom < high else top


def uniform(index: np.ndarray, key: bytes, low: float, high: float, dtype: str) -> np.ndarray:
    width, middle = high - low, 0.5 * low + 0.5 * high
    bottom, top = uniform_bounds(dtype, low, high)
    if dtype == "float64":
        w = words64(index, key).view(np.int64).astype(F64)
        return keep(w * (width * (1 - 2.0**-52) * 2.0**-64) + middle, bottom, top)
    w = words32(index, key).view(np.int32).astype(F32)
    return keep(w * F32(width * (1 - 2.0**-23) * 2.0**-32) + F32(middle), F32(bottom), F32(top))


def normal(index: np.ndarray, key: bytes, mean: float, std: float, dtype: str) -> np.ndarray:
    if dtype == "float64":
        return _box_muller(index, key) * std + mean
    word = words32(index, key)
    t = word.view(np.int32).astype(F32)
    z = np.where(word >> U32(31), F32(-1), F32(1)) * quantile32(np.maximum(abs(t), F32(2**17)))
    y = fma32(z, F32(std), F32(mean))
    for i in np.flatnonzero(abs(t) < 2**17):
        half, fraction = slow_word(int(word[i]), int(index[i]), key, False)
        z = tail(-log(0.5 * fraction))
        y[i] = F32((-z if half else z) * std + mean)
    return y


def _box_muller(index: np.ndarray, key: bytes) -> np.ndarray:
    w = philox(np.asarray(index, U64) >> U64(1), key).astype(U64)
    radial, angular = w[:, 0] | w[:, 1] << U64(32), w[:, 2] | w[:, 3] << U64(32)
    u = ((radial >> U64(12)) | U64(0x3FF0000000000000)).view(F64) - (1.0 - 2.0**-53)
    root_half = U64(0x3FE6A09E667F3BCD)
    offset = u.view(U64) - root_half
    e = ((offset + U64(1023 << 52)) >> U64(52)).astype(F64) - 1023
    f = ((offset & U64(0xFFFFFFFFFFFFF)) + root_half).view(F64) - 1.0
    s = f / (f + 2.0)
    z = s * s
    p = np.full_like(z, TABLES["log_poly"][6])
    for j in range(5, -1, -1):
        p = p * z + TABLES["log_poly"][j]
    r = np.sqrt((e * LN2 + (s * z * p + (s + s))) * -2.0)
    x = (((angular << U64(2)) >> U64(12)) | U64(0x3FF0000000000000)).view(F64) - 1.5
    z = x * x
    sine, cosine = np.full_like(z, TABLES["sin_poly"][6]), np.full_like(z, TABLES["cos_poly"][7])
    for j in range(5, -1, -1):
        sine = sine * z + TABLES["sin_poly"][j]
    for j in range(6, -1, -1):
        cosine = cosine * z + TABLES["cos_poly"][j]
    sine = x * sine
    cosine = np.where(angular >> U64(62) & U64(1), -cosine, cosine)
    swap = (angular >> U64(63)).astype(bool)
    first, second = np.where(swap, sine, cosine), np.where(swap, cosine, sine)
    return r * np.where(np.asarray(index) & 1, second, first)


def truncated_normal(
    index: np.ndarray, key: bytes, mean: float, std: float, low: float, high: float, dtype: str
) -> np.ndarray:
    largest, wide = FORMATS[dtype][2], dtype == "float64"
    if low < -largest and high > largest:
        return normal(index, key, mean, std, dtype)
    bottom = ceil_to(dtype, low) if low >= -largest else -largest
    top = floor_to(dtype, high) if high <= largest else largest
    a, b = (low - mean) / std, (high - mean) / std
    if a > 2**27 or b < -(2**27):
        return np.full(len(index), bottom if a > 0 else top)
    mirrored = b <= 0
    if mirrored:
        a, b = -b, -a
    sign_and, log_ref, scale, near_centre, crosses_centre = 0, 0.0, 1.0, False, False
    if a >= -0.0625 and b <= 0.0625:
        near_centre, low_p, high_p = True, centre(a), centre(b)
        half = 0.5 * (high_p - low_p)
        first, span = (high_p, low_p), (-half, half)
    elif a < 0:
        lower_p, upper_p = upper(-a), upper(b)
        half = 0.5 * (1.0 - lower_p - upper_p)
        first, span, sign_and, crosses_centre = (upper_p, lower_p), (half, half), 1, lower_p != upper_p
    else:
        log_ref = log_upper(a)
        scale = exp(-log_ref)
        ratio = exp(log_ref - log_upper(b))
        half = 0.5 * (1.0 - ratio)
        first, span = (1.0, ratio), (-half, half)
    word = words64(index, key) if wide else words32(index, key)
    top_bit = (word >> (U64(63) if wide else U32(31))).astype(int)
    base = [2.0**32 * (scale * first[h]) for h in (0, 1)]
    slope = [(2.0**-31 if wide else 2.0) * (scale * span[h]) for h in (0, 1)]
    if wide:
        t = abs(word.view(np.int64).astype(F64)) * np.array(slope)[top_bit] + np.array(base)[top_bit]
    else:
        magnitude = abs(word.view(np.int32).astype(F32))
        t = fma32(magnitude, np.array(slope, F32)[top_bit], np.array(base, F32)[top_bit])
    slow = (t < 2**17) | near_centre
    negative = (top_bit & sign_and) ^ mirrored
    if crosses_centre:
        beyond = t > 2**31
        t = np.where(beyond, 2.0**32 - t if wide else F32(2**32) - t, t)
        negative = negative ^ beyond
    sign = np.where(negative, -1.0, 1.0)
    safe = np.clip(t, 2**17, 2**31)
    if wide:
        y = sign * quantile64(safe) * std + mean
    else:
        y = fma32(sign.astype(F32) * quantile32(safe), F32(std), F32(mean))
    for i in np.flatnonzero(slow):
        half, fraction = slow_word(int(word[i]), int(index[i]), key, wide)
        p = first[half] + span[half] * fraction
        z = inverse_centre(p) if near_centre else tail(log_ref - log(p))
        flip = (half & sign_and) ^ mirrored
        y[i] = (-z if flip else z) * std + mean
    return keep(y, bottom, top) if wide else keep(y, F32(bottom), F32(top))


LAWS = {"uniform": uniform, "normal": normal, "truncated_normal": truncated_normal}


def draw(law: str, parameters: tuple[float, ...], index: Any, key: bytes, dtype: str) -> np.ndarray:
    """Values of the elements at these indices, as the bits of the dtype."""
    index = np.atleast_1d(np.asarray(index, U64))
    if (law == "uniform" and parameters[0] == parameters[1]) or ("normal" in law and parameters[1] == 0):
        law, parameters = "constant", parameters[:1]
    if law == "bits":
        return words32(index, key) if dtype == "float32" else words64(index, key)
    if law == "constant":
        y = np.full(len(index), parameters[0], F64 if dtype == "float64" else F32)
    else:
        y = LAWS[law](index, key, *parameters, dtype)
    if is_narrow(dtype):
        return round_to(dtype, y.astype(F32))
    return y.astype(F32).view(U32) if dtype == "float32" else y.astype(F64).view(U64)
