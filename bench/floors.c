/* What bench/floors.py asks of one kernel: floors ISA LAW DTYPE COUNT REPEATS [PARAMETER...].
 *
 * With 0 repeats it writes the addresses of the instructions that a fill of COUNT elements runs through, as the system
 * shows them step by step (ptrace). Otherwise it writes the least cycles of a fill, of so many, by the time that a
 * chain of additions takes: one cycle each. */
#include "fastinit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { CHAIN = 8192, FILLS = 4 };

static double time_of_chain(void) {
    uint64_t x = 1, y = (uint64_t)time(NULL);
    const double start = now();
    for (int i = 0; i < CHAIN / 16; i++) __asm__ volatile(".rept 16\nadd %1, %0\n.endr" : "+r"(x) : "r"(y));
    return now() - start;
}

int main(int argc, char **argv) {
    if (argc < 6 || argc > 10) return 2;
    const struct fi_isa *isa = fi_isa_at((size_t)atoi(argv[1]));
    const enum fi_dtype_id dtype = (enum fi_dtype_id)atoi(argv[3]);
    const size_t count = strtoull(argv[4], NULL, 10);
    const int repeats = atoi(argv[5]);
    double parameter[4] = {0};
    for (int i = 6; i < argc; i++) parameter[i - 6] = strtod(argv[i], NULL);
    struct fi_law law;
    struct fi_stream stream;
    fi_stream_init(&stream, (const uint32_t[4]){1, 2, 3, 4});
    if (fi_law_init(&law, (enum fi_law_id)atoi(argv[2]), dtype, parameter)) return 3;
    char *out = aligned_alloc(4096, count * 8);
    if (!isa || !out) return 4;
    fi_fill *fill = isa->fill[law.kernel];
    fill(&law, &stream, 0, count, out, false);

    if (repeats) {
        double least = 1, chain = 1;
        for (int i = 0; i < repeats; i++) {
            const double start = now();
            for (int j = 0; j < FILLS; j++) fill(&law, &stream, 0, count, out, false);
            const double time = (now() - start) / FILLS, cycle = time_of_chain() / CHAIN;
            least = time < least ? time : least, chain = cycle < chain ? cycle : chain;
        }
        printf("%.3f %.3f\n", least / chain, 1e-9 / chain);
        return 0;
    }
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(5);
        raise(SIGSTOP);
        fill(&law, &stream, 0, count, out, false);
        _exit(0);
    }
    int status;
    struct user_regs_struct registers;
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        if (ptrace(PTRACE_GETREGS, child, NULL, &registers)) return 5;
        printf("%llx\n", registers.rip);
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL)) return 5;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 5;
}
