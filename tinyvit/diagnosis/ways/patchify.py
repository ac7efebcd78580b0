"""Patchify: other ways to write it."""

import numpy as np


def patch_by_patch(dpatches, cache):
    """Put back one patch after the other."""
    (B, C, H, W), P = cache
    rows, cols = H // P, W // P
    dimages = np.zeros((B, C, H, W))
    for row in range(rows):
        for col in range(cols):
            n = row * cols + col
            dpatch = dpatches[:, n].reshape(B, C, P, P)
            top, left = row * P, col * P
            dimages[:, :, top : top + P, left : left + P] = dpatch
    return dimages


def pixel_by_pixel(dpatches, cache):
    """Put back one pixel of every patch after the other."""
    (B, C, H, W), P = cache
    dimages = np.zeros((B, C, H, W))
    dpatches = dpatches.reshape(B, H // P, W // P, C, P, P)
    for i in range(P):
        for j in range(P):
            dpixels = dpatches[:, :, :, :, i, j]
            dimages[:, :, i::P, j::P] = dpixels.transpose(0, 3, 1, 2)
    return dimages


def cut_by_slices(images, patch_size):
    """Cut out one patch after the other."""
    B, C, H, W = images.shape
    P = patch_size
    rows, cols = H // P, W // P
    patches = np.zeros((B, rows * cols, C * P * P))
    for row in range(rows):
        for col in range(cols):
            n = row * cols + col
            top, left = row * P, col * P
            patch = images[:, :, top : top + P, left : left + P]
            patches[:, n] = patch.reshape(B, C * P * P)
    return patches, None


def cut_by_pixels(images, patch_size):
    """Take one pixel of every patch after the other."""
    B, C, H, W = images.shape
    P = patch_size
    patches = np.zeros((B, H // P, W // P, C, P, P))
    for i in range(P):
        for j in range(P):
            pixels = images[:, :, i::P, j::P]
            patches[:, :, :, :, i, j] = pixels.transpose(0, 2, 3, 1)
    return patches.reshape(B, -1, C * P * P), None


FORWARD = (cut_by_slices, cut_by_pixels)
BACKWARD = (patch_by_patch, pixel_by_pixel)
