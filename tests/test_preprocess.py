"""A photograph becomes what each project's own code makes of it."""

import json
import math

import numpy as np
import pytest
from PIL import Image
from side_by_side import mend_torchvision

from tinyvit import ViTConfig
from tinyvit.checkpoint import Checkpoint
from tinyvit.errors import InputError
from tinyvit.preprocess import IMAGENET, Preprocessing, preprocessing, read_photograph

SHAPES = [(640, 427), (37, 1001), (5, 7), (1, 40), (40, 1), (1, 1), (224, 224), (251, 250)]
SIZES = [224, 384, 30]
LEVEL = 1 / 127.5  # of grey, where black is -1 and white 1


def pixels(width, height, channels=3):
    """A photograph of no two equal parts, (H, W, C) uint8."""
    y, x, k = np.ogrid[:height, :width, :channels]
    waves = np.sin(0.9 * x + 0.1 * x * y + 2 * k) * np.cos(0.7 * y - k)
    return (127.5 + 127.5 * waves).round().astype(np.uint8)


@pytest.fixture
def photograph(tmp_path):
    def save(width, height):
        Image.fromarray(pixels(width, height)).save(tmp_path / "photo.png")
        return tmp_path / "photo.png"

    return save


def of(format, folder=".", beside=None, **fields):
    """How photographs are prepared for weights of that format.

    beside : the name of a file beside the weights, and what it holds
    """
    if beside:
        name, text = beside
        (folder / name).write_text(text if isinstance(text, str) else json.dumps(text))
    config = ViTConfig(**{"patch_size": 1, "img_size": 4} | fields)
    suffix = ".npz" if format == "google" else ".safetensors"
    return preprocessing(Checkpoint({}, config, format, f"{folder}/weights{suffix}"))


def of_timm(path, size, channels=3, **config):
    mend_torchvision()
    data = pytest.importorskip("timm.data")
    shape = (channels, size, size)
    values = data.resolve_data_config({"input_size": shape}, pretrained_cfg=config)
    transform = data.create_transform(**values, is_training=False)
    return transform(opened(path, channels)).numpy()[None]


def of_hugging_face(path, module="image_processing_pil_vit", name="ViTImageProcessorPil", **config):
    mend_torchvision()
    module = pytest.importorskip(f"transformers.models.vit.{module}")
    processor = getattr(module, name)(**config)
    return np.asarray(processor(opened(path), return_tensors="np")["pixel_values"])


def opened(path, channels=3):
    with Image.open(path) as image:
        return image.convert("RGB" if channels == 3 else "L")


# ---- the projects' own code


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_as_timm_does(photograph, shape, size, channels):
    path = photograph(*shape)
    half = {"mean": (0.5,) * channels, "std": (0.5,) * channels}
    crop = 1.0 if size == 384 else 0.9
    theirs = of_timm(path, size, channels, interpolation="bicubic", crop_pct=crop, **half)
    ours = read_photograph(path, of("timm", img_size=size, in_chans=channels))
    assert ours.shape == (1, channels, size, size) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_base_patch16_224", "vit_base_patch16_384"])
