/* The kernels of a GPU: words (philox.h) -> values (dist.h) -> memory, as kernel.h has them for a CPU.
 *
 * A unit is the 16 bytes that one store writes: a block of float32 or float64, two blocks of a 16-bit dtype, four of an
 * 8-bit one. A warp draws neighbouring units, so that each of its stores is 512 consecutive bytes. The threads that
 * CUDA calls a thread block are a crew here, because a block is one of Philox's.
 *
 * Values of rare words are drawn anew when a crew is at its end: code for them inside the loop would cost registers. */
#define FI_ISA_CUDA
#define FI_RARE __noinline__
#define FI_ROLLED _Pragma("unroll 1")
#ifdef __CUDACC_RTC__ /* which has no system headers */
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#endif
#include "fastinit.h"
#include "coefficients.h"
#include "vec_cuda.h"

enum { MAX_GROUPS = 4, BATCH = 8, CREW = 256, WARP = 32, NOTES = 256, PIECES = 80, AXES = 6 };
/* Crews that a multiprocessor holds at a time, which bounds the registers. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ == 750
#define CREWS 4
#else
#define CREWS 6
#endif

/* The arguments of kernels: fi_law and fi_stream come from the CPU's compiler. */
#ifdef FI_LAW_BYTES
static_assert(sizeof(struct fi_law) == FI_LAW_BYTES && sizeof(struct fi_stream) == 88, "another layout");
#endif

#include "philox.h"

#include "vmath.h"

#include "dist.h"

#include "unit_cuda.h"

/* Consecutive elements in consecutive memory, which is aligned to 16 bytes: `units` whole units, then `rest` elements.
 * Their blocks have the same upper half of the block number. */
struct run {
    uint64_t block;
    char *out;
    uint32_t units, rest;
};

/* Rows of a run that lie apart, by `blocks` in the tensor and by `bytes` in memory. Then `units` counts those of all
 * rows; `columns` of them are a row, and `rest`, if any, are the elements of a row's last one. Without columns there is
 * one row. A unit's row is the upper half of its number times `magic`, shifted right. */
struct rows {
    int64_t bytes;
    uint32_t blocks, columns, magic, shift;
};

/* Where a unit of a run is, and whether the run has the whole of it; if not, how many of its elements. */
struct place {
    uint64_t block;
    char *to;
    bool whole;
    int end;
};
FN struct place place_of(int dtype, bool apart, const struct run *run, const struct rows *rows, uint32_t unit) {
    const uint32_t row = apart ? __umulhi(unit, rows->magic) >> rows->shift : 0,
                   column = apart ? unit - row * rows->columns : unit;
    const bool last = apart ? unit < run->units && column + 1 == rows->columns : unit == run->units;
    struct place place;
    place.block = run->block + (uint64_t)row * rows->blocks + (uint64_t)column * UNIT_BLOCKS(dtype);
    place.to = run->out + (int64_t)row * rows->bytes + (uint64_t)column * 16;
    place.whole = unit < run->units && !(apart && last && run->rest);
    place.end = place.whole ? PER_UNIT(dtype) : last ? (int)run->rest : 0;
    return place;
}

/* A crew's part of a run: `rounds` times UNITS units for each of its threads. */
FN void draw_run(int kernel, int dtype, bool shortcut, bool apart, const struct fi_law *law,
                 const struct fi_stream *stream, const struct fi_shared_rounds *shared, const struct run *run,
                 const struct rows *rows, uint32_t rounds, uint32_t crew) {
    const int units = UNITS(dtype);
    const uint32_t first = crew * rounds * (CREW * units);
    begin(kernel, dtype);
    uint32_t at = first + threadIdx.x / WARP * (WARP * units) + threadIdx.x % WARP;
    for (uint32_t round = 0; round < rounds; round++, at += CREW * units) {
        uint32_t x[2][4];
        bool rare = false;
        EACH(u, units) {
            const struct place place = place_of(dtype, apart, run, rows, at + WARP * u);
            rare |= draw_unit(kernel, dtype, shortcut, law, stream, shared, (uint32_t)place.block, x[u]);
        }
        EACH(u, units) {
            const struct place place = place_of(dtype, apart, run, rows, at + WARP * u);
            if (place.whole)
                store_unit(place.to, x[u]);
            else if (place.end)
                store_elements(dtype, x[u], 0, place.end, place.to, SIZE(dtype));
        }
        if (rare) note(at);
    }
    if (!may_have_rare(kernel, dtype, shortcut, law)) return;
    __syncthreads();
    const bool all = noted > NOTES;
    const uint32_t count = units * (all ? rounds * CREW : noted);
#pragma unroll 1
    for (uint32_t i = threadIdx.x; i < count; i += CREW) {
        const uint32_t unit = all ? first + i : notes[i / units] + WARP * (i % units);
        const struct place place = place_of(dtype, apart, run, rows, unit);
        redraw(kernel, dtype, law, stream, place.block * PER_BLOCK(dtype), 0, place.end, place.to, SIZE(dtype));
    }
}

