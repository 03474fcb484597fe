// Runs pairhmm.cu on a CPU: the 32 lanes of a warp are coroutines that take turns at every exchange. It shows that the source is right,
// index by index and bit by bit, where there is no GPU; it says nothing of speed, nor of the GPU's compiler. x86-64; one call at a time.
// Compile with -ffp-contract=off. `emulate.py` does, and calls.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(n)
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))

struct Index { int x; };
static Index threadIdx, blockIdx, blockDim;
struct int2 { int x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(32) double4 { double x, y, z, w; };
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
using std::frexp;
using std::ldexp;
using std::max;

static const int LANES = 32, STACK_BYTES = 1 << 18;
static void *lane_stack[LANES], *scheduler_stack;
static bool is_done[LANES];
static int current, n_exchanges[LANES];
static double exchanged[2][LANES];

// Save the registers that a call preserves on one stack, and take up those of another.
extern "C" void switch_stack(void** from, void* to);
asm(".text\n.globl switch_stack\nswitch_stack:\n"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "mov %rsp,(%rdi); mov %rsi,%rsp\n"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static void wait_for_warp() { switch_stack(&lane_stack[current], scheduler_stack); }

template <typename T, typename Source> static T exchange(T value, Source source) {
    const int lane = current, turn = n_exchanges[lane]++ & 1;  // two sets: the next exchange must not overwrite what is yet to be read
    exchanged[turn][lane] = value;
    wait_for_warp();
    return (T)exchanged[turn][source(lane)];
}
template <typename T> static T __shfl_up_sync(unsigned, T value, int delta, int width) {
    return exchange(value, [=](int lane) { return lane % width < delta ? lane : lane - delta; });
}
template <typename T> static T __shfl_xor_sync(unsigned, T value, int mask) {
    return exchange(value, [=](int lane) { return lane ^ mask; });
}
static void __syncwarp() { wait_for_warp(); }

#include "pairhmm.cu"

static std::function<void()> body;

static void run_lane() {
    body();
    is_done[current] = true;
    switch_stack(&lane_stack[current], scheduler_stack);
}

static void run_warps(int n_blocks) {
    static std::vector<char> stacks((size_t)LANES * STACK_BYTES);
    for (int block = 0; block < n_blocks; block++) {
        blockIdx.x = block;
        for (int lane = 0; lane < LANES; lane++) {
            void** top = (void**)(((size_t)stacks.data() + (size_t)(lane + 1) * STACK_BYTES - 64) & ~(size_t)63);
            *--top = nullptr;
            *--top = (void*)run_lane;
            lane_stack[lane] = top - 6;
            is_done[lane] = false;
            n_exchanges[lane] = 0;
        }
        for (bool is_running = true; is_running;) {
            is_running = false;
            for (int lane = 0; lane < LANES; lane++) {
                if (is_done[lane]) continue;
                current = threadIdx.x = lane;
                switch_stack(&scheduler_stack, lane_stack[lane]);
                is_running |= !is_done[lane];
            }
        }
    }
}

#define EMULATE_PREPARE(NAME, T)                                                                                       \
    extern "C" void emulate_prepare_##NAME(int n_blocks, int n_threads, PREPARE_PARAMETERS(T)) {                       \
        blockDim.x = n_threads;                                                                                        \
        for (blockIdx.x = 0; blockIdx.x < n_blocks; blockIdx.x++)                                                      \
            for (threadIdx.x = 0; threadIdx.x < n_threads; threadIdx.x++)                                              \
                prepare_##NAME(n_reads, read_offsets, read_bases, base_quals, insertion_quals, deletion_quals, error,  \
                               continuation_quals, continuation_step, coefficients, start, last_e, product, exponent,  \
                       lowered);                                                                               \
    }
#define EMULATE_FORWARD(NAME, T, G, N)                                                                          \
    extern "C" void emulate_forward_##NAME##_##G##_##N(int n_blocks, int n_threads, FORWARD_PARAMETERS(T)) {    \
        body = [=] { forward_##NAME##_##G##_##N(FORWARD_ARGUMENTS); };                                          \
        run_warps(n_blocks);                                                                                    \
    }

EMULATE_PREPARE(f32, float)
EMULATE_PREPARE(f64, double)
FLOAT_TILES(EMULATE_FORWARD)
DOUBLE_TILES(EMULATE_FORWARD)