@pytest.mark.parametrize("kind", ["vit", "deit"])
def test_as_timm_does_for_the_models_it_publishes(photograph, name, kind):
    mend_torchvision()
    known = pytest.importorskip("timm.models").get_pretrained_cfg
    distilled = kind == "deit"
    name = name.replace("vit_base", "deit_base_distilled" if distilled else "vit_base")
    published = known(name).to_dict()
    size = published["input_size"][-1]
    path = photograph(300, 451)
    ours = read_photograph(path, of("timm", img_size=size, distilled=distilled))
    names = ("interpolation", "crop_pct", "crop_mode", "mean", "std")
    theirs = of_timm(path, size, **{key: published[key] for key in names})
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest", "lanczos"])
@pytest.mark.parametrize("crop_mode", ["center", "squash", None])
@pytest.mark.parametrize("crop_pct", [0.875, 0.95, 1.0, None])
def test_as_timm_does_by_its_config(photograph, tmp_path, interpolation, crop_mode, crop_pct):
    config = {"interpolation": interpolation, "crop_mode": crop_mode, "crop_pct": crop_pct}
    config |= {"mean": [0.2, 0.4, 0.6], "std": [0.3, 0.2, 0.1]}
    for shape in ((47, 31), (30, 64)):
        path = photograph(*shape)
        theirs = of_timm(path, 29, **config)
        note = {"architecture": "vit_base_patch16_224", "pretrained_cfg": config}
        how = of("timm", tmp_path, ("config.json", note), img_size=29)
        np.testing.assert_allclose(read_photograph(path, how), theirs, rtol=0, atol=3e-6)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_as_hugging_face_does(photograph, shape, size):
    path = photograph(*shape)
    ours = read_photograph(path, of("hf", img_size=size))
    square = {"height": size, "width": size}
    theirs = of_hugging_face(path, size=square)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    newer = of_hugging_face(path, "image_processing_vit", "ViTImageProcessor", size=square)
    np.testing.assert_allclose(ours, newer, rtol=0, atol=1.001 * LEVEL)  # torchvision rounds else


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"resample": 3, "image_mean": IMAGENET["mean"], "image_std": IMAGENET["std"]},
        {"resample": 0, "do_normalize": False},
        {"resample": 1, "do_rescale": False},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3},
        {"size": {"height": 41, "width": 41}, "do_center_crop": True, "crop_size": 30},
        {"size": {"shortest_edge": 37}, "do_center_crop": True, "crop_size": 30},
    ],
)
def test_as_hugging_face_does_by_its_config(photograph, tmp_path, change):
    values = {"size": {"height": 30, "width": 30}} | change
    for shape in ((47, 31), (30, 64)):
        path = photograph(*shape)
        theirs = of_hugging_face(path, **values)
        how = of("hf", tmp_path, ("preprocessor_config.json", values), img_size=30)
        scale = 255 if change.get("do_rescale") is False else 1
        np.testing.assert_allclose(read_photograph(path, how), theirs, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_as_google_does(photograph, shape, size, channels):
    torch = pytest.importorskip("torch")
    path = photograph(*shape)
    given = (
        np.asarray(opened(path, channels), np.float32)
        .reshape(1, *shape[::-1], channels)
        .transpose(0, 3, 1, 2)
    )
    how = {"mode": "bilinear", "align_corners": False, "antialias": False}
    theirs = torch.nn.functional.interpolate(torch.tensor(given), (size, size), **how).numpy()
    ours = read_photograph(path, of("google", img_size=size, in_chans=channels))
    np.testing.assert_allclose(ours, (theirs - 127.5) / 127.5, rtol=0, atol=0.02 * LEVEL)


# ---- without them


def levels(image):
    return (image[0] + 1) * 127.5


def test_as_they_did_once(photograph):
    path = photograph(13, 9)  # row 3 and column 0 of 10x10, from each project's own code
    timm = levels(read_photograph(path, of("timm", img_size=10)))
    row = [
        [119, 126, 135, 136, 129, 120, 119, 127, 136, 135],
        [60, 31, 85, 176, 227, 187, 93, 33, 56, 138],
        [86, 192, 242, 193, 84, 13, 50, 154, 230, 216],
    ]
    column = [
        [254, 236, 185, 119, 62, 35, 45, 78, 116, 142],
        [104, 76, 55, 60, 94, 151, 208, 241, 235, 191],
        [166, 124, 92, 86, 100, 120, 128, 118, 95, 74],
    ]
    np.testing.assert_allclose(timm[:, 3], row, atol=1e-3)
    np.testing.assert_allclose(timm[:, :, 0], column, atol=1e-3)
    hugging_face = [
        [119, 100, 132, 154, 118, 98, 135, 157, 119, 94],
        [178, 94, 68, 150, 188, 118, 69, 133, 185, 142],
        [33, 74, 203, 187, 52, 56, 187, 195, 76, 48],
    ]
    seen = levels(read_photograph(path, of("hf", img_size=10)))
    np.testing.assert_allclose(seen[:, 3], hugging_face, atol=1e-3)
    google = [
        [123.148, 100.015, 134.938, 160.81, 120.448, 98.023, 137.33, 159.687, 118.613, 92.435],
        [188.085, 94.738, 66.125, 153.39, 190.373, 113.705, 57.67, 128.725, 184.923, 133.388],
        [34.445, 71.415, 212.325, 200.873, 56.163, 59.835, 200.537, 203.462, 74.593, 51.287],
    ]
    seen = levels(read_photograph(path, of("google", img_size=10)))
    np.testing.assert_allclose(seen[:, 3], google, atol=1e-3)


def test_the_middle_of_half_a_pixel(photograph, tmp_path):
    """Of 7 pixels 4 are cut out at 1.5: torchvision begins at 2, Hugging Face at 1."""
    path = photograph(7, 7)
    whole = levels(read_photograph(path, of("google", img_size=7)))
    timm = {"architecture": "vit", "pretrained_cfg": {"crop_pct": 4 / 7.5, "mean": [0.5] * 3}}
    timm["pretrained_cfg"]["std"] = [0.5] * 3
    how = of("timm", tmp_path, ("config.json", timm), img_size=4)
    np.testing.assert_allclose(levels(read_photograph(path, how)), whole[:, 2:6, 2:6], atol=1e-3)
    values = {"size": 7, "do_center_crop": True, "crop_size": 4}
    how = of("hf", tmp_path, ("preprocessor_config.json", values), img_size=4)
    np.testing.assert_allclose(levels(read_photograph(path, how)), whole[:, 1:5, 1:5], atol=1e-3)


@pytest.mark.parametrize("size, scaled", [(224, 248), (384, 384), (512, 512), (32, 35), (8, 8)])
def test_what_timm_resizes_to(size, scaled):
    how = of("timm", img_size=size)
    assert (how.scaled, how.keeps_shape, how.method) == (scaled, True, "bicubic")
    assert of("timm", img_size=size, distilled=True).mean == IMAGENET["mean"]


def test_another_programs_config_is_left_alone(tmp_path):
    expected = of("timm")
    assert of("timm", tmp_path, ("config.json", {"model": "vit", "mean": [9]})) == expected
    assert of("google", tmp_path, ("config.json", {"architecture": "vit"})) == of("google")
    assert of("hf", tmp_path, ("config.json", {"architecture": "vit"})) == of("hf")
    old = {"architecture": "vit_base_patch16_224", "mean": [0.1] * 3, "std": [0.2] * 3}
    assert of("timm", tmp_path, ("config.json", old)).mean == (0.1,) * 3


def test_what_timms_config_says_is_done(tmp_path):
    said = {"crop_mode": "squash", "crop_pct": 0.8, "interpolation": "bilinear", "mean": [0.1] * 3}
    note = {"architecture": "vit_base_patch16_224", "pretrained_cfg": said}
    how = of("timm", tmp_path, ("config.json", note))
    assert (how.keeps_shape, how.scaled, how.method) == (False, 5, "bilinear")
    assert (how.mean, how.std) == ((0.1,) * 3, IMAGENET["std"])  # timm's own where none is said


def test_pixels_are_the_image_backwards(photograph):
    path = photograph(10, 10)
    for channels in (1, 3):
        for format in ("timm", "hf", "google"):
            how = of(format, img_size=10, in_chans=channels, distilled=format == "timm")
            image = read_photograph(path, how)
            seen = how.pixels(image)
            assert seen.dtype == np.uint8 and seen.shape == image.shape
            np.testing.assert_allclose(how.image(seen[0].transpose(1, 2, 0)), image, atol=1e-2)
    np.testing.assert_array_equal(
        of("google", img_size=10).pixels(read_photograph(path, of("google", img_size=10)))[0],
        pixels(10, 10).transpose(2, 0, 1),
    )


def test_grey_takes_the_mean_of_the_colours_means(photograph, tmp_path):
    how = of("timm", img_size=6, in_chans=1, distilled=True)
    black = how.image(np.zeros((6, 6, 1)))
    expected = -np.mean(IMAGENET["mean"]) / np.mean(IMAGENET["std"])
    np.testing.assert_allclose(black, expected, rtol=1e-6)


# ---- files of every kind


WHOLE = Preprocessing(
    size=6, channels=3, scaled=6, keeps_shape=False, method="points", mean=(0.5,), std=(0.5,)
)


def seen(path):
    return WHOLE.pixels(read_photograph(path, WHOLE))[0].transpose(1, 2, 0)  # (6, 6, 3)


@pytest.mark.parametrize("orientation, turned", [(3, 2), (6, 3), (8, 1)])
def test_turned_upright(tmp_path, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels(6, 6)).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(seen(tmp_path / "turned.png"), np.rot90(pixels(6, 6), turned))


def test_transparent_parts_are_white(tmp_path):
    colours = pixels(6, 6)
    alpha = np.full((6, 6, 1), 255, np.uint8)
    alpha[:2] = 0
    alpha[2] = 128
    Image.fromarray(np.concatenate([colours, alpha], axis=2)).save(tmp_path / "glass.png")
    picture = seen(tmp_path / "glass.png")
    assert (picture[:2] == 255).all()
    half = colours[2].astype(float) * 128 / 255 + 255 * 127 / 255
    np.testing.assert_allclose(picture[2], half, atol=1)
    np.testing.assert_array_equal(picture[3:], colours[3:])


@pytest.mark.parametrize(
    "mode, suffix", [("CMYK", "tif"), ("P", "gif"), ("L", "webp"), ("1", "png")]
)
def test_kinds_of_colour(tmp_path, mode, suffix):
    image = Image.fromarray(pixels(6, 6)).convert(mode)
    options = {"lossless": True} if suffix == "webp" else {}
    image.save(tmp_path / f"photo.{suffix}", **options)
    np.testing.assert_array_equal(
        seen(tmp_path / f"photo.{suffix}"), np.asarray(image.convert("RGB"))
    )


def test_sixteen_bits_of_grey(tmp_path):
    grey = pixels(6, 6)[..., 0]
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    with Image.open(tmp_path / "deep.png") as image:
        assert image.mode == "I;16"
    np.testing.assert_array_equal(seen(tmp_path / "deep.png")[..., 1], grey)


# ---- mistakes


@pytest.mark.parametrize("channels", [2, 4])
def test_other_channels_are_refused(channels):
    with pytest.raises(InputError, match=f"weights.*takes images of {channels} channels"):
        of("timm", in_chans=channels)


def test_too_long_a_strip_is_refused(tmp_path):
    Image.new("L", (1, 300)).save(tmp_path / "strip.png")
    with pytest.raises(InputError, match=r"strip.png: 1x300 pixels are too long a strip"):
        read_photograph(tmp_path / "strip.png", of("timm", img_size=224))
    Image.new("L", (70_000, 1)).save(tmp_path / "strip.png")
    with pytest.raises(InputError, match="too long a strip"):
        read_photograph(tmp_path / "strip.png", of("hf", img_size=224))


@pytest.mark.parametrize(
    "note, expected",
    [
        ("{", "config.json: is damaged"),
        ("[]", None),
        ("7", "config.json: is damaged"),
        ({"pretrained_cfg": {"mean": ["a"]}}, "is damaged"),
        ({"pretrained_cfg": {"mean": [math.nan] * 3}}, "mean, std and factor should be numbers"),
        ({"pretrained_cfg": {"std": [0.5, 0.0, 0.5]}}, "std above 0"),
        ({"pretrained_cfg": {"mean": [0.5] * 4}}, "1 or 3 numbers"),
        ({"pretrained_cfg": {"crop_pct": 2}}, "resized to 2 pixels no 4 can be cut out"),
        ({"pretrained_cfg": {"crop_pct": 1e-300}}, "no 4 can be cut out"),
        ({"pretrained_cfg": {"crop_pct": -1}}, "no 4 can be cut out"),
        ({"pretrained_cfg": {"crop_mode": "border"}}, "crop_mode 'border' is not known"),
        ({"pretrained_cfg": {"interpolation": "random"}}, "'random' is no known way"),
        ({"pretrained_cfg": {"interpolation": []}}, None),
        ({"pretrained_cfg": {"interpolation": ["a"]}}, "no known way"),
        ({"pretrained_cfg": 7}, "is damaged"),
    ],
)
def test_a_bad_config_of_timm_is_one_line(tmp_path, note, expected):
    if isinstance(note, dict):
        note = {"architecture": "vit_base_patch16_224"} | note
    if expected is None:
        of("timm", tmp_path, ("config.json", note))
        return
    with pytest.raises(InputError, match=expected) as error:
        of("timm", tmp_path, ("config.json", note))
    assert "\n" not in str(error.value) and str(error.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    "values, expected",
    [
        ("", "is damaged"),
        ({"do_resize": False}, "do_resize is false"),
        ({"size": {"height": 4, "width": 5}}, "4x5: the model takes square"),
        ({"size": 5}, "not 4x4, as the model takes them"),
        ({"size": {"shortest_edge": 4}}, "not 4x4"),
        ({"size": {"longest_edge": 4}}, "is damaged"),
        ({"size": 3, "do_center_crop": True, "crop_size": 4}, "to 3 pixels no 4"),
        ({"resample": 9}, "is damaged"),
        ({"rescale_factor": 0}, "factor not 0"),
        ({"image_std": 0}, "std above 0"),
        ({"image_mean": []}, "1 or 3 numbers"),
    ],
)
def test_a_bad_config_of_hugging_face_is_one_line(tmp_path, values, expected):
    with pytest.raises(InputError, match=expected) as error:
        of("hf", tmp_path, ("preprocessor_config.json", values))
    assert "preprocessor_config.json" in str(error.value) and "\n" not in str(error.value)
