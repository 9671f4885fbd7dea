/* Writes one fill to standard output: driver ISA LAW DTYPE INDEX COUNT K0 K1 K2 K3 [PARAMETER...]. For the tests that
 * build the kernels with other compilers and for other machines. */
#include "fastinit.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

int main(int argc, char **argv) {
    if (argc < 10 || argc > 14) return 2;
    const int isa = atoi(argv[1]), dtype = atoi(argv[3]);
    const uint64_t index = strtoull(argv[4], NULL, 10);
    const size_t count = strtoull(argv[5], NULL, 10), size = fi_dtypes[dtype].size;
    uint32_t key[4];
    double parameter[4] = {0};
    for (int i = 0; i < 4; i++) key[i] = (uint32_t)strtoul(argv[6 + i], NULL, 10);
    for (int i = 10; i < argc; i++) parameter[i - 10] = strtod(argv[i], NULL);
    struct fi_law law;
    struct fi_stream stream;
    fi_stream_init(&stream, key);
    if (fi_law_init(&law, (enum fi_law_id)atoi(argv[2]), (enum fi_dtype_id)dtype, parameter)) return 3;
    if (!fi_isa_at((size_t)isa)) return 4;
    char *out = malloc(count * size);
    const struct fi_run run = {0, index};
    const struct fi_axis axis = {count, 1, (int64_t)size, &run, 1};
    struct fi_job job = {fi_isa_at((size_t)isa), &law, &stream, out, &axis, 1, true, 0};
    if (!out || !fi_draw(&job, 1, 2, NULL, NULL)) return 5;
#ifdef _WIN32
    _setmode(1, _O_BINARY);
#endif
    const bool written = fwrite(out, size, count, stdout) == count;
    free(out);
    return written ? 0 : 6;
}
