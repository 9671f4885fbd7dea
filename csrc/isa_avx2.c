#define FI_ISA avx2
#define FI_ISA_AVX2
#define FI_TARGET "avx2,fma,f16c"
#include "target_begin.h"
#ifdef FI_AVX
#include "kernel.h"
#endif
#include "target_end.h"
