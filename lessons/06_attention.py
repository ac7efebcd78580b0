# %% [markdown]
# # 6 · Attention: every token asks every other
#
# *40 minutes · needs lessons 2, 4 and 5 · 多头自注意力 multi-head self-attention*
#
# Up to here each token was alone. Attention is the one step of a Vision Transformer in which
# tokens meet: each one asks all others, and takes a mix of what they have. First one head, then
# twelve; then the way back, number by number; then where a head looks in a photograph.

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.lessons import figure, predict
from tinyvit.ops import (
    attention_backward,
    attention_forward,
    embed_forward,
    layernorm_forward,
    linear_backward,
    patchify_backward,
    patchify_forward,
    softmax_backward,
    softmax_forward,
)

# %% [markdown]
# ## The tokens
#
# As in a ViT-B/16: 196 patches and a class token, 768 numbers each, brought to mean 0 and spread 1.
# (A patch has 3 x 16 x 16 = 768 numbers already, so we leave the projection out here.)

# %%
rng = np.random.default_rng(0)
images = show.photograph()  # (1, 3, 224, 224)
patches, patchify_cache = patchify_forward(images, 16)  # (1, 196, 768)
cls_token = rng.standard_normal((1, 1, 768))  # (1, 1, 768)
tokens, _ = embed_forward(patches, cls_token, None)  # (1, 197, 768)
x, _ = layernorm_forward(tokens, np.ones(768), np.zeros(768))  # (1, 197, 768)
print(f"{x.shape = }")

# %% [markdown]
# ## One head
#
# Three linear layers give each token three short vectors:
#
# * the **query** q: what it looks for;
# * the **key** k: what it can be found by;
# * the **value** v: what it hands over.
#
# A query that points the same way as a key has a large product with it: a high score. Softmax turns
# each row of scores into shares. The token takes the values, mixed by these shares: its *context*.
#
#     scores  = q @ k.T / sqrt(d)
#     attn    = softmax(scores)
#     context = attn @ v
#
# All three layers of all heads are one matrix: `qkv_weight`. Its first 768 rows make q, the next 768
# k, the last v; of each 768, the first 64 belong to head 0, the next 64 to head 1, and so on.

# %%
D, h = 768, 12
d = D // h
predict("768 features, 12 heads: how long is q of one token in one head?", d)
qkv_weight = rng.standard_normal((3 * D, D)) * D**-0.5  # (2304, 768)
q0 = x @ qkv_weight[:d].T  # (1, 197, 64)
k0 = x @ qkv_weight[D : D + d].T  # (1, 197, 64)
v0 = x @ qkv_weight[2 * D : 2 * D + d].T  # (1, 197, 64)
print(f"{q0.shape = }, {k0.shape = }, {v0.shape = }")

# %%
scores0 = q0 @ k0.swapaxes(-1, -2) * d**-0.5  # (1, 197, 197)
predict("q and k are (1, 197, 64): what shape has scores?", scores0.shape)
attn0, _ = softmax_forward(scores0)  # (1, 197, 197)
context0 = attn0 @ v0  # (1, 197, 64)
print("row = who looks, column = at whom")
print(f"{attn0.shape = }, each row sums to {attn0[0, 0].sum():.6f}")
print(f"{context0.shape = }")

# %% [markdown]
# ## Then twelve
#
# *Said in many texts: "q, k, v of one head are 197 x 64 when there are 12 heads, as 768 / 12 =
# 64; put side by side again they are 197 x 768." Right.* Twelve heads are not twelve times the
# work: each has a twelfth of the width. They are one matrix product, cut into heads by a reshape.

# %%
qkv = x @ qkv_weight.T  # (1, 197, 2304)
parts = qkv.reshape(1, 197, 3, h, d)  # (1, 197, 3, 12, 64)
heads = parts.transpose(2, 0, 3, 1, 4)  # (3, 1, 12, 197, 64)
q, k, v = heads[0], heads[1], heads[2]  # (1, 12, 197, 64)
print("head 0 is the one from above:", np.allclose(q[:, 0], q0))
scores = q @ k.swapaxes(-1, -2) * d**-0.5  # (1, 12, 197, 197)
attn, attn_cache = softmax_forward(scores)  # (1, 12, 197, 197)
context = attn @ v  # (1, 12, 197, 64)
joined = context.transpose(0, 2, 1, 3).reshape(1, 197, D)  # (1, 197, 768)
proj_weight = rng.standard_normal((D, D)) * D**-0.5  # (768, 768)
out = joined @ proj_weight.T  # (1, 197, 768)

