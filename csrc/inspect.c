/* Moments, bins and row hashes of a chunk of values. */
#include "arithmetic.h"
#include "fastinit.h"

#include <string.h>

/* By T. F. Chan, G. H. Golub, R. J. LeVeque 1979 and P. Pebay 2008, Formulas for robust, one-pass parallel computation
 * of covariances and arbitrary-order statistical moments. */
void fi_merge(struct fi_moments *a, const struct fi_moments *b) {
    a->nan += b->nan, a->inf += b->inf, a->zeros += b->zeros;
    if (b->count == 0) return;
    if (a->count == 0) {
        const uint64_t nan = a->nan, inf = a->inf;
        *a = *b;
        a->nan = nan, a->inf = inf;
        return;
    }
    const double na = (double)a->count, nb = (double)b->count, n = na + nb, d = b->mean - a->mean;
    const double e = d / n, pairs = na * nb * d * e; /* d^2 na nb / n */
    a->m4 += b->m4 + pairs * (na * na - na * nb + nb * nb) * e * e + 6 * e * e * (na * na * b->m2 + nb * nb * a->m2) +
             4 * e * (na * b->m3 - nb * a->m3);
    a->m3 += b->m3 + pairs * (na - nb) * e + 3 * e * (na * b->m2 - nb * a->m2);
    a->m2 += b->m2 + pairs;
    a->mean += nb * e;
    a->count += b->count;
    if (b->low < a->low) a->low = b->low;
    if (b->high > a->high) a->high = b->high;
}

/* Neighbours are often equal. Each has a counter of its own, so that the additions need not wait for each other. */
enum { COPIES = 2, BINS_EVERY = 16 };

static void count_bins(enum fi_dtype_id dtype, const char *values, size_t count, uint32_t bins[COPIES][FI_BINS]) {
    if (fi_dtypes[dtype].size == 2) {
        size_t i = 0;
        for (; i + 4 <= count; i += 4) {
            uint64_t four;
            memcpy(&four, values + 2 * i, 8);
            bins[0][four >> 4 & 0xfff]++;
            bins[1][four >> 20 & 0xfff]++;
            bins[0][four >> 36 & 0xfff]++;
            bins[1][four >> 52]++;
        }
        for (; i < count; i++) {
            uint16_t one;
            memcpy(&one, values + 2 * i, 2);
            bins[0][one >> 4]++;
        }
        return;
    }
    if (fi_dtypes[dtype].size == 1) {
        for (size_t i = 0; i < count; i++) bins[i % COPIES][(unsigned char)values[i] << 4]++;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        if (dtype == FI_float64) {
            double wide;
            memcpy(&wide, values + 8 * i, 8);
            const float narrow = (float)wide;
            memcpy(&bits, &narrow, 4);
        } else {
            memcpy(&bits, values + 4 * i, 4);
        }
        bins[i % COPIES][bits >> 20]++;
    }
}

void fi_inspect(const struct fi_isa *isa, const struct fi_chunk *chunk, struct fi_moments *moments,
                uint32_t counts[FI_BINS], uint64_t *hashes) {
    const size_t size = fi_dtypes[chunk->dtype].size, count = chunk->rows * chunk->row_count;
    const size_t every = count > BINS_EVERY * FI_TILE ? BINS_EVERY : 1;
    const char *values = chunk->values;
    uint32_t bins[COPIES][FI_BINS] = {{0}};
    const fi_arithmetic caller = fi_arithmetic_begin();
    *moments = (struct fi_moments){0};
    for (size_t at = 0, n; at < count; at += n) {
        struct fi_moments tile;
        n = count - at < FI_TILE ? count - at : FI_TILE;
        isa->measure(chunk->dtype, values + at * size, n, moments, &tile);
        fi_merge(moments, &tile);
        if (at % (every * FI_TILE) == 0) count_bins(chunk->dtype, values + at * size, n, bins);
    }
    for (size_t i = 0; i < FI_BINS; i++) counts[i] = bins[0][i] + bins[1][i];
    if (hashes) {
        const size_t bytes = chunk->row_count * size;
        for (size_t row = 0; row < chunk->rows; row++)
            hashes[row] = isa->hash(values + row * bytes, bytes, chunk->word);
    }
    fi_arithmetic_end(caller);
}
