// Random numbers that need no memory: the n-th number is a function of n, the seed and the step.
//
// Philox4x32-10: ten rounds that mix a counter of four 32-bit numbers under a key of two. A CUDA
// graph can replay it: the step is read from the card's memory.
//
// Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", table 2.

struct Four {
    unsigned x, y, z, w;
};

__device__ inline Four philox(Four counter, unsigned key0, unsigned key1) {
    for (int round = 0; round < 10; round++) {
        unsigned high0 = __umulhi(0xD2511F53u, counter.x), low0 = 0xD2511F53u * counter.x;
        unsigned high1 = __umulhi(0xCD9E8D57u, counter.z), low1 = 0xCD9E8D57u * counter.z;
        counter = {high1 ^ counter.y ^ key0, low1, high0 ^ counter.w ^ key1, low0};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

// In [0, 1): the upper 24 bits, which a float holds exactly.
__device__ inline float uniform(unsigned x) { return (x >> 8) * (1.0f / (1 << 24)); }
