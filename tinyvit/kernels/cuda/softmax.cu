// Softmax over rows.                                     Textbook: tinyvit/ops/softmax.py
//
//     out = exp(x - max) / sum exp(x - max)
//     dx  = out * (dout - sum(dout out))
//
// Tolerance: 1e-6 in float, 1e-14 in double.
//
// Ladder
//   1  CuPy's max, subtract, exp, sum, divide: five launches, the row through memory each time
//   2  one warp a row: the second and third look at a row come out of the cache

#include "common.cuh"

extern "C" __global__ void softmax_forward(
    const real* __restrict__ x, real* __restrict__ out, int rows, int width) {
    int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (row >= rows) return;
    const real* from = x + (size_t)row * width;
    real* to = out + (size_t)row * width;
    real largest = from[0], sum = 0;
    for (int c = lane; c < width; c += WARP) largest = from[c] > largest ? from[c] : largest;
    largest = warp_max(largest);
    for (int c = lane; c < width; c += WARP) sum += exp(from[c] - largest);
    sum = warp_sum(sum);
    for (int c = lane; c < width; c += WARP) to[c] = exp(from[c] - largest) / sum;
}

extern "C" __global__ void softmax_backward(
    const real* __restrict__ dout, const real* __restrict__ out, real* __restrict__ dx,
    int rows, int width) {
    int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (row >= rows) return;
    size_t start = (size_t)row * width;
    real sum = 0;
    for (int c = lane; c < width; c += WARP) sum += dout[start + c] * out[start + c];
    sum = warp_sum(sum);
    for (int c = lane; c < width; c += WARP)
        dx[start + c] = out[start + c] * (dout[start + c] - sum);
}
