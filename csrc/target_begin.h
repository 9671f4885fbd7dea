/* Compiles what follows for FI_TARGET, whatever the compiler's flags. System headers come first, because their
 * functions have targets of their own. */
#include "fastinit.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

#define FI_PRAGMA(x) _Pragma(#x)
#if defined(FI_TARGET) && defined(FI_AVX)
#if defined(__clang__)
#define FI_PUSH(isa) FI_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
FI_PUSH(FI_TARGET)
#else
#define FI_PUSH(isa) FI_PRAGMA(GCC target(isa))
FI_PUSH(FI_TARGET)
#endif
#endif
