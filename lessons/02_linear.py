# %% [markdown]
# # 2 · Linear: each patch becomes a token
#
# *25 minutes · needs lesson 1 · 线性投影 linear projection · 词元 token · 归纳偏置 inductive bias*
#
# A patch is 768 raw pixel values. A token is 768 features, each an answer to a question about the
# patch: "is it bright?", "is it brighter on the right?" The linear layer asks these questions, and
# training finds them. The same layer comes back in every part of a Transformer.

# %%
from timeit import repeat

import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.lessons import figure, predict
from tinyvit.ops import (
    conv2d_backward,
    conv2d_forward,
    linear_backward,
    linear_forward,
    patchify_backward,
    patchify_forward,
)

# %% [markdown]
# ## Three questions
#
#     out = x @ weight.T + bias
#     out[r, o] = sum over i of x[r, i] * weight[o, i] + bias[o]
#
# A row of `weight` is a question: as long as a patch, so that it can be drawn as a patch. Multiply
# pixel by pixel, add up, and that is the answer. Three questions made by hand:

# %%
images = show.photograph()  # (1, 3, 224, 224)
x, patches_cache = patchify_forward(images, 16)  # (1, 196, 768)
filters = np.ones((3, 3, 16, 16), "float32") / 768  # (3, 3, 16, 16)
filters[1, :, :, :8] *= -1  # minus the left half
filters[2, :, :8, :] *= -1  # minus the upper half
weight3 = filters.reshape(3, 768)  # (3, 768)
out3, _ = linear_forward(x, weight3, None)  # (1, 196, 3)
predict(
    "196 patches, 3 questions: what is the shape of the answers?", out3.shape
)
maps = out3[0].T.reshape(3, 14, 14)  # (3, 14, 14)
asked = ["bright?", "brighter right?", "brighter below?"]
figure(show.answers(images[0], filters, maps, titles=asked), "02_questions")

# %% [markdown]
# Red is yes, blue is the opposite, white is neither. The cap and the coat are dark; the shoulders
# and the collar have edges.
#
# ViT-B asks 768 questions of each patch. That its weight is square, 768 x 768, is a coincidence: a
# patch of 32 x 32 pixels has 3072 numbers, and its weight is 768 x 3072. The weights come from
# training; until then they are random. The variance, 1 / 768, keeps what comes out about as large
# as what goes in.

# %%
rng = np.random.default_rng(0)
kernel = rng.standard_normal((768, 3, 16, 16)) / 768**0.5  # (768, 3, 16, 16)
kernel = kernel.astype("float32")  # (768, 3, 16, 16)
weight = kernel.reshape(768, 768)  # (768, 768), one row a question
bias = rng.standard_normal(768).astype("float32")  # (768,)
tokens, cache = linear_forward(x, weight, bias)  # (1, 196, 768)
print(f"{x.shape} @ {weight.T.shape} -> {tokens.shape}")
print(f"parameters: 768 * 768 + 768 = {weight.size + bias.size:,}")
print(f"used by each of the {tokens.shape[1]} patches: the weight is shared")

# %% [markdown]
# ## It is a convolution
#
# *Said in many texts: "Patch embedding is a convolution whose kernel and stride are the patch
# size."* Right, and it is exactly the linear layer above. A convolution lays a small kernel on the
# image, multiplies, adds up, and moves on by `stride` pixels. With a stride as long as the kernel
# it steps from patch to patch. That is why checkpoints keep this weight as (768, 3, 16, 16). Here
# is one number in three ways, the first by the definition; then all of them.

# %%
conv, conv_cache = conv2d_forward(images, kernel, bias, stride=16)
predict(
    "the convolution's output is (batch, feature, row, column):", conv.shape
)
same = conv.reshape(1, 768, 196).swapaxes(1, 2)  # (1, 196, 768)
window = images[0, :, 32:48, 48:64]  # (3, 16, 16), row 2, column 3: patch 31
by_hand = (window * kernel[5]).sum() + bias[5]  # (), feature 5
print(f"by hand {by_hand:.4f}, linear {tokens[0, 31, 5]:.4f}", end="")
print(f", convolution {conv[0, 5, 2, 3]:.4f}")
print(f"patch 0, linear layer  {tokens[0, 0, :6].round(4)}")
print(f"patch 0, convolution   {same[0, 0, :6].round(4)}")
gap = abs(tokens - same).max()
print(f"largest difference of all {same.size:,} numbers: {gap:.0e}")

# %% [markdown]
# ## Which is cheaper?
#
# *Said in many texts: "The convolution is more efficient than the linear layer, because
# convolutions are local."* Wrong. The linear layer here is just as local: it sees one patch at a
# time. Count the multiplications (each with its addition):
#
# * linear: for each of N patches and D features, C·P·P;
# * convolution: for each of H'·W' places and D features, C·P·P.
#
# Dear would be a layer that is *not* local and *not* shared: each feature of each token from every
# pixel of the image. That is a fully connected layer over the image. ViT does not use one.

