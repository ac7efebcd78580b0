# %% [markdown]
# # 12 · ViT: all pieces together
#
# *30 minutes · needs lessons 1 to 11 · 分类标记 class token · 反向传播 backpropagation*
#
# Every piece has been written down, and each with its gradient. Here they are put together: first a
# small model by hand, then ViT-B/16. We see where its parameters are, and how large each gradient
# is that comes back. Then three questions about the whole: class token or mean, why this is not
# "seq2seq", and in which order the tokens come out.

# %%
from dataclasses import replace

import numpy as np

import tinyvit
from tinyvit import ops, show, vit_backward, vit_forward
from tinyvit.data import load_dataset, normalize
from tinyvit.lessons import figure, predict
from tinyvit.stages import class_token_backward, mean_backward
from tinyvit.train import Trainer
from tinyvit.vit import starting_with

# %% [markdown]
# ## A small one by hand
#
# Two images of 8 x 8 pixels, patches of 4 x 4, so 4 patches and 5 tokens; 12 numbers a token, 3
# heads, 2 blocks, 7 classes. The pieces, in their order:
#
#     patchify -> linear -> embed -> block -> block
#              -> layernorm -> class token -> linear
#
# attention, softmax, MLP and GELU are inside the block; cross-entropy comes after the scores.

# %%
sizes = {"img_size": 8, "patch_size": 4, "num_classes": 7}
sizes |= {"embed_dim": 12, "num_heads": 3, "depth": 2}
config = tinyvit.ViTConfig(**sizes)
params = tinyvit.init_params(config, dtype="float64")
rng = np.random.default_rng(0)
images = rng.standard_normal((2, 3, 8, 8))  # (2, 3, 8, 8)
print(f"{len(params)} arrays of parameters; the first six:")
for name in list(params)[:6]:
    print(f"  {name:26} {params[name].shape}")

# %%
weight = params["patch_embed.proj.weight"].reshape(12, -1)  # (12, 48)
bias = params["patch_embed.proj.bias"]  # (12,)
patches, _ = ops.patchify_forward(images, 4)  # (2, 4, 48)
tokens, _ = ops.linear_forward(patches, weight, bias)  # (2, 4, 12)
cls_token, pos_embed = params["cls_token"], params["pos_embed"]
x, _ = ops.embed_forward(tokens, cls_token, pos_embed)  # (2, 5, 12)
for i in range(2):
    block = starting_with(f"blocks.{i}.", params)
    x, _ = ops.block_forward(x, block, 3)  # (2, 5, 12)
norm = params["norm.weight"], params["norm.bias"]
normed, _ = ops.layernorm_forward(x, *norm)  # (2, 5, 12)
head = params["head.weight"], params["head.bias"]
by_hand, _ = ops.linear_forward(normed[:, 0], *head)  # (2, 7)

# %% [markdown]
# That is all of `vit_forward`, but for the names. It keeps every array on the way under its name,
# in `cache["stages"]`.

# %%
logits, cache = vit_forward(images, params, config)  # (2, 7)
equal = "yes" if np.array_equal(logits, by_hand) else "no"
predict("are the two equal, bit for bit?", equal)
for name, array in cache["stages"].items():
    print(f"{name:14} {array.shape}")
figure(show.data_path(tinyvit.trace(images, params, config)), "12_path")

# %% [markdown]
# ## A large one
#
# The same function runs ViT-B/16; only the numbers in the configuration differ. Random parameters,
# the photograph as input.

# %%
big = tinyvit.ViTConfig.preset("vit_base_patch16_224")
weights = tinyvit.init_params(big, seed=0)
photo = show.photograph()  # (1, 3, 224, 224)
scores, big_cache = vit_forward(photo, weights, big)  # (1, 1000)
stages = big_cache["stages"]
predict("how many arrays does it name, with 12 blocks?", len(stages))
shown = [name for name in stages if not name.startswith("blocks.")]
shown[3:3] = ["blocks.0.attn", "blocks.0", "blocks.11.attn", "blocks.11"]
for name in shown:
    print(f"{name:14} {stages[name].shape}")

# %% [markdown]
# From the first block to the last the shape stays (1, 197, 768). That is why blocks can be stacked.
#
# ## Where the parameters are

# %%
counts = {}
for name, array in weights.items():
    part = name.split(".")[0]
    if part == "blocks":
        part = name.split(".", 2)[2].rpartition(".")[0]
    part = "norms" if "norm" in name else part
    counts[part] = counts.get(part, 0) + array.size
total = sum(counts.values())
in_mlp = (counts["mlp.fc1"] + counts["mlp.fc2"]) / total
predict("what share of all parameters is in the 12 MLPs?", f"{in_mlp:.0%}")

