// Class token in front, positions added, with the patch projection's bias.
//                                                        Textbook: tinyvit/ops/embed.py
//     out = [cls_token; tokens + bias] + pos_embed
//
//     dtokens = dout[:, 1:];   dpos_embed, dcls_token, dbias: sums of dout
//
// Tolerance: 1e-6 of the largest element in float, 1e-14 in double, 2^-8 where bf16 is stored.
//
// Ladder
//   1  broadcast, concatenate, add: four launches
//   2  one launch each way; backward adds up over the images on the way, 32 columns a block

#include "common.cuh"

extern "C" __global__ void embed_forward(
    const stored* __restrict__ tokens,  // (images, N, D)
    const real* __restrict__ bias,      // (D,) or null
    const real* __restrict__ cls_token, // (D,)
    const real* __restrict__ pos_embed, // (N+1, D) or null
    real* __restrict__ out,             // (images, N+1, D)
    unsigned count, int N, int D) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int c = i % D, token = i / D % (N + 1);
    size_t image = i / D / (N + 1);
    real x = cls_token[c];
    if (token) x = get(tokens[(image * N + token - 1) * D + c]) + (bias ? bias[c] : 0);
    out[i] = pos_embed ? x + pos_embed[token * D + c] : x;
}

// Grid: (columns / 32, N+1 tokens, groups of images); block: 32 x 8.
extern "C" __global__ void embed_backward(
    const real* __restrict__ dout,      // (images, N+1, D)
    stored* __restrict__ dtokens,       // (images, N, D)
    real* __restrict__ sums,            // (N+1, groups, D), over the images of a group
    int images, int D) {
    __shared__ real block_sums[8][WARP];
    int c = blockIdx.x * WARP + threadIdx.x, token = blockIdx.y, N = gridDim.y - 1;
    real sum = 0;
    if (c < D) {
        for (int image = blockIdx.z * 8 + threadIdx.y; image < images; image += gridDim.z * 8) {
            real d = dout[((size_t)image * (N + 1) + token) * D + c];
            if (token) put(dtokens + ((size_t)image * N + token - 1) * D + c, d);
            sum += d;
        }
    }
    block_sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y || c >= D) return;
    for (int i = 1; i < 8; i++) sum += block_sums[i][threadIdx.x];
    sums[((size_t)token * gridDim.z + blockIdx.z) * D + c] = sum;
}
