/* Vectors of N lanes of 32 bits, or N/2 of 64 bits, and the few operations on them that have no operator. Each shell
 * (isa_*.c) defines FI_ISA_* before it includes this file. Of the CPU's files only this and convert.h name
 * instructions. */
#include <stdint.h>
#include <string.h>

#if defined(FI_ISA_AVX512)
#define N 16
#elif defined(FI_ISA_AVX2)
#define N 8
#else
#define N 4
#if defined(__SSE2__)
#define FI_ISA_SSE2
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define FI_ISA_NEON
#elif defined(__wasm_simd128__)
#define FI_ISA_WASM
#endif
#endif

typedef uint32_t U __attribute__((vector_size(4 * N)));
typedef int32_t I __attribute__((vector_size(4 * N)));
typedef float F __attribute__((vector_size(4 * N)));
typedef uint64_t W __attribute__((vector_size(4 * N)));
typedef int64_t L __attribute__((vector_size(4 * N)));
typedef double D __attribute__((vector_size(4 * N)));
typedef uint16_t H __attribute__((vector_size(4 * N))); /* 2N lanes of 16 bits */

#define FN static inline __attribute__((always_inline))
#if defined(FI_ISA_WASM) /* the module has half the size, and normals are a third faster */
#define EACH(i, count) for (int i = 0; i < (count); i++)
#else
#define EACH(i, count) _Pragma("GCC unroll 18") for (int i = 0; i < (count); i++)
#endif
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Lists over the lanes of a vector. EACH4 and EACH2 repeat the lane numbers of the first 128 bits, in lanes of 32 and
 * 64 bits. EVEN_FIRST gives the 64-bit lanes numbers of which the even lanes have the lower half. LANES and WIDE_LANES
 * apply a macro to each lane of 32 and 64 bits. */
#if N == 16
#define EACH4(a, b, c, d)                                                                                              \
    a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12, b + 12, c + 12, d + 12
#define EACH2(a, b) a, b, a + 2, b + 2, a + 4, b + 4, a + 6, b + 6
#define EVEN_FIRST ((W){0, 4, 1, 5, 2, 6, 3, 7})
#elif N == 8
#define EACH4(a, b, c, d) a, b, c, d, a + 4, b + 4, c + 4, d + 4
#define EACH2(a, b) a, b, a + 2, b + 2
#define EVEN_FIRST ((W){0, 2, 1, 3})
#define LANES(M) M(0), M(1), M(2), M(3), M(4), M(5), M(6), M(7)
#define WIDE_LANES(M) M(0), M(1), M(2), M(3)
#else
#define EACH4(a, b, c, d) a, b, c, d
#define EACH2(a, b) a, b
#define EVEN_FIRST ((W){0, 1})
#define LANES(M) M(0), M(1), M(2), M(3)
#define WIDE_LANES(M) M(0), M(1)
#endif
/* A vector of the lanes of two, by their numbers: those of x, then those of y. `type` is a vector of unsigned integers.
 * GCC has clang's builtin only from version 12 on, and a builtin of its own in every version. */
#ifdef __clang__
#define SHUFFLE(type, x, y, ...) ((type)__builtin_shufflevector((type)(x), (type)(y), __VA_ARGS__))
#else
#define SHUFFLE(type, x, y, ...) __builtin_shuffle((type)(x), (type)(y), (type){__VA_ARGS__})
#endif
#define SHUFFLE4(x, a, b, c, d) SHUFFLE(U, x, x, EACH4(a, b, c, d))
#define SHUFFLE2(x, y, a, b) SHUFFLE(W, x, y, EACH2(a, b))

FN U u_all(uint32_t x) { return (U){0} + x; }
FN W w_all(uint64_t x) { return (W){0} + x; }
FN F f_all(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (F)u_all(bits);
}
FN D d_all(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (D)w_all(bits);
}
FN F to_float(I x) { return __builtin_convertvector(x, F); }

