/* A GPU in software: the text that NVRTC compiles, by a host's C++ compiler. test_cuda.py builds it.
 *
 * The threads of a CUDA thread block are coroutines, which take turns from barrier to barrier. Thread blocks run one
 * after the other. Of what a GPU guarantees, only what the kernels rely on is here. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include <functional>
#include <memory>
#include <vector>

#define __device__
#define __global__
#define __shared__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__

struct uint4 {
    uint32_t x, y, z, w;
};
struct float2 {
    float x, y;
};
static uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }
static float2 make_float2(float x, float y) { return {x, y}; }

template <class To, class From> static To with_bits_of(From x) {
    static_assert(sizeof(To) == sizeof(From), "");
    To y;
    memcpy(&y, &x, sizeof y);
    return y;
}
static uint32_t __float_as_uint(float x) { return with_bits_of<uint32_t>(x); }
static float __uint_as_float(uint32_t x) { return with_bits_of<float>(x); }
static int64_t __double_as_longlong(double x) { return with_bits_of<int64_t>(x); }
static double __longlong_as_double(int64_t x) { return with_bits_of<double>(x); }
static float __fadd_rn(float x, float y) { return x + y; }
static float __fmul_rn(float x, float y) { return x * y; }
static float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static double __dadd_rn(double x, double y) { return x + y; }
static double __dmul_rn(double x, double y) { return x * y; }
static double __ddiv_rn(double x, double y) { return x / y; }
static double __dsqrt_rn(double x) { return sqrt(x); }
static float __int2float_rn(int32_t x) { return (float)x; }
static double __ll2double_rn(int64_t x) { return (double)x; }
static uint32_t __umulhi(uint32_t x, uint32_t y) { return (uint32_t)((uint64_t)x * y >> 32); }
static uint32_t __byte_perm(uint32_t x, uint32_t y, uint32_t chosen) {
    const uint64_t bytes = (uint64_t)y << 32 | x;
    uint32_t result = 0;
    for (int i = 0; i < 4; i++) result |= (uint32_t)(bytes >> 8 * (chosen >> 4 * i & 7) & 0xff) << 8 * i;
    return result;
}
/* To float16, nearest-even, for finite values in its range. Compilers have the type only of late. */
static uint32_t half_bits(float x) {
    const uint32_t bits = with_bits_of<uint32_t>(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude < 113u << 23) return sign | (uint32_t)rintf(fabsf(x) * 0x1p24f);
    return sign | ((magnitude + 0xfff + (magnitude >> 13 & 1)) >> 13) - (112u << 10);
}
static uint32_t atomicAdd(uint32_t *place, uint32_t n) { return (*place += n) - n; }

struct position {
    uint32_t x, y;
};
static position threadIdx, blockIdx, blockDim;

enum { STACK = 1 << 17 };
struct coroutine {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[STACK]};
    bool done;
};
static ucontext_t scheduler;
static std::vector<coroutine> coroutines;
static std::function<void()> kernel_call;

static void enter() {
    kernel_call();
    coroutine &self = coroutines[threadIdx.x];
    self.done = true;
    swapcontext(&self.context, &scheduler);
}
static void __syncthreads() { swapcontext(&coroutines[threadIdx.x].context, &scheduler); }

static void launch(uint32_t blocks, uint32_t lines, uint32_t threads, std::function<void()> call) {
    kernel_call = call;
    if (coroutines.size() < threads) coroutines.resize(threads);
    blockDim.x = threads;
    for (uint32_t block = 0; block < blocks * lines; block++) {
        blockIdx = {block % blocks, block / blocks};
        for (uint32_t i = 0; i < threads; i++) {
            coroutine &one = coroutines[i];
            getcontext(&one.context);
            one.context.uc_stack.ss_sp = one.stack.get(), one.context.uc_stack.ss_size = STACK;
            one.done = false;
            makecontext(&one.context, enter, 0);
        }
        for (bool running = true; running;) {
            running = false;
            for (uint32_t i = 0; i < threads; i++) {
                if (coroutines[i].done) continue;
                threadIdx.x = i;
                swapcontext(&scheduler, &coroutines[i].context);
                running |= !coroutines[i].done;
            }
        }
    }
}

#include KERNELS_FILE

extern "C" {
typedef void run_kernel(struct fi_law, struct fi_stream, struct fi_shared_rounds, struct run, struct rows, uint32_t);
typedef void batch_kernel(struct fi_law, struct batch);
typedef void box_kernel(struct fi_law, struct fi_stream, struct box);
typedef void origins_kernel(struct origins);
typedef void keyed_kernel(struct fi_law, struct box, const struct origin *, char *, uint64_t);

/* The sizes of the arguments, in their order. */
extern const uint32_t run_sizes[] = {
    sizeof(fi_law), sizeof(fi_stream), sizeof(fi_shared_rounds), sizeof(run), sizeof(rows), 4, 0};
extern const uint32_t batch_sizes[] = {sizeof(fi_law), sizeof(batch), 0};
extern const uint32_t box_sizes[] = {sizeof(fi_law), sizeof(fi_stream), sizeof(box), 0};
extern const uint32_t origins_sizes[] = {sizeof(origins), 0};
extern const uint32_t keyed_sizes[] = {sizeof(fi_law), sizeof(box), 8, 8, 8, 0};

void launch_run(run_kernel *kernel, uint32_t blocks, uint32_t lines, uint32_t threads, void **a) {
    launch(blocks, lines, threads, [=] {
        kernel(*(fi_law *)a[0], *(fi_stream *)a[1], *(fi_shared_rounds *)a[2], *(run *)a[3], *(rows *)a[4],
               *(uint32_t *)a[5]);
    });
}
void launch_batch(batch_kernel *kernel, uint32_t blocks, uint32_t lines, uint32_t threads, void **a) {
    launch(blocks, lines, threads, [=] { kernel(*(fi_law *)a[0], *(batch *)a[1]); });
}
void launch_box(box_kernel *kernel, uint32_t blocks, uint32_t lines, uint32_t threads, void **a) {
    launch(blocks, lines, threads, [=] { kernel(*(fi_law *)a[0], *(fi_stream *)a[1], *(box *)a[2]); });
}
void launch_origins(origins_kernel *kernel, uint32_t blocks, uint32_t lines, uint32_t threads, void **a) {
    launch(blocks, lines, threads, [=] { kernel(*(origins *)a[0]); });
}
void launch_keyed(keyed_kernel *kernel, uint32_t blocks, uint32_t lines, uint32_t threads, void **a) {
    launch(blocks, lines, threads, [=] {
        kernel(*(fi_law *)a[0], *(box *)a[1], *(const origin **)a[2], *(char **)a[3], *(uint64_t *)a[4]);
    });
}
}
