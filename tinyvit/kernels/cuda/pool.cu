// Mean over the patch tokens, for global_pool="avg".     Textbook: tinyvit/vit.py
//
//     out = mean of x[:, 1:] over the tokens;   dx[:, 1:] = dout / N,   dx[:, 0] = 0
//
// Tolerance: 1e-6 of the largest element in float, 1e-14 in double, 2^-8 where bf16 is stored.
//
// Ladder
//   1  slice and mean; zeros, then the share of each token: two launches each way
//   2  one launch: neighbouring threads take neighbouring features: a warp reads whole lines

#include "common.cuh"

extern "C" __global__ void pool_forward(
    const stored* __restrict__ x,       // (images, N+1, D)
    stored* __restrict__ out,           // (images, D)
    unsigned count, int N, int D) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const stored* column = x + (size_t)(i / D) * (N + 1) * D + i % D;
    real sum = 0;
    for (int token = 1; token <= N; token++) sum += get(column[(size_t)token * D]);
    put(out + i, sum / N);
}

extern "C" __global__ void pool_backward(
    const stored* __restrict__ dout,    // (images, D)
    stored* __restrict__ dx,            // (images, N+1, D)
    unsigned count, int N, int D) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int c = i % D, token = i / D % (N + 1);
    size_t image = i / D / (N + 1);
    put(dx + i, token ? get(dout[image * D + c]) / N : 0);
}
