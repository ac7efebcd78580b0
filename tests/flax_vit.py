"""A Vision Transformer in flax, with the tensors of google-research/vision_transformer by name.

Written here, because that project and big_vision are no packages to install. `ViT` has their names
and shapes and computes what they do: with flax 0.12.8 its logits are theirs to the last bit in
float32. Their published files number a block's layers as flax did before its `linen`: `PUBLISHED`
against `LINEN`.

Source: vit_jax/models_vit.py (google-research/vision_transformer), big_vision/models/vit.py
(google-research/big_vision); Dosovitskiy et al. 2021 (arXiv 2010.11929).
"""

import flax.linen as nn
import jax.numpy as jnp

from tinyvit import ViTConfig

LINEN = {
    "norm1": "LayerNorm_0",
    "attention": "MultiHeadDotProductAttention_0",
    "norm2": "LayerNorm_1",
    "mlp": "MlpBlock_0",
}
PUBLISHED = {
    "norm1": "LayerNorm_0",
    "attention": "MultiHeadDotProductAttention_1",
    "norm2": "LayerNorm_2",
    "mlp": "MlpBlock_3",
}


class ViT(nn.Module):
    """Images (B, H, W, C) to logits (B, K).

    config : the sizes; its eps is flax's own 1e-6, its GELU the tanh one
    big_vision : positions are added to the patches alone, before the class token is put in front;
        otherwise after, to all tokens
    """

    config: ViTConfig
    big_vision: bool = False

    @nn.compact
    def __call__(self, images):
        D, P = self.config.embed_dim, self.config.patch_size
        x = nn.Conv(D, (P, P), strides=(P, P), padding="VALID", name="embedding")(images)
        x = x.reshape(len(x), -1, D)  # (B, N, D)
        if self.big_vision:
            x = x + self.param("pos_embedding", nn.initializers.normal(), (1, x.shape[1], D))
        if self.config.class_token:
            cls = self.param("cls", nn.initializers.zeros, (1, 1, D))
            x = jnp.concatenate([jnp.tile(cls, (len(x), 1, 1)), x], axis=1)
        x = Encoder(self.config, positions=not self.big_vision, name="Transformer")(x)
        x = x[:, 0] if self.config.class_token else x.mean(axis=1)
        return nn.Dense(self.config.num_classes, name="head")(x)


class Encoder(nn.Module):
    """The blocks, and the norm after them."""

    config: ViTConfig
    positions: bool

    @nn.compact
    def __call__(self, x):
        if self.positions:
            x = Positions(name="posembed_input")(x)
        for i in range(self.config.depth):
            x = Block(self.config, name=f"encoderblock_{i}")(x)
        return nn.LayerNorm(name="encoder_norm")(x)


class Positions(nn.Module):
    """A learned table that is added to all tokens."""

    @nn.compact
    def __call__(self, x):
        return x + self.param("pos_embedding", nn.initializers.normal(), (1, *x.shape[1:]))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    config: ViTConfig

    @nn.compact
    def __call__(self, x):
        attention = nn.MultiHeadDotProductAttention(
            num_heads=self.config.num_heads, name=LINEN["attention"]
        )
        x = x + attention(nn.LayerNorm(name=LINEN["norm1"])(x))
        mlp = Mlp(self.config.hidden_dim, name=LINEN["mlp"])
        return x + mlp(nn.LayerNorm(name=LINEN["norm2"])(x))


class Mlp(nn.Module):
    """Two dense layers, and the tanh GELU between them."""

    width: int

    @nn.compact
    def __call__(self, x):
        hidden = nn.gelu(nn.Dense(self.width, name="Dense_0")(x))
        return nn.Dense(x.shape[-1], name="Dense_1")(hidden)


def published(tensors):
    """The tensors of a model, by name, under the names of the published files."""
    return {_renamed(name, LINEN, PUBLISHED): tensor for name, tensor in tensors.items()}


def _renamed(name, old, new):
    words = dict(zip(old.values(), new.values(), strict=True))
    return "/".join(words.get(word, word) for word in name.split("/"))
