"""Augmentation: identity, exact shifts and turns, statistics, and repeatability."""

import dataclasses

import numpy as np
import pytest

from tinyvit.augment import Augmentation, affine_positions, augment, sample_bilinear, smooth_noise
from tinyvit.data import load_dataset, normalize
from tinyvit.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 2, 6, 7), dtype=np.uint8)  # B, C, H, W
SQUARE = np.random.default_rng(1).integers(0, 256, (3, 2, 6, 6), dtype=np.uint8)
ALL = Augmentation(shift=2, rotate=15, scale=0.1, elastic=1, elastic_sigma=2)
ONE = [1.0, 1.0, 1.0]
ZERO = [0.0, 0.0, 0.0]


def warp(images, shift=(ZERO, ZERO), angle=ZERO, scale=(ONE, ONE)):
    """Warp each image by its own given amounts."""
    size = images.shape[2:]
    return sample_bilinear(
        images, *affine_positions(size, np.array(shift), np.array(angle), np.array(scale))
    )


def test_all_zero_settings_only_normalise():
    np.testing.assert_array_equal(
        augment(IMAGES, np.random.default_rng(0), Augmentation()), normalize(IMAGES)
    )


def test_the_warp_that_moves_nothing_is_exact():
    np.testing.assert_array_equal(warp(IMAGES), IMAGES)


def test_whole_pixel_shifts_are_plain_shifts():
    out = warp(IMAGES, shift=([1.0, -2.0, 0.0], [3.0, -1.0, 50.0]))
    expected = np.zeros(IMAGES.shape, np.float32)
    expected[0, :, 1:, 3:] = IMAGES[0, :, :-1, :-3]
    expected[1, :, :-2, :-1] = IMAGES[1, :, 2:, 1:]
    np.testing.assert_array_equal(out, expected)  # the third is shifted out of sight


def test_half_pixel_shift_is_the_mean_of_two():
    out = warp(IMAGES, shift=([0.0, 0.5, 0.0], [0.25, 0.0, 0.0]))
    padded = np.pad(IMAGES.astype(np.float32), ((0, 0), (0, 0), (1, 0), (1, 0)))
    by_column = 0.75 * padded[0, :, 1:, 1:] + 0.25 * padded[0, :, 1:, :-1]
    by_row = 0.5 * padded[1, :, 1:, 1:] + 0.5 * padded[1, :, :-1, 1:]
    np.testing.assert_allclose(out[0], by_column, atol=1e-3)
    np.testing.assert_allclose(out[1], by_row, atol=1e-3)


def test_quarter_turns_are_rot90():
    out = warp(SQUARE, angle=np.deg2rad([90, -90, 180]))
    for image, turned, quarters in zip(SQUARE, out, (1, -1, 2), strict=True):
        np.testing.assert_allclose(turned, np.rot90(image, quarters, axes=(1, 2)), atol=1e-3)


def test_scale_two_reads_at_every_half_pixel_about_the_centre():
    out = warp(IMAGES, scale=([2.0, 1.0, 1.0], [1.0, 2.0, 1.0]))
    image = IMAGES.astype(np.float32)
    for i, row in enumerate([1.25, 1.75, 2.25, 2.75, 3.25, 3.75]):
        low, part = int(row), row % 1
        expected = image[0, :, low] * (1 - part) + image[0, :, low + 1] * part
        np.testing.assert_allclose(out[0, :, i], expected, atol=1e-3)
    for i, col in enumerate([1.5, 2, 2.5, 3, 3.5, 4, 4.5]):
        low, part = int(col), col % 1
        expected = image[1, :, :, low] * (1 - part) + image[1, :, :, low + 1] * part
        np.testing.assert_allclose(out[1, :, :, i], expected, atol=1e-3)


