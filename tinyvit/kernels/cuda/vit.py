"""A whole ViT on one card: fused from block to block, in float32 or bf16, for batches of one size.

Each residual addition is one launch with the norm after it, whichever block that is in; biases are
added where their layer's output is read next; after the last attention the class token goes on
alone; and the weights' gradients of all blocks are one product each for qkv, proj, fc1 and fc2.
The textbook is `tinyvit/vit.py`.
"""

import cupy
import numpy as np

from ...vit import sincos2d
from .attention import attend, attend_backward, fits
from .cross_entropy import cross_entropy
from .gelu import activate, activate_backward, groups
from .gradients import Gradients
from .layernorm import add_layernorm, add_layernorm_backward, blocks
from .products import multiply
from .source import BF16, kernel, real_of

STORED = {"fp32": np.dtype(np.float32), "tf32": np.dtype(np.float32), "bf16": BF16}
QKV, PROJ, FC1, FC2 = LAYERS = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
SPLIT = 32  # parts that the rows of a weight's gradient are cut into: enough to keep a card busy
PARTS_BYTES = 1 << 28  # for all of these parts, unless the model is larger by itself
IMAGE_GROUPS = 16  # over which the embedding's gradient is added up


def supports(config, dtype):
    """Whether a ViT can be computed here: pre-norm, no dropouts, a sequence that fits.

    Before the patches there must be one token, the class token.

    dtype : of the activations
    """
    drops = config.drop_rate or config.attn_drop_rate or config.drop_path_rate
    head_dim = config.embed_dim // config.num_heads
    is_plain = config.norm == "pre" and config.num_prefix_tokens == 1 and not drops
    return is_plain and fits(config.num_tokens, head_dim, dtype)


