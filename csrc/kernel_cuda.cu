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

enum { GROUP_BLOCKS = 1, MAX_GROUPS = 4, BATCH = 8, CREW = 256, WARP = 32, NOTES = 256, PIECES = 80, AXES = 6 };
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

#define SIZE(dtype) ((dtype) == FI_float64 ? 8 : (dtype) == FI_float32 ? 4 : (dtype) <= FI_bfloat16 ? 2 : 1)
#define PER_UNIT(dtype) (16 / SIZE(dtype))
#define PER_BLOCK(dtype) ((dtype) == FI_float64 ? 2 : 4)
#define UNIT_BLOCKS(dtype) (PER_UNIT(dtype) / PER_BLOCK(dtype))
/* Units that a thread draws at a time, WARP units apart. */
#define UNITS(dtype) (SIZE(dtype) == 1 ? 1 : 2)

FN bool may_have_rare(int kernel, int dtype, bool shortcut, const struct fi_law *law) {
    return kernel == FI_truncated_normal ? !shortcut && law->has_rare : kernel == FI_normal && dtype != FI_float64;
}

/* The 16 bytes of a unit, from its 2 * UNIT_BLOCKS vectors of lanes. */
FN void pack(int dtype, const U x[], uint32_t to[4]) {
    EACH(i, 4) {
        if (dtype == FI_float16)
            to[i] = pack_float16(x[i]);
        else if (dtype == FI_bfloat16)
            to[i] = pack_bfloat16(x[i]);
        else if (SIZE(dtype) == 1)
            to[i] = pack_float8(dtype == FI_float8_e5m2, x[2 * i]) | pack_float8(dtype == FI_float8_e5m2, x[2 * i + 1])
                                                                         << 16;
        else
            to[i] = i % 2 ? x[i / 2].b : x[i / 2].a;
    }
}

/* Draw a unit. True if some of its values are to be drawn anew. */
FN bool draw_unit(int kernel, int dtype, bool shortcut, const struct fi_law *law, const struct fi_stream *stream,
                  const struct fi_shared_rounds *shared, uint32_t block, uint32_t to[4]) {
    const bool wide = dtype == FI_float64;
    const int vectors = 2 * UNIT_BLOCKS(dtype);
    U x[2 * MAX_GROUPS], tails = U(~0u);
    if (kernel == FI_constant) {
        EACH(i, vectors) x[i] = wide ? U(d_all(law->dshift)) : U(f_all(law->shift));
    } else {
        philox(UNIT_BLOCKS(dtype), stream, shared, block, x);
        draw((enum fi_law_id)kernel, wide, shortcut, vectors, law, x, &tails);
    }
    pack(dtype, x, to);
    return may_have_rare(kernel, dtype, shortcut, law) && (any_rare(tails, wide) || law->near_centre);
}

FN void store_unit(char *to, const uint32_t x[4]) { *(uint4 *)to = make_uint4(x[0], x[1], x[2], x[3]); }

/* Elements [from, end) of a unit, element_bytes apart. */
FN void store_elements(int dtype, const uint32_t x[4], int from, int end, char *to, int64_t element_bytes) {
    EACH(i, PER_UNIT(dtype)) {
        if (i < from || i >= end) continue;
        char *const place = to + i * element_bytes;
        const int at = i * SIZE(dtype) / 4; /* the word of x */
        if (SIZE(dtype) == 8)
            *(uint64_t *)place = (uint64_t)x[(at + 1) % 4] << 32 | x[at];
        else if (SIZE(dtype) == 4)
            *(uint32_t *)place = x[at];
        else if (SIZE(dtype) == 2)
            *(uint16_t *)place = (uint16_t)(x[at] >> 16 * (i % 2));
        else
            *(uint8_t *)place = (uint8_t)(x[at] >> 8 * (i % 4));
    }
}

