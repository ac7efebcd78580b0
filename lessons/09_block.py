# %% [markdown]
# # 9 · Block: branches beside a stream
#
# *30 minutes · needs lessons 4, 6 and 8 · 残差连接 residual connection, 层归一化 layer normalization*
#
# A Vision Transformer is a stack of equal blocks: attention and MLP, each with a LayerNorm and a
# path that goes past it. We build one, find its gradient, and then stack 12 and 48 of them in three
# ways, to see what the path past it and the place of the LayerNorm are good for.

# %%
from functools import partial

import numpy as np

import tinyvit
from tinyvit import ViTConfig, init_params, ops, show
from tinyvit.data import load_dataset, normalize
from tinyvit.lessons import figure, predict
from tinyvit.train import Trainer
from tinyvit.vit import starting_with
from tinyvit.workers import Workers

# %% [markdown]
# ## One block, two orders
#
#     pre   x   = x + attention(norm1(x))      post  x   = norm1(x + attention(x))
#           out = x + mlp(norm2(x))                  out = norm2(x + mlp(x))
#
# `x + ...` is the *residual connection*: `x` goes on as it is, and the *branch* adds to it. What
# flows from block to block is called the residual stream. With *pre-norm* the LayerNorm stands in
# the branch, with *post-norm* on the stream, after the addition. We write both down and compare
# with `block_forward`.

# %%
config = ViTConfig.preset("digits", depth=48, mlp_ratio=4.0)
params = init_params(config)
p = starting_with("blocks.0.", params)
rng = np.random.default_rng(0)
x = rng.standard_normal((4, 17, 64)).astype("float32")  # (4, 17, 64)
norm1 = p["norm1.weight"], p["norm1.bias"]
norm2 = p["norm2.weight"], p["norm2.bias"]
attn = [value for name, value in p.items() if name.startswith("attn.")]
mlp = [value for name, value in p.items() if name.startswith("mlp.")]
names = "norm1.weight", "attn.qkv.weight", "attn.proj.weight"
names += "mlp.fc1.weight", "mlp.fc2.weight"
for name in names:
    print(f"{name:16} {p[name].shape}")

# %%
normed, _ = ops.layernorm_forward(x, *norm1)  # (4, 17, 64)
middle = x + ops.attention_forward(normed, *attn, 4)[0]  # (4, 17, 64)
normed, _ = ops.layernorm_forward(middle, *norm2)  # (4, 17, 64)
pre = middle + ops.mlp_forward(normed, *mlp)[0]  # (4, 17, 64)
total = x + ops.attention_forward(x, *attn, 4)[0]  # (4, 17, 64)
middle, _ = ops.layernorm_forward(total, *norm1)  # (4, 17, 64)
total = middle + ops.mlp_forward(middle, *mlp)[0]  # (4, 17, 64)
post, _ = ops.layernorm_forward(total, *norm2)  # (4, 17, 64)
predict("x is (4, 17, 64): the shape of a block's output?", pre.shape)
for norm, by_hand in (("pre", pre), ("post", post)):
    out, _ = ops.block_forward(x, p, 4, norm=norm)  # (4, 17, 64)
    gap = abs(out - by_hand).max()
    print(f"{norm:4}  by hand and block_forward differ by {gap:g}")
print(f"pre and post differ by up to {abs(pre - post).max():.1f}")

# %% [markdown]
# *Said in many texts: "LayerNorm comes after the residual addition". Half right.* That is
# post-norm, the 2017 Transformer: `LayerNorm(x + Sublayer(x))` (Vaswani et al., arXiv 1706.03762,
# section 3.1). ViT is pre-norm: `z' = MSA(LN(z)) + z` and `z = MLP(LN(z')) + z'` (Dosovitskiy et
# al., arXiv 2010.11929, equations 2 and 3). Code in articles mixes the two; the weights of one do
# not fit the other, as the last line shows.
#
# ## Backward: x fed both
#
# In `out = x + branch(x)` a small change of `x` reaches `out` on two ways, so two gradients add up:
#
#     dx = dresidual + dbranch
#     dresidual = dout          dbranch = branch_backward(dout)
#
# We take one half of a block, `out = x + mlp(norm2(x))`, and leave one part out, then the other.


# %%
def half_forward(x, weight, bias, *mlp):
    normed, norm_cache = ops.layernorm_forward(x, weight, bias)
    branch, mlp_cache = ops.mlp_forward(normed, *mlp)
    return x + branch, (norm_cache, mlp_cache)