class Forward:
    """The way from patches to logits.

    config : ViTConfig
    params : dict of arrays on the card, as `init_params(config)` names them
    factors : the same in the type of the activations: for bf16, the bits in uint16
    batch : images at a time
    precision : "fp32", "tf32" or "bf16"
    """

    def __init__(self, config, params, factors, batch, precision):
        self._config, self._batch, self._precision = config, batch, precision
        self._params, self._factors = params, factors
        first = next(iter(factors.values()))
        self.stored, self._real = first.dtype, real_of(first.dtype)
        self.patch_size = config.patch_size
        self._positions = params.get("pos_embed")
        if config.pos_embed == "sincos2d":
            self._positions = sincos2d(config, self._real, cupy)
        self._tokens = config.num_tokens
        self._class_token_alone = config.global_pool == "token"

    def logits(self, patches):
        """Scores of a batch, still without the last layer's bias.

        patches : (B, N, C*P*P)

        Returns (B, K).
        """
        return self._forward(patches, lambda layer, i: None)[0]

    def _forward(self, patches, place):
        """Logits, and what backward needs; place : (layer, block) -> where to write its input."""
        c, p, B, T = self._config, self._params, self._batch, self._tokens
        cache = {"blocks": []}
        x = self._embed(patches)
        normed, x, stats = self._norm(x, None, None, "blocks.0.norm1", place(QKV, 0))
        for i in range(c.depth):
            block, is_last = f"blocks.{i}.", i == c.depth - 1
            kept = {"norm1": (x, stats)}
            qkv = self._product(normed, f"{block}attn.qkv.weight").reshape(B, T, -1)
            context, log_sums = attend(
                qkv, p.get(f"{block}attn.qkv.bias"), c.num_heads, place(PROJ, i)
            )
            kept["attn"] = qkv, context, log_sums
            context = context.reshape(B * T, -1)
            if is_last and self._class_token_alone:
                context, x = context[::T], x[::T]
            branch = self._product(context, f"{block}attn.proj.weight")
            bias = p[f"{block}attn.proj.bias"]
            normed, x, stats = self._norm(x, branch, bias, f"{block}norm2", place(FC1, i))
            kept["norm2"] = x, stats
            hidden = self._product(normed, f"{block}mlp.fc1.weight")
            bias = p[f"{block}mlp.fc1.bias"]
            active = activate(hidden, bias, c.activation, place(FC2, i))
            kept["inputs"] = {PROJ: context, FC1: normed, FC2: active}
            kept["hidden"] = hidden
            branch = self._product(active, f"{block}mlp.fc2.weight")
            bias = p[f"{block}mlp.fc2.bias"]
            following = "norm" if is_last else f"blocks.{i + 1}.norm1"
            to = None if is_last else place(QKV, i + 1)
            normed, x, stats = self._norm(x, branch, bias, following, to)
            cache["blocks"].append(kept)
        cache["norm"] = x, stats
        cache["pool"] = normed if self._class_token_alone else self._pool(normed)
        return self._product(cache["pool"], "head.weight", self._real), cache

    def _embed(self, patches):
        p, D, T = self._params, self._config.embed_dim, self._tokens
        rows = patches.reshape(self._batch * (T - 1), -1)
        tokens = self._product(rows, "patch_embed.proj.weight")
        x = cupy.empty((self._batch * T, D), self._real)
        kernel("embed", "embed_forward", self.stored).elements(
            x.size,
            *(tokens, p["patch_embed.proj.bias"], p["cls_token"], self._positions, x),
            *(x.size, T - 1, D),
        )
        return x

    def _norm(self, x, branch, bias, name, out):
        weights = self._params[f"{name}.weight"], self._params[f"{name}.bias"]
        out = cupy.empty(x.shape, self.stored) if out is None else out
        return add_layernorm(x, branch, bias, *weights, self._config.eps, out)

    def _pool(self, normed):
        out = cupy.empty((self._batch, self._config.embed_dim), self.stored)
        sizes = out.size, self._tokens - 1, self._config.embed_dim
        kernel("pool", "pool_forward", self.stored).elements(out.size, normed, out, *sizes)
        return out

    def _product(self, rows, name, dtype=None):
        """rows @ weight.T"""
        weight = self._matrix(name)
        out = cupy.empty((len(rows), len(weight)), dtype or self.stored)
        return multiply(rows, weight.T, out, self._precision)

    def _matrix(self, name):
        weight = self._factors[name]
        return weight.reshape(len(weight), -1)