def test_bilinear_against_a_plain_loop():
    rng = np.random.default_rng(3)
    rows = rng.uniform(-3, 9, (3, 4, 5)).astype(np.float32)
    cols = rng.uniform(-3, 10, (3, 4, 5)).astype(np.float32)
    out = sample_bilinear(IMAGES, rows, cols)
    expected = np.zeros((3, 2, 4, 5))
    for b, c, i, j in np.ndindex(expected.shape):
        for y, x in np.ndindex(6, 7):
            near_row = max(0, 1 - abs(rows[b, i, j] - y))
            near_col = max(0, 1 - abs(cols[b, i, j] - x))
            expected[b, c, i, j] += IMAGES[b, c, y, x] * near_row * near_col
    np.testing.assert_allclose(out, expected, atol=2e-3)


def test_scale_then_turn_then_shift():
    """A bright pixel goes where q = R S (p - centre) + centre + shift says."""
    image = np.zeros((1, 1, 21, 21), np.uint8)
    image[0, 0, 10, 14] = 255  # 4 right of the centre
    out = warp(image, shift=([[2.0], [-1.0]]), angle=[np.pi / 2], scale=([[1.0], [1.5]]))
    # 4 right, x1.5 = 6 right; turned counter-clockwise: 6 up; shifted: 4 up, 1 left
    assert np.unravel_index(out[0, 0].argmax(), (21, 21)) == (6, 9)


def test_output_form():
    before = IMAGES.copy()
    out = augment(IMAGES, np.random.default_rng(0), ALL)
    assert out.shape == IMAGES.shape and out.dtype == np.float32
    assert out.min() >= -1 and out.max() <= 1
    np.testing.assert_array_equal(IMAGES, before)
    assert augment(IMAGES[:0], np.random.default_rng(0), ALL).shape == (0, 2, 6, 7)
    scalars = Augmentation(shift=np.float64(1), elastic=np.float64(1))  # do not widen the result
    assert augment(IMAGES, np.random.default_rng(0), scalars).dtype == np.float32


@pytest.mark.parametrize("value", [0, 255])
def test_a_flat_image_keeps_its_range(value):
    flat = np.full((50, 1, 9, 9), value, np.uint8)
    out = augment(flat, np.random.default_rng(0), ALL)
    assert out.min() >= -1 and out.max() <= 1
    if value == 0:
        assert (out == -1).all()
    else:
        np.testing.assert_allclose(out[:, :, 4, 4], 1, atol=1e-6)


@pytest.mark.parametrize("name", ["shift", "rotate", "scale", "elastic"])
def test_seeds(name):
    settings = Augmentation(**{name: 0.5})

    def run(seed):
        return augment(IMAGES, np.random.default_rng(seed), settings)

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))
    rng = np.random.default_rng(1)
    assert not np.array_equal(augment(IMAGES, rng, settings), augment(IMAGES, rng, settings))


def test_each_image_is_changed_its_own_way_and_its_channels_alike():
    same = np.broadcast_to(IMAGES[:1, :1], (4, 3, 6, 7))
    out = augment(same, np.random.default_rng(0), ALL)
    for channel in (1, 2):
        np.testing.assert_array_equal(out[:, channel], out[:, 0])
    for i in range(4):
        for j in range(i):
            assert np.abs(out[i] - out[j]).max() > 0.1


def centroids(out):
    """Find the ink's centre of each image: (2, B) in rows and columns."""
    ink = (out + 1)[:, 0]
    total = ink.sum(axis=(1, 2))
    rows, cols = np.indices(ink.shape[1:])
    return np.array([(ink * rows).sum(axis=(1, 2)), (ink * cols).sum(axis=(1, 2))]) / total


def test_shifts_are_uniform_on_both_axes():
    dot = np.zeros((2000, 1, 15, 15), np.uint8)
    dot[:, :, 7, 7] = 255
    moved = centroids(augment(dot, np.random.default_rng(0), Augmentation(shift=3))) - 7
    assert np.abs(moved).max() <= 3.001
    np.testing.assert_allclose(moved.mean(axis=1), 0, atol=0.15)
    np.testing.assert_allclose(moved.std(axis=1), 3 / np.sqrt(3), rtol=0.05)
    assert abs(np.corrcoef(moved)[0, 1]) < 0.08


