/* The moments of a tile's values, and the hash of a row, for one instruction set.
 *
 * The safe way reads the tile twice and computes in double: first the mean, then the powers of the distances from it.
 * The quick way serves all dtypes except float64. It reads the tile once and computes in float32: distances are taken
 * from the mean of the tiles before, in units near their std; sums of 512 values are added up in double. Its moments
 * have a relative error of 1e-6. If a tile is unlike those before, the safe way takes over.
 *
 * Value i is added to lane i mod 16 whatever the length of a vector is, and the lanes are added in one order: the
 * moments are the same bits on every instruction set. */

enum { SUM_LANES = 16, PARTS = SUM_LANES / (N / 2) };

#define LANE(wide) ((wide) ? sizeof(double) : sizeof(float))

/* The size of a dtype, as a constant. */
FN size_t size_of(enum fi_dtype_id dtype) {
#define M(name, size, ...) dtype == FI_##name ? size:
    return FI_DTYPES(M) 0;
#undef M
}

/* N values as float32. */
FN F load_float(enum fi_dtype_id dtype, const char *from) {
    if (dtype == FI_float16) return load_float16(from);
    if (dtype == FI_bfloat16) return load_bfloat16(from);
    if (dtype == FI_float8_e4m3fn) return load_float8(from, FI_FRACTION_float8_e4m3fn, FI_LEAST_float8_e4m3fn, 0x7f);
    if (dtype == FI_float8_e5m2) return load_float8(from, FI_FRACTION_float8_e5m2, FI_LEAST_float8_e5m2, 0x7c);
    F x;
    memcpy(&x, from, sizeof x);
    return x;
}

FN void load(const bool wide, const char *from, D x[PARTS]) {
    if (wide) {
        memcpy(x, from, SUM_LANES * sizeof(double));
    } else {
        EACH(i, SUM_LANES / N) widen_all(load_float(FI_float32, from + (size_t)(i * N) * sizeof(float)), x + 2 * i);
    }
}

FN L finite(D x) { return (D)((L)x & INT64_MAX) < d_all(__builtin_inf()); }

struct first {
    D sum[PARTS], low, high;
    L finite, nan, zeros; /* the counts, negated */
};

FN void first_pass(const bool wide, const char *from, struct first *to) {
    D x[PARTS];
    load(wide, from, x);
    EACH(i, PARTS) {
        const L good = finite(x[i]);
        to->low = min_d(to->low, select_d(good, x[i], d_all(__builtin_inf())));
        to->high = max_d(to->high, select_d(good, x[i], d_all(-__builtin_inf())));
        to->finite += good, to->nan += x[i] != x[i], to->zeros += x[i] == 0.0;
        to->sum[i] += (D)((L)x[i] & good);
    }
}

struct second {
    D m2[PARTS], m3[PARTS], m4[PARTS];
};

FN void second_pass(const bool wide, const char *from, D mean, struct second *to) {
    D x[PARTS];
    load(wide, from, x);
    EACH(i, PARTS) {
        const D d = (D)((L)(x[i] - mean) & finite(x[i])), square = d * d;
        to->m2[i] += square, to->m3[i] += square * d, to->m4[i] += square * square;
    }
}

static double total(const D part[PARTS]) {
    double lane[SUM_LANES];
    memcpy(lane, part, sizeof lane);
    for (int width = SUM_LANES / 2; width; width /= 2)
        for (int i = 0; i < width; i++) lane[i] += lane[i + width];
    return lane[0];
}

static double extreme(D of, double sign) {
    double x[N / 2], most = -__builtin_inf();
    memcpy(x, &of, sizeof x);
    for (int i = 0; i < N / 2; i++)
        if (sign * x[i] > most) most = sign * x[i];
    return sign * most;
}

static uint64_t counted(L minus) {
    uint64_t n = 0;
    for (int i = 0; i < N / 2; i++) n -= (uint64_t)minus[i];
    return n;
}