# %%
N, D, length = 196, 768, 3 * 16 * 16
rows, columns = conv.shape[2:]
every = images.size * tokens.size
print("multiply-adds for one image")
print(f"linear on patches  {N * D * length:>16,}")
print(f"convolution        {rows * columns * D * length:>16,}")
print(f"fully connected    {every:>16,}, and as many weights")

# %% [markdown]
# Equal counts. Now the clock, for 192 features: the fastest of seven runs of each.


# %%
def by_linear():
    patches, _ = patchify_forward(images, 16)
    return linear_forward(patches, weight[:192], bias[:192])[0]


def by_convolution():
    return conv2d_forward(images, kernel[:192], bias[:192], stride=16)[0]


ways = {"cut, then linear": by_linear, "convolution": by_convolution}
for name, way in ways.items():
    best = min(repeat(way, number=1, repeat=7))
    print(f"{name:17} {1000 * best:6.1f} ms on this machine")

# %% [markdown]
# The times need not be equal. Both ways end in the same matrix product; before it, each copies the
# patches into rows in its own manner. Which is faster is a matter of the library call and of the
# machine, not of locality.
#
# ## Backward
#
# `dout` says how the loss changes with each number of `out`. Then
#
#     dx      = dout @ weight       a pixel feeds all features of its token
#     dweight = dout.T @ x          a weight is used by all tokens: add over them
#     dbias   = sum of dout over the tokens
#
# On 6 tokens of 4 numbers and 3 features, with numbers short enough to follow:

# %%
a = rng.integers(-9, 10, (6, 4)) / 10  # (6, 4), the tokens' inputs
w = rng.integers(-9, 10, (3, 4)) / 10  # (3, 4)
out, small_cache = linear_forward(a, w, np.zeros(3))  # (6, 3)
dout = rng.integers(-9, 10, (6, 3)) / 10  # (6, 3)
da, dw, db = linear_backward(dout, small_cache)
predict("x (6, 4), dout (6, 3): what is the shape of dweight?", dw.shape)
named = {
    "names": ("dout.T", "x", "dweight"),
    "axes": ("output", "token", "input"),
}
figure(show.product(dout.T, a, entry=(2, 1), **named), "02_dweight")

# %% [markdown]
# Each token adds one product: what it had at the input, times how much the loss cares about the
# output. A sign can be read off: where both are positive, a larger weight makes the loss larger.
# And unlike in lesson 1, this backward is not the way back: `@ weight` does not undo `@ weight.T`.

# %%
one = np.array([[0.8]])  # (1, 1), one token, one input
_, one_cache = linear_forward(one, np.array([[0.3]]), None)
_, done, _ = linear_backward(np.array([[-0.5]]), one_cache)
predict(
    "x is 0.8, dout is -0.5: dweight is -, 0 or +?", f"{done.item():+.1f}"
)
again, _, _ = linear_backward(out, small_cache)  # (6, 4)
print(f"out handed to the backward gives x: {np.allclose(again, a)}")
moved = w.copy()  # (3, 4)
moved[2, 1] += 0.001
change = ((linear_forward(a, moved, np.zeros(3))[0] - out) * dout).sum()  # ()
print(f"weight[2, 1] grows by 0.001: the loss changes by {change:+.5f}")
print(
    f"0.001 * dweight[2, 1] is                         {dw[2, 1] / 1000:+.5f}"
)

# %% [markdown]
# ## The convolution's gradients are the same ones
#
# Backward too, the two ways lead to the same numbers: dweight in another shape, and the gradient of
# the patches brought home to the pixels by patchify's backward.

# %%
dtokens = rng.standard_normal(tokens.shape).astype("float32")  # (1, 196, 768)
dx, dweight, dbias = linear_backward(dtokens, cache)
dimages = patchify_backward(dx, patches_cache)  # (1, 3, 224, 224)
dconv = dtokens.swapaxes(1, 2).reshape(conv.shape)  # (1, 768, 14, 14)
dimages2, dkernel, dbias2 = conv2d_backward(dconv, conv_cache)
print(f"{dx.shape = }, {dweight.shape = }, {dbias.shape = }")
print(f"{dimages.shape = }, {dkernel.shape = }")
gap = abs(dweight - dkernel.reshape(768, 768)).max()
print(
    f"dweight: largest difference {gap:.0e}, largest {abs(dweight).max():.0f}"
)
gap = abs(dimages - dimages2).max()
print(
    f"dimages: largest difference {gap:.0e}, largest {abs(dimages).max():.0f}"
)

