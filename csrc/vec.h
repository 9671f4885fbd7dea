/* Vectors of N 32-bit (N/2 64-bit) lanes and the few operations that have no operator.
 * The only file that names an instruction. Each shell (isa_*.c) defines FI_ISA_* before including it. */
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
#endif
#endif

typedef uint32_t U __attribute__((vector_size(4 * N)));
typedef int32_t I __attribute__((vector_size(4 * N)));
typedef float F __attribute__((vector_size(4 * N)));
typedef uint64_t W __attribute__((vector_size(4 * N)));
typedef int64_t L __attribute__((vector_size(4 * N)));
typedef double D __attribute__((vector_size(4 * N)));
typedef uint16_t H __attribute__((vector_size(4 * N))); /* 2N halves */

#define FN static inline __attribute__((always_inline))
#define EACH(i, count) _Pragma("GCC unroll 18") for (int i = 0; i < (count); i++)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Lane patterns, written for one 128-bit group (of 32- or 64-bit lanes) and repeated over the vector; HALVES numbers
 * the 64-bit lanes so that the even ones come first. */
#if N == 16
#define EACH4(a, b, c, d)                                                                                              \
    a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12, b + 12, c + 12, d + 12
#define EACH2(a, b) a, b, a + 2, b + 2, a + 4, b + 4, a + 6, b + 6
#define HALVES 0, 4, 1, 5, 2, 6, 3, 7
#elif N == 8
#define EACH4(a, b, c, d) a, b, c, d, a + 4, b + 4, c + 4, d + 4
#define EACH2(a, b) a, b, a + 2, b + 2
#define HALVES 0, 2, 1, 3
#define LANES(M) M(0), M(1), M(2), M(3), M(4), M(5), M(6), M(7)
#define WIDE_LANES(M) M(0), M(1), M(2), M(3)
#else
#define EACH4(a, b, c, d) a, b, c, d
#define EACH2(a, b) a, b
#define HALVES 0, 1
#define LANES(M) M(0), M(1), M(2), M(3)
#define WIDE_LANES(M) M(0), M(1)
#endif
/* Lanes of two vectors of unsigned integers, by their numbers: the first vector's, then the second's. GCC has clang's
 * builtin only from version 12 on. */
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

/* Each lane, signed, rounded to the nearest double. */
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

/* Is any bit set? */
FN bool any(U x) {
#if defined(FI_ISA_AVX512)
    return _mm512_test_epi32_mask((__m512i)x, (__m512i)x) != 0;
#elif defined(FI_ISA_AVX2)
    return !_mm256_testz_si256((__m256i)x, (__m256i)x);
#elif defined(FI_ISA_SSE2)
    return _mm_movemask_epi8(_mm_cmpeq_epi32((__m128i)x, _mm_setzero_si128())) != 0xffff;
#else
    W w = (W)x;
    return (w[0] | w[1]) != 0;
#endif
}

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
/* No FMA hardware: exact emulation. The sum is formed in double, rounded to odd (an inexact sum keeps a
 * set last bit), so that the final rounding sees on which side of a tie it stands. */
FN D add_to_odd(D a, D b) {
    D s = a + b, t = s - a, error = (a - (s - t)) + (b - t);
    const W even = (W)(error != 0.0) & ~(W)s & 1, inward = ((W)error ^ (W)s) >> 63; /* of the inexact; no compares */
    return (D)((W)s + even - 2 * (even & inward));
}
typedef struct {
    D low, high;
} D2;
#if defined(FI_ISA_SSE2)
FN D2 widen(F x) { return (D2){(D)_mm_cvtps_pd((__m128)x), (D)_mm_cvtps_pd(_mm_movehl_ps((__m128)x, (__m128)x))}; }
FN F narrow(D2 x) { return (F)_mm_movelh_ps(_mm_cvtpd_ps((__m128d)x.low), _mm_cvtpd_ps((__m128d)x.high)); }
#else
FN D2 widen(F x) { return (D2){{x[0], x[1]}, {x[2], x[3]}}; }
FN F narrow(D2 x) { return (F){(float)x.low[0], (float)x.low[1], (float)x.high[0], (float)x.high[1]}; }
#endif
/* Rounding twice, to double and to float, is rounding once unless the double lies halfway between two floats, which is
 * rare, or the float is subnormal. Those few go by this function. */
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
#else
FN D sqrt_d(D a) { return (D){__builtin_sqrt(a[0]), __builtin_sqrt(a[1])}; }
#endif
#endif

