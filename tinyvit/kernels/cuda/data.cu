// A training batch of the uint8 images on the card: gather, augment, normalise, patchify.
//                                       Textbook: tinyvit/augment.py, tinyvit/ops/patchify.py
//     image  = images[order[position * B + b]]
//     (row, col) of an output pixel shows the input at
//         in_row = ( cos down + sin right) / scale_row + centre      down  = row - centre - shift
//         in_col = (-sin down + cos right) / scale_col + centre      right = col - centre - shift
//     moved by the elastic displacement where there is one, read between its four neighbours
//     patches[b, n, (c, i, j)] = value / 127.5 - 1
//
// Tolerance: 2e-5 (positions in float), 2^-8 where bf16 is stored.
//
// Ladder
//   1  NumPy on the host, and a copy of 3.2 MB in every step (batch 1024)
//   2  one block an image: the numbers that move it are drawn here, the pixels stay bytes until
//      they are read, and patches are written where the first matrix product wants them

#include "common.cuh"
#include "random.cuh"

#ifndef CHANNELS
#define CHANNELS 1
#define SIZE 28
#define PATCH 4
#endif
#define GRID (SIZE / PATCH)
#define PIXELS (SIZE * SIZE)

__device__ inline real pixel(const unsigned char* plane, int row, int col) {
    bool is_there = row >= 0 && row < SIZE && col >= 0 && col < SIZE;
    return is_there ? plane[row * SIZE + col] : 0;
}

__device__ inline real clamped(real x) { return x < -1 ? -1 : x > SIZE ? SIZE : x; }

extern "C" __global__ void take_batch(
    const unsigned char* __restrict__ images,   // (all, CHANNELS, SIZE, SIZE)
    const int* __restrict__ all_labels,         // (all,)
    const int* __restrict__ order,              // (steps, batch): which images
    const long long* __restrict__ position,     // row of `order`
    const long long* __restrict__ step,         // for the random numbers
    const real* __restrict__ displacements,     // (2, batch, SIZE, SIZE) rows, columns, or null
    stored* __restrict__ patches,               // (batch, GRID * GRID, CHANNELS * PATCH * PATCH)
    int* __restrict__ labels,                   // (batch,)
    unsigned seed, unsigned stream,
    real shift, real rotate, real stretch) {    // +- pixels, radians, share
    int b = blockIdx.x, batch = gridDim.x;
    int chosen = order[*position * batch + b];
    unsigned long long now = *step;
    unsigned low = now, high = now >> 32;
    Four first = philox({(unsigned)b, 0, low, high}, seed, stream);
    Four second = philox({(unsigned)b, 1, low, high}, seed, stream);
    real down_shift = shift * (2 * uniform(first.x) - 1);
    real right_shift = shift * (2 * uniform(first.y) - 1);
    real angle = rotate * (2 * uniform(first.z) - 1);
    real scale_row = 1 + stretch * (2 * uniform(first.w) - 1);
    real scale_col = 1 + stretch * (2 * uniform(second.x) - 1);
    real cosine = cos(angle), sine = sin(angle), centre = real(SIZE - 1) / 2;
    if (threadIdx.x == 0) labels[b] = all_labels[chosen];

    for (int i = threadIdx.x; i < PIXELS; i += blockDim.x) {
        int row = i / SIZE, col = i % SIZE;
        real down = row - centre - down_shift, right = col - centre - right_shift;
        real in_row = (cosine * down + sine * right) / scale_row + centre;
        real in_col = (cosine * right - sine * down) / scale_col + centre;
        if (displacements) {
            in_row += displacements[(size_t)b * PIXELS + i];
            in_col += displacements[((size_t)batch + b) * PIXELS + i];
        }
        in_row = clamped(in_row);
        in_col = clamped(in_col);
        int top = floor(in_row), left = floor(in_col);
        real below = in_row - top, beside = in_col - left;
        int n = row / PATCH * GRID + col / PATCH, inside = row % PATCH * PATCH + col % PATCH;
        for (int c = 0; c < CHANNELS; c++) {
            const unsigned char* plane = images + ((size_t)chosen * CHANNELS + c) * PIXELS;
            real upper = pixel(plane, top, left), lower = pixel(plane, top + 1, left);
            upper += beside * (pixel(plane, top, left + 1) - upper);
            lower += beside * (pixel(plane, top + 1, left + 1) - lower);
            real value = upper + below * (lower - upper);
            size_t patch = ((size_t)b * GRID * GRID + n) * CHANNELS + c;
            put(patches + patch * PATCH * PATCH + inside, value / real(127.5) - 1);
        }
    }
}

// Patches of float images that are there already.        Textbook: tinyvit/ops/patchify.py
extern "C" __global__ void patchify(
    const real* __restrict__ images, stored* __restrict__ patches, unsigned count) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int col = i % SIZE, row = i / SIZE % SIZE, c = i / PIXELS % CHANNELS;
    size_t b = i / PIXELS / CHANNELS;
    int n = row / PATCH * GRID + col / PATCH, inside = row % PATCH * PATCH + col % PATCH;
    put(patches + ((b * GRID * GRID + n) * CHANNELS + c) * PATCH * PATCH + inside, images[i]);
}
