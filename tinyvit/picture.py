"""A user's own picture, made to look like the pictures the model was trained on.

Photo of a pen on paper, drawing with a mouse, chalk on a board: the digit is found, cut out and
laid down as MNIST's are, bright on black, in a box of 20 pixels, its centre of mass in the middle.
"""

import warnings

import numpy as np

from .errors import InputError

WORKING_SIZE = 512  # pixels: a larger picture is first shrunk to this
WIDENING_SIZE = 160  # pixels: the drawn thing's size while its strokes are widened
MEDIAN_STROKE = 1 / 8  # MNIST's median stroke is 2.5 pixels wide in a digit of 20
SPECK = 0.05  # a piece with less than this share of the largest piece's ink is dirt
INSIDE = 0.25  # with this share of the ink inside, what touches the picture's edge is not ink
DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")  # Pillow's grey of more than 8 bits
FAINTEST = 0.02  # ink must be darker than its paper by this share of white
CLEAR = 4.0, 5.5  # spreads from paper to ink, first and second try; mere grain has 3.7 and 5.5


def read_picture(path, image_size=28, channels=1, ink_fraction=20 / 28):
    """Read an image file and make it like the training images.

    A picture that has the right size already is only turned to bright on dark. In any other the
    ink is found, whatever its colour and the light; cut out; scaled; and laid with its centre of
    mass in the middle. With three channels a colour picture is scaled and cut to the square.

    path : the image file, of any size and kind that Pillow reads
    image_size : H = W of the model's images [pixels]
    channels : 1 (grey, one thing drawn on a plain ground) or 3 (colour)
    ink_fraction : longer side of the drawn thing / image_size; `ink_fraction()` measures it

    Returns the picture, (1, C, H, W) float32 in [-1, 1].
    Raises InputError when there is no such file, it is no picture, or nothing is drawn in it.
    Source: the preparation is that of http://yann.lecun.com/exdb/mnist.
    """
    if channels not in (1, 3):
        raise InputError(f"{path}: a picture has 1 or 3 channels, but the model takes {channels}")
    image = open_picture(path, _opaque)
    if channels == 3:
        pixels = _colour(image, image_size)  # (3, H, W)
    elif image.size == (image_size, image_size):
        pixels = _bright_on_dark(brightness(image), path)[None]  # (1, H, W)
    else:
        ink = _without_specks(_find_ink(brightness(_shrunk(image)), path))
        pixels = 255 * _laid_down(ink, image_size, ink_fraction)[None]  # (1, H, W)
    return (pixels[None] / 127.5 - 1).astype(np.float32)


def lay_down(images, image_size=28, ink_fraction=20 / 28):
    """Lay digits of another data set down as the training images are, as `read_picture` does.

    images : (n, 1, H, W) uint8, bright on dark
    image_size : H = W of the model's images [pixels]
    ink_fraction : longer side of the drawn thing / image_size

    Returns (n, 1, image_size, image_size) float32 in [-1, 1].
    """
    inks = [_laid_down(image / 255, image_size, ink_fraction) for image in images[:, 0]]
    return (2 * np.stack(inks)[:, None] - 1).astype(np.float32)


def ink_fraction(images):
    """Measure how much of the picture the drawn things fill: 0.71 for MNIST, 1.0 for UCI's digits.

    images : (n, C, H, W) uint8, bright on dark

    Returns the median over images of (longer side of the box around the ink) / H, where ink is
    whatever is brighter than half of the brightest; 1.0 when nothing is drawn anywhere.
    """
    brightest = images.max(axis=(1, 2, 3), keepdims=True)
    inked = (images > brightest / 2).any(axis=1)  # (n, H, W)
    heights = [np.ptp(np.flatnonzero(one.any(axis=1))) + 1 for one in inked if one.any()]
    widths = [np.ptp(np.flatnonzero(one.any(axis=0))) + 1 for one in inked if one.any()]
    if not heights:
        return 1.0
    return float(np.median(np.maximum(heights, widths)) / images.shape[-1])


# ---- reading the file


