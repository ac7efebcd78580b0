# %% [markdown]
# # 1 · Patchify: the image becomes a row of vectors
#
# *20 minutes · needs lesson 0 · 图像块 patch · 词元 token*
#
# A Transformer reads a list of vectors, and an image is not a list. So the image is cut into small
# squares, the **patches**, and each patch is written out as one vector. We cut a photograph, follow
# single numbers, and put everything back. Putting back turns out to be the backward pass.

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.lessons import figure, predict
from tinyvit.ops import patchify_backward, patchify_forward
from tinyvit.params import param_shapes

# %% [markdown]
# ## Cut
#
# An image is an array (C, H, W): channels (red, green, blue), height, width. Images come in
# batches, so there is one more axis in front: (B, C, H, W). Here B is 1. The patch size is P = 16
# pixels.

# %%
images = show.photograph()  # (1, 3, 224, 224)
patches, cache = patchify_forward(images, 16)  # (1, 196, 768)
print(
    f"{images.shape = }, from {images.min():.0f} (dark) to {images.max():.0f}"
)
predict("what is the shape of the patches of this image?", patches.shape)
print(f"{224 // 16 = } patches side by side, {14 * 14 = } in all")
figure(show.patch_grid(images[0], patches[0], 16), "01_grid")

# %% [markdown]
# The patches are counted as one reads a page: from left to right, then from top to bottom.
#
# ## One patch is one vector
#
# A patch has 3 channels of 16 x 16 pixels: 3 · 16 · 16 = 768 numbers. They are laid in a row in the
# order (channel, row, column): first the whole red channel, row by row, then green, then blue.
#
#     place in the vector = channel * 16 * 16 + row * 16 + column

# %%
n = 78
row, column = divmod(n, 14)
top, left = 16 * row, 16 * column
vector = patches[0, n]  # (768,)
square = images[0, :, top : top + 16, left : left + 16]  # (3, 16, 16)
print(f"patch {n}: row {row} of the grid, column {column}")
print(f"its red channel begins   {square[0, 0, :4].round(2)}")
print(f"its vector begins        {vector[:4].round(2)}")
print(f"all 768 are the same: {np.array_equal(vector, square.ravel())}")
figure(show.patch_vector(images[0], vector, 16, n), "01_vector")
place = tuple(map(int, np.unravel_index(293, square.shape)))
predict(
    "number 293 of a vector: which channel, row, column of the patch?", place
)
print(f"{vector[293] = :.2f}, {square[place] = :.2f}")

# %% [markdown]
# ## By hand
#
# Three lines do it all. The first gives names to the parts of height and width, the second brings
# the patch's own place to the front, the third flattens:
#
#     x = images.reshape(B, C, rows, P, cols, P)
#     x = x.transpose(0, 2, 4, 1, 3, 5)             # (B, rows, cols, C, P, P)
#     patches = x.reshape(B, rows * cols, C * P * P)
#
# On an image of 4 x 6 pixels, whose pixels are simply counted, one can follow every number.

# %%
small = np.arange(24.0).reshape(1, 1, 4, 6)  # (1, 1, 4, 6)
cut, small_cache = patchify_forward(small, 2)  # (1, 6, 4)
predict(
    "pixels 0 to 23, 6 in a line; P = 2. What is in patch 1?",
    cut[0, 1].tolist(),
)
figure(show.patch_places(small[0, 0], cut[0], 2), "01_by_hand")

# %% [markdown]
# ## How many tokens, how long
#
# *Said in many texts: "A 224x224 image in 16x16 patches gives 196 tokens of 768 numbers, and
# 197x768 with the class token."* Right. The class token is one more vector, learned, put in front
# of the others: lesson 3. But two things are called 768 here. One is the length of a patch,
# 3 · P · P. The other is the width of ViT-B: the number of features that each token has inside the
# model. They are equal by coincidence, and only at P = 16. Lesson 2 leads from one to the other.

# %%
print("  P  patches  tokens  numbers a patch  all numbers  patch -> width")
name = "patch_embed.proj.weight"  # (D, C, P, P)
for P in (8, 14, 16, 28, 32):
    vit_b = tinyvit.ViTConfig.preset("vit_base_patch16_224", patch_size=P)
    N, (width, *one_patch) = vit_b.num_patches, param_shapes(vit_b)[name]
    length = int(np.prod(one_patch))
    line = f"{P:3} {N:8} {N + 1:7} {length:16} {N * length:12}"
    print(f"{line}    {length:4} -> {width}")

# %% [markdown]
# In all, there are always 3 · 224 · 224 = 150528 numbers: cutting neither loses nor adds one.
#
# ## When it does not fit
#
# A patch size must divide the image's height and width. If it does not, the error says what would:

# %%
for side, P in ((28, 5), (8, 3)):
    try:
        patchify_forward(np.zeros((1, 3, side, side)), P)
    except ValueError as error:
        print(f"ValueError: {error}")