def half_backward(dout, cache, residual=1, branch=1):
    norm_cache, mlp_cache = cache
    dnormed, *dmlp = ops.mlp_backward(dout, mlp_cache)
    dbranch, *dnorm = ops.layernorm_backward(dnormed, norm_cache)
    dx = residual * dout + branch * dbranch  # x fed both
    return dx, *dnorm, *dmlp


# %%
shapes = (2, 5, 12), (12,), (12,), (7, 12), (7,), (12, 7), (12,)
args = [rng.standard_normal(shape) for shape in shapes]
for residual, branch in ((1, 1), (0, 1), (1, 0)):
    backward = partial(half_backward, residual=residual, branch=branch)
    report = tinyvit.check_backward(half_forward, backward, args)
    print(f"dx = {residual} * dresidual + {branch} * dbranch")
    print("\n".join(str(report).splitlines()[1:3]))

# %% [markdown]
# Only `dx` goes wrong; what lies inside the branch does not see the path past it. The gradient
# check of whole blocks, all twelve parameters:

# %%
small = {}
for name, value in p.items():
    shape = [{64: 6, 192: 18, 256: 7}[n] for n in value.shape]
    small[name] = rng.standard_normal(shape)
args = rng.standard_normal((2, 5, 6)), small, 3
for norm in ("pre", "post"):
    report = tinyvit.check_backward(
        ops.block_forward, ops.block_backward, args, kwargs={"norm": norm}
    )
    count, worst = len(report.gradients), report.error
    print(f"{norm:4}  {count} gradients, largest error {worst:.0e}", end="")
    print(f"  {'ok' if report.ok else 'WRONG'}")

# %% [markdown]
# ## Deep stacks
#
# Now many blocks, one after the other, in three ways: pre-norm, post-norm, and without the residual
# connections, `out = mlp(norm2(attention(norm1(x))))`. The weights are the same, those that a model
# of tinyvit starts with (normal, variance 1 / inputs). First the third kind of block:


# %%
def bare_forward(x, p, num_heads):
    attn = [value for name, value in p.items() if name.startswith("attn.")]
    mlp = [value for name, value in p.items() if name.startswith("mlp.")]
    x, n1 = ops.layernorm_forward(x, p["norm1.weight"], p["norm1.bias"])
    x, a = ops.attention_forward(x, *attn, num_heads)
    x, n2 = ops.layernorm_forward(x, p["norm2.weight"], p["norm2.bias"])
    x, m = ops.mlp_forward(x, *mlp)
    return x, (n1, a, n2, m)


def bare_backward(dout, cache):
    n1, a, n2, m = cache
    dx = ops.layernorm_backward(ops.mlp_backward(dout, m)[0], n2)[0]
    return ops.layernorm_backward(ops.attention_backward(dx, a)[0], n1)[0], {}


# %% [markdown]
# The walk through a stack: `stream[i]` is what enters block `i`, `dstream[i]` its gradient.
# `Workers` spreads the six walks over the cores.


# %%
def walk(forward, backward, x, dout, depth):
    stream, caches = [x], []
    for i in range(depth):
        block = starting_with(f"blocks.{i}.", params)
        out, cache = forward(stream[-1], block, 4)
        stream, caches = [*stream, out], [*caches, cache]
    dstream = [dout]
    for cache in reversed(caches):
        dx, _ = backward(dstream[0], cache)
        dstream = [dx, *dstream]
    return np.array(stream), np.array(dstream)


# %%
dout = rng.standard_normal(x.shape).astype("float32")  # (4, 17, 64)
post_forward = partial(ops.block_forward, norm="post")
blocks = {"pre-norm": (ops.block_forward, ops.block_backward)}
blocks["post-norm"] = post_forward, ops.block_backward
blocks["no residuals"] = bare_forward, bare_backward
ways = [(name, depth) for name in blocks for depth in (12, 48)]


def one(way):
    name, depth = way
    return walk(*blocks[name], x, dout, depth)


workers = Workers()
walks = dict(zip(ways, workers.map(one, ways), strict=True))
stream, dstream = walks["pre-norm", 48]
print(f"{stream.shape = }: what enters 48 blocks, and what leaves")
print(f"{dstream.shape = }")

# %% [markdown]
# ### On the way forward
#
# Two questions: how large is the stream, and how different are the 17 tokens of an image still?

