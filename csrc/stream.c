/* One name's stream: the key schedule in the lane order of philox.h, and single blocks. */
#include "fastinit.h"

void fi_stream_init(struct fi_stream *stream, const uint32_t key[4]) {
    uint32_t k0 = key[0], k1 = key[1];
    stream->upper = key[2] | (uint64_t)key[3] << 32;
    for (int round = 0; round < FI_ROUNDS; round++) {
        uint32_t *lane = stream->round_key[round];
        lane[0] = 0, lane[1] = k1, lane[2] = 0, lane[3] = k0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
}

void fi_philox(const struct fi_stream *stream, uint64_t block, uint32_t word[4]) {
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
    uint32_t c2 = (uint32_t)stream->upper, c3 = (uint32_t)(stream->upper >> 32);
    for (int round = 0; round < FI_ROUNDS; round++) {
        const uint64_t a = (uint64_t)c0 * 0xD2511F53u, b = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ stream->round_key[round][3];
        c2 = (uint32_t)(a >> 32) ^ c3 ^ stream->round_key[round][1];
        c1 = (uint32_t)b, c3 = (uint32_t)a;
    }
    word[0] = c0, word[1] = c1, word[2] = c2, word[3] = c3;
}
