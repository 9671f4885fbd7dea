/* Which instruction sets this machine runs, and how a job is shared out among threads and written to memory. */
#include "arithmetic.h"
#include "fastinit.h"
#include "system.h"
#include "threads.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#ifdef FI_AVX
#include <cpuid.h>
#endif

extern const struct fi_isa fi_isa_base;
#ifdef FI_AVX
extern const struct fi_isa fi_isa_avx2, fi_isa_avx512;

/* Instructions of leaf 7, and the registers that the system saves (bits of XCR0). macOS shows those of AVX-512 only
 * after a program's first use of them. */
#define AVX2 bit_AVX2
#define AVX512 (AVX2 | bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL)
#define YMM 0x06u
#ifdef __APPLE__
#define ZMM YMM
#else
#define ZMM 0xe6u
#endif

/* Asked of the processor itself, because clang-cl comes without the library behind __builtin_cpu_supports. */
static bool runs(unsigned instructions, unsigned registers) {
    const unsigned first = bit_FMA | bit_F16C | bit_OSXSAVE;
    unsigned a, b, c, d, saved, upper;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & first) != first) return false;
    __asm__("xgetbv" : "=a"(saved), "=d"(upper) : "c"(0));
    if ((saved & registers) != registers || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    return (b & instructions) == instructions;
}

static const struct fi_isa *const isas[] = {&fi_isa_avx512, &fi_isa_avx2, &fi_isa_base};

/* How many of them this machine lacks. Virtual machines answer slowly, so it is asked once. */
static size_t lacking(void) {
    static atomic_int known = -1;
    int count = atomic_load_explicit(&known, memory_order_relaxed);
    if (count < 0) {
        count = runs(AVX512, ZMM) ? 0 : runs(AVX2, YMM) ? 1 : 2;
        atomic_store_explicit(&known, count, memory_order_relaxed);
    }
    return (size_t)count;
}
#else
static const struct fi_isa *const isas[] = {&fi_isa_base};
static size_t lacking(void) { return 0; }
#endif

const struct fi_isa *fi_isa_at(size_t i) {
    i += lacking();
    return i < sizeof isas / sizeof *isas ? isas[i] : NULL;
}

/* Elements that a thread takes at a time, elements for each thread (fewer take less than waking it), bytes of the buffer
 * for strided memory, elements of a cache line. In new memory, two threads that meet in one huge page both wait for it:
 * large chunks make that rare. */
enum { LEAST_CHUNK = 1 << 14, MOST_CHUNK = 1 << 20, PER_THREAD = 3 << 14, SCATTER_BYTES = 1 << 14, GRAIN = 64 };

/* The elements of the jobs, one job after another. A job of a chunk or more begins at a whole chunk, so that threads
 * part at pages, others at a whole grain, so that they part at cache lines. */
struct shared {
    const struct fi_job *jobs;
    size_t n_jobs;
    uint64_t count, chunk;
    atomic_ullong next;
    atomic_bool stop;
    bool (*interrupted)(void *);
    void *context;
};

/* The global index of local position `at` along the axis. `left` becomes the number of positions left in its run. */
static uint64_t locate(const struct fi_axis *axis, uint64_t at, uint64_t *left) {
    size_t low = 0, high = axis->n_runs;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (axis->runs[middle].local <= at)
            low = middle;
        else
            high = middle;
    }
    *left = (high < axis->n_runs ? axis->runs[high].local : axis->length) - at;
    return axis->runs[low].start + (at - axis->runs[low].local);
}

