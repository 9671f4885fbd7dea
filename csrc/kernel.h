/* The kernels of one instruction set: words (philox.h) -> values (dist.h) -> memory. Each shell isa_*.c includes this
 * file once.
 *
 * A group is N/2 blocks, which fill two vectors. A tile is a few groups that are computed side by side. Its size
 * differs between instruction sets; the values do not, because they depend only on the element's index.
 *
 * float64 is computed in lanes of float64 (`wide`), every other dtype in lanes of float32. A dtype that is narrower
 * than float32 is rounded on the way to memory. */
#include "fastinit.h"
#include "vec.h"

#include "convert.h"

enum { GROUP_BLOCKS = N / 2, MAX_GROUPS = 8, BATCH = N == 16 ? 16 : 8 };

#include "philox.h"

#include "vmath.h"

#include "dist.h"

#define PER_BLOCK(wide) ((wide) ? 2 : 4)

/* Bytes that a group's values take in memory, for a dtype of this size. */
#define GROUP_BYTES(size) (sizeof(U) / 2 * ((size) < 4 ? (size) : 4))

/* Write a group's two vectors of lanes to memory, in the dtype. `never_subnormal` promises that no value is subnormal.
 */
FN void put(enum fi_dtype_id dtype, const bool never_subnormal, const U x[2], char *to, bool streaming) {
    if (dtype == FI_float16) {
        store(to, pack_float16((F)x[0], (F)x[1]), streaming);
    } else if (dtype == FI_bfloat16) {
        store(to, never_subnormal ? convert_bfloat16(x[0], x[1]) : pack_bfloat16(x[0], x[1]), streaming);
    } else if (dtype == FI_float8_e4m3fn || dtype == FI_float8_e5m2) {
        const bool e5m2 = dtype == FI_float8_e5m2;
        store_codes(to, float8_codes(x[0], x[1], e5m2 ? &fi_float8_e5m2 : &fi_float8_e4m3fn), streaming);
    } else {
        store(to, x[0], streaming);
        store(to + sizeof(U), x[1], streaming);
    }
}

