# %% [markdown]
# # 3 · Embed: one token more, and a place for each
#
# *25 minutes · needs lessons 1 and 2 · 分类标记 class token · 位置编码 position embedding*
#
# Two things are still missing. No token stands for the whole image: each knows its own patch. And
# no token knows where its patch was. Embed mends both with two learned arrays: the **class token**,
# put in front, and the **position embeddings**, added to all.

# %%
import numpy as np

import tinyvit
from tinyvit import show
from tinyvit.checkpoint import interpolate_pos_embed
from tinyvit.lessons import figure, predict
from tinyvit.ops import (
    embed_backward,
    embed_forward,
    linear_forward,
    patchify_backward,
    patchify_forward,
)
from tinyvit.vit import sincos2d

# %% [markdown]
# ## Forward
#
#     out = [cls_token; tokens] + pos_embed            [a; b]: a on top of b
#
# The batch: the photograph, and the photograph mirrored, as in lessons 1 and 2 cut and made tokens.
# The parameters are ViT-B's, fresh: random numbers that no training has touched yet.

# %%
photo = show.photograph()  # (1, 3, 224, 224)
images = np.concatenate([photo, photo[..., ::-1]])  # (2, 3, 224, 224)
vit_b = tinyvit.ViTConfig.preset("vit_base_patch16_224", depth=1)
params = tinyvit.init_params(vit_b)
patches, _ = patchify_forward(images, 16)  # (2, 196, 768)
weight = params["patch_embed.proj.weight"].reshape(768, 768)  # (768, 768)
tokens, _ = linear_forward(patches, weight, None)  # (2, 196, 768)

# %%
cls_token = params["cls_token"]  # (1, 1, 768)
pos_embed = params["pos_embed"]  # (1, 197, 768)
out, _ = embed_forward(tokens, cls_token, pos_embed)  # (2, 197, 768)
predict("tokens are (2, 196, 768): what shape is out?", out.shape)
for row in (0, 1, 2):
    alike = np.array_equal(out[0, row], out[1, row])
    print(f"row {row} is the same for both images: {alike}")

# %% [markdown]
# Row 0 comes from no image. It is the same page for all of them, and the blocks that follow will
# write on it what they find in the other tokens. A small case, with every number in sight:

# %%
rng = np.random.default_rng(0)
few = rng.integers(-9, 10, (2, 3, 4)) / 10  # (2, 3, 4), B = 2, N = 3, D = 4
cls = rng.integers(-9, 10, (1, 1, 4)) / 10  # (1, 1, 4)
pos = rng.integers(-9, 10, (1, 4, 4)) / 10  # (1, 4, 4)
sums, small_cache = embed_forward(few, cls, pos)  # (2, 4, 4)
joined = np.concatenate([cls[0], few[0]])  # (4, 4), of image 0
parts = {
    "[cls_token; tokens]": joined,
    "+ pos_embed": pos[0],
    "= out": sums[0],
}
named = {"row_names": ["class", "patch 0", "patch 1", "patch 2"]}
figure(show.heatmaps(parts, columns="feature", digits=1, **named), "03_sum")

# %% [markdown]
# ## Added, not concatenated
#
# *Said in many texts: "Position embeddings are added, not concatenated; the shape stays 197x768."*
# Right (equation 1, arXiv 2010.11929). Put side by side, token and position would be twice as wide,
# and so would each weight that reads them. A linear layer reads a sum as `w @ (t + p)`, which is
# `w @ t + w @ p`. Side by side, it would be `w1 @ t + w2 @ p`, with weights of its own for the
# positions. So adding is concatenating with w1 = w2:

# %%
token, place = tokens[0, 0], pos_embed[0, 1]  # (768,)
qkv = params["blocks.0.attn.qkv.weight"]  # (2304, 768)
added = qkv @ (token + place)  # (2304,)
beside = np.hstack([qkv, qkv]) @ np.concatenate([token, place])  # (2304,)
print(
    f"added        {out.shape[1:]}: the next weight has {qkv.size:,} numbers"
)
print(f"concatenated (197, {2 * 768}): it would have {2 * qkv.size:,}")
print(f"with w1 = w2, largest difference {abs(added - beside).max():.0e}")

# %% [markdown]
# ## Two kinds of table
#
# **Learned, 1-D**, ViT's own: a table of 197 x 768 free numbers, one row for the class token, one
# for each patch. The patches are only numbered; nothing says that patch 14 lies right below patch
# 0. At the start the rows are random. (Lesson 14 shows a table after training.)
#
# **Sin-cos, 2-D**: fixed, from a formula. x and y are the patch's column and row; the class token's
# row is 0:
#
#     row = [sin(x w), cos(x w), sin(y w), cos(y w)]
#     w_i = 10000^(-i / (D/4 - 1)),   i < D/4

