"""The Vision Transformer as one writes it in JAX, and its training step; timm's names and layouts.

Imported where JAX is there.
"""

import jax
import jax.numpy as jnp

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def vit(params, images, config, dtype, attention):
    """The standard ViT: pre-norm, exact GELU, learned positions, class token.

    params : dict name -> array, in timm's names
    images : (B, C, H, W) float32
    config : ViTConfig; its variants are not looked at
    dtype : of the matrix products; the residual stream is of the parameters' type
    attention : implementation that `jax.nn.dot_product_attention` takes

    Returns logits (B, K).
    """

    def linear(x, name):
        weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
        return x.astype(dtype) @ weight.reshape(len(weight), -1).T.astype(dtype) + bias.astype(
            dtype
        )

    def layernorm(x, name):
        x = x.astype(jnp.float32)
        x = (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + config.eps)
        return x * params[f"{name}.weight"] + params[f"{name}.bias"]

    def attend(x, name):
        B, N, D = x.shape
        qkv = linear(x, f"{name}.qkv").reshape(B, N, 3, config.num_heads, -1)
        q, k, v = (qkv[:, :, i] for i in range(3))  # (B, N, h, d)
        context = jax.nn.dot_product_attention(q, k, v, implementation=attention)
        return linear(context.reshape(B, N, D), f"{name}.proj")

    B, C, H, W = images.shape
    P = config.patch_size
    x = images.reshape(B, C, H // P, P, W // P, P).transpose(0, 2, 4, 1, 3, 5)
    x = linear(x.reshape(B, config.num_patches, C * P * P), "patch_embed.proj")
    cls_token = jnp.broadcast_to(params["cls_token"], (B, 1, config.embed_dim))
    x = jnp.concatenate([cls_token, x], axis=1) + params["pos_embed"]
    for i in range(config.depth):
        x = x + attend(layernorm(x, f"blocks.{i}.norm1"), f"blocks.{i}.attn")
        hidden = linear(layernorm(x, f"blocks.{i}.norm2"), f"blocks.{i}.mlp.fc1")
        x = x + linear(jax.nn.gelu(hidden, approximate=False), f"blocks.{i}.mlp.fc2")
    return linear(layernorm(x[:, 0], "norm"), "head")


def cross_entropy(logits, labels):
    """Mean over the batch of -log softmax(logits)[label], in float32 [nats]."""
    log_probs = jax.nn.log_softmax(logits.astype(jnp.float32))
    return -jnp.take_along_axis(log_probs, labels[:, None], axis=1).mean()


def moved(images, chosen, shift, key):
    """The chosen images, each moved at random by whole pixels, in [-1, 1].

    images : (n, C, H + 2 shift, W + 2 shift) uint8
    chosen : (B,) int
    shift : the most [pixels]
    key : of JAX's random numbers

    Returns (B, C, H, W) float32.
    """

    def one(index, offset):
        starts = (index, 0, offset[0], offset[1])
        return jax.lax.dynamic_slice(images, starts, (1, C, H - 2 * shift, W - 2 * shift))[0]

    _, C, H, W = images.shape
    offsets = jax.random.randint(key, (len(chosen), 2), 0, 2 * shift + 1)
    return jax.vmap(one)(chosen, offsets) / jnp.float32(127.5) - 1


def clip(grads, max_norm):
    """Shorten gradients that together are longer than `max_norm`."""
    norm = jnp.sqrt(sum(jnp.vdot(grad, grad) for grad in grads.values()))
    return {name: grad * jnp.minimum(1, max_norm / (norm + 1e-12)) for name, grad in grads.items()}


def adamw(params, grads, m, v, step, *, lr, weight_decay):
    """One AdamW step, with weight decay on weight matrices only.

    params, grads, m, v : dict name -> array
    step : number of this step, 1 for the first

    Returns params, m, v.
    """
    m = {name: BETA1 * m[name] + (1 - BETA1) * grad for name, grad in grads.items()}
    v = {name: BETA2 * v[name] + (1 - BETA2) * grad * grad for name, grad in grads.items()}
    updated = {}
    for name, value in params.items():
        decay = weight_decay if name.endswith(".weight") and value.ndim >= 2 else 0.0
        rms = jnp.sqrt(v[name] / (1 - BETA2**step)) + EPS
        updated[name] = value * (1 - lr * decay) - lr / (1 - BETA1**step) * m[name] / rms
    return updated, m, v