/* Draw anew, in scalar code, those of a unit's elements [from, end) whose words are rare. */
FN void redraw(int kernel, int dtype, const struct fi_law *law, const struct fi_stream *stream, uint64_t index,
               int from, int end, char *to, int64_t element_bytes) {
    const bool wide = dtype == FI_float64;
#pragma unroll 1
    for (int i = from; i < end; i++) {
        uint32_t block[4];
        const uint64_t at = index + (uint64_t)i;
        fi_philox(stream, at / PER_BLOCK(dtype), block);
        const uint32_t even = at & (wide ? 1 : 2) ? block[2] : block[0],
                       odd = at & (wide ? 1 : 2) ? block[3] : block[1];
        const uint64_t word = wide ? (uint64_t)odd << 32 | even : at & 1 ? odd : even;
        const U tail =
            wide ? U(tail_double(law, W(word))) : U(tail_float((enum fi_law_id)kernel, false, law, U(W(word))));
        if (!law->near_centre && !any_rare(wide ? tail : U(tail.a), wide)) continue;
        const D y = D(fi_normal_slow(law, stream, at, word)) * law->dscale + law->dshift;
        U kept[2 * MAX_GROUPS];
        EACH(j, 2 * MAX_GROUPS)
        kept[j] = wide ? U(clamp_d(y, law->dlow, law->dhigh)) : U(clamp_f(F((float)y.a), law->low, law->high));
        uint32_t x[4];
        pack(dtype, kept, x);
        store_elements(dtype, x, 0, 1, to + i * element_bytes, 0);
    }
}

/* The units that a crew has noted. If they are more than NOTES, it looks through all of its units again. */
__shared__ uint32_t noted, notes[NOTES];
FN void note(uint32_t unit) {
    const uint32_t i = atomicAdd(&noted, 1);
    if (i < NOTES) notes[i] = unit;
}
FN void begin(int kernel, int dtype) {
    if (kernel != FI_normal && kernel != FI_truncated_normal) return;
    if (dtype != FI_float64) load_table();
    if (threadIdx.x == 0) noted = 0;
    __syncthreads();
}

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

/* A part of a tensor in memory of any strides: element `start` of the tensor lies at `out`, and along each axis there
 * are `count` steps of `stride` elements in the tensor and of `bytes` in memory. The units run along the axes, the
 * first one changing fastest. One of the axes, `along`, has `length` consecutive elements, `element_bytes` apart; its
 * steps are units. The unit that a row of elements begins in may begin before the row.
 *
 * n / count is the upper half of n * magic, shifted right: n is below 2^31, as is the number of units. */
struct box {
    char *out;
    uint64_t start, length;
    int64_t element_bytes;
    struct box_axis {
        uint64_t stride;
        int64_t bytes;
        uint32_t count, magic, shift, unused;
    } axes[AXES];
    uint32_t n_axes, along, units, rounds;
};

/* The first element of unit `at` of a box whose element `start` lies at `out`, where it lies, and which of its elements
 * belong to the row. */
struct spot {
    uint64_t first;
    char *to;
    int from, end;
};
FN struct spot locate(int dtype, const struct box *box, char *out, uint64_t start, uint32_t at) {
    const int per_unit = PER_UNIT(dtype);
    uint32_t column = 0;
    struct spot spot;
    spot.to = out;
    EACH(a, AXES) { /* unrolled: then all that is read of the box has an address that is known */
        if (a == box->n_axes) break;
        const struct box::box_axis *const axis = &box->axes[a];
        uint32_t step = at;
        if (a + 1 < box->n_axes) {
            at = axis->count == 1 ? at : __umulhi(at, axis->magic) >> axis->shift;
            step -= at * axis->count;
        }
        if (a == box->along)
            column = step;
        else
            start += step * axis->stride, spot.to += (int64_t)step * axis->bytes;
    }
    spot.first = (start / per_unit + column) * per_unit;
    const int64_t place = (int64_t)(spot.first - start), left = (int64_t)box->length - place;
    spot.to += place * box->element_bytes;
    spot.from = place < 0 ? (int)-place : 0;
    spot.end = left >= per_unit ? per_unit : left < 0 ? 0 : (int)left;
    return spot;
}

