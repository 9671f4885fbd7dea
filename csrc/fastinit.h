/* fastinit: the whole C interface.
 *
 * A fill is a pure function (stream, first index, law, dtype) -> values. It knows no scheme, shape or fan;
 * docs/bits.md specifies every bit that it writes. */
#ifndef FASTINIT_H
#define FASTINIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether kernels for AVX2 and AVX-512 are built beside the base one. Before version 19, clang in the guise of MSVC
 * offers those instructions only if compiler flags ask for them in the whole file. */
#if defined(__x86_64__) && (!defined(_MSC_VER) || __clang_major__ >= 19)
#define FI_AVX
#endif

#ifdef __FAST_MATH__
#error "fastinit's bits need IEEE arithmetic: build without -ffast-math"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "fastinit's bits need arithmetic in the type's own precision: build with SSE2 (-msse2 -mfpmath=sse), not x87"
#endif
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "fastinit does not run on big-endian machines: its values and files are little-endian"
#endif

/* The laws and the dtypes, one row each. Enums, names and kernels follow from these lists. */
#define FI_LAWS(M) M(constant) M(bits) M(uniform) M(normal) M(truncated_normal)

/* Name, bytes, significant bits, exponent of the least normal value, largest value. Narrow dtypes are rounded from
 * float32. */
#define FI_NARROW_DTYPES(M)                                                                                            \
    M(float16, 2, 11, -14, 0x1.ffcp15)                                                                                 \
    M(bfloat16, 2, 8, -126, 0x1.fep127)                                                                                \
    M(float8_e4m3fn, 1, 4, -6, 448)                                                                                    \
    M(float8_e5m2, 1, 3, -14, 57344)
#define FI_DTYPES(M)                                                                                                   \
    M(float32, 4, 24, -126, 0x1.fffffep127)                                                                            \
    M(float64, 8, 53, -1022, 0x1.fffffffffffffp1023)                                                                   \
    FI_NARROW_DTYPES(M)

enum fi_law_id {
#define M(law) FI_##law,
    FI_LAWS(M)
#undef M
        FI_LAW_COUNT
};

enum fi_dtype_id {
#define M(name, ...) FI_##name,
    FI_DTYPES(M)
#undef M
        FI_DTYPE_COUNT
};
struct fi_dtype {
    const char *name;
    size_t size;
    int precision, least_exponent;
    double largest;
};

/* The bits of fraction and the least exponent of a dtype, as constants. */
enum {
#define M(name, size, precision, least_exponent, largest)                                                              \
    FI_FRACTION_##name = (precision) - 1, FI_LEAST_##name = (least_exponent),
    FI_DTYPES(M)
#undef M
};

/* Philox4x32-10, keyed for one (seed, name): the round keys, and the upper half of the counter. */
enum { FI_ROUNDS = 10 };
#define FI_PHILOX_M0 0xD2511F53u
#define FI_PHILOX_M1 0xCD9E8D57u
#define FI_PHILOX_W0 0x9E3779B9u /* round keys grow by these */
#define FI_PHILOX_W1 0xBB67AE85u
struct fi_stream {
    uint32_t key[FI_ROUNDS][2], c2, c3;
};

/* Marks of functions and loops that only rare words need. A GPU's compiler would inline and unroll them all. */
#ifndef FI_RARE
#define FI_RARE
#define FI_ROLLED
#endif

/* The key of a name under a seed: BLAKE2b (RFC 7693) of both and of the stream's version, 128 bits. */
#define FI_STREAM_TAG "fastinit stream 1"
FI_RARE void fi_key(uint64_t seed, const char *name, size_t length, uint32_t key[4]);
/* The seed that a key of JAX stands for: of two words the high and the low half, of at most 32 words their BLAKE2b. */
FI_RARE uint64_t fi_seed(const uint32_t *words, size_t count);

void fi_stream_init(struct fi_stream *stream, const uint32_t key[4]);

/* The part of the first three rounds that all blocks share whose numbers have the same upper half c1. A field holds,
 * for one counter word after one round (c2_1: word c2 after round 1), what does not depend on the lower half. */
struct fi_shared_rounds {
    uint32_t c2_1, c0_2, c2_2, c2_3;
};
void fi_shared_rounds_init(struct fi_shared_rounds *shared, const struct fi_stream *stream, uint32_t c1);

/* One block in scalar code. A rare word takes its extra bits from here. */
FI_RARE void fi_philox(const struct fi_stream *stream, uint64_t block, uint32_t word[4]);

