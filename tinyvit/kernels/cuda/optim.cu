// The end of a step: gradients added up, clipped, AdamW, running average.
//                                                        Textbook: tinyvit/optim.py
//     grad  = sum of what the groups of rows gave, in their order
//     scale = min(1, clip_norm / norm(grad))
//     m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,    g = scale grad
//     params = (1 - lr decay) params - lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps)
//     average = keep average + (1 - keep) params
//
// Tolerance: 2e-6 of the largest element in float, 1e-14 in double.
//
// Ladder
//   1  AdamW parameter by parameter: 1,279 launches for 6 blocks
//   2  on the flat vector: 16 launches
//   3  one launch that moves 28 bytes a parameter; all numbers that change from step to step lie on
//      the card, so that a graph can be replayed; bf16 weights for the next step come along

#include "common.cuh"

#define BETA1 0.9
#define BETA2 0.999
#define EPS real(1e-8)

struct Chunk {  // up to 512 neighbouring gradients, and where their parts lie
    long long start, count;
    const real* parts;
    long long groups, stride;
};

// Grid: chunks; block: 32 x 8. Columns are read 32 at a time, 8 groups side by side.
extern "C" __global__ void sum_groups(
    const Chunk* __restrict__ chunks,
    real* __restrict__ grads, real* __restrict__ squares) {  // (P,), (chunks,)
    __shared__ real block_sums[8][WARP];
    Chunk chunk = chunks[blockIdx.x];
    real square = 0;
    for (long long first = 0; first < chunk.count; first += WARP) {
        long long c = first + threadIdx.x;
        real sum = 0;
        if (c < chunk.count)
            for (long long group = threadIdx.y; group < chunk.groups; group += 8)
                sum += chunk.parts[group * chunk.stride + c];
        block_sums[threadIdx.y][threadIdx.x] = sum;
        __syncthreads();
        if (threadIdx.y == 0 && c < chunk.count) {
            for (int i = 1; i < 8; i++) sum += block_sums[i][threadIdx.x];
            grads[chunk.start + c] = sum;
            square += sum * sum;
        }
        __syncthreads();
    }
    if (threadIdx.y) return;
    square = warp_sum(square);
    if (threadIdx.x == 0) squares[blockIdx.x] = square;
}

struct Scalars {  // of the step that is being taken
    real scale, lr, step_size, root_factor, keep;
};

// The sum of all threads of a block of 1024, in a fixed order; thread 0 gets it.
__device__ inline real block_sum(real x) {
    __shared__ real warps[WARP];
    x = warp_sum(x);
    if (threadIdx.x % WARP == 0) warps[threadIdx.x / WARP] = x;
    __syncthreads();
    x = threadIdx.x < WARP ? warps[threadIdx.x] : 0;
    __syncthreads();
    return threadIdx.x < WARP ? warp_sum(x) : 0;
}

// One block of 1024: what the step needs to know, what it leaves behind, and on to the next.
extern "C" __global__ void __launch_bounds__(1024) end_of_step(
    const real* __restrict__ squares, int chunks,
    const real* __restrict__ losses, const int* __restrict__ corrects, int images,
    real peak, long long warmup_steps, long long total_steps,  // total < 0: it stays at its peak
    real clip_norm, real ema_decay, Scalars* __restrict__ scalars,
    real* __restrict__ loss, long long* __restrict__ correct,  // added up over the steps
    long long* __restrict__ step, long long* __restrict__ position) {
    real square = 0, sum = 0, right = 0;
    for (int i = threadIdx.x; i < chunks; i += 1024) square += squares[i];
    for (int i = threadIdx.x; i < images; i += 1024) sum += losses[i], right += corrects[i];
    square = block_sum(square);
    sum = block_sum(sum);
    right = block_sum(right);
    if (threadIdx.x) return;
    *loss += sum;
    *correct += (long long)right;
    long long taken = (*step)++;
    (*position)++;

    double t = taken + 1, lr = peak;
    if (taken < warmup_steps) {
        lr *= t / warmup_steps;
    } else if (total_steps >= 0) {
        long long falls = total_steps - warmup_steps;
        double done = double(taken - warmup_steps) / (falls > 1 ? falls : 1);
        lr *= (1 + cos(3.14159265358979323846 * (done < 1 ? done : 1))) / 2;
    }
    real scale = clip_norm / (sqrt(square) + real(1e-12));
    double keep = (1 + t) / (10 + t);
    scalars->scale = scale > 1 ? 1 : scale;
    scalars->lr = lr;
    scalars->step_size = lr / (1 - pow(BETA1, t));
    scalars->root_factor = 1 / sqrt(1 - pow(BETA2, t));
    scalars->keep = keep < ema_decay ? keep : ema_decay;
}

extern "C" __global__ void adamw(
    real* __restrict__ params, const real* __restrict__ grads,
    real* __restrict__ m, real* __restrict__ v, const real* __restrict__ decay,  // (P,)
    real* __restrict__ average,         // (P,) or null
    bf16* __restrict__ shadow,          // (P,) the new parameters in bf16, or null
    const Scalars* __restrict__ scalars, unsigned count) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    Scalars s = *scalars;
    real g = s.scale * grads[i], x = params[i];
    real mean = m[i] = real(BETA1) * m[i] + real(1 - BETA1) * g;
    real square = v[i] = real(BETA2) * v[i] + real(1 - BETA2) * (g * g);
    x = x - s.lr * decay[i] * x - s.step_size * mean / (sqrt(square) * s.root_factor + EPS);
    params[i] = x;
    if (average) average[i] = s.keep * average[i] + (1 - s.keep) * x;
    if (shadow) put(shadow + i, x);
}

extern "C" __global__ void to_bf16(
    const real* __restrict__ from, bf16* __restrict__ to, unsigned count) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) put(to + i, from[i]);
}
