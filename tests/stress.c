/* Every law, dtype, length, layout and number of threads on every instruction set, each part alone in memory of its
 * exact size and compared with the whole: for sanitizers and valgrind. Prints what was run; status 1 and the case where
 * values differ. */
#include "fastinit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WHOLE = 4200, RACERS = 8 };

static const struct {
    enum fi_law_id id;
    double parameter[4];
} LAWS[] = {
    {FI_constant, {0.1}},
    {FI_bits, {0}},
    {FI_uniform, {-0.1, 0.1}},
    {FI_normal, {0, 0.02}},
    {FI_normal, {3, 1.5}},
    {FI_truncated_normal, {0, 1, -2, 2}},
    {FI_truncated_normal, {0, 1, -6, 6}},
    {FI_truncated_normal, {0.5, 2, -1, 7}},
    {FI_truncated_normal, {0, 1, 9, 10}},
    {FI_truncated_normal, {0, 1, -1e-6, 3e-6}},
};

static struct fi_stream stream;

/* The first element: far enough that a block number passes a multiple of 2^32 within the whole. */
static uint64_t first_index(enum fi_dtype_id dtype) { return (dtype == FI_float64 ? 1ull << 33 : 1ull << 34) - 45; }

static void run(const struct fi_isa *isa, const struct fi_law *law, void *out, const struct fi_axis *axes,
                size_t n_axes, int threads, bool streaming) {
    struct fi_job job = {isa, law, &stream, out, axes, n_axes, streaming, 0};
    if (!fi_draw(&job, 1, threads, NULL, NULL)) abort();
}

static void fail(const char *isa, size_t law, size_t dtype, const char *what, size_t at) {
    fprintf(stderr, "%s, law %zu, dtype %zu: %s %zu differs\n", isa, law, dtype, what, at);
    exit(1);
}

static void *exactly(size_t bytes) {
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) abort();
    return memory;
}

static bool line(const struct fi_isa *isa, const struct fi_law *law, const char *whole, size_t at, size_t count) {
    const size_t size = fi_dtypes[law->dtype].size;
    bool same = true;
    for (int streaming = 0; streaming < 2; streaming++) {
        char *out = exactly(count * size);
        const struct fi_run part = {0, first_index(law->dtype) + at};
        const struct fi_axis axis = {count, 1, (int64_t)size, &part, 1};
        run(isa, law, out, &axis, 1, 1, streaming);
        same &= !memcmp(out, whole + at * size, count * size);
        free(out);
    }
    return same;
}

/* Rows [0, rows) and columns [0, columns) in two runs each, the second one starting `gap` later; in memory with rows or
 * columns innermost, steps of `every` values, from the end backwards or not. */
static bool block(const struct fi_isa *isa, const struct fi_law *law, const char *whole, size_t rows, size_t columns,
                  size_t gap, bool transposed, size_t every, bool backwards) {
    const size_t size = fi_dtypes[law->dtype].size, width = columns + gap, step = size * every;
    const size_t bytes = (rows * columns - 1) * step + size;
    char *out = exactly(bytes), *origin = backwards ? out + bytes - size : out;
    const struct fi_run row_runs[2] = {{0, 0}, {rows / 2, rows / 2 + gap}};
    const struct fi_run column_runs[2] = {{0, first_index(law->dtype)},
                                          {columns / 2, first_index(law->dtype) + columns / 2 + gap}};
    const int64_t sign = backwards ? -1 : 1;
    const struct fi_axis axes[2] = {
        {rows, width, sign * (int64_t)(transposed ? step : step * columns), row_runs, gap && rows > 1 ? 2 : 1},
        {columns, 1, sign * (int64_t)(transposed ? step * rows : step), column_runs, gap && columns > 1 ? 2 : 1}};
    run(isa, law, origin, axes, 2, 1, false);
    bool same = true;
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            const size_t row = r + (axes[0].n_runs == 2 && r >= rows / 2 ? gap : 0);
            const size_t column = c + (axes[1].n_runs == 2 && c >= columns / 2 ? gap : 0);
            const char *value = origin + (int64_t)r * axes[0].byte_stride + (int64_t)c * axes[1].byte_stride;
            same &= !memcmp(value, whole + (row * width + column) * size, size);
        }
    }
    free(out);
    return same;
}

static void fills(const struct fi_isa *isa, size_t l, enum fi_dtype_id dtype, size_t most) {
    struct fi_law law;
    if (fi_law_init(&law, LAWS[l].id, dtype, LAWS[l].parameter)) return;
    const size_t size = fi_dtypes[dtype].size;
    char *whole = exactly(WHOLE * size);
    size_t last = 0;
    while (fi_isa_at(last + 1)) last++;
    for (size_t i = 0; i < WHOLE; i++) { /* the plainest way: one by one, on the base instruction set */
        const struct fi_run one = {0, first_index(dtype) + i};
        const struct fi_axis axis = {1, 1, (int64_t)size, &one, 1};
        run(fi_isa_at(last), &law, whole + i * size, &axis, 1, 1, false);
    }
    for (size_t count = 0; count <= most; count = count < 70 ? count + 1 : count + count / 2 + 1)
        for (size_t at = 0; at < 4; at++)
            if (!line(isa, &law, whole, at, count)) fail(isa->name, l, dtype, "length", count);
    static const size_t shapes[][3] = {{1, 1, 0},   {2, 3, 0},   {7, 5, 3},  {3, 130, 0},
                                       {40, 20, 2}, {33, 64, 1}, {130, 3, 9}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int kind = 0; kind < 8; kind++)
            if (!block(isa, &law, whole, shapes[s][0], shapes[s][1], shapes[s][2], kind & 1, kind & 2 ? 3 : 1,
                       kind & 4))
                fail(isa->name, l, dtype, "shape", s);
    free(whole);
}

