/* The functions of the laws, in lanes. coefficients.h has their coefficients and worst errors. */
#include "coefficients.h"

/* x >= 0 with P(Z > x) = |t| / 2^32, for 2^17 <= |t| <= 2^31: one polynomial for each half octave of t. Several vectors
 * are computed at once, so that each row of the table is loaded once for all of them. */
FN void quantile_float(const int count, const F t[], F y[]) {
    U column[BATCH];
    F x[BATCH];
    EACH(v, count) {
        column[v] = (U)t[v] >> 22;
        x[v] = (F)splice((U)t[v], u_all(fi_bits.fraction), u_all(fi_bits.one)) - 1.5f;
    }
#if defined(FI_ISA_AVX2)
    /* 97 % of vectors need only the 16 columns of octaves 23 to 30, which take half the look-ups. */
    U beyond = {0};
    EACH(v, count) beyond |= (U)t[v] - u_all(fi_bits.octave23);
    if (!UNLIKELY(any(beyond & u_all(fi_bits.not_octave23_to_30)))) {
        EACH(v, count) y[v] = lookup16(quantile_f16[5], column[v]);
        EACH(k, 5) { EACH(v, count) y[v] = fma_f(y[v], x[v], lookup16(quantile_f16[4 - k], column[v])); }
        return;
    }
#endif
#if defined(FI_ISA_CUDA)
    /* One load brings the coefficients of two powers. */
    EACH(v, count) {
        F odd, even;
        lookup_pair(2, column[v], &y[v], &even);
        y[v] = fma_f(y[v], x[v], even);
        EACH(k, 2) {
            lookup_pair(1 - k, column[v], &odd, &even);
            y[v] = fma_f(fma_f(y[v], x[v], odd), x[v], even);
        }
    }
#else
    EACH(v, count) y[v] = lookup32(quantile_f[5], column[v]);
    EACH(k, 5) { EACH(v, count) y[v] = fma_f(y[v], x[v], lookup32(quantile_f[4 - k], column[v])); }
#endif
}

/* The same, by octaves. */
FN D quantile_double(D t) {
    const W bits = (W)t, octave = bits >> 52;
    const D x = (D)((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u) - 1.5;
    D y = lookup16_d(quantile_d[18], octave);
    EACH(k, 18) y = y * x + lookup16_d(quantile_d[17 - k], octave);
    return y;
}

/* Whether any word is rare: whether any |t| is below 2^17, where the quantile's table ends. `tails` is the bitwise and
 * of the bits of many t. All t from 2^17 to 2^33 have certain exponent bits in common (the top one, and bit 4), and no
 * smaller t has both. */
#define FI_COMMON_FLOAT 0x48000000ull
#define FI_COMMON_DOUBLE 0x4100000000000000ull
FN bool any_rare(U tails, bool wide) {
    const uint64_t common = wide ? FI_COMMON_DOUBLE : FI_COMMON_FLOAT * 0x100000001u;
    return any(~tails & (U)w_all(common));
}

/* k / 2^52 - origin, exactly, for the upper 52 bits k of each word. */
FN D fraction(W word, double origin) { return (D)((word >> 12) | 0x3ff0000000000000u) - (1.0 + origin); }

/* sqrt(-2 log u) for 0 < u < 1, in place. */
FN void radius(const int count, D u[]) {
    const uint64_t root_half = 0x3fe6a09e667f3bcdu;
    D e[BATCH], s[BATCH], z[BATCH], p[BATCH];
    EACH(v, count) {
        const W offset = (W)u[v] - root_half;
        e[v] = to_double((W)((L)offset >> 52));
        const D f = (D)((offset & 0x000fffffffffffffu) + root_half) - 1.0;
        s[v] = f / (f + 2.0);
    }
    EACH(v, count) z[v] = s[v] * s[v], p[v] = d_all(log_poly[6]);
    EACH(k, 6) { EACH(v, count) p[v] = p[v] * z[v] + log_poly[5 - k]; }
    EACH(v, count) {
        const D log = e[v] * 0x1.62e42fefa39efp-1 + (s[v] * z[v] * p[v] + (s[v] + s[v]));
        u[v] = sqrt_d(log * -2.0);
    }
}

/* Sine and cosine of pi x / 2 for |x| <= 1/2. */
FN void sincos_quarter(const int count, const D x[], D sine[], D cosine[]) {
    D z[BATCH];
    EACH(v, count) z[v] = x[v] * x[v], sine[v] = d_all(sin_poly[6]), cosine[v] = d_all(cos_poly[7]);
    EACH(v, count) cosine[v] = cosine[v] * z[v] + cos_poly[6];
    EACH(k, 6) {
        EACH(v, count) {
            sine[v] = sine[v] * z[v] + sin_poly[5 - k];
            cosine[v] = cosine[v] * z[v] + cos_poly[5 - k];
        }
    }
    EACH(v, count) sine[v] *= x[v];
}
