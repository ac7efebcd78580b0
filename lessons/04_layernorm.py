# %% [markdown]
# # 4 · LayerNorm: every token to mean 0 and spread 1
#
# *20 minutes · needs lessons 1 to 3 · 层归一化*
#
# Each block of a Vision Transformer begins by bringing its tokens to a common size. We look at the
# numbers before and after, at the gradient's three terms, and at what batch normalisation would do
# instead.

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.lessons import figure, predict
from tinyvit.ops import (
    layernorm_backward,
    layernorm_forward,
    patchify_forward,
)

# %% [markdown]
# ## The tokens
#
# A patch of dark cloth is a token of small numbers close together; a patch with an edge is not. The
# patches of a photograph differ in mean and in spread (standard deviation), and so would everything
# computed from them.

# %%
images = show.photograph()  # (1, 3, 224, 224)
x, _ = patchify_forward(images, 16)  # (1, 196, 768)
mean = x.mean(axis=-1)  # (1, 196)
spread = x.std(axis=-1)  # (1, 196)
print(f"{x.shape = }: {x.shape[1]} tokens of {x.shape[2]} features")
print(f"means:   {mean.min():.2f} to {mean.max():.2f}")
print(f"spreads: {spread.min():.2f} to {spread.max():.2f}")

# %% [markdown]
# ## Forward
#
#     xhat = (x - mean) / sqrt(var + eps)
#     out  = weight * xhat + bias
#
# `mean` and `var` are those of the D features of one token. `weight` (the gain) and `bias` (the
# shift) are learned: one number a feature, the same for every token. They start as 1 and 0. `eps`
# keeps a patch of one colour from dividing by zero.

# %%
D = x.shape[-1]
weight = np.ones(D, "float32")  # (768,)
bias = np.zeros(D, "float32")  # (768,)
predict("x is (1, 196, 768); what is the shape of its means?", mean.shape)
out, cache = layernorm_forward(x, weight, bias)
print(f"{out.shape = }")
new_mean = out.mean(axis=-1)  # (1, 196)
new_spread = out.std(axis=-1)  # (1, 196)
print(f"means:   within {abs(new_mean).max():.0e} of 0")
print(f"spreads: {new_spread.min():.3f} to {new_spread.max():.3f}")

# %%
canvas = show.blank_figure(11, 4.2)
left, right = canvas.subplots(1, 2, sharey=True)
before = {"mean": mean[0], "spread": spread[0]}
after = {"mean": new_mean[0], "spread": new_spread[0]}
token = np.arange(196)  # (196,)
show.lines(
    token, before, xlabel="token", title=f"before {x.shape}", axes=left
)
show.lines(
    token, after, xlabel="token", title=f"after {out.shape}", axes=right
)
figure(canvas, "04_statistics")

# %% [markdown]
# ## Backward: three terms
#
# `dout` tells how the loss changes with each number of `out`. With `dxhat = dout * weight`,
#
#     dx = (dxhat  -  mean(dxhat)  -  xhat * mean(dxhat * xhat)) / std
#
# * `dxhat`: what would be right if mean and spread were fixed numbers;
# * `mean(dxhat)`: adding the same number to a whole token (a shift) changes nothing, so the gradient
#   must not ask for it;
# * `xhat * mean(dxhat * xhat)`: stretching a whole token changes nothing either (but for `eps`).

# %%
rng = np.random.default_rng(0)
dout = rng.standard_normal(x.shape).astype("float32")  # (1, 196, 768)
dx, dweight, dbias = layernorm_backward(dout, cache)
print(f"{dx.shape = }")
print(f"{dweight.shape = }, {dbias.shape = }")
xhat = out  # (1, 196, 768), as weight is 1 and bias is 0
size = np.linalg.norm(dx, axis=-1)  # (1, 196)
shift = abs(dx.sum(axis=-1)) / size  # (1, 196)
stretch = abs((dx * xhat).sum(axis=-1)) / size  # (1, 196)
predict(
    "adding 1 to a whole token: is its gradient -, 0 or +?",
    f"0 (at most {shift.max():.0e} of dx: rounding)",
)
print(f"stretching a whole token: at most {stretch.max():.0e} of dx")

# %% [markdown]
# What each term removes is seen best on four small tokens. In each line: what is left of the
# gradient along a shift, and along a stretch.

# %%
small = rng.standard_normal((4, 6))  # (4, 6), four tokens
dxhat = rng.standard_normal((4, 6)) + 0.5  # (4, 6)
normal, _ = layernorm_forward(small, np.ones(6), np.zeros(6), eps=0)
shared = dxhat.mean(axis=-1, keepdims=True)  # (4, 1)
along = normal * (dxhat * normal).mean(axis=-1, keepdims=True)  # (4, 6)
steps = {"dxhat": dxhat, "without shift": dxhat - shared}
steps["without stretch"] = dxhat - shared - along  # (4, 6)
for name, gradient in steps.items():
    shift = abs(gradient.sum(axis=-1)).max()
    stretch = abs((gradient * normal).sum(axis=-1)).max()
    print(f"{name:16} shift {shift:7.1e}   stretch {stretch:7.1e}")
figure(
    show.heatmaps(steps, rows="token", columns="feature", digits=1),
    "04_terms",
)

# %% [markdown]
# ## The gradient check
#
# Is the backward right? Move each number of each input a little, see how the loss moves, and
# compare. Lesson 11 is about this; until then: below 1e-7 is right.

# %%
gain = rng.standard_normal(6)  # (6,)
shift = rng.standard_normal(6)  # (6,)
args = small, gain, shift
print(tinyvit.check_backward(layernorm_forward, layernorm_backward, args))

# %% [markdown]
# A student forgets the second term. The check says so:


# %%
def forgetful_backward(dout, cache):
    xhat, std, weight = cache
    dx, dweight, dbias = layernorm_backward(dout, cache)
    return (
        dx + (dout * weight).mean(axis=-1, keepdims=True) / std,
        dweight,
        dbias,
    )


print(tinyvit.check_backward(layernorm_forward, forgetful_backward, args))

# %% [markdown]
# ## And batch normalisation?
#
# *Said in many texts: "LayerNorm normalises over the features of one token, BatchNorm over the
# batch."* Right. Batch normalisation (Ioffe, Szegedy 2015, arXiv 1502.03167) takes its mean down the
# columns: for each feature, over all tokens of all images. What becomes of a token then depends on
# the others that came with it.

# %%
half = x[:, :98]  # (1, 98, 768), the upper half of the photograph
print(f"LayerNorm's means: {half.mean(axis=-1).shape}, one a token")
print(f"BatchNorm's means: {half.mean(axis=(0, 1)).shape}, one a feature")
out_half, _ = layernorm_forward(half, weight, bias)
batch = (x - x.mean(axis=(0, 1))) / x.std(axis=(0, 1))  # (1, 196, 768)
batch_half = (half - half.mean(axis=(0, 1))) / half.std(axis=(0, 1))
layer_change = abs(out_half - out[:, :98]).max()
batch_change = abs(batch_half - batch[:, :98]).max()
predict(
    "the lower half is taken away: what changes in the upper one?",
    f"LayerNorm by {layer_change:.1f}, BatchNorm by up to {batch_change:.1f}",
)

# %% [markdown]
# **What to keep.** LayerNorm works on each token alone. It removes a token's size and level, and its
# gradient removes the same two from what flows back: that is what the two extra terms are.
#
# Write it yourself: `tinyvit exercise start layernorm`.
#
# Next: `05_softmax`, where scores become shares.
