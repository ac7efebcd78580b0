"""A user's picture comes out like the training images, and a bad one gets one clear line."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tinyvit.data import load_dataset
from tinyvit.errors import InputError
from tinyvit.picture import ink_fraction, lay_down, read_picture


def drawn(width=400, height=300, pen=26):
    """A seven, black on white: (H, W) uint8."""
    image = Image.new("L", (width, height), 255)
    points = [(150, 60), (250, 60), (190, 240)]
    ImageDraw.Draw(image).line(points, fill=0, width=pen, joint="curve")
    return np.asarray(image)


def read(tmp_path, pixels, name="picture.png", **settings):
    path = tmp_path / name
    Image.fromarray(pixels).save(path)
    return read_picture(path, **settings)


def ink_of(picture):
    """(1, 1, H, W) in [-1, 1] -> (H, W) in [0, 1]."""
    return (picture[0, 0] + 1) / 2


def box(ink):
    """Height and width of the box around the ink."""
    rows, columns = np.nonzero(ink > 0.5)
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def centre(ink):
    return (np.indices(ink.shape) * ink).sum(axis=(1, 2)) / ink.sum()


def test_a_drawing_is_laid_down_as_mnist_is(tmp_path):
    picture = read(tmp_path, drawn())
    assert picture.shape == (1, 1, 28, 28) and picture.dtype == np.float32
    ink = ink_of(picture)
    assert ink.min() == 0 and ink.max() == 1
    assert ink[[0, -1]].max() == 0 and ink[:, [0, -1]].max() == 0
    height, width = box(ink)
    assert height == 20 and 11 <= width <= 14
    assert np.abs(centre(ink) - 14).max() <= 0.5 + 1e-6
    assert ink[5:8].sum() > ink[-8:-5].sum()  # a seven is heavier at its top: it stands upright


@pytest.mark.parametrize("size, fraction, side", [(28, 0.5, 14), (32, 20 / 28, 23), (8, 1.0, 8)])
def test_the_ink_fills_the_box_it_is_given(tmp_path, size, fraction, side):
    picture = read(tmp_path, drawn(), image_size=size, ink_fraction=fraction)
    assert picture.shape == (1, 1, size, size)
    assert abs(max(box(ink_of(picture))) - side) <= (size == 8)


def test_kinds_of_file_agree(tmp_path):
    grey = drawn()
    ink = 255 - grey
    black = np.zeros_like(grey)
    plain = read(tmp_path, grey)
    same = {
        "inverted": read(tmp_path, ink),
        "colour": read(tmp_path, np.stack([grey, grey, grey], axis=-1)),
        "alpha": read(tmp_path, np.stack([grey, grey, grey, black + 255], axis=-1)),
        "black on glass": read(tmp_path, np.stack([black, black, black, ink], axis=-1)),
        "white on glass": read(tmp_path, np.stack([black + 255] * 3 + [ink], axis=-1)),
        "16 bits": read(tmp_path, grey.astype(np.uint16) * 257),
        "32-bit float": read(tmp_path, (grey / 255).astype(np.float32), "picture.tiff"),
    }
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.gif")
    same["palette"] = read_picture(tmp_path / "palette.gif")
    Image.fromarray(grey).convert("1").save(tmp_path / "bits.png")
    same["bits"] = read_picture(tmp_path / "bits.png")
    for kind, picture in same.items():
        assert np.abs(picture - plain).max() < 0.02, kind
    blue_on_yellow = np.stack([grey, grey, ink], axis=-1)
    assert np.abs(read(tmp_path, blue_on_yellow) - plain).mean() < 0.02


def test_a_phone_photo_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn to the right
    turned = Image.fromarray(drawn()).rotate(90, expand=True)
    turned.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    plain = read(tmp_path, drawn())
    assert np.abs(read_picture(tmp_path / "phone.jpg") - plain).mean() < 0.02


@pytest.mark.parametrize("light", ["lamp at the side", "shadow", "chalk"])
def test_uneven_light_and_specks_do_not_matter(tmp_path, light):
    rng = np.random.default_rng(0)
    ink = 1 - drawn() / 255
    ink[20:23, 30:33] = 1  # dirt
    y, x = np.mgrid[0:300, 0:400]
    lamp = 0.3 + 0.6 * x / 400
    if light == "shadow":
        lamp = 0.8 - 0.4 / (1 + np.exp(-(x + 0.3 * y - 150) / 5))
    shine = 0.25 + 0.6 * ink if light == "chalk" else 1 - 0.7 * ink
    photo = 255 * lamp * shine + rng.normal(0, 4, ink.shape)
    picture = read(tmp_path, photo.clip(0, 255).astype(np.uint8), "photo.jpg")
    assert np.abs(picture - read(tmp_path, drawn())).mean() < 0.06


def test_a_thin_pen_in_a_large_picture_is_as_thick_and_bright_as_mnist(tmp_path):
    large = np.asarray(Image.fromarray(drawn(pen=3)).resize((2000, 1500)))
    thin = ink_of(read(tmp_path, large))
    thick = ink_of(read(tmp_path, drawn(pen=26)))
    assert thin.max() == 1 and 0.8 < thin.sum() / thick.sum() < 1.2
    assert max(box(thin)) == 20


@pytest.mark.parametrize("image_size", [8, 28, 224])
def test_a_hair_line_that_fills_the_picture_is_not_lost(tmp_path, image_size):
    image = Image.new("L", (512, 512), 255)
    ImageDraw.Draw(image).line([(20, 10), (480, 10), (200, 500)], fill=0, width=1)
    ink = ink_of(read(tmp_path, np.asarray(image), image_size=image_size))
    assert abs(max(box(ink)) - round(image_size * 20 / 28)) <= 1
    assert 0.04 < ink.mean() < 0.2


def test_a_thin_pen_on_grainy_paper_is_found(tmp_path):
    ink = 1 - drawn(800, 600, pen=4) / 255
    photo = 90 * (1 - 0.6 * ink) + np.random.default_rng(0).normal(0, 11, ink.shape)
    picture = read(tmp_path, photo.clip(0, 255).astype(np.uint8))
    assert np.abs(picture - read(tmp_path, drawn(800, 600, pen=4))).mean() < 0.06


def test_a_picture_of_the_right_size_is_only_turned_bright_on_dark(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.zeros((28, 28), np.uint8)
    pixels[3:20, 9:14] = rng.integers(1, 200, (17, 5))  # off centre, not stretched
    expected = pixels / 127.5 - 1
    np.testing.assert_allclose(read(tmp_path, pixels)[0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(read(tmp_path, 255 - pixels)[0, 0], expected, atol=1e-6)


def test_colour_is_scaled_and_nothing_else(tmp_path):
    pixels = np.zeros((60, 60, 3), np.uint8)
    pixels[:] = 200, 100, 0
    pixels[:, :30] = 0, 50, 255
    picture = read(tmp_path, pixels, channels=3, image_size=32)
    assert picture.shape == (1, 3, 32, 32)
    np.testing.assert_allclose(picture[0, :, 5, -1], np.array([200, 100, 0]) / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(picture[0, :, 5, 0], np.array([0, 50, 255]) / 127.5 - 1, atol=1e-6)


def test_ink_fraction_is_the_longer_side_of_the_box():
    images = np.zeros((3, 1, 28, 28), np.uint8)
    images[0, 0, 4:24, 10:15] = 255  # 20 high
    images[1, 0, 9:12, 2:22] = 16  # 20 wide, and faint: UCI's digits go up to 16
    images[2, 0, 5:7, 5:7] = 255  # 2: an outlier
    images[0, 0, 0, 0] = 100  # a soft edge does not count
    assert ink_fraction(images) == pytest.approx(20 / 28)
    assert ink_fraction(np.zeros((2, 1, 8, 8), np.uint8)) == 1.0


def errors_of(path, **settings):
    with pytest.raises(InputError) as caught:
        read_picture(path, **settings)
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text
    return text


def test_a_bad_file_gets_one_line_that_names_it(tmp_path):
    assert "no such file" in errors_of(tmp_path / "none.png")
    assert "a folder" in errors_of(tmp_path)
    (tmp_path / "notes.png").write_text("not a picture")
    assert "save it as PNG or JPEG" in errors_of(tmp_path / "notes.png")
    (tmp_path / "empty.png").write_bytes(b"")
    assert "save it as PNG or JPEG" in errors_of(tmp_path / "empty.png")
    noise = np.random.default_rng(0).integers(0, 256, (60, 70), np.uint8)
    for name in ("cut.png", "cut.jpg", "cut.gif", "cut.bmp"):
        Image.fromarray(noise).save(tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        assert "broken picture" in errors_of(tmp_path / name)
    assert "the model takes 2" in errors_of(tmp_path / "notes.png", channels=2)


@pytest.mark.parametrize("limit", [1000, 7000])  # far above it Pillow raises, just above it warns
def test_a_picture_too_large_is_refused_without_a_warning(tmp_path, monkeypatch, limit):
    Image.fromarray(np.zeros((100, 100), np.uint8)).save(tmp_path / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert "million pixels: make the picture smaller" in errors_of(tmp_path / "huge.png")


@pytest.mark.parametrize("size", [(28, 28), (300, 400), (1, 1), (2, 500)])
def test_a_blank_picture_is_refused(tmp_path, size):
    rng = np.random.default_rng(0)
    for shade in (0, 130, 255):
        Image.fromarray(np.full(size, shade, np.uint8)).save(tmp_path / "blank.png")
        assert "nothing is drawn" in errors_of(tmp_path / "blank.png")
    if size == (300, 400):
        paper = np.linspace(120, 220, 400) + rng.normal(0, 5, size)
        Image.fromarray(paper.astype(np.uint8)).save(tmp_path / "paper.jpg")
        assert "nothing is drawn" in errors_of(tmp_path / "paper.jpg")


def test_other_digits_are_laid_down_as_a_drawing_of_them_is(tmp_path):
    images = load_dataset("digits").test_images[:5]
    laid = lay_down(images)
    assert laid.shape == (5, 1, 28, 28) and laid.dtype == np.float32
    assert laid.min() >= -1 and laid.max() == 1
    for image, one in zip(images, laid, strict=True):
        drawing = read(tmp_path, image[0])
        assert np.corrcoef(one.ravel(), drawing.ravel())[0, 1] > 0.85
        assert max(box((one[0] + 1) / 2)) == 20
        np.testing.assert_allclose(centre((one[0] + 1) / 2), 14, atol=0.6)
    assert lay_down(images, image_size=14, ink_fraction=0.5).shape == (5, 1, 14, 14)
