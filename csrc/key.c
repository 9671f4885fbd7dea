/* The key of a name under a seed, and the seed of a key of JAX, by BLAKE2b (RFC 7693) without a key of its own. */
#include "fastinit.h"

#include <string.h>

enum { BLOCK = 128, ROUNDS = 12 };

/* The fractions of the square roots of the first eight primes. */
static const uint64_t START[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                  0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

/* Which words of the message each round takes. */
static const uint8_t ORDER[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

static uint64_t rotated(uint64_t x, int right) { return x >> right | x << (64 - right); }

static void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, uint64_t x, uint64_t y) {
    *a += *b + x, *d = rotated(*d ^ *a, 32), *c += *d, *b = rotated(*b ^ *c, 24);
    *a += *b + y, *d = rotated(*d ^ *a, 16), *c += *d, *b = rotated(*b ^ *c, 63);
}

/* Take one block of the text into the state. `length` is that of the text up to the block's end. */
static void absorb(uint64_t state[8], const uint8_t block[BLOCK], uint64_t length, bool last) {
    uint64_t word[16], v[16];
    memcpy(word, block, sizeof word);
    memcpy(v, state, 8 * sizeof *v);
    memcpy(v + 8, START, sizeof START);
    v[12] ^= length;
    if (last) v[14] = ~v[14];
    FI_ROLLED
    for (int round = 0; round < ROUNDS; round++) {
        const uint8_t *at = ORDER[round % 10];
        for (int i = 0; i < 4; i++) mix(&v[i], &v[4 + i], &v[8 + i], &v[12 + i], word[at[2 * i]], word[at[2 * i + 1]]);
        for (int i = 0; i < 4; i++)
            mix(&v[i], &v[4 + (i + 1) % 4], &v[8 + (i + 2) % 4], &v[12 + (i + 3) % 4], word[at[8 + 2 * i]],
                word[at[9 + 2 * i]]);
    }
    for (int i = 0; i < 8; i++) state[i] ^= v[i] ^ v[i + 8];
}

void fi_key(uint64_t seed, const char *name, size_t length, uint32_t key[4]) {
    static const char tag[] = FI_STREAM_TAG; /* with its 0 */
    const uint64_t name_length = length;
    uint64_t state[8];
    uint8_t block[BLOCK];
    memcpy(state, START, sizeof state);
    state[0] ^= 0x01010000 ^ 16; /* no key, 16 bytes of digest */
    memcpy(block, tag, sizeof tag);
    memcpy(block + sizeof tag, &seed, 8);
    memcpy(block + sizeof tag + 8, &name_length, 8);
    size_t used = sizeof tag + 16;
    uint64_t total = used;
    while (length > BLOCK - used) {
        memcpy(block + used, name, BLOCK - used);
        name += BLOCK - used, length -= BLOCK - used, total += BLOCK - used;
        absorb(state, block, total, false);
        used = 0;
    }
    memcpy(block + used, name, length);
    memset(block + used + length, 0, BLOCK - used - length);
    absorb(state, block, total + length, true);
    memcpy(key, state, 16);
}

uint64_t fi_seed(const uint32_t *words, size_t count) {
    if (count == 2) return (uint64_t)words[0] << 32 | words[1];
    uint64_t state[8];
    uint8_t block[BLOCK] = {0};
    memcpy(state, START, sizeof state);
    state[0] ^= 0x01010000 ^ sizeof *state;
    memcpy(block, words, count * sizeof *words);
    absorb(state, block, count * sizeof *words, true);
    return state[0];
}