# %% [markdown]
# ## Backward: each number goes home
#
# Training asks of every number: how does the loss change when this number grows a little? That is
# its **gradient**. What comes in is `dpatches`, one gradient for each number of the patches. What
# is asked for is `dimages`, one for each pixel. Each pixel was copied to exactly one place, so its
# gradient is the one that is found there: the same walk, backwards.
#
# One gradient of +1 and one of -1, all others 0:

# %%
dcut = np.zeros(cut.shape)  # (1, 6, 4)
dcut[0, 1, 0] = 1
dcut[0, 4, 3] = -1
dsmall = patchify_backward(dcut, small_cache)  # (1, 1, 4, 6)
where = tuple(map(int, np.argwhere(dsmall[0, 0] == -1)[0]))
predict("-1 in patch 4, number 3: which (row, column) gets it?", where)
sign = "lower" if dsmall[0, 0][where] < 0 else "higher"
predict("that pixel gets brighter: is the loss higher or lower?", sign)
named = {"names": ("dimages", "dpatches"), "back": True}
figure(show.patch_places(dsmall[0, 0], dcut[0], 2, **named), "01_home")

# %% [markdown]
# Now the photograph. If we hand the *patches themselves* to the backward, each number goes back to
# where it came from, and that is the image. If we hand it only some of them (0 for the rest, which
# is grey), we see where these belong.

# %%
back = patchify_backward(patches, cache)  # (1, 3, 224, 224)
print(f"the image is back, to the last bit: {np.array_equal(back, images)}")
rows, columns = np.divmod(np.arange(196), 14)  # (196,)
chess = ((rows + columns) % 2 == 0)[:, None]  # (196, 1)
green = (np.arange(768) // 256 == 1)[None]  # (1, 768)
masks = {"all numbers": 1, "every second patch": chess}
masks["numbers 256 to 511"] = green
kept = {}
for name, mask in masks.items():
    kept[name] = patchify_backward(patches * mask, cache)[0]
figure(show.pictures(kept), "01_back")

# %% [markdown]
# ## Backward is not always the inverse
#
# Here it is, and the reason is worth a look. Cutting only changes places. As a matrix,
# `patches = J @ pixels`, J has a single 1 in each row and in each column, and 0 everywhere else.
# The backward of `J @ pixels` is always `J.T @ dpatches`, with J *transposed*: rows become columns.
# For a matrix that only changes places, the transposed one is also the inverse: `J.T @ J` changes
# nothing. In lesson 2 the matrix is another one, and this is no longer so.

# %%
pixels = np.eye(24).reshape(24, 1, 4, 6)  # (24, 1, 4, 6), one lit pixel each
moved, _ = patchify_forward(pixels, 2)  # (24, 6, 4)
J = moved.reshape(24, 24).T  # (24, 24)
print(f"ones in each row:    {set(J.sum(axis=1).tolist())}")
print(f"ones in each column: {set(J.sum(axis=0).tolist())}")
print(f"J.T @ J changes nothing: {np.array_equal(J.T @ J, np.eye(24))}")
by_matrix = (J.T @ dcut.ravel()).reshape(dsmall.shape)  # (1, 1, 4, 6)
print(f"J.T is the backward: {np.array_equal(by_matrix, dsmall)}")
both = {"J, from pixels to patches": J, "J.T, from patches to pixels": J.T}
figure(show.heatmaps(both, rows="to", columns="from"), "01_matrix")

# %% [markdown]
# ## The gradient check
#
# Is the backward right? Move each pixel a little, see how the loss moves, and compare. Lesson 11 is
# about this; until then: below 1e-7 is right.

# %%
rng = np.random.default_rng(0)
few = rng.standard_normal((2, 3, 6, 4))  # (2, 3, 6, 4)
print(tinyvit.check_backward(patchify_forward, patchify_backward, (few, 2)))

# %% [markdown]
# A student takes the vector to be in the order (row, column, channel), as image files are. The
# shape is right, every number gets a place, and still the gradients arrive at the wrong pixels:


# %%
def channels_last_backward(dpatches, cache):
    (B, C, H, W), P = cache
    mistaken = dpatches.reshape(B, -1, P, P, C).transpose(0, 1, 4, 2, 3)
    return patchify_backward(mistaken.reshape(dpatches.shape), cache)


print(
    tinyvit.check_backward(patchify_forward, channels_last_backward, (few, 2))
)
wrong = channels_last_backward(patches, cache)  # (1, 3, 224, 224)
print(f"{wrong.shape = }: the shape tells nothing")
figure(
    show.pictures({"right order": back[0], "wrong order": wrong[0]}),
    "01_wrong",
)

# %% [markdown]
# **What to keep.** Patchify only changes places: (B, C, H, W) becomes (B, N, C·P·P), no number is
# lost, none is computed. Its backward takes each gradient home. And a right shape does not mean
# that the numbers are in the right places: a gradient check does.
#
# Write it yourself: `tinyvit exercise start patchify`.
#
# Next: `02_linear`, where each patch of 768 numbers becomes a token of 768 features.
