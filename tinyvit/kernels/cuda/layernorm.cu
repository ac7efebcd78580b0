// LayerNorm, with the residual addition before it.      Textbook: tinyvit/ops/layernorm.py
//
//     total = x + (branch + branch_bias)                one token's D features
//     out   = weight * xhat + bias,   xhat = (total - mean) * rstd,   rstd = 1 / sqrt(var + eps)
//
//     dtotal = (dxhat - mean(dxhat) - xhat mean(dxhat xhat)) * rstd + dresidual,  dxhat = dout weight
//
// Tolerance: 1e-6 of the largest element in float, 1e-14 in double, 2^-8 where bf16 is stored.
//
// Ladder
//   1  one thread a token: neighbouring threads read D numbers apart, 32 lines of memory at once
//   2  one warp a token: neighbouring lanes read neighbouring numbers; sums by shuffles
//   3  the token stays in registers (D is known when this is compiled): read once, not three times
//   4  the residual addition comes along: one pass over memory less, one launch less
// Backward: each lane keeps the sums of its columns over all tokens of its warp, then the warps of
// a block add up in turn; blocks write a row each, which sum_groups (optim.cu) adds in order. No
// atomics: the same bits every time.

#include "common.cuh"

#ifndef D
#define D 768
#endif
#define EACH ((D + WARP - 1) / WARP)  // features a lane holds

extern "C" __global__ void layernorm_forward(
    const real* __restrict__ x,             // (rows, D), `stride` numbers from row to row
    long long stride,
    const stored* __restrict__ branch,      // (rows, D) or null
    const real* __restrict__ branch_bias,   // (D,) or null
    const real* __restrict__ weight, const real* __restrict__ bias,  // (D,)
    real* __restrict__ total,               // (rows, D) or null
    stored* __restrict__ out,               // (rows, D)
    real* __restrict__ stats,               // (rows, 2): mean, rstd
    int rows, real eps) {
    int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (row >= rows) return;
    real value[EACH], sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        int c = i * WARP + lane;
        value[i] = 0;
        if (c >= D) continue;
        value[i] = x[row * stride + c];
        if (branch) {
            real added = get(branch[(size_t)row * D + c]);
            value[i] += branch_bias ? added + branch_bias[c] : added;
        }
        sum += value[i];
    }
    real mean = warp_sum(sum) / D;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        real centred = i * WARP + lane < D ? value[i] - mean : 0;
        squares += centred * centred;
    }
    real rstd = 1 / sqrt(warp_sum(squares) / D + eps);
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        int c = i * WARP + lane;
        if (c >= D) continue;
        if (total) total[(size_t)row * D + c] = value[i];
        put(out + (size_t)row * D + c, weight[c] * ((value[i] - mean) * rstd) + bias[c]);
    }
    if (lane == 0) stats[2 * row] = mean, stats[2 * row + 1] = rstd;
}

extern "C" __global__ void layernorm_backward(
    const stored* __restrict__ dout,        // (rows, D)
    const real* __restrict__ total, long long stride,  // (rows, D), as the forward's total
    const real* __restrict__ stats,         // (rows, 2)
    const real* __restrict__ weight,        // (D,)
    const real* __restrict__ dresidual,     // (rows, D), what reaches total past the norm, or null
    real* __restrict__ dtotal,              // (rows, D)
    stored* __restrict__ dtotal_stored,     // (rows, D), the same once more, or null
    real* __restrict__ sums,                // (blocks, 3, D): dweight, dbias, dbranch_bias
    int rows) {
    __shared__ real block_sums[3][D];
    int warps = blockDim.x / WARP, warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    real dweight[EACH], dbias[EACH], dbranch[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++) dweight[i] = dbias[i] = dbranch[i] = 0;

    for (int row = blockIdx.x * warps + warp; row < rows; row += gridDim.x * warps) {
        real mean = stats[2 * row], rstd = stats[2 * row + 1];
        real xhat[EACH], dxhat[EACH], mean_dxhat = 0, mean_dxhat_xhat = 0;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int c = i * WARP + lane;
            xhat[i] = dxhat[i] = 0;
            if (c >= D) continue;
            real d = get(dout[(size_t)row * D + c]);
            xhat[i] = (total[row * stride + c] - mean) * rstd;
            dxhat[i] = d * weight[c];
            dweight[i] += d * xhat[i];
            dbias[i] += d;
            mean_dxhat += dxhat[i];
            mean_dxhat_xhat += dxhat[i] * xhat[i];
        }
        mean_dxhat = warp_sum(mean_dxhat) / D;
        mean_dxhat_xhat = warp_sum(mean_dxhat_xhat) / D;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int c = i * WARP + lane;
            if (c >= D) continue;
            size_t place = (size_t)row * D + c;
            real d = (dxhat[i] - mean_dxhat - xhat[i] * mean_dxhat_xhat) * rstd;
            if (dresidual) d += dresidual[place];
            dtotal[place] = d;
            if (dtotal_stored) put(dtotal_stored + place, d);
            dbranch[i] += d;
        }
    }
    for (int turn = 0; turn < warps; turn++) {
        if (turn == warp) {
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                int c = i * WARP + lane;
                if (c >= D) continue;
                block_sums[0][c] = dweight[i] + (turn ? block_sums[0][c] : 0);
                block_sums[1][c] = dbias[i] + (turn ? block_sums[1][c] : 0);
                block_sums[2][c] = dbranch[i] + (turn ? block_sums[2][c] : 0);
            }
        }
        __syncthreads();
    }
    for (int i = threadIdx.x; i < 3 * D; i += blockDim.x)
        sums[(size_t)blockIdx.x * 3 * D + i] = block_sums[i / D][i % D];
}
