/* Words to values, in place: one function for each law and lane width.
 *
 * Rare words get an arbitrary value here, which kernel.h replaces. `tails` is the bitwise and of all tail probabilities
 * so far; it tells whether any word is rare (any_rare). `shortcut` is law->shortcut, as a constant. */

/* The tail probability of each word, in units of 2^-32. Its sign has no meaning. */
FN F tail_float(enum fi_law_id kernel, const bool shortcut, const struct fi_law *law, U word) {
    const F signed_magnitude = to_float((I)word);
    if (kernel == FI_normal) return signed_magnitude;
    const F magnitude = (F)((U)signed_magnitude & ~u_all(fi_bits.sign));
    if (shortcut || law->symmetric) return fma_f(magnitude, f_all(law->slope[0]), f_all(law->base[0]));
    const I lower = (I)word >> 31;
    return fma_f(magnitude, select_f(lower, f_all(law->slope[1]), f_all(law->slope[0])),
                 select_f(lower, f_all(law->base[1]), f_all(law->base[0])));
}
FN D tail_double(const struct fi_law *law, W word) {
    const D magnitude = (D)((W)to_double(word) & 0x7fffffffffffffffu);
    const L lower = -(L)(word >> 63);
    return magnitude * select_d(lower, d_all(law->dslope[1]), d_all(law->dslope[0])) +
           select_d(lower, d_all(law->dbase[1]), d_all(law->dbase[0]));
}

FN void uniform_float(const bool shortcut, const int count, const struct fi_law *law, U x[]) {
    EACH(v, count) {
        const F y = to_float((I)x[v]) * f_all(law->scale) + f_all(law->shift);
        x[v] = (U)(shortcut ? y : clamp_f(y, f_all(law->low), f_all(law->high)));
    }
}
FN void uniform_double(const bool shortcut, const int count, const struct fi_law *law, U x[]) {
    EACH(v, count) {
        const D y = to_double((W)x[v]) * d_all(law->dscale) + d_all(law->dshift);
        x[v] = (U)(shortcut ? y : clamp_d(y, d_all(law->dlow), d_all(law->dhigh)));
    }
}

FN void normal_float(const int count, const struct fi_law *law, U x[], U *tails) {
    F t[BATCH], z[BATCH];
    EACH(v, count) t[v] = tail_float(FI_normal, false, law, x[v]);
    EACH(v, count) *tails &= (U)t[v];
    quantile_float(count, t, z);
    EACH(v, count) {
        z[v] = (F)((U)z[v] ^ (x[v] & u_all(fi_bits.sign)));
        x[v] = (U)fma_f(z[v], f_all(law->scale), f_all(law->shift));
    }
}

/* Box and Muller: a block's first 64-bit word gives the radius and its second the angle of two values. */
FN void normal_double(const int count, const struct fi_law *law, U x[]) {
    W angular[BATCH / 2];
    D r[BATCH / 2], angle[BATCH / 2], s[BATCH / 2], c[BATCH / 2];
    EACH(g, count / 2) {
        angular[g] = SHUFFLE2(x[2 * g], x[2 * g + 1], 1, N / 2 + 1);
        r[g] = fraction(SHUFFLE2(x[2 * g], x[2 * g + 1], 0, N / 2), -0x1p-53);
        angle[g] = fraction(angular[g] << 2, 0.5);
    }
    radius(count / 2, r);
    sincos_quarter(count / 2, angle, s, c);
    EACH(g, count / 2) {
        c[g] = (D)((W)c[g] ^ ((angular[g] << 1) & w_all(1ull << 63)));
        const L swap = -(L)(angular[g] >> 63);
        const D a = r[g] * select_d(swap, s[g], c[g]) * d_all(law->dscale) + d_all(law->dshift);
        const D b = r[g] * select_d(swap, c[g], s[g]) * d_all(law->dscale) + d_all(law->dshift);
        x[2 * g] = (U)SHUFFLE2(a, b, 0, N / 2);
        x[2 * g + 1] = (U)SHUFFLE2(a, b, 1, N / 2 + 1);
    }
}

FN void truncated_normal_float(const bool shortcut, const int count, const struct fi_law *law, U x[], U *tails) {
    F t[BATCH], z[BATCH];
    U sign[BATCH];
    EACH(v, count) {
        t[v] = tail_float(FI_truncated_normal, shortcut, law, x[v]);
        if (shortcut) continue;
        *tails &= (U)t[v];
        sign[v] = (x[v] & law->sign_and) ^ law->sign_xor;
        if (law->crosses_centre) {
            const I beyond = t[v] > f_all(0x1p31f);
            t[v] = select_f(beyond, 0x1p32f - t[v], t[v]);
            sign[v] ^= (U)beyond & u_all(fi_bits.sign);
        }
    }
    quantile_float(count, t, z);
    EACH(v, count) {
        if (shortcut) { /* the bounds are symmetric: one comparison of the magnitude */
            const F y = min_f(z[v] * f_all(law->scale), f_all(law->high));
            x[v] = (U)y ^ (x[v] & u_all(fi_bits.sign));
        } else {
            const F y = fma_f((F)((U)z[v] ^ sign[v]), f_all(law->scale), f_all(law->shift));
            x[v] = (U)clamp_f(y, f_all(law->low), f_all(law->high));
        }
    }
}
FN void truncated_normal_double(const int count, const struct fi_law *law, U x[], U *tails) {
    EACH(v, count) {
        D t = tail_double(law, (W)x[v]);
        *tails &= (U)t;
        W sign = (((W)x[v] >> 32) & law->sign_and) ^ law->sign_xor;
        if (law->crosses_centre) {
            const L beyond = t > d_all(0x1p31);
            t = select_d(beyond, 0x1p32 - t, t);
            sign ^= (W)beyond & 0x80000000u;
        }
        const D z = (D)((W)quantile_double(t) ^ (sign << 32));
        x[v] = (U)clamp_d(z * law->dscale + law->dshift, d_all(law->dlow), d_all(law->dhigh));
    }
}

/* `count` vectors of words to values. */
FN void draw(enum fi_law_id kernel, const bool wide, const bool shortcut, const int count, const struct fi_law *law,
             U x[], U *tails) {
    if (kernel == FI_uniform) {
        wide ? uniform_double(shortcut, count, law, x) : uniform_float(shortcut, count, law, x);
    } else if (kernel == FI_normal) {
        wide ? normal_double(count, law, x) : normal_float(count, law, x, tails);
    } else if (kernel == FI_truncated_normal) {
        wide ? truncated_normal_double(count, law, x, tails) : truncated_normal_float(shortcut, count, law, x, tails);
    }
}
