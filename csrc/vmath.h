/* The functions behind the laws, in lanes. Coefficients and their worst errors: coefficients.h. */
#include "coefficients.h"

/* x >= 0 with P(Z > x) = (t + 1/2) / 2^32, for 2^16 <= t <= 2^31: one polynomial per octave of t. */
FN F quantile_float(F t) {
    const U bits = (U)t, octave = bits >> 23;
    const F x = (F)((bits & 0x007fffffu) | 0x3f800000u) - 1.5f;
#if defined(FI_ISA_AVX2)
    /* Eight octaves are one permute; all lanes of a vector are in 23..30 but for 3 vectors in 100. */
    if (!UNLIKELY(any((I)((bits - (150u << 23)) & 0xfc000000u) != 0))) {
        F y = lookup8(quantile_f8[7], octave);
        for (int j = 6; j >= 0; j--) y = fma_f(y, x, lookup8(quantile_f8[j], octave));
        return y;
    }
#endif
    F y = lookup16(quantile_f[7], octave);
#pragma GCC unroll 8
    for (int j = 6; j >= 0; j--) y = fma_f(y, x, lookup16(quantile_f[j], octave));
    return y;
}

FN D quantile_double(D t) {
    const W bits = (W)t, octave = bits >> 52;
    const D x = (D)((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u) - 1.5;
    D y = lookup16_d(quantile_d[18], octave);
#pragma GCC unroll 18
    for (int j = 17; j >= 0; j--) y = fma_d(y, x, lookup16_d(quantile_d[j], octave));
    return y;
}

/* The upper 52 bits of each word as a double in [0, 1): k / 2^52, shifted by `origin` exactly. */
FN D fraction(W word, double origin) { return (D)((word >> 12) | 0x3ff0000000000000u) - (1.0 + origin); }

/* Each 64-bit lane rounded to the nearest double. */
FN D to_double(W x) {
    const D high = (D)((x >> 32) | 0x4530000000000000u) - 0x1.00000001p84; /* 2^84 + 2^52 */
    return high + (D)((x & 0xffffffffu) | 0x4330000000000000u);
}

/* sqrt(-2 log u) for 0 < u < 1. */
FN D radius(D u) {
    const uint64_t root_half = 0x3fe6a09e667f3bcdu;
    const W offset = (W)u - root_half;
    const W biased = (offset + (1023ull << 52)) >> 52;
    const D e = (D)(biased | 0x4330000000000000u) - (0x1p52 + 1023);
    const D f = (D)((offset & 0x000fffffffffffffu) + root_half) - 1.0;
    const D s = f / (f + 2.0), z = s * s;
    D p = d_all(log_poly[6]);
#pragma GCC unroll 6
    for (int j = 5; j >= 0; j--) p = fma_d(p, z, d_all(log_poly[j]));
    const D log = fma_d(e, d_all(0x1.62e42fefa39efp-1), fma_d(s * z, p, s + s));
    return sqrt_d(log * -2.0);
}

/* Sine and cosine of pi x / 2 for |x| <= 1/2. */
FN void sincos_quarter(D x, D *sine, D *cosine) {
    const D z = x * x;
    D p = d_all(sin_poly[6]), q = d_all(cos_poly[7]);
#pragma GCC unroll 6
    for (int j = 5; j >= 0; j--) p = fma_d(p, z, d_all(sin_poly[j]));
#pragma GCC unroll 7
    for (int j = 6; j >= 0; j--) q = fma_d(q, z, d_all(cos_poly[j]));
    *sine = x * p;
    *cosine = q;
}
