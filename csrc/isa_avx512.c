#define FI_ISA avx512
#define FI_ISA_AVX512
#define FI_TARGET "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c"
#include "target_begin.h"
#ifdef FI_AVX
#include "kernel.h"
#endif
#include "target_end.h"