# %% [markdown]
# The last line is a linear layer over all heads' contexts: only here do the heads meet. The
# library's `attention_forward` does the same and keeps q, k, v, attn and context in its cache, to
# be looked at.

# %%
zeros = np.zeros(D)  # (768,)
bias = np.zeros(3 * D)  # (2304,)
args = x, qkv_weight, bias, proj_weight, zeros, h
library, cache = attention_forward(*args)  # (1, 197, 768)
print("the same out: ", np.allclose(library, out))
print("the same attn:", np.allclose(cache["attn"], attn))
print(f"{out.shape = }, as x was")
arrays = {"qkv": qkv, "q": q, "k": k, "v": v}
arrays |= {"scores, attn": attn, "context": context}
figure(show.tensors(arrays, arrows=False), "06_shapes")

# %% [markdown]
# ## Everyone with everyone, at a price
#
# *Said in many texts: "self-attention relates every patch to every other, at any distance."
# Right:* no share is zero, however far apart two patches are. *The price is N squared.* An image
# twice as wide and twice as high has four times the patches, and nearly sixteen times the pairs.

# %%
N = attn.shape[-1]
print(f"pairs in one head: {N} x {N} = {N * N}")
print(f"shares above zero: {int((attn[0, 0] > 0).sum())}")
print("image       tokens       pairs a head    numbers in attn, 12 heads")
for side in (224, 448, 896):
    tokens_now = (side // 16) ** 2 + 1
    pairs = tokens_now**2
    print(f"{side} x {side} {tokens_now:9,} {pairs:18,} {h * pairs:28,}")

# %% [markdown]
# ## Why divide by sqrt(d)?
#
# A score is a sum of d products. If the numbers in q and k are independent, with mean 0 and variance
# 1, each product has variance 1 and their sum has variance d. With d = 64, scores of 8 and of -8 are
# common. Divided by sqrt(64) = 8, their variance is 1 again. (Vaswani et al. 2017, arXiv 1706.03762,
# section 3.2.1 and its footnote.) We measure three things, with random q and k:
#
# * the variance of the scores;
# * at how many of 197 tokens a row looks. We count by the entropy of the row: `exp(entropy)` is 197
#   where all shares are equal, and 1 where one token has everything;
# * the gradient that a score gets through the softmax: the median, so half of them get less.


# %%
def measured(scores, dattn):
    attn, cache = softmax_forward(scores)
    entropy = -(attn * np.log(attn + 1e-300)).sum(axis=-1)
    dscores = softmax_backward(dattn, cache)
    looked_at = np.exp(entropy).mean()
    return scores.var(), looked_at, np.median(abs(dscores))


widths = (4, 8, 16, 32, 64, 128, 256)
dattn = rng.standard_normal((197, 197))  # (197, 197)
without, scaled = [], []
for width in widths:
    query, key = rng.standard_normal((2, 197, width))
    without.append(measured(query @ key.T, dattn))
    scaled.append(measured(query @ key.T * width**-0.5, dattn))

# %%
answer = f"{without[4][0] / without[2][0]:.1f} times as large"
predict("d from 16 to 64: how does the variance of q @ k.T change?", answer)
print("      variance         looks at           gradient")
print("  d   without  with    without  with     without    with")
for width, a, b in zip(widths, without, scaled, strict=True):
    line = f"{width:3} {a[0]:8.1f} {b[0]:6.2f} {a[1]:9.1f} {b[1]:6.1f}"
    print(f"{line}   {a[2]:9.0e} {b[2]:8.0e}")

# %%
canvas = show.blank_figure(11, 4.6)
titles = "variance of scores", "tokens looked at, of 197", "median |gradient|"
style = {"xlabel": "d", "logx": True, "logy": True, "points": True}
for place, axes in enumerate(canvas.subplots(1, 3)):
    curves = {"q @ k.T": [row[place] for row in without]}
    curves["... / sqrt(d)"] = [row[place] for row in scaled]
    show.lines(widths, curves, title=titles[place], axes=axes, **style)
    axes.set_xticks([4, 16, 64, 256], labels=["4", "16", "64", "256"])
    axes.minorticks_off()
figure(canvas, "06_scale")

# %% [markdown]
# *Said in many texts: "the scores are divided by sqrt(d_k)." Right, and this is why.* (`d_k` is
# the same d: the length of q and of k in one head.) Without it, at d = 64, a row looks at two or
# three tokens before anything is learned, and the scores of most others get practically no
# gradient: they cannot learn to be looked at.

# %% [markdown]
# ## Backward
#
# Attention is two matrix products with a softmax between. For a product `out = a @ b`,
#
#     da = dout @ b.T        db = a.T @ dout
#
# Used twice, this gives the four lines of the textbook. Each names the forward line it comes from.

# %%
dout = rng.standard_normal(out.shape)  # (1, 197, 768)
djoined = dout @ proj_weight  # (1, 197, 768)
dparts = djoined.reshape(1, 197, h, d)  # (1, 197, 12, 64)
dcontext = dparts.transpose(0, 2, 1, 3)  # (1, 12, 197, 64)
# forward: context = attn @ v
dattn = dcontext @ v.swapaxes(-1, -2)  # (1, 12, 197, 197)
dv = attn.swapaxes(-1, -2) @ dcontext  # (1, 12, 197, 64)
# forward: attn = softmax(scores), scores = q @ k.T / sqrt(d)
dscores = softmax_backward(dattn, attn_cache) * d**-0.5  # (1, 12, 197, 197)
dq = dscores @ k  # (1, 12, 197, 64)
dk = dscores.swapaxes(-1, -2) @ q  # (1, 12, 197, 64)
sums = abs(dscores.sum(axis=-1)).max()
answer = f"0 (to rounding: {sums:.0e})"
predict("what does each row of dscores sum to: -, 0 or +?", answer)

# %% [markdown]
# `dq`, `dk` and `dv` go back through the reshape, side by side as q, k and v were, and then through
# the linear layer. That gives the gradients of the weights. We compare with the library.

# %%
stacked = np.stack([dq, dk, dv])  # (3, 1, 12, 197, 64)
across = stacked.transpose(1, 3, 0, 2, 4)  # (1, 197, 3, 12, 64)
dqkv = across.reshape(1, 197, 3 * D)  # (1, 197, 2304)
dx, dqkv_weight, dqkv_bias = linear_backward(dqkv, (x, qkv_weight, bias))
_, dproj_weight, dproj_bias = linear_backward(
    dout, (joined, proj_weight, zeros)
)
by_hand = dx, dqkv_weight, dqkv_bias, dproj_weight, dproj_bias
names = "dx", "dqkv_weight", "dqkv_bias", "dproj_weight", "dproj_bias"
theirs = attention_backward(dout, cache)
for name, mine, other in zip(names, by_hand, theirs, strict=True):
    error = abs(mine - other).max() / abs(other).max()
    print(f"{name:13}{str(mine.shape):15} differs by {error:.0e}")

# %% [markdown]
# `dqkv_bias` has 2304 numbers: 768 for the bias of q, of k and of v. One of the three gets no
# gradient at all. Which? Think of what a bias of k adds to a row of scores.

# %%
sizes = {n: abs(dqkv_bias[i * D :][:D]).max() for i, n in enumerate("qkv")}
smallest = min(sizes, key=sizes.get)
predict("the bias of which of q, k, v gets gradient 0?", smallest)
for name, size in sizes.items():
    print(f"bias of {name}: gradients up to {size:.0e}")

# %% [markdown]
# A bias of k adds the same number to every score of a row, `q @ bias`, and softmax does not feel it.
#
# One head of four tokens, small enough to read: where a token looks, how the loss changes with
# these shares, and what is left of it for the scores. Each row of `dscores` sums to 0: more
# attention here is less attention there. And a share near 0 gets next to no gradient.

# %%
q4, k4, dattn4 = rng.standard_normal((3, 4, 4))  # (4, 4)
attn4, cache4 = softmax_forward(q4 @ k4.T)  # (4, 4)
dscores4 = softmax_backward(dattn4, cache4)  # (4, 4)
matrices = {"attn": attn4, "dattn": dattn4, "dscores": dscores4}
words = {"rows": "who looks", "columns": "at whom"}
figure(show.heatmaps(matrices, same_scale=False, **words), "06_backward")

# %% [markdown]
# ## The gradient check
#
# On small odd sizes, B, N, h, d = 2, 5, 3, 4, so that no two axes can be confused:

# %%
small = rng.standard_normal((2, 5, 12))  # (2, 5, 12)
shapes = (36, 12), (36,), (12, 12), (12,)
weights = [rng.standard_normal(shape) for shape in shapes]
args = [small, *weights, 3]
print(tinyvit.check_backward(attention_forward, attention_backward, args))

# %% [markdown]
# ## Where a head looks
#
# Our weights are random: no training has told these heads what to look for. So we also make a
# head by hand, with one task: **look at patches of like colours.** Query and key are both the
# patch itself, minus the mean patch, so the weights are the identity matrix and the bias takes
# the mean away. Two patches that differ from the mean in the same way get a high score. The value
# is the patch, too.

# %%
mean = patches.mean(axis=(0, 1))  # (768,)
eye = np.eye(D)  # (768, 768)
T = 3  # a temperature: lesson 5
hand_weight = np.concatenate([eye / T, eye, eye])  # (2304, 768)
hand_bias = np.concatenate([-mean / T, -mean, 0 * mean])  # (2304,)
hand_args = patches, hand_weight, hand_bias, eye, zeros, 1
mixed, hand_cache = attention_forward(*hand_args)  # (1, 196, 768)
hand = hand_cache["attn"][0, 0]  # (196, 196)
random = cache["attn"][0, 0, 1:, 1:]  # (196, 196), without the class token

# %%
places = {"face": (7, 6), "sky": (4, 12), "coat": (12, 3), "flag": (9, 2)}
maps, asking = {}, {}
for name, looks in (("untrained", random), ("by hand", hand)):
    for what, (row, column) in places.items():
        one = looks[row * 14 + column].reshape(14, 14)  # (14, 14)
        title = f"{what}, {name}: up to {one.max():.1%}"
        maps[title], asking[title] = one, (row, column)
del maps[list(maps)[3]]  # the flag, untrained: three are enough
figure(show.looks(images[0], maps, asking=asking), "06_looks")
print(f"an even share is 1 / 196 = {1 / 196:.1%}")

# %% [markdown]
# The framed patch asks. Bright is where it looks; each map is scaled to its largest share. The
# untrained head has its favourites, too, but they mean nothing. The head made by hand finds faces
# from a face, sky from sky, dark cloth from dark cloth. And the red stripe of the flag finds the
# coat. Why? A product is not a distance: both have less green and less blue than the mean patch,
# and that is enough.

# %%
planes = (patches[0] - mean).reshape(196, 3, 256)  # (196, 3, 256)
colours = planes.mean(axis=-1)  # (196, 3)
for what, (row, column) in places.items():
    red, green, blue = colours[row * 14 + column]
    line = f"red {red:+.2f}, green {green:+.2f}, blue {blue:+.2f}"
    print(f"{what}, less the mean: {line}")

# %% [markdown]
# ## What a head hands on
#
# The head's output is again 768 numbers a token. As its values are the patches, we can look at
# it: lay the patches back, and see each one replaced by the mix of those it looks at. At a lower
# temperature it looks at fewer. At the lowest, part of the sky takes the badge of the cap, which
# is so bright that its product with the sky is larger than the sky's with itself.

# %%
shown = {"image": images[0]}
for T in (3, 1, 0.3):
    weight = np.concatenate([eye / T, eye, eye])  # (2304, 768)
    shift = np.concatenate([-mean / T, -mean, 0 * mean])  # (2304,)
    mix, _ = attention_forward(patches, weight, shift, eye, zeros, 1)
    shown[f"attn @ v, T = {T}"] = patchify_backward(mix, patchify_cache)[0]
figure(show.pictures(shown, height=2.55), "06_mixed")

# %% [markdown]
# **What to keep.** Scores, shares, a mix of values: two matrix products and a softmax, in each
# head with a part of the width. Every token meets every other, at a price of N squared. Dividing
# by sqrt(d) keeps the softmax able to learn. The way back uses the same matrices, transposed.
#
# Write it yourself: `tinyvit exercise start attention`.
#
# Next: `07_gelu`, the bend between the two layers of the MLP.
