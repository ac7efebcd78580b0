// Softmax cross-entropy of each image, and its gradient at once.
//                                                        Textbook: tinyvit/ops/cross_entropy.py
//     loss    = -sum_k target[k] log softmax(logits)[k]
//     target  = (1 - smoothing) * onehot(label) + smoothing / K
//     dlogits = (softmax(logits) - target) * scale       scale = dloss / B for the mean of a batch
//
// Tolerance: 1e-6 in float, 1e-14 in double.
//
// Ladder
//   1  the textbook on CuPy: onehot, target, log-softmax, product, sum: 14 launches
//   2  one warp an image, forward and backward in one launch: softmax is at hand, and the label is
//      compared, never spread out as a onehot row

#include "common.cuh"

extern "C" __global__ void cross_entropy(
    const real* __restrict__ logits,    // (rows, K)
    const real* __restrict__ bias,      // (K,) of the last layer, or null
    const int* __restrict__ labels,     // (rows,)
    real* __restrict__ losses,          // (rows,)
    int* __restrict__ corrects,         // (rows,) 1 where the highest logit is the label's
    real* __restrict__ dlogits,         // (rows, K)
    stored* __restrict__ dlogits_stored,  // (rows, K), the same once more, or null
    int rows, int K, real smoothing, real scale) {
    int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (row >= rows) return;
    const real* from = logits + (size_t)row * K;
    int label = labels[row];
    real largest = from[0] + (bias ? bias[0] : 0), sum = 0, total = 0;
    for (int k = lane; k < K; k += WARP) {
        real logit = from[k] + (bias ? bias[k] : 0);
        largest = logit > largest ? logit : largest;
    }
    largest = warp_max(largest);
    int first = K;  // of the classes with the highest logit
    for (int k = K - 1 - lane; k >= 0; k -= WARP) {
        real logit = from[k] + (bias ? bias[k] : 0);
        sum += exp(logit - largest);
        total += logit - largest;
        if (logit == largest) first = k;
    }
    sum = warp_sum(sum);
    total = warp_sum(total);
    for (int far = WARP / 2; far; far /= 2) {
        int other = __shfl_xor_sync(ALL_LANES, first, far);
        first = first < other ? first : other;
    }
    real log_sum = log(sum);
    for (int k = lane; k < K; k += WARP) {
        real logit = from[k] + (bias ? bias[k] : 0) - largest;
        real target = (k == label ? 1 - smoothing : 0) + smoothing / K;
        real d = (exp(logit - log_sum) - target) * scale;
        dlogits[(size_t)row * K + k] = d;
        if (dlogits_stored) put(dlogits_stored + (size_t)row * K + k, d);
    }
    if (lane) return;
    losses[row] = smoothing * (log_sum - total / K);
    if (label >= 0 && label < K) {  // else there is no target but the smoothing
        real chosen = from[label] + (bias ? bias[label] : 0) - largest;
        losses[row] += (1 - smoothing) * (log_sum - chosen);
    }
    corrects[row] = first == label;
}
