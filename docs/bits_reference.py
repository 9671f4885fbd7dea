"""The elementwise laws of stream version 1, from bits.md alone: draw("normal", (0.0, 1.0), "float32", 0, "weight", 3)."""

import json
from functools import cache, reduce
from hashlib import blake2b
from math import copysign, floor, frexp, inf, ldexp, nextafter, sqrt
from pathlib import Path
from struct import unpack
from typing import Any

Stream = tuple[int, ...]
FORMATS = {"float64": (53, -1022, float.fromhex("0x1.fffffffffffffp+1023")),
           "float32": (24, -126, float.fromhex("0x1.fffffep+127")), "float16": (11, -14, 65504.0),
           "bfloat16": (8, -126, float.fromhex("0x1.fep+127")), "float8_e4m3fn": (4, -6, 448.0),
           "float8_e5m2": (3, -14, 57344.0)}  # fmt: skip
LN2, LN2_LOW, ROOT_2PI, HALF_LOG_2PI, ROOT_HALF, TAIL_CENTRE, TWO_PI = map(float.fromhex, (
    "0x1.62e42fefa39efp-1", "0x1.abc9e3b39803fp-56", "0x1.40d931ff62706p+1", "0x1.d67f1c864beb5p-1",
    "0x1.6a09e667f3bcdp-1", "0x1.3d99b859ea22p+2", "0x1.921fb54442d18p+2"))  # fmt: skip


def floats(entry: Any) -> Any:
    return float.fromhex(entry) if isinstance(entry, str) else [floats(part) for part in entry]


TABLES = {k: floats(v) for k, v in json.loads(Path(__file__).with_name("bits.json").read_text()).items()}


def horner(coefficients: list[float], x: float, fused: bool = False) -> float:
    return reduce(lambda y, c: fma(y, x, c) if fused else y * x + c, reversed(coefficients))


def key(seed: int, name: str) -> Stream:
    text = name.encode()
    parts = b"fastinit stream 1\0", seed.to_bytes(8, "little"), len(text).to_bytes(8, "little"), text
    return unpack("<4I", blake2b(b"".join(parts), digest_size=16).digest())


@cache
def block(n: int, stream: Stream) -> tuple[int, ...]:
    k0, k1, x2, x3 = stream
    x0, x1 = n % 2**32, n >> 32
    for _ in range(10):
        a, b = 0xD2511F53 * x0, 0xCD9E8D57 * x2
        x0, x1, x2, x3 = b >> 32 ^ x1 ^ k0, b % 2**32, a >> 32 ^ x3 ^ k1, a % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return x0, x1, x2, x3


