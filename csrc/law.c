/* From a law's parameters to the numbers that the kernels use. All is computed in double and rounded once. */
#include "arithmetic.h"
#include "fastinit.h"

#include <string.h>

#define M(law) #law,
const char *const fi_law_names[FI_LAW_COUNT] = {FI_LAWS(M)};
#undef M

#define M(name, size, precision, least_exponent, largest) {#name, size, precision, least_exponent, largest},
const struct fi_dtype fi_dtypes[FI_DTYPE_COUNT] = {FI_DTYPES(M)};
#undef M

const struct fi_bits fi_bits = FI_BITS;
const struct fi_float8 fi_float8_e4m3fn = FI_FLOAT8(float8_e4m3fn), fi_float8_e5m2 = FI_FLOAT8(float8_e5m2);

static double power_of_two(int e) {
    const uint64_t bits = e >= -1022 ? (uint64_t)(e + 1023) << 52 : 1ull << (e + 1074);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The largest value of the dtype that is <= x, for |x| up to its largest value. */
static double round_down(enum fi_dtype_id dtype, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    if (exponent < fi_dtypes[dtype].least_exponent) exponent = fi_dtypes[dtype].least_exponent;
    const double unit = power_of_two(exponent - fi_dtypes[dtype].precision + 1);
    const double steps = (double)(int64_t)(x / unit); /* exact: at most 53 bits */
    return (steps * unit > x ? steps - 1 : steps) * unit;
}
/* The subtraction gives +0.0 where a minus sign would give -0.0. */
static double round_up(enum fi_dtype_id dtype, double x) { return 0.0 - round_down(dtype, -x); }

/* The largest double < x. */
static double below(double x) {
    int64_t bits;
    if (x == 0) return -0x1p-1074;
    memcpy(&bits, &x, sizeof bits);
    bits += x > 0 ? -1 : 1;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double magnitude(double x) { return x < 0 ? -x : x; }

static const char *keep_within(struct fi_law *law, double low, double high) {
    law->dlow = low, law->dhigh = high;
    law->low = (float)low, law->high = (float)high;
    return low <= high ? NULL : "holds no value of the dtype";
}

static const char *constant_init(struct fi_law *law, double value) {
    law->kernel = FI_constant;
    law->shift = (float)value, law->dshift = value;
    return NULL;
}

static const char *uniform_init(struct fi_law *law, double low, double high) {
    if (low == high) return constant_init(law, low);
    const double width = high - low;
    if (width > fi_dtypes[FI_float64].largest) return "is wider than the dtype's range";
    /* x = centre + w * width / 2^32, for the signed word w. The width is shrunk by 2^-23: w = 2^31 - 1, which as a
     * float is 2^31, then still gives x < high in most intervals. */
    const double centre = 0.5 * low + 0.5 * high;
    law->scale = (float)(width * (1 - 0x1p-23) * 0x1p-32), law->shift = (float)centre;
    law->dscale = width * (1 - 0x1p-52) * 0x1p-64, law->dshift = centre;
    /* Callers compare with `high` itself or with `high` rounded to the dtype: x is below both. If the interval has one
     * value of the dtype, its lower end, that is x. */
    const double floor = round_down(law->dtype, high), ceiling = round_up(law->dtype, high);
    const double rounded = high - floor <= ceiling - high ? floor : high;
    const double bottom = round_up(law->dtype, low), top = round_down(law->dtype, below(rounded));
    const char *complaint = keep_within(law, bottom, top < bottom && bottom < high ? bottom : top);
    /* The lanes compute a monotonic function of the word: if the two outermost words stay inside, all do. */
    const float reach = law->scale * 0x1p31f;
    const double dreach = law->dscale * 0x1p63;
    if (law->dtype == FI_float64)
        law->shortcut = dreach + law->dshift <= law->dhigh && law->dshift - dreach >= law->dlow;
    else
        law->shortcut = reach + law->shift <= law->high && law->shift - reach >= law->low;
    return complaint;
}

static const char *normal_init(struct fi_law *law, double mean, double std) {
    const double reach = 10 * std + magnitude(mean);
    if (!(reach <= fi_dtypes[law->dtype].largest)) return "reaches beyond the dtype's range";
    if (std == 0) return constant_init(law, mean);
    law->scale = (float)std, law->shift = (float)mean;
    law->dscale = std, law->dshift = mean;
    law->never_subnormal = mean == 0 && std > 0x1p-60; /* |z| is 0 or above 2^-34 */
    return keep_within(law, -fi_dtypes[law->dtype].largest, fi_dtypes[law->dtype].largest);
}

static const char *truncated_init(struct fi_law *law, double mean, double std, double low, double high) {
    const double largest = fi_dtypes[law->dtype].largest;
    const bool unbounded_below = low<-largest, unbounded_above = high> largest;
    if (unbounded_below || unbounded_above) {
        const char *complaint = normal_init(law, mean, std);
        if (complaint) return complaint;
        if (unbounded_below && unbounded_above) {
            if (law->kernel == FI_truncated_normal) law->kernel = FI_normal;
            return NULL;
        }
    }
    if (low > largest || high < -largest) return "is beyond the dtype's range";
    if (std == 0) return constant_init(law, mean);
    const char *complaint = keep_within(law, unbounded_below ? -largest : round_up(law->dtype, low),
                                        unbounded_above ? largest : round_down(law->dtype, high));
    if (complaint) return complaint;
    /* At such a distance the inner bound is the value of every word, to the last bit of a double. */
    const double a = (low - mean) / std, b = (high - mean) / std, far = 0x1p27;
    if (a > far) return constant_init(law, law->dlow);
    if (b < -far) return constant_init(law, law->dhigh);
    if (law->dtype != FI_float64 && std > fi_dtypes[FI_float32].largest) return "is wider than the dtype's range";
    law->scale = (float)std, law->shift = (float)mean;
    law->dscale = std, law->dshift = mean;
    fi_truncated_init(law, a, b);
    law->shortcut = law->symmetric && mean == 0 && law->low == -law->high && law->high > 0 && !law->has_rare;
    return NULL;
}

static const char *init(struct fi_law *law, enum fi_law_id id, enum fi_dtype_id dtype, const double *p) {
    const double largest = fi_dtypes[dtype].largest;
    memset(law, 0, sizeof *law);
    law->kernel = id, law->dtype = dtype;
    switch (id) {
    case FI_bits: return fi_dtypes[dtype].size < 4 ? "has 32- or 64-bit words" : NULL;
    case FI_constant: return magnitude(p[0]) > largest ? "is beyond the dtype's range" : constant_init(law, p[0]);
    case FI_uniform:
        if (magnitude(p[0]) > largest || magnitude(p[1]) > largest) return "is beyond the dtype's range";
        return uniform_init(law, p[0], p[1]);
    case FI_normal: return normal_init(law, p[0], p[1]);
    case FI_truncated_normal: return truncated_init(law, p[0], p[1], p[2], p[3]);
    default: return "is not a law";
    }
}

/* As in a fill, the caller's rounding mode and flush-to-zero flags have no influence. */
const char *fi_law_init(struct fi_law *law, enum fi_law_id id, enum fi_dtype_id dtype, const double *parameter) {
    const fi_arithmetic caller = fi_arithmetic_begin();
    const char *complaint = init(law, id, dtype, parameter);
    fi_arithmetic_end(caller);
    return complaint;
}