/* A law's numbers as the kernels use them: y = value(word) * scale + shift, kept in [low, high].
 *
 * The floats serve float32 and every narrower dtype, the doubles serve float64. Only [low, high] depends on the dtype.
 *
 * A word is rare if its tail probability is too small for the table of the quantile. The kernels leave such words to
 * scalar code (fi_normal_slow). */
struct fi_law {
    enum fi_law_id kernel;
    enum fi_dtype_id dtype;
    float scale, shift, low, high;
    double dscale, dshift, dlow, dhigh;
    bool shortcut;        /* uniform: no y leaves [low, high]; truncated normal: mean 0, low = -high, no rare word */
    bool never_subnormal; /* normal: no value is subnormal */

    /* Truncated normal, see truncated.c. A word has a half (its sign) and a magnitude. The magnitudes of a half run
     * linearly through tail probabilities: base[half] + slope[half] * magnitude, in units of 2^-32. */
    float base[2], slope[2];
    double dbase[2], dslope[2];
    uint32_t sign_and, sign_xor; /* the result's sign is (word & sign_and) ^ sign_xor */
    bool symmetric;              /* the two halves have equal numbers */
    bool crosses_centre;         /* a half runs past probability 1/2, to the other side of the centre */
    bool has_rare;               /* some words are rare */
    bool near_centre; /* the interval lies within 1/16 standard deviation of the centre: all words are rare */
    /* For rare words: -log of the tail probability is log_ref - log(first[half] + span[half] * fraction). If
     * near_centre, first + span * fraction is the probability's distance from 1/2. */
    double log_ref, first[2], span[2];
};

/* Fill in `law` from its parameters, in the order of the Python class. Returns NULL, or the complaint.
 *
 * law->kernel may become another law than `id`: a uniform with low = high and a normal with std = 0 become a constant,
 * a truncated normal whose bounds are beyond the dtype's range becomes a normal. */
const char *fi_law_init(struct fi_law *law, enum fi_law_id id, enum fi_dtype_id dtype, const double *parameter);
void fi_truncated_init(struct fi_law *law, double low, double high); /* bounds in units of the std */

/* Masks and constants of the kernels' integer arithmetic. They are loaded from memory on purpose: as literals,
 * compilers build the vectors again in every tile. */
struct fi_bits {
    uint32_t sign, exponent, fraction; /* of a float's bits */
    uint32_t one, octave23;            /* the bits of 1.0f and of 2^23 */
    uint32_t not_octave23_to_30;       /* set in (bits of t) - octave23 unless 2^23 <= |t| < 2^31 */
    uint32_t code;                     /* the bits below the sign of an 8-bit code, in two 16-bit halves */
};
#define FI_BITS {0x80000000u, 0x7f800000u, 0x007fffffu, 0x3f800000u, 150u << 23, 0x7c000000u, 0x007f007fu}

/* What the conversion to an 8-bit float needs, see float8.h: the bits of its least normal value, what is
 * added to the bits of an exponent, and by how many bits its fraction is shorter than that of bfloat16. */
