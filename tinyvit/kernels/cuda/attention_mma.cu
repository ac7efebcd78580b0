// Attention of one head over one image's tokens, in bf16 on the tensor cores.
//                                                        Textbook: tinyvit/ops/attention.py
//     context = softmax(q k^T / sqrt(HEAD_DIM)) v
//
// and its gradients, as in attention.cu, where the first three steps of the ladder are.
//
// Tolerance: 2^-6 of the largest element: attn and dscores are rounded to bf16 on their way.
//
// Ladder
//   4  a warp takes 16 rows; scores = q k^T and context = attn v are products of 16 x 16 tiles on
//      the tensor cores. attn stays where it is: what one product leaves in the registers is, in
//      bf16, what the next one takes. v lies transposed in shared memory, so that its neighbours
//      in a word are the ones that are added; rows are 4 words longer than they need be, so that
//      the 32 lanes read 32 different banks
// Backward: first warps take queries, for dq; then keys, for dk and dv.

#ifndef STORED
#define STORED bf16
#endif
#include "common.cuh"
#include "mma.cuh"

#ifndef TOKENS
#define TOKENS 197
#define HEADS 12
#define HEAD_DIM 64  // even, at most 64
#endif

#define ROWS ((TOKENS + 15) / 16 * 16)     // tokens, filled up with zeros
#define DEPTH ((HEAD_DIM + 15) / 16 * 16)  // columns of a head, likewise
#define LINE (DEPTH / 2 + 4)               // words of a row of q, k, v
#define COLUMN (ROWS / 2 + 4)              // words of a row of these, transposed
#define THREADS (ROWS / 16 * WARP)         // a warp for 16 rows
#define STEPS (DEPTH / 16)                 // products of depth 16 for a score
#define TILES (DEPTH / 8)                  // tiles of 8 columns in a row of context

// Tiles of 8 scores that are in the registers at a time: as many as there is room for.
#define FORWARD 4
#define BACKWARD (HEAD_DIM > 32 ? 2 : 4)
#define ENDLESS __int_as_float(0x7f800000)  // infinity
#define IS_WITHIN(tile, count) (ROWS % (8 * (count)) == 0 || (tile) < ROWS)

#include "attention.cuh"

// Two neighbouring numbers of a head, with the bias; zeros outside.
__device__ inline unsigned pair(const bf16* from, int row, int c, int width, const float* bias) {
    if (row >= TOKENS || c >= HEAD_DIM) return 0;
    unsigned word = *(const unsigned*)(from + (size_t)row * width + c);
    return bias ? pack(low(word) + bias[c], high(word) + bias[c + 1]) : word;
}

// A head's (TOKENS, HEAD_DIM) into shared memory, as it is and transposed, where these are asked.
__device__ inline void take(
    unsigned* rows, unsigned* columns, const bf16* from, int width, const float* bias) {
    unsigned short* halves = (unsigned short*)columns;
    for (int i = threadIdx.x; i < ROWS * DEPTH / 2; i += THREADS) {
        int row = i / (DEPTH / 2), c = i % (DEPTH / 2);
        unsigned word = pair(from, row, 2 * c, width, bias);
        if (rows) rows[row * LINE + c] = word;
        if (!columns) continue;
        halves[2 * c * 2 * COLUMN + row] = word;
        halves[(2 * c + 1) * 2 * COLUMN + row] = word >> 16;
    }
}

// This warp's 16 rows as the first factor of products: STEPS times 4 words.
__device__ inline void first_factor(
    unsigned a[STEPS][4], const bf16* from, int row, int width, const float* bias) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int step = 0; step < STEPS; step++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            a[step][i] =
                pair(from, row + g + i % 2 * 8, step * 16 + 2 * t + i / 2 * 8, width, bias);
}

// c (16 x 8) = a @ rows[first : first + 8].T
__device__ inline void product(
    float c[4], const unsigned a[STEPS][4], const unsigned* rows, int first) {
    const unsigned* place = rows + (first + threadIdx.x % WARP / 4) * LINE + threadIdx.x % 4;
    c[0] = c[1] = c[2] = c[3] = 0;
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        unsigned b[2] = {place[step * 8], place[step * 8 + 4]};
        mma(c, a[step], b);
    }
}

// sums (16 x DEPTH) += p @ columns[:, first : first + 8 COUNT].T, where p is COUNT tiles (16 x 8)
template <int COUNT>
__device__ inline void add_product(
    float sums[TILES][4], const float p[COUNT][4], const unsigned* columns, int first) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < COUNT; i += 2) {
        if (!IS_WITHIN(first + i * 8, COUNT)) break;
        unsigned a[4] = {pack(p[i][0], p[i][1]), pack(p[i][2], p[i][3]),
                         pack(p[i + 1][0], p[i + 1][1]), pack(p[i + 1][2], p[i + 1][3])};
#pragma unroll
        for (int tile = 0; tile < TILES; tile++) {
            const unsigned* place = columns + (tile * 8 + g) * COLUMN + (first + i * 8) / 2 + t;
            unsigned b[2] = {place[0], place[4]};
            mma(sums[tile], a, b);
        }
    }
}

