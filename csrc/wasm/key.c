/* BLAKE2b (RFC 7693) of the stream's tag, the seed, and the name with its length before it. */
#include "wasm.h"

#include <string.h>

enum { BLOCK = 128, ROUNDS = 12, KEY_BYTES = 16 };

static const uint64_t start[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                  0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
static const uint8_t order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

struct hash {
    uint64_t state[8], hashed; /* bytes */
    uint8_t block[BLOCK];
    size_t filled;
};

static uint64_t rotated(uint64_t x, int bits) { return x >> bits | x << (64 - bits); }

static void mix(uint64_t v[16], int a, int b, int c, int d, uint64_t x, uint64_t y) {
    v[a] += v[b] + x, v[d] = rotated(v[d] ^ v[a], 32);
    v[c] += v[d], v[b] = rotated(v[b] ^ v[c], 24);
    v[a] += v[b] + y, v[d] = rotated(v[d] ^ v[a], 16);
    v[c] += v[d], v[b] = rotated(v[b] ^ v[c], 63);
}

static void compress(struct hash *hash, bool last) {
    uint64_t word[16], v[16];
    memcpy(word, hash->block, BLOCK);
    memcpy(v, hash->state, sizeof hash->state);
    memcpy(v + 8, start, sizeof start);
    hash->hashed += hash->filled;
    v[12] ^= hash->hashed;
    if (last) v[14] = ~v[14];
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t *o = order[round % 10];
        for (int i = 0; i < 4; i++) mix(v, i, i + 4, i + 8, i + 12, word[o[2 * i]], word[o[2 * i + 1]]);
        for (int i = 0; i < 4; i++)
            mix(v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12, word[o[2 * i + 8]], word[o[2 * i + 9]]);
    }
    for (int i = 0; i < 8; i++) hash->state[i] ^= v[i] ^ v[i + 8];
    memset(hash->block, 0, BLOCK);
    hash->filled = 0;
}

/* A full block waits until more comes: the last one is compressed as such. */
static void add(struct hash *hash, const void *bytes, size_t count) {
    for (const uint8_t *byte = bytes; count--; byte++) {
        if (hash->filled == BLOCK) compress(hash, false);
        hash->block[hash->filled++] = *byte;
    }
}

void fi_key(uint32_t key[4], uint64_t seed, const char *name, size_t length) {
    static const char tag[] = FI_STREAM_TAG;
    const uint64_t prefix = length;
    struct hash hash = {.filled = 0};
    memcpy(hash.state, start, sizeof start);
    hash.state[0] ^= 0x01010000u ^ KEY_BYTES;
    add(&hash, tag, sizeof tag); /* with the zero at its end */
    add(&hash, &seed, sizeof seed);
    add(&hash, &prefix, sizeof prefix);
    add(&hash, name, length);
    compress(&hash, true);
    memcpy(key, hash.state, KEY_BYTES);
}
