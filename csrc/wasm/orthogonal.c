/* The reflections of laws/orthogonal.py from the same stream, one after the other and in double: its matrix, except for
 * the last bits. */
#include "wasm.h"

#include <string.h>

/* As many columns' vectors as laws/orthogonal.py draws at a time, and doubles that a turn of the loops takes. */
enum { BLOCK = 256, TURN = 8 };
typedef double lanes __attribute__((vector_size(16)));

size_t fi_haar_stride(size_t rows) { return (rows + TURN - 1) / TURN * TURN; }
size_t fi_haar_work(size_t rows) { return fi_haar_stride(rows) + rows * BLOCK; }

static double dot(const double *x, const double *y, size_t count) {
    lanes sum[TURN / 2] = {{0}}, a, b;
    for (size_t i = 0; i < count; i += TURN) {
        for (size_t j = 0; j < TURN / 2; j++) {
            memcpy(&a, x + i + 2 * j, sizeof a), memcpy(&b, y + i + 2 * j, sizeof b);
            sum[j] += a * b;
        }
    }
    a = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    return a[0] + a[1];
}

/* y -= scale * x */
static void subtract(double scale, const double *x, double *y, size_t count) {
    lanes a, b;
    for (size_t i = 0; i < count; i += 2) {
        memcpy(&a, x + i, sizeof a), memcpy(&b, y + i, sizeof b);
        b -= scale * a;
        memcpy(y + i, &b, sizeof b);
    }
}

/* The reflection vector of column k from a normal one, in place. Gives the column's sign. */
static double reflection(double *x, size_t k, size_t count) {
    const double norm = __builtin_sqrt(dot(x, x, count)), towards = x[k] >= 0 ? 1 : -1;
    x[k] += towards * (norm > 0 ? norm : 1);
    return -towards;
}

void fi_haar(size_t rows, size_t columns, bool wide, double *q, double *work) {
    const size_t stride = fi_haar_stride(rows);
    double *x = work, *drawn = work + stride;
    uint64_t index = 0;
    memset(q, 0, columns * stride * sizeof *q);
    for (size_t last = columns, first; last; last = first) {
        first = (last - 1) / BLOCK * BLOCK;
        const size_t width = last - first, count = (rows - first) * width;
        fi_values(index, count, drawn);
        index += count;
        for (size_t k = last; k-- > first;) {
            const size_t from = k / TURN * TURN, length = stride - from; /* x is 0 before k and past the rows */
            memset(x, 0, stride * sizeof *x);
            for (size_t i = k; i < rows; i++) {
                const size_t at = (i - first) * width + (k - first);
                x[i] = wide ? drawn[at] : ((const float *)drawn)[at];
            }
            const double sign = reflection(x + from, k - from, length), scale = 2 / dot(x + from, x + from, length);
            q[k * stride + k] = 1;
            for (size_t c = k; c < columns; c++) {
                double *column = q + c * stride + from;
                subtract(scale * dot(x + from, column, length), x + from, column, length);
            }
            /* Reflections are linear: the column's sign may be set at once. */
            for (size_t i = from; i < stride; i++) q[k * stride + i] *= sign;
        }
    }
}