# %%
fixed = sincos2d(vit_b)  # (1, 197, 768)
print(f"{pos_embed.shape = }, {fixed.shape = }")
w = 10000.0 ** (-np.arange(192) / 191)  # (192,), 192 = D / 4
print(f"w_0 = {w[0]:.4f}, w_20 = {w[20]:.4f}, w_191 = {w[191]:.4f}")
assert np.allclose(np.sin(3 * w), fixed[0, 1 + 3, :192])  # column 3, row 0
grid = fixed[0, 1:].reshape(14, 14, 4, 192)  # (14, 14, 4, 192)
maps = {"a learned feature": pos_embed[0, 1:, 20].reshape(14, 14)}
for part, name in enumerate(("sin(x w)", "cos(x w)", "sin(y w)", "cos(y w)")):
    maps[name] = grid[:, :, part, 20]
named = {"rows": "y", "columns": "x", "per_line": 5}
figure(show.heatmaps(maps, **named), "03_features")

# %% [markdown]
# Each map is one of the 768 features, at all 14 x 14 places. The four to the right are for w_20.
#
# What can the model read from a whole row? Compare the row of one patch with the rows of all by
# their cosine similarity: 1 for the same direction, 0 for directions that have nothing in common.
# That is one map of 14 x 14. Here are the maps of every third patch, laid out as the patches lie
# (as in figure 7 of the paper):


# %%
def similarity(table):
    rows = table[0, 1:]  # (196, 768), without the class token's
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows @ rows.T).reshape(14, 14, 14, 14)


learned, formula = similarity(pos_embed), similarity(fixed)
others = learned.reshape(196, 196)[~np.eye(196, dtype=bool)]  # (38220,)
said = f"about 0 (mean {others.mean():+.3f}, spread {others.std():.3f})"
predict("similarity of two different random rows: -, about 0 or +?", said)
for name, four in (("learned", learned), ("sin-cos", formula)):
    near, far = four[6, 6, 6, 7], four[6, 6, 13, 13]
    print(f"{name}: {near:+.2f} to the next patch, {far:+.2f} to a far one")

# %%
third = range(0, 14, 3)
maps = {"learned, before training": learned[::3, ::3]}
maps["sin-cos"] = formula[::3, ::3]
named = {"rows": "the patch's row", "columns": "its column", "limits": (0, 1)}
named |= {"row_names": third, "column_names": third}
figure(show.tiles(maps, unit="cosine similarity", **named), "03_similarity")

# %% [markdown]
# The random table only knows a patch from all others (one bright point a map). All else has to be
# learned, as the paper says of the start (section 3.1). The formula knows rows and columns from the
# first day: a bright cross for the same row or column, brightest at the patch itself.
#
# *Said in many texts: "The default is a learned 1-D table; 2-D sin-cos also works."* Right, and two
# papers are needed to say so. ViT's own comparison (appendix D.4, table 8; arXiv 2010.11929;
# ViT-B/16, ImageNet, accuracy of a linear classifier on 5 images a class):
#
# | none | learned 1-D | learned 2-D | relative |
# | --- | --- | --- | --- |
# | .614 | .642 | .640 | .640 |
#
# Only "none" is worse. But the 2-D there is learned too: one table for rows, one for columns. The
# sin-cos formula is compared elsewhere (Beyer, Zhai, Kolesnikov 2022, table 1; arXiv 2205.01580;
# ViT-S/16, ImageNet accuracy in %): after 90 epochs sin-cos 76.5, learned 75.0; after 300 epochs
# 80.0 and 79.6.
#
# ## A larger photograph
#
# A ViT is often trained at 224 x 224 and then used at 384 x 384, where smaller things can be seen.
# The patches stay 16 x 16, so there are more of them. All other weights fit any number of tokens;
# only the table has its fixed places. So it is stretched. Each feature is a small picture of
# 14 x 14, as drawn above, and it is resized as a photograph is (section 3.2, arXiv 2010.11929). The
# class token's row has no place in the image and stays as it is.

