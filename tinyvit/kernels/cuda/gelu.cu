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
//   3  backward adds up dbias on the way: a block owns some columns, so that a warp reads a row's
//      neighbours, and 8 warps share the rows
//   4  VECTOR neighbours a thread: bf16 by itself asks memory for 2 bytes at a time

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
    unsigned count, int width) {
    unsigned i = VECTOR * (blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= count) return;
    Pack<stored> values = pack_at(x + i);
    int c = i % width;
#pragma unroll
    for (int j = 0; j < VECTOR; j++)
        put(values.x + j, act(get(values.x[j]) + (bias ? bias[c + j] : 0)));
    pack_at(out + i) = values;
}

// Grid: (columns / (32 VECTOR), groups of rows); block: 32 x 8.
extern "C" __global__ void gelu_backward(
    const stored* __restrict__ dout, const stored* __restrict__ x,  // (rows, width)
    const real* __restrict__ bias,      // (width,) or null
    stored* __restrict__ dx,            // (rows, width)
    real* __restrict__ sums,            // (groups, width) or null
    int rows, int width) {
    __shared__ real block_sums[8][VECTOR * WARP];
    int c = VECTOR * (blockIdx.x * WARP + threadIdx.x);
    real shift[VECTOR], sum[VECTOR];
#pragma unroll
    for (int j = 0; j < VECTOR; j++) {
        shift[j] = bias && c < width ? bias[c + j] : 0;
        sum[j] = 0;
    }
    if (c < width) {
#pragma unroll 2
        for (int row = blockIdx.y * 8 + threadIdx.y; row < rows; row += gridDim.y * 8) {
            size_t place = (size_t)row * width + c;
            Pack<stored> d = pack_at(dout + place), value = pack_at(x + place);
#pragma unroll
            for (int j = 0; j < VECTOR; j++) {
                real slanted = get(d.x[j]) * slope(get(value.x[j]) + shift[j]);
                put(d.x + j, slanted);
                sum[j] += slanted;
            }
            pack_at(dx + place) = d;
        }
    }
#pragma unroll
    for (int j = 0; j < VECTOR; j++) block_sums[threadIdx.y][VECTOR * threadIdx.x + j] = sum[j];
    __syncthreads();
    if (threadIdx.y || c >= width || !sums) return;
#pragma unroll
    for (int j = 0; j < VECTOR; j++) {
        for (int i = 1; i < 8; i++) sum[j] += block_sums[i][VECTOR * threadIdx.x + j];
        sums[(size_t)blockIdx.y * width + c + j] = sum[j];
    }
}