# %%
millions = {part: count / 1e6 for part, count in counts.items()}
title = f"{total:,} parameters of ViT-B/16, by part [millions]"
figure(show.bars(millions, title=title), "12_parameters")
D, M = big.embed_dim, big.hidden_dim
print(f"attention of a block: 4 D D + 4 D = {4 * D * D + 4 * D:,}")
print(f"MLP of a block: 2 D M + M + D     = {2 * D * M + M + D:,}, M = 4 D")
print(f"class token: {weights['cls_token'].size} numbers of {total:,}")

# %% [markdown]
# Attention is what the Transformer is known for, and it holds a third of the parameters. The MLPs
# hold two thirds: 8 D² in a block against 4 D².
#
# ## The way back
#
# A label, a loss, its gradient, and `vit_backward`: from there on the stages are walked from the
# last to the first. What comes out has the names and the shapes of the parameters.

# %%
labels = np.array([652])  # (1,)
loss, loss_cache = ops.cross_entropy_forward(scores, labels)
dscores = ops.cross_entropy_backward(1.0, loss_cache)  # (1, 1000)
dphoto, grads = vit_backward(dscores, big_cache)  # (1, 3, 224, 224)
predict(
    "what is the shape of the gradient of pos_embed?",
    grads["pos_embed"].shape,
)
print(f"same names, same order: {list(grads) == list(weights)}")
same = all(grads[name].shape == weights[name].shape for name in weights)
print(f"same shapes: {same}")
print(f"{sum(g.size for g in grads.values()):,} gradients")

# %% [markdown]
# Is one of them much larger than the others, or nearly 0? The **norm** of an array is the root of
# the sum of its squares. Here are all 152: the 12 arrays of each block in the picture, the rest in
# print.

# %%
norms = {name: float(np.linalg.norm(grads[name])) for name in grads}
canvas = show.blank_figure(11, 5)
style = {"xlabel": "block", "logy": True, "points": True}
panels = dict(zip(("weight", "bias"), canvas.subplots(1, 2), strict=True))
for kind, axes in panels.items():
    curves = {}
    for name in starting_with("blocks.0.", grads):
        if name.endswith(kind):
            values = [norms[f"blocks.{i}.{name}"] for i in range(12)]
            curves[name.removesuffix(f".{kind}")] = values
    title = f"norm of the gradients: {kind}"
    show.lines(np.arange(12), curves, title=title, axes=axes, **style)
    axes.set_ylim(0.1, 500)
    axes.legend(ncols=2, frameon=False, fontsize=show.TEXT)
figure(canvas, "12_norms")

# %%
for name in norms:
    if not name.startswith("blocks."):
        print(f"{name:24} {norms[name]:6.2f}")

# %% [markdown]
# No gradient gets lost on its way through 12 blocks: the residual stream carries it (lesson 9).
# They even get larger towards the first block. The reason is in the LayerNorms: each divides by the
# spread of its token, backwards too, and the stream is narrow at first and grows with everything
# that is added.

# %%
spreads = {}
for i in (0, 3, 7, 11):
    stream = stages[f"blocks.{i}"]  # (1, 197, 768)
    spreads[i] = stream.std(axis=-1).mean()
widest = max(spreads, key=spreads.get)
predict("after block 0, 3, 7 or 11: where is the spread largest?", widest)
for i in spreads:
    norm = norms[f"blocks.{i}.mlp.fc1.weight"]
    print(f"block {i:2}: spread {spreads[i]:.2f}, dfc1_weight {norm:5.2f}")

# %% [markdown]
# ## Class token, or the mean?
#
# *Said in many texts: "The class token's output is the image's representation; mean pooling of the
# patch tokens is the alternative."* Right. Only one line of the model differs, and no shape behind
# it:
#
#     pooled = x[:, 0]                    the class token
#     pooled = x[:, 1:].mean(axis=1)      the mean of the patch tokens
#
# Backwards, one gives its gradient to the class token alone, the other gives each patch token its
# share:

# %%
averaged = replace(config, global_pool="avg")
mean_logits, mean_cache = vit_forward(images, params, averaged)  # (2, 7)
print(f"{logits.shape = }, {mean_logits.shape = }")
dpool = rng.standard_normal((2, 12))  # (2, 12)
dtoken = class_token_backward(dpool, (2, 5, 12))  # (2, 5, 12)
dmean = mean_backward(dpool, (2, 5, 12))  # (2, 5, 12)
maps = {"class token": dtoken[0], "mean of the patches": dmean[0]}
drawing = show.heatmaps(maps, rows="token", columns="feature", digits=1)
figure(drawing, "12_pool")

# %%
dlogits = rng.standard_normal((2, 7))  # (2, 7)
_, token_grads = vit_backward(dlogits, cache)
_, mean_grads = vit_backward(dlogits, mean_cache)
shapes = {name: g.shape for name, g in token_grads.items()}
same = shapes == {name: g.shape for name, g in mean_grads.items()}
print(f"all gradients have the same shapes: {same}")
size = np.linalg.norm(mean_grads["cls_token"])
answer = "0" if size == 0 else f"not 0: its norm is {size:.2f}"
predict("with the mean, is the gradient of cls_token 0?", answer)

