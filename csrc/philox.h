/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011), N/2 blocks at a time.
 *
 * A block is one 64-bit lane in four vectors, one vector for each word. The word is the lower half of the lane. The
 * upper half is never read, so that a 64-bit product is the low word as it stands, and the high word once shuffled. */

FN U upper_half(U x) { return SHUFFLE4(x, 1, 1, 3, 3); }
FN U swap_halves(U x) { return SHUFFLE4(x, 1, 0, 3, 2); }

/* The counters between two rounds: for each group, one vector for each word. */
struct counters {
    U c0[MAX_GROUPS], c1[MAX_GROUPS], c2[MAX_GROUPS], c3[MAX_GROUPS];
};

FN void philox_round(const int groups, const struct fi_stream *stream, int round, struct counters *c) {
    const U m0 = u_all(FI_PHILOX_M0), m1 = u_all(FI_PHILOX_M1);
    const U k0 = u_all(stream->key[round][0]), k1 = u_all(stream->key[round][1]);
    EACH(g, groups) {
        const U a = (U)mul_even(c->c0[g], m0), b = (U)mul_even(c->c2[g], m1);
        c->c0[g] = upper_half(b) ^ c->c1[g] ^ k0;
        c->c2[g] = upper_half(a) ^ c->c3[g] ^ k1;
        c->c1[g] = b, c->c3[g] = a;
    }
}

/* The first three rounds of `groups` times N/2 blocks. `block` is the lower half of the first one's number, `shared`
 * stands for the upper half. Blocks past a multiple of 2^32 come out wrong; callers must not use them. */
FN void philox_begin(const int groups, const struct fi_stream *stream, const struct fi_shared_rounds *shared,
                     uint32_t block, struct counters *c) {
    const U m0 = u_all(FI_PHILOX_M0), m1 = u_all(FI_PHILOX_M1);
    /* Even lanes hold the group's first N/4 blocks, odd lanes the others. The last round unpacks them into order. */
    const W first = EVEN_FIRST * FI_PHILOX_M0 + w_all((uint64_t)FI_PHILOX_M0 * block);
    EACH(g, groups) {
        /* Rounds 1 and 2: half of their products are shared, and the first one of the others grows by addition. */
        const U p = (U)(first + w_all((uint64_t)FI_PHILOX_M0 * (N / 2) * (uint32_t)g));
        c->c1[g] = (U)mul_even(upper_half(p) ^ u_all(shared->c2_1), m1);
        c->c0[g] = upper_half(c->c1[g]) ^ u_all(shared->c0_2);
        c->c2[g] = p ^ u_all(shared->c2_2);
    }
    const U k = u_all(stream->key[2][0]);
    EACH(g, groups) {
        const U a = (U)mul_even(c->c0[g], m0), b = (U)mul_even(c->c2[g], m1);
        c->c0[g] = upper_half(b) ^ c->c1[g] ^ k;
        c->c2[g] = upper_half(a) ^ u_all(shared->c2_3);
        c->c1[g] = b, c->c3[g] = a;
    }
}

/* The last round. The words come out in their natural order, two vectors for each group. */
FN void philox_end(const int groups, const struct fi_stream *stream, const struct counters *c, U x[]) {
    const U m0 = u_all(FI_PHILOX_M0), m1 = u_all(FI_PHILOX_M1);
    const U k0 = u_all(stream->key[FI_ROUNDS - 1][0]), k1 = u_all(stream->key[FI_ROUNDS - 1][1]);
    EACH(g, groups) {
        const U a = (U)mul_even(c->c0[g], m0), b = (U)mul_even(c->c2[g], m1);
        const W words01 = (W)mix_even(swap_halves(b), c->c1[g], k0),
                words23 = (W)mix_even(swap_halves(a), c->c3[g], k1);
        x[2 * g] = (U)SHUFFLE2(words01, words23, 0, N / 2);
        x[2 * g + 1] = (U)SHUFFLE2(words01, words23, 1, N / 2 + 1);
    }
}

FN void philox(const int groups, const struct fi_stream *stream, const struct fi_shared_rounds *shared, uint32_t block,
               U x[]) {
    struct counters c;
    philox_begin(groups, stream, shared, block, &c);
    EACH(r, FI_ROUNDS - 4) philox_round(groups, stream, r + 3, &c);
    philox_end(groups, stream, &c, x);
}
