"""What the classes of a published model are called."""

import json
import re
from pathlib import Path

from .errors import InputError

PACKAGE = Path(__file__).resolve().parent  # an installed wheel keeps data/imagenet/ here,
CHECKOUT = PACKAGE.parent  # a checkout here
NUMBERED = re.compile(r"LABEL_\d+")  # what transformers calls a class that nobody named


def class_names(checkpoint):
    """Name the classes of a checkpoint's model.

    In this order: what the config.json beside the weights says (Hugging Face's `id2label`, timm's
    `label_names`); where there are 1,000 classes, ImageNet-1k's; else their numbers.

    checkpoint : as `open_checkpoint` returns it

    Returns K strings.
    Raises InputError when that config.json is damaged.
    """
    K = checkpoint.config.num_classes
    named = _beside(Path(checkpoint.path).with_name("config.json"), K)
    if named and not all(map(NUMBERED.fullmatch, named)):
        return named
    return imagenet_names() if K == 1000 else [str(k) for k in range(K)]


def imagenet_names():
    """The names of ImageNet-1k's 1,000 classes, in the order in which models number them.

    Source: data/imagenet/SOURCE.txt.
    """
    places = (folder / "data" / "imagenet" / "classes.txt" for folder in (PACKAGE, CHECKOUT))
    path = next(path for path in places if path.is_file())
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.partition(" ")[2] for line in lines]  # n01440764 tench


def _beside(path, K):
    """The names in a config.json, or None where it has none, or of another number of classes."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        if "id2label" in note:
            names = {int(k): str(name) for k, name in note["id2label"].items()}
        else:
            names = note.get("label_names") or note.get("pretrained_cfg", {}).get("label_names", {})
            descriptions = note.get("label_descriptions") or {}
            names = names.values() if isinstance(names, dict) else names
            names = dict(enumerate(str(descriptions.get(name, name)) for name in names))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return [_one_line(names[k]) for k in range(K)] if set(names) == set(range(K)) else None


def _one_line(name):
    """A file may hold anything, also what would move a terminal's cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())