/* Write several groups that wait in memory: one loop for each dtype. */
static __attribute__((noinline)) void put_all(enum fi_dtype_id dtype, int groups, const U x[], char *to,
                                              bool streaming) {
#define M(name, size, ...)                                                                                             \
    if (dtype == FI_##name)                                                                                            \
        for (int g = 0; g < groups; g++, to += GROUP_BYTES(size)) put(FI_##name, false, x + 2 * g, to, streaming);
    FI_DTYPES(M)
#undef M
}

FN U tail_bits(enum fi_law_id kernel, const bool wide, const struct fi_law *law, U word) {
    return wide ? (U)tail_double(law, (W)word) : (U)tail_float(kernel, false, law, word);
}

/* Replace the values of rare words, in two vectors, by those of the scalar code. */
static void replace_rare(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, const U word[2],
                         const U tail[2], U x[2]) {
    const bool wide = law->dtype == FI_float64;
    const size_t size = wide ? 8 : 4;
    for (size_t at = 0; at < 2 * sizeof(U); at += size, index++) {
        uint64_t bits = 0, t = 0;
        memcpy(&bits, (const char *)word + at, size);
        memcpy(&t, (const char *)tail + at, size);
        if (!law->near_centre && !(~t & (wide ? FI_COMMON_DOUBLE : FI_COMMON_FLOAT))) continue;
        const double y = fi_normal_slow(law, stream, index, bits) * law->dscale + law->dshift;
        if (wide) {
            const D kept = clamp_d(d_all(y), d_all(law->dlow), d_all(law->dhigh));
            memcpy((char *)x + at, &kept, 8);
        } else {
            const F kept = clamp_f(f_all((float)y), f_all(law->low), f_all(law->high));
            memcpy((char *)x + at, &kept, 4);
        }
    }
}

/* Draw again the groups of a tile that have rare words. */
static __attribute__((noinline)) void redraw_rare(enum fi_dtype_id dtype, int groups, const struct fi_law *law,
                                                  const struct fi_stream *stream, const struct fi_shared_rounds *shared,
                                                  uint64_t block, char *to, bool streaming) {
    const enum fi_law_id kernel = law->kernel;
    const bool wide = dtype == FI_float64;
    U word[2 * MAX_GROUPS];
    philox(MAX_GROUPS, stream, shared, (uint32_t)block, word);
    for (int g = 0; g < groups; g++, block += GROUP_BLOCKS, to += GROUP_BYTES(fi_dtypes[dtype].size)) {
        U x[2] = {word[2 * g], word[2 * g + 1]};
        const U tail[2] = {tail_bits(kernel, wide, law, x[0]), tail_bits(kernel, wide, law, x[1])};
        U tails = tail[0] & tail[1];
        if (!any_rare(tails, wide) && !law->near_centre) continue;
        draw(kernel, wide, false, 2, law, x, &tails);
        replace_rare(law, stream, block * PER_BLOCK(wide), word + 2 * g, tail, x);
        put(dtype, false, x, to, streaming);
    }
}

/* Whether a tile has rare words. */
FN bool has_rare(enum fi_law_id kernel, const bool wide, const bool shortcut, const struct fi_law *law, U tails) {
    const bool may = kernel == FI_truncated_normal ? !shortcut && law->has_rare : kernel == FI_normal && !wide;
    return may && (UNLIKELY(any_rare(tails, wide)) || law->near_centre);
}

/* One tile, all of whose values are wanted. They are written when all are drawn: a branch between would let clang
 * compute one group after another. */
FN void tile(enum fi_law_id kernel, const bool wide, const bool shortcut, const int groups, const struct fi_law *law,
             const struct fi_stream *stream, const struct fi_shared_rounds *shared, uint64_t block, char *to,
             bool streaming) {
    /* Vectors whose values are computed side by side. In doubles each waits longer for its own operations. */
    const int most = wide ? BATCH : BATCH / 4, batch = 2 * groups < most ? 2 * groups : most;
    const enum fi_dtype_id lanes = wide ? FI_float64 : FI_float32;
    const bool narrow = fi_dtypes[law->dtype].size < 4, streaming_lanes = streaming && !narrow;
    U x[2 * MAX_GROUPS], waiting[2 * MAX_GROUPS], tails = ~(U){0};
    char *const at = narrow ? (char *)waiting : to;
    philox(groups, stream, shared, (uint32_t)block, x);
    EACH(b, 2 * groups / batch) draw(kernel, wide, shortcut, batch, law, x + batch * b, &tails);
    EACH(g, groups) put(lanes, false, x + 2 * g, at + (size_t)g * GROUP_BYTES(4), streaming_lanes);
    if (has_rare(kernel, wide, shortcut, law, tails))
        redraw_rare(lanes, groups, law, stream, shared, block, at, streaming_lanes);
    if (narrow) put_all(law->dtype, groups, waiting, to, streaming);
}

/* Tiles one after the other. The law of each is computed between the rounds of the next one, because look-ups and
 * products keep different units of the processor busy. The words after the last tile are computed in vain. */
FN void pipeline(enum fi_law_id kernel, const int groups, const struct fi_law *law, const struct fi_stream *stream,
                 const struct fi_shared_rounds *shared, uint64_t block, size_t tiles, char *to, bool streaming) {
    const enum fi_dtype_id dtype = law->dtype;
    const size_t group_bytes = GROUP_BYTES(fi_dtypes[dtype].size);
    const bool never_subnormal = kernel == FI_normal && converts_bfloat16() && law->never_subnormal;
    U x[2 * MAX_GROUPS];
    philox(groups, stream, shared, (uint32_t)block, x);
    while (tiles--) {
        struct counters next;
        U tails = ~(U){0};
        philox_begin(groups, stream, shared, (uint32_t)block + (uint32_t)groups * GROUP_BLOCKS, &next);
        EACH(r, FI_ROUNDS - 4) {
            philox_round(groups, stream, r + 3, &next);
            if (r >= groups) continue;
            draw(kernel, false, false, 2, law, x + 2 * r, &tails);
            put(dtype, never_subnormal, x + 2 * r, to + (size_t)r * group_bytes, streaming);
        }
        philox_end(groups, stream, &next, x);
        if (has_rare(kernel, false, false, law, tails))
            redraw_rare(dtype, groups, law, stream, shared, block, to, streaming);
        block += (uint64_t)groups * GROUP_BLOCKS, to += (size_t)groups * group_bytes;
    }
}

/* The loops of a law over tiles. Each is a function of its own: then a compiler assigns registers for one loop at a
 * time, which makes faster code in less time. */
typedef void loop(const struct fi_law *law, const struct fi_stream *stream, const struct fi_shared_rounds *shared,
                  uint64_t block, size_t tiles, char *to, bool streaming);
struct loops {
    loop *long_run;   /* over tiles of `groups` groups, if there are `least` of them or more */
    loop *four, *one; /* over tiles of 4 groups and of 1 group */
    size_t groups, least;
};

#define LOOP(name, body)                                                                                               \
    static __attribute__((noinline)) void name(const struct fi_law *law, const struct fi_stream *stream,               \
                                               const struct fi_shared_rounds *shared, uint64_t block, size_t tiles,    \
                                               char *to, bool streaming) {                                             \
        body                                                                                                           \
    }
#define TILES(name, kernel, wide, shortcut, groups)                                                                    \
    LOOP(name, const size_t bytes = (groups) * GROUP_BYTES(fi_dtypes[law->dtype].size);                                \
         for (; tiles; tiles--, block += (groups) * GROUP_BLOCKS, to += bytes)                                         \
             tile(kernel, wide, shortcut, groups, law, stream, shared, block, to, streaming);)
#define TILED(name, kernel, wide, shortcut)                                                                            \
    TILES(name##_8, kernel, wide, shortcut, 8)                                                                         \
    TILES(name##_4, kernel, wide, shortcut, 4)                                                                         \
    TILES(name##_1, kernel, wide, shortcut, 1)                                                                         \
    static const struct loops name = {name##_8, name##_4, name##_1, 8, 1};
#define PIPELINED(name, kernel)                                                                                        \
    LOOP(name##_long, pipeline(kernel, 4, law, stream, shared, block, tiles, to, streaming);)                          \
    TILES(name##_4, kernel, false, false, 4)                                                                           \
    TILES(name##_1, kernel, false, false, 1)                                                                           \
    static const struct loops name = {name##_long, name##_4, name##_1, 4, 4};

TILED(words, FI_bits, false, false)
TILED(uniform_floats, FI_uniform, false, false)
TILED(uniform_floats_shortcut, FI_uniform, false, true)
TILED(uniform_doubles, FI_uniform, true, false)
TILED(uniform_doubles_shortcut, FI_uniform, true, true)
PIPELINED(normal_floats, FI_normal)
TILED(normal_doubles, FI_normal, true, false)
PIPELINED(truncated_floats, FI_truncated_normal)
TILED(truncated_floats_shortcut, FI_truncated_normal, false, true)
TILED(truncated_doubles, FI_truncated_normal, true, false)

/* Elements of blocks whose numbers have the same upper half, without the first `skip` elements of the first block. */
static void segment(const struct loops *loops, size_t size, size_t per_block, const struct fi_law *law,
                    const struct fi_stream *stream, uint64_t block, size_t skip, size_t count, char *to,
                    bool streaming) {
    const size_t group_count = GROUP_BLOCKS * per_block, four_count = 4 * group_count,
                 long_count = loops->groups * group_count;
    struct fi_shared_rounds shared;
    fi_shared_rounds_init(&shared, stream, (uint32_t)(block >> 32));

    /* The head ends at the start of a block. Streaming stores begin at an aligned address: the head then ends there, if
     * a block begins there and the run is long. */
    size_t head = (per_block - skip) % per_block;
    if (streaming) {
        const size_t to_aligned = (size_t)(-(uintptr_t)to % sizeof(U)) / size;
        if ((skip + to_aligned) % per_block == 0 && ((uintptr_t)to + to_aligned * size) % sizeof(U) == 0 &&
            (to_aligned == head || count >= 8 * four_count))
            head = to_aligned;
        else
            streaming = false;
    }
    while (count) {
        size_t done;
        if (head == 0 && count >= loops->least * long_count) {
            const size_t tiles = count / long_count;
            loops->long_run(law, stream, &shared, block, tiles, to, streaming);
            done = tiles * long_count;
        } else if (head == 0 && count >= four_count) {
            const size_t tiles = count / four_count;
            loops->four(law, stream, &shared, block, tiles, to, streaming);
            done = tiles * four_count;
        } else if (head == 0 && count >= group_count) {
            const size_t tiles = count / group_count;
            loops->one(law, stream, &shared, block, tiles, to, streaming);
            done = tiles * group_count;
        } else { /* a part of a group */
            _Alignas(64) char group[2 * sizeof(U)];
            loops->one(law, stream, &shared, block, 1, group, false);
            done = group_count - skip;
            if (head && head < done) done = head;
            if (count < done) done = count;
            memcpy(to, group + skip * size, done * size);
            head -= head ? done : 0;
        }
        to += done * size, count -= done;
        block += (skip + done) / per_block, skip = (skip + done) % per_block;
    }
}

/* Elements of `size` bytes, without the first `skip` elements of the first block. */
static void fill(const struct loops *loops, size_t size, size_t per_block, const struct fi_law *law,
                 const struct fi_stream *stream, uint64_t block, size_t skip, size_t count, char *to, bool streaming) {
    while (count) {
        const uint64_t left = ((1ull << 32) - (uint32_t)block) * per_block - skip;
        const size_t n = count < left ? count : (size_t)left;
        segment(loops, size, per_block, law, stream, block, skip, n, to, streaming);
        block = (block | 0xffffffffu) + 1, skip = 0;
        to += n * size, count -= n;
    }
}

/* The kernel of a law: its loops for the dtype. */
#define KERNEL(law_name, floats, doubles)                                                                              \
    static void law_name(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, size_t count,       \
                         void *to, bool streaming) {                                                                   \
        const bool wide = law->dtype == FI_float64;                                                                    \
        const size_t per_block = PER_BLOCK(wide);                                                                      \
        fill(wide ? doubles : floats, fi_dtypes[law->dtype].size, per_block, law, stream, index / per_block,           \
             (size_t)(index % per_block), count, to, streaming);                                                       \
    }
KERNEL(uniform, law->shortcut ? &uniform_floats_shortcut : &uniform_floats,
       law->shortcut ? &uniform_doubles_shortcut : &uniform_doubles)
KERNEL(normal, &normal_floats, &normal_doubles)
KERNEL(truncated_normal, law->shortcut ? &truncated_floats_shortcut : &truncated_floats, &truncated_doubles)

/* A word of 64 bits is two of 32 in memory. */
static void bits(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, size_t count, void *to,
                 bool streaming) {
    const bool wide = law->dtype == FI_float64;
    const size_t per_block = PER_BLOCK(wide), part = 4 / per_block;
    fill(&words, 4, 4, law, stream, index / per_block, (size_t)(index % per_block) * part, count * part, to, streaming);
}

/* A constant needs no words: the bytes of one value are repeated. */
static void constant(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, size_t count, void *out,
                     bool streaming) {
    (void)stream, (void)index;
    const size_t size = fi_dtypes[law->dtype].size, bytes = count * size;
    const U one = law->dtype == FI_float64 ? (U)d_all(law->dshift) : (U)f_all(law->shift);
    const U groups[4] = {one, one, one, one}; /* enough for a vector of any dtype */
    _Alignas(64) char value[sizeof groups];
    put_all(law->dtype, 2, groups, value, false);
    U x;
    memcpy(&x, value, sizeof x);
    char *to = out, *const end = to + bytes;
    const size_t head = streaming ? (size_t)(-(uintptr_t)to % sizeof(U)) : 0;
    streaming = streaming && head % size == 0 && head <= bytes;
    if (streaming) memcpy(to, value, head), to += head;
    for (; (size_t)(end - to) >= 4 * sizeof(U); to += 4 * sizeof(U)) {
        EACH(v, 4) { store(to + (size_t)v * sizeof(U), x, streaming); }
    }
    for (size_t n; to < end; to += n) {
        n = (size_t)(end - to) < sizeof(U) ? (size_t)(end - to) : sizeof(U);
        memcpy(to, value, n);
    }
}

#include "inspect.h"

#define ISA_SYMBOL_(name) fi_isa_##name
#define ISA_SYMBOL(name) ISA_SYMBOL_(name)
#define ISA_NAME_(name) #name
#define ISA_NAME(name) ISA_NAME_(name)
extern const struct fi_isa ISA_SYMBOL(FI_ISA);
#define M(law_name) [FI_##law_name] = law_name,
const struct fi_isa ISA_SYMBOL(FI_ISA) = {ISA_NAME(FI_ISA), {FI_LAWS(M)}, measure, hash};
#undef M