static void threads(const struct fi_isa *isa, size_t l, enum fi_dtype_id dtype, bool streaming) {
    const size_t count = (1 << 20) + 13, size = fi_dtypes[dtype].size;
    struct fi_law law;
    if (fi_law_init(&law, LAWS[l].id, dtype, LAWS[l].parameter)) return;
    char *one = exactly(count * size), *many = exactly(count * size);
    const struct fi_run all = {0, 5};
    const struct fi_axis axis = {count, 1, (int64_t)size, &all, 1};
    run(isa, &law, one, &axis, 1, 1, streaming);
    for (int n = 2; n <= 8; n++) {
        memset(many, 0xa5, count * size);
        run(isa, &law, many, &axis, 1, n, streaming);
        if (memcmp(one, many, count * size)) fail(isa->name, l, dtype, "threads", (size_t)n);
    }
    free(one), free(many);
}

static void inspections(const struct fi_isa *isa, enum fi_dtype_id dtype) {
    static const size_t shapes[][2] = {{0, 0},    {1, 1},    {3, 15},   {5, 16},   {2, 33},
                                       {1, 4095}, {3, 4096}, {7, 1300}, {1, 70000}};
    const size_t size = fi_dtypes[dtype].size;
    struct fi_law law;
    if (fi_law_init(&law, FI_normal, dtype, LAWS[3].parameter)) return;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t rows = shapes[s][0], columns = shapes[s][1];
        char *values = exactly(rows * columns * size);
        uint64_t *hashes = exactly(rows * sizeof *hashes);
        uint32_t *counts = exactly(FI_BINS * sizeof *counts);
        struct fi_moments moments, merged = {0};
        const struct fi_run all = {0, 0};
        const struct fi_axis axis = {rows * columns, 1, (int64_t)size, &all, 1};
        run(isa, &law, values, &axis, 1, 1, false);
        for (int hashed = 0; hashed < 2; hashed++) {
            const struct fi_chunk chunk = {dtype, values, rows, columns, 7};
            fi_inspect(isa, &chunk, &moments, counts, hashed ? hashes : NULL);
            fi_merge(&merged, &moments);
            if (moments.count != rows * columns) fail(isa->name, 0, dtype, "inspection", s);
        }
        free(values), free(hashes), free(counts);
    }
}

/* The first calls of all, at once: each thread finds the instruction sets and fills a part of one buffer. */
struct racer {
    pthread_t thread;
    char *out;
    size_t number;
};
static void *race(void *argument) {
    const struct racer *racer = argument;
    const size_t count = 300001; /* enough for threads of its own */
    struct fi_law law;
    if (fi_law_init(&law, FI_normal, FI_float32, LAWS[3].parameter)) abort();
    const struct fi_run part = {0, racer->number * count};
    const struct fi_axis axis = {count, 1, 4, &part, 1};
    run(fi_isa_at(0), &law, racer->out + racer->number * count * 4, &axis, 1, 2, racer->number & 1);
    return NULL;
}

/* A child draws by threads of its own. */
static void forks(void) {
    enum { COUNT = 300001 };
    int status;
    fflush(stdout); /* or both sides would print it */
    const pid_t child = fork();
    if (child == 0) {
        char *out = exactly(COUNT * 4);
        race(&(struct racer){.out = out, .number = 0});
        free(out);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status) abort();
}

int main(void) {
    const uint32_t key[4] = {1, 2, 3, 4};
    fi_stream_init(&stream, key);
    struct racer racers[RACERS];
    char *shared = exactly(RACERS * 300001 * 4);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].out = shared, racers[i].number = i;
        if (pthread_create(&racers[i].thread, NULL, race, &racers[i])) abort();
    }
    for (int i = 0; i < 20; i++) forks(); /* in their midst */
    for (size_t i = 0; i < RACERS; i++) pthread_join(racers[i].thread, NULL);
    free(shared);
    const struct fi_isa *isa;
    for (size_t i = 0; (isa = fi_isa_at(i)); i++) {
        for (size_t dtype = 0; dtype < FI_DTYPE_COUNT; dtype++) {
            for (size_t l = 0; l < sizeof LAWS / sizeof *LAWS; l++)
                fills(isa, l, (enum fi_dtype_id)dtype, l < 8 ? 3000 : 300);
            inspections(isa, (enum fi_dtype_id)dtype);
        }
        threads(isa, 2, FI_float32, true), threads(isa, 3, FI_bfloat16, true), threads(isa, 5, FI_float64, false);
        printf("%s\n", isa->name);
    }
    forks(); /* which ends the threads that wait: no memory of theirs is left */
    return 0;
}