# %%
stretched = interpolate_pos_embed(fixed, 384 // 16)  # (1, 577, 768)
question = "the table is (1, 197, 768) at 224: what is its shape at 384?"
predict(question, stretched.shape)
at_384 = tinyvit.ViTConfig.preset("vit_base_patch16_224", img_size=384)
counted_on = sincos2d(at_384)  # (1, 577, 768)
maps = {
    "cos(x w), at 224": grid[:, :, 1, 20],
    "stretched to 384": stretched[0, 1:, 212].reshape(24, 24),
    "the formula, at 384": counted_on[0, 1:, 212].reshape(24, 24),
}
named = {"rows": "y", "columns": "x", "per_line": 3}
figure(show.heatmaps(maps, **named), "03_stretched")

# %% [markdown]
# Stretched, each place in the photograph keeps the numbers that the weights have learned to read:
# the right edge looks as it did. The formula counts on, to x = 23, and gives the right edge a row
# that no weight has ever seen. A learned table could not even do that: it ends at 14 x 14.
#
# ## Shuffled
#
# *Said in many texts: "Without positions the Transformer cannot tell order."* Right. We shuffle the
# patches of the photograph, with what lesson 1 taught: cut, put in another order, put back.

# %%
order = rng.permutation(196)  # (196,)
cut, cut_cache = patchify_forward(photo, 16)  # (1, 196, 768)
shuffled = patchify_backward(cut[:, order], cut_cache)  # (1, 3, 224, 224)
both = {"photograph": photo[0], "shuffled": shuffled[0]}
figure(show.pictures(both, height=3.6), "03_shuffled")

# %% [markdown]
# A small ViT of 4 blocks sees both pictures, with each kind of positions. We compare what comes out
# for the class token, from which the answer is read.


# %%
two = photo, shuffled


def outputs(kind):
    name = "vit_tiny_patch16_224"
    config = tinyvit.ViTConfig.preset(name, depth=4, pos_embed=kind)
    start = tinyvit.init_params(config)
    _, cache = tinyvit.vit_forward(np.concatenate(two), start, config)
    return cache["stages"]["norm"]  # (2, 197, 192): photograph, shuffled


def change(before, after):
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


# %%
seen = {kind: outputs(kind) for kind in ("none", "learned", "sincos2d")}
moved = {kind: change(a[0], b[0]) for kind, (a, b) in seen.items()}
said = f"{moved['none']:.0e} of itself: rounding"
predict("no positions: how much does the class token change?", said)
for kind, share in moved.items():
    print(f"{kind:8}  changes by {share:.0e} of itself")

# %% [markdown]
# And the patch tokens? Without positions, each comes out with the same numbers as before, at its
# new place in the list. Place n of the shuffled picture holds patch `order[n]`.

# %%
rows = {}
for kind, (before, after) in seen.items():
    rows[f"{kind}: class token"] = moved[kind]
    rows[f"{kind}: patches, in the new order"] = change(
        before[1:][order], after[1:]
    )
named = {"ylabel": "change [share of itself], on a logarithmic axis"}
figure(show.bars(rows, logy=True, numbers="{:.0e}", **named), "03_change")

# %% [markdown]
# The reason comes in lesson 6: attention adds up over all tokens, and a sum does not know in which
# order it was taken. The rest of the model treats each token alone. So the positions are the only
# place where a ViT learns how the patches lay. (Inside a patch the order is known: there, each
# pixel has a weight of its own.)
#
# ## Backward
#
# Joining and adding only pass gradients on. But the class token and the positions are *shared* by
# all images of the batch, and what is shared adds up the gradients of all who used it:
#
#     dtokens    = dout[:, 1:]                        (B, N, D), each its own
#     dcls_token = sum over the batch of dout[:, :1]  (1, 1, D)
#     dpos_embed = sum over the batch of dout         (1, N+1, D)

# %%
dout = rng.integers(-9, 10, sums.shape) / 10  # (2, 4, 4)
dout[:, 0, 0] = -0.9, 0.4
dtokens, dcls, dpos = embed_backward(dout, small_cache)
predict("B = 2, N = 3, D = 4: what is the shape of dpos_embed?", dpos.shape)
print(f"{dtokens.shape = }, {dcls.shape = }")
question = "class token, feature 0: image 0 says -0.9, image 1 +0.4; in all?"
predict(question, f"{dcls[0, 0, 0]:+.1f}")
parts = {"dout, image 0": dout[0], "dout, image 1": dout[1]}
parts["dpos_embed, their sum"] = dpos[0]
named = {"row_names": ["class", "patch 0", "patch 1", "patch 2"]}
figure(show.heatmaps(parts, columns="feature", digits=1, **named), "03_back")
print(f"dcls_token is row 0 of it: {np.array_equal(dcls, dpos[:, :1])}")

# %% [markdown]
# The last line holds always. The class token and row 0 of the positions are added to each other and
# to nothing else, so they get the same gradient: only their sum matters to the model.
#
# With sin-cos the table is fixed: its gradient is not used. With "none" there is no table.
#
# ## The gradient check

# %%
n = rng.standard_normal
args = n((2, 5, 4)), n((1, 1, 4)), n((1, 6, 4))
print(tinyvit.check_backward(embed_forward, embed_backward, args))

# %% [markdown]
# A student takes the mean over the batch instead of the sum. With one image there is no difference,
# so a check with B = 1 sees nothing. With two, everything shared is half of what it should be.


# %%
def averaging_backward(dout, cache):
    dtokens, dcls_token, dpos_embed = embed_backward(dout, cache)
    return dtokens, dcls_token / len(dout), dpos_embed / len(dout)


for B in (1, 2):
    print(f"B = {B}")
    args = n((B, 5, 4)), n((1, 1, 4)), n((1, 6, 4))
    print(tinyvit.check_backward(embed_forward, averaging_backward, args))

# %% [markdown]
# **What to keep.** Embed puts one learned token in front, (B, N, D) -> (B, N+1, D), and adds a row
# of numbers to each place. Without these rows a ViT sees a bag of patches. Backward, what every
# image shares collects its gradient from every image.
#
# Write it yourself: `tinyvit exercise start embed`.
#
# Next: `04_layernorm`, the first thing that happens to the tokens in a block.