FN void draw_box(int kernel, int dtype, bool shortcut, const struct fi_law *law, const struct fi_stream *stream,
                 const struct box *box, char *out, uint64_t start) {
    const uint32_t first = blockIdx.x * box->rounds * CREW;
    begin(kernel, dtype);
    for (uint32_t round = 0, at = first + threadIdx.x; round < box->rounds && at < box->units; round++, at += CREW) {
        const struct spot spot = locate(dtype, box, out, start, at);
        const uint64_t block = spot.first / PER_BLOCK(dtype);
        struct fi_shared_rounds shared;
        uint32_t x[4];
        fi_shared_rounds_init(&shared, stream, (uint32_t)(block >> 32));
        const bool rare = draw_unit(kernel, dtype, shortcut, law, stream, &shared, (uint32_t)block, x);
        if (box->element_bytes == SIZE(dtype) && spot.end - spot.from == PER_UNIT(dtype) && (uint64_t)spot.to % 16 == 0)
            store_unit(spot.to, x);
        else
            store_elements(dtype, x, spot.from, spot.end, spot.to, box->element_bytes);
        if (rare) note(at);
    }
    if (!may_have_rare(kernel, dtype, shortcut, law)) return;
    __syncthreads();
    const bool all = noted > NOTES;
    const uint32_t left = box->units - first, most = box->rounds * CREW,
                   count = all ? (left < most ? left : most) : noted;
#pragma unroll 1
    for (uint32_t i = threadIdx.x; i < count; i += CREW) {
        const struct spot spot = locate(dtype, box, out, start, all ? first + i : notes[i]);
        redraw(kernel, dtype, law, stream, spot.first, spot.from, spot.end, spot.to, box->element_bytes);
    }
}

/* The stream's key and the first element of a part that are known on the device only: XLA keeps keys and places there.
 * A tensor for each of `count` keys of `n_words` words; places are `rank` indices, and strides are the whole's. */
enum { MOST_AXES = 64 };
struct origin {
    uint32_t key[4], start[2];
};
struct origins {
    const uint32_t *words, *places;
    const char *name;
    struct origin *out;
    uint64_t count, n_words, rank, name_length, strides[MOST_AXES];
};
/* xla_cuda.c counts on it. */
static_assert(sizeof(struct box) == 240 && sizeof(struct origin) == 24 && sizeof(struct origins) == 576,
              "another layout");
FI_RARE void find_origin(const struct origins *all) {
    const uint64_t i = (uint64_t)blockIdx.x * CREW + threadIdx.x;
    if (i >= all->count) return;
    uint64_t start = 0;
    for (uint64_t a = 0; a < all->rank; a++) start += all->places[i * all->rank + a] * all->strides[a];
    struct origin *const to = &all->out[i];
    fi_key(fi_seed(all->words + i * all->n_words, all->n_words), all->name, all->name_length, to->key);
    to->start[0] = (uint32_t)start, to->start[1] = (uint32_t)(start >> 32);
}

/* A box for each origin, one in each row of the grid, `apart` bytes from the one before. Its place and its start count
 * from the tensor's. */
FN void draw_keyed(int kernel, int dtype, bool shortcut, const struct fi_law *law, const struct box *box,
                   const struct origin *origins, char *out, uint64_t apart) {
    __shared__ struct fi_stream stream;
    const struct origin *const origin = &origins[blockIdx.y];
    if (threadIdx.x == 0) fi_stream_init(&stream, origin->key);
    __syncthreads();
    const uint64_t start = (uint64_t)origin->start[1] << 32 | origin->start[0];
    draw_box(kernel, dtype, shortcut, law, &stream, box, out + blockIdx.y * apart + (uint64_t)box->out,
             start + box->start);
}

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
