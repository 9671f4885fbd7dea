/* Scalar functions in IEEE double arithmetic. They do without libm, so that their bits are the same everywhere. They
 * serve to set up a law and to compute the values of rare words. Accuracy comes before speed. */
#include "fastinit.h"

#include "coefficients.h"

#include <string.h>

static double from_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static uint64_t to_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* x = 2^e m with m in [sqrt(1/2), sqrt(2)), for x that is not subnormal. log m = 2 atanh(s) with s = (m - 1) / (m + 1),
 * by its series. */
double fi_log(double x) {
    const uint64_t root_half = 0x3fe6a09e667f3bcdu, offset = to_bits(x) - root_half;
    const double e = (double)((int64_t)offset >> 52);
    const double f = from_bits((offset & 0x000fffffffffffffu) + root_half) - 1.0;
    const double s = f / (2.0 + f), z = s * s;
    double sum = 0;
    FI_ROLLED for (int n = 25; n >= 3; n -= 2) sum = (sum + 1.0 / n) * z;
    return e * LN2 + (2.0 * s + (2.0 * s * sum + e * LN2_LOW));
}

/* x = k ln 2 + r. exp(r) is its Taylor polynomial. */
double fi_exp(double x) {
    if (x < -745.0) return 0.0;
    const int k = (int)(x / LN2 - 0.5);
    const double r = (x - k * LN2) - k * LN2_LOW;
    double sum = 1.0;
    FI_ROLLED for (int n = 18; n >= 1; n--) sum = 1.0 + sum * r / n;
    const int half = k / 2; /* in two steps: 2^k itself may be subnormal */
    return sum * from_bits((uint64_t)(1023 + half) << 52) * from_bits((uint64_t)(1023 + k - half) << 52);
}

static double density(double x) { return fi_exp(-0.5 * x * x) / ROOT_2PI; }

double fi_centre(double x) {
    double sum = 1.0;
    FI_ROLLED for (int n = 61; n >= 3; n -= 2) sum = 1.0 + sum * x * x / n;
    return density(x) * x * sum;
}

/* Mills' ratio P(Z > x) / density(x) by Laplace's continued fraction, x >= 2. */
static double mills(double x) {
    double rest = x;
    FI_ROLLED for (int n = 24 + (int)(600 / (x * x)); n >= 1; n--) rest = x + n / rest;
    return 1.0 / rest;
}

double fi_upper(double x) { return x < 2.0 ? 0.5 - fi_centre(x) : density(x) * mills(x); }

double fi_log_upper(double x) {
    return x < 2.0 ? -fi_log(fi_upper(x)) : 0.5 * x * x + (HALF_LOG_2PI - fi_log(mills(x)));
}

/* The square root by Heron's method, for square >= 1. It begins at half the exponent and ends when a step does not make
 * it smaller. */
static double square_root(double square) {
    double x = from_bits((to_bits(square) >> 1) + (1023ull << 51));
    FI_ROLLED for (bool first = true;; first = false) {
        const double next = 0.5 * (x + square / x);
        if (!first && next >= x) return x;
        x = next;
    }
}

/* A polynomial in the root of the loss. Beyond the polynomial's range, Newton's method on fi_log_upper, whose
 * derivative is 1 / mills; its start is right to 1 %. */
double fi_tail(double loss) {
    if (loss < TAIL_END) {
        const double x = square_root(loss) - TAIL_CENTRE;
        double sum = tail_poly[TAIL_DEGREE];
        FI_ROLLED for (int j = TAIL_DEGREE - 1; j >= 0; j--) sum = tail_poly[j] + sum * x;
        return sum;
    }
    double square = 2.0 * loss;
    square -= fi_log(TWO_PI * square);
    double x = square_root(square);
    FI_ROLLED for (int i = 0; i < 4; i++) x -= (fi_log_upper(x) - loss) * mills(x);
    return x;
}

/* The reversed series of fi_centre. */
double fi_inverse_centre(double p) {
    const double v = p * ROOT_2PI, z = v * v;
    double sum = centre_poly[CENTRE_DEGREE];
    FI_ROLLED for (int j = CENTRE_DEGREE - 1; j >= 0; j--) sum = centre_poly[j] + sum * z;
    return v * sum;
}
