/* The stream of one name: the hash that is its key, its round keys, the shared part of its blocks' rounds, and single
 * blocks. */
#include "fastinit.h"

#include <string.h>

static uint64_t turned(uint64_t x, int n) { return x >> n | x << (64 - n); }

/* BLAKE2b without a key (RFC 7693), on machines whose lowest byte comes first. */
void fi_blake2b(const void *text, size_t length, void *hash, size_t size) {
    static const uint64_t begin[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                      0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
    /* Which words of the message a round takes, one in each four bits. */
    static const uint64_t orders[10] = {0x0123456789abcdef, 0xea489fd61c02b753, 0xb8c052fdae367194, 0x7931dcbe265a40f8,
                                        0x905724afe1bc683d, 0x2c6a0b834d75fe19, 0xc51fed4a0763928b, 0xdb7ec13950f4862a,
                                        0x6fe9b308c2d714a5, 0xa2847615fb9e3cd0};
    uint64_t h[8], v[16], message[16];
    memcpy(h, begin, sizeof h);
    h[0] ^= 0x01010000 ^ size;
    size_t at = 0;
    do {
        const size_t n = length - at < sizeof message ? length - at : sizeof message;
        memset(message, 0, sizeof message);
        memcpy(message, (const char *)text + at, n);
        at += n;
        memcpy(v, h, sizeof h);
        memcpy(v + 8, begin, sizeof begin);
        v[12] ^= at;
        if (at == length) v[14] = ~v[14];
        for (int i = 0; i < 12 * 8; i++) { /* eight mixes a round: four columns, then four diagonals */
            const int column = i % 4, turn = i / 4 % 2;
            const uint64_t order = orders[i / 8 % 10] >> (56 - i % 8 * 8);
            uint64_t *a = v + column, *b = v + 4 + (column + turn) % 4;
            uint64_t *c = v + 8 + (column + 2 * turn) % 4, *d = v + 12 + (column + 3 * turn) % 4;
            *a += *b + message[order >> 4 & 15], *d = turned(*d ^ *a, 32), *c += *d, *b = turned(*b ^ *c, 24);
            *a += *b + message[order & 15], *d = turned(*d ^ *a, 16), *c += *d, *b = turned(*b ^ *c, 63);
        }
        for (int i = 0; i < 8; i++) h[i] ^= v[i] ^ v[8 + i];
    } while (at < length);
    memcpy(hash, h, size);
}

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
