/* The tile loop, included once per instruction set: words (philox.h) -> values (dist.h) -> memory.
 *
 * A tile is a few groups of blocks in flight. Its size differs between instruction sets; the values do not, because
 * nothing but the element's index enters them. */
#include "fastinit.h"
#include "vec.h"

enum { GROUP_BLOCKS = N / 2, MAX_GROUPS = 8, PIPELINED = MAX_GROUPS / 2, BATCH = N == 16 ? 8 : 4 };

#include "philox.h"

#include "vmath.h"

#include "dist.h"

#define PER_BLOCK(dtype) ((dtype) == FI_float64 ? 2 : 4)
#define ELEMENT(dtype) ((dtype) == FI_float64 ? 8 : (dtype) == FI_float32 ? 4 : 2)

/* Two vectors of values to memory: 2 N float32, float16 or bfloat16, or N float64. */
FN void put(enum fi_dtype_id dtype, const bool convert, const U x[2], char *to, bool streaming) {
    if (dtype == FI_float16) {
        store(to, pack_float16((F)x[0], (F)x[1]), streaming);
    } else if (dtype == FI_bfloat16) {
        store(to, convert ? convert_bfloat16(x[0], x[1]) : pack_bfloat16(x[0], x[1]), streaming);
    } else {
        store(to, x[0], streaming);
        store(to + sizeof(U), x[1], streaming);
    }
}

FN U tail_bits(enum fi_law_id id, enum fi_dtype_id dtype, const struct fi_law *law, U word) {
    return dtype == FI_float64 ? (U)tail_double(law, (W)word) : (U)tail_float(id, false, law, word);
}

/* Draw again, scalar, those of two vectors' values that need it. */
static void patch(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, const U word[2], U x[2]) {
    const bool wide = law->dtype == FI_float64;
    const U tail[2] = {tail_bits(law->id, law->dtype, law, word[0]), tail_bits(law->id, law->dtype, law, word[1])};
    for (int i = 0; i < (wide ? N : 2 * N); i++) {
        uint64_t bits = 0, t = 0;
        const int at = i * (wide ? 8 : 4), size = wide ? 8 : 4;
        memcpy(&bits, (const char *)word + at, (size_t)size);
        memcpy(&t, (const char *)tail + at, (size_t)size);
        if (!law->sliver && !(~t & (wide ? FI_LONG_DOUBLE : FI_LONG_FLOAT))) continue;
        const double y = fi_normal_slow(law, stream, index + (uint64_t)i, bits) * law->dscale + law->dshift;
        if (wide) {
            const D kept = clamp_d(d_all(y), d_all(law->dlow), d_all(law->dhigh));
            memcpy((char *)x + at, &kept, 8);
        } else {
            const F kept = clamp_f(f_all((float)y), f_all(law->low), f_all(law->high));
            memcpy((char *)x + at, &kept, 4);
        }
    }
}

/* Bytes of a group's values. */
#define STEP(dtype) (sizeof(U) / 8 * ELEMENT(dtype) * PER_BLOCK(dtype))

/* The groups once more, as far as words in them need scalar code. */
static __attribute__((noinline)) void redo(int groups, const struct fi_law *law, const struct fi_stream *stream,
                                           const struct fi_opening *opening, uint64_t block, char *to, bool streaming) {
    const enum fi_law_id id = law->id;
    const enum fi_dtype_id dtype = law->dtype;
    U word[2 * MAX_GROUPS];
    philox(MAX_GROUPS, stream, opening, (uint32_t)block, word);
    for (int g = 0; g < groups; g++) {
        U x[2] = {word[2 * g], word[2 * g + 1]};
        U joined = tail_bits(id, dtype, law, x[0]) & tail_bits(id, dtype, law, x[1]);
        if (!any_short(joined, dtype == FI_float64) && !law->sliver) continue;
        draw(id, dtype, false, 2, law, x, &joined);
        patch(law, stream, (block + (uint64_t)g * GROUP_BLOCKS) * PER_BLOCK(dtype), word + 2 * g, x);
        put(dtype, false, x, to + (size_t)g * STEP(dtype), streaming);
    }
}