class Training(Forward):
    """The way there and back: after `run`, `gradients.flat` holds the gradient of the mean loss.

    Arguments as of `Forward`; params and factors are read anew in every run.
    """

    def __init__(self, config, params, factors, batch, precision):
        super().__init__(config, params, factors, batch, precision)
        shapes = {name: value.shape for name, value in params.items()}
        self.gradients = Gradients(shapes, self._real)
        self.losses = cupy.empty(batch, self._real)
        self.corrects = cupy.empty(batch, np.int32)
        D, M = config.embed_dim, config.hidden_dim
        self._inputs = self._stacks({QKV: D, PROJ: D, FC1: D, FC2: M})
        self._douts = self._stacks({QKV: 3 * D, PROJ: D, FC1: M, FC2: D})
        bytes_once = self.gradients.flat.nbytes
        most = min(SPLIT, batch, max(1, PARTS_BYTES // bytes_once))
        self._split = next(n for n in range(most, 0, -1) if batch % n == 0)
        self._parts = self._make_room()
        self.gradients.finish()

    def run(self, patches, labels, label_smoothing):
        """Losses, corrects and gradients of a batch.

        patches : (B, N, C*P*P)
        labels : (B,) int32
        label_smoothing : share of each target spread over all classes
        """
        logits, cache = self._forward(patches, self._place)
        K = self._config.num_classes
        dlogits = self._parts["head.bias"]
        stored = cupy.empty((self._batch, K), BF16) if self.stored == BF16 else None
        bias, out = self._params["head.bias"], (self.losses, self.corrects, dlogits, stored)
        cross_entropy(logits, bias, labels, label_smoothing, *out)
        self._backward(dlogits if stored is None else stored, cache, patches)
        self.gradients.sum()

    def _backward(self, dlogits, cache, patches):
        depth, B, T = self._config.depth, self._batch, self._tokens
        self._dweight(self._parts["head.weight"], dlogits, cache["pool"])
        dnormed = self._dproduct(dlogits, "head.weight")
        if not self._class_token_alone:
            dnormed = self._pool_backward(dnormed)
        last, short = f"blocks.{depth - 1}.", {}
        dx, dbranch = self._norm_backward(dnormed, cache["norm"], "norm", None, depth - 1, FC2)
        for i in reversed(range(depth)):
            block, kept = f"blocks.{i}.", cache["blocks"][i]
            dactive = self._dproduct(dbranch, f"{block}mlp.fc2.weight")
            if block == last and self._class_token_alone:
                short[FC2] = dbranch
            dhidden = activate_backward(
                *(dactive, kept["hidden"], self._params[f"{block}mlp.fc1.bias"]),
                *(self._config.activation, self._parts[f"{block}mlp.fc1.bias"]),
                self._dplace(FC1, i),
            )
            dnormed = self._dproduct(dhidden, f"{block}mlp.fc1.weight")
            dx, dbranch = self._norm_backward(dnormed, kept["norm2"], f"{block}norm2", dx, i, PROJ)
            dcontext = cupy.empty((B * T, self._config.embed_dim), self.stored)
            if block == last and self._class_token_alone:
                short |= {FC1: dhidden, PROJ: dbranch}
                dcontext.fill(0)
                multiply(
                    dbranch,
                    self._matrix(f"{block}attn.proj.weight"),
                    dcontext[::T],
                    self._precision,
                )
                dx, dclass_token = cupy.zeros((B * T, dx.shape[1]), self._real), dx
                dx[::T] = dclass_token
            else:
                self._dproduct(dbranch, f"{block}attn.proj.weight", dcontext)
            qkv, context, log_sums = kept["attn"]
            attend_backward(
                *(dcontext, qkv, self._params.get(f"{block}attn.qkv.bias"), context, log_sums),
                *(self._config.num_heads, self._parts[f"{block}attn.qkv"], self._dplace(QKV, i)),
            )
            dnormed = self._dproduct(self._dplace(QKV, i), f"{block}attn.qkv.weight")
            dx, dbranch = self._norm_backward(
                dnormed, kept["norm1"], f"{block}norm1", dx, i - 1, FC2
            )
        for layer in LAYERS:
            if layer in self._parts:
                self._dweight(self._parts[layer], self._douts[layer], self._inputs[layer])
        for layer, dout in short.items():
            kept = cache["blocks"][-1]["inputs"][layer]
            self._dweight(self._parts[f"{last}{layer}.weight"], dout, kept)
        dtokens = self._embed_backward(dx)
        rows = patches.reshape(B * (T - 1), -1)
        self._dweight(self._parts["patch_embed.proj.weight"], dtokens, rows)

    def _norm_backward(self, dout, kept, name, dresidual, i, layer):
        """Gradient of what came into a norm, as `real` and for the branch of block i before it."""
        to = self._dplace(layer, i)
        to = cupy.empty(dout.shape, self.stored) if to is None else to
        total, stats = kept
        dx = add_layernorm_backward(
            dout, total, stats, self._params[f"{name}.weight"], dresidual, self._parts[name], to
        )
        return dx, to

    def _pool_backward(self, dpool):
        dx = cupy.empty((self._batch * self._tokens, self._config.embed_dim), self.stored)
        sizes = dx.size, self._tokens - 1, self._config.embed_dim
        kernel("pool", "pool_backward", self.stored).elements(dx.size, dpool, dx, *sizes)
        return dx

    def _embed_backward(self, dx):
        B, T, D = self._batch, self._tokens, self._config.embed_dim
        dtokens = cupy.empty((B * (T - 1), D), self.stored)
        sums = self._parts["embed"]
        grid = -(-D // 32), T, sums.shape[1]
        kernel("embed", "embed_backward", self.stored)(grid, (32, 8), dx, dtokens, sums, B, D)
        return dtokens

    def _dproduct(self, dout, name, out=None):
        """dout @ weight: the gradient of what came into a layer."""
        weight = self._matrix(name)
        out = cupy.empty((len(dout), weight.shape[1]), self.stored) if out is None else out
        return multiply(dout, weight, out, self._precision)

    def _dweight(self, parts, dout, x):
        """dout.T @ x: the gradient of a layer's weight, in parts: each of some of the rows."""
        split = len(parts)
        dout, x = (a.reshape(split, -1, a.shape[-1]) for a in (dout, x))
        out = parts.reshape(split, dout.shape[-1], x.shape[-1])
        multiply(dout.swapaxes(1, 2), x, out, self._precision)

    def _stacks(self, widths):
        """For every layer, its arrays in all blocks that all tokens go through."""
        rows = self._batch * self._tokens
        return {
            layer: cupy.empty((self._whole_blocks(layer), rows, width), self.stored)
            for layer, width in widths.items()
        }

    def _whole_blocks(self, layer):
        return self._config.depth - (self._class_token_alone and layer != QKV)

    def _place(self, layer, i):
        whole = self._inputs[layer]
        return whole[i] if i < len(whole) else None

    def _dplace(self, layer, i):
        whole = self._douts[layer]
        return whole[i] if 0 <= i < len(whole) else None

    def _make_room(self):
        """Where every kernel leaves its sums; dict name -> array."""
        g, B, T, D = self.gradients, self._batch, self._tokens, self._config.embed_dim
        depth, parts = self._config.depth, {}
        for layer in LAYERS:
            whole = self._whole_blocks(layer)
            names = [f"blocks.{i}.{layer}.weight" for i in range(depth)]
            size = self._params[names[0]].size
            if whole:
                room = g.room(whole, self._split, size)
                parts[layer] = room.reshape(-1, size)
                for name, rows in zip(names, room, strict=False):
                    g.add(name, rows)
            for name in names[whole:]:
                parts[name] = g.parts(self._split, name)
        for i in range(depth):
            block, rows = f"blocks.{i}.", B * T
            before = [f"blocks.{i - 1}.mlp.fc2.bias"] if i else []
            norm = f"{block}norm1"
            names = f"{norm}.weight", f"{norm}.bias", *before
            parts[norm] = g.parts(blocks(rows), *names, width=3 * D)
            if i >= self._whole_blocks(PROJ):
                rows = B
            norm = f"{block}norm2"
            names = f"{norm}.weight", f"{norm}.bias", f"{block}attn.proj.bias"
            parts[norm] = g.parts(blocks(rows), *names)
            bias = [name for name in [f"{block}attn.qkv.bias"] if name in self._params]
            parts[f"{block}attn.qkv"] = g.parts(B, *bias, width=3 * D)
            parts[f"{block}mlp.fc1.bias"] = g.parts(groups(rows), f"{block}mlp.fc1.bias")
        rows = B if self._class_token_alone else B * T
        names = "norm.weight", "norm.bias", f"blocks.{depth - 1}.mlp.fc2.bias"
        parts["norm"] = g.parts(blocks(rows), *names)
        parts["head.weight"] = g.parts(self._split, "head.weight")
        parts["head.bias"] = g.parts(B, "head.bias")
        parts["patch_embed.proj.weight"] = g.parts(self._split, "patch_embed.proj.weight")
        embed = parts["embed"] = g.room(T, min(IMAGE_GROUPS, B), D)
        g.add("cls_token", embed[0])
        g.add("patch_embed.proj.bias", embed[1:].reshape(-1, D))
        if "pos_embed" in self._params:
            for token in range(T):
                g.add("pos_embed", embed[token], first=token * D)
        return parts
