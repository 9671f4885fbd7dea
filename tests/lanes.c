/* The lanes of one instruction set, reached without an element's index. Built by test_lanes.py with FI_TARGET or
 * without.
 *
 *   lanes philox C0 C1 C2 C3 K0 K1          the words of two vectors of blocks, the counter's first
 *   lanes uniform DTYPE LOW HIGH            values of 2^24 words: each upper 24 bits, and both outermost words
 *   lanes bfloat16                          nothing, if every kind of rounding is to nearest-even */
#define FI_ISA lanes
#if defined(LANES_AVX512)
#define FI_ISA_AVX512
#define FI_TARGET "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c"
#elif defined(LANES_AVX2)
#define FI_ISA_AVX2
#define FI_TARGET "avx2,fma,f16c"
#endif
#include "target_begin.h"

#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>

static int known_answer(char **argument) {
    uint32_t c[4], key[4];
    for (int i = 0; i < 4; i++) c[i] = (uint32_t)strtoul(argument[i], NULL, 16);
    for (int i = 0; i < 2; i++) key[i] = (uint32_t)strtoul(argument[4 + i], NULL, 16);
    key[2] = c[2], key[3] = c[3];
    struct fi_stream stream;
    fi_stream_init(&stream, key);
    const struct fi_law law = {.kernel = FI_bits, .dtype = FI_float32};
    U x[2];
    fill(&words, sizeof(uint32_t), 4, &law, &stream, c[0] | (uint64_t)c[1] << 32, 0, 2 * N, (char *)x, false);
    return fwrite(x, sizeof x, 1, stdout) == 1 ? 0 : 6;
}

static int every_uniform(char **argument) {
    const enum fi_dtype_id dtype = (enum fi_dtype_id)atoi(argument[0]);
    const double bounds[2] = {strtod(argument[1], NULL), strtod(argument[2], NULL)};
    struct fi_law law;
    if (fi_law_init(&law, FI_uniform, dtype, bounds)) return 3;
    const size_t size = fi_dtypes[dtype].size, count = dtype == FI_float64 ? N : 2 * N;
    for (uint32_t code = 0; code < 1u << 24; code += (uint32_t)count) {
        U x[2], tails = ~(U){0};
        for (uint32_t i = 0; i < count; i++) {
            /* Words whose sign bit is 0 end in ones, so that both outermost words are there. */
            const uint64_t top = code + i, word = top << 40 | (top >> 23 ? 0 : ~0ull >> 24);
            if (dtype == FI_float64)
                memcpy((char *)x + 8 * i, &word, 8);
            else
                x[i / N][i % N] = (uint32_t)(word >> 32);
        }
        draw(FI_uniform, dtype == FI_float64, law.shortcut, 2, &law, x, &tails);
        char values[2 * sizeof(U)];
        put(dtype, false, x, values, false);
        if (fwrite(values, size, count, stdout) != count) return 6;
    }
    return 0;
}

/* Every upper half, finite, over lower halves below, at and above one half. */
static int rounding(void) {
    static const uint32_t lower[8] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x4000, 0xc000};
    for (uint32_t code = 0; code < 8u << 16; code += 2 * N) {
        U x[2];
        uint16_t expected[2 * N];
        for (uint32_t i = 0; i < 2 * N; i++) {
            const uint32_t upper = (code + i) >> 3, finite = (~upper & 0x7f80) ? ~0u : 0x80000000u;
            const uint32_t bits = (upper << 16 | lower[i & 7]) & finite;
            x[i / N][i % N] = bits;
            expected[i] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
        }
        const bool subnormal = !(code >> 10 & 0xff), converts = converts_bfloat16() && !subnormal;
        const U packed = pack_bfloat16(x[0], x[1]), converted = converts ? convert_bfloat16(x[0], x[1]) : packed;
        if (memcmp(&packed, expected, sizeof packed) || memcmp(&converted, expected, sizeof converted)) return 7;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 8 && !strcmp(argv[1], "philox")) return known_answer(argv + 2);
    if (argc == 5 && !strcmp(argv[1], "uniform")) return every_uniform(argv + 2);
    if (argc == 2 && !strcmp(argv[1], "bfloat16")) return rounding();
    return 2;
}

#include "target_end.h"
