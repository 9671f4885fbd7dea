/* The tile loop, included once per instruction set: words (philox.h) -> values (dist.h) -> memory.
 *
 * A tile is a few vectors of words in flight. Its size differs between instruction sets; the values do not,
 * because nothing but the element's index enters them. */
#include "fastinit.h"
#include "vec.h"

#include "philox.h"

#include "vmath.h"

#include "dist.h"

enum { TILE = N == 16 ? 16 : 8, SMALL_TILE = 4 };

#define PER_BLOCK(dtype) ((dtype) == FI_float64 ? 2 : 4)
#define ELEMENT(dtype) ((dtype) == FI_float64 ? 8 : (dtype) == FI_float32 ? 4 : 2)

/* Two vectors of words to two vectors of values, in place. */
FN void draw(enum fi_law_id id, enum fi_dtype_id dtype, const struct fi_law *law, U x[2]) {
    if (id == FI_bits) return;
    if (dtype == FI_float64) {
        if (id == FI_normal) normal_double(law, x);
        for (int i = 0; i < 2; i++) {
            if (id == FI_constant) x[i] = (U)d_all(law->dshift);
            if (id == FI_uniform) x[i] = (U)uniform_double(law, (W)x[i]);
            if (id == FI_truncated_normal) x[i] = (U)truncated_normal_double(law, (W)x[i]);
        }
    } else {
        for (int i = 0; i < 2; i++) {
            if (id == FI_constant) x[i] = (U)f_all(law->shift);
            if (id == FI_uniform) x[i] = (U)uniform_float(law, x[i]);
            if (id == FI_normal) x[i] = (U)normal_float(law, x[i]);
            if (id == FI_truncated_normal) x[i] = (U)truncated_normal_float(law, x[i]);
        }
    }
}

FN U round_bfloat16(U x) { return x + (0x7fffu + ((x >> 16) & 1u)); }

/* Two vectors of values to memory: 2 N float32, float16 or bfloat16, or N float64. */
FN void put(enum fi_dtype_id dtype, const U x[2], char *to, bool streaming) {
    if (dtype == FI_float16) {
        store(to, pack_float16((F)x[0], (F)x[1]), streaming);
    } else if (dtype == FI_bfloat16) {
        store(to, pack_upper(round_bfloat16(x[0]), round_bfloat16(x[1])), streaming);
    } else {
        store(to, x[0], streaming);
        store(to + sizeof(U), x[1], streaming);
    }
}

/* Does any of these words belong to the scalar path? */
FN bool any_slow(enum fi_law_id id, enum fi_dtype_id dtype, const struct fi_law *law, const int count, const U x[]) {
    if (id == FI_normal && dtype != FI_float64) {
        U least = x[0] << 1;
#pragma GCC unroll 16
        for (int b = 1; b < count; b++) least = min_u(least, x[b] << 1);
        return any((I)(least < u_all(1u << 17)));
    }
    if (id != FI_truncated_normal || !law->tail) return false;
    I slow = {0};
    for (int b = 0; b < count; b++) {
        if (dtype == FI_float64)
            slow |= (I)(tail_double(law, (W)x[b]) < d_all(0x1p16));
        else
            slow |= tail_float(law, x[b]) < f_all(0x1p16f);
    }
    return law->centre || any(slow);
}

/* The tile again, with the scalar path where it is due. */
static __attribute__((noinline)) void patch(const struct fi_law *law, const struct fi_stream *stream, uint64_t index,
                                            U word[2], U x[2]) {
    const bool wide = law->dtype == FI_float64;
    for (int i = 0; i < (wide ? N : 2 * N); i++) {
        uint64_t bits = 0;
        memcpy(&bits, (char *)word + i * (wide ? 8 : 4), wide ? 8 : 4);
        bool slow = law->centre;
        if (wide) {
            slow |= tail_double(law, w_all(bits))[0] < 0x1p16;
        } else {
            slow |= tail_float(law, u_all((uint32_t)bits))[0] < 0x1p16f;
        }
        if (!slow) continue;
        const double z = fi_normal_slow(law, stream, index + (uint64_t)i, bits);
        if (wide) {
            double y = z * law->dscale + law->dshift;
            if (law->id == FI_truncated_normal) y = clamp_d(d_all(y), d_all(law->dlow), d_all(law->dhigh))[0];
            memcpy((char *)x + 8 * i, &y, 8);
        } else {
            F y = f_all((float)(z * law->dscale + law->dshift));
            if (law->id == FI_truncated_normal) y = clamp_f(y, f_all(law->low), f_all(law->high));
            memcpy((char *)x + 4 * i, &y, 4);
        }
    }
}

