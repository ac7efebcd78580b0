"""The formats of the field by name, and which of them a file is in.

A format is a module with

    recognises(names), canonical(tensors)   is it this one; its tensors under their usual names
    sizes(found), beside(note)              what shapes say of the model, and what config.json says
    table(config)                           parameter -> tensors of the file: both ways
    require(config), opens_with(path, config)   what it can hold, and what opens it there
    NUMERICS, CANNOT_SAY    GELU and eps of its project; which of them no file of it can say
    RESIZING                how its project stretches positions
    POSITIONS, WITHOUT_POSITIONS    the table's name; what a file without one means
    SUFFIX                  of its files
"""

from collections import Counter

from ..errors import InputError
from . import google, hf, timm

FORMATS = {"timm": timm, "hf": hf, "google": google}


def format_of(tensors):
    """Whose names most of a file's tensors have.

    tensors : names

    Returns "timm", "hf" or "google".
    Raises InputError when no name is known.
    """
    votes = Counter(
        name for tensor in tensors for name, names in FORMATS.items() if names.recognises([tensor])
    )
    if not votes:
        some = ", ".join([*sorted(tensors)[:3], "..."])
        raise InputError(
            f"holds no Vision Transformer in timm's, Hugging Face's or google's names, but "
            f"{len(tensors)} tensors: {some}"
        )
    return votes.most_common(1)[0][0]
