"""A photograph, made to look as the photographs did that a published model was trained on.

Each project resizes, cuts and scales in its own way, and a model sees best what it was shown. What
the project says in a file beside the weights (timm's config.json, Hugging Face's
preprocessor_config.json) decides; without one, what it did for the weights it published.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .errors import InputError
from .interpolation import resize
from .picture import DEEP, brightness, open_picture

HALF = {"mean": (0.5,), "std": (0.5,)}  # black becomes -1, white 1
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # red, green, blue
LONGEST = 65_535  # pixels a side, in the file and resized: a longer strip would not fit in memory
PILLOW = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # in Pillow's order
POINTS = "points"


@dataclass(frozen=True)
class Preprocessing:
    """How a photograph becomes the image that a model sees.

        image = (factor * pixels - mean) / std

    size : H = W of the image [pixels]
    channels : C, 1 (grey) or 3 (red, green, blue)
    scaled : side to which the photograph is resized, before its middle is cut out [pixels]
    keeps_shape : True: that is the shorter side, the longer in proportion; False: both
    method : "bicubic", "bilinear" ..., as Pillow resizes: a pixel is a mean over all that it now
        covers; or "points": a mix of the four old pixels around its middle, as `tf.image.resize`
    mean, std : a number, or one for red, green and blue each; a grey image takes their mean
    factor : on pixels of 0 to 255
    halved : what becomes of half a pixel where the middle begins: `round` or `math.floor`

    Raises InputError for numbers that make no image.
    """

    size: int
    channels: int
    scaled: int
    keeps_shape: bool
    method: str
    mean: tuple
    std: tuple
    factor: float = 1 / 255
    halved: Callable = round

    def __post_init__(self):
        if self.channels not in (1, 3):
            raise InputError(
                f"takes images of {self.channels} channels, but a photograph has 3, or 1 when grey"
            )
        if not self.size <= self.scaled <= LONGEST:
            raise InputError(
                f"of a photograph resized to {self.scaled} pixels no {self.size} can be cut out"
            )
        if self.method not in (*PILLOW, POINTS):
            raise InputError(f"{self.method!r} is no known way to resize: {', '.join(PILLOW)}")
        if not np.isfinite([*self.mean, *self.std, self.factor]).all() or self.factor == 0:
            raise InputError("mean, std and factor should be numbers, the factor not 0")
        if min(self.std) <= 0 or not {len(self.mean), len(self.std)} <= {1, 3}:
            raise InputError("mean and std should be 1 or 3 numbers each, and std above 0")

    def image(self, pixels):
        """What the model takes: (H, W, C) in [0, 255] -> (1, C, H, W) float32."""
        pixels = np.asarray(pixels, np.float32)
        pixels = pixels.transpose(2, 0, 1)[None]  # (H, W, C) -> (1, C, H, W)
        mean, std = self._of_channels()
        return ((self.factor * pixels - mean) / std).astype(np.float32)

    def pixels(self, images):
        """The same backwards, for the eye: (B, C, H, W) -> (B, C, H, W) uint8."""
        mean, std = self._of_channels()
        return np.clip((images * std + mean) / self.factor, 0, 255).round().astype(np.uint8)

    def _of_channels(self):
        """Mean and std, (C, 1, 1) or (1, 1, 1)."""
        numbers = (self.mean, self.std)
        if self.channels == 1:
            numbers = ((sum(each) / len(each),) for each in numbers)
        return (np.array(each, np.float32)[:, None, None] for each in numbers)


def read_photograph(path, how):
    """Read an image file as a model is to see it.

    path : the image file, of any size and kind that Pillow reads; what is transparent gets white
    how : `Preprocessing`

    Returns the image, (1, C, H, W) float32.
    Raises InputError when there is no such file, or no picture in it that can be read.
    """
    image = open_picture(path, lambda image: _on_white(image, how.channels))
    sides = [how.scaled, how.scaled]
    if how.keeps_shape:
        sides = [int(how.scaled * side / min(image.size)) for side in image.size]
    if max(*image.size, *sides) > LONGEST:
        raise InputError(
            f"{path}: {image.width}x{image.height} pixels are too long a strip: cut a part out"
        )
    if how.method == POINTS:
        pixels = np.asarray(image).reshape(image.height, image.width, how.channels)
        return how.image(resize(pixels, (how.size, how.size), "bilinear"))
    pixels = np.asarray(_middle(image, how, sides))
    return how.image(pixels.reshape(how.size, how.size, how.channels))


def preprocessing(checkpoint):
    """Say how photographs are prepared for a checkpoint's model.

    checkpoint : as `open_checkpoint` returns it

    Returns the `Preprocessing`.
    Raises InputError when the model takes other than 1 or 3 channels, or when the file beside the
    weights is damaged or asks for what is not known here.
    """
    path = Path(checkpoint.path)
    try:
        how = _defaults(checkpoint.format, checkpoint.config)
        if checkpoint.format == "timm":
            path = path.with_name("config.json")
            return _as_timm_says(json.loads(path.read_bytes()), how)
        if checkpoint.format == "hf":
            path = path.with_name("preprocessor_config.json")
            return _as_hugging_face_says(json.loads(path.read_bytes()), how)
        return how
    except FileNotFoundError:
        return how
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise InputError(
            f"{path}: is damaged where it says how photographs are prepared: mend or remove it"
        ) from None


# ---- what each project does


def _defaults(format, config):
    """What a project did for the weights that it published."""
    size = config.img_size
    square = {"size": size, "channels": config.in_chans, "scaled": size, "keeps_shape": False}
    if format == "google":
        return Preprocessing(**square, method=POINTS, **HALF)
    if format == "hf":
        return Preprocessing(**square, method="bilinear", **HALF, halved=math.floor)
    scaled = size if size >= 384 else math.floor(size / 0.9)
    colours = IMAGENET if getattr(config, "distilled", False) else HALF
    shape = square | {"scaled": scaled, "keeps_shape": True}
    return Preprocessing(**shape, method="bicubic", **colours)


def _as_timm_says(values, how):
    """timm's config.json; what it leaves out is as in timm's `resolve_data_config`."""
    if "architecture" not in values:  # another's, as that of a run
        return how
    values = values.get("pretrained_cfg", values)
    mode, crop = values.get("crop_mode") or "center", values.get("crop_pct") or 0.875
    if mode not in ("center", "squash"):
        raise InputError(f'crop_mode {mode!r} is not known: use "center" or "squash"')
    return replace(
        how,
        scaled=math.floor(how.size / crop),
        keeps_shape=mode == "center",
        method=values.get("interpolation") or "bicubic",
        mean=_numbers(values.get("mean") or IMAGENET["mean"]),
        std=_numbers(values.get("std") or IMAGENET["std"]),
    )


def _as_hugging_face_says(values, how):
    """Hugging Face's preprocessor_config.json."""
    values = {name: value for name, value in values.items() if value is not None}
    if not values.get("do_resize", True):
        raise InputError("do_resize is false, but a photograph has to be resized")
    size = values.get("size", how.scaled)
    keeps_shape = isinstance(size, dict) and "shortest_edge" in size
    scaled = _side(size["shortest_edge"] if keeps_shape else size)
    cuts = values.get("do_center_crop", how.scaled != how.size)
    final = _side(values.get("crop_size", how.size)) if cuts else scaled
    if final != how.size or (keeps_shape and not cuts):
        raise InputError(f"its images are not {how.size}x{how.size}, as the model takes them")
    scale = values if values.get("do_normalize", True) else {"image_mean": 0.0, "image_std": 1.0}
    factor = values.get("rescale_factor", 1 / 255) if values.get("do_rescale", True) else 1.0
    return replace(
        how,
        scaled=scaled,
        keeps_shape=keeps_shape,
        method=PILLOW[values["resample"]] if "resample" in values else how.method,
        mean=_numbers(scale.get("image_mean", how.mean)),
        std=_numbers(scale.get("image_std", how.std)),
        factor=float(factor),
    )


def _numbers(value):
    return tuple(map(float, value if isinstance(value, (list, tuple)) else [value]))


def _side(size):
    """Of a square: a number, or {"height": 224, "width": 224}."""
    height, width = (size["height"], size["width"]) if isinstance(size, dict) else (size, size)
    if height != width:
        raise InputError(f"its images are {height}x{width}: the model takes square ones")
    return int(height)


# ---- pixels


def _on_white(image, channels):
    """Give any picture 8 bits a channel, and white where it is transparent."""
    from PIL import Image

    if image.mode in DEEP:
        image = Image.fromarray(np.nan_to_num(brightness(image)).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        glass = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(glass, mask=glass)
    wanted = "L" if channels == 1 else "RGB"
    image.load()
    return image if image.mode == wanted else image.convert(wanted)


def _middle(image, how, sides):
    """Resize a picture and cut out its middle."""
    image = image.resize(sides, PILLOW.index(how.method))
    left, top = (how.halved((side - how.size) / 2) for side in sides)
    return image.crop((left, top, left + how.size, top + how.size))
