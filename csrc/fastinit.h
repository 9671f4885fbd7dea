/* fastinit: the whole C interface.
 *
 * A fill is a pure function (stream, first index, law, dtype) -> values. It knows no scheme, shape or fan;
 * docs/bits.md specifies every bit that it writes. */
#ifndef FASTINIT_H
#define FASTINIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kernels for AVX2 and AVX-512 beside the base one. clang-cl's headers have those instructions only under flags for a
 * whole file. */
#if defined(__x86_64__) && !defined(_MSC_VER)
#define FI_AVX
#endif

#ifdef __FAST_MATH__
#error "fastinit's bits need IEEE arithmetic: build without -ffast-math"
#endif

/* The laws and the dtypes. Each is one row here; enums, names and kernels follow from these lists. The narrow dtypes
 * are rounded from float32. */
#define FI_LAWS(M) M(constant) M(bits) M(uniform) M(normal) M(truncated_normal)

/* Name, bytes, significant bits, exponent of the least normal value, largest value. */
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
extern const char *const fi_law_names[FI_LAW_COUNT];

enum fi_dtype_id {
#define M(name, ...) FI_##name,
    FI_DTYPES(M)
#undef M
        FI_DTYPE_COUNT
};
extern const struct fi_dtype {
    const char *name;
    size_t size;
    int precision, least_exponent;
    double largest;
} fi_dtypes[FI_DTYPE_COUNT];

/* Philox4x32-10 keyed for one (seed, name): the round keys, and the upper half of the counter. */
enum { FI_ROUNDS = 10 };
#define FI_PHILOX_M0 0xD2511F53u
#define FI_PHILOX_M1 0xCD9E8D57u
struct fi_stream {
    uint32_t key[FI_ROUNDS][2], c2, c3;
};
void fi_stream_init(struct fi_stream *stream, const uint32_t key[4]);

/* What the first three rounds have in common for all blocks with the same upper half c1 of the block number: for each
 * word named, after the round given, the part of it that does not depend on the lower half. */
struct fi_opening {
    uint32_t c2_1, c0_2, c2_2, c2_3;
};
void fi_open(struct fi_opening *opening, const struct fi_stream *stream, uint32_t c1);

/* One block, scalar: the rare tail of the normal law draws its extra word here. */
void fi_philox(const struct fi_stream *stream, uint64_t block, uint32_t word[4]);

/* A law's numbers, ready for the lanes: y = value(word) * scale + shift, kept in [low, high].
 * Float32 lanes also serve float16 and bfloat16; only [low, high] knows which. */
struct fi_law {
    enum fi_law_id kernel;
    enum fi_dtype_id dtype;
    float scale, shift, low, high;
    double dscale, dshift, dlow, dhigh;
    /* The lanes may take the short way. Uniform: no y leaves [low, high]. Truncated normal: mean 0, low = -high, and
     * no word needs the scalar path. Normal: no value is subnormal. */
    bool shortcut;
    bool never_subnormal;

    /* Truncated normal, see truncated.c. A word is a half (its sign) and a magnitude; a half's magnitudes run linearly
     * through tail probabilities: in units of 2^-32, base[half] + slope[half] * magnitude. */
    float base[2], slope[2];
    double dbase[2], dslope[2];
    uint32_t sign_and, sign_xor; /* sign of the result: (word & sign_and) ^ sign_xor */
    bool symmetric;              /* both halves alike */
    bool crosses_centre;         /* a half runs past the centre */
    bool has_rare;               /* some words are left to the scalar path */
    bool central;                /* no tail probability is below 2^-9 */
    bool near_centre;            /* all words are: the interval is a sliver about the centre */
    /* The scalar path: -log of the tail probability is log_ref - log(first[half] + span[half] * fraction);
     * for the sliver, first + span * fraction is the probability's distance from 1/2. */
    double log_ref, first[2], span[2];
};