// Write 16 rows; `less` divides the upper 8 and the lower 8.
__device__ inline void write(
    bf16* to, const float sums[TILES][4], int row, int width, const float less[2]) {
    int g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int tile = 0; tile < TILES; tile++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int r = row + g + half * 8, c = tile * 8 + 2 * t;
            if (r >= TOKENS || c >= HEAD_DIM) continue;
            const float* x = sums[tile] + 2 * half;
            *(unsigned*)(to + (size_t)r * width + c) = pack(x[0] / less[half], x[1] / less[half]);
        }
}

// Sum, or largest, over the four lanes that hold a row.
__device__ inline float row_sum(float x) {
    x += __shfl_xor_sync(ALL_LANES, x, 1);
    return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

__device__ inline float row_max(float x) {
    float other = __shfl_xor_sync(ALL_LANES, x, 1);
    x = x > other ? x : other;
    other = __shfl_xor_sync(ALL_LANES, x, 2);
    return x > other ? x : other;
}

extern "C" __global__ void __launch_bounds__(THREADS) attention_forward(
    const bf16* __restrict__ qkv,       // (images, TOKENS, 3, HEADS, HEAD_DIM)
    const float* __restrict__ bias,     // (3, HEADS, HEAD_DIM) or null
    bf16* __restrict__ context,         // (images, TOKENS, HEADS, HEAD_DIM)
    float* __restrict__ log_sums) {     // (images, HEADS, TOKENS): log of sum of exp(score)
    extern __shared__ __align__(16) unsigned shared[];
    unsigned* k = shared;                       // (ROWS, LINE)
    unsigned* v_columns = shared + ROWS * LINE; // (DEPTH, COLUMN)
    int image = blockIdx.x / HEADS, head = blockIdx.x % HEADS;
    int row = threadIdx.x / WARP * 16, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    const bf16* mine = qkv + (size_t)image * TOKENS * 3 * WIDTH + head * HEAD_DIM;
    const float* shift = bias ? bias + head * HEAD_DIM : 0;
    take(k, 0, mine + WIDTH, 3 * WIDTH, bias ? shift + WIDTH : 0);
    take(0, v_columns, mine + 2 * WIDTH, 3 * WIDTH, bias ? shift + 2 * WIDTH : 0);
    unsigned q[STEPS][4];
    first_factor(q, mine, row, 3 * WIDTH, shift);
    __syncthreads();

    float sums[TILES][4] = {}, largest[2] = {-1e30f, -1e30f}, total[2] = {0, 0};
    const float scale = 1 / sqrtf(float(HEAD_DIM));
    for (int first = 0; first < ROWS; first += 8 * FORWARD) {
        float p[FORWARD][4], now[2] = {largest[0], largest[1]};
#pragma unroll
        for (int i = 0; i < FORWARD; i++) {
            int key = first + i * 8;
            if (IS_WITHIN(key, FORWARD)) product(p[i], q, k, key);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                bool is_there = IS_WITHIN(key, FORWARD) && key + 2 * t + j % 2 < TOKENS;
                p[i][j] = is_there ? p[i][j] * scale : -ENDLESS;
                now[j / 2] = p[i][j] > now[j / 2] ? p[i][j] : now[j / 2];
            }
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            now[half] = row_max(now[half]);
            float less = __expf(largest[half] - now[half]);
            largest[half] = now[half];
            total[half] *= less;
#pragma unroll
            for (int tile = 0; tile < TILES; tile++)
                sums[tile][2 * half] *= less, sums[tile][2 * half + 1] *= less;
        }
#pragma unroll
        for (int i = 0; i < FORWARD; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                p[i][j] = __expf(p[i][j] - largest[j / 2]);
                total[j / 2] += p[i][j];
            }
        add_product<FORWARD>(sums, p, v_columns, first);
    }
    for (int half = 0; half < 2; half++) {
        total[half] = row_sum(total[half]);
        int token = row + g + half * 8;
        if (t == 0 && token < TOKENS)
            log_sums[(size_t)blockIdx.x * TOKENS + token] = largest[half] + logf(total[half]);
    }
    write(context + (size_t)image * TOKENS * WIDTH + head * HEAD_DIM, sums, row, WIDTH, total);
}

