"""ViTConfig: every choice that makes one Vision Transformer differ from another."""

from dataclasses import dataclass, fields, replace
from math import inf

from .errors import InputError

LARGEST = 1_000_000  # of any size: what is more is a mistake, or a damaged file
CHOICES = {
    "activation": ("gelu", "gelu_tanh", "relu"),
    "norm": ("pre", "post"),
    "pos_embed": ("learned", "sincos2d", "none"),
    "global_pool": ("token", "avg"),
}


@dataclass(frozen=True)
class ViTConfig:
    """The shape and the variant of a Vision Transformer; names are timm's.

    img_size : H = W, side of an image [pixels]
    patch_size : P, side of a patch [pixels]; must divide img_size
    in_chans : C, channels of an image (1 grey, 3 colour)
    num_classes : K
    embed_dim : D, width of a token
    depth : number of blocks
    num_heads : h, must divide embed_dim
    mlp_ratio : hidden width of the MLP divided by D
    qkv_bias : whether q, k and v have a bias
    eps : LayerNorm's
    activation : "gelu" (exact), "gelu_tanh" or "relu"
    norm : "pre" (ViT) or "post" (the Transformer of 2017)
    pos_embed : "learned" table, fixed "sincos2d", or "none"
    global_pool : "token", the class token is the image; "avg", the mean of the patch tokens is
    class_token : whether a class token stands before the patches; without one, global_pool is "avg"
    distilled : whether DeiT's distillation token follows it, with a head of its own
    drop_rate : dropout after the embedding, after each linear layer but qkv, in training
    attn_drop_rate : dropout of attention weights, in training
    drop_path_rate : share of images that skip the last block's branches; rises from 0 with depth

    Raises InputError when the numbers do not fit together, with ones that do.
    """

    img_size: int = 224
    patch_size: int = 16
    in_chans: int = 3
    num_classes: int = 1000
    embed_dim: int = 768
    depth: int = 12
    num_heads: int = 12
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    eps: float = 1e-6
    activation: str = "gelu"
    norm: str = "pre"
    pos_embed: str = "learned"
    global_pool: str = "token"
    class_token: bool = True
    distilled: bool = False
    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0

    def __post_init__(self):
        for name in ("img_size", "patch_size", "in_chans", "num_classes"):
            _require_positive(name, getattr(self, name))
        for name in ("embed_dim", "depth", "num_heads"):
            _require_positive(name, getattr(self, name))
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise InputError(f"{name} {value!r} is not known: use {_one_of(choices)}")
        for name in ("qkv_bias", "class_token", "distilled"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} should be True or False, not {getattr(self, name)!r}")
        for name in ("drop_rate", "attn_drop_rate", "drop_path_rate"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} is outside [0, 1): try 0.1")
        for name in ("mlp_ratio", "eps"):
            if not 0 < getattr(self, name) < inf:
                raise InputError(f"{name} should be a number above 0, not {getattr(self, name)}")
        if self.img_size % self.patch_size:
            raise InputError(
                f"image {self.img_size}x{self.img_size} is not divisible by patch size "
                f"{self.patch_size}: try {_one_of(_divisors(self.img_size))}"
            )
        if self.embed_dim % self.num_heads:
            fits = [n for n in _divisors(self.embed_dim) if n <= 2 * self.num_heads]
            raise InputError(
                f"embed_dim {self.embed_dim} is not divisible by {self.num_heads} heads: "
                f"try {_one_of(fits or [1])} heads"
            )
        if self.pos_embed == "sincos2d" and (self.embed_dim % 4 or self.embed_dim < 8):
            raise InputError(
                f"sincos2d positions need an embed_dim divisible by 4 and at least 8 (sine and "
                f"cosine of x and of y), not {self.embed_dim}"
            )
        if self.global_pool == "token" and not self.class_token:
            raise InputError(
                "global_pool token reads the class token, and class_token is off: "
                "use global_pool avg, or leave class_token on"
            )
        if self.distilled and not (self.class_token and self.global_pool == "token"):
            raise InputError(
                "distilled reads the class token and the distillation token: "
                "use global_pool token, with class_token on"
            )
        if self.hidden_dim < 1:
            raise InputError(f"mlp_ratio {self.mlp_ratio} leaves the MLP no width: try 4")

    @property
    def num_patches(self):
        """Patches an image is cut into: (img_size / patch_size) squared."""
        return (self.img_size // self.patch_size) ** 2

    @property
    def num_prefix_tokens(self):
        """Tokens before the patches: 0, 1 (class) or 2 (class, distillation)."""
        return self.class_token + self.distilled

    @property
    def num_tokens(self):
        """All tokens of an image: the patches and those before them."""
        return self.num_prefix_tokens + self.num_patches

    @property
    def hidden_dim(self):
        """M, hidden width of the MLP."""
        return int(self.embed_dim * self.mlp_ratio)

    @classmethod
    def preset(cls, name, **overrides):
        """Return a named configuration, with any field replaced.

        name : one of `PRESETS`: digits, mnist, vit_base_patch16_224 ...
        overrides : fields to replace, e.g. depth=2

        Raises InputError for an unknown name or field.
        """
        if name not in PRESETS:
            raise InputError(f"no preset {name!r}: use {_one_of(PRESETS)}")
        return replace_fields(cls(**PRESETS[name]), **overrides)


TINY = {"embed_dim": 192, "depth": 12, "num_heads": 3}
SMALL = {"embed_dim": 384, "depth": 12, "num_heads": 6}
BASE = {"embed_dim": 768, "depth": 12, "num_heads": 12}
LARGE = {"embed_dim": 1024, "depth": 24, "num_heads": 16}
PRESETS = {
    "digits": {
        "img_size": 8,
        "patch_size": 2,
        "in_chans": 1,
        "num_classes": 10,
        "embed_dim": 64,
        "depth": 4,
        "num_heads": 4,
        "mlp_ratio": 2.0,
    },
    "mnist": {
        "img_size": 28,
        "patch_size": 7,
        "in_chans": 1,
        "num_classes": 10,
        "embed_dim": 96,
        "depth": 4,
        "num_heads": 4,
        "mlp_ratio": 2.0,
    },
    "vit_tiny_patch16_224": TINY,
    "vit_small_patch16_224": SMALL,
    "vit_small_patch32_224": SMALL | {"patch_size": 32},
    "vit_base_patch16_224": BASE,
    "vit_base_patch32_224": BASE | {"patch_size": 32},
    "vit_large_patch16_224": LARGE,
    "vit_large_patch14_224": LARGE | {"patch_size": 14},
    "deit_tiny_distilled_patch16_224": TINY | {"distilled": True},
    "deit_small_distilled_patch16_224": SMALL | {"distilled": True},
    "deit_base_distilled_patch16_224": BASE | {"distilled": True},
}


def replace_fields(config, **overrides):
    """Return a configuration with some fields replaced.

    config : a configuration of any model (a dataclass)
    overrides : fields to replace

    Raises InputError for a field the configuration does not have.
    """
    known = [field.name for field in fields(config)]
    for name in overrides:
        if name not in known:
            raise InputError(
                f"{type(config).__name__} has no field {name!r}; it has {', '.join(known)}"
            )
    return replace(config, **overrides)


def _require_positive(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} should be a whole number of 1 or more, not {value!r}")
    if value > LARGEST:
        raise InputError(f"{name} should be {LARGEST:,} at most: no model is as large as this one")


def _divisors(number):
    return [n for n in range(2, number + 1) if number % n == 0] or [1]


def _one_of(values):
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last
