/* Vectors for one thread of a GPU, the counterpart of vec.h: N = 2 lanes of 32 bits, or one of 64 bits. philox.h,
 * vmath.h and dist.h are the same text for both.
 *
 * Sums and products are functions that round once. A compiler may not fuse them. */
/* Constants of the compiler, which cost nothing in an instruction. */
static __device__ constexpr struct fi_bits cuda_bits = FI_BITS;
static __device__ constexpr struct fi_float8 cuda_float8[] = {FI_FLOAT8(float8_e4m3fn), FI_FLOAT8(float8_e5m2)};
#define fi_bits cuda_bits

#define N 2
#define FN static __device__ __forceinline__
#define EACH(i, count) _Pragma("unroll") for (int i = 0; i < (count); i++)
#define EVEN_FIRST W(0)

struct U;
struct I;
struct F;
struct W;
struct L;
struct D;

/* A number becomes a vector of it. A cast between two vectors keeps the bits. */
#define METHOD __device__ __forceinline__
#define OPERATOR friend METHOD
#define TWO(V, S)                                                                                                      \
    S a, b;                                                                                                            \
    V() = default;                                                                                                     \
    METHOD V(S x) : a(x), b(x) {}                                                                                      \
    METHOD V(S x, S y) : a(x), b(y) {}
#define ONE(V, S)                                                                                                      \
    S a;                                                                                                               \
    V() = default;                                                                                                     \
    METHOD V(S x) : a(x) {}
#define FROM(V, Other) METHOD explicit V(Other x);
#define ON_TWO(V, op)                                                                                                  \
    OPERATOR V operator op(V x, V y) { return V(x.a op y.a, x.b op y.b); }
#define ON_ONE(V, op)                                                                                                  \
    OPERATOR V operator op(V x, V y) { return V(x.a op y.a); }
#define ASSIGN(V, op)                                                                                                  \
    METHOD V &operator op## = (V y) { return *this = *this op y; }

struct U {
    TWO(U, uint32_t)
    FROM(U, I)
    FROM(U, F)
    FROM(U, W) FROM(U, D) ON_TWO(U, &) ON_TWO(U, |) ON_TWO(U, ^) ON_TWO(U, +) ON_TWO(U, -) ASSIGN(U, &) ASSIGN(U, |)
        ASSIGN(U, ^) OPERATOR U
        operator~(U x) {
        return U(~x.a, ~x.b);
    }
    OPERATOR U operator>>(U x, int n) { return U(x.a >> n, x.b >> n); }
    OPERATOR U operator<<(U x, int n) { return U(x.a << n, x.b << n); }
};
struct I {
    TWO(I, int32_t)
    FROM(I, U)
    OPERATOR I operator>>(I x, int n) { return I(x.a >> n, x.b >> n); }
};
struct F {
    TWO(F, float)
    FROM(F, U)
    OPERATOR F operator+(F x, F y) { return F(__fadd_rn(x.a, y.a), __fadd_rn(x.b, y.b)); }
    OPERATOR F operator-(F x, F y) { return F(__fadd_rn(x.a, -y.a), __fadd_rn(x.b, -y.b)); }
    OPERATOR F operator*(F x, F y) { return F(__fmul_rn(x.a, y.a), __fmul_rn(x.b, y.b)); }
    OPERATOR I operator>(F x, F y) { return I(-(x.a > y.a), -(x.b > y.b)); }
};
struct W {
    ONE(W, uint64_t)
    FROM(W, U)
    FROM(W, L)
    FROM(W, D) ON_ONE(W, &) ON_ONE(W, |) ON_ONE(W, ^) ON_ONE(W, +) ON_ONE(W, -) ON_ONE(W, *) ASSIGN(W, ^) OPERATOR W
    operator>>(W x, int n) {
        return W(x.a >> n);
    }
    OPERATOR W operator<<(W x, int n) { return W(x.a << n); }
};
struct L {
    ONE(L, int64_t)
    FROM(L, W)
    OPERATOR L operator-(L x) { return L(-x.a); }
    OPERATOR L operator>>(L x, int n) { return L(x.a >> n); }
};
struct D {
    ONE(D, double)
    FROM(D, W)
    ASSIGN(D, *)
    OPERATOR D operator+(D x, D y) { return D(__dadd_rn(x.a, y.a)); }
    OPERATOR D operator-(D x, D y) { return D(__dadd_rn(x.a, -y.a)); }
    OPERATOR D operator*(D x, D y) { return D(__dmul_rn(x.a, y.a)); }
    OPERATOR D operator/(D x, D y) { return D(__ddiv_rn(x.a, y.a)); }
    OPERATOR L operator>(D x, D y) { return L(-(int64_t)(x.a > y.a)); }
};

#define CAST(V, Other, ...)                                                                                            \
    METHOD V::V(Other x) { __VA_ARGS__; }
