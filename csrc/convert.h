/* float32 to the other dtypes and back. */
#include "float8.h"

/* Two vectors of float32 to one of float16, rounded to nearest-even. */
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

/* The lower and the upper 16 bits of each 32-bit lane of a, then of b. With AVX2, 64 bits of a and 64 of b alternate.
 */
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

/* a - b, or 0 if b is larger. */
FN H less_or_zero(H a, H b) {
#if N == 16
    return (H)_mm512_subs_epu16((__m512i)a, (__m512i)b);
#elif N == 8
    return (H)_mm256_subs_epu16((__m256i)a, (__m256i)b);
#else
    return (a - b) & (H)(a >= b);
#endif
}

/* Two vectors of float32 to one of bfloat16, rounded to nearest-even: the upper half grows by one if the lower half is
 * above 0x8000, or if it is 0x8000 and the upper half is odd. */
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

/* The same in one instruction, on processors that have it. It flushes subnormal values to zero. */
#if defined(FI_ISA_AVX512)
#define converts_bfloat16() __builtin_cpu_supports("avx512bf16")
FN U convert_bfloat16(U a, U b) {
    U r; /* not the intrinsic, for which all of this file would need a processor that has the instruction */
    __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(r) : "v"(a), "v"(b));
    return r;
}
#else
#define converts_bfloat16() false
FN U convert_bfloat16(U a, U b) { return pack_bfloat16(a, b); }
#endif

#if !defined(FI_ISA_AVX512) && !defined(FI_ISA_AVX2) && !defined(FI_ISA_NEON)
FN U half_bits(F x) {
    /* The addition of 2^(e + 13) rounds to 10 bits of fraction; for subnormals that of 2^-1 rounds to multiples of
     * 2^-24. */
    U sign = (U)x & 0x80000000u, magnitude = (U)x & 0x7fffffffu;
    U exponent = magnitude & 0x7f800000u, least = u_all(113u << 23), small = (U)(exponent < least);
    F step = (F)(((exponent & ~small) | (least & small)) + (13u << 23));
    F rounded = ((F)magnitude + step) - step;
    U normal = ((U)rounded - (112u << 23)) << 3; /* float16's bias, and the fraction in the upper half */
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

/* Two vectors of float32 to the codes of an 8-bit float, in the order of `halves`. */
FN H float8_codes(U a, U b, const struct fi_float8 *format) {
    H units, exponent; /* with the sign */
    halves(float8_units((F)a, format), float8_units((F)b, format), &units, &exponent);
    const H magnitude = (H)u_all(fi_bits.code);
    return ((units + (exponent >> (uint16_t)format->shift)) & magnitude) | (exponent >> 8 & ~magnitude);
}

/* Write the codes to memory, in the order of the values. */
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

/* N values as float32. */
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
    const F magnitude = (F)((bits & 0x7fffu) << 13) * 0x1p112f; /* float32's bias; subnormals become normal */
    return (F)((U)magnitude | (special & 0x7f800000u) | (bits & 0x8000u) << 16);
#endif
}

/* N bytes, one in each lane. */
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
/* N values of an 8-bit float. Codes from `special` on are not finite: infinity if their fraction is 0, else NaN. */
FN F load_float8(const void *from, const int fraction, const int least_exponent, const uint32_t special) {
    const U bytes = load_bytes(from), code = bytes & 0x7fu;
    const F unit = (F)u_all((uint32_t)(127 + least_exponent - fraction) << 23), subnormal = to_float((I)code) * unit;
    const F normal = (F)((code << (23 - fraction)) + ((uint32_t)(126 + least_exponent) << 23));
    const U magnitude = (U)select_f((I)code < 1 << fraction, subnormal, normal);
    const U exponent = (U)((I)code >= (I)u_all(special)) & 0x7f800000u;
    return (F)(magnitude | exponent | (bytes & 0x80u) << 24);
}

/* float32 as double: the first half of the lanes, then the second. */
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
