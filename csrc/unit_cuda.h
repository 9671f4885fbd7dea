/* One unit: the 16 bytes that a thread draws from whole blocks, stores, and draws anew where words are rare. */
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
