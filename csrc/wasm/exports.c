/* The kernels as a WebAssembly module: what docs/explorer/fastinit.js calls, which checks all that a law's own numbers
 * do not say. A call that fails gives the complaint, else NULL. */
#define FI_ISA wasm
#include "target_begin.h"

#include "kernel.h"

#include "wasm.h"

#define EXPORT(name) __attribute__((export_name(#name))) export_##name

extern char __heap_base; /* of the linker: from here on memory is the caller's */
static struct fi_stream stream;
static struct fi_law law;

#define M(law_name) law_name,
static fi_fill *const kernels[FI_LAW_COUNT] = {FI_LAWS(M)};
#undef M

void *EXPORT(heap)(void) { return (void *)(((uintptr_t)&__heap_base + 63) & ~(uintptr_t)63); }

/* The lists; NULL past the end. */
const char *EXPORT(law_name)(size_t i) { return i < FI_LAW_COUNT ? fi_law_names[i] : NULL; }
const char *EXPORT(dtype_name)(size_t i) { return i < FI_DTYPE_COUNT ? fi_dtypes[i].name : NULL; }

/* Choose the stream and the law of the fills that follow. */
void EXPORT(choose_stream)(uint64_t seed, const char *name, size_t length) {
    uint32_t key[4];
    fi_key(seed, name, length, key);
    fi_stream_init(&stream, key);
}
const char *EXPORT(choose_law)(enum fi_law_id id, enum fi_dtype_id dtype, const double *parameter) {
    return fi_law_init(&law, id, dtype, parameter);
}

void fi_values(uint64_t index, size_t count, void *out) {
    kernels[law.kernel](&law, &stream, index, count, out, false);
}

/* The bytes that `orthogonal` needs before `out`. */
size_t EXPORT(orthogonal_work)(size_t rows, size_t columns) {
    return (columns * fi_haar_stride(rows) + fi_haar_work(rows)) * sizeof(double);
}

/* Write gain times a matrix of Haar's law with orthonormal columns, or its transpose, in the dtype. */
const char *EXPORT(orthogonal)(size_t rows, size_t columns, bool transposed, double gain, enum fi_dtype_id dtype,
                               double *work, char *out) {
    const bool wide = dtype == FI_float64;
    const size_t size = fi_dtypes[dtype].size, stride = fi_haar_stride(rows), count = rows * columns;
    const double standard[2] = {0, 1};
    fi_law_init(&law, FI_normal, wide ? FI_float64 : FI_float32, standard);
    fi_haar(rows, columns, wide, work, work + columns * stride);
    for (size_t at = 0, n; at < count; at += n, out += n * size) {
        double values[2 * N] = {0};
        float floats[2 * N];
        n = count - at < 2 * N ? count - at : 2 * N;
        for (size_t i = 0; i < n; i++) {
            const size_t row = transposed ? (at + i) % rows : (at + i) / columns;
            const size_t column = transposed ? (at + i) / rows : (at + i) % columns;
            values[i] = work[column * stride + row] * gain;
            if (!(values[i] <= fi_dtypes[dtype].largest && values[i] >= -fi_dtypes[dtype].largest))
                return "has values too large for the dtype";
        }
        if (wide) {
            memcpy(out, values, n * size);
            continue;
        }
        for (int i = 0; i < 2 * N; i++) floats[i] = (float)values[i];
        U x[2];
        memcpy(x, floats, sizeof x);
        char packed[sizeof x];
        put_all(dtype, 1, x, packed, false);
        memcpy(out, packed, n * size);
    }
    return NULL;
}