/* table[index & 31] per lane. */
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
/* table[index & 15] */
FN F lookup16(const float table[16], U index) {
    const __m256 a = _mm256_permutevar8x32_ps(_mm256_load_ps(table), (__m256i)index);
    const __m256 b = _mm256_permutevar8x32_ps(_mm256_load_ps(table + 8), (__m256i)index);
    F r; /* written out, since compilers put a comparison before the intrinsic */
    __asm__("vblendvps %3, %2, %1, %0" : "=x"(r) : "x"(a), "x"(b), "x"(index << 28));
    return r;
}
#endif
FN D lookup16_d(const double table[16], W index) {
#if defined(FI_ISA_AVX512)
    return (D)_mm512_permutex2var_pd(_mm512_load_pd(table), (__m512i)index, _mm512_load_pd(table + 8));
#else
#define M(i) table[index[i] & 15]
    return (D){WIDE_LANES(M)};
#undef M
#endif
}

/* Stores; the streaming one goes past the caches, wants an aligned address and, at the end of
 * all, a fence (dispatch.c). */
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
/* Two vectors of float32 to one of float16, nearest-even. */
#if defined(FI_ISA_AVX512)
FN U pack_float16(F a, F b) {
    __m256i low = _mm512_cvtps_ph((__m512)a, _MM_FROUND_TO_NEAREST_INT);
    return (U)_mm512_inserti64x4(_mm512_castsi256_si512(low), _mm512_cvtps_ph((__m512)b, _MM_FROUND_TO_NEAREST_INT), 1);
}
#elif defined(FI_ISA_AVX2)
FN U pack_float16(F a, F b) {
    __m128i low = _mm256_cvtps_ph((__m256)a, _MM_FROUND_TO_NEAREST_INT);
    return (U)_mm256_inserti128_si256(_mm256_castsi128_si256(low),
                                      _mm256_cvtps_ph((__m256)b, _MM_FROUND_TO_NEAREST_INT), 1);
}
#elif defined(FI_ISA_NEON)
FN U pack_float16(F a, F b) { return (U)vcombine_f16(vcvt_f16_f32((float32x4_t)a), vcvt_f16_f32((float32x4_t)b)); }
#endif

/* The lower and the upper 16 bits of each 32-bit lane of a, then of b (in AVX2 by 64 bits of each in turn). */
FN void halves(U a, U b, H *lower, H *upper) {
#if N == 16
    *lower = SHUFFLE(H, a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42, 44, 46,
                     48, 50, 52, 54, 56, 58, 60, 62);
    *upper = SHUFFLE(H, a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 45, 47,
                     49, 51, 53, 55, 57, 59, 61, 63);
#elif N == 8
    const __m256i apart =
        _mm256_set_epi64x(0x0f0e0b0a07060302, 0x0d0c090805040100, 0x0f0e0b0a07060302, 0x0d0c090805040100);
    a = (U)_mm256_shuffle_epi8((__m256i)a, apart), b = (U)_mm256_shuffle_epi8((__m256i)b, apart);
    *lower = (H)_mm256_unpacklo_epi64((__m256i)a, (__m256i)b);
    *upper = (H)_mm256_unpackhi_epi64((__m256i)a, (__m256i)b);
#else
    *lower = SHUFFLE(H, a, b, 0, 2, 4, 6, 8, 10, 12, 14);
    *upper = SHUFFLE(H, a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#endif
}

/* a - b, or 0 where b is the larger. */
FN H less_or_zero(H a, H b) {
#if N == 16
    return (H)_mm512_subs_epu16((__m512i)a, (__m512i)b);
#elif N == 8
    return (H)_mm256_subs_epu16((__m256i)a, (__m256i)b);
#else
    return (a - b) & (H)(a >= b);
#endif
}

/* Two vectors of float32 to one of bfloat16, nearest-even: one more where the lower half is above one half, or at it
 * and the upper half is odd. */
FN U pack_bfloat16(U a, U b) {
    H lower, upper;
    halves(a, b, &lower, &upper);
    upper += less_or_zero(lower, ~upper & 1) >> 15;
#if N == 8
    return (U)_mm256_permute4x64_epi64((__m256i)upper, 0xd8);
#else
    return (U)upper;
#endif
}

/* The same by one instruction, of values that are not subnormal, on processors that have it. */
#if defined(FI_ISA_AVX512)
#define converts_bfloat16() __builtin_cpu_supports("avx512bf16")
FN U convert_bfloat16(U a, U b) {
    U r; /* no intrinsic, which would want every processor that runs this file to have the instruction */
    __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(r) : "v"(a), "v"(b));
    return r;
}
#else
#define converts_bfloat16() false
FN U convert_bfloat16(U a, U b) { return pack_bfloat16(a, b); }
#endif

