/* The stream of one name: its round keys, the shared part of its blocks' rounds, and single blocks. */
#include "fastinit.h"

static uint32_t upper(uint64_t product) { return (uint32_t)(product >> 32); }

void fi_stream_init(struct fi_stream *stream, const uint32_t key[4]) {
    for (uint32_t round = 0; round < FI_ROUNDS; round++) {
        stream->key[round][0] = key[0] + round * FI_PHILOX_W0;
        stream->key[round][1] = key[1] + round * FI_PHILOX_W1;
    }
    stream->c2 = key[2], stream->c3 = key[3];
}

void fi_shared_rounds_init(struct fi_shared_rounds *shared, const struct fi_stream *stream, uint32_t c1) {
    const uint64_t first = (uint64_t)FI_PHILOX_M1 * stream->c2;
    const uint64_t second = (uint64_t)FI_PHILOX_M0 * (upper(first) ^ c1 ^ stream->key[0][0]);
    shared->c2_1 = stream->c3 ^ stream->key[0][1];
    shared->c0_2 = (uint32_t)first ^ stream->key[1][0];
    shared->c2_2 = upper(second) ^ stream->key[1][1];
    shared->c2_3 = (uint32_t)second ^ stream->key[2][1];
}

void fi_philox(const struct fi_stream *stream, uint64_t block, uint32_t word[4]) {
    uint32_t c0 = (uint32_t)block, c1 = upper(block), c2 = stream->c2, c3 = stream->c3;
    for (int round = 0; round < FI_ROUNDS; round++) {
        const uint64_t a = (uint64_t)c0 * FI_PHILOX_M0, b = (uint64_t)c2 * FI_PHILOX_M1;
        c0 = upper(b) ^ c1 ^ stream->key[round][0];
        c2 = upper(a) ^ c3 ^ stream->key[round][1];
        c1 = (uint32_t)b, c3 = (uint32_t)a;
    }
    word[0] = c0, word[1] = c1, word[2] = c2, word[3] = c3;
}
