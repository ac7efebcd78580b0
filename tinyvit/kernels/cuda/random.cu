// Uniform random numbers, for dropouts and for elastic distortion.
//                                       Textbook: tinyvit/ops/dropout.py, tinyvit/augment.py
//     out[n] = uniform(philox(n / 4, step; seed, stream)[n % 4])      in [0, 1)
//
// Tolerance: 0, the bits are those of Random123.
//
// Ladder
//   1  NumPy draws, and a mask is copied to the card for every layer of every step
//   2  a thread makes four numbers out of their place, the seed and the step: no state, no copy,
//      and a graph draws others whenever it is replayed

#include "common.cuh"
#include "random.cuh"

extern "C" __global__ void uniform_numbers(
    float* __restrict__ out, unsigned count,
    const long long* __restrict__ step, unsigned seed, unsigned stream) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (4 * i >= count) return;
    unsigned long long now = *step;
    Four four = philox({i, 0, (unsigned)now, (unsigned)(now >> 32)},
                       seed, stream);
    unsigned numbers[4] = {four.x, four.y, four.z, four.w};
    for (int j = 0; j < 4 && 4 * i + j < count; j++) out[4 * i + j] = uniform(numbers[j]);
}