def open_picture(path, prepare):
    """Open an image file, turned upright as the camera noted it.

    path : the image file, of any kind that Pillow reads
    prepare : (Image) -> Image, what is to become of its colours and of what is transparent

    Returns what `prepare` does.
    Raises InputError when there is no such file, it is no picture, or a broken or a giant one.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no business of ours
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                ImageOps.exif_transpose(image, in_place=True)  # a copy could be 350 MB
                return prepare(image)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: check the name") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder: name the picture in it") from None
    except PermissionError:
        raise InputError(f"{path}: may not be read: check its permissions") from None
    except UnidentifiedImageError:
        raise InputError(
            f"{path}: not a picture that can be read: save it as PNG or JPEG"
        ) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        million = Image.MAX_IMAGE_PIXELS / 1e6
        raise InputError(
            f"{path}: more than {million:.0f} million pixels: make the picture smaller"
        ) from None
    except Exception as error:  # Pillow's decoders raise a dozen kinds for a broken file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: broken picture ({reason}): copy or save the file again"
        ) from None


def _opaque(image):
    """Lay a transparent picture on white, or on black where what it shows is bright."""
    from PIL import Image

    if not image.has_transparency_data:
        image.load()
        return image if image.mode in ("L", *DEEP) else image.convert("RGB")
    image = image.convert("RGBA")
    shown = np.asarray(image, dtype=np.float64)
    weight = shown[..., 3].sum()
    bright = weight > 0 and (shown[..., :3].mean(axis=-1) * shown[..., 3]).sum() / weight > 127.5
    hides_nothing = shown[..., 3].min() == 255
    ground = Image.new("RGBA", image.size, "black" if bright and not hides_nothing else "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def is_picture(path):
    """Whether a file holds a picture, by its first bytes."""
    from PIL import Image

    try:
        with Image.open(path):
            return True
    except Exception:  # as in `open_picture`
        return False


def brightness(image):
    """Give a picture's brightness, (H, W) float in [0, 255]."""
    if image.mode in DEEP:
        deep = np.asarray(image, dtype=np.float64)
        full = next((top for top in (1, 255, 65535) if deep.max() <= top), deep.max())
        return 255 * deep / full
    return np.asarray(image.convert("L"), dtype=np.float64)


def _shrunk(image):
    """Shrink a large picture, so that finding the ink takes a moment only."""
    from PIL import Image

    scale = WORKING_SIZE / max(image.size)
    if scale >= 1:
        return image
    size = [max(1, round(scale * side)) for side in image.size]
    return Image.fromarray(_resized(brightness(image), *size))


