"""Which model a file of weights holds: by its own note, else by shapes, config.json and custom."""

import json
import warnings

from ..config import ViTConfig, replace_fields
from ..errors import InputError
from ..models import get_model

HEAD_DIM = 64  # of every ViT of the paper
IMAGE = 224


def from_note(metadata):
    """The configuration that tinyvit wrote into the file.

    metadata : dict of strings

    Returns a configuration, or None where another program wrote the file.
    Raises InputError where the note is damaged.
    """
    if "tinyvit" not in metadata:
        return None
    try:
        note = json.loads(metadata["tinyvit"])
        return get_model(note["model"]).config_class(**note["config"])
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError("its note of tinyvit's configuration is damaged") from error


def from_shapes(sizes, names, path, **overrides):
    """The configuration of a file that another program wrote.

    sizes : `Sizes` of its tensors
    names : the module of that format
    path : of the file; config.json may lie beside it
    overrides : fields of the configuration

    Raises InputError where shapes do not fit together, or where nothing says how many heads.
    """
    fields = names.NUMERICS | _beside(path, names) | sizes.fields() | overrides
    if "num_heads" not in fields:
        fields["num_heads"] = _usual_heads(sizes.embed_dim, path)
    if sizes.rows is None:
        fields = {"pos_embed": names.WITHOUT_POSITIONS} | fields
        if "img_size" not in fields:
            fields["img_size"] = _usual_image(sizes.patch_size, fields["pos_embed"], path)
    if sizes.num_classes is None:
        K = fields.setdefault("num_classes", ViTConfig.num_classes)
        warn(f"{path}: has no head: one of zeros for {K} classes stands in; num_classes=K sets it")
    try:
        return replace_fields(ViTConfig(), **fields)
    except TypeError as error:  # a word in config.json where a number should be
        raise InputError(f"its configuration cannot be used: {error}") from error


def _beside(path, names):
    """What config.json beside the weights says in this format's words."""
    path = path.with_name("config.json")
    try:
        return names.beside(dict(json.loads(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        return {}
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _usual_heads(embed_dim, path):
    if embed_dim % HEAD_DIM:
        raise InputError(
            f"does not say how many heads attention has, and an embed_dim of {embed_dim} is not "
            f"divisible by the usual {HEAD_DIM}: say it, num_heads=3"
        )
    heads = embed_dim // HEAD_DIM
    warn(f"{path}: does not say how many heads: {heads} of {HEAD_DIM} taken; num_heads= sets them")
    return heads


def _usual_image(patch_size, pos_embed, path):
    img_size = max(IMAGE // patch_size, 1) * patch_size
    warn(
        f"{path}: has no table of positions: {pos_embed} and images of {img_size}x{img_size} are "
        "taken; pos_embed= and img_size= set them"
    )
    return img_size


def warn(text):
    """Say what was assumed of a file, as a UserWarning."""
    warnings.warn(text, stacklevel=2)