# %% [markdown]
# With the mean, nobody reads the class token at the end. But in every block it is one of those that
# the patches look at, so it learns all the same.
#
# Do both train? Fifty steps on the digits, with the same first parameters. (At the paper's scale,
# too, both work, but each needs a learning rate of its own: ViT, arXiv 2010.11929, appendix D.3.)

# %%
data = load_dataset("digits")
digits = normalize(data.train_images)  # (1438, 1, 8, 8)
losses = {"token": [], "avg": []}
for pool in losses:
    reader = tinyvit.ViTConfig.preset("digits", global_pool=pool)
    trainer = Trainer(reader, tinyvit.init_params(reader), lr=1e-3)
    for step in range(50):
        batch = slice(step % 11 * 128, step % 11 * 128 + 128)
        loss, _ = trainer.step(digits[batch], data.train_labels[batch])
        losses[pool].append(loss)
    print(
        f"{pool:5} loss from {losses[pool][0]:.2f} to {losses[pool][-1]:.2f}"
    )
labels = {"xlabel": "step", "ylabel": "loss [nats]"}
figure(show.lines(np.arange(50), losses, **labels), "12_both_train")

# %% [markdown]
# ## Is this seq2seq?
#
# *Said in some texts: "ViT turns vision into a seq2seq problem."* Wrong. In *sequence to sequence*,
# as in translation, a sequence goes in and **another sequence** comes out, one word after the
# other. An encoder reads, and a decoder writes, with a mask that hides the words that are not
# written yet. Let us look for these:
#
# * A second sequence: one row of scores comes out, one label.
# * A decoder: every parameter belongs to one of the parts in the bars above, and all of them are
#   the encoder's.
# * A mask: under a mask no token looks at a later one. The attention table would be 0 above its
#   diagonal.

# %%
print(f"in: {patches.shape}, a sequence of 4; out: {logits.shape}, one row")
print("parts:", *list(counts)[:5])
print("      ", *list(counts)[5:])
attn = cache["stages"]["blocks.0.attn"]  # (2, 3, 5, 5)
above = np.triu(np.ones((5, 5), bool), k=1)  # (5, 5)
predict(
    "how many of the 10 shares above the diagonal are 0?",
    int((attn[0, 0][above] == 0).sum()),
)
masked = np.tril(attn[0, 0])  # (5, 5)
masked = masked / masked.sum(axis=1, keepdims=True)  # (5, 5)
maps = {"ViT: all look at all": attn[0, 0], "with a causal mask": masked}
drawing = show.heatmaps(maps, rows="who looks", columns="at whom")
figure(drawing, "12_no_mask")

# %% [markdown]
# ViT is an **encoder**: it reads, and does not write. (To write down printed text, piece by piece,
# one puts a decoder behind it: Li et al. 2021, arXiv 2109.10282.)
#
# ## The order of the tokens
#
# Row n that goes into a block and row n that comes out are the same token: the class token is row
# 0, then come the patches as they were cut. Nothing in a block knows about the order. If the rows
# are shuffled, the same rows come out, shuffled in the same way.

# %%
x = cache["stages"]["embed"]  # (2, 5, 12)
block = starting_with("blocks.0.", params)
order = np.array([3, 0, 4, 1, 2])  # (5,)
out, _ = ops.block_forward(x, block, 3)  # (2, 5, 12)
shuffled, _ = ops.block_forward(x[:, order], block, 3)  # (2, 5, 12)
difference = abs(shuffled - out[:, order]).max()
predict(
    "shuffled before or after the block: is it the same?",
    f"yes, to rounding: {difference:.0e}" if difference < 1e-12 else "no",
)

# %% [markdown]
# So the places must be written into the tokens, and `pos_embed` does that before the first block
# (lesson 3).
#
# ## The gradient check
#
# The whole small model: the images and all 32 arrays of parameters, each along two random
# directions, in double precision.

# %%
report = tinyvit.check_backward(
    vit_forward, vit_backward, (images, params, config), directions=2
)
lines = str(report).splitlines()
print("\n".join([*lines[:5], "...", lines[-1]]))
right = sum(gradient.ok for gradient in report.gradients)
print(f"{right} of {len(report.gradients)} right, worst {report.error:.0e}")

# %% [markdown]
# **What to keep.** A ViT is the pieces of lessons 1 to 10, called one after the other; its backward
# calls their backwards in the opposite order. Two thirds of the parameters are in the MLPs. Every
# parameter gets a gradient of its own shape, and the residual stream brings it to the first block.
# One sequence goes in, one label comes out.
#
# Write it yourself: `tinyvit exercise start vit`.
#
# Next: `13_train`, where these gradients are put to use.