/* Whether words of these laws may need scalar code, and those of a tile do. */
FN bool is_rare(enum fi_law_id id, enum fi_dtype_id dtype, const bool plain, const struct fi_law *law, U joined) {
    const bool may = id == FI_truncated_normal ? !plain && law->tail : id == FI_normal && dtype != FI_float64;
    return may && (UNLIKELY(any_short(joined, dtype == FI_float64)) || law->sliver);
}

FN void tile(enum fi_law_id id, enum fi_dtype_id dtype, const bool plain, const int groups, const struct fi_law *law,
             const struct fi_stream *stream, const struct fi_opening *opening, uint64_t block, char *to,
             bool streaming) {
    const int batch = groups == 1 ? 2 : dtype == FI_float64 ? BATCH : BATCH / 2;
    U x[2 * MAX_GROUPS], joined = ~(U){0};
    if (id != FI_constant) philox(groups, stream, opening, (uint32_t)block, x);
    EACH(b, 2 * groups / batch) {
        draw(id, dtype, plain, batch, law, x + batch * b, &joined);
        EACH(g, batch / 2) {
            char *const at = to + (size_t)(batch / 2 * b + g) * STEP(dtype);
            put(dtype, plain && id == FI_normal, x + batch * b + 2 * g, at, streaming);
        }
    }
    if (is_rare(id, dtype, plain, law, joined)) redo(groups, law, stream, opening, block, to, streaming);
}

/* Tiles one after the other, the law of each between the rounds of the next: look-ups keep other units of the processor
 * busy than products do. The last one's successor is drawn for nothing. */
FN void pipeline(enum fi_law_id id, enum fi_dtype_id dtype, const bool plain, const struct fi_law *law,
                 const struct fi_stream *stream, const struct fi_opening *opening, uint64_t block, size_t tiles,
                 char *to, bool streaming) {
    const int groups = PIPELINED;
    U x[2 * PIPELINED];
    philox(groups, stream, opening, (uint32_t)block, x);
    while (tiles--) {
        struct counters next;
        U joined = ~(U){0};
        philox_begin(groups, stream, opening, (uint32_t)block + PIPELINED * GROUP_BLOCKS, &next);
        EACH(r, FI_ROUNDS - 4) {
            philox_round(groups, stream, r + 3, &next);
            if (r >= groups) continue;
            draw(id, dtype, plain, 2, law, x + 2 * r, &joined);
            put(dtype, plain && id == FI_normal, x + 2 * r, to + (size_t)r * STEP(dtype), streaming);
        }
        philox_end(groups, stream, &next, x);
        if (is_rare(id, dtype, plain, law, joined)) redo(groups, law, stream, opening, block, to, streaming);
        block += PIPELINED * GROUP_BLOCKS, to += PIPELINED * STEP(dtype);
    }
}

