// The tensor cores' instruction: a warp multiplies a 16 x 16 by a 16 x 8 matrix of bf16.
//
//     c (16 x 8, float) += a (16 x 16) b (16 x 8)
//
// Each of the 32 lanes holds some elements, two neighbours in a word. With g = lane / 4 and
// t = lane % 4:
//     a[0], a[1]: row g, row g + 8, columns 2t, 2t + 1      a[2], a[3]: the same, columns + 8
//     b[0], b[1]: column g, rows 2t, 2t + 1; rows + 8
//     c[0], c[1]: row g, columns 2t, 2t + 1                 c[2], c[3]: row g + 8
// Two neighbouring c's are therefore, rounded to bf16, the a of the next product.
//
// Source: PTX ISA, section on mma.m16n8k16 with .bf16; compute capability 8.0.

__device__ inline void mma(float c[4], const unsigned a[4], const unsigned b[2]) {
#if defined(FAKEGPU)
    fakegpu::mma_m16n8k16_bf16(c, a, b, c);
#elif __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Two numbers as bf16 in one word, the first in its lower half.
__device__ inline unsigned pack(float low, float high) {
#if !defined(FAKEGPU) && __CUDA_ARCH__ >= 800
    unsigned word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
    return word;
#else
    bf16 first, second;
    put(&first, low);
    put(&second, high);
    return first.bits | (unsigned)second.bits << 16;
#endif
}

__device__ inline float low(unsigned word) { return __uint_as_float(word << 16); }
__device__ inline float high(unsigned word) { return __uint_as_float(word & 0xffff0000u); }
