/* CUDA's words in HIP, for clang without ROCm: test_cuda_compile.py shows with them that the kernels compile for GPUs
 * of AMD. None has run there.
 *
 * HIP's sums and products may be fused unless contraction is off. Its warps have 64 threads, which is nothing to the
 * kernels: theirs are a layout. */
#define __CUDACC_RTC__ /* no system headers either */
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(threads, ...) __attribute__((amdgpu_flat_work_group_size(1, threads)))
#define __grid_constant__
#define threadIdx (position{__builtin_amdgcn_workitem_id_x()})
#define blockIdx (position{__builtin_amdgcn_workgroup_id_x(), __builtin_amdgcn_workgroup_id_y()})
#define blockDim (position{256})
#define __syncthreads __builtin_amdgcn_s_barrier
#define memcpy __builtin_memcpy
#define memset __builtin_memset

typedef unsigned long size_t;
struct position {
    unsigned x, y;
};
struct uint4 {
    unsigned x, y, z, w;
};
struct float2 {
    float x, y;
};

#pragma clang force_cuda_host_device begin
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
static inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
static inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
static inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
static inline double __dadd_rn(double x, double y) { return x + y; }
static inline double __dmul_rn(double x, double y) { return x * y; }
static inline double __ddiv_rn(double x, double y) { return x / y; }
static inline double __dsqrt_rn(double x) { return __builtin_sqrt(x); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline double __ll2double_rn(long long x) { return (double)x; }
static inline unsigned __umulhi(unsigned x, unsigned y) { return (unsigned)((unsigned long long)x * y >> 32); }
#pragma clang force_cuda_host_device end
static __device__ inline unsigned atomicAdd(unsigned *place, unsigned n) {
    return __atomic_fetch_add(place, n, __ATOMIC_RELAXED);
}
/* The instruction takes its operands the other way round, and a byte of the choice for each byte. */
static __device__ inline unsigned __byte_perm(unsigned x, unsigned y, unsigned chosen) {
    unsigned bytes = 0;
    for (int i = 0; i < 4; i++) bytes |= (chosen >> 4 * i & 7) << 8 * i;
    return __builtin_amdgcn_perm(y, x, bytes);
}
static __device__ inline unsigned half_bits(float x) { return __builtin_bit_cast(unsigned short, (_Float16)x); }

#pragma clang force_cuda_host_device begin
#include KERNELS_FILE
#pragma clang force_cuda_host_device end
