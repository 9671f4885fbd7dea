/* What the values of a tile are like, included once per instruction set: twice through the tile in the first-level
 * cache, first for the mean, then for the powers of the distances from it.
 *
 * Value i is summed in lane i mod 16 whatever the length of a vector, and the lanes in one order: the moments are the
 * same bits on every instruction set. */

enum { LANES = 16, PARTS = LANES / (N / 2) };

FN F load_float(enum fi_dtype_id dtype, const char *from) {
    if (dtype == FI_float16) return load_float16(from);
    if (dtype == FI_bfloat16) return load_bfloat16(from);
    F x;
    memcpy(&x, from, sizeof x);
    return x;
}

FN void load(enum fi_dtype_id dtype, const char *from, D x[PARTS]) {
    if (dtype == FI_float64) {
        memcpy(x, from, LANES * sizeof(double));
    } else {
        EACH(i, LANES / N) widen_all(load_float(dtype, from + (size_t)(i * N) * ELEMENT(dtype)), x + 2 * i);
    }
}

FN L finite(D x) { return (D)((L)x & INT64_MAX) < d_all(__builtin_inf()); }

struct first {
    D sum[PARTS], low, high;
    L finite, nan, zeros; /* minus the counts */
    /* Of the careless pass, except for float64. */
    F low_f, high_f;
    I zeros_f;
};

/* Takes every value for finite. */
FN void careless(enum fi_dtype_id dtype, const char *from, struct first *to) {
    D x[PARTS];
    if (dtype == FI_float64) {
        load(dtype, from, x);
        EACH(i, PARTS) {
            to->zeros += x[i] == 0.0;
            to->low = min_d(to->low, x[i]), to->high = max_d(to->high, x[i]);
        }
    } else {
        EACH(i, LANES / N) {
            const F y = load_float(dtype, from + (size_t)(i * N) * ELEMENT(dtype));
            to->zeros_f += y == 0.0f;
            to->low_f = min_f(to->low_f, y), to->high_f = max_f(to->high_f, y);
            widen_all(y, x + 2 * i);
        }
    }
    EACH(i, PARTS) to->sum[i] += x[i];
}

FN void careful(enum fi_dtype_id dtype, const char *from, struct first *to) {
    D x[PARTS];
    load(dtype, from, x);
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

FN void second_pass(enum fi_dtype_id dtype, bool all_finite, const char *from, D mean, struct second *to) {
    D x[PARTS];
    load(dtype, from, x);
    EACH(i, PARTS) {
        D d = x[i] - mean;
        if (!all_finite) d = (D)((L)d & finite(x[i]));
        const D square = d * d;
        to->m2[i] += square, to->m3[i] += square * d, to->m4[i] += square * square;
    }
}

static double total(const D part[PARTS]) {
    double lane[LANES];
    memcpy(lane, part, sizeof lane);
    for (int width = LANES / 2; width; width /= 2)
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

static uint64_t counted(const void *minus, size_t lanes, size_t size) {
    uint64_t n = 0;
    for (size_t i = 0; i < lanes; i++) {
        int64_t wide = 0;
        int32_t narrow = 0;
        memcpy(size == 8 ? (void *)&wide : (void *)&narrow, (const char *)minus + i * size, size);
        n -= (uint64_t)(wide + narrow);
    }
    return n;
}

FN void measure(enum fi_dtype_id dtype, const char *from, size_t count, struct fi_moments *m) {
    const size_t step = LANES * ELEMENT(dtype), whole = count / LANES * step, left = count % LANES;
    const char *end = from + whole;
    const double inf = __builtin_inf();
    const struct first none = {
        .low = d_all(inf), .high = d_all(-inf), .low_f = f_all(__builtin_inff()), .high_f = f_all(-__builtin_inff())};
    struct first first = none;
    for (const char *at = from; at < end; at += step) careless(dtype, at, &first);
    double sum = total(first.sum);

    /* The values left over, filled up with NaN: all bits set, in every dtype. */
    _Alignas(64) char rest[LANES * sizeof(double)];
    const bool all_finite = !left && sum - sum == 0;
    if (all_finite) {
        m->count = count, m->nan = 0;
        if (dtype != FI_float64) {
            D x[4];
            widen_all(first.low_f, x), widen_all(first.high_f, x + 2);
            first.low = min_d(x[0], x[1]), first.high = max_d(x[2], x[3]);
            m->zeros = counted(&first.zeros_f, N, 4);
        } else {
            m->zeros = counted(&first.zeros, N / 2, 8);
        }
    } else {
        memset(rest, 0xff, sizeof rest);
        memcpy(rest, end, left * ELEMENT(dtype));
        first = none;
        for (const char *at = from; at < end; at += step) careful(dtype, at, &first);
        careful(dtype, rest, &first);
        sum = total(first.sum);
        m->count = counted(&first.finite, N / 2, 8);
        m->nan = counted(&first.nan, N / 2, 8) - (LANES - left);
        m->zeros = counted(&first.zeros, N / 2, 8);
    }
    m->inf = count - m->count - m->nan;
    m->low = extreme(first.low, -1), m->high = extreme(first.high, 1);
    m->mean = m->m2 = m->m3 = m->m4 = 0;
    if (m->count == 0) return;

    m->mean = sum - sum != 0 ? __builtin_nan("") : sum / (double)m->count;
    if (m->mean < m->low) m->mean = m->low; /* by rounding; a constant's mean is the constant */
    if (m->mean > m->high) m->mean = m->high;
    const D mean = d_all(m->mean);
    struct second second = {0};
    if (all_finite) {
        for (const char *at = from; at < end; at += step) second_pass(dtype, true, at, mean, &second);
    } else {
        for (const char *at = from; at < end; at += step) second_pass(dtype, false, at, mean, &second);
        second_pass(dtype, false, rest, mean, &second);
    }
    m->m2 = total(second.m2), m->m3 = total(second.m3), m->m4 = total(second.m4);
}

#define M(dtype, size)                                                                                                 \
    static void measure_##dtype(const void *from, size_t count, struct fi_moments *moments) {                          \
        measure(FI_##dtype, from, count, moments);                                                                     \
    }
FI_DTYPES(M)
#undef M

/* Word j of a row gives w + (low half of t) * (high half of t), t = w ^ (j + 1) * KEY: what a word adds depends on its
 * place, and the sum on no order. */
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
