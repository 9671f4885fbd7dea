/* The kernels that every machine of the architecture runs: SSE2 on x86-64, NEON on AArch64. */
#define FI_ISA base
#include "target_begin.h"

#include "kernel.h"