FN void safe(const bool wide, const char *from, size_t count, struct fi_moments *m) {
    const size_t step = SUM_LANES * LANE(wide), left = count % SUM_LANES;
    const char *end = from + count / SUM_LANES * step;
    /* The values after the last whole step, followed by NaN: a float or double all of whose bits are set. */
    _Alignas(64) char rest[SUM_LANES * sizeof(double)];
    memset(rest, 0xff, sizeof rest);
    memcpy(rest, end, left * LANE(wide));

    struct first first = {.low = d_all(__builtin_inf()), .high = d_all(-__builtin_inf())};
    for (const char *at = from; at < end; at += step) first_pass(wide, at, &first);
    first_pass(wide, rest, &first);
    m->count = counted(first.finite);
    m->nan = counted(first.nan) - (SUM_LANES - left);
    m->inf = count - m->count - m->nan;
    m->zeros = counted(first.zeros);
    m->low = extreme(first.low, -1), m->high = extreme(first.high, 1);
    m->mean = m->m2 = m->m3 = m->m4 = 0;
    if (m->count == 0) return;

    const double sum = total(first.sum);
    m->mean = sum - sum != 0 ? __builtin_nan("") : sum / (double)m->count;
    if (m->mean < m->low) m->mean = m->low; /* rounding may take it there; the mean of a constant is the constant */
    if (m->mean > m->high) m->mean = m->high;
    struct second second = {0};
    for (const char *at = from; at < end; at += step) second_pass(wide, at, d_all(m->mean), &second);
    second_pass(wide, rest, d_all(m->mean), &second);
    m->m2 = total(second.m2), m->m3 = total(second.m3), m->m4 = total(second.m4);
}

enum { FLOATS = SUM_LANES / N, RUN = 32 };

struct quick {
    F sum[FLOATS], m2[FLOATS], m3[FLOATS], m4[FLOATS], low, high;
    I zeros; /* the count, negated */
};

FN void quick_pass(enum fi_dtype_id dtype, const char *from, F shift, F scale, struct quick *to) {
    EACH(i, FLOATS) {
        const F x = load_float(dtype, from + (size_t)(i * N) * size_of(dtype));
        const F d = (x - shift) * scale, square = d * d;
        to->zeros += x == 0.0f;
        to->low = min_f(to->low, x), to->high = max_f(to->high, x);
        to->sum[i] += d, to->m2[i] += square, to->m3[i] += square * d, to->m4[i] += square * square;
    }
}

FN void add_floats(D to[PARTS], F from[FLOATS]) {
    EACH(i, FLOATS) {
        D x[2];
        widen_all(from[i], x);
        to[2 * i] += x[0], to[2 * i + 1] += x[1];
        from[i] = (F){0};
    }
}

/* Returns false if the safe way must be taken: values are not finite, or unlike those before. */
FN bool quick(enum fi_dtype_id dtype, const char *from, size_t count, const struct fi_moments *before,
              struct fi_moments *m) {
    const double n = (double)count, variance = before->m2 / (double)before->count;
    if (!(variance > 0x1p-240 && variance < 0x1p240)) return false;
    uint64_t bits;
    memcpy(&bits, &variance, 8);
    const int octave = ((int)(bits >> 52) - 1023) / 2; /* of the std */
    const uint32_t scale_bits = (uint32_t)(127 - octave) << 23;
    if (octave < -120 || octave > 120) return false;
    float scale;
    memcpy(&scale, &scale_bits, 4);
    const float shift = (float)before->mean;

    const size_t step = SUM_LANES * size_of(dtype);
    const char *end = from + count * size_of(dtype);
    struct quick q = {.low = f_all(__builtin_inff()), .high = f_all(-__builtin_inff())};
    D sum[PARTS] = {{0}}, m2[PARTS] = {{0}}, m3[PARTS] = {{0}}, m4[PARTS] = {{0}};
    while (from < end) {
        const char *stop = (size_t)(end - from) > RUN * step ? from + RUN * step : end;
        for (; from < stop; from += step) quick_pass(dtype, from, f_all(shift), f_all(scale), &q);
        add_floats(sum, q.sum), add_floats(m2, q.m2), add_floats(m3, q.m3), add_floats(m4, q.m4);
    }
    const double e = total(sum) / n, s2 = total(m2) / n, s3 = total(m3) / n, s4 = total(m4) / n;
    const double unit = 1.0 / (double)scale, own = s2 - e * e;
    /* Infinities and NaN fail here too. */
    if (!(e * e < 16 * own && own > 0x1p-16 && s4 < 0x1p64)) return false;
    D x[4];
    widen_all(q.low, x), widen_all(q.high, x + 2);
    m->low = extreme(min_d(x[0], x[1]), -1), m->high = extreme(max_d(x[2], x[3]), 1);
    m->count = count, m->nan = m->inf = m->zeros = 0;
    for (int i = 0; i < N; i++) m->zeros += q.zeros[i] != 0 ? (uint64_t)-q.zeros[i] : 0;
    m->mean = (double)shift + e * unit;
    m->m2 = n * own * unit * unit;
    m->m3 = n * (s3 - 3 * e * s2 + 2 * e * e * e) * unit * unit * unit;
    m->m4 = n * (s4 - 4 * e * s3 + 6 * e * e * s2 - 3 * e * e * e * e) * unit * unit * unit * unit;
    return true;
}

