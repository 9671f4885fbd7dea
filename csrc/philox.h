/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011) on N/4 blocks per vector, `count` vectors in flight. */

/* Blocks block, block + 1, ... of the stream, words in natural order. A round keeps each block as (c0, c3, c2, c1):
 * the products then land beside the words they are mixed with, and one rotation restores the order. */
FN void philox(const int count, const struct fi_stream *stream, uint64_t block, U x[]) {
    const uint32_t multiplier[4] = {0xD2511F53u, 0, 0xCD9E8D57u, 0};
    const U m = group(multiplier);
    W counter = w_all(0);
    for (int i = 0; i < N / 4; i++) counter[2 * i] = block + (uint64_t)i, counter[2 * i + 1] = stream->upper;
    W step = w_all(0);
    for (int i = 0; i < N / 4; i++) step[2 * i] = N / 4;
#pragma GCC unroll 16
    for (int b = 0; b < count; b++) {
        x[b] = SHUFFLE4((U)counter, 0, 3, 2, 1);
        counter += step;
    }
#pragma GCC unroll 10
    for (int round = 0; round < FI_ROUNDS - 1; round++) {
        const U k = group(stream->round_key[round]);
#pragma GCC unroll 16
        for (int b = 0; b < count; b++) x[b] = SHUFFLE4(mix_odd((U)mul_even(x[b], m), x[b], k), 3, 0, 1, 2);
    }
    const U k = group(stream->round_key[FI_ROUNDS - 1]);
#pragma GCC unroll 16
    for (int b = 0; b < count; b++) x[b] = SHUFFLE4(mix_odd((U)mul_even(x[b], m), x[b], k), 3, 2, 1, 0);
}
