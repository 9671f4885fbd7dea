/* Words to values, one function per law and lane width. The rare words that the truncated and the normal law
 * leave to scalar code (see kernel.h) get an arbitrary value here. */

/* Tail probability of each word's magnitude, as quantile_float and quantile_double take it. */
FN F tail_float(const struct fi_law *law, U word) {
    const F magnitude = to_float((I)(word & 0x7fffffffu));
    if (law->id == FI_normal) return magnitude;
    if (law->symmetric) return fma_f(magnitude, f_all(law->slope[0]), f_all(law->base[0]));
    const I lower = (I)word >> 31;
    return fma_f(magnitude, select_f(lower, f_all(law->slope[1]), f_all(law->slope[0])),
                 select_f(lower, f_all(law->base[1]), f_all(law->base[0])));
}
FN D tail_double(const struct fi_law *law, W word) {
    const D magnitude = to_double(word & 0x7fffffffffffffffu);
    const L lower = -(L)(word >> 63);
    return magnitude * select_d(lower, d_all(law->dslope[1]), d_all(law->dslope[0])) +
           select_d(lower, d_all(law->dbase[1]), d_all(law->dbase[0]));
}

FN F uniform_float(const struct fi_law *law, U word) {
    const F y = fma_f(to_float((I)word >> 8), f_all(law->scale), f_all(law->shift));
    return clamp_f(y, f_all(law->low), f_all(law->high));
}
FN D uniform_double(const struct fi_law *law, W word) {
    return clamp_d(fraction(word, 0.5) * law->dscale + law->dshift, d_all(law->dlow), d_all(law->dhigh));
}

FN F normal_float(const struct fi_law *law, U word) {
    const F z = (F)((U)quantile_float(tail_float(law, word)) ^ (word & 0x80000000u));
    return fma_f(z, f_all(law->scale), f_all(law->shift));
}

/* Box and Muller: a block's first word gives the radius, its second the angle, of two normals. */
FN void normal_double(const struct fi_law *law, U x[2]) {
    const W radial = SHUFFLE2((W)x[0], (W)x[1], 0, N / 2), angular = SHUFFLE2((W)x[0], (W)x[1], 1, N / 2 + 1);
    const D r = radius(fraction(radial, -0x1p-53));
    D s, c;
    sincos_quarter(fraction(angular << 2, 0.5), &s, &c);
    c = (D)((W)c ^ ((angular << 1) & 0x8000000000000000u));
    const L swap = -(L)(angular >> 63);
    const D a = r * select_d(swap, s, c) * law->dscale + law->dshift;
    const D b = r * select_d(swap, c, s) * law->dscale + law->dshift;
    x[0] = (U)SHUFFLE2(a, b, 0, N / 2);
    x[1] = (U)SHUFFLE2(a, b, 1, N / 2 + 1);
}

FN F truncated_normal_float(const struct fi_law *law, U word) {
    F t = tail_float(law, word);
    U sign = (word & law->sign_and) ^ law->sign_xor;
    if (law->fold) {
        const I beyond = t > f_all(0x1p31f);
        t = select_f(beyond, 0x1p32f - t, t);
        sign ^= (U)beyond & 0x80000000u;
    }
    const F z = (F)((U)quantile_float(t) ^ sign);
    return clamp_f(fma_f(z, f_all(law->scale), f_all(law->shift)), f_all(law->low), f_all(law->high));
}
FN D truncated_normal_double(const struct fi_law *law, W word) {
    D t = tail_double(law, word);
    W sign = ((word >> 32) & law->sign_and) ^ law->sign_xor;
    if (law->fold) {
        const L beyond = t > d_all(0x1p31);
        t = select_d(beyond, 0x1.fffffffep31 - t, t); /* (2^32 - 1) - t */
        sign ^= (W)beyond & 0x80000000u;
    }
    const D z = (D)((W)quantile_double(t) ^ (sign << 32));
    return clamp_d(z * law->dscale + law->dshift, d_all(law->dlow), d_all(law->dhigh));
}