# %%
size, differ = {}, {}
for name in blocks:
    stream, _ = walks[name, 48]
    size[name] = np.sqrt((stream**2).mean(axis=(1, 2, 3)))  # (49,)
    spread = stream.std(axis=2).mean(axis=(1, 2))  # (49,), over the tokens
    differ[name] = spread / size[name]  # (49,)
larger = [f"{name} {size[name][-1]:.1f}" for name in blocks]
predict("x has size 1. Its size after 48 blocks?", ", ".join(larger))

# %%
canvas = show.blank_figure(11, 4.6)
left, right = canvas.subplots(1, 2)
text = {"xlabel": "block"}
show.lines(range(49), size, title="size of the stream", axes=left, **text)
text |= {"title": "difference between tokens / size", "logy": True}
show.lines(range(49), differ, axes=right, **text)
right.get_legend().remove()  # the same names as on the left
figure(canvas, "09_forward")

# %%
print("difference between tokens / size, after so many blocks")
print("                  1        4       12       48")
for name in blocks:
    some = [differ[name][depth] for depth in (1, 4, 12, 48)]
    print(f"{name:12}", " ".join(f"{share:8.2g}" for share in some))

# %% [markdown]
# Pre-norm: the stream grows, as each branch adds to it, and the tokens stay different. Post-norm:
# every LayerNorm brings the stream back to size 1, and each time the old `x` shrinks a little. What
# attention adds is an average over all tokens, so it differs less from token to token than they do,
# and the tokens grow alike. Without residuals they are alike after four blocks, to the rounding of
# float32. (Dong et al., arXiv 2103.03404, prove this for attention alone: without skip connections
# and MLPs it makes all tokens the same, doubly exponentially in depth.) How fast it goes is a
# matter of the first weights; these are the ones above.
#
# ### On the way back

# %%
canvas = show.blank_figure(11, 4.6)
panels = canvas.subplots(1, 2, sharey=True)
for depth, axes in zip((12, 48), panels, strict=True):
    lengths = {}
    for name in blocks:
        _, dstream = walks[name, depth]
        lengths[name] = np.sqrt((dstream**2).sum(axis=(1, 2, 3)))
    text = {"xlabel": "in front of block", "ylabel": "length of dx"}
    text["title"] = f"{depth} blocks, dx {x.shape}"
    show.lines(range(depth + 1), lengths, logy=True, axes=axes, **text)
    for name, length in lengths.items():
        print(f"{depth} blocks, {name:12}  dout {length[-1]:.0f}", end="")
        print(f"  least {length.min():.1f}  at block 0 {length[0]:.1f}")
figure(canvas, "09_gradients")

# %% [markdown]
# Read each curve from the right, where `dout` comes in. With pre-norm the gradient never gets
# shorter than `dout`. With post-norm it first falls, and without residuals it falls most. That it
# falls no further is the LayerNorms' work: their backward divides by the spread (lesson 4). Without
# residuals and without LayerNorms, `out = mlp(attention(x))`, the gradient vanishes:


# %%
def naked_forward(x, p, num_heads):
    attn = [value for name, value in p.items() if name.startswith("attn.")]
    mlp = [value for name, value in p.items() if name.startswith("mlp.")]
    x, a = ops.attention_forward(x, *attn, num_heads)
    x, m = ops.mlp_forward(x, *mlp)
    return x, (a, m)


def naked_backward(dout, cache):
    a, m = cache
    return ops.attention_backward(ops.mlp_backward(dout, m)[0], a)[0], {}


blocks["naked"] = naked_forward, naked_backward
[(_, dstream)] = workers.map(one, [("naked", 48)])
del blocks["naked"]
lengths = np.sqrt((dstream**2).sum(axis=(1, 2, 3)))  # (49,)
print("length of dx, 0, 12, 24, 36, 48 blocks back:")
print("  ".join(f"{length:.0e}" for length in lengths[::-12]))

# %% [markdown]
# But length is not all. **How much of `dout` itself arrives?** We measure `dx` along `dout`: 1
# means that `dout` is in it whole.

# %%
arrives = {}
for name in blocks:
    _, dstream = walks[name, 48]
    arrives[name] = (dstream * dout).sum(axis=(1, 2, 3)) / (dout**2).sum()
    shares = [round(float(arrives[name][48 - n]), 2) for n in (1, 2, 4, 12)]
    print(f"{name:12}  1, 2, 4, 12 blocks back: ", end="")
    print("  ".join(f"{share + 0.0:5.2f}" for share in shares))
