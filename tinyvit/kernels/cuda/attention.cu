// Attention of one head over one image's tokens.         Textbook: tinyvit/ops/attention.py
//
//     q, k, v = qkv + bias            (TOKENS, HEAD_DIM) each
//     attn    = softmax(q k^T / sqrt(HEAD_DIM))
//     context = attn v
//
//     dv = attn^T dcontext;   dattn = dcontext v^T;   delta = sum(dattn attn) = dcontext . context
//     dscores = attn (dattn - delta) / sqrt(HEAD_DIM);   dq = dscores k;   dk = dscores^T q
//
// Tolerance: 2e-6 of the largest element in float, 1e-13 in double, 2^-7 where bf16 is stored.
//
// Ladder
//   1  two matrix products and a softmax: attn, (TOKENS, TOKENS) for each head, goes to memory and
//      comes back five times
//   2  one block a head: q, k, v are read once into shared memory, and attn never leaves the
//      registers. One pass over the keys, with the largest score so far: when a larger one turns
//      up, what was summed is scaled down (Milakov, Gimelshein 2018, arXiv 1805.02867). Backward
//      makes attn again from the scores and the log of their sum (Dao et al. 2022, arXiv
//      2205.14135)
//   3  wide heads: LANES neighbouring threads share a row, each with SLICE columns in registers,
//      four columns in turn, so that a warp's reads of shared memory meet no bank twice
//   4  attention_mma.cu: on the tensor cores, for bf16

#include "common.cuh"

#ifndef TOKENS
#define TOKENS 197
#define HEADS 12
#define HEAD_DIM 64
#endif

// Threads that share a row, and the columns each of them holds; a row is filled up with zeros.
#define LANES (HEAD_DIM <= 16 ? 1 : HEAD_DIM <= 32 ? 2 : HEAD_DIM <= 64 ? 4 : 8)
#define SLICE ((HEAD_DIM + 4 * LANES - 1) / (4 * LANES) * 4)
#define PADDED (LANES * SLICE)
// Up to 512 threads, so that each may have 128 registers; more rows than they hold come in rounds.
#define ROUNDS ((TOKENS * LANES + 511) / 512)
#define THREADS (((TOKENS * LANES + ROUNDS - 1) / ROUNDS + WARP - 1) / WARP * WARP)
#define ROWS (THREADS / LANES)

#include "attention.cuh"

// The place in a row of this thread's i-th column.
__device__ inline int column(int i) {
    return i / 4 * (4 * LANES) + threadIdx.x % LANES * 4 + i % 4;
}

// Product of a row, of which this thread holds its columns, with a row in shared memory.
__device__ inline real dot(const real* mine, const stored* row) {
    real sum = 0;
#pragma unroll
    for (int i = 0; i < SLICE; i++) sum += mine[i] * get(row[column(i)]);
#pragma unroll
    for (int far = LANES / 2; far; far /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, far);
    return sum;
}

// As it is after being stored: q, k and v are the same numbers wherever they are used.
__device__ inline real rounded(real x) {
    stored there;
    put(&there, x);
    return get(there);
}