/* Copy values that are `from_stride` bytes apart to places that are `to_stride` bytes apart. */
static void scatter(const char *from, size_t from_stride, uint64_t count, size_t size, char *to, int64_t to_stride) {
    for (uint64_t i = 0; i < count; i++, from += from_stride, to += to_stride) {
        switch (size) {
        case 1: memcpy(to, from, 1); break;
        case 2: memcpy(to, from, 2); break;
        case 4: memcpy(to, from, 4); break;
        default: memcpy(to, from, 8);
        }
    }
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Write consecutive elements of the tensor to memory that may be strided. */
static void fill_run(const struct fi_job *job, uint64_t index, uint64_t count, char *out, int64_t byte_stride) {
    fi_fill *fill = job->isa->fill[job->law->kernel];
    const size_t size = fi_dtypes[job->law->dtype].size;
    if (count == 1 || byte_stride == (int64_t)size) {
        fill(job->law, job->stream, index, (size_t)count, out, job->streaming);
        return;
    }
    _Alignas(64) char buffer[SCATTER_BYTES];
    for (uint64_t n; count; index += n, count -= n, out += (int64_t)n * byte_stride) {
        n = least(count, sizeof buffer / size);
        fill(job->law, job->stream, index, (size_t)n, buffer, false);
        scatter(buffer, size, n, size, out, byte_stride);
    }
}

/* Write rows of the tensor, `row_stride` elements apart, to memory in which the columns are contiguous or nearly so.
 * Square tiles are drawn by rows and written by columns. */
static void fill_transposed(const struct fi_job *job, uint64_t index, uint64_t row_stride, uint64_t rows,
                            uint64_t columns, char *out, int64_t row_bytes, int64_t column_bytes) {
    fi_fill *fill = job->isa->fill[job->law->kernel];
    const size_t size = fi_dtypes[job->law->dtype].size;
    _Alignas(64) char buffer[SCATTER_BYTES];
    const uint64_t capacity = sizeof buffer / size, width = least(columns, 128), height = capacity / width;
    for (uint64_t r = 0; r < rows; r += height) {
        const uint64_t n_rows = least(height, rows - r);
        for (uint64_t c = 0; c < columns; c += width) {
            const uint64_t n_columns = least(width, columns - c), first = index + r * row_stride + c;
            if (row_stride == n_columns) { /* the rows follow each other without a gap */
                fill(job->law, job->stream, first, (size_t)(n_rows * n_columns), buffer, false);
            } else {
                for (uint64_t i = 0; i < n_rows; i++)
                    fill(job->law, job->stream, first + i * row_stride, (size_t)n_columns,
                         buffer + i * n_columns * size, false);
            }
            char *to = out + (int64_t)r * row_bytes + (int64_t)c * column_bytes;
            for (uint64_t j = 0; j < n_columns; j++, to += column_bytes)
                scatter(buffer + j * size, n_columns * size, n_rows, size, to, row_bytes);
        }
    }
}

/* Write elements [at, end) of the part, counted in the order of the axes. */
static void fill_range(const struct fi_job *job, uint64_t at, uint64_t end) {
    const size_t last = job->n_axes - 1;
    const struct fi_axis *inner = &job->axes[last], *next = last ? inner - 1 : NULL;
    const bool transposed = next && next->length > 1 && inner->global_stride == 1 && inner->n_runs == 1 &&
                            next->n_runs == 1 && llabs(next->byte_stride) < llabs(inner->byte_stride);
    while (at < end) {
        uint64_t row = at / inner->length, left, index = 0, next_left = 1;
        const uint64_t column = at % inner->length;
        char *out = job->out + (int64_t)column * inner->byte_stride;
        for (size_t a = last; a-- > 0;) {
            const struct fi_axis *axis = &job->axes[a];
            const uint64_t position = row % axis->length;
            row /= axis->length;
            index += locate(axis, position, &left) * axis->global_stride;
            out += (int64_t)position * axis->byte_stride;
            if (axis == next) next_left = left;
        }
        index += locate(inner, column, &left) * inner->global_stride;
        if (transposed && column == 0 && end - at >= inner->length) {
            const uint64_t rows = least(next_left, (end - at) / inner->length);
            fill_transposed(job, index, next->global_stride, rows, inner->length, out, next->byte_stride,
                            inner->byte_stride);
            at += rows * inner->length;
            continue;
        }
        /* Row after row, as long as the outer position stays within its run: it need not be located again. */
        for (uint64_t rows = next && column == 0 ? next_left : 1; rows && at < end; rows--) {
            const uint64_t n = least(left, end - at);
            if (inner->global_stride == 1) {
                fill_run(job, index, n, out, inner->byte_stride);
            } else {
                for (uint64_t i = 0; i < n; i++)
                    fill_run(job, index + i * inner->global_stride, 1, out + (int64_t)i * inner->byte_stride, 0);
            }
            at += n;
            if (n < inner->length) break; /* the run ends within the row */
            index += next ? next->global_stride : 0, out += next ? next->byte_stride : 0;
        }
    }
}

static uint64_t elements(const struct fi_job *job) {
    uint64_t count = 1;
    for (size_t a = 0; a < job->n_axes; a++) count *= job->axes[a].length;
    return count;
}

static uint64_t rounded_up(uint64_t x, uint64_t unit) { return (x + unit - 1) / unit * unit; }

/* Write elements [at, end) of all jobs. */
static void fill_jobs(const struct shared *shared, uint64_t at, uint64_t end) {
    size_t low = 0, high = shared->n_jobs;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (shared->jobs[middle].before <= at)
            low = middle;
        else
            high = middle;
    }
    const struct fi_job *past = shared->jobs + shared->n_jobs;
    for (const struct fi_job *job = &shared->jobs[low]; job < past && job->before < end; job++) {
        const uint64_t first = at > job->before ? at - job->before : 0, stop = least(end - job->before, elements(job));
        if (first < stop) fill_range(job, first, stop);
    }
}

/* Fill chunk after chunk until none is left. */
static void work(void *argument) {
    struct shared *shared = argument;
    const fi_arithmetic caller = fi_arithmetic_begin();
    const bool asks = shared->interrupted && !fi_in_pool();
    double asked = asks ? fi_seconds() : 0;
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed) && !fi_called_back()) {
        const uint64_t at = atomic_fetch_add_explicit(&shared->next, shared->chunk, memory_order_relaxed);
        if (at >= shared->count) break;
        fill_jobs(shared, at, least(shared->count, at + shared->chunk));
        if (asks && fi_seconds() - asked > 0.03) {
            if (shared->interrupted(shared->context)) atomic_store(&shared->stop, true);
            asked = fi_seconds();
        }
    }
    atomic_thread_fence(memory_order_seq_cst); /* nothing weaker orders streaming stores */
    fi_arithmetic_end(caller);
}

bool fi_draw(struct fi_job *jobs, size_t n_jobs, int threads, bool (*interrupted)(void *), void *context) {
    struct shared shared = {.jobs = jobs, .n_jobs = n_jobs, .interrupted = interrupted, .context = context};
    uint64_t total = 0;
    for (size_t i = 0; i < n_jobs; i++) total += elements(&jobs[i]);
    if (total == 0) return true;
    shared.chunk = MOST_CHUNK;
    while (shared.chunk > LEAST_CHUNK && shared.chunk * 16 * (uint64_t)threads > total) shared.chunk /= 2;
    for (size_t i = 0; i < n_jobs; i++) {
        const uint64_t count = elements(&jobs[i]), whole = count >= shared.chunk ? shared.chunk : GRAIN;
        jobs[i].before = rounded_up(shared.count, whole);
        shared.count = rounded_up(jobs[i].before + count, whole);
    }
    fi_together(work, &shared, (int)least((uint64_t)threads, total / PER_THREAD) - 1);
    return !atomic_load(&shared.stop);
}
