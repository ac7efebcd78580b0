"""Augmentation: every image of a batch moved, turned, scaled and bent a little, each its own way.

The model then never sees the same picture twice. All of it is one warp: for each output pixel, the
position in the input that it shows; the value there is read once, between its four neighbours.
"""

import math
from dataclasses import dataclass

import numpy as np

from .data.datasets import normalize
from .errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """How far an image may be changed; all zeros, the default, leaves it alone.

    shift : moved by up to +-shift on each axis [pixels]
    rotate : turned by up to +-rotate about the centre [degrees]
    scale : each axis stretched by a factor in 1 +- scale
    elastic : standard deviation of each pixel's own displacement on each axis [pixels]
    elastic_sigma : length over which neighbours are displaced alike [pixels]

    Simard et al. (2003) found alpha = 34, sigma = 4 best for MNIST; with a Gaussian that sums to 1
    that is elastic=1.4, elastic_sigma=4.

    Raises InputError for a value out of range.
    """

    shift: float = 0.0
    rotate: float = 0.0
    scale: float = 0.0
    elastic: float = 0.0
    elastic_sigma: float = 4.0

    def __post_init__(self):
        for name in ("shift", "rotate", "scale", "elastic"):
            value, limit = getattr(self, name), 1 if name == "scale" else 1000
            if not 0 <= value < limit:
                raise InputError(f"{name} is {value}: it must be at least 0 and below {limit}")
        if not 0.1 <= self.elastic_sigma < math.inf:
            raise InputError(f"elastic_sigma is {self.elastic_sigma}: it must be at least 0.1")


def augment(images, rng, augmentation):
    """Change each image at random and normalise it.

    images : (B, C, H, W) uint8; all channels of an image are warped alike
    rng : numpy.random.Generator; the same state gives the same images
    augmentation : Augmentation, how far

    Returns (B, C, H, W) float32 in [-1, 1], with background (-1) where the input had nothing.
    Raises InputError where the images are not raw pixels.
    """
    if images.dtype != np.uint8:
        raise InputError(f"images are {images.dtype}: augment takes the raw uint8 pixels")
    a = augmentation
    if not (a.shift or a.rotate or a.scale or a.elastic):
        return normalize(images)

    B, _, H, W = images.shape
    draws = rng.uniform(-1, 1, (5, B))
    rows, cols = affine_positions(
        (H, W), a.shift * draws[0:2], np.deg2rad(a.rotate) * draws[2], 1 + a.scale * draws[3:5]
    )
    if a.elastic:
        drows, dcols = a.elastic * smooth_noise(rng, (2, B, H, W), a.elastic_sigma)
        rows, cols = rows + drows, cols + dcols
    return normalize(sample_bilinear(images, rows, cols))


def affine_positions(size, shift, angle, scale):
    """Find which input position each output pixel shows once an image is scaled, turned, shifted.

    An input point p = (row, column) goes to q = R S (p - centre) + centre + shift, where
    R = [[cos, -sin], [sin, cos]] and S = diag(scale). So q shows
    p = S^-1 R^T (q - centre - shift) + centre.

    size : (H, W) [pixels]
    shift : (2, B) down and right [pixels]
    angle : (B,) counter-clockwise as seen [radians]
    scale : (2, B) factor on rows and columns

    Returns rows, cols: each (B, H, W) float32 [pixels], 0 at the first pixel's centre.
    """
    centre_row, centre_col = (size[0] - 1) / 2, (size[1] - 1) / 2
    down = np.arange(size[0]) - centre_row - shift[0][:, None]  # (B, H)
    right = np.arange(size[1]) - centre_col - shift[1][:, None]  # (B, W)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    scale_row, scale_col = scale[0][:, None], scale[1][:, None]

    def plane(by_row, by_col):  # (B, H), (B, W) -> (B, H, W)
        return by_row.astype(np.float32)[:, :, None] + by_col.astype(np.float32)[:, None, :]

    rows = plane(cos * down / scale_row + centre_row, sin * right / scale_row)
    cols = plane(-sin * down / scale_col, cos * right / scale_col + centre_col)
    return rows, cols


def smooth_noise(rng, shape, sigma):
    """Draw noise that varies smoothly over an image, with mean 0 and variance 1 at every pixel.

    noise = G_H u G_W^T, with u uniform and G[i, j] ~ exp(-(i - j)^2 / (2 sigma^2)). A row of G has
    sum_j G[i, j]^2 = 1, so the variance of u is kept, at the borders too.

    rng : numpy.random.Generator
    shape : (..., H, W)
    sigma : length of the Gaussian [pixels]

    Returns float32 of that shape.
    Source: Simard, Steinkraus, Platt (2003), Best practices for convolutional neural networks
    applied to visual document analysis, section 2.
    """
    uniform = (2 * rng.random(shape, dtype=np.float32) - 1) * math.sqrt(3)  # variance 1
    return smoothing(shape[-2], sigma) @ (uniform @ smoothing(shape[-1], sigma).T)


def smoothing(size, sigma):
    """Build the matrix that smooths noise along an axis and keeps its variance.

    size : of the axis
    sigma : length of the Gaussian [pixels]

    Returns (size, size) float32.
    """
    steps = np.arange(size) - np.arange(size)[:, None]
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    return (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)


def sample_bilinear(images, rows, cols):
    """Read images between their pixels: the mean of the four neighbours, weighted by nearness.

    images : (B, C, H, W) uint8; zero outside
    rows, cols : (B, H', W') float32 positions, the same for all channels [pixels]

    Returns (B, C, H', W') float32.
    """
    B, C, H, W = images.shape
    # A row and column of zeros before and two after: any position, once clipped to [-1, H], then
    # has its four neighbours.
    padded = np.zeros((B, C, H + 3, W + 3), np.float32)
    padded[:, :, 1:-2, 1:-2] = images
    pixels, line = padded.ravel(), W + 3

    rows = np.clip(rows, -1, H)[:, None]  # (B, 1, H', W')
    cols = np.clip(cols, -1, W)[:, None]
    top, left = np.floor(rows), np.floor(cols)
    down, right = rows - top, cols - left  # in [0, 1): the weights

    # Below, results overwrite arrays made here: fresh memory costs more than the arithmetic.
    first = np.arange(B * C).reshape(B, C, 1, 1) * ((H + 3) * line) + line + 1  # pixel (0, 0)
    index = first + (top * line + left).astype(np.intp)  # (B, C, H', W')
    upper = _between(pixels, index, right)
    index += line
    lower = _between(pixels, index, right)
    lower -= upper
    lower *= down
    upper += lower  # upper + (lower - upper) * down
    return upper


def _between(pixels, index, right):
    """Read between each indexed pixel and its right neighbour: a + (b - a) * right."""
    a, b = pixels.take(index), pixels.take(index + 1)
    b -= a
    b *= right
    a += b
    return a