struct fi_float8 {
    uint32_t least, power;
    int shift;
};
#define FI_FLOAT8(name)                                                                                                \
    {(uint32_t)(127 + FI_LEAST_##name) << 23,                                                                          \
     (uint32_t)(23 - FI_FRACTION_##name) << 23 |                                                                       \
         (0x10000u - ((uint32_t)(150 - FI_FRACTION_##name + FI_LEAST_##name) << FI_FRACTION_##name)),                  \
     7 - FI_FRACTION_##name}

#ifndef FI_ISA_CUDA /* which takes an extern constant for a zero of its own */
extern const char *const fi_law_names[FI_LAW_COUNT];
extern const struct fi_dtype fi_dtypes[FI_DTYPE_COUNT];
extern const struct fi_bits fi_bits;
extern const struct fi_float8 fi_float8_e4m3fn, fi_float8_e5m2;
#endif

/* The standard normal value of a rare word. `index` is the element's in the whole tensor. */
FI_RARE double fi_normal_slow(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, uint64_t word);

/* Scalar functions. They use IEEE arithmetic only, so that their bits are the same everywhere. */
FI_RARE double fi_log(double x);            /* for x >= 2^-1022 */
FI_RARE double fi_exp(double x);            /* for x <= 0 */
FI_RARE double fi_upper(double x);          /* P(Z > x) for x >= 0 */
FI_RARE double fi_log_upper(double x);      /* -log P(Z > x) for x >= 0 */
FI_RARE double fi_tail(double loss);        /* the inverse of fi_log_upper from loss = 10.3 upward */
FI_RARE double fi_centre(double x);         /* P(0 < Z < x) for |x| < 2 */
FI_RARE double fi_inverse_centre(double p); /* the inverse of fi_centre for |x| <= 1/8 */

/* Write the values of elements [index, index + count) to `out`, contiguously. */
typedef void fi_fill(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, size_t count, void *out,
                     bool streaming);

/* The moments of the finite values about their mean, and how many values there are of each kind. */
struct fi_moments {
    uint64_t count, nan, inf, zeros;    /* count is that of finite values, zeros included */
    double low, high, mean, m2, m3, m4; /* m2, m3, m4: sums of powers of x - mean */
};

/* The moments of count <= FI_TILE values. `before` are the moments of the values before them, if any, which are
 * probably similar. The mean is NaN if the sum overflows. */
typedef void fi_measure(enum fi_dtype_id dtype, const void *values, size_t count, const struct fi_moments *before,
                        struct fi_moments *moments);

/* The hash of a part of a row that begins at the row's 64-bit word `word`. A row's hash is the sum of the hashes of its
 * parts. Every part except the last must consist of whole words. */
typedef uint64_t fi_hash(const void *bytes, size_t count, uint64_t word);

struct fi_isa {
    const char *name;
    fi_fill *fill[FI_LAW_COUNT];
    fi_measure *measure;
    fi_hash *hash;
};

/* A value's bin is its upper 12 bits. float64 is rounded to float32 first; the 8 bits of a float8 are followed by 4
 * zeros. */
enum { FI_TILE = 4096, FI_BINS = 4096 };

/* Some rows of row_count values each, or a part of one row that begins at its 64-bit word `word`. fi_inspect gives the
 * moments of all values, the number of values in each bin (in a long chunk, only of every sixteenth tile), and the hash
 * of each row, unless `hashes` is NULL. */
struct fi_chunk {
    enum fi_dtype_id dtype;
    const void *values;
    size_t rows, row_count;
    uint64_t word;
};
void fi_inspect(const struct fi_isa *isa, const struct fi_chunk *chunk, struct fi_moments *moments,
                uint32_t counts[FI_BINS], uint64_t *hashes);

/* Makes `a` the moments of the values of both. */
void fi_merge(struct fi_moments *a, const struct fi_moments *b);

/* The instruction sets that this machine can run, best first; NULL past the end. */
const struct fi_isa *fi_isa_at(size_t i);

/* A part of a tensor in memory: along each axis, runs of consecutive global indices. */
struct fi_run {
    uint64_t local, start; /* from position `local` of the part on, the global index counts up from `start` */
};
struct fi_axis {
    uint64_t length;        /* of the part */
    uint64_t global_stride; /* elements of the whole tensor per step */
    int64_t byte_stride;    /* bytes in memory per step */
    const struct fi_run *runs;
    size_t n_runs;
};
struct fi_job {
    const struct fi_isa *isa;
    const struct fi_law *law;
    const struct fi_stream *stream;
    char *out;
    const struct fi_axis *axes; /* outermost first, at least one */
    size_t n_axes;
    bool streaming; /* stores go past the caches */
    uint64_t before; /* set by fi_draw: where it begins among the elements of all jobs */
};

/* From so many bytes on a tensor does not fit a core's cache, and stores should stream. */
enum { FI_MAX_THREADS = 256, FI_STREAMING_BYTES = 4 << 20 };

/* Run the jobs on at most `threads` threads. `interrupted`, unless NULL, is asked now and then on the calling thread;
 * true stops all. Returns false if it did. */
bool fi_draw(struct fi_job *jobs, size_t n_jobs, int threads, bool (*interrupted)(void *), void *context);

/* The handlers of XLA's custom calls, on the CPU and on NVIDIA's GPUs. */
struct xla_frame;
struct xla_error *fi_xla_draw(struct xla_frame *frame);
struct xla_error *fi_xla_draw_cuda(struct xla_frame *frame);

/* What the second one calls: the addresses of the driver's functions, named as in xla_cuda.c, and the kernels of a law
 * and a dtype, under any name, as functions of a device's context. False if there is no memory. */
enum { FI_DRIVER_FUNCTIONS = 4 };
void fi_xla_cuda_driver(void *const functions[FI_DRIVER_FUNCTIONS]);
bool fi_xla_cuda_kernels(const char *name, size_t length, void *context, void *origins, void *keyed);

#endif