/* Each lane, as a signed integer, rounded to the nearest double. */
FN D to_double(W x) {
#if defined(FI_ISA_AVX512)
    return (D)_mm512_cvtepi64_pd((__m512i)x);
#else
    const D high = (D)((x >> 32) ^ 0x4530000080000000u) - 0x1.00000801p84; /* 2^84 + 2^63 + 2^52 */
    return high + (D)((x & 0xffffffffu) | 0x4330000000000000u);
#endif
}

/* Full products of the even 32-bit lanes. */
FN W mul_even(U a, U b) {
#if defined(FI_ISA_AVX512)
    return (W)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined(FI_ISA_AVX2)
    return (W)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(FI_ISA_SSE2)
    return (W)_mm_mul_epu32((__m128i)a, (__m128i)b);
#elif defined(FI_ISA_WASM)
    return (W)wasm_u64x2_extmul_low_u32x4((v128_t)SHUFFLE4(a, 0, 2, 0, 2), (v128_t)SHUFFLE4(b, 0, 2, 0, 2));
#else
    return ((W)a & 0xffffffffu) * ((W)b & 0xffffffffu);
#endif
}

/* Even lanes: p ^ s ^ k. Odd lanes: p. */
FN U mix_even(U p, U s, U k) {
#if defined(FI_ISA_AVX512)
    return (U)_mm512_mask_ternarylogic_epi32((__m512i)p, 0x5555, (__m512i)s, (__m512i)k, 0x96);
#elif defined(FI_ISA_AVX2)
    return (U)_mm256_blend_epi32((__m256i)(p ^ s ^ k), (__m256i)p, 0xAA);
#else
    return p ^ (U)((W)(s ^ k) & 0xffffffffu);
#endif
}

/* Whether any bit is set. */
FN bool any(U x) {
#if defined(FI_ISA_AVX512)
    return _mm512_test_epi32_mask((__m512i)x, (__m512i)x) != 0;
#elif defined(FI_ISA_AVX2)
    return !_mm256_testz_si256((__m256i)x, (__m256i)x);
#elif defined(FI_ISA_SSE2)
    return _mm_movemask_epi8(_mm_cmpeq_epi32((__m128i)x, _mm_setzero_si128())) != 0xffff;
#elif defined(FI_ISA_WASM)
    return wasm_v128_any_true((v128_t)x);
#else
    W w = (W)x;
    return (w[0] | w[1]) != 0;
#endif
}

/* (x & mask) | with. */
FN U splice(U x, U mask, U with) { return (x & mask) | with; }
FN F select_f(I mask, F a, F b) { return (F)(((I)a & mask) | ((I)b & ~mask)); }
FN D select_d(L mask, D a, D b) { return (D)(((L)a & mask) | ((L)b & ~mask)); }

#if defined(FI_ISA_AVX512)
FN F min_f(F a, F b) { return (F)_mm512_min_ps((__m512)a, (__m512)b); }
FN F max_f(F a, F b) { return (F)_mm512_max_ps((__m512)a, (__m512)b); }
FN D min_d(D a, D b) { return (D)_mm512_min_pd((__m512d)a, (__m512d)b); }
FN D max_d(D a, D b) { return (D)_mm512_max_pd((__m512d)a, (__m512d)b); }
#elif defined(FI_ISA_AVX2)
FN F min_f(F a, F b) { return (F)_mm256_min_ps((__m256)a, (__m256)b); }
FN F max_f(F a, F b) { return (F)_mm256_max_ps((__m256)a, (__m256)b); }
FN D min_d(D a, D b) { return (D)_mm256_min_pd((__m256d)a, (__m256d)b); }
FN D max_d(D a, D b) { return (D)_mm256_max_pd((__m256d)a, (__m256d)b); }
#elif defined(FI_ISA_SSE2)
FN F min_f(F a, F b) { return (F)_mm_min_ps((__m128)a, (__m128)b); }
FN F max_f(F a, F b) { return (F)_mm_max_ps((__m128)a, (__m128)b); }
FN D min_d(D a, D b) { return (D)_mm_min_pd((__m128d)a, (__m128d)b); }
FN D max_d(D a, D b) { return (D)_mm_max_pd((__m128d)a, (__m128d)b); }
#elif defined(FI_ISA_WASM) /* pmin(a, b) is b < a ? b : a */
FN F min_f(F a, F b) { return (F)wasm_f32x4_pmin((v128_t)b, (v128_t)a); }
FN F max_f(F a, F b) { return (F)wasm_f32x4_pmax((v128_t)b, (v128_t)a); }
FN D min_d(D a, D b) { return (D)wasm_f64x2_pmin((v128_t)b, (v128_t)a); }
FN D max_d(D a, D b) { return (D)wasm_f64x2_pmax((v128_t)b, (v128_t)a); }
#else
FN F min_f(F a, F b) { return select_f(a < b, a, b); }
FN F max_f(F a, F b) { return select_f(a > b, a, b); }
FN D min_d(D a, D b) { return select_d(a < b, a, b); }
FN D max_d(D a, D b) { return select_d(a > b, a, b); }
#endif
FN F clamp_f(F x, F low, F high) { return min_f(max_f(x, low), high); }
FN D clamp_d(D x, D low, D high) { return min_d(max_d(x, low), high); }

