/* The truncated normal law: which tail probabilities the words of an interval run through.
 *
 * A word has a half (its sign) and a magnitude. Each half begins at one end of the interval, with magnitude 0. Small
 * magnitudes are finely resolved, and so are both ends, which may lie far out.
 *
 * If the interval holds 0, one half runs from the lower end upwards and the other from the upper end downwards, each
 * through its own tail probabilities, as for the normal law. If the interval lies beyond 0, all its probabilities
 * belong to one tail. They are taken relative to that of the inner end, by logarithms, so that no bound is too far out.
 */
#include "fastinit.h"

static double least(double a, double b) { return a < b ? a : b; }

void fi_truncated_init(struct fi_law *law, double a, double b) {
    const bool mirrored = b <= 0;
    if (mirrored) {
        const double c = -a;
        a = -b, b = c;
    }
    double scale = 1.0;
    if (a >= -0x1p-4 && b <= 0x1p-4) {
        /* The interval is so short that tail probabilities, all near 1/2, would resolve it too coarsely. */
        const double low = fi_centre(a), high = fi_centre(b), half = 0.5 * (high - low);
        law->near_centre = law->has_rare = true;
        law->first[0] = high, law->span[0] = -half;
        law->first[1] = low, law->span[1] = half;
    } else if (a < 0) {
        const double lower = fi_upper(-a), upper = fi_upper(b), half = 0.5 * (1.0 - lower - upper);
        law->first[0] = upper, law->first[1] = lower;
        law->span[0] = law->span[1] = half;
        law->sign_and = 0x80000000u;
        law->symmetric = lower == upper;
        law->crosses_centre = !law->symmetric;
    } else {
        law->log_ref = fi_log_upper(a);
        scale = fi_exp(-law->log_ref);
        const double ratio = fi_exp(law->log_ref - fi_log_upper(b)), half = 0.5 * (1.0 - ratio);
        law->first[0] = 1.0, law->span[0] = -half;
        law->first[1] = ratio, law->span[1] = half;
    }
    law->sign_xor = mirrored ? 0x80000000u : 0;
    if (law->near_centre) return;
    double smallest = 0x1p32;
    for (int half = 0; half < 2; half++) {
        /* t = 2^32 p */
        const double first = scale * law->first[half], span = scale * law->span[half];
        law->slope[half] = (float)(2.0 * span), law->base[half] = (float)(0x1p32 * first);
        law->dslope[half] = 0x1p-31 * span, law->dbase[half] = 0x1p32 * first;
        smallest = least(smallest, 0x1p32 * least(first, first + span));
    }
    law->has_rare = smallest < 0x1p17 * (1 + 0x1p-20); /* a margin for the rounding of t */
}

double fi_normal_slow(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, uint64_t word) {
    if (law->dtype != FI_float64) {
        /* 32 bits more, from block 2^63 + index, which no element uses. They move the word by up to half of its unit,
         * up or down. */
        uint32_t extra[4];
        fi_philox(stream, 1ull << 63 | index, extra);
        word = (word << 32) + (uint64_t)(int64_t)(int32_t)extra[0];
    }
    /* The half, and the magnitude as a fraction of 2^63; half a unit is added to the signed word. */
    const int half = (int)(word >> 63);
    const double fraction = ((double)(half ? ~word : word) + 0.5) * 0x1p-63;
    if (law->kernel == FI_normal) {
        const double z = fi_tail(-fi_log(0.5 * fraction));
        return half ? -z : z;
    }
    const double p = law->first[half] + law->span[half] * fraction;
    const double z = law->near_centre ? fi_inverse_centre(p) : fi_tail(law->log_ref - fi_log(p));
    return (((uint32_t)(word >> 32) & law->sign_and) ^ law->sign_xor) >> 31 ? -z : z;
}
