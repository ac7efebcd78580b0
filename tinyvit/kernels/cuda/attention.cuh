// What attention.cu and attention_mma.cu share.

#define WIDTH (HEADS * HEAD_DIM)

// A head's gradients of q, k and v, of rows (TOKENS, 3, HEADS, HEAD_DIM), added up over the tokens.
__device__ inline void add_up(real* sums, const stored* dqkv) {
    for (int i = threadIdx.x; i < 3 * HEAD_DIM; i += THREADS) {
        int place = i / HEAD_DIM * WIDTH + i % HEAD_DIM;
        real sum = 0;
        for (int token = 0; token < TOKENS; token++)
            sum += get(dqkv[(size_t)token * 3 * WIDTH + place]);
        sums[place] = sum;
    }
}