/* a * b + c, rounded once. */
#if defined(FI_ISA_AVX512)
FN F fma_f(F a, F b, F c) { return (F)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
FN D sqrt_d(D a) { return (D)_mm512_sqrt_pd((__m512d)a); }
#elif defined(FI_ISA_AVX2)
FN F fma_f(F a, F b, F c) { return (F)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
FN D sqrt_d(D a) { return (D)_mm256_sqrt_pd((__m256d)a); }
#elif defined(FI_ISA_NEON)
FN F fma_f(F a, F b, F c) { return (F)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
FN D sqrt_d(D a) { return (D)vsqrtq_f64((float64x2_t)a); }
#else
/* Without FMA hardware the operation is emulated, exactly. add_to_odd forms a sum in double and rounds it to odd: of
 * the two doubles around an inexact sum it takes the one whose last bit is set. The rounding to float that follows then
 * sees on which side of a tie the sum lies. */
FN D add_to_odd(D a, D b) {
    D s = a + b, t = s - a, error = (a - (s - t)) + (b - t);
    const W even = (W)(error != 0.0) & ~(W)s & 1,
            inward = ((W)error ^ (W)s) >> 63; /* for inexact sums; without comparisons */
    return (D)((W)s + even - 2 * (even & inward));
}
typedef struct {
    D low, high;
} D2;
#if defined(FI_ISA_SSE2)
FN D2 widen(F x) { return (D2){(D)_mm_cvtps_pd((__m128)x), (D)_mm_cvtps_pd(_mm_movehl_ps((__m128)x, (__m128)x))}; }
FN F narrow(D2 x) { return (F)_mm_movelh_ps(_mm_cvtpd_ps((__m128d)x.low), _mm_cvtpd_ps((__m128d)x.high)); }
#elif defined(FI_ISA_WASM)
FN D2 widen(F x) {
    return (D2){(D)wasm_f64x2_promote_low_f32x4((v128_t)x),
                (D)wasm_f64x2_promote_low_f32x4((v128_t)SHUFFLE4((U)x, 2, 3, 2, 3))};
}
FN F narrow(D2 x) {
    const v128_t low = wasm_f32x4_demote_f64x2_zero((v128_t)x.low), high = wasm_f32x4_demote_f64x2_zero((v128_t)x.high);
    return (F)SHUFFLE2((U)low, (U)high, 0, 2);
}
#else
FN D2 widen(F x) { return (D2){{x[0], x[1]}, {x[2], x[3]}}; }
FN F narrow(D2 x) { return (F){(float)x.low[0], (float)x.low[1], (float)x.high[0], (float)x.high[1]}; }
#endif
/* To round to double and then to float is to round once, unless the double lies halfway between two floats, or the
 * float is subnormal. This function serves those few cases. */
static __attribute__((noinline, cold)) F fma_to_odd(F a, F b, F c) {
    const D2 x = widen(a), y = widen(b), z = widen(c);
    return narrow((D2){add_to_odd(x.low * y.low, z.low), add_to_odd(x.high * y.high, z.high)});
}
FN F fma_f(F a, F b, F c) {
    const D2 x = widen(a), y = widen(b), z = widen(c);
    D2 sum = {x.low * y.low + z.low, x.high * y.high + z.high};
    const F once = narrow(sum);
    const U lower = SHUFFLE(U, sum.low, sum.high, 0, 2, 4, 6);
    const U halfway = (U)((lower & 0x1fffffffu) == 0x10000000u), tiny = (U)(((U)once & 0x7f800000u) == 0);
    return UNLIKELY(any(halfway | tiny)) ? fma_to_odd(a, b, c) : once;
}
#if defined(FI_ISA_SSE2)
FN D sqrt_d(D a) { return (D)_mm_sqrt_pd((__m128d)a); }
#elif defined(FI_ISA_WASM)
FN D sqrt_d(D a) { return (D)wasm_f64x2_sqrt((v128_t)a); }
#else
FN D sqrt_d(D a) { return (D){__builtin_sqrt(a[0]), __builtin_sqrt(a[1])}; }
#endif
#endif

/* table[index & 31] in each lane. The entries are written out, because GCC 11 sends a loop over lanes through memory.
 */
FN F lookup32(const float table[32], U index) {
#if defined(FI_ISA_AVX512)
    return (F)_mm512_permutex2var_ps(_mm512_load_ps(table), (__m512i)index, _mm512_load_ps(table + 16));
#else
#define M(i) table[index[i] & 31]
    return (F){LANES(M)};
#undef M
#endif
}
#if defined(FI_ISA_AVX2)
/* table[index & 15] in each lane. */
FN F lookup16(const float table[16], U index) {
    const __m256 a = _mm256_permutevar8x32_ps(_mm256_load_ps(table), (__m256i)index);
    const __m256 b = _mm256_permutevar8x32_ps(_mm256_load_ps(table + 8), (__m256i)index);
    F r; /* not the intrinsic, before which compilers put a comparison */
    __asm__("vblendvps %3, %2, %1, %0" : "=x"(r) : "x"(a), "x"(b), "x"(index << 28));
    return r;
}
#endif
#if defined(FI_ISA_AVX512)
/* table[index & 15] in each lane. */
FN D lookup16_d(const double table[16], W index) {
    return (D)_mm512_permutex2var_pd(_mm512_load_pd(table), (__m512i)index, _mm512_load_pd(table + 8));
}
#else
/* The row table[index & 15] of each lane, and the numbers k and k + 1 of these rows: two lanes share a load. */
struct rows {
    const double *of[N / 2];
};
FN struct rows rows_of(const double table[16][20], W index) {
#define M(i) table[index[i] & 15]
    return (struct rows){{WIDE_LANES(M)}};
#undef M
}
FN void lookup_pair_d(const struct rows *row, int k, D *even, D *odd) {
    D a, b;
#if defined(FI_ISA_AVX2)
    a = (D)_mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_load_pd(row->of[0] + k)), _mm_load_pd(row->of[2] + k), 1);
    b = (D)_mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_load_pd(row->of[1] + k)), _mm_load_pd(row->of[3] + k), 1);
#else
    memcpy(&a, row->of[0] + k, sizeof a), memcpy(&b, row->of[1] + k, sizeof b);
#endif
    *even = (D)SHUFFLE2(a, b, 0, N / 2), *odd = (D)SHUFFLE2(a, b, 1, N / 2 + 1);
}
#endif

/* Write a vector to memory. A streaming store goes past the caches. It needs an aligned address and, after the last
 * one, a fence (dispatch.c). */
FN void store(void *to, U x, bool streaming) {
    if (!streaming) {
        memcpy(to, &x, sizeof x);
        return;
    }
#if defined(FI_ISA_AVX512)
    _mm512_stream_si512((__m512i *)to, (__m512i)x);
#elif defined(FI_ISA_AVX2)
    _mm256_stream_si256((__m256i *)to, (__m256i)x);
#elif defined(FI_ISA_SSE2)
    _mm_stream_si128((__m128i *)to, (__m128i)x);
#else
    memcpy(to, &x, sizeof x);
#endif
}
