/* The lanes of one instruction set, reached without an element's index. Built by test_lanes.py with FI_TARGET or
 * without.
 *
 *   lanes philox C0 C1 C2 C3 K0 K1          the words of two vectors of blocks, the counter's first
 *   lanes uniform DTYPE LOW HIGH            values of 2^24 words: each upper 24 bits, and both outermost words
 *   lanes round DTYPE NEVER_SUBNORMAL       values of the dtype from the float32 of standard input */
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

/* Float32 from standard input, a multiple of 2 N of them, in the dtype to standard output. */
static int rounding(char **argument) {
    const enum fi_dtype_id dtype = (enum fi_dtype_id)atoi(argument[0]);
    const bool never_subnormal = atoi(argument[1]) && converts_bfloat16();
    U x[2];
    char values[2 * sizeof(U)];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        put(dtype, never_subnormal, x, values, false);
        if (fwrite(values, GROUP_BYTES(fi_dtypes[dtype].size), 1, stdout) != 1) return 6;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 8 && !strcmp(argv[1], "philox")) return known_answer(argv + 2);
    if (argc == 5 && !strcmp(argv[1], "uniform")) return every_uniform(argv + 2);
    if (argc == 4 && !strcmp(argv[1], "round")) return rounding(argv + 2);
    return 2;
}

#include "target_end.h"
