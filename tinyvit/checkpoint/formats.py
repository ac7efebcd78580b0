"""The formats of the field by name, and which of them a file is in."""

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