// One head's (TOKENS, HEAD_DIM) out of (TOKENS, row_width) into (TOKENS, PADDED) shared memory.
__device__ inline void take(stored* tile, const stored* from, int row_width, const real* bias) {
    for (int i = threadIdx.x; i < TOKENS * PADDED; i += THREADS) {
        int row = i / PADDED, c = i % PADDED;
        real x = c < HEAD_DIM ? get(from[(size_t)row * row_width + c]) : 0;
        put(tile + i, bias && c < HEAD_DIM ? x + bias[c] : x);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) attention_forward(
    const stored* __restrict__ qkv,     // (images, TOKENS, 3, HEADS, HEAD_DIM)
    const real* __restrict__ bias,      // (3, HEADS, HEAD_DIM) or null
    stored* __restrict__ context,       // (images, TOKENS, HEADS, HEAD_DIM)
    real* __restrict__ log_sums) {      // (images, HEADS, TOKENS): log of sum of exp(score)
    extern __shared__ __align__(16) char shared[];
    stored* k = (stored*)shared;
    stored* v = k + TOKENS * PADDED;
    int image = blockIdx.x / HEADS, head = blockIdx.x % HEADS;
    const stored* mine = qkv + (size_t)image * TOKENS * 3 * WIDTH + head * HEAD_DIM;
    const real* shift = bias ? bias + head * HEAD_DIM : 0;
    take(k, mine + WIDTH, 3 * WIDTH, bias ? shift + WIDTH : 0);
    take(v, mine + 2 * WIDTH, 3 * WIDTH, bias ? shift + 2 * WIDTH : 0);
    __syncthreads();

    real scale = 1 / sqrt(real(HEAD_DIM));
    for (int row = threadIdx.x / LANES; row < ROUNDS * ROWS; row += ROWS) {
        real q[SLICE], sum[SLICE], largest = 0, total = 0;
#pragma unroll
        for (int i = 0; i < SLICE; i++) {
            int c = column(i);
            bool is_there = row < TOKENS && c < HEAD_DIM;
            q[i] = is_there ? get(mine[(size_t)row * 3 * WIDTH + c]) + (bias ? shift[c] : 0) : 0;
            q[i] = rounded(q[i]);
            sum[i] = 0;
        }
        for (int key = 0; key < TOKENS; key++) {
            real score = dot(q, k + key * PADDED) * scale;
            if (key == 0) largest = score;
            if (score > largest) {
                real less = exp(largest - score);
                total *= less;
#pragma unroll
                for (int i = 0; i < SLICE; i++) sum[i] *= less;
                largest = score;
            }
            real weight = exp(score - largest);
            total += weight;
#pragma unroll
            for (int i = 0; i < SLICE; i++) sum[i] += weight * get(v[key * PADDED + column(i)]);
        }
        if (row >= TOKENS) continue;
        stored* out = context + ((size_t)image * TOKENS + row) * WIDTH + head * HEAD_DIM;
#pragma unroll
        for (int i = 0; i < SLICE; i++)
            if (column(i) < HEAD_DIM) put(out + column(i), sum[i] / total);
        if (threadIdx.x % LANES == 0)
            log_sums[(size_t)blockIdx.x * TOKENS + row] = largest + log(total);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) attention_backward(
    const stored* __restrict__ dcontext,  // as context
    const stored* __restrict__ qkv, const real* __restrict__ bias,
    const stored* __restrict__ context, const real* __restrict__ log_sums,
    stored* __restrict__ dqkv,          // as qkv
    real* __restrict__ sums) {          // (images, 3, HEADS, HEAD_DIM): dqkv, added up over tokens
    extern __shared__ __align__(16) char shared[];
    stored* left = (stored*)shared;
    stored* right = left + TOKENS * PADDED;
    __shared__ real log_sum[TOKENS], delta[TOKENS];
    int image = blockIdx.x / HEADS, head = blockIdx.x % HEADS;
    size_t start = (size_t)image * TOKENS * 3 * WIDTH + head * HEAD_DIM;
    size_t out = (size_t)image * TOKENS * WIDTH + head * HEAD_DIM;
    const real* shift = bias ? bias + head * HEAD_DIM : 0;
    const stored* qs = qkv + start;
    const stored* ds = dcontext + out;
    take(left, qs + WIDTH, 3 * WIDTH, bias ? shift + WIDTH : 0);           // k
    take(right, qs + 2 * WIDTH, 3 * WIDTH, bias ? shift + 2 * WIDTH : 0);  // v
    for (int i = threadIdx.x; i < TOKENS; i += THREADS)
        log_sum[i] = log_sums[(size_t)blockIdx.x * TOKENS + i];
    __syncthreads();

    // Threads are queries: delta, dq.
    real scale = 1 / sqrt(real(HEAD_DIM));
    for (int row = threadIdx.x / LANES; row < ROUNDS * ROWS; row += ROWS) {
        int me = row < TOKENS ? row : 0;
        real mine[SLICE], dmine[SLICE], dq[SLICE], along = 0;
#pragma unroll
        for (int i = 0; i < SLICE; i++) {
            int c = column(i);
            mine[i] = dmine[i] = dq[i] = 0;
            if (c >= HEAD_DIM) continue;
            mine[i] = rounded(get(qs[(size_t)me * 3 * WIDTH + c]) + (bias ? shift[c] : 0));
            dmine[i] = get(ds[(size_t)me * WIDTH + c]);
            along += dmine[i] * get(context[out + (size_t)me * WIDTH + c]);
        }
#pragma unroll
        for (int far = LANES / 2; far; far /= 2) along += __shfl_xor_sync(ALL_LANES, along, far);
        if (row < TOKENS && threadIdx.x % LANES == 0) delta[row] = along;
        for (int key = 0; key < TOKENS; key++) {
            real attn = exp(dot(mine, left + key * PADDED) * scale - log_sum[me]);
            real dscore = attn * (dot(dmine, right + key * PADDED) - along) * scale;
#pragma unroll
            for (int i = 0; i < SLICE; i++) dq[i] += dscore * get(left[key * PADDED + column(i)]);
        }
#pragma unroll
        for (int i = 0; i < SLICE; i++)
            if (row < TOKENS && column(i) < HEAD_DIM)
                put(dqkv + start + (size_t)row * 3 * WIDTH + column(i), dq[i]);
    }
    __syncthreads();
    take(left, qs, 3 * WIDTH, shift);  // q
    take(right, ds, WIDTH, 0);
    __syncthreads();

    // Threads are keys: dk, dv.
    for (int row = threadIdx.x / LANES; row < ROUNDS * ROWS; row += ROWS) {
        int me = row < TOKENS ? row : 0;
        real my_k[SLICE], my_v[SLICE], dk[SLICE], dv[SLICE];
#pragma unroll
        for (int i = 0; i < SLICE; i++) {
            int c = column(i);
            my_k[i] = my_v[i] = dk[i] = dv[i] = 0;
            if (c >= HEAD_DIM) continue;
            const stored* ks = qs + (size_t)me * 3 * WIDTH + WIDTH + c;
            my_k[i] = rounded(get(ks[0]) + (bias ? shift[WIDTH + c] : 0));
            my_v[i] = rounded(get(ks[WIDTH]) + (bias ? shift[2 * WIDTH + c] : 0));
        }
        for (int query = 0; query < TOKENS; query++) {
            real attn = exp(dot(my_k, left + query * PADDED) * scale - log_sum[query]);
            real dscore = attn * (dot(my_v, right + query * PADDED) - delta[query]) * scale;
#pragma unroll
            for (int i = 0; i < SLICE; i++) {
                dk[i] += dscore * get(left[query * PADDED + column(i)]);
                dv[i] += attn * get(right[query * PADDED + column(i)]);
            }
        }
#pragma unroll
        for (int i = 0; i < SLICE; i++) {
            if (row >= TOKENS || column(i) >= HEAD_DIM) continue;
            stored* to = dqkv + start + (size_t)row * 3 * WIDTH + column(i);
            put(to + WIDTH, dk[i]);
            put(to + 2 * WIDTH, dv[i]);
        }
    }
    __syncthreads();

    add_up(sums + (size_t)image * 3 * WIDTH + head * HEAD_DIM, dqkv + start);
}