/* Elements of blocks that share an opening; the first `skip` of the first block are left out. */
FN void segment(enum fi_law_id id, enum fi_dtype_id dtype, const bool plain, const struct fi_law *law,
                const struct fi_stream *stream, uint64_t block, size_t skip, size_t count, char *to, bool streaming) {
    const size_t size = ELEMENT(dtype), per_block = PER_BLOCK(dtype);
    const size_t group_count = GROUP_BLOCKS * per_block, half_count = MAX_GROUPS / 2 * group_count;
    const bool pipelined = (id == FI_normal || id == FI_truncated_normal) && dtype != FI_float64;
    _Alignas(64) char spare[sizeof(U) * 2];
    struct fi_opening opening;
    fi_open(&opening, stream, (uint32_t)(block >> 32));

    /* Up to a block's start, and for streaming on to an aligned address, if one is met there and the run is long. */
    size_t head = (per_block - skip) % per_block;
    if (streaming) {
        const size_t to_aligned = (size_t)(-(uintptr_t)to % sizeof(U)) / size;
        if ((skip + to_aligned) % per_block == 0 && ((uintptr_t)to + to_aligned * size) % sizeof(U) == 0 &&
            (to_aligned == head || count >= 8 * half_count))
            head = to_aligned;
        else
            streaming = false;
    }
    while (count) {
        size_t done;
        if (pipelined && head == 0 && count >= 4 * half_count) {
            const size_t tiles = count / half_count;
            pipeline(id, dtype, plain, law, stream, &opening, block, tiles, to, streaming);
            done = tiles * half_count;
        } else if (!pipelined && head == 0 && count >= 2 * half_count) {
            tile(id, dtype, plain, MAX_GROUPS, law, stream, &opening, block, to, streaming);
            done = 2 * half_count;
        } else if (head == 0 && count >= half_count) {
            tile(id, dtype, plain, MAX_GROUPS / 2, law, stream, &opening, block, to, streaming);
            done = half_count;
        } else if (head == 0 && count >= group_count) {
            tile(id, dtype, plain, 1, law, stream, &opening, block, to, streaming);
            done = group_count;
        } else {
            tile(id, dtype, plain, 1, law, stream, &opening, block, spare, false);
            done = head ? head : group_count; /* a head ends within its group */
            if (count < done) done = count;
            memcpy(to, spare + skip * size, done * size);
            head = 0;
        }
        to += done * size, count -= done;
        block += (skip + done) / per_block, skip = (skip + done) % per_block;
    }
}

FN void fill(enum fi_law_id id, enum fi_dtype_id dtype, const struct fi_law *law, const struct fi_stream *stream,
             uint64_t block, size_t skip, size_t count, char *to, bool streaming) {
    const bool has_plain = id == FI_uniform || (id == FI_truncated_normal && dtype != FI_float64) ||
                           (id == FI_normal && dtype == FI_bfloat16 && converts_bfloat16());
    while (count) {
        const uint64_t left = ((1ull << 32) - (uint32_t)block) * PER_BLOCK(dtype) - skip;
        const size_t n = count < left ? count : (size_t)left;
        if (has_plain && law->plain)
            segment(id, dtype, true, law, stream, block, skip, n, to, streaming);
        else
            segment(id, dtype, false, law, stream, block, skip, n, to, streaming);
        block = (block | 0xffffffffu) + 1, skip = 0;
        to += n * ELEMENT(dtype), count -= n;
    }
}

#define KERNEL(law_name, dtype_name)                                                                                   \
    static void law_name##_##dtype_name(const struct fi_law *law, const struct fi_stream *stream, uint64_t index,      \
                                        size_t count, void *out, bool streaming) {                                     \
        const uint64_t per_block = PER_BLOCK(FI_##dtype_name);                                                         \
        fill(FI_##law_name, FI_##dtype_name, law, stream, index / per_block, (size_t)(index % per_block), count, out,  \
             streaming);                                                                                               \
    }
#define M(law_name)                                                                                                    \
    KERNEL(law_name, float32) KERNEL(law_name, float64) KERNEL(law_name, float16) KERNEL(law_name, bfloat16)
FI_LAWS(M)
#undef M
#undef KERNEL

#include "inspect.h"

#define ISA_SYMBOL_(name) fi_isa_##name
#define ISA_SYMBOL(name) ISA_SYMBOL_(name)
#define ISA_NAME_(name) #name
#define ISA_NAME(name) ISA_NAME_(name)
extern const struct fi_isa ISA_SYMBOL(FI_ISA);
#define M(law_name) [FI_##law_name] = {law_name##_float32, law_name##_float64, law_name##_float16, law_name##_bfloat16},
const struct fi_isa ISA_SYMBOL(FI_ISA) = {
    ISA_NAME(FI_ISA), {FI_LAWS(M)}, {measure_float32, measure_float64, measure_float16, measure_bfloat16}, hash};
#undef M
