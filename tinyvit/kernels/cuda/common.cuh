// What all kernels share: the two number types, and sums over a warp.
//
// `real` is what is computed with, `stored` is how activations lie in memory: bf16 halves the
// bytes that have to be moved, and that is what most of these kernels spend their time on.

#ifndef REAL
#define REAL float
#endif
#ifndef STORED
#define STORED REAL
#endif

#ifndef VECTOR
#define VECTOR 1  // numbers that a thread reads and writes at once
#endif

#define WARP 32
#define ALL_LANES 0xffffffffu

struct bf16 {
    unsigned short bits;  // the upper half of a float: the same range, 3 digits instead of 7
};

typedef REAL real;
typedef STORED stored;

// VECTOR neighbours: one load of up to 16 bytes instead of several small ones.
template <class T> struct alignas(VECTOR * sizeof(T)) Pack {
    T x[VECTOR];
};

template <class T> __device__ inline const Pack<T>& pack_at(const T* place) {
    return *(const Pack<T>*)place;
}

template <class T> __device__ inline Pack<T>& pack_at(T* place) { return *(Pack<T>*)place; }

__device__ inline real get(real x) { return x; }
__device__ inline float get(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

__device__ inline void put(real* place, real x) { *place = x; }
__device__ inline void put(bf16* place, float x) {
#if !defined(FAKEGPU) && __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(place->bits) : "f"(x));
#else
    unsigned bits = __float_as_uint(x);
    unsigned up = 0x7fffu + (bits >> 16 & 1u);  // round to nearest, halves to even
    place->bits = x == x ? (bits + up) >> 16 : 0x7fffu;
#endif
}

// The sum over the 32 lanes of a warp; every lane gets it.
__device__ inline real warp_sum(real x) {
    for (int far = WARP / 2; far; far /= 2) x += __shfl_xor_sync(ALL_LANES, x, far);
    return x;
}

__device__ inline real warp_max(real x) {
    for (int far = WARP / 2; far; far /= 2) {
        real other = __shfl_xor_sync(ALL_LANES, x, far);
        x = x > other ? x : other;
    }
    return x;
}