/* Runs of several tensors, which are short: each has a key and crews of its own, from first_crew on. */
struct batch {
    struct piece {
        struct run run;
        uint32_t key[4];
    } pieces[PIECES];
    uint32_t first_crew[PIECES], count, rounds;
};

FN void draw_batch(int kernel, int dtype, bool shortcut, const struct fi_law *law, const struct batch *batch) {
    __shared__ struct fi_stream stream;
    uint32_t low = 0, high = batch->count;
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if (batch->first_crew[middle] <= blockIdx.x)
            low = middle;
        else
            high = middle;
    }
    const struct batch::piece *const piece = &batch->pieces[low];
    if (threadIdx.x == 0) fi_stream_init(&stream, piece->key);
    __syncthreads();
    struct fi_shared_rounds shared;
    fi_shared_rounds_init(&shared, &stream, (uint32_t)(piece->run.block >> 32));
    const struct rows none = {0, 0, 0, 0, 0};
    draw_run(kernel, dtype, shortcut, false, law, &stream, &shared, &piece->run, &none, batch->rounds,
             blockIdx.x - batch->first_crew[low]);
}

#include "box_cuda.h"

/* The kernels of a law and a dtype: run_normal_float32, batch_normal_float32, box_normal_float32, and what draws in a
 * program of XLA: origins_normal_float32, keyed_normal_float32. The macro FI_ONLY chooses one law and dtype, as
 * KERNELS(normal, float32, false, ). */
#define KERNELS(law_name, dtype_name, shortcut, suffix)                                                                \
    extern "C" __global__ void __launch_bounds__(CREW, CREWS) run_##law_name##_##dtype_name##suffix(                   \
        const __grid_constant__ struct fi_law law, const __grid_constant__ struct fi_stream stream,                    \
        const __grid_constant__ struct fi_shared_rounds shared, const __grid_constant__ struct run run,                \
        const __grid_constant__ struct rows rows, uint32_t rounds) {                                                   \
        if (rows.columns)                                                                                              \
            draw_run(FI_##law_name, FI_##dtype_name, shortcut, true, &law, &stream, &shared, &run, &rows, rounds,      \
                     blockIdx.x);                                                                                      \
        else                                                                                                           \
            draw_run(FI_##law_name, FI_##dtype_name, shortcut, false, &law, &stream, &shared, &run, &rows, rounds,     \
                     blockIdx.x);                                                                                      \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(CREW, 1) batch_##law_name##_##dtype_name##suffix(                     \
        const __grid_constant__ struct fi_law law, const __grid_constant__ struct batch batch) {                       \
        draw_batch(FI_##law_name, FI_##dtype_name, shortcut, &law, &batch);                                            \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(CREW, 1) box_##law_name##_##dtype_name##suffix(                       \
        const __grid_constant__ struct fi_law law, const __grid_constant__ struct fi_stream stream,                    \
        const __grid_constant__ struct box box) {                                                                      \
        draw_box(FI_##law_name, FI_##dtype_name, shortcut, &law, &stream, &box, box.out, box.start);                   \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(CREW, 1)                                                              \
        origins_##law_name##_##dtype_name##suffix(const __grid_constant__ struct origins origins) {                    \
        find_origin(&origins);                                                                                         \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(CREW, 1) keyed_##law_name##_##dtype_name##suffix(                     \
        const __grid_constant__ struct fi_law law, const __grid_constant__ struct box box,                             \
        const struct origin *origins, char *out, uint64_t apart) {                                                     \
        draw_keyed(FI_##law_name, FI_##dtype_name, shortcut, &law, &box, origins, out, apart);                         \
    }
#ifndef FI_ONLY
#define M(dtype_name, ...)                                                                                             \
    KERNELS(constant, dtype_name, false, )                                                                             \
    KERNELS(uniform, dtype_name, false, )                                                                              \
    KERNELS(uniform, dtype_name, true, _shortcut)                                                                      \
    KERNELS(normal, dtype_name, false, )                                                                               \
    KERNELS(truncated_normal, dtype_name, false, )                                                                     \
    KERNELS(truncated_normal, dtype_name, true, _shortcut)
FI_DTYPES(M)
#undef M
KERNELS(bits, float32, false, )
KERNELS(bits, float64, false, )
#else
FI_ONLY
#endif

#include "key.c"

#include "stream.c"

#include "scalar.c"

#include "truncated.c"
