// Activation of the MLP's hidden layer, with the bias before it.   Textbook: tinyvit/ops/gelu.py,
// relu.py
//
//     out = act(x + bias)                 act: GELU by erf, GELU by tanh, or ReLU
//     dx  = dout * act'(x + bias),   dbias = sum of dx over the rows
//
// Tolerance: 1e-6 of the largest element in float, 1e-14 in double, 2^-8 where bf16 is stored.
//
// Ladder
//   1  bias, erf, product: three launches, and the gate kept for backward
//   2  one launch; only x is kept: the gate costs less to compute again than to read
//   3  backward adds up dbias on the way: a block owns 32 columns, so that a warp reads a row's
//      neighbours, and 8 warps share the rows

#include "common.cuh"

#ifndef ACTIVATION
#define ACTIVATION 0  // 0 gelu, 1 gelu_tanh, 2 relu
#endif

#define ROOT_HALF real(0.70710678118654752440)        // sqrt(1 / 2)
#define BELL real(0.39894228040143267794)             // 1 / sqrt(2 pi)
#define ROOT_2_OVER_PI real(0.79788456080286535588)

__device__ inline real act(real x) {
#if ACTIVATION == 0
    return x * (real(0.5) * (1 + erf(x * ROOT_HALF)));
#elif ACTIVATION == 1
    real u = ROOT_2_OVER_PI * (x + real(0.044715) * x * x * x);
    return x * (real(0.5) * (1 + tanh(u)));
#else
    return x <= 0 ? 0 : x;  // NaN stays NaN
#endif
}

__device__ inline real slope(real x) {
#if ACTIVATION == 0
    real gate = real(0.5) * (1 + erf(x * ROOT_HALF));
    return gate + x * (exp(real(-0.5) * x * x) * BELL);
#elif ACTIVATION == 1
    real u = ROOT_2_OVER_PI * (x + real(0.044715) * x * x * x);
    real du = ROOT_2_OVER_PI * (1 + real(3 * 0.044715) * x * x);
    real gate = real(0.5) * (1 + tanh(u));
    return gate + x * (2 * gate * (1 - gate) * du);
#else
    return x > 0 ? 1 : 0;
#endif
}

extern "C" __global__ void gelu_forward(
    const stored* __restrict__ x,       // (rows, width)
    const real* __restrict__ bias,      // (width,) or null
    stored* __restrict__ out,           // (rows, width)
    long long count, int width) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    real value = get(x[i]);
    if (bias) value += bias[i % width];
    put(out + i, act(value));
}

// Grid: (columns / 32, groups of rows); block: 32 x 8.
extern "C" __global__ void gelu_backward(
    const stored* __restrict__ dout, const stored* __restrict__ x,  // (rows, width)
    const real* __restrict__ bias,      // (width,) or null
    stored* __restrict__ dx,            // (rows, width)
    real* __restrict__ sums,            // (groups, width) or null
    int rows, int width) {
    __shared__ real block_sums[8][WARP];
    int c = blockIdx.x * WARP + threadIdx.x;
    real shift = bias && c < width ? bias[c] : 0, sum = 0;
    if (c < width) {
        for (int row = blockIdx.y * 8 + threadIdx.y; row < rows; row += gridDim.y * 8) {
            size_t place = (size_t)row * width + c;
            real d = get(dout[place]) * slope(get(x[place]) + shift);
            put(dx + place, d);
            sum += d;
        }
    }
    block_sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y || c >= width || !sums) return;
    for (int i = 1; i < 8; i++) sum += block_sums[i][threadIdx.x];
    sums[(size_t)blockIdx.y * width + c] = sum;
}
