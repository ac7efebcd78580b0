// Uniform random numbers in [0, 1), for dropouts and for elastic distortion.

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