FN void tile(enum fi_law_id id, enum fi_dtype_id dtype, const int count, const struct fi_law *law,
             const struct fi_stream *stream, uint64_t block, char *to, bool streaming) {
    U x[TILE];
    if (id != FI_constant) philox(count, stream, block, x);
    const bool slow = UNLIKELY(any_slow(id, dtype, law, count, x));
#pragma GCC unroll 16
    for (int b = 0; b < count; b += 2) {
        U y[2] = {x[b], x[b + 1]};
        draw(id, dtype, law, y);
        if (UNLIKELY(slow)) {
            U word[2] = {x[b], x[b + 1]};
            patch(law, stream, (block + (uint64_t)b * (N / 4)) * PER_BLOCK(dtype), word, y);
        }
        put(dtype, y, to + (size_t)b * (N / 4) * PER_BLOCK(dtype) * ELEMENT(dtype), streaming);
    }
}

FN void fill(enum fi_law_id id, enum fi_dtype_id dtype, const struct fi_law *law, const struct fi_stream *stream,
             uint64_t index, size_t count, char *to, bool streaming) {
    const size_t size = ELEMENT(dtype), per_block = PER_BLOCK(dtype);
    const size_t tile_blocks = TILE * N / 4, small_blocks = SMALL_TILE * N / 4;
    const size_t tile_count = tile_blocks * per_block, small_count = small_blocks * per_block;
    _Alignas(64) char spare[sizeof(U) * SMALL_TILE];

    /* Up to a block's start, and for streaming on to an aligned address if one is met there. */
    size_t head = (size_t)(-index % per_block);
    if (streaming) {
        const size_t to_aligned = (size_t)(-(uintptr_t)to % sizeof(U)) / size;
        if ((index + to_aligned) % per_block == 0 && ((uintptr_t)to + to_aligned * size) % sizeof(U) == 0) {
            head = to_aligned;
        } else {
            streaming = false;
        }
    }
    while (count) {
        const uint64_t block = index / per_block;
        const size_t skip = (size_t)(index % per_block);
        size_t done;
        if (head == 0 && count >= small_count) {
            if (count >= tile_count) {
                tile(id, dtype, TILE, law, stream, block, to, streaming);
                done = tile_count;
            } else {
                tile(id, dtype, SMALL_TILE, law, stream, block, to, streaming);
                done = small_count;
            }
        } else {
            tile(id, dtype, SMALL_TILE, law, stream, block, spare, false);
            done = small_count - skip;
            if (head && head < done) done = head;
            if (count < done) done = count;
            memcpy(to, spare + skip * size, done * size);
            head = head ? head - done : 0;
        }
        index += done, to += done * size, count -= done;
    }
    if (streaming) store_fence();
}

#define KERNEL(law_name, dtype_name)                                                                                   \
    static void law_name##_##dtype_name(const struct fi_law *law, const struct fi_stream *stream, uint64_t index,      \
                                        size_t count, void *out, bool streaming) {                                     \
        fill(FI_##law_name, FI_##dtype_name, law, stream, index, count, out, streaming);                               \
    }
#define M(law_name)                                                                                                    \
    KERNEL(law_name, float32) KERNEL(law_name, float64) KERNEL(law_name, float16) KERNEL(law_name, bfloat16)
FI_LAWS(M)
#undef M
#undef KERNEL

#define ISA_SYMBOL_(name) fi_isa_##name
#define ISA_SYMBOL(name) ISA_SYMBOL_(name)
#define ISA_NAME_(name) #name
#define ISA_NAME(name) ISA_NAME_(name)
extern const struct fi_isa ISA_SYMBOL(FI_ISA);
#define M(law_name) [FI_##law_name] = {law_name##_float32, law_name##_float64, law_name##_float16, law_name##_bfloat16},
const struct fi_isa ISA_SYMBOL(FI_ISA) = {ISA_NAME(FI_ISA), {FI_LAWS(M)}};
#undef M