#if !defined(FI_ISA_AVX512) && !defined(FI_ISA_AVX2) && !defined(FI_ISA_NEON)
FN U half_bits(F x) {
    /* Adding 2^(e+13) leaves 10 bits of fraction, or the subnormal grid 2^-24, rounded to nearest-even. */
    U sign = (U)x & 0x80000000u, magnitude = (U)x & 0x7fffffffu;
    U exponent = magnitude & 0x7f800000u, least = u_all(113u << 23), small = (U)(exponent < least);
    F step = (F)(((exponent & ~small) | (least & small)) + (13u << 23));
    F rounded = ((F)magnitude + step) - step;
    U normal = ((U)rounded - (112u << 23)) << 3; /* rebias, fraction to the upper half */
    U subnormal = (U) __builtin_convertvector(rounded * 0x1p24f, I) << 16;
    U tiny = (U)(rounded < f_all(0x1p-14f));
    return sign | (subnormal & tiny) | (normal & ~tiny);
}
FN U pack_float16(F a, F b) {
    H lower, upper;
    halves(half_bits(a), half_bits(b), &lower, &upper);
    return (U)upper;
}
#endif

/* Two vectors of float32 to the codes of an 8-bit float, nearest-even, for values within its range; in the order of
 * `halves`.
 *
 * A value x has the exponent e, or the format's least one if that is larger. In x + 2^(e + 23 - fraction) the last bit
 * is worth a unit of the format, so that the addition rounds x to the format. The sum has e in its exponent field and
 * the number of units in its last bits. What fi_float8 adds to the power of two makes the code out of both. */
FN U float8_units(F x, const struct fi_float8 *format) {
    const F exponent = (F)((U)x & u_all(fi_bits.exponent));
    const U power = (U)max_f(exponent, (F)u_all(format->least)) + u_all(format->power);
    return (U)(x + (F)(power | ((U)x & u_all(fi_bits.sign))));
}
FN H float8_codes(U a, U b, const struct fi_float8 *format) {
    H units, exponent; /* the exponent with the sign */
    halves(float8_units((F)a, format), float8_units((F)b, format), &units, &exponent);
    const H magnitude = (H)u_all(fi_bits.code);
    return ((units + (exponent >> (uint16_t)format->shift)) & magnitude) | (exponent >> 8 & ~magnitude);
}
/* The codes to memory, in the order of the values. */
FN void store_codes(void *to, H codes, bool streaming) {
#if defined(FI_ISA_AVX512)
    const __m256i bytes = _mm512_cvtepi16_epi8((__m512i)codes);
    if (streaming)
        _mm256_stream_si256((__m256i *)to, bytes);
    else
        _mm256_storeu_si256((__m256i *)to, bytes);
#elif defined(FI_ISA_AVX2)
    const __m256i packed = _mm256_packus_epi16((__m256i)codes, (__m256i)codes);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
    const __m128i bytes = _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(packed, order));
    if (streaming)
        _mm_stream_si128((__m128i *)to, bytes);
    else
        _mm_storeu_si128((__m128i *)to, bytes);
