"""The letters of the docstrings: B, N, D ... and how long each is in a call."""

import re

SHAPE = re.compile(r"^ {4,8}([\w., ]+?) : (\([^)]*\))", re.MULTILINE)
NUMBER = re.compile(r"^ {4}(\w+) : ([A-Za-z]), ", re.MULTILINE)
LEADING = {1: ("B",), 2: ("B", "N"), 3: ("B", "h", "N")}  # what "..." stands for
MODEL = {
    **{"C": "in_chans", "P": "patch_size", "K": "num_classes", "D": "embed_dim"},
    **{"h": "num_heads", "N": "num_patches", "L": "depth"},
}


def shapes_in_letters(function, returned=False):
    """The shapes that a docstring gives: dict name -> "(B, N, D)".

    returned : whether only what is returned counts
    """
    doc = _doc(function)
    found = SHAPE.findall(doc.partition("Returns")[2] if returned else doc)
    return {name.strip(): shape for names, shape in found for name in names.split(",")}


def axis_letters(shape, axes):
    """The letter of each axis: ("B", "N", "D") of "(..., D)" with three axes; else None.

    shape : in letters
    axes : how many there are
    """
    parts = [part.strip() for part in shape.strip("()").split(",") if part.strip()]
    if "..." in parts:
        leading = LEADING.get(axes - len(parts) + 1, ())
        parts = [*leading, *parts[1:]]
    return tuple(parts) if len(parts) == axes else None


def sizes_of(forward, arguments):
    """How long each letter is in a call.

    forward : a function whose docstring gives shapes
    arguments : dict name -> value

    Returns dict letter -> whole number.
    """
    sizes = {}
    shapes = shapes_in_letters(forward)
    letters = dict(NUMBER.findall(_doc(forward)))
    for name, value in arguments.items():
        if name in letters and isinstance(value, int):
            sizes[letters[name]] = value
        if name in shapes and hasattr(value, "shape"):
            axes = axis_letters(shapes[name], value.ndim) or ()
            for letter, size in zip(axes, value.shape, strict=False):
                if letter.isalpha() and len(letter) == 1:
                    sizes.setdefault(letter, size)
        if isinstance(value, dict):
            hidden = [one.shape[0] for key, one in value.items() if key.endswith("fc1.weight")]
            sizes |= {"M": hidden[0]} if hidden else {}
        if hasattr(value, "embed_dim"):
            sizes |= {letter: getattr(value, field) for letter, field in MODEL.items()}
    if sizes.get("D") and sizes.get("h") and sizes["D"] % sizes["h"] == 0:
        sizes["d"] = sizes["D"] // sizes["h"]
    return sizes


def _doc(function):
    return function.__doc__ or ""
