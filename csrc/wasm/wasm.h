/* The parts of the WebAssembly module, see exports.c. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values of the law and the stream that were chosen last. */
__attribute__((export_name("fill"))) void fi_values(uint64_t index, size_t count, void *out);

/* A matrix of Haar's law with orthonormal columns, rows >= columns, from standard normal values of the stream, which
 * are doubles if `wide`, else floats. Column c comes to memory from q + c * fi_haar_stride(rows) on. `work` has room
 * for fi_haar_work(rows) doubles. */
size_t fi_haar_stride(size_t rows);
size_t fi_haar_work(size_t rows);
void fi_haar(size_t rows, size_t columns, bool wide, double *q, double *work);