#elif defined(FI_ISA_SSE2)
    const long long bytes = _mm_cvtsi128_si64(_mm_packus_epi16((__m128i)codes, (__m128i)codes));
    if (streaming)
        _mm_stream_si64(to, bytes);
    else
        memcpy(to, &bytes, sizeof bytes);
#else
    (void)streaming;
    uint8_t bytes __attribute__((vector_size(2 * N))) = __builtin_convertvector(codes, __typeof__(bytes));
    memcpy(to, &bytes, sizeof bytes);
#endif
}

/* N values of 16 bits, widened. */
FN F load_bfloat16(const void *from) {
#if defined(FI_ISA_AVX512)
    return (F)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from)), 16);
#elif defined(FI_ISA_AVX2)
    return (F)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from)), 16);
#else
    uint16_t x __attribute__((vector_size(2 * N)));
    memcpy(&x, from, sizeof x);
    return (F)(__builtin_convertvector(x, U) << 16);
#endif
}
FN F load_float16(const void *from) {
#if defined(FI_ISA_AVX512)
    return (F)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
#elif defined(FI_ISA_AVX2)
    return (F)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
#elif defined(FI_ISA_NEON)
    float16x4_t x;
    memcpy(&x, from, sizeof x);
    return (F)vcvt_f32_f16(x);
#else
    uint16_t x __attribute__((vector_size(2 * N)));
    memcpy(&x, from, sizeof x);
    const U bits = __builtin_convertvector(x, U), all = u_all(0x7c00u), special = (U)((bits & all) == all);
    const F magnitude = (F)((bits & 0x7fffu) << 13) * 0x1p112f; /* rebias; subnormals become normal */
    return (F)((U)magnitude | (special & 0x7f800000u) | (bits & 0x8000u) << 16);
#endif
}

/* N bytes, each in a lane. */
FN U load_bytes(const void *from) {
#if defined(FI_ISA_AVX512)
    return (U)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from));
#elif defined(FI_ISA_AVX2)
    return (U)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
#else
    uint8_t x __attribute__((vector_size(N)));
    memcpy(&x, from, sizeof x);
    return __builtin_convertvector(x, U);
#endif
}
/* N values of an 8-bit float. Codes from `special` on are infinity, without fraction, and NaN. */
FN F load_float8(const void *from, const int fraction, const int least_exponent, const uint32_t special) {
    const U bytes = load_bytes(from), code = bytes & 0x7fu;
    const F unit = (F)u_all((uint32_t)(127 + least_exponent - fraction) << 23), subnormal = to_float((I)code) * unit;
    const F normal = (F)((code << (23 - fraction)) + ((uint32_t)(126 + least_exponent) << 23));
    const U magnitude = (U)select_f((I)code < 1 << fraction, subnormal, normal);
    const U exponent = (U)((I)code >= (I)u_all(special)) & 0x7f800000u;
    return (F)(magnitude | exponent | (bytes & 0x80u) << 24);
}

/* Float32 as double: the first half of the lanes, then the second. */
FN void widen_all(F x, D to[2]) {
#if defined(FI_ISA_AVX512)
    to[0] = (D)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)x));
    to[1] = (D)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)x, 1));
#elif defined(FI_ISA_AVX2)
    to[0] = (D)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)x));
    to[1] = (D)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)x, 1));
#elif defined(FI_ISA_NEON)
    to[0] = (D)vcvt_f64_f32(vget_low_f32((float32x4_t)x));
    to[1] = (D)vcvt_high_f64_f32((float32x4_t)x);
#else
    const D2 both = widen(x);
    to[0] = both.low, to[1] = both.high;
#endif
}