/* Fill in `law` from its parameters in the order of the Python dataclass. Returns 0, or the complaint. */
const char *fi_law_init(struct fi_law *law, enum fi_law_id id, enum fi_dtype_id dtype, const double *parameter);
void fi_truncated_init(struct fi_law *law, double low, double high); /* bounds in units of the std */

/* Parts of a float's bits, 150 << 23, and the magnitudes of two 8-bit codes. The vectors made of these are loaded from
 * memory on purpose: from literals a compiler builds them again in every tile. */
extern const struct fi_bits {
    uint32_t sign, exponent, fraction, one, octave23, not_octave23_to_30, code;
} fi_bits;

/* What the conversion to an 8-bit float needs (vec.h): the bits of its least normal value, what makes the power of two,
 * and by how much its fraction is shorter than bfloat16's. */
extern const struct fi_float8 {
    uint32_t least, power;
    int shift;
} fi_float8_e4m3fn, fi_float8_e5m2;

/* Standard normal value of a word that the vector path leaves out; index counts elements of the whole tensor. */
double fi_normal_slow(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, uint64_t word);

/* Scalar functions of IEEE arithmetic alone, hence equal everywhere. */
double fi_log(double x);            /* for x >= 2^-1022 */
double fi_exp(double x);            /* for x <= 0 */
double fi_upper(double x);          /* P(Z > x) for x >= 0 */
double fi_log_upper(double x);      /* -log P(Z > x) for x >= 0 */
double fi_tail(double loss);        /* the inverse of fi_log_upper from loss = 10.3 upward */
double fi_centre(double x);         /* P(0 < Z < x) for |x| < 2 */
double fi_inverse_centre(double p); /* the inverse of fi_centre for |x| <= 1/8 */

/* Write the values of elements [index, index + count) to `out`, contiguously. */
typedef void fi_fill(const struct fi_law *law, const struct fi_stream *stream, uint64_t index, size_t count, void *out,
                     bool streaming);

/* What values are like: moments about the mean of the finite ones, and how many others there are. */
struct fi_moments {
    uint64_t count, nan, inf, zeros;    /* count: of finite values, zeros among them */
    double low, high, mean, m2, m3, m4; /* m2, m3, m4: sums of powers of x - mean */
};

/* The moments of count <= FI_TILE values; `before` are those of values before them, if any, which are likely alike. The
 * mean is NaN where the sum overflows. */
typedef void fi_measure(enum fi_dtype_id dtype, const void *values, size_t count, const struct fi_moments *before,
                        struct fi_moments *moments);

/* The hash of a part of a row that begins at its 64-bit word `word`. A row's hash is the sum of its parts'; all but the
 * last part are whole words. */
typedef uint64_t fi_hash(const void *bytes, size_t count, uint64_t word);

struct fi_isa {
    const char *name;
    fi_fill *fill[FI_LAW_COUNT];
    fi_measure *measure;
    fi_hash *hash;
};

/* A value's bin: the upper 12 bits of float32, float16 and bfloat16, of float64 those of its float32. */
enum { FI_TILE = 4096, FI_BINS = 4096 };

/* Rows, or a part of one that begins at its 64-bit word `word`; every row has row_count values here. Moments are those
 * of all values, counts[bin] those of the bins (in a long chunk of every sixteenth tile alone), hashes[row] those of
 * the rows; NULL hashes are not computed. */
struct fi_chunk {
    enum fi_dtype_id dtype;
    const void *values;
    size_t rows, row_count;
    uint64_t word;
};
void fi_inspect(const struct fi_isa *isa, const struct fi_chunk *chunk, struct fi_moments *moments,
                uint32_t counts[FI_BINS], uint64_t *hashes);

/* The moments of both together. */
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
    int threads;
    bool streaming;
    bool (*interrupted)(void *); /* asked now and then on the calling thread; true stops the job */
    void *context;
};

enum { FI_MAX_THREADS = 256 };

/* Run the job on at most `threads` threads; false when interrupted. The values do not depend on the threads. */
bool fi_run_job(const struct fi_job *job);

#endif