def word(dtype: str, i: int, stream: Stream) -> int:
    if dtype != "float64":
        return block(i // 4, stream)[i % 4]
    words = block(i // 2, stream)[2 * (i % 2) :]
    return words[0] | words[1] << 32


def signed(w: int, bits: int) -> int:
    return w - 2**bits if w >= 2 ** (bits - 1) else w


def rounded(x: float, dtype: str, to_integer: Any = round) -> float:  # Python's round() sends ties to even
    step = max(frexp(x)[1] - 1, FORMATS[dtype][1]) - FORMATS[dtype][0] + 1
    return copysign(ldexp(to_integer(ldexp(x, -step)), step), x)


def single(x: float) -> float:
    return rounded(x, "float32")


def down(x: float, dtype: str) -> float:
    return rounded(x, dtype, floor)


def up(x: float, dtype: str) -> float:
    return 0.0 - down(-x, dtype)


def kept(x: float, bottom: float, top: float) -> float:
    x = x if x > bottom else bottom
    return x if x < top else top


def fma(a: float, b: float, c: float) -> float:
    """Of singles, all multiples of 2^-149: exact in integers, then rounded to 24 bits."""
    m, n, k = (int(ldexp(x, 149)) for x in (a, b, c))
    exact = m * n + (k << 149)
    shift = max(exact.bit_length() - 24, 149)
    kept, rest = divmod(exact, 1 << shift)
    kept += 2 * rest > (1 << shift) - kept % 2
    return copysign(ldexp(kept, shift - 298), exact)


def split(x: float) -> tuple[int, float]:
    m, e = frexp(x)
    return (e - 1, 2 * m) if m < ROOT_HALF else (e, m)


def log(x: float) -> float:
    e, m = split(x)
    f = m - 1
    s = f / (2 + f)
    total = reduce(lambda y, n: (y + 1 / n) * (s * s), range(25, 2, -2), 0.0)
    return e * LN2 + (2 * s + (2 * s * total + e * LN2_LOW))


def exp(x: float) -> float:
    if x < -745:
        return 0.0
    k = int(x / LN2 - 0.5)
    r, j = (x - k * LN2) - k * LN2_LOW, int(k / 2)
    return reduce(lambda y, n: 1 + y * r / n, range(18, 0, -1), 1.0) * 2.0**j * 2.0 ** (k - j)


def density(x: float) -> float:
    return exp(-0.5 * x * x) / ROOT_2PI


def centre(x: float) -> float:
    return density(x) * x * reduce(lambda y, n: 1 + y * x * x / n, range(61, 2, -2), 1.0)


def mills(x: float) -> float:
    return 1 / reduce(lambda y, n: x + n / y, range(24 + floor(600 / (x * x)), 0, -1), x)


def upper(x: float) -> float:
    return 0.0 if x == inf else 0.5 - centre(x) if x < 2 else density(x) * mills(x)


def log_upper(x: float) -> float:
    far = x >= 2 and x != inf
    return 0.5 * x * x + (HALF_LOG_2PI - log(mills(x))) if far else -log(upper(x)) if x < 2 else inf


def root(x: float) -> float:
    m, e = frexp(x)
    bits = (int(ldexp(m, 53)) + (e + 1021 << 52)) // 2 + (1023 << 51)
    y = ldexp(2**52 + bits % 2**52, (bits >> 52) - 1075)
    y = 0.5 * (y + x / y)
    while (less := 0.5 * (y + x / y)) < y:
        y = less
    return y


def tail(loss: float) -> float:
    if loss < 45:
        return horner(TABLES["tail"], root(loss) - TAIL_CENTRE)
    y = 2 * loss
    x = root(y - log(TWO_PI * y))
    return reduce(lambda x, _: x - (log_upper(x) - loss) * mills(x), range(4), x)


def inverse_centre(p: float) -> float:
    v = p * ROOT_2PI
    c = [1, 1 / 6, 7 / 120, 127 / 5040, 4369 / 362880, 34807 / 5702400, 20036983 / 6227020800]
    return v * horner(c, v * v)


def quantile(t: float, dtype: str) -> float:
    m, e = frexp(t)
    x, k = 2 * m - 1.5, e - 1
    if dtype == "float64":
        return horner(TABLES["quantile_double"][k - 17], x) if k < 31 else 2.0**-54
    return horner(TABLES["quantile_single"][2 * (k - 17) + (x >= 0)], x, fused=True) if k < 31 else 2.0**-26


def lengthened(w: int, dtype: str, i: int, stream: Stream) -> tuple[int, float]:
    if dtype != "float64":
        w = signed((2**32 * w + signed(block(2**63 + i, stream)[0], 32)) % 2**64, 64)
    return w < 0, (float(-w - 1 if w < 0 else w) + 0.5) * 2.0**-63


def placed(z: float, mean: float, std: float, dtype: str) -> float:
    return z * std + mean if dtype == "float64" else fma(z, single(std), single(mean))


def constant(dtype: str, i: int, stream: Stream, value: float) -> float:
    return value


def uniform(dtype: str, i: int, stream: Stream, low: float, high: float) -> float:
    if low == high:
        return low
    width, middle, bottom = high - low, 0.5 * low + 0.5 * high, up(low, dtype)
    below, above = down(high, dtype), up(high, dtype)
    top = down(nextafter(below if high - below <= above - high else above, -inf), dtype)
    if top < bottom < high:
        top = bottom
    if dtype == "float64":
        value = float(signed(word(dtype, i, stream), 64)) * (width * (1 - 2**-52) * 2**-64) + middle
    else:
        value = single(float(signed(word(dtype, i, stream), 32))) * single(width * (1 - 2**-23) * 2**-32)
        value = single(single(value) + single(middle))
    return kept(value, bottom, top)


def box_muller(i: int, stream: Stream) -> float:
    a, b = (word("float64", i - i % 2 + j, stream) for j in (0, 1))
    e, m = split((2 * (a >> 12) + 1) * 2.0**-53)
    f = m - 1
    s = f / (f + 2)
    z = s * s
    radius = sqrt((e * LN2 + (s * z * horner(TABLES["log"], z) + (s + s))) * -2)
    x = (b % 2**62 >> 10) * 2**-52 - 0.5
    sine, cosine = x * horner(TABLES["sin"], x * x), horner(TABLES["cos"], x * x)
    return radius * (sine if (i ^ b >> 63) % 2 else -cosine if b >> 62 & 1 else cosine)


def normal(dtype: str, i: int, stream: Stream, mean: float, std: float) -> float:
    if std == 0:
        return mean
    if dtype == "float64":
        return placed(box_muller(i, stream), mean, std, dtype)
    w = signed(word(dtype, i, stream), 32)
    if (t := single(abs(w))) >= 2**17:
        return placed(copysign(quantile(t, dtype), w), mean, std, dtype)
    half, fraction = lengthened(w, dtype, i, stream)
    return single((-1) ** half * tail(-log(0.5 * fraction)) * std + mean)


@cache
def interval(a: float, b: float) -> tuple[Any, ...]:
    """Its kind, first, span, reference, scale, and whether a half may run past the centre (`crosses`)."""
    if a >= -0.0625 and b <= 0.0625:
        middle = 0.5 * (centre(b) - centre(a))
        return "centre", (centre(b), centre(a)), (-middle, middle), 0.0, 1.0, False
    if a < 0:
        below, above = upper(-a), upper(b)
        middle = 0.5 * (1 - below - above)
        return "both", (above, below), (middle, middle), 0.0, 1.0, below != above
    reference = log_upper(a)
    ratio = exp(reference - log_upper(b))
    middle = 0.5 * (1 - ratio)
    return "one", (1.0, ratio), (-middle, middle), reference, exp(-reference), False


def truncated_normal(
    dtype: str, i: int, stream: Stream, mean: float, std: float, low: float, high: float
) -> float:
    largest = FORMATS[dtype][2]
    if std == 0 or (low < -largest and high > largest):
        return normal(dtype, i, stream, mean, std)
    bottom = -largest if low < -largest else up(low, dtype)
    top = largest if high > largest else down(high, dtype)
    a, b = (low - mean) / std, (high - mean) / std
    if a > 2**27 or b < -(2**27):
        return bottom if a > 0 else top
    mirrored = b <= 0
    kind, first, span, reference, scale, crosses = interval(*(-b, -a) if mirrored else (a, b))
    w = signed(word(dtype, i, stream), 64 if dtype == "float64" else 32)
    half = w < 0
    negative = (half and kind == "both") != mirrored
    if dtype == "float64":
        t = abs(float(w)) * (2**-31 * (scale * span[half])) + 2**32 * (scale * first[half])
    else:
        slope, base = 2 * (scale * span[half]), 2**32 * (scale * first[half])
        t = fma(single(abs(w)), single(slope), single(base))
    if t >= 2**17 and kind != "centre":
        if crosses and t > 2**31:
            t, negative = 2.0**32 - t if dtype == "float64" else single(2.0**32 - t), not negative
        value = placed((-1) ** negative * quantile(t, dtype), mean, std, dtype)
    else:
        half, fraction = lengthened(w, dtype, i, stream)
        p = first[half] + span[half] * fraction
        z = inverse_centre(p) if kind == "centre" else tail(reference - log(p))
        value = (-1) ** negative * z * std + mean
        value = value if dtype == "float64" else single(value)
    return kept(value, bottom, top)


def draw(law: str, parameters: tuple[float, ...], dtype: str, seed: int, name: str, index: int) -> float:
    """One element; of the law "bits", its word."""
    stream = key(seed, name)
    if law == "bits":
        return word(dtype, index, stream)
    value: float = globals()[law](dtype, index, stream, *parameters)
    return value if dtype == "float64" else rounded(single(value), dtype)