def _colour(image, image_size):
    """Scale a colour picture and cut it to the square, (3, H, W) in [0, 255]."""
    from PIL import Image, ImageOps

    if image.mode in DEEP:
        image = Image.fromarray(brightness(image).round().astype(np.uint8))
    square = ImageOps.fit(image.convert("RGB"), (image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(square, dtype=np.float64).transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)


# ---- finding the ink


def _bright_on_dark(grey, path):
    """Turn a picture with a light border to bright on dark; both ways are (H, W) in [0, 255]."""
    if np.ptp(grey) < 255 * FAINTEST:
        raise _blank(path)
    return 255 - grey if np.median(grey[_border(grey)]) > 127.5 else grey


def _find_ink(grey, path):
    """Tell ink from its ground: (H, W) brightness -> (H, W) ink in [0, 1].

    The ground's light may change over the picture (a lamp, a shadow), so ink is what is darker than
    the ground around it: darkness = 1 - grey / ground.
    """
    if min(grey.shape) < 3:
        raise _blank(path)
    if _ink_is_bright(grey):
        grey = 255 - grey
    darkness = np.clip(1 - grey / np.maximum(_ground(grey), 1.0), 0, 1)
    if np.ptp(darkness) < FAINTEST:
        raise _blank(path)
    threshold = -1.0
    for clear in CLEAR:  # a thin pen is less than the paper's grain: cut off the grain, try again
        threshold = _otsu(darkness[darkness > threshold])
        inked = darkness > threshold
        if not inked.any():
            raise _blank(path)
        paper, ink = np.median(darkness[~inked]), np.median(darkness[inked])
        spread = (darkness[~inked].std() + darkness[inked].std()) / 2
        if ink - paper > max(FAINTEST, clear * spread):
            break
    else:
        raise _blank(path)
    ink = np.clip((darkness - paper) / (ink - paper), 0, 1)
    return np.where(_widened(inked, 1), ink, 0.0)  # the strokes and their soft edges


def _border(grey):
    """Mark the picture's border: a tenth of the shorter side, all around."""
    border = np.ones(grey.shape, bool)
    width = max(1, min(grey.shape) // 10)
    border[width:-width, width:-width] = False
    return border


def _ink_is_bright(grey):
    """Say whether the ink is brighter than its ground.

    Ink is the smaller part of its surroundings, so the median over a window of 0.4 of the picture
    is the ground; the sign of the largest departures from it, by their third powers, is the ink's.
    """
    from PIL.ImageFilter import MedianFilter

    return ((grey - _filtered(grey, 0.4, MedianFilter)) ** 3).sum() > 0


def _ground(grey):
    """Estimate the light ground beneath dark ink, (H, W).

    A closing (maximum over a window, then minimum) removes all that is dark and thinner than the
    window, a quarter of the picture: the ink goes, shadows stay.
    """
    from PIL.ImageFilter import MaxFilter, MinFilter

    return _filtered(grey, 0.25, MaxFilter, MinFilter)


def _filtered(grey, window, *filters):
    """Filter at 64 pixels a side, which is quick and removes noise, (H, W) -> (H, W).

    window : the filters' side / longer side of the picture
    """
    from PIL import Image

    height, width = grey.shape
    scale = min(1.0, 64 / max(grey.shape))
    small = _resized(grey, max(1, round(scale * width)), max(1, round(scale * height)))
    margin = max(1, round(window * max(small.shape) / 2))
    image = Image.fromarray(np.pad(small, margin, mode="edge").astype(np.float32))
    for each in filters:
        image = image.filter(each(2 * margin + 1))
    return _resized(np.asarray(image)[margin:-margin, margin:-margin], width, height)


def _otsu(values):
    """Find the threshold that cuts values in [0, 1] in the two most distinct classes.

    threshold = argmax_t  w0(t) w1(t) (mean1(t) - mean0(t))^2

    Source: Otsu, A threshold selection method from gray-level histograms, 1979, eq. 14.
    """
    counts, edges = np.histogram(values, bins=256, range=(0, 1))
    share = counts / counts.sum()
    below = share.cumsum()
    moment = (share * edges[1:]).cumsum()
    between = (moment[-1] * below - moment) ** 2 / np.maximum(below * (1 - below), 1e-12)
    return edges[1:][between.argmax()]


def _without_specks(ink):
    """Remove the pieces far smaller than the largest, and those that come in at the edge."""
    height, width = ink.shape
    cell = -(-max(height, width) // 128)  # pieces are told apart on a grid of 128 cells at most
    padded = np.pad(ink, ((0, -height % cell), (0, -width % cell)))
    cells = padded.reshape(padded.shape[0] // cell, cell, -1, cell).sum(axis=(1, 3))
    names = _pieces(cells > 0)
    amounts = np.bincount(names.ravel(), weights=cells.ravel())  # by name; amounts[0] is 0
    inside = amounts.copy()
    inside[np.concatenate([names[0], names[-1], names[:, 0], names[:, -1]])] = 0
    if inside.sum() >= INSIDE * amounts.sum():
        amounts = inside  # a shadow's edge or the table's is no part of the drawing
    kept = (amounts >= SPECK * amounts.max())[names]
    kept = kept.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width]
    return np.where(kept, ink, 0.0)


def _pieces(inked):
    """Name each connected piece by a number above 0: (H, W) bool -> (H, W) int, 0 where no ink.

    Every cell begins with a name of its own and takes the largest among its neighbours' until all
    agree.
    """
    names = np.arange(1, inked.size + 1).reshape(inked.shape) * inked
    while True:
        around = np.lib.stride_tricks.sliding_window_view(np.pad(names, 1), (3, 3))
        larger = around.max(axis=(2, 3)) * inked
        if np.array_equal(larger, names):
            return names
        names = larger


def _blank(path):
    return InputError(
        f"{path}: nothing is drawn in it: draw one thing, dark on light or the reverse"
    )


# ---- laying it down


def _laid_down(ink, image_size, fraction):
    """Scale the ink to its box and lay it with its centre of mass in the middle, (H, W) in [0, 1].

    Thin strokes are first made as wide as MNIST's. The box never leaves the picture.
    """
    side = max(1, min(image_size, round(fraction * image_size)))
    finer = max(side, WIDENING_SIZE)  # room for strokes of less than a pixel
    fine = _scaled(_cut(ink), finer)
    missing = round((MEDIAN_STROKE * max(fine.shape) - _stroke_width(fine)) / 2)
    if missing > 0:
        fine = _cut(_widened(np.pad(fine, missing), missing))
    small = _scaled(fine, side)
    small = np.clip(small / small.max(), 0, 1)
    picture = np.zeros((image_size, image_size))
    rows, columns = [
        slice(start, start + length)
        for start, length in zip(_start(small, image_size), small.shape, strict=True)
    ]
    picture[rows, columns] = small
    return picture


def _start(small, image_size):
    """Say where to begin (row, column), so that the centre of mass is at pixel image_size / 2."""
    mass = small.sum()
    centres = np.indices(small.shape).reshape(2, -1) @ small.ravel() / mass
    return [
        int(np.clip(round(image_size / 2 - centre), 0, image_size - length))
        for centre, length in zip(centres, small.shape, strict=True)
    ]


def _cut(ink):
    """Cut out the box around the ink."""
    inked = ink > ink.max() / 2
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _stroke_width(ink):
    """Estimate the strokes' width as 2 * area / perimeter [pixels]."""
    inked = np.pad(ink > ink.max() / 2, 1)
    steps = (inked[1:] != inked[:-1]).sum() + (inked[:, 1:] != inked[:, :-1]).sum()
    return 2 * inked.sum() / (steps * np.pi / 4)  # pi / 4: a slanted edge is walked in stairs


def _widened(ink, radius):
    """Widen strokes by `radius` pixels on each side: the maximum over a disc."""
    height, width = ink.shape
    padded = np.pad(ink, radius)
    reach = range(-radius, radius + 1)
    disc = [(y, x) for y in reach for x in reach if y * y + x * x <= (radius + 0.5) ** 2]
    wide = ink
    for y, x in disc:
        top, left = radius + y, radius + x
        wide = np.maximum(wide, padded[top : top + height, left : left + width])
    return wide


def _scaled(ink, side):
    """Scale so that the longer side is `side` pixels."""
    scale = side / max(ink.shape)
    height, width = [max(1, round(scale * length)) for length in ink.shape]
    return np.clip(_resized(ink, width, height), 0, 1)


def _resized(grey, width, height):
    """Resize with antialiasing, (H, W) -> (height, width)."""
    from PIL import Image

    image = Image.fromarray(grey.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)
