// LayerNorm, with the residual addition before it.      Textbook: tinyvit/ops/layernorm.py
//
//     total = x + (branch + branch_bias)                one token's D features
//     out   = weight * xhat + bias,   xhat = (total - mean) * rstd,   rstd = 1 / sqrt(var + eps)
//
//     dtotal = (dxhat - mean(dxhat) - xhat mean(dxhat xhat)) * rstd + dresidual
//     dxhat  = dout weight,   dweight = sum(dout xhat),   dbias = sum(dout)
//
// Tolerance: 1e-6 of the largest element in float, 1e-14 in double, 2^-8 where bf16 is stored.
//
// Ladder
//   1  one thread a token: neighbouring threads read D numbers apart, 32 lines of memory at once
//   2  one warp a token: neighbouring lanes read neighbouring numbers; sums by shuffles
//   3  the token stays in registers (D is known when this is compiled): read once, not three times
//   4  the residual addition comes along: one pass over memory less, one launch less
//   5  VECTOR neighbours a lane, read at once
// Backward: each lane keeps the sums of its columns over all tokens of its warp, then the warps of
// a block add up in turn; blocks write a row each, which sum_groups (optim.cu) adds in order. No
// atomics: the same bits every time.

#include "common.cuh"

#ifndef D
#define D 768
#endif
#define EACH ((D + VECTOR * WARP - 1) / (VECTOR * WARP))  // times that a lane has VECTOR features

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
    real value[EACH][VECTOR], sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        int c = VECTOR * (i * WARP + lane);
        if (c >= D) continue;
        Pack<real> from = pack_at(x + row * stride + c);
        Pack<stored> added = {};
        if (branch) added = pack_at(branch + (size_t)row * D + c);
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
            value[i][j] = from.x[j];
            if (branch) value[i][j] += get(added.x[j]) + (branch_bias ? branch_bias[c + j] : 0);
            sum += value[i][j];
        }
    }
    real mean = warp_sum(sum) / D;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        if (VECTOR * (i * WARP + lane) >= D) continue;
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
            real centred = value[i][j] - mean;
            squares += centred * centred;
        }
    }
    real rstd = 1 / sqrt(warp_sum(squares) / D + eps);
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        int c = VECTOR * (i * WARP + lane);
        if (c >= D) continue;
        Pack<real> to;
        Pack<stored> normed;
#pragma unroll
        for (int j = 0; j < VECTOR; j++) {
            to.x[j] = value[i][j];
            put(normed.x + j, weight[c + j] * ((value[i][j] - mean) * rstd) + bias[c + j]);
        }
        if (total) pack_at(total + (size_t)row * D + c) = to;
        pack_at(out + (size_t)row * D + c) = normed;
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
    real dweight[EACH][VECTOR] = {}, dbias[EACH][VECTOR] = {}, dbranch[EACH][VECTOR] = {};

    for (int row = blockIdx.x * warps + warp; row < rows; row += gridDim.x * warps) {
        real mean = stats[2 * row], rstd = stats[2 * row + 1];
        real xhat[EACH][VECTOR], dxhat[EACH][VECTOR], mean_dxhat = 0, mean_dxhat_xhat = 0;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int c = VECTOR * (i * WARP + lane);
            if (c >= D) continue;
            Pack<stored> d = pack_at(dout + (size_t)row * D + c);
            Pack<real> from = pack_at(total + row * stride + c);
#pragma unroll
            for (int j = 0; j < VECTOR; j++) {
                xhat[i][j] = (from.x[j] - mean) * rstd;
                dxhat[i][j] = get(d.x[j]) * weight[c + j];
                dweight[i][j] += get(d.x[j]) * xhat[i][j];
                dbias[i][j] += get(d.x[j]);
                mean_dxhat += dxhat[i][j];
                mean_dxhat_xhat += dxhat[i][j] * xhat[i][j];
            }
        }
        mean_dxhat = warp_sum(mean_dxhat) / D;
        mean_dxhat_xhat = warp_sum(mean_dxhat_xhat) / D;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int c = VECTOR * (i * WARP + lane);
            if (c >= D) continue;
            size_t place = (size_t)row * D + c;
            Pack<real> d = {};
            Pack<stored> once_more;
            if (dresidual) d = pack_at(dresidual + place);
#pragma unroll
            for (int j = 0; j < VECTOR; j++) {
                d.x[j] += (dxhat[i][j] - mean_dxhat - xhat[i][j] * mean_dxhat_xhat) * rstd;
                put(once_more.x + j, d.x[j]);
                dbranch[i][j] += d.x[j];
            }
            pack_at(dtotal + place) = d;
            if (dtotal_stored) pack_at(dtotal_stored + place) = once_more;
        }
    }
    for (int turn = 0; turn < warps; turn++) {
        if (turn == warp) {
#pragma unroll
            for (int i = 0; i < EACH * VECTOR; i++) {
                int c = VECTOR * (i / VECTOR * WARP + lane) + i % VECTOR;
                if (c >= D) continue;
                block_sums[0][c] = dweight[i / VECTOR][i % VECTOR] + (turn ? block_sums[0][c] : 0);
                block_sums[1][c] = dbias[i / VECTOR][i % VECTOR] + (turn ? block_sums[1][c] : 0);
                block_sums[2][c] = dbranch[i / VECTOR][i % VECTOR] + (turn ? block_sums[2][c] : 0);
            }
        }
        __syncthreads();
    }
    for (int i = threadIdx.x; i < 3 * D; i += blockDim.x)
        sums[(size_t)blockIdx.x * 3 * D + i] = block_sums[i / D][i % D];
}