extern "C" __global__ void __launch_bounds__(THREADS) attention_backward(
    const bf16* __restrict__ dcontext,  // as context
    const bf16* __restrict__ qkv, const float* __restrict__ bias,
    const bf16* __restrict__ context, const float* __restrict__ log_sums,
    bf16* __restrict__ dqkv,            // as qkv
    float* __restrict__ sums) {         // (images, 3, HEADS, HEAD_DIM): dqkv, added up over tokens
    extern __shared__ __align__(16) unsigned shared[];
    unsigned* left = shared;                          // (ROWS, LINE): k, then q
    unsigned* right = left + ROWS * LINE;             // (ROWS, LINE): v, then dcontext
    unsigned* left_columns = right + ROWS * LINE;     // (DEPTH, COLUMN): k, then q
    unsigned* right_columns = left_columns + DEPTH * COLUMN;  // (DEPTH, COLUMN): dcontext
    __shared__ float log_sum[ROWS], delta[ROWS];
    int image = blockIdx.x / HEADS, head = blockIdx.x % HEADS;
    int row = threadIdx.x / WARP * 16, g = threadIdx.x % WARP / 4, t = threadIdx.x % 4;
    size_t start = (size_t)image * TOKENS * 3 * WIDTH + head * HEAD_DIM;
    const bf16* qs = qkv + start;
    const bf16* ds = dcontext + (size_t)image * TOKENS * WIDTH + head * HEAD_DIM;
    const bf16* os = context + (size_t)image * TOKENS * WIDTH + head * HEAD_DIM;
    const float* q_bias = bias ? bias + head * HEAD_DIM : 0;
    const float* k_bias = bias ? q_bias + WIDTH : 0;
    const float* v_bias = bias ? q_bias + 2 * WIDTH : 0;
    const float scale = 1 / sqrtf(float(HEAD_DIM)), one[2] = {1, 1};
    take(left, left_columns, qs + WIDTH, 3 * WIDTH, k_bias);
    take(right, 0, qs + 2 * WIDTH, 3 * WIDTH, v_bias);
    for (int i = threadIdx.x; i < ROWS; i += THREADS)  // infinity: attn of a row that is not there
        log_sum[i] = i < TOKENS ? log_sums[(size_t)blockIdx.x * TOKENS + i] : ENDLESS;

    // Rows are queries: delta, dq.
    unsigned a[STEPS][4], b[STEPS][4];
    first_factor(a, qs, row, 3 * WIDTH, q_bias);
    first_factor(b, ds, row, WIDTH, 0);
    float along[2] = {0, 0};
#pragma unroll
    for (int step = 0; step < STEPS; step++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            unsigned word = pair(os, row + g + i % 2 * 8, step * 16 + 2 * t + i / 2 * 8, WIDTH, 0);
            along[i % 2] += low(word) * low(b[step][i]) + high(word) * high(b[step][i]);
        }
    for (int half = 0; half < 2; half++) {
        along[half] = row_sum(along[half]);
        if (t == 0) delta[row + g + half * 8] = along[half];
    }
    __syncthreads();
    {
        float dq[TILES][4] = {};
        for (int first = 0; first < ROWS; first += 8 * BACKWARD) {
            float dscores[BACKWARD][4];
#pragma unroll
            for (int i = 0; i < BACKWARD; i++) {
                int key = first + i * 8;
                float score[4], dattn[4];
                if (IS_WITHIN(key, BACKWARD))
                    product(score, a, left, key), product(dattn, b, right, key);
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    bool is_there = IS_WITHIN(key, BACKWARD) && key + 2 * t + j % 2 < TOKENS;
                    float attn = __expf(score[j] * scale - log_sum[row + g + j / 2 * 8]);
                    dscores[i][j] = is_there ? attn * (dattn[j] - along[j / 2]) * scale : 0;
                }
            }
            add_product<BACKWARD>(dq, dscores, left_columns, first);
        }
        write(dqkv + start, dq, row, 3 * WIDTH, one);
    }
    __syncthreads();
    take(left, left_columns, qs, 3 * WIDTH, q_bias);
    take(right, right_columns, ds, WIDTH, 0);
    first_factor(a, qs + WIDTH, row, 3 * WIDTH, k_bias);
    first_factor(b, qs + 2 * WIDTH, row, 3 * WIDTH, v_bias);
    __syncthreads();

    // Rows are keys: dk, dv. Scores and attn are transposed here: a column is a query.
    float dk[TILES][4] = {}, dv[TILES][4] = {};
    for (int first = 0; first < ROWS; first += 8 * BACKWARD) {
        float p[BACKWARD][4];  // attn, then dscores
#pragma unroll
        for (int i = 0; i < BACKWARD; i++) {
            int query = first + i * 8;
            if (IS_WITHIN(query, BACKWARD)) product(p[i], a, left, query);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                bool is_there = IS_WITHIN(query, BACKWARD);
                p[i][j] = is_there ? __expf(p[i][j] * scale - log_sum[query + 2 * t + j % 2]) : 0;
            }
        }
        add_product<BACKWARD>(dv, p, right_columns, first);
#pragma unroll
        for (int i = 0; i < BACKWARD; i++) {
            int query = first + i * 8;
            if (!IS_WITHIN(query, BACKWARD)) break;
            float dattn[4];
            product(dattn, b, right, query);
#pragma unroll
            for (int j = 0; j < 4; j++)
                p[i][j] *= (dattn[j] - delta[query + 2 * t + j % 2]) * scale;
        }
        add_product<BACKWARD>(dk, p, left_columns, first);
    }
    write(dqkv + start + WIDTH, dk, row, 3 * WIDTH, one);
    write(dqkv + start + 2 * WIDTH, dv, row, 3 * WIDTH, one);
    __syncthreads();

    add_up(sums + (size_t)image * 3 * WIDTH + head * HEAD_DIM, dqkv + start);
}