text = {"xlabel": "in front of block", "ylabel": "share of dout in dx"}
figure(show.lines(range(49), arrives, **text), "09_arrives")

# %% [markdown]
# That is what the residual connection does. With pre-norm nothing stands on the path past the
# branches: every block gets `dout` whole, plus what the branches behind it add. With post-norm two
# LayerNorms a block stand on it and each one passes on a part. Without residuals `dout` is lost in
# the first step.
#
# ## Does it matter?
#
# Articles say: *deep post-norm stacks need warm-up* (steps that begin small and grow). Xiong et al.
# (2020, arXiv 2002.04745) explain it: with post-norm the gradients of the parameters near the
# output are large at the start, however deep the stack; with pre-norm they shrink as it gets
# deeper. We look at the last block's `mlp.fc2.weight`, in whole models on 16 digits, mean of two
# seeds.

# %%
digits = load_dataset("digits")
images, labels = normalize(digits.train_images), digits.train_labels


def last_gradient(norm, depth, seed):
    sizes = {"depth": depth, "norm": norm, "embed_dim": 32, "mlp_ratio": 4.0}
    config = ViTConfig.preset("digits", **sizes)
    params = init_params(config, seed)
    logits, cache = tinyvit.vit_forward(images[:16], params, config)
    loss, loss_cache = ops.cross_entropy_forward(logits, labels[:16])
    dlogits = ops.cross_entropy_backward(1.0, loss_cache)
    _, grads = tinyvit.vit_backward(dlogits, cache)
    return np.linalg.norm(grads[f"blocks.{depth - 1}.mlp.fc2.weight"])


# %%
depths = 6, 12, 24, 48
last = {"pre-norm": [], "post-norm": []}
for name, lengths in last.items():
    norm = name.removesuffix("-norm")
    for depth in depths:
        both = workers.map(partial(last_gradient, norm, depth), (0, 1))
        lengths.append(np.mean(both))
    print(f"{name:9}", "  ".join(f"{length:5.2f}" for length in lengths))
text = {"xlabel": "blocks", "ylabel": "length of dfc2_weight"}
text["title"] = "gradient of the last block's fc2_weight (32, 128)"
canvas = show.lines(depths, last, points=True, **text)
canvas.axes[0].set_ylim(bottom=0)
figure(canvas, "09_last_block")

# %% [markdown]
# As they say: with pre-norm it falls with depth, with post-norm it does not. Whether that hurts,
# training must show: 12 blocks, 64 steps on digits, each a step of the same size (learning rate
# 0.003), and once with a warm-up over the first 32 steps. (Training is lesson 13.)


# %%
def train(norm, warmup_steps):
    sizes = {"depth": 12, "norm": norm, "embed_dim": 32}
    config = ViTConfig.preset("digits", **sizes)
    trainer = Trainer(
        config,
        init_params(config),
        lr=3e-3,
        warmup_steps=warmup_steps,
        threads=1,
    )
    draw = np.random.default_rng(0)
    batches = [draw.integers(0, len(images), 32) for _ in range(64)]
    return [trainer.step(images[i], labels[i])[0] for i in batches]


# %%
runs = {"pre-norm": train("pre", 0), "post-norm": train("post", 0)}
runs["post-norm, warm-up"] = train("post", 32)
for name, losses in runs.items():
    print(f"{name:18}  loss of the last 10 steps {np.mean(losses[-10:]):.2f}")
print(f"a model that knows nothing: log(10) = {np.log(10):.2f}")
text = {"xlabel": "step", "ylabel": "loss [nats]"}
text["title"] = "12 blocks, learning rate 0.003"
figure(show.lines(np.arange(64), runs, **text), "09_warm_up")

# %% [markdown]
# Without warm-up the post-norm stack learns nothing here; with warm-up it learns; pre-norm learns
# without. That is one depth and one learning rate. It is also a picture, not a proof: AdamW, the
# optimiser, divides the size of a gradient out again, so a large one does not simply make a large
# step.
#
# **What to keep.** `out = x + branch(x)` gives `dx = dout + dbranch`: x fed both. ViT is pre-norm:
# the LayerNorm stands in the branch, the stream is free, and what comes in behind the last block
# reaches the first one whole.
#
# Write it yourself: `tinyvit exercise start block`.
#
# Next: `10_cross_entropy`, where the gradient begins.