def test_rotations_are_uniform_in_degrees():
    dot = np.zeros((2000, 1, 31, 31), np.uint8)
    dot[:, :, 15, 25] = 255  # 10 right of the centre
    row, col = centroids(augment(dot, np.random.default_rng(0), Augmentation(rotate=20))) - 15
    degrees = np.rad2deg(np.arctan2(-row, col))
    assert 19 < degrees.max() < 20.7 and -20.7 < degrees.min() < -19
    np.testing.assert_allclose(degrees.std(), 20 / np.sqrt(3), rtol=0.05)
    np.testing.assert_allclose(np.hypot(row, col), 10, atol=0.3)


def test_scales_are_uniform_on_each_axis():
    dot = np.zeros((2000, 1, 31, 31), np.uint8)
    dot[:, :, 23, 25] = 255  # 8 down, 10 right
    row, col = centroids(augment(dot, np.random.default_rng(0), Augmentation(scale=0.2))) - 15
    factors = np.array([row / 8, col / 10])
    assert factors.min() > 0.75 and factors.max() < 1.25
    np.testing.assert_allclose(factors.mean(axis=1), 1, atol=0.02)
    np.testing.assert_allclose(factors.std(axis=1), 0.2 / np.sqrt(3), rtol=0.07)
    assert abs(np.corrcoef(factors)[0, 1]) < 0.08


@pytest.mark.parametrize("sigma", [0.5, 2, 4])
def test_elastic_noise_has_unit_variance_everywhere_and_the_stated_length(sigma):
    noise = smooth_noise(np.random.default_rng(0), (4000, 12, 15), sigma)
    assert noise.dtype == np.float32
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.08)
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.06)  # each pixel, borders too
    # far from the border, smoothing with exp(-d^2 / 2 s^2) correlates as exp(-d^2 / 4 s^2)
    if sigma < 4:
        correlation = (noise[:, 6, 7] * noise[:, 6, 9]).mean()
        np.testing.assert_allclose(correlation, np.exp(-(2**2) / (4 * sigma**2)), atol=0.06)


def test_elastic_moves_pixels_by_its_standard_deviation():
    """On a ramp of 10 grey levels a column, the change of value tells the displacement."""
    ramp = np.broadcast_to((10 * np.arange(24)).astype(np.uint8), (500, 1, 24, 24))
    for image, axis in ((ramp, "columns"), (ramp.swapaxes(2, 3), "rows")):
        out = augment(image, np.random.default_rng(0), Augmentation(elastic=1.5, elastic_sigma=3))
        moved = (out - normalize(image)) * 127.5 / 10
        inside = moved[:, 0, 8:16, 8:16]  # no position here reaches outside
        np.testing.assert_allclose(inside.std(), 1.5, rtol=0.05, err_msg=axis)
        np.testing.assert_allclose(inside.mean(), 0, atol=0.15, err_msg=axis)


def test_mean_ink_of_real_digits_is_kept():
    digits = load_dataset("digits").train_images
    pictures = np.pad(digits, ((0, 0), (0, 0), (4, 4), (4, 4)))  # room to move
    settings = Augmentation(shift=2, rotate=10, scale=0.1, elastic=0.5, elastic_sigma=2)
    out = augment(pictures, np.random.default_rng(0), settings) + 1
    plain = normalize(pictures) + 1
    np.testing.assert_allclose(out.mean(), plain.mean(), rtol=0.03)
    assert np.abs(out - plain).mean() > 0.1


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Augmentation)])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_settings_out_of_range(field, value):
    with pytest.raises(InputError, match=f"^{field} is {value}: it must be"):
        Augmentation(**{field: value})


def test_scale_of_one_would_flatten_an_image():
    with pytest.raises(InputError, match="scale is 1: it must be at least 0 and below 1"):
        Augmentation(scale=1)


def test_normalised_images_are_refused():
    with pytest.raises(InputError, match="images are float32: augment takes the raw uint8 pixels"):
        augment(normalize(IMAGES), np.random.default_rng(0), ALL)