/* Values of a narrow dtype as float32. Whole vectors are written, past `count`. */
static void to_floats(enum fi_dtype_id dtype, const char *from, size_t count, float *to) {
#define M(name, size, ...)                                                                                             \
    if (dtype == FI_##name) {                                                                                          \
        for (; count >= N; count -= N, from += N * size, to += N) {                                                    \
            const F x = load_float(FI_##name, from);                                                                   \
            memcpy(to, &x, sizeof x);                                                                                  \
        }                                                                                                              \
        char rest[N * size] = {0};                                                                                     \
        memcpy(rest, from, count * size);                                                                              \
        const F x = load_float(FI_##name, rest);                                                                       \
        memcpy(to, &x, sizeof x);                                                                                      \
    }
    FI_NARROW_DTYPES(M)
#undef M
}

/* Functions of their own, like the loops of kernel.h. */
#define SAFE(name, wide)                                                                                               \
    static __attribute__((noinline)) void safe_##name(const char *from, size_t count, struct fi_moments *m) {          \
        safe(wide, from, count, m);                                                                                    \
    }
SAFE(floats, false)
SAFE(doubles, true)

static void measure(enum fi_dtype_id dtype, const void *values, size_t count, const struct fi_moments *before,
                    struct fi_moments *m) {
    if (dtype == FI_float64) {
        safe_doubles(values, count, m);
        return;
    }
    if (count % SUM_LANES == 0 && before->count) {
#define M(name, ...)                                                                                                   \
    if (dtype == FI_##name && quick(FI_##name, values, count, before, m)) return;
        M(float32)
        FI_NARROW_DTYPES(M)
#undef M
    }
    _Alignas(64) float floats[FI_TILE + N];
    if (dtype != FI_float32) to_floats(dtype, values, count, floats);
    safe_floats(dtype == FI_float32 ? values : (const void *)floats, count, m);
}

/* Word w at position j of a row adds w + (low half of t) * (high half of t), with t = w ^ (j + 1) * KEY. It depends on
 * the position. The sum does not depend on the order in which words are added. */
#define HASH_KEY 0x9E3779B97F4A7C15u
static uint64_t hash(const void *bytes, size_t count, uint64_t word) {
    const char *from = bytes;
    const W step = w_all(HASH_KEY * (N / 2));
    W key, sum = {0};
    uint64_t lane[N / 2], result = 0;
    for (int i = 0; i < N / 2; i++) lane[i] = (word + (uint64_t)i + 1) * HASH_KEY;
    memcpy(&key, lane, sizeof key);
    for (; count >= sizeof(W); count -= sizeof(W), from += sizeof(W), word += N / 2) {
        W w;
        memcpy(&w, from, sizeof w);
        const W t = w ^ key;
        sum += w + mul_even((U)t, (U)(t >> 32));
        key += step;
    }
    memcpy(lane, &sum, sizeof lane);
    for (int i = 0; i < N / 2; i++) result += lane[i];
    for (size_t n; count; count -= n, from += n) {
        uint64_t w = 0;
        n = count < 8 ? count : 8;
        memcpy(&w, from, n);
        const uint64_t t = w ^ (++word * HASH_KEY);
        result += w + (t & 0xffffffffu) * (t >> 32);
    }
    return result;
}