# %% [markdown]
# ## What the layer knows about images
#
# *Said in many texts: "CNNs have two inductive biases, locality and translation equivariance,
# f(g(x)) = g(f(x)). ViT lacks them."* Mostly right: it has less of them, not none. (An inductive
# bias is what a model takes for granted before it has seen any data. Equivariance, with f a layer
# and g a shift: shift the image, and the output is shifted.) The authors write "much less
# image-specific inductive bias than CNNs" (section 3.1, arXiv 2010.11929). Some of it is here, in
# the first layer. Locality: change one pixel, and see which tokens change.

# %%
touched = images.copy()  # (1, 3, 224, 224)
touched[0, 0, 100, 100] += 1
x2, _ = patchify_forward(touched, 16)  # (1, 196, 768)
tokens2, _ = linear_forward(x2, weight, bias)  # (1, 196, 768)
changed = np.flatnonzero((tokens2 != tokens).any(axis=-1))  # (1,)
predict("one pixel changes: how many of the 196 tokens do?", changed.size)
print(f"token {changed[0]}: row {changed[0] // 14}, column {changed[0] % 14}")

# %% [markdown]
# Now shift the photograph to the right (what leaves on one side comes in on the other). If the
# layer is equivariant, its output is the old one, some places to the right. We measure how far it
# is from that; beside it stands a CNN's 3 x 3 convolution with stride 1.


# %%
def embed(pixels):
    x, _ = patchify_forward(pixels, 16)
    return linear_forward(x, weight[:64], bias[:64])[0].reshape(14, 14, 64)


def convolve(pixels):
    around = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1)), "wrap")
    maps, _ = conv2d_forward(around, kernel[:4, :, :3, :3], None)
    return maps[0].transpose(1, 2, 0)  # (4, 224, 224) -> (224, 224, 4)


def distance(layer, stride, shift):
    before, after = layer(images), layer(np.roll(images, shift, axis=-1))
    expected = np.roll(before, round(shift / stride), axis=1)
    return float(np.linalg.norm(after - expected) / np.linalg.norm(before))


# %%
shifts = np.arange(33)  # (33,)
patch = np.array([distance(embed, 16, s) for s in shifts])  # (33,)
small = np.array([distance(convolve, 1, s) for s in shifts])  # (33,)
predict("f(g(x)) - g(f(x)), shift by 16 pixels:", round(patch[16].item(), 6))
predict("shift by 1 pixel, as a share of f(x):", round(patch[1].item(), 2))
print(f"3 x 3 convolution: at most {small.max():.0e}, whatever the shift")

# %%
curves = {"patch embedding, stride 16": patch}
curves["3 x 3 convolution, stride 1"] = small
canvas = show.blank_figure(9.5, 4.6)
axes = canvas.subplots()
named = {"xlabel": "shift [pixels]", "ylabel": "share of f(x)", "axes": axes}
show.lines(shifts, curves, title="f(g(x)) - g(f(x)), g = shift", **named)
axes.set_xticks(range(0, 33, 4))
axes.set_ylim(-0.02, 0.72)
figure(canvas, "02_shift")

# %% [markdown]
# So the patch embedding is local, and its weight is shared, as a convolution's: it *is* one. But it
# is equivariant only to shifts by whole patches: 16, 32, ... pixels. In the blocks that follow, the
# MLPs treat each token alone and all alike, while attention connects all tokens (section 3.1 of the
# same paper). Lesson 15 goes on from here.
#
# ## The gradient check
#
# Sizes differ on purpose (3 features from 4 inputs; a kernel of 2 x 3): where all sizes are equal,
# a matrix the wrong way round goes unseen by its shape.

# %%
n = rng.standard_normal
args = n((2, 5, 4)), n((3, 4)), n(3)
print(tinyvit.check_backward(linear_forward, linear_backward, args))
args = n((2, 3, 4, 6)), n((5, 3, 2, 3)), n(5), 2
print(tinyvit.check_backward(conv2d_forward, conv2d_backward, args))

# %% [markdown]
# A student writes `x.T @ dout`. With different sizes, the shape tells. With ViT-B's own 768 -> 768
# it would not; here, 4 -> 4 stands for it.


# %%
def turned_backward(dout, cache):
    dx, dweight, dbias = linear_backward(dout, cache)
    return dx, dweight.T, dbias


for features in (3, 4):
    args = n((2, 5, 4)), n((features, 4)), n(features)
    print(f"4 -> {features}")
    print(tinyvit.check_backward(linear_forward, turned_backward, args))

# %% [markdown]
# **What to keep.** A linear layer asks each patch the same questions; the answers are the token. As
# a convolution with stride P it gives the same numbers for the same work. Its gradient for a weight
# adds over all tokens that used it: `dweight = dout.T @ x`.
#
# Write it yourself: `tinyvit exercise start linear`.
#
# Next: `03_embed`, where the tokens learn where they were, and one more joins them.
