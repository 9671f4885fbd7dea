# cython: language_level=3
"""The C interface, csrc/fastinit.h, as _core.pyx uses it."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "Python.h" nogil:
    int Py_IsInitialized()

cdef extern from "stdbool.h":
    ctypedef bint c_bool "bool"  # a bint is an int, and a function that returns one is of another type

cdef extern from "fastinit.h" nogil:
    enum:
        FI_LAW_COUNT
        FI_DTYPE_COUNT
        FI_MAX_THREADS
        FI_STREAMING_BYTES
        FI_BINS
        FI_ROUNDS
    const uint32_t FI_PHILOX_M0, FI_PHILOX_M1, FI_PHILOX_W0, FI_PHILOX_W1
    enum fi_law_id:
        pass
    enum fi_dtype_id:
        pass
    const char *const *fi_law_names
    struct fi_dtype:
        const char *name
        size_t size
        int precision
        int least_exponent
    const fi_dtype *fi_dtypes
    struct fi_stream:
        pass
    struct fi_law:
        fi_law_id kernel
        c_bool shortcut
        float scale
        float shift
        float low
        float high
        double dscale
        double dshift
        double dlow
        double dhigh
        float base[2]
        float slope[2]
        double dbase[2]
        double dslope[2]
        uint32_t sign_and
        uint32_t sign_xor
        c_bool crosses_centre
        c_bool has_rare
        c_bool near_centre
        double log_ref
        double first[2]
        double span[2]
    struct fi_isa:
        const char *name
    struct fi_run:
        uint64_t local
        uint64_t start
    struct fi_axis:
        uint64_t length
        uint64_t global_stride
        int64_t byte_stride
        const fi_run *runs
        size_t n_runs
    struct fi_job:
        const fi_isa *isa
        const fi_law *law
        const fi_stream *stream
        char *out
        const fi_axis *axes
        size_t n_axes
        c_bool streaming
        uint64_t before
    struct fi_moments:
        uint64_t count
    struct fi_chunk:
        fi_dtype_id dtype
        const void *values
        size_t rows
        size_t row_count
        uint64_t word
    void fi_inspect(const fi_isa *isa, const fi_chunk *chunk, fi_moments *moments, uint32_t *counts,
                    uint64_t *hashes)
    void fi_merge(fi_moments *a, const fi_moments *b)
    const char *FI_STREAM_TAG
    void fi_key(uint64_t seed, const char *name, size_t length, uint32_t *key)
    void fi_stream_init(fi_stream *stream, const uint32_t *key)
    struct fi_shared_rounds:
        pass
    void fi_shared_rounds_init(fi_shared_rounds *shared, const fi_stream *stream, uint32_t c1)
    const char *fi_law_init(fi_law *law, fi_law_id id, fi_dtype_id dtype, const double *parameter)
    const fi_isa *fi_isa_at(size_t i)
    c_bool fi_draw(fi_job *jobs, size_t n_jobs, int threads, c_bool (*interrupted)(void *) noexcept, void *context)
    void fi_xla_draw()
    void fi_xla_draw_cuda()
    enum:
        FI_DRIVER_FUNCTIONS
    void fi_xla_cuda_driver(void **functions)
    c_bool fi_xla_cuda_kernels(const char *name, size_t length, void *context, void *origins, void *keyed)

cdef extern from "coefficients.h" nogil:
    const float quantile_f[6][32]
    const double quantile_d[19][16]
    const double tail_poly[25]
    const double log_poly[7]
    const double sin_poly[7]
    const double cos_poly[8]
    const double centre_poly[7]
    const double TAIL_END, TAIL_CENTRE, LN2, LN2_LOW, TWO_PI, HALF_LOG_2PI, ROOT_2PI

cdef extern from *:
    """
    /* The part of DLPack's published ABI that is read (version 1) and written here. */
    typedef struct {
        void *data;
        struct { int32_t type, id; } device;
        int32_t ndim;
        struct { uint8_t code, bits; uint16_t lanes; } dtype;
        int64_t *shape, *strides;
        uint64_t byte_offset;
    } fi_dl_tensor;
    typedef struct {
        struct { uint32_t major, minor; } version;
        void *context;
        void *deleter;
        uint64_t flags;
        fi_dl_tensor tensor;
    } fi_dl_versioned;
    /* What is written: the form that all versions read. */
    typedef struct fi_dl_managed {
        fi_dl_tensor tensor;
        void *context;
        void (*deleter)(struct fi_dl_managed *);
    } fi_dl_managed;
    """
    struct fi_dl_dtype:
        uint8_t code
        uint8_t bits
        uint16_t lanes
    struct fi_dl_device:
        int32_t type
        int32_t id
    ctypedef struct fi_dl_tensor:
        void *data
        fi_dl_device device
        int32_t ndim
        fi_dl_dtype dtype
        int64_t *shape
        int64_t *strides
        uint64_t byte_offset
    struct fi_dl_version:
        uint32_t major
    ctypedef struct fi_dl_versioned:
        fi_dl_version version
        uint64_t flags
        fi_dl_tensor tensor

    ctypedef struct fi_dl_managed:
        fi_dl_tensor tensor
        void *context
        void (*deleter)(fi_dl_managed *) noexcept nogil
