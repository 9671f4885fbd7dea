/* The environment of floating-point arithmetic that the bits are specified in: rounding to nearest, subnormals kept.
 * The caller's own is set aside and restored. */
#ifndef FASTINIT_ARITHMETIC_H
#define FASTINIT_ARITHMETIC_H

#if defined(__x86_64__) /* where the standard functions also exchange the x87's, and take ten times as long */
#include <xmmintrin.h>

typedef unsigned fi_arithmetic;
static inline fi_arithmetic fi_arithmetic_begin(void) {
    const unsigned caller = _mm_getcsr();
    _mm_setcsr(0x1f80); /* as the processor starts */
    return caller;
}
static inline void fi_arithmetic_end(fi_arithmetic caller) { _mm_setcsr(caller); }
#else
#include <fenv.h>

typedef fenv_t fi_arithmetic;
static inline fi_arithmetic fi_arithmetic_begin(void) {
    fenv_t caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    return caller;
}
static inline void fi_arithmetic_end(fi_arithmetic caller) { fesetenv(&caller); }
#endif

#endif