CAST(U, I, a = (uint32_t)x.a, b = (uint32_t)x.b)
CAST(U, F, a = __float_as_uint(x.a), b = __float_as_uint(x.b))
CAST(U, W, a = (uint32_t)x.a, b = (uint32_t)(x.a >> 32))
CAST(U, D, *this = U(W(x)))
CAST(I, U, a = (int32_t)x.a, b = (int32_t)x.b)
CAST(F, U, a = __uint_as_float(x.a), b = __uint_as_float(x.b))
CAST(W, U, a = (uint64_t)x.b << 32 | x.a)
CAST(W, L, a = (uint64_t)x.a)
CAST(W, D, a = (uint64_t)__double_as_longlong(x.a))
CAST(L, W, a = (int64_t)x.a)
CAST(D, W, a = __longlong_as_double((int64_t)x.a))

FN U u_all(uint32_t x) { return U(x); }
FN W w_all(uint64_t x) { return W(x); }
FN F f_all(float x) { return F(x); }
FN D d_all(double x) { return D(x); }
FN F to_float(I x) { return F(__int2float_rn(x.a), __int2float_rn(x.b)); }
FN D to_double(W x) { return D(__ll2double_rn((int64_t)x.a)); }
FN F fma_f(F x, F y, F z) { return F(__fmaf_rn(x.a, y.a, z.a), __fmaf_rn(x.b, y.b, z.b)); }
FN D sqrt_d(D x) { return D(__dsqrt_rn(x.a)); }

/* Of lists of lanes only the first two count. */
#define SHUFFLE4(x, p, q, r, s) lanes_of(x, p, q)
#define SHUFFLE2(x, y, p, q) ((p) == 0 ? W(x) : W(y))
FN U lanes_of(U x, int p, int q) { return U(p ? x.b : x.a, q ? x.b : x.a); }
FN W mul_even(U x, U y) { return W((uint64_t)x.a * y.a); }
FN U mix_even(U p, U s, U k) { return U(p.a ^ s.a ^ k.a, p.b); }
FN bool any(U x) { return (x.a | x.b) != 0; }

FN F select_f(I mask, F x, F y) { return F(mask.a ? x.a : y.a, mask.b ? x.b : y.b); }
FN D select_d(L mask, D x, D y) { return mask.a ? x : y; }
/* The second of two zeros with different signs, as on a CPU; the instructions of GPUs take the lesser one. */
FN F min_f(F x, F y) { return F(x.a < y.a ? x.a : y.a, x.b < y.b ? x.b : y.b); }
FN F max_f(F x, F y) { return F(x.a > y.a ? x.a : y.a, x.b > y.b ? x.b : y.b); }
FN D min_d(D x, D y) { return x.a < y.a ? x : y; }
FN D max_d(D x, D y) { return x.a > y.a ? x : y; }
FN F clamp_f(F x, F low, F high) { return min_f(max_f(x, low), high); }
FN D clamp_d(D x, D low, D high) { return min_d(max_d(x, low), high); }

/* (x & mask) | with in one instruction. Of two constants compilers make two. */
FN uint32_t splice_one(uint32_t x, uint32_t mask, uint32_t with) {
#ifdef __CUDA_ARCH__
    uint32_t r;
    asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(r) : "r"(x), "r"(mask), "r"(with));
    return r;
#else
    return (x & mask) | with;
#endif
}
FN U splice(U x, U mask, U with) { return U(splice_one(x.a, mask.a, with.a), splice_one(x.b, mask.b, with.b)); }

/* The table of the quantile in shared memory, two rows side by side. A column lies in two of the 32 banks, so that the
 * threads of a warp seldom wait for each other. */
__shared__ float2 quantile_pairs[3][32];
FN void load_table() {
    for (int i = threadIdx.x; i < 96; i += blockDim.x) {
        const int row = i / 32, column = i % 32;
        quantile_pairs[row][column] = make_float2(quantile_f[2 * row][column], quantile_f[2 * row + 1][column]);
    }
}
FN void lookup_pair(int row, U index, F *odd, F *even) {
    const float2 x = quantile_pairs[row][index.a & 31], y = quantile_pairs[row][index.b & 31];
    *even = F(x.x, y.x), *odd = F(x.y, y.y);
}
FN D lookup16_d(const double table[16], W index) { return D(table[index.a & 15]); }

/* The values of a vector in a narrower dtype, next to each other, rounded to nearest-even. */
#ifdef __CUDA_ARCH__
FN uint32_t half_bits(float x) {
    unsigned short h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x));
    return h;
}
#endif
FN uint32_t pack_float16(U x) { return half_bits(F(x).a) | half_bits(F(x).b) << 16; }
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
FN uint32_t pack_bfloat16(U x) {
    uint32_t both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(F(x).b), "f"(F(x).a));
    return both;
}
#else
/* The upper half grows by one if the lower half is above 0x8000, or if it is 0x8000 and the upper half is odd. */
FN uint32_t rounded_bfloat16(uint32_t x) { return x + 0x7fffu + (x >> 16 & 1); }
FN uint32_t pack_bfloat16(U x) { return __byte_perm(rounded_bfloat16(x.a), rounded_bfloat16(x.b), 0x7632); }
#endif
#include "float8.h"
FN uint32_t pack_float8(bool e5m2, U x) {
    const struct fi_float8 *const format = &cuda_float8[e5m2];
    const U sum = float8_units(F(x), format), code = sum + (sum >> (16 + format->shift));
    const U bytes = (code & 0x7fu) | (sum >> 24 & 0x80u);
    return bytes.a | bytes.b << 8;
}
